"""Dilated convolutions of rows (n, D) and the gradient of their weights, with products in bfloat16 on Intel's AMX units.

AMX (Advanced Matrix Extensions, Xeon from Sapphire Rapids on) multiplies tiles: 16 rows of 32 bfloat16 by 32 rows of 16, summed
in float32. Four such products at a time make 32 x 32 sums, which stay in tile registers over all taps. Nothing is unfolded: a tap
is the same rows further on. The functions are those of `conv_cpu`, tap by tap; rows are float32 in memory and rounded to bfloat16
(to nearest, ties to even) when a block is computed, so residuals, norms and sums stay float32, as under autocast.

The inner kernels are LLVM's AMX intrinsics with fixed tile registers: 0 to 3 sums, 4 and 5 left factors, 6 and 7 right factors.
Where the processor has no AMX they compile to nothing, and `is_here` is false.
"""

import ctypes
import platform
from collections.abc import Callable
from functools import cache
from typing import Any

import llvmlite.binding as llvm
import numpy as np
import torch
from llvmlite import ir
from numba import config, njit, types
from numba.core import cgutils
from numba.extending import intrinsic
from torch import Tensor

SIDE = 32
"""Rows and columns of the sums that are made at a time; the hidden size must be a multiple."""
BLOCK = 512
"""Rows of a block: its rounded copies stay in the second-level cache."""
_TILE, _TILE_BYTES = 16, 64
_ASK, _TILE_DATA = 0x1023, 18  # arch_prctl's ARCH_REQ_XCOMP_PERM, and the number of AMX's state
_SYSCALL = 158
_BYTE, _SHORT, _INT, _INDEX, _FLOAT = (*(ir.IntType(bits) for bits in (8, 16, 32, 64)), ir.FloatType())
_WORDS = ir.VectorType(_INT, _TILE)
_insert_function: Callable[..., Any] = cgutils.get_or_insert_function
_reserve: Callable[..., Any] = cgutils.alloca_once
_inner: Callable[[Any], Callable[..., None]] = intrinsic
"""Decorator: a function that Numba compiles by what it returns."""


@cache
def is_here() -> bool:
    """Whether this processor has AMX with bfloat16 and the system lets this process use it."""
    if not _compiles() or platform.system() != "Linux":
        return False
    return bool(ctypes.CDLL(None).syscall(_SYSCALL, _ASK, _TILE_DATA) == 0)


@cache
def _compiles() -> bool:
    """Whether Numba makes AMX instructions for this processor: not where it was told to compile for another one."""
    if getattr(config, "CPU_NAME", None) or getattr(config, "CPU_FEATURES", None):
        return False
    features = llvm.get_host_cpu_features()
    return platform.machine() == "x86_64" and all(features.get(name) for name in ("amx-bf16", "amx-tile", "avx512bw"))


def pack(weight: Tensor) -> np.ndarray:
    """Weights (out, in, K) as the kernels take them: bfloat16, pairs of inputs in one word, (K, 1, 1, in / 2, out) words."""
    n_out, n_in, n_taps = weight.shape
    pairs = weight.to(torch.bfloat16).permute(2, 1, 0).reshape(n_taps, n_in // 2, 2, n_out).transpose(2, 3)
    words: np.ndarray = pairs.contiguous().view(torch.int16).numpy().view(np.float32)
    return words.reshape(n_taps, 1, 1, n_in // 2, n_out)


def work_words(n_taps: int, dilation: int, depth: int) -> int:
    """Words of scratch that the functions below need for a block.

    Args:
        n_taps: taps of the convolution.
        dilation: rows from one tap to the next.
        depth: D.
    """
    n_rows = BLOCK + 2 * (n_taps // 2 * dilation) + 2
    return (n_rows + BLOCK) * depth


@njit(inline="always")
def whole_rows(n: int) -> int:
    """Number of rows, n and what is computed beyond them."""
    return (n + SIDE - 1) // SIDE * SIDE


@njit(inline="always")
def add_convolution(out: int, x: int, packed: np.ndarray, dilation: int, n_rows: int, depth: int, work: int) -> None:
    """Add the convolution of n_rows rows at address x, centered, to those at address out; n_rows is a multiple of `SIDE`.

    Args:
        out: address of rows (n_rows, D) float32.
        x: address of the same rows of the input, float32.
        packed: weights, see `pack`.
        dilation: rows from one tap to the next.
        n_rows: number of rows.
        depth: D.
        work: address of scratch, see `work_words`.
    """
    n_taps = len(packed)
    reach = n_taps // 2 * dilation
    _halve_rows(work, x - 4 * reach * depth, (n_rows + 2 * reach) * depth)
    _configure()
    for row in range(0, n_rows, SIDE):
        for column in range(0, depth, SIDE):
            at = out + 4 * (row * depth + column)
            _load_sums(at, 4 * depth)
            for tap in range(n_taps):
                left = work + 2 * (row + tap * dilation) * depth
                right = packed.ctypes.data + 4 * (tap * depth // 2 * depth + column)
                _multiply(left, 2 * depth, right, 4 * depth, 4 * _TILE * depth, depth // SIDE)
            _store_sums(at, 4 * depth)
    _release()


@njit(inline="always")
def add_weight_gradient(
    sums: int, given: int, x: int, n_taps: int, dilation: int, n_rows: int, depth: int, work: int
) -> None:
    """Add the gradient of the weights to sums (K, out, in): outputs' gradient at address given, inputs at address x.

    n_rows is a multiple of `SIDE`; rows of `given` beyond the sequence are zero.

    Args:
        sums: address of sums (K, out, in) float32.
        given: address of rows (n_rows, D) float32.
        x: address of the same rows of the input, float32.
        n_taps: K.
        dilation: rows from one tap to the next.
        n_rows: number of rows.
        depth: D.
        work: address of scratch, see `work_words`.
    """
    reach, n_pairs = n_taps // 2 * dilation, n_rows // 2
    n_inputs = n_pairs + reach + 1
    turned = work
    even = turned + 4 * n_pairs * depth
    odd = even + 4 * n_inputs * depth
    # Outputs' gradients in pairs of rows, as columns: (D, n_pairs) words; first as rows, where the inputs will be.
    _pair_rows(even, given, n_pairs, depth)
    _turn_words(turned, even, n_pairs, depth)
    _pair_rows(even, x - 4 * reach * depth, n_inputs, depth)
    _pair_rows(odd, x - 4 * (reach - 1) * depth, n_inputs, depth)
    _configure()
    for tap in range(n_taps):
        shift = tap * dilation
        pairs = (odd if shift % 2 else even) + 4 * (shift // 2) * depth
        for row in range(0, depth, SIDE):
            for column in range(0, depth, SIDE):
                at = sums + 4 * ((tap * depth + row) * depth + column)
                _load_sums(at, 4 * depth)
                left, right = turned + 4 * row * n_pairs, pairs + 4 * column
                _multiply(left, 4 * n_pairs, right, 4 * depth, 4 * _TILE * depth, n_rows // SIDE)
                _store_sums(at, 4 * depth)
    _release()


@njit(inline="always")
def _halve_rows(out: int, x: int, n: int) -> None:
    """Round n floats at address x to bfloat16."""
    for i in range(0, n, _TILE):
        _halve(out + 2 * i, x + 4 * i)


@njit(inline="always")
def _pair_rows(out: int, x: int, n_pairs: int, depth: int) -> None:
    """Pairs of rows, rounded to bfloat16, as rows of words: the first one's number in the low half."""
    for pair in range(n_pairs):
        for column in range(0, depth, _TILE):
            source = x + 4 * (2 * pair * depth + column)
            _pair(out + 4 * (pair * depth + column), source, source + 4 * depth)


@njit(inline="always")
def _turn_words(out: int, words: int, n_pairs: int, depth: int) -> None:
    """Transpose words (n_pairs, D); n_pairs is a multiple of 16."""
    for pair in range(0, n_pairs, _TILE):
        for column in range(0, depth, _TILE):
            _turn(out + 4 * (column * n_pairs + pair), 4 * n_pairs, words + 4 * (pair * depth + column), 4 * depth)


def _void(name: str, *kinds: Any) -> Callable[..., None]:
    """Make a call of an AMX intrinsic: kinds are those of its operands, in the builder's order."""

    def call(builder: Any, *operands: Any) -> None:
        function = ir.FunctionType(ir.VoidType(), kinds)
        builder.call(_insert_function(builder.module, function, f"llvm.x86.{name}"), operands)

    return call


_AT = _BYTE.as_pointer()
_load_configuration, _free = _void("ldtilecfg", _AT), _void("tilerelease")
_load_tile, _store_tile = (_void(name, _BYTE, _AT, _INDEX) for name in ("tileloadd64", "tilestored64"))
_add_tiles = _void("tdpbf16ps", _BYTE, _BYTE, _BYTE)


def _of_integers(n_arguments: int, build: Callable[..., None]) -> Any:
    """What an inner kernel of integers returns; `build(builder, *arguments)` writes it, but where the processor has no AMX."""

    def generate(context: Any, builder: Any, _: Any, arguments: Any) -> Any:
        if _compiles():
            build(builder, *arguments)
        return context.get_dummy_value()

    return types.void(*[types.intp] * n_arguments), generate


def _at(builder: Any, address: Any, offset: Any = 0) -> Any:
    """Pointer to bytes."""
    offset = _INDEX(offset) if isinstance(offset, int) else offset
    return builder.inttoptr(builder.add(address, offset), _AT)


@_inner
def _configure(typingctx: Any) -> Any:
    """All eight tiles have 16 rows of 64 bytes."""

    def build(builder: Any) -> None:
        setting = bytes([1, *[0] * 15, *[_TILE_BYTES, 0] * 8, *[0] * 16, *[_TILE] * 8, *[0] * 8])
        place = _reserve(builder, ir.ArrayType(_BYTE, len(setting)))
        builder.store(ir.Constant(ir.ArrayType(_BYTE, len(setting)), bytearray(setting)), place)
        _load_configuration(builder, builder.bitcast(place, _AT))

    return _of_integers(0, build)


@_inner
def _release(typingctx: Any) -> Any:
    """Leave the tiles as other code expects them."""
    return _of_integers(0, _free)


def _each_sum(builder: Any, at: Any, row: Any) -> list[tuple[Any, Any]]:
    """Tile and address of the four sums: 2 x 2 tiles."""
    below = builder.mul(row, _INDEX(_TILE))
    return [
        (_BYTE(i), _at(builder, builder.add(at, down), 64 * (i % 2)))
        for i, down in enumerate([_INDEX(0)] * 2 + [below] * 2)
    ]


def _move_sums(move: Callable[..., None]) -> Callable[..., None]:
    """Make the kernel that moves tiles 0 to 3 from or to 32 rows of 32 floats at an address, `row` bytes apart."""

    @_inner
    def move_sums(typingctx: Any, at: Any, row: Any) -> Any:
        def build(builder: Any, at: Any, row: Any) -> None:
            for tile, place in _each_sum(builder, at, row):
                move(builder, tile, place, row)

        return _of_integers(2, build)

    return move_sums


_load_sums, _store_sums = _move_sums(_load_tile), _move_sums(_store_tile)


@_inner
def _multiply(typingctx: Any, left: Any, left_row: Any, right: Any, right_row: Any, right_step: Any, n: Any) -> Any:
    """Add n products to tiles 0 to 3: 32 rows of 64 bytes, `left_row` apart, by 16 rows of 128 bytes, `right_row` apart.

    From one product to the next the left goes on by 64 bytes, the right by right_step; n >= 1.
    """

    def build(builder: Any, left: Any, left_row: Any, right: Any, right_row: Any, right_step: Any, n: Any) -> None:
        below = builder.mul(left_row, _INDEX(_TILE))
        before = builder.block
        loop, done = builder.append_basic_block("loop"), builder.append_basic_block("done")
        builder.branch(loop)
        builder.position_at_end(loop)
        i, here, there = (builder.phi(_INDEX) for _ in range(3))
        _load_tile(builder, _BYTE(4), _at(builder, here), left_row)
        _load_tile(builder, _BYTE(6), _at(builder, there), right_row)
        _add_tiles(builder, _BYTE(0), _BYTE(4), _BYTE(6))
        _load_tile(builder, _BYTE(7), _at(builder, there, _TILE_BYTES), right_row)
        _add_tiles(builder, _BYTE(1), _BYTE(4), _BYTE(7))
        _load_tile(builder, _BYTE(5), _at(builder, here, below), left_row)
        _add_tiles(builder, _BYTE(2), _BYTE(5), _BYTE(6))
        _add_tiles(builder, _BYTE(3), _BYTE(5), _BYTE(7))
        following = [builder.add(i, _INDEX(1)), builder.add(here, _INDEX(_TILE_BYTES)), builder.add(there, right_step)]
        for phi, start, value in zip((i, here, there), (_INDEX(0), left, right), following, strict=True):
            phi.add_incoming(start, before)
            phi.add_incoming(value, loop)
        builder.cbranch(builder.icmp_signed("<", following[0], n), loop, done)
        builder.position_at_end(done)

    return _of_integers(6, build)


def _constant(value: int) -> Any:
    """A vector of one constant."""
    return ir.Constant(_WORDS, [value] * _TILE)


def _rounded(builder: Any, address: Any) -> Any:
    """16 floats, rounded to what the upper half of their bits can hold: to nearest, ties to even."""
    bits = builder.load(builder.inttoptr(address, _WORDS.as_pointer()), align=4)
    odd = builder.and_(builder.lshr(bits, _constant(16)), _constant(1))
    return builder.add(bits, builder.add(odd, _constant(0x7FFF)))


@_inner
def _halve(typingctx: Any, out: Any, x: Any) -> Any:
    """16 floats at address x to bfloat16 at address out."""

    def build(builder: Any, out: Any, x: Any) -> None:
        upper = builder.trunc(builder.lshr(_rounded(builder, x), _constant(16)), ir.VectorType(_SHORT, _TILE))
        builder.store(upper, builder.inttoptr(out, upper.type.as_pointer()), align=2)

    return _of_integers(2, build)


@_inner
def _pair(typingctx: Any, out: Any, low: Any, high: Any) -> Any:
    """16 words at address out: the floats at address low in their low halves, those at address high in their high halves."""

    def build(builder: Any, out: Any, low: Any, high: Any) -> None:
        lower = builder.lshr(_rounded(builder, low), _constant(16))
        upper = builder.and_(_rounded(builder, high), _constant(0xFFFF0000))
        builder.store(builder.or_(lower, upper), builder.inttoptr(out, _WORDS.as_pointer()), align=4)

    return _of_integers(3, build)


@_inner
def _turn(typingctx: Any, out: Any, out_row: Any, words: Any, row: Any) -> Any:
    """Transpose 16 x 16 words in registers: four rounds of exchanges between rows 1, 2, 4 and 8 apart."""

    def build(builder: Any, out: Any, out_row: Any, words: Any, row: Any) -> None:
        def pointer(base: Any, step: Any, i: int) -> Any:
            return builder.inttoptr(builder.add(base, builder.mul(step, _INDEX(i))), _WORDS.as_pointer())

        rows = [builder.load(pointer(words, row, i), align=4) for i in range(_TILE)]
        for apart in (1, 2, 4, 8):
            low = [c if not c & apart else c - apart + _TILE for c in range(_TILE)]
            high = [c + apart if not c & apart else c + _TILE for c in range(_TILE)]
            for i in range(_TILE):
                if not i & apart:
                    pair = rows[i], rows[i + apart]
                    rows[i], rows[i + apart] = (
                        builder.shuffle_vector(*pair, ir.Constant(_WORDS, chosen)) for chosen in (low, high)
                    )
        for i, value in enumerate(rows):
            builder.store(value, pointer(out, out_row, i), align=4)

    return _of_integers(4, build)
