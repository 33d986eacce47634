"""Threads that stay for the life of a process: to start new ones for every batch takes half a millisecond."""

from concurrent.futures import ThreadPoolExecutor
from functools import cache


@cache
def threads_of(process: int, n: int) -> ThreadPoolExecutor:
    """Threads of a process, by its number (a forked one has none of its parent's)."""
    return ThreadPoolExecutor(n, thread_name_prefix=f"dnaspt-{process}")
