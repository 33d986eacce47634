"""A share of the labels of a split: what a lab with fewer of them would have."""

import logging

import numpy as np

from dnaspt.data.bootstrap_blocks import window_blocks
from dnaspt.data.dataset import Split
from dnaspt.genome.intervals import cluster, end_to_end

log = logging.getLogger(__name__)

_FAR = 0.2
"""Share by which a subset may miss its size without a word."""


def label_subset(split: Split, fraction: float, seed: int) -> Split:
    """A random share of the windows of a split; a smaller fraction of the same seed is a part of a larger one.

    Where windows overlap, all that start in the same stretch of 10 kb (four windows, where they are long) stay together: single
    ones drawn among their neighbors would still show nearly all bases and the labels of nearly all places.
    """
    if fraction >= 1:
        return split
    wanted = max(1, round(len(split) * fraction))
    group = window_blocks(split.chrom.astype(str), split.start, split.end) if _overlap(split) else np.arange(len(split))
    sizes = np.bincount(group)
    order = np.random.default_rng(seed).permutation(len(sizes))
    n_groups = 1 + int(np.argmin(np.abs(np.cumsum(sizes[order]) - wanted)))
    rows = np.flatnonzero(np.isin(group, order[:n_groups]))
    if abs(len(rows) - wanted) > _FAR * wanted:
        log.warning("%d of %d windows are learned from, not %d: stretches are few", len(rows), len(split), wanted)
    return take(split, rows)


def _overlap(split: Split) -> bool:
    """Whether any two windows share a base."""
    groups = cluster(end_to_end(np.stack([split.start, split.end], axis=1), split.chrom.astype(str)))
    return len(np.unique(groups)) < len(groups)


def take(split: Split, rows: np.ndarray) -> Split:
    """The given rows of a split."""
    windows = [split.window(int(row)) for row in rows]
    return Split(
        chrom=split.chrom[rows],
        start=split.start[rows],
        end=split.end[rows],
        strand=split.strand[rows],
        codes=np.concatenate([window.codes for window in windows]),
        offsets=np.concatenate([[0], np.cumsum([len(window.codes) for window in windows])]),
        labels=np.concatenate([window.labels for window in windows]),
        label_offsets=np.concatenate([[0], np.cumsum([len(window.labels) for window in windows])]),
    )
