"""Kernels of the sensors equal plain loops, on both strands, in one piece or in tiles."""

import numpy as np
import pytest
from tests.unit.models.sensor_cases import count_slowly, is_site, random_codes, random_labels, score_slowly

from dnaspt.genome import alphabet
from dnaspt.models.kernels.sensors import add_features, add_weight_gradient
from dnaspt.models.sensors import SensorCounts, Sensors, candidate_sites


def small_sensors(seed: int) -> Sensors:
    counts = SensorCounts.of(random_codes(seed, 3000), random_labels(seed, 3000))
    return Sensors.from_counts(counts)


@pytest.mark.parametrize(("start", "stop"), [(0, 600), (0, 100), (57, 420), (598, 600), (300, 300)])
def test_counting_equals_plain_loops(start: int, stop: int) -> None:
    codes, labels = random_codes(1, 600, 0.02), random_labels(1, 600)
    fast, slow = SensorCounts.of(codes, labels, start, stop), count_slowly(codes, labels, start, stop)
    assert (fast.content == slow.content).all()
    assert (fast.signals == slow.signals).all()
    assert (fast.sites == slow.sites).all()


@pytest.mark.parametrize("n", [0, 1, 2, 3, 7, 30, 700])
def test_scoring_equals_plain_loops(n: int) -> None:
    sensors, codes = small_sensors(2), random_codes(3, n, 0.02)
    np.testing.assert_allclose(sensors.features(codes), score_slowly(sensors, codes), atol=1e-5)


def test_candidates_are_where_the_letters_are() -> None:
    codes = random_codes(4, 400, 0.05)
    plus, minus = alphabet.decode(codes).upper(), alphabet.decode(alphabet.reverse_complement(codes)).upper()
    expected = [
        [*(is_site(plus, i, s) for s in range(4)), *(is_site(minus, len(codes) - 1 - i, s) for s in range(4))]
        for i in range(len(codes))
    ]
    assert (candidate_sites(codes) == np.array(expected)).all()


def test_the_reverse_complement_has_exactly_the_mirrored_scores() -> None:
    sensors, codes = small_sensors(5), random_codes(6, 5000)
    forward, backward = sensors.features(codes), sensors.features(alphabet.reverse_complement(codes))
    assert (forward == np.roll(backward[::-1], 10, axis=1)).all()


def test_tiles_have_exactly_the_scores_of_the_whole() -> None:
    sensors, codes = small_sensors(7), random_codes(8, 1000)
    whole = sensors.features(codes)
    for start, stop in ((0, 1), (3, 200), (199, 777), (999, 1000)):
        assert (sensors.features(codes, start, stop) == whole[start:stop]).all()


def test_the_gradient_of_the_weights_is_the_transpose_of_the_potentials() -> None:
    rng = np.random.default_rng(9)
    features = rng.normal(size=(50, 20)).astype(np.float32)
    gradients = rng.normal(size=(50, 29)).astype(np.float32)
    found = np.zeros(6)
    add_weight_gradient(features, gradients, found)
    for index in range(6):
        potentials = np.zeros((50, 29), np.float32)
        add_features(features, tuple(np.eye(6, dtype=np.float32)[index]), potentials)
        assert found[index] == pytest.approx((potentials * gradients).sum(), abs=1e-4)
