"""The two instructions that Numba lacks: a tile of a float32 matrix product kept in vector registers, and bits as a float.

The tile is the inner kernel of the BLIS design (Van Zee and van de Geijn 2015): a few rows by 16 columns of the product stay in
registers while rows of one factor are broadcast. LLVM makes AVX2, AVX-512 or NEON of the same 16-wide vectors.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

WIDTH = 16
"""Columns of a tile."""
TALL, LOW = 6, 4
"""Rows of the two tiles: 6 fill the 16 registers of AVX2 best, 4 divide every hidden size."""

_FLOAT, _INDEX, _INT = ir.FloatType(), ir.IntType(64), ir.IntType(32)
_VECTOR = ir.VectorType(_FLOAT, WIDTH)
_insert_function: Callable[..., Any] = cgutils.get_or_insert_function


def _multiply_rows(n_rows: int) -> Callable[..., None]:
    """Make the kernel for tiles of n_rows rows."""

    @intrinsic
    def multiply(
        typingctx: Any,
        out: Any,
        out_step: Any,
        left: Any,
        left_row: Any,
        left_step: Any,
        right: Any,
        right_step: Any,
        n: Any,
    ) -> Any:
        """out[r, c] += sum over i < n of left[r * left_row + i * left_step] * right[i * right_step + c].

        Addresses of float32 as integers; steps in floats; n >= 1.
        """
        signature = types.void(*[types.intp] * 8)

        def generate(context: Any, builder: Any, _: Any, arguments: Any) -> Any:
            out_at, out_step, left_at, left_row, left_step, right_at, right_step, n = arguments
            pointer, wide = _FLOAT.as_pointer(), _VECTOR.as_pointer()
            kind = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
            fma = _insert_function(builder.module, kind, f"llvm.fma.v{WIDTH}f32")
            out_at, left_at, right_at = (builder.inttoptr(at, pointer) for at in (out_at, left_at, right_at))
            rows = [builder.gep(out_at, [builder.mul(out_step, _INDEX(row))]) for row in range(n_rows)]
            starts = [builder.load(builder.bitcast(row, wide), align=4) for row in rows]
            offsets = [builder.mul(left_row, _INDEX(row)) for row in range(n_rows)]
            before = builder.block
            loop, done = builder.append_basic_block("loop"), builder.append_basic_block("done")
            builder.branch(loop)
            builder.position_at_end(loop)
            carried = [builder.phi(kind) for kind in (_INDEX, pointer, pointer, *[_VECTOR] * n_rows)]
            for phi, start in zip(carried, [_INDEX(0), left_at, right_at, *starts], strict=True):
                phi.add_incoming(start, before)
            i, left_at, right_at, *sums = carried
            right_row = builder.load(builder.bitcast(right_at, wide), align=4)
            for row, offset in enumerate(offsets):
                factor = builder.load(builder.gep(left_at, [offset]), align=4)
                sums[row] = builder.call(fma, [_broadcast(builder, factor), right_row, sums[row]])
            following = [
                builder.add(i, _INDEX(1)),
                builder.gep(left_at, [left_step]),
                builder.gep(right_at, [right_step]),
                *sums,
            ]
            for phi, value in zip(carried, following, strict=True):
                phi.add_incoming(value, loop)
            builder.cbranch(builder.icmp_signed("<", following[0], n), loop, done)
            builder.position_at_end(done)
            for row, value in zip(rows, sums, strict=True):
                builder.store(value, builder.bitcast(row, wide), align=4)
            return context.get_dummy_value()

        return signature, generate

    return multiply


def _broadcast(builder: Any, value: Any) -> Any:
    nothing = ir.Constant(_VECTOR, ir.Undefined)
    first = builder.insert_element(nothing, value, _INT(0))
    return builder.shuffle_vector(first, nothing, ir.Constant(ir.VectorType(_INT, WIDTH), [0] * WIDTH))


multiply_tall = _multiply_rows(TALL)
multiply_low = _multiply_rows(LOW)


@intrinsic
def _bitcast(typingctx: Any, bits: Any) -> Any:
    """The float32 with the bits of an int32."""

    def generate(context: Any, builder: Any, _: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], _FLOAT)

    return types.float32(types.int32), generate


float_of_bits: Callable[..., Any] = _bitcast
