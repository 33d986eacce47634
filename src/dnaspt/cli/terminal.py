"""What a person sees on the terminal: lines, tables, and the progress of downloads."""

import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table as DrawnTable

from dnaspt.progress import console
from dnaspt.progress import say as show
from dnaspt.reports.tables import cell

if TYPE_CHECKING:
    from dnaspt.reports.tables import Table

__all__ = ["DownloadProgress", "mapping_table", "open_in_browser", "show", "show_tables", "table"]


def show_tables(tables: Sequence["Table"]) -> None:
    """Print tables, each with its note beneath."""
    for one in tables:
        if one.rows:
            table(one.title, one.columns, one.rows)
        else:
            show(one.title)
        if one.note:
            show(one.note)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print a table; numbers are right-aligned, counts have thousands separators."""
    drawn = DrawnTable(title=title, title_justify="left", title_style="bold")
    for index, name in enumerate(columns):
        drawn.add_column(name, justify="left" if index == 0 else "right", overflow="fold")
    for row in rows:
        drawn.add_row(*(cell(value) for value in row))
    console.print(drawn)


def mapping_table(title: str, rows: Mapping[str, Any]) -> None:
    """Print a mapping as a table of two columns, if it holds anything."""
    if rows:
        table(title, ("what", "value"), list(rows.items()))


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
