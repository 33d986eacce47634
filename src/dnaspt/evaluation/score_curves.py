"""Labels and scores of windows to ROC and precision-recall curves: of one label, or the mean of several.

The area under a mean ROC curve is the mean AUROC, and that under a mean precision-recall curve the mean average precision, as
far as the points of the curves allow.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
from sklearn.metrics import precision_recall_curve, roc_curve

from dnaspt.genome.gene_states import MISSING

N_POINTS = 200
"""Points of a curve, evenly spread along its x axis."""


@dataclass(frozen=True, slots=True)
class ScoreCurves:
    """How well scores tell true from false, at all thresholds.

    Attributes:
        false_positive_rate: (n,) x axis of the ROC curve, from 0 to 1.
        true_positive_rate: (n,) its y axis.
        recall: (m,) x axis of the precision-recall curve, from above 0 to 1.
        precision: (m,) its y axis.
        prevalence: share of true labels, which is the precision of chance.
        n_labels: labels that the curves are the mean of.
    """

    false_positive_rate: np.ndarray
    true_positive_rate: np.ndarray
    recall: np.ndarray
    precision: np.ndarray
    prevalence: float
    n_labels: int

    @classmethod
    def of(cls, truth: np.ndarray, scores: np.ndarray, folds: np.ndarray | None = None) -> "ScoreCurves | None":
        """Mean curves of the labels that have both classes, in each fold; None where none has, and of numbers.

        Args:
            truth: labels (n, K), 0 or 1, which may be missing.
            scores: scores (n, K), higher for true.
            folds: fold of each window (n,), where there are several.
        """
        if truth.dtype.kind == "f":
            return None
        rates = np.linspace(0, 1, N_POINTS + 1)
        found, precise, shares = [], [], []
        parts = [slice(None)] if folds is None or not len(folds) else [folds == fold for fold in np.unique(folds)]
        labels = set()
        for part, label in product(parts, range(truth.shape[1])):
            own, score = truth[part, label], scores[part, label]
            known = own != MISSING
            true = own[known] == 1
            if not 0 < true.sum() < len(true):
                continue
            labels.add(label)
            found.append(_true_positives(true, score[known], rates))
            precise.append(_precisions(true, score[known], rates[1:]))
            shares.append(true.mean())
        if not found:
            return None
        mean_found, mean_precise = np.mean(found, axis=0), np.mean(precise, axis=0)
        return cls(rates, mean_found, rates[1:], mean_precise, float(np.mean(shares)), len(labels))


def _true_positives(true: np.ndarray, score: np.ndarray, rates: np.ndarray) -> np.ndarray:
    """True positive rate at rates of false positives, on straight lines between thresholds; it begins with 0."""
    x, y, _ = roc_curve(true, score)
    interpolated = np.interp(rates, x, y)  # where x repeats, a line begins at its last point and ends at its first one
    interpolated[0] = 0
    return np.asarray(interpolated)


def _precisions(true: np.ndarray, score: np.ndarray, recalls: np.ndarray) -> np.ndarray:
    """Precision of the highest threshold that reaches each recall: the steps whose area is the average precision."""
    precision, recall, _ = precision_recall_curve(true, score)
    return np.asarray(precision[::-1][np.searchsorted(recall[::-1], recalls - 1e-12)])
