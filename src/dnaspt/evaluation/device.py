"""A run or checkpoint to a task model on the device that was asked for: a GPU where there is one."""

from pathlib import Path
from typing import Literal, get_args

import torch

from dnaspt.checkpoint import CheckpointConfig, load_model
from dnaspt.errors import CheckpointError, ConfigError
from dnaspt.models.task_model import TaskModel

Accelerator = Literal["auto", "cpu", "gpu"]


def choose_device(accelerator: str = "auto") -> torch.device:
    """The device that a word means.

    Raises:
        ConfigError: another word than auto, cpu or gpu; or gpu where there is none.
    """
    if accelerator not in get_args(Accelerator):
        raise ConfigError(f"accelerator {accelerator!r}; expected {', '.join(get_args(Accelerator))}")
    if accelerator == "gpu" and not torch.cuda.is_available():
        raise ConfigError("accelerator 'gpu': no CUDA device is visible here; say auto or cpu")
    return torch.device("cuda" if accelerator != "cpu" and torch.cuda.is_available() else "cpu")


def load_task_model(run: Path, accelerator: str = "auto") -> tuple[TaskModel, CheckpointConfig]:
    """A fine-tuned model in eval mode on its device, and its description; `run` may be a checkpoint.

    Raises:
        CheckpointError: not a fine-tuned model. ConfigError: no such accelerator here.
    """
    device = choose_device(accelerator)
    model, config = load_model(run)
    if not isinstance(model, TaskModel):
        raise CheckpointError(f"{run}: holds a language model; expected a run of 'dnaspt finetune'")
    return model.to(device), config
