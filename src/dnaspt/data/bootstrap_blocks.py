"""Blocks of a genome, the units that a bootstrap draws: bases and windows next to each other are not independent."""

import re
from collections.abc import Sequence

import numpy as np

from dnaspt.genome.gene_states import NONCODING
from dnaspt.genome.intervals import cluster, end_to_end, merge, true_runs

BLOCK_BP = 10_000
_EXTRACT = re.compile(r"(.+):(\d+)-(\d+)")
"""Name of a contig that was cut from another one: CHROM:START-END."""


def blocks_outside_genes(labels: np.ndarray, block_bp: int = BLOCK_BP) -> np.ndarray:
    """Cut a segment with per-base labels (L,) into blocks of about `block_bp`.

    Every cut falls on a non-coding base (class 8), so no labeled gene is divided; a long gene makes a long block.

    Returns:
        B + 1 ascending positions (B + 1,) int64 from 0 to L: block b has the bases cuts[b] to cuts[b + 1].
    """
    return blocks_between(true_runs(labels != NONCODING), len(labels), block_bp)


def blocks_between(genes: np.ndarray, length_bp: int, block_bp: int = BLOCK_BP) -> np.ndarray:
    """Cut a contig into blocks of about `block_bp`, as `blocks_outside_genes` does.

    Args:
        genes: intervals (n, 2) that no cut divides, in any order.
        length_bp: bases of the contig.
        block_bp: fewest bases of a block but the last one.

    Returns:
        B + 1 ascending positions (B + 1,) int64 from 0 to `length_bp`.
    """
    starts, ends = merge(genes).T
    cuts = [0]
    while length_bp - cuts[-1] >= 1.5 * block_bp:
        cut = cuts[-1] + block_bp
        index = np.searchsorted(starts, cut, side="right") - 1
        if index >= 0:
            cut = max(cut, int(ends[index]))
        if cut >= length_bp:
            break
        cuts.append(cut)
    return np.array([*cuts, length_bp], dtype=np.int64)


def window_blocks(chrom: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Block of each of n windows: windows that start in the same 10 kb of a contig share a block.

    Where windows are long, a block has the length of four windows.

    Args:
        chrom: contig names (n,).
        start: 0-based starts (n,).
        end: half-open ends (n,).

    Returns:
        Block numbers 0 to B - 1 (n,) int64.
    """
    block_bp = max(BLOCK_BP, 4 * int((end - start).max(initial=0)))
    contig = np.unique(chrom, return_inverse=True)[1].astype(np.int64)
    number_on_contig = start.astype(np.int64) // block_bp
    return np.unique(contig * (number_on_contig.max(initial=0) + 1) + number_on_contig, return_inverse=True)[1]


def sum_blocks(counts: Sequence[np.ndarray], intervals: Sequence[tuple[str, int, int]]) -> np.ndarray:
    """Counts of the blocks of n segments to the counts of all blocks; segments that overlap become one block.

    Args:
        counts: for each segment the counts of its blocks (B_i, ...).
        intervals: contig, start and end of each segment. A contig named CHROM:START-END lies there on CHROM, as the
            sequences of BEND's genes do, which overlap.

    Returns:
        Counts of all blocks (B, ...).
    """
    contigs, starts, ends = zip(*(on_genome(*interval) for interval in intervals), strict=True)
    group = cluster(end_to_end(np.stack([starts, ends], axis=1), contigs))
    overlaps = np.bincount(group)[group] > 1
    sums: dict[tuple[int, int], np.ndarray] = {}
    for own_group, is_shared, blocks in zip(group.tolist(), overlaps, counts, strict=True):
        for number, count in enumerate([blocks.sum(axis=0)] if is_shared else blocks):
            key = own_group, number
            sums[key] = sums[key] + count if key in sums else count
    return np.stack(list(sums.values()))


def on_genome(chrom: str, start: int, end: int) -> tuple[str, int, int]:
    """An interval of a contig named CHROM:START-END as an interval of CHROM; any other interval as it is.

    Args:
        chrom: contig name.
        start: 0-based start on it.
        end: half-open end on it.
    """
    match = _EXTRACT.fullmatch(chrom)
    return (match[1], int(match[2]) + start, int(match[2]) + end) if match else (chrom, start, end)
