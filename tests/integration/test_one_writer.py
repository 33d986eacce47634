"""One process writes a run: two commands on one folder, tasks of SLURM with one device, processes that wait for others."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.integration.in_process import dnaspt, files_below

from dnaspt.owner import Owner

SETTINGS = """
steps = 3
batch_bp = 2048
tensorboard = false
precision = "32"
accelerator = "cpu"
preset = "tiny"
"""


def pretrain(data: Path, out: Path, *options: str, **environment: str) -> subprocess.Popen[str]:
    """A pretraining in a process of its own; SLURM's own variables are those given."""
    config = out.parent / "tiny.toml"
    config.write_text(SETTINGS)
    command = [sys.executable, "-m", "dnaspt", "pretrain", str(data), "--out", str(out), "--config", str(config)]
    given = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_")} | environment
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([*command, *options], env=given, text=True, **pipes)  # type: ignore[call-overload]


def steps_of(run: Path) -> list[int]:
    return [json.loads(line)["step"] for line in (run / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_of_two_tasks_of_slurm_with_one_device_one_trains_and_the_other_stops(gene_data: Path, tmp_path: Path) -> None:
    """What `srun --ntasks-per-node=2 dnaspt pretrain ...` gives each task, where --devices is left at 1."""
    run = tmp_path / "run"
    job = {"SLURM_JOB_ID": "5", "SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "2", "SLURM_JOB_NAME": "train"}
    job |= {"SLURM_NODEID": "0", "SLURM_NODELIST": "localhost", "SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "2"}
    tasks = [pretrain(gene_data, run, **job, SLURM_PROCID=rank, SLURM_LOCALID=rank) for rank in ("0", "1")]
    said = [task.communicate(timeout=300) for task in tasks]
    assert sorted(task.returncode for task in tasks) == [0, 2], said
    told = "SLURM started 2 tasks on this node, --devices is 1"
    do = "say --devices 2 or --ntasks-per-node=1"
    (refused,) = (errors for task, (_, errors) in zip(tasks, said) if task.returncode)
    assert f"{told}: each task trains a run of its own; if they are to train one together, {do}" in said[0][1]
    assert refused.splitlines()[-1].startswith(f"error: {run}: ")
    assert refused.splitlines()[-1].endswith(f"; {told}: {do}")
    assert steps_of(run) == [1, 2, 3] and [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.slow
def test_two_commands_do_not_write_one_run_and_a_killed_one_leaves_it_free(gene_data: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    first = pretrain(gene_data, run, "--steps", "100000")
    try:
        while not (run / "metrics.jsonl").is_file() and first.poll() is None:
            time.sleep(0.02)
        assert first.poll() is None, first.communicate()
        (tmp_path / "other_name").symlink_to(run)
        for out in (run, tmp_path / "other_name"):
            for options in (("--resume", "--steps", "100000"), ("--overwrite",)):
                code, _, errors = dnaspt(
                    "pretrain", gene_data, "--out", out, "--config", tmp_path / "tiny.toml", *options
                )
                assert code == 2 and len(errors) == 1, errors
                who = f"error: {out}: PID {first.pid} on {Owner.this_process().host} has been writing there since 20"
                assert errors[0].startswith(who)
    finally:
        first.kill()
        first.communicate()
    half = run / "best" / f".step-00000009.unfinished-{Owner.this_process().host}-{first.pid}-1"
    half.mkdir(parents=True)
    code, _, errors = dnaspt("pretrain", gene_data, "--out", run, "--config", tmp_path / "tiny.toml", "--overwrite")
    assert code == 0, errors
    assert steps_of(run) == [1, 2, 3]
    assert not [path for path in files_below(tmp_path) if path.name.startswith(".")]


def test_nodes_that_nobody_starts_are_refused_at_once(gene_data: Path, tmp_path: Path) -> None:
    code, _, errors = dnaspt("pretrain", gene_data, "--out", tmp_path / "run", "--num-nodes", "5")
    assert (code, len(errors)) == (2, 1), errors
    assert errors[0].startswith("error: --num-nodes 5: nothing starts this on the other nodes; start it with srun")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="sends SIGTERM")
def test_a_process_that_waits_for_others_says_so_and_obeys_sigterm(gene_data: Path, tmp_path: Path) -> None:
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29517", "NODE_RANK": "0"}
    process = pretrain(gene_data, tmp_path / "run", "--num-nodes", "2", **address)
    said = ""
    while "waits for the processes of all nodes at 127.0.0.1:29517" not in said and process.poll() is None:
        said += process.stderr.readline()  # type: ignore[union-attr]
    time.sleep(8)  # into PyTorch, where it waits
    assert process.poll() is None, process.communicate()
    process.terminate()
    process.communicate(timeout=20)
    assert process.returncode in (-signal.SIGTERM, 128 + signal.SIGTERM)
