"""Log-odds of labels to calibrated ones."""

from typing import NamedTuple

import numpy as np
from scipy.special import expit, logsumexp


class Calibrator(NamedTuple):
    """What makes probabilities of log-odds, so that of windows that get 0.3 three in ten have the label.

    It divides log-odds by a temperature that all labels share (Guo et al. 2017), and adds a bias for each label. The ranking of
    windows by a label stays as it is.

    Attributes:
        temperature: above 0; more than 1 makes probabilities less extreme.
        biases: in nats, of each label (K,); empty where all are 0.
        one_of: whether each window has one of the labels: what a model gives are then scores of classes, and the log-odds are
            those of a class against all others.
        of_numbers: whether a model predicts numbers, of which there are no log-odds; biases are then in their units.
        slopes: of numbers, what those of each label (K,) are multiplied by; empty where all are 1.
    """

    temperature: float = 1.0
    biases: tuple[float, ...] = ()
    one_of: bool = False
    of_numbers: bool = False
    slopes: tuple[float, ...] = ()

    @property
    def plain(self) -> "Calibrator":
        """The same for log-odds that are not calibrated."""
        return Calibrator(one_of=self.one_of, of_numbers=self.of_numbers)

    def predictions(self, raw: np.ndarray) -> np.ndarray:
        """Probabilities (n, bins * K) float32 of the labels, or the numbers themselves that a model gives.

        Args:
            raw: log-odds or numbers that a model gives (n, bins * K).
        """
        values = self.log_odds(raw)
        return (values if self.of_numbers else expit(values)).astype(np.float32)

    def log_odds(self, raw: np.ndarray) -> np.ndarray:
        """Calibrated log-odds (n, bins * K) float64 of those that a model gives; or calibrated numbers.

        Args:
            raw: log-odds or numbers that a model gives (n, bins * K).
        """
        if self.of_numbers:
            return np.asarray(raw * np.array(self.slopes or (1.0,)) + np.array(self.biases or (0.0,)))
        scaled = raw.astype(np.float64) / self.temperature
        if self.biases:
            scaled = (scaled.reshape(-1, len(self.biases)) + np.array(self.biases)).reshape(raw.shape)
        return against_others(scaled) if self.one_of else scaled


def against_others(scores: np.ndarray) -> np.ndarray:
    """Log-odds (n, K) of each class against all others together, of which exactly one is true, from scores (n, K)."""
    shares = scores - logsumexp(scores, axis=1, keepdims=True)
    return np.asarray(shares - np.log(-np.expm1(np.minimum(shares, -1e-16))))
