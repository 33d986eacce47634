"""The command `dnaspt study`."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from dnaspt.cli.options import Json, Offline, TrustCode, given, option
from dnaspt.errors import ConfigError

if TYPE_CHECKING:
    from dnaspt.studies.context import StudyContext

log = logging.getLogger(__name__)


def study(
    context: typer.Context,
    config: Annotated[
        Path,
        typer.Argument(
            metavar="STUDY", help="TOML file: one or several datasets, arms, seeds, label fractions (docs/settings.md)."
        ),
    ],
    out: Annotated[
        Path, option("--out", "-o", metavar="FOLDER", help="Folder of the runs, their records and the report.")
    ],
    data: Annotated[
        Path | None,
        option(metavar="DATA", help="One of several datasets, or another than the file names.", default="as in STUDY"),
    ] = None,
    records: Annotated[
        Path | None, option(metavar="FOLDER", help="Folder of the records of finished runs.", default="OUT/records")
    ] = None,
    jobs: Annotated[int, option(metavar="N", min=1, help="Runs at a time; they share the cores.")] = 1,
    dry_run: Annotated[
        bool, option("--dry-run", help="Say what would run, and what it would take here.", default="run it")
    ] = False,
    report_only: Annotated[
        bool,
        option(
            "--report-only",
            help="Train nothing: report what is finished in all folds and seeds, and name the rest.",
            default="off",
        ),
    ] = False,
    engine: Annotated[
        Literal["local", "ray", "slurm"],
        option(help="ray: workers of $RAY_ADDRESS, or of this machine. slurm: writes submit.sh, job arrays."),
    ] = "local",
    sbatch: Annotated[
        str,
        option(
            metavar="OPTIONS",
            help="Options of sbatch as one text, blanks in quotes (--engine slurm).",
            default="none",
        ),
    ] = "",
    stage: Annotated[
        Literal["pretrain", "tune", "final", "join"] | None,
        option(
            help="These runs only, and what they begin from. tune: learning rates on valid; test is not read.",
            default="all",
        ),
    ] = None,
    task: Annotated[
        int | None, option(metavar="N", help="With --stage: its run of this number, from 0.", default="all")
    ] = None,
    trust_remote_code: TrustCode = False,
    offline: Offline = False,
    as_json: Json = False,
) -> None:
    """Does self-pretraining help? Compare ways to a model.

    The ways are the arms of the study: from scratch, self-pretrained, with a CRF, trained for longer, and so on. Each arm's
    learning rate is chosen on valid. Run it again to go on: finished runs are skipped.

    Example: dnaspt study study.toml --out studies/genes
    """
    given(context)
    from dnaspt.studies.settings import check_settings, read_studies

    studies = read_studies(config, data)
    if task is not None and (stage is None or len(studies) > 1):
        raise ConfigError(
            f"--task is a run of a {'stage; say --stage' if stage is None else 'dataset; say --data'} too"
        )
    if stage is not None and engine == "slurm":
        raise ConfigError("--stage has no effect on --engine slurm, which writes all stages; leave it out")
    if report_only and (stage is not None or dry_run or engine == "slurm"):
        raise ConfigError("--report-only runs nothing; leave out --stage, --dry-run and --engine slurm")
    _warn_of_no_effect(
        sbatch=bool(sbatch) and engine != "slurm",
        jobs=jobs > 1 and (engine == "slurm" or task is not None),
        engine=engine != "local" and task is not None,
    )
    studies = {name: check_settings(own, out / name, report_only=report_only) for name, own in studies.items()}

    from dnaspt.cli.terminal import print_json, show, show_text  # from here on with PyTorch: a mistake is told before
    from dnaspt.reports.study_overview import write_overview
    from dnaspt.reports.study_report import StudyResult, study_report
    from dnaspt.studies.context import SharedPretraining, StudyContext
    from dnaspt.studies.scheduler import run_stage, run_task
    from dnaspt.studies.slurm_engine import study_command, write_submission

    results: dict[str, StudyResult] = {}
    told: list[dict[str, Any]] = []
    for name, settings in studies.items():
        folder = out / name
        kept = folder / "records" if records is None else records / name
        shared = SharedPretraining.of(settings, out, records) if name else None
        here = StudyContext(settings, folder, kept, jobs, "ray" if engine == "ray" else "local", show, shared)
        if len(studies) > 1:
            show(f"{settings.data}:")
        if dry_run:
            told.append(plan_of(config, here, as_json=as_json))
        elif engine == "slurm":
            command = study_command(config, out, records=records, data=settings.data if name or data else None)
            show(f"{write_submission(here, command, sbatch)}: written; run it where sbatch is")
        elif stage is not None and task is not None:
            run_task(here, stage, task)
        elif stage is not None:
            run_stage(here, stage)
            if stage == "tune":
                told.append(rates_of(here, as_json=as_json))
        else:
            results[settings.name] = study_report(here, report_only=report_only)
            told.append(results[settings.name].to_dict())
            if not as_json:
                show_text(str(results[settings.name]))
            show(f"{folder}: study.html, study.md, and the tables as CSV and Parquet written")
    if len(studies) > 1 and engine == "slurm" and not dry_run:
        show("When all are done, the same command without --engine writes the page over all datasets")
    answer: list[str] = []
    if len(results) > 1:
        answer = write_overview(out, results, study_command(config, out, records=records))
        if not as_json:
            show_text(" ".join(answer))
        show(f"{out}: study.html and study.md written, all datasets side by side")
    if as_json:
        print_json({"studies": told, "answer": answer})


def _warn_of_no_effect(**is_idle: bool) -> None:
    """Warn of options that were given, and that have no effect beside the others."""
    for name in (name for name, idle in is_idle.items() if idle):
        log.warning("--%s has no effect here", name)


def rates_of(context: "StudyContext", *, as_json: bool) -> dict[str, Any]:
    """The scores on valid of each arm's learning rates; they are printed where no JSON is asked for."""
    from dnaspt.cli.terminal import show_tables
    from dnaspt.reports.study_tables import rate_table
    from dnaspt.studies.scheduler import rates_on_valid

    tried = rates_on_valid(context)
    if not as_json and (found := rate_table(tried, context.study.tuning_share)):
        show_tables([found])
    rates = [
        {"arm": arm, "learning_rate": rate, "valid": score}
        for arm, scores in tried.items()
        for rate, score in scores.items()
    ]
    return {"data": context.study.data, "path": context.out, "rates": rates}


def plan_of(config: Path, context: "StudyContext", *, as_json: bool) -> dict[str, Any]:
    """What a study would run here; it is printed where no JSON is asked for."""
    from dnaspt.cli.terminal import show_text, table
    from dnaspt.studies.dry_run import PLAN_COLUMNS, plan_rows, plan_runs, plan_sentence

    runs = plan_runs(context)
    if not as_json:
        table(f"{config}: runs on {context.study.data}", PLAN_COLUMNS, plan_rows(runs))
        show_text(plan_sentence(runs))
    return {"data": context.study.data, "path": context.out, "runs": [run.to_dict() for run in runs]}
