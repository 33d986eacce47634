"""Dilated convolutions of rows (n, D) of float32 on the CPU and the gradient of their weights: Numba kernels on addresses.

Three taps make four outputs that lie a dilation apart, a quad, from six products instead of twelve: Winograd's minimal filtering
F(4, 3), in the form of Lavin and Gray 2016 in one dimension. A kernel of nine taps is three such filters, whose products are
summed before they are turned back, so it takes half of the multiplications. Other kernel sizes, and the single tap of a linear
layer, are summed tap by tap. Rows outside a sequence must hold zeros, as far as the kernel reaches and up to a block beyond its
end. Work is done a block at a time: four rows for each quad.

The matrix products run on micro-tiles, the inner kernel of the BLIS design (Van Zee and van de Geijn 2015): a few rows by 16
columns of the product stay in registers while one factor is broadcast. They are written as LLVM vectors through llvmlite, which
Numba has no words for; LLVM makes AVX2, AVX-512 or NEON of them. Addresses are integers, steps count floats.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic
from torch import Tensor

from dnaspt.models.kernels.numba_cache import kernel

BYTES = 4
"""Bytes of a float32: addresses count bytes."""
WIDTH = 16
"""Columns of a micro-tile; the hidden size must be a multiple."""
TALL, LOW = 6, 4
"""Rows of the two micro-tiles: 6 fill the 16 registers of AVX2 best, 4 divide every hidden size."""
_QUADS = 24
"""Least quads of a block: their products stay in the second-level cache until they are used."""
_TAPS, _OUTPUTS, _POINTS = 3, 4, 6
# With the points 0, 1, -1, 2, -2 and infinity: y = BACK ((FILTER w) * (INPUT x)).
_INPUT = (
    (4, 0, -5, 0, 1, 0),
    (0, -4, -4, 1, 1, 0),
    (0, 4, -4, -1, 1, 0),
    (0, -2, -1, 2, 1, 0),
    (0, 2, -1, -2, 1, 0),
    (0, 4, 0, -5, 0, 1),
)
_FILTER = (
    (1 / 4, 0, 0),
    (-1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6),
    (1 / 24, -1 / 12, 1 / 6),
    (0, 0, 1),
)
_BACK = ((1, 1, 1, 1, 1, 0), (0, 1, -1, 2, -2, 0), (0, 1, 1, 4, 4, 0), (0, 1, -1, 8, -8, 1))
_FLOAT, _INDEX, _INT = ir.FloatType(), ir.IntType(64), ir.IntType(32)
_insert_function: Callable[..., Any] = cgutils.get_or_insert_function


def block_rows(n_taps: int, dilation: int, longest: int) -> int:
    """Rows that are computed at once: an even number of quads, and for the minimal filters a multiple of the dilation.

    Args:
        n_taps: taps of the convolution.
        dilation: rows from one tap to the next.
        longest: positions of the longest sequence; more rows than it has are computed in vain.
    """
    step = dilation if dilation % 2 == 0 else 2 * dilation
    quads = min(_QUADS, max(LOW, 2 * -(-longest // (2 * _OUTPUTS))))
    return _OUTPUTS * (quads if n_taps % _TAPS else -(-quads // step) * step)


def taps_within(n_taps: int, dilation: int, longest: int, *, half: bool) -> int:
    """Taps around the center that can read another position of a sequence of at most `longest`; all others read zeros.

    To leave them out changes no bit of a sum tap by tap. Minimal filters mix what they read, so that all of them are kept.

    Args:
        n_taps: taps of the convolution.
        dilation: positions from one tap to the next.
        longest: positions of the longest sequence.
        half: whether products are of bfloat16, which `conv_amx` sums tap by tap.
    """
    if not half and n_taps % _TAPS == 0:
        return n_taps
    return min(n_taps, 2 * ((longest - 1) // dilation) + 1) if n_taps % 2 else n_taps


def work_floats(n_rows: int, depth: int) -> int:
    """Floats of scratch that the functions below need for a block of n_rows rows."""
    return 2 * _POINTS * n_rows // _OUTPUTS * depth


def pack(weight: Tensor) -> np.ndarray:
    """Weights (out, in, K) as the kernels take them: filters, points (1 or 6), out / 16, in, 16.

    Returns:
        (filters, points, out / 16, in, 16) float32.
    """
    n_out, n_in, n_taps = weight.shape
    taps = weight.permute(2, 0, 1).reshape(n_taps, -1, WIDTH, n_in).transpose(2, 3)
    if n_taps % _TAPS:
        return taps.unsqueeze(1).contiguous().numpy()
    filters = _filter() @ taps.reshape(-1, _TAPS, n_out * n_in)
    return filters.view(-1, _POINTS, n_out // WIDTH, n_in, WIDTH).numpy()


def unpack_gradient(gradient: Tensor) -> Tensor:
    """The gradient of filters (filters, points, out, in) to that of the weights (out, in, K)."""
    _, n_points, n_out, n_in = gradient.shape
    if n_points == _POINTS:
        with torch.autocast("cpu", enabled=False):
            gradient = _filter().T @ gradient.flatten(2)
    return gradient.reshape(-1, n_out, n_in).permute(1, 2, 0)


def _filter() -> Tensor:
    """The filter transform (6, 3) of F(4, 3)."""
    return torch.tensor(_FILTER, dtype=torch.float32, device="cpu")


def gradient_shape(n_taps: int, depth: int) -> tuple[int, int, int, int]:
    """Shape in which `add_weight_gradient` sums: filters, points, out, in."""
    return (n_taps, 1, depth, depth) if n_taps % _TAPS else (n_taps // _TAPS, _POINTS, depth, depth)


@njit(inline="always")
def add_product(out: int, left: int, right: int, n_rows: int, depth: int) -> None:
    """Add left (n_rows, D) times right (D / 16, D, 16) to out (n_rows, D); n_rows is even and at least LOW.

    Args:
        out: address of the sums, float32.
        left: address of the left factor, float32.
        right: address of the right factor, float32.
        n_rows: number of rows.
        depth: D.
    """
    for block in range(depth // WIDTH):
        panel, column, row = right + BYTES * block * depth * WIDTH, out + BYTES * block * WIDTH, 0
        while row < n_rows:
            here, there = column + BYTES * row * depth, left + BYTES * row * depth
            if (n_rows - row) % TALL == 0:
                _multiply_tall(here, depth, there, depth, 1, panel, WIDTH, depth)
                row += TALL
            else:
                _multiply_low(here, depth, there, depth, 1, panel, WIDTH, depth)
                row += LOW


@njit(inline="always")
def add_outer_product(out: int, left: int, right: int, n_rows: int, depth: int) -> None:
    """Add the transpose of left (n_rows, D) times right (n_rows, D) to out (D, D).

    Args:
        out: address of the sums, float32.
        left: address of the left factor, float32.
        right: address of the right factor, float32.
        n_rows: number of rows.
        depth: D.
    """
    for column in range(0, depth, WIDTH):
        for row in range(0, depth, LOW):
            at = out + BYTES * (row * depth + column)
            _multiply_low(at, depth, left + BYTES * row, 1, depth, right + BYTES * column, depth, n_rows)


@njit(inline="always")
def _first_row(quad: int, dilation: int) -> int:
    """First row of a quad; its others follow at the dilation."""
    return quad // dilation * (_OUTPUTS * dilation) + quad % dilation


@njit(inline="always")
def _enter_quads(work: np.ndarray, left: int, n_quads: int, dilation: int) -> None:
    """The input transform: rows from address `left` on to the points of all quads, work (6, n_quads, D)."""
    depth = work.shape[2]
    for quad in range(n_quads):
        source, target = left + BYTES * _first_row(quad, dilation) * depth, work.ctypes.data + BYTES * quad * depth
        for column in range(0, depth, WIDTH):
            _enter(target + BYTES * column, n_quads * depth, source + BYTES * column, dilation * depth)


@kernel()
def add_convolution(
    out: int, x: int, packed: np.ndarray, dilation: int, n_rows: int, depth: int, work: np.ndarray
) -> None:
    """Add the convolution of a block of n_rows rows at address x, centered, to those at address out.

    Args:
        out: address of rows (n_rows, D) float32.
        x: address of the same rows of the input, float32.
        packed: weights, see `pack`.
        dilation: rows from one tap to the next.
        n_rows: number of rows, see `block_rows`.
        depth: D.
        work: scratch, (`work_floats`,) float32.
    """
    n_filters, n_points = packed.shape[:2]
    n_quads = n_rows // _OUTPUTS
    weights, panel = packed.ctypes.data, BYTES * depth * depth
    if n_points == 1:
        for tap in range(n_filters):
            left = x + BYTES * (tap - n_filters // 2) * dilation * depth
            add_product(out, left, weights + tap * panel, n_rows, depth)
        return
    reach = n_filters * _TAPS // 2
    entered, products = work.reshape(2, _POINTS, n_quads, depth)
    products[:] = 0
    plane = BYTES * n_quads * depth
    for number in range(n_filters):
        _enter_quads(entered, x + BYTES * (number * _TAPS - reach) * dilation * depth, n_quads, dilation)
        for point in range(_POINTS):
            right = weights + (number * _POINTS + point) * panel
            add_product(
                products.ctypes.data + point * plane, entered.ctypes.data + point * plane, right, n_quads, depth
            )
    for quad in range(n_quads):
        target, source = out + BYTES * _first_row(quad, dilation) * depth, products.ctypes.data + BYTES * quad * depth
        for column in range(0, depth, WIDTH):
            _leave(target + BYTES * column, dilation * depth, source + BYTES * column, n_quads * depth)


@kernel()
def add_weight_gradient(sums: np.ndarray, given: int, x: int, dilation: int, n_rows: int, work: np.ndarray) -> None:
    """Add the gradient of the weights from a block of n_rows rows: outputs' gradient at address given, inputs at address x.

    Args:
        sums: gets the gradient, float32 of the shape of `gradient_shape`.
        given: address of rows (n_rows, D) float32.
        x: address of the same rows of the input, float32.
        dilation: rows from one tap to the next.
        n_rows: number of rows, see `block_rows`.
        work: scratch, (`work_floats`,) float32.
    """
    n_filters, n_points, depth, _ = sums.shape
    n_quads = n_rows // _OUTPUTS
    out, panel = sums.ctypes.data, BYTES * depth * depth
    if n_points == 1:
        for tap in range(n_filters):
            right = x + BYTES * (tap - n_filters // 2) * dilation * depth
            add_outer_product(out + tap * panel, given, right, n_rows, depth)
        return
    reach = n_filters * _TAPS // 2
    entered, pulled = work.reshape(2, _POINTS, n_quads, depth)
    plane = BYTES * n_quads * depth
    for quad in range(n_quads):
        source, target = given + BYTES * _first_row(quad, dilation) * depth, pulled.ctypes.data + BYTES * quad * depth
        for column in range(0, depth, WIDTH):
            _enter_gradient(target + BYTES * column, n_quads * depth, source + BYTES * column, dilation * depth)
    for number in range(n_filters):
        _enter_quads(entered, x + BYTES * (number * _TAPS - reach) * dilation * depth, n_quads, dilation)
        for point in range(_POINTS):
            at = out + (number * _POINTS + point) * panel
            left, right = pulled.ctypes.data + point * plane, entered.ctypes.data + point * plane
            add_outer_product(at, left, right, n_quads, depth)


def _multiply_rows(n_rows: int) -> Callable[..., None]:
    """Make the inner kernel for micro-tiles of n_rows rows."""

    @intrinsic
    def multiply(
        typingctx: Any,
        out: Any,
        out_row: Any,
        left: Any,
        left_row: Any,
        left_step: Any,
        right: Any,
        right_step: Any,
        n: Any,
    ) -> Any:
        """out[r * out_row + c] += sum over i < n of left[r * left_row + i * left_step] * right[i * right_step + c]; n >= 1."""

        def generate(context: Any, builder: Any, _: Any, arguments: Any) -> Any:
            out, out_row, left, left_row, left_step, right, right_step, n = arguments
            vector = ir.VectorType(_FLOAT, WIDTH)
            out, left, right = (builder.inttoptr(at, _FLOAT.as_pointer()) for at in (out, left, right))
            rows = [builder.gep(out, [builder.mul(out_row, _INDEX(row))]) for row in range(n_rows)]
            offsets = [builder.mul(left_row, _INDEX(row)) for row in range(n_rows)]
            starts = [_load(builder, row, WIDTH) for row in rows]
            before = builder.block
            loop, done = builder.append_basic_block("loop"), builder.append_basic_block("done")
            builder.branch(loop)
            builder.position_at_end(loop)
            first = [_INDEX(0), left, right, *starts]
            carried = [builder.phi(kind) for kind in (_INDEX, left.type, right.type, *[vector] * n_rows)]
            i, left, right, *sums = carried
            right_row = _load(builder, right, WIDTH)
            for row, offset in enumerate(offsets):
                factor = builder.load(builder.gep(left, [offset]), align=4)
                sums[row] = _fma(builder, _broadcast(builder, factor, WIDTH), right_row, sums[row], WIDTH)
            i = builder.add(i, _INDEX(1))
            following = [i, builder.gep(left, [left_step]), builder.gep(right, [right_step]), *sums]
            for phi, start, value in zip(carried, first, following, strict=True):
                phi.add_incoming(start, before)
                phi.add_incoming(value, loop)
            builder.cbranch(builder.icmp_signed("<", i, n), loop, done)
            builder.position_at_end(done)
            for row, value in zip(rows, sums, strict=True):
                _store(builder, row, value)
            return context.get_dummy_value()

        return types.void(*[types.intp] * 8), generate

    return multiply


def _combine_rows(matrix: Sequence[Sequence[float]], *, add: bool = False) -> Callable[..., None]:
    """Make a kernel that writes (or adds) fixed linear combinations of `WIDTH` columns of rows; zeros cost nothing."""

    @intrinsic
    def combine(typingctx: Any, out: Any, out_row: Any, rows: Any, row_step: Any) -> Any:
        """out[p * out_row + c] (+)= sum over j of matrix[p][j] * rows[j * row_step + c]."""

        def generate(context: Any, builder: Any, _: Any, arguments: Any) -> Any:
            out, out_row, rows, row_step = arguments
            out, rows = (builder.inttoptr(at, _FLOAT.as_pointer()) for at in (out, rows))
            sources = [builder.gep(rows, [builder.mul(row_step, _INDEX(j))]) for j in range(len(matrix[0]))]
            targets = [builder.gep(out, [builder.mul(out_row, _INDEX(p))]) for p in range(len(matrix))]
            half = WIDTH // 2  # so that all rows fit the registers of AVX2
            for offset in (_INDEX(0), _INDEX(half)):
                values = [_load(builder, builder.gep(source, [offset]), half) for source in sources]
                for factors, target in zip(matrix, targets, strict=True):
                    at = builder.gep(target, [offset])
                    total = _load(builder, at, half) if add else None
                    for factor, value in zip(factors, values, strict=True):
                        if factor and total is None:
                            total = builder.fmul(value, _constant(factor, half))
                        elif factor:
                            total = _fma(builder, value, _constant(factor, half), total, half)
                    _store(builder, at, total)
            return context.get_dummy_value()

        return types.void(*[types.intp] * 4), generate

    return combine


def _load(builder: Any, pointer: Any, width: int) -> Any:
    """A vector of floats from an address that need not be aligned."""
    return builder.load(builder.bitcast(pointer, ir.VectorType(_FLOAT, width).as_pointer()), align=4)


def _store(builder: Any, pointer: Any, value: Any) -> None:
    """Write a vector of floats to an address that need not be aligned."""
    builder.store(value, builder.bitcast(pointer, value.type.as_pointer()), align=4)


def _fma(builder: Any, left: Any, right: Any, total: Any, width: int) -> Any:
    """Left * right + total of vectors, rounded once."""
    kind = ir.VectorType(_FLOAT, width)
    return builder.call(
        _insert_function(builder.module, ir.FunctionType(kind, [kind] * 3), f"llvm.fma.v{width}f32"),
        [left, right, total],
    )


def _constant(value: float, width: int) -> Any:
    """A vector of one constant."""
    return ir.Constant(ir.VectorType(_FLOAT, width), [value] * width)


def _broadcast(builder: Any, value: Any, width: int) -> Any:
    """A vector of one value."""
    nothing = ir.Constant(ir.VectorType(_FLOAT, width), ir.Undefined)
    first = builder.insert_element(nothing, value, _INT(0))
    return builder.shuffle_vector(first, nothing, ir.Constant(ir.VectorType(_INT, width), [0] * width))


# Numba looks names up when it compiles, at the first call; so these, made by the functions above, can stand last.
_multiply_tall, _multiply_low = _multiply_rows(TALL), _multiply_rows(LOW)
_enter = _combine_rows(_INPUT)
_leave = _combine_rows(_BACK, add=True)
_enter_gradient = _combine_rows(tuple(zip(*_BACK, strict=True)))
