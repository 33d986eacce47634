"""Checkpoints of a run: best/step-N, the best weights on valid, and last/step-N, all that a resumed run needs."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from dnaspt.checkpoint import read_tensors, save_checkpoint
from dnaspt.checkpoint_config import TENSORS, CheckpointConfig, read_config
from dnaspt.errors import CheckpointError
from dnaspt.training.run_folder import RunFolder
from dnaspt.training.runs import STATE, Progress, read_progress

OPTIMIZER = "optimizer.safetensors"


class ResumePoint(NamedTuple):
    """What a resumed run starts from: tensors of the model and of the optimizer, and where the run stands."""

    weights: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    progress: Progress


def save_best(folder: RunFolder, model: nn.Module, config: CheckpointConfig, step: int) -> None:
    """Save the best weights so far."""
    _save(folder.path / "best", step, model, config)


def save_last(
    folder: RunFolder,
    model: nn.Module,
    config: CheckpointConfig,
    optimizer: torch.optim.Optimizer,
    progress: Progress,
) -> None:
    """Save all that a resumed run needs: weights, tensors of the optimizer, step, epoch and next batch."""
    state = json.dumps(asdict(progress), indent=1) + "\n"
    extra: dict[str, Mapping[str, Tensor] | str] = {OPTIMIZER: optimizer_tensors(model, optimizer), STATE: state}
    _save(folder.path / "last", progress.step, model, config, extra)


def _save(
    parent: Path,
    step: int,
    model: nn.Module,
    config: CheckpointConfig,
    extra: Mapping[str, Mapping[str, Tensor] | str] | None = None,
) -> None:
    """Write parent/step-N, then remove the older ones beside it."""
    checkpoint = parent / f"step-{step:08d}"
    save_checkpoint(checkpoint, model, config, extra)
    for older in parent.iterdir():
        if older.name != checkpoint.name:
            shutil.rmtree(older)


def load_last(folder: RunFolder, config: CheckpointConfig) -> ResumePoint | None:
    """Load the newest checkpoint of a run to go on from; None where there is none.

    Args:
        folder: the run folder.
        config: description of the model that is trained now.

    Raises:
        CheckpointError: it was trained on other data, or from another pretrained encoder, than now.
        InputError: a file of it is broken.
    """
    checkpoint = folder.last_checkpoint()
    if checkpoint is None:
        return None
    before = read_config(checkpoint)
    for name, old, now in (
        ("dataset", before.data_digest, config.data_digest),
        ("encoder", _encoder_digest(before), _encoder_digest(config)),
    ):
        if old != now:
            raise CheckpointError(
                f"{folder.path}: its {name} has changed since it was started; start it again in a new --out"
            )
    progress = read_progress(checkpoint)
    return ResumePoint(read_tensors(checkpoint / TENSORS), read_tensors(checkpoint / OPTIMIZER), progress)


def _encoder_digest(config: CheckpointConfig) -> str:
    """sha256 of the pretrained encoder's tensors; "" where training began from scratch."""
    return str(config.provenance.get("encoder", {}).get("sha256", ""))


def optimizer_tensors(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """State of an optimizer as named tensors: 'parameter|slot'."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return {
        f"{names[id(parameter)]}|{slot}": value.detach().clone()
        for parameter, slots in optimizer.state.items()
        for slot, value in slots.items()
        if isinstance(value, Tensor)
    }


def load_optimizer(model: nn.Module, optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put named tensors back into an optimizer, each on the device of its parameter."""
    parameters = dict(model.named_parameters())
    for key, value in tensors.items():
        name, slot = key.split("|")
        parameter = parameters[name]
        optimizer.state[parameter][slot] = value.to(parameter.device)
