"""Checkpoints: written whole, read back with the same weights, to BEND's format and back."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from dnaspt.checkpoint import (
    CheckpointConfig,
    HeadStart,
    build_model,
    build_task_model,
    choose_device,
    export_bend,
    load_model,
    model_device,
    read_tensors,
    save_checkpoint,
)
from dnaspt.checkpoint_config import NetworkConfig
from dnaspt.config import BassetConfig, EncoderConfig
from dnaspt.errors import CheckpointError, ConfigError
from dnaspt.genome.gene_states import GENE_STATES
from dnaspt.models.heads import CRFHead, SigmoidHead, SoftmaxHead
from dnaspt.models.task_model import TaskModel

ENCODER = EncoderConfig(hidden_size=8, n_layers=2)
GENES = CheckpointConfig(kind="task", encoder=ENCODER, task="genes", head="crf", labels=GENE_STATES.names)
WINDOWS = CheckpointConfig(kind="task", encoder=ENCODER, task="regions", head="sigmoid", labels=("a", "b"))


@pytest.fixture
def pretrained(tmp_path: Path) -> Path:
    config = CheckpointConfig(kind="language", encoder=ENCODER)
    save_checkpoint(tmp_path / "run", build_model(config), config)
    return tmp_path / "run"


@pytest.mark.parametrize(
    ("config", "head"),
    [
        (GENES, CRFHead),
        (GENES.model_copy(update={"head": "crf-unconstrained"}), CRFHead),
        (GENES.model_copy(update={"head": "softmax"}), SoftmaxHead),
        (WINDOWS, SigmoidHead),
        (WINDOWS.model_copy(update={"encoder": BassetConfig(window_bp=96)}), SigmoidHead),
    ],
)
def test_a_task_model_is_read_back_with_the_same_weights(config: CheckpointConfig, head: type, tmp_path: Path) -> None:
    model = build_model(config)
    extra = {"more.safetensors": {"x": torch.arange(3)}, "note.txt": "here"}
    save_checkpoint(tmp_path / "run", model, config, extra)
    again, described = load_model(tmp_path / "run")
    assert described == config and isinstance(again, TaskModel) and isinstance(again.head, head) and not again.training
    before, after = model.state_dict(), again.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert read_tensors(tmp_path / "run" / "more.safetensors")["x"].tolist() == [0, 1, 2]
    assert (tmp_path / "run" / "note.txt").read_text() == "here"
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_head_that_does_not_fit_is_refused() -> None:
    with pytest.raises(CheckpointError, match="head 'crf' does not fit task 'regions'; expected sigmoid"):
        build_model(WINDOWS.model_copy(update={"head": "crf"}))
    with pytest.raises(CheckpointError, match="architecture 'basset' has no language model"):
        build_model(CheckpointConfig(kind="language", encoder=BassetConfig()))


def test_a_head_starts_with_what_it_is_told() -> None:
    weights, frequencies = torch.tensor([2.0, 1.0]), torch.tensor([0.1, 0.5])
    config = WINDOWS.model_copy(update={"pool": "normalized"})
    model = build_task_model(config, HeadStart(weights, frequencies))
    assert isinstance(model, TaskModel) and torch.equal(model.head.positive_weights, weights)
    bias = model.head.trunk.linear.bias
    assert torch.allclose(torch.sigmoid(bias), torch.tensor([2 / 11, 0.5]))  # odds of 1 : 9, weighted by 2


def test_tensors_of_another_shape_and_broken_ones_are_refused(pretrained: Path) -> None:
    file = pretrained / "model.safetensors"
    save_file(read_tensors(file) | {"head.logits.bias": torch.zeros(3)}, file)
    with pytest.raises(CheckpointError, match="run: tensors do not fit the description"):
        load_model(pretrained)
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(CheckpointError, match=r"model\.safetensors: cannot be read .*is it whole"):
        load_model(pretrained)


def test_a_device_is_chosen_by_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device() == choose_device("cpu") == torch.device("cpu")
    with pytest.raises(
        ConfigError,
        match="accelerator 'gpu': no CUDA device is visible here, nor can Apple's GPU be used: there is none",
    ):
        choose_device("gpu")
    with pytest.raises(ConfigError, match="accelerator 'tpu'; expected auto, cpu, gpu"):
        choose_device("tpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device().type == choose_device("gpu").type == "cuda" and choose_device("cpu").type == "cpu"
    assert model_device(torch.nn.Linear(1, 1)) == torch.device("cpu")


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


def test_only_a_language_model_with_bends_channels_is_exported(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "genes", build_model(GENES), GENES)
    with pytest.raises(CheckpointError, match="holds a fine-tuned model"):
        export_bend(tmp_path / "genes", tmp_path / "bend")
    config = CheckpointConfig(kind="language", encoder=ENCODER.model_copy(update={"channels": tuple(range(7))}))
    save_checkpoint(tmp_path / "own", build_model(config), config)
    with pytest.raises(CheckpointError, match=r"its channels are \(0, 1, 2, 3, 4, 5, 6\); expected BEND's"):
        export_bend(tmp_path / "own", tmp_path / "bend")


@pytest.mark.parametrize("name", ["model.encoder.0.attention.weight", "model.embedding", "weight", "cls.weight"])
def test_tensors_that_bend_does_not_have_are_refused(pretrained: Path, tmp_path: Path, name: str) -> None:
    export_bend(pretrained, tmp_path / "bend")
    tensors = read_tensors(tmp_path / "bend" / "model.safetensors") | {name: torch.zeros(2)}
    save_file(tensors, tmp_path / "bend" / "model.safetensors")
    with pytest.raises(CheckpointError, match=rf"bend: tensor '{name}'; expected those of BEND's ConvNet"):
        load_model(tmp_path / "bend")


def test_a_gene_model_and_its_network_lie_in_one_folder(tmp_path: Path) -> None:
    network = NetworkConfig(encoder=ENCODER.model_copy(update={"n_layers": 1}), head="crf")
    config = GENES.model_copy(update={"head": "gene-model", "network": network})
    model = build_task_model(config)
    model.head.get_buffer("network_weight").fill_(0.7)
    save_checkpoint(tmp_path / "run", model, config)
    assert sorted(file.name for file in (tmp_path / "run").iterdir()) == ["config.json", "model.safetensors"]
    loaded, described = load_model(tmp_path / "run")
    assert described == config and isinstance(loaded, TaskModel) and loaded.network is not None
    assert len(loaded.network.encoder.layers) == 1 and isinstance(loaded.network.head, CRFHead)
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in loaded.state_dict().items())
    tokens = torch.randint(0, 4, (1, 300))
    with torch.no_grad():
        assert torch.equal(loaded(tokens), model.eval()(tokens)) and loaded(tokens).shape == (1, 300, 17)


def test_a_description_without_a_network_does_not_name_one(tmp_path: Path) -> None:
    config = GENES.model_copy(update={"head": "gene-model"})
    save_checkpoint(tmp_path / "run", build_model(config), config)
    assert "network" not in (tmp_path / "run" / "config.json").read_text()
    loaded, described = load_model(tmp_path / "run")
    assert described == config and "network_weight" not in loaded.state_dict()
