"""Rows of numbers in a file of their own, for what is too long for memory: read and written by slices.

A map of the file would do the same, but its pages count as the process's memory, and to write where no space is left would end
the process.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

_TYPE = np.dtype(np.float32)


@dataclass(frozen=True, slots=True)
class RowFile:
    """float32 rows start to stop, of n_columns each, of a file; a slice is a RowFile too, `numpy.asarray` reads it."""

    file: BinaryIO
    n_columns: int
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    def __getitem__(self, rows: slice) -> "RowFile":
        first, last, step = rows.indices(len(self))
        assert step == 1
        return RowFile(self.file, self.n_columns, self.start + first, self.start + max(first, last))

    def __setitem__(self, rows: slice, values: np.ndarray) -> None:
        part = self[rows]
        assert values.shape == (len(part), self.n_columns)
        self.file.seek(part.start * self.n_columns * _TYPE.itemsize)
        self.file.write(np.ascontiguousarray(values, _TYPE).data)

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        self.file.seek(self.start * self.n_columns * _TYPE.itemsize)
        rows = np.empty((len(self), self.n_columns), _TYPE)
        if self.file.readinto(rows.data) != rows.nbytes:  # type: ignore[attr-defined]
            raise OSError(f"{self.file.name}: rows {self.start} to {self.stop} are not there")
        return rows if dtype is None else rows.astype(dtype)


@contextmanager
def row_file(file: Path, n_rows: int, n_columns: int) -> Iterator[RowFile]:
    """Rows of zeros in a new file that is gone when the block ends; their space is claimed first.

    Raises:
        OSError: there is no space for them.
    """
    try:
        with file.open("w+b") as handle:
            n_bytes = n_rows * n_columns * _TYPE.itemsize
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(handle.fileno(), 0, n_bytes)
            else:
                handle.truncate(n_bytes)
            yield RowFile(handle, n_columns, 0, n_rows)
    finally:
        file.unlink(missing_ok=True)
