"""Runs of a study on the workers of a Ray cluster: that of $RAY_ADDRESS, or one that is started on this machine.

A run lives in its worker's process. Where the worker is killed, the run ends with it, and another worker resumes it.
"""

import logging
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dnaspt.errors import ConfigError, DnasptError
from dnaspt.studies.context import StudyContext
from dnaspt.studies.job import run_job
from dnaspt.studies.launch import in_this_process, threads_of
from dnaspt.studies.plan import Job

RETRIES = 10
"""Times that a run may lose its worker."""


def run_on_ray(context: StudyContext, jobs: Sequence[Job]) -> None:
    """Make runs, each after the pretraining of the list that it begins from; all nodes must see this folder and the study's.

    Raises:
        ConfigError: Ray is not installed. DnasptError: a run failed, or lost its workers too often.
    """
    try:
        import ray
    except ImportError as error:
        raise ConfigError("--engine ray needs Ray; install it with 'pip install ray'") from error
    if not ray.is_initialized():
        ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    n_gpus = min(1, ray.cluster_resources().get("GPU", 0))
    largest = max(int(node["Resources"].get("CPU", 1)) for node in ray.nodes() if node["Alive"])
    n_cpus = max(1, min(threads_of(context), largest))
    options = {"num_cpus": n_cpus, "num_gpus": n_gpus, "max_retries": RETRIES, "max_calls": 1}
    start = ray.remote(**options)(_run)
    quiet, here = replace(context, say=_say_nothing), Path.cwd()
    begun: dict[Any, Job] = {}
    pretrained: dict[str, Any] = {}
    for job in jobs:
        task = start.remote(quiet, here, job, pretrained.get(job.encoder))
        begun[task] = job
        if job.kind == "pretrain":
            pretrained[job.digest] = task
    waiting = list(begun)
    while waiting:
        (done,), waiting = ray.wait(waiting, num_returns=1)
        try:
            ray.get(done)
        except ray.exceptions.RayError as error:
            for other in waiting:
                ray.cancel(other)
            cause = getattr(error, "cause", None)
            if isinstance(cause, DnasptError):
                raise cause from None
            is_lost = isinstance(error, ray.exceptions.WorkerCrashedError | ray.exceptions.NodeDiedError)
            how = "lost its workers" if is_lost else "failed"
            log = context.log_file(begun[done])
            raise DnasptError(f"{begun[done].name}: {how} ({str(error).splitlines()[0]}); see {log}") from error
        context.say(f"{begun[done].name}: finished")


def _run(context: StudyContext, here: Path, job: Job, _pretraining: None) -> None:
    """One run, in the folder where the study was started. Ray starts it when its pretraining is finished."""
    os.chdir(here)
    run_job(context, job, in_this_process)


def _say_nothing(_: str) -> None:
    """Show nothing: workers have no terminal."""
