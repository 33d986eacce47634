"""Scores of windows to areas under curves, AUROC and AUPRC, with 95 % intervals over blocks; see `metrics`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from dnaspt.evaluation.metrics import N_BOOTSTRAP, Score, block_weights, percentile_interval, ratio
from dnaspt.tasks import MISSING


@dataclass(frozen=True, slots=True)
class LabelScores:
    """AUROC and AUPRC of each label, and their unweighted means over the labels where they are defined.

    undefined names the labels that have one class only: their scores are nan and left out of the means.
    """

    auroc: Mapping[str, Score]
    auprc: Mapping[str, Score]
    mean_auroc: Score
    mean_auprc: Score
    undefined: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """For JSON: nan becomes None."""
        return {
            "mean_auroc": self.mean_auroc.to_dict(),
            "mean_auprc": self.mean_auprc.to_dict(),
            "auroc": {name: score.to_dict() for name, score in self.auroc.items()},
            "auprc": {name: score.to_dict() for name, score in self.auprc.items()},
            "undefined": list(self.undefined),
        }


def auroc(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Area under the ROC curve of each label: labels (n, K) of 0, 1, missing; scores (n, K) -> (K,).

    scikit-learn's `roc_auc_score` on the entries that are not missing; nan where they hold one class only.
    """
    return _per_label(roc_auc_score, labels, scores)


def auprc(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Average precision of each label, as `auroc` but with scikit-learn's `average_precision_score`."""
    return _per_label(average_precision_score, labels, scores)


def _per_label(score: Callable[..., float], labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    values = np.full(labels.shape[1], np.nan)
    for column in range(labels.shape[1]):
        known = labels[:, column] != MISSING
        truth = labels[known, column]
        if (truth == 1).any() and (truth == 0).any():
            values[column] = score(truth, scores[known, column])
    return values


def label_scores(
    labels: np.ndarray,
    scores: np.ndarray,
    blocks: np.ndarray,
    names: Sequence[str],
    *,
    n: int = N_BOOTSTRAP,
    seed: int = 0,
) -> LabelScores:
    """AUROC and AUPRC of K labels of n windows, and their means, with intervals over blocks of windows.

    Args:
        labels: (n, K) of 0, 1, missing.
        scores: (n, K), higher for 1.
        blocks: block of each window (n,), 0..B-1; see `window_blocks`.
        names: names of the K labels.
        n: number of resamples.
        seed: seed of the draw.
    """
    values = np.stack([auroc(labels, scores), auprc(labels, scores)])
    drawn = resampled_areas(labels, scores, blocks, n=n, seed=seed)
    drawn[:, np.isnan(values)] = np.nan
    named = [
        {name: Score.of(values[m, k], percentile_interval(drawn[:, m, k])) for k, name in enumerate(names)}
        for m in (0, 1)
    ]
    means = [Score.of(_mean(values[m]), percentile_interval(mean_rows(drawn[:, m]))) for m in (0, 1)]
    undefined = tuple(name for name, value in zip(names, values[0], strict=True) if np.isnan(value))
    return LabelScores(named[0], named[1], means[0], means[1], undefined)


def resampled_areas(
    labels: np.ndarray, scores: np.ndarray, blocks: np.ndarray, *, n: int = N_BOOTSTRAP, seed: int = 0
) -> np.ndarray:
    """AUROC and AUPRC (n, 2, K) of n resamples of the blocks; nan where a label is not defined. See `label_scores`."""
    rankings = [_Ranking.of(labels[:, column], scores[:, column]) for column in range(labels.shape[1])]
    chunks = block_weights(int(blocks.max(initial=-1)) + 1, len(labels), n, seed)
    return np.concatenate([np.stack([r.areas(weights, blocks) for r in rankings], axis=-1) for weights in chunks])


def _mean(values: np.ndarray) -> float:
    return float(mean_rows(values[None])[0])


def mean_rows(values: np.ndarray) -> np.ndarray:
    """Mean of the defined values of each row: (R, K) -> (R,); nan where none is."""
    return ratio(np.nansum(values, axis=1), (~np.isnan(values)).sum(axis=1))


@dataclass(frozen=True, slots=True)
class _Ranking:
    """Windows of one label by descending score, sorted once for all resamples.

    Attributes:
        rows: windows whose label is not missing, best first (n,).
        positive: places in `rows` whose label is 1 (P,).
        first: first place of each run of equal scores that holds a positive (G,).
        last: its last place (G,).
        n_positive: positives up to and with each of those runs (G,).
    """

    rows: np.ndarray
    positive: np.ndarray
    first: np.ndarray
    last: np.ndarray
    n_positive: np.ndarray

    @classmethod
    def of(cls, labels: np.ndarray, scores: np.ndarray) -> "_Ranking":
        known = np.flatnonzero(labels != MISSING)
        rows = known[np.argsort(-scores[known], kind="stable")]
        positive = np.flatnonzero(labels[rows] == 1)
        steps = np.flatnonzero(np.diff(scores[rows]) != 0)
        first = np.concatenate(([0], steps + 1))
        last = np.concatenate((steps, [len(rows) - 1]))
        n_positive = np.searchsorted(positive, last, side="right")
        holds = np.diff(n_positive, prepend=0) > 0
        return cls(rows, positive, first[holds], last[holds], n_positive[holds])

    def areas(self, weights: np.ndarray, blocks: np.ndarray) -> np.ndarray:
        """AUROC and AUPRC (R, 2) of R resamples from the weights of their blocks (R, B)."""
        if not len(self.positive):
            return np.full((len(weights), 2), np.nan)
        weight = weights[:, blocks[self.rows]]
        total = np.cumsum(weight, axis=1)
        hits = np.cumsum(weight[:, self.positive], axis=1)[:, self.n_positive - 1]
        gained = np.diff(hits, axis=1, prepend=0)
        ranked = total[:, self.last]
        misses = ranked - hits
        before = total[:, self.first] - weight[:, self.first] - (hits - gained)
        n_hits, n_misses = hits[:, -1], total[:, -1] - hits[:, -1]
        pairs = (gained * (n_misses[:, None] - (before + misses) / 2)).sum(axis=1)
        precision = (gained * hits / np.maximum(ranked, 1)).sum(axis=1)
        areas = np.stack([ratio(pairs, n_hits * n_misses), ratio(precision, n_hits)], axis=1)
        areas[n_misses == 0] = np.nan
        return areas
