"""Neighboring windows of a split joined into segments: the contiguous sequences that prediction and scoring work on."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from os import PathLike

import numpy as np

from dnaspt.data.dataset import Split, Window, rows_of_split, split_file
from dnaspt.data.manifest import read_manifest
from dnaspt.genome import alphabet
from dnaspt.genome.gene_states import MISSING, reverse_complement_labels
from dnaspt.genome.intervals import cluster, end_to_end, merge


@dataclass(frozen=True, slots=True)
class Segment:
    """A contiguous part of a contig. Codes and labels read along the forward strand.

    Attributes:
        chrom: contig name.
        start: 0-based start on the contig.
        codes: (L,) uint8, see `genome.alphabet`.
        labels: class of each base (L,) int8, `MISSING` where unknown.
    """

    chrom: str
    start: int
    codes: np.ndarray
    labels: np.ndarray

    @property
    def end(self) -> int:
        """Half-open end on the contig."""
        return self.start + len(self.codes)


def segments(split: Split) -> Iterator[Segment]:
    """Join the windows of a split that touch or overlap; a base that any of them labels is labeled.

    Windows on the minus strand are reverse-complemented first. Where labels are of windows and not of bases, all bases of
    a segment are missing.
    """
    group = cluster(end_to_end(split.intervals, split.chrom.astype(str)), join_touching=True)
    order = np.lexsort((split.start, group))
    for rows in np.split(order, np.flatnonzero(np.diff(group[order])) + 1):
        if len(rows):
            yield _join([split.window(row) for row in rows.tolist()], per_base=split.per_base)


def _join(windows: list[Window], *, per_base: bool) -> Segment:
    """Windows that touch or overlap, by start, as one segment."""
    start, end = windows[0].start, max(window.end for window in windows)
    codes = np.empty(end - start, dtype=np.uint8)
    labels = np.full(end - start, MISSING, dtype=np.int8)
    for window in windows:
        covered = slice(window.start - start, window.end - start)
        is_minus = window.strand == "-"
        codes[covered] = alphabet.reverse_complement(window.codes) if is_minus else window.codes
        if per_base:
            own = reverse_complement_labels(window.labels) if is_minus else window.labels
            labels[covered] = np.where(own != MISSING, own, labels[covered])
    return Segment(windows[0].chrom, start, codes, labels)


def without_overlaps(split: Split, window_bp: int) -> Split:
    """The sequence of a split with each base once and without labels: joined into segments, and cut at `window_bp`."""
    return unlabeled_windows(segments(split), window_bp)


def unlabeled_windows(joined: Iterable[Segment], window_bp: int) -> Split:
    """The sequence of segments, at least one, without labels and cut at `window_bp`."""
    windows = [
        (segment.chrom, segment.start + first, segment.codes[first : first + window_bp])
        for segment in joined
        for first in range(0, len(segment.codes), window_bp)
    ]
    missing = [np.full(len(codes), MISSING, dtype=np.int8) for _, _, codes in windows]
    return split_of([(*window, labels) for window, labels in zip(windows, missing, strict=True)])


def split_of(windows: Sequence[tuple[str, int, np.ndarray, np.ndarray]]) -> Split:
    """Windows of the forward strand as a split: contig, start, codes (L,), and a label for each base (L,) of each."""
    chroms, starts, codes, labels = zip(*windows, strict=True)
    lengths = np.array([len(own) for own in codes])
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return Split(
        chrom=np.array(chroms, dtype=object),
        start=np.array(starts),
        end=np.array(starts) + lengths,
        strand=np.full(len(windows), "+", dtype=object),
        codes=np.concatenate(codes),
        offsets=offsets,
        labels=np.concatenate(labels),
        label_offsets=offsets,
        per_base=True,
    )


def union_bp(folder: str | PathLike[str], split: str, fold: int = 0) -> int:
    """Bases that the windows of a split cover, each counted once.

    As many as `without_overlaps` has, but only the coordinates are read.

    Args:
        folder: the dataset folder.
        split: name of the split.
        fold: the fold whose split it is, from 1; 0 for the split of the whole dataset.
    """
    import pyarrow.parquet as pq

    stored, rows = rows_of_split(read_manifest(folder, fold), split)
    table = pq.read_table(split_file(folder, stored), columns=["chrom", "start", "end"], filters=rows)
    intervals = np.stack([table["start"].to_numpy(), table["end"].to_numpy()], axis=1)
    union = merge(end_to_end(intervals, table["chrom"].to_numpy().astype(str)))
    return int((union[:, 1] - union[:, 0]).sum())
