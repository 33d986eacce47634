"""Confidence intervals: percentile bootstraps over blocks of the genome (Efron and Tibshirani 1993).

Neighboring bases and windows are not independent, so blocks of about 10 kb are drawn with replacement, not bases.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

N_BOOTSTRAP = 1000
"""Resamples of a bootstrap."""
_CHUNK = 1 << 22
"""Numbers held in memory at a time while resampling (32 MB of float64)."""


@dataclass(frozen=True, slots=True)
class ConfidenceInterval:
    """Bounds of an interval, of 95 % unless another level is said; nan where the score is not defined."""

    low: float
    high: float


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
    """The statistic (n, ...) of n resamples; see `bootstrap`.

    Args:
        blocks: counts of B blocks (B, ...), which add up.
        statistic: summed counts of R resamples (R, ...) -> (R, ...).
        n: number of resamples.
        seed: seed of the draw.
    """
    flat = blocks.reshape(len(blocks), -1).astype(np.float64)
    sums = (weights @ flat for weights in block_weights(len(blocks), len(blocks), n, seed))
    return np.concatenate([statistic(part.reshape(-1, *blocks.shape[1:])) for part in sums])


def percentile_interval(values: np.ndarray, level: float = 0.95) -> ConfidenceInterval:
    """The middle 95 % (or other share `level`) of resampled values; undefined (nan) resamples are left out.

    Args:
        values: a score of each of n resamples (n,).
        level: share of the values that lies between the bounds.
    """
    defined = values[~np.isnan(values)]
    if not defined.size:
        return ConfidenceInterval(math.nan, math.nan)
    low, high = np.percentile(defined, (50 - 50 * level, 50 + 50 * level))
    return ConfidenceInterval(float(low), float(high))


def block_weights(n_blocks: int, width: int, n: int, seed: int) -> Iterator[np.ndarray]:
    """How often each block is drawn: chunks (R, n_blocks) float64 of n resamples, R such that R * width stays small.

    Args:
        n_blocks: blocks to draw from.
        width: numbers that the caller makes of each resample; bounds R where it is more than `n_blocks`.
        n: number of resamples.
        seed: seed of the draw.
    """
    rng = np.random.default_rng(seed)
    rows = max(1, _CHUNK // max(n_blocks, width, 1))
    for first in range(0, n, rows):
        n_rows = min(rows, n - first)
        drawn = rng.integers(max(n_blocks, 1), size=(n_rows, n_blocks)) + np.arange(n_rows)[:, None] * n_blocks
        counts = np.bincount(drawn.ravel(), minlength=n_rows * n_blocks)
        yield counts.reshape(n_rows, n_blocks).astype(np.float64)
