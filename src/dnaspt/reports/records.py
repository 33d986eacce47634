"""Run folders to what a report compares: settings, result, curves, test scores, and a name for each run."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from dnaspt.baselines.ngram import NgramBaseline
from dnaspt.baselines.results import BaselineResult
from dnaspt.baselines.results import read_result as read_baseline
from dnaspt.baselines.windows import KMER_BP
from dnaspt.checkpoint_config import CheckpointConfig, read_config
from dnaspt.config import BASELINE_ENCODERS, EncoderConfig
from dnaspt.data.dataset import read_split
from dnaspt.data.manifest import Manifest
from dnaspt.errors import CheckpointError, DnasptError, InputError
from dnaspt.evaluation.metrics import auroc
from dnaspt.evaluation.results import BootstrapCounts, Evaluation, read_counts, read_evaluation
from dnaspt.evaluation.score import cpg_counts
from dnaspt.json_files import read_json
from dnaspt.tasks import GENE_MODEL, TASKS
from dnaspt.training.runs import RESULT, SETTINGS, RunResult, read_metrics, read_result

MetricsRow = Mapping[str, Any]
"""A row of metrics.jsonl."""
HEAD_NAMES = {
    "crf": "CRF",
    "crf-unconstrained": "unconstrained CRF",
    "softmax": "softmax",
    "sigmoid": "sigmoid",
    "mse": "squared error",
    "poisson": "Poisson loss",
    GENE_MODEL: "gene model",
}


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A fine-tuning run, or a baseline, that is evaluated.

    Attributes:
        folder: the run folder.
        name: how the report calls it, unique among the runs compared.
        init: "scratch", "SPT" (pretrained on the same dataset), "pretrained" (on another one), "ensemble" (of several models) or
            "baseline".
        head: crf, softmax or sigmoid; "" for a baseline.
        config: description of the best checkpoint; None for a baseline.
        settings: content of run.json; of a baseline, of result.json.
        result: how training ended; None where the run was stopped before its end.
        metrics: rows of metrics.jsonl by step.
        scores: scores on the test split.
        counts: what a bootstrap of the test split resamples; None where it is not there.
        baseline: what a baseline is; None for a run.
    """

    folder: Path
    name: str
    init: str
    head: str
    config: CheckpointConfig | None
    settings: Mapping[str, Any]
    result: RunResult | None
    metrics: tuple[MetricsRow, ...]
    scores: Evaluation
    counts: BootstrapCounts | None = None
    baseline: BaselineResult | None = None

    @property
    def steps(self) -> int:
        """Optimizer steps done."""
        if self.result is not None:
            return self.result.steps
        return int(self.metrics[-1]["step"]) if self.metrics else 0

    @property
    def minutes(self) -> float:
        """Training time; nan where it is not known."""
        if self.result is not None:
            return self.result.minutes
        if self.baseline is not None:
            return self.baseline.minutes
        seconds = [row["seconds"] for row in self.metrics if "seconds" in row]
        return float(seconds[-1] / 60) if seconds else math.nan

    @property
    def is_pretrained(self) -> bool:
        """Whether the encoder began from a checkpoint."""
        return self.init in ("SPT", "pretrained")

    @property
    def is_ensemble(self) -> bool:
        """Whether it joins several models, and was not trained itself."""
        return self.config is not None and bool(self.config.members)

    @property
    def is_trained(self) -> bool:
        """Whether it has steps and losses of its own."""
        return self.is_network and not self.is_ensemble

    @property
    def is_baseline(self) -> bool:
        """Whether it is no model of ours."""
        return self.baseline is not None

    @property
    def is_network(self) -> bool:
        """Whether it decodes with the head of a network, which can be scored alone: neither a gene model nor a baseline."""
        return not self.is_gene_model and not self.is_baseline

    @property
    def is_gene_model(self) -> bool:
        """Whether it was estimated, not trained by gradients: then it has no steps and no losses."""
        return self.head == GENE_MODEL

    @property
    def is_frozen(self) -> bool:
        """Whether the head alone was trained."""
        return bool(self.settings.get("freeze_encoder"))

    @property
    def label_fraction(self) -> float:
        """Share of the train split that it learned from."""
        return float(self.settings.get("label_fraction", 1))


@dataclass(frozen=True, slots=True)
class PretrainRecord:
    """A finished pretraining run.

    Attributes:
        folder: the run folder.
        config: description of the best checkpoint.
        settings: content of run.json.
        result: how training ended.
        ngram: what n-gram models reach on the same masked bases.
        metrics: rows of metrics.jsonl by step.
    """

    folder: Path
    config: CheckpointConfig
    settings: Mapping[str, Any]
    result: RunResult
    ngram: NgramBaseline
    metrics: tuple[MetricsRow, ...]

    @property
    def nats(self) -> float:
        """Mean nats per masked base of valid, of the best checkpoint."""
        return self.result.scores["valid_nats"]

    @property
    def accuracy(self) -> float:
        """Share of masked bases guessed right by the best checkpoint; nan where it was not logged."""
        best = next((row for row in self.metrics if row["step"] == self.result.best_step), {})
        return float(best.get("valid_accuracy", math.nan))

    @property
    def read_splits(self) -> tuple[str, ...]:
        """Splits whose sequences it learned from."""
        return tuple(self.config.provenance.get("read_splits", ()))


def read_runs(
    folders: Sequence[Path], data: Path, manifest: Manifest, baselines: Sequence[Path] = ()
) -> list[RunRecord]:
    """Read evaluated runs, and baselines after them, and give each a name of its own.

    Args:
        folders: run folders of 'dnaspt finetune'.
        data: dataset folder.
        manifest: its manifest.
        baselines: folders of 'dnaspt baseline'.

    Raises:
        DnasptError: no run given, a run that is not evaluated on the test split, or not on this dataset.
        CheckpointError: a folder that is no run of 'dnaspt finetune', or one of another task.
        InputError: a file of a run that does not parse.
    """
    manifest.check_has_labels(data)
    if not folders:
        raise DnasptError("no run given; expected one or more run folders of 'dnaspt finetune'")
    runs = [_read_run(folder, data, manifest) for folder in folders]
    return _named(runs + [_read_baseline(folder, data, manifest) for folder in baselines])


def _read_run(folder: Path, data: Path, manifest: Manifest) -> RunRecord:
    config = read_config(folder)
    if config.kind != "task" or config.task != manifest.task:
        model = f"a model for {config.task!r}" if config.kind == "task" else "a language model"
        raise CheckpointError(f"{folder}: holds {model}; expected a run of 'dnaspt finetune' for {manifest.task!r}")
    scores, counts = _read_scores(folder, data, manifest, f"dnaspt evaluate {folder} --data {data} --split test")
    record = RunRecord(
        folder=folder,
        name="",
        init=init_of(config, manifest.digest),
        head=config.head,
        config=config,
        settings=_read_settings(folder),
        result=read_result(folder) if (folder / RESULT).is_file() else None,
        metrics=tuple(read_metrics(folder)),
        scores=scores,
        counts=counts,
    )
    return replace(record, name=_plain_name(record, config))


def _read_baseline(folder: Path, data: Path, manifest: Manifest) -> RunRecord:
    """A baseline that was scored on the test split of a dataset.

    Raises:
        DnasptError: no baseline, one of another dataset, or of a fold. InputError: a file of it that does not parse.
    """
    result = read_baseline(folder)
    if result is None:
        raise DnasptError(f"{folder}: holds no baseline; expected a folder of 'dnaspt baseline'")
    scores, counts = _read_scores(folder, data, manifest, f"dnaspt baseline {data} --out {folder} --overwrite")
    return RunRecord(
        folder=folder,
        name=_baseline_name(result),
        init="baseline",
        head="",
        config=None,
        settings=result.to_dict(),
        result=None,
        metrics=(),
        scores=scores,
        counts=counts,
        baseline=result,
    )


def _read_scores(
    folder: Path, data: Path, manifest: Manifest, command: str
) -> tuple[Evaluation, BootstrapCounts | None]:
    """Scores on the test split of a dataset, and what a bootstrap resamples, where it is there; command: what makes them.

    Raises:
        DnasptError: there are none, or they are of another dataset, or of a fold.
    """
    file = folder / "evaluation-test.json"
    if not file.is_file():
        raise DnasptError(f"{folder}: not evaluated on the test split; run '{command}'")
    scores = read_evaluation(file)
    if scores.fold:
        raise DnasptError(
            f"{file}: scores of fold {scores.fold}; runs of folds are compared by 'dnaspt study' with folds"
        )
    if scores.data_digest != manifest.digest:
        raise DnasptError(f"{file}: scores of another dataset than {data} (digests differ); run '{command}'")
    counts = file.with_suffix(".npz")
    return scores, read_counts(counts) if counts.is_file() else None


def _baseline_name(result: BaselineResult) -> str:
    """How a report calls a baseline: by its model, or by the file of genes that it was given."""
    model, _, species = result.baseline.partition(":")
    if model == "augustus":
        return f"AUGUSTUS ({species})" if species else "AUGUSTUS"
    if result.baseline == "kmer":
        return f"{result.k or KMER_BP}-mers"
    return {"markov": "Markov chains", "cpg": "CpG count alone"}.get(result.baseline, Path(result.baseline).name)


def _read_settings(folder: Path) -> dict[str, Any]:
    """Content of run.json.

    Raises:
        InputError: it is broken, or holds no settings of a run.
    """
    settings = read_json(folder / SETTINGS, expected="a run of dnaspt")
    fraction, is_frozen = settings.get("label_fraction", 1), settings.get("freeze_encoder", False)
    if not isinstance(fraction, int | float) or not 0 < fraction <= 1 or not isinstance(is_frozen, bool):
        found = f"label_fraction {str(fraction)[:40]!r}, freeze_encoder {str(is_frozen)[:40]!r}"
        raise InputError(folder / SETTINGS, found, expected="settings of a run of 'dnaspt finetune'")
    return settings


def init_of(config: CheckpointConfig, digest: str) -> str:
    """scratch, SPT or pretrained: whether the encoder's own data was the dataset of this digest; or ensemble."""
    if config.members:
        return "ensemble"
    encoder = config.provenance.get("encoder")
    if encoder is None:
        return "scratch"
    if "data_digest" in encoder:
        return "SPT" if encoder["data_digest"] == digest else "pretrained"
    if not encoder.get("path"):
        return "pretrained"
    try:  # a checkpoint of an early version, which does not say what its encoder read: look at the encoder itself
        is_same = read_config(encoder["path"]).data_digest == digest
    except CheckpointError:  # moved or deleted since: go by the path that it was given
        settings = encoder.get("provenance", {}).get("settings", {})
        is_same = settings.get("data") == config.provenance.get("settings", {}).get("data")
    return "SPT" if is_same else "pretrained"


def _plain_name(record: RunRecord, config: CheckpointConfig) -> str:
    """Name by what was varied: "SPT + CRF", "scratch + softmax, 10 % of labels", "gene model, letters"."""
    has_heads = len(TASKS[config.task].heads) > 1
    name = f"{record.init} + {HEAD_NAMES[record.head]}" if has_heads else record.init
    if record.head == GENE_MODEL:
        name = f"{HEAD_NAMES[GENE_MODEL]}, {site_scorer(config, record.init)}"
        if config.network is not None:
            name += f", with {HEAD_NAMES[config.network.head]}"
    if record.is_frozen:
        name += ", frozen"
    return name if record.label_fraction == 1 else f"{name}, {100 * record.label_fraction:g} % of labels"


def site_scorer(config: CheckpointConfig, init: str) -> str:
    """What scores the sites of a gene model: letters, SPT, a pretrained encoder, or a random one."""
    if init != "scratch":
        return init
    if config.encoder == BASELINE_ENCODERS["onehot"]:
        return "letters"
    return "random encoder" if isinstance(config.encoder, EncoderConfig) else "another model"


def encoder_run(config: CheckpointConfig) -> str:
    """Run (or checkpoint) of a model's pretrained encoder; "a run that is not on record" where it is not known."""
    path = (config.provenance.get("encoder") or {}).get("path")
    if not path:
        return "a run that is not on record"
    checkpoint = Path(path)
    return str(checkpoint.parent.parent if checkpoint.parent.name in ("best", "last") else checkpoint)


def _named(records: list[RunRecord]) -> list[RunRecord]:
    """Records with the folder's name (or its whole path) behind names that are not unique."""
    plain = {id(record): record.name for record in records}
    names = list(plain.values())
    for suffix in (lambda record: record.folder.name, lambda record: str(record.folder)):
        uses = Counter(names)
        names = [
            f"{plain[id(record)]} ({suffix(record)})" if uses[name] > 1 else name
            for record, name in zip(records, names, strict=True)
        ]
    return [replace(record, name=name) for record, name in zip(records, names, strict=True)]


def read_cpg_count(data: Path, manifest: Manifest, counts: BootstrapCounts) -> BootstrapCounts:
    """Score the test windows by their number of CpGs, or by its negative where that is right more often.

    Args:
        data: dataset folder of windows.
        manifest: its manifest.
        counts: what a bootstrap resamples of a run on the test split.

    Returns:
        The same with the CpG count (n, K) instead of the run's scores.
    """
    rows = read_split(data, "test")
    if manifest.resolution_bp:
        rows = rows.bins(manifest.resolution_bp)
    count = np.repeat(cpg_counts(rows)[:, None], counts.truth.shape[1], axis=1)
    mean, flipped = (np.nanmean(auroc(counts.truth, sign * count)) for sign in (1, -1))
    return replace(counts, logits=count if mean >= flipped else -count)


def read_pretraining(folder: Path) -> PretrainRecord:
    """Read a finished pretraining run.

    Raises:
        CheckpointError: no run of 'dnaspt pretrain', or one that is not finished.
        InputError: a file of the run that does not parse.
    """
    config = read_config(folder)
    if config.kind != "language":
        raise CheckpointError(f"{folder}: holds a fine-tuned model; expected a run of 'dnaspt pretrain'")
    if not (folder / RESULT).is_file():
        raise CheckpointError(f"{folder}: has no result.json; finish it with 'dnaspt pretrain ... --resume'")
    settings, result = read_json(folder / SETTINGS, expected="a run of dnaspt"), read_result(folder)
    if result.ngram is None:
        raise CheckpointError(f"{folder}: its result.json has no n-gram models to compare with")
    return PretrainRecord(folder, config, settings, result, result.ngram, tuple(read_metrics(folder)))
