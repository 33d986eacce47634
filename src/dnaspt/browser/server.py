"""A page, named files and predictions over HTTP to a web browser on this machine, and to nobody else.

The server listens on 127.0.0.1. Every address begins with a random word, so that other users of the machine see nothing. A
request whose Host is another name is refused: a stranger's page whose name is made to lead here (DNS rebinding) gets no answer.
"""

import json
import logging
import os
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from dnaspt.errors import ConfigError, DnasptError

log = logging.getLogger(__name__)

HOST = "127.0.0.1"
_NAMES = ("127.0.0.1", "localhost")
"""Names of this machine by which the page may be asked for; any port, so that a tunnel of SSH may have its own."""
_CHUNK_BYTES = 1 << 18
_WAIT_S = 30.0
"""A connection on which nothing is said for so long is closed."""


@dataclass(frozen=True, slots=True)
class Content:
    """Bytes in memory, and their media type."""

    body: bytes
    media_type: str


Answer = Callable[[Mapping[str, str]], Any]
"""Takes the query of a request, and gives what is sent as JSON."""


@dataclass(frozen=True, slots=True)
class Site:
    """What is served, by the path behind the random word; nothing else is there.

    Attributes:
        contents: pages and scripts; the one called "" is the page itself.
        files: files, read as they are asked for, whole or in part.
        answers: what is computed.
        policy: Content-Security-Policy of the page.
    """

    contents: Mapping[str, Content]
    files: Mapping[str, Path]
    answers: Mapping[str, Answer]
    policy: str


class SiteServer:
    """A site that is served in the background until it is closed.

    Args:
        site: what is served.
        port: port to listen on; 0 for a free one.

    Raises:
        ConfigError: the port is taken, or may not be used.
    """

    def __init__(self, site: Site, port: int = 0) -> None:
        word = secrets.token_urlsafe(16)
        try:
            self._server = _Server((HOST, port), _handler(site, word))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise ConfigError(f"port {port}: {reason}; choose another --port, or leave it out") from error
        self.url = f"http://{HOST}:{self._server.server_address[1]}/{word}/"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True, name="dnaspt browse")
        self._thread.start()

    def wait(self) -> None:
        """Return when the server is closed."""
        while self._thread.is_alive():  # a wait without end would not see Ctrl-C on Windows
            self._thread.join(0.5)

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = os.name != "nt"  # on Windows it would let two servers share a port

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A page that is closed while it is being answered is no fault."""
        log.debug("a request was broken off", exc_info=True)


def _handler(site: Site, word: str) -> type[BaseHTTPRequestHandler]:
    """The class that answers the requests for a site."""

    class Handler(_Requests):
        served, prefix = site, f"/{word}/"

    return Handler


class _Requests(BaseHTTPRequestHandler):
    """Answers GET and HEAD for what a site names."""

    served: Site
    prefix: str
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "dnaspt", ""
    timeout = _WAIT_S

    def do_GET(self) -> None:
        """Send the page, a script, a file or part of one, or an answer."""
        if not self._is_for_us():
            self._tell(HTTPStatus.FORBIDDEN, "this server answers to 127.0.0.1 and localhost alone")
            return
        address = urlsplit(self.path)
        if not address.path.startswith(self.prefix):
            self._tell(HTTPStatus.NOT_FOUND, "not here: use the address that dnaspt browse shows")
            return
        name = address.path.removeprefix(self.prefix)
        if (content := self.served.contents.get(name)) is not None:
            self._send(content.body, content.media_type)
        elif (path := self.served.files.get(name)) is not None:
            self._send_file(path)
        elif (answer := self.served.answers.get(name)) is not None:
            self._send_answer(answer, dict(parse_qsl(address.query)))
        else:
            self._tell(HTTPStatus.NOT_FOUND, "not here")

    do_HEAD = do_GET

    def _is_for_us(self) -> bool:
        """Whether the request names this machine, and comes from our own page or from the address line."""
        host = (self.headers.get("Host") or "").rsplit(":", 1)[0].lower()
        return host in _NAMES and self.headers.get("Sec-Fetch-Site", "none") in ("none", "same-origin")

    def _send(self, body: bytes, media_type: str, status: HTTPStatus = HTTPStatus.OK) -> None:
        self._begin(status, media_type, len(body))
        if self.command != "HEAD":
            self.wfile.write(body)

    def _tell(self, status: HTTPStatus, message: str) -> None:
        self._send(f"{message}\n".encode(), "text/plain; charset=utf-8", status)

    def _begin(self, status: HTTPStatus, media_type: str, n_bytes: int, **headers: str) -> None:
        self.send_response(status)
        fixed = {
            "Content-Type": media_type,
            "Content-Length": str(n_bytes),
            "Cache-Control": "no-store",
            "Content-Security-Policy": self.served.policy,
            "Cross-Origin-Resource-Policy": "same-origin",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
        }
        for name, value in {**fixed, **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def _send_answer(self, answer: Answer, query: Mapping[str, str]) -> None:
        try:
            content = answer(query)
        except (DnasptError, KeyError, ValueError) as error:
            log.warning("%s", error)
            self._tell(HTTPStatus.BAD_REQUEST, str(error))
            return
        self._send(json.dumps(content, separators=(",", ":")).encode(), "application/json")

    def _send_file(self, path: Path) -> None:
        """Send a file, or the one range of it that is asked for."""
        try:
            file = path.open("rb")
        except OSError as error:
            log.warning("%s: %s", path, error.strerror)
            self._tell(HTTPStatus.NOT_FOUND, "the file is no longer there")
            return
        with file:
            size = os.fstat(file.fileno()).st_size
            wanted = byte_range(self.headers.get("Range"), size)
            if wanted is None:
                self._begin(
                    HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, "text/plain", 0, **{"Content-Range": f"bytes */{size}"}
                )
                return
            first, end = wanted
            is_part = "Range" in self.headers and (first, end) != (0, size)
            headers = {"Accept-Ranges": "bytes"}
            if is_part:
                headers["Content-Range"] = f"bytes {first}-{end - 1}/{size}"
            status = HTTPStatus.PARTIAL_CONTENT if is_part else HTTPStatus.OK
            self._begin(status, "application/octet-stream", end - first, **headers)
            if self.command == "HEAD":
                return
            file.seek(first)
            while first < end and (block := file.read(min(_CHUNK_BYTES, end - first))):
                self.wfile.write(block)
                first += len(block)
            self.close_connection = self.close_connection or first < end  # the file was cut meanwhile

    def log_message(self, format: str, *args: Any) -> None:
        """Say what was asked for, with --verbose."""
        log.info("%s", (format % args).replace(self.prefix, "/"))


def byte_range(header: str | None, size: int) -> tuple[int, int] | None:
    """First byte and end (half-open) that a Range header asks for.

    Args:
        header: its value; None where there is none.
        size: bytes of the file.

    Returns:
        The whole file without a header, and where the header asks for several ranges or makes no sense, as RFC 9110 allows; None
        for a range that begins beyond the end.
    """
    unit, _, ranges = (header or "").partition("=")
    first, dash, last = ranges.strip().partition("-")
    is_plain = all(part == "" or (part.isascii() and part.isdigit()) for part in (first, last))
    if unit.strip().lower() != "bytes" or not dash or not is_plain or not (first or last):
        return 0, size
    if not first:
        return (size - min(int(last), size), size) if int(last) and size else None
    if last and int(last) < int(first):
        return 0, size
    end = min(int(last) + 1, size) if last else size
    return (int(first), end) if int(first) < size else None
