"""Studies that are killed: run again, or on another worker, they end with the tables of an undisturbed one."""

import csv
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dnaspt.config import build_config
from dnaspt.reports.study_report import study_report
from dnaspt.studies import launch, local_engine, scheduler
from dnaspt.studies.context import StudyContext
from dnaspt.studies.job import run_job
from dnaspt.studies.records import read_records, record_file
from dnaspt.studies.settings import StudyConfig

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
    pytest.mark.xdist_group("killed"),  # they share an undisturbed study
]

PLAN = """
data = "{data}"
seeds = [0]
learning_rates = [1e-3, 3e-3]
pretrain = {{ preset = "tiny", epochs = 0.1, batch_bp = 4096, tensorboard = false, save_every = 1 }}
finetune = {{ epochs = 1, batch_bp = 4096, tensorboard = false, save_every = 2 }}
[[arms]]
name = "scratch"
head = "crf"
[[arms]]
name = "SPT"
init = "spt"
head = "crf"
learning_rate = 3e-3
"""


@pytest.fixture(scope="module")
def plan(gene_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("killed") / "study.toml"
    file.write_text(PLAN.format(data=gene_data))
    return file


@pytest.fixture(scope="module")
def calm(plan: Path, tmp_path_factory: pytest.TempPathFactory) -> StudyContext:
    """The undisturbed study."""
    out = tmp_path_factory.mktemp("calm")
    context = StudyContext(build_config(StudyConfig, {}, plan), out, out / "records")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local_engine, "in_new_process", launch.in_this_process)
        study_report(context)
    return context


def begin(plan: Path, out: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "dnaspt", "study", str(plan), "--out", str(out), *options]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "RAY_ADDRESS": ""}
    return subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def check_same(out: Path, calm: StudyContext) -> None:
    """To the last digit, but for the minutes."""
    for name in ("study_scores.csv", "study_gains.csv", "study_claims.csv"):
        assert (out / name).read_text() == (calm.out / name).read_text()
    tables = sorted(file.name for file in (calm.out / "study_tables").glob("*.csv"))
    assert tables == sorted(file.name for file in (out / "study_tables").glob("*.csv")) and len(tables) > 8
    for name in tables:
        assert without_minutes(out / "study_tables" / name) == without_minutes(calm.out / "study_tables" / name)
    records, others = (
        {record.job.name: record.to_dict() for record in read_records(folder)}
        for folder in (out / "records", calm.records)
    )
    assert set(records) == set(others)
    for name, record in records.items():
        for part in ("counts", "curve"):
            assert record.get(part) == others[name].get(part)


def without_minutes(file: Path) -> list[dict[str, str]]:
    """Rows of a table but for its columns of minutes."""
    with file.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    return [{name: cell for name, cell in row.items() if "minutes" not in name} for row in rows]


def test_killed_three_times_at_random_and_run_again(plan: Path, calm: StudyContext, tmp_path: Path) -> None:
    out, chance = tmp_path / "study", random.Random(0)
    for whole_session in (True, False, True):  # alone, the study leaves a training behind, which the next one waits for
        with begin(plan, out) as study:
            wait_for_a_run(out, study)
            time.sleep(chance.uniform(0, 1))
            (os.killpg if whole_session else os.kill)(study.pid, signal.SIGKILL)
    with begin(plan, out) as study:
        said, _ = study.communicate(timeout=200)
    assert study.returncode == 0, said
    check_same(out, calm)


@pytest.mark.parametrize("part", [(), ("--stage", "final", "--task", "0")])
def test_a_study_that_is_asked_to_stop_passes_it_on(plan: Path, tmp_path: Path, part: tuple[str, ...]) -> None:
    """So that the training saves and ends, whose own validations and checkpoints are far apart."""
    long = tmp_path / "long.toml"
    long.write_text(
        plan.read_text()
        .replace("epochs = 1,", "epochs = 1000,")
        .replace("save_every = 2", "save_every = 0")
        .replace("[1e-3, 3e-3]", "[3e-3]")
    )
    with begin(long, tmp_path / "study", *part) as study:
        wait_for_a_run(tmp_path / "study", study)
        run_folder = wait_for_a_final_step(tmp_path / "study")
        os.kill(study.pid, signal.SIGTERM)
        said, _ = study.communicate(timeout=100)
    assert study.returncode == 128 + signal.SIGTERM, said
    assert "stopped by SIGTERM at step" in (tmp_path / "study" / "logs" / f"{run_folder.name}.log").read_text()
    assert list(run_folder.glob("last/step-*"))


def wait_for_a_final_step(out: Path) -> Path:
    """The folder of a final run that has done a few steps."""
    deadline = time.monotonic() + 100
    while time.monotonic() < deadline:
        for file in (out / "runs").glob("final-*/metrics.jsonl"):
            if file.read_text().strip():
                return file.parent
        time.sleep(0.02)
    raise AssertionError("no final run began")


def test_a_run_that_another_process_works_on_is_waited_for(calm: StudyContext, tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    said: list[str] = []
    (job,) = scheduler.stage_jobs(calm, "pretrain")
    context = StudyContext(calm.study, tmp_path, tmp_path / "records", say=said.append)
    locks = context.records / ".locks"  # as a study with the same records holds it
    locks.mkdir(parents=True)
    with (locks / job.name).open("wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        waiting = threading.Thread(target=run_job, args=(context, job, never))
        waiting.start()
        while not said:
            time.sleep(0.01)
        assert "another process works on it" in said[0] and waiting.is_alive()
        # What the other process leaves behind: the run with its result, and the record.
        shutil.copytree(calm.out / "runs" / job.name, tmp_path / "runs" / job.name)
        shutil.copytree(calm.records, context.records, dirs_exist_ok=True)
    waiting.join(timeout=20)
    assert not waiting.is_alive() and len(said) == 1


def never(*_: object) -> None:
    raise AssertionError("the run is done already")


def wait_for_a_run(out: Path, study: subprocess.Popen[str]) -> None:
    """Until a run is under way: it has begun and has no result."""
    deadline = time.monotonic() + 100
    while time.monotonic() < deadline and study.poll() is None:
        if any(not (file.parent / "result.json").exists() for file in (out / "runs").glob("*/run.json")):
            return
        time.sleep(0.02)
    raise AssertionError("no run began")


def test_a_killed_worker_costs_nothing(plan: Path, calm: StudyContext, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="Ray is not installed (pip install 'dnaspt[ray]')")
    out = tmp_path / "study"
    with begin(plan, out, "--engine", "ray", "--jobs", "2") as study:
        killed = kill_a_worker(out, study)
        said, _ = study.communicate(timeout=200)
    assert study.returncode == 0, said
    assert record_file(out / "records", killed).is_file()
    check_same(out, calm)


def kill_a_worker(out: Path, study: subprocess.Popen[str]) -> str:
    """Kill the worker of a run that has saved a checkpoint; the name of the run."""
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline and study.poll() is None:
        for folder in (out / "runs").glob("final-*"):
            if list(folder.glob("last/*")) and not (folder / "result.json").exists():
                for pid in workers_of(out / "logs" / f"{folder.name}.log"):
                    os.kill(pid, signal.SIGKILL)
                    return folder.name
        time.sleep(0.02)
    raise AssertionError(f"no run could be broken off: {study.communicate(timeout=60)[0]}")


def workers_of(log: Path) -> Iterator[int]:
    """Processes that have the log of a run open."""
    for one in Path("/proc").glob("[0-9]*"):
        try:
            links = [os.readlink(link) for link in (one / "fd").iterdir()]
        except OSError:
            continue
        if str(log) in links:
            yield int(one.name)
