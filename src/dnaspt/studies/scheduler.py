"""Which runs of a study are to be made, in which order: trials of learning rates, pretrainings before what begins from them."""

import logging
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain

from dnaspt.data.manifest import Manifest, read_manifest
from dnaspt.errors import ConfigError, DnasptError
from dnaspt.models.huggingface import check_huggingface_model
from dnaspt.studies.context import StudyContext
from dnaspt.studies.job import run_job
from dnaspt.studies.launch import in_new_process, stopping_with_this_process
from dnaspt.studies.local_engine import run_locally
from dnaspt.studies.plan import Job, Stage, distinct, finals, joins, pretrainings, tuning
from dnaspt.studies.pool_records import pool_records
from dnaspt.studies.ray_engine import run_on_ray
from dnaspt.studies.records import NO_RESULT, Record, read_records
from dnaspt.studies.settings import Arm, check_settings
from dnaspt.tasks import TASKS
from dnaspt.training.runs import RunResult

log = logging.getLogger(__name__)

Engine = Callable[[StudyContext, Sequence[Job]], None]
_ENGINES: Mapping[str, Engine] = {"local": run_locally, "ray": run_on_ray}


@dataclass(frozen=True, slots=True)
class StudyRuns:
    """The finished runs of a study, of which its report is made.

    Attributes:
        dataset: manifest of the dataset.
        finals: records of the final runs, arm by arm; each has the name that its arm has in this study. Of a study with folds,
            a record holds the runs of all folds (`pool_records`).
        pretrainings: results of the pretrainings, by digest, or by those of all folds.
        trials: scores on valid by which each arm's learning rate was chosen; see `rates_on_valid`.
        of_folds: records of the single folds of which a study with folds has made `finals`.
    """

    dataset: Manifest
    finals: tuple[Record, ...]
    pretrainings: Mapping[str, RunResult]
    trials: Mapping[str, Mapping[float, float]]
    of_folds: tuple[Record, ...] = ()

    def pretraining_of(self, record: Record) -> RunResult | None:
        """Result of the pretraining that a run began from: `NO_RESULT` from scratch, None for a given checkpoint."""
        return self.pretrainings.get(record.job.encoder) if record.job.encoder else NO_RESULT


def checked(context: StudyContext) -> StudyContext:
    """The same with the study as it runs (`check_settings`); once more changes nothing.

    Raises:
        ConfigError: unknown settings. DatasetError: no dataset. CheckpointError: an arm's init is no checkpoint.
    """
    return replace(context, study=check_settings(context.study, context.out))


def finished_part(context: StudyContext) -> tuple[StudyContext, tuple[str, ...]]:
    """The study with those arms and shares of the labels alone whose runs are finished in all folds and seeds.

    Returns:
        The context of that study, and what was left out, in words.

    Raises:
        ConfigError: unknown settings. DnasptError: no arm is finished.
    """
    context = checked(context)
    arms: list[Arm] = []
    left_out: list[str] = []
    for arm in context.study.arms:
        shares = _finished_shares(context, arm)
        if missing := [f"{share:.0%}" for share, is_finished in shares.items() if not is_finished]:
            left_out.append(arm.name if len(shares) == 1 else f"{arm.name} ({', '.join(missing)} of the labels)")
        if finished := tuple(share for share, is_finished in shares.items() if is_finished):
            own = {} if arm.is_baseline else {"label_fractions": finished}
            arms.append(arm.model_copy(update=own))
    names = {arm.name for arm in arms}
    if gone := [arm for arm in arms if not set(arm.members) <= names]:
        left_out += [arm.name for arm in gone]
        arms = [arm for arm in arms if arm not in gone]
    if not arms:
        raise DnasptError(f"{context.records}: no arm is finished in all folds and seeds yet")
    return replace(context, study=context.study.model_copy(update={"arms": tuple(arms)})), tuple(left_out)


def _finished_shares(context: StudyContext, arm: Arm) -> dict[float, bool]:
    """For each share of the labels, whether all runs of an arm are on record."""
    views = context.study.views(read_manifest(context.study.data))
    shares = (1.0,) if arm.is_baseline else arm.label_fractions or context.study.label_fractions
    if any(context.record(job) is None for view in views for job in tuning(context.study, view, arm)):
        return dict.fromkeys(shares, False)
    try:
        if arm.is_ensemble:
            jobs = [job for view in views for job in joins(context.study, view, arm, partial(_finals, context, view))]
        else:
            jobs = [job for view in views for job in _finals(context, view, arm)]
    except DnasptError:  # a rate is not chosen
        return dict.fromkeys(shares, False)
    missing = {job.label_fraction for job in jobs if context.record(job) is None}
    return {share: share not in missing for share in shares}


def run_study(context: StudyContext) -> StudyRuns:
    """Train and score what is missing of a study.

    Raises:
        ConfigError: unknown settings. DatasetError: no dataset. DnasptError: a run failed; what is finished stays.
    """
    context = checked(context)
    _warn_of_other_data(context)
    _run_missing(context, stage_jobs(context, "tune"))
    wanted = stage_jobs(context, "final")
    _run_missing(context, sorted(wanted, key=lambda job: -job.label_fraction))
    if joined := stage_jobs(context, "join"):
        wanted += joined
        _run_missing(context, wanted)
    arms = [arm.name for arm in context.study.arms]
    wanted.sort(key=lambda job: arms.index(job.arm))
    dataset = read_manifest(context.study.data)
    finals = [context.finished_record(job).with_arm(job.arm) for job in wanted]
    pretrained = {job.digest: context.finished_record(job).result for job in stage_jobs(context, "pretrain")}
    finals = [_with_cost_of_members(record, finals, pretrained) for record in finals]
    of_folds = tuple(finals) if context.study.folds is not None else ()
    if of_folds:
        finals, pretrained = pool_records(finals, pretrained, dataset.digest)
    return StudyRuns(dataset, tuple(finals), pretrained, rates_on_valid(context), of_folds)


def _with_cost_of_members(record: Record, finals: Sequence[Record], pretrained: Mapping[str, RunResult]) -> Record:
    """The record of an ensemble with the steps, bases and minutes of all runs that it joins, and of their pretraining."""
    if not record.job.members:
        return record
    members = [own for own in {own.job.name: own for own in finals}.values() if own.job.name in record.job.members]
    begun = [pretrained[digest] for digest in {own.job.encoder for own in members} if digest in pretrained]
    costs = [*(own.result for own in members), *begun]
    n_bp, steps = sum(own.n_bp for own in costs), sum(own.steps for own in costs)
    minutes = record.result.minutes + sum(own.minutes for own in costs)
    return replace(record, result=replace(record.result, n_bp=n_bp, steps=steps, minutes=minutes))


def run_stage(context: StudyContext, stage: Stage) -> None:
    """Make all runs of a stage, and the pretrainings that they begin from.

    Raises:
        ConfigError: unknown settings. DnasptError: a run failed, or a stage before is not done.
    """
    context = checked(context)
    _warn_of_other_data(context)
    _run_missing(context, stage_jobs(context, stage))


def run_task(context: StudyContext, stage: Stage, number: int) -> None:
    """Make one run of a stage whose earlier stages are done (one SLURM array task).

    Raises:
        ConfigError: unknown settings, or a stage without that run. DnasptError: it failed.
    """
    context = checked(context)
    _warn_of_other_data(context)
    jobs = distinct(stage_jobs(context, stage))
    if not 0 <= number < len(jobs):
        raise ConfigError(f"task {number}: stage {stage} has {len(jobs)} runs, counted from 0")
    job = jobs[number]
    if stage == "pretrain" and context.record(job) is not None and not _is_needed(context, job):
        context.say(f"{job.name}: all runs that begin from it are finished")
        return
    if stage == "final":
        ensembles = [own for own in stage_jobs(context, "join") if context.record(own) is None]
        context = replace(context, needs_weights=frozenset(name for own in ensembles for name in own.members))
    with stopping_with_this_process():
        run_job(context, job, in_new_process)


def _is_needed(context: StudyContext, pretraining: Job) -> bool:
    """Whether a run that begins from a pretraining is, or may be, still to do."""
    jobs = stage_jobs(context, "tune")
    if any(context.record(job) is None for job in jobs):
        return True  # rates are not chosen, and final runs not known
    jobs += stage_jobs(context, "final")
    return any(context.record(job) is None for job in jobs if job.encoder == pretraining.digest)


def stage_jobs(context: StudyContext, stage: Stage) -> list[Job]:
    """The runs of a stage, arm by arm; the final ones are known once the rates are chosen.

    Raises:
        DnasptError: they are not chosen yet.
    """
    study, dataset = context.study, read_manifest(context.study.data)
    views = study.views(dataset)
    if stage == "pretrain":
        return [job for view in views for job in pretrainings(study, view)]
    if stage == "tune":
        return [job for arm in study.arms for view in views for job in tuning(study, view, arm)]
    if stage == "join":
        joined = [arm for arm in study.arms if arm.is_ensemble]
        return [
            job for arm in joined for view in views for job in joins(study, view, arm, partial(_finals, context, view))
        ]
    return [job for arm in study.arms for view in views for job in _finals(context, view, arm)]


def _finals(context: StudyContext, dataset: Manifest, arm: Arm) -> list[Job]:
    """Final runs of an arm on a fold, with the learning rate that is best on valid."""
    return finals(context.study, dataset, arm, _chosen_rate(context, dataset, arm))


def n_jobs(context: StudyContext, stage: Stage) -> int:
    """How many distinct runs a stage has, before anything is run."""
    if stage not in ("final", "join"):
        return len(distinct(stage_jobs(context, stage)))
    study, dataset = context.study, read_manifest(context.study.data)

    def any_finals(view: Manifest, arm: Arm) -> list[Job]:
        return finals(study, view, arm, arm.learning_rate or study.learning_rates[0])

    views = study.views(dataset)
    if stage == "join":
        joined = [arm for arm in study.arms if arm.is_ensemble]
        jobs = [joins(study, view, arm, partial(any_finals, view)) for view in views for arm in joined]
        return len(distinct(chain.from_iterable(jobs)))
    return len(distinct(job for arm in study.arms for view in views for job in any_finals(view, arm)))


def rates_on_valid(context: StudyContext) -> dict[str, dict[float, float]]:
    """Score on valid of each learning rate, by arm: -inf where it diverged or has none; empty where the rate was given.

    Of a study with folds, each fold has its own, under the name of the arm and the fold.

    Raises:
        DnasptError: a trial is not finished.
    """
    views = context.study.views(read_manifest(context.study.data))
    return {
        f"{arm.name}, fold {view.fold}" if view.fold else arm.name: _trials(context, view, arm)
        for arm in context.study.arms
        for view in views
    }


def _trials(context: StudyContext, dataset: Manifest, arm: Arm) -> dict[float, float]:
    """Score on valid of each learning rate of an arm."""
    scores = {}
    for job in tuning(context.study, dataset, arm):
        metric = TASKS[dataset.task].chosen_by(job.settings.get("choose_by", "auto"))
        score = context.finished_record(job).result.scores.get(metric, math.nan)
        scores[job.learning_rate] = -math.inf if math.isnan(score) else score
    return scores


def _chosen_rate(context: StudyContext, dataset: Manifest, arm: Arm) -> float:
    """The learning rate with the best score on valid, or the given one.

    Raises:
        DnasptError: none has a score.
    """
    scores = _trials(context, dataset, arm)
    if not scores:
        return arm.learning_rate or context.study.learning_rates[0]
    best = max(scores, key=lambda rate: scores[rate])
    if scores[best] == -math.inf:
        raise DnasptError(f"arm {arm.name!r}: no learning rate of {', '.join(map(str, scores))} has a score on valid")
    return best


def _warn_of_other_data(context: StudyContext) -> None:
    """Warn where all records are of other data than these, before everything is trained again."""
    known = {record.job.data_digest for record in read_records(context.records)}
    views = context.study.views(read_manifest(context.study.data))
    if known and not any(view.digest in known for view in views):
        log.warning(
            "%s: all records are of other data than %s, so every run is made again; it was prepared in another way, or "
            "written by another version of pyarrow",
            context.records,
            context.study.data,
        )


def _run_missing(context: StudyContext, jobs: Iterable[Job]) -> None:
    """Make the runs that have no record, equal ones once: pretrainings first, those that begin from one last."""
    wanted = distinct(jobs)
    missing = [job for job in wanted if context.record(job) is None]
    joined = {name for job in missing for name in job.members}
    context = replace(context, needs_weights=frozenset(joined))
    if joined:
        members = [job for job in stage_jobs(context, "final") if job.name in joined]
        unfinished = [job for job in distinct(members) if job not in wanted and context.record(job) is None]
        if unfinished:
            raise DnasptError(
                f"{unfinished[0].name}: is not finished, and an ensemble joins it; run the stage final first"
            )
        missing = [job for job in distinct(members) if not context.has_weights(job) and job not in missing] + missing
    needed = {job.encoder for job in missing}
    begun = [job for job in stage_jobs(context, "pretrain") if job.digest in needed]
    later = {job.digest for job in begun}
    frozen = [job.settings for job in missing if "embeddings" in job.settings]
    for path, revision in {(settings["embeddings"], settings.get("revision", "")) for settings in frozen}:
        check_huggingface_model(path, revision)
    if missing:
        runs = [job for job in missing if not job.members]
        ensembles = [job for job in missing if job.members]
        for group in ([*begun, *sorted(runs, key=lambda job: job.encoder in later)], ensembles):
            if group:
                _ENGINES[context.engine](context, group)
