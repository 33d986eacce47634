"""What follows where a model has to decide: MCC, accuracy and F1, at probability one half or of the most probable class.

AUROC and AUPRC rank windows; these scores say how often a decision is right. Missing labels are skipped. Intervals are percentile
bootstraps over blocks, as those of the other scores.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from dnaspt.evaluation.bootstrap import N_BOOTSTRAP, block_weights, percentile_interval
from dnaspt.evaluation.metrics import Score, mcc_batch, mean_rows, ratio
from dnaspt.frozen_dict import freeze
from dnaspt.genome.gene_states import MISSING

_MOST_CELLS = 1 << 22
"""Cells of confusion tables of all resamples that are held in memory at a time."""


@dataclass(frozen=True, slots=True)
class DecisionScores:
    """Scores of decisions on windows.

    Of labels that are true or false each: at probability one half, means over the labels. Of classes, of which each window has
    one: of the most probable class; MCC as scikit-learn's `matthews_corrcoef`, F1 the mean over the classes ("macro").

    Attributes:
        mcc: Matthews correlation.
        accuracy: share of decisions that are right.
        f1: harmonic mean of precision and recall.
        by_label: F1 of each label or class.
    """

    mcc: Score
    accuracy: Score
    f1: Score
    by_label: Mapping[str, Score]

    def __post_init__(self) -> None:
        freeze(self, "by_label")

    def to_dict(self) -> dict[str, Any]:
        """Content of a JSON file: nan becomes None."""
        means = {name: getattr(self, name).to_dict() for name in ("mcc", "accuracy", "f1")}
        return means | {"by_label": {name: score.to_dict() for name, score in self.by_label.items()}}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> "DecisionScores":
        """Scores from the content of a JSON file."""
        means = {name: Score.from_dict(raw[name]) for name in ("mcc", "accuracy", "f1")}
        return cls(**means, by_label={name: Score.from_dict(score) for name, score in raw["by_label"].items()})


def decision_scores(
    truth: np.ndarray,
    log_odds: np.ndarray,
    blocks: np.ndarray,
    names: Sequence[str],
    *,
    one_of: bool,
    n: int = N_BOOTSTRAP,
    seed: int = 0,
) -> DecisionScores:
    """Score decisions on n windows.

    Args:
        truth: labels (n, K) of 0, 1, missing; with `one_of` one 1 in each row, or all missing.
        log_odds: calibrated log-odds (n, K).
        blocks: block of each window (n,), 0..B-1.
        names: names of the K labels.
        one_of: whether each window has one of the labels.
        n: number of resamples.
        seed: seed of the draw.
    """
    if one_of:
        known = (truth == 1).any(axis=1)
        tables = [(truth[known].argmax(axis=1), log_odds[known].argmax(axis=1), blocks[known])]
        size = truth.shape[1]
    else:
        knowns = [truth[:, k] != MISSING for k in range(truth.shape[1])]
        tables = [(truth[own, k], log_odds[own, k] >= 0, blocks[own]) for k, own in enumerate(knowns)]
        size = 2
    n_blocks = int(blocks.max(initial=-1)) + 1
    values = [_resampled(*table, size, n_blocks, n, seed) for table in tables]  # (1 + n, 2 + size) each
    if one_of:
        of_classes = values[0][:, 2:]
        columns = {"mcc": values[0][:, 0], "accuracy": values[0][:, 1], "f1": mean_rows(of_classes)}
    else:
        stacked = np.stack(values, axis=1)
        of_classes = stacked[:, :, 3]
        means = (mean_rows(own) for own in (stacked[:, :, 0], stacked[:, :, 1], of_classes))
        columns = dict(zip(("mcc", "accuracy", "f1"), means, strict=True))
    scores = {name: _score(column) for name, column in columns.items()}
    by_label = {name: _score(column) for name, column in zip(names, of_classes.T, strict=True)}
    return DecisionScores(**scores, by_label=by_label)


def _score(column: np.ndarray) -> Score:
    """A score, and the interval of its resamples: (1 + n,)."""
    return Score.of(column[0], percentile_interval(column[1:]))


def _resampled(
    truth: np.ndarray, decided: np.ndarray, blocks: np.ndarray, size: int, n_blocks: int, n: int, seed: int
) -> np.ndarray:
    """MCC, accuracy and F1 of each class, of all windows and of n resamples of the blocks: (1 + n, 2 + size)."""
    cells = truth.astype(np.int64) * size + decided
    counts = sparse.csr_matrix((np.ones(len(cells)), (blocks, cells)), shape=(n_blocks, size * size))
    rows = [_rates(np.asarray(counts.sum(axis=0)).reshape(1, size, size))]
    for weights in block_weights(n_blocks, n_blocks, n, seed):
        for part in np.array_split(weights, max(1, len(weights) * size * size // _MOST_CELLS)):
            rows.append(_rates((counts.T @ part.T).T.reshape(-1, size, size)))
    return np.concatenate(rows)


def _rates(tables: np.ndarray) -> np.ndarray:
    """MCC, accuracy and F1 of each class of confusion tables (R, K, K), truth in rows: (R, 2 + K)."""
    right = np.diagonal(tables, axis1=1, axis2=2)
    total = tables.sum(axis=(1, 2))
    f1 = ratio(2 * right, tables.sum(axis=1) + tables.sum(axis=2))
    return np.column_stack([mcc_batch(tables), ratio(right.sum(axis=1), total), f1])
