"""The encoder's layers on the CPU in float32, with exact gradients: x (B, L, D) and the layers' weights to y (B, L, D).

Each layer is computed at once for all positions by the kernels of `residual_cpu`, in pieces spread over threads. A position's
value depends neither on the batch around it nor on the number of threads; gradients of weights are summed per thread.
"""

import os
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from dnaspt.models.kernels import conv_cpu as convolution_cpu
from dnaspt.models.kernels import layer_cpu as residual_cpu
from dnaspt.models.kernels.layer_cpu import Activations, Weights
from dnaspt.models.kernels.simd import WIDTH
from dnaspt.models.kernels.threads import inherit_flush_to_zero, thread_pool

PARAMETERS = 8
"""Per layer: weight (D, D, K), bias (D,), and weight and bias (D,) of the norm; the same for the linear part, K = 1."""
_KEPT = len(Activations._fields)
"""Arrays per layer that the backward pass reads: its input, and all but its output."""
_PIECE = 384
"""Rows of a piece at least."""


class _Layer(NamedTuple):
    """A layer as the kernels take it."""

    conv: Weights
    linear: Weights
    dilation: int
    n_tiles: int
    n_taps: int


class _Work(NamedTuple):
    """Where the rows of each sequence are, and which thread computes which: pieces (n, 2) for each thread."""

    lengths: tuple[int, ...]
    starts: tuple[int, ...]
    n_rows: int
    shares: tuple[np.ndarray, ...]

    def empty(self, depth: int) -> np.ndarray:
        """Room for activations (rows, D), zero outside the sequences."""
        room = np.empty((self.n_rows, depth), np.float32)
        end = 0
        for start, length in zip(self.starts, self.lengths, strict=True):
            room[end:start] = 0
            end = start + length
        room[end:] = 0
        return room

    def gather(self, x: Tensor) -> np.ndarray:
        """Rows of x (B, L, D)."""
        room = self.empty(x.shape[2])
        for sequence, start, length in zip(x.detach().numpy(), self.starts, self.lengths, strict=True):
            room[start : start + length] = sequence[:length]
        return room

    def scatter(self, room: np.ndarray, n_positions: int) -> Tensor:
        """Back to (B, L, D), zero at padding."""
        x = torch.zeros(len(self.lengths), n_positions, room.shape[1], dtype=torch.float32, device="cpu")
        for sequence, start, length in zip(x.numpy(), self.starts, self.lengths, strict=True):
            sequence[:length] = room[start : start + length]
        return x

    def run(self, kernel: Callable[..., None], *arrays: Any, own: tuple[np.ndarray, ...] = ()) -> None:
        """Run a kernel on all pieces; of each array in `own` a thread gets the row with its number."""
        calls = [(share, *arrays, *(array[i] for array in own)) for i, share in enumerate(self.shares)]
        threads = thread_pool(os.getpid(), torch.get_num_threads())
        others = [threads.submit(inherit_flush_to_zero(kernel), *call) for call in calls[1:]]
        if calls:
            kernel(*calls[0])
        for other in others:
            other.result()


def fits(x: Tensor) -> bool:
    """Whether the kernels can compute on x: float32 on the CPU without autocast, a hidden size of whole tiles."""
    plain = x.device.type == "cpu" and x.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")
    return plain and x.shape[-1] % WIDTH == 0


def run_layers(x: Tensor, lengths: Tensor, dilations: tuple[int, ...], parameters: list[Tensor]) -> Tensor:
    """Apply layers to x (B, L, D): -> (B, L, D), zero from each sequence's length on.

    dilations: of each layer. parameters: `PARAMETERS` tensors for each layer, in their order.
    """
    learns = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in (x, *parameters))
    settings = _Settings(tuple(lengths.tolist()), dilations, learns)
    y: Tensor = _Layers.apply(x, settings, *parameters)  # type: ignore[no-untyped-call]
    return y


class _Settings(NamedTuple):
    """What is no tensor; learns: whether a backward pass can follow."""

    lengths: tuple[int, ...]
    dilations: tuple[int, ...]
    learns: bool


class _Layers(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, settings: _Settings, *parameters: Tensor) -> Tensor:
        learns = settings.learns
        layers = [
            _layer(parameters[PARAMETERS * i : PARAMETERS * (i + 1)], dilation, learns=learns)
            for i, dilation in enumerate(settings.dilations)
        ]
        work = _place(settings.lengths, layers, torch.get_num_threads())
        source, spare, kept = work.gather(x), None, []
        for layer in layers:
            out = spare or Activations(*(work.empty(x.shape[2]) for _ in Activations._fields))
            work.run(residual_cpu.forward_rows, source, layer.conv, layer.linear, layer.dilation, layer.n_tiles, out)
            if learns:
                kept += [source, *out[:-1]]
            else:
                spare = out._replace(y=source)
            source = out.y
        ctx.layers, ctx.work = layers, work
        ctx.save_for_backward(*map(torch.from_numpy, kept))
        return work.scatter(source, x.shape[1])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, given: Tensor) -> tuple[Tensor | None, ...]:
        work: _Work = ctx.work
        gradient, inner = work.gather(given), work.empty(given.shape[2])
        # Sums first, tensors after the loop: PyTorch's threads go on spinning for milliseconds after what they have done.
        sums = []
        kept = [tensor.numpy() for tensor in ctx.saved_tensors]
        for i, layer in reversed(list(enumerate(ctx.layers))):
            source, convolved, middle, linear = kept[_KEPT * i : _KEPT * (i + 1)]
            out = Activations(convolved, middle, linear, y=gradient)
            sums.append(_backward(work, layer, source, out, gradient, inner))
        x = work.scatter(gradient, given.shape[1]) if ctx.needs_input_grad[0] else None
        return (x, None, *(tensor for parts in reversed(sums) for tensor in parts.tensors()))


class _Sums(NamedTuple):
    """Gradients of a layer's parameters, as the kernels sum them."""

    conv_weight: np.ndarray
    linear_weight: np.ndarray
    vectors: np.ndarray

    def tensors(self) -> list[Tensor]:
        """Gradients of the `PARAMETERS`, in their order."""
        conv, linear = torch.from_numpy(self.vectors)
        conv_weight = convolution_cpu.unpack_gradient(torch.from_numpy(self.conv_weight))
        return [conv_weight, *conv, torch.from_numpy(self.linear_weight).unsqueeze(2), *linear]


def _backward(
    work: _Work, layer: _Layer, source: np.ndarray, out: Activations, gradient: np.ndarray, inner: np.ndarray
) -> _Sums:
    """Turn the gradient of a layer's output into that of its input, in place; returns those of its parameters."""
    n, depth = len(work.shares), gradient.shape[1]
    vectors, linear_weight = np.zeros((n, 2, 3, depth), np.float32), np.zeros((n, depth, depth), np.float32)
    conv_weight = np.zeros((n, *convolution_cpu.gradient_shape(layer.n_taps, depth)), np.float32)
    work.run(
        residual_cpu.backward_rows,
        *(layer.n_tiles, layer.conv, layer.linear, out, gradient, inner),
        own=(vectors, linear_weight),
    )
    work.run(
        residual_cpu.backward_convolution,
        *(source, inner, layer.conv, layer.dilation, layer.n_tiles, gradient),
        own=(conv_weight,),
    )
    return _Sums(conv_weight.sum(0), linear_weight.sum(0), vectors.sum(0))


def _layer(parameters: tuple[Tensor, ...], dilation: int, *, learns: bool) -> _Layer:
    n_taps = parameters[0].shape[2]
    half = PARAMETERS // 2
    conv, linear = (_weights(part, learns=learns) for part in (parameters[:half], parameters[half:]))
    return _Layer(conv, linear, dilation, convolution_cpu.tiles_of(n_taps, dilation), n_taps)


def _weights(parameters: tuple[Tensor, ...], *, learns: bool) -> Weights:
    """Weights packed for the way forward and, where they learn, for the way back."""
    weight, *vectors = (parameter.detach() for parameter in parameters)
    packed = convolution_cpu.pack(weight)
    turned = convolution_cpu.pack(weight.flip(2).transpose(0, 1)) if learns else packed
    return Weights(packed, turned, torch.stack(vectors).numpy())


def _place(lengths: tuple[int, ...], layers: list[_Layer], n_threads: int) -> _Work:
    """Rows for all sequences, and their pieces spread over threads, about alike."""
    reach = max(layer.n_taps // 2 * layer.dilation for layer in layers)
    gap = reach + max(4 * layer.n_tiles for layer in layers)
    ends = reach + np.cumsum(np.array(lengths) + gap)
    starts = tuple((ends - np.array(lengths) - gap).tolist())
    whole = np.lcm.reduce([4 * layer.n_tiles for layer in layers])
    size = -(-_PIECE // whole) * whole
    pieces = np.array(
        [
            (first, min(first + size, start + length))
            for start, length in zip(starts, lengths, strict=True)
            for first in range(start, start + length, size)
        ],
        dtype=np.int64,
    ).reshape(-1, 2)
    done = np.cumsum(pieces[:, 1] - pieces[:, 0])
    owners = np.minimum((done - 1) * n_threads // max(1, done[-1] if len(done) else 1), n_threads - 1)
    shares = tuple(pieces[owners == owner] for owner in range(n_threads) if (owners == owner).any())
    return _Work(lengths, starts, int(ends[-1]) + reach, shares)
