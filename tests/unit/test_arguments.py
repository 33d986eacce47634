"""Arguments of Python functions: what is taken, and that an error names the argument."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dnaspt.arguments import (
    as_path,
    as_path_or_none,
    as_paths,
    as_texts,
    check_numbers,
    check_switches,
    check_texts,
    check_whole_numbers,
)
from dnaspt.errors import ConfigError


class WithFolder:
    def __fspath__(self) -> str:
        return "runs/a"


class WithBytes:
    def __repr__(self) -> str:
        return "WithBytes()"

    def __fspath__(self) -> bytes:
        return b"runs/a"


def test_a_path_whose_bytes_are_no_letters_is_refused_in_ascii() -> None:
    with pytest.raises(
        ConfigError, match=r"^genome = 'gr\\udcf6sse\.fa'; expected a path in the letters of this system's"
    ):
        as_path(os.fsdecode(b"gr\xf6sse.fa"), "genome")


def test_text_paths_and_what_has_one_are_paths() -> None:
    assert as_path("runs/a", "out") == as_path(Path("runs/a"), "out") == as_path(WithFolder(), "out") == Path("runs/a")
    assert as_path_or_none(None, "out") is None and as_path_or_none("a", "out") == Path("a")
    assert as_paths(None, "genome") is None
    assert as_paths("a", "genome") == (Path("a"),) and as_paths(["a", Path("b")], "genome") == (Path("a"), Path("b"))


@pytest.mark.parametrize("value", [None, 5, b"runs/a", ["runs/a"], "a\0b", Path("a\0b"), WithBytes()], ids=repr)
def test_what_no_file_can_have_as_its_name_is_no_path(value: Any) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"out = {value!r}; expected a path")):
        as_path(value, "out")


@pytest.mark.parametrize(
    ("check", "value", "expected"),
    [
        (check_switches, "no", "expected True or False"),
        (check_switches, None, "expected True or False"),
        (check_switches, 1, "expected True or False"),
        (check_texts, None, "expected text"),
        (check_texts, 1, "expected text"),
        (check_numbers, "0.5", "expected a number"),
        (check_numbers, True, "expected a number"),
        (check_whole_numbers, "8", "expected a whole number"),
        (check_whole_numbers, 8.0, "expected a whole number"),
        (check_whole_numbers, False, "expected a whole number"),
    ],
)
def test_a_value_of_another_type_is_refused(check: Callable[..., None], value: Any, expected: str) -> None:
    with pytest.raises(ConfigError, match=f"^b = {re.escape(repr(value))}; {expected}$"):
        check(**{"b": value})


def test_values_of_the_type_are_taken() -> None:
    check_switches(a=True, b=False)
    check_texts(a="", b="text")
    check_numbers(a=1, b=0.5, c=np.float32(0.5), d=None)
    check_whole_numbers(a=1, b=np.int64(8), c=None)


def test_one_text_or_several_are_a_tuple() -> None:
    assert as_texts("kmer", "baseline") == ("kmer",) and as_texts(["kmer", "cpg"], "baseline") == ("kmer", "cpg")
    assert as_texts((), "baseline") == () and as_texts(np.array(["kmer"]), "baseline") == ("kmer",)
    for value in (None, 5, b"kmer", [5], {"kmer": 1}):
        with pytest.raises(ConfigError, match="baseline = "):
            as_texts(value, "baseline")
