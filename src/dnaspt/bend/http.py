"""HTTP with retries: pages as text, and files in pieces that go on where they broke off. The standard library, no account."""

import http.client
import json
import logging
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dnaspt import __version__
from dnaspt.atomic import write_text_atomically
from dnaspt.errors import DnasptError, refuse_full_disk

log = logging.getLogger(__name__)

_CHUNK = 1 << 20
_MAX_PAGE = 10_000_000
_FAILURES = (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError)
Tell = Callable[[int, int], None]
"""Told bytes so far and in all."""


class _SameScheme(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but never from https to http, and never to anything else than HTTP."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        """The request that follows."""
        scheme = urlsplit(newurl).scheme
        if scheme not in ("http", "https") or (urlsplit(req.full_url).scheme == "https" and scheme == "http"):
            fp.close()
            raise DnasptError(f"{req.full_url}: leads to {newurl!r}; refused")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


@dataclass(frozen=True, slots=True)
class Web:
    """How to ask.

    Attributes:
        retries: attempts in a row that bring nothing before giving up.
        wait_s: before the second attempt; twice as long before each further one.
        timeout_s: without a byte.
    """

    retries: int = 6
    wait_s: float = 1.0
    timeout_s: float = 30.0

    def text(self, url: str) -> str:
        """A page.

        Raises:
            DnasptError: it cannot be had, or is no page of a sensible size.
        """
        page: bytes = self._attempts(url, lambda: self._read(url))
        return page.decode("utf-8", errors="replace")

    def size(self, url: str) -> int:
        """Bytes of a file, -1 where the server does not say."""

        def ask() -> int:
            with self._open(url, method="HEAD") as answer:
                return int(answer.headers.get("Content-Length", -1))

        found: int = self._attempts(url, ask)
        return found

    def fetch(self, url: str, out: Path, tell: Tell = lambda _, __: None) -> None:
        """Download a file to `out`, which appears when it is whole; what is there of it already is in `out`.part.

        Raises:
            DnasptError: it cannot be had. NoSpaceError: the disk is full.
        """
        part, note = out.with_name(f"{out.name}.part"), out.with_name(f"{out.name}.part.json")
        failures = 0
        while True:
            before = part.stat().st_size if part.exists() else 0
            try:
                if self._continue(url, part, note, tell):
                    break
                failure: Exception = DnasptError("it ended too early")
            except urllib.error.HTTPError as error:
                error.close()
                if error.code in (404, 401, 403, 410):
                    raise DnasptError(f"{url}: {error.code} {error.reason}") from error
                failure = error
            except _FAILURES as error:
                failure = error
            except OSError as error:
                refuse_full_disk(out, error)
                raise
            after = part.stat().st_size if part.exists() else 0
            failures = 0 if after > before else failures + 1
            if failures >= self.retries:
                raise DnasptError(f"{url}: gave up after {failures} attempts ({failure}); run it again to go on")
            if failures:
                self._wait(url, failures, failure)
        part.replace(out)
        note.unlink(missing_ok=True)

    def _continue(self, url: str, part: Path, note: Path, tell: Tell) -> bool:
        """One attempt from where the part ends; whether the file is whole then."""
        have = part.stat().st_size if part.exists() else 0
        known = json.loads(note.read_text()) if have and note.exists() else {}
        if have and have == known.get("total"):
            return True
        headers = {"Range": f"bytes={have}-"} if have and known.get("validator") else {}
        if headers:
            headers["If-Range"] = known["validator"]
        with self._open(url, headers=headers) as answer:
            start, total = _span(answer)
            if start not in (0, have):
                raise http.client.HTTPException(f"sent bytes from {start}, asked from {have}")
            validator = answer.headers.get("ETag") or answer.headers.get("Last-Modified") or ""
            if validator.startswith("W/"):
                validator = answer.headers.get("Last-Modified") or ""
            write_text_atomically(note, json.dumps({"url": url, "validator": validator, "total": total}))
            with part.open("ab" if start else "wb") as file:
                while chunk := answer.read(_CHUNK):
                    file.write(chunk)
                    if 0 <= total < file.tell():
                        file.truncate(0)
                        raise http.client.HTTPException(f"sent more than the {total} bytes it announced")
                    tell(file.tell(), total)
                return file.tell() == total or total < 0

    def _open(self, url: str, *, method: str = "GET", headers: dict[str, str] | None = None) -> Any:
        if urlsplit(url).scheme not in ("http", "https"):
            raise DnasptError(f"{url}: expected an address of http or https")
        agent = {"User-Agent": f"dnaspt/{__version__}", "Accept-Encoding": "identity"}
        request = urllib.request.Request(url, headers=agent | (headers or {}), method=method)
        return urllib.request.build_opener(_SameScheme).open(request, timeout=self.timeout_s)

    def _read(self, url: str) -> bytes:
        with self._open(url) as answer:
            page: bytes = answer.read(_MAX_PAGE + 1)
        if len(page) > _MAX_PAGE:
            raise DnasptError(f"{url}: more than {_MAX_PAGE:,} bytes; expected a page")
        return page

    def _attempts(self, url: str, ask: Callable[[], Any]) -> Any:
        """The answer, asked for again where the line breaks."""
        for attempt in range(self.retries):
            try:
                return ask()
            except urllib.error.HTTPError as error:
                error.close()
                if error.code < 500 and error.code not in (408, 429):
                    raise DnasptError(f"{url}: {error.code} {error.reason}") from error
                failure: Exception = error
            except _FAILURES as error:
                failure = error
            if attempt + 1 < self.retries:
                self._wait(url, attempt + 1, failure)
        do = "is this machine connected? --mirror names a copy elsewhere"
        raise DnasptError(f"{url}: gave up after {self.retries} attempts ({failure}); {do}")

    def _wait(self, url: str, failures: int, failure: Exception) -> None:
        """Say what happened, and wait twice as long each time."""
        wait_s = self.wait_s * 2 ** (failures - 1)
        log.warning("%s: attempt %d of %d failed (%s); again in %g s", url, failures, self.retries, failure, wait_s)
        time.sleep(wait_s)


def _span(answer: Any) -> tuple[int, int]:
    """First byte and size in all of an answer; -1 where the size is not known."""
    length = int(answer.headers.get("Content-Length", -1))
    if answer.status != 206:
        return 0, length
    unit, _, rest = answer.headers.get("Content-Range", "").partition(" ")
    span, _, total = rest.partition("/")
    first = span.partition("-")[0]
    if unit != "bytes" or not first.isdigit():
        raise http.client.HTTPException("sent a part without saying which")
    return int(first), int(total) if total.isdigit() else int(first) + length
