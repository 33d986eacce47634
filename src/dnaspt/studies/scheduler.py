"""Runs of a study, side by side: finished ones are skipped, broken-off ones go on."""

import logging
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed

from dnaspt.config import PretrainConfig
from dnaspt.data.manifest import UNLABELED, Manifest, read_manifest
from dnaspt.errors import ConfigError, DnasptError
from dnaspt.models.huggingface import check_huggingface_model
from dnaspt.studies.context import Record, Stage, Workshop, read_record
from dnaspt.studies.job import run_job
from dnaspt.studies.plan import Job, finals, pretrain_bp, pretrainings, tuning
from dnaspt.studies.ray_engine import run_on_ray
from dnaspt.studies.settings import Arm, StudyConfig, check_settings
from dnaspt.studies.worker import in_new_process, stopping_with_this_process
from dnaspt.tasks import TASKS

log = logging.getLogger(__name__)


def run_study(shop: Workshop) -> list[Record]:
    """Train and score what is missing; the records of all final runs.

    Each has, beside what `run_job` wrote, its arm as this study calls it, the result of its pretraining, the dataset's
    labels, and the scores on valid that chose its rate.

    Raises:
        ConfigError: settings that no run has. DatasetError: no dataset. DnasptError: a run failed; what is finished stays.
    """
    check_settings(shop.study)
    _tell_of_other_data(shop)
    _run_all(shop, stage_jobs(shop, "tune"))
    wanted = stage_jobs(shop, "final")
    _run_all(shop, sorted(wanted, key=lambda job: -job.settings["label_fraction"]))
    began = {job.digest: shop.finished(job)["result"] for job in stage_jobs(shop, "pretrain")}
    dataset = read_manifest(shop.study.data)
    tried = rates_on_valid(shop)
    more = (
        {"arm": job.arm, "pretraining": began.get(job.encoder), "labels": dataset.labels, "trials": tried[job.arm]}
        for job in wanted
    )
    return [shop.finished(job) | extra for job, extra in zip(wanted, more, strict=True)]


def run_stage(shop: Workshop, stage: Stage) -> None:
    """All runs of a stage, and the pretrainings that they begin from.

    Raises:
        ConfigError: settings that no run has. DnasptError: a run failed, or a stage before is not done.
    """
    check_settings(shop.study)
    _tell_of_other_data(shop)
    _run_all(shop, stage_jobs(shop, stage))


def run_task(shop: Workshop, stage: Stage, number: int) -> None:
    """One run of a stage, for which all stages before are done.

    Raises:
        ConfigError: settings that no run has, or a stage without that run. DnasptError: it failed.
    """
    check_settings(shop.study)
    _tell_of_other_data(shop)
    jobs = distinct(stage_jobs(shop, stage))
    if not 0 <= number < len(jobs):
        raise ConfigError(f"task {number}: stage {stage} has {len(jobs)} runs, counted from 0")
    job = jobs[number]
    if stage == "pretrain" and shop.record(job) is not None and not _is_needed(shop, job):
        shop.say(f"{job.name}: all runs that begin from it are finished")
        return
    with stopping_with_this_process():
        run_job(shop, job, in_new_process)


def _is_needed(shop: Workshop, pretraining: Job) -> bool:
    """Whether a run that begins from a pretraining is, or may be, still to do."""
    jobs = stage_jobs(shop, "tune")
    if any(shop.record(job) is None for job in jobs):
        return True  # rates are not chosen, and final runs not known
    jobs += stage_jobs(shop, "final")
    return any(shop.record(job) is None for job in jobs if job.encoder == pretraining.digest)


def stage_jobs(shop: Workshop, stage: Stage) -> list[Job]:
    """The runs of a stage; the final ones are known when the rates are chosen.

    Raises:
        DnasptError: they are not chosen yet.
    """
    study, dataset = shop.study, read_manifest(shop.study.data)
    if stage == "pretrain":
        return pretrainings(study, dataset)
    if stage == "tune":
        return [job for arm in study.arms for job in tuning(study, dataset, arm)]
    return [job for arm in study.arms for job in finals(study, dataset, arm, _chosen_rate(shop, dataset, arm))]


def n_jobs(shop: Workshop, stage: Stage) -> int:
    """Distinct runs of a stage, before anything is run."""
    if stage != "final":
        return len(distinct(stage_jobs(shop, stage)))
    study, dataset = shop.study, read_manifest(shop.study.data)
    return len(
        distinct(
            job
            for arm in study.arms
            for job in finals(study, dataset, arm, arm.learning_rate or study.learning_rates[0])
        )
    )


def distinct(jobs: Iterable[Job]) -> list[Job]:
    """Equal runs once."""
    return list({job.name: job for job in jobs}.values())


def rates_on_valid(shop: Workshop) -> dict[str, dict[float, float]]:
    """Score on valid of each learning rate, by arm: -inf where it diverged or has none; empty where the rate was given."""
    dataset = read_manifest(shop.study.data)
    return {arm.name: _trials(shop, dataset, arm) for arm in shop.study.arms}


def _trials(shop: Workshop, dataset: Manifest, arm: Arm) -> dict[float, float]:
    metric = f"valid_{TASKS[dataset.task].metric}"
    results = {job.settings["learning_rate"]: shop.finished(job)["result"] for job in tuning(shop.study, dataset, arm)}
    scores = {rate: result.get(metric, -math.inf) for rate, result in results.items()}
    return {rate: -math.inf if score is None or math.isnan(score) else score for rate, score in scores.items()}


def _chosen_rate(shop: Workshop, dataset: Manifest, arm: Arm) -> float:
    """The learning rate with the best score on valid.

    Raises:
        DnasptError: none has a score.
    """
    scores = _trials(shop, dataset, arm)
    if not scores:
        return arm.learning_rate or shop.study.learning_rates[0]
    best = max(scores, key=lambda rate: scores[rate])
    if scores[best] == -math.inf:
        raise DnasptError(f"arm {arm.name!r}: no learning rate of {', '.join(map(str, scores))} has a score on valid")
    return best


def _tell_of_other_data(shop: Workshop) -> None:
    """Records that are all of other data than these will not be used: say so before everything is trained again."""
    known = {read_record(file).get("data_digest") for file in shop.records.glob("*-*.json")}
    if known and read_manifest(shop.study.data).digest not in known:
        log.warning(
            "%s: all records are of other data than %s, so every run is made again; it was prepared in another way, or "
            "written by another version of pyarrow",
            shop.records,
            shop.study.data,
        )


def _run_all(shop: Workshop, jobs: Iterable[Job]) -> None:
    """Run the jobs that have no record, equal ones once: pretrainings first, those that begin from one last."""
    missing = distinct(job for job in jobs if shop.record(job) is None)
    needed = {job.encoder for job in missing}
    begun = [job for job in stage_jobs(shop, "pretrain") if job.digest in needed]
    later = {job.digest for job in begun}
    for path, revision in {
        (job.settings["embeddings"], job.settings.get("revision", ""))
        for job in missing
        if "embeddings" in job.settings
    }:
        check_huggingface_model(path, revision)
    if missing:
        ENGINES[shop.engine](shop, [*begun, *sorted(missing, key=lambda job: job.encoder in later)])


def run_here(shop: Workshop, jobs: Sequence[Job]) -> None:
    """Runs in processes of this machine, so many at a time; the first failure keeps the rest from starting.

    A run that begins from a pretraining of the list waits for it, so that has to stand before.
    """
    dataset, begun, read = read_manifest(shop.study.data), time.monotonic(), 0.0
    bases = {job.name: bases_of(shop.study, dataset, job) for job in jobs}
    # Twice: a signal may also come while the pool waits for the runs that go on after one has failed.
    with stopping_with_this_process(), ThreadPoolExecutor(shop.jobs) as pool, stopping_with_this_process():
        futures: dict[Future[None], Job] = {}
        pretrained: dict[str, Future[None]] = {}
        for job in jobs:
            future = pool.submit(_run_after, pretrained.get(job.encoder), shop, job)
            futures[future] = job
            if job.kind == "pretrain":
                pretrained[job.digest] = future
        try:
            for number, future in enumerate(as_completed(futures), start=1):
                future.result()
                job = futures[future]
                read += bases[job.name]
                left = (time.monotonic() - begun) / 60 * (sum(bases.values()) / read - 1) if read else 0.0
                is_known = shop.jobs <= number < len(jobs)
                told = f"; about {left:.0f} minutes for the others of this part" if is_known and left > 0 else ""
                shop.say(f"{job.name}: finished, {number} of {len(jobs)}{told}")
        finally:  # also where a person breaks it off
            pool.shutdown(wait=False, cancel_futures=True)


def _run_after(pretraining: Future[None] | None, shop: Workshop, job: Job) -> None:
    if pretraining is not None:
        pretraining.result()
    run_job(shop, job, in_new_process)


def bases_of(study: StudyConfig, dataset: Manifest, job: Job) -> float:
    """Bases that a run reads, about; a baseline none."""
    if "baseline" in job.settings:
        return 0.0
    if job.kind == "pretrain":
        epochs = job.settings.get("epochs", PretrainConfig.model_fields["epochs"].default)
        splits = ("train", UNLABELED) if job.settings.get("unlabeled") else ("train",)
        return float(epochs * sum(pretrain_bp(study.data, dataset.digest, split) for split in splits))
    return float(job.settings["epochs"] * job.settings["label_fraction"] * dataset.splits["train"].n_bp)


ENGINES: Mapping[str, Callable[[Workshop, Sequence[Job]], None]] = {"local": run_here, "ray": run_on_ray}
