"""Predictions to scores without a model: the bar that the CpG count sets, and blocks of segments that overlap."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dnaspt.data.dataset import Split, read_split
from dnaspt.data.manifest import read_manifest
from dnaspt.data.segments import Segment, segments
from dnaspt.data.transcript_table import read_transcripts
from dnaspt.evaluation import evaluate
from dnaspt.evaluation.score import GenePrediction, cpg_counts, gene_f1_scores, score_gene_predictions, score_windows
from dnaspt.genome.alphabet import decode, encode
from dnaspt.genome.gene_states import MISSING, NONCODING, transcripts_from_labels


def windows_of(letters: list[str], labels: np.ndarray) -> Split:
    lengths = np.array([len(text) for text in letters])
    starts = np.arange(len(letters)) * 20_000  # a block each
    return Split(
        chrom=np.full(len(letters), "c", dtype=object),
        start=starts,
        end=starts + lengths,
        strand=np.full(len(letters), ".", dtype=object),
        codes=np.concatenate([encode(text) for text in letters]),
        offsets=np.concatenate([[0], np.cumsum(lengths)]),
        labels=labels.ravel(),
        label_offsets=np.arange(len(letters) + 1) * labels.shape[1],
        per_base=False,
    )


def test_cpgs_are_counted_within_windows_in_either_case() -> None:
    rows = windows_of(["CGCG", "AC", "GCgT", "cGNCG", "C", "G"], np.zeros((6, 1), np.int8))
    expected = [decode(window.codes).upper().count("CG") for window in rows]
    assert cpg_counts(rows).tolist() == expected == [2, 0, 0 + 1, 2, 0, 0]


@pytest.mark.parametrize("rich_is_true", [True, False])
def test_the_bar_is_the_better_direction_of_the_cpg_count(rich_is_true: bool) -> None:
    rich = np.arange(40) % 2 == 0
    rows = windows_of(
        ["CGCGCG" if many else "CATTCG" for many in rich], (rich == rich_is_true).astype(np.int8)[:, None]
    )
    scores, counts = score_windows(rows, np.zeros((40, 1), np.float32), ("label",))
    assert scores.cpg_count.mean_auroc.value == 1
    assert scores.labels.mean_auroc.value == 0.5
    assert scores.n_blocks == counts.n_blocks == 40
    assert counts.truth.shape == counts.logits.shape == (40, 1)


def perfect(segment: Segment) -> GenePrediction:
    path = np.where(segment.labels == MISSING, NONCODING, segment.labels).astype(np.int8)
    return GenePrediction(segment, path, transcripts_from_labels(path, segment.chrom, start=segment.start))


def test_the_truth_is_perfect_and_its_confusions_add_up(gene_data: Path) -> None:
    manifest, test = read_manifest(gene_data), list(segments(read_split(gene_data, "test")))
    scores, confusions = score_gene_predictions(
        manifest, read_transcripts(gene_data, "test"), [perfect(segment) for segment in test]
    )
    assert scores.mcc.value == scores.genes.levels["gene"].f1.value == 1
    assert scores.n_blocks == len(confusions)
    assert np.array_equal(confusions.sum(axis=0), scores.confusion)
    assert confusions.sum() == sum((segment.labels != MISSING).sum() for segment in test)


def test_structures_are_those_of_the_genes_as_predict_writes_them(gene_data: Path) -> None:
    manifest = read_manifest(gene_data).model_copy(update={"stop_in_cds": False})
    codes = encode("CCATGAAATGTCCCCAGGACC")  # ATG AAA T, the intron GTCCCCAG, GA
    labels = np.array([8] * 2 + [0] * 6 + [8] * 13, np.int8)
    segment = Segment("c", 50, codes, labels)
    bare = perfect(segment)
    written = [replace(bare.transcripts[0], cds=((52, 59), (67, 69)))]
    annotated = [(bare.transcripts[0], True)]
    scores, _ = score_gene_predictions(manifest, annotated, [replace(bare, written=written)])
    assert scores.structures.n_transcripts == scores.structures.n_introns == 1
    assert scores.structures.n_illegal == 0
    assert scores.genes.levels["gene"].f1.value == scores.mcc.value == 1
    alone, _ = score_gene_predictions(manifest, annotated, [bare])
    assert alone.structures.faults["no stop codon"] == alone.structures.n_illegal == 1


def test_segments_that_overlap_on_the_genome_are_one_block(gene_data: Path) -> None:
    manifest = read_manifest(gene_data)
    labels = np.full(1000, NONCODING, np.int8)
    names = ("chr1:0-1000", "chr1:500-1500", "chr1:9000-10000")
    rows = [Segment(name, 0, np.zeros(1000, np.uint8), labels) for name in names]
    scores, confusions = score_gene_predictions(manifest, [], [perfect(segment) for segment in rows])
    assert scores.n_blocks == 2
    assert sorted(confusions.sum(axis=(1, 2)).tolist()) == [1000, 2000]


def test_f1_without_intervals_is_that_with_intervals(gene_data: Path) -> None:
    manifest, annotated = read_manifest(gene_data), read_transcripts(gene_data, "train")
    predictions = [perfect(segment) for segment in segments(read_split(gene_data, "train"))]
    assert gene_f1_scores(annotated, predictions) == {"exon_f1": 1.0, "gene_f1": 1.0}
    fewer = [GenePrediction(own.segment, own.path, own.transcripts[::2]) for own in predictions]
    levels = score_gene_predictions(manifest, annotated, fewer)[0].genes.levels
    f1 = gene_f1_scores(annotated, fewer)
    assert f1 == {"exon_f1": levels["exon"].f1.value, "gene_f1": levels["gene"].f1.value}
    n_genes, n_kept = sum(len(own.transcripts) for own in predictions), sum(len(own.transcripts) for own in fewer)
    assert f1["gene_f1"] == pytest.approx(2 * n_kept / (n_genes + n_kept)) and 0 < f1["gene_f1"] < 1
    nothing = [GenePrediction(own.segment, own.path, []) for own in predictions]
    assert gene_f1_scores(annotated, nothing) == {"exon_f1": 0.0, "gene_f1": 0.0}


def test_a_validation_scores_bases_of_the_head_alone_and_genes_with_codons(
    gene_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    split, annotated = read_split(gene_data, "valid"), read_transcripts(gene_data, "valid")
    right = [perfect(segment) for segment in segments(split)]
    wrong = [GenePrediction(own.segment, np.full_like(own.path, NONCODING), []) for own in right]
    asked = []

    def predicted(_: object, __: object, grammars: list[object]) -> list[list[GenePrediction]]:
        asked.append(len(grammars))
        return [wrong, right][: len(grammars)]

    monkeypatch.setattr(evaluate, "predict_genes", predicted)
    labels = read_manifest(gene_data).labels
    known = split.labels[split.labels != MISSING]
    alone = {"mcc": 0.0, "accuracy": pytest.approx((known == NONCODING).mean())}
    given = {"annotated": annotated, "grammar": "codons"}
    assert evaluate.score_model(None, split, labels, **given) == alone | {"exon_f1": 1.0, "gene_f1": 1.0}  # type: ignore[arg-type]
    assert evaluate.score_model(None, split, labels, annotated=annotated) == alone | {"exon_f1": 0.0, "gene_f1": 0.0}  # type: ignore[arg-type]
    assert evaluate.score_model(None, split, labels, grammar="codons") == alone  # type: ignore[arg-type]
    assert asked == [2, 1, 1]
