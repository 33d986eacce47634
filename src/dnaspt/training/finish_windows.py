"""What a model of windows still needs after training, all of it chosen on valid.

That is one strand or the mean of both, the share of the composition, and what makes probabilities of log-odds; for an ensemble
also the weights of its models.
"""

import logging
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from dnaspt.data.bootstrap_blocks import window_blocks
from dnaspt.data.dataset import Split
from dnaspt.evaluation.calibration import fit_calibrator, fit_numbers
from dnaspt.evaluation.evaluate import mean_scores, window_logits
from dnaspt.genome.gene_states import MISSING

if TYPE_CHECKING:
    from dnaspt.models.task_model import TaskModel
    from dnaspt.training.fit_composition import FittedComposition

log = logging.getLogger(__name__)

USUAL_SHARE = 0.75
"""Share of the composition where valid is too small to say (`benchmarks/composition_share.py`)."""
_LEAST_TOTAL = 1e-3
"""Share of the usual sum of weights below which they say nothing of the labels."""
_PRECISE = {"ftol": 1e-12}
"""How precisely weights are searched."""


class FinishedWindows(NamedTuple):
    """What was chosen, as the description of the checkpoint names it, and the scores that the model then has on valid."""

    description: dict[str, Any]
    scores: dict[str, float]


def finish_windows(
    model: "TaskModel",
    valid: Split,
    labels: tuple[str, ...],
    average_strands: Literal["auto", "always", "never"],
    composition: "FittedComposition | None" = None,
    frequencies: np.ndarray | None = None,
) -> FinishedWindows:
    """Choose all of it on valid, and let the model predict so.

    Args:
        model: a trained model of windows; the share of its composition is set.
        valid: windows of the valid split.
        labels: names of the K labels.
        average_strands: auto: both strands where their mean has the higher mean AUROC.
        composition: what the model's composition was set to; None where it has none.
        frequencies: share of the train windows in which each label is true (K,); None for that of valid.
    """
    from dnaspt.models.heads import NumbersHead  # torch: seconds

    truth = valid.labels.reshape(-1, len(labels))
    if model.composition is not None:
        model.composition.share = 0.0  # of a checkpoint that is finished once more
    both_strands, log_odds = _choose_strands(model, valid, truth, average_strands)
    share = None
    if composition is not None:
        assert model.composition is not None
        of_kmers = composition.log_odds(valid)
        usual = np.array([1 - USUAL_SHARE, USUAL_SHARE])
        share = round(float(fit_weights(np.stack([log_odds, of_kmers]), truth, blocks_of(valid), usual)[1]), 4)
        log.info("share of the composition: %.2f", share)
        model.composition.share = share
        log_odds = (1 - share) * log_odds + share * of_kmers
    chosen = {"both_strands": both_strands, "composition": share}
    plain = model.calibrator.plain
    scores = {f"valid_{name}": score for name, score in mean_scores(truth, plain.log_odds(log_odds)).items()}
    if model.calibrator.of_numbers:
        numbers = fit_numbers(truth, log_odds, is_count=isinstance(model.head, NumbersHead) and model.head.is_count)
        named = mean_scores(truth, numbers.log_odds(log_odds))
        return FinishedWindows(
            chosen | {"slopes": numbers.slopes, "biases": numbers.biases},
            {f"valid_{name}": score for name, score in named.items()},
        )
    found = fit_calibrator(truth, log_odds, frequencies, one_of=model.calibrator.one_of)
    return FinishedWindows(chosen | {"temperature": found.temperature, "biases": found.biases}, scores)


def _choose_strands(
    model: "TaskModel", valid: Split, truth: np.ndarray, asked: Literal["auto", "always", "never"]
) -> tuple[bool, np.ndarray]:
    """Whether both strands are averaged, and the log-odds of valid (n, K) that are predicted so."""
    found = {
        both: window_logits(model, valid, average_strands=both).reshape(truth.shape)
        for both, unwanted in ((False, "always"), (True, "never"))
        if asked != unwanted
    }
    if len(found) == 1:
        return next(iter(found.items()))
    plain = model.calibrator.plain
    metric = "pearson" if plain.of_numbers else "auroc"
    one, both = (mean_scores(truth, plain.log_odds(found[kind]))[metric] for kind in (False, True))
    log.info("%s of one strand on valid %.4f, of both averaged %.4f", metric, one, both)
    return both > one, found[both > one]


def blocks_of(split: Split) -> np.ndarray:
    """Block of 10 kb of each window (n,)."""
    return window_blocks(split.chrom.astype(str), split.start, split.end)


def fit_weights(
    log_odds: np.ndarray, truth: np.ndarray, blocks: np.ndarray, usual: np.ndarray | None = None, hold: float = 1.0
) -> np.ndarray:
    """Weights (M,) of the log-odds of M models by which the labels are most probable: none is below 0, their sum is 1.

    Each label has a constant of its own, and all log-odds a common factor; neither is kept. Weights are held near usual ones, the
    more so the fewer blocks have the rarer value of any label: windows next to each other say hardly more than one of them.

    Args:
        log_odds: of the models (M, n, K).
        truth: labels (n, K), which may be missing.
        blocks: block of each window (n,).
        usual: weights (M,) that need no evidence; None for those that are all alike.
        hold: how strongly they are held: of two models and one block, moving a weight by 0.5 costs so many nats.
    """
    known = truth != MISSING
    n_models, target = len(log_odds), np.where(known, truth, 0)
    center = np.full(n_models, 1 / n_models) if usual is None else usual
    n_rare = min(len(np.unique(blocks[(truth == value).any(axis=1)])) for value in (0, 1))
    if not n_rare:
        return center

    log_odds = log_odds - log_odds.mean(axis=1, keepdims=True)  # a network's may be nats off for all windows of a label
    near = center / max(float(np.tensordot(center, log_odds, axes=1)[known].std()), 1e-6)  # log-odds of usual size

    def cost(values: np.ndarray) -> tuple[float, np.ndarray]:
        weights, constants = values[:n_models], values[n_models:]
        total = max(weights.sum(), _LEAST_TOTAL * near.sum())
        apart, strength = weights / total - center, hold * n_models / n_rare
        scores = np.tensordot(weights, log_odds, axes=1) + constants
        nats = (np.logaddexp(0, scores) - target * scores)[known].mean()
        slopes = np.where(known, expit(scores) - target, 0) / known.sum()
        of_weights = np.tensordot(log_odds, slopes, axes=((1, 2), (0, 1)))
        of_weights += 2 * strength * (apart - apart @ weights / total) / total
        return float(nats + strength * apart @ apart), np.concatenate([of_weights, slopes.sum(axis=0)])

    constants = np.zeros(truth.shape[1])
    bounds = [(0, None)] * n_models + [(None, None)] * truth.shape[1]
    # The cost may have several valleys, so it is searched from near the usual weights, and from near each model alone.
    starts = [near, *(near.sum() * (0.1 * center + 0.9 * own) for own in np.eye(n_models))]
    ended = [
        minimize(cost, np.concatenate([start, constants]), jac=True, method="L-BFGS-B", bounds=bounds, options=_PRECISE)
        for start in starts
    ]
    found = min(ended, key=lambda one: one.fun).x[:n_models]
    if found.sum() <= _LEAST_TOTAL * near.sum():
        log.warning("no weights of the models make the labels of valid more probable: the usual ones are taken")
        found = center
    return np.asarray(found / found.sum())
