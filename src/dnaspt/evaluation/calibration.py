"""Whether probabilities are what they say: of windows that get 0.3, three in ten should have the label."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit

from dnaspt.genome.gene_states import MISSING

N_BINS = 10
MOST_TEMPERATURE = 10.0
"""Temperatures are kept between its inverse and this: a valid split says little about extreme ones."""


class ReliabilityBin(NamedTuple):
    """Predictions of like probability: how many, their mean probability, and the share that is true."""

    n: int
    probability: float
    share: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """How far probabilities are from frequencies (Naeini, Cooper and Hauskrecht 2015), over all labels together.

    Attributes:
        error: expected calibration error: the mean difference between probability and frequency, over the predictions.
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
        error = float(np.abs(means - shares) @ n[filled] / max(n.sum(), 1))
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


def fit_temperature(truth: np.ndarray, log_odds: np.ndarray) -> float:
    """The number by which log-odds (n, K) are to be divided to make labels (n, K) most probable (Guo et al. 2017).

    One number for all labels, which changes no ranking; 1 where no label is known.
    """
    known = truth != MISSING
    if not known.any():
        return 1.0
    margins = (2.0 * truth[known] - 1) * log_odds[known].astype(np.float64)

    def nats(log_temperature: float) -> float:
        return float(np.logaddexp(0, -margins * np.exp(-log_temperature)).mean())

    bound = np.log(MOST_TEMPERATURE)
    return float(np.exp(minimize_scalar(nats, bounds=(-bound, bound), method="bounded").x))
