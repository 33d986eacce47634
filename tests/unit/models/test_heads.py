"""Heads: what their emissions, losses, probabilities and decoded classes are, and how vectors are pooled and normalized."""

import numpy as np
import pytest
import torch

from dnaspt.config import BassetConfig, EncoderConfig
from dnaspt.errors import NotFiniteError
from dnaspt.genome.gene_states import GENE_STATES, MISSING
from dnaspt.models.basset import HeadMLP
from dnaspt.models.batch import Batch
from dnaspt.models.encoder import DilatedEncoder
from dnaspt.models.heads import CRFHead, DecodingContext, HeadCNN, MeanNorm, NumbersHead, SigmoidHead, SoftmaxHead
from dnaspt.models.kernels.crf_viterbi import SLICE
from dnaspt.models.task_model import TaskModel

CNN = {f"trunk.{layer}.{kind}" for layer in ("first", "second", "linear") for kind in ("weight", "bias")}


def test_tensors_have_the_names_that_checkpoints_give_them() -> None:
    crf = {f"crf.{name}" for name in ("start", "end", "transitions")}
    norm = {f"trunk.norm.{name}" for name in ("mean", "variance", "n_batches")}
    assert SoftmaxHead(16, GENE_STATES).state_dict().keys() == CNN | {"class_weights"}
    assert CRFHead(16, GENE_STATES).state_dict().keys() == CNN | crf
    normalized = SigmoidHead(HeadCNN(16, 2, resolution_bp=0, normalize=True), 2)
    assert normalized.state_dict().keys() == CNN | norm | {"positive_weights"}
    mlp = SigmoidHead(HeadMLP(BassetConfig(), 2), 2)
    layers = {f"trunk.layers.{number}.{kind}" for number in (0, 3, 5) for kind in ("weight", "bias")}
    assert mlp.state_dict().keys() == layers | {"positive_weights"}


@pytest.mark.parametrize("resolution_bp", [0, 1, 8])
def test_emissions_are_of_a_window_its_bases_or_its_bins(resolution_bp: int) -> None:
    torch.manual_seed(0)
    cnn, hidden = HeadCNN(16, 2, resolution_bp=resolution_bp), torch.randn(3, 32, 16)
    per_base = HeadCNN(16, 2, resolution_bp=1)
    per_base.load_state_dict(cnn.state_dict())
    found, bases = cnn(hidden, None), per_base(hidden, None)
    expected = {0: bases.mean(1), 1: bases, 8: bases.reshape(3, 4, 8, 2).mean(2).flatten(1)}[resolution_bp]
    torch.testing.assert_close(found, expected)
    assert cnn.output.out_features == 2


def test_probabilities_are_those_that_the_loss_scores() -> None:
    torch.manual_seed(0)
    emissions, lengths = torch.randn(2, 30, 9, requires_grad=True), torch.tensor([30, 30])
    for head in (SoftmaxHead(16, GENE_STATES), CRFHead(16, GENE_STATES)):
        found = head.probabilities(emissions, lengths)
        torch.testing.assert_close(found.sum(-1), torch.ones(2, 30))
        # The loss of one labeled base is the surprise at its label.
        labels = torch.full((2, 30), MISSING)
        labels[0, 7], labels[1, 3] = 2, 8
        loss = head.loss(emissions, Batch(torch.zeros(2, 30), lengths, labels))
        torch.testing.assert_close(loss.total, -(found[0, 7, 2].log() + found[1, 3, 8].log()))
        assert loss.n_scored == 2
    windows, truth = torch.randn(4, 2), torch.tensor([[1, 0], [0, MISSING], [1, 1], [0, 1]])
    head = SigmoidHead(HeadCNN(16, 2, resolution_bp=0), 2)
    found = windows.sigmoid()
    known = torch.where(truth == 1, found, 1 - found)[truth != MISSING]
    loss = head.loss(windows, Batch(torch.zeros(4, 30), torch.full((4,), 30), truth))
    torch.testing.assert_close(loss.total, -known.log().sum())
    assert loss.n_scored == 7


def test_a_softmax_head_takes_the_best_class_of_each_base_in_slices_too() -> None:
    emissions = np.random.default_rng(0).standard_normal((SLICE + 100, 9), dtype=np.float32)
    codes = np.zeros(len(emissions), np.uint8)
    head = SoftmaxHead(16, GENE_STATES)
    path, posterior, *_ = head.decode(emissions, DecodingContext(codes))
    np.testing.assert_array_equal(path, emissions.argmax(1))
    last = torch.from_numpy(emissions[-200:]).softmax(-1).amax(-1).numpy()
    np.testing.assert_allclose(posterior[-200:], last, rtol=1e-6)
    without = head.decode(emissions, DecodingContext(codes), with_posterior=False)
    np.testing.assert_array_equal(without.path, path)
    assert not len(without.posterior)


def test_a_crf_head_knows_the_states_beside_a_sequence() -> None:
    torch.manual_seed(0)
    head = CRFHead(16, GENE_STATES)
    legal = GENE_STATES.legal_matrix()
    emissions, codes = np.random.default_rng(0).standard_normal((40, 9)).astype(np.float32) * 3, np.zeros(40, np.uint8)
    for before, after in ((0, 8), (8, 3), (2, 2)):
        path, *_ = head.decode(emissions, DecodingContext(codes, before=before, after=after))
        assert legal[before, path[0]] and legal[path[-1], after]


def test_vectors_are_normalized_by_their_batch_and_later_by_all_batches_so_far() -> None:
    torch.manual_seed(0)
    batches = 3 + 0.1 * torch.randn(20, 64, 8)
    norm = MeanNorm(8)
    for batch in batches:
        out = norm(batch)
        assert torch.allclose(out.mean(0), torch.zeros(8), atol=1e-4)
        assert torch.allclose(out.std(0, correction=0), torch.ones(8), atol=1e-2)
    norm.eval()
    every = norm(batches).flatten(0, 1)
    assert torch.allclose(every.mean(0), torch.zeros(8), atol=1e-4)
    assert torch.allclose(every.std(0), torch.ones(8), atol=0.05)


def test_a_single_vector_is_normalized_as_after_training() -> None:
    norm = MeanNorm(4)
    norm(torch.randn(32, 4))
    before = {name: tensor.clone() for name, tensor in norm.state_dict().items()}
    alone = norm(torch.ones(1, 4))
    assert torch.equal(alone, norm.eval()(torch.ones(1, 4)))
    assert all(torch.equal(before[name], tensor) for name, tensor in norm.state_dict().items())


@pytest.mark.parametrize("weights", [None, torch.tensor([4.0, 0.5])])
def test_labels_begin_at_their_frequencies(weights: torch.Tensor | None) -> None:
    """With weights w for the positives, a constant logit minimizes the loss where its odds are w times those of the label."""
    trunk = HeadCNN(16, 2, resolution_bp=0, normalize=True)
    head = SigmoidHead(trunk, 2, weights)
    frequencies = torch.tensor([0.02, 0.5])
    head.begin_at(frequencies)
    bias = trunk.linear.bias.detach().clone().requires_grad_(True)
    w = torch.ones(2) if weights is None else weights
    loss = -(w * frequencies * bias.sigmoid().log() + (1 - frequencies) * (-bias).sigmoid().log()).sum()
    loss.backward()
    assert torch.allclose(bias.grad, torch.zeros(2), atol=1e-6)


def test_windows_do_not_depend_on_their_batch_once_trained() -> None:
    torch.manual_seed(0)
    encoder = DilatedEncoder(EncoderConfig(hidden_size=16, n_layers=2))
    model = TaskModel(encoder, SigmoidHead(HeadCNN(16, 3, resolution_bp=0, normalize=True), 3))
    tokens = torch.randint(0, 4, (8, 256))
    model(tokens)
    model.eval()
    together = model(tokens)
    assert together.shape == (8, 3)
    assert torch.allclose(together, torch.cat([model(row[None]) for row in tokens]), atol=1e-5)


@pytest.mark.parametrize("kind", [SoftmaxHead, CRFHead])
def test_no_class_is_made_up_from_emissions_that_are_nan(kind: type[SoftmaxHead | CRFHead]) -> None:
    emissions = np.zeros((20, 9), np.float32)
    emissions[7, 3] = np.nan
    with pytest.raises(NotFiniteError, match=r"the sequence has emissions .*NaN"):
        kind(16, GENE_STATES).decode(emissions, DecodingContext(np.zeros(20, np.uint8)), with_posterior=False)


@pytest.mark.parametrize("is_count", [False, True])
def test_numbers_are_learned_in_their_own_scale_and_missing_ones_not_at_all(is_count: bool) -> None:
    torch.manual_seed(0)
    head = NumbersHead(HeadCNN(16, 2, resolution_bp=0), 2, is_count=is_count)
    mean, sd = torch.tensor([50.0, 0.0]), torch.tensor([10.0, 0.0])
    head.begin_with(mean, sd)
    torch.nn.init.zeros_(head.trunk.output.weight)
    torch.nn.init.zeros_(head.trunk.output.bias)
    emissions = head.trunk(torch.randn(3, 40, 16), None)
    assert emissions[:, 0].tolist() == [50.0] * 3
    labels = torch.tensor([[60.0, float("nan")], [float("nan")] * 2, [50.0, float("nan")]])
    loss = head.loss(emissions, Batch(torch.zeros(3, 40), torch.full((3,), 40), labels))
    rates = torch.tensor([1.0, 1.0])
    expected = (rates - torch.tensor([60.0, 50.0]) / 50 * rates.log()).sum() if is_count else torch.tensor(1.0)
    assert loss.total.item() == pytest.approx(expected.item()) and loss.n_scored.item() == 2
    loss.total.backward()
    assert all(torch.isfinite(own.grad).all() for own in head.parameters() if own.grad is not None)
