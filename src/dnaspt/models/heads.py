"""Task heads: hidden states (B, L, D) to emissions, and from there each head's own loss and decoding.

A head owns its loss and its decoding, so nobody asks which task it is. Shape of the head: BEND's CNN (Marin et al. 2024).
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from dnaspt.models import crf_cpu
from dnaspt.models.batch import Batch, Loss
from dnaspt.models.codons import Grammar
from dnaspt.models.crf import LinearChainCRF
from dnaspt.models.crf_chain import Chain
from dnaspt.tasks import MISSING, StateTable

_BLOCK = 1 << 20
HEAD_CHANNELS = 64
HEAD_KERNEL = 3
HEAD_FLANK_BP = 2 * (HEAD_KERNEL // 2)
"""Bases on either side that the head adds to the receptive field of the encoder."""


class Decoded(NamedTuple):
    """path: (L,) int8 states; posterior: (L,) float32, the probability of the decoded state at each position."""

    path: np.ndarray
    posterior: np.ndarray


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

    def decode(
        self,
        emissions: np.ndarray,
        buffer: np.ndarray | None = None,
        *,
        before: int | None = None,
        after: int | None = None,
    ) -> Decoded:
        """The most probable class of each base of one sequence (L, K), and its probability; neighbors have no say."""
        path = np.empty(len(emissions), np.int8)
        posterior = np.empty(len(emissions), np.float32)
        for block in _blocks(len(emissions)):
            share = torch.from_numpy(emissions[block]).softmax(-1)
            best = share.max(-1)
            path[block], posterior[block] = best.indices.numpy(), best.values.numpy()
        return Decoded(path, posterior)


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

    def decode(
        self,
        emissions: np.ndarray,
        buffer: np.ndarray | None = None,
        *,
        before: int | None = None,
        after: int | None = None,
    ) -> Decoded:
        """The Viterbi path of one sequence (L, K) of any length, and the marginal probability of its states.

        buffer: zeros of the emissions' shape and type to hold all marginals, a memory map where they are large.
        before, after: the state of the position left or right of the sequence, where it is known.
        """
        chain = _between(self.crf.chain(), before, after)
        paths, _ = crf_cpu.find_paths(emissions[None], np.array([len(emissions)]), chain)
        return Decoded(paths[0], self._posterior(emissions, chain, paths[0], buffer))

    def decode_codons(
        self,
        emissions: np.ndarray,
        grammar: Grammar,
        flags: np.ndarray,
        buffer: np.ndarray | None = None,
        *,
        before: int | None = None,
        after: int | None = None,
    ) -> Decoded:
        """As `decode`, over the paths of a grammar; probabilities remain those of the chain alone.

        flags: `codons.sequence_flags` of the sequence (L,). A gene that goes on beyond the sequence need not be whole.
        """
        chain = _between(self.crf.chain(), before, after)
        lengths = np.array([len(emissions)])
        paths, _ = crf_cpu.find_paths(emissions[None], lengths, grammar.expand(chain), rules=grammar.rules(flags))
        return Decoded(paths[0], self._posterior(emissions, chain, paths[0], buffer))

    def _posterior(
        self, emissions: np.ndarray, chain: Chain, path: np.ndarray, buffer: np.ndarray | None
    ) -> np.ndarray:
        """Marginal probability of the path's states (L,)."""
        marginals = crf_cpu.find_posterior(emissions, chain, buffer)
        posterior = np.empty(len(emissions), np.float32)
        for block in _blocks(len(emissions)):
            states = path[block, None].astype(np.int64)
            posterior[block] = np.take_along_axis(marginals[block], states, axis=1)[:, 0]
        return posterior


def _between(chain: Chain, before: int | None, after: int | None) -> Chain:
    """The chain of a sequence whose neighbors' states are known, where they are."""
    if before is not None:
        chain = chain._replace(start=chain.transitions[before])
    if after is not None:
        chain = chain._replace(end=np.ascontiguousarray(chain.transitions[:, after]))
    return chain


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


def _blocks(length: int) -> Iterator[slice]:
    """Stretches of a sequence that are small enough to be handled at once."""
    return (slice(start, start + _BLOCK) for start in range(0, length, _BLOCK))
