"""What Numba lacks, as LLVM vectors of float32: tiles of a matrix product, and fixed linear combinations of rows.

The tile is the inner kernel of the BLIS design (Van Zee and van de Geijn 2015): a few rows by 16 columns of the product stay in
registers while one factor is broadcast. LLVM makes AVX2, AVX-512 or NEON of the same vectors. Addresses are integers, steps
count floats.
"""

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

WIDTH = 16
"""Columns of a tile, and of a row that is combined at once."""
TALL, LOW = 6, 4
"""Rows of the two tiles: 6 fill the 16 registers of AVX2 best, 4 divide every hidden size."""

_FLOAT, _INDEX, _INT = ir.FloatType(), ir.IntType(64), ir.IntType(32)
_insert_function: Callable[..., Any] = cgutils.get_or_insert_function


def _multiply_rows(n_rows: int) -> Callable[..., None]:
    """Make the kernel for tiles of n_rows rows."""

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


def combine_rows(matrix: Sequence[Sequence[float]], *, add: bool = False) -> Callable[..., None]:
    """Make a kernel that writes (or adds) fixed linear combinations of `WIDTH` columns of rows; zeros cost nothing."""

    @intrinsic
    def combine(typingctx: Any, out: Any, out_row: Any, rows: Any, row_step: Any) -> Any:
        """out[p * out_row + c] (+)= sum over j of matrix[p][j] * rows[j * row_step + c]."""

        def generate(context: Any, builder: Any, _: Any, arguments: Any) -> Any:
            out, out_row, rows, row_step = arguments
            out, rows = (builder.inttoptr(at, _FLOAT.as_pointer()) for at in (out, rows))
            sources = [builder.gep(rows, [builder.mul(row_step, _INDEX(j))]) for j in range(len(matrix[0]))]
            places = [builder.gep(out, [builder.mul(out_row, _INDEX(p))]) for p in range(len(matrix))]
            half = WIDTH // 2  # so that all rows fit the registers of AVX2
            for offset in (_INDEX(0), _INDEX(half)):
                values = [_load(builder, builder.gep(source, [offset]), half) for source in sources]
                for factors, place in zip(matrix, places, strict=True):
                    at = builder.gep(place, [offset])
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
    return builder.load(builder.bitcast(pointer, ir.VectorType(_FLOAT, width).as_pointer()), align=4)


def _store(builder: Any, pointer: Any, value: Any) -> None:
    builder.store(value, builder.bitcast(pointer, value.type.as_pointer()), align=4)


def _fma(builder: Any, one: Any, other: Any, total: Any, width: int) -> Any:
    kind = ir.VectorType(_FLOAT, width)
    return builder.call(
        _insert_function(builder.module, ir.FunctionType(kind, [kind] * 3), f"llvm.fma.v{width}f32"),
        [one, other, total],
    )


def _constant(value: float, width: int) -> Any:
    return ir.Constant(ir.VectorType(_FLOAT, width), [value] * width)


def _broadcast(builder: Any, value: Any, width: int) -> Any:
    nothing = ir.Constant(ir.VectorType(_FLOAT, width), ir.Undefined)
    first = builder.insert_element(nothing, value, _INT(0))
    return builder.shuffle_vector(first, nothing, ir.Constant(ir.VectorType(_INT, width), [0] * width))


multiply_tall, multiply_low = _multiply_rows(TALL), _multiply_rows(LOW)
