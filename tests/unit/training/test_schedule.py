"""Steps, learning rates and validations of a run, from its settings alone."""

from itertools import pairwise
from types import SimpleNamespace

import pytest

from dnaspt.config import TrainingConfig
from dnaspt.training.schedule import count_steps, learning_rate, validation_interval


@pytest.mark.parametrize(
    ("n_steps", "valid_bp", "interval"),
    [(1000, 1_000, 50), (1000, 1_024_000, 100), (1000, 1 << 40, 250), (3, 1 << 40, 1), (1000, 0, 50)],
)
def test_validations_read_no_more_than_training_does(n_steps: int, valid_bp: int, interval: int) -> None:
    config = TrainingConfig(batch_bp=5120, accumulate=2)
    assert validation_interval(config, n_steps, valid_bp) == interval
    assert validation_interval(config.model_copy(update={"validate_every": 7}), n_steps, valid_bp) == 7


def test_rate_warms_up_to_its_peak_and_falls_to_its_floor() -> None:
    config = TrainingConfig(learning_rate=1.0, warmup_fraction=0.1, final_rate_fraction=0.01)
    rates = [learning_rate(step, 100, config) for step in range(100)]
    assert rates[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert all(left >= right for left, right in pairwise(rates[9:]))
    assert rates[-1] == pytest.approx(0.01, abs=0.005)


@pytest.mark.parametrize(
    ("settings", "n_steps"), [({"steps": 7}, 7), ({"epochs": 2.5, "accumulate": 2}, 13), ({"epochs": 0.001}, 1)]
)
def test_steps_are_given_or_follow_from_epochs(settings: dict[str, float], n_steps: int) -> None:
    batches = SimpleNamespace(plan=lambda epoch: range(10))  # ten batches an epoch
    assert count_steps(TrainingConfig(**settings), batches) == n_steps
