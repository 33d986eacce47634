"""One residual block, x + LN(GELU(conv(x))), and its exact derivatives on rows of float32 arrays: Numba kernels, no GIL.

Arrays of activations are (B, T, D): each sequence has `margin` rows of zeros before and after it, so that a convolution reads
beyond its ends without asking. A kernel works on pieces (n, 3) of sequence, first and last row (half-open, the first row of a
sequence is 0); a piece that is not a whole number of `TALL` rows ends its sequence, since a tile may write rows beyond it.
Weights are packed as (D / 16, K, D, 16), see `pack`. A linear layer is a convolution of one tap.
"""

import numpy as np
from numba import njit

from dnaspt.models.tile import LOW, TALL, WIDTH, float_of_bits, multiply_low, multiply_tall

EPSILON = 1e-5
"""Added to the variance, as in PyTorch's LayerNorm."""
BLOCK = 16 * TALL
"""Rows whose products stay in the cache until they are used."""
_SIZE = 4
_MATH = {"contract", "reassoc", "nsz", "arcp"}
# Single-precision constants: Numba would carry Python floats in double precision.
_ONE, _HALF = np.float32(1), np.float32(0.5)
_LOG2_E, _LN2_HIGH, _LN2_LOW = np.float32(1.44269504), np.float32(0.693359375), np.float32(-2.12194440e-4)
_LOWEST = np.float32(-87)
_INVERSE_ROOT_2, _INVERSE_ROOT_2_PI = np.float32(0.70710678), np.float32(0.39894228)
_E2, _E3, _E4, _E5, _E6 = (np.float32(1 / n) for n in (2, 6, 24, 120, 720))
# Abramowitz and Stegun 7.1.26: erfc(z) = t (a1 + t (a2 + ...)) exp(-z^2), t = 1 / (1 + p z), within 1.5e-7.
_P = np.float32(0.3275911)
_A1, _A2, _A3 = np.float32(0.254829592), np.float32(-0.284496736), np.float32(1.421413741)
_A4, _A5 = np.float32(-1.453152027), np.float32(1.061405429)


@njit(inline="always", fastmath=_MATH)
def _exp_negative(x: np.float32) -> np.float32:
    """exp(x) for x <= 0, within 2e-7 of it; below -87 as at -87."""
    x = max(x, _LOWEST)
    n = np.floor(x * _LOG2_E + _HALF)
    r = x - n * _LN2_HIGH - n * _LN2_LOW
    series: np.float32 = _ONE + r * (_ONE + r * (_E2 + r * (_E3 + r * (_E4 + r * (_E5 + r * _E6)))))
    power = float_of_bits((np.int32(n) + np.int32(127)) << np.int32(23))
    result: np.float32 = series * power
    return result


@njit(inline="always", fastmath=_MATH)
def _normal(x: np.float32) -> tuple[np.float32, np.float32]:
    """Cumulative probability of the standard normal distribution at x, and exp(-x^2 / 2)."""
    z = abs(x) * _INVERSE_ROOT_2
    bell = _exp_negative(-z * z)
    t = _ONE / (_ONE + _P * z)
    tail = _HALF * bell * t * (_A1 + t * (_A2 + t * (_A3 + t * (_A4 + t * _A5))))
    return (_ONE - tail if x > 0 else tail), bell


@njit(inline="always")
def _address(array: np.ndarray, sequence: int, row: int) -> int:
    at: int = array.ctypes.data + _SIZE * array.shape[2] * (sequence * array.shape[1] + row)
    return at


@njit(inline="always")
def _add_products(out: int, left: int, packed: np.ndarray, n_rows: int, step: int) -> None:
    """Add to out (n_rows, D) the sum over taps k of left (n_rows, D), shifted by k * step rows, times tap k of the weights."""
    n_blocks, n_taps, depth, _ = packed.shape
    base = packed.ctypes.data
    for block in range(n_blocks):
        for tap in range(n_taps):
            right = base + _SIZE * (block * n_taps + tap) * depth * WIDTH
            for row in range(0, n_rows, TALL):
                multiply_tall(
                    out + _SIZE * (row * depth + block * WIDTH),
                    depth,
                    left + _SIZE * (row + tap * step) * depth,
                    depth,
                    1,
                    right,
                    WIDTH,
                    depth,
                )


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_MATH)
def forward_rows(
    pieces: np.ndarray,
    x: np.ndarray,
    packed: np.ndarray,
    vectors: np.ndarray,
    dilation: int,
    margin: int,
    before: np.ndarray,
    y: np.ndarray,
) -> None:
    """Write y = x + LN(GELU(a)) and a = conv(x), named before.

    vectors: bias of the convolution, weight and bias of the norm: (3, D).
    """
    depth = x.shape[2]
    bias, weight, shift = vectors[0], vectors[1], vectors[2]
    reach = packed.shape[1] // 2 * dilation
    active = np.empty(depth, np.float32)
    inverse = np.float32(1 / depth)
    for piece in range(len(pieces)):
        b, start, end = pieces[piece]
        for first in range(start, end, BLOCK):
            last = min(first + BLOCK, end)
            n_rows = (last - first + TALL - 1) // TALL * TALL
            for row in range(margin + first, margin + first + n_rows):
                for c in range(depth):
                    before[b, row, c] = bias[c]
            left = _address(x, b, margin + first - reach)
            _add_products(_address(before, b, margin + first), left, packed, n_rows, dilation)
            for row in range(margin + first, margin + last):
                source, residual, result = before[b, row], x[b, row], y[b, row]
                total, squares = np.float32(0), np.float32(0)
                for c in range(depth):
                    value = source[c] * _normal(source[c])[0]
                    active[c] = value
                    total += value
                mean = total * inverse
                for c in range(depth):
                    squares += (active[c] - mean) * (active[c] - mean)
                scale = np.float32(_ONE / np.sqrt(squares * inverse + np.float32(EPSILON)))
                for c in range(depth):
                    result[c] = residual[c] + (active[c] - mean) * scale * weight[c] + shift[c]


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_MATH)
def backward_rows(
    pieces: np.ndarray,
    before: np.ndarray,
    gradient: np.ndarray,
    vectors: np.ndarray,
    margin: int,
    inner: np.ndarray,
    sums: np.ndarray,
) -> None:
    """From the gradient of y: that of a into `inner`, and those of `vectors`, added to sums (3, D)."""
    depth = before.shape[2]
    weight = vectors[1]
    active, slope, pulled = np.empty(depth, np.float32), np.empty(depth, np.float32), np.empty(depth, np.float32)
    inverse = np.float32(1 / depth)
    for piece in range(len(pieces)):
        b, start, end = pieces[piece]
        for row in range(margin + start, margin + end):
            source, given, result = before[b, row], gradient[b, row], inner[b, row]
            total, squares = np.float32(0), np.float32(0)
            for c in range(depth):
                share, bell = _normal(source[c])
                value = source[c] * share
                active[c] = value
                slope[c] = share + source[c] * bell * _INVERSE_ROOT_2_PI
                total += value
            mean = total * inverse
            for c in range(depth):
                squares += (active[c] - mean) * (active[c] - mean)
            scale = np.float32(_ONE / np.sqrt(squares * inverse + np.float32(EPSILON)))
            pull, along = np.float32(0), np.float32(0)
            for c in range(depth):
                active[c] = (active[c] - mean) * scale
                pulled[c] = given[c] * weight[c]
                pull += pulled[c]
                along += pulled[c] * active[c]
            pull, along = pull * inverse, along * inverse
            for c in range(depth):
                value = scale * (pulled[c] - pull - active[c] * along) * slope[c]
                result[c] = value
                sums[0, c] += value
                sums[1, c] += given[c] * active[c]
                sums[2, c] += given[c]


@njit(cache=True, nogil=True, error_model="numpy")
def backward_products(
    pieces: np.ndarray,
    x: np.ndarray,
    inner: np.ndarray,
    packed: np.ndarray,
    dilation: int,
    margin: int,
    gradient: np.ndarray,
    weights: np.ndarray,
) -> None:
    """From the gradient of a: the gradient of x, added to that of y in place, and that of the weights, added to (K, D, D).

    packed: the weights for the opposite direction, see `pack`; inner is zero outside the sequences.
    """
    n_taps, depth, _ = weights.shape
    reach = n_taps // 2 * dilation
    for piece in range(len(pieces)):
        b, start, end = pieces[piece]
        for first in range(start, end, BLOCK):
            last = min(first + BLOCK, end)
            n_rows = (last - first + TALL - 1) // TALL * TALL
            left = _address(inner, b, margin + first - reach)
            _add_products(_address(gradient, b, margin + first), left, packed, n_rows, dilation)
            here = _address(inner, b, margin + first)
            for tap in range(n_taps):
                there = _address(x, b, margin + first - reach + tap * dilation)
                out = weights.ctypes.data + _SIZE * tap * depth * depth
                for column in range(0, depth, WIDTH):
                    for row in range(0, depth, LOW):
                        multiply_low(
                            out + _SIZE * (row * depth + column),
                            depth,
                            here + _SIZE * row,
                            1,
                            depth,
                            there + _SIZE * column,
                            depth,
                            last - first,
                        )
