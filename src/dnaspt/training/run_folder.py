"""The run folder while it is written: settings, metrics and the result. Imports no torch, so that errors show fast."""

import json
import shutil
from pathlib import Path
from typing import Any

from pydantic_core import to_jsonable_python

from dnaspt.atomic import write_text_atomically
from dnaspt.config import TrainingConfig
from dnaspt.errors import CheckpointError
from dnaspt.json_files import read_json, write_json
from dnaspt.training.runs import METRICS, SETTINGS, RunResult, write_result

_FREE_SETTINGS = frozenset({"max_minutes", "tensorboard", "save_every", "accelerator"})
"""Settings in which a resumed run may differ from its beginning. The first three change no weight; another accelerator rounds
differently. Paths may differ, too: the contents are compared by their digests."""


class RunFolder:
    """The folder of a new or resumed run. Only the process of rank 0 writes.

    Making this object checks the folder and writes nothing.

    Args:
        path: the run folder.
        config: settings of the run.
        resume: go on with a run that was broken off.
        overwrite: replace a run that is there.

    Raises:
        CheckpointError: the folder is there already, is no run, or was started with other settings.
        InputError: its run.json is broken.
    """

    def __init__(self, path: Path, config: TrainingConfig, *, resume: bool, overwrite: bool = False) -> None:
        self.path = path
        self._settings: dict[str, Any] = json.loads(config.model_dump_json())
        if path.is_file():
            raise CheckpointError(f"{path}: is a file; expected a folder to write; choose another --out")
        self._replaces = overwrite and not resume and path.exists()
        if self._replaces:
            self._check_replaceable()
        elif path.exists() and any(path.iterdir()):
            self._check_resumable(config, resume=resume)

    def _check_replaceable(self) -> None:
        if any(self.path.iterdir()) and not (self.path / SETTINGS).is_file():
            raise CheckpointError(f"{self.path}: is there and is no run (no run.json in it); choose another --out")

    def _check_resumable(self, config: TrainingConfig, *, resume: bool) -> None:
        """Refuse to resume without `resume`, or with changed settings."""
        if not resume:
            raise CheckpointError(
                f"{self.path}: already there; go on with --resume, choose another --out, or say --overwrite"
            )
        if not (self.path / SETTINGS).is_file():
            raise CheckpointError(f"{self.path}: has no run.json; expected a run to resume")
        before = read_json(self.path / SETTINGS)
        for name, setting in type(config).model_fields.items():
            if name in _FREE_SETTINGS or setting.annotation in (Path, Path | None):
                continue
            default = to_jsonable_python(setting.get_default())  # of a setting that came after the run was started
            old, now = before.get(name, default), self._settings[name]
            if old != now:
                raise CheckpointError(
                    f"{self.path}: was started with {name} = {old!r}, now {now!r}; resume with the same settings"
                )

    def last_checkpoint(self) -> Path | None:
        """The newest checkpoint to go on from; None where there is none, or where the run is to be replaced."""
        checkpoints = sorted((self.path / "last").glob("step-*"))
        return checkpoints[-1] if checkpoints and not self._replaces else None

    def begin(self, step: int) -> None:
        """Make the folder, write the settings, and drop metrics past the step that the run goes on from.

        A run that is replaced is removed only here, when its successor can begin.
        """
        if self._replaces:
            shutil.rmtree(self.path)
            self._replaces = False
        self.path.mkdir(parents=True, exist_ok=True)
        write_json(self.path / SETTINGS, self._settings)
        self._drop_metrics_after(step)

    def _drop_metrics_after(self, step: int) -> None:
        """Drop rows that were logged after the checkpoint that a resumed run goes on from; the rest stays as it is."""
        file = self.path / METRICS
        if not file.is_file():
            return
        kept = []
        for line in file.read_text(encoding="utf-8").splitlines():
            try:
                row = json.loads(line)
            except json.JSONDecodeError:
                continue  # the last line of a killed run may be half-written
            if row["step"] <= step:
                kept.append(line + "\n")
        write_text_atomically(file, "".join(kept))

    def log_metrics(self, row: dict[str, Any]) -> None:
        """Append a row to metrics.jsonl."""
        with (self.path / METRICS).open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def finish(self, result: RunResult) -> None:
        """Write the result: the mark of a run that came to its end."""
        write_result(self.path, result)
