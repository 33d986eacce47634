"""Checkpoints of a run: all that a resumed run needs comes back as it was."""

import json
import re
from pathlib import Path

import pytest
import torch
from tests.unit.training.quick import settings

from dnaspt.checkpoint import build_language_model
from dnaspt.checkpoint_config import CheckpointConfig, find_checkpoint
from dnaspt.config import EncoderConfig, PretrainConfig
from dnaspt.errors import CheckpointError
from dnaspt.training.finetune import finetune
from dnaspt.training.run_checkpoints import (
    ResumePoint,
    load_last,
    load_optimizer,
    load_weights,
    optimizer_tensors,
    save_best,
    save_last,
)
from dnaspt.training.run_folder import RunFolder
from dnaspt.training.runs import Progress

DESCRIPTION = CheckpointConfig(kind="language", encoder=EncoderConfig(hidden_size=8, n_layers=1), data_digest="d")


def test_a_checkpoint_brings_back_weights_optimizer_and_progress(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path, PretrainConfig(data="x", out=tmp_path), resume=False)
    folder.begin(0)
    assert load_last(folder, DESCRIPTION) is None
    model = build_language_model(DESCRIPTION)
    optimizer = torch.optim.AdamW(model.parameters())
    for step in (1, 2):
        model(torch.zeros(1, 9, dtype=torch.uint8)).sum().backward()
        optimizer.step()
        progress = Progress(step=step, epoch=3, cursor=4, best=-1.5, best_scores={"valid_nats": 1.5}, seconds=0.25)
        save_last(folder, model, DESCRIPTION, optimizer, progress)
    assert [path.name for path in (tmp_path / "last").iterdir()] == ["step-00000002"]
    last = load_last(folder, DESCRIPTION)
    assert last is not None and last.progress == progress
    assert all(torch.equal(value, last.weights[name]) for name, value in model.state_dict().items())
    again = torch.optim.AdamW(model.parameters())
    load_optimizer(model, again, last.optimizer)
    before, after = optimizer_tensors(model, optimizer), optimizer_tensors(model, again)
    assert before.keys() == after.keys() and len(before) == 3 * len(list(model.parameters()))
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_only_the_newest_best_weights_are_kept(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path, PretrainConfig(data="x", out=tmp_path), resume=False)
    folder.begin(0)
    for step in (3, 11):
        save_best(folder, build_language_model(DESCRIPTION), DESCRIPTION, step)
    assert find_checkpoint(tmp_path) == tmp_path / "best" / "step-00000011"
    assert len(list((tmp_path / "best").iterdir())) == 1


def test_other_data_or_another_encoder_is_not_resumed(gene_data: Path, tmp_path: Path, pretrained: Path) -> None:
    config = settings(gene_data, tmp_path / "run", pretrained)
    finetune(config)
    described = next((tmp_path / "run" / "last").iterdir()) / "config.json"
    raw = json.loads(described.read_text())
    described.write_text(json.dumps(raw | {"data_digest": "0" * 64}))
    with pytest.raises(CheckpointError, match="dataset has changed"):
        finetune(config, resume=True)
    raw["provenance"]["encoder"]["sha256"] = "0" * 64
    described.write_text(json.dumps(raw))
    with pytest.raises(CheckpointError, match="encoder has changed"):
        finetune(config, resume=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda tensors: tensors | {"nothing|exp_avg": torch.zeros(3)},
            "'nothing|exp_avg', torch.float32 (3,), is no tensor",
        ),
        (lambda tensors: tensors | {"nothing": torch.zeros(())}, "'nothing', torch.float32 (), is no tensor"),
        (lambda tensors: tensors | {"decoder.bias|else": torch.zeros(())}, "is no tensor of the optimizer of this run"),
        (
            lambda tensors: {name: value[..., None] for name, value in tensors.items()},
            "is no tensor of the optimizer of this run",
        ),
        (lambda tensors: {name: value.long() for name, value in tensors.items()}, "torch.int64"),
        (lambda tensors: dict(list(tensors.items())[1:]), "has not all tensors of"),
    ],
)
def test_tensors_of_another_optimizer_are_named(change, message: str, tmp_path: Path) -> None:
    model = build_language_model(DESCRIPTION)
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.zeros(1, 9, dtype=torch.uint8)).sum().backward()
    optimizer.step()
    tensors = change(optimizer_tensors(model, optimizer))
    with pytest.raises(CheckpointError, match=re.escape(message)) as told:
        load_optimizer(model, torch.optim.AdamW(model.parameters()), tensors, tmp_path / "optimizer.safetensors")
    assert str(told.value).startswith(str(tmp_path / "optimizer.safetensors"))


def test_weights_of_another_model_are_named(tmp_path: Path) -> None:
    model = build_language_model(DESCRIPTION)
    last = ResumePoint(tmp_path, {"encoder.nothing": torch.zeros(1)}, {}, Progress())
    with pytest.raises(CheckpointError, match=r"model\.safetensors: does not fit the model of this run \("):
        load_weights(model, last)
