"""The command `dnaspt study`."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from dnaspt.cli.options import Offline, TrustCode, option
from dnaspt.policy import allow

if TYPE_CHECKING:
    from dnaspt.studies.context import StudyContext

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
    from dnaspt.reports.study_report import StudyResult, study_report
    from dnaspt.studies.context import StudyContext
    from dnaspt.studies.scheduler import run_stage, run_task
    from dnaspt.studies.settings import check_settings, read_studies
    from dnaspt.studies.slurm_engine import study_command, write_submission

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
    results: dict[str, StudyResult] = {}
    for name, one in studies.items():
        kept = out / name / "records" if records is None else records / name
        context = StudyContext(one, out / name, kept, jobs, "ray" if engine == "ray" else "local", show)
        if len(studies) > 1:
            show(f"{one.data}:")
        if dry_run:
            show_plan(config, context)
        elif engine == "slurm":
            command = study_command(config, out, records=records, data=one.data if name or data else None)
            show(f"{write_submission(context, command, sbatch)}: written; run it where sbatch is")
        elif stage is not None and task is not None:
            run_task(context, stage, task)
        elif stage is not None:
            run_stage(context, stage)
            if stage == "tune":
                show_rates(context)
        else:
            results[one.name] = study_report(context)
            show(str(results[one.name]))
            show(f"{context.out}: study.html, study.md, and the tables as CSV and Parquet written")
    if len(studies) > 1 and engine == "slurm" and not dry_run:
        show("When all are done, the same command without --engine writes the page over all datasets")
    if len(results) > 1:
        show(" ".join(write_overview(out, results, study_command(config, out, records=records))))
        show(f"{out}: study.html and study.md written, all datasets side by side")


def show_rates(context: "StudyContext") -> None:
    """Print the scores on valid of each arm's learning rates."""
    from dnaspt.cli.terminal import show, table
    from dnaspt.reports.study_tables import rate_table
    from dnaspt.studies.scheduler import rates_on_valid

    if found := rate_table(rates_on_valid(context), context.study.tuning_share):
        table(found.title, found.columns, found.rows)
        show(found.note)


def show_plan(config: Path, context: "StudyContext") -> None:
    """Print what a study would run here."""
    from dnaspt.cli.terminal import show, table
    from dnaspt.studies.dry_run import PLAN_COLUMNS, plan_runs

    runs = plan_runs(context)
    table(f"{config}: runs on {context.study.data}", PLAN_COLUMNS, [run.row() for run in runs])
    show(f"{len(runs)} runs; to do, one after another: {sum(run.minutes for run in runs):.0f} minutes")
