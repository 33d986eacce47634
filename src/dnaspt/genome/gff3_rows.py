"""Lines of GFF3 or GTF to checked rows; the 1-based closed coordinates of both become 0-based half-open here."""

import gzip
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import unquote

from dnaspt.errors import InputError
from dnaspt.genome.fasta import open_bytes

Dialect = Literal["gff3", "gtf"]

_GTF_PAIR = re.compile(r'([^\s;"]+)\s+("(?:[^"]*)"|[^\s;"]+)\s*(?:;|$)')
_GTF_START = re.compile(r'\s*[^\s;="]+\s+("|[^\s;"=]+\s*(;|$))')
_GFF3_START = re.compile(r"\s*;*\s*[^\s;=]+(\s[^;=]*)?=")
_INTEGER = re.compile(r"-?[0-9]+")
_COLUMNS = "9 tab-separated columns of GFF3 or GTF"


class Row(NamedTuple):
    """One feature row: bases start <= i < end of contig `chrom`, 0-based; `text` is column 9 as it stands.

    A region cut from a chromosome may keep a gene row that begins before it, so `start` can be negative: whoever uses
    a row checks it.
    """

    line: int
    chrom: str
    kind: str
    start: int
    end: int
    strand: str
    phase: str
    text: str


@dataclass(slots=True)
class Header:
    """What a pass over the rows learns beside them; complete once the pass is over.

    Attributes:
        dialect: what the first row with a readable column 9 is written in.
        is_gff: whether a `##gff-version` line stands in the file.
        contigs: contigs that have a row.
        lengths: contig lengths from `##sequence-region` lines.
        n_rows: feature rows read.
    """

    dialect: Dialect | None = None
    is_gff: bool = False
    contigs: set[str] = field(default_factory=set)
    lengths: dict[str, int] = field(default_factory=dict)
    n_rows: int = 0


def read_rows(path: Path, header: Header) -> Iterator[Row]:
    """Yield the feature rows of a GFF3 or GTF file (plain, gzip, bgzip) and fill `header` on the way.

    Raises:
        InputError: a row that is malformed, text that is not UTF-8, broken gzip, or a file that is no annotation.
    """
    try:
        with open_bytes(path) as file:
            for number, raw in enumerate(file, start=1):
                line = _text(path, raw, number)
                if line.startswith("##FASTA") or (line.startswith(">") and header.n_rows):
                    break
                if line.startswith("##"):
                    _read_directive(path, line, number, header)
                elif line.strip() and not line.startswith("#"):
                    yield _row(path, line, number, header)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(path, f"broken gzip data ({error})", expected="a whole file", do="copy it again") from error
    if not header.n_rows and not header.is_gff:
        raise InputError(path, "no annotation in it", expected="rows of GFF3 or GTF")


def attributes_of(path: Path, row: Row, dialect: Dialect) -> dict[str, str]:
    """Column 9 as a dict; values of GFF3 stay percent-encoded, because a comma separates several."""
    if dialect == "gtf":
        return {key: value.strip('"') for key, value in reversed(_GTF_PAIR.findall(row.text))}
    pairs = (part.split("=", 1) for part in row.text.split(";") if part.strip())
    found = {pair[0].strip(): pair[1].strip() for pair in pairs if len(pair) == 2}
    if not found and row.text not in (".", ""):
        raise InputError(path, f"column 9 {row.text[:40]!r}", expected="key=value pairs of GFF3", line=row.line)
    return found


def _text(path: Path, raw: bytes, number: int) -> str:
    try:
        return raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        found = f"byte 0x{raw[error.start]:02x} that is not UTF-8 text"
        raise InputError(path, found, expected="a text file of GFF3 or GTF", line=number) from error


def _read_directive(path: Path, line: str, number: int, header: Header) -> None:
    words = line.split()
    if words[0] == "##gff-version":
        header.is_gff = True
    if words[0] != "##sequence-region":
        return
    try:
        _, name, first, last = words
        if not 0 <= int(first) <= int(last) + 1:
            raise ValueError
    except ValueError:
        found = f"{line[:60]!r}"
        raise InputError(path, found, expected="'##sequence-region CONTIG FIRST LAST'", line=number) from None
    header.lengths[unquote(name)] = int(last)


def _row(path: Path, line: str, number: int, header: Header) -> Row:
    fields = line.split("\t", 8)
    if len(fields) < 9:
        found = f"{len(fields)} column{'s' * (len(fields) != 1)} in {line[:40]!r}"
        do = "" if header.n_rows else "is it an annotation?"
        raise InputError(path, found, expected=_COLUMNS, do=do, line=number)
    chrom, _, kind, first, last, _, strand, phase, text = fields
    if not (_INTEGER.fullmatch(first) and _INTEGER.fullmatch(last)):
        raise InputError(path, f"coordinates {first!r} and {last!r}", expected="integers", line=number)
    start, end = int(first), int(last)
    if start > end:
        raise InputError(path, f"start {start} after end {end}", expected="start <= end", line=number)
    if strand not in ("+", "-", ".", "?"):
        raise InputError(path, f"strand {strand!r}", expected="+ - or .", line=number)
    if header.dialect is None:
        header.dialect = _dialect(path, text, number)
    if header.dialect != "gtf" and "%" in chrom:
        chrom = unquote(chrom)
    header.contigs.add(chrom)
    header.n_rows += 1
    return Row(number, chrom, kind, start - 1, end, strand, phase, text)


def _dialect(path: Path, text: str, number: int) -> Dialect | None:
    if _GFF3_START.match(text):
        return "gff3"
    if _GTF_START.match(text):
        return "gtf"
    if text.strip() in (".", ""):
        return None
    expected = "'key=value;...' of GFF3 or 'key \"value\"; ...' of GTF"
    raise InputError(path, f"column 9 {text[:40]!r}", expected=expected, line=number)
