"""Scores of predicted numbers are those of scipy and scikit-learn, also of each resample."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import r2_score

from dnaspt.evaluation.bootstrap import block_weights
from dnaspt.evaluation.numbers import MEASURES, NumberScores, measure_numbers, number_scores, resampled_measures


def example(n: int = 200, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Measured and predicted numbers (n, 2), with ties and missing values, and blocks (n,)."""
    rng = np.random.default_rng(seed)
    truth = np.stack([rng.normal(5, 2, n), rng.poisson(3, n)], axis=1).astype(np.float32)
    predicted = (truth + rng.normal(0, 1, truth.shape)).round(1).astype(np.float32)
    truth[::7, 0] = np.nan
    return truth, predicted, np.arange(n) // 10


def by_scipy(truth: np.ndarray, predicted: np.ndarray) -> list[float]:
    return [stats.pearsonr(truth, predicted)[0], stats.spearmanr(truth, predicted)[0], r2_score(truth, predicted)]


def test_scores_are_those_of_scipy_and_scikit_learn() -> None:
    truth, predicted, blocks = example()
    scores = number_scores(truth, predicted, blocks, ["a", "b"])
    for k, name in enumerate(("a", "b")):
        known = ~np.isnan(truth[:, k])
        expected = by_scipy(truth[known, k].astype(float), predicted[known, k].astype(float))
        found = [scores.by_target[measure][name].value for measure in MEASURES]
        assert found == pytest.approx(expected, abs=1e-9)
    for measure in MEASURES:
        assert scores.mean[measure].value == pytest.approx(
            np.mean([scores.by_target[measure][name].value for name in ("a", "b")])
        )
        assert scores.mean[measure].low < scores.mean[measure].value < scores.mean[measure].high


def test_a_resample_has_the_scores_of_its_windows_written_out() -> None:
    truth, predicted, blocks = example(60)
    drawn = resampled_measures(truth, predicted, blocks, n=5, seed=3)
    weights = np.concatenate(list(block_weights(6, 60, 5, 3)))
    for row, weight in zip(drawn, weights, strict=True):
        rows = np.repeat(np.arange(60), weight[blocks].astype(int))
        for k in range(2):
            own = rows[~np.isnan(truth[rows, k])]
            expected = by_scipy(truth[own, k].astype(float), predicted[own, k].astype(float))
            assert row[:, k] == pytest.approx(expected, abs=1e-9)


def test_correlations_with_predictions_that_do_not_vary_are_zero() -> None:
    truth, predicted, blocks = example()
    predicted[:, 0] = 1e6 / 3
    scores = number_scores(truth, predicted, blocks, ["a", "b"])
    assert scores.undefined == ()
    for measure in ("pearson", "spearman"):
        own = scores.by_target[measure]
        assert (own["a"].value, own["a"].low, own["a"].high) == (0, 0, 0)
        assert scores.mean[measure].value == pytest.approx(own["b"].value / 2)
    assert scores.by_target["r2"]["a"].value < 0


@pytest.mark.parametrize("constant", ["truth", "missing"])
def test_nothing_is_defined_where_the_truth_does_not_vary(constant: str) -> None:
    truth, predicted, blocks = example()
    truth[:, 0] = 3.7 if constant == "truth" else np.nan
    scores = number_scores(truth, predicted, blocks, ["a", "b"])
    assert scores.undefined == ("a",)
    assert np.isnan(scores.by_target["pearson"]["a"].value)
    assert scores.mean["pearson"].value == scores.by_target["pearson"]["b"].value
    assert np.isnan(scores.by_target["r2"]["a"].value)


def test_scores_come_back_from_json_an_r2_far_below_minus_one_too() -> None:
    truth, predicted, blocks = example()
    scores = number_scores(truth, predicted * 1000, blocks, ["a", "b"])
    assert scores.mean["r2"].value < -1000
    assert NumberScores.from_dict(scores.to_dict()) == scores


def test_large_numbers_lose_no_digits() -> None:
    truth, predicted, _ = example()
    shifted = measure_numbers(truth.astype(np.float64) + 1e6, predicted.astype(np.float64) + 1e6)
    assert shifted == pytest.approx(measure_numbers(truth, predicted), abs=1e-6)
