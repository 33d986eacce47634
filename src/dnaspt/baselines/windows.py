"""Cheap models of windows, one for each label: k-mer counts, Markov chains, CpG count.

A model that does not beat them has learned the composition of sequences, and no more. They are fitted on train; what there is to
choose is chosen on valid, like a checkpoint; test is scored once.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from dnaspt.baselines.results import BaselineResult, ScoredBaseline
from dnaspt.data.dataset import Split, read_split
from dnaspt.data.manifest import Manifest
from dnaspt.evaluation.calibration import fit_calibrator
from dnaspt.evaluation.metrics import auprc, auroc
from dnaspt.evaluation.numbers import measure_numbers
from dnaspt.evaluation.score import cpg_counts, score_number_windows, score_windows
from dnaspt.genome import alphabet
from dnaspt.genome.gene_states import MISSING
from dnaspt.genome.kmers import canonical_kmers, known_kmers, number_kmers, reverse_complement_kmers
from dnaspt.tasks import TASKS

STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0)
"""Inverse penalties to choose from."""
KMER_BP = 4
"""Length of the k-mers."""
MARKOV_ORDERS = (1, 2, 3, 4, 5)
"""Orders to choose from."""
_CHUNK_BP = 1 << 22
"""Bases whose k-mers are held in memory at once."""

Splits = dict[str, Split]
Metric = Callable[[np.ndarray, np.ndarray], float]
"""Labels (n,) and scores (n,) to the area under a curve; nan where it is not defined."""


class FittedLabel(NamedTuple):
    """A model of one label.

    Attributes:
        chosen: what was chosen on valid.
        valid: its score on valid; nan where that is not defined.
        scores: scores of the test windows (n,).
        on_valid: scores of the valid windows (m,).
    """

    chosen: float | int | None
    valid: float
    scores: np.ndarray
    on_valid: np.ndarray


def score_window_model(data: Path, manifest: Manifest, model: str, k: int | None) -> ScoredBaseline:
    """Fit a model on train, choose on valid, score test.

    Args:
        data: dataset folder of windows or bins.
        manifest: its manifest, or that of one of its folds.
        model: one of `BASELINES`.
        k: length of the k-mers, or order of the chains; None for the default.

    Raises:
        DatasetError: a split is not there.
    """
    splits = {name: read_split(data, name, manifest.fold) for name in ("train", "valid", "test")}
    if manifest.resolution_bp:
        splits = {name: split.bins(manifest.resolution_bp) for name, split in splits.items()}
    task = TASKS[manifest.task]
    metric = task.metric
    if task.numbers:
        return _score_ridge(splits, manifest, model, k)
    labels = list(BASELINES[model](splits, k, _auprc if metric == "auprc" else _auroc))
    valid = np.array([label.valid for label in labels])
    result = BaselineResult(
        baseline=model,
        n_bp=len(splits["train"].codes),
        k=k,
        chosen=tuple(label.chosen for label in labels),
        metric=metric,
        valid=float(np.nanmean(valid)) if (~np.isnan(valid)).any() else None,
    )
    truth = splits["valid"].labels.reshape(len(splits["valid"]), -1)
    log_odds = [_log_odds(label, truth[:, number]) for number, label in enumerate(labels)]
    logits = np.stack(log_odds, axis=1).astype(np.float32)
    scores, counts = score_windows(splits["test"], logits, manifest.labels, one_of=TASKS[manifest.task].one_of)
    return ScoredBaseline(result, scores, len(splits["test"]), counts)


def _score_ridge(splits: Splits, manifest: Manifest, model: str, k: int | None) -> ScoredBaseline:
    """Ridge regression of each number on the counts of k-mers of both strands; chosen on valid: strength of the penalty.

    Raises:
        ConfigError: another model.
    """
    from sklearn.linear_model import Ridge  # scikit-learn takes a second to import
    from sklearn.preprocessing import StandardScaler

    features = {name: kmer_counts(split, k or KMER_BP) for name, split in splits.items()}
    scaler = StandardScaler().fit(features["train"])
    features = {name: scaler.transform(values) for name, values in features.items()}
    truth = _truth(splits)
    chosen, valid, predicted = [], [], []
    for target in range(truth["train"].shape[1]):
        known = ~np.isnan(truth["train"][:, target])
        fits = []
        for strength in STRENGTHS if known.any() else ():
            ridge = Ridge(alpha=1 / strength).fit(features["train"][known], truth["train"][known, target])
            on_valid = ridge.predict(features["valid"])[:, None]
            score = float(measure_numbers(truth["valid"][:, [target]], on_valid)[0, 0])
            fits.append(FittedLabel(strength, score, ridge.predict(features["test"]), on_valid[:, 0]))
        best = _best(fits) if fits else FittedLabel(None, float("nan"), np.zeros(len(splits["test"])), np.zeros(0))
        chosen.append(best.chosen)
        valid.append(best.valid)
        predicted.append(best.scores)
    result = BaselineResult(
        baseline=model,
        n_bp=len(splits["train"].codes),
        k=k,
        chosen=tuple(chosen),
        metric=TASKS[manifest.task].metric,
        valid=float(np.nanmean(valid)) if not np.isnan(valid).all() else None,
    )
    values = np.stack(predicted, axis=1).astype(np.float32)
    scores, counts = score_number_windows(splits["test"], values, manifest.labels)
    return ScoredBaseline(result, scores, len(splits["test"]), counts)


def kmer_model(splits: Splits, k: int | None, metric: Metric) -> Iterator[FittedLabel]:
    """Logistic regression on the counts of k-mers of both strands, balanced by class; chosen: strength of the penalty."""
    from sklearn.linear_model import LogisticRegression  # scikit-learn takes a second to import
    from sklearn.preprocessing import StandardScaler

    features = {name: kmer_counts(split, k or KMER_BP) for name, split in splits.items()}
    scaler = StandardScaler().fit(features["train"])
    features = {name: scaler.transform(values) for name, values in features.items()}
    truth = _truth(splits)
    for label in range(truth["train"].shape[1]):
        known = truth["train"][:, label] != MISSING
        target = truth["train"][known, label]
        if len(np.unique(target)) < 2:
            yield FittedLabel(None, float("nan"), *(np.zeros(len(splits[name])) for name in ("test", "valid")))
            continue
        fits = []
        for strength in STRENGTHS:
            model = LogisticRegression(C=strength, class_weight="balanced", max_iter=1000)
            model.fit(features["train"][known], target)
            on_valid = model.decision_function(features["valid"])
            score = metric(truth["valid"][:, label], on_valid)
            fits.append(FittedLabel(strength, score, model.decision_function(features["test"]), on_valid))
        yield _best(fits)


def markov_model(splits: Splits, k: int | None, metric: Metric) -> Iterator[FittedLabel]:
    """Two Markov chains, of windows with and without the label; the score is the mean log ratio per base. Chosen: the order."""
    orders = MARKOV_ORDERS if k is None else (k,)
    truth = _truth(splits)
    ratios = {order: log_ratios(class_counts(splits["train"], order + 1, truth["train"])) for order in orders}
    for label in range(truth["train"].shape[1]):
        fits = []
        for order, ratio in ratios.items():
            scores = {name: kmer_means(splits[name], order + 1, ratio[label]) for name in ("valid", "test")}
            score = metric(truth["valid"][:, label], scores["valid"])
            fits.append(FittedLabel(order, score, scores["test"], scores["valid"]))
        yield _best(fits)


def cpg_model(splits: Splits, k: int | None, metric: Metric) -> Iterator[FittedLabel]:
    """The number of CpGs; chosen: 1 where train says that they speak for the label, -1 where against it."""
    counts = {name: cpg_counts(split).astype(float) for name, split in splits.items()}
    truth = _truth(splits)
    for label in range(truth["train"].shape[1]):
        sign = -1 if _auroc(truth["train"][:, label], counts["train"]) < 0.5 else 1
        valid = metric(truth["valid"][:, label], sign * counts["valid"])
        yield FittedLabel(sign, valid, sign * counts["test"], sign * counts["valid"])


BASELINES: Mapping[str, Callable[[Splits, int | None, Metric], Iterator[FittedLabel]]] = MappingProxyType(
    {"kmer": kmer_model, "markov": markov_model, "cpg": cpg_model}
)
"""Models by the name that `dnaspt baseline --model` and a study's `init` take."""


def kmer_counts(split: Split, k: int) -> np.ndarray:
    """Share of each k-mer among those of a window; a k-mer and its reverse complement are one: (n, M) float32.

    k-mers with an N are not counted.
    """
    column = np.unique(canonical_kmers(np.arange(4**k), k), return_inverse=True)[1]
    n_columns = int(column.max()) + 1
    features = np.zeros((len(split), n_columns), dtype=np.float32)
    for rows, kmers, owner in window_kmers(split, k):
        n_rows = rows.stop - rows.start
        counts = np.bincount(owner * n_columns + column[kmers], minlength=n_rows * n_columns)
        counts = counts.reshape(n_rows, n_columns)
        features[rows] = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    return features


def window_kmers(split: Split, k: int) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """k-mers without N, some windows at a time.

    Yields:
        rows of the split, numbers of their k-mers (m,), and the row of each k-mer, counted from the first of the rows (m,).
    """
    first = 0
    while first < len(split):
        beyond = int(np.searchsorted(split.offsets, split.offsets[first] + _CHUNK_BP, side="right")) - 1
        last = min(max(beyond, first + 1), len(split))
        tokens = alphabet.tokens(split.codes[split.offsets[first] : split.offsets[last]])
        owner = np.repeat(np.arange(last - first), np.diff(split.offsets[first : last + 1]))
        kmers, known = number_kmers(tokens, k).astype(np.int64), known_kmers(tokens, k)
        n_kmers = len(kmers)
        known &= owner[:n_kmers] == owner[len(tokens) - n_kmers :]
        yield slice(first, last), kmers[known], owner[:n_kmers][known]
        first = last


def class_counts(split: Split, k: int, truth: np.ndarray) -> np.ndarray:
    """How often each k-mer, on either strand, occurs in windows without and with each label: (n, K) -> (K, 2, 4**k) int64."""
    n_labels = truth.shape[1]
    counts = np.zeros((n_labels, 2, 4**k), dtype=np.int64)
    for rows, kmers, owner in window_kmers(split, k):
        for label in range(n_labels):
            for value in (0, 1):
                inside = (truth[rows, label] == value)[owner]
                counts[label, value] += np.bincount(kmers[inside], minlength=4**k)
    return counts + counts[:, :, reverse_complement_kmers(np.arange(4**k), k)]


def kmer_means(split: Split, k: int, scores: np.ndarray) -> np.ndarray:
    """Mean score of a window's k-mers and of their reverse complements: scores (4**k,) -> (n,) float64."""
    both = (scores + scores[reverse_complement_kmers(np.arange(4**k), k)]) / 2
    means = np.zeros(len(split))
    for rows, kmers, owner in window_kmers(split, k):
        n_rows = rows.stop - rows.start
        n_kmers = np.bincount(owner, minlength=n_rows)
        means[rows] = np.bincount(owner, weights=both[kmers], minlength=n_rows) / np.maximum(1, n_kmers)
    return means


def log_ratios(counts: np.ndarray) -> np.ndarray:
    """Log ratio of the probabilities of each k-mer's last base, given the bases before: (K, 2, 4**k) -> (K, 4**k)."""
    pairs = counts.reshape(*counts.shape[:2], -1, 4) + 1.0
    logs = np.log(pairs / pairs.sum(axis=-1, keepdims=True)).reshape(counts.shape)
    return np.asarray(logs[:, 1] - logs[:, 0])


def _truth(splits: Splits) -> dict[str, np.ndarray]:
    """Labels (n, K) of each split."""
    return {name: split.labels.reshape(len(split), -1) for name, split in splits.items()}


def _auroc(truth: np.ndarray, scores: np.ndarray) -> float:
    """AUROC of one label."""
    return float(auroc(truth[:, None], scores[:, None])[0])


def _auprc(truth: np.ndarray, scores: np.ndarray) -> float:
    """AUPRC of one label."""
    return float(auprc(truth[:, None], scores[:, None])[0])


def _log_odds(fitted: FittedLabel, truth: np.ndarray) -> np.ndarray:
    """Scores of the test windows as log-odds (n,) that fit valid, so that those of several folds are on one scale.

    The order of the windows stays as it is.

    Args:
        fitted: the model of a label.
        truth: the label of the valid windows (m,), which may be missing.
    """
    spread = float(np.std(fitted.on_valid)) or 1.0
    mean = float(np.mean(fitted.on_valid)) if len(fitted.on_valid) else 0.0
    on_valid, test = ((scores - mean) / spread for scores in (fitted.on_valid, fitted.scores))
    return fit_calibrator(truth[:, None], on_valid[:, None]).log_odds(test[:, None])[:, 0]


def _best(fits: list[FittedLabel]) -> FittedLabel:
    """The fit with the best score on valid; the first where none is defined."""
    return max(fits, key=lambda fit: -1.0 if np.isnan(fit.valid) else fit.valid)
