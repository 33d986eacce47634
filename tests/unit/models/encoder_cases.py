"""A small encoder and random sequences."""

import numpy as np
import torch

from dnaspt.config import EncoderConfig

SMALL = EncoderConfig(hidden_size=16, n_layers=7)


def random_tokens(n: int, length: int, seed: int = 0) -> torch.Tensor:
    """Letters A, C, G and T as tokens (n, length)."""
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 4, (n, length)))
