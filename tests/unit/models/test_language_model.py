"""The masked language model's loss."""

import torch
from tests.unit.models.encoder_cases import SMALL, random_tokens

from dnaspt.models.batch import Batch
from dnaspt.models.language_model import LanguageModel


def test_language_model_loss_scores_masked_positions_only() -> None:
    torch.manual_seed(0)
    model = LanguageModel(SMALL)
    tokens = random_tokens(2, 64)
    labels = torch.full((2, 64), -100)
    labels[0, 3], labels[1, 9] = 2, 1
    loss = model.loss(Batch(tokens, torch.tensor([64, 64]), labels))
    logits = model(tokens)
    expected = -(logits[0, 3].log_softmax(-1)[2] + logits[1, 9].log_softmax(-1)[1])
    assert torch.allclose(loss.total, expected, atol=1e-5)
    assert loss.n_scored == 2


def test_weights_count_bases_less_in_the_loss() -> None:
    torch.manual_seed(0)
    model = LanguageModel(SMALL)
    tokens = random_tokens(1, 64)
    labels = torch.full((1, 64), -100)
    labels[0, 3], labels[0, 9] = 2, 1
    weights = torch.ones(1, 64)
    weights[0, 9] = 0.25
    loss = model.loss(Batch(tokens, torch.tensor([64]), labels, weights))
    logs = model(tokens).log_softmax(-1)
    torch.testing.assert_close(loss.total, -(logs[0, 3, 2] + 0.25 * logs[0, 9, 1]))
    assert loss.n_scored == 1.25


def test_probabilities_of_bases_are_those_of_four_letters() -> None:
    torch.manual_seed(0)
    model = LanguageModel(SMALL).eval()
    tokens = random_tokens(2, 40)
    logs = model.base_log_probabilities(tokens)
    assert logs.shape == (2, 40, 4)
    torch.testing.assert_close(logs.exp().sum(-1), torch.ones(2, 40))
    logits = model(tokens)[..., :4]
    torch.testing.assert_close(logs[..., 0] - logs[..., 3], logits[..., 0] - logits[..., 3])
