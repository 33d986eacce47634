"""SPTClassifier keeps scikit-learn's contract on lists and arrays of strings.

scikit-learn's own `check_estimator` skips nearly all of its checks for estimators of text, so its pass would prove nothing.
"""

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline

from dnaspt import ConfigError, InputError, Run, RunResult, SPTClassifier
from dnaspt.config import FinetuneConfig, PretrainConfig
from dnaspt.training.runs import Progress

QUICK = {"preset": "tiny", "pretrain_epochs": 1, "epochs": 4, "batch_bp": 2048, "learning_rate": 3e-3}


def sequences(n: int, classes: tuple[str, ...], seed: int = 0) -> tuple[list[str], list[str]]:
    """Random sequences of 60 to 90 bases, each class with its own composition."""
    rng = np.random.default_rng(seed)
    chances = ((0.1, 0.4, 0.4, 0.1), (0.4, 0.1, 0.1, 0.4), (0.1, 0.1, 0.4, 0.4))
    y = [classes[index % len(classes)] for index in range(n)]
    X = ["".join(rng.choice(list("ACGT"), rng.integers(60, 90), p=chances[classes.index(label)])) for label in y]
    return X, y


@pytest.fixture(scope="module")
def binary() -> tuple[list[str], list[str]]:
    return sequences(64, ("poor", "rich"))


@pytest.fixture(scope="module")
def fitted(binary: tuple[list[str], list[str]]) -> SPTClassifier:
    return SPTClassifier(**QUICK).fit(*binary)


def test_classes_are_sorted_text_labels_and_predictions_are_among_them(
    fitted: SPTClassifier, binary: tuple[list[str], list[str]]
) -> None:
    X, y = binary
    assert fitted.classes_.tolist() == ["poor", "rich"]
    assert fitted.n_features_in_ == 1
    assert set(fitted.predict(X[:8])) <= {"poor", "rich"}
    assert fitted.score(X, y) > 0.8  # composition alone tells these classes apart


def test_probabilities_are_of_shape_n_classes_and_sum_to_one(
    fitted: SPTClassifier, binary: tuple[list[str], list[str]]
) -> None:
    probabilities = fitted.predict_proba(binary[0][:5])
    assert probabilities.shape == (5, 2)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    assert (fitted.predict(binary[0][:5]) == fitted.classes_[probabilities.argmax(axis=1)]).all()


def test_arrays_of_strings_and_of_letters_mean_the_same_as_lists(fitted: SPTClassifier) -> None:
    X = ["ACGTACGTACGTACGTACGTACGTACGTACGTACGTACGT", "TTTTACGTACGTACGTACGAAAATACGTACGTACGTACGT"]
    of_list = fitted.predict_proba(X)
    for given in (np.array(X), np.array(X, dtype=object), np.array([list(text) for text in X]), tuple(X)):
        np.testing.assert_array_equal(fitted.predict_proba(given), of_list)


@pytest.mark.slow
def test_a_sequence_of_n_has_no_class(fitted: SPTClassifier, caplog: pytest.LogCaptureFixture) -> None:
    X = ["ACGTTGCA" * 8, "N" * 64]
    assert np.isnan(fitted.predict_proba(X)).all(axis=1).tolist() == [False, True]
    assert "1 sequences are more than half N" in caplog.text
    with pytest.raises(InputError, match="X: 1 of 2 sequences are more than half N; the first is sequence 2; expected"):
        fitted.predict(X)


def test_the_same_seed_gives_the_same_probabilities_and_another_seed_others(
    binary: tuple[list[str], list[str]],
) -> None:
    first, again, other = (SPTClassifier(**QUICK | {"epochs": 1}, random_state=seed).fit(*binary) for seed in (0, 0, 1))
    np.testing.assert_array_equal(again.predict_proba(binary[0][:4]), first.predict_proba(binary[0][:4]))
    assert (other.predict_proba(binary[0][:4]) != first.predict_proba(binary[0][:4])).any()


def test_clone_and_params_keep_the_settings_and_forget_the_model(fitted: SPTClassifier) -> None:
    copy = clone(fitted)
    assert copy.get_params() == fitted.get_params()
    assert copy.get_params()["epochs"] == 4
    assert copy.set_params(epochs=2).epochs == 2
    with pytest.raises(NotFittedError):
        copy.predict(["ACGT"])
    with pytest.raises(ValueError, match="epoch_s"):
        copy.set_params(epoch_s=2)


def test_a_fitted_classifier_survives_a_copy_to_another_process(
    fitted: SPTClassifier, binary: tuple[list[str], list[str]]
) -> None:
    copy = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(copy.predict_proba(binary[0][:3]), fitted.predict_proba(binary[0][:3]))


def test_more_than_two_classes_and_numbers_as_labels() -> None:
    X, y = sequences(60, ("a", "b", "c"))
    numbers = np.array(["abc".index(label) + 7 for label in y])
    model = SPTClassifier(**QUICK | {"pretrain_epochs": 0}).fit(X, numbers)
    assert model.classes_.tolist() == [7, 8, 9]
    assert model.predict_proba(X[:4]).shape == (4, 3)
    np.testing.assert_allclose(model.predict_proba(X[:4]).sum(axis=1), 1, atol=1e-6)
    assert model.predict(X[:4]).dtype == numbers.dtype


@pytest.mark.slow
def test_pipeline_cross_validation_and_grid_search(binary: tuple[list[str], list[str]]) -> None:
    X, y = binary
    quick = SPTClassifier(**QUICK | {"pretrain_epochs": 0, "epochs": 1})
    assert Pipeline([("model", quick)]).fit(X, y).predict(X[:2]).shape == (2,)
    scores = cross_val_score(quick, X, y, cv=2, n_jobs=2)
    assert scores.shape == (2,) and ((scores >= 0) & (scores <= 1)).all()
    search = GridSearchCV(quick, {"learning_rate": [1e-4, 3e-3]}, cv=2).fit(X, y)
    assert search.best_params_["learning_rate"] in (1e-4, 3e-3)


@pytest.mark.parametrize(
    ("X", "y", "says"),
    [
        (["ACGT"], ["a", "b"], "1 sequences, y 2 labels"),
        (["ACGT"] * 4, ["a"] * 4, "one class"),
        (["ACGT"] * 3, ["a", "a", "b"], "class 'b' has 1 sequence"),
        ([], [], "empty"),
    ],
)
def test_labels_that_cannot_be_learned_are_refused(X: list[str], y: list[str], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        SPTClassifier(**QUICK).fit(X, y)


def test_labels_of_any_type_are_named_in_errors() -> None:
    with pytest.raises(ConfigError, match="one class, 'a'"):
        SPTClassifier(**QUICK).fit(["ACGT"] * 4, np.array(["a"] * 4, dtype=object))


def test_settings_without_effect_are_told(caplog: pytest.LogCaptureFixture) -> None:
    idle = SPTClassifier(**QUICK | {"pretrain_epochs": 0, "epochs": 0.1}, unlabeled=["ACGT" * 20])
    idle.fit(["ACGT" * 20, "AATT" * 20] * 8, ["a", "b"] * 8)
    assert "unlabeled has no effect" in caplog.text


def test_a_sequence_that_could_not_be_predicted_is_refused_at_once() -> None:
    with pytest.raises(ConfigError, match="100,000 at most"):
        SPTClassifier(**QUICK).fit(["A" * 100_001, "ACGT"] * 2, ["a", "b"] * 2)


def test_letters_that_are_no_dna_are_refused() -> None:
    with pytest.raises((ConfigError, InputError), match="3"):
        SPTClassifier(**QUICK).fit(["ACGT" * 5, "AC!T" * 5], ["a", "b"])


@pytest.mark.parametrize(
    ("y", "says"),
    [
        ([0.0, 0.0, np.nan, 1.0, 1.0, np.nan], "2 of 6 labels are missing, first label 3; leave these sequences out"),
        (["a", "a", np.nan, "b", "b", None], "2 of 6 labels are missing, first label 3"),
        (pd.Series([0, None, 1, 1, 0, None], dtype="Int64"), "2 of 6 labels are missing, first label 2"),
        (np.ma.array([0, 0, 1, 1, 0, 1], mask=[0, 0, 0, 1, 0, 0]), "1 of 6 labels are missing, first label 4"),
        (None, "1 of 1 labels are missing"),
        (["a", "a", 1, 1, "a", 1], "y mixes text and numbers"),
        (np.array(["a", "a", 1, 1, "a", 1], dtype=object), "y mixes text and numbers"),
    ],
    ids=["NaN", "NaN among text", "nullable", "masked", "None", "mixed list", "mixed array"],
)
def test_a_label_that_is_missing_or_of_another_type_is_no_class(y: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        SPTClassifier(**QUICK).fit(["ACGT" * 10] * 6, y)


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ({"learning_rate": -1}, "fine-tuning: learning_rate = -1"),
        ({"pretrain_epochs": -1}, "pretraining: epochs = -1"),
        ({"valid_fraction": "0.1"}, "valid_fraction '0.1'; expected more than 0"),
        ({"valid_fraction": float("nan")}, "valid_fraction nan; expected more than 0"),
        ({"random_state": "x"}, "random_state 'x'; expected a whole number, 0 or more, or None"),
        ({"random_state": -1}, "random_state -1; expected a whole number"),
        ({"batch_bp": None}, "batch_bp is None"),
        ({"encoder": 5}, "encoder 5; expected a run"),
    ],
)
def test_a_bad_setting_is_told_before_anything_is_trained(
    setting: dict[str, Any], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dnaspt.estimators.estimator.pretrain", lambda _: pytest.fail("pretrained"))
    with pytest.raises(ConfigError, match=says):
        SPTClassifier(**QUICK | setting).fit(["ACGT" * 10, "TTTA" * 10] * 4, ["a", "b"] * 4)


def test_a_classifier_keeps_its_model_and_classes_where_a_second_fit_fails_or_is_stopped(
    fitted: SPTClassifier, binary: tuple[list[str], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    again = pickle.loads(pickle.dumps(fitted))
    before = again.predict_proba(binary[0][:4])
    X, y = sequences(12, ("a", "b", "c"))
    with pytest.raises(ConfigError, match="class 'd' has 1 sequence"):
        again.fit([*X, X[0]], [*y, "d"])
    monkeypatch.setattr("dnaspt.estimators.estimator.pretrain", _stopped)
    with pytest.raises(KeyboardInterrupt, match="fit was stopped by SIGINT at step 0; nothing of it is kept"):
        again.fit(X, y)
    assert again.classes_.tolist() == ["poor", "rich"]
    np.testing.assert_array_equal(again.predict_proba(binary[0][:4]), before)


def _stopped(config: PretrainConfig) -> Run:
    """A pretraining that Ctrl-C ended at once."""
    return Run(config.out, RunResult.of(Progress()), finished=False, stopped_by="SIGINT")


def test_without_a_random_state_each_fit_has_a_seed_of_its_own(
    binary: tuple[list[str], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds: list[int] = []

    def stop(config: FinetuneConfig) -> Run:
        seeds.append(config.seed)
        raise ConfigError("enough")

    monkeypatch.setattr("dnaspt.estimators.estimator.finetune", stop)
    for state in (None, None, 7, np.int64(7), np.random.RandomState(3), np.random.RandomState(3)):
        classifier = SPTClassifier(preset="tiny", pretrain_epochs=0, random_state=state)
        with pytest.raises(ConfigError, match="enough"):
            classifier.fit(*binary)
    assert seeds[0] != seeds[1] and seeds[2:4] == [7, 7] and seeds[4] == seeds[5]
    assert all(0 <= seed < 1 << 31 for seed in seeds)


def test_text_is_no_switch(binary: tuple[list[str], list[str]]) -> None:
    classifier = SPTClassifier(preset="tiny", average_strands="no")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="average_strands = 'no'; expected True or False"):
        classifier.fit(*binary)
