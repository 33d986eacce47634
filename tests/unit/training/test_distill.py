"""A network that learns what another one predicts."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import expit
from tests.unit.training.quick import settings

from dnaspt.checkpoint import load_model, read_config
from dnaspt.data.dataset import read_split
from dnaspt.data.manifest import read_manifest
from dnaspt.errors import CheckpointError, ConfigError
from dnaspt.evaluation.evaluate import window_logits
from dnaspt.models.task_model import TaskModel
from dnaspt.training.distill import taught
from dnaspt.training.finetune import finetune

pytestmark = pytest.mark.xdist_group("distill")  # one process makes what these tests start from


@pytest.fixture(scope="module")
def teacher(windows: Path, pretrained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    more = {"steps": 40, "learning_rate": 1e-2, "average_strands": "always"}
    return finetune(settings(windows, tmp_path_factory.mktemp("teacher") / "run", pretrained, **more)).path


def test_windows_get_the_probabilities_of_the_teacher(windows: Path, teacher: Path) -> None:
    train, labels = read_split(windows, "train"), read_manifest(windows).labels
    model, _ = load_model(teacher)
    assert isinstance(model, TaskModel)
    found = taught(train, teacher, len(labels), torch.device("cpu"))
    assert found.labels.dtype == np.float32
    probabilities = found.labels.reshape(-1, len(labels))
    expected = expit(model.calibrator.log_odds(window_logits(model, train, average_strands=True)))
    np.testing.assert_allclose(probabilities[: len(train)], expected, rtol=1e-4, atol=1e-6)
    assert len(found) == len(train)  # none of them touches another one


def test_a_window_between_two_has_half_of_each(windows: Path, teacher: Path) -> None:
    split, n_labels = read_split(windows, "train").take(np.arange(4)), len(read_manifest(windows).labels)
    length = int(split.end[0] - split.start[0])
    start = np.array([0, 1, 3, 4]) * length  # a gap in the middle
    train = replace(split, chrom=np.full(4, "chr1"), start=start, end=start + length)
    found = taught(train, teacher, n_labels, torch.device("cpu"))
    assert len(found) == 6
    for number, first in ((4, 0), (5, 2)):
        between = found.window(number)
        assert (between.start, between.end) == (start[first] + length // 2, start[first] + length // 2 + length)
        left, right = train.window(first).codes, train.window(first + 1).codes
        np.testing.assert_array_equal(between.codes, np.concatenate([left[length // 2 :], right[: length // 2]]))


@pytest.mark.slow
def test_a_student_learns_it_whatever_the_labels_say(
    windows: Path, pretrained: Path, teacher: Path, tmp_path: Path
) -> None:
    run = finetune(settings(windows, tmp_path / "run", pretrained, teacher=teacher, steps=60, learning_rate=1e-2))
    assert read_config(tmp_path / "run").provenance["teacher"]["sha256"]
    valid, labels = read_split(windows, "valid"), read_manifest(windows).labels
    student, taught_by = load_model(run.path)[0], load_model(teacher)[0]
    assert isinstance(student, TaskModel) and isinstance(taught_by, TaskModel)
    log_odds = [window_logits(model, valid).reshape(-1, len(labels))[:, 0] for model in (student, taught_by)]
    assert np.corrcoef(*log_odds)[0, 1] > 0.8


def test_settings_of_labels_are_refused_with_a_teacher(
    windows: Path, pretrained: Path, teacher: Path, tmp_path: Path
) -> None:
    for other, match in (({"positive_weight": 2}, "are for labels"),):
        with pytest.raises(ConfigError, match=match):
            finetune(settings(windows, tmp_path / "run", pretrained, teacher=teacher, **other))


def test_a_run_goes_on_with_its_teacher_alone(windows: Path, pretrained: Path, teacher: Path, tmp_path: Path) -> None:
    finetune(settings(windows, tmp_path / "run", pretrained, teacher=teacher, max_minutes=1e-9))
    with pytest.raises(CheckpointError, match="its teacher has changed"):
        finetune(settings(windows, tmp_path / "run", pretrained), resume=True)
    assert finetune(settings(windows, tmp_path / "run", pretrained, teacher=teacher), resume=True).finished


def test_a_teacher_of_other_labels_is_refused(
    windows: Path, gene_data: Path, pretrained: Path, teacher: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="holds a language model"):
        finetune(settings(windows, tmp_path / "run", pretrained, teacher=pretrained))
    with pytest.raises(ConfigError, match="teacher is for labels of windows"):
        finetune(settings(gene_data, tmp_path / "run", pretrained, teacher=teacher))
