"""Task heads: hidden states (B, L, D) to emissions, and from there each head's own loss and decoding.

A head owns its loss and its decoding, so nobody asks which task it is. Shape of the head: BEND's CNN (Marin et al. 2024).
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from dnaspt.models.batch import Batch, Loss
from dnaspt.models.crf import LinearChainCRF
from dnaspt.tasks import MISSING, StateTable

HEAD_CHANNELS = 64
HEAD_KERNEL = 3
HEAD_FLANK_BP = 2 * (HEAD_KERNEL // 2)
"""Bases on either side that the head adds to the receptive field of the encoder."""


class Decoded(NamedTuple):
    """path: (B, L) int8 states, -100 at padding; posterior: (B, L) probability of the decoded state."""

    path: Tensor
    posterior: Tensor


class Trunk(nn.Module):
    """Two convolutions of kernel 3 and a linear layer: (B, L, D) -> (B, L, K), or (B, K) when pooled over the window."""

    def __init__(self, hidden_size: int, n_labels: int, *, pool: bool) -> None:
        super().__init__()
        self.pool = pool
        shape, padding = (1, HEAD_KERNEL), (0, HEAD_KERNEL // 2)
        self.first = nn.Conv2d(hidden_size, HEAD_CHANNELS, shape, padding=padding)
        self.second = nn.Conv2d(HEAD_CHANNELS, HEAD_CHANNELS, shape, padding=padding)
        self.linear = nn.Linear(HEAD_CHANNELS, n_labels)
        for conv in (self.first, self.second):
            conv.weight.data = conv.weight.data.contiguous(memory_format=torch.channels_last)

    def forward(self, hidden: Tensor, real: Tensor | None) -> Tensor:
        """Emissions; `real` (B, L, 1) is 0 at padding, None where nothing is padded."""
        x = functional.gelu(self.first(hidden.transpose(1, 2).unsqueeze(2)))
        if real is not None:
            x = x * real.transpose(1, 2).unsqueeze(2)
        x = functional.gelu(self.second(x)).squeeze(2).transpose(1, 2)
        if self.pool:
            x = x.float()
            x = x.mean(1) if real is None else (x * real).sum(1) / real.sum(1)
        emissions: Tensor = self.linear(x)
        return emissions


class SoftmaxHead(nn.Module):
    """One class per base, independently of its neighbors."""

    def __init__(self, hidden_size: int, states: StateTable, class_weights: Tensor | None = None) -> None:
        super().__init__()
        n_labels = len(states.names)
        self.trunk = Trunk(hidden_size, n_labels, pool=False)
        weights = torch.ones(n_labels) if class_weights is None else class_weights
        self.register_buffer("class_weights", weights.float())

    def loss(self, emissions: Tensor, batch: Batch) -> Loss:
        """Cross-entropy in nats, summed over labeled bases (weighted by class where weights are given)."""
        labels = batch.labels.long()
        weights: Tensor = self.class_weights  # type: ignore[assignment]
        total = functional.cross_entropy(
            emissions.float().transpose(1, 2), labels, weight=weights, ignore_index=MISSING, reduction="sum"
        )
        labeled = labels != MISSING
        return Loss(total, weights[labels[labeled]].sum())

    def decode(self, emissions: Tensor, lengths: Tensor) -> Decoded:
        """The most probable class of each base."""
        posterior, path = emissions.float().softmax(-1).max(-1)
        padded = torch.arange(path.shape[1], device=path.device) >= lengths[:, None]
        return Decoded(path.to(torch.int8).masked_fill(padded, MISSING), posterior)


class CRFHead(nn.Module):
    """A linear chain over the states of a table: only legal paths have probability."""

    def __init__(self, hidden_size: int, states: StateTable) -> None:
        super().__init__()
        self.trunk = Trunk(hidden_size, len(states.names), pool=False)
        self.crf = LinearChainCRF(states)

    def loss(self, emissions: Tensor, batch: Batch) -> Loss:
        """Negative log-likelihood in nats of all legal paths that agree with the labels, over the labeled bases."""
        log_likelihood = self.crf.log_likelihood(emissions, batch.labels, batch.lengths)
        return Loss(-log_likelihood.sum(), (batch.labels != MISSING).sum().to(log_likelihood.dtype))

    def decode(self, emissions: Tensor, lengths: Tensor) -> Decoded:
        """The Viterbi path, and the marginal probability of its states."""
        path, _ = self.crf.viterbi(emissions, lengths)
        marginals = self.crf.marginals(emissions, lengths)
        states = path.long().clamp(min=0).unsqueeze(-1)
        return Decoded(path, marginals.gather(-1, states).squeeze(-1))


class SigmoidHead(nn.Module):
    """Independent yes / no labels for a whole window."""

    def __init__(self, hidden_size: int, n_labels: int, class_weights: Tensor | None = None) -> None:
        super().__init__()
        self.trunk = Trunk(hidden_size, n_labels, pool=True)
        weights = torch.ones(n_labels) if class_weights is None else class_weights
        self.register_buffer("positive_weights", weights.float())

    def loss(self, emissions: Tensor, batch: Batch) -> Loss:
        """Binary cross-entropy in nats, summed over the labels that are not missing."""
        known = batch.labels != MISSING
        truth = batch.labels.clamp(min=0).float()
        weights: Tensor = self.positive_weights  # type: ignore[assignment]
        nats = functional.binary_cross_entropy_with_logits(
            emissions.float(), truth, pos_weight=weights, reduction="none"
        )
        return Loss((nats * known).sum(), known.sum().to(nats.dtype))


Head = SoftmaxHead | CRFHead | SigmoidHead
