"""Where the positions of a batch stand among rows on a GPU, and the launches of `encoder_triton` on them."""

from functools import cache
from typing import Any

import torch
from torch import Tensor

EPSILON = 1e-5
"""Added to the variance, as in PyTorch's LayerNorm."""
_ROWS = 128
"""Rows of a tile of a product."""
_OWN_PRODUCTS = 256
"""Largest hidden size whose weight gradients are summed by the own kernel: beyond, cuBLAS has tiles enough.

Measured on an H200: 222 TF/s against 51 of cuBLAS at 64, 481 against 420 at 256, 456 against 661 at 512.
"""
_PROGRAMS = 264
"""Programs that share the sums of a backward pass over rows: two on each multiprocessor of a large GPU."""


@cache
def _kernels() -> Any:
    from dnaspt.models import encoder_triton

    return encoder_triton


class Rows:
    """The sequences of a batch one after another, with `reach` rows of zeros before and after every one.

    Activations are tensors (R, D). Where a kernel reads beyond a sequence, they must be made by `room` or `place`.
    """

    def __init__(self, real: Tensor, depth: int, reach: int) -> None:
        self.batch, self.length = real.shape
        self.reach, self.depth, self.device = reach, depth, real.device
        self.stride = self.length + reach
        self.n = -(-self.batch * self.stride // _ROWS) * _ROWS
        self.inside = self.place(real.unsqueeze(2).to(torch.uint8)).flatten()

    def room(self, n: int, dtype: torch.dtype) -> Tensor:
        """Activations (n, R, D) whose margins are zero."""
        room = torch.empty(n, self.n + 2 * self.reach, self.depth, dtype=dtype, device=self.device)
        room[:, : self.reach].zero_()
        room[:, self.reach + self.n :].zero_()
        return room

    def place(self, x: Tensor) -> Tensor:
        """Rows of x (B, L, D), zero elsewhere."""
        room = torch.zeros(self.n + 2 * self.reach, x.shape[2], dtype=x.dtype, device=self.device)
        self.view(room).copy_(x)
        return room

    def view(self, rows: Tensor) -> Tensor:
        """The sequences (B, L, D) among rows."""
        inner = rows[self.reach : self.reach + self.batch * self.stride]
        return inner.view(self.batch, self.stride, -1)[:, : self.length]

    def convolve(self, x: Tensor, weight: Tensor, bias: Tensor | None, out: Tensor, dilation: int) -> None:
        """Write out = bias + convolution of x with weight (taps, in, out), or add to out where there is no bias."""
        columns, inner = min(self.depth, 256), min(self.depth, 64)
        _kernels().convolve[(self.n // _ROWS * (self.depth // columns),)](
            *(x, weight, bias, out, dilation, self.reach),
            DEPTH=self.depth,
            TAPS=len(weight),
            ADD=bias is None,
            ROWS=_ROWS,
            COLUMNS=columns,
            INNER=inner,
            num_warps=8 if columns > 64 else 4,
            num_stages=3,
            enable_fp_fusion=True,
        )

    def weigh(self, x: Tensor, inner: Tensor, n_taps: int, dilation: int) -> Tensor:
        """Gradient (taps, in, out) float32 of the weights of a convolution of x from that of its outputs, `inner`.

        Beyond `_OWN_PRODUCTS` it has passed through the precision of x.
        """
        if self.depth > _OWN_PRODUCTS:
            start = x.storage_offset() + (self.reach - n_taps // 2 * dilation) * self.depth
            shifted = x.as_strided((n_taps, self.n, self.depth), (dilation * self.depth, self.depth, 1), start)
            outputs = inner[self.reach : self.reach + self.n]
            with torch.autocast(self.device.type, enabled=False):
                return torch.bmm(shifted.transpose(1, 2), outputs.expand(n_taps, -1, -1)).float()
        side, rows = min(self.depth, 128), 64
        n_tiles, n_blocks = n_taps * (self.depth // side) ** 2, self.n // rows
        n_parts = max(1, min(_PROGRAMS // n_tiles, n_blocks))
        n_parts = -(-n_blocks // -(-n_blocks // n_parts))  # none is left without a block
        sums = torch.empty(n_parts, n_taps, self.depth, self.depth, device=self.device)
        _kernels().weigh[(n_tiles, n_parts)](
            *(inner, x, sums, dilation, self.reach, n_blocks),
            DEPTH=self.depth,
            TAPS=n_taps,
            ROWS=rows,
            SIDE=side,
            num_warps=4,
            num_stages=4,
            enable_fp_fusion=True,
        )
        return sums.sum(0) if n_parts > 1 else sums[0]

    def finish(self, x: Tensor, before: Tensor, norm: tuple[Tensor, Tensor], y: Tensor, half: Tensor) -> None:
        """Write y = x + LN(GELU(before)), zero outside, in float32 and in half precision."""
        rows = max(1, 2048 // self.depth)
        _kernels().finish_rows[(self.n // rows,)](
            *(x, before, *norm, self.inside, y, half, self.reach),
            DEPTH=self.depth,
            ROWS=rows,
            EPSILON=EPSILON,
            num_warps=4,
            enable_fp_fusion=True,
        )

    def start(self, before: Tensor, given: Tensor, weight: Tensor, inner: Tensor) -> tuple[Tensor, ...]:
        """From the gradient of y = x + LN(GELU(before)) that of before into `inner`; those of bias, weight and shift (D,)."""
        rows = max(1, 4096 // self.depth)
        n_blocks = self.n // rows
        sums = torch.empty(min(_PROGRAMS, n_blocks), 3, self.depth, device=self.device)
        _kernels().start_rows[(len(sums),)](
            *(before, given, weight, self.inside, inner, sums, self.reach, n_blocks),
            DEPTH=self.depth,
            ROWS=rows,
            EPSILON=EPSILON,
            num_warps=4,
            enable_fp_fusion=True,
        )
        return sums.sum(0).unbind()
