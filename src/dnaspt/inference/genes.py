"""FASTA to GFF3 or GTF: each contig goes through a model as a whole and becomes genes with phases and scores.

Their proteins and coding sequences can be written, too. Finished contigs are kept beside the output until it is whole: a
prediction that was broken off goes on where it stopped.
"""

import json
import logging
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import asdict, astuple, dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple, TextIO

import numpy as np
import torch

from dnaspt import __version__
from dnaspt.atomic import atomic_file, write_text_atomically
from dnaspt.checkpoint import CheckpointConfig
from dnaspt.genome.coding_sequence import coding_letters, fasta_record, protein, with_codons_read
from dnaspt.genome.fasta import Contig
from dnaspt.genome.gene_states import CDS, MINUS, transcripts_from_labels
from dnaspt.genome.genetic_code import GeneticCode
from dnaspt.genome.gff3_writer import gff3_header, gff3_lines
from dnaspt.genome.gtf_writer import gtf_header, gtf_lines
from dnaspt.genome.stop_in_cds import with_stop_codon
from dnaspt.genome.transcripts import Transcript
from dnaspt.inference.decode import GROUP_BP, class_probabilities, decode_path, grouped, n_emissions, predict_emissions
from dnaspt.inference.disk_array import DiskArray, disk_array
from dnaspt.inference.emissions import ContigSlice, EmissionArray
from dnaspt.inference.posterior_tracks import TRACKS, ContigRuns, kept_runs, write_tracks
from dnaspt.inference.predict import GENE_OPTIONS, PredictOptions
from dnaspt.inference.resume import Request, finished_contigs
from dnaspt.inference.sensitivity import describe, operating_point
from dnaspt.models.codons import Grammar, gene_grammar
from dnaspt.models.decoding import ClassProbabilities, Decoded, GeneRules
from dnaspt.models.gene_model_head import RULES, GeneModelHead
from dnaspt.models.heads import CRFHead
from dnaspt.models.task_model import TaskModel
from dnaspt.progress import along_sequence

log = logging.getLogger(__name__)

WEAK_MCC = 0.5
"""A model with a lower MCC on its own valid split is called weak: most of its genes are wrong."""
_CODON_BP = 3
ON_DISK_BP = 10_000_000
"""A contig of which more is predicted keeps its emissions in files beside the output (36 bytes a base; with a network
68)."""


class AnnotationFormat(NamedTuple):
    """How genes are written: the name of the format, its first lines, and the rows of transcripts."""

    name: str
    header: Callable[[Iterable[tuple[str, int]]], Iterator[str]]
    lines: Callable[[Iterable[Transcript]], Iterator[str]]


GFF3, GTF = AnnotationFormat("gff3", gff3_header, gff3_lines), AnnotationFormat("gtf", gtf_header, gtf_lines)
FORMATS = {".gff3": GFF3, ".gff": GFF3, ".gtf": GTF}
"""Formats of genes by the suffix of their file."""
LETTERS: dict[str, Callable[[Transcript, np.ndarray, GeneticCode], str]] = {
    "proteins": protein,
    "cds": lambda transcript, codes, _: coding_letters(transcript, codes),
}
"""What can be written of each transcript as FASTA, from its contig's codes and the genetic code."""


@dataclass(frozen=True, slots=True)
class GeneSummary:
    """What was predicted and written.

    Attributes:
        n_contigs: contigs predicted.
        n_bp: bases predicted.
        n_genes: genes written.
        n_partial: genes among them that are known to lack an end; they are known where genes keep to codons.
        n_left_out: genes not written, because their score or their CDS is below what was asked for.
        n_resumed: contigs taken over from a prediction that was broken off.
    """

    n_contigs: int
    n_bp: int
    n_genes: int
    n_partial: int
    n_left_out: int
    n_resumed: int


@dataclass(frozen=True, slots=True)
class GeneCounts:
    """Genes of one contig: written, written and known to lack an end, and left out; the first line of a finished contig."""

    n_genes: int
    n_partial: int
    n_left_out: int


def grammar_of(
    model: TaskModel, config: CheckpointConfig, options: PredictOptions | None = None
) -> Grammar | GeneRules | None:
    """The codons that a model's genes keep to; None where they are not asked for, and for heads that know no codons.

    Args:
        model: a model of genes, of any head.
        config: its description.
        options: how to predict; None for the defaults.

    Raises:
        ConfigError: a sensitivity that the gene model does not reach on valid, or has no record of.
    """
    options = options or PredictOptions()
    if isinstance(model.head, GeneModelHead):
        return RULES._replace(
            stop_in_cds=config.stop_in_cds is not False,
            complete=options.complete_genes,
            min_intron_bp=min_intron_bp(config, options),
            softmask=options.softmask,
            gene_offset=0.0
            if options.sensitivity is None
            else operating_point(config, options.sensitivity).gene_offset,
        )
    if not options.codons or not isinstance(model.head, CRFHead) or not model.head.constrained:
        return None
    return gene_grammar(
        stop_in_cds=config.stop_in_cds is not False,
        complete=options.complete_genes,
        min_intron_bp=min_intron_bp(config, options),
    )


def min_intron_bp(config: CheckpointConfig, options: PredictOptions) -> int:
    """Bases of the shortest intron with codons: what was asked for, else as in the training annotation."""
    return options.min_intron_bp or config.min_intron_bp


def predict_contigs(
    model: TaskModel, config: CheckpointConfig, contigs: Sequence[Contig], options: PredictOptions
) -> list[list[Transcript]]:
    """Genes of whole contigs that fit into memory, in the order of the contigs; see `contig_genes`.

    Args:
        model: a model of genes, of any head.
        config: its description.
        contigs: the contigs.
        options: how to predict.
    """
    genes, grammar, both = [], grammar_of(model, config, options), bool(options.average_strands)
    for group in grouped(contigs, len):
        slices = [ContigSlice.whole(contig.codes) for contig in group]
        arrays = predict_emissions(model, slices, average_strands=both)
        for contig, contig_slice, emissions in zip(group, slices, arrays, strict=True):
            parts = [(contig_slice, emissions)]
            found = contig_genes(model, config, contig, parts, average_strands=both, grammar=grammar)
            genes.append(kept_genes(found, options))
    return genes


def predict_genes_file(
    request: Request,
    model: TaskModel,
    config: CheckpointConfig,
    options: PredictOptions,
    further: Mapping[str, Path] | None = None,
) -> GeneSummary:
    """Write the genes of a FASTA file as GFF3 or GTF, by the suffix of the file.

    Args:
        request: the FASTA, what to predict of it, and the GFF3 or GTF to write.
        model: a model of genes, of any head.
        config: its description.
        options: how to predict; a softmax head knows no codons.
        further: files to write too: `proteins` and `cds` of all written transcripts as FASTA, and `TRACKS` of a gene model as
            bigWig.

    Raises:
        InputError: the FASTA cannot be used; finished contigs are deleted.
        NoSpaceError: the disk is full; finished contigs are kept.
    """
    grammar = grammar_of(model, config, options)
    settings = {name: value for name, value in asdict(options).items() if name in GENE_OPTIONS}
    written_as, further = FORMATS[request.out.suffix.lower()], dict(further or {})
    sequences, tracks = ({name: further[name] for name in names if name in further} for names in (LETTERS, TRACKS))
    settings |= {"format": written_as.name, "sequences": sorted(further)}
    settings |= {"task": "genes", "codons": grammar is not None, "min_intron_bp": min_intron_bp(config, options)}
    lengths: list[tuple[str, int]] = []
    files: list[Path] = []
    contig_runs: list[ContigRuns] = []
    n_bp = n_resumed = 0

    def unfinished_contigs() -> Iterator[_ContigJob]:
        nonlocal n_bp, n_resumed
        for number, contig, intervals in request.contigs(lengths):
            files.append(folder / f"{number}.{written_as.name}")
            contig_runs.append(ContigRuns(contig.name, intervals, _beside(files[-1], "tracks")))
            n_bp += sum(end - start for start, end in intervals)
            if files[-1].is_file():
                n_resumed += 1
            else:
                slices = [ContigSlice(contig.codes, start, end) for start, end in intervals]
                yield _ContigJob(contig, slices, files[-1])

    written = _Written(options, written_as, tuple(sequences), config.code, has_tracks=bool(tracks))
    decode = partial(contig_genes, model, config, average_strands=bool(options.average_strands), grammar=grammar)
    n_passes = 3 if options.average_strands else 2  # each strand is read, and then the path is found

    def work_bp() -> int:
        return n_passes * request.left_bp(lambda number: (folder / f"{number}.{written_as.name}").is_file())

    with (
        finished_contigs(request, settings) as folder,
        along_sequence("predict", work_bp, wanted=request.progress) as told,
        _Decoder(model, decode, written, told) as decoder,
    ):
        for group in grouped(unfinished_contigs(), _ContigJob.weight_bp):
            decoder.take(group)
    counts = []
    with ExitStack() as stack:
        annotation = stack.enter_context(open_atomically(request.out))
        fasta = {what: stack.enter_context(open_atomically(path)) for what, path in sequences.items()}
        annotation.writelines(written_as.header(lengths))
        annotation.write(made_with(f"run {request.model_name}", request.model_digests[0]))
        if warning := weakness(config):
            log.warning("%s: %s", request.out, warning)
            annotation.write(f"# warning: {warning}\n")
        if options.softmask:
            annotation.write(f"# softmask: {options.softmask:g} nats\n")
        if options.sensitivity is not None:
            expected = describe(
                operating_point(config, options.sensitivity),
                options.sensitivity,
                has_network=config.network is not None,
            )
            log.info("%s: sensitivity: %s", request.out, expected)
            annotation.write(f"# sensitivity: {expected}\n")
        for file in files:
            of_contig, _, rows = file.read_text(encoding="utf-8").partition("\n")
            counts.append(GeneCounts(**json.loads(of_contig)))
            annotation.write(rows)
            for what, into in fasta.items():
                into.write(_beside(file, what).read_text(encoding="utf-8"))
        write_tracks(tracks, lengths, contig_runs)
    shutil.rmtree(folder)
    n_genes, n_partial, n_left_out = (sum(column) for column in zip((0, 0, 0), *map(astuple, counts), strict=True))
    if not n_genes:
        left_out = f"; {n_left_out:,} were left out by --min-score or --min-coding-length" if n_left_out else ""
        log.warning("%s: no gene on %d bases%s", request.out, n_bp, left_out)
    return GeneSummary(len(files), n_bp, n_genes, n_partial, n_left_out, n_resumed)


def made_with(source: str, sha256: str) -> str:
    """The comment of an annotation that says which version wrote it, and from what: a name without folders, and its digest."""
    name = "".join(letter if letter.isprintable() else "_" for letter in source)
    return f"# dnaspt {__version__}: {name}, sha256 {sha256[:16]}\n"


@contextmanager
def open_atomically(path: Path) -> Iterator[TextIO]:
    """A text file to write that appears whole or not at all."""
    with atomic_file(path) as unfinished, unfinished.open("w", encoding="utf-8", newline="\n") as file:
        yield file


def _beside(file: Path, what: str) -> Path:
    """The file with the sequences of the transcripts whose rows are in a file, or with the runs of its contig's tracks."""
    return file.with_suffix(f".{what}")


class _Written(NamedTuple):
    """What is written of a contig: which genes, in which format, which sequences of theirs, and whether tracks."""

    options: PredictOptions
    written_as: AnnotationFormat
    sequences: tuple[str, ...]
    code: GeneticCode
    has_tracks: bool = False

    def write(self, genes: Sequence[Transcript], contig: Contig, file: Path) -> None:
        """Write the rows of a contig's genes behind a line of counts; their sequences before, into files of their own."""
        kept = kept_genes(genes, self.options)
        for what in self.sequences:
            letters = ((gene.transcript_id, LETTERS[what](gene, contig.codes, self.code)) for gene in kept)
            records = (
                fasta_record(*record) for record in letters if record[1]
            )  # no tool reads a record without letters
            write_text_atomically(_beside(file, what), "".join(records))
        counts = GeneCounts(len(kept), sum(gene.is_partial for gene in kept), len(genes) - len(kept))
        write_text_atomically(file, "\n".join([json.dumps(asdict(counts)), "".join(self.written_as.lines(kept))]))


def weakness(config: CheckpointConfig) -> str:
    """What to know of the genes of a model that does badly on its own valid split; "" for any other model."""
    mcc = config.provenance.get("valid_mcc")
    if not isinstance(mcc, float) or not mcc < WEAK_MCC:
        return ""
    return (
        f"the model has MCC {mcc:.3f} on its own valid split, so many of these genes are wrong; train it longer or on more data, "
        "or keep genes of a high score (--min-score)"
    )


def kept_genes(genes: Sequence[Transcript], options: PredictOptions) -> list[Transcript]:
    """The genes whose score, to four digits as GFF3 has it, and whose coding bases reach what was asked for.

    The score is the probability of the whole gene where the model knows it, else the mean posterior of its coding bases.
    """
    scored = ((gene, gene.score if gene.probability is None else gene.probability) for gene in genes)
    return [
        gene
        for gene, score in scored
        if round(score or 0, 4) >= options.min_score and gene.cds_bp >= options.min_coding_bp
    ]


class _ContigJob(NamedTuple):
    """A contig, what of it is to be predicted, and the file for its genes."""

    contig: Contig
    slices: list[ContigSlice]
    file: Path

    @property
    def is_long(self) -> bool:
        """Whether its emissions go to files."""
        return sum(map(len, self.slices)) > ON_DISK_BP

    def weight_bp(self) -> int:
        """Bases of codes that it holds in memory; more than a group may have where its emissions go to files."""
        return GROUP_BP + 1 if self.is_long else len(self.contig)


class _Decoder:
    """Decodes contigs group by group: while one group is decoded, the emissions of the next are computed.

    Args:
        model: a model of genes, of any head.
        genes: `contig_genes` with all but the contig and its emissions.
        written: what is written of the genes, and how they are predicted.
        told: is told the bases whose emissions are there, and again those whose genes are written.
    """

    def __init__(
        self,
        model: TaskModel,
        genes: Callable[..., list[Transcript]],
        written: _Written,
        told: Callable[[int], None],
    ) -> None:
        self._genes, self._told = genes, told
        self._model = model
        self._written = written
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

    def take(self, group: list[_ContigJob]) -> None:
        """Compute the emissions of a group, and hand it to the other thread, which decodes it and writes its genes."""
        with ExitStack() as files:
            slices = [contig_slice for job in group for contig_slice in job.slices]
            into: list[DiskArray | None] = [None] * len(slices)
            if uses_files := any(job.is_long for job in group):
                folder, n_columns = group[0].file.parent, n_emissions(self._model)
                into = [files.enter_context(_file_for(contig_slice, folder, n_columns)) for contig_slice in slices]
                self._wait()  # one long contig at a time: memory
            both = bool(self._written.options.average_strands)
            emissions = predict_emissions(self._model, slices, average_strands=both, into=into, told=self._told)
            self._wait()
            self._pending = self._pool.submit(self._write, group, iter(emissions))
            if uses_files:
                self._wait()

    def _write(self, group: list[_ContigJob], emissions: Iterator[EmissionArray]) -> None:
        inputs = [[(contig_slice, next(emissions)) for contig_slice in job.slices] for job in group]
        n_threads = torch.get_num_threads()
        decode = partial(self._decode, alone=len(group) < n_threads)
        with ThreadPoolExecutor(n_threads) as pool:
            for job, genes in zip(group, pool.map(decode, group, inputs), strict=True):
                self._written.write(genes, job.contig, job.file)
                self._told(sum(map(len, job.slices)))

    def _decode(
        self, job: _ContigJob, inputs: Sequence[tuple[ContigSlice, EmissionArray]], *, alone: bool
    ) -> list[Transcript]:
        """The genes of a contig; the runs of its tracks are written on the way."""
        if not self._written.has_tracks:
            return self._genes(job.contig, inputs, alone=alone)
        with kept_runs(_beside(job.file, "tracks")) as marginals:
            return self._genes(job.contig, inputs, marginals=marginals, alone=alone)


def _file_for(contig_slice: ContigSlice, folder: Path, n_columns: int) -> AbstractContextManager[DiskArray]:
    """Where the emissions of a slice are written."""
    return disk_array(folder / f"emissions-{contig_slice.start}", len(contig_slice), n_columns)


def contig_genes(
    model: TaskModel,
    config: CheckpointConfig,
    contig: Contig,
    emissions_of: Sequence[tuple[ContigSlice, EmissionArray]],
    *,
    average_strands: bool = False,
    grammar: Grammar | GeneRules | None = None,
    marginals: ClassProbabilities | None = None,
    alone: bool = True,
) -> list[Transcript]:
    """Genes of a contig, named CHROM.gN; the score of a gene is the mean posterior of its CDS bases. A gene
    model also gives the probability of each gene and exon.

    With a grammar, phases and missing ends are those of the decoded codons. Without one, the first coding base of each gene
    counts as the first of a codon, no gene as partial, and its start and stop codon are told by their letters.

    Args:
        model: a model of genes, of any head.
        config: its description.
        contig: the contig.
        emissions_of: slices of the contig, and the emissions (L, K) of each.
        average_strands: whether they are the mean of both strands'.
        grammar: codons that the genes of a CRF must keep to, or what a gene model is asked for; None for none.
        marginals: gets the class probabilities of a gene model, tile by tile.
        alone: whether no other contig is decoded at the same time, so that a second thread may help.

    Returns:
        genes by start; the stop codon is in the CDS also where the model was trained on CDS without it.
    """
    genes: list[Transcript] = []
    for contig_slice, emissions in emissions_of:
        decoded = decode_path(
            model,
            emissions,
            contig_slice,
            average_strands=average_strands,
            grammar=grammar,
            marginals=marginals,
            alone=alone,
        )
        start = contig_slice.start
        if isinstance(grammar, GeneRules):
            decoded = with_stop_codons(decoded, grammar)
        for decoded_gene in list(scored_genes(decoded, contig.name, start=start, first_number=len(genes) + 1)):
            gene = decoded_gene
            if grammar is not None:
                gene = with_frame(gene, decoded.states, start, grammar)
            else:
                if config.stop_in_cds is False:
                    gene = with_stop_codon(gene, contig.codes, config.code)
                gene = with_codons_read(gene, contig.codes, config.code)
            genes.append(gene)
    return genes


def with_stop_codons(decoded: Decoded, rules: GeneRules) -> Decoded:
    """What a gene model decoded, with class CDS at stop codons also where the path leaves them out."""
    return decoded if rules.stop_in_cds else decoded._replace(path=rules.classes[decoded.states])


def scored_genes(decoded: Decoded, chrom: str, *, start: int = 0, first_number: int = 1) -> Iterator[Transcript]:
    """Yield the genes of a decoded path with their scores, and with their probabilities where the head knows them.

    Args:
        decoded: decoded bases of a contig.
        chrom: name of the contig.
        start: contig position of the first decoded base.
        first_number: number of the first gene.
    """
    posteriors = {gene.start + start: gene for gene in decoded.genes}
    for transcript in transcripts_from_labels(decoded.path, chrom, start=start, first_number=first_number):
        gene = replace(transcript, score=_score(transcript, decoded, start))
        if (posterior := posteriors.get(gene.start)) is not None:
            gene = replace(gene, probability=posterior.gene, exon_scores=posterior.exons)
        yield gene


def genes_and_probabilities(
    model: TaskModel, config: CheckpointConfig, contig: Contig, contig_slice: ContigSlice, *, average_strands: bool
) -> tuple[list[Transcript], np.ndarray]:
    """Genes on a slice of a contig, as `predict` decodes them, and the probability (L, 9) of each class at its bases.

    Args:
        model: a model of genes, of any head.
        config: its description.
        contig: the contig.
        contig_slice: the slice of it.
        average_strands: take the mean of both strands.
    """
    emissions = predict_emissions(model, [contig_slice], average_strands=average_strands)[0]
    classes = np.zeros((len(contig_slice), len(config.labels)))

    def keep(position: int, probabilities: np.ndarray) -> None:
        first = position - contig_slice.start
        classes[first : first + len(probabilities)] = probabilities

    genes = contig_genes(
        model,
        config,
        contig,
        [(contig_slice, emissions)],
        average_strands=average_strands,
        grammar=grammar_of(model, config),
        marginals=keep,
    )
    if not isinstance(model.head, GeneModelHead):  # other heads give them apart from decoding
        classes = class_probabilities(model, emissions, average_strands=average_strands)
    return genes, classes


def with_frame(gene: Transcript, states: np.ndarray, offset: int, grammar: Grammar | GeneRules) -> Transcript:
    """A gene that keeps to codons, with its first phase and its stop codon, marked as partial where it lacks an end.

    All of it comes from the decoded states: letters at the end of a sequence may look like a start codon and be none.

    Args:
        gene: a decoded gene.
        states: states of the grammar (L,) on the decoded bases.
        offset: contig position of the first decoded base.
        grammar: the grammar. If its stop codons are non-coding, as a CRF was taught, the CDS gets them: GFF3 has them inside.
            The gene of a gene model has them already, see `with_stop_codons`.
    """
    step = 1 if gene.strand == "+" else -1
    first, last = (gene.start - offset, gene.end - 1 - offset)[::step]
    phase = (3 - int(grammar.codon_bases[states[first]])) % 3
    has_stop = bool(grammar.stops[states[last]])
    if not has_stop and 0 <= last + step < len(states) and grammar.stops[states[last + step]]:
        has_stop = True
        start, end = gene.cds[-1 if step > 0 else 0]
        cds = (*gene.cds[:-1], (start, end + 3)) if step > 0 else ((start - 3, end), *gene.cds[1:])
        gene = replace(gene, cds=cds)
    has_start = bool(grammar.starts[states[first]])
    is_codon = gene.cds_bp >= _CODON_BP  # a contig's end, or an intron that goes on beyond it, may cut the codon itself
    return replace(
        gene,
        phase=phase,
        is_partial=not (has_start and has_stop),
        has_start=has_start and is_codon,
        has_stop=has_stop and is_codon,
    )


def _score(gene: Transcript, decoded: Decoded, offset: int) -> float:
    """Mean posterior of the CDS bases of a gene; `offset`: contig position of the first decoded base."""
    state = CDS if gene.strand == "+" else CDS + MINUS
    bases = slice(gene.start - offset, gene.end - offset)
    return float(np.mean(decoded.posterior[bases][decoded.path[bases] == state]))
