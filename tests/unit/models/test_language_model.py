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
