"""Run folders to the records that a report compares: settings, result, curves, test scores, and a name for each run."""

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dnaspt.checkpoint import CheckpointConfig, read_config
from dnaspt.data.manifest import Manifest
from dnaspt.errors import CheckpointError, DnasptError, InputError
from dnaspt.evaluation.metrics import Score, primary_metric
from dnaspt.tasks import TASKS

Row = dict[str, Any]
HEAD_NAMES = {"crf": "CRF", "crf-unconstrained": "unconstrained CRF", "softmax": "softmax", "sigmoid": "sigmoid"}


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A finished and evaluated fine-tuning run.

    Attributes:
        folder: the run folder.
        name: how the report calls it, unique among the runs compared.
        init: "scratch", "SPT" (pretrained on the same dataset) or "pretrained" (on another one).
        head: crf, softmax or sigmoid.
        config: description of the best checkpoint.
        settings: run.json.
        result: result.json; empty where the run was stopped before its end.
        metrics: rows of metrics.jsonl by step.
        scores: evaluation-test.json.
    """

    folder: Path
    name: str
    init: str
    head: str
    config: CheckpointConfig
    settings: Row
    result: Row
    metrics: tuple[Row, ...]
    scores: Row

    @property
    def steps(self) -> int:
        """Optimizer steps done."""
        last: int = self.metrics[-1]["step"] if self.metrics else 0
        return int(self.result.get("steps", last))

    @property
    def minutes(self) -> float:
        """Training time; nan where it is not known."""
        seconds = [row["seconds"] for row in self.metrics if "seconds" in row]
        return float(self.result.get("minutes", seconds[-1] / 60 if seconds else math.nan))

    @property
    def is_pretrained(self) -> bool:
        """Whether the encoder began from a checkpoint."""
        return self.init != "scratch"


@dataclass(frozen=True, slots=True)
class PretrainRecord:
    """A finished pretraining run: its folder, description, run.json, result.json and rows of metrics.jsonl by step."""

    folder: Path
    config: CheckpointConfig
    settings: Row
    result: Row
    metrics: tuple[Row, ...]

    @property
    def accuracy(self) -> float:
        """Share of masked bases guessed right by the best checkpoint; nan where it was not logged."""
        best = next((row for row in self.metrics if row["step"] == self.result["best_step"]), {})
        return float(best.get("valid_accuracy", math.nan))

    @property
    def read_splits(self) -> tuple[str, ...]:
        """Splits whose sequences it learned from."""
        return tuple(self.config.provenance.get("read_splits", ()))


def score_of(raw: Row | None) -> Score:
    """A score as evaluations write it, None being nan."""
    values = {name: math.nan if value is None else float(value) for name, value in (raw or {}).items()}
    return Score(**values) if values else Score(math.nan)


def primary_score(record: RunRecord) -> Score:
    """MCC, mean AUROC or mean AUPRC, as the task has it."""
    return score_of(record.scores[primary_metric(record.scores)])


def read_runs(folders: Sequence[Path], data: Path, manifest: Manifest) -> list[RunRecord]:
    """Records of evaluated runs, named apart from one another.

    Raises:
        DnasptError: no run given, a run that is not evaluated on the test split, or not on this dataset.
        CheckpointError: a folder that is no run of 'dnaspt finetune', or one of another task.
        InputError: a file of a run that does not parse.
    """
    if not folders:
        raise DnasptError("no run given; expected one or more run folders of 'dnaspt finetune'")
    return _named([_read_run(folder, data, manifest) for folder in folders])


def _read_run(folder: Path, data: Path, manifest: Manifest) -> RunRecord:
    config = read_config(folder)
    if config.kind != "task" or config.task != manifest.task:
        what = f"a model for {config.task!r}" if config.kind == "task" else "a language model"
        raise CheckpointError(f"{folder}: holds {what}; expected a run of 'dnaspt finetune' for {manifest.task!r}")
    file = folder / "evaluation-test.json"
    command = f"dnaspt evaluate {folder} --data {data} --split test"
    if not file.is_file():
        raise DnasptError(f"{folder}: not evaluated on the test split; run '{command}'")
    scores = _read_json(file)
    if scores.get("data_digest") != manifest.digest:
        raise DnasptError(f"{file}: scores of another dataset than {data} (digests differ); run '{command}'")
    record = RunRecord(
        folder=folder,
        name="",
        init=_init(config, manifest),
        head=config.head,
        config=config,
        settings=_read_json(folder / "run.json"),
        result=_read_json(folder / "result.json") if (folder / "result.json").is_file() else {},
        metrics=_read_metrics(folder / "metrics.jsonl"),
        scores=scores,
    )
    return replace(record, name=_plain_name(record))


def _init(config: CheckpointConfig, manifest: Manifest) -> str:
    """scratch, SPT or pretrained: whether the encoder's own data was this dataset."""
    encoder = config.provenance.get("encoder")
    if encoder is None:
        return "scratch"
    try:
        same = read_config(encoder["path"]).data_digest == manifest.digest
    except CheckpointError:  # moved or deleted since: go by the path that it was given
        settings = encoder.get("provenance", {}).get("settings", {})
        same = settings.get("data") == config.provenance.get("settings", {}).get("data")
    return "SPT" if same else "pretrained"


def _plain_name(record: RunRecord) -> str:
    """Name by what was varied: "SPT + CRF", "scratch + softmax, 10 % of labels"."""
    several_heads = len(TASKS[record.config.task].heads) > 1
    name = f"{record.init} + {HEAD_NAMES[record.head]}" if several_heads else record.init
    if record.settings.get("freeze_encoder"):
        name += ", frozen"
    fraction = record.settings.get("label_fraction", 1.0)
    return name if fraction == 1 else f"{name}, {100 * fraction:g} % of labels"


def _named(records: list[RunRecord]) -> list[RunRecord]:
    """Records with the folder's name (or its whole path) behind names that are not unique."""
    for suffix in (lambda record: record.folder.name, lambda record: str(record.folder)):
        uses = Counter(record.name for record in records)
        records = [
            replace(record, name=f"{_plain_name(record)} ({suffix(record)})") if uses[record.name] > 1 else record
            for record in records
        ]
    return records


def read_pretraining(folder: Path) -> PretrainRecord:
    """Record of a finished pretraining run.

    Raises:
        CheckpointError: no run of 'dnaspt pretrain', or one that is not finished.
        InputError: a file of the run that does not parse.
    """
    config = read_config(folder)
    if config.kind != "language":
        raise CheckpointError(f"{folder}: holds a fine-tuned model; expected a run of 'dnaspt pretrain'")
    if not (folder / "result.json").is_file():
        raise CheckpointError(f"{folder}: has no result.json; finish it with 'dnaspt pretrain ... --resume'")
    names = ("run.json", "result.json")
    settings, result = (_read_json(folder / name) for name in names)
    return PretrainRecord(folder, config, settings, result, _read_metrics(folder / "metrics.jsonl"))


def _read_json(file: Path) -> Row:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(file, "no such file", expected="a run of dnaspt") from error
    except ValueError as error:
        raise InputError(file, f"not JSON ({error})", do="run the command that wrote it again") from error
    if not isinstance(content, dict):
        raise InputError(file, f"a {type(content).__name__}", expected="a JSON object")
    return content


def _read_metrics(file: Path) -> tuple[Row, ...]:
    """Rows of metrics.jsonl, those of one step joined, by step; none where there is no such file."""
    if not file.is_file():
        return ()
    rows: dict[int, Row] = {}
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            row = json.loads(line)
            rows[row["step"]] = rows.get(row["step"], {}) | row
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(file, "not a row of metrics", expected="a JSON object with step", line=number) from error
    return tuple(rows[step] for step in sorted(rows))
