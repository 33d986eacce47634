"""Dilated convolutions of rows (n, D) of float32 and the gradient of their weights: Numba kernels on addresses.

Three taps make four outputs of a dilation from six products instead of twelve: Winograd's minimal filtering F(4, 3), the form of
Lavin and Gray 2016 in one dimension. A kernel of nine taps is three such filters whose products are summed before they are
turned back, so it takes half of the multiplications. Other kernel sizes, one tap of a linear layer among them, are summed tap by
tap. Rows outside a sequence must hold zeros, as far as the kernel reaches and up to a block beyond its end.
"""

import numpy as np
import torch
from numba import njit
from torch import Tensor

from dnaspt.models.kernels.numba_cache import kernel
from dnaspt.models.kernels.simd import LOW, TALL, WIDTH, combine_rows, multiply_low, multiply_tall

SIZE = 4
_TAPS, _OUTPUTS, _POINTS = 3, 4, 6
_TILES = 24
"""Least tiles of a block, times four rows: their products stay in the second-level cache until they are used."""
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
_enter = combine_rows(_INPUT)
_leave = combine_rows(_BACK, add=True)
_enter_gradient = combine_rows(tuple(zip(*_BACK, strict=True)))


def tiles_of(n_taps: int, dilation: int) -> int:
    """Tiles of four rows that are computed at once: an even number, and whole dilations for the minimal filters."""
    step = dilation if dilation % 2 == 0 else 2 * dilation
    return _TILES if n_taps % _TAPS else -(-_TILES // step) * step


def pack(weight: Tensor) -> np.ndarray:
    """Weights (out, in, K) as the kernels take them: filters, points (1 or 6), out / 16, in, 16."""
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
    return torch.tensor(_FILTER, dtype=torch.float32, device="cpu")


def gradient_shape(n_taps: int, depth: int) -> tuple[int, int, int, int]:
    """Shape in which `add_weight_gradient` sums: filters, points, out, in."""
    return (n_taps, 1, depth, depth) if n_taps % _TAPS else (n_taps // _TAPS, _POINTS, depth, depth)


@njit(inline="always")
def add_product(out: int, left: int, right: int, n_rows: int, depth: int) -> None:
    """Add left (n_rows, D) times right (D / 16, D, 16) to out (n_rows, D); n_rows is even and at least LOW."""
    for block in range(depth // WIDTH):
        panel, column, row = right + SIZE * block * depth * WIDTH, out + SIZE * block * WIDTH, 0
        while row < n_rows:
            here, there = column + SIZE * row * depth, left + SIZE * row * depth
            if (n_rows - row) % TALL == 0:
                multiply_tall(here, depth, there, depth, 1, panel, WIDTH, depth)
                row += TALL
            else:
                multiply_low(here, depth, there, depth, 1, panel, WIDTH, depth)
                row += LOW


@njit(inline="always")
def add_outer_product(out: int, left: int, right: int, n_rows: int, depth: int) -> None:
    """Add the transpose of left (n_rows, D) times right (n_rows, D) to out (D, D)."""
    for column in range(0, depth, WIDTH):
        for row in range(0, depth, LOW):
            at = out + SIZE * (row * depth + column)
            multiply_low(at, depth, left + SIZE * row, 1, depth, right + SIZE * column, depth, n_rows)


@njit(inline="always")
def _row(tile: int, dilation: int) -> int:
    """First row of a tile; its others follow at the dilation."""
    return tile // dilation * (_OUTPUTS * dilation) + tile % dilation


@njit(inline="always")
def _enter_tiles(work: np.ndarray, left: int, n_tiles: int, dilation: int) -> None:
    """Rows from `left` on to the points of all tiles: work (6, n_tiles, D)."""
    depth = work.shape[2]
    for tile in range(n_tiles):
        source, place = left + SIZE * _row(tile, dilation) * depth, work.ctypes.data + SIZE * tile * depth
        for column in range(0, depth, WIDTH):
            _enter(place + SIZE * column, n_tiles * depth, source + SIZE * column, dilation * depth)


@kernel()
def add_convolution(out: int, x: int, packed: np.ndarray, dilation: int, n_tiles: int, work: np.ndarray) -> None:
    """Add the convolution of a block of 4 * n_tiles rows at address x, centered, to those at address out.

    work: scratch (2, 6, n_tiles, D).
    """
    n_filters, n_points, _, depth, _ = packed.shape
    weights, panel = packed.ctypes.data, SIZE * depth * depth
    if n_points == 1:
        for tap in range(n_filters):
            left = x + SIZE * (tap - n_filters // 2) * dilation * depth
            add_product(out, left, weights + tap * panel, _OUTPUTS * n_tiles, depth)
        return
    reach = n_filters * _TAPS // 2
    entered, products = work[0], work[1]
    products[:] = 0
    plane = SIZE * n_tiles * depth
    for part in range(n_filters):
        _enter_tiles(entered, x + SIZE * (part * _TAPS - reach) * dilation * depth, n_tiles, dilation)
        for point in range(_POINTS):
            right = weights + (part * _POINTS + point) * panel
            add_product(
                products.ctypes.data + point * plane, entered.ctypes.data + point * plane, right, n_tiles, depth
            )
    for tile in range(n_tiles):
        place, source = out + SIZE * _row(tile, dilation) * depth, products.ctypes.data + SIZE * tile * depth
        for column in range(0, depth, WIDTH):
            _leave(place + SIZE * column, dilation * depth, source + SIZE * column, n_tiles * depth)


@kernel()
def add_weight_gradient(sums: np.ndarray, given: int, x: int, dilation: int, n_tiles: int, work: np.ndarray) -> None:
    """Add what a block of 4 * n_tiles rows gives: the gradient of the outputs at address given, inputs at address x.

    sums: see `gradient_shape`; work: scratch (2, 6, n_tiles, D).
    """
    n_filters, n_points, depth, _ = sums.shape
    out, panel = sums.ctypes.data, SIZE * depth * depth
    if n_points == 1:
        for tap in range(n_filters):
            right = x + SIZE * (tap - n_filters // 2) * dilation * depth
            add_outer_product(out + tap * panel, given, right, _OUTPUTS * n_tiles, depth)
        return
    reach = n_filters * _TAPS // 2
    entered, pulled = work[0], work[1]
    plane = SIZE * n_tiles * depth
    for tile in range(n_tiles):
        source, place = given + SIZE * _row(tile, dilation) * depth, pulled.ctypes.data + SIZE * tile * depth
        for column in range(0, depth, WIDTH):
            _enter_gradient(place + SIZE * column, n_tiles * depth, source + SIZE * column, dilation * depth)
    for part in range(n_filters):
        _enter_tiles(entered, x + SIZE * (part * _TAPS - reach) * dilation * depth, n_tiles, dilation)
        for point in range(_POINTS):
            at = out + (part * _POINTS + point) * panel
            left, right = pulled.ctypes.data + point * plane, entered.ctypes.data + point * plane
            add_outer_product(at, left, right, n_tiles, depth)
