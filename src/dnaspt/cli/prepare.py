"""`dnaspt prepare ...`: files to dataset folders."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from dnaspt.cli.bend import BendTaskName
from dnaspt.cli.options import (
    Command,
    Config,
    Json,
    NameColumn,
    Overwrite,
    SequenceColumn,
    given,
    names,
    option,
)

if TYPE_CHECKING:
    from dnaspt.data.dataset import Dataset

prepare_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Make a dataset from your files.")

Out = Annotated[Path, option("--out", "-o", metavar="DATA", help="Dataset folder to write.")]
Genome = Annotated[
    Path | None,
    option(metavar="FASTA", help="Genome: plain, gzip or bgzip.", default="as in --config"),
]
Split = Annotated[
    str | None,
    option(
        metavar="HOW",
        help="position (72 / 8 / 20 of every contig), contig, or a table with the columns chromosome, start, end, split.",
        default="position",
    ),
]
ValidContigs = Annotated[
    str | None,
    option(metavar="NAMES", callback=names, help="Contigs for valid, with commas (--split contig).", default="none"),
]
TestContigs = Annotated[
    str | None,
    option(metavar="NAMES", callback=names, help="Contigs for test, with commas (--split contig).", default="none"),
]
Folds = Annotated[
    str | None,
    option(
        metavar="K", help="Folds of a cross-validation, or 'contigs': each contig is one.", default="none: fixed splits"
    ),
]
AlwaysTrain = Annotated[
    str | None,
    option(metavar="NAMES", callback=names, help="Contigs that no fold tests, with commas (--folds).", default="none"),
]
Strict = Annotated[
    bool,
    option(
        "--strict",
        help="Refuse leakage, contigs that are not in the FASTA, and odd rows (docs/files.md).",
        default="count and warn",
    ),
]
Labels = Annotated[
    Path | None,
    option(metavar="FILE", help="Names of the labels, one on each line.", default="names of the files"),
]


@prepare_app.command(cls=Command)
def genes(
    context: typer.Context,
    out: Out,
    genome: Annotated[
        list[Path] | None,
        option(metavar="FASTA", help="Genome; once for each annotation.", default="as in --config"),
    ] = None,
    annotation: Annotated[
        list[Path] | None,
        option(metavar="GFF", help="GFF3 or GTF; once for each genome.", default="as in --config"),
    ] = None,
    valid_genome: Annotated[
        list[Path] | None, option(metavar="FASTA", help="Genome of a separate valid set.", default="none")
    ] = None,
    valid_annotation: Annotated[
        list[Path] | None, option(metavar="GFF", help="Its annotation.", default="none")
    ] = None,
    test_genome: Annotated[
        list[Path] | None, option(metavar="FASTA", help="Genome of a separate test set.", default="none")
    ] = None,
    test_annotation: Annotated[list[Path] | None, option(metavar="GFF", help="Its annotation.", default="none")] = None,
    unlabeled: Annotated[
        list[Path] | None,
        option(metavar="FASTA", help="More sequence, for pretraining only.", default="none"),
    ] = None,
    unknown: Annotated[
        list[Path] | None,
        option(metavar="BED", help="Intervals whose annotation is not known.", default="none"),
    ] = None,
    config: Config = None,
    split: Split = None,
    valid_contigs: ValidContigs = None,
    test_contigs: TestContigs = None,
    folds: Folds = None,
    always_train: AlwaysTrain = None,
    windows: Annotated[
        Literal["tile", "gene"] | None,
        option(help="tile: whole contigs; gene: one window around each gene.", default="tile"),
    ] = None,
    window_bp: Annotated[int | None, option(metavar="BP", help="Length of a window.", default="4096")] = None,
    flank_bp: Annotated[
        int | None,
        option(metavar="BP", help="Context on both sides of a window.", default="0 for tile, 1000 for gene"),
    ] = None,
    genetic_code: Annotated[
        int | None, option(metavar="N", help="Genetic code, NCBI's number: 1, 4, 6, 10 or 12.", default="1")
    ] = None,
    strict: Strict = False,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Gene structure for each base, from FASTA and GFF3 or GTF.

    Nine classes: non-coding (with UTRs), and for each strand CDS, intron, donor and acceptor.

    Example: dnaspt prepare genes --genome g.fa --annotation g.gff3 --out data/genes
    """
    from dnaspt import api

    _show(api.prepare_genes(**given(context)), as_json=as_json)


@prepare_app.command(cls=Command)
def regions(
    context: typer.Context,
    out: Out,
    genome: Genome = None,
    regions: Annotated[
        list[Path] | None,
        option(
            metavar="BED",
            help="BED, narrowPeak or MACS .xls; one label for each file, or one file with a column of labels.",
            default="as in --config",
        ),
    ] = None,
    signal: Annotated[
        list[Path] | None,
        option(metavar="BIGWIG", help="Tracks to predict as numbers, instead of peaks.", default="none"),
    ] = None,
    signal_summary: Annotated[
        Literal["mean", "sum"] | None, option(help="Of a track over the middle of a window.", default="mean")
    ] = None,
    signal_log: Annotated[
        bool | None, option("--signal-log/--no-signal-log", help="Take log(1 + it).", default="take it")
    ] = None,
    signal_gaps: Annotated[
        Literal["zero", "missing"] | None,
        option(help="What bases without a value in a track are.", default="an error"),
    ] = None,
    labels_file: Labels = None,
    config: Config = None,
    split: Split = None,
    valid_contigs: ValidContigs = None,
    test_contigs: TestContigs = None,
    folds: Folds = None,
    always_train: AlwaysTrain = None,
    window_bp: Annotated[int | None, option(metavar="BP", help="Length of a window.", default="512")] = None,
    min_overlap: Annotated[
        float | None,
        option(
            metavar="SHARE",
            help="Share of the middle 256 bp in a peak that makes a window positive.",
            default="0.5",
        ),
    ] = None,
    background: Annotated[
        Literal["all", "matched"] | None,
        option(help="Windows without a peak: all of the genome, or as many as peaks.", default="all"),
    ] = None,
    background_ratio: Annotated[
        float | None,
        option(metavar="N", help="Background windows for each peak (--background matched).", default="1"),
    ] = None,
    match_gc: Annotated[
        bool | None,
        option("--match-gc/--no-match-gc", help="Match the background in GC.", default="match"),
    ] = None,
    blacklist: Annotated[Path | None, option(metavar="BED", help="Intervals to leave out.", default="none")] = None,
    seed: Annotated[int | None, option(metavar="N", help="Seed of the background.", default="0")] = None,
    strict: Strict = False,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Windows with labels, from FASTA and peaks or signal.

    Each BED file is a label. A window has the label if enough of its middle lies in a peak. Each bigWig is a number to predict.

    Example: dnaspt prepare regions --genome g.fa --regions peaks.bed --out data/peaks

    Example: dnaspt prepare regions --genome g.fa --signal atac.bw --signal-gaps zero --out data/atac
    """
    from dnaspt import api

    _show(api.prepare_regions(**given(context)), as_json=as_json)


@prepare_app.command(cls=Command)
def methylation(
    context: typer.Context,
    out: Out,
    genome: Genome = None,
    calls: Annotated[
        list[Path] | None,
        option(
            metavar="FILE",
            help="bedMethyl, Bismark coverage or bigWig; one file for each sample.",
            default="as in --config",
        ),
    ] = None,
    names: Annotated[
        str | None,
        option(
            metavar="NAMES",
            callback=names,
            help="Names of the samples, with commas.",
            default="names of the files",
        ),
    ] = None,
    coverage: Annotated[
        list[Path] | None,
        option(metavar="BIGWIG", help="Coverage, one for each bigWig of calls.", default="none"),
    ] = None,
    config: Config = None,
    split: Split = None,
    valid_contigs: ValidContigs = None,
    test_contigs: TestContigs = None,
    folds: Folds = None,
    always_train: AlwaysTrain = None,
    window_bp: Annotated[int | None, option(metavar="BP", help="Length of a window.", default="512")] = None,
    threshold: Annotated[
        float | None,
        option(metavar="LEVEL", help="Level from which a CpG counts as methylated.", default="0.5"),
    ] = None,
    min_coverage: Annotated[
        int | None,
        option(metavar="N", help="Reads that a CpG needs, both strands together.", default="5"),
    ] = None,
    strict: Strict = False,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Windows around CpGs, from FASTA and methylation calls.

    The label is 1 where the level of the CpG reaches the threshold, else 0. Calls of CpGs only: leave CHG and CHH out first.
    Only levels of 5mC are read; rows of other modifications are left out and counted.

    Example: dnaspt prepare methylation --genome g.fa --calls wgbs.bedmethyl --out data/cpg
    """
    from dnaspt import api

    _show(api.prepare_methylation(**given(context)), as_json=as_json)


@prepare_app.command(cls=Command)
def sequences(
    context: typer.Context,
    out: Out,
    sequences: Annotated[
        list[Path] | None,
        option(
            metavar="FILE",
            help="CSV, TSV, JSON lines, Parquet or FASTA with labels (of several FASTA files each is a class), or a folder of "
            "files SPLIT/CLASS/NAME.txt.",
            default="as in --config",
        ),
    ] = None,
    valid: Annotated[
        list[Path] | None, option(metavar="FILE", help="Sequences to choose weights on.", default="drawn")
    ] = None,
    test: Annotated[list[Path] | None, option(metavar="FILE", help="Sequences to test on.", default="drawn")] = None,
    config: Config = None,
    sequence_column: SequenceColumn = None,
    label_columns: Annotated[
        str | None,
        option(
            metavar="NAMES",
            callback=names,
            help="Columns of the labels, with commas.",
            default="label, labels, class, target or y",
        ),
    ] = None,
    name_column: NameColumn = None,
    split_column: Annotated[
        str | None,
        option(
            metavar="NAME",
            help="Column of train, valid (dev), test.",
            default="split, set, partition or subset, if any",
        ),
    ] = None,
    positive: Annotated[
        str | None, option(metavar="VALUE", help="Value of the label that is true.", default="1, or by its name")
    ] = None,
    kind: Annotated[
        Literal["auto", "labels", "classes", "numbers"] | None,
        option(
            help="What the labels are: each true or false, classes, or numbers (regression).",
            default="auto; by their values",
        ),
    ] = None,
    folds: Annotated[
        int | None, option(metavar="K", help="Cross-validation instead of train, valid and test.", default="none")
    ] = None,
    seed: Annotated[int | None, option(metavar="N", help="Seed of the division into splits.", default="0")] = None,
    strict: Annotated[
        bool,
        option("--strict", help="Refuse leakage, and sequences with two different labels.", default="count and warn"),
    ] = False,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Sequences with labels, from tables or FASTA files.

    A label is true or false, or has more than two values: classes, of which each sequence has one; or it is a number to predict
    (regression). Without files or a column for valid and test, the sequences are divided here (80 / 10 / 10), near copies
    together. Of FASTA the label is in the header ('>name|1', '>name label=1'), or each file is a class.

    Example: dnaspt prepare sequences --sequences train.csv --valid dev.csv --test test.csv --out data/promoters
    """
    from dnaspt import api

    _show(api.prepare_sequences(**given(context)), as_json=as_json)


@prepare_app.command(cls=Command)
def unlabeled(
    context: typer.Context,
    out: Out,
    genome: Genome = None,
    config: Config = None,
    split: Annotated[
        str | None,
        option(
            metavar="HOW",
            help="train (the last tenth of every contig for valid), position, contig, or a table as in the other commands.",
            default="train",
        ),
    ] = None,
    valid_contigs: ValidContigs = None,
    test_contigs: TestContigs = None,
    window_bp: Annotated[int | None, option(metavar="BP", help="Length of a window.", default="4096")] = None,
    strict: Strict = False,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Sequence without labels, from FASTA, to pretrain on.

    A model that is pretrained on it scores variants, gives embeddings, and is an encoder for 'dnaspt finetune' on other data.

    Example: dnaspt prepare unlabeled --genome g.fa --out data/genome
    """
    from dnaspt import api

    _show(api.prepare_unlabeled(**given(context)), as_json=as_json)


@prepare_app.command(cls=Command)
def bend(
    context: typer.Context,
    task: BendTaskName,
    out: Out,
    root: Annotated[
        Path | None, option(metavar="FOLDER", help="Folder with the layout of BEND's share.", default="bend")
    ] = None,
    bed: Annotated[
        Path | None, option(metavar="BED", help="Table in BEND's format.", default="the task's in ROOT")
    ] = None,
    tars: Annotated[
        Path | None,
        option(metavar="FOLDER", help="BEND's one-hot tars, instead of bed and genome.", default="none"),
    ] = None,
    genome: Annotated[
        Path | None, option(metavar="FASTA", help="Genome.", default="the one in ROOT/data/genomes")
    ] = None,
    labels_file: Labels = None,
    fold: Annotated[
        int | None,
        option(metavar="N", help="Enhancers: the part to test on; the next validates.", default="1"),
    ] = None,
    config: Config = None,
    strict: Strict = False,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """A task of the BEND benchmark, from its own files.

    'dnaspt bend download' gets the files.

    Example: dnaspt prepare bend gene_finding --root bend --out data/bend_genes
    """
    from dnaspt import api

    _show(api.prepare_bend(**given(context)), as_json=as_json)


def _show(data: "Dataset", *, as_json: bool) -> None:
    """Show what was prepared."""
    from dnaspt.cli.terminal import print_json, show, show_tables
    from dnaspt.reports.describe import dataset_content, describe_dataset

    if as_json:
        print_json(dataset_content(data.manifest, data.path))
    else:
        show_tables(describe_dataset(data.manifest, str(data.path)))
    show(f"{data.path}: ready; see it again with 'dnaspt inspect {data.path}'")
