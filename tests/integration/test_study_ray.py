"""A study on a Ray cluster of this machine, two workers: one is killed during the study, and nothing is lost or done twice."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dnaspt.config import build_config
from dnaspt.study.command import study_report
from dnaspt.study.plan import StudyConfig
from dnaspt.study.workshop import Workshop

pytest.importorskip("ray", reason="Ray is not installed (pip install 'dnaspt[ray]')")

PLAN = """
data = "{data}"
seeds = [0, 1]
learning_rates = [3e-3]
pretrain = {{ preset = "tiny", epochs = 0.5, batch_bp = 4096, tensorboard = false }}
finetune = {{ epochs = 1.5, batch_bp = 4096, tensorboard = false, save_every = 2 }}
[[arms]]
name = "scratch"
[[arms]]
name = "SPT"
init = "spt"
"""


@pytest.fixture(scope="module")
def plan(gene_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("ray") / "study.toml"
    file.write_text(PLAN.format(data=gene_data))
    return file


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_killed_worker_costs_nothing(plan: Path, tmp_path: Path) -> None:
    out = tmp_path / "study"
    command = [sys.executable, "-m", "dnaspt", "study", str(plan), "--out", str(out), "--engine", "ray", "--jobs", "2"]
    # Two workers, whatever the machine has; one thread each, as below.
    environment = os.environ | {"OMP_NUM_THREADS": "1", "RAY_ADDRESS": ""}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as ran:
        killed = kill_a_worker(out, ran)
        said, _ = ran.communicate(timeout=240)
    assert ran.returncode == 0, said
    begun = {file.stem: file.read_text().count("checkpoint of step") for file in (out / "logs").glob("*.log")}
    assert len(begun) == 6
    records = {file.stem: json.loads(file.read_text()) for file in (out / "records").glob("*.json")}
    assert set(records) == set(begun) >= {killed}
    # The run whose worker was killed went on from its checkpoint; the tables are those of an undisturbed study.
    assert "--resume" not in said
    calm = Workshop(build_config(StudyConfig, {}, plan), tmp_path / "calm", tmp_path / "calm" / "records")
    study_report(calm)
    for name in ("study.csv", "study.md"):
        assert without_minutes(out / name) == without_minutes(calm.out / name)
    for name, record in records.items():
        other = json.loads((calm.records / f"{name}.json").read_text())
        assert record.get("counted") == other.get("counted") and record.get("curve") == other.get("curve")


def kill_a_worker(out: Path, study: subprocess.Popen[str]) -> str:
    """Kill the worker of a run that has saved a checkpoint; the name of the run."""
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline and study.poll() is None:
        for folder in (out / "runs").glob("final-*"):
            if list(folder.glob("last*")) and not (folder / "result.json").exists():
                for pid in workers_of(folder.name):
                    os.kill(pid, signal.SIGKILL)
                    return folder.name
        time.sleep(0.02)
    raise AssertionError(f"no run could be broken off: {study.communicate(timeout=60)[0]}")


def workers_of(name: str) -> Iterator[int]:
    """Processes that have the log of a run open."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            links = [os.readlink(link) for link in (process / "fd").iterdir()]
        except OSError:
            continue
        if any(link.endswith(f"logs/{name}.log") for link in links):
            yield int(process.name)


def without_minutes(file: Path) -> str:
    return "\n".join(line.rsplit("|", 2)[0] if line.startswith("|") else line for line in file.read_text().splitlines())
