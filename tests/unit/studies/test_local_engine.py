import threading
import time
from dataclasses import replace

import pytest

from dnaspt.errors import DnasptError
from dnaspt.studies import local_engine
from dnaspt.studies.context import StudyContext
from dnaspt.studies.local_engine import run_locally
from dnaspt.studies.plan import Job

SETTINGS = {"seed": 0, "epochs": 1, "label_fraction": 1}


def test_a_run_waits_for_its_own_pretraining_alone(context: StudyContext, monkeypatch: pytest.MonkeyPatch) -> None:
    pretraining = Job("pretrain", "", {"seed": 0, "epochs": 1}, "", "")
    slow, after = Job("final", "slow", SETTINGS, "", ""), Job("final", "after", SETTINGS, pretraining.digest, "")
    done: list[str] = []
    begun = threading.Event()

    def run_job(_: StudyContext, job: Job, __: object) -> None:
        if job.arm == "slow":
            assert begun.wait(30)  # for the run that begins from the pretraining
        if job.arm == "after":
            assert done == [pretraining.name]
            begun.set()
        done.append(job.name)

    monkeypatch.setattr(local_engine, "run_job", run_job)
    run_locally(replace(context, jobs=2), [pretraining, slow, after])
    assert set(done) == {pretraining.name, slow.name, after.name}


def test_the_first_failure_keeps_the_rest_from_starting(context: StudyContext, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = [Job("final", str(number), SETTINGS | {"seed": number}, "", "") for number in range(5)]
    begun: list[int] = []

    def run_job(_: StudyContext, job: Job, __: object) -> None:
        begun.append(job.seed)
        if job.seed == 1:
            raise DnasptError("it failed")
        if job.seed == 2:  # a run that has begun goes on to its end
            time.sleep(1)

    monkeypatch.setattr(local_engine, "run_job", run_job)
    with pytest.raises(DnasptError, match="it failed"):
        run_locally(context, jobs)
    assert begun in ([0, 1], [0, 1, 2])


def test_each_finished_run_is_told_with_the_time_left(context: StudyContext, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    clock = iter([0.0, 600.0, 1200.0])
    monkeypatch.setattr(local_engine, "run_job", lambda *_: None)
    monkeypatch.setattr("dnaspt.studies.local_engine.time.monotonic", lambda: next(clock))
    jobs = [Job("final", "a", SETTINGS | {"seed": seed}, "", "") for seed in (0, 1)]
    monkeypatch.setattr(local_engine, "as_completed", list)
    run_locally(replace(context, say=said.append), jobs)
    assert said == [
        f"{jobs[0].name}: finished, 1 of 2; about 10 minutes for the others of this part",
        f"{jobs[1].name}: finished, 2 of 2",
    ]
