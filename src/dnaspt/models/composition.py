"""What the composition of a window says of its labels: log-odds beside those of a network."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from dnaspt.genome.alphabet import N
from dnaspt.genome.kmers import reverse_complement_kmers

K = 6
"""Bases of the k-mers whose scores are kept: enough for 4-mers and for Markov chains of order 5."""


class Composition(nn.Module):
    """Log-odds of each label from the k-mers of a window: the mean of their scores, on both strands, and a constant.

    It is linear in the shares of the k-mers, as are logistic regression on k-mers and the log ratio of two Markov chains.
    `training.fit_composition` estimates it; no gradient changes it.

    Args:
        n_labels: number of labels.
        share: its share of the log-odds of a model.
    """

    scores: Tensor
    constant: Tensor

    def __init__(self, n_labels: int, share: float = 0.0) -> None:
        super().__init__()
        self.share = share
        self.register_buffer("scores", torch.zeros(4**K, n_labels))
        self.register_buffer("constant", torch.zeros(n_labels))

    def set(self, scores: np.ndarray, constant: np.ndarray) -> None:
        """Take over scores of k-mers (labels, 4**K), numbered as by `number_kmers`, and constants (labels,)."""
        both = (scores + scores[:, reverse_complement_kmers(np.arange(4**K), K)]) / 2
        self.scores.copy_(torch.from_numpy(both.T.copy()))
        self.constant.copy_(torch.from_numpy(constant))

    def join(self, log_odds: Tensor, tokens: Tensor) -> Tensor:
        """Log-odds (B, labels) of the whole model from those of its network.

        Args:
            log_odds: of the network (B, labels).
            tokens: token ids (B, L) of the windows.
        """
        if not self.share:
            return log_odds
        own: Tensor = self(tokens)
        return (1 - self.share) * log_odds + self.share * own

    def forward(self, tokens: Tensor) -> Tensor:
        """Token ids (B, L) to log-odds (B, labels); k-mers with another token than a base do not count."""
        if tokens.shape[1] < K:
            return self.constant.expand(len(tokens), -1)
        kmers = tokens.long().unfold(1, K, 1)
        known = (kmers < N).all(-1)
        place_values = 4 ** torch.arange(K - 1, -1, -1, device=tokens.device)
        numbers = torch.where(known, (kmers * place_values).sum(-1), 4**K)
        table = functional.pad(self.scores, (0, 0, 0, 1))
        total = functional.embedding_bag(numbers, table, mode="sum")
        return self.constant + total / known.sum(1, keepdim=True).clamp(min=1)
