"""An imitation of the share that BEND lies on, on the loopback address, with the faults of real ones on request."""

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

SHARE = "aNQa0Oz2lY"


@dataclass
class Shared:
    """What the server has, and how it misbehaves.

    files: contents by path below the share's root.
    breaks: for each path, so many answers are broken off at a random byte.
    extra_links: for each folder, further href values (as files) or names (as folders) on its page.
    """

    files: dict[str, bytes]
    breaks: dict[str, int] = field(default_factory=dict)
    extra_files: dict[str, list[str]] = field(default_factory=dict)
    extra_folders: dict[str, list[str]] = field(default_factory=dict)
    longer: set[str] = field(default_factory=set)
    shorter: set[str] = field(default_factory=set)
    moved: dict[str, str] = field(default_factory=dict)
    no_ranges: bool = False
    asked: list[tuple[str, str]] = field(default_factory=list)
    chance: random.Random = field(default_factory=lambda: random.Random(0))


def page(shared: Shared, folder: str) -> str:
    """As the share lists a folder."""
    inside = [path.removeprefix(f"{folder}/") for path in shared.files if path.startswith(f"{folder}/")]
    folders = sorted({path.split("/")[0] for path in inside if "/" in path}) + shared.extra_folders.get(folder, [])
    files = [f"/share_redirect/{SHARE}/{folder}/{path}" for path in inside if "/" not in path]
    rows = [
        f'<a class="leftpad directoryicon" href="ls.py?share_id={SHARE};current_dir={folder}/{name}">{name}</a>'
        for name in folders
    ]
    rows += [
        f'<a class="open" title="open" href="{href}">open</a>' for href in files + shared.extra_files.get(folder, [])
    ]
    return f"<html><body><a href='/'>home</a>{'<br>'.join(rows)}</body></html>"


def handler(shared: Shared) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self.answer(with_body=False)

        def do_GET(self) -> None:
            self.answer(with_body=True)

        def answer(self, *, with_body: bool) -> None:
            parts = urlsplit(self.path)
            shared.asked.append((self.path, self.headers.get("Range", "")))
            if parts.path == "/cgi-sid/ls.py":
                body = page(shared, parse_qs(parts.query)["current_dir"][0]).encode()
                self.head(200, len(body))
                self.wfile.write(body)
                return
            path = unquote(parts.path).removeprefix(f"/share_redirect/{SHARE}/").removeprefix("/moved/")
            if path in shared.moved and not parts.path.startswith("/moved/"):
                self.send_response(302)
                self.send_header("Location", shared.moved[path])
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            if path not in shared.files:
                self.head(404, 0)
                return
            self.send_file(path, shared.files[path], with_body=with_body)

        def send_file(self, path: str, data: bytes, *, with_body: bool) -> None:
            first = 0
            wanted = self.headers.get("Range", "")
            tag = f'"{len(data)}"'
            if wanted and not shared.no_ranges and self.headers.get("If-Range", tag) == tag:
                first = int(wanted.removeprefix("bytes=").rstrip("-"))
                if first >= len(data):
                    self.head(416, 0)
                    return
            more = 1000 if path in shared.longer else -10 if path in shared.shorter and with_body else 0
            headers = {"ETag": tag, "Accept-Ranges": "bytes"}
            if first:
                headers["Content-Range"] = f"bytes {first}-{len(data) - 1}/{len(data) + more}"
            self.head(206 if first else 200, len(data) - first + more, headers)
            if not with_body:
                return
            rest = data[first : len(data) + min(more, 0)]
            if shared.breaks.get(path, 0) > 0:
                shared.breaks[path] -= 1
                rest = rest[: shared.chance.randrange(len(rest))]
                self.close_connection = True
            self.wfile.write(rest)
            if more > 0:
                self.close_connection = True

        def head(self, code: int, length: int, headers: dict[str, str] | None = None) -> None:
            self.send_response(code)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(length))
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@contextmanager
def serving(shared: Shared) -> Iterator[str]:
    """The server's address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(shared))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
