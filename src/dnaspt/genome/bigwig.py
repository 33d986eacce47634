"""bigWig <-> arrays of 0-based half-open intervals and their values, through pybigtools.

Three faults of that library (0.3.0) are met here. On broken data it panics: a BaseException, and text
that Rust writes to the terminal. A length that a broken file states is reserved in memory, which can end the process. And on
a full disk `write` ends without an error.
"""

import gzip
import os
import struct
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import groupby, islice, repeat
from operator import itemgetter
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
import pybigtools

from dnaspt.atomic import atomic_file
from dnaspt.errors import InputError
from dnaspt.genome.text_files import open_bytes

MAGIC = b"\x26\xfc\x8f\x88"
"""First four bytes of a file written on a little-endian machine; a big-endian one turns them around."""

_HEADER = "4sHHQQQHHQQIQ"
"""Magic, version, number of zoom levels, places of contigs, data and index, ..., bytes of the longest block unpacked, ...

The format is described in the supplement of Kent et al. 2010 (doi:10.1093/bioinformatics/btq351).
"""
_MAX_UNPACKED = 1 << 30
_INDEX_HEADER_BYTES = 48
_RECORD = np.dtype([("start", np.int64), ("end", np.int64), ("value", np.float64)])
_RECORDS_AT_ONCE = 1 << 20


class Signal(NamedTuple):
    """Values of n intervals of one contig, ascending and disjoint.

    Attributes:
        intervals: starts and ends (n, 2) int64.
        values: (n,) float64.
    """

    intervals: np.ndarray
    values: np.ndarray


def is_bigwig(path: Path) -> bool:
    """Whether a file begins like a bigWig, of either byte order."""
    try:
        with open_bytes(path) as file:
            return file.read(4) in (MAGIC, MAGIC[::-1])
    except (EOFError, zlib.error, gzip.BadGzipFile):
        return False


def read_bigwig(path: Path) -> Iterator[tuple[str, Signal]]:
    """Yield each contig that has values, with all of them.

    Raises:
        InputError: no bigWig, or one that is truncated or broken.
    """
    for contig, blocks in groupby(_read_records(path), key=itemgetter(0)):
        records = np.concatenate([block for _, block in blocks])
        yield contig, Signal(np.stack([records["start"], records["end"]], axis=1), records["value"])


def write_bigwig(
    path: str | Path,
    contigs: Iterable[tuple[str, int]],
    blocks: Iterable[tuple[str, np.ndarray, np.ndarray, np.ndarray]],
) -> None:
    """Write a bigWig, which appears whole or not at all.

    Args:
        path: the file.
        contigs: name and length in bp of each, in the order of the file; those without a value are left out of it.
        blocks: (contig, starts, ends, values), 0-based half-open, ascending and in the order of the contigs.

    Raises:
        InputError: the file cannot be written, or there is no value to write. NoSpaceError: the disk is full.
        ValueError: intervals that overlap, are out of order or off their contig, or a value that is no finite number.
    """
    path = Path(path)
    try:
        with atomic_file(path) as unfinished:
            named = unfinished.with_name(f"{unfinished.name}.bw")  # the library takes no other ending
            try:
                _write(path, named, dict(contigs), blocks)
                named.replace(unfinished)
            finally:
                named.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(
            path, f"could not be written ({error.strerror or error})", do="write to another folder"
        ) from error


class _LibraryError(Exception):
    """A pybigtools call failed."""


@contextmanager
def _calling_rust() -> Iterator[None]:
    """Make every failure of the library a `_LibraryError`; nothing that is printed meanwhile is shown."""
    saved: dict[int, int] = {}
    try:
        with open(os.devnull, "wb") as nowhere:
            for descriptor in (1, 2):
                with suppress(OSError):  # a process may have no standard output or error
                    saved[descriptor] = os.dup(descriptor)
                    os.dup2(nowhere.fileno(), descriptor)
        yield
    except (ValueError, KeyError, OSError, pybigtools.BBIReadError, pybigtools.BBIFileClosed) as error:
        raise _LibraryError(str(error)) from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # the library does not export its name
            raise
        raise _LibraryError("pybigtools panicked") from None
    finally:
        for descriptor, copy in saved.items():
            os.dup2(copy, descriptor)
            os.close(copy)


def _read_records(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Yield blocks of records with their contig, contig after contig.

    Raises:
        InputError: no bigWig, or one that is truncated or broken.
    """
    _check_lengths(path)
    n_covered = 0
    try:
        with path.open("rb") as content:  # the library takes a name only where it ends in .bw or .bigwig
            with _calling_rust():
                file = pybigtools.open(content)
                contigs, n_expected = list(file.chroms()), file.info()["summary"]["basesCovered"]
            for contig in contigs:
                with _calling_rust():
                    records = file.records(contig)
                while True:
                    with _calling_rust():
                        block = np.fromiter(islice(records, _RECORDS_AT_ONCE), dtype=_RECORD)
                    if not len(block):
                        break
                    n_covered += int((block["end"] - block["start"]).sum())
                    yield contig, block
    except _LibraryError as error:
        raise InputError(path, "a broken bigWig", expected="a whole one", do="copy it again") from error
    if n_expected and n_covered != n_expected:  # files of version 1, and of some programs, have no summary: 0
        found = f"a broken bigWig: it has values of {n_covered:,} bases"
        raise InputError(path, found, expected=f"{n_expected:,}, as its header says", do="copy it again")


def _check_lengths(path: Path) -> None:
    """Refuse a file that states an offset or a length beyond its own end: the library would reserve memory for it, and abort.

    Raises:
        InputError: no bigWig, or one that is truncated or broken.
    """
    with open_bytes(path) as file:
        begin = file.read(struct.calcsize(f"<{_HEADER}"))
    if begin[:4] not in (MAGIC, MAGIC[::-1]):
        raise InputError(path, "no bigWig, or a truncated one", expected="a whole bigWig")
    order, size = "<" if begin[:4] == MAGIC else ">", path.stat().st_size
    with path.open("rb") as file:
        if file.read(4) != begin[:4]:
            raise InputError(path, "a bigWig that is packed with gzip", expected="a plain one", do="unpack it")
        try:
            _, _, _, contigs, data, index, _, _, _, _, n_unpacked, _ = struct.unpack(f"{order}{_HEADER}", begin)
            file.seek(contigs)
            _, _, n_key, n_value, n_contigs, _ = struct.unpack(f"{order}4I2Q", file.read(32))
            fits = max(data, index) < size and n_contigs * (n_key + n_value) <= size and n_unpacked <= _MAX_UNPACKED
            is_whole = fits and _blocks_fit(file, index + _INDEX_HEADER_BYTES, size, order)
        except (struct.error, ValueError, OSError):  # shorter than its own header, or an offset that no file can have
            is_whole = False
    if not is_whole:
        raise InputError(path, "no bigWig, or a truncated one", expected="a whole bigWig", do="copy it again")


def _blocks_fit(file: IO[bytes], root: int, size: int, order: str) -> bool:
    """Whether the index, which is a tree, and all blocks of data that it names end within a file of `size` bytes."""
    inner = [("bases", f"{order}u4", 4), ("offset", f"{order}u8")]
    kinds = {0: np.dtype(inner), 1: np.dtype([*inner, ("length", f"{order}u8")])}
    nodes = [root]
    n_bytes = 0
    while nodes:
        file.seek(nodes.pop())
        is_leaf, _, n = struct.unpack(f"{order}BBH", file.read(4))
        kind = kinds[min(is_leaf, 1)]
        children = np.frombuffer(file.read(n * kind.itemsize), dtype=kind, count=n)
        if (children["offset"] >= size).any() or (is_leaf and (children["length"] > size - children["offset"]).any()):
            return False
        n_bytes += 4 + children.nbytes
        if n_bytes > size:  # nodes that lead back to themselves
            return False
        if not is_leaf:
            nodes += children["offset"].tolist()
    return True


def _write(
    path: Path, named: Path, lengths: dict[str, int], blocks: Iterable[tuple[str, np.ndarray, np.ndarray, np.ndarray]]
) -> None:
    """Write a file, and make sure that all of it can be read back.

    Raises:
        InputError: see `write_bigwig`; of `path`, the name that was asked for.
        OSError: the disk does not take any more.
    """
    named.touch()
    feed = _Feed(lengths, blocks)
    is_whole = False
    with suppress(_LibraryError), _calling_rust():
        pybigtools.open(str(named), "w").write(lengths, iter(feed))
        is_whole = True
    if feed.error:
        raise feed.error
    if feed.is_empty:
        raise InputError(path, "no value to write", do="a bigWig cannot be empty; write .bed or .parquet")
    with suppress(InputError):
        if is_whole and _read_back(named) == feed.sent:
            return
    with named.open("ab") as file:  # the disk itself says why
        file.write(bytes(1 << 16))
        file.flush()
        os.fsync(file.fileno())
    raise InputError(path, "could not be written to its end", do=f"is the disk of {tempfile.gettempdir()} full?")


class _Digest:
    """Tells whether two sequences of records are equal, however they are cut into blocks."""

    def __init__(self) -> None:
        self.n = self.starts = self.ends = self.values = 0

    def add(self, starts: np.ndarray, ends: np.ndarray, values: np.ndarray) -> None:
        """Take in records (n,) that follow those before; values count as the float32 that a bigWig keeps."""
        self.n += len(starts)
        self.starts = zlib.crc32(np.ascontiguousarray(starts, dtype=np.int64).data, self.starts)
        self.ends = zlib.crc32(np.ascontiguousarray(ends, dtype=np.int64).data, self.ends)
        self.values = zlib.crc32(np.ascontiguousarray(values, dtype=np.float32).data, self.values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Digest) and vars(self) == vars(other)


class _Feed:
    """Records for the library, one by one, and what was sent of each contig.

    An error on the way is kept for the caller: the library would print it and go on.
    """

    def __init__(
        self, lengths: Mapping[str, int], blocks: Iterable[tuple[str, np.ndarray, np.ndarray, np.ndarray]]
    ) -> None:
        self.sent: dict[str, _Digest] = {}
        self.error: BaseException | None = None
        self.is_empty = False
        self._blocks = _in_order(lengths, blocks)

    def __iter__(self) -> Iterator[tuple[str, int, int, float]]:
        try:
            for contig, starts, ends, values in self._blocks:
                self.sent.setdefault(contig, _Digest()).add(starts, ends, values)
                yield from zip(repeat(contig), starts.tolist(), ends.tolist(), values.tolist())
            self.is_empty = not self.sent
        except GeneratorExit:
            raise
        except BaseException as error:  # an interrupt, too
            self.error = error


def _read_back(path: Path) -> dict[str, _Digest]:
    """What a written file holds of each contig."""
    kept: dict[str, _Digest] = {}
    for contig, block in _read_records(path):
        kept.setdefault(contig, _Digest()).add(block["start"], block["end"], block["value"])
    return kept


def _in_order(
    lengths: Mapping[str, int], blocks: Iterable[tuple[str, np.ndarray, np.ndarray, np.ndarray]]
) -> Iterator[tuple[str, np.ndarray, np.ndarray, np.ndarray]]:
    """Blocks of bounded size, checked; values as float32.

    Raises:
        ValueError: see `write_bigwig`.
    """
    rank = {name: index for index, name in enumerate(lengths)}
    last_rank, last_end = -1, 0
    for contig, starts, ends, values in blocks:
        if not len(starts):
            continue
        last_end = last_end if rank[contig] == last_rank else 0
        bounds = np.concatenate([[last_end], np.stack([starts, ends], axis=1).ravel()])
        is_ordered = rank[contig] >= last_rank and (np.diff(bounds) >= 0).all() and (starts < ends).all()
        if not is_ordered or bounds[-1] > lengths[contig]:
            raise ValueError(f"{contig}: intervals overlap, are out of order or lie off the contig")
        with np.errstate(over="ignore"):
            values = values.astype(np.float32)
        if not np.isfinite(values).all():
            raise ValueError(f"{contig}: a value is no finite number")
        last_rank, last_end = rank[contig], int(bounds[-1])
        for first in range(0, len(starts), _RECORDS_AT_ONCE):
            rows = slice(first, first + _RECORDS_AT_ONCE)
            yield contig, starts[rows], ends[rows], values[rows]
