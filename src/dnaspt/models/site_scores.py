"""Site scores: an encoder's frozen hidden states around candidate splice sites and start and stop codons, to log-odds of sites.

For each signal and strand a regularized logistic regression reads the hidden states at a few offsets around every candidate site.
Both orientations of the training sequence are read, so that the minus strand's sites have a regression of their own: a prediction
needs one forward pass over the forward strand. What is fitted is a linear map with sparse offsets, `SiteProbe`.
"""

import warnings
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from dnaspt.config import PAD_TOKEN
from dnaspt.genome import alphabet
from dnaspt.genome.genetic_code import STANDARD, GeneticCode
from dnaspt.models.cross_fitting import LabeledSequence
from dnaspt.models.gene_structure import ACCEPTOR, DONOR, MINUS_COLUMNS, PLUS, START, STOP
from dnaspt.models.kernels import sensors as kernels
from dnaspt.models.phase_labels import mirror_phase_labels
from dnaspt.models.sensors import SIGNALS, candidate_sites

N_SITES = 2 * len(SIGNALS)
"""Columns of site scores: donor, acceptor, start and stop of the plus strand, then of the minus strand."""
Offsets = tuple[tuple[int, ...], ...]
"""For each signal the positions that are read, counted from the signal's base in the direction of transcription."""
STATE_OFFSETS: Offsets = (
    (-6, -3, -1, 0, 1, 2, 4, 8),
    (-24, -12, -4, -1, 0, 1, 2, 4),
    (-6, -3, 0, 2, 5, 8),
    (-8, -5, -2, 0, 3, 6),
)
"""Offsets at which hidden states are read: each of them knows its neighborhood."""
LETTER_OFFSETS: Offsets = tuple(tuple(range(signal.first, signal.last)) for signal in SIGNALS)
"""Offsets at which letters are read, as many as the weight arrays read: the control without an encoder."""
STATE_PENALTY, LETTER_PENALTY = 0.002, 0.1
"""Inverse strength of the ridge penalty (`C` of scikit-learn): of standardized hidden states, of letters."""
MOST_EXAMPLES = 30_000
"""About the most examples that one regression is fitted on: sites and decoys are thinned out for it."""
LEAST_SITES = 10
"""With fewer true sites a signal has no regression, and scores 0."""
_LEAST_DECOYS = 10
_MOST_STEPS = 100
_KEPT_BYTES = 1 << 30
_TILE_BP = 1 << 16
_COLUMNS = (range(DONOR, DONOR + 3), range(ACCEPTOR, ACCEPTOR + 3), range(START, START + 1), range(STOP, STOP + 1))

HiddenStates = Callable[[np.ndarray], np.ndarray]
"""Reads a sequence: codes (L,) uint8 -> hidden states (L, D)."""


def letter_states(codes: np.ndarray) -> np.ndarray:
    """Letters as hidden states, for the control without an encoder: codes (L,) -> (L, 4) float32, one-hot, 0 for N."""
    return np.asarray(np.eye(5, 4, dtype=np.float32)[np.minimum(alphabet.tokens(codes), alphabet.N)])


class SiteProbe(nn.Module):
    """A linear map with sparse offsets: hidden states (B, L, D) -> log-odds of sites (B, L, 8), nats, without the class prior.

    Columns: donor, acceptor, start and stop of the plus strand, then of the minus strand. A score counts where there is a
    candidate site; elsewhere it means nothing. Positions outside the sequence, and padding, add nothing.

    Args:
        hidden_size: D.
        n_offsets: offsets that are read for a signal at most.
    """

    resolution_bp = 1
    """It scores each base."""
    weight: Tensor
    center: Tensor
    bias: Tensor
    offsets: Tensor

    def __init__(self, hidden_size: int, n_offsets: int = max(map(len, STATE_OFFSETS))) -> None:
        super().__init__()
        self.register_buffer("weight", torch.zeros(N_SITES, n_offsets, hidden_size))
        self.register_buffer("center", torch.zeros(N_SITES, n_offsets))
        self.register_buffer("bias", torch.zeros(N_SITES))
        self.register_buffer("offsets", torch.zeros(N_SITES, n_offsets, dtype=torch.int64))

    @property
    def flank_bp(self) -> int:
        """Bases on either side that a score depends on, beyond those of the hidden states."""
        return int(self.offsets.abs().max())

    def forward(self, hidden: Tensor, real: Tensor | None = None) -> Tensor:
        """Log-odds (B, L, 8) of hidden states (B, L, D); `real` (B, L, 1) is 0 at padding, None where nothing is padded."""
        n_sites, n_offsets, hidden_size = self.weight.shape
        parts = hidden.to(self.weight.dtype) @ self.weight.view(-1, hidden_size).T - self.center.view(-1)
        if real is not None:
            parts = parts * real
        scores = self.bias.expand(*hidden.shape[:2], n_sites).clone()
        length = hidden.shape[1]
        for site, row in enumerate(self.offsets.tolist()):
            for index, offset in enumerate(row):
                first, last = max(0, -offset), min(length, length - offset)
                if first < last:
                    column = parts[:, first + offset : last + offset, site * n_offsets + index]
                    scores[:, first:last, site] += column
        return scores


def letter_scores(probe: SiteProbe, tokens: Tensor, channels: Tensor, genetic_code: GeneticCode = STANDARD) -> Tensor:
    """Log-odds of candidate sites by letters alone, on the CPU: what the probe gives on one-hot letters, and 0 elsewhere.

    Only candidates are scored, so this is much faster than the probe itself.

    Args:
        probe: fitted on one-hot letters.
        tokens: token ids (B, L); padding stands at the end.
        channels: channel of each of the K token ids in the one-hot code (K,).
        genetic_code: which codons start and stop a gene.

    Returns:
        (B, L, 8) float32.
    """
    tables = (probe.weight[:, :, channels] - probe.center[:, :, None]).float().contiguous().numpy()
    scores = np.zeros((*tokens.shape, N_SITES), np.float32)
    for row, out in zip(tokens.numpy(), scores, strict=True):
        letters = row[row != PAD_TOKEN]
        candidates = candidate_sites(letters, genetic_code)
        kernels.score_letters(
            letters, candidates, tables, probe.bias.float().numpy(), probe.offsets.numpy(), out[: len(letters)]
        )
    return torch.from_numpy(scores)


class SiteFit(NamedTuple):
    """A fitted probe.

    Attributes:
        probe: fitted on all training sites.
        scores: log-odds of each training sequence (L, 8) float32, out of fold: a base by a probe that has not seen its group.
        precision: average precision of each signal's out-of-fold scores among all its labeled candidates, both strands together;
            NaN where there is no site.
        n_sites: true sites of each signal, on both strands.
        n_candidates: labeled candidates of each signal, on both strands.
    """

    probe: SiteProbe
    scores: list[np.ndarray]
    precision: dict[str, float]
    n_sites: dict[str, int]
    n_candidates: dict[str, int]


class _Examples(NamedTuple):
    """Examples of one regression: hidden states around candidates (n, O * D), whether they are sites (n,), and groups (n,)."""

    states: np.ndarray
    is_site: np.ndarray
    groups: np.ndarray


class _Regression(NamedTuple):
    """Log-odds = bias + sum over offsets of (hidden - mean) @ weight; weight and mean (O, D)."""

    weight: np.ndarray
    mean: np.ndarray
    bias: float


def fit_site_probe(
    sequences: Sequence[LabeledSequence],
    hidden_states: HiddenStates,
    *,
    offsets: Offsets = STATE_OFFSETS,
    penalty: float = STATE_PENALTY,
    genetic_code: GeneticCode = STANDARD,
    seed: int = 0,
) -> SiteFit:
    """Fit a probe, and score the training sequences out of fold.

    Candidates with a missing label are not fitted. With a single group there is nothing to fit on out of fold: the scores are 0.

    Args:
        sequences: training sequences.
        hidden_states: reads a sequence with the frozen encoder; `letter_states` for the control. It is called once for each
            sequence and strand, and again where the hidden states of the forward strands take more than 1 GiB.
        offsets: positions that are read for each signal.
        penalty: inverse strength of the ridge penalty.
        genetic_code: which codons start and stop a gene.
        seed: which sites and decoys are left out where there are many.
    """
    kept, examples = _gather(sequences, hidden_states, offsets, genetic_code, seed)
    groups = np.unique(np.concatenate([sequence.groups for sequence in sequences]))
    final = _fit_all(examples, None, offsets, penalty)
    scores = [np.zeros((len(sequence.codes), N_SITES), np.float32) for sequence in sequences]
    for group in groups.tolist() if len(groups) > 1 else ():
        probe = _fit_all(examples, group, offsets, penalty)
        for sequence, states, out in zip(sequences, kept, scores, strict=True):
            inside = np.flatnonzero(sequence.groups == group)
            if len(inside):
                hidden = hidden_states(sequence.codes) if states is None else states
                _score_positions(probe, hidden, inside, out)
    return SiteFit(final, scores, *_measure(sequences, scores, genetic_code))


def add_site_scores(potentials: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> None:
    """Add weighted site scores to potentials, in place.

    Where there is no candidate site, the potentials of signals mean nothing afterwards, as before.

    Args:
        potentials: (L, 29) float32, nats.
        scores: site scores (L, 8), nats.
        weights: (4,), of the four signals.
    """
    kernels.add_sites(np.asarray(scores), tuple(np.asarray(weights, np.float32)), potentials)


def site_weight_gradient(scores: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """Gradient of a loss by the four weights (4,) float64, from its gradient by the potentials (L, 29) and scores (L, 8)."""
    out = np.zeros(len(SIGNALS))
    for strand, first in enumerate((PLUS, MINUS_COLUMNS)):
        for signal, columns in enumerate(_COLUMNS):
            own = gradients[:, first + columns.start : first + columns.stop].sum(axis=1, dtype=np.float64)
            out[signal] += own @ scores[:, len(SIGNALS) * strand + signal]
    return out


def site_truth(labels: np.ndarray) -> np.ndarray:
    """Whether each base is a true site: `phase_labels` (L,) -> (L, 8) bool."""
    columns = [np.array(columns) + first for first in (PLUS, MINUS_COLUMNS) for columns in _COLUMNS]
    return np.stack([np.isin(labels, column) for column in columns], axis=1)


def _gather(
    sequences: Sequence[LabeledSequence],
    hidden_states: HiddenStates,
    offsets: Offsets,
    genetic_code: GeneticCode,
    seed: int,
) -> tuple[list[np.ndarray | None], list[_Examples]]:
    """Read all sequences: hidden states of the forward strand where they fit into memory; examples of each column of scores."""
    shares = _shares_to_fit(sequences, genetic_code)
    rows: list[list[_Examples]] = [[] for _ in range(N_SITES)]
    kept: list[np.ndarray | None] = []
    n_bytes = 0
    for number, sequence in enumerate(sequences):
        for orientation in range(2):
            turned = sequence if orientation == 0 else _reverse_complement(sequence)
            hidden = hidden_states(turned.codes)
            if orientation == 0:
                n_bytes += hidden.size * 2
                kept.append(hidden.astype(np.float16) if n_bytes <= _KEPT_BYTES else None)
            truth, candidates = site_truth(turned.labels), candidate_sites(turned.codes, genetic_code)
            for column in range(N_SITES):
                known = np.flatnonzero(candidates[:, column] & (turned.labels >= 0))
                share = np.where(truth[known, column], *shares[:, column % len(SIGNALS)])
                random = np.random.default_rng((seed, number, orientation, column)).random(len(known))
                at = known[random < share]
                states = _read_around(hidden, at, _turned(offsets, column))
                rows[column].append(_Examples(states, truth[at, column], turned.groups[at]))
    return kept, [_Examples(*(np.concatenate(values) for values in zip(*parts, strict=True))) for parts in rows]


def _shares_to_fit(sequences: Sequence[LabeledSequence], genetic_code: GeneticCode) -> np.ndarray:
    """Share of the true sites and of the decoys of each signal that is fitted on: (2, 4)."""
    numbers = np.zeros((2, len(SIGNALS)))
    for sequence in sequences:
        known = candidate_sites(sequence.codes, genetic_code) & (sequence.labels >= 0)[:, None]
        truth = site_truth(sequence.labels)
        for row, chosen in enumerate((known & truth, known & ~truth)):
            numbers[row] += chosen.sum(0).reshape(2, -1).sum(0)
    sites, decoys = np.maximum(numbers, 1)
    site_share = np.minimum(1, MOST_EXAMPLES / 2 / sites)
    return np.stack([site_share, (MOST_EXAMPLES - site_share * sites) / decoys])


def _reverse_complement(sequence: LabeledSequence) -> LabeledSequence:
    codes = alphabet.reverse_complement(sequence.codes)
    return LabeledSequence(codes, mirror_phase_labels(sequence.labels), sequence.groups[::-1])


def _turned(offsets: Offsets, column: int) -> np.ndarray:
    """Offsets along the forward strand for a column of the scores."""
    own = np.array(offsets[column % len(offsets)])
    return own if column < len(offsets) else -own


def _read_around(hidden: np.ndarray, at: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Hidden states (L, D) at offsets around positions (n,): (n, O * D) float16; NaN outside the sequence."""
    positions = at[:, None] + offsets
    outside = (positions < 0) | (positions >= len(hidden))
    states = hidden[np.clip(positions, 0, max(len(hidden) - 1, 0))].astype(np.float16)
    states[outside] = np.nan
    return np.asarray(states.reshape(len(at), len(offsets) * hidden.shape[1]))


def _fit_all(examples: Sequence[_Examples], left_out: int | None, offsets: Offsets, penalty: float) -> SiteProbe:
    """The probe that is fitted on all groups but one; a signal without a regression scores 0."""
    signal_offsets = [_turned(offsets, column) for column in range(N_SITES)]
    size = examples[0].states.shape[1] // len(signal_offsets[0])
    probe = SiteProbe(size, max(map(len, offsets)))
    for column, (part, own) in enumerate(zip(examples, signal_offsets, strict=True)):
        probe.offsets[column, : len(own)] = torch.from_numpy(own)
        regression = _fit(part, left_out, len(own), penalty)
        if regression is not None:
            probe.weight[column, : len(own)] = torch.from_numpy(regression.weight)
            probe.center[column, : len(own)] = torch.from_numpy((regression.weight * regression.mean).sum(1))
            probe.bias[column] = regression.bias
    return probe


def _fit(examples: _Examples, left_out: int | None, n_offsets: int, penalty: float) -> _Regression | None:
    """Fit a regression on all groups but one; None where too few sites or decoys are known."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    chosen = slice(None) if left_out is None else examples.groups != left_out
    is_site = examples.is_site[chosen]
    n_sites, n_decoys = int(is_site.sum()), int((~is_site).sum())
    if n_sites < LEAST_SITES or n_decoys < _LEAST_DECOYS:
        return None
    states = examples.states[chosen].astype(np.float32)
    mean = np.nanmean(states, axis=0)
    states -= mean
    np.nan_to_num(states, copy=False)
    deviation = states.std(axis=0) + np.float32(1e-3)
    states /= deviation
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", ConvergenceWarning
        )  # what the last of so many steps would change does not matter
        regression = LogisticRegression(C=penalty, max_iter=_MOST_STEPS, tol=1e-3).fit(states, is_site)
    shape = n_offsets, -1
    bias = float(regression.intercept_[0]) - float(np.log(n_sites / n_decoys))
    return _Regression((regression.coef_[0] / deviation).reshape(shape), mean.reshape(shape), bias)


@torch.no_grad()
def _score_positions(probe: SiteProbe, hidden: np.ndarray, positions: np.ndarray, out: np.ndarray) -> None:
    """Write the scores of ascending positions of a sequence (n,), tile by tile, with the hidden states around them as context."""
    for tile in np.split(positions, np.flatnonzero(np.diff(positions // _TILE_BP)) + 1):
        start = max(0, int(tile[0]) - probe.flank_bp)
        end = min(len(hidden), int(tile[-1]) + 1 + probe.flank_bp)
        scores = probe(torch.from_numpy(hidden[start:end].astype(np.float32))[None])[0].numpy()
        out[tile] = scores[tile - start]


def _measure(
    sequences: Sequence[LabeledSequence], scores: Sequence[np.ndarray], genetic_code: GeneticCode
) -> tuple[dict[str, float], dict[str, int], dict[str, int]]:
    """Average precision of each signal, and how many sites and candidates it has."""
    rows: list[list[tuple[np.ndarray, np.ndarray]]] = [[] for _ in SIGNALS]
    for sequence, values in zip(sequences, scores, strict=True):
        known = candidate_sites(sequence.codes, genetic_code) & (sequence.labels >= 0)[:, None]
        truth = site_truth(sequence.labels)
        for column in range(N_SITES):
            at = known[:, column]
            rows[column % len(SIGNALS)].append((truth[at, column], values[at, column]))
    precision, n_sites, n_candidates = {}, {}, {}
    for signal, pairs in zip(SIGNALS, rows, strict=True):
        is_site, own_scores = (np.concatenate(values) for values in zip(*pairs, strict=True))
        precision[signal.name] = average_precision(is_site, own_scores)
        n_sites[signal.name], n_candidates[signal.name] = int(is_site.sum()), len(is_site)
    return precision, n_sites, n_candidates


def average_precision(is_site: np.ndarray, scores: np.ndarray) -> float:
    """Average precision of scores (n,), NaN where there is no site (n,) bool."""
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(is_site, scores)) if is_site.any() else float("nan")
