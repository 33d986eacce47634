"""Records of final runs to means over seeds, and to differences between arms with intervals over seeds and test blocks.

A resample draws blocks of the test split, the same for both arms of a comparison (a paired bootstrap: Efron and Tibshirani 1993);
the spread of the seeds is added, paired too, so that an interval covers the choice of the seed and that of the test sequences.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from scipy.special import ndtri, stdtrit

from dnaspt.errors import DatasetError
from dnaspt.evaluation.metrics import (
    ConfidenceInterval,
    Score,
    block_weights,
    mcc_batch,
    mean_rows,
    percentile_interval,
    primary_metric,
    resampled_areas,
)
from dnaspt.studies.settings import SCRATCH, SPT, SPT_MORE, Arm, StudyConfig, without_preset


def score_of_seeds(values: np.ndarray, resampled: np.ndarray, n_blocks: int) -> Score:
    """Mean over the seeds with its interval; undefined where there is one block.

    Args:
        values: (seeds,) of a metric, or of the gain in it paired by seed.
        resampled: (seeds, R) the same on resampled test blocks, the same draws for all seeds.
        n_blocks: of the test split.
    """
    value = float(values.mean())
    if n_blocks < 2:
        return Score.of(value, ConfidenceInterval(float("nan"), float("nan")))
    return Score.of(value, percentile_interval(drawn_means(values, resampled, n_blocks)))


def drawn_means(values: np.ndarray, resampled: np.ndarray, n_blocks: int, level: float = 0.95) -> np.ndarray:
    """Means over the seeds (R,) as other seeds and blocks might have given them; their middle is the interval of that level.

    See `score_of_seeds`; n_blocks is 2 or more.
    """
    value = float(values.mean())
    drawn = value + _widening(n_blocks, level) * (resampled.mean(axis=0) - value)
    if (n := len(values)) > 1:
        quantiles = stdtrit(n - 1, (np.arange(len(drawn)) + 0.5) / len(drawn))
        drawn += np.random.default_rng(1).permutation(quantiles) * values.std(ddof=1) / np.sqrt(n)
    return np.asarray(drawn)


def _widening(n_blocks: int, level: float) -> float:
    """By which a bootstrap of so many blocks is too narrow."""
    end = (1 + level) / 2
    return float(np.sqrt(n_blocks / (n_blocks - 1)) * stdtrit(n_blocks - 1, end) / ndtri(end))


N_RESAMPLES = 1000
FEWER = "pretraining, fewer labels"
LONGER = "training longer"
_BEGINNINGS = {SPT: "pretraining", SPT_MORE: "pretraining with more sequence"}


@dataclass(frozen=True, slots=True)
class Group:
    """Runs of one arm and one label fraction, a row each for its seeds.

    Attributes:
        arm: as tables call it.
        fraction: share of the labels.
        values: (seeds,) the metric on test.
        resampled: (seeds, N_RESAMPLES) the metric on resampled test blocks, the same draws for all runs of a study.
        minutes: the quickest fine-tuning and the quickest pretraining of the seeds: others waited for other processes.
        rate: learning rate that was chosen.
        n_blocks: of the test split.
        least: that the metric can be; no metric here exceeds 1.
        baseline: the model where it is no network of ours; augustus:SPECIES learned from other labels.
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

    @property
    def score(self) -> Score:
        """Mean over the seeds, with its interval over seeds and blocks, within what the metric can be."""
        score = score_of_seeds(self.values, self.resampled, self.n_blocks)
        return replace(score, low=max(score.low, self.least), high=min(score.high, 1.0))


@dataclass(frozen=True, slots=True)
class Difference:
    """What an arm gains over another, paired by seed and block; sign: of an interval that excludes 0, else 0."""

    question: str
    before: str
    after: str
    fraction: float
    gain: Score
    n_seeds: int

    def sides(self, between: str) -> str:
        """Both arms, and their labels where they have not all of them."""
        fewer = f", {self.fraction:.0%} of the labels" if self.fraction != 1 else ""
        if self.question == FEWER:
            return f"{self.before}, all labels,{between}{self.after}{fewer}"
        return f"{self.before}{between}{self.after}{fewer}"

    @property
    def sign(self) -> int:
        """1, -1, or 0 where the interval holds 0."""
        return int(self.gain.low > 0) - int(self.gain.high < 0)


METRICS = {"mcc": "MCC", "mean_auroc": "mean AUROC", "mean_auprc": "mean AUPRC"}


def metric_name(records: Sequence[dict[str, Any]]) -> str:
    """The primary metric as tables call it."""
    return METRICS[primary_metric(records[0]["test"])]


def groups_of(records: Sequence[dict[str, Any]]) -> list[Group]:
    """Arms and fractions in the order of the records."""
    keys = dict.fromkeys((record["arm"], record["settings"]["label_fraction"]) for record in records)
    found = []
    for arm, fraction in keys:
        own = [r for r in records if r["arm"] == arm and r["settings"]["label_fraction"] == fraction]
        own.sort(key=lambda record: int(record["settings"]["seed"]))
        values = np.array([float(record["test"][primary_metric(record["test"])]["value"]) for record in own])
        resampled = np.stack([_resample(record["counted"], primary_metric(record["test"])) for record in own])
        before = [(record.get("pretraining") or {}).get("minutes", 0.0) for record in own]
        minutes = min(record["result"]["minutes"] for record in own) + min(before)
        rate, n_blocks = own[0]["settings"]["learning_rate"], _n_blocks(own[0]["counted"])
        least = -1.0 if primary_metric(own[0]["test"]) == "mcc" else 0.0
        baseline = own[0]["settings"].get("baseline", "")
        found.append(Group(arm, fraction, values, resampled, minutes, rate, n_blocks, least, baseline))
    return found


def differences_of(study: StudyConfig, groups: Sequence[Group]) -> list[Difference]:
    """What pretraining, the CRF, extended training and fewer labels change, wherever the study has both sides."""
    found = []
    for first, second in product(study.arms, study.arms):
        if question := _question(study, first, second):
            for one, other in product(_groups(groups, first), _groups(groups, second)):
                if one.fraction == other.fraction:
                    found.append(_compare(question, one, other))
    for first, second in product(study.arms, study.arms):
        if (
            _question(study, first, second) == "pretraining"
        ):  # P4: fewer labels after pretraining against all from scratch
            whole = [group for group in _groups(groups, first) if group.fraction == 1]
            fewer = [group for group in _groups(groups, second) if group.fraction < 1]
            found += [_compare(FEWER, one, other) for one, other in product(whole, fewer)]
    return found


def _question(study: StudyConfig, first: Arm, second: Arm) -> str:
    """What the second of two arms has that the first has not; "" where that is nothing or more than one thing."""
    same_head, same_init = first.head == second.head, first.init == second.init
    if first.is_baseline or second.is_baseline:
        return "" if second.is_baseline else "a network"
    if first.freeze_encoder != second.freeze_encoder:
        alike = {"name": "", "freeze_encoder": False, "learning_rate": None, "label_fractions": None}
        is_same = first.model_copy(update=alike) == second.model_copy(update=alike)
        return "the encoder trained too" if first.freeze_encoder and is_same else ""
    is_begun = first.init == SCRATCH and second.init in _BEGINNINGS
    settings = [without_preset(arm.finetune) if is_begun else arm.finetune for arm in (first, second)]
    if settings[0] != settings[1] or (same_init and first.init in _BEGINNINGS and first.pretrain != second.pretrain):
        is_varied = same_head and same_init and not first.extended and not second.extended
        return "other settings" if is_varied and not first.finetune and not first.pretrain else ""
    if study.network_of(first) != study.network_of(second) and second.init in (SCRATCH, *_BEGINNINGS):
        return ""
    if (first.extended or first.init in _BEGINNINGS) and first.pretrain != second.pretrain:
        return ""
    if same_head and is_begun and not second.extended:
        return f"{_BEGINNINGS[second.init]}, the same bases in all" if first.extended else _BEGINNINGS[second.init]
    if same_head and (first.init, second.init) == (SPT, SPT_MORE) and first.extended == second.extended:
        return "more sequence for pretraining"
    if (
        same_head
        and first.init == SCRATCH != second.init not in _BEGINNINGS
        and not first.extended
        and not second.extended
    ):
        return "another encoder"
    if same_head and same_init and second.extended and not first.extended:
        return LONGER
    if same_init and first.extended == second.extended and (first.head, second.head) == ("softmax", "crf"):
        return "the CRF"
    return ""


def _groups(groups: Sequence[Group], arm: Arm) -> list[Group]:
    return [group for group in groups if group.arm == arm.name]


def _compare(question: str, one: Group, other: Group) -> Difference:
    if one.n_blocks != other.n_blocks:
        where = f"records of {one.arm!r} and {other.arm!r}"
        raise DatasetError(f"{where} have {one.n_blocks} and {other.n_blocks} test blocks; make the older ones again")
    gain = score_of_seeds(other.values - one.values, other.resampled - one.resampled, one.n_blocks)
    n_seeds = max(len(one.values), len(other.values))  # a baseline has one
    return Difference(question, one.arm, other.arm, other.fraction, gain, n_seeds)


def _n_blocks(counted: dict[str, Any]) -> int:
    return len(counted["confusions"]) if "confusions" in counted else int(np.max(counted["blocks"])) + 1


def _resample(counted: dict[str, Any], metric: str) -> np.ndarray:
    """The metric on N_RESAMPLES draws of test blocks (R,)."""
    if "confusions" in counted:
        confusions = np.array(counted["confusions"], dtype=np.float64)
        weights = np.concatenate(list(block_weights(len(confusions), len(confusions), N_RESAMPLES, 0)))
        return mcc_batch(np.tensordot(weights, confusions, axes=1))
    truth, logits = (np.array(counted[name], dtype=float) for name in ("truth", "logits"))
    blocks = np.array(counted["blocks"], dtype=np.int64)
    return mean_rows(resampled_areas(truth, logits, blocks, n=N_RESAMPLES, seed=0)[:, int(metric == "mean_auprc")])
