"""FASTA (plain, gzip or bgzip) to codes, one contig at a time: memory is bounded by the longest contig, not by the genome."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import numpy as np

from dnaspt.errors import InputError
from dnaspt.genome import alphabet
from dnaspt.genome.text_files import open_text

_CHUNK_BYTES = 1 << 24
_NEWLINES = b"\r\n \t"


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


def read_fasta(path: str | Path) -> Iterator[Contig]:
    """Yield the contigs of a FASTA file, in file order.

    Raises:
        InputError: no text file (see `open_text`), not FASTA, a letter that is no IUPAC nucleotide, an empty or repeated record.
    """
    path = Path(path)
    seen: set[str] = set()
    with open_text(path) as file:
        for record in _records(path, file):
            if record.name in seen:
                found = f"record {record.name!r} stands here twice"
                raise InputError(path, found, expected="unique names", line=record.line)
            seen.add(record.name)
            yield _contig(path, record)
    if not seen:
        raise InputError(path, "no sequence in it", expected="FASTA records ('>name', then letters)")


def contig_names(path: str | Path) -> list[str]:
    """Names of the records of a FASTA file, in file order. Their letters are not decoded.

    Raises:
        InputError: no text file (see `open_text`), or a header without a name.
    """
    path = Path(path)
    with open_text(path) as file:
        return [_name(path, line, number) for number, line in enumerate(file, start=1) if line.startswith(b">")]


def contig_lengths(path: str | Path) -> dict[str, int]:
    """Length in bp of each record of a FASTA file, in file order.

    Raises:
        InputError: see `read_fasta`.
    """
    return {contig.name: len(contig) for contig in read_fasta(path)}


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
    """Yield the lines of a file, many at once. The last line may lack its end."""
    rest = b""
    while chunk := file.read(_CHUNK_BYTES):
        chunk = rest + chunk
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
