"""What a person sees on the terminal: tables, and the progress of a run with loss, metric, bases/s and time left."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table

console = Console()

_SHOWN = ("loss", "valid_mcc", "valid_auroc", "valid_nats", "bp_per_s")


def show(text: str) -> None:
    """Print a line, without markup."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print a table; numbers are right-aligned, counts with thousands separators."""
    drawn = Table(title=title, title_justify="left", title_style="bold")
    for index, name in enumerate(columns):
        drawn.add_column(name, justify="left" if index == 0 else "right", overflow="fold")
    for row in rows:
        drawn.add_row(*(cell(value) for value in row))
    console.print(drawn)


def cell(value: Any) -> str:
    """A value as a table shows it."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "-"}[value]
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1 else f"{value:.4f}" if abs(value) < 10 else f"{value:,.2f}"
    if isinstance(value, tuple):
        return ", ".join(map(cell, value))
    return str(value)


def mapping_table(title: str, rows: Mapping[str, Any]) -> None:
    """Print a mapping as a two-column table, where it holds anything."""
    if rows:
        table(title, ("what", "value"), list(rows.items()))


class RichReporter:
    """Progress of a run: a live bar on a terminal, a line every tenth of the run in a log file."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.n_steps = 0
        self._next_line = 0
        self._progress: Progress | None = None
        self._task = TaskID(0)

    def start(self, n_steps: int, step: int) -> None:
        """A run of n_steps begins (or goes on) at step."""
        self.n_steps, self._next_line = n_steps, step
        if not console.is_terminal:
            return
        self._progress = Progress(
            TextColumn(f"[bold]{self.title}"),
            BarColumn(),
            TextColumn("{task.completed}/{task.total} {task.fields[numbers]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._progress.start()
        self._task = self._progress.add_task(self.title, total=n_steps, completed=step, numbers="")

    def update(self, step: int, row: dict[str, float]) -> None:
        """A step was done; row holds the newest numbers."""
        numbers = " ".join(
            f"{name.removeprefix('valid_') if name != 'valid_nats' else 'valid nats'} "
            + (f"{row[name]:,.0f} bp/s" if name == "bp_per_s" else f"{row[name]:.4f}")
            for name in _SHOWN
            if name in row
        ).replace("bp_per_s ", "")
        if self._progress is not None:
            self._progress.update(self._task, completed=step, numbers=numbers)
        elif step >= self._next_line or step == self.n_steps:
            show(f"{self.title}: step {step}/{self.n_steps} {numbers}")
            self._next_line = step + max(1, self.n_steps // 10)

    def stop(self) -> None:
        """The run is over."""
        if self._progress is not None:
            self._progress.stop()


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
