"""Runs of a study in processes of this machine, side by side; finished ones are skipped, broken-off ones go on."""

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed

from dnaspt.data.manifest import read_manifest
from dnaspt.studies.context import StudyContext
from dnaspt.studies.job import run_job
from dnaspt.studies.launch import in_new_process, stopping_with_this_process
from dnaspt.studies.plan import Job, bases_read


def run_locally(context: StudyContext, jobs: Sequence[Job]) -> None:
    """Make runs, `context.jobs` at a time; the first failure keeps the rest from starting.

    A run that begins from a pretraining of the list waits for it, so the pretraining has to stand before.

    Raises:
        DnasptError: a run failed; what is finished stays.
    """
    dataset, began, done_bp = read_manifest(context.study.data), time.monotonic(), 0.0
    n_bp = {job.name: bases_read(context.study, dataset, job) for job in jobs}
    # Twice: a signal may also come while the pool waits for the runs that go on after one has failed.
    with stopping_with_this_process(), ThreadPoolExecutor(context.jobs) as pool, stopping_with_this_process():
        futures: dict[Future[None], Job] = {}
        pretrained: dict[str, Future[None]] = {}
        for job in jobs:
            future = pool.submit(_run_after, pretrained.get(job.encoder), context, job)
            futures[future] = job
            if job.kind == "pretrain":
                pretrained[job.digest] = future
        try:
            for number, future in enumerate(as_completed(futures), start=1):
                future.result()
                job = futures[future]
                done_bp += n_bp[job.name]
                minutes = (time.monotonic() - began) / 60
                left = minutes * (sum(n_bp.values()) / done_bp - 1) if done_bp else 0.0
                is_known = context.jobs <= number < len(jobs)
                told = f"; about {left:.0f} minutes for the others of this part" if is_known and left > 0 else ""
                context.say(f"{job.name}: finished, {number} of {len(jobs)}{told}")
        finally:  # also where a person breaks it off
            pool.shutdown(wait=False, cancel_futures=True)


def _run_after(pretraining: Future[None] | None, context: StudyContext, job: Job) -> None:
    """Make a run when its pretraining is finished, if that is in the list."""
    if pretraining is not None:
        pretraining.result()
    run_job(context, job, in_new_process)
