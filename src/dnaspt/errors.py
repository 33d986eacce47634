"""Errors that a user can act on: each is one line that says where, what was found, what was expected and what to do."""

from pathlib import Path


class DnasptError(Exception):
    """A user's error. The command line prints it as one line and exits with code 2."""


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


class ConfigError(DnasptError):
    """A setting that is misspelt, out of range, or contradicts another one."""


class DatasetError(DnasptError):
    """A dataset folder that is unfinished, of another format version, or unfit for what was asked of it."""


class CheckpointError(DnasptError):
    """A checkpoint or run folder that is unfinished or does not fit."""
