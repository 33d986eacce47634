"""Decoding of one sequence: legal, optimal, and the same whether it is read at once or in slices."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.models.crf_cases import GENES, best_paths, enumerate_paths, full, make_crf, random_legal

from dnaspt.models.crf import LinearChainCRF
from dnaspt.models.kernels import crf_viterbi
from dnaspt.models.kernels.crf_forward_backward import CHUNK
from dnaspt.models.kernels.crf_viterbi import SLICE, Rules, best_path, best_states, path_posterior


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    length=st.integers(1, 60),
    scale=st.sampled_from([0.0, 1e-3, 1.0, 30.0, 1e4]),
    dtype=st.sampled_from([torch.float32, torch.bfloat16, torch.float64]),
)
def test_no_decoded_path_is_ever_illegal(seed: int, length: int, scale: float, dtype: torch.dtype) -> None:
    crf = make_crf(GENES, seed)
    with torch.no_grad():
        crf.transitions[~torch.from_numpy(GENES)] = 1e6
    emissions = (torch.randn(2, length, 9, generator=torch.Generator().manual_seed(seed)) * scale).to(dtype)
    lengths = torch.tensor([length, max(1, length // 2)])
    paths = best_paths(crf, emissions, lengths)[0].numpy()
    for path, n in zip(paths, lengths.tolist()):
        assert ((path[:n] >= 0) & (path[:n] < 9)).all()
        assert GENES[path[: n - 1], path[1:n]].all()
    marginals = crf.marginals(emissions, lengths)
    torch.testing.assert_close(marginals[0].sum(-1), torch.ones(length, dtype=marginals.dtype), rtol=0, atol=1e-5)


def test_of_equally_good_moves_the_one_from_the_lower_state_wins() -> None:
    path, score = best_path(np.zeros((9, 3)), LinearChainCRF(np.ones((3, 3), bool)).chain())
    assert path.tolist() == [0] * 9 and score == 0


@pytest.mark.parametrize("scale", [1.0, 300.0])
def test_path_and_posterior_are_the_same_in_slices(scale: float, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    crf = make_crf(random_legal(3, 4)).double()
    chain, emissions = crf.chain(), torch.randn(1, 2 * CHUNK + 77, 3, dtype=torch.float64) * scale
    rows, marginals = emissions[0].numpy(), crf.marginals(emissions, full(emissions))
    path, score = best_path(rows, chain)
    expected = np.take_along_axis(marginals[0].numpy(), path[:, None].astype(np.int64), axis=1)[:, 0]
    for n in (SLICE, 10_000, 999):
        monkeypatch.setattr(crf_viterbi, "SLICE", n)
        again, score_again = best_path(rows, chain)
        assert np.array_equal(again, path) and score_again == score
        np.testing.assert_allclose(path_posterior(rows, chain, path), expected, rtol=0, atol=1e-6)


def test_a_path_over_many_slices_has_the_score_that_it_claims() -> None:
    torch.manual_seed(0)
    crf = make_crf(random_legal(3, 9))
    emissions = torch.randn(SLICE + 5000, 3).numpy()
    path, claimed = best_path(emissions, crf.chain())
    path = path.astype(np.int64)
    assert crf.legal[path[:-1], path[1:]].all()
    score = emissions.astype(np.float64)[np.arange(len(path)), path].sum()
    chain = crf.chain()
    score += chain.start[path[0]] + chain.end[path[-1]] + chain.transitions[path[:-1], path[1:]].sum()
    assert claimed == pytest.approx(score, rel=1e-10)


def rules_of(least: list[int]) -> Rules:
    k, none = len(least), np.zeros(len(least), np.uint16)
    return Rules(np.arange(k), none, none, np.array(least), lambda start, stop: none[:0])


def stays_long_enough(path: list[int], least: list[int]) -> bool:
    """Whether every stay within the path is long enough; those at its ends may go on beyond."""
    cuts = [0, *(n for n in range(1, len(path)) if path[n] != path[n - 1]), len(path)]
    stays = list(pairwise(cuts))[1:-1]
    return all(end - start >= least[path[start]] for start, end in stays)


@settings(max_examples=300, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    length=st.integers(1, 8),
    least=st.lists(st.integers(1, 5), min_size=3, max_size=3),
    size=st.sampled_from([1, 2, 3, SLICE]),
    n_barred=st.integers(0, 4),
)
def test_the_best_path_that_stays_long_enough_is_found(
    seed: int, length: int, least: list[int], size: int, n_barred: int
) -> None:
    legal = random_legal(3, seed)
    legal[np.arange(3), np.arange(3)] |= np.array(least) > 1
    crf, generator = make_crf(legal, seed), np.random.default_rng(seed)
    emissions = generator.standard_normal((length, 3)) * 2
    emissions[generator.integers(0, length, n_barred), generator.integers(0, 3, n_barred)] = -np.inf
    paths, scores = enumerate_paths(crf, torch.from_numpy(emissions))
    allowed = torch.tensor([stays_long_enough(path, least) for path in paths.tolist()])
    scores = torch.where(allowed, scores, -torch.inf).detach()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(crf_viterbi, "SLICE", size)
        if scores.max() == -torch.inf:
            with pytest.raises(ValueError, match="has no legal path"):
                best_states(emissions, crf.chain(), rules_of(least))
            return
        path, score = best_states(emissions, crf.chain(), rules_of(least))
    assert score == pytest.approx(float(scores.max()), abs=1e-6)
    assert path.tolist() == paths[scores.argmax()].tolist()
