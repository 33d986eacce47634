"""HTTP with retries: pages as text, and files that go on where they broke off.

The standard library is enough for public files without an account, so no HTTP package is needed.
"""

import http.client
import logging
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast
from urllib.parse import urlsplit

from dnaspt import __version__
from dnaspt.errors import DnasptError, refuse_full_disk
from dnaspt.json_files import read_json, write_json

log = logging.getLogger(__name__)

_CHUNK = 1 << 20
"""Bytes read at once."""
_MAX_PAGE = 10_000_000
"""Largest size of a page in bytes."""
_FAILURES = (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError)
"""What may go better at the next attempt."""
_FINAL_CODES = (401, 403, 404, 410)
"""Answers to a request for a file that no further attempt changes."""
Tell = Callable[[int, int], None]
"""Told the bytes of a file so far, and in all (-1 where the server does not say)."""
Answer = TypeVar("Answer")


class _SameScheme(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but never from https to http, and never to anything else than HTTP."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        """The request that follows."""
        scheme = urlsplit(newurl).scheme
        if scheme not in ("http", "https") or (urlsplit(req.full_url).scheme == "https" and scheme == "http"):
            fp.close()
            raise DnasptError(f"{req.full_url}: leads to {newurl!r}; refused")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class _Span(NamedTuple):
    """Which bytes of a file an answer brings: the first one, and the size of the whole file (-1: not known)."""

    first: int
    total: int


class _PartNote(NamedTuple):
    """What is known of a file that is half downloaded; kept in FILE.part.json.

    Attributes:
        validator: the server's tag or date of the file: with another one it is another file.
        total: size in bytes; -1 where the server does not say.
    """

    validator: str = ""
    total: int = -1

    @classmethod
    def read(cls, file: Path) -> "_PartNote":
        """The note of a file; an empty one where there is none."""
        if not file.exists():
            return cls()
        content = read_json(file, do="remove it, to begin anew")
        return cls(str(content.get("validator", "")), int(content.get("total", -1)))

    def write(self, file: Path, url: str) -> None:
        """Keep it, whole or not at all."""
        write_json(file, {"url": url, "validator": self.validator, "total": self.total})


@dataclass(frozen=True, slots=True)
class Web:
    """How to ask.

    Attributes:
        retries: attempts in a row that bring nothing before giving up.
        wait_s: seconds before the second attempt; twice as many before each further one.
        timeout_s: seconds without a byte after which an attempt has failed.
    """

    retries: int = 6
    wait_s: float = 1.0
    timeout_s: float = 30.0

    def text(self, url: str) -> str:
        """Get a page.

        Raises:
            DnasptError: it cannot be had, or is larger than a page.
        """
        return self._attempts(url, lambda: self._read(url)).decode("utf-8", errors="replace")

    def size(self, url: str) -> int:
        """Ask for the size of a file in bytes; -1 where the server does not say.

        Raises:
            DnasptError: it cannot be had.
        """

        def ask() -> int:
            with self._open(url, method="HEAD") as answer:
                return int(answer.headers.get("Content-Length", -1))

        return self._attempts(url, ask)

    def fetch(self, url: str, out: Path, tell: Tell = lambda _, __: None) -> None:
        """Download a file to `out`, which appears when it is whole; what is in `out`.part already is not asked for again.

        Raises:
            DnasptError: it cannot be had. NoSpaceError: the disk is full.
        """
        part, note = out.with_name(f"{out.name}.part"), out.with_name(f"{out.name}.part.json")
        failures = 0
        while True:
            before = _size(part)
            try:
                if self._continue(url, part, note, tell):
                    break
                failure: Exception = DnasptError("it ended too early")
            except urllib.error.HTTPError as error:
                error.close()
                if error.code in _FINAL_CODES:
                    raise DnasptError(f"{url}: {error.code} {error.reason}") from error
                failure = error
            except _FAILURES as error:
                failure = error
            except OSError as error:
                refuse_full_disk(out, error)
                raise
            failures = 0 if _size(part) > before else failures + 1
            if failures >= self.retries:
                raise DnasptError(f"{url}: gave up after {failures} attempts ({failure}); run it again to go on")
            if failures:
                self._wait(url, failures, failure)
        part.replace(out)
        note.unlink(missing_ok=True)

    def _continue(self, url: str, part: Path, note_file: Path, tell: Tell) -> bool:
        """One attempt, from where the part ends; whether the file is whole then."""
        have = _size(part)
        note = _PartNote.read(note_file) if have else _PartNote()
        if have and have == note.total:
            return True
        headers = {"Range": f"bytes={have}-", "If-Range": note.validator} if have and note.validator else {}
        with self._open(url, headers=headers) as answer:
            span = _span_of(answer)
            if span.first not in (0, have):
                raise http.client.HTTPException(f"sent bytes from {span.first}, asked from {have}")
            _PartNote(_validator_of(answer), span.total).write(note_file, url)
            with part.open("ab" if span.first else "wb") as file:
                while chunk := answer.read(_CHUNK):
                    file.write(chunk)
                    if 0 <= span.total < file.tell():
                        file.truncate(0)
                        raise http.client.HTTPException(f"sent more than the {span.total} bytes it announced")
                    tell(file.tell(), span.total)
                return file.tell() == span.total or span.total < 0

    def _open(
        self, url: str, *, method: str = "GET", headers: dict[str, str] | None = None
    ) -> http.client.HTTPResponse:
        if urlsplit(url).scheme not in ("http", "https"):
            raise DnasptError(f"{url}: expected an address of http or https")
        agent = {"User-Agent": f"dnaspt/{__version__}", "Accept-Encoding": "identity"}
        request = urllib.request.Request(url, headers=agent | (headers or {}), method=method)
        answer = urllib.request.build_opener(_SameScheme).open(request, timeout=self.timeout_s)
        return cast(http.client.HTTPResponse, answer)

    def _read(self, url: str) -> bytes:
        with self._open(url) as answer:
            page = answer.read(_MAX_PAGE + 1)
        if len(page) > _MAX_PAGE:
            raise DnasptError(f"{url}: more than {_MAX_PAGE:,} bytes; expected a page")
        return page

    def _attempts(self, url: str, ask: Callable[[], Answer]) -> Answer:
        """The answer, asked for again where the connection breaks."""
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


def _size(file: Path) -> int:
    """Bytes of a file; 0 where there is none."""
    return file.stat().st_size if file.exists() else 0


def _validator_of(answer: http.client.HTTPResponse) -> str:
    """The server's tag of a file, or its date where the tag is weak or missing; "" where it has neither."""
    tag, date = answer.headers.get("ETag") or "", answer.headers.get("Last-Modified") or ""
    return date if not tag or tag.startswith("W/") else tag


def _span_of(answer: http.client.HTTPResponse) -> _Span:
    """Which bytes an answer brings.

    Raises:
        HTTPException: it brings a part and does not say which.
    """
    length = int(answer.headers.get("Content-Length", -1))
    if answer.status != 206:
        return _Span(0, length)
    unit, _, rest = answer.headers.get("Content-Range", "").partition(" ")
    span, _, total = rest.partition("/")
    first = span.partition("-")[0]
    if unit != "bytes" or not first.isdigit():
        raise http.client.HTTPException("sent a part without saying which")
    return _Span(int(first), int(total) if total.isdigit() else int(first) + length)
