"""FASTA to GFF3: contigs through a gene model one at a time, decoded whole, written as genes with phases and scores.

Finished contigs are kept beside the output until it is whole, so a broken-off prediction goes on where it stopped.
"""

import hashlib
import json
import logging
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from dnaspt.checkpoint import TENSORS, CheckpointConfig, find_checkpoint
from dnaspt.data.labels import transcripts_from_labels
from dnaspt.data.stop_codons import stop_codon_in_cds
from dnaspt.data.store import Source, publish_file, write_text_atomically
from dnaspt.errors import DnasptError, NoSpaceError
from dnaspt.evaluation.predict import predict_both_strands, predict_sequence
from dnaspt.evaluation.validate import decode
from dnaspt.genome.fasta import Contig, read_fasta
from dnaspt.genome.gff3 import AnnotatedTranscript
from dnaspt.genome.gff3_writer import gff3_header, gff3_lines
from dnaspt.genome.transcripts import Transcript
from dnaspt.models.heads import Decoded
from dnaspt.models.task_model import TaskModel
from dnaspt.tasks import CDS, MINUS, TASKS

log = logging.getLogger(__name__)

_MAPPED_BP = 10_000_000
"""Stretches above this keep their emissions in a temporary memory map (36 bytes a base for nine states)."""

Stretches = Mapping[str, list[tuple[int, int]]]
"""Stretches to predict by contig, 0-based half-open."""


@dataclass(frozen=True, slots=True)
class GeneSummary:
    """n_contigs, n_bp: predicted; n_genes: written; n_resumed: contigs taken over from a broken-off prediction."""

    n_contigs: int
    n_bp: int
    n_genes: int
    n_resumed: int


def predict_genes_file(
    run: Path,
    model: TaskModel,
    config: CheckpointConfig,
    genome: Path,
    out: Path,
    *,
    stretches: Stretches | None = None,
    average_strands: bool = False,
) -> GeneSummary:
    """Write the genes of a FASTA file as GFF3.

    Args:
        run: run or checkpoint the model is from; part of the mark by which a broken-off prediction is recognized.
        model: a gene model.
        config: its description.
        genome: FASTA, plain, gzip or bgzip.
        out: the GFF3; it appears whole or not at all.
        stretches: what to predict; None for everything.
        average_strands: average emissions over both strands.

    Raises:
        InputError: the FASTA cannot be used; finished contigs are not kept then. NoSpaceError: they are.
    """
    parts = _parts_of(out)
    mark = {"run": _digest(run), "genome": Source.of(genome).sha256, "both": average_strands}
    _open_parts(parts, mark | {"stretches": None if stretches is None else dict(stretches)})
    try:
        return _predict_parts(model, config, genome, out, stretches, average_strands=average_strands)
    except NoSpaceError:
        raise
    except DnasptError:
        shutil.rmtree(parts)
        raise


def _predict_parts(
    model: TaskModel,
    config: CheckpointConfig,
    genome: Path,
    out: Path,
    stretches: Stretches | None,
    *,
    average_strands: bool,
) -> GeneSummary:
    parts = _parts_of(out)
    lengths: list[tuple[str, int]] = []
    n_bp = n_genes = n_resumed = 0
    names: list[Path] = []
    for number, contig in enumerate(read_fasta(genome)):
        lengths.append((contig.name, len(contig)))
        wanted = [(0, len(contig))] if stretches is None else stretches.get(contig.name, [])
        if not wanted:
            continue
        part = parts / f"{number}.gff3"
        names.append(part)
        n_bp += sum(end - start for start, end in wanted)
        if part.is_file():
            n_resumed += 1
        else:
            genes = contig_genes(model, config, contig, wanted, average_strands=average_strands)
            write_text_atomically(part, "".join(gff3_lines(genes)))
        n_genes += part.read_text(encoding="utf-8").count("\tgene\t")
    header = "".join(gff3_header(lengths))
    with publish_file(out) as unfinished, unfinished.open("w", encoding="utf-8") as file:
        file.write(header)
        for part in names:
            file.write(part.read_text(encoding="utf-8"))
    shutil.rmtree(parts)
    return GeneSummary(len(names), n_bp, n_genes, n_resumed)


def contig_genes(
    model: TaskModel,
    config: CheckpointConfig,
    contig: Contig,
    stretches: list[tuple[int, int]],
    *,
    average_strands: bool = False,
) -> list[Transcript]:
    """Genes of the given stretches of a contig, scored by the mean posterior of their CDS, named CHROM.gN."""
    genes: list[Transcript] = []
    for start, end in stretches:
        path, posterior = _decoded(model, contig, start, end, average_strands=average_strands)
        found = transcripts_from_labels(path, contig.name, start=start, first_number=len(genes) + 1)
        genes += [replace(gene, score=_score(gene, path, posterior, start)) for gene in found]
    if config.stop_in_cds is False:
        # The model was trained on CDS without the stop codon; GFF3 has it inside.
        bare = [AnnotatedTranscript(gene, exons=(), stop_codon=(), line=0, path=Path()) for gene in genes]
        genes, _ = stop_codon_in_cds(bare, contig.codes)
    return genes


def _decoded(model: TaskModel, contig: Contig, start: int, end: int, *, average_strands: bool) -> Decoded:
    states = TASKS["genes"].states
    assert states is not None
    with tempfile.TemporaryDirectory(prefix="dnaspt-") as folder:
        emissions: np.ndarray | None = None
        marginals: np.ndarray | None = None
        if end - start > _MAPPED_BP:
            shape = (end - start, len(states.names))
            emissions = np.memmap(Path(folder) / "emissions", dtype=np.float32, mode="w+", shape=shape)
            marginals = np.memmap(Path(folder) / "marginals", dtype=np.float32, mode="w+", shape=shape)
        if average_strands:
            emissions = predict_both_strands(
                model, contig.codes, states.complement, start=start, end=end, out=emissions
            )
        else:
            emissions = predict_sequence(model, contig.codes, start=start, end=end, out=emissions)
        return decode(model, emissions, marginals)


def _score(gene: Transcript, path: np.ndarray, posterior: np.ndarray, offset: int) -> float:
    """Mean posterior of the CDS bases of a gene."""
    state = CDS if gene.strand == "+" else CDS + MINUS
    values = posterior[gene.start - offset : gene.end - offset]
    return float(values[path[gene.start - offset : gene.end - offset] == state].mean())


def _digest(run: Path) -> str:
    with (find_checkpoint(run) / TENSORS).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _parts_of(out: Path) -> Path:
    return out.with_name(f".{out.name}.parts")


def _open_parts(parts: Path, mark: dict[str, object]) -> None:
    """Keep finished contigs of the same prediction; those of another one are thrown away."""
    file = parts / "mark.json"
    text = json.dumps(mark)
    if not file.is_file() or file.read_text(encoding="utf-8") != text:
        shutil.rmtree(parts, ignore_errors=True)
        parts.mkdir(parents=True)
        write_text_atomically(file, text)
