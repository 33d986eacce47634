"""Labels and predictions to scores with 95 % intervals: MCC over the classes of bases, AUROC and AUPRC of the labels of windows.

Missing labels are skipped. Intervals are percentile bootstraps over blocks of the genome, since neighboring bases and
windows are not independent.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from dnaspt.evaluation.bootstrap import N_BOOTSTRAP, ConfidenceInterval, block_weights, bootstrap, percentile_interval
from dnaspt.frozen_dict import freeze
from dnaspt.genome.gene_states import MISSING


@dataclass(frozen=True, slots=True)
class Score:
    """A score with its 95 % interval; nan where it is not defined.

    Attributes:
        value: the score.
        low: lower bound of the interval.
        high: upper bound of the interval.

    Example:
        >>> score = dnaspt.evaluate("runs/genes", "data/genes", split="valid").primary
        >>> score.low <= score.value <= score.high
        True
    """

    value: float
    low: float = math.nan
    high: float = math.nan

    @classmethod
    def of(cls, value: float, interval: ConfidenceInterval) -> "Score":
        """A value with its interval."""
        return cls(float(value), interval.low, interval.high)

    def with_interval(self, form: str = ".3f", *, undefined: str = "nan") -> str:
        """Text such as "0.612 [0.583, 0.641]"; without brackets where there is no interval.

        Args:
            form: format of each number.
            undefined: what stands for a score that is not defined.
        """
        if math.isnan(self.value):
            return undefined
        value, low, high = (f"{number:{form}}" for number in (self.value, self.low, self.high))
        return value if math.isnan(self.low) else f"{value} [{low}, {high}]"

    def to_dict(self) -> dict[str, float | None]:
        """Content of a JSON file: nan becomes None."""
        return {name: none_if_nan(value) for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, raw: Mapping[str, float | None], least: float = -1) -> "Score":
        """A score from the content of a JSON file: None becomes nan.

        Raises:
            ValueError: outside `least` to 1, where every score lies.
        """
        score = cls(**{name: nan_if_none(value) for name, value in raw.items()})
        bounds = (score.value, score.low, score.high)
        if any(value < least - 0.001 or value > 1.001 for value in bounds):  # of nan neither is true
            raise ValueError(f"a score of {score.value:g} from {score.low:g} to {score.high:g}")
        return score


def sign_of(gain: Score) -> int:
    """1 for a gain, -1 for a loss, 0 where the interval holds 0 or is not defined."""
    return int(gain.low > 0) - int(gain.high < 0)


@dataclass(frozen=True, slots=True)
class ClassScores:
    """Precision, recall and F1 of each of K classes (nan where 0 / 0), and how many positions truly have the class."""

    precision: tuple[float, ...]
    recall: tuple[float, ...]
    f1: tuple[float, ...]
    support: tuple[int, ...]

    def to_dict(self) -> dict[str, list[float | None]]:
        """Content of a JSON file: nan becomes None."""
        return {name: [none_if_nan(value) for value in values] for name, values in asdict(self).items()}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Sequence[Any]]) -> "ClassScores":
        """Scores from the content of a JSON file: None becomes nan."""
        rates = {name: tuple(map(nan_if_none, raw[name])) for name in ("precision", "recall", "f1")}
        return cls(support=tuple(raw["support"]), **rates)


@dataclass(frozen=True, slots=True)
class LabelScores:
    """AUROC and AUPRC of each label, and their unweighted means over the labels where they are defined.

    Attributes:
        auroc: area under the ROC curve, by label.
        auprc: average precision, by label.
        mean_auroc: mean over the labels.
        mean_auprc: mean over the labels.
        undefined: labels that are always true or always false: their scores are nan, and left out of the means.
    """

    auroc: Mapping[str, Score]
    auprc: Mapping[str, Score]
    mean_auroc: Score
    mean_auprc: Score
    undefined: tuple[str, ...]

    def __post_init__(self) -> None:
        freeze(self, "auroc", "auprc")

    def to_dict(self) -> dict[str, Any]:
        """Content of a JSON file: nan becomes None."""
        return {
            "mean_auroc": self.mean_auroc.to_dict(),
            "mean_auprc": self.mean_auprc.to_dict(),
            "auroc": {name: score.to_dict() for name, score in self.auroc.items()},
            "auprc": {name: score.to_dict() for name, score in self.auprc.items()},
            "undefined": list(self.undefined),
        }

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> "LabelScores":
        """Scores from the content of a JSON file.

        Raises:
            ValueError: AUROC and AUPRC are not of the same labels.
        """
        auroc, auprc = (
            {name: Score.from_dict(score) for name, score in raw[kind].items()} for kind in ("auroc", "auprc")
        )
        if auroc.keys() != auprc.keys():
            raise ValueError("AUROC and AUPRC are of other labels")
        mean_auroc, mean_auprc = (Score.from_dict(raw[name]) for name in ("mean_auroc", "mean_auprc"))
        return cls(auroc, auprc, mean_auroc, mean_auprc, tuple(raw["undefined"]))


def none_if_nan(value: float) -> float | None:
    """JSON has no nan: None stands for it."""
    return None if math.isnan(value) else value


def nan_if_none(value: float | None) -> float:
    """The number that JSON stands for: None is nan."""
    return math.nan if value is None else float(value)


def confusion(labels: np.ndarray, predictions: np.ndarray, n_classes: int) -> np.ndarray:
    """Confusion matrix (K, K) int64 of labels and predictions of one shape; row = label, column = prediction.

    Positions whose label is missing are skipped.

    Args:
        labels: true classes (...), 0..K-1, or missing.
        predictions: predicted classes (...), 0..K-1.
        n_classes: K.

    Raises:
        ValueError: shapes differ, or a class is outside 0..K-1.
    """
    one_block = np.array([0, labels.size])
    return np.asarray(block_confusions(labels, predictions, one_block, n_classes)[0])


def block_confusions(labels: np.ndarray, predictions: np.ndarray, cuts: np.ndarray, n_classes: int) -> np.ndarray:
    """Confusion matrices (B, K, K) int64 of the blocks between B + 1 ascending cuts that run from 0 to the length.

    Args:
        labels: true classes (...), 0..K-1, or missing.
        predictions: predicted classes (...), 0..K-1.
        cuts: where blocks begin and end in the flattened labels (B + 1,).
        n_classes: K.

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
    """Elementwise quotient, nan where the denominator is 0.

    Args:
        numerator: counts (...).
        denominator: counts (...), which are whole numbers.

    Returns:
        Shares (...) float64.
    """
    return np.asarray(np.where(denominator > 0, numerator / np.maximum(denominator, 1), np.nan))


def mcc_score(confusions: np.ndarray, *, n: int = N_BOOTSTRAP, seed: int = 0) -> Score:
    """MCC over all blocks' positions, with its interval over blocks: (B, K, K) -> score.

    Args:
        confusions: confusion matrices of B blocks (B, K, K).
        n: number of resamples.
        seed: seed of the draw.
    """
    return Score.of(mcc(confusions.sum(axis=0)), bootstrap(confusions, mcc_batch, n=n, seed=seed))


def auroc(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Area under the ROC curve of each label: labels (n, K) of 0, 1, missing; scores (n, K) -> (K,).

    scikit-learn's `roc_auc_score` on the entries that are not missing; nan where they hold one class only.
    """
    from sklearn.metrics import roc_auc_score  # scikit-learn takes a second to import

    return _per_label(roc_auc_score, labels, scores)


def auprc(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Average precision of each label, as `auroc` but with scikit-learn's `average_precision_score`.

    Args:
        labels: (n, K) of 0, 1, missing.
        scores: (n, K), higher for 1.

    Returns:
        Average precision (K,).
    """
    from sklearn.metrics import average_precision_score

    return _per_label(average_precision_score, labels, scores)


def _per_label(score: Callable[..., float], labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """A score of each label, from the entries that are not missing: (K,)."""
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
    folds: np.ndarray | None = None,
    n: int = N_BOOTSTRAP,
    seed: int = 0,
) -> LabelScores:
    """AUROC and AUPRC of K labels of n windows, and their means, with intervals over blocks of windows.

    Of several folds they are means over the folds: each has a model of its own, and scores of different models are not on one
    scale (Forman and Scholz 2010).

    Args:
        labels: (n, K) of 0, 1, missing.
        scores: (n, K), higher for 1.
        blocks: block of each window (n,), 0..B-1; see `window_blocks`.
        names: names of the K labels.
        folds: fold of each window (n,), where there are several; each block is in one.
        n: number of resamples.
        seed: seed of the draw.
    """
    values = auroc_and_auprc(labels, scores, folds)
    drawn = resampled_areas(labels, scores, blocks, folds=folds, n=n, seed=seed)
    drawn[:, np.isnan(values)] = np.nan
    named = [
        {name: Score.of(values[m, k], percentile_interval(drawn[:, m, k])) for k, name in enumerate(names)}
        for m in (0, 1)
    ]
    means = [Score.of(_mean(values[m]), percentile_interval(mean_rows(drawn[:, m]))) for m in (0, 1)]
    undefined = tuple(name for name, value in zip(names, values[0], strict=True) if np.isnan(value))
    return LabelScores(named[0], named[1], means[0], means[1], undefined)


def auroc_and_auprc(labels: np.ndarray, scores: np.ndarray, folds: np.ndarray | None = None) -> np.ndarray:
    """AUROC and AUPRC (2, K) of K labels; of several folds means over those in which a label is defined.

    Args:
        labels: (n, K) of 0, 1, missing.
        scores: (n, K), higher for 1.
        folds: fold of each window (n,), where there are several.
    """
    if folds is None or not len(folds):
        return np.stack([auroc(labels, scores), auprc(labels, scores)])
    of_folds = np.stack([auroc_and_auprc(labels[folds == fold], scores[folds == fold]) for fold in np.unique(folds)])
    return _mean_of_folds(of_folds)


def _mean_of_folds(of_folds: np.ndarray) -> np.ndarray:
    """Mean over the first axis of what is defined; nan where nothing is."""
    return ratio(np.nansum(of_folds, axis=0), (~np.isnan(of_folds)).sum(axis=0))


def resampled_areas(
    labels: np.ndarray,
    scores: np.ndarray,
    blocks: np.ndarray,
    *,
    folds: np.ndarray | None = None,
    n: int = N_BOOTSTRAP,
    seed: int = 0,
) -> np.ndarray:
    """AUROC and AUPRC (n, 2, K) of n resamples of the blocks; nan where a label is not defined. See `label_scores`.

    Of several folds, the blocks of each are drawn among themselves.

    Args:
        labels: labels (W, K) of W windows: 0, 1, missing.
        scores: their scores (W, K), higher for 1.
        blocks: block of each window (W,), 0..B-1.
        folds: fold of each window (W,), where there are several; each block is in one.
        n: number of resamples.
        seed: seed of the draw.
    """
    if folds is not None and len(folds):
        drawn = []
        for number, fold in enumerate(np.unique(folds)):
            own = folds == fold
            numbers = np.unique(blocks[own], return_inverse=True)[1].ravel()
            drawn.append(resampled_areas(labels[own], scores[own], numbers, n=n, seed=seed + number))
        return _mean_of_folds(np.stack(drawn))
    rankings = [_Ranking.of(labels[:, column], scores[:, column]) for column in range(labels.shape[1])]
    chunks = block_weights(int(blocks.max(initial=-1)) + 1, len(labels), n, seed)
    return np.concatenate(
        [np.stack([r.auroc_and_auprc(weights, blocks) for r in rankings], axis=-1) for weights in chunks]
    )


def _mean(values: np.ndarray) -> float:
    """Mean of the defined values."""
    return float(mean_rows(values[None])[0])


def mean_rows(values: np.ndarray) -> np.ndarray:
    """Mean of the defined values of each row: (R, K) -> (R,); nan where none is."""
    return ratio(np.nansum(values, axis=1), (~np.isnan(values)).sum(axis=1))


@dataclass(frozen=True, slots=True)
class _Ranking:
    """Windows of one label by descending score, sorted once for all resamples.

    Attributes:
        rows: windows whose label is not missing, best first (n,).
        positive: indices into `rows` of the windows whose label is 1 (P,).
        first: first index of each run of equal scores that holds a positive (G,).
        last: its last index (G,).
        n_positive: positives up to and with each of those runs (G,).
    """

    rows: np.ndarray
    positive: np.ndarray
    first: np.ndarray
    last: np.ndarray
    n_positive: np.ndarray

    @classmethod
    def of(cls, labels: np.ndarray, scores: np.ndarray) -> "_Ranking":
        """Rank windows by their scores (n,); labels (n,) are 0, 1 or missing."""
        known = np.flatnonzero(labels != MISSING)
        rows = known[np.argsort(-scores[known], kind="stable")]
        positive = np.flatnonzero(labels[rows] == 1)
        steps = np.flatnonzero(np.diff(scores[rows]) != 0)
        first = np.concatenate(([0], steps + 1))
        last = np.concatenate((steps, [len(rows) - 1]))
        n_positive = np.searchsorted(positive, last, side="right")
        holds = np.diff(n_positive, prepend=0) > 0
        return cls(rows, positive, first[holds], last[holds], n_positive[holds])

    def auroc_and_auprc(self, weights: np.ndarray, blocks: np.ndarray) -> np.ndarray:
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
        found = np.stack([ratio(pairs, n_hits * n_misses), ratio(precision, n_hits)], axis=1)
        found[n_misses == 0] = np.nan
        return found
