"""Runs of small models with random weights for a dataset."""

from pathlib import Path

import torch

from dnaspt.checkpoint import CheckpointConfig, build_model, save_checkpoint
from dnaspt.config import EncoderConfig
from dnaspt.data.manifest import read_manifest
from dnaspt.models.task_model import TaskModel

ENCODER = EncoderConfig(hidden_size=16, n_layers=2)


def make_run(
    folder: Path, data: Path, head: str, *, own_data: bool = True, shortest_intron_bp: int | None = None
) -> tuple[Path, TaskModel]:
    """A run folder with an untrained model for a dataset."""
    manifest = read_manifest(data)
    config = CheckpointConfig(
        kind="task",
        encoder=ENCODER,
        task=manifest.task,
        head=head,
        labels=manifest.labels,
        window_bp=manifest.window_bp,
        stop_in_cds=manifest.stop_in_cds,
        shortest_intron_bp=shortest_intron_bp,
        data_digest=manifest.digest if own_data else "0" * 64,
    )
    torch.manual_seed(0)
    model = build_model(config).eval()
    assert isinstance(model, TaskModel)
    if head == "crf":
        model.head.trunk.linear.weight.data *= 30
        for parameter in model.head.crf.parameters():  # a chain that tells the strands apart, as a trained one does
            parameter.data = torch.randn(parameter.shape)
    save_checkpoint(folder / "best" / "step-00000001", model, config)
    return folder, model
