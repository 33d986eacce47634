"""The CRF's Triton kernels against those of the CPU in float64, on a GPU or else under Triton's interpreter."""

import numpy as np
import pytest
import torch
from tests.unit.models.crf_cases import GENES, best_paths

from dnaspt.genome.gene_states import INTRON, MINUS, MISSING
from dnaspt.models.crf import LinearChainCRF
from dnaspt.models.kernels import crf_gpu

if not torch.cuda.is_available():  # then an interpreter runs the kernels
    pytestmark = pytest.mark.slow

pytest.importorskip("triton")
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
LENGTHS = (9, 4, 1)


@pytest.fixture(autouse=True)
def chunks_of_four(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crf_gpu, "chunk_size", lambda length: 4)


def make_case(legal: np.ndarray, scale: float = 3.0) -> tuple[LinearChainCRF, torch.Tensor, torch.Tensor]:
    """A chain, emissions (3, 9, K) with rubbish at padding, and labels of a legal path, many of them missing."""
    generator = torch.Generator().manual_seed(0)
    crf = LinearChainCRF(legal).double()
    with torch.no_grad():
        for parameter in crf.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    emissions = torch.randn(len(LENGTHS), max(LENGTHS), len(legal), generator=generator) * scale
    noise = torch.randn(emissions.shape, generator=generator, dtype=torch.float64)
    labels = best_paths(crf, noise, torch.tensor(LENGTHS))[0].long()
    labels[torch.rand(labels.shape, generator=generator) < 0.4] = MISSING
    labels[0, 3:7] = MISSING
    for b, length in enumerate(LENGTHS):
        emissions[b, length:] = torch.nan
    return crf, emissions, labels


def gpu_arguments(crf: LinearChainCRF, emissions: torch.Tensor) -> tuple[object, ...]:
    scores = tuple(parameter.to(DEVICE) for parameter in (crf.start, crf.end, crf.transitions))
    return emissions.to(DEVICE), torch.tensor(LENGTHS), scores, torch.from_numpy(crf.legal).to(DEVICE)


@pytest.mark.parametrize("labeled", [True, False])
@pytest.mark.parametrize(
    "legal",
    [
        pytest.param(GENES, id="genes"),
        pytest.param(np.ones((2, 2), bool), id="2"),
        pytest.param(np.tri(17, dtype=bool).T, id="17", marks=pytest.mark.slow),
    ],
)
def test_sums_and_derivatives_equal_those_of_the_cpu(legal: np.ndarray, labeled: bool) -> None:
    crf, emissions, labels = make_case(legal)
    found = crf_gpu.sum_batch(*gpu_arguments(crf, emissions), labels.to(DEVICE) if labeled else None)
    leaf = emissions.double().requires_grad_()
    lengths = torch.tensor(LENGTHS)
    mass = crf.log_likelihood(leaf, labels, lengths) if labeled else crf.log_partition(leaf, lengths)
    gradient, moves = torch.autograd.grad(mass.sum(), (leaf, crf.transitions))
    torch.testing.assert_close(found.log_mass.cpu(), mass.detach(), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found.emissions.cpu().double(), gradient, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found.transitions.sum(0).cpu(), moves, rtol=1e-5, atol=1e-5)


def test_emissions_of_ten_thousand_do_not_overflow() -> None:
    crf, emissions, _ = make_case(GENES, scale=1e4)
    found = crf_gpu.sum_batch(*gpu_arguments(crf, emissions))
    exact = crf.log_partition(emissions.double(), torch.tensor(LENGTHS))
    torch.testing.assert_close(found.log_mass.cpu(), exact.detach(), rtol=1e-6, atol=0)
    inside = torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS).unsqueeze(1)
    torch.testing.assert_close(found.emissions.cpu().sum(2), inside.float(), rtol=1e-5, atol=1e-5)


def test_bfloat16_emissions_are_read_exactly() -> None:
    crf, emissions, _ = make_case(np.ones((2, 2), bool))
    half = emissions.bfloat16()
    found = crf_gpu.sum_batch(*gpu_arguments(crf, half), gradients=False)
    exact = crf.log_partition(half.double(), torch.tensor(LENGTHS))
    torch.testing.assert_close(found.log_mass.cpu(), exact.detach(), rtol=1e-6, atol=1e-5)


def test_lengths_may_be_a_view() -> None:
    crf, emissions, _ = make_case(np.ones((2, 2), bool))
    rows, _, *rest = gpu_arguments(crf, emissions)
    column = torch.tensor([[length, 3] for length in LENGTHS], dtype=torch.int32, device=DEVICE)[:, 0]
    found = crf_gpu.sum_batch(rows, column, *rest)
    expected = crf_gpu.sum_batch(rows, torch.tensor(LENGTHS), *rest)
    assert torch.equal(found.log_mass, expected.log_mass) and torch.equal(found.emissions, expected.emissions)


def test_labels_that_are_all_missing_have_likelihood_one_in_one_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    crf, emissions, labels = make_case(np.ones((1, 1), bool))
    assert crf_gpu.chunk_size(emissions.shape[1]) > emissions.shape[1]
    found = crf_gpu.sum_batch(*gpu_arguments(crf, emissions), torch.full_like(labels, MISSING).to(DEVICE))
    for value in (found.log_mass, found.emissions, found.transitions):
        torch.testing.assert_close(value, torch.zeros_like(value), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("nan", "sequence 1 of the batch has emissions or CRF scores that are NaN or \\+inf"),
        ("inf", "sequence 1 of the batch has emissions or CRF scores that are NaN or \\+inf"),
        ("forbidden", "sequence 1 of the batch has no legal path at all"),
        ("score", "sequence 0 of the batch has emissions or CRF scores that are NaN or \\+inf"),
        ("unknown", "sequence 1 of the batch has labels that are neither 0 to 8 nor"),
        ("disagreeing", "sequence 1 of the batch has no legal path that agrees with its labels"),
    ],
)
def test_an_input_without_a_sum_names_its_sequence(fault: str, said: str) -> None:
    crf, emissions, labels = make_case(GENES)
    labels[1] = MISSING
    if fault in ("nan", "inf"):
        emissions[1, 2, 3] = float(fault)
    if fault == "forbidden":
        emissions[1, 2] = -torch.inf
    if fault == "score":
        crf.start.data[0] = torch.nan
    if fault == "unknown":
        labels[1, 2] = 9
    if fault == "disagreeing":
        labels[1, 1], labels[1, 2] = INTRON, MINUS
    with pytest.raises(ValueError, match=said):
        crf_gpu.sum_batch(*gpu_arguments(crf, emissions), labels.to(DEVICE), gradients=False)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_the_module_on_a_gpu_equals_the_module_on_the_cpu() -> None:
    crf, emissions, labels = make_case(GENES)
    lengths = torch.tensor(LENGTHS)
    expected = torch.autograd.grad(crf.log_likelihood(emissions.double(), labels, lengths).sum(), crf.transitions)[0]
    moved = crf.float().to(DEVICE)
    value = moved.log_likelihood(emissions.to(DEVICE), labels.to(DEVICE), lengths.to(DEVICE)).sum()
    found = torch.autograd.grad(value, moved.transitions)[0]
    torch.testing.assert_close(found.cpu().double(), expected.double(), rtol=1e-4, atol=1e-4)
