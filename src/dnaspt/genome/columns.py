"""Tab-separated text of any size to blocks of typed columns, each row with its line number: BED and similar formats."""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dnaspt.errors import InputError
from dnaspt.genome.text_files import check_text_file, open_text

if TYPE_CHECKING:  # takes half a second to import, so it is imported where it is used
    import pandas as pd

_BLOCK_BYTES = 1 << 25
_NO_ROW = (b"#", b"track ", b"track\t", b"browser ", b"browser\t")
_NOT_A_NUMBER = ["nan", "NaN", "NA", "."]

GRANGES_NAMES = ("seqnames", "seqname")
"""What tables of R's GRanges call the contig."""
_CONTIG_NAMES = ("chrom", "chromosome", "chr", *GRANGES_NAMES, "chrom1", "chr1")
"""First words of a header; the last two are those of BEDPE."""
_OTHER_NAMES = {"labels": "label"}
"""Names of columns that mean another one."""


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
    """The row that names the columns of a table.

    Attributes:
        names: names of the columns, in lower case; the first is chrom, whatever the file calls it.
        line: its 1-based line.
        contig_name: what the file calls the first column, in lower case.
    """

    names: tuple[str, ...]
    line: int
    contig_name: str = field(default="chrom", compare=False)


def find_header(path: Path) -> TableHeader | None:
    """Find the header of a table of intervals (chromosome or chrom, start, ...); None if the rows begin at once."""
    for number, line in islice(read_lines(path), 1000):
        fields = line.lstrip("#").rstrip("\r\n").split("\t")
        if fields[0].lower() in _CONTIG_NAMES and len(fields) > 2 and "start" in fields[1].lower():
            names = (name.strip().lower() for name in fields[1:])
            return TableHeader(("chrom", *(_OTHER_NAMES.get(name, name) for name in names)), number, fields[0].lower())
        if _is_row(line.encode()):
            return None
    return None


def first_row(path: Path, header: TableHeader | None = None) -> list[str]:
    """Read the fields of the first row. Comments, track lines, blank lines and the header do not count.

    Raises:
        InputError: no row, no readable file, or one that is no text.
    """
    check_text_file(path)
    for number, line in read_lines(path):
        if _is_row(line.encode()) and (header is None or number != header.line):
            return line.rstrip("\r\n").split("\t" if "\t" in line else None)
    raise InputError(path, "no row in it", expected="tab-separated rows")


def preamble(path: Path) -> str:
    """The comments and track lines before the first row, at most 1,000 lines."""
    lines: list[str] = []
    for _, line in islice(read_lines(path), 1000):
        if _is_row(line.encode()):
            break
        lines.append(line)
    return "".join(lines)


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
    """The error of a row: it names the line.

    Args:
        path: the file.
        frame: a table of `read_columns`.
        row: number of the row in the table.
        found: what is wrong with it.
        expected: what was expected instead.
        do: what the user can do.
    """
    return InputError(path, found, expected=expected, do=do, line=int(frame["line"].iloc[row]))


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the 1-based number and the text of each line. Bytes that are not UTF-8 become U+FFFD.

    Raises:
        InputError: no text file; see `open_text`.
    """
    with open_text(path) as file:
        for number, line in enumerate(file, start=1):
            yield number, line.decode("utf-8", errors="replace")


def _blocks(path: Path, skip_line: int) -> Iterator[tuple[list[bytes], np.ndarray]]:
    """Yield blocks of rows, and their line numbers (n,)."""
    line, rest = 1, b""
    with open_text(path) as file:
        while chunk := file.read(_BLOCK_BYTES):
            *lines, rest = (rest + chunk).split(b"\n")
            yield from _rows(lines, line, skip_line)
            line += len(lines)
    yield from _rows([rest], line, skip_line)


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
        if column.kind is float and frame[column.name].dtype.kind != "f":  # other blanks than tabs and spaces
            raise InputError(path, "control characters between columns", expected="tabs", line=int(lines[0]))
        if column.kind is str:
            frame[column.name] = _without_spaces(frame[column.name].astype("category"))
        is_absent = frame[column.name].isna() if column.kind is float else frame[column.name] == ""
        absent = np.flatnonzero(is_absent)  # empty, or in a row that ends before it
        if not column.optional and (fault := _fault(path, ((rows[i], lines[i]) for i in absent), columns, cut_at)):
            raise fault
    frame["line"] = lines
    return frame


def _without_spaces(texts: "pd.Series") -> "pd.Series":
    """A column of categories without spaces around them: "chr1 " is chr1."""
    if all(text == text.strip(" ") for text in texts.cat.categories):
        return texts
    return texts.astype(str).str.strip(" ").astype("category")


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
