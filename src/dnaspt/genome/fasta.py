"""FASTA (plain, gzip or bgzip) to codes, one contig at a time: memory is bounded by the longest contig, not by the genome."""

import codecs
import gzip
import logging
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

import numpy as np

from dnaspt.errors import InputError
from dnaspt.genome import alphabet

log = logging.getLogger(__name__)

_CHUNK_BYTES = 1 << 24
_NEWLINES = b"\r\n \t"
_BGZIP_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")


@dataclass(frozen=True, slots=True)
class Contig:
    """One FASTA record.

    Attributes:
        name: first word of its header.
        codes: its letters (L,) uint8; see `alphabet`.
        n_ambiguous: letters that are IUPAC codes other than N, and were read as N.
    """

    name: str
    codes: np.ndarray
    n_ambiguous: int = 0

    def __len__(self) -> int:
        return len(self.codes)


def open_bytes(path: Path) -> IO[bytes]:
    """Open a plain, gzip or bgzip file for reading bytes. Its content tells which of these it is, not its name.

    Raises:
        InputError: no such file, a folder, not readable, or bgzip data without their end mark.
    """
    if path.is_dir():
        raise InputError(path, "is a folder", expected="a file")
    try:
        with path.open("rb") as file:
            magic = file.read(18)
            if _is_bgzip(magic) and not _has_end_mark(file):
                raise InputError(path, "bgzip data without its end mark", expected="a whole file", do="copy it again")
    except OSError as error:
        raise InputError(path, error.strerror or str(error), expected="a readable file") from error
    if magic[:2] == b"\x1f\x8b":
        return cast(IO[bytes], gzip.open(path, "rb"))
    return path.open("rb")


def _is_bgzip(header: bytes) -> bool:
    """Whether gzip data begin with the extra field BC of bgzip (SAM specification, section 4.1)."""
    return header[:4] == b"\x1f\x8b\x08\x04" and header[12:16] == b"BC\x02\x00"


def _has_end_mark(file: IO[bytes]) -> bool:
    """Whether bgzip data end with the empty block of 28 bytes. Data cut between two blocks lack it, and are valid gzip."""
    file.seek(0, os.SEEK_END)
    file.seek(-min(28, file.tell()), os.SEEK_END)
    return file.read() == _BGZIP_END


def read_fasta(path: str | Path) -> Iterator[Contig]:
    """Yield the contigs of a FASTA file, in file order.

    Raises:
        InputError: not FASTA, truncated gzip data, a letter that is not an IUPAC nucleotide, or an empty or repeated record.
    """
    path = Path(path)
    seen: set[str] = set()
    try:
        with open_bytes(path) as file:
            for record in _records(path, file):
                if record.name in seen:
                    found = f"record {record.name!r} stands here twice"
                    raise InputError(path, found, expected="unique names", line=record.line)
                seen.add(record.name)
                yield _contig(path, record)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(path, f"broken gzip data ({error})", expected="a whole file", do="copy it again") from error
    if not seen:
        raise InputError(path, "no sequence in it", expected="FASTA records ('>name', then letters)")


def contig_names(path: str | Path) -> list[str]:
    """Names of the records of a FASTA file, in file order. Their letters are not decoded.

    Raises:
        InputError: not readable, truncated gzip data, or a header without a name.
    """
    path = Path(path)
    try:
        with open_bytes(path) as file:
            names = []
            for number, line in enumerate(file, start=1):
                line = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
                if line.startswith(b">"):
                    names.append(_name(path, line, number))
            return names
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(path, f"broken gzip data ({error})", expected="a whole file", do="copy it again") from error


@dataclass(slots=True)
class _Record:
    """A record as far as it has been read.

    Attributes:
        name: first word of its header.
        line: 1-based line of its header.
        codes: its letters so far.
        n_unknown: how many of them are the letter N.
    """

    name: str
    line: int
    codes: bytearray = field(default_factory=bytearray)
    n_unknown: int = 0


def _records(path: Path, file: IO[bytes]) -> Iterator[_Record]:
    """Yield the records. A line that begins with '>' is a header."""
    record = _Record("", 0)
    line = 1
    for lines in _whole_lines(file):
        for is_header, block in _blocks(lines):
            if is_header:
                if record.name:
                    yield record
                record = _Record(_name(path, block, line), line)
            else:
                _append(path, record, block, line)
            line += block.count(b"\n")
    if record.name:
        yield record


def _whole_lines(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the lines of a file, many at once, without a byte order mark. The last line may lack its end."""
    rest, mark = b"", codecs.BOM_UTF8
    while chunk := file.read(_CHUNK_BYTES):
        chunk, mark = rest + chunk.removeprefix(mark), b""
        cut = chunk.rfind(b"\n") + 1
        rest = chunk[cut:]
        yield chunk[:cut]
    yield rest


def _blocks(lines: bytes) -> Iterator[tuple[bool, bytes]]:
    """Yield each header (True, its line), and what lies between two headers (False, all these lines)."""
    start = 0
    while start < len(lines):
        is_header = lines[start : start + 1] == b">"
        end = lines.find(b"\n" if is_header else b"\n>", start) + 1 or len(lines)
        yield is_header, lines[start:end]
        start = end


def _name(path: Path, header: bytes, line: int) -> str:
    """First word of a header."""
    words = header[1:].split()
    if not words:
        raise InputError(path, "a header without a name", expected="'>name'", line=line)
    try:
        return words[0].decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(path, "a header that is not UTF-8 text", expected="'>name'", line=line) from error


def _append(path: Path, record: _Record, block: bytes, line: int) -> None:
    """Add the letters of lines to a record; the first line has number `line`."""
    name, sequence = record.name, block.translate(None, _NEWLINES)
    if not sequence:
        return
    if not name:
        raise InputError(path, f"{sequence[:20]!r} before the first header", expected="FASTA ('>name')", line=line)
    codes = alphabet.encode(sequence)
    if (codes == alphabet.NOT_DNA).any():
        for number, row in enumerate(block.split(b"\n"), start=line):
            letters = row.translate(None, _NEWLINES)
            bad = np.flatnonzero(alphabet.encode(letters) == alphabet.NOT_DNA)
            if len(bad):
                letter = chr(letters[bad[0]])
                do = "is it protein?" if letter.isalpha() else ""
                found = f"{letter!r} in record {name!r}"
                raise InputError(path, found, expected="IUPAC nucleotide letters", do=do, line=number)
    record.codes += codes.data
    record.n_unknown += sequence.count(b"N") + sequence.count(b"n")


def _contig(path: Path, record: _Record) -> Contig:
    """The contig of a whole record."""
    if not record.codes:
        found = f"record {record.name!r} has no sequence"
        raise InputError(path, found, expected="letters below its header", line=record.line)
    n_read_as_n = record.codes.count(alphabet.N) + record.codes.count(alphabet.N | alphabet.SOFT_MASKED)
    return Contig(record.name, np.frombuffer(record.codes, np.uint8), n_read_as_n - record.n_unknown)
