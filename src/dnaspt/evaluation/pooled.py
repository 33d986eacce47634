"""Scores of all folds of a cross-validation as one: bases, genes and numbers, which are in their labels' unit, together.

AUROC and AUPRC of windows are means over the folds, since scores of different models are not on one scale.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dnaspt.errors import DatasetError
from dnaspt.evaluation.gene_faults import StructureReport
from dnaspt.evaluation.gene_metrics import GeneScores
from dnaspt.evaluation.metrics import class_scores, mcc_score
from dnaspt.evaluation.numbers import number_scores
from dnaspt.evaluation.results import BootstrapCounts, Evaluation, GeneEvaluation
from dnaspt.evaluation.score import window_evaluation
from dnaspt.tasks import TASKS


def pool_folds(
    evaluations: Sequence[Evaluation], counts: Sequence[BootstrapCounts], data_digest: str
) -> tuple[Evaluation, BootstrapCounts]:
    """Scores over all folds, with intervals from resampled blocks.

    AUROC and AUPRC rank windows within their fold (`metrics.label_scores`); all else counts the folds together, as if one model
    had predicted them all.

    Args:
        evaluations: scores on test of each fold, of one kind of model; in the order of the folds.
        counts: what they were computed from, with the logits of windows and not their ranks.
        data_digest: digest of the whole dataset.

    Returns:
        The scores, and what a bootstrap over all blocks resamples: for all models in the same order of blocks.

    Raises:
        DatasetError: counts of an earlier version, which cannot be pooled.
    """
    pooled = pool_counts(counts)
    first = evaluations[0]
    header = replace(
        first,
        data_digest=data_digest,
        fold=None,
        date=max(evaluation.date for evaluation in evaluations),
        n_windows=sum(evaluation.n_windows or 0 for evaluation in evaluations),
    )
    if first.windows is not None:
        if not len(pooled.cpg_count):
            raise DatasetError("scores of windows without their CpG counts; make the runs of the folds again")
        names = tuple(first.windows.labels.auroc)
        return replace(header, windows=window_evaluation(pooled, names, one_of=TASKS[first.task].one_of)), pooled
    if first.numbers is not None:
        numbers = number_scores(pooled.truth, pooled.logits, pooled.blocks, first.numbers.targets)
        return replace(header, numbers=numbers), pooled
    heads = [evaluation.genes for evaluation in evaluations]
    codons = [evaluation.codons for evaluation in evaluations]
    return replace(
        header,
        genes=_pool_genes(heads, pooled.confusions, pooled.levels),
        codons=_pool_genes(codons, pooled.confusions_codons, pooled.levels_codons) if all(codons) else None,
    ), pooled


def pool_counts(counts: Sequence[BootstrapCounts]) -> BootstrapCounts:
    """What a bootstrap resamples of several folds as one; no block lies in two folds.

    Raises:
        DatasetError: some folds have counts that others lack.
    """
    arrays = [own.arrays() for own in counts]
    if len({frozenset(own) for own in arrays}) > 1:
        raise DatasetError("the folds have scores of different kinds; make their runs again")
    n_before = np.cumsum([0, *(own.n_blocks for own in counts)])
    pooled = {name: np.concatenate([own[name] for own in arrays]) for name in arrays[0] if name != "blocks"}
    if "blocks" in arrays[0]:
        pooled["blocks"] = np.concatenate([own["blocks"] + n for own, n in zip(arrays, n_before, strict=False)])
    n_each = [len(own["blocks"] if "blocks" in own else own["confusions"]) for own in arrays]
    pooled["folds"] = np.repeat(np.arange(1, len(arrays) + 1), n_each)
    return BootstrapCounts(**pooled).check()


def _pool_genes(
    scores: Sequence[GeneEvaluation | None], confusions: np.ndarray, levels: np.ndarray
) -> GeneEvaluation | None:
    """Scores of the genes of all folds, from the counts of their blocks (B, K, K) and (B, levels, 4)."""
    known = [own for own in scores if own is not None]
    if not len(levels):
        raise DatasetError("scores of genes without the counts of their blocks; make the runs of the folds again")
    total = confusions.sum(axis=0)
    ignored = sum((Counter(own.genes.ignored) for own in known), Counter[str]())
    return GeneEvaluation(
        mcc=mcc_score(confusions),
        classes=class_scores(total),
        confusion=tuple(map(tuple, total.tolist())),
        n_blocks=len(confusions),
        genes=GeneScores.of_blocks(levels, ignored),
        structures=_pool_structures([own.structures for own in known]),
    )


def _pool_structures(reports: Sequence[StructureReport]) -> StructureReport:
    """Illegal structures of all folds."""
    return StructureReport(
        n_transcripts=sum(report.n_transcripts for report in reports),
        n_introns=sum(report.n_introns for report in reports),
        n_illegal=sum(report.n_illegal for report in reports),
        faults={kind: sum(report.faults[kind] for report in reports) for kind in reports[0].faults},
    )
