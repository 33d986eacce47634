"""Errors that a user can act on. Each is one line: where, what was found, what was expected, and what to do."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_MEMORY = ("out of memory", "can't allocate memory", "Storage size calculation overflowed", "Unable to allocate")
"""Words by which PyTorch and NumPy say that memory is too small; PyTorch has an error of its own for GPUs alone."""


class DnasptError(Exception):
    """Base of all errors of dnaspt that a user can act on.

    The command line prints the message as one line, and exits with `exit_code`.

    Attributes:
        exit_code: exit code of the command.
    """

    exit_code = 2


class InputError(DnasptError):
    """A file cannot be used as it is.

    Args:
        path: the file.
        found: what is wrong with it.
        expected: what was expected instead.
        do: what the user can do.
        line: 1-based line number, if it is known.
    """

    def __init__(
        self, path: str | Path, found: str, *, expected: str = "", do: str = "", line: int | None = None
    ) -> None:
        where = f"{path}:{line}" if line is not None else f"{path}"
        clauses = [f"{where}: {found}", f"expected {expected}" if expected else "", do]
        super().__init__("; ".join(clause for clause in clauses if clause))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the message alone, so that an error can go from one process to another."""
        return _from_message, (type(self), str(self))


def _from_message(kind: type[InputError], message: str) -> InputError:
    error = kind.__new__(kind)
    Exception.__init__(error, message)
    return error


class NoSpaceError(InputError):
    """A file or folder cannot be written: the disk is full, or a quota or a limit of file size is reached."""


class NoMemoryError(DnasptError):
    """The memory of the machine, or of its GPU, is too small."""


class ConfigError(DnasptError):
    """A setting is misspelt or out of range, or contradicts another one."""


class DatasetError(DnasptError):
    """A dataset folder is unfinished, has another format version, or does not fit what was asked."""


class CheckpointError(DnasptError):
    """A checkpoint or run folder is unfinished, or does not fit what was asked."""


class BusyError(DnasptError):
    """Another process writes where this one is to write."""


class DivergedError(DnasptError):
    """The loss of a training run is no longer finite."""

    exit_code = 76  # 3 is what abort() ends with on Windows


class NotFiniteError(DnasptError, ValueError):
    """Scores of a model are NaN or infinite: its weights are damaged, or its training diverged."""


def refuse_full_disk(path: Path, error: BaseException | None) -> None:
    """Turn an error of a full disk into one that names the file or folder that could not be written.

    Args:
        path: the file or folder.
        error: the error; any other than one of a full disk is left to the caller.

    Raises:
        NoSpaceError: the disk is full, or a quota or a limit of file size is reached.
    """
    if isinstance(error, OSError) and error.errno in _FULL:
        found = f"could not be written ({os.strerror(error.errno)})"
        raise NoSpaceError(path, found, do="make room, or write elsewhere") from error


@contextmanager
def telling_memory(do: str) -> Iterator[None]:
    """A block in which too little memory is an error of one line.

    Args:
        do: what the user can do.

    Raises:
        NoMemoryError: memory is too small.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        text = str(error)
        if not isinstance(error, MemoryError) and not any(words in text for words in _NO_MEMORY):
            raise
        where = "the GPU has" if "CUDA" in text else "there is"
        first = text.splitlines()[0][:200] if text else "MemoryError"
        raise NoMemoryError(f"{where} too little memory ({first}); {do}") from error
