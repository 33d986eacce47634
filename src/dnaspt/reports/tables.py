"""Tables of text: what reports, descriptions and the terminal show alike."""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from dnaspt.words import words_of

if TYPE_CHECKING:
    from dnaspt.evaluation.metrics import Score

SIGNED = "+.3f"
"""Form of a difference."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table: columns, rows of text with the name of the row first, and a sentence beneath."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""

    @property
    def file_name(self) -> str:
        """Name of a file for it, without suffix: its title in small letters."""
        return re.sub(r"[^a-z0-9]+", "_", self.title.lower()).strip("_")[:80] or "table"

    @property
    def csv(self) -> str:
        """Columns and rows as CSV."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([self.columns, *self.rows])
        return text.getvalue()

    @property
    def csv_uri(self) -> str:
        """The CSV as an address that holds it whole."""
        return f"data:text/csv;charset=utf-8,{quote(self.csv)}"

    def __str__(self) -> str:
        lines: list[Sequence[str]] = [self.columns, *self.rows] if self.rows else []
        widths = [max(len(line[column]) for line in lines) for column in range(len(self.columns))] if lines else []
        drawn = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]
        return "\n".join(filter(None, [self.title, *drawn, self.note]))


def value_table(title: str, values: Mapping[str, Any]) -> list[Table]:
    """A table of names, in plain words, and values; none where there are no values."""
    rows = tuple((words_of(name), cell(value)) for name, value in values.items())
    return [Table(title, ("what", "value"), rows)] if rows else []


def cell(value: Any) -> str:
    """A value as a table shows it: counts with thousands separators, other numbers to four digits."""
    if value is None or isinstance(value, bool):
        return {True: "yes", False: "no", None: "-"}[value]
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1 else f"{value:.4f}" if abs(value) < 10 else f"{value:,.2f}"
    if isinstance(value, list | tuple):
        return ", ".join(map(cell, value))
    return ", ".join(f"{name}: {cell(own)}" for name, own in value.items()) if isinstance(value, dict) else str(value)


def written(score: "Score", form: str = ".3f") -> str:
    """A score and its 95 % interval: "0.612 [0.583, 0.641]"; "–" where it is not defined."""
    return score.with_interval(form, undefined="–")


def markdown_table(table: Table) -> str:
    """The columns and rows of a table as Markdown; empty where there are no rows."""
    lines = [table.columns, ["---"] * len(table.columns), *table.rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) if table.rows else ""
