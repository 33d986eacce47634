"""Task heads: hidden states (B, L, D) to emissions, and from there each head's own loss, probabilities and decoding.

A head owns its loss and its decoding, so nobody asks which task it is. The CNN of the heads is BEND's (Marin et al. 2024).
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from dnaspt.errors import NotFiniteError
from dnaspt.genome.gene_states import MISSING, StateTable
from dnaspt.models.basset import HeadMLP
from dnaspt.models.batch import Batch, Loss
from dnaspt.models.codons import Grammar
from dnaspt.models.crf import LinearChainCRF
from dnaspt.models.decoding import NO_STATES, Decoded, DecodingContext
from dnaspt.models.emission_potentials import SharedMoves, shared_moves
from dnaspt.models.gene_model_head import GeneModelHead
from dnaspt.models.kernels.crf_viterbi import SLICE, Emissions, best_path, best_states, path_posterior

_LEAST_RATE = 1e-8
"""Least predicted count, as a share of the mean count, of which the Poisson loss takes the logarithm."""
HEAD_CHANNELS = 64
HEAD_KERNEL = 3
HEAD_FLANK_BP = 2 * (HEAD_KERNEL // 2)
"""Bases on either side that the head adds to the receptive field of the encoder."""


class HeadCNN(nn.Module):
    """Two convolutions of kernel 3 and a linear layer: (B, L, D) -> (B, L, K); pooled over the window (B, K).

    Args:
        hidden_size: D, channels of the encoder.
        n_labels: K.
        resolution_bp: 1 for emissions of each base; 0 for emissions of the window; more for the mean over bins of so many bases,
            (B, L // resolution_bp * K).
        normalize: whether the means of windows are batch-normalized.
    """

    def __init__(self, hidden_size: int, n_labels: int, *, resolution_bp: int, normalize: bool = False) -> None:
        super().__init__()
        self.resolution_bp = resolution_bp
        self.flank_bp = HEAD_FLANK_BP
        shape, padding = (1, HEAD_KERNEL), (0, HEAD_KERNEL // 2)
        self.first = nn.Conv2d(hidden_size, HEAD_CHANNELS, shape, padding=padding)
        self.second = nn.Conv2d(HEAD_CHANNELS, HEAD_CHANNELS, shape, padding=padding)
        self.activation = nn.GELU()  # a module, so that methods of attribution find it
        self.linear = nn.Linear(HEAD_CHANNELS, n_labels)
        self.norm = MeanNorm(HEAD_CHANNELS) if normalize else nn.Identity()
        for conv in (self.first, self.second):
            conv.weight.data = conv.weight.data.contiguous(memory_format=torch.channels_last)

    @property
    def output(self) -> nn.Linear:
        """The last layer, with K outputs."""
        return self.linear

    def forward(self, hidden: Tensor, real: Tensor | None) -> Tensor:
        """Emissions of hidden states (B, L, D); `real` (B, L, 1) is 0 at padding, None where nothing is padded.

        Returns:
            (B, L, K), (B, K) or (B, L // resolution_bp * K).
        """
        x = self.activation(self.first(hidden.transpose(1, 2).unsqueeze(2)))
        if real is not None:
            x = x * real.transpose(1, 2).unsqueeze(2)
        x = self.activation(self.second(x)).squeeze(2).transpose(1, 2)
        if self.resolution_bp == 0:
            x = x.float()
            x = x.mean(1) if real is None else (x * real).sum(1) / real.sum(1)
        if self.resolution_bp > 1:
            x = functional.avg_pool1d(x.float().transpose(1, 2), self.resolution_bp).transpose(1, 2)
        emissions: Tensor = self.linear(self.norm(x))
        return emissions.flatten(1) if self.resolution_bp > 1 else emissions


class MeanNorm(nn.Module):
    """Batch norm of pooled vectors (B, C) (Ioffe and Szegedy 2015), without weights of its own.

    Means over hundreds of bases differ little from window to window, so that a linear layer on them learns slowly. Once trained,
    it normalizes by running averages: over all batches so far, later over the last `1 / LEAST_SHARE` or so.

    nn.BatchNorm1d is another function: it keeps the unbiased variance, and its averages have a fixed momentum or none at all;
    here the variance is biased and the share of a batch is 1 / (count of batches), but never below LEAST_SHARE.
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
        """Normalized vectors (B, C); a single one is normalized as if training were over."""
        mean, variance = self.mean, self.variance
        if self.training and len(pooled) > 1:
            mean, variance = pooled.mean(0), pooled.var(0, correction=0)
            self.n_batches += 1
            share = (1 / self.n_batches).clamp(min=self.LEAST_SHARE)
            self.mean.lerp_(mean.detach(), share)
            self.variance.lerp_(variance.detach(), share)
        return (pooled - mean) * torch.rsqrt(variance + 1e-5)


class SoftmaxHead(nn.Module):
    """One class per base, independently of its neighbors.

    `trunk` is its CNN; checkpoints name its parameters so.

    Args:
        hidden_size: D, channels of the encoder.
        states: the table of the K classes.
        class_weights: weight (K,) of the bases of each class in the loss; None for 1.
    """

    class_weights: Tensor
    gene_score = 0.0
    """What a gene adds to its class scores: nothing, since no base knows of its neighbors."""

    def __init__(self, hidden_size: int, states: StateTable, class_weights: Tensor | None = None) -> None:
        super().__init__()
        n_labels = len(states.names)
        self.emission_complement = states.complement
        self.trunk = HeadCNN(hidden_size, n_labels, resolution_bp=1)
        weights = torch.ones(n_labels) if class_weights is None else class_weights
        self.register_buffer("class_weights", weights.float())

    def loss(self, emissions: Tensor, batch: Batch) -> Loss:
        """Cross-entropy in nats, summed over labeled bases (weighted by class where weights are given).

        Args:
            emissions: (B, L, K).
            batch: its labels are the classes (B, L) of bases.
        """
        labels = batch.labels.long()
        total = functional.cross_entropy(
            emissions.float().transpose(1, 2), labels, weight=self.class_weights, ignore_index=MISSING, reduction="sum"
        )
        labeled = labels != MISSING
        return Loss(total, self.class_weights[labels[labeled]].sum())

    def probabilities(self, emissions: Tensor, lengths: Tensor, *, average_strands: bool = False) -> Tensor:
        """Probability of each class at each base: (B, L, K) -> (B, L, K); nothing is said about padding.

        Args:
            emissions: (B, L, K).
            lengths: (B,), of no effect.
            average_strands: whether the emissions are the mean of both strands', which changes nothing here.
        """
        return emissions.softmax(-1)

    def class_scores(self, emissions: Tensor) -> Tensor:
        """Scores (B, L, K) of the classes of each base, for a gene model: log-probabilities, but for a constant of the base.

        Args:
            emissions: (B, L, K).
        """
        return emissions

    def decode(self, emissions: Emissions, context: DecodingContext, *, with_posterior: bool = True) -> Decoded:
        """The most probable class of each base of one sequence (L, K), and its probability; the context has no say.

        Raises:
            NotFiniteError: emissions that are NaN.
        """
        path = np.empty(len(emissions), np.int8)
        posterior = np.empty(len(emissions) if with_posterior else 0, np.float32)
        for block in (slice(start, start + SLICE) for start in range(0, len(emissions), SLICE)):
            rows = torch.from_numpy(np.asarray(emissions[block]))
            if rows.isnan().any():
                raise NotFiniteError("the sequence has emissions that are NaN")
            path[block] = rows.argmax(-1).numpy()
            if with_posterior:
                posterior[block] = rows.softmax(-1).amax(-1).numpy()
        return Decoded(path, posterior, NO_STATES)


class CRFHead(nn.Module):
    """A linear-chain CRF over the states of a table.

    Only legal paths have probability; without constraints (`constrained=False`) every path is legal. `trunk` is its CNN;
    checkpoints name its parameters so.

    Args:
        hidden_size: D, channels of the encoder.
        states: the table of the K states.
        constrained: whether only its legal moves are possible.
    """

    def __init__(self, hidden_size: int, states: StateTable, *, constrained: bool = True) -> None:
        super().__init__()
        n_states = len(states.names)
        self.constrained = constrained
        self.emission_complement = states.complement
        self.trunk = HeadCNN(hidden_size, n_states, resolution_bp=1)
        self.crf = LinearChainCRF(states if constrained else np.ones((n_states, n_states), dtype=bool))

    def loss(self, emissions: Tensor, batch: Batch) -> Loss:
        """Negative log-likelihood in nats of all legal paths that agree with the labels, over the labeled bases.

        Args:
            emissions: (B, L, K).
            batch: its labels are the states (B, L) of bases.
        """
        log_likelihood = self.crf.log_likelihood(emissions, batch.labels, batch.lengths)
        return Loss(-log_likelihood.sum(), (batch.labels != MISSING).sum().to(log_likelihood.dtype))

    def probabilities(self, emissions: Tensor, lengths: Tensor, *, average_strands: bool = False) -> Tensor:
        """Posterior probability of each state at each base: (B, L, K) -> (B, L, K), 0 at padding.

        Args:
            emissions: (B, L, K).
            lengths: (B,) bases of each sequence.
            average_strands: whether the emissions are the mean of both strands'.
        """
        return self._crf_of(average_strands=average_strands).marginals(emissions, lengths)

    @property
    def gene_score(self) -> float:
        """What a gene adds to its class scores, see `shared_moves`."""
        return self._moves().gene

    def class_scores(self, emissions: Tensor) -> Tensor:
        """Scores (B, L, 9) of the classes of each base, for a gene model: a CRF of genes, its moves shared out among bases.

        Args:
            emissions: (B, L, 9).
        """
        return emissions + torch.from_numpy(self._moves().classes).to(emissions)

    def _moves(self) -> SharedMoves:
        return shared_moves(self.crf.transitions.detach().cpu().double().numpy())

    def _crf_of(self, *, average_strands: bool) -> LinearChainCRF:
        """The CRF for emissions of the forward strand, or for the mean of both strands'."""
        return self.crf.mean_with_mirror(self.emission_complement) if average_strands else self.crf

    def decode(self, emissions: Emissions, context: DecodingContext, *, with_posterior: bool = True) -> Decoded:
        """The Viterbi path of one sequence (L, K) of any length, and the posterior probability of its states.

        With a grammar the path keeps to it; probabilities remain those of the chain alone. A gene that goes on beyond the
        sequence need not be whole.
        """
        chain = self._crf_of(average_strands=context.average_strands).chain()
        if context.before is not None:
            chain = chain._replace(start=chain.transitions[context.before])
        if context.after is not None:
            chain = chain._replace(end=np.ascontiguousarray(chain.transitions[:, context.after]))
        states = NO_STATES
        if not isinstance(context.grammar, Grammar):
            path, _ = best_path(emissions, chain)
        else:
            rules = context.grammar.rules(context.codes, context.first)
            states, _ = best_states(emissions, context.grammar.expand(chain), rules)
            path = context.grammar.classes.astype(np.int8)[states]
        posterior = path_posterior(emissions, chain, path) if with_posterior else np.empty(0, np.float32)
        return Decoded(path, posterior, states)


class SigmoidHead(nn.Module):
    """Independent yes / no labels for a whole window, or for each of its bins.

    `trunk` is its CNN or MLP; checkpoints name its parameters so.

    Args:
        trunk: hidden states to emissions (B, K), or (B, bins * K).
        n_labels: K.
        class_weights: weight (K,) of each label in the loss where it is true; None for 1.
    """

    positive_weights: Tensor

    def __init__(self, trunk: HeadCNN | HeadMLP, n_labels: int, class_weights: Tensor | None = None) -> None:
        super().__init__()
        self.trunk = trunk
        weights = torch.ones(n_labels) if class_weights is None else class_weights
        self.register_buffer("positive_weights", weights.float())

    @torch.no_grad()
    def begin_at(self, frequencies: Tensor) -> None:
        """Set the labels' biases so that they predict their frequencies (K,) among windows, weighted as in the loss."""
        odds = frequencies / (1 - frequencies)
        self.trunk.output.bias.copy_(torch.log(odds * self.positive_weights))

    def loss(self, emissions: Tensor, batch: Batch) -> Loss:
        """Binary cross-entropy in nats, summed over the labels that are not missing.

        Args:
            emissions: log-odds (B, K), or (B, bins * K).
            batch: its labels have the same shape.
        """
        known = batch.labels != MISSING
        truth = batch.labels.clamp(min=0).float()
        weights = self.positive_weights
        nats = functional.binary_cross_entropy_with_logits(
            emissions.float(), truth, pos_weight=weights.repeat(emissions.shape[1] // len(weights)), reduction="none"
        )
        return Loss((nats * known).sum(), known.sum().to(nats.dtype))


class ClassesHead(SigmoidHead):
    """One class for a whole window. Emissions are scores of the classes: the softmax of them are probabilities."""

    @torch.no_grad()
    def begin_at(self, frequencies: Tensor) -> None:
        """Set the classes' biases so that they predict their frequencies (K,) among windows, weighted as in the loss."""
        self.trunk.output.bias.copy_(torch.log(frequencies * self.positive_weights))

    def loss(self, emissions: Tensor, batch: Batch) -> Loss:
        """Cross-entropy in nats, summed over the windows whose class is known (weighted by class where weights are given).

        Args:
            emissions: scores of the classes (B, K).
            batch: its labels have the same shape; of a window with a known class one of them is 1.
        """
        known = (batch.labels == 1).any(dim=1)
        truth = torch.where(known, batch.labels.argmax(dim=1), MISSING)
        weights = self.positive_weights
        total = functional.cross_entropy(
            emissions.float(), truth, weight=weights, ignore_index=MISSING, reduction="sum"
        )
        return Loss(total, weights[truth[known]].sum())


class Exponential(nn.Module):
    """e to the power of each output: a module, so that methods of attribution see it."""

    def forward(self, output: Tensor) -> Tensor:
        """Of each number: (...) -> (...)."""
        return output.exp()


class NumberTrunk(nn.Module):
    """Turns the outputs of a CNN or MLP, which are about 0 and 1, into numbers of the size of the labels.

    Args:
        network: the CNN or MLP: hidden states to (B, K).
        n_labels: K.
        is_count: whether numbers are rates of counts, and the outputs logarithms of them; else the outputs are z-scores.
    """

    center: Tensor
    scale: Tensor

    def __init__(self, network: HeadCNN | HeadMLP, n_labels: int, *, is_count: bool) -> None:
        super().__init__()
        self.network = network
        self.is_count = is_count
        self.to_rates = Exponential() if is_count else nn.Identity()
        self.register_buffer("center", torch.zeros(n_labels))
        self.register_buffer("scale", torch.ones(n_labels))

    @property
    def flank_bp(self) -> int:
        """Bases on either side that the head adds to the receptive field of the encoder."""
        return self.network.flank_bp

    @property
    def resolution_bp(self) -> int:
        """As the network's."""
        return self.network.resolution_bp

    @property
    def output(self) -> nn.Linear:
        """The last layer, with K outputs."""
        return self.network.output

    def forward(self, hidden: Tensor, real: Tensor | None) -> Tensor:
        """Predicted numbers (B, K) of hidden states (B, L, D), in the units of the labels.

        Args:
            hidden: (B, L, D).
            real: (B, L, 1), 0 at padding; None where nothing is padded.
        """
        output: Tensor = self.network(hidden, real).float()
        numbers: Tensor = self.to_rates(output) * self.scale + self.center
        return numbers


class NumbersHead(SigmoidHead):
    """Numbers of a whole window (regression). Emissions are the predicted numbers themselves.

    `trunk` is its CNN or MLP with the scale of the labels; checkpoints name its parameters so.

    Args:
        network: the CNN or MLP: hidden states to (B, K).
        n_labels: K.
        is_count: whether numbers are rates of counts.
    """

    trunk: NumberTrunk  # type: ignore[assignment]

    def __init__(self, network: HeadCNN | HeadMLP, n_labels: int, *, is_count: bool) -> None:
        super().__init__(network, n_labels)
        self.trunk = NumberTrunk(network, n_labels, is_count=is_count)

    @property
    def is_count(self) -> bool:
        """Whether it predicts rates of counts."""
        return self.trunk.is_count

    @torch.no_grad()
    def begin_with(self, mean: Tensor, sd: Tensor) -> None:
        """Set the scale of the labels (K,), so that a network whose outputs are 0 predicts their mean.

        Args:
            mean: mean of each label (K,).
            sd: its standard deviation (K,).
        """
        scale = mean if self.trunk.is_count else sd
        self.trunk.scale.copy_(torch.where(scale > 0, scale, 1.0))
        if not self.trunk.is_count:
            self.trunk.center.copy_(mean)

    def loss(self, emissions: Tensor, batch: Batch) -> Loss:
        """Summed over the labels that are known: squared error in z-scores, or the Poisson loss in shares of the mean count.

        Args:
            emissions: predicted numbers (B, K).
            batch: its labels are measured numbers (B, K), nan where missing.
        """
        known = ~batch.labels.isnan()
        truth = torch.where(known, batch.labels, 0).float()
        if self.trunk.is_count:
            predicted = emissions.float() / self.trunk.scale
            losses = predicted - truth / self.trunk.scale * predicted.clamp(min=_LEAST_RATE).log()
        else:
            losses = ((emissions.float() - truth) / self.trunk.scale).square()
        return Loss((losses * known).sum(), known.sum().to(losses.dtype))


Head = SoftmaxHead | CRFHead | SigmoidHead | GeneModelHead
