"""What a person sees on the terminal: lines, tables, and the progress of downloads; and the same as JSON for a program.

A table is at most as wide as the terminal (80 columns where that is not known). No number, interval or word is broken: in a table
that is too wide, texts are broken between words, and if that is not enough, the columns are divided into blocks.
"""

import json
import math
import os
import re
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from itertools import zip_longest
from numbers import Integral
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import typer
from pydantic import BaseModel
from rich.cells import cell_len
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from dnaspt.progress import console
from dnaspt.progress import say as show
from dnaspt.reports.tables import cell
from dnaspt.words import words_of

if TYPE_CHECKING:
    from dnaspt.reports.tables import Table

__all__ = [
    "DownloadProgress",
    "mapping_table",
    "open_in_browser",
    "print_json",
    "show",
    "show_summary",
    "show_tables",
    "show_text",
    "table",
]

_GAP = "  "
"""What stands between two columns."""
_NO_BREAK = "\u00a0"
_TOGETHER = re.compile(r"(?<=\d) (?=\[)|(?<=\d) (?=%)|(?<=\d) (?=of \d)|(?<=\d of) (?=\d)|(?<=[,\d]) (?=[^\[]*\])")
"""Blanks at which nothing is broken: those of an interval "0.61 [0.58, 0.64]", of "95 %" and of "3 of 4"."""
_NUMBER = re.compile(r"[-+]?\d[\d,.]*(e[-+]?\d+)?( ?%)?( \[.*\])?|\d[\d,]* of \d[\d,]*|[-+]?nan|[-–]?")


def show_tables(tables: Sequence["Table"]) -> None:
    """Print tables, each with its note beneath, and an empty line between two of them."""
    for number, one in enumerate(tables):
        if number:
            show("")
        if one.rows:
            table(one.title, one.columns, one.rows)
        else:
            show_text(one.title)
        if one.note:
            show_text(one.note)


def show_text(text: str) -> None:
    """Print sentences, broken between words at the width of the terminal."""
    for line in text.splitlines():
        console.print(Text("\n".join(_broken(line, console.width))), soft_wrap=True)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print a table; numbers are right-aligned, counts have thousands separators."""
    console.print(Text("\n".join(_broken(title, console.width)), style="bold"), soft_wrap=True)
    lines = [columns, *([cell(value) for value in row] for row in rows)]
    texts = [[_on_one_line(text) for text in column] for column in zip(*lines, strict=True)]
    for number, block in enumerate(_blocks(texts, console.width)):
        if number:
            show("")
        console.print(_drawn([texts[column] for column in block], console.width), soft_wrap=True)


def mapping_table(title: str, rows: Mapping[str, Any]) -> None:
    """Print a mapping as a table of two columns, its names in plain words, if it holds anything."""
    if rows:
        table(title, ("what", "value"), [(words_of(name), value) for name, value in rows.items()])


def show_summary(title: str, rows: Mapping[str, Any], *, as_json: bool) -> None:
    """Print what a command has written as a table, its names in plain words, or as JSON with the names as they are.

    Args:
        title: title of the table, with the path that was written.
        rows: the path as `out`, and what was written by name.
        as_json: whether JSON is asked for.
    """
    if as_json:
        print_json(rows)
    else:
        mapping_table(title, {name: value for name, value in rows.items() if name != "out"})


def print_json(content: Mapping[str, Any]) -> None:
    """Print a JSON object (docs/json.md) on standard output: numbers are not rounded, and what is no number is null."""
    typer.echo(json.dumps(_plain(content), indent=2, allow_nan=False))


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, BaseModel):
        return _plain(value.model_dump(mode="json"))
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(name): _plain(own) for name, own in value.items()}
    if isinstance(value, str | bool) or value is None:
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, Iterable):
        return [_plain(own) for own in value]
    number = float(value)
    return number if math.isfinite(number) else None


def _on_one_line(text: str) -> str:
    """A text without line ends and other signs that would disturb a table."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _broken(text: str, width: int, indent: str = "") -> list[str]:
    """The lines of a text of at most so many columns, broken between words; a longer word has a line for itself.

    Args:
        text: one line.
        width: columns of the terminal.
        indent: what further lines begin with.
    """
    kept = _TOGETHER.sub(_NO_BREAK, text)
    lines = textwrap.wrap(kept, max(1, width), subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    return [line.replace(_NO_BREAK, " ") for line in lines] or [""]


def _indent(row: int, column: int) -> str:
    """What further lines of a cell begin with: in the first column, they must not be taken for another row."""
    return "  " if row and not column else ""


def _least_width(texts: Sequence[str], column: int) -> int:
    """Width of the longest part of a column's texts that is not broken."""
    return max(cell_len(line) for row, text in enumerate(texts) for line in _broken(text, 1, _indent(row, column)))


def _blocks(columns: Sequence[Sequence[str]], width: int) -> list[list[int]]:
    """Numbers of the columns that stand side by side: all, or as many as fit, each time behind the first column."""
    least = [_least_width(texts, column) for column, texts in enumerate(columns)]
    blocks = [[0]]
    for column in range(1, len(columns)):
        taken = sum(least[k] + len(_GAP) for k in blocks[-1])
        if len(blocks[-1]) > 1 and taken + least[column] > width:
            blocks.append([0])
        blocks[-1].append(column)
    return blocks


def _cells(columns: Sequence[Sequence[str]], width: int) -> list[list[list[str]]]:
    """The lines of each cell, by column: where all do not fit, the texts of the widest columns are broken between words.

    A word is never broken, so a table is wider than the terminal where its longest words are.
    """
    widths = [max(map(cell_len, texts)) for texts in columns]
    least = [_least_width(texts, column) for column, texts in enumerate(columns)]
    while sum(widths) + len(_GAP) * (len(widths) - 1) > width:
        wide = [column for column in range(len(widths)) if widths[column] > least[column]]
        if not wide:
            break
        widths[max(wide, key=widths.__getitem__)] -= 1
    return [
        [_broken(text, widths[column], _indent(row, column)) for row, text in enumerate(texts)]
        for column, texts in enumerate(columns)
    ]


def _drawn(columns: Sequence[Sequence[str]], width: int) -> Text:
    """Columns, of which each is a name and the texts beneath it, as lines: the names, a rule, and the rows."""
    cells = _cells(columns, width)
    widths = [max(cell_len(line) for lines in column for line in lines) for column in cells]
    is_number = [column > 0 and all(map(_NUMBER.fullmatch, texts[1:])) for column, texts in enumerate(columns)]
    drawn = Text()
    for row, lines in enumerate(zip(*cells, strict=True)):
        for parts in zip_longest(*lines, fillvalue=""):
            padded = map(_padded, parts, widths, is_number)
            drawn.append(_GAP.join(padded).rstrip() + "\n", style="" if row else "bold")
        if row == 0:
            drawn.append("-" * (sum(widths) + len(_GAP) * (len(widths) - 1)) + "\n")
    drawn.right_crop(1)
    return drawn


def _padded(text: str, width: int, to_the_right: bool) -> str:  # noqa: FBT001 - an argument of map
    """A text with blanks up to a width in columns of the terminal."""
    blanks = " " * (width - cell_len(text))
    return blanks + text if to_the_right else text + blanks


def open_in_browser(url: str) -> None:
    """Open a page in a web browser of the desktop; where there is no desktop, as on a server, nothing is opened."""
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return  # a browser of the terminal would take the terminal
    import webbrowser

    webbrowser.open(url)


class DownloadProgress:
    """A live bar for each file that is downloaded, on a terminal."""

    def __init__(self) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        self._progress = Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal)
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> "DownloadProgress":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def tell(self, name: str, so_far: int, total: int) -> None:
        """A file has so many bytes now; total is -1 where it is not known."""
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(name, total=None if total < 0 else total)
        self._progress.update(self._tasks[name], completed=so_far)
