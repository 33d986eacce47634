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
from dnaspt.training.optim import AVERAGE
from dnaspt.training.run_folder import RunFolder
from dnaspt.training.runs import STATE, Progress, read_progress

OPTIMIZER = "optimizer.safetensors"
_SLOTS = frozenset({"step", "exp_avg", "exp_avg_sq", AVERAGE})
"""Tensors that AdamW keeps of a parameter, and its running average."""


class ResumePoint(NamedTuple):
    """What a resumed run starts from: tensors of the model and of the optimizer, and where the run stands."""

    checkpoint: Path
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
    for older in parent.glob("step-*"):
        if older.name != checkpoint.name:
            shutil.rmtree(older)


def load_last(folder: RunFolder, config: CheckpointConfig) -> ResumePoint | None:
    """Load the newest checkpoint of a run to go on from; None where there is none.

    Args:
        folder: the run folder.
        config: description of the model that is trained now.

    Raises:
        CheckpointError: it was trained on other data, or from another pretrained encoder or teacher, than now.
        InputError: a file of it is broken.
    """
    checkpoint = folder.last_checkpoint()
    if checkpoint is None:
        return None
    before = read_config(checkpoint)
    for name, old, now in (
        ("dataset", before.data_digest, config.data_digest),
        ("encoder", _digest_of("encoder", before), _digest_of("encoder", config)),
        ("teacher", _digest_of("teacher", before), _digest_of("teacher", config)),
    ):
        if old != now:
            raise CheckpointError(
                f"{folder.path}: its {name} has changed since it was started; start it again in a new --out"
            )
    progress = read_progress(checkpoint)
    weights, optimizer = (read_tensors(checkpoint / name) for name in (TENSORS, OPTIMIZER))
    return ResumePoint(checkpoint, weights, optimizer, progress)


def _digest_of(source: str, config: CheckpointConfig) -> str:
    """sha256 of the tensors of the pretrained encoder, or of the teacher; "" where there is none."""
    described = config.provenance.get(source)
    return str(described.get("sha256", "")) if isinstance(described, dict) else ""


def load_weights(model: nn.Module, last: ResumePoint) -> None:
    """Load the weights that a run goes on from.

    Raises:
        CheckpointError: they are not those of this model.
    """
    try:
        model.load_state_dict(last.weights)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise CheckpointError(f"{last.checkpoint / TENSORS}: does not fit the model of this run ({reason})") from error


def optimizer_tensors(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """State of an optimizer as named tensors: 'parameter|slot'."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return {
        f"{names[id(parameter)]}|{slot}": value.detach().clone()
        for parameter, slots in optimizer.state.items()
        for slot, value in slots.items()
        if isinstance(value, Tensor)
    }


def load_optimizer(
    model: nn.Module, optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor], file: Path = Path(OPTIMIZER)
) -> None:
    """Put named tensors back into an optimizer, each on the device of its parameter.

    Args:
        model: the model, on its device.
        optimizer: of its parameters.
        tensors: as `optimizer_tensors` gives them.
        file: where they come from, for the error.

    Raises:
        CheckpointError: they are not those of an optimizer of this model.
    """
    parameters = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    slots_of: dict[str, set[str]] = {}
    for key, value in tensors.items():
        name, _, slot = key.rpartition("|")
        is_known = name in parameters and slot in _SLOTS and value.is_floating_point()
        if not is_known or value.shape != (torch.Size() if slot == "step" else parameters[name].shape):
            found = f"{key!r}, {value.dtype} {tuple(value.shape)}, is no tensor of the optimizer of this run"
            raise CheckpointError(f"{file}: {found}; is the file whole?")
        slots_of.setdefault(name, set()).add(slot)
        parameter = parameters[name]
        optimizer.state[parameter][slot] = value.to(parameter.device)
    if half := [name for name, slots in slots_of.items() if not _SLOTS - {AVERAGE} <= slots]:
        raise CheckpointError(f"{file}: has not all tensors of {half[0]!r}; is the file whole?")
