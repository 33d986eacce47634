"""bigWig <-> arrays of 0-based half-open intervals and their values; broken files and full disks are found beforehand.

The library below (libBigWig, through pyBigWig) ends the process on some truncated files, and on a full disk it hangs or
leaves a truncated file without an error: so headers are checked before it reads, and space before it writes.
"""

import gzip
import os
import resource
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyBigWig

from dnaspt.atomic import publish_file
from dnaspt.errors import InputError
from dnaspt.genome.fasta import open_bytes

MAGIC = b"\x26\xfc\x8f\x88"
"""First and last four bytes of a file written on a little-endian machine."""

_ENTRIES_AT_ONCE = 1 << 20
_ENTRY_BYTES = 12
_FINAL_BYTES = 16
"""Zoom levels: 32 bytes per 4 entries, per 16, and so on, is 11 per entry; index and headers come to it."""
_FIXED_BYTES = 1 << 22


def is_bigwig(path: Path) -> bool:
    """Whether a file begins like a bigWig, of either byte order."""
    try:
        with open_bytes(path) as file:
            return file.read(4) in (MAGIC, MAGIC[::-1])
    except (EOFError, zlib.error, gzip.BadGzipFile):
        return False


def open_bigwig(path: Path) -> Any:
    """Open a bigWig for reading.

    Raises:
        InputError: no bigWig, or a truncated one.
    """
    with open_bytes(path) as file:
        header = file.read(64)
    order = "<" if header[:4] == MAGIC else ">"
    size = path.stat().st_size
    whole = len(header) == 64 and all(0 < offset < size for offset in struct.unpack_from(f"{order}3Q", header, 8))
    if header[:4] not in (MAGIC, MAGIC[::-1]) or not whole:
        raise InputError(path, "no bigWig, or a truncated one", expected="a whole bigWig", do="copy it again")
    try:
        return pyBigWig.open(str(path))
    except RuntimeError as error:
        raise InputError(path, "a broken bigWig", expected="a whole one", do="copy it again") from error


def intervals(path: Path, file: Any, chrom: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Starts (int64), ends (int64) and values (float64) of a contig's intervals, (n,) each.

    Raises:
        InputError: the data cannot be read.
    """
    try:
        found = file.intervals(chrom)
    except RuntimeError as error:
        raise InputError(path, f"values of {chrom!r} that cannot be read", do="copy the file again") from error
    rows = np.array(found or np.zeros((0, 3)), dtype=np.float64).reshape(-1, 3)
    return rows[:, 0].astype(np.int64), rows[:, 1].astype(np.int64), rows[:, 2]


def write_bigwig(
    path: str | Path,
    contigs: Iterable[tuple[str, int]],
    blocks: Iterable[tuple[str, np.ndarray, np.ndarray, np.ndarray]],
) -> None:
    """Write a bigWig whole or not at all.

    Args:
        path: the file.
        contigs: (name, length in bp), in the order of the file.
        blocks: (contig, starts, ends, values), 0-based half-open, ascending and in the order of the contigs.

    Raises:
        InputError: the file cannot be written, or there is no space left for it.
        ValueError: intervals that overlap, are out of order or off their contig, or a value that is no finite number.
    """
    path = Path(path)
    lengths = dict(contigs)
    try:
        with publish_file(path) as unfinished:
            _write(unfinished, lengths, blocks)
            with unfinished.open("rb") as written:
                written.seek(-4, os.SEEK_END)
                if written.read(4) not in (MAGIC, MAGIC[::-1]):
                    raise InputError(path, "could not be written to its end", do="is the disk full?")
    except (RuntimeError, OSError) as error:
        raise InputError(path, f"could not be written ({error})", do="is the disk full?") from error


def _write(
    path: Path, lengths: dict[str, int], blocks: Iterable[tuple[str, np.ndarray, np.ndarray, np.ndarray]]
) -> None:
    path.touch()  # the library ends the process where it cannot open a file for writing
    with _Space(path) as space:
        space.claim(64 * len(lengths))
        file = pyBigWig.open(str(path), "w")
        try:
            file.addHeader(list(lengths.items()))
            for name, starts, ends, values in _in_order(lengths, blocks):
                space.claim(len(starts))
                file.addEntries([name] * len(starts), starts, ends=ends, values=values)
        finally:
            space.release()
            file.close()


class _Space:
    """Disk space set aside, so that a bigWig which was begun can be closed: a second file that is never written to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ballast = path.with_name(f"{path.name}.space")
        self._n_entries = 0

    def __enter__(self) -> "_Space":
        self._file = self._ballast.open("wb")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def claim(self, n_entries: int) -> None:
        """Make sure that so many more entries, and what closing the file adds, can be written.

        Raises:
            OSError: there is no space (a full disk, a quota, a limit of file size).
        """
        self._n_entries += n_entries
        closing, writing = self._n_entries * _FINAL_BYTES + _FIXED_BYTES, n_entries * _ENTRY_BYTES
        limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
        if limit != resource.RLIM_INFINITY and self.path.stat().st_size + closing + writing > limit:
            raise OSError("the limit of file size is too low")
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(self._file.fileno(), 0, closing + writing)
            os.ftruncate(self._file.fileno(), closing)

    def release(self) -> None:
        """Give the space back."""
        self._file.close()
        self._ballast.unlink(missing_ok=True)


def _in_order(
    lengths: Mapping[str, int], blocks: Iterable[tuple[str, np.ndarray, np.ndarray, np.ndarray]]
) -> Iterator[tuple[str, np.ndarray, np.ndarray, np.ndarray]]:
    """Blocks of bounded size, checked."""
    rank = {name: index for index, name in enumerate(lengths)}
    last_rank, last_end = -1, 0
    for name, starts, ends, values in blocks:
        if not len(starts):
            continue
        last_end = last_end if rank[name] == last_rank else 0
        bounds = np.concatenate([[last_end], np.column_stack([starts, ends]).ravel()])
        if (
            rank[name] < last_rank
            or (np.diff(bounds) < 0).any()
            or (starts >= ends).any()
            or bounds[-1] > lengths[name]
        ):
            raise ValueError(f"{name}: intervals overlap, are out of order or lie off the contig")
        if not np.isfinite(values).all():
            raise ValueError(f"{name}: a value is no finite number")
        last_rank, last_end = rank[name], int(bounds[-1])
        for at in range(0, len(starts), _ENTRIES_AT_ONCE):
            rows = slice(at, at + _ENTRIES_AT_ONCE)
            yield name, starts[rows].astype(np.int64), ends[rows].astype(np.int64), values[rows].astype(np.float64)
