"""Devices and precisions: what "auto" means, and what is not there."""

from pathlib import Path

import pytest
import torch
from tests.unit.training.quick import settings

from dnaspt.config import TrainingConfig
from dnaspt.errors import ConfigError
from dnaspt.training.fabric import bf16_is_fast, build_fabric, device_name, precision_of
from dnaspt.training.finetune import finetune


def test_a_gpu_that_is_not_there_is_a_users_error(gene_data: Path, tmp_path: Path, pretrained: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    with pytest.raises(ConfigError, match=r"accelerator .gpu.: no CUDA device is visible"):
        finetune(settings(gene_data, tmp_path / "run", pretrained, accelerator="gpu"))
    with pytest.raises(ConfigError, match="--precision 16 is for a GPU"):
        finetune(settings(gene_data, tmp_path / "run", pretrained, precision="16"))


def test_auto_is_32_bits_on_a_cpu_and_what_is_said_elsewhere() -> None:
    assert not bf16_is_fast("cpu")
    assert precision_of(TrainingConfig(accelerator="cpu")) == "32"
    assert precision_of(TrainingConfig(accelerator="cpu", precision="bf16")) == "bf16"


def test_a_processor_has_a_name() -> None:
    fabric = build_fabric(TrainingConfig(accelerator="cpu"))
    assert device_name(fabric) and fabric.world_size == 1


def test_a_process_alone_is_none_of_slurms_or_torchruns(monkeypatch: pytest.MonkeyPatch) -> None:
    """A script of sbatch with --ntasks=4 may train in one process; Lightning would refuse that."""
    for name, value in {"SLURM_NTASKS": "4", "SLURM_JOB_NAME": "train", "SLURM_PROCID": "0"}.items():
        monkeypatch.setenv(name, value)
    fabric = build_fabric(TrainingConfig(accelerator="cpu"))
    assert fabric.world_size == 1 and fabric.is_global_zero


def test_more_processes_than_cores_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    with pytest.raises(ConfigError, match=r"^--devices 5: this machine has 4 cores, and each process needs its own$"):
        build_fabric(TrainingConfig(accelerator="cpu", devices=5))
