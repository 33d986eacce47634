"""FASTA (plain, gzip or bgzip) to codes, one contig at a time, so that a genome of any size passes through bounded memory."""

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
    """One FASTA record: its name (the first word of the header) and its codes (L,) uint8 (see `alphabet`)."""

    name: str
    codes: np.ndarray
    n_ambiguous: int = 0
    """Bases given as an IUPAC letter other than N, read as N."""

    def __len__(self) -> int:
        return len(self.codes)


def open_bytes(path: Path) -> IO[bytes]:
    """Open a plain, gzip or bgzip file for reading bytes; the content decides, not the name.

    Raises:
        InputError: no such file, a folder, or not readable.
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
    """Whether gzip data begin with the extra field BC of bgzip (SAM specification, 4.1)."""
    return header[:4] == b"\x1f\x8b\x08\x04" and header[12:16] == b"BC\x02\x00"


def _has_end_mark(file: IO[bytes]) -> bool:
    """Whether bgzip data end with the empty block of 28 bytes: cut between two blocks, they are valid gzip without it."""
    file.seek(0, os.SEEK_END)
    file.seek(-min(28, file.tell()), os.SEEK_END)
    return file.read() == _BGZIP_END


def read_fasta(path: str | Path) -> Iterator[Contig]:
    """Yield the contigs of a FASTA file in file order.

    Raises:
        InputError: no FASTA, truncated gzip, a letter that is no IUPAC nucleotide, an empty or a repeated record.
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
    """Names of the records of a FASTA file, in file order, without decoding their letters.

    Raises:
        InputError: not readable, truncated gzip, or a header without a name.
    """
    path = Path(path)
    try:
        with open_bytes(path) as file:
            lines = ((line, number) for number, line in enumerate(file, start=1))
            whole = ((line.removeprefix(codecs.BOM_UTF8) if number == 1 else line, number) for line, number in lines)
            return [_name(path, line, number) for line, number in whole if line.startswith(b">")]
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(path, f"broken gzip data ({error})", expected="a whole file", do="copy it again") from error


@dataclass(slots=True)
class _Record:
    """A record as far as it is read: codes of its letters, how many of them are N, and the line of its header."""

    name: str
    line: int
    codes: bytearray = field(default_factory=bytearray)
    n_unknown: int = 0


def _records(path: Path, file: IO[bytes]) -> Iterator[_Record]:
    """Yield the records; headers are found by '>' at the start of a line."""
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
    """Yield the file in pieces that end with a line; the last one may lack its line end, a byte order mark is dropped."""
    rest, mark = b"", codecs.BOM_UTF8
    while chunk := file.read(_CHUNK_BYTES):
        chunk, mark = rest + chunk.removeprefix(mark), b""
        cut = chunk.rfind(b"\n") + 1
        rest = chunk[cut:]
        yield chunk[:cut]
    yield rest


def _blocks(chunk: bytes) -> Iterator[tuple[bool, bytes]]:
    """Cut whole lines into (is a header, lines): a header is one line, all lines between two headers are one block."""
    at = 0
    while at < len(chunk):
        if chunk[at : at + 1] == b">":
            stop = chunk.find(b"\n", at) + 1 or len(chunk)
            yield True, chunk[at:stop]
        else:
            stop = chunk.find(b"\n>", at) + 1 or len(chunk)
            yield False, chunk[at:stop]
        at = stop


def _name(path: Path, header: bytes, line: int) -> str:
    words = header[1:].split()
    if not words:
        raise InputError(path, "a header without a name", expected="'>name'", line=line)
    try:
        return words[0].decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(path, "a header that is not UTF-8 text", expected="'>name'", line=line) from error


def _append(path: Path, record: _Record, block: bytes, line: int) -> None:
    name, sequence = record.name, block.translate(None, _NEWLINES)
    if not sequence:
        return
    if not name:
        raise InputError(path, f"{sequence[:20]!r} before the first header", expected="FASTA ('>name')", line=line)
    codes = alphabet.encode(sequence)
    if (codes == alphabet.NOT_DNA).any():
        for offset, row in enumerate(block.split(b"\n")):
            bad = [
                letter
                for letter in row.translate(None, _NEWLINES)
                if alphabet.encode(bytes([letter]))[0] == alphabet.NOT_DNA
            ]
            if bad:
                found = f"{chr(bad[0])!r} in record {name!r}"
                do = "is it protein?" if chr(bad[0]).isalpha() else ""
                raise InputError(path, found, expected="IUPAC nucleotide letters", do=do, line=line + offset)
    record.codes += codes.data
    record.n_unknown += sequence.count(b"N") + sequence.count(b"n")


def _contig(path: Path, record: _Record) -> Contig:
    if not record.codes:
        found = f"record {record.name!r} has no sequence"
        raise InputError(path, found, expected="letters below its header", line=record.line)
    n_read_as_n = record.codes.count(alphabet.N) + record.codes.count(alphabet.N | alphabet.SOFT_MASKED)
    return Contig(record.name, np.frombuffer(record.codes, np.uint8), n_read_as_n - record.n_unknown)
