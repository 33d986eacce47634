"""Fine-tuning with normalized pooling: trained, resumed, read again, and refused where it makes no sense."""

from pathlib import Path

import numpy as np
import pytest
import torch

from dnaspt.checkpoint import load_model, read_config
from dnaspt.config import FinetuneConfig
from dnaspt.data.dataset import read_split
from dnaspt.errors import CheckpointError, ConfigError
from dnaspt.evaluation.evaluate import score_model
from dnaspt.models.task_model import TaskModel
from dnaspt.training.finetune import finetune


def settings(data: Path, out: Path, **other: object) -> FinetuneConfig:
    given = {"data": data, "out": out, "preset": "tiny", "steps": 30, "validate_every": 10, "batch_bp": 4096}
    return FinetuneConfig.model_validate(
        given | {"pool": "normalized", "precision": "32", "tensorboard": False} | other
    )


@pytest.mark.slow
def test_a_run_with_normalized_pooling_is_read_again_as_it_was(windows: Path, tmp_path: Path) -> None:
    scores_of_run = finetune(settings(windows, tmp_path / "run")).scores
    assert read_config(tmp_path / "run").pool == "normalized"
    model, config = load_model(tmp_path / "run")
    assert isinstance(model, TaskModel)
    scores = score_model(model.eval(), read_split(windows, "valid"), config.labels)
    assert scores["auroc"] == pytest.approx(scores_of_run["valid_auroc"], abs=1e-3)
    assert scores_of_run["valid_auroc"] > 0.6


@pytest.mark.slow
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
