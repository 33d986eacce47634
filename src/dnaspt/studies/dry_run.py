"""What a study would run: its runs with the time, memory and disk that they would take here, and its commands."""

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, Literal

from dnaspt.data.manifest import read_manifest
from dnaspt.studies.context import StudyContext
from dnaspt.studies.cost import Cost, cost_key, measure, minutes_of, steps_of
from dnaspt.studies.job import encoder_of, toml_of
from dnaspt.studies.plan import STAGES, Job, distinct, finals, joins, pretraining_paths, pretrainings, tuning
from dnaspt.studies.scheduler import stage_jobs
from dnaspt.studies.settings import Arm, check_settings

State = Literal["finished", "its best trial", "to do"]


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """A run that a study needs, and what it would take here.

    Attributes:
        job: the run; where its learning rate is still to be chosen, one of those it may have.
        is_rate_open: whether its learning rate is still to be chosen.
        state: finished; "its best trial" where a trial at the whole budget will be taken over; or to do.
        steps: optimizer steps.
        minutes: training time here; 0 for what is not to be trained.
        peak_mb: memory of the process at its peak.
        disk_mb: size of the run folder, about.
    """

    job: Job
    is_rate_open: bool
    state: State
    steps: int
    minutes: float = 0.0
    peak_mb: float = 0.0
    disk_mb: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """For JSON: the run, its state and its cost."""
        return {
            "name": self.job.name,
            "stage": self.job.kind,
            "arm": self.job.arm,
            "seed": self.job.seed,
            "fold": self.job.fold or None,
            "label_fraction": self.job.label_fraction,
            "learning_rate": None if self.is_rate_open else self.job.learning_rate or None,
            "state": self.state,
            "steps": self.steps,
            "minutes": self.minutes,
            "peak_mb": self.peak_mb,
            "disk_mb": self.disk_mb,
        }


PLAN_COLUMNS = ("arm", "stage", "labels", "rate", "to do", "minutes", "memory MB", "disk MB")
_STAGE_NAMES: Mapping[str, str] = {"pretrain": "pretraining", "tune": "trials", "final": "final"}


def plan_rows(runs: Sequence[PlannedRun]) -> list[tuple[str, ...]]:
    """A row for the runs of each arm, stage and share of the labels; see `PLAN_COLUMNS`.

    Minutes and disk are sums over what is to do, memory is that of the largest run.
    """
    groups: dict[tuple[str, str, str], list[PlannedRun]] = {}
    for run in runs:
        is_pretraining = run.job.kind == "pretrain"
        labels = "none" if is_pretraining else f"{run.job.label_fraction:.0%}"
        groups.setdefault((run.job.arm or "shared", _STAGE_NAMES[run.job.kind], labels), []).append(run)
    rows = []
    for key, own in groups.items():
        rates = sorted({run.job.learning_rate for run in own if run.job.learning_rate})
        rate = "the best" if own[0].is_rate_open else ", ".join(f"{rate:g}" for rate in rates) or "-"
        to_do = [run for run in own if run.state == "to do"]
        cost = ["-"] * 3
        if any(run.steps or run.minutes for run in to_do):
            cost = [f"{sum(run.minutes for run in to_do):,.1f}", f"{max(run.peak_mb for run in to_do):,.0f}"]
            cost.append(f"{sum(run.disk_mb for run in to_do):,.1f}")
        rows.append((*key, rate, f"{len(to_do):,} of {len(own):,}", *cost))
    return rows


def plan_sentence(runs: Sequence[PlannedRun]) -> str:
    """What all runs of a plan take together."""
    to_do = [run for run in runs if run.state == "to do"]
    taken_over = sum(run.state == "its best trial" for run in runs)
    said = f"{len(runs):,} run{'s' * (len(runs) != 1)}, {len(to_do):,} to do"
    said += f", {taken_over:,} taken over from a trial." if taken_over else "."
    if to_do:
        minutes, longest = sum(run.minutes for run in to_do), max(run.minutes for run in to_do)
        said += f" One after another: {minutes:,.0f} minutes (the longest {longest:,.0f}), "
        said += f"{sum(run.disk_mb for run in to_do):,.0f} MB of disk."
    return f"{said} Scoring test is not counted."


def plan_runs(context: StudyContext) -> list[PlannedRun]:
    """The runs of a study, with the time and memory of those still to do. To measure them, a few steps of each kind are trained.

    A final run whose learning rate is still open is planned with one of the rates.

    Raises:
        ConfigError: unknown settings. DatasetError: no dataset.
    """
    check_settings(context.study, context.out)
    jobs = _possible_jobs(context)
    needed = {job.encoder for job in jobs if context.record(job) is None}
    trials = {job.name for job in jobs if job.kind == "tune"}
    measured: dict[tuple[object, ...], Cost] = {}
    return [_plan_run(context, job, needed, trials, measured) for job in jobs]


def _possible_jobs(context: StudyContext) -> list[Job]:
    """All runs by arm; a final run with an open learning rate appears once."""
    study, dataset = context.study, read_manifest(context.study.data)
    views = study.views(dataset)
    jobs = [job for view in views for job in pretrainings(study, view)]
    for arm in study.arms:
        jobs += [job for view in views for job in tuning(study, view, arm)]
        known: dict[tuple[int, float, int], Job] = {}
        for rate in (arm.learning_rate,) if arm.learning_rate else study.learning_rates:
            for job in (job for view in views for job in finals(study, view, arm, rate)):
                key = (job.seed, job.label_fraction, job.fold)
                if key not in known or context.record(job):
                    known[key] = job
        jobs += known.values()
    known_finals = [job for job in jobs if job.kind == "final"]

    def finals_of(fold: int, arm: Arm) -> list[Job]:
        return [job for job in known_finals if (job.arm, job.fold) == (arm.name, fold)]

    for arm, view in product((arm for arm in study.arms if arm.is_ensemble), views):
        jobs += joins(study, view, arm, partial(finals_of, view.fold))
    return jobs


def _plan_run(
    context: StudyContext, job: Job, needed: set[str], trials: set[str], measured: dict[tuple[object, ...], Cost]
) -> PlannedRun:
    """Time and memory of one run.

    Args:
        context: the study.
        job: the run.
        needed: encoders that runs to do begin from.
        trials: names of the trials.
        measured: costs by `cost_key`; what is measured is added.
    """
    study = context.study
    is_done = context.record(job) is not None
    if job.kind == "pretrain" and job.digest in needed:
        is_done &= context.has_weights(job)
    is_given = (
        job.baseline
        or job.members
        or job.is_gene_model
        or next((arm.learning_rate for arm in study.arms if arm.name == job.arm), None)
    )
    is_open = job.kind == "final" and len(study.learning_rates) > 1 and not is_done and not is_given
    steps = steps_of(study, job)
    if is_done:
        return PlannedRun(job, is_open, "finished", steps)
    trial = job.as_kind("tune")  # at the whole budget the best trial is the final run
    is_trial = job.kind == "final" and trial.name in trials
    if is_trial and (context.has_weights(trial) or context.record(trial) is None):
        return PlannedRun(job, is_open, "its best trial", steps)
    if job.baseline or job.members:
        return PlannedRun(job, is_open, "to do", steps)
    key = cost_key(study, job)
    if key not in measured:
        context.say(f"measuring a few steps: {job.arm or 'pretraining'}")
        measured[key] = measure(study, job)
    cost = measured[key]
    return PlannedRun(job, is_open, "to do", steps, minutes_of(study, job, steps, cost), cost.peak_mb, cost.disk_mb)


def command_lines(context: StudyContext) -> list[str]:
    """Commands that make the study anew, for a report: the study's own, then those of each run with its settings."""
    lines = ["# the settings of the study, as study.toml", "dnaspt study study.toml --out ."]
    for stage in STAGES:
        for job in distinct(stage_jobs(context, stage)):
            settings = (
                "" if job.baseline or job.members else f"; configs/{job.name}.toml: {toml_of(context, job).strip()}"
            )
            lines += [f"# {job.title}{settings}".replace("\n", "; "), _training_line(context, job)]
            if job.kind == "final" and not job.baseline:
                data = context.study.data.as_posix()
                lines.append(shlex.join(["dnaspt", "evaluate", f"runs/{job.name}", "--data", data, *_fold_option(job)]))
    return lines


def _fold_option(job: Job) -> list[str]:
    """The option that names the fold of a run; none where the splits are fixed."""
    return ["--fold", str(job.fold)] if job.fold else []


def _training_line(context: StudyContext, job: Job) -> str:
    """The command that makes a run by hand, in the study's folder."""
    run, config = (_in_folder(context, path) for path in (context.run_folder(job), context.config_file(job)))
    if job.kind == "pretrain":
        paths = pretraining_paths(context.study, job)
        options = [
            word
            for option, given in (("--more-data", paths.more_data), ("--held-out", paths.held_out))
            for path in given
            for word in (option, path.as_posix())
        ]
        return shlex.join(["dnaspt", "pretrain", paths.data.as_posix(), "--out", run, "--config", config, *options])
    data = context.study.data.as_posix()
    if job.baseline:
        model, _, species = job.baseline.partition(":")
        which = ["--species", species] if species else ["--model", model]
        return shlex.join(["dnaspt", "baseline", data, *which, *_fold_option(job), "--out", run])
    if job.members:
        members = [_in_folder(context, context.out / "runs" / name) for name in job.members]
        words = [*_fold_option(job), *(["--composition"] if job.settings.get("composition") else [])]
        return shlex.join(["dnaspt", "ensemble", *members, "--data", data, *words, "--out", run])
    begin: list[str] = []
    if encoder := encoder_of(context, job):
        is_ours = encoder.name == f"pretrain-{job.encoder}"
        begin = ["--encoder", _in_folder(context, encoder) if is_ours else encoder.as_posix()]
    return shlex.join(["dnaspt", "finetune", data, "--out", run, "--config", config, *begin])


def _in_folder(context: StudyContext, path: Path) -> str:
    """A path of a run as seen from the study's folder."""
    return Path(os.path.relpath(path, context.out)).as_posix()
