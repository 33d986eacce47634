"""A table of float32 numbers in a file, for emissions that do not fit into memory: read and written by slices.

`numpy.memmap` would do the same, but its pages count as memory of the process, and writing to a full disk would kill the process.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

_TYPE = np.dtype(np.float32)


@dataclass(frozen=True, slots=True)
class DiskArray:
    """Rows start to stop of a table in a file; a slice is a DiskArray too, and `numpy.asarray` reads it into memory.

    Attributes:
        file: the open file.
        n_columns: columns of the table.
        start: first row.
        stop: end, half-open.
        lock: one thread at a time uses the file.
    """

    file: BinaryIO
    n_columns: int
    start: int
    stop: int
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def __len__(self) -> int:
        return self.stop - self.start

    def __getitem__(self, rows: slice) -> "DiskArray":
        first, last, step = rows.indices(len(self))
        assert step == 1
        return replace(self, start=self.start + first, stop=self.start + max(first, last))

    def __setitem__(self, rows: slice, values: np.ndarray) -> None:
        part = self[rows]
        assert values.shape == (len(part), self.n_columns)
        with self.lock:
            self.file.seek(part.start * self.n_columns * _TYPE.itemsize)
            self.file.write(np.ascontiguousarray(values, _TYPE).data)

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        rows = np.empty((len(self), self.n_columns), _TYPE)
        with self.lock:
            self.file.seek(self.start * self.n_columns * _TYPE.itemsize)
            n_read = self.file.readinto(rows.data)  # type: ignore[attr-defined]
        if n_read != rows.nbytes:
            raise OSError(f"{self.file.name}: rows {self.start} to {self.stop} are not there")
        return rows if dtype is None else rows.astype(dtype)


@contextmanager
def disk_array(file: Path, n_rows: int, n_columns: int) -> Iterator[DiskArray]:
    """A table of zeros in a new file, which is deleted when the `with` block ends. Its space on disk is claimed first.

    Args:
        file: the file.
        n_rows: rows of the table.
        n_columns: its columns.

    Yields:
        The table (n_rows, n_columns) float32.

    Raises:
        OSError: the disk has no room for it.
    """
    try:
        with file.open("w+b") as handle:
            n_bytes = n_rows * n_columns * _TYPE.itemsize
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(handle.fileno(), 0, n_bytes)
            else:
                handle.truncate(n_bytes)
            yield DiskArray(handle, n_columns, 0, n_rows)
    finally:
        file.unlink(missing_ok=True)
