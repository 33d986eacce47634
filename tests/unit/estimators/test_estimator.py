"""What the estimators share is tested on both (test_classifier.py, test_regressor.py); here what no fit shows."""

import numpy as np
import pytest

from dnaspt import ConfigError, SPTClassifier, SPTRegressor
from dnaspt.estimators.estimator import SPTEstimator, codes_of


@pytest.mark.parametrize("kind", [SPTClassifier, SPTRegressor])
def test_both_have_the_settings_of_the_base(kind: type[SPTEstimator]) -> None:
    assert kind().get_params() == SPTEstimator().get_params()


def test_a_share_of_each_group_chooses_the_checkpoint() -> None:
    groups = np.repeat([0, 1, 2, 3], [40, 20, 2, 1])
    chosen = SPTEstimator(valid_fraction=0.1)._choose_valid(groups, seed=0)
    assert np.bincount(groups[chosen], minlength=4).tolist() == [4, 2, 1, 0]


def test_sequences_and_labels_are_as_many() -> None:
    assert [len(codes) for codes in codes_of(["ACGT", "AC"], np.zeros(2))] == [4, 2]
    with pytest.raises(ConfigError, match="X has 1 sequences, y 2 labels"):
        codes_of(["ACGT"], np.zeros(2))
