"""Threads for kernels, and how a thread treats subnormal numbers."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache

import torch


@cache
def threads_of(process: int, n: int) -> ThreadPoolExecutor:
    """Threads that stay for the life of a process: to start new ones for every batch takes half a millisecond.

    process: its number (a forked one has none of its parent's). They take subnormal numbers for zero.
    """
    return ThreadPoolExecutor(n, f"dnaspt-{process}", torch.set_flush_denormal, (True,))


@contextmanager
def subnormals_as_zero() -> Iterator[None]:
    """A block in which this thread, and those that it starts, take subnormal numbers for zero.

    A confident CRF has gradients below 1e-38, and many processors compute with such numbers some 50 times as slowly.
    """
    before = bool(torch.tensor(1e-38) * 0.1 == 0)
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)
