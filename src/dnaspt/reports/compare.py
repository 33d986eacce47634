"""What is compared with what: arms of a study over their seeds (`differences_of`), or two runs (`paired_gain`).

The rule by which they are compared, a paired bootstrap over blocks of the test split, is in `resamples`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from types import MappingProxyType

import numpy as np

from dnaspt.errors import ConfigError, DatasetError
from dnaspt.evaluation.metrics import Score, auroc_and_auprc, mean_rows, sign_of
from dnaspt.reports.resamples import Resamples, level_of
from dnaspt.reports.tables import SIGNED, written
from dnaspt.studies.records import Record
from dnaspt.studies.settings import SCRATCH, SPT, SPT_MORE, Arm, StudyConfig, without_preset
from dnaspt.training.runs import RunResult

GENE_MEASURES = ("mcc", "base", "exon", "gene")
"""Measures of genes as `predict` writes them: MCC over all bases, and F1 of coding bases, exons and genes."""
FEWER = "pretraining, fewer labels"
LONGER = "training longer"
BASELINE = "a network"
MODEL_BASELINE = "a gene model"
BASELINES = (BASELINE, MODEL_BASELINE)
"""Questions that compare with a baseline."""
JOINED = "several models together"
WITH_KMERS = "what k-mers say, beside the network"
PRETRAINING_QUESTIONS = ("pretraining", "pretraining, the same bases in all")
"""Questions that are asked of groups of labels, too."""
LETTERS = "pretrained site scores, against letters"
RANDOM = "pretrained site scores, against a random encoder"
GENE_MODEL_QUESTIONS = (LETTERS, RANDOM, "the gene model", MODEL_BASELINE)
"""Questions about gene models alone."""
OTHER_SEQUENCE = "other sequence for pretraining"
"""The same pretraining on other data, instead of the task's own windows."""
_VERDICTS = {1: "better", -1: "worse", 0: "undecided"}
UNDEFINED = Score(math.nan)
_LOOKS = ("", "first", "second", "third", "fourth", "fifth")
_BEGINNINGS = {SPT: "pretraining", SPT_MORE: "pretraining with more sequence"}


@dataclass(frozen=True, slots=True)
class Group:
    """Runs of one arm and one label fraction, a row each for its seeds.

    Attributes:
        arm: name of the arm.
        fraction: share of the labels.
        resamples: the metric on test, and on resamples of it.
        minutes: of fine-tuning and of pretraining, minutes of the fastest seed; slower ones shared the CPU.
        rate: learning rate that was chosen.
        least: lowest value that the metric can have; no metric here exceeds 1.
        baseline: name of the baseline, empty for our own models; augustus:SPECIES learned from other labels.
        of_labels: the same of groups of the labels of windows, by name; see `StudyConfig.label_groups`.
    """

    arm: str
    fraction: float
    resamples: Resamples
    minutes: float
    rate: float
    least: float = 0.0
    baseline: str = ""
    of_labels: Mapping[str, "Group"] = field(default_factory=dict)

    @property
    def values(self) -> np.ndarray:
        """The metric on test by seed (seeds,)."""
        return self.resamples.values

    @property
    def n_blocks(self) -> int:
        """Blocks of the test split."""
        return self.resamples.n_blocks

    @property
    def score(self) -> Score:
        """Mean over the seeds, with its interval over seeds and blocks, within what the metric can be."""
        score = self.resamples.score()
        return replace(score, low=max(score.low, self.least), high=min(score.high, 1.0))


@dataclass(frozen=True, slots=True)
class Difference:
    """What one arm gains over another, paired by seed and block.

    Attributes:
        question: what differs between the two: pretraining, the CRF and so on.
        before: name of the first arm.
        after: name of the second arm.
        fraction: share of the labels of the second arm.
        gain: mean of the second minus the first over the seeds, with its interval (95 %, or more where there were several looks).
        n_seeds: seeds.
        n_blocks: blocks of the test split.
        detectable: the smallest gain that would have been seen; see `Resamples.detectable`. nan where that is not known.
        looks: how often the comparison was put to test, this time included; see `StudyConfig.looks`.
        by_fold: the gain in each fold of a cross-validation, means over the seeds; empty where the splits are fixed.
        over_folds: mean over the folds, with an interval that takes them as repeats; see `Resamples.over_folds`. nan where it
            is not asked for: splits that are fixed, several seeds (which are repeats themselves), or too few folds.
    """

    question: str
    before: str
    after: str
    fraction: float
    gain: Score
    n_seeds: int
    n_blocks: int = 0
    detectable: float = math.nan
    looks: int = 1
    by_fold: tuple[float, ...] = ()
    over_folds: Score = UNDEFINED

    def sides(self, between: str) -> str:
        """Both arms, and their labels where they have not all of them."""
        fewer = f", {self.fraction:.0%} of the labels" if self.fraction != 1 else ""
        if self.question == FEWER:
            return f"{self.before}, all labels,{between}{self.after}{fewer}"
        return f"{self.before}{between}{self.after}{fewer}"

    @property
    def sign(self) -> int:
        """1 for a gain, -1 for a loss, 0 where the interval holds 0 or is not defined."""
        return sign_of(self.gain)

    @property
    def is_over_folds(self) -> bool:
        """Whether the folds can be taken as repeats."""
        return not math.isnan(self.over_folds.low)

    @property
    def is_of_these_runs(self) -> bool:
        """Whether it is decided for the runs that were made, but the folds, taken as repeats, leave another training open.

        True where the interval over blocks leaves out 0, and the one over folds does not, or lies on the other side.
        """
        return bool(self.sign) and self.is_over_folds and sign_of(self.over_folds) != self.sign

    @property
    def verdict(self) -> str:
        """Better, worse or undecided; it says so where it holds for these runs alone, and where this was not the first look."""
        return with_look(_VERDICTS[self.sign], self.looks, in_these_runs=self.is_of_these_runs)

    @property
    def gain_and_detectable(self) -> str:
        """The gain with its interval and, where it is undecided, the smallest one that would have been seen."""
        is_known = not self.sign and not math.isnan(self.detectable)
        return written(self.gain, SIGNED) + (f", detectable {self.detectable:.3f}" if is_known else "")


def with_look(verdict: str, looks: int, *, in_these_runs: bool = False) -> str:
    """A verdict with what it needs beside it: "better in these runs", "undecided (second look)"."""
    if in_these_runs:
        verdict = f"{verdict} in these runs"
    if looks == 1:
        return verdict
    return f"{verdict} ({_LOOKS[looks] if looks < len(_LOOKS) else f'{looks}th'} look)"


def groups_of(
    records: Sequence[Record],
    pretrainings: Mapping[str, RunResult] = MappingProxyType({}),
    measure: str = "",
    label_groups: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> list[Group]:
    """Gather final runs by arm and label fraction, in the order of the records.

    Args:
        records: final runs.
        pretrainings: results of the pretrainings by digest, to count their minutes.
        measure: one of `GENE_MEASURES`; left out, the primary metric.
        label_groups: of windows, groups of the labels of which scores are wanted, too: beginnings of their names.
    """
    keys = dict.fromkeys((record.job.arm, record.job.label_fraction) for record in records)
    by_key = {key: [r for r in records if (r.job.arm, r.job.label_fraction) == key] for key in keys}
    return [
        replace(
            _group(own, pretrainings, measure),
            of_labels={
                name: _group(own, pretrainings, columns=_columns(own[0], beginnings))
                for name, beginnings in label_groups.items()
            },
        )
        for own in by_key.values()
    ]


def _columns(record: Record, beginnings: Sequence[str]) -> list[int]:
    """Which labels of windows begin so.

    Raises:
        ConfigError: none.
    """
    windows = record.scored.windows
    labels = () if windows is None else tuple(windows.labels.auroc)
    columns = [number for number, label in enumerate(labels) if label.startswith(tuple(beginnings))]
    if not columns:
        raise ConfigError(
            f"label_groups: no label begins with {' or '.join(beginnings)}; there are {', '.join(labels)}"
        )
    return columns


def groups_by_gene_measure(records: Sequence[Record]) -> dict[str, list[Group]]:
    """The groups by each of `GENE_MEASURES`; empty for windows, and where a record of an earlier version counts no genes."""
    if not records or not all(record.counts.levels.size for record in records):
        return {}
    return {measure: groups_of(records, measure=measure) for measure in GENE_MEASURES}


def _group(
    records: Sequence[Record],
    pretrainings: Mapping[str, RunResult],
    measure: str = "",
    columns: Sequence[int] | None = None,
) -> Group:
    """Runs that differ in their seed alone, by one measure, or by the primary metric of some labels of windows."""
    records = sorted(records, key=lambda record: record.job.seed)
    first = records[0]
    metric = measure or first.scored.metric
    if measure:
        scores = [Resamples.of_genes(record.counts, measure) for record in records]
    elif columns is not None:
        kind = int(metric == "mean_auprc")
        some = [
            replace(r.counts, truth=r.counts.truth[:, columns], logits=r.counts.logits[:, columns]) for r in records
        ]
        scores = [
            Resamples.of(float(np.nanmean(auroc_and_auprc(own.truth, own.logits, own.folds)[kind])), own, metric)
            for own in some
        ]
    else:
        scores = [Resamples.of(r.scored.primary.value, r.counts, metric) for r in records]
    before = [pretrainings[r.job.encoder].minutes if r.job.encoder in pretrainings else 0.0 for r in records]
    return Group(
        arm=first.job.arm,
        fraction=first.job.label_fraction,
        resamples=Resamples.of_seeds(scores),
        minutes=float(np.min([record.result.minutes for record in records]) + np.min(before)),
        rate=first.job.learning_rate,
        least=-1.0 if metric in ("mcc", "mean_pearson") else 0.0,
        baseline=first.job.baseline,
    )


def differences_of(study: StudyConfig, groups: Sequence[Group]) -> list[Difference]:
    """What pretraining, the CRF, longer training and fewer labels change, wherever the study has both sides.

    Raises:
        DatasetError: runs that were scored on different blocks of the test split.
    """
    differences = []
    for first, second in product(study.arms, study.arms):
        if question := question_of(study, first, second):
            for before, after in product(_groups_of_arm(groups, first), _groups_of_arm(groups, second)):
                if before.fraction == after.fraction:
                    differences.append(_compare(question, before, after, study.looks))
                    if question in PRETRAINING_QUESTIONS:
                        differences += [
                            _compare(f"{question}: {name}", before.of_labels[name], after.of_labels[name], study.looks)
                            for name in before.of_labels
                        ]
    for first, second in product(study.arms, study.arms):
        # P4: fewer labels after pretraining against all from scratch
        if question_of(study, first, second) == "pretraining":
            whole = [group for group in _groups_of_arm(groups, first) if group.fraction == 1]
            fewer = [group for group in _groups_of_arm(groups, second) if group.fraction < 1]
            differences += [_compare(FEWER, before, after, study.looks) for before, after in product(whole, fewer)]
    return differences


def _groups_of_arm(groups: Sequence[Group], arm: Arm) -> list[Group]:
    return [group for group in groups if group.arm == arm.name]


def question_of(study: StudyConfig, first: Arm, second: Arm) -> str:
    """The one thing that the second of two arms has and the first has not; "" if there is none or more than one."""
    same_head, same_init = first.head == second.head, first.init == second.init
    if first.is_ensemble and second.is_ensemble:
        return _question_of_ensembles(study, first, second)
    if second.is_ensemble and not first.is_baseline:
        if second.composition and len(second.members) == 1:
            return WITH_KMERS if first.name in second.members else ""
        return JOINED if first.name in second.members else ""
    if first.is_ensemble:
        return ""
    if first.is_baseline or second.is_baseline:
        return "" if second.is_baseline else MODEL_BASELINE if second.is_gene_model else BASELINE
    if first.is_gene_model or second.is_gene_model:
        return _question_of_gene_models(study, first, second)
    if first.freeze_encoder != second.freeze_encoder:
        alike = {"name": "", "freeze_encoder": False, "learning_rate": None, "label_fractions": None}
        is_same = first.model_copy(update=alike) == second.model_copy(update=alike)
        return "the encoder trained too" if first.freeze_encoder and is_same else ""
    is_begun = first.init == SCRATCH and second.init in _BEGINNINGS
    settings = [without_preset(arm.finetune) if is_begun else arm.finetune for arm in (first, second)]
    same_pretraining, same_data = first.pretrain == second.pretrain, _same_data(study, first, second)
    if settings[0] != settings[1] or (same_init and first.init in _BEGINNINGS and not same_pretraining):
        is_varied = same_head and same_init and same_data and not first.extended and not second.extended
        return "other settings" if is_varied and not first.finetune and not first.pretrain else ""
    if study.network_of(first) != study.network_of(second) and second.init in (SCRATCH, *_BEGINNINGS):
        return ""
    if same_head and same_init and first.init in _BEGINNINGS and same_pretraining and not same_data:
        is_from_own = not study.pretrain_data_of(first) and not first.extended and not second.extended
        return OTHER_SEQUENCE if is_from_own else ""
    if (first.extended or first.init in _BEGINNINGS) and not (same_pretraining and same_data):
        return ""
    if same_head and is_begun and not second.extended:
        return f"{_BEGINNINGS[second.init]}, the same bases in all" if first.extended else _BEGINNINGS[second.init]
    if same_head and (first.init, second.init) == (SPT, SPT_MORE) and first.extended == second.extended:
        return "more sequence for pretraining"
    is_given = first.init == SCRATCH and second.init not in (SCRATCH, *_BEGINNINGS)
    if same_head and is_given and not first.extended and not second.extended:
        return "another encoder"
    if same_head and same_init and second.extended and not first.extended:
        return LONGER
    if same_init and first.extended == second.extended and (first.head, second.head) == ("softmax", "crf"):
        return "the CRF"
    return ""


def _same_data(study: StudyConfig, first: Arm, second: Arm) -> bool:
    """Whether two arms are pretrained on the same datasets, or read as many bases of them on top."""
    return study.pretrain_data_of(first) == study.pretrain_data_of(second)


def _question_of_ensembles(study: StudyConfig, first: Arm, second: Arm) -> str:
    """The same of two arms of one model each, both with the composition: what differs between the models."""
    if not (first.composition and second.composition and len(first.members) == len(second.members) == 1):
        return ""
    arms = {arm.name: arm for arm in study.arms}
    return question_of(study, arms[first.members[0]], arms[second.members[0]])


def _question_of_gene_models(study: StudyConfig, first: Arm, second: Arm) -> str:
    """The same of two arms of which at least one is a gene model."""
    is_pretrained, more = second.init in _BEGINNINGS, (SPT, SPT_MORE)
    if not first.is_gene_model:
        is_alike = (
            first.head == "crf" and is_pretrained and first.init == second.init and first.pretrain == second.pretrain
        ) and _same_data(study, first, second)
        return "the gene model" if is_alike and not first.freeze_encoder and not first.extended else ""
    if not second.is_gene_model:
        return ""
    if first.init == second.init:
        is_varied = (first.finetune, first.pretrain) != (second.finetune, second.pretrain)
        if first.init in _BEGINNINGS and not _same_data(study, first, second):
            return "" if is_varied or study.pretrain_data_of(first) else OTHER_SEQUENCE
        is_plain = not first.finetune and not first.pretrain
        return (
            "other settings" if is_plain and is_varied and study.network_of(first) == study.network_of(second) else ""
        )
    if without_preset(first.finetune) != without_preset(second.finetune):
        return ""
    if (first.init, second.init) == more:
        is_alike = first.pretrain == second.pretrain and _same_data(study, first, second)
        return "more sequence for pretraining" if is_alike else ""
    if first.init != SCRATCH:
        return ""
    if study.reads_letters(first):
        return LETTERS
    if not is_pretrained:
        return "another encoder"
    return RANDOM if study.network_of(first) == study.network_of(second) else ""


def gain_of_arm(before: Group, after: Group, looks: int = 1) -> Difference:
    """What one arm gains over another, paired by seed and block."""
    return _compare("", before, after, looks)


def _compare(question: str, before: Group, after: Group, looks: int) -> Difference:
    if before.n_blocks != after.n_blocks:
        n = f"{before.n_blocks} and {after.n_blocks}"
        raise DatasetError(
            f"records of {before.arm!r} and {after.arm!r} have {n} test blocks; make the older ones again"
        )
    gained = after.resamples.less(before.resamples)  # a baseline has one seed, paired with all of the other arm
    level = level_of(looks)
    return Difference(
        question=question,
        before=before.arm,
        after=after.arm,
        fraction=after.fraction,
        gain=gained.score(level),
        n_seeds=gained.n_seeds,
        n_blocks=gained.n_blocks,
        detectable=gained.detectable(level),
        looks=looks,
        by_fold=tuple(mean_rows(gained.of_folds.T).tolist()),
        over_folds=gained.over_folds(level) if gained.n_seeds == 1 else UNDEFINED,
    )


def paired_gain(before: Resamples, after: Resamples) -> Score:
    """What one run gains over another on the same test split, with the interval of a paired bootstrap over its blocks.

    Args:
        before: the one.
        after: the other.

    Returns:
        The second minus the first; without an interval where the split is one block.

    Raises:
        DatasetError: the runs were scored on different blocks.
    """
    return after.less(before).score()
