"""The dilated residual encoder: token ids (B, L) to hidden states (B, L, D), one base per position.

Architecture of arXiv 2506.17766, the ConvNet of GPN (Benegas et al. 2023) and BEND (Marin et al. 2024). There is no embedding: a
token lights up one hidden channel. Kernels of our own compute the layers where they can; elsewhere PyTorch's layers do.
"""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from dnaspt.config import PAD_TOKEN, EncoderConfig
from dnaspt.models.kernels import encoder_cpu, encoder_gpu


class ResidualLayer(nn.Module):
    """Dilated convolution and linear layer, each with a residual path: (B, L, D) -> (B, L, D).

    x + LN(GELU(conv(x))), then x + LN(GELU(linear(x))).

    Args:
        hidden_size: D.
        kernel_size: taps of the convolution, an odd number.
        dilation: bases from one tap to the next.
    """

    def __init__(self, hidden_size: int, kernel_size: int, dilation: int) -> None:
        super().__init__()
        padding = dilation * (kernel_size // 2)
        # Conv2d of height 1 in channels_last: (B, L, D) in memory is what the kernel wants, so nothing is transposed.
        # Measured on 2 cores at hidden 64: 2.1 times the speed of Conv1d between transposes (float32).
        self.conv = nn.Conv2d(hidden_size, hidden_size, (1, kernel_size), padding=(0, padding), dilation=(1, dilation))
        self.conv.weight.data = self.conv.weight.data.contiguous(memory_format=torch.channels_last)
        self.conv_norm = nn.LayerNorm(hidden_size)
        self.linear = nn.Linear(hidden_size, hidden_size)
        self.linear_norm = nn.LayerNorm(hidden_size)
        self.activation = nn.GELU()  # a module, so that methods of attribution find it

    def forward(self, x: Tensor, real: Tensor | None) -> Tensor:
        """Apply the layer with PyTorch's own.

        Args:
            x: (B, L, D).
            real: (B, L, 1), 0 at padding; None where nothing is padded.

        Returns:
            (B, L, D), 0 at padding.
        """
        convolved = self.conv(x.transpose(1, 2).unsqueeze(2)).squeeze(2).transpose(1, 2)
        x = x + self.conv_norm(self.activation(convolved))
        x = x + self.linear_norm(self.activation(self.linear(x)))
        return x if real is None else x * real

    def for_kernels(self) -> list[Tensor]:
        """Parameters as `run_layers` of the kernels takes them; the linear part is a convolution of one tap.

        Returns:
            Weight (D, D, kernel_size) and bias (D,) of the convolution, weight and bias (D,) of its norm; then weight (D, D, 1)
            and bias (D,) of the linear part, weight and bias (D,) of its norm.
        """
        assert self.conv.bias is not None
        conv, linear = self.conv.weight.squeeze(2), self.linear.weight.unsqueeze(2)
        return [
            *(conv, self.conv.bias, self.conv_norm.weight, self.conv_norm.bias),
            *(linear, self.linear.bias, self.linear_norm.weight, self.linear_norm.bias),
        ]


class DilatedEncoder(nn.Module):
    """Stack of residual dilated convolutions: tokens (B, L) -> hidden states (B, L, D).

    Hidden states at padding are zero after every layer, just as beyond the ends of a sequence, so padding changes nothing.
    """

    channels: Tensor
    unit: Tensor

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("channels", torch.tensor(config.channels), persistent=False)
        self.register_buffer("unit", torch.ones(()), persistent=False)
        self.layers = nn.ModuleList(
            ResidualLayer(config.hidden_size, config.kernel_size, dilation) for dilation in config.dilations
        )

    @property
    def is_onehot(self) -> bool:
        """Whether it has no layers: its hidden states are the letters."""
        return not len(self.layers)

    def forward(self, tokens: Tensor) -> Tensor:
        """Hidden states (B, L, D) of token ids (B, L)."""
        # The residual stream stays in the parameters' dtype; autocast lowers only the matrix products.
        dtype = self.unit.dtype
        x = functional.one_hot(self.channels[tokens.long()], self.config.hidden_size).to(dtype)
        real = real_positions(tokens)
        if real is not None:
            real = real.to(dtype)
            x = x * real
        if self.is_onehot:
            return x
        lengths = _sequence_lengths(tokens, real)
        if lengths is not None and len(tokens) and encoder_cpu.fits(x):
            return encoder_cpu.run_layers(x, lengths, self.config.dilations, self._for_kernels())
        reach = self.config.kernel_size // 2 * max(self.config.dilations)
        if real is not None and x.numel() and encoder_gpu.fits(x, reach):
            half = torch.get_autocast_dtype("cuda")
            return encoder_gpu.run_layers(x, real.squeeze(2), self.config.dilations, self._for_kernels(), half)
        for layer in self.layers:
            x = layer(x, real)
        return x

    def from_letters(self, letters: Tensor, *, kernels: bool = True) -> Tensor:
        """Hidden states (B, L, D) of shares of A, C, G, T and N at each base (B, L, 5), with gradients of the shares.

        Where one share of each base is 1 and all others are 0, they are those of its tokens.

        Args:
            letters: (B, L, 5), of the dtype of the parameters; without padding.
            kernels: whether kernels of our own may compute; else PyTorch's layers do, on which hooks work.
        """
        x = letters @ functional.one_hot(self.channels[: letters.shape[2]], self.config.hidden_size).to(letters)
        if self.is_onehot:
            return x
        if kernels and len(x) and encoder_cpu.fits(x):
            lengths = torch.full((len(x),), x.shape[1])
            return encoder_cpu.run_layers(x, lengths, self.config.dilations, self._for_kernels())
        for layer in self.layers:
            x = layer(x, None)
        return x

    def _for_kernels(self) -> list[Tensor]:
        """Parameters of all layers, in order."""
        return [tensor for layer in self.layers for tensor in cast(ResidualLayer, layer).for_kernels()]


def real_positions(tokens: Tensor) -> Tensor | None:
    """Which positions are not padding: (B, L) -> (B, L, 1) bool, or None on the CPU if none is padded."""
    real = (tokens != PAD_TOKEN).unsqueeze(-1)
    # Asking a GPU would make the host wait for it.
    return None if tokens.device.type == "cpu" and bool(real.all()) else real


def _sequence_lengths(tokens: Tensor, real: Tensor | None) -> Tensor | None:
    """Lengths (B,) of sequences on the CPU; None on other devices, or if padding stands inside a sequence."""
    if tokens.device.type != "cpu":
        return None
    if real is None:
        return torch.full((len(tokens),), tokens.shape[1])
    inside = real.squeeze(2) != 0
    lengths = inside.sum(1)
    at_end = torch.arange(tokens.shape[1]) < lengths.unsqueeze(1)
    return lengths if bool((inside == at_end).all()) else None
