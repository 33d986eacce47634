"""The optimizer: which weights decay, which share of the learning rate each takes, and running averages of weights."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from dnaspt.config import TrainingConfig

AVERAGE = "average"
"""Slot of the optimizer's state that holds the running average of a parameter; it is saved with the other slots."""


def build_optimizer(
    model: nn.Module, config: TrainingConfig, encoder_rate: float = 1.0, crf_rate: float = 1.0
) -> torch.optim.AdamW:
    """AdamW (Loshchilov & Hutter 2019); biases, norms and the scores of a CRF do not decay.

    Args:
        model: its parameters that require a gradient are trained.
        config: peak learning rate and weight decay.
        encoder_rate: learning rate of the encoder as a multiple of the head's.
        crf_rate: learning rate of a CRF's scores as a multiple of the head's.
    """
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        in_crf = ".crf." in name
        rate = encoder_rate if name.startswith("encoder.") else crf_rate if in_crf else 1.0
        groups.setdefault((rate, parameter.ndim > 1 and not in_crf), []).append(parameter)
    return torch.optim.AdamW(
        [
            {
                "params": parameters,
                "rate": rate,
                "weight_decay": config.weight_decay if decays else 0.0,
            }
            for (rate, decays), parameters in groups.items()
        ],
        lr=config.learning_rate,
        betas=(0.9, 0.98),
    )


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give every parameter group its share of the learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["rate"]


def update_averages(optimizer: torch.optim.Optimizer, step: int, n_steps: int, fraction: float) -> None:
    """Take the weights after a step into their running averages.

    Early on all weights so far count alike (Polyak and Juditsky 1992), later the older ones less and less. Only what the
    optimizer trains is averaged; the statistics of a batch norm are not.

    Args:
        optimizer: its parameters are averaged; the averages are slots of its state.
        step: the step that was done, 0 to n_steps - 1.
        n_steps: optimizer steps of the run.
        fraction: share of the steps over which is averaged, about.
    """
    share = max(1 / (step + 1), 1 / max(1.0, fraction * n_steps))
    with torch.no_grad():
        for parameter, slots in optimizer.state.items():
            if AVERAGE in slots:
                slots[AVERAGE].lerp_(parameter, share)
            elif slots:  # the parameter has taken its first step
                slots[AVERAGE] = parameter.detach().clone()


@contextmanager
def averaged(optimizer: torch.optim.Optimizer) -> Iterator[None]:
    """A block in which the model has its averaged weights, where there are any."""
    _swap_averages(optimizer)
    try:
        yield
    finally:
        _swap_averages(optimizer)


def _swap_averages(optimizer: torch.optim.Optimizer) -> None:
    """Exchange the weights and their averages."""
    with torch.no_grad():
        for parameter, slots in optimizer.state.items():
            if AVERAGE in slots:
                weights = parameter.detach().clone()
                parameter.copy_(slots[AVERAGE])
                slots[AVERAGE].copy_(weights)
