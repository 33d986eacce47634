"""95 % intervals of means over few seeds and few test blocks, wide enough for both being few.

A bootstrap of three seeds covers a true value three times in four, one of six blocks six times in seven. So the spread between
seeds enters as Student's t, and the deviations that resampled blocks show are widened by the same distribution (the idea of
Hesterberg 2015, The American Statistician 69(4), whose expanded percentiles do it by the level).
"""

import numpy as np
from scipy.special import ndtri, stdtrit

from dnaspt.evaluation.metrics import ConfidenceInterval, Score, percentile_interval


def score_of_seeds(values: np.ndarray, resampled: np.ndarray, n_blocks: int) -> Score:
    """Mean over the seeds with its interval; undefined where there is one block.

    Args:
        values: (seeds,) of a metric, or of the gain in it paired by seed.
        resampled: (seeds, R) the same on resampled test blocks, the same draws for all seeds.
        n_blocks: of the test split.
    """
    value = float(values.mean())
    if n_blocks < 2:
        return Score.of(value, ConfidenceInterval(float("nan"), float("nan")))
    return Score.of(value, percentile_interval(drawn_means(values, resampled, n_blocks)))


def drawn_means(values: np.ndarray, resampled: np.ndarray, n_blocks: int, level: float = 0.95) -> np.ndarray:
    """Means over the seeds (R,) as other seeds and blocks might have given them; their middle is the interval of that level.

    See `score_of_seeds`; n_blocks is 2 or more.
    """
    value = float(values.mean())
    drawn = value + _widening(n_blocks, level) * (resampled.mean(axis=0) - value)
    if (n := len(values)) > 1:
        quantiles = stdtrit(n - 1, (np.arange(len(drawn)) + 0.5) / len(drawn))
        drawn += np.random.default_rng(1).permutation(quantiles) * values.std(ddof=1) / np.sqrt(n)
    return np.asarray(drawn)


def _widening(n_blocks: int, level: float) -> float:
    """By which a bootstrap of so many blocks is too narrow."""
    end = (1 + level) / 2
    return float(np.sqrt(n_blocks / (n_blocks - 1)) * stdtrit(n_blocks - 1, end) / ndtri(end))
