"""k-mers as numbers to the base 4 (A C G T = 0..3, the first base most significant), and their reverse complements."""

from collections.abc import Callable

import numpy as np

from dnaspt.genome.alphabet import N, tokens


def number_kmers(codes: np.ndarray, k: int) -> np.ndarray:
    """Number of the k-mer that begins at each position: codes (L,) -> (L - k + 1,) uint32 up to k = 16, else uint64.

    The number of a k-mer with an N has no meaning: see `known_kmers`. k is at most 32.
    """
    bases = (codes & 3).astype(np.uint32 if k <= 16 else np.uint64)
    return _over_windows(bases, k, lambda left, right, n: (left << left.dtype.type(2 * n)) | right)


def known_kmers(codes: np.ndarray, k: int) -> np.ndarray:
    """Whether all bases of the k-mer that begins at each position are A, C, G or T: codes (L,) -> (L - k + 1,) bool."""
    return _over_windows(tokens(codes) < N, k, lambda left, right, _: left & right)


def reverse_complement_kmers(kmers: np.ndarray, k: int) -> np.ndarray:
    """Numbers of the reverse complements of k-mers: (n,) -> (n,), of the same integer type."""
    n_bits = 8 * kmers.dtype.itemsize
    turned = kmers.view(f"u{kmers.dtype.itemsize}").byteswap()  # reverse bytes, then bases in each byte
    for n, low in ((4, 0x0F0F0F0F0F0F0F0F), (2, 0x3333333333333333)):
        shift, mask = turned.dtype.type(n), turned.dtype.type(low & ((1 << n_bits) - 1))
        high = turned & ~mask
        turned &= mask  # in place: the arrays are large, and memory is what these few operations wait for
        turned <<= shift
        high >>= shift
        turned |= high
    np.invert(turned, out=turned)
    turned >>= turned.dtype.type(n_bits - 2 * k)
    return np.asarray(turned.view(kmers.dtype))


def canonical_kmers(kmers: np.ndarray, k: int) -> np.ndarray:
    """The smaller of each k-mer and its reverse complement, so that both strands have one number: (n,) -> (n,)."""
    return np.asarray(np.minimum(kmers, reverse_complement_kmers(kmers, k)))


def _over_windows(values: np.ndarray, k: int, join: Callable[[np.ndarray, np.ndarray, int], np.ndarray]) -> np.ndarray:
    """Value of each window of k positions (L,) -> (L - k + 1,), in about log2(k) steps: from blocks of 1, 2, 4, ... positions.

    join: the function that gives the values of two neighboring blocks together, from their values and the width of the right one.
    """
    whole, width = values[:0], 0
    block, block_width = values, 1
    while True:
        if k & block_width:
            n = max(0, len(values) - width - block_width + 1)
            whole = join(whole[:n], block[width : width + n], block_width) if width else block
            width += block_width
        if width == k:
            return whole
        block = join(block[:-block_width], block[block_width:], block_width)
        block_width *= 2
