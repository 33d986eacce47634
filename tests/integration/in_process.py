"""Command lines run inside the test's own process, through the same entry point as the real command."""

import contextlib
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dnaspt.cli.main import main


class Outcome(NamedTuple):
    """Exit code, what was printed, and the lines on stderr."""

    code: int
    printed: str
    errors: list[str]


def dnaspt(*arguments: str | Path) -> Outcome:
    """What `dnaspt ARGUMENTS` does."""
    printed, errors = io.StringIO(), io.StringIO()
    before, code = sys.argv, 0
    sys.argv = ["dnaspt", *map(str, arguments)]
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(errors):
            main()
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    finally:
        sys.argv = before
    return Outcome(code, printed.getvalue(), errors.getvalue().splitlines())


def letters(length: int, seed: int) -> str:
    """A random sequence."""
    return "".join(np.random.default_rng(seed).choice(list("ACGT"), length))


def files_below(folder: Path) -> Iterator[Path]:
    """Every file and folder, hidden ones included."""
    return (path.relative_to(folder) for path in sorted(folder.rglob("*")))
