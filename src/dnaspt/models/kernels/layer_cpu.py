"""One layer of the encoder, x + LN(GELU(conv(x))) and then x + LN(GELU(linear(x))), and its exact derivatives: Numba kernels.

Activations are float32 rows (n, D): the sequences of a batch one after another, with rows of zeros between them for what a
convolution reads or writes beyond their ends. A kernel works on pieces (n, 2) of rows, first and last (half-open), each a whole
number of blocks from the start of its sequence unless it ends there. Kernels hold no GIL.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from dnaspt.models.kernels.conv_cpu import (
    SIZE,
    add_convolution,
    add_outer_product,
    add_product,
    add_weight_gradient,
)
from dnaspt.models.kernels.numba_cache import kernel
from dnaspt.models.kernels.simd import LOW


class Weights(NamedTuple):
    """A convolution or linear layer and the norm after it.

    Attributes:
        packed: weights, see `convolution_cpu.pack`.
        turned: weights from outputs to inputs, taps in reverse, packed alike.
        vectors: bias, weight and bias of the norm: (3, D).
    """

    packed: np.ndarray
    turned: np.ndarray
    vectors: np.ndarray


class Activations(NamedTuple):
    """What a layer computes from its input, and the backward pass reads: rows (n, D) each, y the output."""

    convolved: np.ndarray
    middle: np.ndarray
    linear: np.ndarray
    y: np.ndarray


EPSILON = 1e-5
"""Added to the variance, as in PyTorch's LayerNorm."""
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
    bits = (np.int32(n) + np.int32(127)) << np.int32(23)
    result: np.float32 = series * np.int32(bits).view(np.float32)
    return result


@njit(inline="always", fastmath=_MATH)
def _normal(x: np.float32) -> tuple[np.float32, np.float32]:
    """Cumulative probability of the standard normal distribution at x, and exp(-x^2 / 2)."""
    z = abs(x) * _INVERSE_ROOT_2
    bell = _exp_negative(-z * z)
    t = _ONE / (_ONE + _P * z)
    tail = _HALF * bell * t * (_A1 + t * (_A2 + t * (_A3 + t * (_A4 + t * _A5))))
    return (_ONE - tail if x > 0 else tail), bell


@njit(inline="always", fastmath=_MATH)
def _finish_rows(first: int, last: int, x: np.ndarray, before: np.ndarray, vectors: np.ndarray, y: np.ndarray) -> None:
    """Write y = x + LN(GELU(before))."""
    depth = x.shape[1]
    weight, shift = vectors[1], vectors[2]
    active = np.empty(depth, np.float32)
    inverse = np.float32(1 / depth)
    for row in range(first, last):
        source, residual, result = before[row], x[row], y[row]
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


@njit(inline="always")
def _fill(rows: np.ndarray, first: int, last: int, values: np.ndarray) -> None:
    for row in range(first, last):
        for c in range(len(values)):
            rows[row, c] = values[c]


@kernel(fastmath=_MATH)
def forward_rows(
    pieces: np.ndarray,
    x: np.ndarray,
    conv: Weights,
    linear: Weights,
    dilation: int,
    n_tiles: int,
    out: Activations,
) -> None:
    """Compute a layer for the rows of the pieces; n_tiles: see `convolution_cpu`."""
    depth = x.shape[1]
    work = np.empty((2, 6, n_tiles, depth), np.float32)
    block = 4 * n_tiles
    for piece in range(len(pieces)):
        start, end = pieces[piece]
        for first in range(start, end, block):
            last = min(first + block, end)
            offset = SIZE * first * depth
            _fill(out.convolved, first, first + block, conv.vectors[0])
            at = out.convolved.ctypes.data + offset
            add_convolution(at, x.ctypes.data + offset, conv.packed, dilation, n_tiles, work)
            _finish_rows(first, last, x, out.convolved, conv.vectors, out.middle)
            _fill(out.linear, first, first + block, linear.vectors[0])
            at, n_rows = out.linear.ctypes.data + offset, (last - first + LOW - 1) // LOW * LOW
            add_product(at, out.middle.ctypes.data + offset, linear.packed.ctypes.data, n_rows, depth)
            _finish_rows(first, last, out.middle, out.linear, linear.vectors, out.y)


@njit(inline="always", fastmath=_MATH)
def _start_rows(
    first: int,
    last: int,
    before: np.ndarray,
    gradient: np.ndarray,
    vectors: np.ndarray,
    inner: np.ndarray,
    offset: int,
    sums: np.ndarray,
) -> None:
    """From the gradient of y = x + LN(GELU(before)): that of before into `inner`, those of vectors added to sums (3, D).

    offset: row of `inner` for row 0.
    """
    depth = before.shape[1]
    weight = vectors[1]
    active, slope, pulled = np.empty(depth, np.float32), np.empty(depth, np.float32), np.empty(depth, np.float32)
    inverse = np.float32(1 / depth)
    for row in range(first, last):
        source, given, result = before[row], gradient[row], inner[row + offset]
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


@kernel(fastmath=_MATH)
def backward_rows(
    pieces: np.ndarray,
    n_tiles: int,
    conv: Weights,
    linear: Weights,
    out: Activations,
    gradient: np.ndarray,
    inner: np.ndarray,
    sums: np.ndarray,
    linear_weights: np.ndarray,
) -> None:
    """Back through a layer to its convolution: the gradient of y becomes that of `middle`, that of `convolved` goes to inner.

    sums (2, 3, D): of both `vectors`, added to. linear_weights (D, D): added to.
    """
    depth = gradient.shape[1]
    block = 4 * n_tiles
    scratch = np.zeros((block, depth), np.float32)
    own = np.zeros(sums.shape, np.float32)  # of this thread alone: rows of `sums` may share a cache line
    for piece in range(len(pieces)):
        start, end = pieces[piece]
        for first in range(start, end, block):
            last = min(first + block, end)
            offset, n_rows = SIZE * first * depth, (last - first + LOW - 1) // LOW * LOW
            _start_rows(first, last, out.linear, gradient, linear.vectors, scratch, -first, own[1])
            given = scratch.ctypes.data
            add_product(gradient.ctypes.data + offset, given, linear.turned.ctypes.data, n_rows, depth)
            source = out.middle.ctypes.data + offset
            add_outer_product(linear_weights.ctypes.data, given, source, last - first, depth)
            _start_rows(first, last, out.convolved, gradient, conv.vectors, inner, 0, own[0])
    sums += own


@kernel()
def backward_convolution(
    pieces: np.ndarray,
    x: np.ndarray,
    inner: np.ndarray,
    conv: Weights,
    dilation: int,
    n_tiles: int,
    gradient: np.ndarray,
    weights: np.ndarray,
) -> None:
    """The gradient of x from those of `middle` (in place) and of `convolved` (inner), and that of the weights, added to.

    inner is zero outside the sequences.
    """
    depth = x.shape[1]
    work = np.empty((2, 6, n_tiles, depth), np.float32)
    for piece in range(len(pieces)):
        start, end = pieces[piece]
        for first in range(start, end, 4 * n_tiles):
            offset = SIZE * first * depth
            given = inner.ctypes.data + offset
            add_convolution(gradient.ctypes.data + offset, given, conv.turned, dilation, n_tiles, work)
            add_weight_gradient(weights, given, x.ctypes.data + offset, dilation, n_tiles, work)
