"""Blocks of a genome, which are drawn together: neighboring bases and windows are not independent."""

import numpy as np

from dnaspt.tasks import NONCODING

BLOCK_BP = 10_000


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
