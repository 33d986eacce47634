"""Weights of classes and labels, and where the encoder of a task model comes from."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.unit.training.quick import settings, weights_of

from dnaspt.checkpoint import load_model
from dnaspt.config import FinetuneConfig
from dnaspt.data.dataset import read_split
from dnaspt.data.manifest import read_manifest
from dnaspt.errors import CheckpointError, ConfigError, DatasetError
from dnaspt.genome.gene_states import MISSING
from dnaspt.training import train_task_model
from dnaspt.training.finetune import _describe, check_settings, finetune
from dnaspt.training.loop import SilentReporter
from dnaspt.training.runs import read_metrics
from dnaspt.training.train_task_model import FinetuningData, build_model, class_weights


def data_of(folder: Path) -> FinetuningData:
    return FinetuningData(read_manifest(folder), read_split(folder, "train"), read_split(folder, "valid"))


def test_rare_classes_of_bases_weigh_more_by_the_root_of_their_frequency(gene_data: Path) -> None:
    data = data_of(gene_data)
    assert class_weights(FinetuneConfig(data=gene_data, out="x"), data) is None
    weights = class_weights(FinetuneConfig(data=gene_data, out="x", class_weights="balanced"), data)
    assert weights is not None and weights.mean() == pytest.approx(1)
    labels = data.train.labels
    counts = [int((labels[labels != MISSING] == label).sum()) for label in range(9)]
    ratio = (weights[0] / weights[8]).item()  # coding bases of the forward strand, and non-coding ones
    assert ratio == pytest.approx((counts[8] / counts[0]) ** 0.5, rel=1e-5)


def test_labels_of_windows_weigh_by_negatives_over_positives(windows: Path) -> None:
    data = data_of(windows)
    labels = data.train.labels.reshape(-1, 3)
    weights = class_weights(FinetuneConfig(data=windows, out="x", class_weights="balanced"), data)
    positives = np.maximum((labels == 1).sum(0), 1)
    assert weights.tolist() == pytest.approx(((labels == 0).sum(0) / positives).tolist())
    given = class_weights(FinetuneConfig(data=windows, out="x", positive_weight=2.5), data)
    assert given.tolist() == [2.5] * 3


def test_a_model_takes_the_pretrained_encoder_and_a_head_of_its_seed(gene_data: Path, pretrained: Path) -> None:
    data = data_of(gene_data)
    heads = []
    for seed in (1, 2):
        config = settings(gene_data, Path("x"), pretrained, seed=seed, freeze_encoder=True)
        described = load_model(pretrained)[1]
        checkpoint = _describe(config, data.manifest, check_settings(config, data.manifest), described)
        model = build_model(config, checkpoint, data)
        expected = load_model(pretrained)[0].encoder.state_dict()
        assert all(torch.equal(value, expected[name]) for name, value in model.encoder.state_dict().items())
        assert not any(parameter.requires_grad for parameter in model.encoder.parameters())
        heads.append(model.head.trunk.linear.weight)
    assert not torch.equal(*heads)


SCORES = [(0.1, 0.0), (0.3, 0.5), (0.2, 0.5), (0.4, 0.1), (0.6, 0.2), (0.7, 0.3)]
"""MCC and F1 of exons of the validations of a run."""


@pytest.mark.parametrize(
    ("given", "best_step", "steps"),
    [
        ({}, 12, 12),
        ({"choose_by": "mcc"}, 12, 12),
        ({"choose_by": "exon_f1"}, 6, 12),
        ({"choose_by": "exon_f1", "patience": 2}, 6, 8),
    ],
)
def test_the_checkpoint_and_the_end_are_chosen_by_the_score_that_was_asked_for(
    gene_data: Path,
    pretrained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    given: dict[str, object],
    best_step: int,
    steps: int,
) -> None:
    rest = iter(SCORES)

    def score_model(*_: object, annotated: list[object], grammar: object) -> dict[str, float]:
        assert annotated and grammar is not None
        mcc, exon_f1 = next(rest)
        return {"mcc": mcc, "accuracy": 0.5, "exon_f1": exon_f1, "gene_f1": 0.0}

    monkeypatch.setattr(train_task_model, "score_model", score_model)
    run = finetune(settings(gene_data, tmp_path / "run", pretrained, head="crf", steps=12, **given))
    assert (run.best_step, run.step) == (best_step, steps)  # of equal scores the later one
    mcc, exon_f1 = SCORES[best_step // 2 - 1]
    assert run.scores == {"valid_mcc": mcc, "valid_accuracy": 0.5, "valid_exon_f1": exon_f1, "valid_gene_f1": 0.0}
    logged = [row["valid_exon_f1"] for row in read_metrics(run.path) if "valid_exon_f1" in row]
    assert logged == [exon_f1 for _, exon_f1 in SCORES[: steps // 2]]


def test_a_run_by_f1_of_exons_goes_on_where_it_was(gene_data: Path, pretrained: Path, tmp_path: Path) -> None:
    given = {"head": "crf", "choose_by": "exon_f1"}
    whole = finetune(settings(gene_data, tmp_path / "whole", pretrained, **given))
    part = settings(gene_data, tmp_path / "part", pretrained, **given)

    class Stops(SilentReporter):
        def update(self, step: int, row: dict[str, float]) -> None:
            if step == 3:
                raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        finetune(part, reporter=Stops())
    resumed = finetune(part, resume=True)
    assert resumed.scores == whole.scores and {"valid_exon_f1", "valid_gene_f1"} <= set(whole.scores)
    after, before = weights_of(resumed.path), weights_of(whole.path)
    assert all(torch.equal(after[name], before[name]) for name in before)
    with pytest.raises(CheckpointError, match="was started with choose_by = 'exon_f1', now 'auto'"):
        finetune(settings(gene_data, tmp_path / "part", pretrained, head="crf"), resume=True)


def test_choosing_by_genes_needs_genes(
    gene_data: Path, windows: Path, pretrained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match="choose_by = 'exon_f1' is for genes"):
        finetune(settings(windows, tmp_path / "run", pretrained, choose_by="exon_f1"))
    monkeypatch.setattr("dnaspt.training.finetune.read_transcripts", lambda *_: [])
    with pytest.raises(DatasetError, match="no whole gene of the annotation lies on the valid split"):
        finetune(settings(gene_data, tmp_path / "run", pretrained, choose_by="exon_f1"))
    run = finetune(settings(gene_data, tmp_path / "run", pretrained))
    assert set(run.scores) == {"valid_mcc", "valid_accuracy"}
