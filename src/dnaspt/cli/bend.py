"""The commands `dnaspt bend ...`: BEND's files and results."""

from pathlib import Path
from typing import Annotated

import typer

from dnaspt.bend.table import BEND_TASKS
from dnaspt.cli.options import Command, Json, Offline, Overwrite, TrustCode, given, option

bend_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="The tasks of the BEND benchmark.")

BendTaskName = Annotated[
    str,
    typer.Argument(metavar="TASK", help=f"One of {', '.join(BEND_TASKS)}.", autocompletion=lambda: list(BEND_TASKS)),
]
Root = Annotated[Path, option("--root", metavar="FOLDER", help="Folder with the layout of BEND's share.")]


@bend_app.command(cls=Command)
def run(
    context: typer.Context,
    protocol: Annotated[Path, typer.Argument(metavar="PROTOCOL", help="TOML file, such as examples/bend/spt.toml.")],
    tasks: Annotated[
        list[str],
        typer.Argument(
            metavar="TASK",
            help=f"One or more of {', '.join(BEND_TASKS)}.",
            autocompletion=lambda: list(BEND_TASKS),
        ),
    ],
    out: Annotated[
        Path,
        option(
            "--out",
            "-o",
            metavar="FOLDER",
            help="Folder of the dataset, the runs and the report; of more than one task FOLDER/TASK.",
        ),
    ],
    root: Root = Path("bend"),
    genome: Annotated[
        Path | None, option(metavar="FASTA", help="Genome.", default="the one in ROOT/data/genomes")
    ] = None,
    data: Annotated[
        Path | None,
        option(metavar="DATA", help="Dataset of 'dnaspt prepare bend'.", default="made in OUT/data"),
    ] = None,
    fold: Annotated[int, option(metavar="N", min=1, help="Enhancers: the part to test on, from 1.")] = 1,
    jobs: Annotated[int, option(metavar="N", min=1, help="Runs at a time; they share the cores.")] = 1,
    dry_run: Annotated[
        bool,
        option("--dry-run", help="Prepare; say what would run, and what it would take here.", default="run it"),
    ] = False,
    trust_remote_code: TrustCode = False,
    offline: Offline = False,
    as_json: Json = False,
) -> None:
    """Run a protocol on a task, and report.

    Prepares the task, makes all runs of the protocol, and writes the report. Run it again to go on: finished runs are skipped.
    If the protocol pretrains on a task, all tasks that you name begin from the same pretraining.

    Example: dnaspt bend run examples/bend/spt.toml gene_finding --root bend --out studies/bend_genes
    """
    given(context)
    from dnaspt.bend.protocol import BendRun, plan_protocol, run_protocol
    from dnaspt.cli.study import plan_of
    from dnaspt.cli.terminal import print_json, show, show_text

    planned = BendRun(protocol, tasks[0], out, root=root, data=data, genome=genome, fold=fold, jobs=jobs).of_each(tasks)
    told = []
    for each, study in [(each, plan_protocol(each, show)) for each in planned]:
        if dry_run:
            told.append(plan_of(protocol, study, as_json=as_json))
            continue
        result = run_protocol(each, study)
        told.append(result.to_dict())
        if not as_json:
            show_text(str(result))
        show(f"{each.out}: study.html, study.md, and the tables as CSV and Parquet written")
    if as_json:
        print_json({"studies": told, "answer": []})


@bend_app.command(cls=Command)
def results(
    context: typer.Context,
    studies: Annotated[
        list[Path] | None, typer.Argument(metavar="STUDY", help="Folders of 'dnaspt bend run', none or several.")
    ] = None,
    out: Annotated[
        Path | None, option("--out", "-o", metavar="FILE", help="CSV file to write, too.", default="none")
    ] = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Print your runs beside the published values.

    Each value has its source, and what to know when comparing.

    Example: dnaspt bend results studies/bend_genes
    """
    import csv

    from dnaspt.atomic import atomic_file
    from dnaspt.bend.results import results as rows_of
    from dnaspt.cli.terminal import print_json, show, table
    from dnaspt.output import refuse_existing

    given(context)
    if out is not None:
        refuse_existing(out, overwrite=overwrite)
    columns = ("task", "metric", "model", "value", "source", "note")
    rows = rows_of(studies or [])
    if as_json:
        print_json({"results": [row._asdict() for row in rows]})
    else:
        table("results", columns, rows)
    if out is not None:
        with atomic_file(out) as unfinished, unfinished.open("w", newline="\n", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows([columns, *rows])
        show(f"{out}: written")


@bend_app.command(cls=Command)
def download(
    task: BendTaskName,
    root: Root = Path("bend"),
    mirror: Annotated[
        str | None, option(metavar="ADDRESS", help="Web address of a copy of BEND's share.", default="sid.erda.dk")
    ] = None,
) -> None:
    """Download the files of a task, and its genome.

    Run it again to go on where it broke off. Checksums are recorded at the first download (ROOT/checksums.json) and compared
    later.

    Example: dnaspt bend download gene_finding --root bend
    """
    from dnaspt.bend.download import download as fetch
    from dnaspt.bend.share import HOST
    from dnaspt.cli.terminal import DownloadProgress, show

    with DownloadProgress() as progress:
        done = fetch(task, root, mirror=mirror or HOST, tell=progress.tell)
    show(f"{root}: {len(done.downloaded)} files downloaded, {len(done.verified)} there already and unchanged")
