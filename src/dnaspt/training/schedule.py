"""The schedule of a run: how many steps it takes, the learning rate of each, and how often it validates.

All are functions of the settings and the step alone, so that a resumed run goes on as if nothing had happened. A finished run
that is extended goes on as a run of its new length would from that step on: the learning rate, which had fallen to its end, rises
to where such a run would be, and falls again. Its weights are not those of a run that had the new length from the start.
"""

import math

from dnaspt.config import TrainingConfig
from dnaspt.data.batches import TrainingBatches


def count_steps(config: TrainingConfig, batches: TrainingBatches) -> int:
    """Optimizer steps of a run: `steps`, or as many as `epochs` passes over the batches take."""
    return config.steps or max(1, math.ceil(config.epochs * len(batches.plan(0)) / config.accumulate))


def learning_rate(step: int, n_steps: int, config: TrainingConfig) -> float:
    """Learning rate of a step (0 to n_steps - 1): it rises linearly, then falls along a cosine.

    The rise takes `warmup_fraction` of the steps; the fall ends at `final_rate_fraction` of the peak.
    """
    n_warmup = max(1, round(n_steps * config.warmup_fraction))
    if step < n_warmup:
        return config.learning_rate * (step + 1) / n_warmup
    progress = (step - n_warmup) / max(1, n_steps - n_warmup)
    floor = config.final_rate_fraction
    return config.learning_rate * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress)))


def validation_interval(config: TrainingConfig, n_steps: int, valid_bp: int) -> int:
    """Steps between two validations: `validate_every`, or a twentieth of the run.

    Where a validation reads more bases than are trained on in between, the interval grows until both read as many, up to a
    quarter of the run.

    Args:
        config: settings of the run.
        n_steps: optimizer steps of the run.
        valid_bp: bases that one validation reads.
    """
    steps_of_valid = math.ceil(valid_bp / (config.batch_bp * config.accumulate))
    return config.validate_every or max(1, n_steps // 20, min(steps_of_valid, n_steps // 4))
