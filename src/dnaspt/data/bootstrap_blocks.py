"""Blocks of a genome, which are drawn together: neighboring bases and windows are not independent."""

import re
from collections.abc import Sequence

import numpy as np

from dnaspt.genome.intervals import cluster, end_to_end
from dnaspt.tasks import NONCODING

BLOCK_BP = 10_000
_EXTRACT = re.compile(r"(.+):(\d+)-(\d+)")
"""Name of a contig that was cut from another: CHROM:START-END."""


def blocks_outside_genes(labels: np.ndarray, block_bp: int = BLOCK_BP) -> np.ndarray:
    """Cut a stretch of per-base labels (L,) into blocks of about block_bp: B + 1 ascending cuts from 0 to L.

    A cut falls before a non-coding base (class 8), so no labeled gene is divided; a long gene makes a long block.
    """
    free = np.flatnonzero(labels == NONCODING)
    cuts = [0]
    while len(labels) - cuts[-1] >= 1.5 * block_bp:
        index = np.searchsorted(free, cuts[-1] + block_bp)
        if index == len(free):
            break
        cuts.append(int(free[index]))
    return np.array([*cuts, len(labels)], dtype=np.int64)


def window_blocks(chrom: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Block of each of n windows (n,), 0..B-1: windows that start in the same stretch of a contig share one.

    A stretch has 10 kb, or four windows where they are long.
    """
    block_bp = max(BLOCK_BP, 4 * int((end - start).max(initial=0)))
    contig = np.unique(chrom, return_inverse=True)[1].astype(np.int64)
    place = start.astype(np.int64) // block_bp
    return np.unique(contig * (place.max(initial=0) + 1) + place, return_inverse=True)[1]


def sum_blocks(counts: Sequence[np.ndarray], places: Sequence[tuple[str, int, int]]) -> np.ndarray:
    """Counts (B_i, ...) of the blocks of n stretches as those of all blocks (B, ...); stretches that overlap make one block.

    places: contig, start and end of each stretch. A contig called CHROM:START-END lies there, on CHROM; so do BEND's genes,
    whose rows overlap.
    """
    group = _overlap_groups([on_genome(*place) for place in places])
    shared = np.bincount(group)[group] > 1
    sums: dict[tuple[int, int], np.ndarray] = {}
    for own, is_shared, blocks in zip(group.tolist(), shared, counts, strict=True):
        for number, count in enumerate([blocks.sum(axis=0)] if is_shared else blocks):
            sums[own, number] = sums[own, number] + count if (own, number) in sums else count
    return np.stack(list(sums.values()))


def on_genome(chrom: str, start: int, end: int) -> tuple[str, int, int]:
    """Where a stretch of a contig lies: on CHROM, from START on, where the contig is called CHROM:START-END."""
    match = _EXTRACT.fullmatch(chrom)
    return (match[1], int(match[2]) + start, int(match[2]) + end) if match else (chrom, start, end)


def _overlap_groups(places: list[tuple[str, int, int]]) -> np.ndarray:
    """Group (n,) of each place: those that overlap, be it through others, share one."""
    intervals = np.array([(start, end) for _, start, end in places], dtype=np.int64).reshape(-1, 2)
    return cluster(end_to_end(intervals, [chrom for chrom, _, _ in places]))
