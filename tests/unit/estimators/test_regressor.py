"""SPTRegressor keeps scikit-learn's contract on sequences with numbers."""

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.metrics import r2_score
from sklearn.model_selection import cross_val_score

from dnaspt import ConfigError, SPTRegressor
from dnaspt.data.dataset import Window
from dnaspt.prepare.writer import DatasetWriter

QUICK = {"preset": "tiny", "pretrain_epochs": 0, "epochs": 8, "batch_bp": 2048, "learning_rate": 3e-3}


def sequences(n: int, seed: int = 0) -> tuple[list[str], np.ndarray]:
    """Random sequences of 60 to 90 bases with their GC content times 100, and 1000 more."""
    rng = np.random.default_rng(seed)
    gc = rng.uniform(0.2, 0.8, n)
    X = [
        "".join(rng.choice(list("ACGT"), rng.integers(60, 90), p=((1 - c) / 2, c / 2, c / 2, (1 - c) / 2))) for c in gc
    ]
    return X, np.array([1000 + 100 * (text.count("G") + text.count("C")) / len(text) for text in X])


@pytest.fixture(scope="module")
def fitted() -> SPTRegressor:
    return SPTRegressor(**QUICK).fit(*sequences(64))


def test_numbers_are_predicted_in_their_unit(fitted: SPTRegressor) -> None:
    X, y = sequences(40, seed=1)
    found = fitted.predict(X)
    assert found.shape == (40,) and found.dtype == np.float32
    assert np.corrcoef(found, y)[0, 1] > 0.5 and abs(found.mean() - y.mean()) < 15  # composition alone says it
    assert fitted.score(X, y) == pytest.approx(r2_score(y, found))
    assert fitted.n_features_in_ == 1 and fitted.model_.labels == ("y1",)


def test_a_sequence_of_n_has_no_number(fitted: SPTRegressor) -> None:
    assert np.isnan(fitted.predict(["ACGTTGCA" * 8, "N" * 64])).tolist() == [False, True]


def test_copies_predict_the_same_and_clones_forget(fitted: SPTRegressor) -> None:
    X, _ = sequences(4)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).predict(X), fitted.predict(X))
    assert clone(fitted).get_params() == fitted.get_params() and not hasattr(clone(fitted), "checkpoint_")


def test_several_numbers_may_be_missing_in_part() -> None:
    X, y = sequences(24)
    both = pd.DataFrame({"gc": y, "at": -y})
    both.loc[::3, "gc"] = np.nan
    model = SPTRegressor(**QUICK | {"epochs": 1}).fit(X, both)
    assert model.predict(X[:3]).shape == (3, 2) and model.model_.labels == ("gc", "at")
    one = SPTRegressor(**QUICK | {"epochs": 1}).fit(X, y[:, None])
    assert one.predict(X[:3]).shape == (3, 1)


def test_what_chooses_the_checkpoint_covers_the_range(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = sequences(50)
    written: list[tuple[str, float]] = []
    add = DatasetWriter.add

    def keep(self: DatasetWriter, split: str, window: Window) -> None:
        written.append((split, float(window.labels[0])))
        add(self, split, window)

    monkeypatch.setattr(DatasetWriter, "add", keep)
    SPTRegressor(**QUICK | {"epochs": 0.1}).fit(X, y)
    valid = [number for split, number in written if split == "valid"]
    groups = np.searchsorted(np.quantile(y, [0.2, 0.4, 0.6, 0.8]), valid)
    assert sorted(groups.tolist()) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("y", "says"),
    [
        (["a"] * 12, "y holds what is no number"),
        ([1.0] * 11 + [np.nan], "1 of 12 sequences have no number, first sequence 12"),
        (pd.Series([1.0] * 11 + [None], dtype="Float64"), "1 of 12 sequences have no number"),
        (
            np.ma.array(np.arange(12.0), mask=[True] + [False] * 11),
            "1 of 12 sequences have no number, first sequence 1",
        ),
        (np.ma.array(np.arange(12), mask=[True] + [False] * 11), "1 of 12 sequences have no number, first sequence 1"),
        (["1.5"] * 12, "y holds what is no number"),
        (np.arange(12).astype("datetime64[D]"), "y holds what is no number"),
        (pd.Series(np.arange(12).astype("datetime64[s]")), "y holds what is no number"),
        ([1.0] * 11 + [np.inf], "y holds inf; expected finite numbers, 1e\\+30 at most"),
        ([1.0] * 12, "no two numbers that differ"),
        ([1e9, 1e9 + 1] * 6, "no two numbers that differ in single precision"),
        (np.zeros((12, 2, 2)), r"y has shape \(12, 2, 2\); expected \(n,\) or \(n, K\)"),
        (pd.DataFrame(np.eye(12, 2), columns=["a", "a"]), "y has two columns of one name: a, a"),
        (np.zeros((12, 0)), r"y has shape \(12, 0\)"),
        (np.arange(11.0), "X has 12 sequences, y 11 labels"),
    ],
)
def test_numbers_that_cannot_be_learned_are_refused(y: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        SPTRegressor(**QUICK).fit(["ACGT" * 20] * 12, y)


def test_too_few_sequences_are_refused() -> None:
    for n, says in ((9, "X has 9 sequences; expected 10 or more"), (0, "X is empty")):
        with pytest.raises(ConfigError, match=says):
            SPTRegressor(**QUICK).fit(["ACGT" * 20] * n, np.arange(float(n)))


@pytest.mark.slow
def test_cross_validation() -> None:
    scores = cross_val_score(SPTRegressor(**QUICK | {"epochs": 1}), *sequences(24), cv=2)
    assert scores.shape == (2,) and np.isfinite(scores).all()
