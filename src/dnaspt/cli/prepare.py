"""`dnaspt prepare ...`: sources to dataset folders."""

from pathlib import Path
from typing import Annotated, Any

import typer

prepare_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Make a dataset folder from your files.")

Out = Annotated[Path, typer.Option("--out", "-o", help="Dataset folder to write.")]
Config = Annotated[Path | None, typer.Option("--config", help="TOML file with any setting; options win.")]
Split = Annotated[
    str | None,
    typer.Option(help="position (72 / 8 / 20 of every contig), contig, or a table: chromosome, start, end, split."),
]
ValidContigs = Annotated[str | None, typer.Option(help="Comma-separated contigs for valid (with --split contig).")]
TestContigs = Annotated[str | None, typer.Option(help="Comma-separated contigs for test (with --split contig).")]
Strict = Annotated[bool | None, typer.Option("--strict", help="Refuse leakage and contigs that are not in the FASTA.")]
Overwrite = Annotated[bool | None, typer.Option("--overwrite", help="Replace --out.")]
Genome = Annotated[Path | None, typer.Option(help="FASTA: plain, gzip or bgzip.")]
WindowBp = Annotated[int | None, typer.Option(help="Length of a window.")]


@prepare_app.command()
def genes(
    out: Out,
    genome: Annotated[list[Path] | None, typer.Option(help="FASTA: plain, gzip or bgzip; once per annotation.")] = None,
    annotation: Annotated[list[Path] | None, typer.Option(help="GFF3 or GTF; once per genome.")] = None,
    valid_genome: Annotated[list[Path] | None, typer.Option(help="FASTA of a separate valid set.")] = None,
    valid_annotation: Annotated[list[Path] | None, typer.Option(help="Its annotation.")] = None,
    test_genome: Annotated[list[Path] | None, typer.Option(help="FASTA of a separate test set.")] = None,
    test_annotation: Annotated[list[Path] | None, typer.Option(help="Its annotation.")] = None,
    unlabeled: Annotated[list[Path] | None, typer.Option(help="Extra FASTA for pretraining only.")] = None,
    unknown: Annotated[Path | None, typer.Option(help="BED of stretches whose annotation is unknown.")] = None,
    config: Config = None,
    split: Split = None,
    valid_contigs: ValidContigs = None,
    test_contigs: TestContigs = None,
    windows: Annotated[str | None, typer.Option(help="tile (whole contigs) or gene (one window per gene).")] = None,
    window_bp: WindowBp = None,
    flank_bp: Annotated[int | None, typer.Option(help="Unlabeled context on both sides of a window.")] = None,
    strict: Strict = None,
    overwrite: Overwrite = None,
) -> None:
    """FASTA and GFF3 or GTF to gene structure per base (nine classes).

    Example: dnaspt prepare genes --genome g.fa --annotation g.gff3 --out data/genes
    """
    options = _options(locals())
    from dnaspt.prepare.genes import PrepareGenesConfig, prepare_genes

    _run(prepare_genes, PrepareGenesConfig, options, config)


@prepare_app.command()
def regions(
    out: Out,
    genome: Genome = None,
    regions: Annotated[
        list[Path] | None, typer.Option(help="BED or narrowPeak; a label per file, or a label column.")
    ] = None,
    labels_file: Annotated[Path | None, typer.Option(help="Names of the labels, one a line.")] = None,
    config: Config = None,
    split: Split = None,
    valid_contigs: ValidContigs = None,
    test_contigs: TestContigs = None,
    window_bp: WindowBp = None,
    min_overlap: Annotated[float | None, typer.Option(help="Share of the core that makes a window positive.")] = None,
    background: Annotated[str | None, typer.Option(help="all (tile the genome) or matched.")] = None,
    background_ratio: Annotated[float | None, typer.Option(help="Background windows per region.")] = None,
    match_gc: Annotated[bool | None, typer.Option("--match-gc/--no-match-gc", help="Match background in GC.")] = None,
    blacklist: Annotated[Path | None, typer.Option(help="BED of stretches to leave out.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the background.")] = None,
    strict: Strict = None,
    overwrite: Overwrite = None,
) -> None:
    """FASTA and peaks to windows with one or many labels.

    Example: dnaspt prepare regions --genome g.fa --regions peaks.bed --out data/peaks
    """
    options = _options(locals())
    from dnaspt.prepare.regions import PrepareRegionsConfig, prepare_regions

    _run(prepare_regions, PrepareRegionsConfig, options, config)


@prepare_app.command()
def methylation(
    out: Out,
    genome: Genome = None,
    calls: Annotated[
        list[Path] | None, typer.Option(help="bedMethyl, Bismark coverage, bigWig; one file a sample.")
    ] = None,
    names: Annotated[str | None, typer.Option(help="Comma-separated names of the samples.")] = None,
    coverage: Annotated[list[Path] | None, typer.Option(help="bigWig of coverage, one per bigWig of calls.")] = None,
    config: Config = None,
    split: Split = None,
    valid_contigs: ValidContigs = None,
    test_contigs: TestContigs = None,
    window_bp: WindowBp = None,
    threshold: Annotated[float | None, typer.Option(help="Level from which a site is methylated.")] = None,
    min_coverage: Annotated[int | None, typer.Option(help="Reads a site needs, both strands together.")] = None,
    strict: Strict = None,
    overwrite: Overwrite = None,
) -> None:
    """FASTA and methylation calls to windows centered on CpGs: 1 where the level reaches the threshold, else 0.

    Calls of CpGs only: leave CHG and CHH out first. bedMethyl has 11 or 18 columns; rows of 5hmC are dropped and counted.

    Example: dnaspt prepare methylation --genome g.fa --calls wgbs.bedmethyl --out data/cpg
    """
    options = _options(locals())
    from dnaspt.prepare.methylation import PrepareMethylationConfig, prepare_methylation

    _run(prepare_methylation, PrepareMethylationConfig, options, config)


_COMMA_SEPARATED = ("valid_contigs", "test_contigs", "names")


def _options(given: dict[str, Any]) -> dict[str, Any]:
    """Options as settings: lists of names are cut at commas, what was not given is left out."""
    options = {name: value for name, value in given.items() if name != "config" and value not in (None, [])}
    for name in _COMMA_SEPARATED:
        if name in options:
            options[name] = tuple(part.strip() for part in options[name].split(",") if part.strip())
    return options


def _run(prepare: Any, kind: Any, options: dict[str, Any], config: Path | None) -> None:
    from dnaspt.cli.inspect import show_dataset
    from dnaspt.cli.terminal import show
    from dnaspt.config import build_config

    settings = build_config(kind, options, config)
    dataset = prepare(settings)
    show_dataset(dataset.manifest, str(settings.out))
    show(f"{settings.out}: ready; see it again with 'dnaspt inspect {settings.out}'")


@prepare_app.command()
def bend(
    task: Annotated[str, typer.Argument(help="gene_finding, chromatin_accessibility, histone_modification, ...")],
    out: Out,
    root: Annotated[Path | None, typer.Option(help="Folder with the layout of BEND's share [bend].")] = None,
    bed: Annotated[Path | None, typer.Option(help="Table in BEND's format; left out, the task's in ROOT.")] = None,
    tars: Annotated[Path | None, typer.Option(help="Folder of BEND's one-hot tars, instead of bed and genome.")] = None,
    genome: Annotated[Path | None, typer.Option(help="FASTA; left out, the one in ROOT/data/genomes.")] = None,
    labels_file: Annotated[Path | None, typer.Option(help="Names of the labels, one a line.")] = None,
    fold: Annotated[
        int | None, typer.Option(help="Enhancers: the part to test on, from 1; the next validates.")
    ] = None,
    config: Config = None,
    strict: Strict = None,
    overwrite: Overwrite = None,
) -> None:
    """Make a dataset of a task of BEND from its own files ('dnaspt bend download' gets them).

    Example: dnaspt prepare bend gene_finding --root bend --out data/bend_genes
    """
    from dnaspt.bend.prepare import PrepareBendConfig, prepare_bend

    options = {
        "task": task,
        "out": out,
        "root": root,
        "bed": bed,
        "tars": tars,
        "genome": genome,
        "labels_file": labels_file,
    }
    options |= {"fold": fold}
    _run(prepare_bend, PrepareBendConfig, options | {"strict": strict, "overwrite": overwrite}, config)
