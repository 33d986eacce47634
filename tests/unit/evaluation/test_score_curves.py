import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from dnaspt.evaluation.score_curves import ScoreCurves
from dnaspt.genome.gene_states import MISSING


def area(x: np.ndarray, y: np.ndarray) -> float:
    return float(((x[1:] - x[:-1]) * (y[1:] + y[:-1]) / 2).sum())


def test_areas_under_mean_curves_are_mean_scores() -> None:
    rng = np.random.default_rng(0)
    truth = (rng.random((2000, 3)) < (0.5, 0.1, 0.3)).astype(np.int8)
    scores = truth * np.array([1.0, 2.0, 0.2]) + rng.normal(size=truth.shape)
    truth[rng.random(truth.shape) < 0.1] = MISSING
    curves = ScoreCurves.of(truth, scores)
    assert curves is not None and curves.n_labels == 3
    known = [(truth[rows, k], scores[rows, k]) for k in range(3) if len(rows := truth[:, k] != MISSING)]
    auroc = np.mean([roc_auc_score(*pair) for pair in known])
    auprc = np.mean([average_precision_score(*pair) for pair in known])
    assert area(curves.false_positive_rate, curves.true_positive_rate) == pytest.approx(auroc, abs=0.005)
    assert curves.precision.mean() == pytest.approx(auprc, abs=0.01)
    assert curves.prevalence == pytest.approx(np.mean([own.mean() for own, _ in known]))


def test_perfect_and_constant_scores() -> None:
    truth = np.array([[1], [1], [0], [0]], np.int8)
    perfect = ScoreCurves.of(truth, truth.astype(float))
    assert perfect is not None
    assert perfect.true_positive_rate[0] == 0 and (perfect.true_positive_rate[1:] == 1).all()
    assert (perfect.precision == 1).all()
    constant = ScoreCurves.of(truth, np.zeros((4, 1)))
    assert constant is not None
    np.testing.assert_allclose(constant.true_positive_rate, constant.false_positive_rate)
    np.testing.assert_allclose(constant.precision, 0.5)


def test_labels_of_one_class_have_no_curve() -> None:
    truth = np.array([[1, 0, MISSING], [1, 1, MISSING]], np.int8)
    curves = ScoreCurves.of(truth, np.zeros((2, 3)))
    assert curves is not None and curves.n_labels == 1
    assert ScoreCurves.of(truth[:, [0, 2]], np.zeros((2, 2))) is None
    assert ScoreCurves.of(np.zeros((0, 2), np.int8), np.zeros((0, 2))) is None
