"""FASTA to a file of predictions: genes or windows, whichever the model was trained for.

What only one of the two needs is imported where it is needed: pandas alone takes half a second.
"""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dnaspt.checkpoint import Accelerator, load_task_model
from dnaspt.errors import ConfigError, InputError
from dnaspt.genome.fasta import open_bytes, read_fasta
from dnaspt.genome.intervals import merge
from dnaspt.inference.genes import GeneSummary, predict_genes_file
from dnaspt.inference.resume import Request
from dnaspt.tasks import TASKS

if TYPE_CHECKING:
    from dnaspt.inference.windows import WindowSummary

log = logging.getLogger(__name__)

_GENE_SUFFIXES = (".gff3", ".gff")


@dataclass(frozen=True, slots=True)
class PredictOptions:
    """How to predict.

    stride_bp: step of windows.
    threshold: probability from which BED rows are written.
    average_strands: mean of both strands.
    codons: genes of a CRF keep to the grammar of codons.
    complete_genes: with codons, no gene goes on beyond its contig.
    accelerator: auto takes a GPU where there is one.
    """

    stride_bp: int = 128
    threshold: float = 0.5
    average_strands: bool = False
    codons: bool = True
    complete_genes: bool = False
    accelerator: Accelerator = "auto"


def predict_file(
    run: Path, genome: Path, out: Path, options: PredictOptions | None = None, *, regions: Path | None = None
) -> "GeneSummary | WindowSummary":
    """Predict on a FASTA file and write what the task's users open: GFF3 for genes; BED, bigWig or Parquet for windows.

    Args:
        run: run of `finetune`, or a checkpoint.
        genome: FASTA, plain, gzip or bgzip.
        out: the file; it appears whole or not at all.
        options: how.
        regions: BED of the stretches to predict; None for all of every contig.

    Raises:
        CheckpointError: not a fine-tuned model. ConfigError: a suffix that does not fit the task, a bad stride, or
            no GPU where one is asked for.
        InputError: the FASTA or the BED cannot be used.
    """
    options = options or PredictOptions()
    _check_out(out)
    open_bytes(genome).close()
    if not 0 <= options.threshold <= 1:
        raise ConfigError(f"threshold {options.threshold:g}; expected 0 to 1, a probability")
    model, config = load_task_model(run, options.accelerator)
    request = Request(run, genome, out, None if regions is None else _stretches(regions, genome))
    task = TASKS[config.task]
    if task.per_base:
        if out.suffix.lower() not in _GENE_SUFFIXES:
            raise ConfigError(f"{out}: genes are written as GFF3; expected a name that ends in .gff3")
        if (options.stride_bp, options.threshold) != (PredictOptions().stride_bp, PredictOptions().threshold):
            log.warning("--stride-bp and --threshold have no effect on genes")
        if not options.codons and config.head != "crf":
            log.warning("--no-codons has no effect on a %s head, which knows no codons", config.head)
        knows_codons = options.codons and config.head == "crf"
        if options.complete_genes and not knows_codons:
            raise ConfigError("--complete-genes needs a CRF head and --codons: only their grammar knows whole genes")
        return predict_genes_file(
            request,
            model,
            config,
            average_strands=options.average_strands,
            codons=options.codons,
            complete=options.complete_genes,
        )
    from dnaspt.inference.windows import WindowOptions, predict_windows_file

    if not options.codons:
        log.warning("--no-codons has no effect on windows")
    if options.complete_genes:
        log.warning("--complete-genes has no effect on windows")
    if task.resolution_bp and options.stride_bp != PredictOptions().stride_bp:
        log.warning("--stride-bp has no effect: this model has bins of %d bp", task.resolution_bp)
    if task.name == "methylation" and options.stride_bp != PredictOptions().stride_bp:
        log.warning("--stride-bp has no effect: this model has one window a CpG")
    if not 0 < options.stride_bp <= config.window_bp:
        raise ConfigError(f"stride_bp {options.stride_bp}; expected 1 to the window of {config.window_bp} bp")
    layout = WindowOptions(options.stride_bp, task.name == "methylation", options.threshold, options.average_strands)
    return predict_windows_file(request, model, config, layout)


def _check_out(out: Path) -> None:
    """Refuse a place that no file can be written to, before anything is computed."""
    if out.is_dir():
        raise InputError(out, "is a folder", expected="a file to write")
    if not out.parent.is_dir():
        raise InputError(out.parent, "no such folder", do="make it first")


def _stretches(path: Path, genome: Path) -> dict[str, list[tuple[int, int]]]:
    """Stretches of a BED file by contig, ascending, those that touch joined; they must lie on the genome's contigs."""
    from dnaspt.genome.bed import read_bed

    regions = read_bed(path)
    rows = regions.rows_by_contig()
    found: dict[str, list[tuple[int, int]]] = {}
    for contig in read_fasta(genome):
        if contig.name not in rows:
            continue
        regions.check_inside(contig.name, rows[contig.name], len(contig))
        found[contig.name] = [(start, end) for start, end in merge(regions.intervals(rows[contig.name])).tolist()]
    if absent := [name for name in rows if name not in found]:
        raise ConfigError(f"{path}: contig {absent[0]!r} is not in {genome}; are its names those of the FASTA?")
    return found
