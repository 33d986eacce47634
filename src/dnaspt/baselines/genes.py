"""Genes of another tool (any GFF3 or GTF, or AUGUSTUS run here) scored on the test split by the same code as ours."""

import logging
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from dnaspt.baselines import augustus
from dnaspt.baselines.windows import check_place, write_baseline
from dnaspt.data.bootstrap_blocks import on_genome
from dnaspt.data.dataset import read_split
from dnaspt.data.manifest import read_manifest
from dnaspt.data.segments import Segment, segments
from dnaspt.data.transcript_table import read_transcripts
from dnaspt.errors import ConfigError, DatasetError, InputError
from dnaspt.evaluation.evaluate import GenePrediction, score_gene_predictions
from dnaspt.genome.contig_names import check_contigs
from dnaspt.genome.gene_states import longest_per_gene, transcript_labels, transcripts_from_labels
from dnaspt.genome.gff3 import AnnotatedTranscript, read_annotation
from dnaspt.genome.intervals import StartEnds
from dnaspt.genome.stop_codons import stop_codon_in_cds, without_stop_codon
from dnaspt.tasks import MISSING, NONCODING

log = logging.getLogger(__name__)


def score_other_genes(
    data: Path,
    out: Path,
    *,
    annotation: Path | None = None,
    species: str = "",
    trained: bool = False,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Score predicted genes on the test split; the folder gets what a run's has: result.json and evaluation-test.*.

    And genes.gff3, as they were scored. Of a gene the longest transcript counts; where genes overlap, the longer one.

    Args:
        data: dataset folder of genes.
        out: folder to write.
        annotation: GFF3 or GTF on the dataset's contigs; left out, AUGUSTUS predicts on the test split's sequences.
        species: of AUGUSTUS's own models.
        trained: instead, AUGUSTUS learns from the train split first.
        overwrite: replace a baseline's folder.

    Raises:
        DatasetError: no dataset of genes, or `out` is there. ConfigError: none or several given; no AUGUSTUS here.
        DnasptError: AUGUSTUS failed. InputError: the annotation cannot be used.
    """
    manifest = read_manifest(data)
    if not manifest.per_base:
        raise DatasetError(f"{data}: has labels per window; this baseline is for genes")
    if sum((annotation is not None, bool(species), trained)) != 1:
        raise ConfigError("give one of --annotation, --species or --model augustus")
    check_place(out, overwrite=overwrite)
    began = time.monotonic()
    rows = list(segments(read_split(data, "test")))
    counts = Counter[str]()
    name = str(annotation) if annotation else f"augustus:{species}" if species else "augustus"
    if trained:
        with tempfile.TemporaryDirectory() as folder:
            found = augustus.predict(rows, augustus.TRAINED, augustus.train(data, Path(folder)))
    elif annotation is None:
        found = augustus.predict(rows, species)
    else:
        places = [_place(segment, is_bend="bend" in manifest.settings) for segment in rows]
        found = _of_file(annotation, data, rows, places)
    stop = manifest.stop_in_cds is not False
    predictions: list[GenePrediction] = []
    for row, own in zip(rows, found, strict=True):
        first = 1 + sum(len(one.transcripts) for one in predictions)
        predictions.append(_prediction(row, own, counts, first, stop=stop))
    for what, n in counts.items():
        log.warning("%s: %d genes left out: %s", name, n, what)
    scores, counted = score_gene_predictions(manifest, read_transcripts(data, "test"), predictions)
    result = {"baseline": name, "minutes": (time.monotonic() - began) / 60, "n_bp": 0, "steps": 0, "left_out": counts}
    genes = [transcript for one in predictions for transcript in one.transcripts]
    return write_baseline(out, manifest, result, {"n_windows": len(rows), **scores}, counted, genes)


def _place(segment: Segment, *, is_bend: bool) -> tuple[str, int]:
    """Contig of the genome and position on it of a stretch; rows of BEND are contigs called CHROM:START-END."""
    return on_genome(segment.chrom, segment.start, segment.end)[:2] if is_bend else (segment.chrom, segment.start)


def _of_file(
    annotation: Path, data: Path, rows: Sequence[Segment], places: Sequence[tuple[str, int]]
) -> list[list[AnnotatedTranscript]]:
    """Transcripts of each stretch, on its own coordinates.

    Raises:
        InputError: no coding transcript, or none on a contig of the dataset.
    """
    by_contig: dict[str, list[AnnotatedTranscript]] = {}
    for one in read_annotation(annotation).transcripts:
        by_contig.setdefault(one.transcript.chrom, []).append(one)
    if not by_contig:
        raise InputError(annotation, "no coding transcript", expected="GFF3 or GTF with CDS rows")
    check_contigs(annotation, by_contig, data, {chrom for chrom, _ in places}, strict=False)
    found, taken = [], set()
    for row, (chrom, start) in zip(rows, places, strict=True):
        end = start + len(row.codes)
        own = [one for one in by_contig.get(chrom, ()) if one.transcript.start < end and one.transcript.end > start]
        taken |= {id(one) for one in own}
        found.append([_shifted(one, -start) for one in own])
    n_outside = sum(id(one) not in taken for own in by_contig.values() for one in own)
    if n_outside:
        log.info("%s: %d transcripts lie outside the test split", annotation, n_outside)
    return found


def _shifted(one: AnnotatedTranscript, by: int) -> AnnotatedTranscript:
    def moved(spans: StartEnds) -> StartEnds:
        return tuple((start + by, end + by) for start, end in spans)

    transcript = replace(one.transcript, cds=moved(one.transcript.cds))
    return replace(one, transcript=transcript, exons=moved(one.exons), stop_codon=moved(one.stop_codon))


def _prediction(
    segment: Segment, annotated: Sequence[AnnotatedTranscript], counts: Counter[str], first: int, *, stop: bool
) -> GenePrediction:
    """Classes of a stretch's bases, and the genes that they mean.

    counts: gets the genes that are left out. first: number of the first gene. stop: whether the stop codon is coding here.
    Stop codons are united with the CDS, or cut off, for genes that lie in the stretch as a whole.
    """
    length = len(segment.codes)
    whole = [one for one in annotated if one.transcript.start >= 0 and one.transcript.end <= length]
    with_stop, _ = stop_codon_in_cds(whole, segment.codes)
    if not stop:
        with_stop = [without_stop_codon(one, segment.codes) for one in with_stop]
    inside = {id(one) for one in whole}
    genes, _ = longest_per_gene([*with_stop, *(one.transcript for one in annotated if id(one) not in inside)])
    path = np.full(length, NONCODING, dtype=np.int8)
    for gene in sorted(genes, key=lambda one: -one.cds_bp):
        labels = transcript_labels(gene)
        labels[labels == MISSING] = NONCODING
        first, last = max(gene.start, 0), min(gene.end, length)
        if (path[first:last] == NONCODING).all():
            path[first:last] = labels[first - gene.start : last - gene.start]
        else:
            counts["overlap a longer one"] += 1
    return GenePrediction(
        segment, path, transcripts_from_labels(path, segment.chrom, start=segment.start, first_number=first)
    )
