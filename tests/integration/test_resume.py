"""A run killed at random moments and resumed ends with the same bits as one that was left alone."""

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from safetensors.numpy import load_file

TINY = """
steps = 40
batch_bp = 2048
validate_every = 8
save_every = 2
tensorboard = false
precision = "32"
"""
ENCODER = "\n[encoder]\nhidden_size = 16\nn_layers = 3\n"


def command(kind: str, data: Path, out: Path, config: Path) -> list[str]:
    return [sys.executable, "-m", "dnaspt", kind, str(data), "--out", str(out), "--config", str(config)]


def steps_done(run: Path) -> int:
    return max((int(path.name.split("-")[1]) for path in (run / "last").glob("step-*")), default=0)


def kill_at(arguments: list[str], run: Path, step: int) -> None:
    """Start the command and kill it, without warning, once it has saved `step` steps."""
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    while process.poll() is None and steps_done(run) < step:
        time.sleep(0.005)
    time.sleep(random.Random(step).random() * 0.05)
    process.kill()
    _, error = process.communicate()
    assert process.returncode == -signal.SIGKILL, error.decode()


def tensors_of(run: Path) -> dict[str, bytes]:
    found = {}
    for kind in ("best", "last"):
        (folder,) = (run / kind).iterdir()
        for file in sorted(folder.glob("*.safetensors")):
            found |= {f"{kind}/{file.name}/{name}": value.tobytes() for name, value in load_file(file).items()}
    return found


def metrics_of(run: Path) -> list[dict[str, float]]:
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["pretrain", "finetune"])
def test_a_run_killed_five_times_and_resumed_ends_with_the_same_bits(
    kind: str, gene_data: Path, tmp_path: Path
) -> None:
    config = tmp_path / "tiny.toml"
    config.write_text(
        TINY + (ENCODER if kind == "pretrain" else 'preset = "tiny"\nhead = "crf"\naverage_fraction = 0.2\n')
    )
    alone, killed = tmp_path / "alone", tmp_path / "killed"
    subprocess.run(command(kind, gene_data, alone, config), check=True, stdout=subprocess.DEVNULL)
    moments = sorted(random.Random(7).sample(range(3, 38), 5))
    for number, step in enumerate(moments):
        kill_at(command(kind, gene_data, killed, config) + ["--resume"] * bool(number), killed, step)
    subprocess.run([*command(kind, gene_data, killed, config), "--resume"], check=True, stdout=subprocess.DEVNULL)
    assert tensors_of(killed) == tensors_of(alone)
    assert metrics_of(killed) == metrics_of(alone)


@pytest.mark.slow
@pytest.mark.parametrize(("precision", "threads"), [("bf16", 1), ("32", 2)])
def test_a_killed_run_ends_with_the_same_bits_in_bf16_and_with_two_threads(
    precision: str, threads: int, gene_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", str(threads))
    config = tmp_path / "tiny.toml"
    config.write_text(TINY.replace('"32"', f'"{precision}"').replace("steps = 40", "steps = 16") + ENCODER)
    alone, killed = tmp_path / "alone", tmp_path / "killed"
    subprocess.run(command("pretrain", gene_data, alone, config), check=True, stdout=subprocess.DEVNULL)
    kill_at(command("pretrain", gene_data, killed, config), killed, 7)
    subprocess.run([*command("pretrain", gene_data, killed, config), "--resume"], check=True, stdout=subprocess.DEVNULL)
    assert tensors_of(killed) == tensors_of(alone)


@pytest.mark.slow
def test_sigterm_saves_and_says_how_to_go_on(gene_data: Path, tmp_path: Path) -> None:
    config = tmp_path / "tiny.toml"
    config.write_text(TINY.replace("steps = 40", "steps = 100000") + ENCODER)
    run = tmp_path / "run"
    process = subprocess.Popen(command("pretrain", gene_data, run, config), stdout=subprocess.PIPE, text=True)
    while steps_done(run) < 4:
        time.sleep(0.01)
    process.terminate()
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 143
    assert "--resume" in said
    state = json.loads(next((run / "last").iterdir()).joinpath("state.json").read_text())
    assert state["step"] == steps_done(run) >= 4
