"""The commands `dnaspt bend ...`: BEND's files and results."""

from pathlib import Path
from typing import Annotated

import typer

bend_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="BEND: its files and its published numbers.")


@bend_app.command()
def download(
    task: Annotated[str, typer.Argument(help="gene_finding, chromatin_accessibility, histone_modification, ...")],
    root: Annotated[Path, typer.Option("--root", help="Folder with the layout of BEND's share.")] = Path("bend"),
    mirror: Annotated[str | None, typer.Option(help="Address of a copy of the share, instead of sid.erda.dk.")] = None,
) -> None:
    """Download a task's files and its genome; run it again to go on where it broke off.

    Checksums are recorded at the first download (ROOT/checksums.json) and compared later.

    Example: dnaspt bend download gene_finding --root bend
    """
    from dnaspt.bend.download import download as fetch
    from dnaspt.bend.share import HOST
    from dnaspt.display import DownloadProgress, show

    with DownloadProgress() as progress:
        done = fetch(task, root, mirror=mirror or HOST, tell=progress.tell)
    show(f"{root}: {len(done.downloaded)} files downloaded, {len(done.verified)} there already and unchanged")
