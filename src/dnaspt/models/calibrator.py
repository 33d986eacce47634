"""Log-odds of labels to calibrated ones."""

from typing import NamedTuple

import numpy as np


class Calibrator(NamedTuple):
    """What makes probabilities of log-odds, so that of windows that get 0.3 three in ten have the label.

    It divides log-odds by a temperature that all labels share (Guo et al. 2017), and adds a bias for each label. The ranking of
    windows by a label stays as it is.

    Attributes:
        temperature: above 0; more than 1 makes probabilities less extreme.
        biases: in nats, of each label (K,); empty where all are 0.
    """

    temperature: float = 1.0
    biases: tuple[float, ...] = ()

    def log_odds(self, raw: np.ndarray) -> np.ndarray:
        """Calibrated log-odds (n, bins * K) float64 of those that a model gives."""
        scaled = raw.astype(np.float64) / self.temperature
        if not self.biases:
            return scaled
        by_label = scaled.reshape(-1, len(self.biases)) + np.array(self.biases)
        return np.asarray(by_label.reshape(raw.shape))
