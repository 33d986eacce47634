"""Weights of classes and labels, and where the encoder of a task model comes from."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.unit.training.quick import settings

from dnaspt.checkpoint import load_model
from dnaspt.config import FinetuneConfig
from dnaspt.data.dataset import read_split
from dnaspt.data.manifest import read_manifest
from dnaspt.genome.gene_states import MISSING
from dnaspt.training.finetune import _describe, check_settings
from dnaspt.training.train_task_model import FinetuningData, build_model, class_weights, label_frequencies


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


def test_frequencies_count_one_more_window_of_either_kind(windows: Path) -> None:
    data = data_of(windows)
    labels = data.train.labels.reshape(-1, 3)
    known = (labels[:, 1] != MISSING).sum()
    found = label_frequencies(data)
    assert found[1].item() == pytest.approx(((labels[:, 1] == 1).sum() + 1) / (known + 2))
    assert found[2].item() == pytest.approx(1 / (len(labels) + 2))  # a label that is never true


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
