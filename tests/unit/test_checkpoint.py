"""Checkpoints to BEND's format and back."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from dnaspt.checkpoint import CheckpointConfig, build_model, export_bend, load_model, read_tensors, save_checkpoint
from dnaspt.config import EncoderConfig
from dnaspt.errors import CheckpointError


@pytest.fixture
def pretrained(tmp_path: Path) -> Path:
    config = CheckpointConfig(kind="language", encoder=EncoderConfig(hidden_size=8, n_layers=2))
    save_checkpoint(tmp_path / "run", build_model(config), config)
    return tmp_path / "run"


def test_a_model_exported_to_bend_is_read_back_with_the_same_weights(pretrained: Path, tmp_path: Path) -> None:
    export_bend(pretrained, tmp_path / "bend")
    before, after = (load_model(path)[0].state_dict() for path in (pretrained, tmp_path / "bend"))
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bend", "run"]


def test_an_export_replaces_nothing(pretrained: Path) -> None:
    before = (pretrained / "config.json").read_bytes()
    with pytest.raises(CheckpointError, match=r"run: already there; choose another --out"):
        export_bend(pretrained, pretrained)
    assert (pretrained / "config.json").read_bytes() == before


@pytest.mark.parametrize("name", ["model.encoder.0.attention.weight", "model.embedding", "weight", "cls.weight"])
def test_tensors_that_bend_does_not_have_are_refused(pretrained: Path, tmp_path: Path, name: str) -> None:
    export_bend(pretrained, tmp_path / "bend")
    tensors = read_tensors(tmp_path / "bend" / "model.safetensors") | {name: torch.zeros(2)}
    save_file(tensors, tmp_path / "bend" / "model.safetensors")
    with pytest.raises(CheckpointError, match=rf"bend: tensor '{name}'; expected those of BEND's ConvNet"):
        load_model(tmp_path / "bend")
