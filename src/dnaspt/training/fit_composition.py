"""Windows and their labels to the log-odds that their composition gives.

Two models of `baselines.windows` are fitted for each label: logistic regression on 4-mers, and two Markov chains. Their scores
are brought to one scale and averaged, and the mean is calibrated. All of this is *cross-fitted*: the train windows lie in five
groups of neighbors, and each is scored by models of the other groups. So the penalty, the order of the chains and the calibration
are chosen on windows that the models did not learn.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_matrix, vstack

from dnaspt.baselines.windows import KMER_BP, MARKOV_ORDERS, log_ratios, window_kmers
from dnaspt.data.bootstrap_blocks import window_blocks
from dnaspt.data.dataset import Split
from dnaspt.evaluation.metrics import auroc
from dnaspt.genome.gene_states import MISSING
from dnaspt.genome.kmers import canonical_kmers, reverse_complement_kmers
from dnaspt.models.composition import K

N_GROUPS = 5
STRENGTHS = (1e-4, 1e-3, 1e-2)
"""Inverse penalties of the logistic regression to choose from."""
MOST_WINDOWS = 20_000
"""Windows that the models learn from, evenly spread over the train split."""
LEAST_WINDOWS = 5
"""Fewest windows with and without a label, outside each of the groups, from which it is learned; else its frequency is taken."""

_KMERS = np.arange(4**K)
_REVERSED = reverse_complement_kmers(_KMERS, K)


class FittedComposition(NamedTuple):
    """A composition, and how well it ranks windows that it did not learn.

    Attributes:
        scores: of each 6-mer, as `Composition.set` takes them (labels, 4**6).
        constant: of each label (labels,).
        auroc: of the log-odds of train windows, each by models of the other groups (labels,); nan where that is not defined.
    """

    scores: np.ndarray
    constant: np.ndarray
    auroc: np.ndarray

    def log_odds(self, split: Split) -> np.ndarray:
        """Log-odds of the labels of windows (n, labels)."""
        found = [_shares(counts) @ self.scores.T + self.constant for counts in _counts(split)]
        return np.concatenate([np.zeros((0, len(self.constant))), *found])


class _Models(NamedTuple):
    """One kind of model of one label: learned without each of the groups, and at last from all of them.

    A model scores a window by the mean score of its 6-mers and a constant.

    Attributes:
        scores: (N_GROUPS + 1, 4**6), the same for a 6-mer and its reverse complement.
        constants: (N_GROUPS + 1,).
    """

    scores: np.ndarray
    constants: np.ndarray

    def out_of_fold(self, shares: csr_matrix, groups: np.ndarray) -> np.ndarray:
        """Scores of windows (n,), each by the model without its group; shares: of 6-mers in each window (n, 4**6)."""
        by_model = shares @ self.scores[:-1].T + self.constants[:-1]
        return np.asarray(by_model[np.arange(len(groups)), groups])


def fit_composition(train: Split, n_labels: int) -> FittedComposition:
    """Estimate what the composition of windows says of their labels.

    Args:
        train: windows of the train split.
        n_labels: number of labels.
    """
    rows = np.unique(np.linspace(0, len(train) - 1, min(len(train), MOST_WINDOWS)).round().astype(int))
    groups = neighbor_groups(train)
    learned = _Learned(train.take(rows), groups[rows], n_labels)
    models = [learned.models_of(label) for label in range(n_labels)]
    return FittedComposition(
        np.stack([own.scores[-1] for own in models]),
        np.array([own.constants[-1] for own in models]),
        learned.auroc(models),
    )


def neighbor_groups(split: Split) -> np.ndarray:
    """Number of the group of each window (n,): stretches of the genome with about equally many blocks of 10 kb."""
    blocks = window_blocks(split.chrom.astype(str), split.start, split.end)
    return np.asarray(blocks * N_GROUPS // (blocks.max(initial=0) + 1))


def _counts(split: Split) -> Iterator[csr_matrix]:
    """How often each 6-mer is in each window (rows, 4**6), some windows at a time."""
    for rows, kmers, owner in window_kmers(split, K):
        counts = csr_matrix((np.ones(len(kmers)), (owner, kmers)), (rows.stop - rows.start, 4**K))
        counts.sum_duplicates()
        yield counts


def _shares(counts: csr_matrix) -> csr_matrix:
    """Share of each 6-mer among those of its window."""
    n_kmers = np.asarray(counts.sum(axis=1)).ravel()
    shares: csr_matrix = counts.multiply(1 / np.maximum(1, n_kmers)[:, None]).tocsr()
    return shares


def _of_both_strands(scores: np.ndarray) -> np.ndarray:
    """Mean score (..., 4**6) of each 6-mer and its reverse complement."""
    return np.asarray(scores + scores[..., _REVERSED]) / 2


def _columns_of_4mers() -> np.ndarray:
    """Share of each 4-mer, which has one number on both strands, at the two ends of each 6-mer (4**6, 136)."""
    numbers = np.unique(canonical_kmers(np.arange(4**KMER_BP), KMER_BP), return_inverse=True)[1]
    columns = np.eye(numbers.max() + 1)[numbers[_KMERS % 4**KMER_BP]]
    return _of_both_strands(columns.T).T


class _Learned:
    """The windows that models learn from, and what is counted in them once for all labels.

    Args:
        split: the windows.
        groups: group of each window (n,).
        n_labels: number of labels.
    """

    def __init__(self, split: Split, groups: np.ndarray, n_labels: int) -> None:
        self._truth = split.labels.reshape(len(split), n_labels)
        self._groups = groups
        self._parts = [groups != group for group in range(N_GROUPS)] + [np.ones(len(groups), dtype=bool)]
        """Windows (n,) bool that each model learns from."""
        self._counts = vstack(list(_counts(split)), format="csr")
        self._shares = _shares(self._counts)
        self._columns = _columns_of_4mers()
        self._shares_of_4mers = self._shares @ self._columns

    def models_of(self, label: int) -> _Models:
        """The models whose scores are log-odds of a label."""
        known = self._truth[:, label] != MISSING
        targets = [self._truth[part & known, label] for part in self._parts]
        n_false, n_true = np.array([(np.sum(own == 0), np.sum(own == 1)) for own in targets]).T
        if min(n_false.min(), n_true.min()) < LEAST_WINDOWS:
            return _Models(np.zeros((len(targets), 4**K)), np.log((n_true + 1) / (n_false + 1)))
        regressions = [self._regressions(label, strength) for strength in STRENGTHS]
        return self._calibrated(label, [self._best(label, own) for own in (regressions, self._chains(label))])

    def auroc(self, models: list[_Models]) -> np.ndarray:
        """AUROC of each label by the models of it, on windows that they did not learn (labels,)."""
        return auroc(self._truth, np.stack([self._out_of_fold(own) for own in models], axis=1))

    def _out_of_fold(self, models: _Models) -> np.ndarray:
        return models.out_of_fold(self._shares, self._groups)

    def _best(self, label: int, candidates: list[_Models]) -> _Models:
        """Of models of one kind those that rank best the windows that they did not learn."""
        scores = np.stack([self._out_of_fold(own) for own in candidates], axis=1)
        areas = auroc(np.repeat(self._truth[:, [label]], len(candidates), axis=1), scores)
        return candidates[int(np.argmax(areas))]

    def _regressions(self, label: int, strength: float) -> _Models:
        """Logistic regression on the shares of 4-mers, balanced by class."""
        from sklearn.linear_model import LogisticRegression  # scikit-learn takes a second to import

        fitted = _Models(np.zeros((len(self._parts), 4**K)), np.zeros(len(self._parts)))
        for number, part in enumerate(self._parts):
            rows = part & (self._truth[:, label] != MISSING)
            shares = self._shares_of_4mers[rows]
            mean, spread = shares.mean(axis=0), shares.std(axis=0)
            spread[spread == 0] = 1
            model = LogisticRegression(C=strength, class_weight="balanced", max_iter=1000)
            model.fit((shares - mean) / spread, self._truth[rows, label])
            slopes = model.coef_[0] / spread
            fitted.scores[number] = self._columns @ slopes
            fitted.constants[number] = model.intercept_[0] - slopes @ mean
        return fitted

    def _chains(self, label: int) -> list[_Models]:
        """Log ratios of two Markov chains, of windows with and without the label, for each order."""
        is_group = self._groups[:, None] == np.arange(N_GROUPS)
        counts = [self._counts.T @ (is_group & (self._truth[:, [label]] == value)).astype(float) for value in (0, 1)]
        by_group = 2 * _of_both_strands(np.stack(counts).transpose(2, 0, 1))
        by_part = np.concatenate([by_group.sum(axis=0) - by_group, by_group.sum(axis=0, keepdims=True)])
        fitted = []
        for k in (order + 1 for order in MARKOV_ORDERS):
            ratios = log_ratios(by_part.reshape(len(self._parts), 2, -1, 4**k).sum(axis=2))
            fitted.append(_Models(_of_both_strands(ratios[:, _KMERS % 4**k]), np.zeros(len(self._parts))))
        return fitted

    def _calibrated(self, label: int, kinds: list[_Models]) -> _Models:
        """Both kinds of models as one: scores on one scale, averaged, and turned into log-odds by logistic regression."""
        from sklearn.linear_model import LogisticRegression

        known = self._truth[:, label] != MISSING
        spreads = [max(float(np.std(self._out_of_fold(own)[known])), 1e-12) for own in kinds]
        weights = 1 / (len(kinds) * np.array(spreads))
        mean = _Models(
            sum(weight * own.scores for weight, own in zip(weights, kinds, strict=True)),
            sum(weight * own.constants for weight, own in zip(weights, kinds, strict=True)),
        )
        truth = self._truth[known, label]
        model = LogisticRegression().fit(self._out_of_fold(mean)[known, None], truth)
        slope, constant = model.coef_[0, 0], model.intercept_[0]
        if slope <= 0:  # they rank windows wrongly: only the frequency of the label is known
            slope, constant = 0.0, np.log((truth.sum() + 1) / (len(truth) - truth.sum() + 1))
        return _Models(slope * mean.scores, slope * mean.constants + constant)
