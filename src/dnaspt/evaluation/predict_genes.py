"""FASTA to GFF3: contigs through a gene model one at a time, decoded whole, written as genes with phases and scores.

Finished contigs are kept beside the output until it is whole, so a broken-off prediction goes on where it stopped.
"""

import shutil
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from dnaspt.checkpoint import CheckpointConfig
from dnaspt.data.labels import transcripts_from_labels
from dnaspt.data.stop_codons import STOPS, stop_codon_in_cds
from dnaspt.evaluation.gene_paths import Buffers, predict_path
from dnaspt.evaluation.parts import Request, contig_parts, scratch_map
from dnaspt.genome import alphabet
from dnaspt.genome.fasta import Contig
from dnaspt.genome.gff3 import AnnotatedTranscript
from dnaspt.genome.gff3_writer import gff3_header, gff3_lines
from dnaspt.genome.transcripts import Transcript
from dnaspt.models.codons import Grammar, gene_grammar
from dnaspt.models.heads import CRFHead, Decoded
from dnaspt.models.task_model import TaskModel
from dnaspt.publish import publish_file, write_text_atomically
from dnaspt.tasks import CDS, GENE_STATES, MINUS

MAPPED_BP = 10_000_000
"""Stretches above this keep emissions and marginals in memory maps beside the output (72 bytes a base)."""


@dataclass(frozen=True, slots=True)
class GeneSummary:
    """n_contigs, n_bp: predicted; n_genes: written; n_partial: of them known to lack an end (with the grammar of codons).

    n_resumed: contigs taken over from a broken-off prediction.
    """

    n_contigs: int
    n_bp: int
    n_genes: int
    n_partial: int
    n_resumed: int


def predict_genes_file(
    request: Request,
    model: TaskModel,
    config: CheckpointConfig,
    *,
    average_strands: bool = False,
    codons: bool = True,
) -> GeneSummary:
    """Write the genes of a FASTA file as GFF3.

    Args:
        request: the FASTA, what of it, and the GFF3.
        model: a gene model.
        config: its description.
        average_strands: average emissions over both strands.
        codons: whether genes must keep to the grammar of codons; a softmax head knows no grammar.

    Raises:
        InputError: the FASTA cannot be used; finished contigs are not kept then. NoSpaceError: they are.
    """
    lengths: list[tuple[str, int]] = []
    n_bp = n_genes = n_partial = n_resumed = 0
    parts: list[Path] = []
    grammar = None
    if codons and isinstance(model.head, CRFHead):
        grammar = gene_grammar(stop_in_cds=config.stop_in_cds is not False)
    settings = {"task": "genes", "average_strands": average_strands, "codons": grammar is not None}
    with contig_parts(request, settings) as folder:
        for number, contig, wanted in request.contigs(lengths):
            part = folder / f"{number}.gff3"
            parts.append(part)
            n_bp += sum(end - start for start, end in wanted)
            if part.is_file():
                n_resumed += 1
            else:
                genes = contig_genes(
                    model, config, contig, wanted, average_strands=average_strands, grammar=grammar, folder=folder
                )
                write_text_atomically(part, "".join(gff3_lines(genes)))
            rows = [row for row in part.read_text(encoding="utf-8").splitlines() if "\tgene\t" in row]
            n_genes, n_partial = n_genes + len(rows), n_partial + sum(";partial=true" in row for row in rows)
    with publish_file(request.out) as unfinished, unfinished.open("w", encoding="utf-8") as file:
        file.writelines(gff3_header(lengths))
        for part in parts:
            file.write(part.read_text(encoding="utf-8"))
    shutil.rmtree(folder)
    return GeneSummary(len(parts), n_bp, n_genes, n_partial, n_resumed)


def contig_genes(
    model: TaskModel,
    config: CheckpointConfig,
    contig: Contig,
    stretches: list[tuple[int, int]],
    *,
    average_strands: bool = False,
    grammar: Grammar | None = None,
    folder: Path | None = None,
) -> list[Transcript]:
    """Genes of the given stretches of a contig, scored by the mean posterior of their CDS, named CHROM.gN.

    folder: for memory maps of what long stretches need; None keeps all in memory.
    """
    genes: list[Transcript] = []
    for start, end in stretches:
        with ExitStack() as stack:
            buffers = None
            if folder is not None and end - start > MAPPED_BP:
                shape = (end - start, len(GENE_STATES.names))
                maps = (stack.enter_context(scratch_map(folder / name, shape)) for name in Buffers._fields)
                buffers = Buffers(*maps)
            found = predict_path(
                model,
                contig.codes,
                start=start,
                end=end,
                average_strands=average_strands,
                grammar=grammar,
                buffers=buffers,
            )
        transcripts = transcripts_from_labels(found.path, contig.name, start=start, first_number=len(genes) + 1)
        genes += [replace(gene, score=_score(gene, found, start)) for gene in transcripts]
    if config.stop_in_cds is False:
        # The model was trained on CDS without the stop codon; GFF3 has it inside.
        bare = [AnnotatedTranscript(gene, exons=(), stop_codon=(), line=0, path=Path()) for gene in genes]
        genes, _ = stop_codon_in_cds(bare, contig.codes)
    if grammar is not None:
        genes = [framed(gene, contig.codes) for gene in genes]
    return genes


def framed(gene: Transcript, codes: np.ndarray) -> Transcript:
    """A gene that keeps to the grammar of codons, with its first phase, and marked where a start or stop codon is missing.

    A gene that begins before the sequence has its frame from its end. One that goes on beyond both ends gets phase 0.
    """
    coding = np.concatenate([codes[start:end] & 7 for start, end in gene.cds])
    if gene.strand == "-":
        coding = alphabet.reverse_complement(coding)
    has_start, has_stop = alphabet.decode(coding[:3]) == "ATG", alphabet.decode(coding[-3:]) in STOPS
    phase = len(coding) % 3 if has_stop and not has_start else 0
    return replace(gene, phase=phase, is_partial=not (has_start and has_stop and len(coding) % 3 == 0))


def _score(gene: Transcript, found: Decoded, offset: int) -> float:
    """Mean posterior of the CDS bases of a gene."""
    state = CDS if gene.strand == "+" else CDS + MINUS
    place = slice(gene.start - offset, gene.end - offset)
    return float(np.mean(found.posterior[place][found.path[place] == state]))
