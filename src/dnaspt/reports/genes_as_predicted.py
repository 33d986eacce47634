"""Evaluations of gene models to the scores of what `predict` writes, with the head alone beside it: what reports lead with.

Genes are scored by F1 of coding bases, F1 of exons and MCC together. One of two models is better only if it is not worse by any
of the three: a higher MCC over nine classes may come with worse genes.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from dnaspt.evaluation.metrics import Score
from dnaspt.evaluation.results import Evaluation, GeneEvaluation
from dnaspt.reports.records import RunRecord
from dnaspt.reports.tables import SIGNED, Table, written

_MANY = 6


@dataclass(frozen=True, slots=True)
class GenesAsPredicted:
    """How good the genes are that `predict` writes with a model: with codons, where its head knows them.

    Attributes:
        name: the run, or the arm of a study.
        base_f1: F1 of coding bases.
        exon_f1: F1 of exons.
        mcc: Matthews correlation over the nine classes.
        head_mcc: the same of the head's own decoding, without codons.
        has_codons: whether the head knows codons, and can decode without them; else both are the same.
        is_gene_model: whether it is of gene models, which always keep to codons, or of a baseline: there is no head alone.
    """

    name: str
    base_f1: Score
    exon_f1: Score
    mcc: Score
    head_mcc: Score
    has_codons: bool
    is_gene_model: bool = False

    @classmethod
    def of_run(cls, run: RunRecord) -> "GenesAsPredicted | None":
        """The scores of one run under its name; None for scores of windows."""
        return cls.of(run.name, [run.scores], is_gene_model=not run.is_network)

    @classmethod
    def of(
        cls, name: str, evaluations: Sequence[Evaluation], *, is_gene_model: bool = False
    ) -> "GenesAsPredicted | None":
        """The scores of one run, or means over several seeds, which have no interval; None for scores of windows."""
        heads = [evaluation.genes for evaluation in evaluations if evaluation.genes is not None]
        codons = [evaluation.codons for evaluation in evaluations if evaluation.codons is not None]
        if not heads:
            return None
        has_codons = len(codons) == len(heads)
        genes = codons if has_codons else heads
        levels = [scores.genes.levels for scores in genes]
        return cls(
            name,
            _mean([level["base"].f1 for level in levels]),
            _mean([level["exon"].f1 for level in levels]),
            _mean([scores.mcc for scores in genes]),
            _mean([scores.mcc for scores in heads]),
            has_codons,
            is_gene_model,
        )

    @property
    def values(self) -> tuple[float, float, float]:
        """The three scores; a score that is not defined counts as the lowest."""
        scores = (self.base_f1.value, self.exon_f1.value, self.mcc.value)
        base, exon, mcc = (-math.inf if math.isnan(value) else value for value in scores)
        return base, exon, mcc

    @property
    def text(self) -> str:
        """The three scores in the order of the sentence that names them."""
        return ", ".join(map(written, (self.base_f1, self.exon_f1, self.mcc)))


def as_predicted(evaluation: Evaluation) -> GeneEvaluation | None:
    """Scores of genes as `predict` writes them; None for windows."""
    return evaluation.codons or evaluation.genes


def genes_differ(before: GenesAsPredicted, after: GenesAsPredicted, sign: int) -> bool:
    """Whether the genes speak against a gain (1) or loss (-1) in MCC: F1 of coding bases or of exons goes the other way."""
    pairs = zip(before.values[:2], after.values[:2], strict=True)
    return any(sign * (second - first) < 0 for first, second in pairs)


class PairedGain(NamedTuple):
    """What one run or arm gains over another, with the paired interval.

    Attributes:
        measure: name of the measure.
        gain: the gain.
        in_these_runs: whether it is decided for these runs alone; see `Difference.is_of_these_runs`.
    """

    measure: str
    gain: Score
    in_these_runs: bool = False


def standing(
    genes: Sequence[GenesAsPredicted], gain: Callable[[str, str], PairedGain | None] | None = None
) -> list[str]:
    """Sentences about the genes of runs or arms: the best one first where one is best by all three scores.

    Of many, the first ones and the last are told. With `gain`, one is best only if the interval of its gain over the next one is
    above 0.

    Args:
        genes: their scores.
        gain: what the second of two runs or arms, by their names, gains over the first; it gives None where that is not known.
    """
    ranked = sorted(genes, key=lambda own: (own.values[1], own.values[0], own.values[2]), reverse=True)
    best = [own for own in ranked if all(own.values[k] >= max(g.values[k] for g in genes) for k in range(3))]
    first, *others = sorted(ranked, key=lambda own: own not in best)
    if len(others) >= _MANY:
        others = [*others[: _MANY - 2], others[-1]]
    scores = "F1 of coding bases {}, F1 of exons {}, MCC {}".format(
        *map(written, (first.base_f1, first.exon_f1, first.mcc))
    )
    if len(genes) == 1:
        told = f"On the test split {first.name} reaches {scores}"
    elif len(best) == 1:
        told = f"On the test split {first.name} {_lead(first, others[0], gain)}: {scores}"
    else:
        told = f"On the test split none is better than all others by these three together: {first.name} has {scores}"
    sentences = ["; ".join([told, *(f"{own.name} {own.text}" for own in others)]) + "."]
    with_codons = [own for own in (first, *others) if own.has_codons]
    if with_codons:
        alone = "; ".join(f"{own.name} {written(own.head_mcc)}" for own in with_codons)
        without = [own.name for own in (first, *others) if not own.has_codons and not own.is_gene_model]
        known = f" (of {', '.join(without)} the head alone, which knows no codons)" if without else ""
        sentences.append(f"That is what predict writes, with codons{known}. MCC of the head alone: {alone}.")
    return sentences


def as_predicted_table(genes: Sequence[GenesAsPredicted]) -> Table:
    """The three scores of each run, and the MCC of the head alone beside them, which gene models do not have."""
    has_heads = not all(own.is_gene_model for own in genes)
    rows = tuple(
        (own.name, *map(written, (own.base_f1, own.exon_f1, own.mcc)), *([_head_alone(own)] if has_heads else []))
        for own in genes
    )
    alone = ("MCC of the head alone",) if has_heads else ()
    columns = ("run", "F1 of coding bases", "F1 of exons", "MCC", *alone)
    decoded = "with codons where the head knows them" if has_heads else "with codons"
    three = "the first three scores" if has_heads else "the three scores"
    note = f"As predict writes genes: {decoded}. Of two models the better one is not worse by any of {three}."
    return Table("Genes as predict writes them", columns, rows, note)


def _head_alone(own: GenesAsPredicted) -> str:
    if own.is_gene_model:
        return "–"
    return written(own.head_mcc) if own.has_codons else "the same"


def _lead(
    first: GenesAsPredicted, second: GenesAsPredicted, gain: Callable[[str, str], PairedGain | None] | None
) -> str:
    """What is said of the one with the highest scores, by the paired interval of its gain over the next one."""
    if gain is None:
        return "is best"
    paired = gain(second.name, first.name)
    if paired is None:
        return "has the highest scores"
    if paired.gain.low > 0:
        return "is best in these runs" if paired.in_these_runs else "is best"
    gained = f"{paired.measure} {written(paired.gain, SIGNED)}"
    return f"has the highest scores, not told apart from {second.name} ({gained})"


def _mean(scores: Sequence[Score]) -> Score:
    """The only score, or the mean of the defined ones without an interval."""
    if len(scores) == 1:
        return scores[0]
    values = [score.value for score in scores if not math.isnan(score.value)]
    return Score(float(np.mean(values)) if values else math.nan)
