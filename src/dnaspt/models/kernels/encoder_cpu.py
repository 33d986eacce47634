"""The encoder's layers on the CPU, with exact gradients: x (B, L, D) and the layers' parameters to y (B, L, D).

A layer is x + LN(GELU(conv(x))), then x + LN(GELU(linear(x))). The file goes from the whole to its parts: all layers as one
function that PyTorch can differentiate; the sequences of a batch packed into rows; one layer forward and backward as Numba
kernels; what a layer does to single rows.

Products are of float32 (`conv_cpu`), or under bfloat16 autocast of bfloat16 where the processor has AMX (`conv_amx`); all else
is float32. Activations are float32 rows (n, D): the sequences of a batch one after another, with rows of zeros between them for
what a convolution reads or writes beyond their ends. Rows are computed in tiles that are spread over threads. A position's value
depends neither on the batch around it nor on the number of threads; gradients of parameters are summed per thread.

PyTorch has all of these layers; a training step of `small` with these kernels is several times as fast (docs/performance.md).
"""

import os
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from numba import njit
from torch import Tensor
from torch.autograd.function import once_differentiable

from dnaspt.models.kernels import conv_amx, conv_cpu
from dnaspt.models.kernels.conv_cpu import (
    BYTES,
    LOW,
    WIDTH,
    add_convolution,
    add_outer_product,
    add_product,
    add_weight_gradient,
    block_rows,
    gradient_shape,
    taps_within,
    unpack_gradient,
    work_floats,
)
from dnaspt.models.kernels.numba_cache import kernel
from dnaspt.models.kernels.threads import inherit_flush_to_zero, thread_pool

PARAMETERS = 8
"""Per layer: weight (D, D, K) and bias (D,), and weight and bias (D,) of the norm; the same for the linear part, where K = 1."""
EPSILON = 1e-5
"""Added to the variance, as in PyTorch's LayerNorm."""
_TILE_ROWS = 384
"""Rows of a tile at least."""
_SHORT, _FEW = 128, 8
"""Positions below which a sequence is short, and sequences below which they are few."""


def fits(x: Tensor) -> bool:
    """Whether the kernels can compute on x (B, L, D), and are the faster ones: float32 on the CPU, D a multiple of 16.

    Under autocast: to bfloat16, on a processor with AMX, D a multiple of 32. PyTorch's layers are faster on many short sequences.
    """
    if x.device.type != "cpu" or x.dtype != torch.float32 or (len(x) >= _FEW and x.shape[1] < _SHORT):
        return False
    return x.shape[-1] % WIDTH == 0 if not torch.is_autocast_enabled("cpu") else _halves(x.shape[-1])


def _halves(depth: int) -> bool:
    """Whether products are of bfloat16, on AMX: where autocast asks for it."""
    asked = torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") == torch.bfloat16
    return asked and depth % conv_amx.SIDE == 0 and conv_amx.is_here()


def run_layers(x: Tensor, lengths: Tensor, dilations: tuple[int, ...], parameters: list[Tensor]) -> Tensor:
    """Apply layers to x (B, L, D): -> (B, L, D), zero from each sequence's length on.

    Args:
        x: (B, L, D) float32; what lies beyond a sequence's length is not read.
        lengths: (B,) positions of each sequence.
        dilations: dilation of each layer.
        parameters: `PARAMETERS` tensors for each layer, in their order.
    """
    learns = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in (x, *parameters))
    settings = _Settings(tuple(lengths.tolist()), dilations, learns, _halves(x.shape[2]))
    parameters = list(parameters)
    for i, dilation in enumerate(dilations):  # what no position of the longest sequence can read is left out
        weight = parameters[PARAMETERS * i]
        n_taps = weight.shape[2]
        kept = taps_within(n_taps, dilation, settings.longest, half=settings.half)
        parameters[PARAMETERS * i] = weight.narrow(2, (n_taps - kept) // 2, kept)
    y: Tensor = _Layers.apply(x, settings, *parameters)  # type: ignore[no-untyped-call]
    return y


class _Settings(NamedTuple):
    """Non-tensor arguments; learns: whether a backward pass can follow; half: products of bfloat16."""

    lengths: tuple[int, ...]
    dilations: tuple[int, ...]
    learns: bool
    half: bool

    @property
    def longest(self) -> int:
        """Positions of the longest sequence, 1 at least."""
        return max(1, *self.lengths)


class Weights(NamedTuple):
    """Parameters of a convolution or linear layer and of the norm after it, as the kernels read them.

    Attributes:
        packed: weights, see `pack` of `conv_cpu` and of `conv_amx`.
        turned: weights from outputs to inputs, taps in reverse, packed alike: for the backward pass.
        vectors: bias, weight and bias of the norm: (3, D).
    """

    packed: np.ndarray
    turned: np.ndarray
    vectors: np.ndarray


class Activations(NamedTuple):
    """What a layer computes from its input: rows (R, D) float32 each. All but y are kept for the backward pass.

    Attributes:
        convolved: the convolution.
        middle: the input, plus LN(GELU(convolved)).
        linear: the linear part of middle.
        y: the output: middle, plus LN(GELU(linear)).
    """

    convolved: np.ndarray
    middle: np.ndarray
    linear: np.ndarray
    y: np.ndarray


_KEPT = len(Activations._fields)
"""Arrays per layer that the backward pass reads: its input, and all activations but its output."""


class Shape(NamedTuple):
    """How a layer is computed.

    Attributes:
        n_taps: taps of the convolution.
        dilation: rows from one tap to the next.
        block: rows that are computed at once.
        half: whether products are of bfloat16.
        n_words: scratch.
    """

    n_taps: int
    dilation: int
    block: int
    half: bool
    n_words: int


class _Layer(NamedTuple):
    """A layer as the kernels take it."""

    conv: Weights
    linear: Weights
    shape: Shape


class _Layers(torch.autograd.Function):
    """All layers as one function of x and the parameters."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, settings: _Settings, *parameters: Tensor) -> Tensor:
        learns = settings.learns
        layers = [
            _layer(parameters[PARAMETERS * i : PARAMETERS * (i + 1)], dilation, settings)
            for i, dilation in enumerate(settings.dilations)
        ]
        packing = _pack_batch(settings.lengths, layers, torch.get_num_threads())
        source, spare, kept = packing.gather(x), None, []
        for layer in layers:
            out = spare or Activations(*(packing.empty(x.shape[2]) for _ in Activations._fields))
            packing.run(forward_layer, source, *layer, out)
            if learns:
                kept += [source, *out[:-1]]
            else:
                spare = out._replace(y=source)
            source = out.y
        ctx.layers, ctx.packing = layers, packing
        ctx.save_for_backward(*map(torch.from_numpy, kept))
        return packing.scatter(source, x.shape[1])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, given: Tensor) -> tuple[Tensor | None, ...]:
        packing: _Packing = ctx.packing
        gradient, inner = packing.gather(given), packing.empty(given.shape[2])
        # Sums first, tensors after the loop: PyTorch's threads go on spinning for milliseconds after what they have done.
        sums = []
        kept = [tensor.numpy() for tensor in ctx.saved_tensors]
        for i, layer in reversed(list(enumerate(ctx.layers))):
            source, convolved, middle, linear = kept[_KEPT * i : _KEPT * (i + 1)]
            out = Activations(convolved, middle, linear, y=gradient)
            sums.append(_backward(packing, layer, source, out, gradient, inner))
        x = packing.scatter(gradient, given.shape[1]) if ctx.needs_input_grad[0] else None
        return (x, None, *(tensor for layer_sums in reversed(sums) for tensor in layer_sums.tensors()))


def _layer(parameters: tuple[Tensor, ...], dilation: int, settings: _Settings) -> _Layer:
    """A layer from its `PARAMETERS`."""
    depth, _, n_taps = parameters[0].shape
    learns, half = settings.learns, settings.half
    middle = PARAMETERS // 2
    conv, linear = (_weights(own, learns=learns, half=half) for own in (parameters[:middle], parameters[middle:]))
    if half:
        return _Layer(
            conv, linear, Shape(n_taps, dilation, conv_amx.BLOCK, half, conv_amx.work_words(n_taps, dilation, depth))
        )
    block = block_rows(n_taps, dilation, settings.longest)
    return _Layer(conv, linear, Shape(n_taps, dilation, block, half, work_floats(block, depth)))


def _weights(parameters: tuple[Tensor, ...], *, learns: bool, half: bool) -> Weights:
    """Weights packed for the forward pass and, where they learn, for the backward pass."""
    weight, *vectors = (parameter.detach() for parameter in parameters)
    pack = conv_amx.pack if half else conv_cpu.pack
    packed = pack(weight)
    turned = pack(weight.flip(2).transpose(0, 1)) if learns else packed
    return Weights(packed, turned, torch.stack(vectors).numpy())


class _Sums(NamedTuple):
    """Gradients of a layer's parameters, as the kernels sum them."""

    conv_weight: np.ndarray
    linear_weight: np.ndarray
    vectors: np.ndarray

    def tensors(self) -> list[Tensor]:
        """Gradients of the `PARAMETERS`, in their order."""
        conv, linear = torch.from_numpy(self.vectors)
        conv_weight = unpack_gradient(torch.from_numpy(self.conv_weight))
        return [conv_weight, *conv, torch.from_numpy(self.linear_weight).unsqueeze(2), *linear]


class _Packing(NamedTuple):
    """The sequences of a batch as rows, and the tiles of rows that each thread computes.

    Attributes:
        lengths: (B,) positions of each sequence.
        starts: (B,) row of its first position.
        n_rows: rows in all, zeros between sequences included.
        tiles_of_threads: for each thread its tiles (n, 2): first row and end of each. A tile is a whole number of blocks from
            the start of its sequence, unless it ends there.
    """

    lengths: tuple[int, ...]
    starts: tuple[int, ...]
    n_rows: int
    tiles_of_threads: tuple[np.ndarray, ...]

    def empty(self, depth: int) -> np.ndarray:
        """Memory for activations (rows, D), zero outside the sequences."""
        rows = np.empty((self.n_rows, depth), np.float32)
        end = 0
        for start, length in zip(self.starts, self.lengths, strict=True):
            rows[end:start] = 0
            end = start + length
        rows[end:] = 0
        return rows

    def gather(self, x: Tensor) -> np.ndarray:
        """Rows of x (B, L, D)."""
        rows = self.empty(x.shape[2])
        for sequence, start, length in zip(x.detach().numpy(), self.starts, self.lengths, strict=True):
            rows[start : start + length] = sequence[:length]
        return rows

    def scatter(self, rows: np.ndarray, n_positions: int) -> Tensor:
        """Back to (B, L, D), zero at padding."""
        x = torch.zeros(len(self.lengths), n_positions, rows.shape[1], dtype=torch.float32, device="cpu")
        for sequence, start, length in zip(x.numpy(), self.starts, self.lengths, strict=True):
            sequence[:length] = rows[start : start + length]
        return x

    def run(self, function: Callable[..., None], *arrays: Any, own: tuple[np.ndarray, ...] = ()) -> None:
        """Run a kernel on all tiles; of each array in `own` a thread gets the row with its number."""
        calls = [(tiles, *arrays, *(array[i] for array in own)) for i, tiles in enumerate(self.tiles_of_threads)]
        threads = thread_pool(os.getpid(), torch.get_num_threads())
        others = [threads.submit(inherit_flush_to_zero(function), *call) for call in calls[1:]]
        if calls:
            function(*calls[0])
        for other in others:
            other.result()


def _pack_batch(lengths: tuple[int, ...], layers: list[_Layer], n_threads: int) -> _Packing:
    """Rows for all sequences, and their tiles spread evenly over threads."""
    shapes = [layer.shape for layer in layers]
    reach = max(shape.n_taps // 2 * shape.dilation for shape in shapes)
    gap = reach + max(conv_amx.SIDE + 2 if shape.half else shape.block for shape in shapes)
    ends = reach + np.cumsum(np.array(lengths) + gap)
    starts = tuple((ends - np.array(lengths) - gap).tolist())
    whole = np.lcm.reduce([shape.block for shape in shapes])
    size = -(-_TILE_ROWS // whole) * whole
    tiles = np.array(
        [
            (first, min(first + size, start + length))
            for start, length in zip(starts, lengths, strict=True)
            for first in range(start, start + length, size)
        ],
        dtype=np.int64,
    ).reshape(-1, 2)
    done = np.cumsum(tiles[:, 1] - tiles[:, 0])
    owners = np.minimum((done - 1) * n_threads // max(1, done[-1] if len(done) else 1), n_threads - 1)
    tiles_of_threads = tuple(tiles[owners == owner] for owner in range(n_threads) if (owners == owner).any())
    return _Packing(lengths, starts, int(ends[-1]) + reach, tiles_of_threads)


def _backward(
    packing: _Packing, layer: _Layer, source: np.ndarray, out: Activations, gradient: np.ndarray, inner: np.ndarray
) -> _Sums:
    """Turn the gradient of a layer's output into that of its input, in place; returns those of its parameters."""
    n, depth, shape = len(packing.tiles_of_threads), gradient.shape[1], layer.shape
    vectors, linear_weight = np.zeros((n, 2, 3, depth), np.float32), np.zeros((n, depth, depth), np.float32)
    sums = (shape.n_taps, 1, depth, depth) if shape.half else gradient_shape(shape.n_taps, depth)
    conv_weight = np.zeros((n, *sums), np.float32)
    packing.run(backward_norms, *layer, out, gradient, inner, own=(vectors, linear_weight))
    packing.run(backward_convolution, source, inner, layer.conv, shape, gradient, own=(conv_weight,))
    return _Sums(conv_weight.sum(0), linear_weight.sum(0), vectors.sum(0))


_MATH = {"contract", "reassoc", "nsz", "arcp"}
"""What LLVM may do to float32 arithmetic: fuse, reorder, ignore the sign of zero, multiply by a reciprocal."""


@kernel(fastmath=_MATH)
def forward_layer(
    tiles: np.ndarray, x: np.ndarray, conv: Weights, linear: Weights, shape: Shape, out: Activations
) -> None:
    """Compute a layer for the rows of tiles (n, 2), a block at a time.

    Args:
        tiles: first row and end of each (n, 2) int64.
        x: rows (R, D) float32.
        conv: weights of the convolution.
        linear: weights of the linear part.
        shape: how the layer is computed.
        out: gets the activations.
    """
    depth = x.shape[1]
    work = np.empty(shape.n_words, np.float32)
    for tile in range(len(tiles)):
        start, end = tiles[tile]
        for first in range(start, end, shape.block):
            last = min(first + shape.block, end)
            offset = BYTES * first * depth
            at, here, middle = (
                out.convolved.ctypes.data + offset,
                x.ctypes.data + offset,
                out.middle.ctypes.data + offset,
            )
            _fill(out.convolved, first, _rounded(first, last, shape), conv.vectors[0])
            if shape.half:
                n_rows = conv_amx.whole_rows(last - first)
                conv_amx.add_convolution(at, here, conv.packed, shape.dilation, n_rows, depth, work.ctypes.data)
            else:
                add_convolution(at, here, conv.packed, shape.dilation, shape.block, depth, work)
            _residual_norm(first, last, x, out.convolved, conv.vectors, out.middle)
            _fill(out.linear, first, _rounded(first, last, shape), linear.vectors[0])
            _add_linear(out.linear.ctypes.data + offset, middle, linear.packed, shape, last - first, depth, work)
            _residual_norm(first, last, out.middle, out.linear, linear.vectors, out.y)


@kernel(fastmath=_MATH)
def backward_norms(
    tiles: np.ndarray,
    conv: Weights,
    linear: Weights,
    shape: Shape,
    out: Activations,
    gradient: np.ndarray,
    inner: np.ndarray,
    sums: np.ndarray,
    linear_weights: np.ndarray,
) -> None:
    """Back through a layer to its convolution: the gradient of y becomes that of `middle`.

    Args:
        tiles: first row and end of each (n, 2) int64.
        conv: weights of the convolution.
        linear: weights of the linear part.
        shape: how the layer is computed.
        out: the activations; y is not read.
        gradient: gradient of y (R, D) float32; becomes that of `middle`.
        inner: gets the gradient of `convolved` (R, D) float32.
        sums: gradients of both `vectors` (2, 3, D) float32, added to.
        linear_weights: gradient of the linear weights (D, D) float32, added to.
    """
    depth = gradient.shape[1]
    work = np.empty(shape.n_words, np.float32)
    scratch = np.zeros((shape.block, depth), np.float32)
    own = np.zeros(sums.shape, np.float32)  # of this thread alone: rows of `sums` may share a cache line
    for tile in range(len(tiles)):
        start, end = tiles[tile]
        for first in range(start, end, shape.block):
            last = min(first + shape.block, end)
            n_rows, offset = last - first, BYTES * first * depth
            _residual_norm_backward(first, last, out.linear, gradient, linear.vectors, scratch, -first, own[1])
            scratch[n_rows:] = 0
            given, source = scratch.ctypes.data, out.middle.ctypes.data + offset
            _add_linear(gradient.ctypes.data + offset, given, linear.turned, shape, n_rows, depth, work)
            if shape.half:
                whole = conv_amx.whole_rows(n_rows)
                at = linear_weights.ctypes.data
                conv_amx.add_weight_gradient(at, given, source, 1, 1, whole, depth, work.ctypes.data)
            else:
                add_outer_product(linear_weights.ctypes.data, given, source, n_rows, depth)
            _residual_norm_backward(first, last, out.convolved, gradient, conv.vectors, inner, 0, own[0])
    sums += own


@kernel()
def backward_convolution(
    tiles: np.ndarray,
    x: np.ndarray,
    inner: np.ndarray,
    conv: Weights,
    shape: Shape,
    gradient: np.ndarray,
    weights: np.ndarray,
) -> None:
    """The gradient of x from those of `middle` and of `convolved`, and that of the weights.

    Args:
        tiles: first row and end of each (n, 2) int64.
        x: rows (R, D) float32.
        inner: gradient of `convolved` (R, D) float32, zero outside the sequences.
        conv: weights of the convolution.
        shape: how the layer is computed.
        gradient: gradient of `middle` (R, D) float32; becomes that of x.
        weights: gradient of the weights, float32, added to: (K, 1, D, D) for bfloat16, else of the shape of `gradient_shape`.
    """
    depth, dilation = x.shape[1], shape.dilation
    work = np.empty(shape.n_words, np.float32)
    for tile in range(len(tiles)):
        start, end = tiles[tile]
        for first in range(start, end, shape.block):
            offset = BYTES * first * depth
            given, source, at = inner.ctypes.data + offset, x.ctypes.data + offset, gradient.ctypes.data + offset
            if shape.half:
                n_rows, n_taps = conv_amx.whole_rows(min(shape.block, end - first)), shape.n_taps
                scratch, sums = work.ctypes.data, weights.ctypes.data
                conv_amx.add_convolution(at, given, conv.turned, dilation, n_rows, depth, scratch)
                conv_amx.add_weight_gradient(sums, given, source, n_taps, dilation, n_rows, depth, scratch)
            else:
                add_convolution(at, given, conv.turned, dilation, shape.block, depth, work)
                add_weight_gradient(weights, given, source, dilation, shape.block, work)


@njit(inline="always")
def _rounded(first: int, last: int, shape: Shape) -> int:
    """Row before which the products for rows from first to last are written."""
    return first + conv_amx.whole_rows(last - first) if shape.half else first + shape.block


@njit(inline="always")
def _add_linear(
    out: int, left: int, right: np.ndarray, shape: Shape, n_rows: int, depth: int, work: np.ndarray
) -> None:
    """Add the product of rows at address left with packed weights to rows at address out."""
    if shape.half:
        conv_amx.add_convolution(out, left, right, 1, conv_amx.whole_rows(n_rows), depth, work.ctypes.data)
    else:
        add_product(out, left, right.ctypes.data, (n_rows + LOW - 1) // LOW * LOW, depth)


@njit(inline="always")
def _fill(rows: np.ndarray, first: int, last: int, values: np.ndarray) -> None:
    """Write the same values (D,) into rows."""
    for row in range(first, last):
        for c in range(len(values)):
            rows[row, c] = values[c]


@njit(inline="always", fastmath=_MATH)
def _residual_norm(
    first: int, last: int, x: np.ndarray, before: np.ndarray, vectors: np.ndarray, y: np.ndarray
) -> None:
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


@njit(inline="always", fastmath=_MATH)
def _residual_norm_backward(
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


# GELU is written out, since LLVM makes vectors of this form and none of math.exp and math.erf. The constants are of single
# precision: Numba would carry Python floats in double precision.
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
