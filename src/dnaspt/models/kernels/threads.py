"""Threads for kernels, and how a thread treats subnormal numbers."""

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import ParamSpec, TypeVar

import torch

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


@cache
def threads_of(process: int, n: int) -> ThreadPoolExecutor:
    """Threads that stay for the life of a process: to start new ones for every batch takes half a millisecond.

    process: its number (a forked one has none of its parent's).
    """
    return ThreadPoolExecutor(n, thread_name_prefix=f"dnaspt-{process}")


@contextmanager
def subnormals_as_zero() -> Iterator[None]:
    """A block in which this thread, those that PyTorch starts in it, and kernels take subnormal numbers for zero.

    A confident CRF has gradients below 1e-38, with which many processors compute some 40 times as slowly
    (`benchmarks/subnormals.py`). Threads that PyTorch has started before go on as they are.
    """
    before = _subnormals_are_zero()
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


def as_here(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """A function for another thread, which is to treat subnormal numbers as this one does now."""
    are_zero = _subnormals_are_zero()

    def run(*arguments: Arguments.args, **options: Arguments.kwargs) -> Result:
        torch.set_flush_denormal(are_zero)
        return function(*arguments, **options)

    return run


def _subnormals_are_zero() -> bool:
    return sys.float_info.min * 0.5 == 0
