"""bigWig <-> arrays of 0-based half-open intervals and their values.

pybigtools writes the files. Two faults of it (0.3.0) are met here: it panics (a BaseException, and text that Rust writes to the
terminal), and on a full disk `write` ends without an error. The reader is our own: one changed byte of a file can end the
process in that of the library (a segmentation fault), and NumPy takes a block at once where the library gives single values.
"""

import gzip
import os
import struct
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import groupby, repeat
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
"""Magic, version, number of zoom levels, places of contigs, data and index, ..., place of the summary, bytes of the longest
block unpacked (0: blocks are not packed), ...

The format is described in the supplement of Kent et al. 2010 (doi:10.1093/bioinformatics/btq351).
"""
_CONTIG_TREE, _INDEX_TREE = 0x78CA8C91, 0x2468ACE0
"""First number of the tree of contigs, and of the tree of blocks."""
_INDEX_HEADER_BYTES = 48
_BLOCK_HEADER = "IIIIIBBH"
"""Of a block of data: contig, start, end, step, span, kind, nothing, number of records."""
_MAX_BLOCK_BYTES = 24 + 12 * (1 << 16)
"""A block holds fewer than 2^16 records of 12 bytes."""
_STARTS_AND_ENDS, _STARTS, _STEPS = 1, 2, 3
"""Kinds of blocks: records of start, end and value; of start and value; of a value alone."""
_RECORD = np.dtype([("start", np.int64), ("end", np.int64), ("value", np.float32)])
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
    return _begin(path)[:4] in (MAGIC, MAGIC[::-1])


def _begin(path: Path) -> bytes:
    """The header of a file, unpacked if it is packed with gzip; nothing where that cannot be read."""
    try:
        with open_bytes(path) as file:
            return file.read(struct.calcsize(f"<{_HEADER}"))
    except (EOFError, zlib.error, gzip.BadGzipFile):
        return b""


def read_bigwig(path: Path) -> Iterator[tuple[str, Signal]]:
    """Yield each contig that has values, with all of them.

    Raises:
        InputError: no bigWig, or one that is truncated or broken.
    """
    for contig, blocks in groupby(_read_records(path), key=itemgetter(0)):
        records = np.concatenate([block for _, block in blocks])
        yield contig, Signal(np.stack([records["start"], records["end"]], axis=1), records["value"].astype(np.float64))


def bigwig_contigs(path: Path) -> dict[str, int]:
    """Names of the contigs that a bigWig file lists, and their lengths in bp.

    Raises:
        InputError: no bigWig, or one that is truncated or broken.
    """
    with path.open("rb") as file:
        begin = file.read(struct.calcsize(f"<{_HEADER}"))
        try:
            if begin[:4] not in (MAGIC, MAGIC[::-1]):
                raise _BrokenFileError
            return dict(_contigs(file, _layout(begin, path.stat().st_size)).values())
        except (_BrokenFileError, struct.error, ValueError) as error:
            raise InputError(path, "no bigWig, or a truncated one", expected="a whole, plain bigWig") from error


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


class _BrokenFileError(Exception):
    """A bigWig contradicts itself."""


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where a bigWig keeps what, from its header.

    Attributes:
        order: "<" or ">", the byte order.
        size: bytes of the file.
        contigs: offset of the tree of contigs.
        index: offset of the tree of blocks.
        summary: offset of the summary; 0 if there is none.
        is_packed: whether blocks are packed with zlib.
    """

    order: str
    size: int
    contigs: int
    index: int
    summary: int
    is_packed: bool


def _read_records(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Yield blocks of records (`_RECORD`) with their contig: contig after contig, ascending and disjoint.

    Raises:
        InputError: no bigWig, or one that is truncated or broken.
    """
    begin = _begin(path)
    if begin[:4] not in (MAGIC, MAGIC[::-1]):
        raise InputError(path, "no bigWig, or a truncated one", expected="a whole bigWig")
    n_covered = 0
    last = (-1, 0)
    with path.open("rb") as file:
        if file.read(4) != begin[:4]:
            raise InputError(path, "a bigWig that is packed with gzip", expected="a plain one", do="unpack it")
        try:
            layout = _layout(begin, path.stat().st_size)
            names = {number: name for number, (name, _) in _contigs(file, layout).items()}
            blocks = _blocks(file, layout)
            n_expected = _covered_bases(file, layout)
        except (_BrokenFileError, struct.error, ValueError, OSError) as error:
            found = "no bigWig, or a truncated one"
            raise InputError(path, found, expected="a whole bigWig", do="copy it again") from error
        try:
            for first, offset, n_bytes, last_contig in blocks:
                contig, records = _records(_read(file, layout, offset, n_bytes), layout)
                if contig not in names or not first <= contig <= last_contig or (contig, records["start"][0]) < last:
                    raise _BrokenFileError
                last = (contig, int(records["end"][-1]))
                n_covered += int((records["end"] - records["start"]).sum())
                yield names[contig], records
        except (_BrokenFileError, struct.error, zlib.error, OSError) as error:
            raise InputError(path, "a broken bigWig", expected="a whole one", do="copy it again") from error
    if n_expected and n_covered != n_expected:  # files of version 1, and of some programs, have no summary: 0
        found = f"a broken bigWig: it has values of {n_covered:,} bases"
        raise InputError(path, found, expected=f"{n_expected:,}, as its header says", do="copy it again")


def _layout(begin: bytes, size: int) -> _Layout:
    """The layout of a file of `size` bytes that begins so."""
    order = "<" if begin[:4] == MAGIC else ">"
    _, _, _, contigs, _, index, _, _, _, summary, n_unpacked, _ = struct.unpack(f"{order}{_HEADER}", begin)
    return _Layout(order, size, contigs, index, summary, bool(n_unpacked))


def _read(file: IO[bytes], layout: _Layout, offset: int, n_bytes: int) -> bytes:
    """Read so many bytes at an offset. What a broken file states is not reserved in memory."""
    if offset + n_bytes > layout.size:
        raise _BrokenFileError
    file.seek(offset)
    return file.read(n_bytes)


def _contigs(file: IO[bytes], layout: _Layout) -> dict[int, tuple[str, int]]:
    """Name and length of each contig by its number. They are the leaves of a tree."""
    begin = struct.unpack(f"{layout.order}4I2Q", _read(file, layout, layout.contigs, 32))
    magic, _, n_key, n_value, n_contigs, _ = begin
    if magic != _CONTIG_TREE or not 0 < n_key <= layout.size or n_value != 8:
        raise _BrokenFileError
    number = f"{layout.order}u4"
    kinds = (
        np.dtype([("name", f"S{n_key}"), ("offset", f"{layout.order}u8")]),
        np.dtype([("name", f"S{n_key}"), ("number", number), ("length", number)]),
    )
    leaves = _leaves(file, layout, layout.contigs + 32, kinds)
    found = {  # NumPy takes the zeros off the end of a name
        int(leaf["number"]): (bytes(leaf["name"]).decode(), int(leaf["length"])) for leaf in leaves
    }
    if not len(found) == len({name for name, _ in found.values()}) == len(leaves) == n_contigs:
        raise _BrokenFileError
    return found


def _blocks(file: IO[bytes], layout: _Layout) -> list[tuple[int, int, int, int]]:
    """First contig, offset, bytes and last contig of each block of data, ascending. They are the leaves of a tree, the index."""
    if struct.unpack(f"{layout.order}I", _read(file, layout, layout.index, 4)) != (_INDEX_TREE,):
        raise _BrokenFileError
    number, offset = f"{layout.order}u4", f"{layout.order}u8"
    bounds = [("first", number), ("start", number), ("last", number), ("end", number), ("offset", offset)]
    kinds = (np.dtype(bounds), np.dtype([*bounds, ("length", offset)]))
    leaves = _leaves(file, layout, layout.index + _INDEX_HEADER_BYTES, kinds)
    blocks = list(zip(*(leaves[name].tolist() for name in ("first", "offset", "length", "last"))))
    if any(begin + n_bytes > layout.size for _, begin, n_bytes, _ in blocks):
        raise _BrokenFileError
    return blocks


def _leaves(file: IO[bytes], layout: _Layout, root: int, kinds: tuple[np.dtype, np.dtype]) -> np.ndarray:
    """The leaves of a tree from left to right (n,).

    Args:
        file: the file.
        layout: its layout.
        root: offset of the root.
        kinds: what an inner node holds of each child, its `offset` among it, and what a leaf holds.
    """
    nodes, n_bytes = [root], 0
    leaves = [np.zeros(0, dtype=kinds[1])]
    while nodes:
        node = nodes.pop()
        is_leaf, _, n_children = struct.unpack(f"{layout.order}BBH", _read(file, layout, node, 4))
        if is_leaf > 1:
            raise _BrokenFileError
        kind = kinds[is_leaf]
        children = np.frombuffer(_read(file, layout, node + 4, n_children * kind.itemsize), dtype=kind)
        n_bytes += 4 + children.nbytes
        if n_bytes > layout.size:  # nodes that lead back to themselves
            raise _BrokenFileError
        if is_leaf:
            leaves.append(children)
        else:
            nodes += children["offset"][::-1].tolist()
    return np.concatenate(leaves)


def _covered_bases(file: IO[bytes], layout: _Layout) -> int:
    """How many bases have a value, as the file says itself; 0 if it does not say."""
    if not layout.summary:
        return 0
    return int(struct.unpack(f"{layout.order}Q", _read(file, layout, layout.summary, 8))[0])


def _records(content: bytes, layout: _Layout) -> tuple[int, np.ndarray]:
    """Unpack a block of data: its contig, and its records (n,), ascending and disjoint."""
    if layout.is_packed:
        unpacking = zlib.decompressobj()
        content = unpacking.decompress(content, _MAX_BLOCK_BYTES)
        if not unpacking.eof:
            raise _BrokenFileError
    n_header, order = struct.calcsize(f"<{_BLOCK_HEADER}"), layout.order
    contig, start, _, step, span, kind, _, n = struct.unpack(f"{order}{_BLOCK_HEADER}", content[:n_header])
    names = {_STARTS_AND_ENDS: ("start", "end"), _STARTS: ("start",), _STEPS: ()}.get(kind)
    if names is None or not n:
        raise _BrokenFileError
    stored = np.dtype([*((name, f"{order}u4") for name in names), ("value", f"{order}f4")])
    if len(content) < n_header + n * stored.itemsize:
        raise _BrokenFileError
    values = np.frombuffer(content, dtype=stored, count=n, offset=n_header)
    records = np.empty(n, dtype=_RECORD)
    records["value"] = values["value"]
    records["start"] = values["start"] if kind != _STEPS else start + step * np.arange(n)
    records["end"] = values["end"] if kind == _STARTS_AND_ENDS else records["start"] + span
    if (records["start"] >= records["end"]).any() or (records["end"][:-1] > records["start"][1:]).any():
        raise _BrokenFileError
    return int(contig), records


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
