"""The optimizer, its learning-rate schedule, which is a function of the step alone, and averages of weights."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from dnaspt.config import TrainingConfig


def build_optimizer(
    model: nn.Module, config: TrainingConfig, encoder_rate: float = 1.0, crf_rate: float = 1.0
) -> torch.optim.AdamW:
    """AdamW (Loshchilov & Hutter 2019); biases, norms and the scores of a CRF do not decay.

    encoder_rate, crf_rate: learning rates of the encoder and of a CRF's scores as multiples of the head's.
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


def learning_rate(step: int, n_steps: int, config: TrainingConfig) -> float:
    """Rate of step 0..n_steps-1: linear warm-up, then a cosine down to `final_rate_fraction` of the peak."""
    n_warmup = max(1, round(n_steps * config.warmup_fraction))
    if step < n_warmup:
        return config.learning_rate * (step + 1) / n_warmup
    progress = (step - n_warmup) / max(1, n_steps - n_warmup)
    floor = config.final_rate_fraction
    return config.learning_rate * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress)))


AVERAGE = "average"
"""Slot of the optimizer's state that holds a parameter's running average, and is saved with the others."""


def update_averages(optimizer: torch.optim.Optimizer, step: int, n_steps: int, fraction: float) -> None:
    """Take the weights after step 0..n_steps-1 into their running averages, which look back on about that share of the steps.

    Only what the optimizer trains is averaged; the statistics of a batch norm stay those of the moment.
    Early on all weights so far count alike (Polyak and Juditsky 1992), then the older the less.
    """
    share = max(1 / (step + 1), 1 / max(1.0, fraction * n_steps))
    with torch.no_grad():
        for parameter, slots in optimizer.state.items():
            if AVERAGE in slots:
                slots[AVERAGE].lerp_(parameter, share)
            elif slots:  # its first step is done
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
    with torch.no_grad():
        for parameter, slots in optimizer.state.items():
            if AVERAGE in slots:
                now = parameter.detach().clone()
                parameter.copy_(slots[AVERAGE])
                slots[AVERAGE].copy_(now)


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give every parameter group its share of the rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["rate"]
