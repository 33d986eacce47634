"""The run folder while it is written: settings, metrics and the result. Imports no torch, so that errors show fast."""

import json
import logging
import os
import shutil
from collections.abc import Mapping
from contextlib import ExitStack, nullcontext
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pydantic_core import to_jsonable_python

from dnaspt.atomic import content_of, remove_leftovers, write_text_atomically
from dnaspt.config import Settings
from dnaspt.errors import CheckpointError
from dnaspt.json_files import read_json, write_json
from dnaspt.output import locked_output, make_folder
from dnaspt.owner import Owner
from dnaspt.training.runs import METRICS, RESULT, SETTINGS, RunResult, read_metrics_rows, write_result

log = logging.getLogger(__name__)

_FREE_SETTINGS = frozenset({"max_minutes", "tensorboard", "save_every", "accelerator"})
"""Settings in which a resumed run may differ from its beginning. The first three change no weight; another accelerator rounds
differently. Paths may differ, too: the contents are compared by their digests."""
_LENGTH_SETTINGS = frozenset({"epochs", "steps", "patience"})
"""Settings with which a finished run is extended, where they are given."""


def _command_of(settings: Mapping[str, Any]) -> str:
    """The command that has these settings: only fine-tuning has a head, and only an ensemble has runs."""
    return "finetune" if "head" in settings else "ensemble" if "runs" in settings else "pretrain"


class RunFolder:
    """The folder of a new or resumed run. Only the process of rank 0 claims and writes it. Use it in a `with` block.

    Making this object checks the folder and writes nothing.

    Args:
        path: the run folder.
        config: settings of the run.
        resume: go on with a run that was broken off, or, with more epochs or steps, with one that is finished.
        overwrite: replace a run that is there.
        hint: what else to say where another process has made the folder, or writes it.

    Attributes:
        extends: whether a finished run goes on with other settings of its length.

    Raises:
        CheckpointError: the folder is there already, is no run, was started with other settings, or holds no run to resume.
        InputError: its run.json is broken.
    """

    def __init__(self, path: Path, config: Settings, *, resume: bool, overwrite: bool = False, hint: str = "") -> None:
        self.path = path
        self.extends = False
        self._config, self._resume, self._overwrite, self._hint = config, resume, overwrite, hint
        self._settings: dict[str, Any] = json.loads(config.model_dump_json())
        self._claims: ExitStack | None = None
        self._replaced: Path | None = None
        self._check()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._claims or nullcontext():
            self._settle(has_failed=kind is not None)

    def _settle(self, *, has_failed: bool) -> None:
        """Remove the run that was replaced; put it back where its successor has failed without a checkpoint to go on from."""
        if self._replaced is None:
            return
        target = Path(os.path.realpath(self.path))
        if has_failed and self.last_checkpoint() is None and not (target / RESULT).is_file():
            shutil.rmtree(target, ignore_errors=True)
            self._replaced.rename(target)
            log.warning(
                "%s: the run that was to be replaced is kept, as the new one has failed at its start", self.path
            )
        else:
            shutil.rmtree(self._replaced)
        self._replaced = None

    def claim(self) -> None:
        """Keep other processes from writing this run until the `with` block ends, and remove what killed ones left unfinished.

        Nothing where this process has claimed it already.

        Raises:
            BusyError: another process writes it. CheckpointError, InputError: another process has changed it since.
        """
        if self._claims is not None:
            return
        with ExitStack() as stack:
            stack.enter_context(locked_output(self.path, hint=self._hint))
            for folder in (self.path, self.path / "best", self.path / "last"):
                remove_leftovers(folder)
            self._check()
            self._claims = stack.pop_all()

    def _check(self) -> None:
        """Refuse a folder that can be neither begun, replaced nor resumed."""
        if self.path.is_file():
            raise CheckpointError(f"{self.path}: is a file; expected a folder to write; choose another --out")
        is_there = bool(content_of(self.path))
        self._replaces = self._overwrite and not self._resume and is_there
        if self._replaces:
            self._check_replaceable()
        elif is_there:
            self._check_resumable()
        elif self._resume:
            problem = "is empty" if self.path.is_dir() else "no such folder"
            raise CheckpointError(f"{self.path}: {problem}; expected a run to resume; leave --resume out to start one")

    def _check_replaceable(self) -> None:
        if not (self.path / SETTINGS).is_file():
            raise CheckpointError(f"{self.path}: is there and is no run (no run.json in it); choose another --out")

    def _check_resumable(self) -> None:
        """Refuse to resume without `resume`, or with changed settings but for those that extend a finished run."""
        if not self._resume:
            do = "go on with --resume, choose another --out, or say --overwrite"
            if _command_of(self._settings) == "ensemble":
                do = "choose another --out, or say --overwrite"
            raise CheckpointError(f"{self.path}: already there; {do}{self._hint}")
        if not (self.path / SETTINGS).is_file():
            raise CheckpointError(f"{self.path}: has no run.json; expected a run to resume")
        before, is_finished = read_json(self.path / SETTINGS), (self.path / RESULT).is_file()
        if (command := _command_of(before)) == "ensemble":
            raise CheckpointError(
                f"{self.path}: is an ensemble, which is not resumed; choose another --out, or --overwrite"
            )
        if command != _command_of(self._settings):
            raise CheckpointError(
                f"{self.path}: is a run of 'dnaspt {command}'; resume it with that, or choose another --out"
            )
        for name, setting in type(self._config).model_fields.items():
            if name in _FREE_SETTINGS or setting.annotation in (Path, Path | None, tuple[Path, ...]):
                continue
            default = to_jsonable_python(setting.get_default())  # of a setting that came after the run was started
            old, now = before.get(name, default), self._settings[name]
            if old == now:
                continue
            is_length = name in _LENGTH_SETTINGS
            if is_length and is_finished and name in self._config.model_fields_set:
                self.extends = True
                continue
            do = "resume with the same settings"
            if is_length:
                do += f"; to extend it, give --{name}" if is_finished else ", and extend it when it is finished"
            raise CheckpointError(f"{self.path}: was started with {name} = {old!r}, now {now!r}; {do}")

    def last_checkpoint(self) -> Path | None:
        """The newest checkpoint to go on from; None where there is none, or where the run is to be replaced."""
        checkpoints = sorted((self.path / "last").glob("step-*"))
        return checkpoints[-1] if checkpoints and not self._replaces else None

    def begin(self, step: int, *, is_finished: bool = False) -> None:
        """Make the folder, write the settings, and drop metrics past the step that the run goes on from.

        A run that is replaced is set aside only here, when its successor can begin, and is removed when the `with` block ends. A
        finished run that is extended is not finished any more.

        Args:
            step: the step that the run goes on from.
            is_finished: whether nothing is left to train.
        """
        if self._replaces:
            self._set_aside()
            self._replaces = False
        make_folder(self.path)
        write_json(self.path / SETTINGS, self._settings)
        if not is_finished:
            (self.path / RESULT).unlink(missing_ok=True)
        self._drop_metrics_after(step)

    def _set_aside(self) -> None:
        """Rename the run that is replaced, so that it can be put back; where that is not possible, remove what it holds."""
        target = Path(os.path.realpath(self.path))
        aside = target.with_name(f".{target.name}.replaced-{Owner.this_process().tag}")
        try:
            target.rename(aside)
        except OSError:  # a disk of its own, for instance
            self._remove_content()
        else:
            self._replaced = aside

    def _remove_content(self) -> None:
        """Remove all that the folder holds, run.json last: without it, the folder would be no run that can be replaced."""
        for path in sorted(self.path.iterdir(), key=lambda path: path.name == SETTINGS):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()

    def _drop_metrics_after(self, step: int) -> None:
        """Drop rows that were logged after the checkpoint that a resumed run goes on from; the rest stays as it is."""
        file = self.path / METRICS
        if file.is_file():
            kept = [json.dumps(row) + "\n" for row in read_metrics_rows(file) if row["step"] <= step]
            write_text_atomically(file, "".join(kept))

    def log_metrics(self, row: dict[str, Any]) -> None:
        """Append a row to metrics.jsonl."""
        with (self.path / METRICS).open("a", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps(row) + "\n")

    def finish(self, result: RunResult) -> None:
        """Write the result: the mark of a run that came to its end."""
        write_result(self.path, result)
