"""FASTA to GFF3: contigs through a gene model decoded whole, written as genes with phases and scores.

Finished contigs are kept beside the output until it is whole, so a broken-off prediction goes on where it stopped.
"""

import shutil
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dnaspt.atomic import publish_file, write_text_atomically
from dnaspt.checkpoint import CheckpointConfig
from dnaspt.genome import alphabet
from dnaspt.genome.fasta import Contig
from dnaspt.genome.gene_states import transcripts_from_labels
from dnaspt.genome.genetic_code import STANDARD
from dnaspt.genome.gff3 import AnnotatedTranscript
from dnaspt.genome.gff3_writer import gff3_header, gff3_lines
from dnaspt.genome.stop_codons import stop_codon_in_cds
from dnaspt.genome.transcripts import Transcript
from dnaspt.inference.decode import GROUP_BP, decode_path, grouped, predict_emissions
from dnaspt.inference.disk_array import RowFile, row_file
from dnaspt.inference.emissions import Stretch
from dnaspt.inference.resume import Request, contig_parts
from dnaspt.models.codons import Grammar, gene_grammar
from dnaspt.models.heads import CRFHead, Decoded
from dnaspt.models.kernels.crf_viterbi import Emissions
from dnaspt.models.task_model import TaskModel
from dnaspt.tasks import CDS, GENE_STATES, MINUS

FILED_BP = 10_000_000
"""Contigs of which more is predicted keep their emissions in files beside the output (36 bytes a base)."""


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
    complete: bool = False,
) -> GeneSummary:
    """Write the genes of a FASTA file as GFF3.

    Args:
        request: the FASTA, what of it, and the GFF3.
        model: a gene model.
        config: its description.
        average_strands: average emissions over both strands.
        codons: whether genes must keep to the grammar of codons; a softmax head knows no grammar.
        complete: whether, with that grammar, no gene may go on beyond the end of a contig or stretch, or into a long run of N.

    Raises:
        InputError: the FASTA cannot be used; finished contigs are not kept then. NoSpaceError: they are.
    """
    lengths: list[tuple[str, int]] = []
    n_bp = n_genes = n_partial = n_resumed = 0
    parts: list[Path] = []
    grammar = None
    if codons and isinstance(model.head, CRFHead) and model.head.constrained:
        grammar = gene_grammar(stop_in_cds=config.stop_in_cds is not False, complete=complete)
    settings = {
        "task": "genes",
        "average_strands": average_strands,
        "codons": grammar is not None,
        "complete": complete,
    }

    def missing() -> Iterator[_Contig]:
        """Contigs that no earlier, broken-off prediction has finished."""
        nonlocal n_bp, n_resumed
        for number, contig, wanted in request.contigs(lengths):
            parts.append(folder / f"{number}.gff3")
            n_bp += sum(end - start for start, end in wanted)
            if parts[-1].is_file():
                n_resumed += 1
            else:
                yield _Contig(contig, [Stretch(contig.codes, start, end) for start, end in wanted], parts[-1])

    with contig_parts(request, settings) as folder, _Decoder(model, config, grammar) as decoder:
        for group in grouped(missing(), _Contig.weight):
            decoder.take(group, average_strands=average_strands)
    for part in parts:
        rows = [row for row in part.read_text(encoding="utf-8").splitlines() if "\tgene\t" in row]
        n_genes, n_partial = n_genes + len(rows), n_partial + sum(";partial=true" in row for row in rows)
    with publish_file(request.out) as unfinished, unfinished.open("w", encoding="utf-8") as file:
        file.writelines(gff3_header(lengths))
        for part in parts:
            file.write(part.read_text(encoding="utf-8"))
    shutil.rmtree(folder)
    return GeneSummary(len(parts), n_bp, n_genes, n_partial, n_resumed)


class _Contig(NamedTuple):
    """A contig, what of it is to be predicted, and the file for its genes."""

    contig: Contig
    stretches: list[Stretch]
    part: Path

    @property
    def n_bp(self) -> int:
        """Bases to predict."""
        return sum(map(len, self.stretches))

    def weight(self) -> int:
        """Bases that are held; where emissions go to files, more than share a group."""
        return GROUP_BP + 1 if self.is_long else len(self.contig)

    @property
    def is_long(self) -> bool:
        """Whether its emissions go to files."""
        return self.n_bp > FILED_BP


class _Decoder:
    """Genes of contigs, group by group: the emissions of one group are computed while the group before is decoded."""

    def __init__(self, model: TaskModel, config: CheckpointConfig, grammar: Grammar | None) -> None:
        self._genes = partial(contig_genes, model, config, grammar=grammar)
        self._model = model
        self._pool = ThreadPoolExecutor(1)
        self._pending: Future[None] | None = None

    def __enter__(self) -> "_Decoder":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._pool:
            if kind is None:
                self._wait()

    def _wait(self) -> None:
        if self._pending is not None:
            self._pending.result()

    def take(self, group: list[_Contig], *, average_strands: bool) -> None:
        """Compute the emissions of a group, and leave it to be decoded and written."""
        with ExitStack() as files:
            stretches = [stretch for one in group for stretch in one.stretches]
            outs: list[RowFile | None] = [None] * len(stretches)
            if files_are_used := any(one.is_long for one in group):
                folder = group[0].part.parent
                outs = [files.enter_context(_file_for(stretch, folder)) for stretch in stretches]
                self._wait()  # one long contig at a time: memory
            emissions = predict_emissions(self._model, stretches, average_strands=average_strands, outs=outs)
            self._wait()
            self._pending = self._pool.submit(self._write, group, iter(emissions))
            if files_are_used:
                self._wait()

    def _write(self, group: list[_Contig], emissions: Iterator[Emissions]) -> None:
        for contig, stretches, part in group:
            genes = self._genes(contig, [(stretch, next(emissions)) for stretch in stretches])
            write_text_atomically(part, "".join(gff3_lines(genes)))


def _file_for(stretch: Stretch, folder: Path) -> AbstractContextManager[RowFile]:
    """Where the emissions of a stretch are written."""
    return row_file(folder / f"emissions-{stretch.start}", len(stretch), len(GENE_STATES.names))


def contig_genes(
    model: TaskModel,
    config: CheckpointConfig,
    contig: Contig,
    found: list[tuple[Stretch, Emissions]],
    *,
    grammar: Grammar | None = None,
) -> list[Transcript]:
    """Genes of stretches of a contig and their emissions, scored by the mean posterior of their CDS, named CHROM.gN."""
    genes: list[Transcript] = []
    for stretch, emissions in found:
        decoded = decode_path(model, emissions, stretch, grammar=grammar)
        start = stretch.start
        transcripts = transcripts_from_labels(decoded.path, contig.name, start=start, first_number=len(genes) + 1)
        genes += [replace(gene, score=_score(gene, decoded, start)) for gene in transcripts]
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
    coding = np.concatenate([alphabet.tokens(codes[start:end]) for start, end in gene.cds])
    if gene.strand == "-":
        coding = alphabet.reverse_complement(coding)
    has_start, has_stop = alphabet.decode(coding[:3]) in STANDARD.starts, alphabet.decode(coding[-3:]) in STANDARD.stops
    phase = len(coding) % 3 if has_stop and not has_start else 0
    return replace(gene, phase=phase, is_partial=not (has_start and has_stop and len(coding) % 3 == 0))


def _score(gene: Transcript, found: Decoded, offset: int) -> float:
    """Mean posterior of the CDS bases of a gene."""
    state = CDS if gene.strand == "+" else CDS + MINUS
    place = slice(gene.start - offset, gene.end - offset)
    return float(np.mean(found.posterior[place][found.path[place] == state]))
