"""Numba's `njit` for the kernels of this folder, with a cache on disk that notices an edit in any file of the folder.

Numba itself compares only the file that holds a function, although the functions that it calls are compiled into it. After an
edit in another file it would go on with old machine code.
"""

from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])


def kernel(**options: Any) -> Callable[[Function], Function]:
    """Decorator: compile a function at its first call, keep the machine code on disk, and run it without the GIL.

    The machine code is in `__pycache__` beside the source, or, where that cannot be written, in the user's cache folder;
    the environment variable NUMBA_CACHE_DIR names another one. options: those of `numba.njit`.
    """

    def compile_late(function: Function) -> Function:
        compiled: Any = njit(nogil=True, error_model="numpy", **options)(function)
        try:
            compiled.enable_caching()
        except RuntimeError:  # no folder can be written: compile in every process
            return compiled  # type: ignore[no-any-return]
        compiled._cache._cache_file._source_stamp = _folder_digest()  # Numba has no public name for it
        return compiled  # type: ignore[no-any-return]

    return compile_late


@cache
def _folder_digest() -> str:
    """sha256 of all source files in this folder."""
    digest = sha256()
    for file in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()
