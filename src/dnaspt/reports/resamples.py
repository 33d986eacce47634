"""A score on resampled blocks of the test split: its interval, the smallest gain that would be seen, and what single folds say.

A resample draws blocks of the test split, the same for both sides of a comparison (paired bootstrap: Efron and Tibshirani 1993);
the spread of the seeds is added, paired too, so that an interval covers the choice of the seed and that of the test sequences.
Where each fold of a cross-validation was trained once, the blocks say nothing of what another training would have given: there
the folds are taken as repeats, too (`Resamples.over_folds`).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.special import ndtri, stdtrit

from dnaspt.errors import DatasetError
from dnaspt.evaluation.bootstrap import ConfidenceInterval, block_weights, percentile_interval
from dnaspt.evaluation.gene_metrics import LEVELS, rates
from dnaspt.evaluation.metrics import Score, auroc_and_auprc, mcc, mcc_batch, mean_rows, resampled_areas
from dnaspt.evaluation.numbers import MEASURES, measure_numbers, resampled_measures
from dnaspt.evaluation.results import BootstrapCounts

N_RESAMPLES = 1000
ERROR_RATE = 0.05
"""How often an interval of a gain may miss the truth, both sides together."""
POWER = 0.8
"""How often a gain of the size of `Resamples.detectable` is seen."""
FEWEST_FOLDS = 3
"""Folds from which on their spread is worth something."""


@dataclass(frozen=True, slots=True)
class Resamples:
    """The score of runs that differ in their seed alone, or what one arm gains over another, and the same on resamples of test.

    Attributes:
        values: a metric on test (seeds,).
        drawn: the metric on resampled test blocks (seeds, N_RESAMPLES), the same draws for all runs on one split.
        blocks: blocks of the test split: one number, or one for each fold where blocks are drawn within their fold.
        of_folds: the metric of each fold alone (seeds, folds); no columns where the splits are fixed.
    """

    values: np.ndarray
    drawn: np.ndarray
    blocks: tuple[int, ...]
    of_folds: np.ndarray = field(default_factory=lambda: np.zeros((1, 0)))

    @classmethod
    def of(cls, value: float, counts: BootstrapCounts, metric: str) -> "Resamples":
        """One run: its score, and what that was computed from.

        Args:
            value: the score on test.
            counts: counts of the blocks, or scores of windows.
            metric: that of `Evaluation.metric`.
        """
        return cls(
            np.array([value]), resampled_scores(counts, metric)[None], _blocks_of(counts), _of_folds(counts, metric)
        )

    @classmethod
    def of_genes(cls, counts: BootstrapCounts, measure: str) -> "Resamples":
        """One run by mcc, or by F1 of coding bases (base), exons or genes (exon, gene), as `predict` writes genes."""
        if measure == "mcc":
            has_codons = counts.confusions_codons.size > 0
            own = BootstrapCounts(
                confusions=counts.confusions_codons if has_codons else counts.confusions, folds=counts.folds
            )
            return cls.of(mcc(own.confusions.sum(axis=0)), own, measure)
        levels = (counts.levels_codons if counts.levels_codons.size else counts.levels)[:, LEVELS.index(measure)]
        weights = np.concatenate(list(block_weights(len(levels), len(levels), N_RESAMPLES, 0)))
        folds = [levels[counts.folds == fold].sum(axis=0) for fold in np.unique(counts.folds)]
        return cls(
            rates(levels.sum(axis=0))[[2]],
            rates(weights @ levels)[None, :, 2],
            (counts.n_blocks,),
            np.array([[rates(own)[2] for own in folds]]),
        )

    @classmethod
    def of_seeds(cls, runs: Sequence["Resamples"]) -> "Resamples":
        """Runs of several seeds on one test split."""
        return cls(
            np.concatenate([run.values for run in runs]),
            np.concatenate([run.drawn for run in runs]),
            runs[0].blocks,
            np.concatenate([run.of_folds for run in runs]),
        )

    @property
    def n_blocks(self) -> int:
        """Blocks of the test split."""
        return sum(self.blocks)

    @property
    def n_seeds(self) -> int:
        """Seeds."""
        return len(self.values)

    @property
    def value(self) -> float:
        """Mean over the seeds."""
        return float(self.values.mean())

    def less(self, other: "Resamples") -> "Resamples":
        """What these runs gain over others, paired by seed, block and fold. A single run is paired with each seed.

        Raises:
            DatasetError: they were scored on different blocks of test.
        """
        if self.blocks != other.blocks:
            raise DatasetError(
                f"runs were scored on {other.n_blocks} and {self.n_blocks} test blocks; evaluate both again"
            )
        return Resamples(
            self.values - other.values, self.drawn - other.drawn, self.blocks, self.of_folds - other.of_folds
        )

    def score(self, level: float = 0.95) -> Score:
        """Mean over the seeds with its interval over seeds and blocks; without an interval where there is one block.

        Args:
            level: how often such an interval holds the truth.
        """
        if not self._has_intervals:
            return Score.of(self.value, ConfidenceInterval(math.nan, math.nan))
        return Score.of(self.value, percentile_interval(self._means(level), level))

    def detectable(self, level: float = 0.95) -> float:
        """The smallest gain that so many blocks and seeds would have shown with 80 % power, by an interval that leaves out 0.

        With normal noise and a level of 95 % it is (z[97.5 %] + z[80 %]) standard errors of the paired difference. With few
        blocks or seeds both quantiles are those of the wider distribution of resampled means. Only its spread counts: the gain
        that was observed has no part in it, so this is no power "after the fact".

        Args:
            level: level of the interval.

        Returns:
            The gain, above 0, in units of the metric; nan where there is one block, or no spread at all.
        """
        if not self._has_intervals:
            return math.nan
        drawn = self._means(level)
        middle = [percentile_interval(drawn, share) for share in (level, 2 * POWER - 1)]
        size = sum(interval.high - interval.low for interval in middle) / 2
        return size if size > 0 else math.nan

    def over_folds(self, level: float = 0.95) -> Score:
        """Mean over the folds with an interval that takes them as repeats: each has its own training and its own test sequence.

        It is Student's t over the folds. Folds share most of their training data, so the interval is still a little too narrow
        (Nadeau and Bengio 2003); it is wide nevertheless, as folds are few.

        Args:
            level: how often such an interval holds the truth.

        Returns:
            The mean and its interval; nan where fewer than three folds have a score.
        """
        means = mean_rows(self.of_folds.T)
        means = means[~np.isnan(means)]
        if (n := len(means)) < FEWEST_FOLDS:
            return Score(math.nan)
        value = float(means.mean())
        reach = float(stdtrit(n - 1, (1 + level) / 2) * means.std(ddof=1) / np.sqrt(n))
        return Score(value, value - reach, value + reach)

    @property
    def _has_intervals(self) -> bool:
        return any(n > 1 for n in self.blocks)

    def _means(self, level: float) -> np.ndarray:
        """Resampled means (N_RESAMPLES,) over seeds and blocks; their central `level` share is the interval."""
        value = self.value
        drawn = value + _widening(self.blocks, level) * (self.drawn.mean(axis=0) - value)
        if (n := self.n_seeds) > 1:
            quantiles = stdtrit(n - 1, (np.arange(len(drawn)) + 0.5) / len(drawn))
            drawn += np.random.default_rng(1).permutation(quantiles) * self.values.std(ddof=1) / np.sqrt(n)
        return np.asarray(drawn)


def level_of(looks: int) -> float:
    """Level of an interval, so that those of all looks together miss the truth one time in twenty at most (Bonferroni)."""
    return 1 - ERROR_RATE / looks


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


def _blocks_of(counts: BootstrapCounts) -> tuple[int, ...]:
    """Blocks of test; those of each fold where they are drawn within their fold, as those of windows are."""
    is_within = counts.folds.size and counts.blocks.size and counts.truth.dtype.kind != "f"
    if not is_within:
        return (counts.n_blocks,)
    return tuple(len(np.unique(counts.blocks[counts.folds == fold])) for fold in np.unique(counts.folds))


def _of_folds(counts: BootstrapCounts, metric: str) -> np.ndarray:
    """The metric of each fold alone (1, folds)."""
    values = []
    for fold in np.unique(counts.folds):
        own = counts.folds == fold
        if counts.confusions.size:
            values.append(mcc(counts.confusions[own].sum(axis=0)))
        elif counts.truth.dtype.kind == "f":
            measures = measure_numbers(counts.truth[own], counts.logits[own])
            values.append(float(mean_rows(measures[[MEASURES.index(metric.removeprefix("mean_"))]])[0]))
        else:
            values.append(
                float(
                    mean_rows(auroc_and_auprc(counts.truth[own], counts.logits[own])[[int(metric == "mean_auprc")]])[0]
                )
            )
    return np.array([values], dtype=float)


def _widening(blocks: Sequence[int], level: float) -> float:
    """Factor by which a bootstrap of so many blocks is too narrow: Student's t instead of the normal distribution.

    Blocks of several folds are drawn within their fold, so each fold lacks a degree of freedom of its own. With as much spread
    between the blocks of one fold as of another, the mean over the folds has Satterthwaite's degrees of freedom.
    """
    n = np.array(blocks, dtype=float)
    several = n[n > 1]
    drawn, true = ((several - 1) / several**2).sum(), (1 / n).sum()
    freedom = (1 / several).sum() ** 2 / (1 / (several**2 * (several - 1))).sum()
    end = (1 + level) / 2
    return float(np.sqrt(true / drawn) * stdtrit(freedom, end) / ndtri(end))
