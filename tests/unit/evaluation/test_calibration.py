"""Whether probabilities are what they say."""

import numpy as np
import pytest
from scipy.special import expit, logit

from dnaspt.evaluation.calibration import Calibration, ReliabilityBin, fit_temperature
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
def test_the_temperature_of_overconfident_log_odds_is_found(temperature: float) -> None:
    generator = np.random.default_rng(0)
    log_odds = generator.normal(size=(20_000, 2)) * 2
    truth = (generator.random(log_odds.shape) < expit(log_odds)).astype(np.int8)
    assert fit_temperature(truth, log_odds * temperature) == pytest.approx(temperature, rel=0.05)
    before, after = (Calibration.of(truth, log_odds * factor).error for factor in (3.0, 1.0))
    assert after < 0.02 < before


def test_without_labels_nothing_is_changed_and_no_temperature_is_extreme() -> None:
    assert fit_temperature(np.full((3, 1), MISSING), np.zeros((3, 1))) == 1.0
    truth = np.array([[1], [0]])
    assert 0.1 <= fit_temperature(truth, np.array([[1.0], [-1.0]])) <= 10
    assert 0.1 <= fit_temperature(truth, np.array([[-1.0], [1.0]])) <= 10
