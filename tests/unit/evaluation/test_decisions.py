"""Scores of decisions equal those of scikit-learn, and their intervals those of a bootstrap by hand."""

import json
import math

import numpy as np
import pytest
from sklearn import metrics

from dnaspt.evaluation.decisions import DecisionScores, decision_scores
from dnaspt.genome.gene_states import MISSING

RNG = np.random.default_rng(0)
N = 400


def test_labels_at_one_half_equal_scikit_learn() -> None:
    truth = RNG.integers(0, 2, (N, 3)).astype(np.int8)
    truth[RNG.random((N, 3)) < 0.1] = MISSING
    log_odds = RNG.normal(size=(N, 3)) + np.where(truth == 1, 0.8, 0)
    found = decision_scores(truth, log_odds, np.arange(N) // 4, ("a", "b", "c"), one_of=False, n=50)
    known = [truth[:, k] != MISSING for k in range(3)]
    pairs = [(truth[own, k], log_odds[own, k] >= 0) for k, own in enumerate(known)]
    for name, score in (
        ("mcc", metrics.matthews_corrcoef),
        ("accuracy", metrics.accuracy_score),
        ("f1", metrics.f1_score),
    ):
        assert getattr(found, name).value == pytest.approx(np.mean([score(*pair) for pair in pairs]))
        assert getattr(found, name).low < getattr(found, name).value < getattr(found, name).high
    for name, pair in zip("abc", pairs, strict=True):
        assert found.by_label[name].value == pytest.approx(metrics.f1_score(*pair))


@pytest.mark.parametrize("n_classes", [3, 40])
def test_classes_equal_scikit_learn(n_classes: int) -> None:
    true = RNG.integers(0, n_classes, N)
    log_odds = RNG.normal(size=(N, n_classes))
    log_odds[np.arange(N), true] += 2
    truth = np.eye(n_classes, dtype=np.int8)[true]
    truth[:20] = MISSING
    names = tuple(map(str, range(n_classes)))
    found = decision_scores(truth, log_odds, np.arange(N), names, one_of=True, n=50)
    pair = true[20:], log_odds[20:].argmax(axis=1)
    assert found.mcc.value == pytest.approx(metrics.matthews_corrcoef(*pair))
    assert found.accuracy.value == pytest.approx(metrics.accuracy_score(*pair))
    assert found.f1.value == pytest.approx(metrics.f1_score(*pair, average="macro"))
    assert found.by_label["1"].value == pytest.approx(metrics.f1_score(*pair, average=None)[1])


def test_intervals_resample_blocks() -> None:
    truth = np.repeat(RNG.integers(0, 2, 30), 10)[:, None].astype(np.int8)
    log_odds = np.repeat(RNG.normal(size=30), 10)[:, None] + truth
    in_blocks = decision_scores(truth, log_odds, np.repeat(np.arange(30), 10), ("a",), one_of=False)
    alone = decision_scores(truth, log_odds, np.arange(300), ("a",), one_of=False)
    assert in_blocks.accuracy.value == alone.accuracy.value
    width = {name: own.accuracy.high - own.accuracy.low for name, own in (("b", in_blocks), ("a", alone))}
    assert width["b"] > 2 * width["a"]


def test_what_is_not_defined_is_nan_and_survives_a_file() -> None:
    truth = np.full((5, 2), MISSING, dtype=np.int8)
    truth[:, 0] = 0
    found = decision_scores(truth, -np.ones((5, 2)), np.arange(5), ("never", "unknown"), one_of=False, n=10)
    assert math.isnan(found.by_label["never"].value) and math.isnan(found.by_label["unknown"].value)
    assert found.accuracy.value == 1 and found.mcc.value == 0
    again = DecisionScores.from_dict(json.loads(json.dumps(found.to_dict())))
    assert again.to_dict() == found.to_dict() and again.accuracy == found.accuracy
