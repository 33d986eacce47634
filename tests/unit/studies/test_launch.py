import logging
import os
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from dnaspt.config import FinetuneConfig
from dnaspt.errors import DivergedError, DnasptError
from dnaspt.studies import launch
from dnaspt.studies.context import StudyContext
from dnaspt.studies.plan import Job
from dnaspt.studies.worker import Evaluate, Finetune

JOB = Job("final", "a", {"seed": 0}, "", "d")
QUICK = {"steps": 1, "batch_bp": 2048, "tensorboard": False, "accelerator": "cpu", "precision": "32", "preset": "tiny"}


def finetune(context: StudyContext, **settings: object) -> Finetune:
    given = QUICK | {"data": context.study.data, "out": context.run_folder(JOB), "head": "softmax"} | settings
    return Finetune(action="finetune", config=FinetuneConfig.model_validate(given), resume=False)


@pytest.mark.slow
def test_both_ways_make_the_same_run(context: StudyContext, tmp_path: Path) -> None:
    other = replace(context, out=tmp_path / "other")
    launch.in_this_process(context, JOB, finetune(context), ())
    launch.in_new_process(other, JOB, finetune(other), ())
    weights = [next(one.run_folder(JOB).glob("best/*/model.safetensors")) for one in (context, other)]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    for one in (context, other):
        assert "finetune: step 1/1, loss" in one.log_file(JOB).read_text()


@pytest.mark.parametrize("way", [launch.in_this_process, launch.in_new_process])
def test_an_error_is_told_with_the_log(way: launch.Launch, context: StudyContext) -> None:
    with pytest.raises(DnasptError) as failed:
        way(context, JOB, finetune(context, head="sigmoid"), ())
    log = context.log_file(JOB)
    told = f"{JOB.name}: 'dnaspt finetune' ended with 2: head 'sigmoid' does not fit task 'genes'"
    assert str(failed.value).startswith(told) and str(failed.value).endswith(f"(see {log})")
    assert "head 'sigmoid' does not fit" in log.read_text()


def test_training_that_diverges_is_told_apart(context: StudyContext) -> None:
    with pytest.raises(DivergedError, match=r"ended with 76: .*the loss is"):
        launch.in_this_process(context, JOB, finetune(context, steps=3, learning_rate=1e30), ())


def test_the_log_of_a_run_is_its_own(context: StudyContext) -> None:
    """And logging is as it was afterwards."""
    logger = logging.getLogger("dnaspt")
    before = (logger.level, list(logger.handlers))
    evaluate = Evaluate(action="evaluate", run=context.run_folder(JOB), data=context.study.data)
    with pytest.raises(DnasptError, match="'dnaspt evaluate' ended with 2"):
        launch.in_this_process(context, JOB, evaluate, ())
    assert (logger.level, logger.handlers) == before
    assert (context.out / "configs" / f"{JOB.name}-evaluate.json").is_file()


def test_no_worker_begins_once_the_study_is_stopped(context: StudyContext) -> None:
    with pytest.raises(SystemExit), launch.stopping_with_this_process():
        raise SystemExit(143)
    with pytest.raises(DnasptError, match="the study was stopped"):
        launch.in_new_process(context, JOB, finetune(context), ())
    assert not context.out.exists()
    with launch.stopping_with_this_process():
        assert not launch._stopping.is_set()


def test_cores_are_shared_by_the_runs_at_a_time(context: StudyContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert [launch.threads_of(replace(context, jobs=jobs)) for jobs in (1, 3, 8, 20)] == [8, 2, 1, 1]
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert launch.threads_of(context) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows locks nothing")
def test_a_run_is_worked_on_by_one_at_a_time(context: StudyContext) -> None:
    said: list[str] = []
    entered = threading.Event()
    context = replace(context, say=said.append)

    def other() -> None:
        with launch.exclusive(context, JOB):
            entered.set()

    with launch.exclusive(context, JOB) as locks:
        assert len(locks) == 2
        thread = threading.Thread(target=other)
        thread.start()
        assert not entered.wait(0.3) and "another process works on it" in said[0]
    assert entered.wait(10)
    thread.join()


def test_nothing_is_locked_where_there_are_no_locks(context: StudyContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "fcntl", None)
    with launch.exclusive(context, JOB), launch.exclusive(context, JOB) as locks:
        assert len(locks) == 2
