"""A chain as arrays: its lists of moves are its matrix, and its mixing time is that of the moves."""

import numpy as np
import pytest
from tests.unit.models.crf_cases import GENES, random_legal

from dnaspt.models.kernels.crf_chain import make_chain, mixing_time, refuse_impossible


@pytest.mark.parametrize("legal", [GENES, random_legal(6, 0), np.ones((1, 1), bool)], ids=["genes", "random", "one"])
def test_lists_of_moves_and_matrix_agree(legal: np.ndarray) -> None:
    k = len(legal)
    rng = np.random.default_rng(0)
    start, end, transitions = rng.normal(size=k), rng.normal(size=k), rng.normal(size=(k, k))
    chain = make_chain(legal, (start, end, transitions), mixing_time(legal))
    np.testing.assert_array_equal(np.isfinite(chain.transitions), legal)
    for state in range(k):
        into = slice(chain.first[0, state], chain.first[0, state + 1])
        away = slice(chain.first[1, state], chain.first[1, state + 1])
        np.testing.assert_array_equal(chain.other[0, into], np.flatnonzero(legal[:, state]))
        np.testing.assert_array_equal(chain.other[1, away], np.flatnonzero(legal[state]))
        np.testing.assert_array_equal(chain.score[0, into], transitions[legal[:, state], state])
        np.testing.assert_array_equal(chain.score[1, away], transitions[state, legal[state]])
    assert chain.branching == legal.sum(1).max()


@pytest.mark.parametrize(
    ("legal", "expected"),
    [
        (np.ones((4, 4), bool), 1),
        (np.roll(np.eye(4, dtype=bool), 1, axis=1), 0),  # a cycle never mixes
        (np.triu(np.ones((4, 4), dtype=bool)), 0),  # nothing leads back
        (GENES, 8),
    ],
)
def test_the_mixing_time_is_the_first_power_without_a_zero(legal: np.ndarray, expected: int) -> None:
    assert mixing_time(legal) == expected
    powers = [np.linalg.matrix_power(legal.astype(np.int64), n).all() for n in range(1, 20)]
    assert (powers.index(True) + 1 if any(powers) else 0) == expected
    assert mixing_time(legal, limit=expected - 1) == 0


def test_an_error_names_the_first_sequence_at_fault() -> None:
    refuse_impossible(np.zeros(3))
    with pytest.raises(ValueError, match="sequence 1 of the batch has no legal path"):
        refuse_impossible(np.array([0, -np.inf, -np.inf]))
    with pytest.raises(ValueError, match="the sequence has emissions or CRF scores that are NaN"):
        refuse_impossible(np.array(np.nan))
