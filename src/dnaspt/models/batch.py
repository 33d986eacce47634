"""What a model reads, a batch, and what its loss returns."""

from typing import NamedTuple

from torch import Tensor


class Batch(NamedTuple):
    """A padded batch.

    Attributes:
        tokens: (B, L) token ids, padded at the end with the pad token.
        lengths: (B,) real bases of each sequence.
        labels: (B, L) class or token of each base, or (B, K) 0 / 1 of each window; -100 where missing, masked out or padded. Or
            (B, K) numbers of each window, nan where missing.
        weights: (B, L) loss weight of each base, or None for 1 everywhere.
    """

    tokens: Tensor
    lengths: Tensor
    labels: Tensor
    weights: Tensor | None = None


class Loss(NamedTuple):
    """The loss of a batch.

    Attributes:
        total: (), summed negative log-likelihood in nats; of numbers, the sum that `NumbersHead.loss` describes.
        n_scored: (), number of bases, or of labels of windows, that it is a sum over; of weighted ones, the sum of their weights.
    """

    total: Tensor
    n_scored: Tensor
