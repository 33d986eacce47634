"""Tab-separated text of any size to blocks of typed columns, each row with its line number: BED and similar formats."""

import csv
import gzip
import io
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dnaspt.errors import InputError
from dnaspt.genome.fasta import open_bytes

if TYPE_CHECKING:  # takes half a second to import, so it is imported where it is used
    import pandas as pd

_BLOCK_BYTES = 1 << 25
_NO_ROW = (b"#", b"track ", b"track\t", b"browser ", b"browser\t")
_NOT_A_NUMBER = ["nan", "NaN", "NA", "."]
_BOM = b"\xef\xbb\xbf"
_BINARY = {
    b"\x26\xfc\x8f\x88": ("a bigWig", "text", ""),
    b"\x88\x8f\xfc\x26": ("a bigWig", "text", ""),
    b"\xeb\xf2\x89\x87": ("a bigBed", "BED", "unpack it with bigBedToBed"),
    b"\x87\x89\xf2\xeb": ("a bigBed", "BED", "unpack it with bigBedToBed"),
    b"BAM\x01": ("a BAM file", "text", ""),
    b"BCF\x02": ("a BCF file", "text", ""),
    b"PK\x03\x04": ("a zip archive (or an Excel file)", "plain or gzip text", "unpack it"),
    b"\xff\xfe": ("text in UTF-16", "UTF-8", "save it as UTF-8"),
    b"\xfe\xff": ("text in UTF-16", "UTF-8", "save it as UTF-8"),
}
"""First bytes of files that are no tables: what they are, what was expected, and what to do."""


_CONTIG_NAMES = ("chrom", "chromosome", "chr", "chrom1", "chr1")
"""First words of a header; the last two are those of BEDPE."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column to read.

    Attributes:
        name: its name in the table.
        index: its number in the file, from 0.
        kind: str, int or float.
        optional: whether a row may end before this column of text. It is then empty, or ".".
    """

    name: str
    index: int
    kind: type
    optional: bool = False


@dataclass(frozen=True, slots=True)
class TableHeader:
    """The row that names the columns of a table, and its 1-based line."""

    names: tuple[str, ...]
    line: int


def find_header(path: Path) -> TableHeader | None:
    """Find the header of a table of intervals (chromosome or chrom, start, ...); None if the rows begin at once."""
    for number, line in islice(read_lines(path), 1000):
        fields = line.lstrip("#").rstrip("\r\n").split("\t")
        if fields[0].lower() in _CONTIG_NAMES and len(fields) > 2 and "start" in fields[1].lower():
            return TableHeader(("chrom", *(name.strip().lower() for name in fields[1:])), number)
        if _is_row(line.encode()):
            return None
    return None


def first_row(path: Path, header: TableHeader | None = None) -> list[str]:
    """Read the fields of the first row. Comments, track lines, blank lines and the header do not count.

    Raises:
        InputError: no row, no readable file, or one that is no text, or has the line ends of old Macs.
    """
    refuse_binary(path)
    for number, line in read_lines(path):
        if _is_row(line.encode()) and (header is None or number != header.line):
            text = line.rstrip("\r\n")
            if "\r" in text:
                raise _carriage_return(path, number)
            return text.split("\t" if "\t" in line else None)
    raise InputError(path, "no row in it", expected="tab-separated rows")


def preamble(path: Path) -> str:
    """The comments and track lines before the first row, at most 1,000 lines."""
    lines: list[str] = []
    for _, line in islice(read_lines(path), 1000):
        if _is_row(line.encode()):
            break
        lines.append(line)
    return "".join(lines)


def refuse_binary(path: Path) -> None:
    """Refuse a file that is no text by its first bytes.

    Raises:
        InputError: it is none. The error names what it is.
    """
    try:
        with open_bytes(path) as file:
            begin = file.read(4)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        return  # the reader says so
    for magic, (found, expected, do) in _BINARY.items():
        if begin.startswith(magic):
            raise InputError(path, found, expected=expected, do=do)


def n_columns(path: Path, header: TableHeader | None = None) -> int:
    """The number of columns of most rows. Empty fields at the end of a row do not count.

    Raises:
        InputError: no row, or broken gzip data.
    """
    counts: Counter[int] = Counter()
    for rows, _ in _blocks(path, header.line if header else 0):
        stripped = [row.rstrip() for row in rows]
        counts.update(row.count(b"\t") + 1 if b"\t" in row else len(row.split()) for row in stripped)
    if not counts:
        raise InputError(path, "no row in it", expected="tab-separated rows")
    return max(counts, key=lambda width: (counts[width], width))


def read_columns(
    path: Path, columns: Sequence[Column], header: TableHeader | None = None, *, spaces: bool = False
) -> "Iterator[pd.DataFrame]":
    """Yield blocks of rows as tables of the columns and `line`. Columns of text are categories; those of float may hold NaN.

    Comments, track and browser lines, blank lines and the header are skipped.

    Args:
        path: the file.
        columns: columns to read.
        header: its header, see `find_header`.
        spaces: whether to cut rows at spaces. Rows of a file whose first row has no tab are cut at spaces in any case.

    Raises:
        InputError: no row, a row with too few columns, a field that is not a number, or broken gzip data.
    """
    empty = True
    for rows, lines in _blocks(path, header.line if header else 0):
        empty = False
        separator = r"\s+" if spaces or b"\t" not in rows[0] else "\t"
        yield _frame(path, rows, lines, columns, separator)
    if empty:
        raise InputError(path, "no row in it", expected=f"rows of {', '.join(column.name for column in columns)}")


def _is_row(line: bytes) -> bool:
    """Whether a line is neither blank nor a comment, track or browser line."""
    return bool(line.strip()) and not line.startswith(_NO_ROW)


def row_error(
    path: Path, frame: "pd.DataFrame", row: int, found: str, *, expected: str = "", do: str = ""
) -> InputError:
    """The error of a row (by its number in the table) of a table of `read_columns`: it names the line."""
    return InputError(path, found, expected=expected, do=do, line=int(frame["line"].iloc[row]))


def _carriage_return(path: Path, line: int) -> InputError:
    """The error of a row with a carriage return in it, as in a file with the line ends of old Macs."""
    do = r"if it has the line ends of old Macs, convert it: tr '\r' '\n' < FILE"
    return InputError(
        path, "a carriage return within a row", expected="rows that end with a line feed", do=do, line=line
    )


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the 1-based number and the text of each line, without a byte order mark. Bytes that are not UTF-8 become U+FFFD.

    Raises:
        InputError: no readable file, or broken gzip data.
    """
    try:
        with open_bytes(path) as file:
            for number, line in enumerate(file, start=1):
                yield number, line.decode("utf-8-sig" if number == 1 else "utf-8", errors="replace")
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(path, f"broken gzip data ({error})", expected="a whole file", do="copy it again") from error


def _blocks(path: Path, skip_line: int) -> Iterator[tuple[list[bytes], np.ndarray]]:
    """Yield blocks of rows, and their line numbers (n,)."""
    line = 1
    try:
        with open_bytes(path) as file:
            rest = file.read(len(_BOM)).removeprefix(_BOM)
            while chunk := file.read(_BLOCK_BYTES):
                *lines, rest = (rest + chunk).split(b"\n")
                yield from _rows(lines, line, skip_line)
                line += len(lines)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(path, f"broken gzip data ({error})", expected="a whole file", do="copy it again") from error
    yield from _rows(rest.split(b"\n"), line, skip_line)


def _rows(lines: list[bytes], first: int, skip_line: int) -> Iterator[tuple[list[bytes], np.ndarray]]:
    """Yield the rows among lines, the first of which has number `first`, and their line numbers, if there are any."""
    keep = np.fromiter((_is_row(line) for line in lines), dtype=bool, count=len(lines))
    if first <= skip_line < first + len(lines):
        keep[skip_line - first] = False
    if keep.any():
        numbers = np.flatnonzero(keep)
        yield (lines if keep.all() else [lines[number] for number in numbers]), numbers + first


def _frame(
    path: Path, rows: list[bytes], lines: np.ndarray, columns: Sequence[Column], separator: str
) -> "pd.DataFrame":
    """Parse rows into a table."""
    import pandas as pd

    in_order = sorted(columns, key=lambda column: column.index)
    cut_at = "\t" if separator == "\t" else None
    text = b"\n".join(rows)
    if b"\r" in text:
        rows = [row.rstrip(b"\r") for row in rows]
        if inside := [line for row, line in zip(rows, lines.tolist()) if b"\r" in row]:
            raise _carriage_return(path, inside[0])
        text = b"\n".join(rows)
    if n_absent := max(in_order[-1].index + 1 - len(rows[0].split(None if cut_at is None else b"\t")), 0):
        if fault := _fault(path, [(rows[0], lines[0])], columns, cut_at):
            raise fault
        # pandas reads no row beyond the width of the first
        text = rows[0] + (b" ." if cut_at is None else b"\t") * n_absent + text[len(rows[0]) :]
    try:
        with np.errstate(invalid="raise"):  # 1e300 among integers
            frame = pd.read_csv(
                io.BytesIO(text),
                sep=separator,
                header=None,
                quoting=csv.QUOTE_NONE,
                usecols=[column.index for column in in_order],
                names=[column.name for column in in_order],
                dtype={column.name: column.kind for column in in_order},
                keep_default_na=False,
                na_values={column.name: _NOT_A_NUMBER for column in in_order if column.kind is float},
            )
    except (ValueError, OverflowError, FloatingPointError) as error:
        fault = _fault(path, zip(rows, lines.tolist()), columns, cut_at)
        raise fault or InputError(path, str(error).splitlines()[0], expected="tab-separated rows") from error
    if len(frame) != len(rows):
        raise InputError(path, "bytes that are no text", expected="tab-separated rows", line=int(lines[0]))
    for column in in_order:
        if column.kind is int:
            continue
        if column.kind is str:
            frame[column.name] = frame[column.name].astype("category")
        is_absent = frame[column.name].isna() if column.kind is float else frame[column.name] == ""
        absent = np.flatnonzero(is_absent)  # empty, or in a row that ends before it
        if not column.optional and (fault := _fault(path, ((rows[i], lines[i]) for i in absent), columns, cut_at)):
            raise fault
    frame["line"] = lines
    return frame


def _fault(
    path: Path, rows: Iterable[tuple[bytes, int]], columns: Sequence[Column], separator: str | None
) -> InputError | None:
    """The error of the first row that does not fit; None if all fit."""
    needed = [column for column in columns if not column.optional]
    n_needed = max((column.index + 1 for column in needed), default=0)
    for row, line in rows:
        fields = row.decode("utf-8", errors="replace").split(separator)
        if len(fields) < n_needed:
            found = f"{len(fields)} columns ({row[:40].decode('utf-8', errors='replace')!r})"
            return InputError(path, found, expected=f"at least {n_needed}, tab-separated", line=int(line))
        for column in needed:
            if fault := _field_fault(fields[column.index], column):
                expected = f"{_KINDS[column.kind]} in column {column.index + 1}"
                return InputError(path, fault, expected=expected, line=int(line))
    return None


_KINDS = {int: "an integer", float: "a number", str: "UTF-8 text"}


def _field_fault(text: str, column: Column) -> str:
    """What is wrong with a field; empty if it fits its column."""
    if column.kind is str:
        return f"{column.name} {text[:20]!r}" if "\ufffd" in text else ""
    try:
        value = float(text if text not in _NOT_A_NUMBER else "nan")
        in_range = column.kind is float or (value.is_integer() and abs(value) < 1 << 63)
    except ValueError:
        in_range = False
    return "" if in_range and "_" not in text else f"{column.name} {text[:20]!r}"
