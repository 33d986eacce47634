"""JSON files are read with errors that name the file, and written whole."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from dnaspt.errors import InputError
from dnaspt.json_files import build_checked, check_types, read_json, read_json_lines, write_json


def test_what_is_written_is_read(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    write_json(file, {"b": [1, 2.5], "a": None})
    assert read_json(file) == {"b": [1, 2.5], "a": None}
    assert file.read_text() == '{\n "b": [\n  1,\n  2.5\n ],\n "a": null\n}\n'
    write_json(file, {"b": 1, "a": 2}, sort_keys=True)
    assert file.read_text() == '{\n "a": 2,\n "b": 1\n}\n'
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"x\.json: no such file; expected a run$"),
        (b'{"a": ', r"x\.json: not JSON \(.*\); expected a whole file; make it again$"),
        (b'{"a": "\xff"}', r"x\.json: not JSON \(.*\); expected a whole file"),
        (b"[1]", r"x\.json: a list; expected a JSON object"),
        (b"[" * 100_000, r"x\.json: not JSON \(.*\); expected a whole file"),
        (b"9" * 5_000, r"x\.json: not JSON \(.*\); expected a whole file"),
    ],
)
def test_a_file_that_holds_no_object_is_named(tmp_path: Path, content: bytes | None, message: str) -> None:
    file = tmp_path / "x.json"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_json(file, expected="a run", do="make it again")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a readable file"):
        read_json(tmp_path)
    with pytest.raises(InputError, match="cannot be read"):
        read_json_lines(tmp_path)


def test_lines_are_read_in_order_and_a_half_written_last_one_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"step": 1}\n\n{"step": 2}\n{"ste')
    assert read_json_lines(file) == [{"step": 1}, {"step": 2}]
    file.write_text('{"step": 1}\n{"step": 2}')
    assert read_json_lines(file) == [{"step": 1}, {"step": 2}]


@pytest.mark.parametrize(("text", "message"), [('{"a": 1}\n{"a\n{"a": 2}\n', "not JSON"), ('{"a": 1}\n7\n', "a int")])
def test_a_broken_line_is_named_with_its_number(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(text)
    with pytest.raises(InputError, match=rf"rows\.jsonl:2: {message}.*expected a JSON object in each line"):
        read_json_lines(file)
    with pytest.raises(InputError, match="no such file"):
        read_json_lines(tmp_path / "no.jsonl")


@dataclass(frozen=True)
class Inner:
    score: float


@dataclass(frozen=True)
class Outer:
    name: str
    inner: Inner
    counts: tuple[int, ...] = ()
    more: Mapping[str, float] = field(default_factory=dict)


def test_the_types_of_values_are_checked_as_a_dataclass_has_them() -> None:
    made = build_checked(Outer, {"name": "a", "inner": {"score": 1}, "counts": [1, 2], "more": {"x": 0.5}})
    assert made == Outer("a", Inner(1.0), (1, 2), {"x": 0.5})
    assert check_types(made) == made


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": 1}, "name: Input should be a valid string"),
        ({"inner": {"score": "x"}}, "inner.score: Input should be a valid number"),
        ({"counts": [1, "b"]}, "counts.1: Input should be a valid integer"),
        ({"more": {"x": []}}, "more.x: Input should be a valid number"),
        ({"other": 1}, "no value is called 'other'"),
    ],
)
def test_a_value_of_another_type_is_named_in_one_line(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}") as told:
        build_checked(Outer, {"name": "a", "inner": {"score": 1.0}} | values)
    assert "\n" not in str(told.value)
    with pytest.raises(ValueError, match=r"inner\.score"):
        check_types(Outer("a", Inner("x")))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("count", "told"), [(-1, "a count of -1"), (10**16, "a count of 1"), (10**400, "more than 30")]
)
def test_counts_have_bounds(count: int, told: str) -> None:
    value = Outer("a", Inner(-1.0), (3, count))
    assert check_types(value) == value
    with pytest.raises(ValueError, match=told):
        check_types(value, has_counts=True)
