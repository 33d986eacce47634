"""What a study would run: its commands, and the time and memory that they would take here."""

import shlex
from pathlib import Path

from dnaspt.data.manifest import read_manifest
from dnaspt.studies.context import STAGES, Workshop
from dnaspt.studies.cost import Cost, like, measure, minutes, n_steps
from dnaspt.studies.job import training_command
from dnaspt.studies.plan import Job, finals, pretrainings, tuning
from dnaspt.studies.scheduler import distinct, stage_jobs
from dnaspt.studies.settings import check_settings


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
