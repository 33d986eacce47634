"""The optimizer and its learning-rate schedule, which is a function of the step alone."""

import math

import torch
from torch import nn

from dnaspt.config import TrainingConfig


def build_optimizer(model: nn.Module, config: TrainingConfig, encoder_rate: float = 1.0) -> torch.optim.AdamW:
    """AdamW (Loshchilov & Hutter 2019); biases and norms do not decay; encoder weights learn at `encoder_rate` times the rate."""
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            key = (name.startswith("encoder."), parameter.ndim > 1 and ".crf." not in name)
            groups.setdefault(key, []).append(parameter)
    return torch.optim.AdamW(
        [
            {
                "params": parameters,
                "rate": encoder_rate if is_encoder else 1.0,
                "weight_decay": config.weight_decay if decays else 0.0,
            }
            for (is_encoder, decays), parameters in groups.items()
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


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give every parameter group its share of the rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["rate"]
