"""Sums over paths: probability space against log space, and chunks against a plain loop."""

import numpy as np
import pytest
import torch
from tests.unit.models.crf_cases import GENES, full, gradients, make_crf, random_legal

from dnaspt.models.kernels.crf_chain import make_chain, mixing_time
from dnaspt.models.kernels.crf_forward_backward import CHUNK, Totals, probability_is_safe, scratch_for, sum_segment


def test_probability_space_is_chosen_up_to_its_bound_and_equals_log_space_there() -> None:
    crf = make_crf(GENES).double()
    chain = crf.chain()
    assert chain.mixing == mixing_time(GENES) == 8
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (400, 9))
    noise[:, 0], noise[:, 1] = -0.5, 0.5
    bounds = [probability_is_safe(noise * spread, chain.start, chain.end, chain) for spread in range(100)]
    edge = bounds.index(False)
    assert 40 < edge < 56
    assert not any(bounds[edge:])
    for spread in (edge - 1, edge):
        for entry, leave in ((chain.start, chain.end), (chain.transitions[1], chain.transitions[:, 5].copy())):
            sums = []
            for own in (chain, chain._replace(mixing=0)):
                totals = Totals(np.zeros((400, 9)), np.zeros((9, 9)), 1.0, True)
                mass = sum_segment(noise * spread, entry, leave, own, totals, np.zeros((2, 9)), scratch_for(9))
                sums.append((mass, totals.posterior, totals.moves))
            assert sums[0][0] == pytest.approx(sums[1][0], abs=1e-9)
            np.testing.assert_allclose(sums[0][1], sums[1][1], rtol=0, atol=1e-11)
            np.testing.assert_allclose(sums[0][2], sums[1][2], rtol=0, atol=1e-9)
            assert (sums[0][0] == sums[1][0]) or spread < edge


@pytest.mark.parametrize("draw", range(6))
def test_probability_space_keeps_every_live_state_at_its_bound(draw: int) -> None:
    """The deepest case: a chain is drawn far away from the one state that the end admits, again and again."""
    rng = np.random.default_rng(draw)
    legal = random_legal(7, draw)
    chain = make_chain(legal, (rng.normal(size=7), np.zeros(7), rng.normal(size=(7, 7)) * 3), mixing_time(legal))
    assert chain.mixing > 0
    shape = rng.integers(0, 2, (300, 7)).astype(np.float64) * (rng.random((300, 1)) < 0.3)
    spread = 0.5
    while probability_is_safe(shape * spread * 1.05, chain.start, chain.end, chain):
        spread *= 1.05
    assert spread > 10
    for state in range(7):
        leave = np.where(np.arange(7) == state, 0.0, -np.inf)
        results = []
        for own in (chain, chain._replace(mixing=0)):
            totals = Totals(np.zeros((300, 7)), np.zeros((7, 7)), 1.0, True)
            beyond, scratch = np.zeros((2, len(leave))), scratch_for(len(leave))
            mass = sum_segment(shape * spread, chain.start, leave, own, totals, beyond, scratch)
            results.append((mass, totals.posterior, beyond - beyond.max(axis=1, keepdims=True)))
        assert results[0][0] == pytest.approx(results[1][0], abs=1e-9)
        np.testing.assert_allclose(results[0][1], results[1][1], rtol=0, atol=1e-10)
        np.testing.assert_allclose(results[0][2], results[1][2], rtol=0, atol=1e-9)


@pytest.mark.parametrize("scale", [1.0, 300.0])
def test_a_sequence_of_many_chunks_equals_a_plain_loop(scale: float) -> None:
    torch.manual_seed(0)
    crf = make_crf(random_legal(3, 4)).double()
    chain = crf.chain()
    length = 2 * CHUNK + 77
    emissions = (torch.randn(1, length, 3, dtype=torch.float64) * scale).requires_grad_()
    found = crf.log_partition(emissions, full(emissions))
    marginals = gradients(found, (emissions,))[0]
    torch.testing.assert_close(marginals.sum(-1), torch.ones(1, length, dtype=torch.float64), rtol=0, atol=1e-9)
    rows, alpha = emissions[0].detach().numpy(), chain.start
    for t in range(length):
        alpha = rows[t] + (np.logaddexp.reduce(alpha[:, None] + chain.transitions, axis=0) if t else alpha)
    assert found.item() == pytest.approx(np.logaddexp.reduce(alpha + chain.end), rel=1e-12)
    around = slice(CHUNK - 200, CHUNK + 200)
    near = crf.marginals(emissions[:, around].contiguous(), torch.tensor([400]))
    torch.testing.assert_close(marginals[:, around][:, 190:210], near[:, 190:210], rtol=0, atol=1e-9)
