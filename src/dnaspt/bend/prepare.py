"""BEND's own files to dataset folders: `prepare bend TASK --root DIR`, where DIR has the layout of BEND's share."""

import logging
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from dnaspt.bend.bins import splits_of_parts, write_bins
from dnaspt.bend.genes import check_sites, placed_genes, splice_letters, write_genes
from dnaspt.bend.labels import LabelRows
from dnaspt.bend.table import BEND_TASKS, GENOMES, BendTask
from dnaspt.bend.tars import part_files, read_tar, tar_files
from dnaspt.bend.variants import CONTEXT_BP, write_variants
from dnaspt.config import Settings
from dnaspt.data.dataset import Dataset
from dnaspt.data.manifest import SPLITS, Manifest, Source
from dnaspt.data.transcript_table import TRANSCRIPTS, ReferenceTranscript, transcript_table
from dnaspt.errors import ConfigError, InputError
from dnaspt.evaluation.variant_benchmark import TABLE
from dnaspt.genome.bed import read_labeled_bed
from dnaspt.genome.columns import find_header
from dnaspt.prepare.regions import PrepareRegionsConfig, prepare_regions
from dnaspt.prepare.writer import DatasetWriter, check_written
from dnaspt.tasks import GENE_STATES, TASKS, Task

log = logging.getLogger(__name__)

_DOWNLOAD = "get it with 'dnaspt bend download TASK --root ROOT'"
_FASTA = (".fa", ".fasta", ".fna", ".fa.gz", ".fasta.gz", ".fna.gz")


class PrepareBendConfig(Settings):
    """Settings of `prepare bend`.

    task: one of `BEND_TASKS`.
    root: folder with data/TASK and data/genomes.
    bed: table in BEND's format; left out, the task's below `root`.
    tars: folder of BEND's precomputed one-hot sequences (WebDataset tars), instead of bed and genome.
    genome: FASTA; left out, the one in data/genomes whose name has the task's assembly.
    labels_file: names of the labels, one a line.
    fold: of enhancers: the part to test on, from 1; the next one is for validation.
    strict: sequence shared by splits is an error and no count; so is a contig or a REF that the genome does not have.
    window_bp: of gene finding, how long the pieces are that training reads.
    """

    task: str
    out: Path
    root: Path = Path("bend")
    bed: Path | None = None
    tars: Path | None = None
    genome: Path | None = None
    labels_file: Path | None = None
    fold: int = Field(1, ge=1)
    strict: bool = False
    overwrite: bool = False
    window_bp: int = Field(4096, ge=64)

    def about(self) -> dict[str, Any]:
        """What the manifest of any task records: the task, and where it was taken from."""
        decisive = {"root", "genome"} | ({"fold"} if BEND_TASKS[self.task].kind == "bins" else set())
        return {"bend": self.task, "bend_source": self.model_dump(mode="json", include=decisive)}


def prepare_bend(config: PrepareBendConfig) -> Dataset:
    """Write the dataset folder `config.out`; nothing is left behind where this fails.

    A split without a row, and another number of labels than BEND has, are told.

    Raises:
        ConfigError: no such task. InputError: a file is missing or cannot be used. DatasetError: `config.out` is there
            already, or, with `strict`, splits share sequence.
    """
    if config.task not in BEND_TASKS:
        raise ConfigError(f"no task of BEND is called {config.task!r}; known: {', '.join(BEND_TASKS)}")
    task = BEND_TASKS[config.task]
    if config.fold != 1 and task.kind != "bins":
        log.warning("--fold has no effect on %s, whose splits are fixed", task.name)
    if config.labels_file is not None and (task.kind != "windows" or config.tars is not None):
        what = "tars" if config.tars is not None else task.name
        log.warning("--labels-file has no effect on %s; it names the labels of a table of windows", what)
    manifest = _prepare(config, task)
    if task.kind != "variants" and (empty := sorted(set(SPLITS) - set(manifest.splits))):
        log.warning("%s: no row is of the split %s", config.out, " or ".join(empty))
    if task.kind == "windows" and len(manifest.labels) != task.n_labels:
        log.warning("%s: has %d labels; BEND's %s has %d", config.out, len(manifest.labels), task.name, task.n_labels)
    return Dataset(config.out, manifest)


def _prepare(config: PrepareBendConfig, task: BendTask) -> Manifest:
    if config.tars is not None:
        return _prepare_tars(config, task, config.tars)
    bed = config.bed or _bed(config.root, task)
    genome = config.genome or _genome(config.root, task)
    if task.kind == "genes":
        return _prepare_genes(config, task, bed, genome)
    if task.kind == "windows":
        _check_columns(bed)
        named = PrepareRegionsConfig(
            out=config.out,
            genome=genome,
            regions=(bed,),
            labels_file=config.labels_file,
            n_labels=None if config.bed else task.n_labels,
            strict=config.strict,
            overwrite=config.overwrite,
        )
        return prepare_regions(named, config.about()).manifest
    if task.kind == "bins":
        return _prepare_bins(config, task, bed, genome)
    return _prepare_variants(config, task, bed, genome)


def _check_columns(bed: Path) -> None:
    """Refuse a table that would be read as peaks, or divided by position."""
    header = find_header(bed)
    names = header.names if header else ()
    if missing := [name for name in ("label", "split") if name not in names]:
        found = f"no column {missing[0]!r}" if header else "no header"
        raise InputError(bed, found, expected="BEND's columns: chromosome, start, end, strand, label, split", line=1)


def _prepare_genes(config: PrepareBendConfig, task: BendTask, bed: Path, genome: Path) -> Manifest:
    labeled, hdf5 = read_labeled_bed(bed), _hdf5(bed)
    row = TASKS["genes"]
    n_rows = len(labeled.regions)
    with (
        DatasetWriter(config.out, overwrite=config.overwrite) as writer,
        LabelRows(hdf5, n_rows, len(row.labels)) as labels,
    ):
        counts = write_genes(writer, labeled, labels, genome, strict=config.strict)
        dropped = Counter({"contig_not_in_genome": n_rows - counts["sequences"]})
        check_written(genome, writer.n_windows, frozenset(SPLITS), dropped)
        manifest = _manifest(config, task, row, (bed, hdf5, genome), counts, dropped)
        return writer.finish(manifest.model_copy(update={"stop_in_cds": False}), strict=config.strict)


def _prepare_bins(config: PrepareBendConfig, task: BendTask, bed: Path, genome: Path) -> Manifest:
    row = TASKS["enhancers"]
    labeled, hdf5 = read_labeled_bed(bed), _hdf5(bed)
    n_rows = len(labeled.regions)
    with DatasetWriter(config.out, overwrite=config.overwrite) as writer, LabelRows(hdf5, n_rows, 2) as labels:
        counts, window_bp = write_bins(
            writer, labeled, labels, genome, row.resolution_bp, config.fold, strict=config.strict
        )
        dropped = Counter({"contig_not_in_genome": n_rows - counts["sequences"]})
        check_written(genome, writer.n_windows, frozenset(SPLITS), dropped)
        manifest = _manifest(config, task, row, (bed, hdf5, genome), counts, dropped)
        return writer.finish(manifest.model_copy(update={"window_bp": window_bp}), strict=config.strict)


def _prepare_tars(config: PrepareBendConfig, task: BendTask, folder: Path) -> Manifest:
    if task.kind == "variants":
        raise ConfigError(f"{task.name}: is scored on its bed and genome; BEND has no tars of it")
    row = TASKS[{"genes": "genes", "bins": "enhancers"}.get(task.kind, "regions")]
    counts, lengths = Counter[str](), set[int]()
    if task.kind == "bins":
        parts = part_files(folder)
        of_part = splits_of_parts(folder, parts, config.fold)
        files = [(of_part[part], file) for part, own in parts.items() for file in own]
    else:
        files = [(split, file) for split, own in tar_files(folder).items() for file in own]
    sites = np.zeros((len(GENE_STATES.names), 2, 2), dtype=np.int64)
    bin_bp = 0 if row.per_base else row.resolution_bp
    genes: list[ReferenceTranscript] = []
    with DatasetWriter(config.out, overwrite=config.overwrite, same_genome=False) as writer:
        for split, file in files:
            for window in read_tar(file, task.n_labels, per_base=row.per_base, bin_bp=bin_bp):
                writer.add(split, window)
                counts["sequences"] += 1
                lengths.add(len(window.codes))
                if row.per_base:
                    genes += placed_genes(window, split)
                    sites += splice_letters(window.codes, window.labels, 0)
                elif bin_bp and (len(lengths) > 1 or len(window.codes) % bin_bp):
                    found = f"{window.chrom} has {len(window.codes):,} bp"
                    raise InputError(file, found, expected=f"one length, a multiple of the bins' {bin_bp} bp")
        check_written(folder, writer.n_windows, frozenset(SPLITS), Counter())
        if row.per_base:
            check_sites(folder, sites)
            counts["genes"] = len(genes)
            writer.add_table(TRANSCRIPTS, transcript_table(genes))
        manifest = _manifest(config, task, row, tuple(file for _, file in files), counts, Counter())
        labels = row.labels or tuple(f"label_{index}" for index in range(task.n_labels))
        longest = config.window_bp if row.per_base else max(lengths)
        update = {"labels": labels, "window_bp": longest, "stop_in_cds": False if row.per_base else None}
        return writer.finish(manifest.model_copy(update=update), strict=config.strict)


def _prepare_variants(config: PrepareBendConfig, task: BendTask, bed: Path, genome: Path) -> Manifest:
    with DatasetWriter(config.out, overwrite=config.overwrite) as writer:
        counts, dropped = write_variants(writer, bed, genome, TABLE, strict=config.strict)
        check_written(genome, writer.n_windows, frozenset({"test"}), dropped)
        manifest = _manifest(config, task, TASKS["variants"], (bed, genome), counts, dropped)
        window_bp = 2 * CONTEXT_BP + 1
        return writer.finish(manifest.model_copy(update={"window_bp": window_bp}), strict=config.strict)


def _manifest(
    config: PrepareBendConfig,
    task: BendTask,
    row: Task,
    files: tuple[Path, ...],
    counts: Counter[str],
    dropped: Counter[str],
) -> Manifest:
    return Manifest(
        task=row.name,
        labels=row.labels,
        resolution_bp=row.resolution_bp,
        window_bp=config.window_bp,
        sources=tuple(Source.of(path) for path in files),
        settings=config.model_dump(mode="json", exclude={"out", "overwrite", "task"}) | config.about(),
        counts=dict(counts),
        dropped={reason: count for reason, count in dropped.items() if count},
    )


def _hdf5(bed: Path) -> Path:
    file = bed.with_name(f"{bed.name.removesuffix('.gz').removesuffix('.bed')}.hdf5")
    if not file.is_file():
        raise InputError(file, "no such file", expected="BEND's labels beside its bed", do=_DOWNLOAD)
    return file


def _bed(root: Path, task: BendTask) -> Path:
    file = root / task.folder / f"{task.stem}.bed"
    if not file.is_file():
        do = f"get it with 'dnaspt bend download {task.name} --root {root}'"
        raise InputError(file, "no such file", expected="BEND's layout below --root", do=do)
    return file


def _genome(root: Path, task: BendTask) -> Path:
    """The FASTA whose name has the task's assembly."""
    folder = root / GENOMES
    found = sorted(
        file for file in folder.glob("*") if task.genome.lower() in file.name.lower() and file.name.endswith(_FASTA)
    )
    if len(found) != 1:
        what = f"{len(found)} FASTA files of {task.genome}" if found else f"no FASTA of {task.genome}"
        raise InputError(folder, what, expected="one", do=f"say which with --genome, or {_DOWNLOAD}")
    return found[0]
