"""Progress of long work, shown on request: a live bar on a terminal or in a notebook, a line now and then in a log file."""

import re
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

console = Console()

_SHOWN = {
    "loss": "loss {:.4f}",
    "valid_mcc": "mcc {:.4f}",
    "valid_exon_f1": "exon F1 {:.4f}",
    "valid_gene_f1": "gene F1 {:.4f}",
    "valid_auroc": "auroc {:.4f}",
    "valid_pearson": "pearson {:.4f}",
    "valid_nats": "valid nats {:.4f}",
    "bp_per_s": "{:,.0f} bp/s",
}
"""The numbers that stand beside the bar, in this order."""
_BAR_AND_TIMES = 38
"""Columns of the terminal that a short bar, the times and the blanks between them take."""
_LINE_EVERY_S = 60
"""Seconds between two lines about a prediction in a log file."""
_LEAST_NUMBERS = 20
"""Columns that the numbers have at least; the longest is "gene F1 0.0000"."""
_NO_BREAK = "\u00a0"
_TOGETHER = re.compile(r"(?<=[a-z]) (?=[-\d])|(?<=F1) | (?=F1)| (?=bp/s)")
"""Blanks within a number and its name."""


def messages_to_stderr(*, wanted: bool) -> None:
    """Show lines and bars on standard error, so that standard output holds nothing else; or on standard output again."""
    console.stderr = wanted


def say(text: str) -> None:
    """Show one line of text as it is; on a terminal that is less wide, it goes on in the next line, behind a whole word."""
    console.print(text, markup=False, highlight=False, soft_wrap=not console.is_terminal)


def unwatched(n_bp: int) -> None:
    """Bases are done, and nobody looks."""


@contextmanager
def along_sequence(title: str, n_bp: Callable[[], int], *, wanted: bool) -> Iterator[Callable[[int], None]]:
    """Show how far work along sequences has come: a bar with the time left, or a line each minute in a log file.

    Args:
        title: what is done, shown before the bar.
        n_bp: counts the bases there are; it is asked only where something is shown.
        wanted: whether to show anything.

    Yields:
        a function to call with the number of bases that are done since the last call.
    """
    if not wanted:
        yield unwatched
        return
    total_bp = n_bp()
    if console.is_terminal or console.is_jupyter:
        columns = (TextColumn(f"[bold]{title}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
        left = (TextColumn("left"), TimeRemainingColumn())
        with Progress(*columns, *left, console=console, transient=True) as progress:
            task = progress.add_task(title, total=max(1, total_bp))
            yield lambda n: progress.advance(task, n)
        return
    done_bp = 0
    begun_at = said_at = time.monotonic()

    def tell(n: int) -> None:
        nonlocal done_bp, said_at
        done_bp = min(done_bp + n, total_bp)
        now = time.monotonic()
        if now - said_at >= _LINE_EVERY_S and done_bp:
            minutes = round((now - begun_at) * (total_bp - done_bp) / done_bp / 60)
            say(f"{title}: {done_bp / total_bp:.0%}, about {minutes:,} {'minute' if minutes == 1 else 'minutes'} left")
            said_at = now

    yield tell


class ProgressBar:
    """Progress of a training run: steps done, loss, score, bases per second and the time left.

    Args:
        title: what is trained, shown before the bar.
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self.n_steps = 0
        self._next_line = 0
        self._progress: Progress | None = None
        self._task = TaskID(0)

    def start(self, n_steps: int, step: int) -> None:
        """A run of `n_steps` steps begins (or goes on) at `step`."""
        self.n_steps, self._next_line = n_steps, step
        if not (console.is_terminal or console.is_jupyter):
            return
        self._progress = Progress(
            TextColumn(f"[bold]{self.title}"),
            BarColumn(),
            TextColumn("{task.completed}/{task.total}"),
            TextColumn("{task.fields[numbers]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._progress.start()
        self._task = self._progress.add_task(self.title, total=n_steps, completed=step, numbers="")

    def update(self, step: int, row: dict[str, float]) -> None:
        """A step is done; `row` holds the newest numbers by name."""
        numbers = " ".join(form.format(row[name]) for name, form in _SHOWN.items() if name in row)
        if self._progress is not None:
            taken = len(self.title) + len(f"{self.n_steps}/{self.n_steps}") + _BAR_AND_TIMES
            lines = textwrap.wrap(_TOGETHER.sub(_NO_BREAK, numbers), max(_LEAST_NUMBERS, console.width - taken))
            self._progress.update(self._task, completed=step, numbers="\n".join(lines).replace(_NO_BREAK, " "))
        elif step >= self._next_line or step == self.n_steps:
            say(f"{self.title}: step {step}/{self.n_steps} {numbers}")
            self._next_line = step + max(1, self.n_steps // 10)

    def note(self, text: str) -> None:
        """A part of a run that has no steps is done."""
        say(f"{self.title}: {text}")

    def stop(self) -> None:
        """The run is over."""
        if self._progress is not None:
            self._progress.stop()
