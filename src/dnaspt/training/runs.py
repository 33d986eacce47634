"""The run folder: settings, metrics.jsonl, checkpoints to resume from and the best one, and the final result.

out/run.json  out/metrics.jsonl  out/last/step-N  out/best/step-N  out/tensorboard/  out/result.json (finished runs only)
"""

import json
import logging
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import torch
from pydantic_core import to_jsonable_python
from torch import Tensor, nn

from dnaspt.atomic import write_text_atomically
from dnaspt.checkpoint import TENSORS, CheckpointConfig, read_config, read_tensors, save_checkpoint
from dnaspt.config import TrainingConfig
from dnaspt.errors import CheckpointError
from dnaspt.json_files import read_json

log = logging.getLogger(__name__)

OPTIMIZER, STATE = "optimizer.safetensors", "state.json"
# Settings that may differ between a run and its continuation; the first three move no weight, another accelerator rounds
# otherwise. So may paths: their contents are compared.
_FREE_SETTINGS = frozenset({"max_minutes", "tensorboard", "save_every", "accelerator"})


class Last(NamedTuple):
    """What a resumed run starts from: model and optimizer tensors, and where it stands."""

    weights: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    progress: dict[str, Any]


def _identity(checkpoint: CheckpointConfig) -> tuple[str, str]:
    """Digests of the data and of the pretrained encoder, "" where there is none."""
    return checkpoint.data_digest, str(checkpoint.provenance.get("encoder", {}).get("sha256", ""))


class Run:
    """A run folder, to be started or resumed. Only rank 0 writes."""

    def __init__(self, out: Path, config: TrainingConfig, *, resume: bool, overwrite: bool = False) -> None:
        self.out = out
        self.settings = json.loads(config.model_dump_json())
        self._fixed = {
            name: to_jsonable_python(field.get_default())
            for name, field in type(config).model_fields.items()
            if name not in _FREE_SETTINGS and field.annotation not in (Path, Path | None)
        }
        if out.is_file():
            raise CheckpointError(f"{out}: is a file; expected a folder to write; choose another --out")
        self._replaces = overwrite and not resume and out.exists()
        if self._replaces:
            self._check_replaceable()
        elif out.exists() and any(out.iterdir()):
            self._check(resume=resume)
        self.metrics_file = out / "metrics.jsonl"

    def _check_replaceable(self) -> None:
        if any(self.out.iterdir()) and not (self.out / "run.json").is_file():
            raise CheckpointError(f"{self.out}: is there and is no run (no run.json in it); choose another --out")

    def _check(self, *, resume: bool) -> None:
        settings_file = self.out / "run.json"
        if not resume:
            raise CheckpointError(
                f"{self.out}: already there; go on with --resume, choose another --out, or say --overwrite"
            )
        if not settings_file.is_file():
            raise CheckpointError(f"{self.out}: has no run.json; expected a run to resume")
        before = read_json(settings_file)
        for name, default in self._fixed.items():
            old, now = before.get(name, default), self.settings[name]
            if old != now:
                raise CheckpointError(
                    f"{self.out}: was started with {name} = {old!r}, now {now!r}; resume with the same settings"
                )

    def open(self) -> None:
        """Make the folder and write the settings; a run that is replaced goes here, once its successor can begin."""
        if self._replaces:
            shutil.rmtree(self.out)
            self._replaces = False
        self.out.mkdir(parents=True, exist_ok=True)
        write_text_atomically(self.out / "run.json", json.dumps(self.settings, indent=1) + "\n")

    def log_metrics(self, row: dict[str, Any]) -> None:
        """Append a row to metrics.jsonl."""
        with self.metrics_file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def cut_metrics(self, step: int) -> None:
        """Drop rows past a step (written after the checkpoint that a resumed run starts from)."""
        if not self.metrics_file.is_file():
            return
        kept = []
        for line in self.metrics_file.read_text(encoding="utf-8").splitlines():
            try:
                row = json.loads(line)
            except json.JSONDecodeError:
                continue  # the last line of a killed run may be half-written
            if row["step"] <= step:
                kept.append(line + "\n")
        write_text_atomically(self.metrics_file, "".join(kept))

    def save_best(self, model: nn.Module, config: CheckpointConfig, step: int) -> None:
        """Publish the best weights so far."""
        self._publish("best", step, model, config)

    def save_last(
        self, model: nn.Module, config: CheckpointConfig, optimizer: torch.optim.Optimizer, state: dict[str, Any]
    ) -> None:
        """Publish all that a resumed run needs: weights, optimizer tensors, step, epoch and cursor."""
        extra: dict[str, dict[str, Tensor] | str] = {
            OPTIMIZER: optimizer_tensors(model, optimizer),
            STATE: json.dumps(state, indent=1) + "\n",
        }
        self._publish("last", int(state["step"]), model, config, extra)

    def _publish(
        self,
        kind: str,
        step: int,
        model: nn.Module,
        config: CheckpointConfig,
        extra: dict[str, dict[str, Tensor] | str] | None = None,
    ) -> None:
        folder = self.out / kind / f"step-{step:08d}"
        save_checkpoint(folder, model, config, extra)
        for older in folder.parent.iterdir():
            if older.name != folder.name:
                shutil.rmtree(older)

    def find_last(self, checkpoint: CheckpointConfig) -> "Last | None":
        """The newest checkpoint for resuming, or None where there is none.

        Raises:
            CheckpointError: it was trained on other data, or from another encoder, than `checkpoint` describes.
        """
        steps = sorted((self.out / "last").glob("step-*"))
        if not steps or self._replaces:
            return None
        before = read_config(steps[-1])
        for what, old, now in zip(("dataset", "encoder"), _identity(before), _identity(checkpoint)):
            if old != now:
                raise CheckpointError(
                    f"{self.out}: its {what} has changed since it was started; start it again in a new --out"
                )
        progress = read_json(steps[-1] / STATE)
        return Last(read_tensors(steps[-1] / TENSORS), read_tensors(steps[-1] / OPTIMIZER), progress)

    def finish(self, result: dict[str, Any]) -> None:
        """Write the result: the mark of a run that came to its end."""
        write_text_atomically(self.out / "result.json", json.dumps(result, indent=1) + "\n")


def optimizer_tensors(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """State of an optimizer as named tensors: 'parameter|slot'."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return {
        f"{names[id(parameter)]}|{slot}": value.detach().clone()
        for parameter, slots in optimizer.state.items()
        for slot, value in slots.items()
        if isinstance(value, Tensor)
    }


def load_optimizer(model: nn.Module, optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Put named tensors back into an optimizer, on the device of each parameter."""
    parameters = dict(model.named_parameters())
    for key, value in tensors.items():
        name, slot = key.split("|")
        parameter = parameters[name]
        place = torch.device("cpu") if slot == "step" and parameter.device.type == "cpu" else parameter.device
        optimizer.state[parameter][slot] = value.to(place)
