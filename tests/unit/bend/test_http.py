"""Pages and files over HTTP from a server on the loopback address that fails in many ways."""

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from dnaspt.bend.http import Web, _open_part, _PartNote
from dnaspt.errors import DnasptError, InputError

QUICK = Web(retries=3, wait_s=0.001, timeout_s=5)
DATA = bytes(range(256)) * 20


class Answer:
    """One answer of the server: status, headers and body; `cut` bytes of the body are not sent."""

    def __init__(self, body: bytes = b"", status: int = 200, cut: int = 0, **headers: str) -> None:
        self.body, self.status, self.cut = body, status, cut
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class Server:
    """A server that gives its answers one after the other, the last one again and again."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.asked: list[tuple[str, str]] = []
        self.url = ""
        self.reason: str | None = None

    def next(self) -> Answer:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = state.next()
            state.asked.append((self.command, self.headers.get("Range", "")))
            self.send_response(answer.status, state.reason)
            for name, value in ({"Content-Length": str(len(answer.body))} | answer.headers).items():
                if value:
                    self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(answer.body[: len(answer.body) - answer.cut])

        do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{http.server_address[1]}/file"
    yield state
    http.shutdown()
    http.server_close()
    thread.join()


def test_a_page_is_asked_for_again_where_the_server_fails(server: Server) -> None:
    server.answers = [Answer(status=503), Answer(status=429), Answer("Grüße".encode())]
    assert QUICK.text(server.url) == "Grüße"
    server.answers = [Answer(status=500)]
    with pytest.raises(DnasptError, match=r"gave up after 3 attempts .*--mirror names a copy elsewhere"):
        QUICK.text(server.url)
    assert len(server.asked) == 6


def test_a_page_that_is_not_there_is_asked_for_once(server: Server) -> None:
    server.answers = [Answer(status=404)]
    with pytest.raises(DnasptError, match="404"):
        QUICK.text(server.url)
    assert len(server.asked) == 1


def test_a_page_without_end_is_refused(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dnaspt.bend.http._MAX_PAGE", 10)
    server.answers = [Answer(b"x" * 11)]
    with pytest.raises(DnasptError, match="more than 10 bytes; expected a page"):
        QUICK.text(server.url)


def test_a_server_that_is_not_there_is_told_as_such() -> None:
    with pytest.raises(DnasptError, match="gave up after 2 attempts"):
        Web(retries=2, wait_s=0.001).text("http://127.0.0.1:9/x")
    with pytest.raises(DnasptError, match="expected an address of http or https"):
        QUICK.text("file:///etc/passwd")


def test_the_size_of_a_file_is_asked_for_without_its_bytes(server: Server) -> None:
    server.answers = [Answer(DATA), Answer(DATA, Content_Length="")]
    assert (QUICK.size(server.url), QUICK.size(server.url)) == (len(DATA), -1)
    assert {command for command, _ in server.asked} == {"HEAD"}


def test_a_file_appears_when_it_is_whole(server: Server, tmp_path: Path) -> None:
    server.answers = [Answer(DATA, ETag='"a"')]
    told: list[tuple[int, int]] = []
    QUICK.fetch(server.url, tmp_path / "x", lambda so_far, total: told.append((so_far, total)))
    assert (tmp_path / "x").read_bytes() == DATA and told[-1] == (len(DATA), len(DATA))
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_a_file_that_breaks_off_goes_on_where_it_stopped(server: Server, tmp_path: Path) -> None:
    rest = Answer(DATA[-100:], 206, Content_Range=f"bytes {len(DATA) - 100}-{len(DATA) - 1}/{len(DATA)}", ETag='"a"')
    server.answers = [Answer(DATA, cut=100, ETag='"a"'), rest]
    QUICK.fetch(server.url, tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == DATA
    assert server.asked[1] == ("GET", f"bytes={len(DATA) - 100}-")


@pytest.mark.parametrize("tag", ["", 'W/"weak"'])
def test_without_a_strong_tag_a_file_begins_anew(tag: str, server: Server, tmp_path: Path) -> None:
    server.answers = [Answer(DATA, cut=100, ETag=tag), Answer(DATA, ETag=tag)]
    QUICK.fetch(server.url, tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == DATA and server.asked[1] == ("GET", "")


@pytest.mark.parametrize("where", ["bytes 7-9/5120", "lines 5020-5119/5120", ""])
def test_a_part_that_was_not_asked_for_is_not_taken(where: str, server: Server, tmp_path: Path) -> None:
    wrong = Answer(DATA[-100:], 206, Content_Range=where)
    server.answers = [Answer(DATA, cut=100, ETag='"a"'), wrong]
    with pytest.raises(DnasptError, match=r"gave up after 3 attempts .*run it again to go on"):
        QUICK.fetch(server.url, tmp_path / "x")
    assert not (tmp_path / "x").exists()
    assert (tmp_path / "x.part").read_bytes() == DATA[:-100]


def test_a_whole_part_is_not_asked_for_again(server: Server, tmp_path: Path) -> None:
    (tmp_path / "x.part").write_bytes(DATA)
    _PartNote("tag", len(DATA)).write(tmp_path / "x.part.json", server.url)
    QUICK.fetch(server.url, tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == DATA and not server.asked


def test_a_note_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "x.part.json"
    assert _PartNote.read(file) == _PartNote("", -1)
    _PartNote("tag", 9).write(file, "http://host/x")
    assert _PartNote.read(file) == _PartNote("tag", 9)
    assert json.loads(file.read_text())["url"] == "http://host/x"
    file.write_text("{")
    with pytest.raises(InputError, match=r"x\.part\.json: not JSON .*remove it, to begin anew"):
        _PartNote.read(file)


@pytest.mark.parametrize("code", [401, 403, 404, 410])
def test_a_file_that_cannot_be_had_is_not_asked_for_again(code: int, server: Server, tmp_path: Path) -> None:
    server.answers = [Answer(status=code)]
    with pytest.raises(DnasptError, match=str(code)):
        QUICK.fetch(server.url, tmp_path / "x")
    assert len(server.asked) == 1


@pytest.mark.parametrize("length", ["abc", "-5", "1e3", "\xb2", "9" * 5000, "5, 5"])
def test_a_length_that_is_no_number_is_told_at_once(length: str, server: Server, tmp_path: Path) -> None:
    server.answers = [Answer(DATA, Content_Length=length)]
    for ask in (QUICK.size, lambda url: QUICK.fetch(url, tmp_path / "x")):
        with pytest.raises(DnasptError, match=r"/file: sent Content-Length '.*; expected a number of bytes$"):
            ask(server.url)
    assert len(server.asked) == 2 and not list(tmp_path.iterdir())


@pytest.mark.parametrize("total", ["*", "9" * 5000, "\xb2"])
def test_a_part_of_unknown_size_ends_where_it_ends(total: str, server: Server, tmp_path: Path) -> None:
    server.answers = [Answer(DATA, 206, Content_Range=f"bytes 0-/{total}", Content_Length="")]
    QUICK.fetch(server.url, tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == DATA
    server.answers = [Answer(DATA, 206, Content_Range="bytes \xb2-9/9")]
    with pytest.raises(DnasptError, match="sent a part without saying which"):
        QUICK.fetch(server.url, tmp_path / "y")


@pytest.mark.parametrize(
    "address",
    [
        "http://[::1",
        "http://host:abc/",
        "http://a b/",
        "http://\x01/",
        f"http://{'a' * 300}/",
    ],
)
def test_a_redirect_to_what_is_no_address_is_told_at_once(address: str, server: Server, tmp_path: Path) -> None:
    server.answers = [Answer(status=302, Location=address)]
    for ask in (QUICK.text, QUICK.size, lambda url: QUICK.fetch(url, tmp_path / "x")):
        with pytest.raises(DnasptError, match=r"/file: is, or leads to, an address that is none \(.*\)$"):
            ask(server.url)
    assert len(server.asked) == 3
    with pytest.raises(DnasptError, match="an address that is none"):
        QUICK.text(address)


def test_what_a_server_says_is_one_line_without_control_characters(server: Server, tmp_path: Path) -> None:
    server.reason = "\x1b[2Jgone\x07"
    for status in (404, 503):
        server.answers = [Answer(status=status)]
        for ask in (QUICK.text, lambda url: QUICK.fetch(url, tmp_path / "x")):
            with pytest.raises(DnasptError, match=r"\?\[2Jgone\?") as caught:
                ask(server.url)
            assert str(caught.value).isprintable()


def test_a_part_that_is_a_link_is_not_written_through(server: Server, tmp_path: Path) -> None:
    mine, part = tmp_path / "mine", tmp_path / "x.part"
    for content in (b"mine", None):
        if content is None:
            mine.unlink()
        else:
            mine.write_bytes(content)
        part.symlink_to(mine)
        server.answers = [Answer(DATA)]
        with pytest.raises(InputError, match=r"x\.part: is a link, or no file; .*; remove it"):
            QUICK.fetch(server.url, tmp_path / "x")
        assert (mine.read_bytes() if content else mine.exists()) == (content or False)
        with pytest.raises(OSError, match="symbolic links"):
            _open_part(part, append=content is None)
        part.unlink()
    for make in (part.mkdir, lambda: os.mkfifo(part)):
        make()
        with pytest.raises(InputError, match="is a link, or no file"):
            QUICK.fetch(server.url, tmp_path / "x")
        part.rmdir() if part.is_dir() else part.unlink()
    assert not server.asked


def test_a_note_or_a_file_that_is_a_link_is_replaced_and_not_written_through(server: Server, tmp_path: Path) -> None:
    for name in ("x", "x.part.json"):
        (tmp_path / name).symlink_to(tmp_path / f"{name} of mine")
    server.answers = [Answer(DATA)]
    QUICK.fetch(server.url, tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == DATA
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_a_folder_in_the_way_is_told(server: Server, tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    server.answers = [Answer(DATA)]
    with pytest.raises(InputError, match=r"cannot be written \(.*irectory\); remove what is in its way"):
        QUICK.fetch(server.url, tmp_path / "x")


@pytest.mark.parametrize(
    "content",
    [
        '{"total": "abc"}',
        '{"total": null}',
        '{"total": NaN}',
        '{"total": 1e400}',
        '{"total": true}',
        '{"validator": 5}',
        '{"validator": "a\\nX: b"}',
        '{"validator": "\\ud800"}',
        json.dumps({"validator": "x" * 201}),
        "[]",
        pytest.param("[" * 99_999, id="lists without end"),
    ],
)
def test_a_damaged_note_is_told(content: str, server: Server, tmp_path: Path) -> None:
    (tmp_path / "x.part").write_bytes(DATA[:9])
    (tmp_path / "x.part.json").write_text(content)
    server.answers = [Answer(DATA)]
    with pytest.raises(InputError, match=r"x\.part\.json: .*remove it, to begin anew"):
        QUICK.fetch(server.url, tmp_path / "x")
    assert not server.asked and (tmp_path / "x.part").read_bytes() == DATA[:9]


def test_a_tag_that_cannot_be_sent_back_is_not_kept(server: Server, tmp_path: Path) -> None:
    server.answers = [Answer(DATA, cut=100, ETag='"\xe9"'), Answer(DATA, ETag='"' + "x" * 300 + '"')]
    QUICK.fetch(server.url, tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == DATA and server.asked[1] == ("GET", "")


def test_a_redirect_that_leaves_http_is_refused(server: Server, tmp_path: Path) -> None:
    server.answers = [Answer(status=302, Location="ftp://127.0.0.1/x")]
    with pytest.raises(DnasptError, match=r"leads to 'ftp://127.0.0.1/x'; refused"):
        QUICK.fetch(server.url, tmp_path / "x")
