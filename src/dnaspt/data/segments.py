"""Neighboring windows of a split joined into segments: the contiguous stretches that prediction and scoring work on."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from dnaspt.data.dataset import Split
from dnaspt.genome import alphabet
from dnaspt.genome.gene_states import reverse_complement_labels
from dnaspt.genome.intervals import cluster, end_to_end, merge
from dnaspt.tasks import MISSING


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a contig: codes (L,) uint8 and labels per base (L,) int8, from start (0-based) on.

    Both read along the forward strand.
    """

    chrom: str
    start: int
    codes: np.ndarray
    labels: np.ndarray

    @property
    def end(self) -> int:
        """End on the contig, half-open."""
        return self.start + len(self.codes)


def segments(split: Split) -> Iterator[Segment]:
    """Join the windows of a split that touch or overlap; a base that one of them labels is labeled.

    Windows of the minus strand are turned back, so that all reads along the forward strand. Where labels are per window
    and not per base, all bases come out as missing.
    """
    intervals = end_to_end(np.stack([split.start, split.end], axis=1), split.chrom.astype(str))
    group = cluster(intervals, join_touching=True)
    order = np.lexsort((split.start, group))
    for rows in np.split(order, np.flatnonzero(np.diff(group[order])) + 1):
        if len(rows):
            yield _join(split, rows.tolist(), int(split.end[rows].max()))


def _join(split: Split, group: list[int], end: int) -> Segment:
    start = int(split.start[group[0]])
    codes = np.empty(end - start, dtype=np.uint8)
    labels = np.full(end - start, MISSING, dtype=np.int8)
    per_base = len(split.labels) == len(split.codes)
    for index in group:
        window = split.window(index)
        place = slice(window.start - start, window.end - start)
        turned = window.strand == "-"
        codes[place] = alphabet.reverse_complement(window.codes) if turned else window.codes
        if per_base:
            own = reverse_complement_labels(window.labels) if turned else window.labels
            labels[place] = np.where(own != MISSING, own, labels[place])
    return Segment(str(split.chrom[group[0]]), start, codes, labels)


def union_bp(folder: Path, split: str) -> int:
    """Bases that the windows of a split cover, each once: as many as `joined` has, from the table's places alone."""
    table = pq.read_table(folder / f"{split}.parquet", columns=["chrom", "start", "end"])
    intervals = np.stack([table["start"].to_numpy(), table["end"].to_numpy()], axis=1)
    union = merge(end_to_end(intervals, table["chrom"].to_numpy().astype(str)))
    return int((union[:, 1] - union[:, 0]).sum())


def joined(split: Split, window_bp: int) -> Split:
    """The bases of a split without labels, each base once: overlapping windows joined and cut again at `window_bp`."""
    rows: list[tuple[str, int, np.ndarray]] = []
    for segment in segments(split):
        for start in range(0, len(segment.codes), window_bp):
            rows.append((segment.chrom, segment.start + start, segment.codes[start : start + window_bp]))
    starts = np.array([start for _, start, _ in rows])
    lengths = np.array([len(codes) for _, _, codes in rows])
    return Split(
        chrom=np.array([chrom for chrom, _, _ in rows], dtype=object),
        start=starts,
        end=starts + lengths,
        strand=np.full(len(rows), "+", dtype=object),
        codes=np.concatenate([codes for _, _, codes in rows]),
        offsets=np.concatenate([[0], np.cumsum(lengths)]),
        labels=np.full(int(lengths.sum()), MISSING, dtype=np.int8),
        label_offsets=np.concatenate([[0], np.cumsum(lengths)]),
    )
