"""Which weights decay, the rates that they take, and averages of weights."""

import torch
from torch import nn

from dnaspt.config import TrainingConfig
from dnaspt.training.optim import averaged, build_optimizer, set_rate, update_averages


def test_encoder_and_crf_have_rates_of_their_own_and_only_matrices_decay() -> None:
    crf = nn.Module()
    crf.register_parameter("transitions", nn.Parameter(torch.zeros(3, 3)))
    model = nn.ModuleDict({"encoder": nn.Linear(2, 2), "head": nn.ModuleDict({"linear": nn.Linear(2, 3), "crf": crf})})
    model["encoder"].bias.requires_grad_(False)
    optimizer = build_optimizer(model, TrainingConfig(weight_decay=0.5), encoder_rate=0.1, crf_rate=10.0)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    set_rate(optimizer, 0.01)
    found = {
        names[id(parameter)]: (group["lr"], group["weight_decay"])
        for group in optimizer.param_groups
        for parameter in group["params"]
    }
    assert found == {
        "encoder.weight": (0.001, 0.5),
        "head.linear.weight": (0.01, 0.5),
        "head.linear.bias": (0.01, 0.0),
        "head.crf.transitions": (0.1, 0.0),
    }


def test_weights_are_averaged_over_the_last_steps_and_put_back() -> None:
    """Alike at first, then the older the less, over a tenth of 200 steps."""
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    seen, expected = [], torch.zeros(2, 3)
    for step in range(200):
        model(torch.randn(4, 3)).pow(2).sum().backward()
        optimizer.step()
        update_averages(optimizer, step, 200, 0.1)
        seen.append(model.weight.detach().clone())
        expected = torch.stack(seen).mean(0) if step < 20 else expected + (seen[-1] - expected) / 20
        with averaged(optimizer):
            assert torch.allclose(model.weight, expected, atol=1e-5)
        assert torch.equal(model.weight, seen[-1])
