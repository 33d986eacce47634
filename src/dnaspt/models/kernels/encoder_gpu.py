"""The encoder's layers on a GPU in half precision, with exact gradients: x (B, L, D) and the layers' parameters to y (B, L, D).

The residual stream and its gradient stay in float32; what enters and leaves a matrix product is rounded: the precision of
autocast. What the backward pass reads is kept in half precision, four values per base, channel and layer.

PyTorch has all of these layers; a training step with these kernels is 2.7 to 3.6 times as fast on an H200 (docs/performance.md).
"""

from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from dnaspt.models.kernels.encoder_cpu import EPSILON, PARAMETERS
from dnaspt.models.kernels.triton_support import device_of, runs_kernels

_DEPTHS = (64, 128, 256, 512, 1024)
"""Hidden sizes that the kernels know."""
_ROWS = 128
"""Rows that a program multiplies at once; the rows of a batch are filled up to a multiple."""
_OWN_PRODUCTS = 256
"""Largest hidden size whose weight gradients are summed by our kernel: beyond, cuBLAS has tiles enough to fill the GPU.

Measured on an H200: 222 TF/s against 51 of cuBLAS at 64, 481 against 420 at 256, 456 against 661 at 512.
"""
_PROGRAMS = 264
"""Programs that share the sums of a backward pass over rows: two on each multiprocessor of a large GPU."""


def fits(x: Tensor, reach: int) -> bool:
    """Whether the kernels can compute on x (B, L, D): on a GPU under autocast, for a hidden size that they know.

    reach: of the widest convolution, to either side; sequences shorter than that would be mostly margins.
    """
    usable = x.is_cuda and x.dtype == torch.float32 and torch.is_autocast_enabled("cuda") and x.shape[2] in _DEPTHS
    return usable and reach <= x.shape[1] and runs_kernels(x.device)


def run_layers(
    x: Tensor, real: Tensor, dilations: tuple[int, ...], parameters: list[Tensor], dtype: torch.dtype
) -> Tensor:
    """Apply layers to x (B, L, D): -> (B, L, D) float32, zero at padding.

    Args:
        x: (B, L, D), zero at padding.
        real: (B, L), true (1) where there is no padding.
        dilations: dilation of each layer.
        parameters: `PARAMETERS` tensors for each layer, in their order.
        dtype: half precision of the factors of products.
    """
    learns = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in (x, *parameters))
    with device_of(x):
        y: Tensor = _Layers.apply(x, real, _Settings(dilations, learns, dtype), *parameters)  # type: ignore[no-untyped-call]
    return y


class _Settings(NamedTuple):
    """Non-tensor arguments; learns: whether a backward pass can follow; dtype: of the factors of products."""

    dilations: tuple[int, ...]
    learns: bool
    dtype: torch.dtype


class _Layers(torch.autograd.Function):
    """All layers as one function of x and the parameters."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, real: Tensor, settings: _Settings, *parameters: Tensor) -> Tensor:
        dilations, learns, dtype = settings
        convs, linears = (_pack(parameters[first::PARAMETERS], parameters[first + 1 :], settings) for first in (0, 4))
        reach = max(len(conv.weight) // 2 * dilation for conv, dilation in zip(convs, dilations))
        packing = _Packing(real, x.shape[2], reach)
        stream = packing.gather(x.detach())
        # Inputs of convolutions have margins of zeros; one input and its layer's other activations are used again without
        # a backward pass.
        inputs = packing.empty(len(dilations) + 1 if learns else 2, dtype)
        others = torch.empty(len(dilations) if learns else 1, 3, *stream.shape, dtype=dtype, device=x.device)
        inputs[0].copy_(stream)
        for i, (conv, linear, dilation) in enumerate(zip(convs, linears, dilations, strict=True)):
            convolved, middle, flat = others[i % len(others)]
            packing.convolve(inputs[i % len(inputs)], conv.weight, conv.bias, convolved, dilation)
            packing.residual_norm(stream, convolved, conv.norm, stream, middle)
            packing.convolve(middle, linear.weight, linear.bias, flat, 1)
            packing.residual_norm(stream, flat, linear.norm, stream, inputs[(i + 1) % len(inputs)])
        ctx.convs, ctx.linears, ctx.packing, ctx.real, ctx.dilations = convs, linears, packing, real, dilations
        # With the norms' weights PyTorch notices if they are changed before the backward pass.
        norms = (*parameters[2::PARAMETERS], *parameters[6::PARAMETERS])
        ctx.save_for_backward(*((inputs, others, *norms) if learns else ()))
        return packing.sequences(stream).contiguous()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, given: Tensor) -> tuple[Tensor | None, ...]:
        packing: _Packing = ctx.packing
        inputs, others, *norms = ctx.saved_tensors
        n_layers = len(ctx.dilations)
        gradient = packing.gather(given.float())
        inner = packing.empty(1, inputs.dtype)[0]
        gradients: list[Tensor] = []
        for i in reversed(range(n_layers)):
            conv, linear, dilation = ctx.convs[i], ctx.linears[i], ctx.dilations[i]
            convolved, middle, flat = others[i]
            sums = packing.residual_norm_backward(flat, gradient, norms[n_layers + i], inner)
            of_linear = (packing.weight_gradient(middle, inner, 1, 1).permute(2, 1, 0), *sums)
            packing.convolve(inner, linear.turned, None, gradient, 1)
            sums = packing.residual_norm_backward(convolved, gradient, norms[i], inner)
            of_conv = (packing.weight_gradient(inputs[i], inner, len(conv.weight), dilation).permute(2, 1, 0), *sums)
            if i or ctx.needs_input_grad[0]:
                packing.convolve(inner, conv.turned, None, gradient, dilation)
            gradients = [*of_conv, *of_linear, *gradients]
        x = packing.sequences(gradient) * ctx.real.unsqueeze(2) if ctx.needs_input_grad[0] else None
        return (x, None, None, *gradients)


class _Weights(NamedTuple):
    """The convolution or the linear part of a layer: weights (taps, in, out), the same from outputs to inputs; vectors (D,)."""

    weight: Tensor
    turned: Tensor
    bias: Tensor
    norm: tuple[Tensor, Tensor]


def _pack(weights: tuple[Tensor, ...], vectors: tuple[Tensor, ...], settings: _Settings) -> list[_Weights]:
    """The convolutions (or linear parts) of all layers, from their weights (out, in, taps).

    vectors: parameters of which, in every `PARAMETERS`, the first three are the bias and the norm's weight and bias.
    """
    stacked = torch.stack([weight.detach() for weight in weights]).to(settings.dtype)
    packed = stacked.permute(0, 3, 2, 1).contiguous()
    turned = stacked.flip(3).permute(0, 3, 1, 2).contiguous() if settings.learns else packed
    bias, weight, shift = ([vector.detach() for vector in vectors[i::PARAMETERS]] for i in range(3))
    return [_Weights(*layer[:3], layer[3:]) for layer in zip(packed, turned, bias, weight, shift)]


class _Packing:
    """The sequences of a batch as rows, one after another, with `reach` rows of zeros before and after every one.

    Activations are tensors (R, D). Where a kernel reads beyond a sequence, they must be made by `empty` or `gather`.
    """

    def __init__(self, real: Tensor, depth: int, reach: int) -> None:
        self.batch, self.length = real.shape
        self.reach, self.depth, self.device = reach, depth, real.device
        self.stride = self.length + reach
        self.n = -(-self.batch * self.stride // _ROWS) * _ROWS
        self.inside = self.gather(real.unsqueeze(2).to(torch.uint8)).flatten()

    def empty(self, n: int, dtype: torch.dtype) -> Tensor:
        """Memory for activations (n, R, D) whose margins are zero."""
        rows = torch.empty(n, self.n + 2 * self.reach, self.depth, dtype=dtype, device=self.device)
        rows[:, : self.reach].zero_()
        rows[:, self.reach + self.n :].zero_()
        return rows

    def gather(self, x: Tensor) -> Tensor:
        """Rows of x (B, L, D), zero elsewhere."""
        rows = torch.zeros(self.n + 2 * self.reach, x.shape[2], dtype=x.dtype, device=self.device)
        self.sequences(rows).copy_(x)
        return rows

    def sequences(self, rows: Tensor) -> Tensor:
        """View of the sequences (B, L, D) among rows."""
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

    def weight_gradient(self, x: Tensor, inner: Tensor, n_taps: int, dilation: int) -> Tensor:
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
        _kernels().weight_gradient[(n_tiles, n_parts)](
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

    def residual_norm(self, x: Tensor, before: Tensor, norm: tuple[Tensor, Tensor], y: Tensor, half: Tensor) -> None:
        """Write y = x + LN(GELU(before)), zero outside, in float32 and in half precision."""
        rows = max(1, 2048 // self.depth)
        _kernels().residual_norm[(self.n // rows,)](
            *(x, before, *norm, self.inside, y, half, self.reach),
            DEPTH=self.depth,
            ROWS=rows,
            EPSILON=EPSILON,
            num_warps=4,
            enable_fp_fusion=True,
        )

    def residual_norm_backward(
        self, before: Tensor, given: Tensor, weight: Tensor, inner: Tensor
    ) -> tuple[Tensor, ...]:
        """From the gradient of y = x + LN(GELU(before)) that of before into `inner`; those of bias, weight and shift (D,)."""
        rows = max(1, 4096 // self.depth)
        n_blocks = self.n // rows
        sums = torch.empty(min(_PROGRAMS, n_blocks), 3, self.depth, device=self.device)
        _kernels().residual_norm_backward[(len(sums),)](
            *(before, given, weight, self.inside, inner, sums, self.reach, n_blocks),
            DEPTH=self.depth,
            ROWS=rows,
            EPSILON=EPSILON,
            num_warps=4,
            enable_fp_fusion=True,
        )
        return sums.sum(0).unbind()


@cache
def _kernels() -> Any:
    """The Triton kernels. They are imported late: triton is there only beside PyTorch's builds for a GPU."""
    from dnaspt.models.kernels import encoder_triton

    return encoder_triton
