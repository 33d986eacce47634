"""Bootstraps over blocks: the width of their intervals, their seed, and what is not defined."""

import math

import numpy as np
import pytest

from dnaspt.evaluation import bootstrap as module
from dnaspt.evaluation.bootstrap import block_weights, bootstrap, bootstrap_values, percentile_interval


def mean(sums: np.ndarray) -> np.ndarray:
    return sums[:, 0] / sums[:, 1]


def test_bootstrap_interval_of_a_mean_agrees_with_the_normal_approximation() -> None:
    values = np.random.default_rng(3).normal(size=400)
    blocks = np.stack([values, np.ones(400)], axis=1)
    interval = bootstrap(blocks, lambda sums: sums[:, 0] / sums[:, 1], n=4000, seed=1)
    half = 1.96 * values.std() / np.sqrt(400)
    assert interval.low == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert interval.high == pytest.approx(values.mean() + half, abs=0.1 * half)


def test_one_seed_draws_the_same_blocks_every_time_and_another_seed_draws_others() -> None:
    blocks = np.stack([np.arange(20), np.ones(20)], axis=1)
    first, again, other = (bootstrap_values(blocks, mean, n=50, seed=seed) for seed in (0, 0, 1))
    assert first.shape == (50,)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_every_resample_draws_as_many_blocks_as_there_are() -> None:
    weights = np.concatenate(list(block_weights(7, 7, 300, 0)))
    assert weights.shape == (300, 7)
    assert (weights.sum(axis=1) == 7).all()
    assert weights.mean(axis=0) == pytest.approx(np.ones(7), abs=0.2)


def test_resamples_come_in_chunks_that_stay_within_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CHUNK", 100)
    assert [len(chunk) for chunk in block_weights(5, 30, 10, 0)] == [3, 3, 3, 1]
    assert [len(chunk) for chunk in block_weights(5, 1000, 2, 0)] == [1, 1]


def test_counts_of_more_than_one_dimension_keep_their_shape() -> None:
    blocks = np.arange(24).reshape(4, 2, 3)
    values = bootstrap_values(blocks, lambda sums: sums, n=10)
    assert values.shape == (10, 2, 3)
    one_block = bootstrap_values(blocks[:1], lambda sums: sums, n=3)
    assert (one_block == blocks[0]).all()


def test_blocks_that_are_all_the_same_have_an_interval_without_width() -> None:
    interval = bootstrap(np.full((30, 2), 4), mean, n=100)
    assert (interval.low, interval.high) == (1, 1)


def test_the_interval_is_the_middle_95_percent_of_the_defined_values() -> None:
    values = np.concatenate([np.arange(1001.0), np.full(500, np.nan)])
    interval = percentile_interval(values)
    assert (interval.low, interval.high) == (25, 975)


def test_an_interval_of_nothing_is_undefined() -> None:
    for interval in (percentile_interval(np.full(5, np.nan)), percentile_interval(np.zeros(0))):
        assert math.isnan(interval.low) and math.isnan(interval.high)
