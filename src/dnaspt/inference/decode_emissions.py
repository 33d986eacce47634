"""Class probabilities of each base, from any network, to whole genes: an npz file and a FASTA to GFF3 or GTF.

One contig is in memory at a time, and of a long one its probabilities lie in a file beside the output.
"""

import logging
import lzma
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

import numpy as np

from dnaspt.atomic import sha256_of_file
from dnaspt.errors import CheckpointError, ConfigError, InputError
from dnaspt.genome.coding_sequence import fasta_record
from dnaspt.genome.contig_names import check_contigs
from dnaspt.genome.fasta import Contig, contig_lengths, read_fasta
from dnaspt.genome.gene_states import LEAST_INTRON_BP
from dnaspt.genome.genetic_code import genetic_code
from dnaspt.genome.text_files import check_text_file
from dnaspt.genome.transcripts import Transcript
from dnaspt.inference.decode import decode_with
from dnaspt.inference.disk_array import DiskArray, disk_array
from dnaspt.inference.emissions import ContigSlice
from dnaspt.inference.genes import (
    FORMATS,
    LETTERS,
    ON_DISK_BP,
    GeneSummary,
    kept_genes,
    made_with,
    open_atomically,
    scored_genes,
    with_frame,
)
from dnaspt.inference.model import Model, load_unless_loaded
from dnaspt.inference.predict import PredictOptions, check_gene_limits, check_gene_suffix
from dnaspt.models.emission_decoder import EmissionDecoder, prior_gene_model
from dnaspt.models.emission_potentials import WIDTHS, log_probabilities
from dnaspt.models.gene_model import GeneModel
from dnaspt.models.gene_model_head import RULES, GeneModelHead

log = logging.getLogger(__name__)

_BLOCK = 1 << 16
"""Rows that are read at once."""
_MOST_WEIGHT, _MOST_GENES_PER_MB = 1_000, 1_000_000
"""Larger ones ask for nothing that these do not, and the sums of a contig lose their digits."""
_DAMAGED = (ValueError, EOFError, OSError, RuntimeError, zipfile.BadZipFile, zlib.error, lzma.LZMAError)
"""What reading a member of a zip file raises: a damaged or an encrypted one, or one that is packed in an unknown way."""
_TOLERANCE = 0.02
"""How far the probabilities of a base may be from a sum of 1: 16-bit numbers round."""


@dataclass(frozen=True, slots=True)
class DecodeOptions:
    """How class probabilities are decoded.

    Attributes:
        logits: whether the arrays hold logits, not probabilities.
        weight: what log-probabilities are multiplied by, at most 1,000.
        genes_per_mb: genes in a megabase of sequence between genes, without a run; at most a million.
        genetic_code: number of the genetic code at NCBI; None for that of the run, else 1.
        start_codons: codons that a gene may begin with; None for those of the run, else ATG.
        genes: which genes are written, and what they may be like.
    """

    logits: bool = False
    weight: float = 1.0
    genes_per_mb: float = 100.0
    genetic_code: int | None = None
    start_codons: Sequence[str] | None = None
    genes: PredictOptions = field(default_factory=PredictOptions)

    def check(self) -> None:
        """Refuse values that are out of range.

        Raises:
            ConfigError: names the option.
        """
        for name, most in (("weight", _MOST_WEIGHT), ("genes_per_mb", _MOST_GENES_PER_MB)):
            if not 0 < getattr(self, name) <= most:
                raise ConfigError(f"{name} {getattr(self, name):g}; expected a number above 0, and at most {most:,}")
        check_gene_limits(self.genes, has_codons=True)


def decode_file(
    emissions: Path,
    genome: Path,
    out: Path,
    options: DecodeOptions,
    *,
    lengths: str | Path | Model | None = None,
    sequences: Mapping[str, Path] | None = None,
) -> GeneSummary:
    """Decode an npz file; see `dnaspt.decode_emissions`.

    Args:
        emissions: npz with an array (L, K) for each contig.
        genome: FASTA.
        out: GFF3 or GTF to write.
        options: how to decode.
        lengths: run with a gene model whose lengths, moves and sensors are used; None for priors.
        sequences: files to write too: `proteins` and `cds` of all written genes as FASTA.

    Raises:
        ConfigError, InputError, CheckpointError: as `dnaspt.decode_emissions`.
    """
    options.check()
    check_gene_suffix(out)
    check_text_file(genome)
    run = None if lengths is None else load_unless_loaded(lengths)
    model, min_intron_bp = _gene_model(run, options)
    decoder = EmissionDecoder(model, options.weight)
    rules = RULES._replace(
        complete=options.genes.complete_genes,
        min_intron_bp=options.genes.min_intron_bp or min_intron_bp,
        softmask=options.genes.softmask,
    )
    contigs, files = contig_lengths(genome), dict(sequences or {})
    written_as = FORMATS[out.suffix.lower()]
    n_bp = n_genes = n_partial = n_left_out = 0
    with EmissionFile(emissions) as arrays, ExitStack() as stack:
        arrays.check(contigs, genome)
        annotation = stack.enter_context(open_atomically(out))
        fasta = {what: stack.enter_context(open_atomically(path)) for what, path in files.items()}
        folder = Path(stack.enter_context(TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent)))
        annotation.writelines(written_as.header(contigs.items()))
        annotation.write(made_with(emissions.name, sha256_of_file(emissions)))
        if run is not None:
            annotation.write(made_with(f"lengths of run {run.name}", run.digests[0]))
        for contig in read_fasta(genome):
            with arrays.log_probabilities(contig.name, folder, are_logits=options.logits) as rows:
                decoded = decode_with(decoder, rows, ContigSlice.whole(contig.codes), grammar=rules)
            genes = [with_frame(gene, decoded.states, 0, rules) for gene in scored_genes(decoded, contig.name)]
            kept = kept_genes(genes, options.genes)
            annotation.writelines(written_as.lines(kept))
            for what, into in fasta.items():
                into.writelines(_records(what, kept, contig, model))
            n_bp, n_genes, n_left_out = n_bp + len(contig), n_genes + len(kept), n_left_out + len(genes) - len(kept)
            n_partial += sum(gene.is_partial for gene in kept)
    if not n_genes:
        log.warning("%s: no gene on %d bases", out, n_bp)
    return GeneSummary(len(contigs), n_bp, n_genes, n_partial, n_left_out, 0)


def _records(what: str, genes: Sequence[Transcript], contig: Contig, model: GeneModel) -> Iterator[str]:
    """FASTA records of the proteins or CDS of genes; those without a letter are left out."""
    for gene in genes:
        if letters := LETTERS[what](gene, contig.codes, model.genetic_code):
            yield fasta_record(gene.transcript_id, letters)


def _gene_model(loaded: Model | None, options: DecodeOptions) -> tuple[GeneModel, int]:
    """The gene model that decodes, and bases of its shortest intron.

    Raises:
        ConfigError: no such genetic code. CheckpointError: the run has no gene model.
    """
    table = options.genetic_code
    if loaded is None:
        code = genetic_code(1 if table is None else table, options.start_codons or ())
        return prior_gene_model(options.genes_per_mb, code), LEAST_INTRON_BP
    head = loaded.task_model().head
    if not isinstance(head, GeneModelHead):
        raise CheckpointError(
            f"{loaded.path}: has a {loaded.head} head; expected a run of 'finetune --head gene-model'"
        )
    config = loaded.config
    code = genetic_code(config.genetic_code if table is None else table, options.start_codons or config.start_codons)
    model = head.model()
    model = replace(model, sensors=model.sensors.in_code(code), genetic_code=code, network_weight=0.0)
    return model, config.min_intron_bp


class EmissionFile:
    """An npz file with an array (L, K) for each contig, read in blocks of rows. Arrays of Python objects are refused.

    Args:
        path: the file.

    Raises:
        InputError: it cannot be read, or an array has another shape or type.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._zip = zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile) as error:
            expected = "an npz file, as numpy.savez or numpy.savez_compressed writes it"
            found = error.strerror or "cannot be read" if isinstance(error, OSError) else "is no npz file"
            raise InputError(path, found, expected=expected) from error
        self.shapes: dict[str, tuple[int, int]] = {}
        self._members: dict[str, str] = {}
        try:
            for member in self._zip.namelist():
                name = member.removesuffix(".npy")
                if name in self._members:
                    raise InputError(path, f"array {name!r} is there twice", expected="one array for each contig")
                self._members[name] = member
                with self._opened(name) as (shape, _, _):
                    self.shapes[name] = shape
        except BaseException:
            self._zip.close()
            raise

    def __enter__(self) -> "EmissionFile":
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def check(self, lengths: Mapping[str, int], genome: Path) -> None:
        """Compare the arrays with the contigs of a genome.

        Raises:
            InputError: an array without a contig, a contig without an array, or one of another length.
        """
        if not self.shapes:
            raise InputError(self.path, "no array in it", expected="an array (bases, classes) for each contig")
        check_contigs(self.path, self.shapes, genome, set(lengths), strict=True)
        if absent := [name for name in lengths if name not in self.shapes]:
            found = f"no array {absent[0]!r} ({len(absent)} of {len(lengths)} contigs of {genome} have none)"
            raise InputError(self.path, found, do="give --genome a FASTA of the contigs that have one")
        for name, (n_rows, _) in self.shapes.items():
            if n_rows != lengths[name]:
                found = f"array {name!r} has {n_rows:,} rows"
                expected = f"{lengths[name]:,}, the bases of this contig in {genome}"
                raise InputError(self.path, found, expected=expected)

    @contextmanager
    def log_probabilities(self, name: str, folder: Path, *, are_logits: bool) -> Iterator[np.ndarray | DiskArray]:
        """Log-probabilities (L, K) float32 of a contig's classes; of a long contig they lie in a file of the folder.

        Args:
            name: the contig.
            folder: where the numbers of a long contig are kept while the `with` block runs.
            are_logits: whether the file has logits instead of probabilities.

        Raises:
            InputError: a number that is no probability, or no number at all; names the base.
        """
        n_rows, n_columns = self.shapes[name]
        with ExitStack() as stack:
            into: np.ndarray | DiskArray = (
                stack.enter_context(disk_array(folder / "emissions", n_rows, n_columns))
                if n_rows > ON_DISK_BP
                else np.empty((n_rows, n_columns), np.float32)
            )
            first = 0
            for rows in self._blocks(name):
                self._check_rows(name, first, rows, are_logits=are_logits)
                into[first : first + len(rows)] = log_probabilities(rows, are_logits=are_logits)
                first += len(rows)
            yield into

    def _blocks(self, name: str) -> Iterator[np.ndarray]:
        """The rows of an array, block by block."""
        with self._opened(name) as ((n_rows, n_columns), dtype, file):
            for first in range(0, n_rows, _BLOCK):
                n = min(_BLOCK, n_rows - first)
                content = file.read(n * n_columns * dtype.itemsize)
                if len(content) < n * n_columns * dtype.itemsize:
                    raise InputError(self.path, f"array {name!r} ends too early", do="is the file whole?")
                yield np.frombuffer(content, dtype).reshape(n, n_columns)

    @contextmanager
    def _opened(self, name: str) -> Iterator[tuple[tuple[int, int], np.dtype[np.float64], IO[bytes]]]:
        """An array's shape, its type, and its rows as an open file.

        Raises:
            InputError: no array of numbers of one of the shapes, or damaged.
        """
        try:
            with self._zip.open(self._members[name]) as file:
                version = np.lib.format.read_magic(file)
                read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
                shape, is_fortran, dtype = read(file)
                if len(shape) != 2 or shape[1] not in WIDTHS:
                    expected = f"(bases, {', '.join(map(str, WIDTHS[:-1]))} or {WIDTHS[-1]})"
                    raise InputError(self.path, f"array {name!r} has the shape {shape}", expected=expected)
                if dtype.kind != "f":
                    raise InputError(self.path, f"array {name!r} is of type {dtype}", expected="floating-point numbers")
                if is_fortran and min(shape) > 1:
                    found, do = f"array {name!r} is stored column by column", "save numpy.ascontiguousarray(array)"
                    raise InputError(self.path, found, do=do)
                yield shape, dtype, file
        except _DAMAGED as error:
            found = f"array {name!r} cannot be read ({error})"
            raise InputError(self.path, found, do="is the file whole, and written by numpy.savez?") from error

    def _check_rows(self, name: str, first: int, rows: np.ndarray, *, are_logits: bool) -> None:
        """Refuse what is no probability, or no logit. A logit of minus infinity is a class that cannot be."""
        wrong = np.isnan(rows).any(1) | ~np.isfinite(rows.max(1))
        problem, expected, do = "is not finite", "a number for each class", ""
        if not wrong.any() and not are_logits:
            sums = rows.sum(1, dtype=np.float64)
            wrong = (rows < -_TOLERANCE).any(1) | (np.abs(sums - 1) > _TOLERANCE)
            problem, expected = "is no probability of each class", "numbers from 0 to 1 whose sum is 1"
            do = "say --logits if they are logits"
        if wrong.any():
            base = first + int(np.argmax(wrong))
            raise InputError(self.path, f"array {name!r}: row {base} {problem}", expected=expected, do=do)
