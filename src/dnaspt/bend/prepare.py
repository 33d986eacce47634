"""BEND's own files to dataset folders: `prepare bend TASK --root DIR`, where DIR has the layout of BEND's share."""

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from dnaspt.bend.bins import splits_of_parts, write_bins
from dnaspt.bend.genes import SpliceSites, genes_of, write_genes
from dnaspt.bend.labels import LabelRows
from dnaspt.bend.table import GENOMES, BendTask, Kind, find_task
from dnaspt.bend.tars import TarLabels, part_files, read_tar, split_files
from dnaspt.bend.variants import CONTEXT_BP, write_variants
from dnaspt.config import MOST_BP, Settings
from dnaspt.data.dataset import Dataset
from dnaspt.data.manifest import SPLITS, VARIANTS, Manifest, Source
from dnaspt.data.transcript_table import TRANSCRIPTS, ReferenceTranscript, transcript_table
from dnaspt.errors import ConfigError, InputError
from dnaspt.genome.bed import read_labeled_bed
from dnaspt.genome.columns import find_header
from dnaspt.prepare.regions import PrepareRegionsConfig, prepare_regions
from dnaspt.prepare.writer import DatasetWriter, check_written
from dnaspt.tasks import TASKS, Task

log = logging.getLogger(__name__)

_DOWNLOAD = "get it with 'dnaspt bend download TASK --root ROOT'"
_FASTA = (".fa", ".fasta", ".fna", ".fa.gz", ".fasta.gz", ".fna.gz")
_TASK_OF_KIND: Mapping[Kind, str] = {
    "genes": "genes",
    "windows": "regions",
    "bins": "enhancers",
    "variants": "variants",
}
"""Our task for each kind of task of BEND."""


class PrepareBendConfig(Settings):
    """Preparing a task of the BEND benchmark from BEND's own files."""

    task: str
    """Task of BEND: gene_finding, chromatin_accessibility, histone_modification, cpg_methylation, enhancer_annotation,
    variant_effects_expression or variant_effects_disease."""
    out: Path
    """Dataset folder to write."""
    root: Path = Path("bend")
    """Folder with BEND's files, data/TASK and data/genomes, as 'dnaspt bend download' makes it. Give it where they
    lie elsewhere."""
    bed: Path | None = None
    """Table in BEND's format; left out, that of the task below `root`. Give it to prepare a table of your own."""
    tars: Path | None = None
    """Folder of BEND's precomputed one-hot sequences (WebDataset tars). Give it where you have these and not bed and genome."""
    genome: Path | None = None
    """FASTA; left out, the file in data/genomes whose name has the task's assembly. Give it where the genome lies elsewhere."""
    labels_file: Path | None = None
    """Names of the labels, one in each line; left out, they are numbered. Give it so that tables and tracks show the names."""
    fold: int = Field(1, ge=1, le=1_000)
    """Part of the cross-validation of enhancers that is the test split, from 1; the next one is for validation. BEND's score is
    the mean over all ten: prepare each."""
    strict: bool = False
    """Make it an error, and no count, that splits share sequence, or that the genome lacks a contig or has another REF. Switch
    it on for data of your own."""
    overwrite: bool = False
    """Replace a dataset folder that is there."""
    window_bp: int = Field(4096, ge=64, le=MOST_BP)
    """Length in bp of the windows that training cuts sequences of gene finding into. Lower it where memory is short."""

    def source(self) -> dict[str, Any]:
        """What decides the content of the dataset: root, genome and, of enhancers, the fold."""
        decisive = {"root", "genome"} | ({"fold"} if find_task(self.task).kind == "bins" else set())
        return self.model_dump(mode="json", include=decisive)

    def on_record(self) -> dict[str, Any]:
        """What the manifest of any task of BEND records: the task, and where it was taken from."""
        return {"bend": self.task, "bend_source": self.source()}


def prepare_bend(config: PrepareBendConfig) -> Dataset:
    """Write the dataset folder `config.out`; where this fails, nothing is left behind.

    A split without a row, and another number of labels than BEND has, are warnings.

    Raises:
        ConfigError: no such task. InputError: a file is missing or cannot be used. DatasetError: `config.out` is there
            already, or, with `strict`, splits share sequence.
    """
    task = find_task(config.task)
    _warn_of_idle_settings(config, task)
    manifest = _prepare_table(config, task) if config.tars is None else _prepare_tars(config, task, config.tars)
    if task.kind != "variants" and (empty := sorted(set(SPLITS) - set(manifest.splits))):
        log.warning("%s: no row is of the split %s", config.out, " or ".join(empty))
    if task.kind == "windows" and len(manifest.labels) != task.n_labels:
        log.warning("%s: has %d labels; BEND's %s has %d", config.out, len(manifest.labels), task.name, task.n_labels)
    return Dataset(config.out, manifest)


def _warn_of_idle_settings(config: PrepareBendConfig, task: BendTask) -> None:
    if config.fold != 1 and task.kind != "bins":
        log.warning("--fold has no effect on %s, whose splits are fixed", task.name)
    if config.labels_file is not None and (task.kind != "windows" or config.tars is not None):
        name = "tars" if config.tars is not None else task.name
        log.warning("--labels-file has no effect on %s; it names the labels of a table of windows", name)


def _prepare_table(config: PrepareBendConfig, task: BendTask) -> Manifest:
    """From BEND's table (bed), the labels beside it, and the genome."""
    bed = config.bed or _find_bed(config.root, task)
    genome = config.genome or _find_genome(config.root, task)
    return _PREPARE[task.kind](config, task, bed, genome)


def _prepare_genes(config: PrepareBendConfig, task: BendTask, bed: Path, genome: Path) -> Manifest:
    labeled, hdf5 = read_labeled_bed(bed), _find_hdf5(bed)
    n_rows = len(labeled.regions)
    with (
        DatasetWriter(config.out, overwrite=config.overwrite, inputs=(bed, hdf5, genome)) as writer,
        LabelRows(hdf5, n_rows, task.n_labels) as labels,
    ):
        counts = write_genes(writer, labeled, labels, genome, strict=config.strict)
        dropped = Counter({"contig_not_in_genome": n_rows - counts["sequences"]})
        check_written(genome, writer.n_windows, frozenset(SPLITS), dropped)
        manifest = _manifest(config, task, (bed, hdf5, genome), counts, dropped)
        return writer.finish(manifest.model_copy(update={"stop_in_cds": False}), strict=config.strict)


def _prepare_windows(config: PrepareBendConfig, task: BendTask, bed: Path, genome: Path) -> Manifest:
    _check_columns(bed)
    regions = PrepareRegionsConfig(
        out=config.out,
        genome=genome,
        regions=(bed,),
        labels_file=config.labels_file,
        n_labels=None if config.bed else task.n_labels,
        strict=config.strict,
        overwrite=config.overwrite,
    )
    return prepare_regions(regions, config.on_record()).manifest


def _check_columns(bed: Path) -> None:
    """Refuse a table that would be read as peaks, or divided by position.

    Raises:
        InputError: it has no header, or no column of labels or splits.
    """
    header = find_header(bed)
    names = header.names if header else ()
    if missing := [name for name in ("label", "split") if name not in names]:
        found = f"no column {missing[0]!r}" if header else "no header"
        raise InputError(bed, found, expected="BEND's columns: chromosome, start, end, strand, label, split", line=1)


def _prepare_bins(config: PrepareBendConfig, task: BendTask, bed: Path, genome: Path) -> Manifest:
    labeled, hdf5 = read_labeled_bed(bed), _find_hdf5(bed)
    n_rows, bin_bp = len(labeled.regions), _our_task(task).resolution_bp
    with (
        DatasetWriter(config.out, overwrite=config.overwrite, inputs=(bed, hdf5, genome)) as writer,
        LabelRows(hdf5, n_rows, 2) as labels,
    ):
        written = write_bins(writer, labeled, labels, genome, bin_bp, config.fold, strict=config.strict)
        dropped = Counter({"contig_not_in_genome": n_rows - written.counts["sequences"]})
        check_written(genome, writer.n_windows, frozenset(SPLITS), dropped)
        manifest = _manifest(config, task, (bed, hdf5, genome), written.counts, dropped)
        return writer.finish(manifest.model_copy(update={"window_bp": written.window_bp}), strict=config.strict)


def _prepare_variants(config: PrepareBendConfig, task: BendTask, bed: Path, genome: Path) -> Manifest:
    with DatasetWriter(config.out, overwrite=config.overwrite, inputs=(bed, genome)) as writer:
        written = write_variants(writer, bed, genome, VARIANTS, strict=config.strict)
        check_written(genome, writer.n_windows, frozenset({"test"}), written.dropped)
        manifest = _manifest(config, task, (bed, genome), written.counts, written.dropped)
        window_bp = 2 * CONTEXT_BP + 1
        return writer.finish(manifest.model_copy(update={"window_bp": window_bp}), strict=config.strict)


_PREPARE: Mapping[Kind, Callable[[PrepareBendConfig, BendTask, Path, Path], Manifest]] = {
    "genes": _prepare_genes,
    "windows": _prepare_windows,
    "bins": _prepare_bins,
    "variants": _prepare_variants,
}


def _prepare_tars(config: PrepareBendConfig, task: BendTask, folder: Path) -> Manifest:
    """From BEND's precomputed sequences, which carry no coordinates."""
    if task.kind == "variants":
        raise ConfigError(f"{task.name}: is scored on its bed and genome; BEND has no tars of it")
    ours = _our_task(task)
    files = _tars_with_splits(config, task, folder)
    bin_bp = 0 if ours.per_base else ours.resolution_bp
    expected = TarLabels(task.n_labels, per_base=ours.per_base, bin_bp=bin_bp)
    counts, lengths = Counter[str](), set[int]()
    sites = SpliceSites()
    genes: list[ReferenceTranscript] = []
    inputs = (file for _, file in files)
    with DatasetWriter(config.out, overwrite=config.overwrite, same_genome=False, inputs=inputs) as writer:
        for split, file in files:
            for window in read_tar(file, expected):
                writer.add(split, window)
                counts["sequences"] += 1
                lengths.add(len(window.codes))
                if ours.per_base:
                    genes += genes_of(window, split)
                    sites.add(window.codes, window.labels, 0)
                elif bin_bp and (len(lengths) > 1 or len(window.codes) % bin_bp):
                    found = f"{window.chrom} has {len(window.codes):,} bp"
                    raise InputError(file, found, expected=f"one length, a multiple of the bins' {bin_bp} bp")
        check_written(folder, writer.n_windows, frozenset(SPLITS), Counter())
        if ours.per_base:
            sites.check(folder)
            counts["genes"] = len(genes)
            writer.add_table(TRANSCRIPTS, transcript_table(genes))
        manifest = _manifest(config, task, tuple(file for _, file in files), counts, Counter())
        labels = ours.labels or tuple(f"label_{index}" for index in range(task.n_labels))
        window_bp = config.window_bp if ours.per_base else max(lengths)
        update = {"labels": labels, "window_bp": window_bp, "stop_in_cds": False if ours.per_base else None}
        return writer.finish(manifest.model_copy(update=update), strict=config.strict)


def _tars_with_splits(config: PrepareBendConfig, task: BendTask, folder: Path) -> list[tuple[str, Path]]:
    """The tars of a task, each with its split; those of enhancers are parts of a cross-validation."""
    if task.kind != "bins":
        return [(split, file) for split, files in split_files(folder).items() for file in files]
    files_of_part = part_files(folder)
    split_of_part = splits_of_parts(folder, files_of_part, config.fold)
    return [(split_of_part[part], file) for part, files in files_of_part.items() for file in files]


def _our_task(task: BendTask) -> Task:
    return TASKS[_TASK_OF_KIND[task.kind]]


def _manifest(
    config: PrepareBendConfig, task: BendTask, files: tuple[Path, ...], counts: Counter[str], dropped: Counter[str]
) -> Manifest:
    ours = _our_task(task)
    return Manifest(
        task=ours.name,
        labels=ours.labels,
        resolution_bp=ours.resolution_bp,
        window_bp=config.window_bp,
        sources=tuple(Source.of(path) for path in files),
        settings=config.model_dump(mode="json", exclude={"out", "overwrite", "task"}) | config.on_record(),
        counts=dict(counts),
        dropped={reason: count for reason, count in dropped.items() if count},
    )


def _find_bed(root: Path, task: BendTask) -> Path:
    """BEND's table of a task.

    Raises:
        InputError: it is not there.
    """
    file = root / task.folder / f"{task.stem}.bed"
    if not file.is_file():
        do = f"get it with 'dnaspt bend download {task.name} --root {root}'"
        raise InputError(file, "no such file", expected="BEND's layout below --root", do=do)
    return file


def _find_hdf5(bed: Path) -> Path:
    """The labels beside a table.

    Raises:
        InputError: they are not there.
    """
    file = bed.with_name(f"{bed.name.removesuffix('.gz').removesuffix('.bed')}.hdf5")
    if not file.is_file():
        raise InputError(file, "no such file", expected="BEND's labels beside its bed", do=_DOWNLOAD)
    return file


def _find_genome(root: Path, task: BendTask) -> Path:
    """The FASTA whose name has the task's assembly.

    Raises:
        InputError: there is none, or more than one.
    """
    folder, assembly = root / GENOMES, task.genome.lower()
    files = sorted(file for file in folder.glob("*") if assembly in file.name.lower() and file.name.endswith(_FASTA))
    if len(files) != 1:
        found = f"{len(files)} FASTA files of {task.genome}" if files else f"no FASTA of {task.genome}"
        raise InputError(folder, found, expected="one", do=f"say which with --genome, or {_DOWNLOAD}")
    return files[0]
