"""What a study keeps of a finished run: its type, and the only reader and the only writer of record files.

A folder of records holds NAME.json.bz2 for each run, or NAME.json where a first version wrote it. Records are small, so that they
can be committed and shared; with them alone a study's report is made again, and its runs are skipped.
"""

import bz2
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from dnaspt.atomic import atomic_file
from dnaspt.baselines.results import BaselineResult
from dnaspt.errors import DatasetError
from dnaspt.evaluation.results import BootstrapCounts, Evaluation
from dnaspt.genome.intervals import runs
from dnaspt.genome.transcripts import Transcript
from dnaspt.json_files import UNFIT, build_checked, check_types
from dnaspt.studies.plan import Job, Stage
from dnaspt.tasks import TASKS
from dnaspt.training.runs import RunResult

FORMAT_VERSION = 1
"""Version of record files. Those of the first versions have none, are not compressed, and hold logits instead of their ranks."""
_SUFFIX, _OLD_SUFFIX = ".json.bz2", ".json"
_DECIMALS = 5
"""Digits to which logits are rounded before they are ranked, as the first versions stored them."""
_LONGEST_BP = 100_000
"""Bases of a stretch at most (15,000 are drawn today): a damaged record may say anything."""
NO_RESULT = RunResult(scores={}, best_step=0, steps=0, n_bp=0, minutes=0.0)
"""Result of a trial that diverged."""


@dataclass(frozen=True, slots=True)
class Record:
    """A finished run of a study: its settings, its result, and its scores on test.

    Attributes:
        job: the run: kind, arm, settings, encoder and data.
        result: how training ended; `NO_RESULT` for a trial that diverged.
        diverged: error of a trial whose loss was no longer finite; "" for all other runs.
        baseline: what a baseline chose; None for a network.
        test: scores on the test split; None for pretraining and trials.
        counts: what a bootstrap of the test split resamples. Instead of the logits of windows it has their ranks, which is
            what AUROC and average precision depend on; of a fold it has the logits.
        curve: steps and primary scores of the validations.
        examples: genes predicted on a few stretches of the test split, to draw; empty for windows.
        examples_as_predicted: whether these are as `predict` writes them: with codons where the head knows them. Records of
            earlier versions have those of the head alone.
        examples_coding: probability (2, L) of a coding base of either strand on these stretches, float32; empty for
            baselines, windows and records of earlier versions.
        n_test_evaluations: how often test was scored, by the run's own log; None where that is not on record.
        dnaspt_version: version that made the run.
        versions: versions of torch and Python; empty where they are not on record.

    Example:
        >>> settings = {"data": "data/peaks", "seeds": [0], "arms": [{"name": "CpG count", "init": "cpg"}]}
        >>> result = dnaspt.study(settings, out="studies/cpg")
        >>> record = result.records[0]
        >>> record.job.arm, record.scored.metric
        ('CpG count', 'mean_auroc')
    """

    job: Job
    result: RunResult
    diverged: str = ""
    baseline: BaselineResult | None = None
    test: Evaluation | None = None
    counts: BootstrapCounts = field(default_factory=BootstrapCounts)
    curve: tuple[tuple[int, float], ...] = ()
    examples: tuple[tuple[Transcript, ...], ...] = ()
    examples_as_predicted: bool = False
    examples_coding: tuple[np.ndarray, ...] = ()
    n_test_evaluations: int | None = None
    dnaspt_version: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def scored(self) -> Evaluation:
        """Scores on the test split, of a final run.

        Raises:
            DatasetError: a pretraining or a trial of a learning rate, which is not scored on test.
        """
        if self.test is None:
            raise DatasetError(f"{self.job.name}: is not scored on test; expected the record of a final run")
        return self.test

    def with_arm(self, arm: str) -> "Record":
        """The same record under the name that an arm has in another study."""
        return replace(self, job=replace(self.job, arm=arm))

    def to_dict(self) -> dict[str, Any]:
        """Content of the JSON file."""
        content: dict[str, Any] = {
            "format_version": FORMAT_VERSION,
            "kind": self.job.kind,
            "arm": self.job.arm,
            "settings": self.job.settings,
            "encoder": self.job.encoder,
            "data_digest": self.job.data_digest,
            "dnaspt_version": self.dnaspt_version,
            "versions": dict(self.versions),
            "result": self._result_to_dict(),
        }
        if self.test is not None:
            content |= {
                "test": self.test.to_dict(),
                "counts": {name: _listed(array) for name, array in self.counts.arrays().items()},
                "curve": [[step, None if math.isnan(score) else score] for step, score in self.curve],
                "examples": [[_gene_to_dict(gene) for gene in genes] for genes in self.examples],
            }
        if self.examples_as_predicted:
            content["examples_as_predicted"] = True
        if self.examples_coding:
            content["examples_coding"] = [[_runs_of(strand) for strand in own] for own in self.examples_coding]
        if self.n_test_evaluations is not None:
            content["n_test_evaluations"] = self.n_test_evaluations
        return content

    def _result_to_dict(self) -> dict[str, Any]:
        """How the run ended, for JSON: a score that is not defined becomes None."""
        if self.diverged:
            return {"diverged": self.diverged}
        result = self.baseline.to_dict() if self.baseline else self.result.to_dict()
        return {name: None if isinstance(v, float) and math.isnan(v) else v for name, v in result.items()}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "Record":
        """A record from the content of a JSON file, also of the first versions.

        Raises:
            KeyError, TypeError, ValueError, AttributeError, ArithmeticError: not a record, or of a later format.
        """
        version = content.get("format_version")
        if version not in (None, FORMAT_VERSION):
            raise ValueError(f"format version {version}; expected {FORMAT_VERSION}")
        kind: Stage = content["kind"]
        values = {name: content[name] for name in ("arm", "settings", "encoder", "data_digest")}
        job = build_checked(Job, {"kind": kind} | values)
        _ = job.digest, job.seed, job.learning_rate, job.label_fraction  # an error where its settings have none
        raw = content["result"]
        diverged = raw.get("diverged", "")
        # The oldest results do not name their baseline.
        baseline = BaselineResult.from_dict({"baseline": job.baseline} | raw) if job.baseline else None
        record = cls(
            job=job,
            result=NO_RESULT if diverged else result_of_baseline(baseline) if baseline else RunResult.from_dict(raw),
            diverged=diverged,
            baseline=baseline,
            test=Evaluation.from_dict(content["test"]) if "test" in content else None,
            counts=_counts_from_dict(content, job, is_ranked=version is not None),
            curve=tuple(
                (int(step), math.nan if score is None else float(score)) for step, score in content.get("curve", ())
            ),
            examples=tuple(tuple(map(_gene_from_dict, genes)) for genes in content.get("examples", ())),
            examples_as_predicted=bool(content.get("examples_as_predicted", False)),
            examples_coding=_codings_of(content),
            n_test_evaluations=content.get("n_test_evaluations"),
            dnaspt_version=content.get("dnaspt_version", ""),
            versions=content.get("versions", {}),
        )
        check_types(record.result, has_counts=True)
        if not isinstance(record.n_test_evaluations, int | None):
            raise ValueError("n_test_evaluations is no number")
        if not all(isinstance(text, str) for text in (diverged, record.dnaspt_version, *record.versions.values())):
            raise ValueError("diverged, dnaspt_version or versions are no text")
        return record


def result_of_baseline(baseline: BaselineResult) -> RunResult:
    """A baseline's result as a RunResult with 0 steps."""
    scores = {f"valid_{baseline.metric}": baseline.valid} if baseline.metric else {}
    defined = {name: math.nan if score is None else score for name, score in scores.items()}
    return RunResult(defined, best_step=0, steps=0, n_bp=baseline.n_bp, minutes=baseline.minutes)


def _counts_from_dict(content: Mapping[str, Any], job: Job, *, is_ranked: bool) -> BootstrapCounts:
    named = content.get("counts" if is_ranked else "counted", {})
    is_number = TASKS[content["test"].get("task", "regions")].numbers if "test" in content else False
    types = {"truth": np.int8, "logits": np.int64 if is_ranked and not job.fold else np.float64}
    if is_number:
        types = {"truth": np.float64, "logits": np.float64}
    arrays = {name: np.array(values, types.get(name, np.int64)) for name, values in named.items()}
    counts = BootstrapCounts(**arrays).check()
    return counts if is_ranked else ranked(counts)


def kept_counts(job: Job, counts: BootstrapCounts) -> BootstrapCounts:
    """The counts as the record of a run keeps them: ranks instead of logits; of a fold rounded logits; of numbers all digits."""
    if counts.truth.dtype.kind == "f":
        return replace(counts, logits=counts.logits.astype(np.float32), truth=counts.truth.astype(np.float32))
    if not job.fold or not counts.logits.size:
        return ranked(counts)
    return replace(counts, logits=np.round(counts.logits.astype(np.float64), _DECIMALS))


def ranked(counts: BootstrapCounts) -> BootstrapCounts:
    """The same counts with the ranks of the logits in each label (n, K) int64, from 0 for the lowest; equal ones share a rank.

    Resamples of AUROC and average precision keep every digit: both depend on the order of the scores alone.
    """
    if not counts.logits.size:
        return counts
    rounded = np.round(counts.logits.astype(np.float64), _DECIMALS)
    ranks = [np.unique(column, return_inverse=True)[1].ravel() for column in rounded.T]
    return replace(counts, logits=np.stack(ranks, axis=1))


def _listed(array: np.ndarray) -> list[Any]:
    """An array as JSON holds it: nan becomes None."""
    if array.dtype.kind != "f" or not np.isnan(array).any():
        return array.tolist()  # type: ignore[no-any-return]
    return [[None if math.isnan(value) else value for value in row] for row in array.tolist()]


def _gene_to_dict(gene: Transcript) -> dict[str, Any]:
    return {"chrom": gene.chrom, "strand": gene.strand, "cds": gene.cds}


def _gene_from_dict(content: Mapping[str, Any]) -> Transcript:
    cds = tuple((int(start), int(end)) for start, end in content["cds"])
    return Transcript(str(content["chrom"]), str(content["strand"]), "", "", cds)


def _runs_of(probabilities: np.ndarray) -> list[int]:
    """Probabilities (L,) as a percentage and how often it stands there, in turn."""
    percentages, intervals = runs(np.rint(probabilities * 100).astype(np.int64))
    return np.stack([percentages, intervals[:, 1] - intervals[:, 0]], axis=1).ravel().tolist()


def _codings_of(content: Mapping[str, Any]) -> tuple[np.ndarray, ...]:
    """Posteriors (2, L) of the stretches of a record; empty where it has none.

    Raises:
        ValueError: not one for each stretch, or not of two strands of one length.
    """
    codings = tuple(np.stack([_coding_of(strand) for strand in own]) for own in content.get("examples_coding", ()))
    if codings and (len(codings) != len(content["examples"]) or any(len(own) != 2 for own in codings)):
        raise ValueError("examples_coding is not of both strands of each stretch")
    return codings


def _coding_of(content: Sequence[int]) -> np.ndarray:
    """Probabilities (L,) float32 of what `_runs_of` wrote.

    Raises:
        ValueError: not that, or longer than a stretch can be.
    """
    if not all(type(value) is int for value in content):
        raise ValueError("examples_coding is not of whole numbers")
    percentages, lengths = np.array(content, dtype=np.int64).reshape(-1, 2).T
    is_right = (lengths > 0) & (lengths <= _LONGEST_BP) & (percentages >= 0) & (percentages <= 100)
    if not is_right.all() or lengths.sum() > _LONGEST_BP:
        raise ValueError("examples_coding is no probability of each base")
    return (np.repeat(percentages, lengths) / 100).astype(np.float32)


def record_file(folder: Path, name: str) -> Path:
    """File of a run's record: the one that is there, else where it will be written."""
    old = folder / f"{name}{_OLD_SUFFIX}"
    file = folder / f"{name}{_SUFFIX}"
    return old if old.is_file() and not file.is_file() else file


def write_record(folder: Path, record: Record) -> Path:
    """Write the record of a run; it appears whole or not at all. Returns its file."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(record.to_dict(), separators=(",", ":")) + "\n"
    file = folder / f"{record.job.name}{_SUFFIX}"
    with atomic_file(file) as unfinished:
        unfinished.write_bytes(bz2.compress(text.encode()))
    return file


def read_record(file: Path) -> Record:
    """Read the record of a run, also of the first versions.

    Raises:
        DatasetError: the file is damaged, or not a record.
    """
    do = "delete it, and its run is made again"
    try:
        packed = file.read_bytes()
        content = json.loads(bz2.decompress(packed) if file.name.endswith(_SUFFIX) else packed)
    except (OSError, EOFError, ValueError, RecursionError) as error:
        raise DatasetError(f"{file}: is no record ({error}); {do}") from error
    try:
        return Record.from_dict(content)
    except UNFIT as error:
        raise DatasetError(f"{file}: is no record of a run ({error!r}); {do}") from error


def read_records(folder: Path, kind: str = "*") -> list[Record]:
    """Read the records of a folder, by name.

    Args:
        folder: folder of records; it need not be there.
        kind: pretrain, tune or final; left out, all of them.

    Raises:
        DatasetError: a file is damaged, or not a record.
    """
    suffixes = (_SUFFIX, _OLD_SUFFIX)
    names = {file.name.removesuffix(suffix) for suffix in suffixes for file in folder.glob(f"{kind}-*{suffix}")}
    return [read_record(record_file(folder, name)) for name in sorted(names)]
