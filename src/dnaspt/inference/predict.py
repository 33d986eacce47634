"""FASTA to a file of predictions: genes to GFF3 or GTF, window labels to BED, bigWig or Parquet, as the model was trained.

Settings and files are checked before PyTorch is imported, so that a mistake shows at once.
"""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dnaspt.arguments import as_path, as_path_or_none, check_numbers, check_switches, check_whole_numbers
from dnaspt.errors import ConfigError
from dnaspt.genome.fasta import read_fasta
from dnaspt.genome.gene_states import LEAST_INTRON_BP
from dnaspt.genome.intervals import merge
from dnaspt.genome.text_files import check_text_file
from dnaspt.inference.model import Model, load_unless_loaded, naming_model
from dnaspt.inference.resume import Intervals, Request
from dnaspt.inference.sensitivity import check_sensitivity
from dnaspt.output import check_file_to_write, locked_output, refuse_existing, refuse_inputs
from dnaspt.tasks import GENE_MODEL, TASKS

if TYPE_CHECKING:
    from dnaspt.inference.genes import GeneSummary
    from dnaspt.inference.windows import WindowSummary

log = logging.getLogger(__name__)

_GENE_SUFFIXES = (".gff3", ".gff", ".gtf")
_SEQUENCES = ("proteins", "cds")
"""Files of sequences that any model of genes can write."""
_MOST_SOFTMASK = 1_000
"""Nats that a soft-masked base may cost: more are no different, and sums would lose their digits."""
_MOST_INTRON_BP = 10_000
"""Largest least length of introns: a delay line as long is kept in memory."""


@dataclass(frozen=True, slots=True)
class PredictOptions:
    """How to predict.

    Attributes:
        stride_bp: windows: step along the contig.
        threshold: windows: probability from which a BED row is written.
        average_strands: average over both strands; None: models of windows as was better on valid, of genes not.
        codons: genes of a CRF: keep to codons (start, stop, frame, GT-AG or GC-AG introns).
        complete_genes: with codons: no gene goes on beyond its contig.
        min_intron_bp: with codons: bases of the shortest intron; None for that of the training annotation, 10 at least.
        min_score: genes: lowest score that is written, 0 to 1: the probability of the whole gene where a gene model knows it,
            else the mean posterior of its coding bases.
        min_coding_bp: genes: fewest coding bases that are written.
        softmask: genes of a gene-model: nats that each soft-masked (lower-case) base costs as a coding one.
        sensitivity: genes of a gene-model: share of the exons that is to be found with both ends exact, above 0, at most 1.
            Genes are made more or less probable: so that the model's valid split reaches it, with the highest precision. None
            leaves them as they were learned.
        accelerator: auto takes a GPU where there is one; of no effect on a model that is loaded already.
    """

    stride_bp: int = 128
    threshold: float = 0.5
    average_strands: bool | None = None
    codons: bool = True
    complete_genes: bool = False
    min_intron_bp: int | None = None
    min_score: float = 0.0
    min_coding_bp: int = 0
    softmask: float = 0.0
    sensitivity: float | None = None
    accelerator: Literal["auto", "cpu", "gpu"] = "auto"

    def __post_init__(self) -> None:
        """Refuse values of another type.

        Raises:
            ConfigError: names the option.
        """
        if self.average_strands is not None:
            check_switches(average_strands=self.average_strands)
        check_switches(codons=self.codons, complete_genes=self.complete_genes)
        check_numbers(
            threshold=self.threshold,
            min_score=self.min_score,
            softmask=self.softmask,
            sensitivity=self.sensitivity,
        )
        check_whole_numbers(
            stride_bp=self.stride_bp, min_intron_bp=self.min_intron_bp, min_coding_bp=self.min_coding_bp
        )


GENE_OPTIONS = frozenset(
    {
        *("average_strands", "codons", "complete_genes", "min_intron_bp", "min_score", "min_coding_bp", "softmask"),
        "sensitivity",
    }
)
"""The options that decide which genes are written."""


def predict_file(
    model: str | Path | Model,
    genome: str | Path,
    out: str | Path,
    options: PredictOptions | None = None,
    *,
    regions: str | Path | None = None,
    proteins: str | Path | None = None,
    cds: str | Path | None = None,
    tracks: str | Path | None = None,
    overwrite: bool = False,
    progress: bool = False,
) -> "GeneSummary | WindowSummary":
    """Predict on a FASTA file and write what the task's users open: GFF3 or GTF for genes; BED, bigWig or Parquet for windows.

    Args:
        model: run of `finetune`, checkpoint, or loaded model.
        genome: FASTA, plain, gzip or bgzip.
        out: the file to write; it appears whole or not at all.
        options: how to predict.
        regions: BED of the intervals to predict; None for all of every contig.
        proteins: genes: FASTA of the predicted proteins to write too.
        cds: genes: FASTA of the predicted coding sequences to write too.
        tracks: genes of a gene-model: beginning of the names of bigWig files to write too, PREFIX.coding_plus.bw and others: the
            probability of each base.
        overwrite: replace files that are there. They stay until the new ones are whole.
        progress: show a progress bar with the time left.

    Returns:
        counts of what was predicted and written.

    Raises:
        CheckpointError: not a fine-tuned model.
        ConfigError: a suffix that does not fit the task, a bad stride or threshold, a file that is there already, or no GPU
        where one is asked for.
        InputError: the FASTA or the BED cannot be used. BusyError: another process writes one of the files.
    """
    options, genome, out = options or PredictOptions(), as_path(genome, "genome"), as_path(out, "out")
    regions = as_path_or_none(regions, "regions")
    run = None if isinstance(model, Model) else as_path(model, "model")
    inputs = {"genome": genome, "regions": regions, "run": run}
    further: dict[str, str | Path | None] = {"proteins": proteins, "cds": cds}
    if tracks is not None:
        from dnaspt.inference.posterior_tracks import track_files  # pyarrow takes a fifth of a second

        further |= track_files(as_path(tracks, "tracks"))
    check_switches(overwrite=overwrite, progress=progress)
    with checked_outputs(out, further, inputs, overwrite=overwrite) as files:
        return _predict_file(model, genome, out, options, regions, files, overwrite=overwrite, progress=progress)


@contextmanager
def checked_outputs(
    out: Path, further: Mapping[str, str | Path | None], inputs: Mapping[str, Path | None], *, overwrite: bool
) -> Iterator[dict[str, Path]]:
    """A block in which no other process writes the files of a prediction.

    Args:
        out: the file of predictions.
        further: other files by what they hold, None for those that are not asked for.
        inputs: what is read.
        overwrite: whether files that are there may be replaced.

    Yields:
        the other files that are asked for.

    Raises:
        ConfigError: a file is read, given twice, or there already. InputError: it cannot be written.
        BusyError: another process writes it.
    """
    given = {what: as_path_or_none(path, what) for what, path in further.items()}
    asked = {what: path for what, path in given.items() if path is not None}
    files = [out, *asked.values()]
    for number, file in enumerate(files):
        refuse_inputs(file, inputs, is_file=True)
        check_file_to_write(file)
        if any(Path(os.path.realpath(file)) == Path(os.path.realpath(other)) for other in files[:number]):
            raise ConfigError(f"{file}: given for two files; choose different names")
    with ExitStack() as locks:
        for file in files:
            locks.enter_context(locked_output(file))
        refuse_existing(out, overwrite=overwrite)
        for what, file in asked.items():
            refuse_existing(file, overwrite=overwrite, option=f"--{what}" if what in _SEQUENCES else "--tracks")
        yield asked


def _predict_file(
    model: str | Path | Model,
    genome: Path,
    out: Path,
    options: PredictOptions,
    regions: Path | None,
    further: Mapping[str, Path],
    *,
    overwrite: bool,
    progress: bool,
) -> "GeneSummary | WindowSummary":
    """Predict on a FASTA file; see `predict_file`."""
    for file in (genome, regions):
        if file is not None:
            check_text_file(file)
    if not 0 <= options.threshold <= 1:
        raise ConfigError(f"threshold {options.threshold:g}; expected 0 to 1, a probability")
    loaded = load_unless_loaded(model, accelerator=options.accelerator)
    options = replace(options, average_strands=loaded.averages(asked=options.average_strands))
    network = loaded.task_model()
    intervals = None if regions is None else intervals_of(regions, genome)
    request = Request(loaded.digests, genome, out, intervals, loaded.name, progress)
    if loaded.head != GENE_MODEL and (tracks := [path for what, path in further.items() if what not in _SEQUENCES]):
        raise ConfigError(f"{tracks[0]}: --tracks is for gene models; this model has a {loaded.head} head")
    if TASKS[loaded.task].per_base:
        from dnaspt.inference.genes import predict_genes_file

        _check_gene_options(loaded, out, options)
        with naming_model(loaded):
            return predict_genes_file(request, network, loaded.config, options, further)
    if further:
        raise ConfigError(f"{next(iter(further.values()))}: only a model of genes has proteins and CDS")
    from dnaspt.inference.windows import (  # pandas takes half a second
        WindowOptions,
        predict_windows_file,
        written_files,
    )

    _check_window_options(loaded, out, options)
    for file in written_files(out, loaded.config.labels):
        refuse_existing(file, overwrite=overwrite)
    stride_bp = min(options.stride_bp, loaded.window_bp)
    layout = WindowOptions(stride_bp, TASKS[loaded.task].on_cpgs, options.threshold, bool(options.average_strands))
    with naming_model(loaded):
        return predict_windows_file(request, network, loaded.config, layout)


def _check_gene_options(model: Model, out: Path, options: PredictOptions) -> None:
    """Refuse options that do not fit a model of genes, and warn of those without effect."""
    check_gene_suffix(out)
    if (options.stride_bp, options.threshold) != (PredictOptions().stride_bp, PredictOptions().threshold):
        log.warning("--stride-bp and --threshold have no effect on genes")
    has_codons = keeps_to_codons(model.head, options)
    if not options.codons and model.head != "crf":
        why = "always keeps to codons" if has_codons else "knows no codons"
        log.warning("--no-codons has no effect on a %s head, which %s", model.head, why)
    if options.complete_genes and not has_codons:
        raise ConfigError("--complete-genes needs a gene model, or a CRF with --codons: others do not know whole genes")
    check_gene_limits(options, has_codons=has_codons)
    check_sensitivity(options.sensitivity, model.head)
    warn_of_softmask(options, model.head)


def check_gene_suffix(out: Path) -> None:
    """Refuse a name that is none of GFF3 or GTF.

    Raises:
        ConfigError: another suffix.
    """
    if out.suffix.lower() not in _GENE_SUFFIXES:
        raise ConfigError(f"{out}: genes are written as GFF3 or GTF; expected a name that ends in .gff3 or .gtf")


def warn_of_softmask(options: PredictOptions, head: str) -> None:
    """Warn where soft-masked bases cost nothing, whatever was asked for."""
    if options.softmask and head != GENE_MODEL:
        log.warning("--softmask has no effect on a %s head; it is for gene models", head)


def keeps_to_codons(head: str, options: PredictOptions) -> bool:
    """Whether the genes of a head keep to codons: those of a gene model always do, those of a CRF where they are asked to."""
    return head == GENE_MODEL or (head == "crf" and options.codons)


def check_gene_limits(options: PredictOptions, *, has_codons: bool) -> None:
    """Refuse limits of genes that are out of range, and warn of one without effect.

    Raises:
        ConfigError: one is out of range.
    """
    if not 0 <= options.min_score <= 1:
        raise ConfigError(f"min_score {options.min_score:g}; expected 0 to 1, a probability")
    if options.min_coding_bp < 0:
        raise ConfigError(f"min_coding_bp {options.min_coding_bp}; expected 0 or more")
    if not 0 <= options.softmask <= _MOST_SOFTMASK:
        raise ConfigError(f"softmask {options.softmask:g}; expected 0 or more, in nats, and at most {_MOST_SOFTMASK:,}")
    least_bp = options.min_intron_bp
    if least_bp is None:
        return
    if not LEAST_INTRON_BP <= least_bp <= _MOST_INTRON_BP:
        raise ConfigError(f"min_intron_bp {least_bp}; expected {LEAST_INTRON_BP} to {_MOST_INTRON_BP:,}")
    if not has_codons:
        log.warning("--min-intron-bp has no effect without a CRF head and --codons: only their grammar knows introns")


def _check_window_options(model: Model, out: Path, options: PredictOptions) -> None:
    """Refuse options that do not fit a model of windows, and warn of those without effect."""
    resolution_bp = TASKS[model.task].resolution_bp
    if TASKS[model.task].numbers and out.suffix.lower() == ".bed":
        raise ConfigError(f"{out}: this model predicts numbers, which make no BED rows; write .bw or .parquet")
    if TASKS[model.task].numbers and options.threshold != PredictOptions().threshold:
        log.warning("--threshold has no effect: this model predicts numbers")
    elif out.suffix.lower() != ".bed" and options.threshold != PredictOptions().threshold:
        log.warning("--threshold has no effect on %s files, which have the probabilities of all windows", out.suffix)
    check_sensitivity(options.sensitivity, model.head)
    if not options.codons:
        log.warning("--no-codons has no effect on windows")
    if options.complete_genes:
        log.warning("--complete-genes has no effect on windows")
    if options.softmask:
        log.warning("--softmask has no effect on windows")
    if (options.min_intron_bp, options.min_score, options.min_coding_bp) != (None, 0, 0):
        log.warning("--min-intron-bp, --min-score and --min-coding-length have no effect on windows")
    own_stride = options.stride_bp != PredictOptions().stride_bp
    if TASKS[model.task].any_length:
        log.warning(
            "this model learned whole sequences of up to %d bp; here each window of that length is taken for one; "
            "--sequences predicts sequences as they are",
            model.window_bp,
        )
    if resolution_bp:
        if own_stride:
            log.warning("--stride-bp has no effect: this model has bins of %d bp", resolution_bp)
    elif TASKS[model.task].on_cpgs:
        if own_stride:
            log.warning("--stride-bp has no effect: this model has one window a CpG")
    elif options.stride_bp > model.window_bp and not own_stride:
        log.warning("the stride is %d bp, the length of this model's windows", model.window_bp)
    elif not 0 < options.stride_bp <= model.window_bp:
        raise ConfigError(f"stride_bp {options.stride_bp}; expected 1 to the window of {model.window_bp} bp")


def intervals_of(path: Path, genome: Path, *, joined: bool = True) -> dict[str, Intervals]:
    """Intervals of a BED file by contig, which must lie on the genome's contigs.

    Args:
        path: BED file.
        genome: FASTA.
        joined: whether they are sorted, and those that touch are one; else each stays as it is, in the order of the file.

    Raises:
        ConfigError: a contig that is not in the genome. InputError: an interval that lies outside its contig.
    """
    from dnaspt.genome.bed import read_bed

    regions = read_bed(path)
    rows = regions.rows_by_contig()
    by_contig: dict[str, Intervals] = {}
    for contig in read_fasta(genome):
        if contig.name not in rows:
            continue
        regions.check_inside(contig.name, rows[contig.name], len(contig))
        own = regions.intervals(rows[contig.name])
        by_contig[contig.name] = [(start, end) for start, end in (merge(own) if joined else own).tolist()]
    if absent := [name for name in rows if name not in by_contig]:
        raise ConfigError(f"{path}: contig {absent[0]!r} is not in {genome}; are its names those of the FASTA?")
    return by_contig
