"""The commands `dnaspt bend ...`: BEND's files and results."""

from pathlib import Path
from typing import Annotated

import typer

from dnaspt.cli.options import Offline, TrustCode, option
from dnaspt.policy import allow

bend_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="BEND: its files and its published numbers.")


@bend_app.command()
def run(
    protocol: Annotated[Path, typer.Argument(help="TOML file, such as examples/bend/spt.toml.")],
    task: Annotated[str, typer.Argument(help="gene_finding, chromatin_accessibility, histone_modification, ...")],
    out: Annotated[Path, option("--out", "-o", help="Folder of the dataset, the runs and the report.")],
    root: Annotated[Path, option("--root", help="Folder with the layout of BEND's share.")] = Path("bend"),
    genome: Annotated[Path | None, option(help="FASTA; left out, the one in ROOT/data/genomes.")] = None,
    data: Annotated[
        Path | None, option(help="Dataset of 'dnaspt prepare bend', instead of one that is made in OUT/data.")
    ] = None,
    fold: Annotated[int, option(min=1, help="Enhancers: the part to test on, from 1.")] = 1,
    jobs: Annotated[int, option(min=1, help="Runs at a time; they share the cores.")] = 1,
    dry_run: Annotated[
        bool, option("--dry-run", help="Prepare; say what would be run, and what it would take here.")
    ] = False,
    trust_remote_code: TrustCode = False,
    offline: Offline = False,
) -> None:
    """Prepare a task, make all runs of a protocol, and report; run it again to go on.

    Example: dnaspt bend run examples/bend/spt.toml gene_finding --root bend --out studies/bend_genes
    """
    allow(trust_remote_code=trust_remote_code, offline=offline)
    from dnaspt.bend.protocol import plan_protocol, run_protocol
    from dnaspt.cli.study import show_plan
    from dnaspt.cli.terminal import show

    context = plan_protocol(protocol, task, root, out, data=data, fold=fold, genome=genome, jobs=jobs, say=show)
    if dry_run:
        show_plan(protocol, context)
        return
    show(run_protocol(context, protocol, task, data or root))
    show(f"{out}: study.html, study.md, and the tables as CSV and Parquet written")


@bend_app.command()
def results(
    studies: Annotated[list[Path] | None, typer.Argument(help="Folders of 'dnaspt bend run'.")] = None,
    out: Annotated[Path | None, option("--out", "-o", help="CSV file to write too.")] = None,
) -> None:
    """Our runs beside the published values, each with its source and what to know when comparing.

    Example: dnaspt bend results studies/bend_genes
    """
    import csv

    from dnaspt.atomic import publish_file
    from dnaspt.bend.results import results as rows_of
    from dnaspt.cli.terminal import show, table

    columns = ("task", "metric", "model", "value", "source", "note")
    rows = rows_of(studies or [])
    table("results", columns, rows)
    if out is not None:
        with publish_file(out) as unfinished, unfinished.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([columns, *rows])
        show(f"{out}: written")


@bend_app.command()
def download(
    task: Annotated[str, typer.Argument(help="gene_finding, chromatin_accessibility, histone_modification, ...")],
    root: Annotated[Path, option("--root", help="Folder with the layout of BEND's share.")] = Path("bend"),
    mirror: Annotated[str | None, option(help="Address of a copy of the share, instead of sid.erda.dk.")] = None,
) -> None:
    """Download a task's files and its genome; run it again to go on where it broke off.

    Checksums are recorded at the first download (ROOT/checksums.json) and compared later.

    Example: dnaspt bend download gene_finding --root bend
    """
    from dnaspt.bend.download import download as fetch
    from dnaspt.bend.share import HOST
    from dnaspt.cli.terminal import DownloadProgress, show

    with DownloadProgress() as progress:
        done = fetch(task, root, mirror=mirror or HOST, tell=progress.tell)
    show(f"{root}: {len(done.downloaded)} files downloaded, {len(done.verified)} there already and unchanged")
