"""Positive windows of a contig to background windows like them: same length, split and GC, away from all regions."""

from collections import Counter

import numpy as np

from dnaspt.data.manifest import SPLITS
from dnaspt.genome import alphabet
from dnaspt.genome.fasta import Contig
from dnaspt.genome.intervals import count_true, coverage
from dnaspt.prepare.splits import Piece
from dnaspt.prepare.windows import Limits

GC_BINS = 25
"""Background has the GC of the positives in bins of 4 %."""


class Background:
    """Draws background windows contig by contig.

    What one contig cannot give (too few windows of a GC) is asked of the contigs after it, within the same split;
    what is still wanted at the end is `n_short`.
    """

    def __init__(self, window_bp: int, ratio: float, seed: int, *, match_gc: bool) -> None:
        self.window_bp, self.ratio, self.seed, self.match_gc = window_bp, ratio, seed, match_gc
        self._wanted = np.zeros((len(SPLITS), GC_BINS + 1))

    @property
    def n_short(self) -> int:
        """Windows that were wanted and not found."""
        return int(np.floor(self._wanted + 1e-9).sum())

    def choose(
        self, contig: Contig, index: int, limits: Limits, positives: tuple[np.ndarray, np.ndarray], taken: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Background windows of one contig.

        Args:
            contig: the contig.
            index: its place in the file; with the seed it decides the draw.
            limits: pieces and filters.
            positives: starts and splits of the positive windows (n,).
            taken: intervals (m, 2) that background may not touch: regions and positive windows.

        Returns:
            Starts (m,) and splits (m,).
        """
        starts, split = positives
        np.add.at(self._wanted, (split, self._gc_bin(contig, starts)), self.ratio)
        if (self._wanted < 1).all():
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int8)
        random = np.random.default_rng((self.seed, index))
        found, found_split = self._candidates(contig, limits, taken, random)
        order = random.permutation(len(found))
        found, found_split = found[order], found_split[order]
        cell = found_split.astype(np.int64) * (GC_BINS + 1) + self._gc_bin(contig, found)
        wanted = np.floor(self._wanted.ravel() + 1e-9).astype(np.int64)
        chosen = _rank_within(cell, len(wanted)) < wanted[cell]
        self._wanted -= np.bincount(cell[chosen], minlength=len(wanted)).reshape(self._wanted.shape)
        return found[chosen], found_split[chosen]

    def _candidates(
        self, contig: Contig, limits: Limits, taken: np.ndarray, random: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Windows that share no base with each other or with what is taken: tilings at random shifts."""
        starts = np.concatenate(
            [np.zeros(0, dtype=np.int64), *(self._tiles(piece, contig, random) for piece in limits.pieces)]
        )
        starts = starts[coverage(self._windows(starts), taken) == 0]
        placed = limits.place(contig, starts, starts + self.window_bp, Counter())
        return starts[placed.rows], placed.split

    def _tiles(self, piece: Piece, contig: Contig, random: np.random.Generator) -> np.ndarray:
        shift = int(random.integers(self.window_bp))
        return np.arange(piece.start + shift, min(piece.end, len(contig)) - self.window_bp + 1, self.window_bp)

    def _windows(self, starts: np.ndarray) -> np.ndarray:
        return np.stack([starts, starts + self.window_bp], axis=1)

    def _gc_bin(self, contig: Contig, starts: np.ndarray) -> np.ndarray:
        """Bin of each window by the GC of its known bases; 0 for all where GC does not matter."""
        if not self.match_gc:
            return np.zeros(len(starts), dtype=np.int64)
        bases, windows = alphabet.tokens(contig.codes), self._windows(starts)
        n_gc = count_true((bases == alphabet.G) | (bases == alphabet.C), windows)
        n_known = count_true(bases != alphabet.N, windows)
        bins: np.ndarray = (n_gc * GC_BINS) // np.maximum(n_known, 1)
        return bins


def _rank_within(groups: np.ndarray, n_groups: int) -> np.ndarray:
    """Place of each element among the elements of its group, in order: (n,) int64."""
    order = np.argsort(groups, kind="stable")
    first = np.cumsum(np.bincount(groups, minlength=n_groups)) - np.bincount(groups, minlength=n_groups)
    rank = np.empty(len(groups), dtype=np.int64)
    rank[order] = np.arange(len(groups)) - first[groups[order]]
    return rank


def merge_centers(centers: np.ndarray, apart_bp: int) -> np.ndarray:
    """Leave out centers that lie closer than `apart_bp` to the kept one left of them.

    Args:
        centers: positions (n,), any order.
        apart_bp: kept centers lie at least this far apart.

    Returns:
        Kept centers (m,), ascending.
    """
    kept: list[int] = []
    for center in np.sort(centers).tolist():
        if not kept or center - kept[-1] >= max(apart_bp, 1):
            kept.append(center)
    return np.array(kept, dtype=np.int64)
