"""Two processes over gloo do what one does with the same global batch; two runs with one seed are the same bits."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.numpy import load_file

pytestmark = pytest.mark.slow

CONFIG = """
steps = 6
batch_bp = 4096
validate_every = 3
tensorboard = false
precision = "32"
accelerator = "cpu"
preset = "tiny"
"""


def finetune(data: Path, out: Path, *options: str) -> list[dict[str, float]]:
    config = out.parent / "tiny.toml"
    config.write_text(CONFIG)
    arguments = [sys.executable, "-m", "dnaspt", "finetune", str(data), "--out", str(out), "--config", str(config)]
    arguments += ["--head", "crf"]
    subprocess.run([*arguments, *options], check=True, capture_output=True, timeout=120)
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def weights_of(run: Path) -> dict[str, bytes]:
    return {
        name: value.tobytes() for name, value in load_file(next((run / "last").iterdir()) / "model.safetensors").items()
    }


def test_two_processes_have_the_loss_of_one(gene_data: Path, tmp_path: Path) -> None:
    one = finetune(gene_data, tmp_path / "one")
    two = finetune(gene_data, tmp_path / "two", "--devices", "2")
    assert [row["step"] for row in one] == [row["step"] for row in two]
    assert [row["loss"] for row in two] == pytest.approx([row["loss"] for row in one], rel=1e-4)


def test_two_runs_with_one_seed_are_bit_identical(gene_data: Path, tmp_path: Path) -> None:
    for name in ("first", "second"):
        finetune(gene_data, tmp_path / name)
    assert weights_of(tmp_path / "first") == weights_of(tmp_path / "second")
