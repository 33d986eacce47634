"""Probabilities of a gene model at each base, to bigWig tracks: coding bases, donors and acceptors of either strand.

Decoding gives the probabilities of a contig tile by tile. Rounded to 0.001, most neighbors are equal and most bases have 0: the
other runs of one value are kept, in a Parquet file for each contig, until all contigs are done. So memory does not grow with
the genome, and a prediction that was broken off goes on where it stopped.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dnaspt.atomic import atomic_file
from dnaspt.errors import InputError
from dnaspt.genome.bigwig import write_bigwig
from dnaspt.genome.gene_states import ACCEPTOR, CDS, DONOR, MINUS
from dnaspt.genome.intervals import runs
from dnaspt.inference.resume import Intervals

if TYPE_CHECKING:
    from dnaspt.models.decoding import ClassProbabilities

TRACKS = {
    "coding_plus": CDS,
    "coding_minus": CDS + MINUS,
    "donor_plus": DONOR,
    "donor_minus": DONOR + MINUS,
    "acceptor_plus": ACCEPTOR,
    "acceptor_minus": ACCEPTOR + MINUS,
}
"""The class whose probability each track shows. A donor is the first base of an intron, an acceptor its last one."""
_STEPS = 1000
"""Probabilities are rounded to one part in so many."""
_SCHEMA = pa.schema([("track", pa.int8()), ("start", pa.int64()), ("end", pa.int64()), ("value", pa.int16())])

Block = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Starts, ends and values (n,) of some runs of a track, ascending and disjoint."""


class ContigRuns(NamedTuple):
    """The runs of a contig: its name, the intervals that were predicted, ascending, and the file of the runs."""

    chrom: str
    intervals: Intervals
    file: Path


def track_files(prefix: Path) -> dict[str, Path]:
    """The file of each track, PREFIX.TRACK.bw.

    Raises:
        InputError: the prefix is a folder.
    """
    if prefix.is_dir():
        raise InputError(prefix, "is a folder", expected="the beginning of file names, such as FOLDER/genes")
    return {track: prefix.with_name(f"{prefix.name}.{track}.bw") for track in TRACKS}


@contextmanager
def kept_runs(file: Path) -> "Iterator[ClassProbabilities]":
    """A function that takes the class probabilities (n, 9) of the bases from a position on, and keeps their runs in a file.

    The tiles of an interval may come in any order. The file appears whole or not at all.
    """
    with (
        atomic_file(file) as unfinished,
        unfinished.open("wb") as opened,
        pq.ParquetWriter(opened, _SCHEMA, compression="zstd") as writer,
    ):

        def keep(first: int, probabilities: np.ndarray) -> None:
            columns: list[list[np.ndarray]] = [[], [], [], []]
            for number, class_ in enumerate(TRACKS.values()):
                rounded = np.clip(np.rint(probabilities[:, class_] * _STEPS), 0, _STEPS).astype(np.int16)
                values, intervals = runs(rounded)
                values, intervals = values[values > 0], intervals[values > 0] + first
                for column, part in zip(columns, (np.full(len(values), number), *intervals.T, values), strict=True):
                    column.append(part)
            table = pa.table([np.concatenate(column) for column in columns], names=_SCHEMA.names).cast(_SCHEMA)
            if len(table):
                writer.write_table(table, row_group_size=len(table))

        yield keep


def write_tracks(files: dict[str, Path], lengths: Iterable[tuple[str, int]], contigs: Sequence[ContigRuns]) -> None:
    """Write tracks as bigWig. Every base that was predicted has a value, others have none.

    Args:
        files: the file of each track to write.
        lengths: all contigs and their lengths in bp, in the order of the FASTA file.
        contigs: the runs of the contigs of which something was predicted, in that order.

    Raises:
        InputError: a file cannot be written. NoSpaceError: the disk is full.
    """
    lengths = list(lengths)
    for track, path in files.items():
        write_bigwig(path, lengths, _blocks(contigs, list(TRACKS).index(track)))


def _blocks(contigs: Sequence[ContigRuns], track: int) -> Iterator[tuple[str, np.ndarray, np.ndarray, np.ndarray]]:
    """Contig, starts, ends and probabilities of the runs of a track."""
    for contig in contigs:
        for starts, ends, values in merged(with_zeros(_runs_of(contig.file, track), contig.intervals)):
            yield contig.chrom, starts, ends, values / _STEPS


def _runs_of(file: Path, track: int) -> Iterator[Block]:
    """The runs above 0 of a track, tile by tile, ascending."""
    with pq.ParquetFile(file) as parquet:
        starts = [
            parquet.metadata.row_group(group).column(_SCHEMA.names.index("start")).statistics.min
            for group in range(parquet.num_row_groups)
        ]
        for group in np.argsort(starts, kind="stable").tolist():
            number, *columns = (column.to_numpy() for column in parquet.read_row_group(group).columns)
            start, end, value = (column[number == track] for column in columns)
            if len(start):
                yield start, end, value


def with_zeros(blocks: Iterable[Block], intervals: Intervals) -> Iterator[Block]:
    """The same blocks with runs of 0 between them, so that the runs cover the intervals; no block reaches beyond its interval."""
    waiting = iter(blocks)
    block = next(waiting, None)
    for left, right in intervals:
        position = left
        while block is not None and block[0][0] < right:
            starts, ends, values = block
            before = np.append(position, ends[:-1])
            gaps = before < starts
            order = np.argsort(np.concatenate([before[gaps], starts]))
            yield (
                np.concatenate([before[gaps], starts])[order],
                np.concatenate([starts[gaps], ends])[order],
                np.concatenate([np.zeros(gaps.sum(), values.dtype), values])[order],
            )
            position = int(ends[-1])
            block = next(waiting, None)
        if position < right:
            yield np.array([position]), np.array([right]), np.zeros(1, np.int16)


def merged(blocks: Iterable[Block]) -> Iterator[Block]:
    """The same runs with neighbors of one value joined, also across blocks."""
    held: Block | None = None
    for block in blocks:
        parts = [block] if held is None else [held, block]
        starts, ends, values = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        is_new = np.append(True, (starts[1:] != ends[:-1]) | (values[1:] != values[:-1]))
        first = np.flatnonzero(is_new)
        starts, ends, values = starts[first], ends[np.append(first[1:], len(ends)) - 1], values[first]
        if len(starts) > 1:
            yield starts[:-1], ends[:-1], values[:-1]
        held = starts[-1:], ends[-1:], values[-1:]
    if held is not None:
        yield held
