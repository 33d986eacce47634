"""Settings of runs that take a second, and what they leave behind."""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file

from dnaspt.config import EncoderConfig, FinetuneConfig
from dnaspt.data.manifest import read_manifest

QUICK = {
    "steps": 4,
    "batch_bp": 2048,
    "validate_every": 2,
    "tensorboard": False,
    "precision": "32",
    "accelerator": "cpu",
}
ENCODER = EncoderConfig(hidden_size=16, n_layers=2)


def settings(data: Path, out: Path, encoder: Path, **other: object) -> FinetuneConfig:
    """Settings of a quick fine-tuning by gradients: genes get a CRF."""
    head = "crf" if read_manifest(data).per_base else "auto"
    return FinetuneConfig.model_validate({"data": data, "out": out, "encoder": encoder, "head": head} | QUICK | other)


def weights_of(run: Path) -> dict[str, torch.Tensor]:
    """Weights at the end of a run."""
    return load_file(next((run / "last").iterdir()) / "model.safetensors")


def losses_of(run: Path) -> list[float]:
    """The losses that a run has logged."""
    return [json.loads(line)["loss"] for line in (run / "metrics.jsonl").read_text().splitlines()]
