"""Pretraining from settings to a run with scores, and what it refuses before torch is loaded."""

from pathlib import Path

import pytest
from tests.unit.training.quick import ENCODER, QUICK
from tests.unit.training.test_finetune import run_without_torch

from dnaspt.checkpoint import read_config
from dnaspt.config import PretrainConfig
from dnaspt.errors import CheckpointError, ConfigError, DatasetError
from dnaspt.training.pretrain import WINDOW_BP, pretrain
from dnaspt.training.runs import Run


def test_a_run_has_the_scores_of_n_gram_models_too(pretrained: Path) -> None:
    run = Run.open(pretrained)
    assert run.finished and set(run.scores) == {"valid_nats", "valid_accuracy"}
    assert {"valid_nats", "valid_accuracy", "markov_nats", "two_sided_nats"} <= run.result.summary().keys()
    assert run.result.ngram is not None and 0 < run.result.ngram.markov_nats < 1.6
    description = read_config(run)
    assert description.kind == "language" and description.window_bp == WINDOW_BP
    assert description.provenance["read_splits"] == ["train"]


def test_pretraining_that_time_ends_is_compared_with_the_n_grams_too(gene_data: Path, tmp_path: Path) -> None:
    options = QUICK | {"steps": 100, "validate_every": 1, "max_minutes": 1e-9}
    run = pretrain(PretrainConfig(data=gene_data, out=tmp_path / "run", encoder=ENCODER, **options))
    assert not run.finished and run.stopped_by == "time"
    assert run.result.ngram is not None and run.result.ngram.markov_nats > 0
    assert not (tmp_path / "run" / "result.json").exists()


def test_a_split_that_the_dataset_does_not_have_is_refused(gene_data: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no split is called 'dev'"):
        pretrain(PretrainConfig(data=gene_data, out=tmp_path / "run", splits=("dev",)))
    assert not (tmp_path / "run").exists()


def test_a_run_that_is_there_is_not_touched(gene_data: Path, pretrained: Path) -> None:
    before = (pretrained / "run.json").read_bytes()
    with pytest.raises(CheckpointError, match="already there; go on with --resume"):
        pretrain(PretrainConfig(data=gene_data, out=pretrained))
    assert (pretrained / "run.json").read_bytes() == before


def test_a_mistake_is_told_without_torch(gene_data: Path, pretrained: Path, tmp_path: Path) -> None:
    begin = "from dnaspt.config import PretrainConfig\nfrom dnaspt.training.pretrain import pretrain\n"
    for data, out, message in (
        (tmp_path, tmp_path / "x", "not a dataset, or unfinished"),
        (gene_data, pretrained, "already there; go on with --resume"),
        (gene_data, pretrained / "run.json", "is a file; expected a folder"),
    ):
        code = f"{begin}pretrain(PretrainConfig(data={str(data)!r}, out={str(out)!r}))"
        assert message in run_without_torch(code)


def test_a_share_of_masks_that_masks_nothing_is_refused(gene_data: Path, tmp_path: Path) -> None:
    config = PretrainConfig(data=gene_data, out=tmp_path / "run", encoder=ENCODER, mask_fraction=1e-12, **QUICK)
    with pytest.raises(ConfigError, match="with mask_fraction 1e-12 no base of the valid split is masked"):
        pretrain(config)
    assert list(tmp_path.iterdir()) == []
