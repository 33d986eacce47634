"""Genes of another gene finder (any GFF3 or GTF, or AUGUSTUS run here), scored on the test split as those of a model."""

import logging
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from dnaspt.baselines import augustus
from dnaspt.baselines.results import BaselineResult, ScoredBaseline
from dnaspt.data.bootstrap_blocks import on_genome
from dnaspt.data.dataset import read_split
from dnaspt.data.manifest import Manifest
from dnaspt.data.segments import Segment, segments
from dnaspt.data.transcript_table import read_transcripts
from dnaspt.errors import InputError
from dnaspt.evaluation.results import BootstrapCounts
from dnaspt.evaluation.score import GenePrediction, score_gene_predictions
from dnaspt.genome.contig_names import check_contigs
from dnaspt.genome.gene_states import MISSING, NONCODING, longest_per_gene, transcript_labels, transcripts_from_labels
from dnaspt.genome.genetic_code import GeneticCode, genetic_code
from dnaspt.genome.gff3 import AnnotatedTranscript, Annotation, read_annotation
from dnaspt.genome.intervals import StartEnds
from dnaspt.genome.stop_in_cds import stop_codon_in_cds, without_stop_codon
from dnaspt.genome.transcripts import Transcript

log = logging.getLogger(__name__)

_OVERLAPPING = "overlap a longer one"


def score_gene_finder(
    data: Path, manifest: Manifest, *, annotation: Path | None, species: str, optimize_minutes: float = 0
) -> ScoredBaseline:
    """Score predicted genes on the test split. Of a gene the longest transcript counts; where genes overlap, the longer one.

    Args:
        data: dataset folder of genes.
        manifest: its manifest, or that of one of its folds.
        annotation: GFF3 or GTF on the dataset's contigs; None runs AUGUSTUS on the sequences of the test split.
        species: one of AUGUSTUS's own models; empty for one that is trained on the train split first.
        optimize_minutes: minutes for optimize_augustus.pl after that training.

    Raises:
        ConfigError: AUGUSTUS is not installed. DnasptError: it failed. InputError: the annotation cannot be used.
    """
    test = list(segments(read_split(data, "test", manifest.fold)))
    left_out = Counter[str]()
    if annotation is not None:
        name = str(annotation)
        read = _read(annotation)
        left_out.update({reason: n for reason, n in read.counts.items() if n and reason != "rows"})
        annotated = _on_segments(annotation, read.transcripts, data, test, is_bend="bend" in manifest.settings)
    elif species:
        name = f"augustus:{species}"
        annotated = augustus.predict(test, species)
    else:
        name = f"augustus, optimized for {optimize_minutes:g} minutes" if optimize_minutes else "augustus"
        with tempfile.TemporaryDirectory() as folder:
            config = augustus.train(data, Path(folder), manifest.fold, optimize_minutes)
            annotated = augustus.predict(test, augustus.TRAINED, config)
    predictions: list[GenePrediction] = []
    code = genetic_code(manifest.genetic_code)
    for segment, own in zip(test, annotated, strict=True):
        path = _classes(segment, own, left_out, code, stop_in_cds=manifest.stop_in_cds is not False)
        first = 1 + sum(len(prediction.transcripts) for prediction in predictions)
        genes = transcripts_from_labels(path, segment.chrom, start=segment.start, first_number=first)
        predictions.append(GenePrediction(segment, path, genes))
    if n := left_out[_OVERLAPPING]:
        log.warning("%s: %d genes left out: %s", name, n, _OVERLAPPING)
    scores, confusions = score_gene_predictions(manifest, read_transcripts(data, "test", manifest.fold), predictions)
    return ScoredBaseline(
        BaselineResult(name, left_out=left_out),
        scores,
        len(test),
        BootstrapCounts(confusions=confusions, levels=scores.genes.block_counts),
        [transcript for prediction in predictions for transcript in prediction.transcripts],
    )


def _read(path: Path) -> Annotation:
    """Read an annotation, and name the first row of each reason for which rows are odd or left out."""
    annotation = read_annotation(path)
    for reason, (line, text) in annotation.oddities.items():
        log.warning("%s:%d: %s (counted as %s: %d)", path, line, text, reason, annotation.counts[reason])
    if not annotation.transcripts:
        raise InputError(path, "no coding transcript", expected="GFF3 or GTF with CDS rows")
    return annotation


def _on_segments(
    annotation: Path, transcripts: Sequence[AnnotatedTranscript], data: Path, test: Sequence[Segment], *, is_bend: bool
) -> list[list[AnnotatedTranscript]]:
    """Transcripts that lie on each segment, on the segment's own coordinates.

    Raises:
        InputError: none lies on a contig of the dataset.
    """
    by_contig: dict[str, list[AnnotatedTranscript]] = {}
    for transcript in transcripts:
        by_contig.setdefault(transcript.transcript.chrom, []).append(transcript)
    starts = [_start_on_genome(segment, is_bend=is_bend) for segment in test]
    check_contigs(annotation, by_contig, data, {chrom for chrom, _ in starts}, strict=False)
    on_segments, taken = [], set()
    for segment, (chrom, start) in zip(test, starts, strict=True):
        end = start + len(segment.codes)
        own = [t for t in by_contig.get(chrom, ()) if t.transcript.start < end and t.transcript.end > start]
        taken |= {id(transcript) for transcript in own}
        on_segments.append([_shifted(transcript, -start) for transcript in own])
    n_outside = sum(id(transcript) not in taken for own in by_contig.values() for transcript in own)
    if n_outside:
        log.info("%s: %d transcripts lie outside the test split", annotation, n_outside)
    return on_segments


def _start_on_genome(segment: Segment, *, is_bend: bool) -> tuple[str, int]:
    """Contig and start of a segment on the genome; rows of BEND are contigs called CHROM:START-END."""
    return on_genome(segment.chrom, segment.start, segment.end)[:2] if is_bend else (segment.chrom, segment.start)


def _shifted(annotated: AnnotatedTranscript, by: int) -> AnnotatedTranscript:
    """A transcript whose coordinates are `by` higher."""

    def moved(intervals: StartEnds) -> StartEnds:
        return tuple((start + by, end + by) for start, end in intervals)

    transcript = replace(annotated.transcript, cds=moved(annotated.transcript.cds))
    return replace(
        annotated, transcript=transcript, exons=moved(annotated.exons), stop_codon=moved(annotated.stop_codon)
    )


def _classes(
    segment: Segment,
    annotated: Sequence[AnnotatedTranscript],
    left_out: Counter[str],
    code: GeneticCode,
    *,
    stop_in_cds: bool,
) -> np.ndarray:
    """Classes (L,) int8 of the bases of a segment, by the transcripts on it; genes that are left out are counted.

    Of genes that lie wholly on the segment, the stop codon is added to the CDS, or cut off where the dataset has it outside.
    """
    length_bp = len(segment.codes)
    whole = [one for one in annotated if one.transcript.start >= 0 and one.transcript.end <= length_bp]
    genes: list[Transcript] = stop_codon_in_cds(whole, segment.codes, code)[0]
    if not stop_in_cds:
        genes = [without_stop_codon(gene, segment.codes, code) for gene in genes]
    inside = {id(one) for one in whole}
    genes, _ = longest_per_gene([*genes, *(one.transcript for one in annotated if id(one) not in inside)])
    path = np.full(length_bp, NONCODING, dtype=np.int8)
    for gene in sorted(genes, key=lambda gene: -gene.cds_bp):
        labels = transcript_labels(gene)
        labels[labels == MISSING] = NONCODING
        start, end = max(gene.start, 0), min(gene.end, length_bp)
        if (path[start:end] == NONCODING).all():
            path[start:end] = labels[start - gene.start : end - gene.start]
        else:
            left_out[_OVERLAPPING] += 1
    return path
