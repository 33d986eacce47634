"""Matched background: windows of the length, split and GC of the positive windows that touch no region."""

from collections import Counter

import numpy as np

from dnaspt.data.manifest import SPLITS
from dnaspt.genome import alphabet
from dnaspt.genome.fasta import Contig
from dnaspt.genome.intervals import count_true, coverage
from dnaspt.prepare.splits import SplitInterval
from dnaspt.prepare.windows import KeptWindows, WindowFilter, from_starts

GC_BINS = 25
"""GC content is matched in bins of 4 %."""


class MatchedBackground:
    """Draws background windows contig by contig.

    What one contig cannot give (too few windows of a GC content) is drawn from the contigs after it, within the same split.

    Args:
        window_bp: length of a window.
        ratio: background windows per positive window.
        seed: seed of the draw.
        match_gc: whether background has the GC content of the positive windows.
    """

    def __init__(self, window_bp: int, ratio: float, seed: int, *, match_gc: bool) -> None:
        self.window_bp, self.ratio, self.seed, self.match_gc = window_bp, ratio, seed, match_gc
        self._wanted = np.zeros((len(SPLITS), GC_BINS + 1))

    @property
    def n_short(self) -> int:
        """Windows that were wanted and not found so far."""
        return int(np.floor(self._wanted + 1e-9).sum())

    def draw(
        self,
        contig: Contig,
        index: int,
        window_filter: WindowFilter,
        positives: tuple[np.ndarray, np.ndarray],
        taken: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draw background windows on one contig.

        Args:
            contig: the contig.
            index: its number in the file; with the seed it decides the draw.
            window_filter: which windows are kept.
            positives: starts (n,) and splits (n,) of the positive windows.
            taken: intervals (m, 2) that background may not touch: regions and positive windows.

        Returns:
            Starts (k,) and splits (k,) of the background windows, in random order.
        """
        starts, split = positives
        np.add.at(self._wanted, (split, self._gc_bin(contig, starts)), self.ratio)
        if (self._wanted < 1).all():
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int8)
        generator = np.random.default_rng((self.seed, index))
        candidates, candidate_split = self._candidates(contig, window_filter, taken, generator)
        order = generator.permutation(len(candidates))
        candidates, candidate_split = candidates[order], candidate_split[order]
        cell = candidate_split.astype(np.int64) * (GC_BINS + 1) + self._gc_bin(contig, candidates)
        wanted = np.floor(self._wanted.ravel() + 1e-9).astype(np.int64)
        drawn = _rank_within(cell, len(wanted)) < wanted[cell]
        self._wanted -= np.bincount(cell[drawn], minlength=len(wanted)).reshape(self._wanted.shape)
        return candidates[drawn], candidate_split[drawn]

    def _candidates(
        self, contig: Contig, window_filter: WindowFilter, taken: np.ndarray, generator: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Starts and splits of windows that touch neither each other nor what is taken: each interval tiled at a random shift."""
        starts = np.concatenate(
            [
                np.zeros(0, dtype=np.int64),
                *(self._shifted_tiling(interval, contig, generator) for interval in window_filter.intervals),
            ]
        )
        starts = starts[coverage(from_starts(starts, self.window_bp), taken) == 0]
        kept: KeptWindows = window_filter.keep(contig, from_starts(starts, self.window_bp), Counter())
        return starts[kept.rows], kept.split

    def _shifted_tiling(self, interval: SplitInterval, contig: Contig, generator: np.random.Generator) -> np.ndarray:
        shift = int(generator.integers(self.window_bp))
        return np.arange(interval.start + shift, min(interval.end, len(contig)) - self.window_bp + 1, self.window_bp)

    def _gc_bin(self, contig: Contig, starts: np.ndarray) -> np.ndarray:
        """Bin of each window by the GC content of its known bases (n,) int64; 0 for all where GC is not matched."""
        if not self.match_gc:
            return np.zeros(len(starts), dtype=np.int64)
        bases, windows = alphabet.tokens(contig.codes), from_starts(starts, self.window_bp)
        n_gc = count_true((bases == alphabet.G) | (bases == alphabet.C), windows)
        n_known = count_true(bases != alphabet.N, windows)
        bins: np.ndarray = (n_gc * GC_BINS) // np.maximum(n_known, 1)
        return bins


def _rank_within(groups: np.ndarray, n_groups: int) -> np.ndarray:
    """How many elements of the same group come before each element: (n,) int64."""
    order = np.argsort(groups, kind="stable")
    sizes = np.bincount(groups, minlength=n_groups)
    first = np.cumsum(sizes) - sizes
    rank = np.empty(len(groups), dtype=np.int64)
    rank[order] = np.arange(len(groups)) - first[groups[order]]
    return rank


def merge_centers(centers: np.ndarray, apart_bp: int) -> np.ndarray:
    """Keep centers that lie at least `apart_bp` to the right of the last one kept: (n,) in any order -> (m,) ascending."""
    kept: list[int] = []
    for center in np.sort(centers).tolist():
        if not kept or center - kept[-1] >= max(apart_bp, 1):
            kept.append(center)
    return np.array(kept, dtype=np.int64)
