"""A random share of the training windows: what a lab with fewer labels would have."""

import logging

import numpy as np

from dnaspt.data.bootstrap_blocks import window_blocks
from dnaspt.data.dataset import Split
from dnaspt.genome.intervals import cluster, end_to_end

log = logging.getLogger(__name__)

_TOLERANCE = 0.2
"""Relative error in the number of windows from which a warning is logged."""


def label_subset(split: Split, fraction: float, seed: int) -> Split:
    """Draw a random share of the windows of a split. With one seed, a smaller share is part of every larger one.

    Where windows overlap, all that start in the same 10 kb of a contig (or in the same four window lengths, where windows
    are long) are drawn together. Overlapping windows drawn one by one would still show nearly all bases and labels.
    """
    if fraction >= 1:
        return split
    n_wanted = max(1, round(len(split) * fraction))
    block = window_blocks(split.chrom.astype(str), split.start, split.end) if _overlap(split) else np.arange(len(split))
    block_sizes = np.bincount(block)
    order = np.random.default_rng(seed).permutation(len(block_sizes))
    n_blocks = 1 + int(np.argmin(np.abs(np.cumsum(block_sizes[order]) - n_wanted)))
    rows = np.flatnonzero(np.isin(block, order[:n_blocks]))
    if abs(len(rows) - n_wanted) > _TOLERANCE * n_wanted:
        log.warning(
            "training uses %d of %d windows instead of %d: overlapping windows are drawn in blocks, and there are few",
            *(len(rows), len(split), n_wanted),
        )
    return split.take(rows)


def _overlap(split: Split) -> bool:
    """Whether any two windows share a base."""
    groups = cluster(end_to_end(split.intervals, split.chrom.astype(str)))
    return len(np.unique(groups)) < len(groups)
