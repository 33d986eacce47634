"""All interval arithmetic: union, groups, gaps, overlap, and the runs of a value in an array. 0-based, half-open.

An `Interval` is one interval of a genome. Many intervals of one contig are an array (n, 2) int64 of starts and ends; `end_to_end`
puts those of several contigs on one axis, so that every function serves them too. The names are those of bioframe.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

StartEnd = tuple[int, int]
"""Start and end of an interval on a contig given separately."""
StartEnds = tuple[StartEnd, ...]
"""Several of them, ascending and disjoint."""


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """An interval of a contig: the bases start <= i < end, counted from 0.

    Attributes:
        contig: name of the contig.
        start: first base.
        end: base behind the last one.
        strand: "+" or "-"; "." where it does not matter or is not known.
    """

    contig: str
    start: int
    end: int
    strand: str = "."

    @classmethod
    def from_gff3(cls, contig: str, first: int, last: int, strand: str = ".") -> Self:
        """From the coordinates of GFF3 and GTF: 1-based, the last base included.

        Args:
            contig: name of the contig.
            first: first base, 1-based.
            last: last base, 1-based.
            strand: "+", "-" or ".".
        """
        return cls(contig, first - 1, last, strand)

    def __len__(self) -> int:
        return self.end - self.start


def merge(intervals: np.ndarray) -> np.ndarray:
    """Union of intervals: (n, 2) in any order -> (m, 2) ascending and disjoint; those that touch are joined."""
    if not len(intervals):
        return np.zeros((0, 2), dtype=np.int64)
    order = np.argsort(intervals[:, 0], kind="stable")
    starts, reach = intervals[order, 0], np.maximum.accumulate(intervals[order, 1])
    opens = np.append(True, starts[1:] > reach[:-1])
    return np.stack([starts[opens], reach[np.append(opens[1:], True)]], axis=1).astype(np.int64)


def merge_few(intervals: Iterable[StartEnd]) -> StartEnds:
    """`merge` for the few intervals of one transcript, as tuples: NumPy takes ten times as long on so few."""
    union: list[StartEnd] = []
    for start, end in sorted(intervals):
        if union and start <= union[-1][1]:
            union[-1] = (union[-1][0], max(union[-1][1], end))
        else:
            union.append((start, end))
    return tuple(union)


def cluster(intervals: np.ndarray, *, join_touching: bool = False) -> np.ndarray:
    """Number of the group of each interval: (n, 2) in any order -> (n,) int64.

    Intervals that share a base, directly or through others, are one group; with `join_touching` those that only touch, too.
    Groups are numbered from 0 by their start.
    """
    order = np.lexsort((intervals[:, 1], intervals[:, 0]))
    starts, reach = intervals[order, 0], np.maximum.accumulate(intervals[order, 1])
    opens = starts[1:] > reach[:-1] if join_touching else starts[1:] >= reach[:-1]
    groups = np.empty(len(intervals), dtype=np.int64)
    groups[order] = np.cumsum(np.append(False, opens))[: len(intervals)]
    return groups


def complement(intervals: np.ndarray, start: int, end: int) -> np.ndarray:
    """What intervals leave free between two positions: (n, 2) -> (m, 2) ascending, none of them empty.

    Args:
        intervals: (n, 2), in any order.
        start: first position.
        end: position behind the last one.
    """
    edges = np.concatenate([[start], np.clip(merge(intervals), start, end).ravel(), [end]]).reshape(-1, 2)
    return edges[edges[:, 0] < edges[:, 1]].astype(np.int64)


def subtract(intervals: np.ndarray, others: np.ndarray) -> np.ndarray:
    """What intervals cover and others do not: (n, 2) and (m, 2), both in any order -> (k, 2) ascending and disjoint."""
    if not len(intervals):
        return np.zeros((0, 2), dtype=np.int64)
    start, end = int(intervals[:, 0].min()), int(intervals[:, 1].max())
    return complement(np.concatenate([complement(intervals, start, end), others]), start, end)


def coverage(queries: np.ndarray, intervals: np.ndarray) -> np.ndarray:
    """How many bases of each query the intervals cover: (n, 2) and (m, 2), both in any order -> (n,) int64."""
    union = merge(intervals)
    total = np.append(0, np.cumsum(union[:, 1] - union[:, 0]))

    def covered_before(positions: np.ndarray) -> np.ndarray:
        """Covered bases left of each position."""
        index = np.searchsorted(union[:, 0], positions, side="right")
        last_end = np.append(0, union[:, 1])[index]
        return np.asarray(total[index] - np.maximum(last_end - positions, 0))

    return np.asarray(covered_before(queries[:, 1]) - covered_before(queries[:, 0]))


def containing(queries: np.ndarray, intervals: np.ndarray) -> np.ndarray:
    """Index of the interval that holds each query as a whole, else -1: (n, 2) -> (n,) int64.

    Args:
        queries: (n, 2), in any order.
        intervals: (m, 2), ascending and disjoint.
    """
    if not len(intervals):
        return np.full(len(queries), -1, dtype=np.int64)
    index = np.searchsorted(intervals[:, 0], queries[:, 0], side="right") - 1
    inside = (index >= 0) & (queries[:, 1] <= intervals[index, 1])
    return np.asarray(np.where(inside, index, -1))


def overlapping(queries: np.ndarray, intervals: np.ndarray) -> np.ndarray:
    """Index of an interval that shares a base with each query, else -1: (n, 2) and (m, 2), both in any order -> (n,) int64."""
    if not len(intervals):
        return np.full(len(queries), -1, dtype=np.int64)
    order = np.argsort(intervals[:, 0], kind="stable")
    starts, ends = intervals[order, 0], intervals[order, 1]
    furthest = np.maximum.accumulate(np.where(ends == np.maximum.accumulate(ends), np.arange(len(ends)), 0))
    last = np.searchsorted(starts, queries[:, 1], side="left") - 1  # the last one that begins before the query ends
    candidate = furthest[np.maximum(last, 0)]  # of all up to it, the one that reaches furthest to the right
    return np.where((last >= 0) & (ends[candidate] > queries[:, 0]), order[candidate], -1)


def end_to_end(intervals: np.ndarray, contigs: np.ndarray | Sequence[str]) -> np.ndarray:
    """Intervals of several contigs on one axis, where those of two contigs never touch: (n, 2) -> (n, 2) int64.

    contigs: name or number of the contig of each interval (n,); contigs stand on the axis in ascending order.
    """
    number = np.unique(contigs, return_inverse=True)[1].astype(np.int64)
    contig_bp = int(intervals.max(initial=0)) + 1
    return np.asarray(intervals + number[:, None] * contig_bp)


def positions(intervals: np.ndarray) -> np.ndarray:
    """Every position of every interval, one interval after the other: (n, 2) -> (total length,) int64."""
    lengths = intervals[:, 1] - intervals[:, 0]
    before = np.cumsum(lengths) - lengths
    return np.repeat(intervals[:, 0] - before, lengths) + np.arange(lengths.sum())


def to_mask(intervals: Iterable[StartEnd] | np.ndarray, length_bp: int) -> np.ndarray:
    """Whether an interval covers each position of a contig: (length_bp,) bool.

    Args:
        intervals: (n, 2), or starts and ends.
        length_bp: length of the contig.
    """
    mask = np.zeros(length_bp, dtype=bool)
    for start, end in intervals:
        mask[start:end] = True
    return mask


def count_true(mask: np.ndarray, intervals: np.ndarray) -> np.ndarray:
    """How many positions of a mask (L,) are True in each interval: (n, 2), which may overlap -> (n,) int64."""
    if not len(intervals):
        return np.zeros(0, dtype=np.int64)
    order = np.argsort(intervals[:, 0], kind="stable")  # ascending, so that the gaps that reduceat sums too stay short
    padded = np.append(mask, False).view(np.uint8)
    counts = np.empty(len(intervals), dtype=np.int64)
    counts[order] = np.add.reduceat(padded, intervals[order].ravel(), dtype=np.int64)[::2]
    return counts


def runs(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Maximal runs of one value in values (L,): the value of each run (n,) and its interval (n, 2), ascending."""
    changes = np.flatnonzero(values[1:] != values[:-1]) + 1
    starts = np.append(np.zeros(min(1, len(values)), dtype=np.int64), changes)
    ends = np.append(changes, len(values))[: len(starts)]
    return values[starts], np.stack([starts, ends], axis=1)


def true_runs(mask: np.ndarray) -> np.ndarray:
    """Maximal intervals on which a mask (L,) is True: (n, 2), ascending."""
    is_true, intervals = runs(mask)
    return np.asarray(intervals[is_true])
