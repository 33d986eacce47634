"""Tab-separated text of any size to blocks of typed columns, each row with its line number: BED and similar formats."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dnaspt.errors import InputError
from dnaspt.genome.text_files import open_text

if TYPE_CHECKING:  # takes half a second to import, so it is imported where it is used
    import pandas as pd

_BLOCK_BYTES = 1 << 25
_NO_ROW = (b"#", b"track ", b"track\t", b"browser ", b"browser\t")
_NOT_A_NUMBER = ["nan", "NaN", "NA", "."]


@dataclass(frozen=True, slots=True)
class Column:
    """A column to read.

    Attributes:
        name: its name in the table.
        index: its number in the file, from 0.
        kind: str, int or float.
    """

    name: str
    index: int
    kind: type


@dataclass(frozen=True, slots=True)
class TableHeader:
    """The row that names the columns of a table, and its 1-based line."""

    names: tuple[str, ...]
    line: int


def find_header(path: Path) -> TableHeader | None:
    """Find the header of a table of intervals (chromosome or chrom, start, ...); None if the rows begin at once."""
    for number, line in islice(read_lines(path), 1000):
        fields = line.lstrip("#").rstrip("\r\n").split("\t")
        if fields[0].lower() in ("chrom", "chromosome", "chr") and len(fields) > 2 and "start" in fields[1].lower():
            return TableHeader(("chrom", *(name.strip().lower() for name in fields[1:])), number)
        if _is_row(line.encode()):
            return None
    return None


def first_row(path: Path) -> list[str]:
    """Read the fields of the first row. Comments, track lines and blank lines do not count.

    Raises:
        InputError: no row, or no readable file.
    """
    for _, line in read_lines(path):
        if _is_row(line.encode()):
            return line.rstrip("\r\n").split("\t" if "\t" in line else None)
    raise InputError(path, "no row in it", expected="tab-separated rows")


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
    try:
        frame = pd.read_csv(
            io.BytesIO(b"\n".join(rows)),
            sep=separator,
            header=None,
            quoting=csv.QUOTE_NONE,
            usecols=[column.index for column in in_order],
            names=[column.name for column in in_order],
            dtype={column.name: column.kind for column in in_order},
            keep_default_na=False,
            na_values={column.name: _NOT_A_NUMBER for column in in_order if column.kind is float},
        )
    except (ValueError, OverflowError) as error:
        fault = _fault(path, zip(rows, lines.tolist()), columns, "\t" if separator == "\t" else None)
        raise fault or InputError(path, str(error).splitlines()[0], expected="tab-separated rows") from error
    for column in in_order:
        if column.kind is str:
            frame[column.name] = frame[column.name].astype("category")
    frame["line"] = lines
    return frame


def _fault(
    path: Path, rows: Iterable[tuple[bytes, int]], columns: Sequence[Column], separator: str | None
) -> InputError | None:
    """The error of the first row that does not fit; None if all fit."""
    n_columns = max(column.index for column in columns) + 1
    for row, line in rows:
        fields = row.decode("utf-8", errors="replace").split(separator)
        if len(fields) < n_columns:
            found = f"{len(fields)} columns ({row[:40].decode('utf-8', errors='replace')!r})"
            return InputError(path, found, expected=f"at least {n_columns}, tab-separated", line=line)
        for column in columns:
            if fault := _field_fault(fields[column.index], column):
                return InputError(
                    path, fault, expected=f"{_KINDS[column.kind]} in column {column.index + 1}", line=line
                )
    return None


_KINDS = {int: "an integer", float: "a number", str: "UTF-8 text"}


def _field_fault(text: str, column: Column) -> str:
    """What is wrong with a field; empty if it fits its column."""
    if column.kind is str:
        return f"{column.name} {text[:20]!r}" if "\ufffd" in text else ""
    try:
        value = column.kind(text if text not in _NOT_A_NUMBER else "nan")
        in_range = column.kind is float or abs(value) < 1 << 63
    except ValueError:
        in_range = False
    return "" if in_range and "_" not in text else f"{column.name} {text[:20]!r}"
