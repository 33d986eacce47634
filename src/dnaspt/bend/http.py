"""HTTP with retries: pages as text, and files that go on where they broke off.

The standard library is enough for public files without an account, so no HTTP package is needed.
"""

import http.client
import logging
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeVar, cast
from urllib.parse import urlsplit

from dnaspt import __version__
from dnaspt.errors import DnasptError, InputError, refuse_full_disk
from dnaspt.json_files import read_json, write_json

log = logging.getLogger(__name__)

_CHUNK = 1 << 20
"""Bytes read at once."""
_MAX_PAGE = 10_000_000
"""Largest size of a page in bytes."""
_MAX_DIGITS = 18
"""Digits of a number of bytes that is believed."""
_MAX_VALIDATOR = 200
"""Letters of a tag or date that is kept."""
_FAILURES = (urllib.error.URLError, http.client.HTTPException)
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
        """The note of a file; an empty one where there is none.

        Raises:
            InputError: it is damaged.
        """
        if not file.exists():
            return cls()
        do = "remove it, to begin anew"
        content = read_json(file, do=do)
        validator, total = content.get("validator", ""), content.get("total", -1)
        if type(total) is not int or not (isinstance(validator, str) and _is_plain(validator)):
            raise InputError(file, f"total {total!r}, validator {validator!r}", expected="a note of a download", do=do)
        return cls(validator, total)

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
                return _length_of(url, answer)

        return self._attempts(url, ask)

    def fetch(self, url: str, out: Path, tell: Tell = lambda _, __: None) -> None:
        """Download a file to `out`, which appears when it is whole; what is in `out`.part already is not asked for again.

        Raises:
            DnasptError: it cannot be had. InputError: it cannot be written. NoSpaceError: the disk is full.
        """
        part, note = out.with_name(f"{out.name}.part"), out.with_name(f"{out.name}.part.json")
        try:
            self._fetch(url, part, note, tell)
            part.replace(out)
            note.unlink(missing_ok=True)
        except OSError as error:  # of the disk: those of the network are among the failures
            refuse_full_disk(out, error)
            found = f"cannot be written ({error.strerror or error})"
            raise InputError(
                error.filename or out, found, do="remove what is in its way, or write elsewhere"
            ) from error

    def _fetch(self, url: str, part: Path, note: Path, tell: Tell) -> None:
        """Download a file to `part`, in as many attempts as are needed."""
        _check_part(part)
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
                    raise DnasptError(f"{url}: {error.code} {_plain(error.reason)}") from error
                failure = error
            except _FAILURES as error:
                failure = error
            failures = 0 if _size(part) > before else failures + 1
            if failures >= self.retries:
                raise DnasptError(
                    f"{url}: gave up after {failures} attempts ({_plain(failure)}); run it again to go on"
                )
            if failures:
                self._wait(url, failures, failure)

    def _continue(self, url: str, part: Path, note_file: Path, tell: Tell) -> bool:
        """One attempt, from where the part ends; whether the file is whole then."""
        have = _size(part)
        note = _PartNote.read(note_file) if have else _PartNote()
        if have and have == note.total:
            return True
        headers = {"Range": f"bytes={have}-", "If-Range": note.validator} if have and note.validator else {}
        with self._open(url, headers=headers) as answer:
            span = _span_of(url, answer)
            if span.first not in (0, have):
                raise http.client.HTTPException(f"sent bytes from {span.first}, asked from {have}")
            _PartNote(_validator_of(answer), span.total).write(note_file, url)
            with _open_part(part, append=span.first > 0) as file:
                while chunk := _read_chunk(answer, _CHUNK):
                    file.write(chunk)
                    if 0 <= span.total < file.tell():
                        file.truncate(0)
                        raise http.client.HTTPException(f"sent more than the {span.total} bytes it announced")
                    tell(file.tell(), span.total)
                return file.tell() == span.total or span.total < 0

    def _open(
        self, url: str, *, method: str = "GET", headers: dict[str, str] | None = None
    ) -> http.client.HTTPResponse:
        """Ask.

        Raises:
            DnasptError: an address that is none, or that leads to one that is none. URLError, HTTPException: all other failures.
        """
        agent = {"User-Agent": f"dnaspt/{__version__}", "Accept-Encoding": "identity"}
        try:
            if urlsplit(url).scheme not in ("http", "https"):
                raise DnasptError(f"{_plain(url)}: expected an address of http or https")
            request = urllib.request.Request(url, headers=agent | (headers or {}), method=method)
            answer = urllib.request.build_opener(_SameScheme).open(request, timeout=self.timeout_s)
        except (ValueError, OverflowError, http.client.InvalidURL) as error:
            raise DnasptError(f"{_plain(url)}: is, or leads to, an address that is none ({_plain(error)})") from error
        except urllib.error.URLError:
            raise
        except OSError as error:
            raise http.client.HTTPException(f"the connection broke: {error}") from error
        return cast(http.client.HTTPResponse, answer)

    def _read(self, url: str) -> bytes:
        with self._open(url) as answer:
            page = _read_chunk(answer, _MAX_PAGE + 1)
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
                    raise DnasptError(f"{url}: {error.code} {_plain(error.reason)}") from error
                failure: Exception = error
            except _FAILURES as error:
                failure = error
            if attempt + 1 < self.retries:
                self._wait(url, attempt + 1, failure)
        do = "is this machine connected? --mirror names a copy elsewhere"
        raise DnasptError(f"{url}: gave up after {self.retries} attempts ({_plain(failure)}); {do}")

    def _wait(self, url: str, failures: int, failure: Exception) -> None:
        """Say what happened, and wait twice as long each time."""
        wait_s = self.wait_s * 2 ** (failures - 1)
        reason = _plain(failure)
        log.warning("%s: attempt %d of %d failed (%s); again in %g s", url, failures, self.retries, reason, wait_s)
        time.sleep(wait_s)


def _plain(text: object) -> str:
    """What a server said, as one line for a terminal: shortened, and without control characters."""
    return "".join(letter if letter.isprintable() else "?" for letter in str(text)[:200])


def _is_plain(validator: str) -> bool:
    """Whether a tag or a date can be sent back in a header."""
    return len(validator) <= _MAX_VALIDATOR and validator.isascii() and validator.isprintable()


def _check_part(part: Path) -> None:
    """Refuse to go on with what is no file of ours.

    Raises:
        InputError: a symbolic link, which would be written through, a folder, a pipe.
    """
    if part.is_symlink() or (part.exists() and not part.is_file()):
        raise InputError(part, "is a link, or no file", expected="a file that is half downloaded", do="remove it")


def _open_part(part: Path, *, append: bool) -> IO[bytes]:
    """Open a file to write or append to, unless it is a symbolic link: between the check and this, it may have become one."""
    no_follow = getattr(os, "O_NOFOLLOW", 0)  # Windows has none
    return open(part, "ab" if append else "wb", opener=lambda path, flags: os.open(path, flags | no_follow, 0o666))


def _read_chunk(answer: http.client.HTTPResponse, n_bytes: int) -> bytes:
    """Bytes of an answer.

    Raises:
        HTTPException: the connection broke, in whatever way.
    """
    try:
        return answer.read(n_bytes)
    except (OSError, ValueError) as error:
        raise http.client.HTTPException(f"the connection broke: {error}") from error


def _size(file: Path) -> int:
    """Bytes of a file; 0 where there is none."""
    return file.stat().st_size if file.exists() else 0


def _validator_of(answer: http.client.HTTPResponse) -> str:
    """The server's tag of a file, or its date where the tag is weak or missing; "" where it has neither."""
    tag, date = answer.headers.get("ETag") or "", answer.headers.get("Last-Modified") or ""
    validator = date if not tag or tag.startswith("W/") else tag
    return validator if _is_plain(validator) else ""


def _length_of(url: str, answer: http.client.HTTPResponse) -> int:
    """Bytes that an answer announces; -1 where it does not say.

    Raises:
        DnasptError: it announces no number.
    """
    text = answer.headers.get("Content-Length")
    if text is None:
        return -1
    if not _is_number(text.strip()):
        raise DnasptError(f"{url}: sent Content-Length {text[:40]!r}; expected a number of bytes")
    return int(text)


def _is_number(text: str) -> bool:
    """Whether a text is a number of bytes that can be believed."""
    return text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS


def _span_of(url: str, answer: http.client.HTTPResponse) -> _Span:
    """Which bytes an answer brings.

    Raises:
        DnasptError: it announces no number. HTTPException: it brings a part and does not say which.
    """
    length = _length_of(url, answer)
    if answer.status != 206:
        return _Span(0, length)
    unit, _, rest = answer.headers.get("Content-Range", "").partition(" ")
    span, _, total = rest.partition("/")
    first = span.partition("-")[0]
    if unit != "bytes" or not _is_number(first):
        raise http.client.HTTPException("sent a part without saying which")
    if _is_number(total):
        return _Span(int(first), int(total))
    return _Span(int(first), int(first) + length if length >= 0 else -1)
