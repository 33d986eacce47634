"""Whether probabilities are what they say: of windows that get 0.3, three in ten should have the label."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, log_softmax, logit

from dnaspt.genome.gene_states import MISSING
from dnaspt.models.calibrator import Calibrator

N_BINS = 10
MOST_TEMPERATURE = 10.0
"""Temperatures are kept between its inverse and this: a valid split says little about extreme ones."""
_HALVINGS = 50
"""Steps that find a shift: each halves the range of log-odds in which it lies."""
_LEAST_VALUES = 20
"""Known values of a label from which a slope is fitted."""


class ReliabilityBin(NamedTuple):
    """Predictions of like probability: how many, their mean probability, and the share that is true."""

    n: int
    probability: float
    share: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """How far probabilities are from frequencies (Naeini, Cooper and Hauskrecht 2015), over all labels together.

    Attributes:
        error: expected calibration error: the mean difference between probability and frequency, over the predictions; nan where
            no label is known.
        bins: predictions by probability, in ten bins of equal width; empty ones are left out.
    """

    error: float
    bins: tuple[ReliabilityBin, ...]

    @classmethod
    def of(cls, truth: np.ndarray, log_odds: np.ndarray) -> "Calibration":
        """Calibration of log-odds (n, K), from labels (n, K) that may be missing."""
        known = truth != MISSING
        probabilities, labels = expit(log_odds[known].astype(np.float64)), truth[known].astype(float)
        number = np.minimum((probabilities * N_BINS).astype(int), N_BINS - 1)
        n = np.bincount(number, minlength=N_BINS)
        sums = [np.bincount(number, values, N_BINS) for values in (probabilities, labels)]
        filled = np.flatnonzero(n)
        means, shares = (own[filled] / n[filled] for own in sums)
        error = float(np.abs(means - shares) @ n[filled] / n.sum()) if n.any() else math.nan
        rows = zip(n[filled].tolist(), means.tolist(), shares.tolist(), strict=True)
        return cls(error, tuple(ReliabilityBin(*row) for row in rows))

    def to_dict(self) -> dict[str, Any]:
        """Content for JSON."""
        return {"expected_calibration_error": self.error, "bins": [list(own) for own in self.bins]}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> "Calibration":
        """From the content of a JSON file.

        Raises:
            KeyError, TypeError, ValueError: not what `to_dict` gives.
        """
        bins = (ReliabilityBin(int(n), float(probability), float(share)) for n, probability, share in raw["bins"])
        return cls(float(raw["expected_calibration_error"]), tuple(bins))


def label_frequencies(labels: np.ndarray) -> np.ndarray:
    """Share of windows in which each label is true (K,), of labels (n, K) that may be missing, plus one window of each kind."""
    positives, negatives = (labels == 1).sum(axis=0) + 1, (labels == 0).sum(axis=0) + 1
    return np.asarray(positives / (positives + negatives))


def fit_calibrator(
    truth: np.ndarray, log_odds: np.ndarray, frequencies: np.ndarray | None = None, *, one_of: bool = False
) -> Calibrator:
    """What makes labels (n, K) most probable by log-odds (n, K): a temperature for all of them, and a bias for each.

    A model may rank windows well and yet give all of them far too large log-odds. So these are first shifted until their mean
    probability is the frequency of the label. Few windows say little, so what is added to that is held near 0, and the
    temperature near 1, by normal priors with a standard deviation of 1 nat.

    Args:
        truth: labels (n, K) of 0 or 1, which may be missing.
        log_odds: those of a model (n, K).
        frequencies: share of the train windows in which each label is true (K,), above 0 and below 1; None for that of `truth`.
        one_of: whether each window has one of the labels; `log_odds` are then scores of classes.
    """
    known = truth != MISSING
    labels, scores = np.where(known, truth, 0).astype(float), log_odds.astype(np.float64)
    expected = label_frequencies(truth) if frequencies is None else frequencies
    expected = expected / expected.sum() if one_of else expected
    shift = _shift_to(scores, expected, one_of=one_of)
    usual = np.log(expected) if one_of else logit(expected)
    scores = scores + shift - usual  # 0 where a window is as probable as any

    def cost(values: np.ndarray) -> tuple[float, np.ndarray]:
        scaled = scores * np.exp(-values[0])
        calibrated = scaled + usual + values[1:]
        if one_of:
            shares = log_softmax(calibrated, axis=1)
            nats, slopes = -(labels * shares).sum(), np.where(known, np.exp(shares) - labels, 0)
        else:
            nats = (np.logaddexp(0, calibrated) - labels * calibrated)[known].sum()
            slopes = np.where(known, expit(calibrated) - labels, 0)
        gradient = np.array([-(slopes * scaled).sum(), *slopes.sum(axis=0)])
        return float(nats + values @ values / 2), gradient + values

    bound = np.log(MOST_TEMPERATURE)
    bounds = [(-bound, bound), *[(None, None)] * len(usual)]
    found = minimize(cost, np.zeros(1 + len(usual)), jac=True, method="L-BFGS-B", bounds=bounds).x
    temperature = float(np.exp(found[0]))
    return Calibrator(temperature, tuple(((shift - usual) / temperature + usual + found[1:]).tolist()), one_of)


def _shift_to(scores: np.ndarray, frequencies: np.ndarray, *, one_of: bool) -> np.ndarray:
    """What is to be added to log-odds, or scores of classes (n, K), so that their mean probabilities are the frequencies (K,)."""
    if not len(scores):
        return np.zeros(len(frequencies))
    if one_of:

        def cost(shift: np.ndarray) -> tuple[float, np.ndarray]:
            shares = log_softmax(scores + shift, axis=1)
            nats = (scores + shift - shares)[:, 0].mean() - frequencies @ shift
            return float(nats), np.exp(shares).mean(axis=0) - frequencies

        found = minimize(cost, np.log(frequencies) - scores.mean(axis=0), jac=True, method="L-BFGS-B").x
        return np.asarray(found - found.mean())
    low, high = logit(frequencies) - scores.max(axis=0), logit(frequencies) - scores.min(axis=0)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        is_less = expit(scores + middle).mean(axis=0) < frequencies
        low, high = np.where(is_less, middle, low), np.where(is_less, high, middle)
    return np.asarray((low + high) / 2)


def fit_numbers(truth: np.ndarray, predicted: np.ndarray, *, is_count: bool) -> Calibrator:
    """Slope and bias of each label that bring predicted numbers closest to measured ones (least squares); no ranking changes.

    A label with few values gets no slope; counts get no bias, so that none is predicted below 0.

    Args:
        truth: measured numbers (n, K), nan where missing.
        predicted: those of a model (n, K).
        is_count: whether they are counts.
    """
    slopes, biases = np.ones(truth.shape[1]), np.zeros(truth.shape[1])
    for k in range(truth.shape[1]):
        known = ~np.isnan(truth[:, k])
        y, x = truth[known, k].astype(np.float64), predicted[known, k].astype(np.float64)
        if is_count:
            slopes[k] = y.mean() / x.mean() if len(y) and x.mean() > 0 and y.mean() > 0 else 1.0
            continue
        if len(y) >= _LEAST_VALUES and x.std() > 0:
            slope = float(np.cov(x, y, bias=True)[0, 1] / x.var())
            slopes[k] = slope if slope > 0 else 1.0
        biases[k] = (y - slopes[k] * x).mean() if len(y) else 0.0
    return Calibrator(of_numbers=True, slopes=tuple(slopes.tolist()), biases=tuple(biases.tolist()))
