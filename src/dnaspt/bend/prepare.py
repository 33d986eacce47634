"""BEND's own files to dataset folders: `prepare bend TASK --root DIR`, where DIR has the layout of BEND's share."""

from collections import Counter
from pathlib import Path

from pydantic import Field

from dnaspt.bend.genes import LabelRows, write_genes
from dnaspt.bend.table import BEND_TASKS, GENOMES, BendTask
from dnaspt.config import Settings
from dnaspt.data.regions import PrepareRegionsConfig, prepare_regions
from dnaspt.data.split_settings import check_written
from dnaspt.data.store import SPLITS, DatasetWriter, Manifest, Source
from dnaspt.errors import ConfigError, InputError
from dnaspt.genome.bed import read_labeled_bed
from dnaspt.tasks import TASKS

_FASTA = (".fa", ".fasta", ".fna", ".fa.gz", ".fasta.gz", ".fna.gz")


class PrepareBendConfig(Settings):
    """Settings of `prepare bend`.

    task: one of `BEND_TASKS`.
    root: folder with data/TASK and data/genomes.
    bed: table in BEND's format; left out, the task's below `root`.
    genome: FASTA; left out, the one in data/genomes whose name has the task's assembly.
    labels_file: names of the labels, one a line.
    strict: sequence shared by splits is an error and no count.
    """

    task: str
    out: Path
    root: Path = Path("bend")
    bed: Path | None = None
    genome: Path | None = None
    labels_file: Path | None = None
    strict: bool = False
    overwrite: bool = False
    window_bp: int = Field(4096, ge=64)


def prepare_bend(config: PrepareBendConfig) -> Manifest:
    """Write the dataset folder `config.out`; nothing is left behind where this fails.

    Raises:
        ConfigError: no such task. InputError: a file is missing or cannot be used. DatasetError: `config.out` is there
            already, or, with `strict`, splits share sequence.
    """
    if config.task not in BEND_TASKS:
        raise ConfigError(f"no task of BEND is called {config.task!r}; known: {', '.join(BEND_TASKS)}")
    task = BEND_TASKS[config.task]
    bed = config.bed or _bed(config.root, task)
    genome = config.genome or _genome(config.root, task)
    if task.kind == "genes":
        return _prepare_genes(config, task, bed, genome)
    if task.kind == "windows":
        named = PrepareRegionsConfig(
            out=config.out,
            genome=genome,
            regions=(bed,),
            labels_file=config.labels_file,
            n_labels=None if config.bed else task.n_labels,
            strict=config.strict,
            overwrite=config.overwrite,
        )
        return prepare_regions(named)
    raise ConfigError(f"{task.name}: is not prepared yet")


def _prepare_genes(config: PrepareBendConfig, task: BendTask, bed: Path, genome: Path) -> Manifest:
    labeled = read_labeled_bed(bed)
    hdf5 = bed.with_suffix(".hdf5")
    if not hdf5.is_file():
        raise InputError(hdf5, "no such file", expected="BEND's labels beside its bed", do="download the task again")
    row = TASKS["genes"]
    n_rows = len(labeled.regions)
    with (
        DatasetWriter(config.out, overwrite=config.overwrite, same_genome=False) as writer,
        LabelRows(hdf5, n_rows, len(row.labels)) as labels,
    ):
        counts = write_genes(writer, labeled, labels, genome)
        dropped = Counter({"contig_not_in_genome": n_rows - counts["sequences"]})
        check_written(genome, writer.n_windows, frozenset(SPLITS), dropped)
        manifest = Manifest(
            task=row.name,
            labels=row.labels,
            resolution_bp=row.resolution_bp,
            window_bp=config.window_bp,
            sources=tuple(Source.of(path) for path in (bed, hdf5, genome)),
            settings={"bend": task.name, **config.model_dump(mode="json", exclude={"out", "overwrite", "task"})},
            counts=dict(counts),
            dropped={reason: count for reason, count in dropped.items() if count},
            stop_in_cds=False,
        )
        return writer.finish(manifest, strict=config.strict)


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
        raise InputError(folder, what, expected="one", do="say which with --genome")
    return found[0]
