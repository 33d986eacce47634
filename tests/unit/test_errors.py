"""Errors are one line that says where, what was found, what was expected and what to do."""

import errno
import pickle
from pathlib import Path

import pytest

from dnaspt import errors
from dnaspt.errors import (
    DivergedError,
    DnasptError,
    InputError,
    NoMemoryError,
    NoSpaceError,
    refuse_full_disk,
    telling_memory,
)


def test_the_line_has_all_that_is_known_in_one_order() -> None:
    error = InputError("a.bed", "start 9", expected="start < end", do="look at it", line=3)
    assert str(error) == "a.bed:3: start 9; expected start < end; look at it"
    assert str(InputError(Path("a.bed"), "no row in it")) == "a.bed: no row in it"
    assert str(InputError("a.bed", "is a folder", do="name a file", line=None)) == "a.bed: is a folder; name a file"


@pytest.mark.parametrize("kind", [InputError, NoSpaceError])
def test_an_error_travels_between_processes(kind: type[InputError]) -> None:
    error = kind("a.bed", "start 9", expected="start < end", line=3)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind and str(again) == str(error) and again.exit_code == 2


def test_every_error_is_one_that_users_can_catch_and_has_an_exit_code() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert len(kinds) >= 6 and all(issubclass(kind, DnasptError) for kind in kinds)
    assert {kind for kind in kinds if kind.exit_code != 2} == {DivergedError}


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_named(number: int) -> None:
    with pytest.raises(NoSpaceError, match=r"out: could not be written \(.+\); make room, or write elsewhere"):
        refuse_full_disk(Path("out"), OSError(number, "full"))


@pytest.mark.parametrize("error", [None, OSError(errno.EACCES, "no"), ValueError("no"), OSError("no number")])
def test_any_other_error_is_left_to_the_caller(error: BaseException | None) -> None:
    refuse_full_disk(Path("out"), error)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (MemoryError(), "there is too little memory (MemoryError); lower batch_bp"),
        (
            RuntimeError("CUDA out of memory. Tried to allocate 2 GiB.\nMore"),
            "the GPU has too little memory (CUDA out of memory. Tried to allocate 2 GiB.); lower batch_bp",
        ),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 36 bytes."),
            "there is too little memory (DefaultCPUAllocator: can't allocate memory: you tried to allocate 36 bytes.); "
            "lower batch_bp",
        ),
    ],
)
def test_too_little_memory_is_told_in_one_line(error: Exception, line: str) -> None:
    with pytest.raises(NoMemoryError) as told, telling_memory("lower batch_bp"):
        raise error
    assert str(told.value) == line and told.value.exit_code == 2


def test_other_errors_pass_where_memory_is_told() -> None:
    with pytest.raises(RuntimeError, match="shapes differ"), telling_memory("lower batch_bp"):
        raise RuntimeError("shapes differ")
