"""A training run as its user sees it: where it lies, how it ended, its scores and its history.

A run folder holds run.json (settings), metrics.jsonl (one row for each logged step), best/step-N and last/step-N (checkpoints),
tensorboard/, and, once the run is finished, result.json. This file has the only reader and the only writer of result.json.
"""

import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnaspt.baselines.ngram import NgramBaseline
from dnaspt.errors import CheckpointError, InputError
from dnaspt.frozen_dict import freeze
from dnaspt.json_files import MOST, UNFIT, build_checked, check_types, read_json, read_json_lines, write_json
from dnaspt.prepare.held_out import CutOut

if TYPE_CHECKING:
    import pandas as pd

FORMAT_VERSION = 1
"""Version of result.json. Files of the first versions have none, and the same content."""
SETTINGS, METRICS, RESULT, STATE = "run.json", "metrics.jsonl", "result.json", "state.json"
_SCORES = ("valid_", "train_")
_LARGEST = 1e100
"""No finite loss or gradient is larger: a training diverges long before."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands; written as state.json beside every checkpoint that a run can go on from.

    Attributes:
        step: optimizer steps done.
        epoch: pass over the data of the next batch.
        cursor: number of the next batch within its epoch.
        best: best primary score on valid so far, higher is better.
        best_step: step of that score.
        best_scores: all scores of that validation, by name.
        n_bad: validations since then.
        n_bp: bases trained on.
        seconds: training time, over all sessions.
    """

    step: int = 0
    epoch: int = 0
    cursor: int = 0
    best: float = -math.inf
    best_step: int = 0
    best_scores: dict[str, float] = field(default_factory=dict)
    n_bad: int = 0
    n_bp: int = 0
    seconds: float = 0.0


def read_progress(checkpoint: Path) -> Progress:
    """Read the state.json of a checkpoint.

    Raises:
        InputError: not there, broken, with other names, with values that no run can have, or of another step.
    """
    file = checkpoint / STATE
    content = read_json(file, expected="a checkpoint of a run of dnaspt")
    try:
        progress = build_checked(Progress, content)
        counts = ("step", "epoch", "cursor", "best_step", "n_bad", "n_bp")
        if damaged := [name for name in counts if not 0 <= getattr(progress, name) <= MOST]:
            raise ValueError(f"{damaged[0]} is {getattr(progress, damaged[0])}")
        if math.isnan(progress.best) or not 0 <= progress.seconds < math.inf:
            raise ValueError(f"best is {progress.best}, seconds is {progress.seconds}")
        if checkpoint.name != f"step-{progress.step:08d}":
            raise ValueError(f"step is {progress.step}")
        return progress
    except UNFIT as error:
        do = "remove the checkpoint, and the run begins anew"
        raise InputError(file, f"not the state of a run at this step ({error})", do=do) from error


@dataclass(frozen=True, slots=True)
class RunResult:
    """Result of a training run: scores, steps and time; the content of result.json.

    Attributes:
        scores: scores of the best checkpoint on valid, by name: valid_mcc, valid_accuracy, valid_exon_f1 and valid_gene_f1 for
            genes, valid_auroc and valid_auprc for windows, valid_nats (mean nats per masked base) and valid_accuracy for
            pretraining. Of a gene model also those of train, out of fold: train_mcc, train_exon_f1 and so on.
        best_step: step of the best checkpoint.
        steps: optimizer steps done.
        n_bp: bases trained on, each as often as it was seen.
        minutes: training time.
        device: name of the GPU or processor; "" where it is not on record.
        precision: 32, bf16 or 16; "" where it is not on record.
        ngram: scores of n-gram models on the masked bases of valid; None for fine-tuning.
        cut_out: what a pretraining has not read, because it stands in valid or test parts of the datasets that it serves; None
            for fine-tuning, and where a dataset was read alone.

    Example:
        >>> run = dnaspt.finetune("data/peaks", out="runs/short_peaks", preset="tiny", steps=2, batch_bp=2048)
        >>> run.result.steps
        2
        >>> sorted(run.result.scores)
        ['valid_auprc', 'valid_auroc']
    """

    scores: Mapping[str, float]
    best_step: int
    steps: int
    n_bp: int
    minutes: float
    device: str = ""
    precision: str = ""
    ngram: NgramBaseline | None = None
    cut_out: CutOut | None = None

    def __post_init__(self) -> None:
        freeze(self, "scores")

    @property
    def is_estimated(self) -> bool:
        """Whether it is that of a gene model, which has no steps: it alone has scores of train, out of fold."""
        return any(name.startswith("train_") for name in self.scores)

    @classmethod
    def of(
        cls,
        progress: Progress,
        *,
        device: str = "",
        precision: str = "",
        ngram: NgramBaseline | None = None,
        cut_out: CutOut | None = None,
    ) -> "RunResult":
        """The result of a run that stands at `progress`."""
        scores = {name: score for name, score in progress.best_scores.items() if name != "valid_score"}
        minutes = progress.seconds / 60
        steps = (progress.best_step, progress.step, progress.n_bp, minutes)
        return cls(scores, *steps, device=device, precision=precision, ngram=ngram, cut_out=cut_out)

    def summary(self) -> dict[str, Any]:
        """Names and values for a table; values that are not on record are left out, and steps of what has none."""
        values = self._values()
        if self.is_estimated:
            values = {name: value for name, value in values.items() if name not in ("best_step", "steps", "precision")}
        return values

    def _values(self) -> dict[str, Any]:
        """Names and values; values that are not on record are left out."""
        counts = {"best_step": self.best_step, "steps": self.steps, "n_bp": self.n_bp, "minutes": self.minutes}
        ngram = {} if self.ngram is None else asdict(self.ngram)
        cut_out = {} if self.cut_out is None else asdict(self.cut_out)
        made_by = {"device": self.device, "precision": self.precision}
        return dict(self.scores) | counts | ngram | cut_out | {name: value for name, value in made_by.items() if value}

    def to_dict(self) -> dict[str, Any]:
        """Content of the JSON file."""
        return {"format_version": FORMAT_VERSION} | self._values()

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "RunResult":
        """A result from the content of a JSON file, also of the first versions.

        Raises:
            KeyError, TypeError, ValueError, OverflowError: not the result of a training run, or of a later format.
        """
        version = content.get("format_version", FORMAT_VERSION)
        if version != FORMAT_VERSION:
            raise ValueError(f"format version {version}; expected {FORMAT_VERSION}")
        scores = {name: value for name, value in content.items() if name.startswith(_SCORES)}
        return cls(
            scores={name: math.nan if value is None else float(value) for name, value in scores.items()},
            best_step=int(content["best_step"]),
            steps=int(content["steps"]),
            n_bp=int(content["n_bp"]),
            minutes=float(content["minutes"]),
            device=str(content.get("device", "")),
            precision=str(content.get("precision", "")),
            ngram=_ngram_from_dict(content) if "markov_nats" in content else None,
            cut_out=_cut_out_from_dict(content) if "n_cut_bp" in content else None,
        )


def _ngram_from_dict(content: Mapping[str, Any]) -> NgramBaseline:
    values = {item.name: content[item.name] for item in fields(NgramBaseline)}
    return build_checked(NgramBaseline, values | {"nats_by_k": tuple(values["nats_by_k"])})


def _cut_out_from_dict(content: Mapping[str, Any]) -> CutOut:
    return build_checked(CutOut, {item.name: content[item.name] for item in fields(CutOut)})


def write_result(folder: Path, result: RunResult) -> None:
    """Write result.json into a run folder: the mark of a finished run."""
    write_json(folder / RESULT, result.to_dict())


def read_result(folder: Path) -> RunResult:
    """Read the result.json of a finished run.

    Raises:
        InputError: not there, broken, or not the result of a training run.
    """
    file = folder / RESULT
    content = read_json(file, expected="a finished run of dnaspt")
    try:
        return check_types(RunResult.from_dict(content), has_counts=True)
    except UNFIT as error:
        raise InputError(file, f"not the result of a training run ({error!r})") from error


def read_metrics_rows(file: Path) -> list[dict[str, Any]]:
    """Rows of a metrics.jsonl in order.

    Raises:
        InputError: a line that is no row of numbers with a step.
    """
    rows = read_json_lines(file)
    for row in rows:
        if not isinstance(step := row.get("step"), int) or not 0 <= step <= MOST:
            found = "a row without step" if step is None else f"a row with step {str(step)[:40]!r}"
            raise InputError(file, found, expected="a row of metrics, with the number of its step")
        for name, value in row.items():
            if not isinstance(value, int | float) or _LARGEST < abs(value) < math.inf:
                found = f"{name[:40]!r} of step {step} is {str(value)[:40]!r}"
                raise InputError(file, found, expected="a number that a run can have")
    return rows


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """Rows of a run's metrics.jsonl by step, rows of the same step joined; none where there is no such file.

    Raises:
        InputError: a line that is no row of numbers with a step.
    """
    file = folder / METRICS
    if not file.is_file():
        return []
    rows: dict[int, dict[str, Any]] = {}
    for row in read_metrics_rows(file):
        rows[row["step"]] = rows.get(row["step"], {}) | row
    return [rows[step] for step in sorted(rows)]


@dataclass(frozen=True, slots=True, repr=False)
class Run:
    """A training run, finished or stopped. It can be given wherever its folder can.

    Attributes:
        path: the run folder.
        result: scores, steps and time; of a stopped run those so far.
        finished: whether the schedule or early stopping ended it.
        stopped_by: what stopped it: "time", or the name of a signal; "" where it is finished or that is not on record.
        rank: number of this process among those that train together.

    Example:
        >>> run = dnaspt.pretrain("data/genes", out="runs/short", preset="tiny", steps=2, batch_bp=2048)
        >>> run.path, run.finished, run.step
        (PosixPath('runs/short'), True, 2)
        >>> run.history["step"].tolist()
        [1, 2]
    """

    path: Path
    result: RunResult
    finished: bool
    stopped_by: str = ""
    rank: int = 0

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> "Run":
        """Open a run folder, finished or not.

        Args:
            path: folder that `pretrain` or `finetune` wrote.

        Raises:
            CheckpointError: no run folder. InputError: a file of it that is broken.

        Example:
            >>> dnaspt.Run.open("runs/genes").finished
            True
        """
        folder = Path(path)
        if not (folder / SETTINGS).is_file():
            problem = (
                "has no run.json in it" if folder.is_dir() else "is a file" if folder.is_file() else "no such folder"
            )
            raise CheckpointError(f"{folder}: {problem}; expected a run of 'dnaspt pretrain' or 'dnaspt finetune'")
        if (folder / RESULT).is_file():
            return cls(folder, read_result(folder), finished=True)
        checkpoints = sorted((folder / "last").glob("step-*"))
        progress = read_progress(checkpoints[-1]) if checkpoints else Progress()
        return cls(folder, RunResult.of(progress), finished=False)

    @property
    def scores(self) -> Mapping[str, float]:
        """Scores of the best checkpoint on valid, by name."""
        return self.result.scores

    @property
    def best_step(self) -> int:
        """Step of the best checkpoint."""
        return self.result.best_step

    @property
    def step(self) -> int:
        """Optimizer steps done."""
        return self.result.steps

    @property
    def n_bp(self) -> int:
        """Bases trained on."""
        return self.result.n_bp

    @property
    def minutes(self) -> float:
        """Training time in minutes."""
        return self.result.minutes

    @property
    def device(self) -> str:
        """Name of the GPU or processor; "" where it is not on record."""
        return self.result.device

    @property
    def precision(self) -> str:
        """Precision of the matrix products: 32, bf16 or 16; "" where it is not on record."""
        return self.result.precision

    @property
    def history(self) -> "pd.DataFrame":
        """Loss, learning rate, scores and others by step: a row for each row of metrics.jsonl.

        Raises:
            CheckpointError: the run folder is no longer there.
        """
        if not self.path.is_dir():
            raise CheckpointError(f"{self.path}: no such folder; was the run moved, or the working folder changed?")
        import pandas as pd

        return pd.DataFrame(read_metrics(self.path))

    def __fspath__(self) -> str:
        return os.fspath(self.path)

    def __repr__(self) -> str:
        how = "finished" if self.finished else f"stopped by {self.stopped_by}" if self.stopped_by else "not finished"
        scores = ", ".join(f"{name} {score:.4f}" for name, score in self.scores.items())
        return f"Run({self.path}: {how} at step {self.step}{', ' if scores else ''}{scores})"


class RunStopped(KeyboardInterrupt):
    """A signal (Ctrl-C, SIGTERM) stopped a training run, which is saved and can be resumed.

    It ends a script as Ctrl-C does, so that nothing goes on with a model that is half trained.

    Attributes:
        run: the run as it was saved.
    """

    def __init__(self, run: Run) -> None:
        super().__init__(
            f"{run.path}: stopped by {run.stopped_by} at step {run.step} and saved; go on with resume=True"
        )
        self.run = run

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the run: the message is made of it again."""
        return type(self), (self.run,)
