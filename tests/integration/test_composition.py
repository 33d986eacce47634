"""Fine-tuning with what k-mers say beside it, calibrated: trained, resumed, read again, refused where it makes no sense."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import expit

from dnaspt.baselines.windows import score_window_model
from dnaspt.checkpoint import load_model, read_config
from dnaspt.config import FinetuneConfig
from dnaspt.data.dataset import read_split
from dnaspt.data.manifest import read_manifest
from dnaspt.errors import ConfigError
from dnaspt.evaluation.calibration import Calibration, fit_calibrator, label_frequencies
from dnaspt.evaluation.evaluate import evaluate, mean_scores, score_model, window_logits
from dnaspt.evaluation.results import read_evaluation
from dnaspt.inference.windows import label_probabilities
from dnaspt.models.task_model import TaskModel
from dnaspt.training.finetune import finetune


def settings(data: Path, out: Path, **other: object) -> FinetuneConfig:
    given = {"data": data, "out": out, "preset": "tiny", "steps": 6, "validate_every": 3, "batch_bp": 4096}
    return FinetuneConfig.model_validate(given | {"composition": True, "precision": "32", "tensorboard": False} | other)


def test_a_run_is_read_again_as_it_was_and_is_as_good_as_kmers(windows: Path, tmp_path: Path) -> None:
    scores_of_run = finetune(settings(windows, tmp_path / "run", steps=1, learning_rate=1e-8)).scores
    model, checkpoint = load_model(tmp_path / "run")
    assert isinstance(model, TaskModel) and checkpoint.composition is not None
    assert checkpoint.composition > 0.5  # the network has learned nothing
    valid = read_split(windows, "valid")
    log_odds = window_logits(model, valid, average_strands=checkpoint.both_strands).reshape(len(valid), -1)
    scores = mean_scores(valid.labels.reshape(log_odds.shape), log_odds)
    assert scores["auroc"] == pytest.approx(scores_of_run["valid_auroc"], abs=1e-6)
    assert evaluate(tmp_path / "run", windows, split="valid").primary.value == pytest.approx(scores["auroc"], abs=1e-6)
    kmers = score_window_model(windows, read_manifest(windows), "kmer", None).result.valid
    assert kmers is not None and scores["auroc"] > kmers - 0.05


def test_a_run_that_is_finished_once_more_stays_as_it_is(windows: Path, tmp_path: Path) -> None:
    scores = finetune(settings(windows, tmp_path / "run")).scores
    (config,) = (tmp_path / "run" / "best").glob("*/config.json")
    before = config.read_bytes()
    assert finetune(settings(windows, tmp_path / "run"), resume=True).scores == scores
    assert config.read_bytes() == before


def test_the_network_learns_as_it_would_alone(windows: Path, tmp_path: Path) -> None:
    for name, composition in (("with", True), ("without", False)):
        finetune(settings(windows, tmp_path / name, composition=composition))
    joined, alone = (load_model(tmp_path / name)[0].state_dict() for name in ("with", "without"))
    assert set(joined) - set(alone) == {"composition.scores", "composition.constant"}
    assert all(torch.equal(joined[name], alone[name]) for name in alone)


@pytest.mark.slow
def test_a_resumed_run_has_the_same_weights(windows: Path, tmp_path: Path) -> None:
    finetune(settings(windows, tmp_path / "alone"))
    finetune(settings(windows, tmp_path / "parts", max_minutes=1e-9))
    finetune(settings(windows, tmp_path / "parts"), resume=True)
    alone, parts = (load_model(tmp_path / name)[0].state_dict() for name in ("alone", "parts"))
    assert all(torch.equal(alone[name], parts[name]) for name in alone)
    assert np.isfinite(alone["composition.scores"].numpy()).all() and alone["composition.scores"].abs().max() > 0


def test_it_is_evaluated_on_both_strands(windows: Path, tmp_path: Path) -> None:
    finetune(settings(windows, tmp_path / "run"))
    both = evaluate(tmp_path / "run", windows, split="valid", average_strands=True)
    assert 0 < both.primary.value < 1


def test_what_has_no_composition_is_written_as_before(windows: Path, tmp_path: Path) -> None:
    finetune(settings(windows, tmp_path / "run", steps=1, composition=False))
    assert not read_config(tmp_path / "run").composition
    config = json.loads((next((tmp_path / "run" / "best").iterdir()) / "config.json").read_text())
    assert not {"composition", "members", "network"} & set(config)


def test_bases_have_no_composition(gene_data: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="composition is for labels of windows"):
        finetune(settings(gene_data, tmp_path / "run", head="crf"))


@pytest.mark.slow
def test_probabilities_are_calibrated_on_valid_and_log_odds_stay(windows: Path, tmp_path: Path) -> None:
    more = {"steps": 20, "learning_rate": 1e-2, "composition": False, "average_strands": "never"}
    run = finetune(settings(windows, tmp_path / "run", **more))
    model, config = load_model(tmp_path / "run")
    assert isinstance(model, TaskModel) and config.temperature != 1 and len(config.biases) == len(config.labels)
    valid = read_split(windows, "valid")
    log_odds = window_logits(model, valid).reshape(-1, len(config.labels))
    truth = valid.labels.reshape(log_odds.shape)
    frequencies = label_frequencies(read_split(windows, "train").labels.reshape(-1, len(config.labels)))
    assert fit_calibrator(truth, log_odds, frequencies).temperature == pytest.approx(config.temperature, rel=1e-3)
    assert score_model(model, valid, config.labels)["auroc"] == pytest.approx(run.scores["valid_auroc"], abs=1e-3)
    scored = evaluate(tmp_path / "run", windows, split="valid").windows
    assert scored is not None and scored.calibration is not None
    calibrated = model.calibrator.log_odds(log_odds)
    assert scored.calibration.error == pytest.approx(Calibration.of(truth, calibrated).error)
    assert scored.calibration.error <= Calibration.of(truth, log_odds).error
    probabilities = label_probabilities(model, (window.codes for window in valid))
    np.testing.assert_allclose(probabilities, expit(calibrated), rtol=1e-4, atol=1e-6)
    written = read_evaluation(tmp_path / "run" / "evaluation-valid.json").windows
    assert written is not None and written.calibration == scored.calibration
