"""The command `dnaspt study`."""

import logging
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from dnaspt.cli.options import Offline, TrustCode, option
from dnaspt.policy import allow

if TYPE_CHECKING:
    from dnaspt.studies.context import Workshop

log = logging.getLogger(__name__)


def study(
    config: Annotated[
        Path, typer.Argument(help="TOML file: the dataset or several, arms, seeds, label fractions, budgets.")
    ],
    out: Annotated[Path, option("--out", "-o", help="Folder of the runs, their records and the report.")],
    data: Annotated[
        Path | None, option(help="Of several datasets this one alone; or another one than the file names.")
    ] = None,
    records: Annotated[Path | None, option(help="Folder of the records of finished runs [OUT/records].")] = None,
    jobs: Annotated[int, option(min=1, help="Runs at a time; they share the cores.")] = 1,
    dry_run: Annotated[bool, option("--dry-run", help="Say what would be run, and what it would take here.")] = False,
    engine: Annotated[
        Literal["local", "ray", "slurm"],
        option(help="ray: workers of $RAY_ADDRESS, or of this machine. slurm: writes submit.sh, job arrays."),
    ] = "local",
    sbatch: Annotated[str, option(help="Options of sbatch, as one text.")] = "",
    stage: Annotated[
        Literal["pretrain", "tune", "final"] | None,
        option(help="These runs only, and what they begin from. tune: learning rates on valid; test is not read."),
    ] = None,
    task: Annotated[int | None, option(help="With --stage: its run, from 0.")] = None,
    trust_remote_code: TrustCode = False,
    offline: Offline = False,
) -> None:
    """Compare arms over seeds: does self-pretraining, the CRF, or training longer help on these data?

    Each arm's learning rate is chosen on valid. Run it again to go on: finished runs are skipped.

    Example: dnaspt study study.toml --out studies/genes
    """
    allow(trust_remote_code=trust_remote_code, offline=offline)
    from dnaspt.cli.terminal import show
    from dnaspt.errors import ConfigError
    from dnaspt.reports.study_overview import write_overview
    from dnaspt.reports.study_report import Findings, study_report
    from dnaspt.studies.context import Workshop
    from dnaspt.studies.scheduler import run_stage, run_task
    from dnaspt.studies.settings import check_settings, read_studies
    from dnaspt.studies.slurm_engine import write_submission

    studies = read_studies(config, data)
    if task is not None and (stage is None or len(studies) > 1):
        raise ConfigError(
            f"--task is a run of a {'stage; say --stage' if stage is None else 'dataset; say --data'} too"
        )
    if stage is not None and engine == "slurm":
        raise ConfigError("--stage has no effect on --engine slurm, which writes all stages; leave it out")
    idle = {
        "sbatch": bool(sbatch) and engine != "slurm",
        "jobs": jobs > 1 and (engine == "slurm" or task is not None),
        "engine": engine != "local" and task is not None,
    }
    for name in (name for name, is_idle in idle.items() if is_idle):
        log.warning("--%s has no effect here", name)
    for one in studies.values():
        check_settings(one)
    places = ["--out", os.path.abspath(out), *(["--records", os.path.abspath(records)] if records else [])]
    flags = [name for name, is_on in {"--trust-remote-code": trust_remote_code, "--offline": offline}.items() if is_on]
    found: dict[str, Findings] = {}
    for name, one in studies.items():
        kept = out / name / "records" if records is None else records / name
        shop = Workshop(one, out / name, kept, jobs, "ray" if engine == "ray" else "local", show)
        if len(studies) > 1:
            show(f"{one.data}:")
        if dry_run:
            show_plan(config, shop)
        elif engine == "slurm":
            own = ["--data", os.path.abspath(one.data)] if name or data else []
            words = [os.path.abspath(config), *places, *own, *flags]
            show(f"{write_submission(shop, words, sbatch)}: written; run it where sbatch is")
        elif stage is not None and task is not None:
            run_task(shop, stage, task)
        elif stage is not None:
            run_stage(shop, stage)
            if stage == "tune":
                show_rates(shop)
        else:
            found[one.name] = study_report(shop)
            show(" ".join(found[one.name].answer))
            show(f"{shop.out}: study.html, study.md, and the tables as CSV and Parquet written")
    if len(studies) > 1 and engine == "slurm" and not dry_run:
        show("When all are done, the same command without --engine writes the page over all datasets")
    if len(found) > 1:
        command = shlex.join(["dnaspt", "study", os.path.abspath(config), *places, *flags])
        show(" ".join(write_overview(out, found, command)))
        show(f"{out}: study.html and study.md written, all datasets side by side")


def show_rates(shop: "Workshop") -> None:
    """Print the scores on valid of each arm's learning rates."""
    from dnaspt.cli.terminal import show, table
    from dnaspt.reports.study_tables import rate_table
    from dnaspt.studies.scheduler import rates_on_valid

    if found := rate_table(rates_on_valid(shop), shop.study.tuning_share):
        table(found.title, found.columns, found.rows)
        show(found.note)


def show_plan(config: Path, shop: "Workshop") -> None:
    """Print what a study would run here."""
    from dnaspt.cli.terminal import show, table
    from dnaspt.studies.dry_run import planned

    rows = planned(shop)
    columns = ("run", "arm", "seed", "steps", "learning rate", "labels", "state", "minutes", "MB")
    table(f"{config}: runs on {shop.study.data}", columns, rows)
    show(f"{len(rows)} runs; to do, one after another: {sum(float(row[7] or 0) for row in rows):.0f} minutes")
