"""Errors that a user can act on: each is one line that says where, what was found, what was expected and what to do."""

import errno
import os
from pathlib import Path
from typing import Any

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class DnasptError(Exception):
    """A user's error. The command line prints it as one line and exits with its code."""

    exit_code = 2


class InputError(DnasptError):
    """A file that cannot be used as it is.

    Args:
        path: the file.
        found: what was found there.
        expected: what was expected instead.
        do: what the user can do about it.
        line: 1-based line number, where one is known.
    """

    def __init__(
        self, path: str | Path, found: str, *, expected: str = "", do: str = "", line: int | None = None
    ) -> None:
        where = f"{path}:{line}" if line is not None else f"{path}"
        parts = [f"{where}: {found}"]
        if expected:
            parts.append(f"expected {expected}")
        if do:
            parts.append(do)
        super().__init__("; ".join(parts))

    def __reduce__(self) -> tuple[Any, ...]:
        """Its text alone: it may have to travel from one process to another."""
        return _again, (type(self), str(self))


def _again(kind: type[InputError], text: str) -> InputError:
    error = kind.__new__(kind)
    Exception.__init__(error, text)
    return error


class NoSpaceError(InputError):
    """A file or folder that a full disk, a quota or a limit of file size kept from being written."""


class ConfigError(DnasptError):
    """A setting that is misspelt, out of range, or contradicts another one."""


class DatasetError(DnasptError):
    """A dataset folder that is unfinished, of another format version, or unfit for what was asked of it."""


class CheckpointError(DnasptError):
    """A checkpoint or run folder that is unfinished or does not fit."""


class DivergedError(DnasptError):
    """A training whose loss is no longer finite."""

    exit_code = 76  # 3 is what abort() ends with on Windows


def refuse_full_disk(path: Path, error: BaseException | None) -> None:
    """Name the file or folder that could not be written for want of space.

    Raises:
        NoSpaceError: the error is about that; any other one is left to the caller.
    """
    if isinstance(error, OSError) and error.errno in _FULL:
        found = f"could not be written ({os.strerror(error.errno)})"
        raise NoSpaceError(path, found, do="make room, or write elsewhere") from error
