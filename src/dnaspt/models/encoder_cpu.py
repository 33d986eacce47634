"""Residual blocks on the CPU in float32, with exact gradients: x (B, L, D) and the blocks' weights to y (B, L, D).

Each block is computed at once for all positions by the kernels of `residual_cpu`, in pieces spread over threads. A position's
value depends neither on the batch around it nor on the number of threads; gradients of weights are summed per thread.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from dnaspt.models import residual_cpu
from dnaspt.models.tile import TALL, WIDTH

PARAMETERS = 4
"""Per block: weight (D, D, K), bias (D,), and weight and bias (D,) of the norm."""
_PIECE = 8 * residual_cpu.BLOCK


class _Block(NamedTuple):
    """A block as the kernels take it; `packed` is forward, `turned` for the gradient of the input."""

    packed: np.ndarray
    turned: np.ndarray
    vectors: np.ndarray
    dilation: int


class _Work(NamedTuple):
    """Where the rows of each sequence are, and which thread computes which: pieces (n, 3) for each thread."""

    lengths: tuple[int, ...]
    margin: int
    shares: tuple[np.ndarray, ...]

    def empty(self, like: Tensor) -> np.ndarray:
        """Room for the activations of x (B, L, D), zero outside the sequences."""
        room = np.empty((len(like), like.shape[1] + 2 * self.margin, like.shape[2]), np.float32)
        for sequence, length in zip(room, self.lengths, strict=True):
            sequence[: self.margin] = 0
            sequence[self.margin + length :] = 0
        return room

    def fill(self, room: np.ndarray, x: Tensor) -> None:
        """Copy the rows of x (B, L, D) into a room."""
        for sequence, rows, length in zip(room, x.detach().numpy(), self.lengths, strict=True):
            sequence[self.margin : self.margin + length] = rows[:length]

    def run(self, kernel: Callable[..., None], *arrays: Any, own: tuple[np.ndarray, ...] = ()) -> None:
        """Run a kernel on all pieces; of each array in `own` a thread gets the row with its number."""
        calls = [(share, *arrays, *(array[i] for array in own)) for i, share in enumerate(self.shares)]
        others = [_threads(os.getpid(), len(calls) - 1).submit(kernel, *call) for call in calls[1:]]
        if calls:
            kernel(*calls[0])
        for other in others:
            other.result()


@cache
def _threads(process: int, n: int) -> ThreadPoolExecutor:
    """Threads of this process (a forked one has none of its parent's)."""
    return ThreadPoolExecutor(n, thread_name_prefix=f"blocks-{process}")


def fits(x: Tensor) -> bool:
    """Whether the kernels can compute on x: float32 on the CPU without autocast, a hidden size of whole tiles."""
    plain = x.device.type == "cpu" and x.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")
    return plain and x.shape[-1] % WIDTH == 0


def run_blocks(x: Tensor, lengths: Tensor, dilations: tuple[int, ...], parameters: list[Tensor]) -> Tensor:
    """Apply residual blocks to x (B, L, D): -> (B, L, D), zero from each sequence's length on.

    dilations: of each block. parameters: `PARAMETERS` tensors for each block, in their order.
    """
    y: Tensor = _Blocks.apply(x, tuple(lengths.tolist()), dilations, *parameters)  # type: ignore[no-untyped-call]
    return y


class _Blocks(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, lengths: tuple[int, ...], dilations: tuple[int, ...], *parameters: Tensor
    ) -> Tensor:
        learns = any(ctx.needs_input_grad)
        blocks = [
            _pack(parameters[PARAMETERS * i : PARAMETERS * (i + 1)], dilation, learns=learns)
            for i, dilation in enumerate(dilations)
        ]
        reach = max(block.packed.shape[1] // 2 * block.dilation for block in blocks)
        work = _Work(lengths, reach + TALL, _share(lengths, torch.get_num_threads()))
        source, y, before = work.empty(x), work.empty(x), work.empty(x)
        work.fill(source, x)
        kept = []
        for block in blocks:
            work.run(
                residual_cpu.forward_rows, source, block.packed, block.vectors, block.dilation, work.margin, before, y
            )
            if learns:
                kept.append((source, before))
                source, y, before = y, work.empty(x), work.empty(x)
            else:
                source, y = y, source
        ctx.blocks, ctx.work, ctx.kept = blocks, work, kept
        return torch.from_numpy(source[:, work.margin : work.margin + x.shape[1]])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, given: Tensor) -> tuple[Tensor | None, ...]:
        work: _Work = ctx.work
        gradient, inner = work.empty(given), work.empty(given)
        work.fill(gradient, given)
        found: list[Tensor] = []
        for block in reversed(ctx.blocks):
            source, before = ctx.kept.pop()
            n_taps, depth = block.packed.shape[1:3]
            sums = np.zeros((len(work.shares), 3, depth), np.float32)
            weights = np.zeros((len(work.shares), n_taps, depth, depth), np.float32)
            work.run(residual_cpu.backward_rows, before, gradient, block.vectors, work.margin, inner, own=(sums,))
            work.run(
                residual_cpu.backward_products,
                *(source, inner, block.turned, block.dilation, work.margin, gradient),
                own=(weights,),
            )
            weight = torch.from_numpy(weights.sum(0)).permute(1, 2, 0)
            found += [*reversed(torch.from_numpy(sums.sum(0)).unbind()), weight]
        x = torch.from_numpy(gradient[:, work.margin : work.margin + given.shape[1]])
        for sequence, length in zip(x, work.lengths, strict=True):
            sequence[length:] = 0
        return (x if ctx.needs_input_grad[0] else None, None, None, *reversed(found))


def _pack(parameters: tuple[Tensor, ...], dilation: int, *, learns: bool) -> _Block:
    """Weight (out, in, K) to (out / 16, K, in, 16), and for the way back to (in / 16, K reversed, out, 16)."""
    weight, *vectors = (parameter.detach() for parameter in parameters)
    depth, _, n_taps = weight.shape
    packed = weight.view(-1, WIDTH, depth, n_taps).permute(0, 3, 2, 1).contiguous()
    turned = packed
    if learns:
        turned = weight.flip(2).view(depth, -1, WIDTH, n_taps).permute(1, 3, 0, 2).contiguous()
    return _Block(packed.numpy(), turned.numpy(), torch.stack(vectors).numpy(), dilation)


def _share(lengths: tuple[int, ...], n_threads: int) -> tuple[np.ndarray, ...]:
    """Spread the rows of all sequences over threads, in pieces of whole tiles: (n, 3) for each thread, about alike."""
    pieces = [
        (sequence, start, min(start + _PIECE, length))
        for sequence, length in enumerate(lengths)
        for start in range(0, length, _PIECE)
    ]
    ends = np.cumsum([end - start for _, start, end in pieces])
    owners = np.minimum((ends - 1) * n_threads // max(1, ends[-1]), n_threads - 1)
    shares = [np.array(pieces, dtype=np.int64)[owners == owner] for owner in range(n_threads)]
    return tuple(share for share in shares if len(share))
