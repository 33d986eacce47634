"""Windows of codes to sampled canonical k-mers: both strands give the same k-mers, k-mers with an N give none.

A k-mer is kept when its hash is small (FracMinHash; Irber et al. 2022, doi 10.1101/2022.01.11.475838), so the same
k-mer is kept or left out in every window, and the fraction of shared k-mers can be estimated from the kept ones.
"""

from collections.abc import Sequence

import numpy as np

K = 16
"""Bases of a k-mer: 2 bits each fill one uint32."""
HASHES = 1 << 32


def sampled_kmers(windows: Sequence[np.ndarray], scale: int) -> tuple[np.ndarray, np.ndarray]:
    """Distinct sampled k-mers of each window, about one in `scale`: (hashes (n,) uint32, window index (n,) uint32).

    The hash is a bijection: equal hashes are equal k-mers. Rows are ordered by window, then hash.

    Args:
        windows: codes (L,) uint8 of each window (see `genome.alphabet`).
        scale: keep hashes below 2**32 / scale.
    """
    apart = np.array([4], dtype=np.uint8)  # an N between windows, so that no k-mer spans two of them
    codes = np.concatenate([part for window in windows for part in (window, apart)]) & 7
    if len(codes) < K:
        return np.zeros(0, np.uint32), np.zeros(0, np.uint32)
    hashes = _mix(_canonical(codes))
    kept = np.flatnonzero((hashes < HASHES // scale) & ~_spans_unknown(codes))
    ends = np.cumsum([len(window) + 1 for window in windows])
    window = np.searchsorted(ends, kept, side="right").astype(np.uint64)
    rows = np.sort((window << np.uint64(32)) | hashes[kept])
    distinct = rows[np.append(True, rows[1:] != rows[:-1])[: len(rows)]]  # np.unique takes ten times as long
    return (distinct & np.uint64(HASHES - 1)).astype(np.uint32), (distinct >> np.uint64(32)).astype(np.uint32)


def _canonical(codes: np.ndarray) -> np.ndarray:
    """The smaller of each k-mer and its reverse complement: (L,) -> (L - K + 1,) uint32, by doubling the width."""
    forward = (codes & 3).astype(np.uint32)
    reverse = 3 - forward
    width = 1
    while width < K:
        shift = np.uint32(2 * width)
        forward = (forward[:-width] << shift) | forward[width:]
        reverse = reverse[:-width] | (reverse[width:] << shift)
        width *= 2
    return np.minimum(forward, reverse)


def _spans_unknown(codes: np.ndarray) -> np.ndarray:
    """Whether a k-mer holds a base that is none of A C G T: (L,) -> (L - K + 1,) bool."""
    unknown: np.ndarray = codes > 3
    width = 1
    while width < K:
        unknown = unknown[:-width] | unknown[width:]
        width *= 2
    return unknown


def _mix(kmers: np.ndarray) -> np.ndarray:
    """Scatter k-mers over all 32-bit values, one to one (the finalizer of MurmurHash3, A. Appleby)."""
    mixed: np.ndarray = kmers ^ (kmers >> np.uint32(16))
    for factor, shift in ((0x85EBCA6B, 13), (0xC2B2AE35, 16)):
        mixed *= np.uint32(factor)
        mixed ^= mixed >> np.uint32(shift)
    return mixed
