"""Genes of another tool (any GFF3 or GTF, or AUGUSTUS run here) scored on the test split by the same code as ours."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from dnaspt.data.genes import read_transcripts
from dnaspt.data.labels import longest_per_gene, transcript_labels, transcripts_from_labels
from dnaspt.data.segments import Segment, segments
from dnaspt.data.store import read_manifest, read_split
from dnaspt.errors import ConfigError, DatasetError, DnasptError
from dnaspt.evaluation.baseline import check_place, write_baseline
from dnaspt.evaluation.evaluate import GenePrediction, score_gene_predictions
from dnaspt.genome import alphabet
from dnaspt.genome.gff3 import read_annotation
from dnaspt.genome.transcripts import Transcript
from dnaspt.tasks import MISSING, NONCODING

_STOP_BP = 3


def score_other_genes(
    data: Path, out: Path, *, annotation: Path | None = None, species: str = "", overwrite: bool = False
) -> dict[str, Any]:
    """Score predicted genes on the test split; the folder gets what a run's has: result.json and evaluation-test.*.

    Of a gene the longest transcript counts; where genes overlap, the longer one.

    Args:
        data: dataset folder of genes.
        out: folder to write.
        annotation: GFF3 or GTF on the dataset's contigs; left out, AUGUSTUS predicts on the test split's sequences.
        species: of AUGUSTUS's own models.
        overwrite: replace a baseline's folder.

    Raises:
        DatasetError: no dataset of genes, or `out` is there. ConfigError: neither or both given; no AUGUSTUS here.
        DnasptError: AUGUSTUS failed. InputError: the annotation cannot be used.
    """
    manifest = read_manifest(data)
    if not manifest.per_base:
        raise DatasetError(f"{data}: has labels per window; this baseline is for genes")
    if (annotation is None) == (not species):
        raise ConfigError("give either --annotation or --species")
    check_place(out, overwrite=overwrite)
    began = time.monotonic()
    rows = list(segments(read_split(data, "test")))
    found = run_augustus(rows, species) if annotation is None else _of_file(annotation, rows)
    predictions = [
        _prediction(segment, own, stop=manifest.stop_in_cds is not False) for segment, own in zip(rows, found)
    ]
    scores, counted = score_gene_predictions(manifest, read_transcripts(data, "test"), predictions)
    name = f"augustus:{species}" if annotation is None else str(annotation)
    result = {"baseline": name, "minutes": (time.monotonic() - began) / 60, "n_bp": 0, "steps": 0}
    return write_baseline(out, manifest, result, {"n_windows": len(rows), **scores}, counted)


def run_augustus(rows: Sequence[Segment], species: str) -> list[list[Transcript]]:
    """Genes that AUGUSTUS predicts on each stretch alone, on the coordinates of its contig.

    Raises:
        ConfigError: AUGUSTUS is not installed. DnasptError: it failed.
    """
    if shutil.which("augustus") is None:
        raise ConfigError("AUGUSTUS is not installed here (no command 'augustus'); give its GFF3 with --annotation")
    with tempfile.TemporaryDirectory() as folder:
        fasta, gff = Path(folder) / "test.fa", Path(folder) / "augustus.gff3"
        letters = (f">{number}\n{alphabet.decode(segment.codes & 7)}\n" for number, segment in enumerate(rows))
        fasta.write_text("".join(letters))
        with gff.open("w") as output:
            command = ["augustus", f"--species={species}", "--gff3=on", str(fasta)]
            done = subprocess.run(command, stdout=output, stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            said = done.stderr.strip().splitlines()[-1:]
            raise DnasptError(f"augustus --species={species} ended with {done.returncode}: {' '.join(said)}")
        genes, _ = longest_per_gene(one.transcript for one in read_annotation(gff).transcripts)
    found: list[list[Transcript]] = [[] for _ in rows]
    for gene in genes:
        found[int(gene.chrom)].append(_moved(gene, rows[int(gene.chrom)]))
    return found


def _moved(gene: Transcript, segment: Segment) -> Transcript:
    cds = tuple((start + segment.start, end + segment.start) for start, end in gene.cds)
    return replace(gene, chrom=segment.chrom, cds=cds)


def _of_file(annotation: Path, rows: Sequence[Segment]) -> list[list[Transcript]]:
    genes, _ = longest_per_gene(one.transcript for one in read_annotation(annotation).transcripts)
    by_contig: dict[str, list[Transcript]] = {}
    for gene in genes:
        by_contig.setdefault(gene.chrom, []).append(gene)
    return [
        [gene for gene in by_contig.get(row.chrom, ()) if gene.start < row.end and gene.end > row.start] for row in rows
    ]


def _prediction(segment: Segment, genes: Iterable[Transcript], *, stop: bool) -> GenePrediction:
    """Classes of a stretch's bases, and the genes that they mean; stop: whether the stop codon is coding here."""
    path = np.full(len(segment.codes), NONCODING, dtype=np.int8)
    for gene in sorted(genes, key=lambda one: -one.cds_bp):
        labels = transcript_labels(gene)
        if not stop:
            coding = np.concatenate([np.arange(start, end) for start, end in gene.cds]) - gene.start
            labels[coding[-_STOP_BP:] if gene.strand == "+" else coding[:_STOP_BP]] = NONCODING
        labels[labels == MISSING] = NONCODING
        first, last = max(gene.start, segment.start), min(gene.end, segment.end)
        place = slice(first - segment.start, last - segment.start)
        if (path[place] == NONCODING).all():
            path[place] = labels[first - gene.start : last - gene.start]
    return GenePrediction(segment, path, transcripts_from_labels(path, segment.chrom, start=segment.start))
