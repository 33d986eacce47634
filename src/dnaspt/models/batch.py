"""What a model is fed, and what its loss returns."""

from typing import NamedTuple

from torch import Tensor


class Batch(NamedTuple):
    """A padded batch.

    tokens: (B, L) token ids, padded at the end with the pad token.
    lengths: (B,) real bases of each sequence.
    labels: (B, L) class or token per base, or (B, K) 0 / 1 per window; -100 where missing, masked out or padded.
    weights: (B, L) loss weight per base, or None for 1 everywhere.
    """

    tokens: Tensor
    lengths: Tensor
    labels: Tensor
    weights: Tensor | None = None


class Loss(NamedTuple):
    """total: summed negative log-likelihood in nats; n_scored: what it is a sum over (bases, or labels of windows)."""

    total: Tensor
    n_scored: Tensor
