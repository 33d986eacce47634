import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    average_precision_score,
    confusion_matrix,
    matthews_corrcoef,
    precision_recall_fscore_support,
    roc_auc_score,
)

from dnaspt.evaluation import metrics
from dnaspt.genome.gene_states import MISSING


def random_classes(seed: int, n: int = 5000, n_classes: int = 9) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(n_classes, size=n).astype(np.int8)
    predictions = np.where(rng.random(n) < 0.6, labels, rng.integers(n_classes, size=n)).astype(np.int8)
    return labels, predictions


def random_windows(seed: int, n: int = 400, n_labels: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Labels with missing entries, and scores with many ties."""
    rng = np.random.default_rng(seed)
    labels = (rng.random((n, n_labels)) < 0.2).astype(np.int8)
    scores = np.round(rng.normal(size=(n, n_labels)) + labels, 1)
    labels[rng.random((n, n_labels)) < 0.1] = MISSING
    return labels, scores


def test_confusion_equals_that_of_scikit_learn_and_skips_missing_labels() -> None:
    labels, predictions = random_classes(0)
    labels[::7] = MISSING
    known = labels != MISSING
    expected = confusion_matrix(labels[known], predictions[known], labels=range(9))
    assert np.array_equal(metrics.confusion(labels, predictions, 9), expected)
    assert np.array_equal(metrics.confusion(labels.reshape(50, 100), predictions.reshape(50, 100), 9), expected)


def test_confusion_refuses_a_class_that_does_not_exist() -> None:
    with pytest.raises(ValueError, match=r"prediction lies in 0\.\.9"):
        metrics.confusion(np.zeros(3, dtype=np.int8), np.array([0, 9, 1]), 9)
    with pytest.raises(ValueError, match="shape"):
        metrics.confusion(np.zeros(3, dtype=np.int8), np.zeros(4, dtype=np.int8), 9)


@given(st.integers(0, 2**32 - 1), st.integers(2, 9))
@settings(max_examples=30, deadline=None)
def test_mcc_equals_that_of_scikit_learn(seed: int, n_classes: int) -> None:
    labels, predictions = random_classes(seed, 300, n_classes)
    matrix = metrics.confusion(labels, predictions, n_classes)
    expected = matthews_corrcoef(labels, predictions)
    assert metrics.mcc(matrix) == pytest.approx(expected, abs=1e-12)
    assert metrics.mcc_batch(np.stack([matrix, 2 * matrix])) == pytest.approx([expected, expected], abs=1e-12)


def test_mcc_does_not_overflow_at_the_size_of_genomes() -> None:
    small = np.array([[90, 10], [30, 870]])
    assert metrics.mcc(small * 10**10) == pytest.approx(metrics.mcc(small), rel=1e-14)


def test_mcc_of_one_class_is_0_and_of_nothing_is_nan() -> None:
    assert metrics.mcc(np.array([[5, 0], [0, 0]])) == 0.0
    assert math.isnan(metrics.mcc(np.zeros((3, 3), dtype=np.int64)))
    batch = metrics.mcc_batch(np.array([[[5, 0], [0, 0]], [[0, 0], [0, 0]]]))
    assert batch[0] == 0.0
    assert np.isnan(batch[1])


def test_class_scores_equal_those_of_scikit_learn() -> None:
    labels, predictions = random_classes(1)
    found = metrics.class_scores(metrics.confusion(labels, predictions, 9))
    expected = precision_recall_fscore_support(labels, predictions)
    for ours, theirs in zip((found.precision, found.recall, found.f1, found.support), expected, strict=True):
        assert ours == pytest.approx(theirs)


def test_precision_of_a_class_that_is_never_predicted_is_undefined_and_its_f1_is_0() -> None:
    found = metrics.class_scores(np.array([[0, 2], [0, 3]]))
    assert math.isnan(found.precision[0])
    assert found.f1[0] == 0
    assert json.loads(json.dumps(found.to_dict()))["precision"][0] is None


def test_confusions_of_blocks_add_up_to_the_whole() -> None:
    labels, predictions = random_classes(2)
    labels[:500] = MISSING
    cuts = np.array([0, 100, 3000, 5000])
    parts = metrics.block_confusions(labels, predictions, cuts, 9)
    assert np.array_equal(parts[1], metrics.confusion(labels[100:3000], predictions[100:3000], 9))
    assert np.array_equal(parts.sum(axis=0), metrics.confusion(labels, predictions, 9))
    assert not parts[0].any()


def test_bootstrap_repeats_itself_with_one_seed_and_differs_with_another() -> None:
    blocks = metrics.block_confusions(*random_classes(4), np.arange(0, 5001, 100), 9)
    first, again, other = (metrics.mcc_score(blocks, seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert first != other
    assert first.low < first.value < first.high


def test_auroc_and_auprc_equal_those_of_scikit_learn_on_the_entries_that_are_known() -> None:
    labels, scores = random_windows(5)
    for column in range(3):
        known = labels[:, column] != MISSING
        truth, score = labels[known, column], scores[known, column]
        assert metrics.auroc(labels, scores)[column] == roc_auc_score(truth, score)
        assert metrics.auprc(labels, scores)[column] == average_precision_score(truth, score)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_resampled_areas_equal_those_of_scikit_learn_on_repeated_windows(seed: int) -> None:
    labels, scores = (array[:, 0] for array in random_windows(seed, 120, 1))
    blocks = np.arange(120) // 10
    weights = next(metrics.block_weights(12, 120, 3, seed))
    found = metrics._Ranking.of(labels, scores).auroc_and_auprc(weights, blocks)
    for row in range(3):
        rows = np.repeat(np.arange(120), weights[row, blocks].astype(int))
        rows = rows[labels[rows] != MISSING]
        truth = labels[rows]
        if truth.min() == truth.max():
            assert np.isnan(found[row]).all()
            continue
        assert found[row, 0] == pytest.approx(roc_auc_score(truth, scores[rows]), abs=1e-12)
        assert found[row, 1] == pytest.approx(average_precision_score(truth, scores[rows]), abs=1e-12)


def test_a_label_of_one_class_is_named_and_left_out_of_the_means() -> None:
    labels, scores = random_windows(6)
    labels[labels[:, 1] == 1, 1] = 0
    found = metrics.label_scores(labels, scores, np.arange(400) // 10, ["x", "y", "z"], n=200)
    assert found.undefined == ("y",)
    assert math.isnan(found.auroc["y"].value)
    assert math.isnan(found.auroc["y"].low)
    assert found.mean_auroc.value == pytest.approx((found.auroc["x"].value + found.auroc["z"].value) / 2)
    assert found.mean_auroc.low < found.mean_auroc.value < found.mean_auroc.high
    assert found.auprc["x"].low < found.auprc["x"].value < found.auprc["x"].high
    assert json.loads(json.dumps(found.to_dict()))["auroc"]["y"]["value"] is None


def test_label_scores_where_nothing_is_known_are_undefined() -> None:
    labels = np.full((5, 1), MISSING, dtype=np.int8)
    found = metrics.label_scores(labels, np.zeros((5, 1)), np.zeros(5, dtype=np.int64), ["x"], n=10)
    assert found.undefined == ("x",)
    assert math.isnan(found.mean_auroc.value)
