"""Pooled scores are those of all predictions together, whatever the folds."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import matthews_corrcoef, roc_auc_score

from dnaspt.data.dataset import Dataset, Split
from dnaspt.data.manifest import read_manifest
from dnaspt.data.segments import segments
from dnaspt.data.transcript_table import read_transcripts
from dnaspt.errors import DatasetError
from dnaspt.evaluation.gene_metrics import LEVELS
from dnaspt.evaluation.pooled import pool_counts, pool_folds
from dnaspt.evaluation.results import BootstrapCounts, Evaluation
from dnaspt.evaluation.score import GenePrediction, score_gene_predictions, score_windows
from dnaspt.evaluation.score_curves import ScoreCurves
from dnaspt.genome.gene_states import MISSING, transcripts_from_labels
from dnaspt.prepare.genes import PrepareGenesConfig, prepare_genes
from dnaspt.prepare.regions import PrepareRegionsConfig, prepare_regions

FOLDS = (1, 2, 3)


@pytest.fixture(scope="module")
def genes(simulated: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    files = {"genome": (simulated / "genome.fa",), "annotation": (simulated / "annotation.gff3",)}
    return prepare_genes(
        PrepareGenesConfig(out=tmp_path_factory.mktemp("data") / "genes", folds=3, window_bp=1024, **files)
    )


@pytest.fixture(scope="module")
def peaks(simulated: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    files = {"genome": simulated / "genome.fa", "regions": (simulated / "peaks_A.bed", simulated / "peaks_B.bed")}
    return prepare_regions(
        PrepareRegionsConfig(out=tmp_path_factory.mktemp("data") / "peaks", folds=3, window_bp=256, **files)
    )


def predictions(data: Dataset, fold: int) -> list[GenePrediction]:
    """The true genes of what a fold tests, but every third gene is moved by nine bases, and every fifth is not there."""
    predicted = []
    for segment in segments(data.read("test", fold)):
        labels = np.where(segment.labels == MISSING, 8, segment.labels).astype(np.int8)
        path = labels.copy()
        for number, gene in enumerate(transcripts_from_labels(labels, segment.chrom)):
            if number % 3 == 0:
                path[gene.start : gene.start + 9] = 8
            if number % 5 == 4:
                path[gene.start : gene.end] = 8
        genes = transcripts_from_labels(path, segment.chrom, start=segment.start, first_number=1000 * len(predicted))
        predicted.append(GenePrediction(segment, path, genes))
    return predicted


def of_genes(data: Dataset, annotated: list, predicted: list[GenePrediction]) -> tuple[Evaluation, BootstrapCounts]:
    scores, confusions = score_gene_predictions(data.manifest, annotated, predicted)
    counts = BootstrapCounts(confusions=confusions, levels=scores.genes.block_counts)
    return Evaluation("test", "genes", "d", "2026", genes=scores, codons=scores, n_windows=len(predicted)), replace(
        counts, confusions_codons=confusions, levels_codons=counts.levels
    )


def test_pooled_scores_of_genes_are_those_of_all_predictions_together(genes: Dataset) -> None:
    by_fold = [predictions(genes, fold) for fold in FOLDS]
    folds = [of_genes(genes, read_transcripts(genes, "test", fold), own) for fold, own in zip(FOLDS, by_fold)]
    pooled, counts = pool_folds([scores for scores, _ in folds], [own for _, own in folds], "whole")

    together = [replace_chrom(prediction, fold) for fold, own in zip(FOLDS, by_fold) for prediction in own]
    annotated = [
        (replace(gene, chrom=f"{fold}-{gene.chrom}", gene_id=f"{fold}-{gene.gene_id}"), longest)
        for fold in FOLDS
        for gene, longest in read_transcripts(genes, "test", fold)
    ]
    expected, _ = of_genes(genes, annotated, together)
    assert pooled.genes is not None and expected.genes is not None and pooled.codons is not None
    truth = np.concatenate([p.segment.labels for own in by_fold for p in own])
    path = np.concatenate([p.path for own in by_fold for p in own])
    known = truth != MISSING
    assert pooled.genes.mcc.value == pytest.approx(matthews_corrcoef(truth[known], path[known]), abs=1e-12)
    assert pooled.genes.mcc.value == pytest.approx(expected.genes.mcc.value, abs=1e-12)
    assert pooled.genes.confusion == expected.genes.confusion and pooled.genes.structures == expected.genes.structures
    for level in LEVELS:
        one, other = pooled.genes.genes.levels[level], expected.genes.genes.levels[level]
        assert (one.n_true, one.n_found, one.n_predicted, one.n_right) == (
            *(other.n_true, other.n_found, other.n_predicted, other.n_right),
        )
        assert one.f1.value == other.f1.value
    assert 0 < pooled.genes.genes.levels["gene"].f1.value < 1
    n_true = [scores.genes.genes.levels["gene"].n_true for scores, _ in folds if scores.genes]
    assert pooled.genes.genes.levels["gene"].n_true == sum(n_true)
    assert (pooled.data_digest, pooled.fold, pooled.n_windows) == ("whole", None, len(together))
    assert pooled.genes.n_blocks == counts.n_blocks == sum(own.n_blocks for _, own in folds)
    mean = np.mean([scores.genes.genes.levels["gene"].f1.value for scores, _ in folds if scores.genes])
    assert pooled.genes.genes.levels["gene"].f1.value != pytest.approx(mean, abs=1e-9)


def replace_chrom(prediction: GenePrediction, fold: int) -> GenePrediction:
    """The prediction on a contig of its fold, as stretches of one contig that touch would be one segment."""
    segment = replace(prediction.segment, chrom=f"{fold}-{prediction.segment.chrom}")
    moved = [
        replace(
            gene, chrom=segment.chrom, gene_id=f"{fold}-{gene.gene_id}", transcript_id=f"{fold}-{gene.transcript_id}"
        )
        for gene in prediction.transcripts
    ]
    return GenePrediction(segment, prediction.path, moved)


def test_pooled_scores_of_windows_are_means_over_the_folds(peaks: Dataset) -> None:
    """Models of other folds have other scales."""
    rng = np.random.default_rng(0)
    labels = read_manifest(peaks.path).labels
    folds, rows = [], []
    for fold in FOLDS:
        split: Split = peaks.read("test", fold)
        truth = split.labels.reshape(len(split), -1)
        logits = (truth + rng.normal(size=truth.shape) + fold).astype(np.float32)
        windows, counts = score_windows(split, logits, labels)
        folds.append((Evaluation("test", "regions", "d", "2026", windows=windows, n_windows=len(split)), counts))
        rows.append((truth, logits))
    pooled, counts = pool_folds([scores for scores, _ in folds], [own for _, own in folds], "whole")
    n_labels = rows[0][0].shape[1]
    expected = [np.mean([roc_auc_score(truth[:, k], logits[:, k]) for truth, logits in rows]) for k in range(n_labels)]
    curves = ScoreCurves.of(counts.truth, counts.logits, counts.folds)
    assert curves is not None and curves.n_labels == n_labels
    area = np.trapezoid(curves.true_positive_rate, curves.false_positive_rate)
    assert area == pytest.approx(np.mean(expected), abs=0.01)
    truth = np.concatenate([own for own, _ in rows])
    assert counts.folds.tolist() == [fold for fold, (own, _) in zip(FOLDS, rows, strict=True) for _ in own]
    assert pooled.windows is not None
    assert [pooled.scores[f"auroc/{name}"].value for name in labels] == pytest.approx(expected, abs=1e-12)
    assert pooled.primary.value == pytest.approx(np.mean(expected), abs=1e-12)
    assert pooled.primary.low < pooled.primary.value < pooled.primary.high
    assert pooled.n_windows == len(truth) and 0 <= pooled.windows.cpg_count.mean_auroc.value <= 1
    starts = np.cumsum([0, *(own.n_blocks for _, own in folds)])
    expected_blocks = np.concatenate([own.blocks + start for (_, own), start in zip(folds, starts, strict=False)])
    assert (counts.blocks == expected_blocks).all() and counts.n_blocks == starts[-1]


def test_counts_of_earlier_versions_cannot_be_pooled() -> None:
    confusions = np.ones((2, 9, 9), np.int64)
    whole = BootstrapCounts(confusions=confusions, levels=np.ones((2, len(LEVELS), 4), np.int64))
    with pytest.raises(DatasetError, match="different kinds"):
        pool_counts([whole, BootstrapCounts(confusions=confusions)])
    assert pool_counts([whole, whole]).confusions.shape == (4, 9, 9)
