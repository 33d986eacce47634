"""Scores of a model on one split: their types, and the only reader and the only writer of evaluation files.

A run folder holds evaluation-SPLIT.json (the scores), evaluation-SPLIT.npz (what a bootstrap resamples) and evaluations.jsonl
(one line for every measurement ever made, so that nobody has to trust that test was looked at once).
"""

import errno
import json
import logging
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any, Literal
from zipfile import BadZipFile

import numpy as np

from dnaspt.atomic import atomic_file
from dnaspt.checkpoint_config import TENSORS
from dnaspt.errors import InputError
from dnaspt.evaluation.calibration import Calibration
from dnaspt.evaluation.decisions import DecisionScores
from dnaspt.evaluation.gene_faults import StructureReport
from dnaspt.evaluation.gene_metrics import LEVELS, GeneScores
from dnaspt.evaluation.metrics import ClassScores, LabelScores, Score, sign_of
from dnaspt.evaluation.numbers import NumberScores
from dnaspt.frozen_dict import freeze
from dnaspt.inference.model import Model
from dnaspt.json_files import UNFIT, check_types, read_json, read_json_lines, write_json
from dnaspt.tasks import TASKS

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

FORMAT_VERSION = 1
"""Version of evaluation files. Files of the first versions have none, and the same content."""
LOG = "evaluations.jsonl"
_READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)
GENES_FILE = "genes.gff3"
METRIC_NAMES = {
    "mcc": "MCC",
    "mean_auroc": "mean AUROC",
    "mean_auprc": "mean AUPRC",
    "mean_pearson": "mean Pearson correlation",
    "auroc": "AUROC",
}
"""Primary metrics as tables call them."""
_VERDICTS = {1: "better", -1: "worse", 0: "undecided"}


@dataclass(frozen=True, slots=True)
class GeneEvaluation:
    """Scores of predicted genes.

    Attributes:
        mcc: Matthews correlation over all bases whose class is known (nine classes).
        classes: precision, recall and F1 of each class.
        confusion: bases by true class (row) and predicted class (column).
        n_blocks: blocks of about 10 kb that intervals resample.
        genes: sensitivity, precision and F1 from coding bases to whole genes.
        structures: predicted transcripts that break a rule: splice sites, frame, start and stop codon.
    """

    mcc: Score
    classes: ClassScores
    confusion: tuple[tuple[int, ...], ...]
    n_blocks: int
    genes: GeneScores
    structures: StructureReport

    def to_dict(self) -> dict[str, Any]:
        """Content of the JSON file."""
        return {
            "mcc": self.mcc.to_dict(),
            "classes": self.classes.to_dict(),
            "confusion": [list(row) for row in self.confusion],
            "n_blocks": self.n_blocks,
            "genes": self.genes.to_dict(),
            "structures": self.structures.to_dict(),
        }

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> "GeneEvaluation":
        """Scores from the content of a JSON file."""
        return cls(
            mcc=Score.from_dict(raw["mcc"]),
            classes=ClassScores.from_dict(raw["classes"]),
            confusion=tuple(tuple(row) for row in raw["confusion"]),
            n_blocks=raw["n_blocks"],
            genes=GeneScores.from_dict(raw["genes"]),
            structures=StructureReport.from_dict(raw["structures"]),
        )


@dataclass(frozen=True, slots=True)
class WindowEvaluation:
    """Scores of the labels of windows.

    Attributes:
        labels: AUROC and AUPRC of each label, and their means.
        cpg_count: the same scores for the number of CpGs in a window, the bar that a model has to pass.
        n_blocks: blocks of neighboring windows that intervals resample.
        decisions: MCC, accuracy and F1; None in files of earlier versions.
        calibration: whether the probabilities are what they say; None for baselines, and for scores of all folds together.
    """

    labels: LabelScores
    cpg_count: LabelScores
    n_blocks: int
    calibration: Calibration | None = None
    decisions: DecisionScores | None = None

    def to_dict(self) -> dict[str, Any]:
        """Content of the JSON file."""
        content = self.labels.to_dict() | {"cpg_count": self.cpg_count.to_dict(), "n_blocks": self.n_blocks}
        if self.decisions is not None:
            content |= {"decisions": self.decisions.to_dict()}
        return content if self.calibration is None else content | {"calibration": self.calibration.to_dict()}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> "WindowEvaluation":
        """Scores from the content of a JSON file.

        Raises:
            ValueError: the CpG count, or the decisions, are not of the same labels.
        """
        labels, cpg_count = LabelScores.from_dict(raw), LabelScores.from_dict(raw["cpg_count"])
        if labels.auroc.keys() != cpg_count.auroc.keys():
            raise ValueError("the CpG count has other labels")
        calibration = Calibration.from_dict(raw["calibration"]) if "calibration" in raw else None
        decisions = DecisionScores.from_dict(raw["decisions"]) if "decisions" in raw else None
        if decisions is not None and decisions.by_label.keys() != labels.auroc.keys():
            raise ValueError("decisions are of other labels")
        return cls(labels, cpg_count, raw["n_blocks"], calibration, decisions)


@dataclass(frozen=True, slots=True)
class VariantEvaluation:
    """AUROC and AUPRC of the scores of variants with known effects, by the name of the score ("cosine" is BEND's).

    Attributes:
        auroc: area under the ROC curve, by name of the score.
        auprc: average precision, by name of the score.
        undefined: scores whose AUROC and AUPRC are nan, because all variants have the same label.
    """

    auroc: Mapping[str, Score]
    auprc: Mapping[str, Score]
    undefined: tuple[str, ...]

    def __post_init__(self) -> None:
        freeze(self, "auroc", "auprc")

    def to_dict(self) -> dict[str, Any]:
        """Content of the JSON file."""
        return {
            "auroc": {name: score.to_dict() for name, score in self.auroc.items()},
            "auprc": {name: score.to_dict() for name, score in self.auprc.items()},
            "undefined": list(self.undefined),
        }

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> "VariantEvaluation":
        """Scores from the content of a JSON file.

        Raises:
            ValueError: AUROC and AUPRC are not of the same scores.
        """
        auroc, auprc = (
            {name: Score.from_dict(score) for name, score in raw[kind].items()} for kind in ("auroc", "auprc")
        )
        if auroc.keys() != auprc.keys():
            raise ValueError("AUROC and AUPRC are of other scores")
        return cls(auroc, auprc, tuple(raw["undefined"]))


_HEADER = (
    *("split", "task", "data", "data_digest", "checkpoint", "same_data", "average_strands"),
    *("encoder_read_splits", "encoder_data_digest", "date", "n_windows", "n_variants", "fold"),
)


@dataclass(frozen=True, slots=True)
class BesideBaseline:
    """A run and one baseline on the same test split.

    Attributes:
        baseline: name of the baseline.
        measure: what is compared: the primary metric; of genes as `predict` writes them the F1 of exons.
        own: that of the run.
        score: that of the baseline.
        gain: the run's, less the baseline's, by a paired bootstrap over blocks of test.

    Example:
        >>> scores = dnaspt.evaluate("runs/peaks", "data/peaks", baseline="cpg")
        >>> beside = scores.beside[0]
        >>> beside.baseline, beside.verdict in ("better", "worse", "undecided")
        ('cpg', True)
    """

    baseline: str
    measure: str
    own: Score
    score: Score
    gain: Score

    @property
    def verdict(self) -> str:
        """Whether the run is better, worse, or that is undecided; where a score is not defined, that is said."""
        return "not defined" if math.isnan(self.gain.value) else _VERDICTS[sign_of(self.gain)]

    def to_dict(self) -> dict[str, Any]:
        """Content of JSON."""
        scores = {"run": self.own, "score": self.score, "gain": self.gain}
        return (
            {"baseline": self.baseline, "measure": self.measure}
            | {name: score.to_dict() for name, score in scores.items()}
            | {"verdict": self.verdict}
        )


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Scores of one model on one split of one dataset, with 95 % intervals.

    Exactly one of `genes`, `windows`, `numbers` and `variants` is there, by the task of the dataset.

    Attributes:
        split: test, valid or train.
        task: genes, regions, methylation, sequences, classes, values, signal, enhancers or variants.
        data_digest: digest of the dataset.
        date: when it was measured (ISO 8601, UTC).
        genes: scores of genes as the head decodes them.
        codons: scores of genes that keep to codons, as `predict` writes them; None where the head knows no codons.
        windows: scores of the labels of windows or bins.
        numbers: scores of predicted numbers.
        variants: scores of variants.
        n_windows: windows that were scored; of a gene finder, contiguous segments.
        n_variants: variants that were scored.
        data: path of the dataset, "" where it is not on record.
        checkpoint: path of the checkpoint, "" for a baseline.
        same_data: whether the model was trained on this dataset; None for a baseline.
        average_strands: whether both strands were averaged; None for a baseline.
        encoder_read_splits: splits whose sequences the encoder was pretrained on; None where that is not known.
        encoder_data_digest: digest of the data of the encoder, for variants.
        fold: fold whose split was scored, from 1; None for a split of the whole dataset.
        beside: the same split by baselines that were asked for; no part of the JSON file.

    Example:
        >>> scores = dnaspt.evaluate("runs/genes", "data/genes", split="valid")
        >>> scores.task, scores.metric
        ('genes', 'mcc')
        >>> scores.primary == scores.scores["mcc"]
        True
    """

    split: str
    task: str
    data_digest: str
    date: str
    genes: GeneEvaluation | None = None
    codons: GeneEvaluation | None = None
    windows: WindowEvaluation | None = None
    numbers: NumberScores | None = None
    variants: VariantEvaluation | None = None
    n_windows: int | None = None
    n_variants: int | None = None
    data: str = ""
    checkpoint: str = ""
    same_data: bool | None = None
    average_strands: bool | None = None
    encoder_read_splits: tuple[str, ...] | None = None
    encoder_data_digest: str = ""
    fold: int | None = None
    beside: tuple[BesideBaseline, ...] = ()

    @property
    def metric(self) -> str:
        """Name of the primary metric: mcc for genes, mean_auroc for windows, mean_auprc for enhancers, mean_pearson for numbers,
        auroc for variants.
        """
        if self.genes is not None:
            return "mcc"
        if self.variants is not None:
            return "auroc"
        return f"mean_{TASKS[self.task].metric}"

    @property
    def primary(self) -> Score:
        """Score by the primary metric; of variants that of the first kind of score."""
        return self.scores[self.metric]

    @property
    def scores(self) -> dict[str, Score]:
        """All scores by name: mcc, exon_f1, codons_exon_f1, mean_auroc, auroc/LABEL, accuracy, mean_pearson and so on."""
        named: dict[str, Score] = {}
        for prefix, genes in (("", self.genes), ("codons_", self.codons)):
            if genes is None:
                continue
            named[f"{prefix}mcc"] = genes.mcc
            for level, scores in genes.genes.levels.items():
                named |= {
                    f"{prefix}{level}_sensitivity": scores.sensitivity,
                    f"{prefix}{level}_precision": scores.precision,
                    f"{prefix}{level}_f1": scores.f1,
                }
        if self.windows is not None:
            for prefix, labels in (("", self.windows.labels), ("cpg_count_", self.windows.cpg_count)):
                named |= {f"{prefix}mean_auroc": labels.mean_auroc, f"{prefix}mean_auprc": labels.mean_auprc}
                named |= {f"{prefix}auroc/{name}": score for name, score in labels.auroc.items()}
                named |= {f"{prefix}auprc/{name}": score for name, score in labels.auprc.items()}
            if (decisions := self.windows.decisions) is not None:
                named |= {"mcc": decisions.mcc, "accuracy": decisions.accuracy, "f1": decisions.f1}
                named |= {f"f1/{name}": score for name, score in decisions.by_label.items()}
        if self.numbers is not None:
            named |= {f"mean_{measure}": score for measure, score in self.numbers.mean.items()}
            for measure, of_targets in self.numbers.by_target.items():
                named |= {f"{measure}/{name}": score for name, score in of_targets.items()}
        if self.variants is not None:
            named["auroc"] = next(iter(self.variants.auroc.values()), Score(math.nan))
            named |= {f"auroc/{name}": score for name, score in self.variants.auroc.items()}
            named |= {f"auprc/{name}": score for name, score in self.variants.auprc.items()}
        return named

    @property
    def intervals(self) -> dict[str, tuple[float, float]]:
        """95 % intervals (low, high) by the names of `scores`; nan where there is none."""
        return {name: (score.low, score.high) for name, score in self.scores.items()}

    def to_frame(self) -> "pd.DataFrame":
        """Scores as a table with the columns metric, value, low and high."""
        import pandas as pd

        rows = [(name, score.value, score.low, score.high) for name, score in self.scores.items()]
        return pd.DataFrame(rows, columns=["metric", "value", "low", "high"])

    def __str__(self) -> str:
        of_fold = f" of fold {self.fold}" if self.fold else ""
        shown = [f"{METRIC_NAMES[self.metric]} {self.primary.with_interval()}"]
        if self.genes is not None:
            levels = {"coding bases": "base", "exons": "exon", "genes": "gene"}
            f1 = {name: self.genes.genes.levels[level].f1 for name, level in levels.items()}
            shown += [f"F1 of {name} {score.with_interval()}" for name, score in f1.items()]
        return f"{', '.join(shown)} on {self.split}{of_fold}"

    def to_dict(self) -> dict[str, Any]:
        """Content of the JSON file: the header, then the scores at the top level, as the first versions wrote them."""
        values = {name: getattr(self, name) for name in _HEADER}
        if self.encoder_read_splits is not None:
            values["encoder_read_splits"] = list(self.encoder_read_splits)
        header = {name: value for name, value in values.items() if value not in (None, "")}
        if self.checkpoint:  # what the encoder has read is said also where it is not known
            name = "encoder_read_splits" if self.variants is None else "encoder_data_digest"
            header[name] = values[name]
        own = self.genes or self.windows or self.numbers or self.variants
        scores = {} if own is None else own.to_dict()
        if self.codons is not None:
            scores["codons"] = self.codons.to_dict()
        return {"format_version": FORMAT_VERSION} | header | scores

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> "Evaluation":
        """An evaluation from the content of a JSON file, also of the first versions.

        Raises:
            KeyError, TypeError, ValueError, AttributeError, ArithmeticError: not an evaluation, or of a later format.
        """
        version = raw.get("format_version", FORMAT_VERSION)
        if version != FORMAT_VERSION:
            raise ValueError(f"format version {version}; expected {FORMAT_VERSION}")
        header = {name: raw[name] for name in _HEADER if raw.get(name) is not None}
        if "encoder_read_splits" in header:
            header["encoder_read_splits"] = tuple(header["encoder_read_splits"])
        if _kind_of(raw) == "genes":
            codons = GeneEvaluation.from_dict(raw["codons"]) if "codons" in raw else None
            made = cls(**{"task": "genes"} | header, genes=GeneEvaluation.from_dict(raw), codons=codons)
        elif _kind_of(raw) == "variants":
            made = cls(**{"task": "variants"} | header, variants=VariantEvaluation.from_dict(raw))
        elif _kind_of(raw) == "numbers":
            made = cls(**header, numbers=NumberScores.from_dict(raw))
        else:
            made = cls(**{"task": "regions"} | header, windows=WindowEvaluation.from_dict(raw))
        return check_types(made, has_counts=True)


def _kind_of(raw: Mapping[str, Any]) -> Literal["genes", "variants", "windows", "numbers"]:
    """Kind of the scores of a JSON file: by its task, or by the names in it where the first versions wrote no task.

    Raises:
        KeyError: a task that there is not.
    """
    if "task" not in raw:
        return "genes" if "mcc" in raw else "variants" if "n_variants" in raw else "windows"
    task = TASKS[raw["task"]]
    if task.numbers:
        return "numbers"
    return "genes" if task.per_base else "windows" if task.heads else "variants"


@dataclass(frozen=True, slots=True)
class BootstrapCounts:
    """What a bootstrap over the blocks of a split resamples.

    Attributes:
        confusions: (B, K, K) confusion matrices of the blocks, for genes.
        confusions_codons: the same for genes that keep to codons; empty where there are none.
        levels: (B, levels, 4) counts of found, true, right and predicted items of each level of `GeneScores`, for genes. Their
            blocks may stand in another order. Empty in files of earlier versions.
        levels_codons: the same for genes that keep to codons.
        truth: (n, K) labels of windows, for windows and variants; or measured numbers, float.
        logits: (n, K) scores of windows.
        blocks: (n,) block of each window.
        cpg_count: (n,) CpGs of each window; empty in files of earlier versions.
        folds: fold, from 1, of each window (n,), or of each block of genes (B,), where several folds stand together; else empty.
    """

    confusions: np.ndarray = field(default_factory=lambda: np.zeros((0, 0, 0), np.int64))
    confusions_codons: np.ndarray = field(default_factory=lambda: np.zeros((0, 0, 0), np.int64))
    levels: np.ndarray = field(default_factory=lambda: np.zeros((0, 0, 0), np.int64))
    levels_codons: np.ndarray = field(default_factory=lambda: np.zeros((0, 0, 0), np.int64))
    truth: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.int8))
    logits: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    blocks: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    cpg_count: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    folds: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))

    @property
    def n_blocks(self) -> int:
        """Blocks of the split."""
        return len(self.confusions) or int(self.blocks.max(initial=-1)) + 1

    def check(self) -> "BootstrapCounts":
        """The same counts, once their shapes are checked.

        Raises:
            ValueError: arrays of other shapes or types, or that do not belong together.
        """
        shapes = {"confusions": 3, "confusions_codons": 3, "levels": 3, "levels_codons": 3}
        shapes |= {"truth": 2, "logits": 2, "blocks": 1, "cpg_count": 1, "folds": 1}
        for name, n_axes in shapes.items():
            array = getattr(self, name)
            if not isinstance(array, np.ndarray) or array.ndim != n_axes or array.dtype.kind not in "iuf":
                raise ValueError(f"{name} is no array of numbers with {n_axes} axes")
        if any(len(array) and array.shape[1] != array.shape[2] for array in (self.confusions, self.confusions_codons)):
            raise ValueError("confusion matrices are not square")
        if any(array.size and array.shape[1:] != (len(LEVELS), 4) for array in (self.levels, self.levels_codons)):
            raise ValueError(f"counts of levels are not of {len(LEVELS)} levels")
        if self.cpg_count.size and len(self.cpg_count) != len(self.truth):
            raise ValueError(f"CpG counts of {len(self.cpg_count)} windows for labels of {len(self.truth)}")
        if self.folds.size and len(self.folds) != (n := len(self.confusions) or len(self.truth)):
            raise ValueError(f"folds of {len(self.folds)} windows or blocks for {n}")
        if self.logits.size and self.logits.shape != self.truth.shape:
            raise ValueError(f"logits {self.logits.shape} are of other windows than labels {self.truth.shape}")
        if self.blocks.size and (len(self.blocks) != len(self.truth) or self.blocks.min() < 0):
            raise ValueError(f"blocks of {len(self.blocks)} windows for labels of {len(self.truth)}")
        if self.blocks.size and self.blocks.max() > len(self.blocks):
            raise ValueError(f"block {self.blocks.max()} of {len(self.blocks)} windows")
        return self

    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays that are there, by name.

        Returns:
            Arrays of the shapes of the attributes.
        """
        named = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {name: array for name, array in named.items() if array.size}


def evaluation_stem(evaluation: Evaluation, *, both_strands: bool = False) -> str:
    """Name of the files of an evaluation, without suffix: evaluation-SPLIT for the model's own data.

    Scores on another dataset have the beginning of its digest behind that. Where both strands were averaged and by default are
    not, the word both-strands follows; in the other case (both_strands: by default they are) one-strand.
    """
    words = ["evaluation", evaluation.split]
    if evaluation.same_data is False or evaluation.variants is not None:
        words.append(evaluation.data_digest[:8])
    if bool(evaluation.average_strands) != both_strands:
        words.append("one-strand" if both_strands else "both-strands")
    return "-".join(words)


def write_evaluation(
    folder: Path, evaluation: Evaluation, counts: BootstrapCounts, *, head: str = "", both_strands: bool = False
) -> None:
    """Write an evaluation into a run folder: scores, what a bootstrap resamples, and a line of the log.

    A checkpoint folder stays as it is: nothing is written into it, and a warning says so.

    Args:
        folder: a run, or the folder of a baseline.
        evaluation: the scores.
        counts: what they were computed from.
        head: head of the model, for the log.
        both_strands: whether the model averages both strands by default.
    """
    if (folder / TENSORS).is_file():
        log.warning("%s: is a checkpoint, which stays as it is: the scores are not written into it", folder)
        return
    stem = evaluation_stem(evaluation, both_strands=both_strands)
    with atomic_file(folder / f"{stem}.npz") as unfinished, unfinished.open("wb") as file:
        np.savez_compressed(file, **counts.arrays())  # type: ignore[arg-type]
    content = evaluation.to_dict()
    write_json(folder / f"{stem}.json", content)
    names = ("date", "split", "fold", "data", "data_digest", "checkpoint", "average_strands", evaluation.metric)
    line = {name: content[name] for name in names if name in content} | ({"head": head} if head else {})
    with (folder / LOG).open("a", encoding="utf-8", newline="\n") as log_file:
        log_file.write(json.dumps(line) + "\n")


def write_model_evaluation(model: Model, evaluation: Evaluation, counts: BootstrapCounts) -> None:
    """Write an evaluation into the run of a loaded model, as `write_evaluation` does.

    A run that was removed or trained anew since does not get the scores of the old weights; and where nothing may be written, the
    measurement is not on record. A warning says so.

    Args:
        model: the model.
        evaluation: the scores.
        counts: what they were computed from.
    """
    if not model.is_on_disk:
        log.warning(
            "%s: no longer holds the model that was loaded from it: the scores are not written into it", model.path
        )
        return
    try:
        write_evaluation(model.folder, evaluation, counts, head=model.head, both_strands=model.config.both_strands)
    except OSError as error:
        if error.errno not in _READ_ONLY:
            raise
        told = "%s: nothing can be written there (%s): these scores of %s are not on record in %s"
        log.warning(told, model.path, error.strerror, evaluation.split, LOG)


def read_evaluation(file: Path) -> Evaluation:
    """Read an evaluation file.

    Raises:
        InputError: it is not there, no JSON, or no evaluation.
    """
    again = "run 'dnaspt evaluate' again"
    content = read_json(file, expected="scores of 'dnaspt evaluate'", do=again)
    try:
        return Evaluation.from_dict(content)
    except UNFIT as error:
        raise InputError(file, f"not an evaluation ({error!r})", do=again) from error


def read_counts(file: Path) -> BootstrapCounts:
    """Read what a bootstrap resamples, from an evaluation's .npz file.

    Raises:
        InputError: it is not there or not readable.
    """
    try:
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as arrays:
            return BootstrapCounts(**arrays).check()
    except (OSError, EOFError, BadZipFile, zlib.error, NotImplementedError, MemoryError, *UNFIT) as error:
        reason = shorten(str(error), 200)  # zipfile quotes a damaged header whole
        raise InputError(file, f"cannot be read ({reason})", do="run 'dnaspt evaluate' again") from error


def count_evaluations(folder: Path, split: str = "test") -> int:
    """How often a split was scored, by the run's own log; 0 where there is no log."""
    if not (folder / LOG).is_file():
        return 0
    return sum(row.get("split") == split for row in read_json_lines(folder / LOG))
