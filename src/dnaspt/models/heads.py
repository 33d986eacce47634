"""Task heads: hidden states (B, L, D) to emissions, and from there each head's own loss and decoding.

A head owns its loss and its decoding, so nobody asks which task it is. Shape of the head: BEND's CNN (Marin et al. 2024).
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from dnaspt.models.batch import Batch, Loss
from dnaspt.models.codons import Grammar
from dnaspt.models.crf import LinearChainCRF
from dnaspt.models.kernels.crf_viterbi import SLICE, Emissions, best_path, path_posterior
from dnaspt.tasks import MISSING, StateTable

HEAD_CHANNELS = 64
HEAD_KERNEL = 3
HEAD_FLANK_BP = 2 * (HEAD_KERNEL // 2)
"""Bases on either side that the head adds to the receptive field of the encoder."""


class Decoded(NamedTuple):
    """path: (L,) int8 states; posterior: (L,) float32, the probability of the decoded state at each position, if asked for."""

    path: np.ndarray
    posterior: np.ndarray


class Place(NamedTuple):
    """What is known about a sequence beside its emissions.

    Attributes:
        codes: of its contig.
        first: position of the contig at which it begins.
        before, after: the state of the position left or right of it, where it is known.
        grammar: of the codons that a path must keep to, if any.
    """

    codes: np.ndarray
    first: int = 0
    before: int | None = None
    after: int | None = None
    grammar: Grammar | None = None


class Trunk(nn.Module):
    """Two convolutions of kernel 3 and a linear layer: (B, L, D) -> (B, L, K); pooled over the window (B, K).

    resolution_bp: 1 for emissions of each base, 0 of the window; more for the mean over bins, (B, L // resolution_bp * K).
    normalize: batch-normalize the means of windows.
    """

    def __init__(self, hidden_size: int, n_labels: int, *, resolution_bp: int, normalize: bool = False) -> None:
        super().__init__()
        self.resolution_bp = resolution_bp
        shape, padding = (1, HEAD_KERNEL), (0, HEAD_KERNEL // 2)
        self.first = nn.Conv2d(hidden_size, HEAD_CHANNELS, shape, padding=padding)
        self.second = nn.Conv2d(HEAD_CHANNELS, HEAD_CHANNELS, shape, padding=padding)
        self.linear = nn.Linear(HEAD_CHANNELS, n_labels)
        self.norm = MeanNorm(HEAD_CHANNELS) if normalize else nn.Identity()
        for conv in (self.first, self.second):
            conv.weight.data = conv.weight.data.contiguous(memory_format=torch.channels_last)

    def forward(self, hidden: Tensor, real: Tensor | None) -> Tensor:
        """Emissions; `real` (B, L, 1) is 0 at padding, None where nothing is padded."""
        x = functional.gelu(self.first(hidden.transpose(1, 2).unsqueeze(2)))
        if real is not None:
            x = x * real.transpose(1, 2).unsqueeze(2)
        x = functional.gelu(self.second(x)).squeeze(2).transpose(1, 2)
        if self.resolution_bp == 0:
            x = x.float()
            x = x.mean(1) if real is None else (x * real).sum(1) / real.sum(1)
        if self.resolution_bp > 1:
            x = functional.avg_pool1d(x.float().transpose(1, 2), self.resolution_bp).transpose(1, 2)
        emissions: Tensor = self.linear(self.norm(x))
        return emissions.flatten(1) if self.resolution_bp > 1 else emissions


class MeanNorm(nn.Module):
    """Batch norm of pooled vectors (B, C) (Ioffe & Szegedy 2015), without scores of its own.

    Means over hundreds of bases differ little from window to window, so that a linear layer on them learns slowly. Once trained
    it normalizes by running averages: of all batches so far, later of the last `1 / LEAST_SHARE` or so.
    """

    LEAST_SHARE = 0.02
    mean: Tensor
    variance: Tensor
    n_batches: Tensor

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(n_channels))
        self.register_buffer("variance", torch.ones(n_channels))
        self.register_buffer("n_batches", torch.zeros(()))

    def forward(self, pooled: Tensor) -> Tensor:
        """Normalized vectors; a single one is normalized as if it were no training."""
        mean, variance = self.mean, self.variance
        if self.training and len(pooled) > 1:
            mean, variance = pooled.mean(0), pooled.var(0, correction=0)
            self.n_batches += 1
            share = (1 / self.n_batches).clamp(min=self.LEAST_SHARE)
            self.mean.lerp_(mean.detach(), share)
            self.variance.lerp_(variance.detach(), share)
        return (pooled - mean) * torch.rsqrt(variance + 1e-5)


class SoftmaxHead(nn.Module):
    """One class per base, independently of its neighbors."""

    def __init__(self, hidden_size: int, states: StateTable, class_weights: Tensor | None = None) -> None:
        super().__init__()
        n_labels = len(states.names)
        self.trunk = Trunk(hidden_size, n_labels, resolution_bp=1)
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

    def decode(self, emissions: Emissions, place: Place, *, with_posterior: bool = True) -> Decoded:
        """The most probable class of each base of one sequence (L, K), and its probability; neighbors have no say."""
        path = np.empty(len(emissions), np.int8)
        posterior = np.empty(len(emissions) if with_posterior else 0, np.float32)
        for block in (slice(start, start + SLICE) for start in range(0, len(emissions), SLICE)):
            rows = torch.from_numpy(np.asarray(emissions[block]))
            path[block] = rows.argmax(-1).numpy()
            if with_posterior:
                posterior[block] = rows.softmax(-1).amax(-1).numpy()
        return Decoded(path, posterior)


class CRFHead(nn.Module):
    """A linear chain over the states of a table: only legal paths have probability; all have where it is not constrained."""

    def __init__(self, hidden_size: int, states: StateTable, *, constrained: bool = True) -> None:
        super().__init__()
        n_states = len(states.names)
        self.constrained = constrained
        self.trunk = Trunk(hidden_size, n_states, resolution_bp=1)
        self.crf = LinearChainCRF(states if constrained else np.ones((n_states, n_states), dtype=bool))

    def loss(self, emissions: Tensor, batch: Batch) -> Loss:
        """Negative log-likelihood in nats of all legal paths that agree with the labels, over the labeled bases."""
        log_likelihood = self.crf.log_likelihood(emissions, batch.labels, batch.lengths)
        return Loss(-log_likelihood.sum(), (batch.labels != MISSING).sum().to(log_likelihood.dtype))

    def decode(self, emissions: Emissions, place: Place, *, with_posterior: bool = True) -> Decoded:
        """The Viterbi path of one sequence (L, K) of any length, and the marginal probability of its states.

        With a grammar the path keeps to it; probabilities remain those of the chain alone. A gene that goes on beyond the
        sequence need not be whole.
        """
        chain = self.crf.chain()
        if place.before is not None:
            chain = chain._replace(start=chain.transitions[place.before])
        if place.after is not None:
            chain = chain._replace(end=np.ascontiguousarray(chain.transitions[:, place.after]))
        if place.grammar is None:
            path, _ = best_path(emissions, chain)
        else:
            path, _ = best_path(emissions, place.grammar.expand(chain), place.grammar.rules(place.codes, place.first))
        return Decoded(path, path_posterior(emissions, chain, path) if with_posterior else np.empty(0, np.float32))


class SigmoidHead(nn.Module):
    """Independent yes / no labels for a whole window, or for each of its bins."""

    positive_weights: Tensor

    def __init__(self, trunk: nn.Module, n_labels: int, class_weights: Tensor | None = None) -> None:
        super().__init__()
        self.trunk = trunk
        weights = torch.ones(n_labels) if class_weights is None else class_weights
        self.register_buffer("positive_weights", weights.float())

    @torch.no_grad()
    def begin_at(self, frequencies: Tensor) -> None:
        """Let the labels' biases predict their frequencies (K,) among windows, weighted as in the loss."""
        assert isinstance(self.trunk, Trunk)
        odds = frequencies / (1 - frequencies)
        self.trunk.linear.bias.copy_(torch.log(odds * self.positive_weights))

    def loss(self, emissions: Tensor, batch: Batch) -> Loss:
        """Binary cross-entropy in nats, summed over the labels that are not missing."""
        known = batch.labels != MISSING
        truth = batch.labels.clamp(min=0).float()
        weights = self.positive_weights
        nats = functional.binary_cross_entropy_with_logits(
            emissions.float(), truth, pos_weight=weights.repeat(emissions.shape[1] // len(weights)), reduction="none"
        )
        return Loss((nats * known).sum(), known.sum().to(nats.dtype))


Head = SoftmaxHead | CRFHead | SigmoidHead
