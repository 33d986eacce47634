"""Whether probabilities are what they say."""

import math

import numpy as np
import pytest
from scipy.special import expit, logit

from dnaspt.evaluation.calibration import Calibration, ReliabilityBin, fit_calibrator, fit_numbers, label_frequencies
from dnaspt.genome.gene_states import MISSING


def test_the_error_is_the_mean_distance_of_probability_and_frequency() -> None:
    probabilities = np.array([[0.25], [0.25], [0.25], [0.25], [0.85], [0.85]])
    truth = np.array([[0], [0], [0], [0], [1], [0]])
    found = Calibration.of(truth, logit(probabilities))
    assert found.bins == (
        ReliabilityBin(4, pytest.approx(0.25), 0.0),  # type: ignore[arg-type]
        ReliabilityBin(2, pytest.approx(0.85), 0.5),  # type: ignore[arg-type]
    )
    assert found.error == pytest.approx((4 * 0.25 + 2 * 0.35) / 6)
    assert Calibration.from_dict(found.to_dict()) == found


def test_missing_labels_do_not_count_and_certain_ones_have_a_bin() -> None:
    found = Calibration.of(np.array([[1, MISSING], [0, 0]]), np.array([[50.0, 0.0], [-50.0, -50.0]]))
    assert [own.n for own in found.bins] == [2, 1] and found.error == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_and_the_biases_of_log_odds_are_found(temperature: float) -> None:
    generator = np.random.default_rng(0)
    log_odds = generator.normal(size=(20_000, 2)) * 2
    truth = (generator.random(log_odds.shape) < expit(log_odds + np.array([0, -1]))).astype(np.int8)
    found = fit_calibrator(truth, log_odds * temperature)
    assert found.temperature == pytest.approx(temperature, rel=0.05)
    np.testing.assert_allclose(found.biases, [0, -1], atol=0.06)
    before, after = (Calibration.of(truth, own).error for own in (log_odds * 3, found.log_odds(log_odds * temperature)))
    assert after < 0.02 < before


@pytest.mark.parametrize("apart", [0.0, np.log(19), 161.0, -119.0])
def test_log_odds_that_are_far_too_large_for_all_windows_are_shifted_though_few_windows_say_so(apart: float) -> None:
    """A normalized pool may leave a model's log-odds nats apart; a loss that weighs true labels by 19 adds log 19."""
    generator = np.random.default_rng(0)
    log_odds = generator.normal(-3, 1.5, size=(60, 1))
    truth = (generator.random(log_odds.shape) < expit(log_odds)).astype(np.int8)
    assert 2 <= truth.sum() <= 8
    found = fit_calibrator(truth, log_odds + apart, np.array([0.09]))
    assert 0.5 < found.temperature < 3
    probabilities = expit(found.log_odds(log_odds + apart))
    assert probabilities.mean() == pytest.approx(0.09, abs=0.04)
    alike = fit_calibrator(truth, log_odds, np.array([0.09])).log_odds(log_odds)
    np.testing.assert_allclose(found.log_odds(log_odds + apart), alike, atol=0.02)


def test_scores_of_classes_are_shifted_too() -> None:
    generator = np.random.default_rng(0)
    scores = generator.normal(size=(200, 3)) * 2
    shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    chosen = np.array([generator.choice(3, p=own) for own in shares])
    truth, apart = np.eye(3, dtype=np.int8)[chosen], np.array([40.0, -30.0, 5.0])
    found = fit_calibrator(truth, scores + apart, label_frequencies(truth), one_of=True)
    plain = fit_calibrator(truth, scores, label_frequencies(truth), one_of=True)
    np.testing.assert_allclose(found.log_odds(scores + apart), plain.log_odds(scores), atol=0.02)
    assert found.temperature == pytest.approx(1, rel=0.3)
    assert (found.log_odds(scores + apart).argmax(axis=1) == chosen).mean() > 0.6


def test_frequencies_count_known_labels_and_one_window_of_each_kind() -> None:
    labels = np.array([[1, 0], [MISSING, 0], [0, 0], [1, 0]], dtype=np.int8)
    np.testing.assert_allclose(label_frequencies(labels), [3 / 5, 1 / 6])


def test_without_labels_nothing_is_changed_and_no_temperature_is_extreme() -> None:
    nothing = fit_calibrator(np.full((3, 1), MISSING), np.zeros((3, 1)))
    assert nothing.temperature == pytest.approx(1) and nothing.biases == (0.0,)
    assert math.isnan(Calibration.of(np.full((3, 1), MISSING), np.zeros((3, 1))).error)
    truth = np.array([[1], [0]])
    for sign in (1.0, -1.0):
        assert 0.1 <= fit_calibrator(truth, np.array([[sign], [-sign]])).temperature <= 10


def test_numbers_are_brought_onto_the_measured_scale_by_least_squares() -> None:
    rng = np.random.default_rng(0)
    predicted = rng.normal(size=(300, 2))
    truth = np.stack([3 + 2 * predicted[:, 0] + rng.normal(0, 0.1, 300), rng.normal(size=300)], axis=1)
    truth[::3, 0] = np.nan
    found = fit_numbers(truth, predicted, is_count=False)
    known = ~np.isnan(truth[:, 0])
    slope, bias = np.polyfit(predicted[known, 0], truth[known, 0], 1)
    assert (found.slopes[0], found.biases[0]) == pytest.approx((slope, bias))
    assert all(slope > 0 for slope in found.slopes)


def test_counts_stay_above_zero_and_few_values_only_shift() -> None:
    counts = fit_numbers(np.array([[4.0], [8.0]]), np.array([[1.0], [2.0]]), is_count=True)
    assert counts.log_odds(np.array([[0.5]])) == pytest.approx(2.0)
    few = fit_numbers(np.array([[4.0], [np.nan], [8.0]]), np.array([[1.0], [7.0], [2.0]]), is_count=False)
    assert (few.slopes, few.biases) == ((1.0,), (4.5,))
    nothing = fit_numbers(np.array([[np.nan]]), np.array([[1.0]]), is_count=True)
    assert (nothing.slopes, nothing.biases) == ((1.0,), (0.0,))
