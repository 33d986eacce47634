"""Pages and files over HTTP from a server on the loopback address that fails in many ways."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from dnaspt.bend.http import Web, _PartNote
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

    def next(self) -> Answer:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = state.next()
            state.asked.append((self.command, self.headers.get("Range", "")))
            self.send_response(answer.status)
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


def test_a_redirect_that_leaves_http_is_refused(server: Server, tmp_path: Path) -> None:
    server.answers = [Answer(status=302, Location="ftp://127.0.0.1/x")]
    with pytest.raises(DnasptError, match=r"leads to 'ftp://127.0.0.1/x'; refused"):
        QUICK.fetch(server.url, tmp_path / "x")
