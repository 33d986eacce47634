"""Threads for kernels, and whether a thread takes subnormal numbers (below 1e-38 in float32) for zero."""

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
def thread_pool(process: int, n: int) -> ThreadPoolExecutor:
    """A pool of n threads that lives as long as its process: starting threads for every batch takes half a millisecond.

    process: its number, os.getpid(): a forked process has none of its parent's threads, so it needs a pool of its own.
    """
    return ThreadPoolExecutor(n, thread_name_prefix=f"dnaspt-{process}")


@contextmanager
def subnormals_as_zero() -> Iterator[None]:
    """Inside the block, this thread, threads that PyTorch starts and kernels take subnormal numbers for zero (flush to zero).

    A confident CRF has gradients below 1e-38, and a trained encoder such activations. With these numbers many processors compute
    some 40 times as slowly (`benchmarks/subnormals.py`). Threads that PyTorch has started before keep their setting, so a model
    is loaded inside such a block too: loading starts them.
    """
    before = _flushes_to_zero()
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


def inherit_flush_to_zero(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Wrap a function so that the thread that runs it inherits this thread's flush-to-zero setting."""
    flushes = _flushes_to_zero()

    def run(*arguments: Arguments.args, **options: Arguments.kwargs) -> Result:
        torch.set_flush_denormal(flushes)
        return function(*arguments, **options)

    return run


def _flushes_to_zero() -> bool:
    """Whether this thread takes subnormal numbers for zero."""
    return sys.float_info.min * 0.5 == 0
