"""A study from its settings to its report, and what it would run."""

import csv
import re
import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from dnaspt.data.manifest import read_manifest
from dnaspt.publish import publish_file, publish_folder, write_text_atomically
from dnaspt.report.tables import Table
from dnaspt.study.answer import sentences
from dnaspt.study.cost import Cost, like, measure, minutes, n_steps
from dnaspt.study.execute import distinct, run_study, stage_jobs
from dnaspt.study.page import study_sections, write_study_page
from dnaspt.study.plan import Job, finals, pretrainings, tuning
from dnaspt.study.report import claim_values, difference_values, group_values, markdown, table_csv
from dnaspt.study.run import training_command
from dnaspt.study.settings import check_settings
from dnaspt.study.summary import Difference, differences_of, groups_of, metric_name
from dnaspt.study.workshop import STAGES, Workshop


class Findings(NamedTuple):
    """What a study found: sentences that answer it, the differences between its arms in a metric, and how they were measured."""

    answer: list[str]
    differences: list[Difference]
    metric: str
    how: str


def study_report(shop: Workshop) -> Findings:
    """Run what is missing, write the report into OUT.

    study.html and its figures; the same tables in study.md, and each as CSV and Parquet in study_tables; scores and gains
    as numbers too, as study_scores, study_gains and study_claims.

    Raises:
        DnasptError: a run failed; what is finished stays.
    """
    records = run_study(shop)
    study = shop.study.with_heads(read_manifest(shop.study.data))
    groups, metric = groups_of(records), metric_name(records)
    differences = differences_of(study, groups)
    task = read_manifest(study.data).task
    answer = sentences(groups, differences, metric)
    sections = study_sections(study, records, groups, differences, metric)
    commands = command_lines(shop)
    shop.out.mkdir(parents=True, exist_ok=True)
    write_study_page(shop.out / "study.html", shop.study, answer, sections, commands)
    tables = [table for section in sections for table in (*section.tables, *section.folded)]
    text = markdown(study.title, answer, sections[0].text, tables, commands)
    pictures = [picture for section in sections for picture in section.pictures]
    shown = [f"![{picture.caption}](study_figures/{picture.name}.svg)\n{picture.caption}\n" for picture in pictures]
    write_text_atomically(shop.out / "study.md", "\n".join([text, "## Figures", *shown]))
    for name, rows in (
        ("scores", group_values(groups, metric)),
        ("gains", difference_values(differences)),
        ("claims", claim_values(study, differences, task)),
    ):
        _write_rows(shop.out / f"study_{name}", rows)
    write_tables(shop.out / "study_tables", tables)
    return Findings(answer, differences, metric, sections[0].text)


def write_tables(folder: Path, tables: Sequence[Table]) -> None:
    """Each table as CSV and Parquet, under its title; of two that would have one name the second is numbered."""
    taken: Counter[str] = Counter()
    with publish_folder(folder) as unfinished:
        for table in tables:
            name = re.sub(r"[^a-z0-9]+", "_", table.title.lower()).strip("_")[:80]
            taken[name] += 1
            place = unfinished / (f"{name}_{taken[name]}" if taken[name] > 1 else name)
            with place.with_name(f"{place.name}.csv").open("w", encoding="utf-8", newline="") as file:
                csv.writer(file, lineterminator="\n").writerows([table.columns, *table.rows])
            columns = [pa.array([row[index] for row in table.rows], pa.string()) for index in range(len(table.columns))]
            whole = pa.Table.from_arrays(columns, names=list(table.columns))
            with place.with_name(f"{place.name}.parquet").open("wb") as file:
                pq.write_table(whole, file)


def _write_rows(place: Path, rows: Sequence[dict[str, Any]]) -> None:
    """PLACE.csv and PLACE.parquet."""
    write_text_atomically(place.with_name(f"{place.name}.csv"), table_csv(rows))
    with publish_file(place.with_name(f"{place.name}.parquet")) as unfinished, unfinished.open("wb") as file:
        pq.write_table(pa.Table.from_pylist(rows), file)


def command_lines(shop: Workshop) -> list[str]:
    """What the study ran, or would if it were to begin anew, run by run, with the settings of each."""
    lines = ["# the settings of the study, as study.toml", "dnaspt study study.toml --out ."]
    for stage in STAGES:
        for job in distinct(stage_jobs(shop, stage)):
            words = training_command(shop.study, job, Path())
            settings = "" if "baseline" in job.settings else f"; configs/{job.name}.toml: {job.toml().strip()}"
            lines += [f"# {job.title}{settings}".replace("\n", "; "), shlex.join(["dnaspt", *words])]
            if stage == "final" and settings:
                lines.append(
                    shlex.join(["dnaspt", "evaluate", f"runs/{job.name}", "--data", shop.study.data.as_posix()])
                )
    return lines


def planned(shop: Workshop) -> list[tuple[str, ...]]:
    """The runs of a study, a row each, with what those that are to do would take here; see `cost`.

    Final runs stand for the rate that is still to be chosen.
    """
    study = shop.study
    check_settings(study)
    dataset = read_manifest(study.data)
    jobs: list[Job] = pretrainings(study, dataset)
    for arm in study.arms:
        jobs += tuning(study, dataset, arm)
        known: dict[tuple[int, float], Job] = {}
        for rate in (arm.learning_rate,) if arm.learning_rate else study.learning_rates:
            for job in finals(study, dataset, arm, rate):
                key = (job.settings["seed"], job.settings["label_fraction"])
                if key not in known or shop.record(job):
                    known[key] = job
        jobs += known.values()
    begun_from = {job.encoder for job in jobs if shop.record(job) is None}
    trials = {job.name for job in jobs if job.kind == "tune"}
    costs: dict[tuple[object, ...], Cost] = {}
    rows = []
    for job in jobs:
        kind, done = like(study, job), shop.record(job) is not None
        if job.kind == "pretrain" and job.digest in begun_from:
            done &= shop.has_weights(job)
        trial = job.as_kind("tune")
        is_trial = job.kind == "final" and trial.name in trials  # at the whole budget the best trial is the final run
        is_trial &= shop.has_weights(trial) or shop.record(trial) is None
        told = ("finished", "", "")
        if not done:
            cost = Cost(0.0, 0.0, 0.0)
            if not is_trial and "baseline" not in job.settings:
                if kind not in costs:
                    shop.say(f"measuring a few steps: {job.arm or 'pretraining'}")
                    costs[kind] = measure(study, job)
                cost = costs[kind]
            told = (
                "its best trial" if is_trial else "to do",
                f"{minutes(study, job, cost):.1f}",
                f"{cost.peak_mb:,.0f}",
            )
        rows.append((*_row(shop, job, is_done=done), *told))
    return rows


def _row(shop: Workshop, job: Job, *, is_done: bool) -> tuple[str, ...]:
    given = {arm.name for arm in shop.study.arms if arm.learning_rate or arm.is_baseline}
    is_open = job.kind == "final" and len(shop.study.learning_rates) > 1 and not is_done and job.arm not in given
    return (
        job.kind,
        job.arm,
        str(job.settings["seed"]),
        f"{n_steps(shop.study, job):,}",
        "the best" if is_open else f"{job.settings.get('learning_rate') or ''}",
        f"{job.settings['label_fraction']:.0%}" if "label_fraction" in job.settings else "",
    )
