"""The one rule by which runs are compared: a paired bootstrap over blocks of the test split, and over seeds where there are some.

A resample draws blocks of the test split, the same for both sides of a comparison (paired bootstrap: Efron and Tibshirani 1993);
the spread of the seeds is added, paired too, so that an interval covers the choice of the seed and that of the test sequences.
Where a difference is undecided, `detectable_gain` says how large it would have had to be.
Studies compare arms over their seeds (`differences_of`), `dnaspt report` compares two runs (`paired_gain`).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from types import MappingProxyType

import numpy as np
from scipy.special import ndtri, stdtrit

from dnaspt.errors import ConfigError, DatasetError
from dnaspt.evaluation.bootstrap import ConfidenceInterval, block_weights, percentile_interval
from dnaspt.evaluation.gene_metrics import LEVELS, rates
from dnaspt.evaluation.metrics import Score, areas, mcc, mcc_batch, mean_rows, resampled_areas, sign_of
from dnaspt.evaluation.numbers import MEASURES, resampled_measures
from dnaspt.evaluation.results import BootstrapCounts
from dnaspt.reports.tables import SIGNED, written
from dnaspt.studies.records import Record
from dnaspt.studies.settings import SCRATCH, SPT, SPT_MORE, Arm, StudyConfig, without_preset
from dnaspt.training.runs import RunResult

N_RESAMPLES = 1000
ERROR_RATE = 0.05
"""How often an interval of a gain may miss the truth, both sides together."""
POWER = 0.8
"""How often a gain of the size of `detectable_gain` is seen."""
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
_LOOKS = ("", "first", "second", "third")
_BEGINNINGS = {SPT: "pretraining", SPT_MORE: "pretraining with more sequence"}


@dataclass(frozen=True, slots=True)
class Group:
    """Runs of one arm and one label fraction, a row each for its seeds.

    Attributes:
        arm: name of the arm.
        fraction: share of the labels.
        values: the metric on test (seeds,).
        resampled: the metric on resampled test blocks (seeds, N_RESAMPLES), the same draws for all runs of a study.
        minutes: of fine-tuning and of pretraining, minutes of the fastest seed; slower ones shared the CPU.
        rate: learning rate that was chosen.
        n_blocks: blocks of the test split.
        least: lowest value that the metric can have; no metric here exceeds 1.
        baseline: name of the baseline, empty for our own models; augustus:SPECIES learned from other labels.
        of_labels: the same of groups of the labels of windows, by name; see `StudyConfig.label_groups`.
    """

    arm: str
    fraction: float
    values: np.ndarray
    resampled: np.ndarray
    minutes: float
    rate: float
    n_blocks: int
    least: float = 0.0
    baseline: str = ""
    of_labels: Mapping[str, "Group"] = field(default_factory=dict)

    @property
    def score(self) -> Score:
        """Mean over the seeds, with its interval over seeds and blocks, within what the metric can be."""
        score = score_of_seeds(self.values, self.resampled, self.n_blocks)
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
        detectable: the smallest gain that would have been seen; see `detectable_gain`. nan where that is not known.
        looks: how often the comparison was put to test, this time included; see `StudyConfig.looks`.
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
    def verdict(self) -> str:
        """Better, worse or undecided; it says so where this was not the first look."""
        return with_look(_VERDICTS[self.sign], self.looks)

    @property
    def gain_and_detectable(self) -> str:
        """The gain with its interval and, where it is undecided, the smallest one that would have been seen."""
        is_known = not self.sign and not math.isnan(self.detectable)
        return written(self.gain, SIGNED) + (f", detectable {self.detectable:.3f}" if is_known else "")


def with_look(verdict: str, looks: int) -> str:
    """A verdict, and the look that it needed where that was not the first: "undecided (second look)"."""
    if looks == 1:
        return verdict
    return f"{verdict} ({_LOOKS[looks] if looks < len(_LOOKS) else f'{looks}th'} look)"


def level_of(looks: int) -> float:
    """Level of an interval, so that those of all looks together miss the truth one time in twenty at most (Bonferroni)."""
    return 1 - ERROR_RATE / looks


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
        genes = [resampled_genes(record.counts, measure) for record in records]
        scores = [(own.value, own.resampled) for own in genes]
    elif columns is not None:
        kind = int(metric == "mean_auprc")
        some = [
            replace(r.counts, truth=r.counts.truth[:, columns], logits=r.counts.logits[:, columns]) for r in records
        ]
        scores = [
            (float(np.nanmean(areas(own.truth, own.logits, own.folds)[kind])), resampled_scores(own, metric))
            for own in some
        ]
    else:
        scores = [(r.scored.primary.value, resampled_scores(r.counts, metric)) for r in records]
    before = [pretrainings[r.job.encoder].minutes if r.job.encoder in pretrainings else 0.0 for r in records]
    return Group(
        arm=first.job.arm,
        fraction=first.job.label_fraction,
        values=np.array([value for value, _ in scores]),
        resampled=np.stack([resampled for _, resampled in scores]),
        minutes=min(record.result.minutes for record in records) + min(before),
        rate=first.job.learning_rate,
        n_blocks=first.counts.n_blocks,
        least=-1.0 if metric in ("mcc", "mean_pearson") else 0.0,
        baseline=first.job.baseline,
    )


def resampled_genes(counts: BootstrapCounts, measure: str) -> "ResampledScore":
    """One of `GENE_MEASURES`, and the same on resampled blocks: with codons, where the head knows them."""
    if measure == "mcc":
        has_codons = counts.confusions_codons.size > 0
        confusions = counts.confusions_codons if has_codons else counts.confusions
        resampled = resampled_scores(BootstrapCounts(confusions=confusions), measure)
        return ResampledScore(mcc(confusions.sum(axis=0)), resampled, counts.n_blocks)
    levels = (counts.levels_codons if counts.levels_codons.size else counts.levels)[:, LEVELS.index(measure)]
    weights = np.concatenate(list(block_weights(len(levels), len(levels), N_RESAMPLES, 0)))
    return ResampledScore(float(rates(levels.sum(axis=0))[2]), rates(weights @ levels)[:, 2], counts.n_blocks)


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


def gain_of_arm(before: Group, after: Group, looks: int = 1) -> Score:
    """What one arm gains over another, paired by seed and block."""
    return _compare("", before, after, looks).gain


def _compare(question: str, before: Group, after: Group, looks: int) -> Difference:
    if before.n_blocks != after.n_blocks:
        n = f"{before.n_blocks} and {after.n_blocks}"
        raise DatasetError(
            f"records of {before.arm!r} and {after.arm!r} have {n} test blocks; make the older ones again"
        )
    values, resampled = after.values - before.values, after.resampled - before.resampled
    n_seeds, n_blocks = len(values), before.n_blocks  # a baseline has one seed, paired with all of the other arm
    gain = score_of_seeds(values, resampled, n_blocks, level_of(looks))
    detectable = detectable_gain(values, resampled, n_blocks, level_of(looks))
    return Difference(question, before.arm, after.arm, after.fraction, gain, n_seeds, n_blocks, detectable, looks)


@dataclass(frozen=True, slots=True)
class ResampledScore:
    """The score of one run on test, and what it is on resamples of the test blocks.

    Attributes:
        value: the metric on test.
        resampled: the metric on resampled test blocks (N_RESAMPLES,), the same draws for all runs on one split.
        n_blocks: blocks of the test split.
    """

    value: float
    resampled: np.ndarray
    n_blocks: int

    @classmethod
    def of(cls, value: float, counts: BootstrapCounts, metric: str) -> "ResampledScore":
        """A score from its value and what it was computed from; metric: that of `Evaluation.metric`."""
        return cls(value, resampled_scores(counts, metric), counts.n_blocks)


def paired_gain(before: ResampledScore, after: ResampledScore, looks: int = 1) -> Score:
    """What one run gains over another on the same test split, with the interval of a paired bootstrap over its blocks.

    Args:
        before: the one.
        after: the other.
        looks: how often the comparison was put to test; see `level_of`.

    Returns:
        The second minus the first; without an interval where the split is one block.

    Raises:
        DatasetError: the runs were scored on different blocks.
    """
    if before.n_blocks != after.n_blocks:
        n = f"{before.n_blocks} and {after.n_blocks}"
        raise DatasetError(f"the runs were scored on {n} test blocks; evaluate both again")
    drawn = (after.resampled - before.resampled)[None]
    return score_of_seeds(np.array([after.value - before.value]), drawn, before.n_blocks, level_of(looks))


def resampled_scores(counts: BootstrapCounts, metric: str) -> np.ndarray:
    """The metric on N_RESAMPLES draws of test blocks (N_RESAMPLES,), the same draws for all runs on one split."""
    if counts.confusions.size:
        confusions = counts.confusions.astype(np.float64)
        weights = np.concatenate(list(block_weights(len(confusions), len(confusions), N_RESAMPLES, 0)))
        return mcc_batch(np.tensordot(weights, confusions, axes=1))
    if counts.truth.dtype.kind == "f":
        measures = resampled_measures(counts.truth, counts.logits, counts.blocks, n=N_RESAMPLES, seed=0)
        return mean_rows(measures[:, MEASURES.index(metric.removeprefix("mean_"))])
    drawn = resampled_areas(counts.truth, counts.logits, counts.blocks, folds=counts.folds, n=N_RESAMPLES, seed=0)
    return mean_rows(drawn[:, int(metric == "mean_auprc")])


def score_of_seeds(values: np.ndarray, resampled: np.ndarray, n_blocks: int, level: float = 0.95) -> Score:
    """Mean over the seeds with its interval over seeds and blocks; without an interval where there is one block.

    Args:
        values: a metric, or the gain in it paired by seed (seeds,).
        resampled: the same on resampled test blocks (seeds, R), the same draws for all seeds.
        n_blocks: blocks of the test split.
        level: how often such an interval holds the truth.
    """
    value = float(values.mean())
    if n_blocks < 2:
        return Score.of(value, ConfidenceInterval(float("nan"), float("nan")))
    return Score.of(value, percentile_interval(drawn_means(values, resampled, n_blocks, level), level))


def detectable_gain(values: np.ndarray, resampled: np.ndarray, n_blocks: int, level: float = 0.95) -> float:
    """The smallest gain that so many blocks and seeds would have shown with 80 % power, by an interval that leaves out 0.

    With normal noise and a level of 95 % it is (z[97.5 %] + z[80 %]) standard errors of the paired difference. With few blocks
    or seeds both quantiles are those of the wider distribution of `drawn_means`. Only its spread counts: the gain that was
    observed has no part in it, so this is no power "after the fact".

    Args:
        values: a gain paired by seed (seeds,).
        resampled: the same on resampled test blocks (seeds, R).
        n_blocks: blocks of the test split.
        level: level of the interval.

    Returns:
        The gain, above 0, in units of the metric; nan where there is one block, or no spread at all.
    """
    if n_blocks < 2:
        return math.nan
    drawn = drawn_means(values, resampled, n_blocks, level)
    middle = [percentile_interval(drawn, share) for share in (level, 2 * POWER - 1)]
    size = sum(interval.high - interval.low for interval in middle) / 2
    return size if size > 0 else math.nan


def drawn_means(values: np.ndarray, resampled: np.ndarray, n_blocks: int, level: float = 0.95) -> np.ndarray:
    """R resampled means over seeds and blocks; their central `level` share is the interval.

    See `score_of_seeds`; n_blocks is 2 or more.
    """
    value = float(values.mean())
    drawn = value + _widening(n_blocks, level) * (resampled.mean(axis=0) - value)
    if (n := len(values)) > 1:
        quantiles = stdtrit(n - 1, (np.arange(len(drawn)) + 0.5) / len(drawn))
        drawn += np.random.default_rng(1).permutation(quantiles) * values.std(ddof=1) / np.sqrt(n)
    return np.asarray(drawn)


def _widening(n_blocks: int, level: float) -> float:
    """Factor by which a bootstrap of so many blocks is too narrow: Student's t instead of the normal distribution."""
    end = (1 + level) / 2
    return float(np.sqrt(n_blocks / (n_blocks - 1)) * stdtrit(n_blocks - 1, end) / ndtri(end))
