"""Encoder and head as one model: what an emission depends on."""

import torch
from tests.unit.models.encoder_cases import SMALL, random_tokens

from dnaspt.config import PAD_TOKEN, PRESETS
from dnaspt.genome.gene_states import GENE_STATES
from dnaspt.models.encoder import DilatedEncoder
from dnaspt.models.heads import HEAD_FLANK_BP, SoftmaxHead
from dnaspt.models.task_model import TaskModel


def gene_model(seed: int = 0) -> TaskModel:
    torch.manual_seed(seed)
    return TaskModel(DilatedEncoder(SMALL), SoftmaxHead(SMALL.hidden_size, GENE_STATES)).eval()


def test_receptive_field_by_gradient_equals_the_formula() -> None:
    model = gene_model().double()
    length = 2 * model.flank_bp + 101
    x = torch.nn.functional.one_hot(random_tokens(1, length), SMALL.hidden_size).double().requires_grad_()
    hidden = x
    for layer in model.encoder.layers:
        hidden = layer(hidden, None)
    middle = length // 2
    (gradient,) = torch.autograd.grad(model.head.trunk(hidden, None)[0, middle].sum(), x)
    reached = torch.nonzero(gradient[0].abs().sum(-1)).flatten()
    assert (int(reached[0]), int(reached[-1])) == (middle - model.flank_bp, middle + model.flank_bp)


def test_flank_of_the_published_encoder_and_head_is_1262_bp() -> None:
    assert PRESETS["paper"].flank_bp + HEAD_FLANK_BP == 1262
    assert PRESETS["paper"].dilations == (1, 2, 4, 8, 16, 32) * 5


def test_padding_and_batch_composition_change_nothing() -> None:
    model = gene_model().double()
    tokens = random_tokens(3, 400)
    lengths = (400, 250, 33)
    padded = tokens.clone()
    for row, length in enumerate(lengths):
        padded[row, length:] = PAD_TOKEN
    with torch.no_grad():
        together = model(padded)
        for row, length in enumerate(lengths):
            alone = model(tokens[row : row + 1, :length])
            assert torch.allclose(together[row, :length], alone[0], atol=1e-12)
