"""Predicted numbers against measured ones: Pearson and Spearman correlation and R2 of each target, with 95 % intervals.

Missing values (nan) are skipped. A correlation with predictions that are all alike counts as 0: they say nothing. Intervals are
percentile bootstraps over blocks, as those of the other scores.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from dnaspt.evaluation.bootstrap import N_BOOTSTRAP, block_weights, percentile_interval
from dnaspt.evaluation.metrics import Score, mean_rows
from dnaspt.frozen_dict import freeze

NUMBER_NAMES = MappingProxyType({"pearson": "Pearson", "spearman": "Spearman", "r2": "R2"})
"""Measures of a target as tables call them; higher is better for all."""
MEASURES = tuple(NUMBER_NAMES)
"""Measures of a target, in the order of the columns below."""


@dataclass(frozen=True, slots=True)
class NumberScores:
    """Scores of predicted numbers.

    Attributes:
        by_target: for each of `MEASURES` the score of each target.
        mean: for each of `MEASURES` the mean over the targets for which it is defined.
        undefined: targets without two different values: no correlation is defined.
        n_blocks: blocks that intervals resample.
    """

    by_target: Mapping[str, Mapping[str, Score]]
    mean: Mapping[str, Score]
    undefined: tuple[str, ...]
    n_blocks: int

    def __post_init__(self) -> None:
        freeze(self, "by_target", "mean")

    @property
    def targets(self) -> tuple[str, ...]:
        """Names of the targets."""
        return tuple(self.by_target[MEASURES[0]])

    def to_dict(self) -> dict[str, Any]:
        """Content of a JSON file: nan becomes None."""
        content: dict[str, Any] = {f"mean_{name}": score.to_dict() for name, score in self.mean.items()}
        for name, scores in self.by_target.items():
            content[name] = {target: score.to_dict() for target, score in scores.items()}
        return content | {"undefined": list(self.undefined), "n_blocks": self.n_blocks}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> "NumberScores":
        """Scores from the content of a JSON file.

        Raises:
            ValueError: measures are not of the same targets.
        """
        by_target = {name: {target: _read(name, score) for target, score in raw[name].items()} for name in MEASURES}
        if len({tuple(scores) for scores in by_target.values()}) > 1:
            raise ValueError("measures are of other targets")
        mean = {name: _read(name, raw[f"mean_{name}"]) for name in MEASURES}
        return cls(by_target, mean, tuple(raw["undefined"]), raw["n_blocks"])


def _read(measure: str, raw: Mapping[str, float | None]) -> Score:
    """A score from the content of a JSON file; an R2 has no lower bound."""
    return Score.from_dict(raw, least=-math.inf if measure == "r2" else -1)


def number_scores(
    truth: np.ndarray,
    predicted: np.ndarray,
    blocks: np.ndarray,
    names: Sequence[str],
    *,
    n: int = N_BOOTSTRAP,
    seed: int = 0,
) -> NumberScores:
    """Score predictions of K targets for n windows.

    Args:
        truth: measured values (n, K), nan where missing.
        predicted: predicted ones (n, K).
        blocks: block of each window (n,), 0..B-1.
        names: names of the K targets.
        n: number of resamples.
        seed: seed of the draw.
    """
    values = measure_numbers(truth, predicted)
    drawn = resampled_measures(truth, predicted, blocks, n=n, seed=seed)
    drawn[:, np.isnan(values)] = np.nan
    by_target = {
        measure: {name: Score.of(values[m, k], percentile_interval(drawn[:, m, k])) for k, name in enumerate(names)}
        for m, measure in enumerate(MEASURES)
    }
    mean = {
        measure: Score.of(float(mean_rows(values[None, m])[0]), percentile_interval(mean_rows(drawn[:, m])))
        for m, measure in enumerate(MEASURES)
    }
    undefined = tuple(name for name, value in zip(names, values[0], strict=True) if np.isnan(value))
    return NumberScores(by_target, mean, undefined, int(blocks.max(initial=-1)) + 1)


def measure_numbers(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Pearson, Spearman and R2 (3, K) of K targets: measured (n, K), nan where missing, and predicted (n, K)."""
    everything = np.zeros(len(truth), dtype=np.int64)
    columns = [_Target.of(truth[:, k], predicted[:, k]) for k in range(truth.shape[1])]
    one = np.ones((1, 1))
    return np.stack([column.measures(one, everything)[0] for column in columns], axis=-1)


def resampled_measures(
    truth: np.ndarray, predicted: np.ndarray, blocks: np.ndarray, *, n: int = N_BOOTSTRAP, seed: int = 0
) -> np.ndarray:
    """Pearson, Spearman and R2 (n, 3, K) of n resamples of the blocks; see `number_scores`.

    Args:
        truth: measured values (W, K) of W windows, nan where missing.
        predicted: predicted ones (W, K).
        blocks: block of each window (W,), 0..B-1.
        n: number of resamples.
        seed: seed of the draw.
    """
    columns = [_Target.of(truth[:, k], predicted[:, k]) for k in range(truth.shape[1])]
    chunks = block_weights(int(blocks.max(initial=-1)) + 1, len(truth), n, seed)
    parts = [np.stack([column.measures(weights, blocks) for column in columns], axis=-1) for weights in chunks]
    return np.concatenate(parts)


@dataclass(frozen=True, slots=True)
class _Target:
    """One target, sorted once for all resamples.

    Attributes:
        rows: windows whose value is known (m,).
        truth: their values, float64 (m,).
        predicted: what is predicted for them, float64 (m,).
    """

    rows: np.ndarray
    truth: np.ndarray
    predicted: np.ndarray

    @classmethod
    def of(cls, truth: np.ndarray, predicted: np.ndarray) -> "_Target":
        """A target from measured values (n,), nan where missing, and predicted ones."""
        rows = np.flatnonzero(~np.isnan(truth))
        return cls(rows, truth[rows].astype(np.float64), predicted[rows].astype(np.float64))

    def measures(self, weights: np.ndarray, blocks: np.ndarray) -> np.ndarray:
        """Pearson, Spearman and R2 (R, 3) of R resamples from the weights of their blocks (R, B); nan where not defined."""
        if not len(self.rows):
            return np.full((len(weights), len(MEASURES)), np.nan)
        weight = weights[:, blocks[self.rows]]
        pearson = _correlation(weight, self.truth[None], self.predicted[None])
        spearman = _correlation(weight, _ranks(weight, self.truth), _ranks(weight, self.predicted))
        total = weight.sum(axis=1)
        mean = _divided(weight @ self.truth, total)
        spread = (weight * (self.truth - mean[:, None]) ** 2).sum(axis=1)
        left = weight @ (self.truth - self.predicted) ** 2
        r2 = np.where(spread > _least(total, self.truth), 1 - _divided(left, spread), np.nan)
        return np.stack([pearson, spearman, r2], axis=1)


def _correlation(weight: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Weighted Pearson correlations (R,) of x and y, (R, m) or (1, m); nan where x has a single value, 0 where y alone has."""
    total = weight.sum(axis=1)
    x, y = (values - _divided((weight * values).sum(axis=1), total)[:, None] for values in (x, y))
    of_x, of_y = ((weight * values * values).sum(axis=1) for values in (x, y))
    product = _divided((weight * x * y).sum(axis=1), np.sqrt(of_x * of_y))
    known = np.where(of_y > _least(total, y), np.clip(product, -1, 1), 0.0)
    return np.where(of_x > _least(total, x), known, np.nan)


def _least(total: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Sum of squares (R,) up to which values count as all alike: what rounding makes of them."""
    return np.asarray(total * (1e-13 * np.abs(values).max(initial=0.0)) ** 2)


def _divided(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Elementwise quotient, nan where the denominator is 0."""
    return np.asarray(np.where(denominator > 0, numerator / np.where(denominator > 0, denominator, 1), np.nan))


def _ranks(weight: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Ranks (R, m) of values (m,) of which each occurs `weight` (R, m) times; equal ones share their mean rank."""
    order = np.argsort(values, kind="stable")
    group = np.concatenate([[0], np.cumsum(np.diff(values[order]) != 0)])
    first = np.concatenate([[0], np.flatnonzero(np.diff(group)) + 1])
    sizes = np.add.reduceat(weight[:, order], first, axis=1)
    means = np.cumsum(sizes, axis=1) - (sizes - 1) / 2
    ranks = np.empty_like(weight)
    ranks[:, order] = means[:, group]
    return ranks
