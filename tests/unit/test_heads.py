"""Heads: how vectors are pooled and normalized."""

from pathlib import Path

import numpy as np
import pytest
import torch

from dnaspt.checkpoint import load_model, read_config
from dnaspt.config import EncoderConfig, FinetuneConfig
from dnaspt.data.dataset import read_split
from dnaspt.errors import CheckpointError, ConfigError
from dnaspt.evaluation.evaluate import score_model
from dnaspt.models.encoder import DilatedEncoder
from dnaspt.models.heads import MeanNorm, SigmoidHead, Trunk
from dnaspt.models.task_model import TaskModel
from dnaspt.training.finetune import finetune


def settings(data: Path, out: Path, **other: object) -> FinetuneConfig:
    given = {"data": data, "out": out, "preset": "tiny", "steps": 30, "validate_every": 10, "batch_bp": 4096}
    return FinetuneConfig.model_validate(
        given | {"pool": "normalized", "precision": "32", "tensorboard": False} | other
    )


def test_vectors_are_normalized_by_their_batch_and_later_by_all_batches_so_far() -> None:
    torch.manual_seed(0)
    batches = 3 + 0.1 * torch.randn(20, 64, 8)
    norm = MeanNorm(8)
    for batch in batches:
        out = norm(batch)
        assert torch.allclose(out.mean(0), torch.zeros(8), atol=1e-4)
        assert torch.allclose(out.std(0, correction=0), torch.ones(8), atol=1e-2)
    norm.eval()
    every = norm(batches).flatten(0, 1)
    assert torch.allclose(every.mean(0), torch.zeros(8), atol=1e-4)
    assert torch.allclose(every.std(0), torch.ones(8), atol=0.05)


def test_a_single_vector_is_normalized_as_after_training() -> None:
    norm = MeanNorm(4)
    norm(torch.randn(32, 4))
    before = {name: tensor.clone() for name, tensor in norm.state_dict().items()}
    alone = norm(torch.ones(1, 4))
    assert torch.equal(alone, norm.eval()(torch.ones(1, 4)))
    assert all(torch.equal(before[name], tensor) for name, tensor in norm.state_dict().items())


@pytest.mark.parametrize("weights", [None, torch.tensor([4.0, 0.5])])
def test_labels_begin_at_their_frequencies(weights: torch.Tensor | None) -> None:
    """With weights w for the positives, a constant logit minimizes the loss where its odds are w times those of the label."""
    trunk = Trunk(16, 2, resolution_bp=0, normalize=True)
    head = SigmoidHead(trunk, 2, weights)
    frequencies = torch.tensor([0.02, 0.5])
    head.begin_at(frequencies)
    bias = trunk.linear.bias.detach().clone().requires_grad_(True)
    w = torch.ones(2) if weights is None else weights
    loss = -(w * frequencies * bias.sigmoid().log() + (1 - frequencies) * (-bias).sigmoid().log()).sum()
    loss.backward()
    assert torch.allclose(bias.grad, torch.zeros(2), atol=1e-6)


def test_windows_do_not_depend_on_their_batch_once_trained() -> None:
    torch.manual_seed(0)
    encoder = DilatedEncoder(EncoderConfig(hidden_size=16, n_layers=2))
    model = TaskModel(encoder, SigmoidHead(Trunk(16, 3, resolution_bp=0, normalize=True), 3))
    tokens = torch.randint(0, 4, (8, 256))
    model(tokens)
    model.eval()
    together = model(tokens)
    assert together.shape == (8, 3)
    assert torch.allclose(together, torch.cat([model(row[None]) for row in tokens]), atol=1e-5)


def test_a_run_with_normalized_pooling_is_read_again_as_it_was(windows: Path, tmp_path: Path) -> None:
    _, result = finetune(settings(windows, tmp_path / "run"))
    assert read_config(tmp_path / "run").pool == "normalized"
    model, config = load_model(tmp_path / "run")
    assert isinstance(model, TaskModel)
    scores = score_model(model.eval(), read_split(windows, "valid"), config.labels)
    assert scores["auroc"] == pytest.approx(result["valid_auroc"], abs=1e-3)
    assert result["valid_auroc"] > 0.6


def test_a_resumed_run_has_the_same_averages(windows: Path, tmp_path: Path) -> None:
    finetune(settings(windows, tmp_path / "alone"))
    finetune(settings(windows, tmp_path / "parts", max_minutes=1e-9))
    finetune(settings(windows, tmp_path / "parts"), resume=True)
    alone, parts = (load_model(tmp_path / name)[0].state_dict() for name in ("alone", "parts"))
    assert all(torch.equal(alone[name], parts[name]) for name in alone)
    assert np.isfinite(alone["head.trunk.norm.mean"].numpy()).all()


@pytest.mark.parametrize(
    ("other", "match"),
    [
        ({"preset": "basset"}, "another encoder"),
        ({"devices": 2}, "one process"),
        ({"batch_bp": 1000}, "a batch has 5 windows; expected batch_bp of 3,200 or more"),
    ],
)
def test_where_a_batch_does_not_say_what_windows_are_like_it_is_refused(
    other: dict[str, object], match: str, windows: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=match):
        finetune(settings(windows, tmp_path / "run", **other))


def test_bases_are_not_pooled(gene_data: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is for windows"):
        finetune(settings(gene_data, tmp_path / "run"))


def test_a_checkpoint_that_lacks_the_averages_is_refused(windows: Path, tmp_path: Path) -> None:
    finetune(settings(windows, tmp_path / "run", steps=1, pool="mean"))
    description = next((tmp_path / "run" / "best").iterdir()) / "config.json"
    description.write_text(description.read_text().replace('"pool": "mean"', '"pool": "normalized"'))
    with pytest.raises(CheckpointError):
        load_model(tmp_path / "run")
