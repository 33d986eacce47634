"""A batch without weights and one with them: what the sums of a loss are over."""

import torch
from tests.unit.models.encoder_cases import SMALL, random_tokens

from dnaspt.models.batch import Batch, Loss
from dnaspt.models.language_model import LanguageModel


def batch_of(weights: torch.Tensor | None) -> Batch:
    labels = torch.full((2, 40), -100)
    labels[0, 3], labels[1, 9] = 2, 1
    return Batch(random_tokens(2, 40), torch.tensor([40, 40]), labels, weights)


def loss_of(batch: Batch) -> Loss:
    torch.manual_seed(0)
    return LanguageModel(SMALL).eval().loss(batch)


def test_a_batch_without_weights_weighs_every_base_1() -> None:
    plain, weighted = loss_of(batch_of(None)), loss_of(batch_of(torch.ones(2, 40)))
    torch.testing.assert_close(plain.total, weighted.total)
    assert plain.n_scored == weighted.n_scored == 2


def test_half_the_weight_halves_both_sums_of_the_loss() -> None:
    plain, halved = loss_of(batch_of(None)), loss_of(batch_of(torch.full((2, 40), 0.5)))
    torch.testing.assert_close(halved.total, plain.total / 2)
    assert halved.n_scored == plain.n_scored / 2


def test_a_batch_of_three_tensors_has_no_weights() -> None:
    assert Batch(*batch_of(torch.ones(2, 40))[:3]).weights is None
