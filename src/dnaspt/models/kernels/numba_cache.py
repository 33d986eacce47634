"""Numba's `njit` for the kernels of this folder, with a cache on disk that notices an edit in any of their files.

Numba compares only the file that holds a function, although the functions it calls are compiled into it: after an edit elsewhere
it would go on with old machine code.
"""

from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])


def kernel(**options: Any) -> Callable[[Function], Function]:
    """Decorator: compile at the first call, keep the machine code on disk, hold no GIL."""

    def compile_late(function: Function) -> Function:
        compiled: Any = njit(nogil=True, error_model="numpy", **options)(function)
        try:
            compiled.enable_caching()
        except RuntimeError:  # neither this folder nor the user's cache can be written: compile in every process
            return compiled  # type: ignore[no-any-return]
        compiled._cache._cache_file._source_stamp = _digest()  # Numba has no public name for it
        return compiled  # type: ignore[no-any-return]

    return compile_late


@cache
def _digest() -> str:
    """Digest of all source files in this folder."""
    found = sha256()
    for file in sorted(Path(__file__).parent.glob("*.py")):
        found.update(file.read_bytes())
    return found.hexdigest()
