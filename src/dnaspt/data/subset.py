"""A random share of what is trained on: what a lab with fewer labels would have. Of genes, whole ones are drawn."""

import logging
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from dnaspt.data.bootstrap_blocks import blocks_outside_genes, window_blocks
from dnaspt.data.dataset import Split
from dnaspt.data.segments import Segment, segments, split_of
from dnaspt.genome.intervals import cluster, end_to_end

log = logging.getLogger(__name__)

_TOLERANCE = 0.2
"""Relative error in the number of windows, or of bases, from which a warning is logged."""


def label_subset(split: Split, fraction: float, seed: int) -> Split:
    """Draw a random share of a split. With one seed, a smaller share is part of every larger one.

    Where windows are pieces of contigs with genes, blocks of about 10 kb are drawn that cut no gene, and cut into windows: a
    window would show a part of a gene. Else windows are drawn. Where these overlap, all that start in the same 10 kb of a
    contig (or in the same four window lengths, where windows are long) are drawn together. Overlapping windows drawn one by
    one would still show nearly all bases and labels.

    Args:
        split: the split.
        fraction: share of its windows, or of its bases where blocks are drawn; 1 or more takes all.
        seed: seed of the draw.
    """
    if fraction >= 1:
        return split
    if split.per_base:
        joined = list(segments(split))
        if len(joined) < len(split):
            return _blocks_between_genes(joined, int((split.end - split.start).max()), fraction, seed)
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


def _blocks_between_genes(joined: Sequence[Segment], window_bp: int, fraction: float, seed: int) -> Split:
    """Blocks of about 10 kb that cut no gene, with that share of all bases, cut into windows."""
    blocks = [
        (segment.chrom, segment.start + left, segment.codes[left:right], segment.labels[left:right])
        for segment in joined
        for left, right in pairwise(blocks_outside_genes(segment.labels).tolist())
    ]
    lengths = np.array([len(codes) for _, _, codes, _ in blocks])
    order = np.random.default_rng(seed).permutation(len(blocks))
    n_drawn = 1 + int(np.argmin(np.abs(np.cumsum(lengths[order]) - fraction * lengths.sum())))
    drawn = [blocks[number] for number in sorted(order[:n_drawn].tolist())]
    n_bp, n_wanted = int(lengths[order[:n_drawn]].sum()), fraction * lengths.sum()
    log.log(
        logging.WARNING if abs(n_bp - n_wanted) > _TOLERANCE * n_wanted else logging.INFO,
        "training uses %d of %d bases, of %d wanted: stretches of about 10 kb that cut no gene",
        *(n_bp, lengths.sum(), round(n_wanted)),
    )
    windows = [
        (chrom, start + first, codes[first : first + window_bp], labels[first : first + window_bp])
        for chrom, start, codes, labels in drawn
        for first in range(0, len(codes), window_bp)
    ]
    return split_of(windows)


def _overlap(split: Split) -> bool:
    """Whether any two windows share a base."""
    groups = cluster(end_to_end(split.intervals, split.chrom.astype(str)))
    return len(np.unique(groups)) < len(groups)
