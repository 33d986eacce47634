"""Labels and predictions to scores with 95 % intervals: MCC over bases, and what resampling shares (windows: `areas`).

Missing labels are skipped. Intervals are percentile bootstraps over blocks of the genome, since neighboring bases and
windows are not independent.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from dnaspt.tasks import MISSING, TASKS

N_BOOTSTRAP = 1000
_CHUNK = 1 << 22
"""Numbers held at a time while resampling (32 MB of float64)."""


@dataclass(frozen=True, slots=True)
class ConfidenceInterval:
    """Bounds of a 95 % interval; nan where the score is not defined."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Score:
    """A score with its 95 % interval; nan where it is not defined."""

    value: float
    low: float = math.nan
    high: float = math.nan

    @classmethod
    def of(cls, value: float, interval: ConfidenceInterval) -> "Score":
        """A value with its interval."""
        return cls(float(value), interval.low, interval.high)

    def to_dict(self) -> dict[str, float | None]:
        """For JSON: nan becomes None."""
        return {name: none_if_nan(value) for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class ClassScores:
    """Precision, recall and F1 of each of K classes (nan where 0 / 0), and how many positions truly have the class."""

    precision: tuple[float, ...]
    recall: tuple[float, ...]
    f1: tuple[float, ...]
    support: tuple[int, ...]

    def to_dict(self) -> dict[str, list[float | None]]:
        """For JSON: nan becomes None."""
        return {name: [none_if_nan(value) for value in values] for name, values in asdict(self).items()}


def none_if_nan(value: float) -> float | None:
    """JSON has no nan: None stands for it."""
    return None if math.isnan(value) else value


def confusion(labels: np.ndarray, predictions: np.ndarray, n_classes: int) -> np.ndarray:
    """Confusion matrix (K, K) int64 of labels and predictions of one shape; row = label, column = prediction.

    Positions whose label is missing are skipped.

    Raises:
        ValueError: shapes differ, or a class is outside 0..K-1.
    """
    whole: np.ndarray = block_confusions(labels, predictions, np.array([0, labels.size]), n_classes)[0]
    return whole


def block_confusions(labels: np.ndarray, predictions: np.ndarray, cuts: np.ndarray, n_classes: int) -> np.ndarray:
    """Confusion matrices (B, K, K) int64 of the blocks between B + 1 ascending cuts that run from 0 to the length.

    Raises:
        ValueError: shapes differ, or a class is outside 0..K-1.
    """
    if labels.shape != predictions.shape:
        raise ValueError(f"labels have shape {labels.shape}, predictions {predictions.shape}")
    labels, predictions = labels.ravel(), predictions.ravel()
    known = np.flatnonzero(labels != MISSING)
    truth, guess = labels[known].astype(np.int64), predictions[known].astype(np.int64)
    for name, classes in (("label", truth), ("prediction", guess)):
        if classes.size and not 0 <= classes.min() <= classes.max() < n_classes:
            raise ValueError(f"a {name} lies in {classes.min()}..{classes.max()}; expected 0..{n_classes - 1}")
    block = np.searchsorted(cuts, known, side="right") - 1
    cells = (block * n_classes + truth) * n_classes + guess
    n_blocks = len(cuts) - 1
    return np.bincount(cells, minlength=n_blocks * n_classes**2).reshape(n_blocks, n_classes, n_classes)


def mcc(confusion: np.ndarray) -> float:
    """Matthews correlation of a confusion matrix (K, K), as scikit-learn's `matthews_corrcoef` (Gorodkin 2004).

    Whole numbers are multiplied exactly: three billion bases squared overflow 64 bits. 0 where one side has a single
    class, nan where there is no position at all.
    """
    matrix = np.asarray(confusion).astype(object)
    n = int(matrix.sum())
    if n == 0:
        return math.nan
    truth, predicted = matrix.sum(axis=1), matrix.sum(axis=0)
    covariance = int(np.trace(matrix)) * n - int(truth @ predicted)
    variances = (n * n - int(truth @ truth)) * (n * n - int(predicted @ predicted))
    return covariance / math.sqrt(variances) if variances else 0.0


def mcc_batch(confusions: np.ndarray) -> np.ndarray:
    """Matthews correlation of many confusion matrices in floating point: (..., K, K) -> (...)."""
    n = confusions.sum(axis=(-2, -1))
    share = confusions / np.maximum(n, 1)[..., None, None]
    truth, predicted = share.sum(axis=-1), share.sum(axis=-2)
    covariance = np.trace(share, axis1=-2, axis2=-1) - (truth * predicted).sum(axis=-1)
    variances = (1 - (truth**2).sum(axis=-1)) * (1 - (predicted**2).sum(axis=-1))
    defined = variances > 1e-24
    value = np.where(defined, covariance, 0.0) / np.sqrt(np.where(defined, variances, 1.0))
    return np.asarray(np.where(n > 0, value, np.nan))


def class_scores(confusion: np.ndarray) -> ClassScores:
    """Precision, recall and F1 of each class of a confusion matrix (K, K)."""
    hits, truth, predicted = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    return ClassScores(
        precision=tuple(ratio(hits, predicted).tolist()),
        recall=tuple(ratio(hits, truth).tolist()),
        f1=tuple(ratio(2 * hits, truth + predicted).tolist()),
        support=tuple(truth.tolist()),
    )


def ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Elementwise quotient, nan where the denominator is 0."""
    return np.asarray(np.where(denominator > 0, numerator / np.maximum(denominator, 1), np.nan))


def mcc_score(confusions: np.ndarray, *, n: int = N_BOOTSTRAP, seed: int = 0) -> Score:
    """MCC over all blocks' positions, with its interval over blocks: (B, K, K) -> score."""
    return Score.of(mcc(confusions.sum(axis=0)), bootstrap(confusions, mcc_batch, n=n, seed=seed))


def bootstrap(
    blocks: np.ndarray, statistic: Callable[[np.ndarray], np.ndarray], *, n: int = N_BOOTSTRAP, seed: int = 0
) -> ConfidenceInterval:
    """95 % interval of a statistic of summed counts, blocks drawn with replacement.

    Args:
        blocks: counts of B blocks (B, ...), which add up.
        statistic: summed counts of R resamples (R, ...) -> (R,).
        n: number of resamples.
        seed: seed of the draw.
    """
    return percentile_interval(bootstrap_values(blocks, statistic, n=n, seed=seed))


def bootstrap_values(
    blocks: np.ndarray, statistic: Callable[[np.ndarray], np.ndarray], *, n: int = N_BOOTSTRAP, seed: int = 0
) -> np.ndarray:
    """The statistic (n, ...) of n resamples; see `bootstrap`."""
    flat = blocks.reshape(len(blocks), -1).astype(np.float64)
    sums = (weights @ flat for weights in block_weights(len(blocks), len(blocks), n, seed))
    return np.concatenate([statistic(part.reshape(-1, *blocks.shape[1:])) for part in sums])


def primary_metric(result: Mapping[str, Any]) -> str:
    """Key of an evaluation's primary metric: MCC of genes, mean AUROC of windows, mean AUPRC of enhancers."""
    if "mcc" in result:
        return "mcc"
    task = TASKS.get(result.get("task", ""))
    return "mean_auprc" if task is not None and task.metric == "auprc" else "mean_auroc"


def percentile_interval(values: np.ndarray) -> ConfidenceInterval:
    """The middle 95 % of resampled values; undefined (nan) resamples are left out."""
    defined = values[~np.isnan(values)]
    if not defined.size:
        return ConfidenceInterval(math.nan, math.nan)
    low, high = np.percentile(defined, (2.5, 97.5))
    return ConfidenceInterval(float(low), float(high))


def block_weights(n_blocks: int, width: int, n: int, seed: int) -> Iterator[np.ndarray]:
    """How often each block is drawn: chunks (R, n_blocks) float64 of n resamples, R such that R * width stays small."""
    rng = np.random.default_rng(seed)
    rows = max(1, _CHUNK // max(n_blocks, width, 1))
    for first in range(0, n, rows):
        n_rows = min(rows, n - first)
        drawn = rng.integers(max(n_blocks, 1), size=(n_rows, n_blocks)) + np.arange(n_rows)[:, None] * n_blocks
        counts = np.bincount(drawn.ravel(), minlength=n_rows * n_blocks)
        yield counts.reshape(n_rows, n_blocks).astype(np.float64)
