import http.client
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from dnaspt.browser.igv import content_policy
from dnaspt.browser.server import Content, Site, SiteServer, byte_range
from dnaspt.errors import ConfigError, InputError


def answer(query: object) -> object:
    if "chr" not in query:  # type: ignore[operator]
        raise KeyError("chr")
    if query["chr"] == "no":  # type: ignore[index]
        raise InputError("run", "no such contig")
    return [query["chr"]]  # type: ignore[index]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SiteServer]:
    tmp_path = tmp_path_factory.mktemp("site")
    (tmp_path / "data.bw").write_bytes(bytes(range(100)))
    (tmp_path / "secret").write_text("secret")
    site = Site(
        {"": Content(b"<p>page", "text/html; charset=utf-8")},
        {"files/0": tmp_path / "data.bw", "files/1": tmp_path / "gone"},
        {"runs/0/genes": answer},
        content_policy(scripts=(), connect="'self'"),
    )
    server = SiteServer(site)
    yield server
    server.close()


class Answered:
    """An answer of the server."""

    def __init__(self, server: SiteServer, path: str = "", method: str = "GET", **headers: str) -> None:
        address = urlsplit(server.url)
        connection = http.client.HTTPConnection("127.0.0.1", address.port, timeout=10)
        where = path if path.startswith("/") else address.path + path
        connection.putrequest(method, where, skip_host="Host" in headers)
        for name, value in headers.items():
            connection.putheader(name.replace("_", "-"), value)
        connection.endheaders()
        response = connection.getresponse()
        self.status, self.headers, self.body = response.status, response.headers, response.read()
        connection.close()


def test_the_page_is_served_with_its_policy(server: SiteServer) -> None:
    page = Answered(server)
    assert (page.status, page.body) == (200, b"<p>page")
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert "Access-Control-Allow-Origin" not in page.headers


def test_it_listens_on_this_machine_alone(server: SiteServer) -> None:
    assert server._server.server_address[0] == "127.0.0.1"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "0.0.0.0:80"])
def test_another_host_is_refused(server: SiteServer, host: str) -> None:
    refused = Answered(server, Host=host)
    assert refused.status == 403 and b"page" not in refused.body


@pytest.mark.parametrize("host", ["localhost:9", "127.0.0.1", "LOCALHOST"])
def test_a_tunnel_may_have_another_port(server: SiteServer, host: str) -> None:
    assert Answered(server, Host=host).status == 200


def test_a_page_of_another_site_is_refused(server: SiteServer) -> None:
    assert Answered(server, Sec_Fetch_Site="cross-site").status == 403
    assert Answered(server, Sec_Fetch_Site="same-origin").status == 200


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/files/0", "/secret", "secret", "files", "files/", "files/../secret", "..%2fsecret", "files/2"),
        *("files/0/../../secret", "//etc/passwd", "/etc/passwd", "files/%2e%2e/secret", "runs/0", "file:///etc/passwd"),
    ],
)
def test_nothing_but_what_is_named_is_there(server: SiteServer, path: str) -> None:
    refused = Answered(server, path)
    assert refused.status == 404 and b"secret" not in refused.body


def test_parts_of_a_file_are_served(server: SiteServer) -> None:
    whole = Answered(server, "files/0")
    assert (whole.status, whole.body) == (200, bytes(range(100)))
    part = Answered(server, "files/0", Range="bytes=10-19")
    assert (part.status, part.body, part.headers["Content-Range"]) == (206, bytes(range(10, 20)), "bytes 10-19/100")
    assert Answered(server, "files/0", Range="bytes=-5").body == bytes(range(95, 100))
    beyond = Answered(server, "files/0", Range="bytes=100-")
    assert (beyond.status, beyond.headers["Content-Range"]) == (416, "bytes */100")


def test_head_sends_no_body(server: SiteServer) -> None:
    head = Answered(server, "files/0", "HEAD")
    assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", "100")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_nothing_can_be_sent(server: SiteServer, method: str) -> None:
    assert Answered(server, "", method).status == 501


def test_a_file_that_is_gone_is_told(server: SiteServer) -> None:
    assert Answered(server, "files/1").status == 404


def test_answers_are_json_and_faults_are_told(server: SiteServer) -> None:
    assert Answered(server, "runs/0/genes?chr=a%20%26b").body == b'["a &b"]'
    refused = Answered(server, "runs/0/genes?chr=no")
    assert refused.status == 400 and b"no such contig" in refused.body
    assert Answered(server, "runs/0/genes").status == 400


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, (0, 100)),
        ("bytes=0-", (0, 100)),
        ("bytes=5-5", (5, 6)),
        ("bytes=90-1000", (90, 100)),
        ("bytes=-1000", (0, 100)),
        ("bytes=-0", None),
        ("bytes=100-", None),
        ("bytes=7-3", (0, 100)),
        ("bytes=0-1,5-6", (0, 100)),
        ("bytes=-", (0, 100)),
        ("bytes=a-b", (0, 100)),
        ("bytes=-5-", (0, 100)),
        ("lines=0-5", (0, 100)),
        ("bytes=\u0661-5", (0, 100)),
    ],
)
def test_ranges_are_read_as_the_standard_says(header: str | None, expected: tuple[int, int] | None) -> None:
    assert byte_range(header, 100) == expected


def test_an_empty_file_has_no_range() -> None:
    assert byte_range(None, 0) == (0, 0)
    assert byte_range("bytes=0-", 0) is None
    assert byte_range("bytes=-5", 0) is None


def test_a_port_that_is_taken_is_told(server: SiteServer) -> None:
    port = urlsplit(server.url).port
    assert port is not None
    with pytest.raises(ConfigError, match=rf"port {port}: .*; choose another --port"):
        SiteServer(Site({}, {}, {}, ""), port)


def test_a_closed_server_answers_no_more() -> None:
    server = SiteServer(Site({}, {}, {}, ""))
    server.close()
    server.wait()
    with pytest.raises(OSError), socket.create_connection(("127.0.0.1", urlsplit(server.url).port or 0), timeout=2):
        pass
