"""Basset (Kelley, Snoek and Rinn 2016, doi 10.1101/gr.200535.115) in the shape that BEND runs: a baseline for windows.

Three convolutions with batch norm and pooling, then dense layers with dropout, over the whole window at once.
"""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from dnaspt.config import N_TOKENS, BassetConfig

_LETTERS = 5
"""Channels of the input: A C G T N; padding lights up none."""


class BassetEncoder(nn.Module):
    """Convolutions: tokens (B, L) -> pooled states (B, window_bp // 48, 200). Shorter windows are padded at their end."""

    def __init__(self, config: BassetConfig) -> None:
        super().__init__()
        self.config = config
        layers: list[nn.Module] = []
        n_channels = _LETTERS
        for channels, kernel, pool in config.layers:
            conv = nn.Conv1d(n_channels, channels, kernel, padding=kernel // 2)
            layers += [conv, nn.BatchNorm1d(channels), nn.ReLU(), nn.MaxPool1d(pool)]
            n_channels = channels
        self.layers = nn.Sequential(*layers)

    def forward(self, tokens: Tensor) -> Tensor:
        """Pooled states of token ids (B, L); padding beyond window_bp is cut off.

        Returns:
            (B, window_bp // 48, 200).
        """
        dtype = next(self.parameters()).dtype
        return self.from_letters(functional.one_hot(tokens.long(), N_TOKENS)[..., :_LETTERS].to(dtype))

    def from_letters(self, letters: Tensor, *, kernels: bool = True) -> Tensor:
        """Pooled states of shares of A, C, G, T and N at each base (B, L, 5); `kernels` has no effect.

        Returns:
            (B, window_bp // 48, 200).
        """
        missing = self.config.window_bp - letters.shape[1]
        x = functional.pad(letters, (0, 0, 0, missing)) if missing else letters
        pooled: Tensor = self.layers(x.transpose(1, 2))
        return pooled.transpose(1, 2)


class HeadMLP(nn.Module):
    """Dense layers: pooled states (B, n, D) -> logits of the labels of the window (B, K)."""

    flank_bp = 0
    """Bases around a window that it reads: none."""

    resolution_bp = 0
    """Labels are those of the whole window."""

    def __init__(self, config: BassetConfig, n_labels: int) -> None:
        super().__init__()
        size = config.dense_size
        self.layers = nn.Sequential(
            nn.Linear(config.n_pooled * config.hidden_size, size),
            nn.ReLU(),
            nn.Dropout(config.dropout),
            nn.Linear(size, size),
            nn.Dropout(config.dropout),
            nn.Linear(size, n_labels),
        )

    @property
    def output(self) -> nn.Linear:
        """The last layer, with K outputs."""
        return cast(nn.Linear, self.layers[-1])

    def forward(self, hidden: Tensor, real: Tensor | None) -> Tensor:
        """Logits of pooled states; `real` is not needed, since states of a padded end are those of zeros.

        Args:
            hidden: pooled states (B, n, D).
            real: (B, L, 1), of no effect.

        Returns:
            Logits (B, K).
        """
        logits: Tensor = self.layers(torch.flatten(hidden, 1))
        return logits
