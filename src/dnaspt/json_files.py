"""JSON files: one reader whose errors name the file, one check of what they hold, and one writer whose files appear whole."""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from dnaspt.atomic import write_text_atomically
from dnaspt.errors import InputError

T = TypeVar("T")

MOST = 1 << 53
"""No count in a file of this package is larger; a larger one is damaged."""

UNFIT = (KeyError, TypeError, ValueError, AttributeError, ArithmeticError, IndexError)
"""What is raised where JSON of another kind, or damaged, is made into a type of this package."""


def read_json(file: Path, *, expected: str = "", do: str = "") -> dict[str, Any]:
    """Read a JSON file that holds one object.

    Args:
        file: the file.
        expected: what should be there, for the error where there is no such file ("a run of dnaspt").
        do: what the user can do, for the error where the file is broken ("run the command that wrote it again").

    Raises:
        InputError: no such file, not readable, not JSON, or no object.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(file, "no such file", expected=expected) from error
    except OSError as error:
        raise InputError(file, error.strerror or str(error), expected="a readable file") from error
    except (ValueError, RecursionError) as error:  # of the text's encoding, too; and lists within lists without end
        raise InputError(file, f"not JSON ({error})", expected="a whole file", do=do) from error
    if not isinstance(content, dict):
        raise InputError(file, f"a {type(content).__name__}", expected="a JSON object", do=do)
    return content


def read_json_lines(file: Path) -> list[dict[str, Any]]:
    """Read a file with one JSON object in each line, such as metrics.jsonl, in order.

    A last line without an end is left out where it does not parse: the process that wrote it was killed.

    Raises:
        InputError: no such file, or a line that holds no JSON object.
    """
    try:
        lines = file.read_text(encoding="utf-8").split("\n")
    except FileNotFoundError as error:
        raise InputError(file, "no such file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(file, f"cannot be read ({error})") from error
    rows = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            if number == len(lines):
                break
            raise InputError(file, f"not JSON ({error})", expected="a JSON object in each line", line=number) from error
        if not isinstance(row, dict):
            raise InputError(file, f"a {type(row).__name__}", expected="a JSON object in each line", line=number)
        rows.append(row)
    return rows


def build_checked(kind: type[T], values: Mapping[str, Any]) -> T:
    """Make a dataclass of this package from values that were read from JSON, and check the type of each.

    Raises:
        ValueError: a name that the dataclass does not have, one that is missing, or a value of another type; in one line.
    """
    if unknown := sorted(map(str, set(values) - {item.name for item in fields(kind)})):  # type: ignore[arg-type]
        raise ValueError(f"no value is called {unknown[0]!r}")
    try:
        made: T = _adapter(cast(Any, kind)).validate_python(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    return made


def check_types(value: T, *, has_counts: bool = False) -> T:
    """The same dataclass, once the types of all its values are checked, those of dataclasses within it too.

    Args:
        value: the dataclass.
        has_counts: whether all its whole numbers are counts, so that none is negative or beyond all reason.

    Raises:
        ValueError: a value of another type, or a number that is no count; in one line.
    """
    assert is_dataclass(value) and not isinstance(value, type)
    values = asdict(value)
    checked = build_checked(type(value), values)
    if has_counts:
        _check_counts(values)
    return checked


def _check_counts(values: Any) -> None:
    if isinstance(values, int) and not 0 <= values <= MOST:
        raise ValueError(f"a count of {values if abs(values) < 1 << 99 else 'more than 30 digits'}")
    if isinstance(values, dict | list | tuple):
        for value in values.values() if isinstance(values, dict) else values:
            _check_counts(value)


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def write_json(file: Path, content: Mapping[str, Any], *, sort_keys: bool = False) -> None:
    """Write a JSON object, indented by one space, with a newline at the end; the file appears whole or not at all.

    Raises:
        NoSpaceError: the disk is full.
    """
    write_text_atomically(file, json.dumps(content, indent=1, sort_keys=sort_keys) + "\n")
