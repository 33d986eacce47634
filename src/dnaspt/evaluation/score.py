"""Predictions on a split to scores with 95 % intervals: genes and their structures, labels of windows. No model is needed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dnaspt.data.bootstrap_blocks import blocks_outside_genes, sum_blocks, window_blocks
from dnaspt.data.dataset import Split
from dnaspt.data.manifest import Manifest
from dnaspt.data.segments import Segment
from dnaspt.evaluation.decisions import decision_scores
from dnaspt.evaluation.gene_faults import structure_report
from dnaspt.evaluation.gene_metrics import LEVELS, ScoredRegion, count_levels, rates, score_genes
from dnaspt.evaluation.metrics import block_confusions, class_scores, label_scores, mcc_score
from dnaspt.evaluation.numbers import NumberScores, number_scores
from dnaspt.evaluation.results import BootstrapCounts, GeneEvaluation, WindowEvaluation
from dnaspt.genome.alphabet import cpg_positions
from dnaspt.genome.genetic_code import GeneticCode, genetic_code
from dnaspt.genome.transcripts import Transcript, moved

_N_BOOTSTRAP_CPG = 200
"""Resamples for the scores of the CpG count, which only set the bar."""


@dataclass(frozen=True, slots=True)
class GenePrediction:
    """A prediction for a segment of a split.

    Attributes:
        segment: the segment.
        path: decoded class of each base (L,) int8.
        transcripts: the transcripts decoded from them; like the dataset's, with or without the stop codon in the CDS.
        written: the same genes as `predict` writes them, with stop codons and phases, where the head knows them.
    """

    segment: Segment
    path: np.ndarray
    transcripts: list[Transcript]
    written: list[Transcript] | None = None


def score_gene_predictions(
    manifest: Manifest,
    annotated: Iterable[tuple[Transcript, bool]],
    predictions: Sequence[GenePrediction],
    code: GeneticCode | None = None,
) -> tuple[GeneEvaluation, np.ndarray]:
    """Score predicted segments: bases, genes, and their structures.

    Args:
        manifest: of the dataset.
        annotated: annotated transcripts, and whether each is the longest isoform of its gene.
        predictions: of all segments of the split.
        code: genetic code by which structures are judged; None for the dataset's.

    Returns:
        the scores, and the confusion matrices (B, K, K) of the blocks that a bootstrap resamples. Segments that overlap on
        the genome make one block.
    """
    n_labels = len(manifest.labels)
    confusions = sum_blocks(
        [
            block_confusions(p.segment.labels, p.path, blocks_outside_genes(p.segment.labels), n_labels)
            for p in predictions
        ],
        [(p.segment.chrom, p.segment.start, p.segment.end) for p in predictions],
    )
    total = confusions.sum(axis=0)
    scores = score_genes(
        annotated,
        [transcript for prediction in predictions for transcript in prediction.transcripts],
        [ScoredRegion.of(p.segment.chrom, p.segment.start, p.segment.labels) for p in predictions],
    )
    # Structures are looked up in the codes of the segment: each segment is a contig of its own here.
    are_written = any(prediction.written is not None for prediction in predictions)
    genes = [prediction.transcripts if prediction.written is None else prediction.written for prediction in predictions]
    structures = structure_report(
        [replace(moved(t, -predictions[n].segment.start), chrom=str(n)) for n, own in enumerate(genes) for t in own],
        {str(n): p.segment.codes for n, p in enumerate(predictions)},
        stop_in_cds=are_written or manifest.stop_in_cds is not False,
        genetic_code=genetic_code(manifest.genetic_code) if code is None else code,
    )
    evaluation = GeneEvaluation(
        mcc=mcc_score(confusions),
        classes=class_scores(total),
        confusion=tuple(map(tuple, total.tolist())),
        n_blocks=len(confusions),
        genes=scores,
        structures=structures,
    )
    return evaluation, confusions


def gene_f1_scores(
    annotated: Iterable[tuple[Transcript, bool]],
    predictions: Sequence[GenePrediction],
    levels: Sequence[str] = ("exon", "gene"),
) -> dict[str, float]:
    """F1 of predicted segments, as `score_gene_predictions` gives it, without intervals.

    Args:
        annotated: annotated transcripts, and whether each is the longest isoform of its gene.
        predictions: of all segments of the split.
        levels: what is scored, of `LEVELS`.

    Returns:
        LEVEL_f1 of each level; nan where there is nothing annotated and nothing predicted.
    """
    f1 = rates(gene_counts(annotated, predictions))[:, 2]
    return {f"{level}_f1": float(f1[LEVELS.index(level)]) for level in levels}


def gene_counts(annotated: Iterable[tuple[Transcript, bool]], predictions: Sequence[GenePrediction]) -> np.ndarray:
    """Counts (levels, 4) of predicted segments, by `LEVELS` and the columns of `gene_metrics`; arguments as above."""
    counts, _ = count_levels(
        annotated,
        [transcript for prediction in predictions for transcript in prediction.transcripts],
        [ScoredRegion.whole(p.segment.chrom, p.segment.start, p.segment.labels) for p in predictions],
    )
    return np.asarray(counts.sum(axis=0))


def score_windows(
    rows: Split, logits: np.ndarray, labels: tuple[str, ...], *, one_of: bool = False
) -> tuple[WindowEvaluation, BootstrapCounts]:
    """AUROC and AUPRC of windows or bins, beside those of the CpG count; and MCC, accuracy and F1 of decisions.

    Args:
        rows: n windows, or bins as windows.
        logits: their calibrated log-odds (n, K).
        labels: names of the K labels.
        one_of: whether each window has one of the labels.
    """
    counts = BootstrapCounts(
        truth=rows.labels.reshape(len(rows), -1),
        logits=logits,
        blocks=window_blocks(rows.chrom.astype(str), rows.start, rows.end),
        cpg_count=cpg_counts(rows),
    )
    return window_evaluation(counts, labels, one_of=one_of), counts


def score_number_windows(
    rows: Split, predicted: np.ndarray, targets: tuple[str, ...]
) -> tuple[NumberScores, BootstrapCounts]:
    """Correlations and R2 of numbers predicted for n windows.

    Args:
        rows: n windows.
        predicted: predicted numbers (n, K).
        targets: names of the K targets.
    """
    counts = BootstrapCounts(
        truth=rows.labels.reshape(len(rows), -1),
        logits=predicted,
        blocks=window_blocks(rows.chrom.astype(str), rows.start, rows.end),
    )
    return number_scores(counts.truth, counts.logits, counts.blocks, targets), counts


def window_evaluation(counts: BootstrapCounts, labels: tuple[str, ...], *, one_of: bool = False) -> WindowEvaluation:
    """Scores of n windows, beside those of the CpG count, from what a bootstrap resamples; see `score_windows`.

    Args:
        counts: truth, logits, blocks, CpG counts and folds of the windows.
        labels: names of the K labels.
        one_of: whether each window has one of the labels.
    """
    truth, blocks, folds = counts.truth, counts.blocks, counts.folds
    scored = label_scores(truth, counts.logits, blocks, labels, folds=folds)
    cpgs = np.repeat(counts.cpg_count[:, None], truth.shape[1], axis=1)
    many = label_scores(truth, cpgs, blocks, labels, folds=folds, n=_N_BOOTSTRAP_CPG)
    # A label that CpGs speak against is predicted as well by their absence: the better direction is the bar.
    few = label_scores(truth, -cpgs, blocks, labels, folds=folds, n=_N_BOOTSTRAP_CPG)
    cpg_count = max(many, few, key=lambda scores: scores.mean_auroc.value)
    decisions = decision_scores(truth, counts.logits, blocks, labels, one_of=one_of)
    return WindowEvaluation(scored, cpg_count, n_blocks=int(blocks.max()) + 1, decisions=decisions)


def cpg_counts(rows: Split) -> np.ndarray:
    """CpG dinucleotides in each window: (n,)."""
    is_cpg = np.zeros(len(rows.codes), dtype=bool)
    is_cpg[cpg_positions(rows.codes)] = True
    is_cpg[rows.offsets[1:] - 1] = False
    sums = np.concatenate([[0], np.cumsum(is_cpg)])
    return np.asarray(sums[rows.offsets[1:]] - sums[rows.offsets[:-1]])
