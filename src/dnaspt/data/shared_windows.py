"""Two splits as sketches to the windows that they share: by position, by whole sequence, or by their k-mers."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

_MAX_COPIES = 256
_JOIN_ROWS = 1 << 22


@dataclass(frozen=True, slots=True)
class SplitSketch:
    """What is remembered of the n windows of one split.

    Attributes:
        split: its name.
        names: contig names.
        chrom: index into `names` (n,).
        start: 0-based (n,).
        end: half-open (n,).
        digest: equal for equal sequences on either strand, 0 where the sequence is unknown (n,) uint64.
        n_kmers: sampled k-mers of each window, 0 where it is not to be compared (n,).
        hashes: the sampled k-mers of all windows, ascending (m,) uint32.
        owners: the window of each, ascending among equal k-mers (m,) uint32.
    """

    split: str
    names: tuple[str, ...]
    chrom: np.ndarray
    start: np.ndarray
    end: np.ndarray
    digest: np.ndarray
    n_kmers: np.ndarray
    hashes: np.ndarray
    owners: np.ndarray

    def __len__(self) -> int:
        return len(self.start)

    def place(self, index: int) -> str:
        """Where a window lies, as "chr1:100-612 (test)"."""
        return f"{self.names[self.chrom[index]]}:{self.start[index]}-{self.end[index]} ({self.split})"


def overlapping(first: SplitSketch, second: SplitSketch) -> np.ndarray:
    """For each of the n windows of `second` one of `first` that shares a position with it, else -1: (n,) int64."""
    stride = max(first.end.max(initial=0), second.end.max(initial=0)) + 1  # lays the contigs end to end on one axis
    starts, ends = first.start + first.chrom * stride, first.end + first.chrom * stride
    order = np.argsort(starts, kind="stable")
    starts, ends = starts[order], ends[order]
    furthest = np.maximum.accumulate(ends)
    reaching = np.maximum.accumulate(np.where(ends == furthest, np.arange(len(ends)), 0))
    offset = second.chrom * stride
    last = np.searchsorted(starts, second.end + offset, side="left") - 1
    partner = reaching[np.maximum(last, 0)]
    return np.where((last >= 0) & (ends[partner] > second.start + offset), order[partner], -1)


def exact_copies(first: SplitSketch, second: SplitSketch) -> np.ndarray:
    """For each of the n windows of `second` one of `first` of the same sequence, either strand, else -1: (n,) int64."""
    order = np.argsort(first.digest, kind="stable")
    digests = first.digest[order]
    at = np.minimum(np.searchsorted(digests, second.digest), len(digests) - 1)
    return np.where((digests[at] == second.digest) & (second.digest != 0), order[at], -1)


def near_copies(first: SplitSketch, second: SplitSketch, min_containment: float) -> tuple[np.ndarray, np.ndarray]:
    """For each of the n windows of `second` the one of `first` with the highest containment.

    Containment is the number of shared sampled k-mers over those of the smaller window. Of a k-mer that stands in more
    than 256 windows of `first` the first 256 are looked at: all copies of one sequence share the same ones.

    Returns:
        The window of `first`, or -1 where no containment reaches `min_containment` (n,) int64; the containment (n,).
    """
    partner, best = np.full(len(second), -1), np.zeros(len(second))
    left = np.searchsorted(first.hashes, second.hashes, side="left")
    copies = np.minimum(np.searchsorted(first.hashes, second.hashes, side="right") - left, _MAX_COPIES)
    shared = np.flatnonzero(copies)
    shared = shared[np.argsort(second.owners[shared], kind="stable")]
    for rows in _blocks_of_rows(second.owners[shared], copies[shared]):
        kmers = shared[rows]
        n = copies[kmers]
        within = np.arange(n.sum()) - np.repeat(np.cumsum(n) - n, n)
        theirs = first.owners[np.repeat(left[kmers], n) + within].astype(np.int64)
        ours = np.repeat(second.owners[kmers], n).astype(np.int64)
        pairs, n_shared = np.unique(ours * len(first) + theirs, return_counts=True)
        ours, theirs = np.divmod(pairs, len(first))
        containment = n_shared / np.minimum(first.n_kmers[theirs], second.n_kmers[ours])
        enough = np.flatnonzero(containment >= min_containment)
        enough = enough[np.argsort(containment[enough], kind="stable")]  # the highest is written last and stays
        partner[ours[enough]] = theirs[enough]
        best[ours[enough]] = containment[enough]
    return partner, best


def _blocks_of_rows(owners: np.ndarray, n_rows: np.ndarray) -> Iterator[slice]:
    """Slices of k-mers, ordered by window, that unfold to about `_JOIN_ROWS` rows each and never cut a window."""
    if not len(owners):
        return
    firsts = np.flatnonzero(np.append(True, owners[1:] != owners[:-1]))
    block = (np.cumsum(n_rows) // _JOIN_ROWS)[firsts]
    cuts = firsts[np.append(True, block[1:] != block[:-1])]
    for start, end in zip(cuts, [*cuts[1:], len(owners)]):
        yield slice(int(start), int(end))
