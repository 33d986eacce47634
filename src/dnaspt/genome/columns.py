"""Tab-separated text of any size to blocks of typed columns, each row with its line number: BED and its relatives."""

import csv
import gzip
import io
import zlib
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


@dataclass(frozen=True, slots=True)
class Column:
    """A column to read: its name, its 0-based place and its kind (str, int or float)."""

    name: str
    index: int
    kind: type


@dataclass(frozen=True, slots=True)
class Header:
    """The row that names the columns, and its 1-based line."""

    names: tuple[str, ...]
    line: int


def find_header(path: Path) -> Header | None:
    """The header (chromosome or chrom, start, ...) of a table of intervals, or none where rows begin at once."""
    for number, line in islice(read_lines(path), 1000):
        fields = line.lstrip("#").rstrip("\r\n").split("\t")
        if fields[0].lower() in ("chrom", "chromosome", "chr") and len(fields) > 2 and "start" in fields[1].lower():
            return Header(("chrom", *(name.strip().lower() for name in fields[1:])), number)
        if _is_row(line.encode()):
            return None
    return None


def first_row(path: Path) -> list[str]:
    """Fields of the first row that is neither comment, track line nor blank.

    Raises:
        InputError: no such row, or no readable file.
    """
    for _, line in read_lines(path):
        if _is_row(line.encode()):
            return line.rstrip("\r\n").split("\t" if "\t" in line else None)
    raise InputError(path, "no row in it", expected="tab-separated rows")


def read_columns(
    path: Path, columns: Sequence[Column], header: Header | None = None, *, spaces: bool = False
) -> "Iterator[pd.DataFrame]":
    """Yield blocks of rows as frames of the columns and `line`; text columns are categories, NaN stays in floats.

    Comments, track and browser lines, blank lines and the header are passed over. Rows without a tab are cut at spaces,
    and so are all rows where `spaces` says so.

    Raises:
        InputError: no row at all, a row with too few columns, a field that is no number, broken gzip data.
    """
    empty = True
    for rows, lines in _blocks(path, header.line if header else 0):
        empty = False
        separator = r"\s+" if spaces or b"\t" not in rows[0] else "\t"
        yield _frame(path, rows, lines, columns, separator)
    if empty:
        raise InputError(path, "no row in it", expected=f"rows of {', '.join(column.name for column in columns)}")


def _is_row(line: bytes) -> bool:
    return bool(line.strip()) and not line.startswith(_NO_ROW)


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """1-based number and text of each line, without a byte order mark; bytes that are no UTF-8 become U+FFFD.

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
    """Yield lists of rows and their line numbers."""
    line, rest = 1, b""
    try:
        with open_bytes(path) as file:
            while chunk := file.read(_BLOCK_BYTES):
                *whole, rest = (rest + chunk).split(b"\n")
                yield from _rows(whole, line, skip_line)
                line += len(whole)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(path, f"broken gzip data ({error})", expected="a whole file", do="copy it again") from error
    yield from _rows([rest], line, skip_line)


def _rows(lines: list[bytes], first: int, skip_line: int) -> Iterator[tuple[list[bytes], np.ndarray]]:
    keep = np.fromiter((_is_row(line) for line in lines), dtype=bool, count=len(lines))
    if first <= skip_line < first + len(lines):
        keep[skip_line - first] = False
    if keep.any():
        numbers = np.flatnonzero(keep)
        yield (lines if keep.all() else [lines[number] for number in numbers]), numbers + first


def _frame(
    path: Path, rows: list[bytes], lines: np.ndarray, columns: Sequence[Column], separator: str
) -> "pd.DataFrame":
    import pandas as pd

    by_place = sorted(columns, key=lambda column: column.index)
    try:
        frame = pd.read_csv(
            io.BytesIO(b"\n".join(rows)),
            sep=separator,
            header=None,
            quoting=csv.QUOTE_NONE,
            usecols=[column.index for column in by_place],
            names=[column.name for column in by_place],
            dtype={column.name: column.kind for column in by_place},
            keep_default_na=False,
            na_values={column.name: _NOT_A_NUMBER for column in by_place if column.kind is float},
        )
    except (ValueError, OverflowError) as error:
        fault = _fault(path, zip(rows, lines.tolist()), columns, "\t" if separator == "\t" else None)
        raise fault or InputError(path, str(error).splitlines()[0], expected="tab-separated rows") from error
    for column in by_place:
        if column.kind is str:
            frame[column.name] = frame[column.name].astype("category")
    frame["line"] = lines
    return frame


def _fault(
    path: Path, rows: Iterable[tuple[bytes, int]], columns: Sequence[Column], separator: str | None
) -> InputError | None:
    """The first row that does not fit, as an error that names its line."""
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
    if column.kind is str:
        return f"{column.name} {text[:20]!r}" if "\ufffd" in text else ""
    try:
        value = column.kind(text if text not in _NOT_A_NUMBER else "nan")
        in_range = column.kind is float or abs(value) < 1 << 63
    except ValueError:
        in_range = False
    return "" if in_range and "_" not in text else f"{column.name} {text[:20]!r}"
