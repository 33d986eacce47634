"""The linear-chain CRF against the enumeration of all paths, against pytorch-crf, and against plain log-space loops."""

import numpy as np
import pytest
import torch
from tests.unit.models.crf_cases import (
    CASES,
    GENES,
    best_paths,
    enumerate_paths,
    enumerated_log_likelihood,
    full,
    gradients,
    legal_labels,
    make_crf,
    random_legal,
    slow_partition,
)
from torchcrf import CRF

from dnaspt.genome.gene_states import GENE_STATES, MISSING
from dnaspt.models.crf import LinearChainCRF
from dnaspt.models.kernels.crf_viterbi import best_path


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize(("legal", "length"), CASES)
def test_partition_marginals_and_viterbi_equal_the_enumeration_of_all_paths(legal: np.ndarray, length: int) -> None:
    crf = make_crf(legal)
    emissions = torch.randn(3, length, len(legal), generator=torch.Generator().manual_seed(7)) * 2
    partition, marginals = crf.log_partition(emissions, full(emissions)), crf.marginals(emissions, full(emissions))
    best, best_scores = best_paths(crf, emissions, full(emissions))
    for b in range(3):
        paths, scores = enumerate_paths(crf, emissions[b])
        torch.testing.assert_close(partition[b].double(), scores.logsumexp(0), rtol=1e-6, atol=1e-5)
        share = torch.nn.functional.one_hot(paths, len(legal)) * scores.softmax(0)[:, None, None]
        torch.testing.assert_close(marginals[b].double(), share.sum(0), rtol=0, atol=1e-6)
        assert torch.equal(best[b].long(), paths[scores.argmax()])
        torch.testing.assert_close(best_scores[b], scores.max(), rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("length", [1, 5])
def test_a_path_has_the_mean_of_its_scores_on_both_strands(length: int) -> None:
    crf, turned = make_crf(GENES).double(), list(GENE_STATES.complement)
    forward, backward = torch.randn(2, length, 9, dtype=torch.float64)
    mean = crf.mean_with_mirror(GENE_STATES.complement)
    paths, scores = enumerate_paths(mean, (forward + backward.flip(0)[:, turned]) / 2)
    own, own_scores = enumerate_paths(crf, forward)
    assert torch.equal(paths, own)
    other, other_scores = enumerate_paths(crf, backward)
    number = {tuple(path): row for row, path in enumerate(other.tolist())}
    mirrored = torch.tensor(turned)[paths].flip(1).tolist()
    there = other_scores[[number[tuple(path)] for path in mirrored]]
    torch.testing.assert_close(scores, (own_scores + there) / 2, rtol=0, atol=1e-12)
    assert not torch.allclose(own_scores, there)


def test_moves_that_the_other_strand_does_not_have_are_refused() -> None:
    with pytest.raises(ValueError, match="the legal moves of the other strand differ"):
        LinearChainCRF(np.triu(np.ones((2, 2), bool))).mean_with_mirror((0, 1))


@pytest.mark.parametrize("missing", [0.0, 0.4, 1.0])
@pytest.mark.parametrize(("legal", "length"), CASES)
def test_log_likelihood_and_gradients_equal_the_enumeration(legal: np.ndarray, length: int, missing: float) -> None:
    crf = make_crf(legal).double()
    emissions = torch.randn(3, length, len(legal), dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    emissions.requires_grad_()
    labels = legal_labels(crf, (3, length), missing)
    upstream = torch.tensor([1.0, -2.0, 0.5])
    tensors = (emissions, crf.start, crf.end, crf.transitions)
    found = crf.log_likelihood(emissions, labels, full(emissions))
    truth = torch.stack([enumerated_log_likelihood(crf, emissions[b], labels[b]) for b in range(3)])
    torch.testing.assert_close(found, truth, rtol=0, atol=1e-12)
    for ours, theirs in zip(gradients(found * upstream, tensors), gradients(truth * upstream, tensors)):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("labeled", [True, False])
def test_gradient_equals_finite_differences(labeled: bool) -> None:
    crf = make_crf(random_legal(4, 5)).double()
    emissions = torch.randn(2, 7, 4, dtype=torch.float64, requires_grad=True)
    labels = legal_labels(crf, (2, 7), 0.5)
    lengths = torch.tensor([7, 4])

    def mass(emissions: torch.Tensor, *_: torch.Tensor) -> torch.Tensor:
        if labeled:
            return crf.log_likelihood(emissions, labels, lengths)
        return crf.log_partition(emissions, lengths)

    assert torch.autograd.gradcheck(mass, (emissions, *crf.parameters()))


def test_all_legal_table_agrees_with_pytorch_crf_at_length_512() -> None:
    k, shape = 9, (3, 512)
    crf, reference = make_crf(np.ones((k, k), dtype=bool)), CRF(k, batch_first=True)
    pairs = ((reference.start_transitions, crf.start), (reference.end_transitions, crf.end))
    with torch.no_grad():
        for theirs, ours in (*pairs, (reference.transitions, crf.transitions)):
            theirs.copy_(ours)
    emissions = (torch.randn(*shape, k) * 2).requires_grad_()
    labels, lengths = torch.randint(k, shape), torch.tensor([512, 300, 1])
    mask = torch.arange(512) < lengths[:, None]
    found = crf.log_likelihood(emissions, labels, lengths)
    truth = reference.double()(emissions.double(), labels, mask, reduction="none")
    torch.testing.assert_close(found.double(), truth, rtol=1e-5, atol=1e-4)
    ours = gradients(found, (emissions, crf.start, crf.end, crf.transitions))
    theirs = gradients(
        truth, (emissions, reference.start_transitions, reference.end_transitions, reference.transitions)
    )
    for mine, other in zip(ours, theirs):
        torch.testing.assert_close(mine, other.float(), rtol=1e-4, atol=1e-5)
    paths, _ = best_paths(crf, emissions, lengths)
    for b, path in enumerate(reference.decode(emissions, mask)):
        assert paths[b, : lengths[b]].tolist() == path
        assert (paths[b, lengths[b] :] == MISSING).all()


def test_what_lies_beyond_a_length_changes_nothing_and_has_no_gradient() -> None:
    crf = make_crf(GENES)
    lengths = torch.tensor([20, 13])
    labels = legal_labels(crf, (2, 20), 0.2)
    clean = torch.randn(2, 20, 9)
    dirty = clean.clone()
    dirty[1, 13:] = torch.nan
    soiled = labels.clone()
    soiled[1, 13:] = 77
    results = []
    for emissions, own_labels in ((clean, labels), (dirty, soiled)):
        emissions.requires_grad_()
        found = crf.log_likelihood(emissions, own_labels, lengths)
        grads = gradients(found, (emissions, crf.start, crf.end, crf.transitions))
        assert (grads[0][1, 13:] == 0).all()
        results.append((found, *grads, crf.marginals(emissions, lengths), *best_paths(crf, emissions, lengths)))
    assert all(torch.equal(a, b) for a, b in zip(*results))
    assert (results[0][5][1, 13:] == 0).all()
    assert (results[0][6][1, 13:] == MISSING).all()


def test_a_sequence_has_the_same_bits_in_any_batch_and_with_any_number_of_threads() -> None:
    crf = make_crf(GENES)
    emissions = torch.randn(5, 300, 9) * 4
    labels, lengths = legal_labels(crf, (5, 300), 0.1), torch.tensor([300, 7, 120, 299, 1])
    n_threads = torch.get_num_threads()

    def results(rows: list[int]) -> tuple[torch.Tensor, ...]:
        own = emissions[rows].requires_grad_()
        found = crf.log_likelihood(own, labels[rows], lengths[rows])
        return found.detach(), gradients(found, (own,))[0], crf.marginals(own, lengths[rows])

    together = results([0, 1, 2, 3, 4])
    for b in range(5):
        assert all(torch.equal(a[b], alone[0]) for a, alone in zip(together, results([b])))
    try:
        torch.set_num_threads(1)
        assert all(torch.equal(a, b) for a, b in zip(together, results([0, 1, 2, 3, 4])))
    finally:
        torch.set_num_threads(n_threads)


def test_two_runs_give_the_same_bits() -> None:
    def run() -> list[torch.Tensor]:
        crf = make_crf(GENES)
        emissions = torch.randn(6, 500, 9, generator=torch.Generator().manual_seed(1)).requires_grad_()
        found = crf.log_likelihood(emissions, legal_labels(crf, (6, 500), 0.1), torch.arange(100, 700, 100) % 501)
        return [found, *gradients(found, (emissions, *crf.parameters()))]

    assert all(torch.equal(a, b) for a, b in zip(run(), run()))


def test_bfloat16_emissions_are_computed_exactly_and_get_bfloat16_gradients() -> None:
    crf = make_crf(GENES)
    labels = legal_labels(crf, (2, 50), 0.1)
    narrow = (torch.randn(2, 50, 9) * 3).bfloat16().requires_grad_()
    wide = narrow.detach().float().requires_grad_()
    ours = crf.log_likelihood(narrow, labels, full(narrow))
    theirs = crf.log_likelihood(wide, labels, full(wide))
    assert ours.dtype == torch.float32
    assert torch.equal(ours, theirs)
    grad = gradients(ours, (narrow,))[0]
    assert torch.equal(grad, gradients(theirs, (wide,))[0].bfloat16())


@pytest.mark.parametrize("legal", [GENES, np.ones((9, 9), dtype=bool)], ids=["genes", "dense"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_emissions_of_ten_thousand_are_finite_and_exact(legal: np.ndarray, dtype: torch.dtype) -> None:
    crf = make_crf(legal)
    emissions = ((torch.rand(2, 60, 9) * 2 - 1) * 1e4).to(dtype).requires_grad_()
    labels = legal_labels(crf, (2, 60), 0.3)
    found = crf.log_partition(emissions, full(emissions))
    wide = emissions.detach().double().requires_grad_()
    truth = torch.stack([slow_partition(crf, wide[b]) for b in range(2)])
    torch.testing.assert_close(found.double(), truth, rtol=1e-6, atol=0)
    grad = gradients(found, (emissions,))[0]
    torch.testing.assert_close(grad, gradients(truth, (wide,))[0].to(dtype), rtol=0, atol=1e-5)
    likelihood = crf.log_likelihood(emissions, labels, full(emissions))
    assert torch.isfinite(likelihood).all()
    assert all(torch.isfinite(grad).all() for grad in gradients(likelihood, (emissions, *crf.parameters())))


def test_the_only_legal_state_may_lie_far_below_the_best_emission() -> None:
    crf = make_crf(GENES)
    emissions = torch.zeros(1, 30, 9)
    emissions[0, :, 3] = -2000.0
    labels = torch.full((1, 30), MISSING)
    labels[0, 10], labels[0, 12] = 2, 0
    emissions.requires_grad_()
    found = crf.log_likelihood(emissions, labels, full(emissions))
    assert -2100 < found.item() < -1900
    grad = gradients(found, (emissions,))[0]
    assert torch.isfinite(grad).all()
    assert grad[0, 11, 3] == 1


def test_a_lattice_with_a_single_legal_path_has_probability_one() -> None:
    crf = make_crf(np.eye(4, k=1, dtype=bool))
    emissions = (torch.randn(1, 4, 4) * 1000).requires_grad_()
    found = crf.log_likelihood(emissions, torch.arange(4)[None], full(emissions))
    assert found.item() == 0
    assert torch.equal(crf.marginals(emissions, full(emissions))[0], torch.eye(4))
    assert best_paths(crf, emissions, full(emissions))[0].tolist() == [[0, 1, 2, 3]]
    assert all((grad == 0).all() for grad in gradients(found, (emissions, *crf.parameters())))


def test_minus_infinity_forbids_a_state_at_a_position() -> None:
    crf = make_crf(GENES)
    emissions = torch.randn(1, 12, 9)
    emissions[0, 5, :8] = -torch.inf
    emissions.requires_grad_()
    assert best_paths(crf, emissions, full(emissions))[0][0, 5] == 8
    assert crf.marginals(emissions, full(emissions))[0, 5, 8] == 1
    grad = gradients(crf.log_partition(emissions, full(emissions)), (emissions,))[0]
    assert (grad[0, 5, :8] == 0).all()


def test_forbidden_transitions_have_no_gradient_and_survive_an_optimizer() -> None:
    crf = make_crf(GENES)
    forbidden = ~torch.from_numpy(GENES)
    before = crf.transitions.detach().clone()
    optimizer = torch.optim.AdamW(crf.parameters(), lr=0.1, weight_decay=0.0)
    emissions, labels = torch.randn(2, 40, 9), legal_labels(crf, (2, 40), 0.1)
    for _ in range(3):
        optimizer.zero_grad()
        (-crf.log_likelihood(emissions, labels, full(emissions)).sum()).backward()
        assert crf.transitions.grad is not None
        assert (crf.transitions.grad[forbidden] == 0).all()
        assert (crf.transitions.grad[~forbidden] != 0).any()
        optimizer.step()
    assert torch.equal(crf.transitions[forbidden], before[forbidden])
    assert not torch.equal(crf.transitions[~forbidden], before[~forbidden])
    path = best_paths(crf, emissions, full(emissions))[0].numpy()
    assert GENES[path[:, :-1], path[:, 1:]].all()


def test_all_missing_labels_have_likelihood_one_and_no_gradient() -> None:
    crf = make_crf(GENES)
    emissions = torch.randn(2, 30, 9, requires_grad=True)
    found = crf.log_likelihood(emissions, torch.full((2, 30), MISSING, dtype=torch.int8), full(emissions))
    assert (found == 0).all()
    assert all((grad == 0).all() for grad in gradients(found, (emissions, *crf.parameters())))


def test_without_gradients_the_value_is_the_same() -> None:
    crf = make_crf(GENES)
    emissions = torch.randn(2, 30, 9)
    labels = legal_labels(crf, (2, 30), 0.1)
    with torch.no_grad():
        value = crf.log_likelihood(emissions, labels, full(emissions))
    assert not value.requires_grad
    assert torch.equal(value, crf.log_likelihood(emissions, labels, full(emissions)))


def test_impossible_labels_and_unsound_scores_name_their_sequence() -> None:
    crf = make_crf(GENES)
    emissions, lengths = torch.zeros(2, 3, 9), torch.tensor([3, 3])
    with pytest.raises(ValueError, match="sequence 1 of the batch has no legal path that agrees"):
        crf.log_likelihood(emissions, torch.tensor([[8, 8, 8], [8, 2, 8]]), lengths)
    with pytest.raises(ValueError, match="sequence 0 of the batch has no legal path that agrees"):
        crf.log_likelihood(emissions, torch.tensor([[1, MISSING, 0], [8, 8, 8]]), lengths)
    with pytest.raises(ValueError, match="sequence 1 of the batch has labels that are neither 0 to 8 nor -100"):
        crf.log_likelihood(emissions, torch.tensor([[8, 8, 8], [8, 9, 8]]), lengths)
    for fault in (torch.nan, torch.inf):
        bad = emissions.clone()
        bad[1, 1, 4] = fault
        for call in (crf.log_partition, crf.marginals):
            with pytest.raises(ValueError, match="sequence 1 of the batch has emissions"):
                call(bad, lengths)
        with pytest.raises(ValueError, match="the sequence has emissions or CRF scores that are NaN or"):
            best_path(bad[1].numpy(), crf.chain())
    with pytest.raises(ValueError, match="sequence 0 has length 0"):
        crf.marginals(emissions, torch.tensor([0, 3]))
    with pytest.raises(ValueError, match="no legal path at all"):
        LinearChainCRF(np.eye(3, k=1, dtype=bool)).marginals(torch.zeros(1, 4, 3), torch.tensor([4]))
    with pytest.raises(ValueError, match="the sequence has no legal path at all"):
        best_path(np.zeros((4, 3)), LinearChainCRF(np.eye(3, k=1, dtype=bool)).chain())
