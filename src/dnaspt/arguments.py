"""What Python users give to functions: paths, switches and numbers of the right type, or one line that names the argument."""

import os
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from dnaspt.errors import ConfigError

PathLike = str | os.PathLike[str]
"""A path, or anything that has one: a `Dataset`, a `Run`, a `Model`."""
Paths = PathLike | Sequence[PathLike]
"""One path or a list of paths."""


def as_path(path: Any, name: str) -> Path:
    """The path that an argument is, or has.

    Raises:
        ConfigError: it is none, or is no text in UTF-8, so that no dataset or run could name it; names the argument.
    """
    text = os.fspath(path) if isinstance(path, str | os.PathLike) else None
    if not isinstance(text, str) or "\0" in text:
        raise ConfigError(
            f"{name} = {path!r}; expected a path: text, a Path, or what has one, such as a dataset or a run"
        )
    try:
        text.encode()
    except UnicodeEncodeError:  # bytes that Python could not read as letters
        do = "rename it, or set LC_ALL=C.UTF-8 or PYTHONUTF8=1"
        raise ConfigError(f"{name} = {text!a}; expected a path in the letters of this system's locale; {do}") from None
    return Path(text)


def as_path_or_none(path: Any, name: str) -> Path | None:
    """The path that an argument is, or has; None stays None."""
    return None if path is None else as_path(path, name)


def as_paths(paths: Any, name: str) -> tuple[Path, ...] | None:
    """One path or several as a tuple; None stays None."""
    if paths is None:
        return None
    if isinstance(paths, str | bytes | os.PathLike) or not isinstance(paths, Iterable):
        return (as_path(paths, name),)
    return tuple(as_path(path, name) for path in paths)


def check_switches(**values: Any) -> None:
    """Refuse what is neither True nor False: text such as "no" would count as True.

    Raises:
        ConfigError: names the argument.
    """
    for name, value in values.items():
        if not isinstance(value, bool):
            raise ConfigError(f"{name} = {value!r}; expected True or False")


def check_texts(**values: Any) -> None:
    """Refuse what is no text.

    Raises:
        ConfigError: names the argument.
    """
    for name, value in values.items():
        if not isinstance(value, str):
            raise ConfigError(f"{name} = {value!r}; expected text")


def as_texts(value: Any, name: str) -> tuple[str, ...]:
    """One text, or several, as a tuple.

    Raises:
        ConfigError: names the argument.
    """
    if isinstance(value, str):
        return (value,)
    texts = tuple(value) if isinstance(value, Iterable) and not isinstance(value, Mapping) else None
    if texts is None or not all(isinstance(own, str) for own in texts):
        raise ConfigError(f"{name} = {value!r}; expected a text, or several")
    return tuple(map(str, texts))


def check_numbers(**values: Any) -> None:
    """Refuse what is no number; None is left to the caller.

    Raises:
        ConfigError: names the argument.
    """
    _check_kind(Real, "a number", values)


def check_whole_numbers(**values: Any) -> None:
    """Refuse what is no whole number; None is left to the caller.

    Raises:
        ConfigError: names the argument.
    """
    _check_kind(Integral, "a whole number", values)


def _check_kind(kind: type, expected: str, values: dict[str, Any]) -> None:
    for name, value in values.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, kind)):
            raise ConfigError(f"{name} = {value!r}; expected {expected}")
