"""Fine-tuned models to an ensemble."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import expit
from tests.unit.training.quick import settings

from dnaspt.checkpoint import load_model, read_config
from dnaspt.config import EnsembleConfig, FinetuneConfig
from dnaspt.data.dataset import read_split
from dnaspt.errors import CheckpointError, ConfigError
from dnaspt.evaluation.evaluate import evaluate, score_model, window_logits
from dnaspt.inference.model import load
from dnaspt.models.ensemble import Ensemble
from dnaspt.models.task_model import TaskModel
from dnaspt.reports.describe import describe
from dnaspt.reports.run_page import write_report
from dnaspt.training import ensemble as ensemble_file
from dnaspt.training.ensemble import ensemble, fit_weights
from dnaspt.training.finetune import finetune

pytestmark = pytest.mark.xdist_group("ensemble")  # one process makes what these tests start from


@pytest.fixture(scope="module")
def runs(windows: Path, pretrained: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    folder = tmp_path_factory.mktemp("members")
    return tuple(
        finetune(settings(windows, folder / f"{n}", pretrained, seed=n, steps=20, learning_rate=1e-2)).path
        for n in range(2)
    )


def test_log_odds_of_windows_are_the_weighted_sum(windows: Path, runs: tuple[Path, ...], tmp_path: Path) -> None:
    run = ensemble(EnsembleConfig(data=windows, runs=runs, out=tmp_path / "run"))
    valid = read_split(windows, "valid")
    singles = []
    for path in runs:
        model, _ = load_model(path)
        assert isinstance(model, TaskModel)
        singles.append(window_logits(model, valid))
    joined, config = load_model(tmp_path / "run")
    assert isinstance(joined, Ensemble)
    np.testing.assert_allclose(window_logits(joined, valid), np.mean(singles, axis=0), atol=1e-5)
    assert [member["weight"] for member in config.provenance["members"]] == [0.5, 0.5]
    scores = score_model(joined, valid, config.labels)
    assert run.scores["valid_auroc"] == pytest.approx(scores["auroc"], abs=1e-6)


def test_weights_on_valid_are_near_equal_where_models_are_alike_and_not_where_one_knows_nothing(
    windows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = np.random.default_rng(0)
    n, signal = 4000, generator.normal(size=4000)
    valid = read_split(windows, "valid").take(np.zeros(n, int))
    truth = (generator.random(n) < expit(signal - 2)).astype(np.int8)
    valid = replace(valid, labels=truth, label_offsets=np.arange(n + 1))
    good, other = (signal + generator.normal(size=n) for _ in range(2))
    for members, least, most in (((good, other + 3), 0.4, 0.6), ((good, generator.normal(size=n)), 0.75, 1)):
        log_odds = iter(members)
        monkeypatch.setattr(ensemble_file, "window_logits", lambda *_, log_odds=log_odds: next(log_odds)[:, None])
        joined = SimpleNamespace(single=members)
        weights = fit_weights(joined, valid, ("label",))  # type: ignore[arg-type]
        assert weights.sum() == pytest.approx(1) and (weights >= 0).all()
        assert least < weights[0] <= most


def test_few_windows_keep_weights_alike(windows: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    valid = read_split(windows, "valid").take(np.zeros(30, int))
    truth = (np.arange(30) < 2).astype(np.int8)
    valid = replace(valid, labels=truth, label_offsets=np.arange(31))
    log_odds = iter([generator.normal(size=(30, 1)), generator.normal(size=(30, 1))])
    monkeypatch.setattr(ensemble_file, "window_logits", lambda *_: next(log_odds))
    weights = fit_weights(SimpleNamespace(single=[0, 1]), valid, ("label",))  # type: ignore[arg-type]
    np.testing.assert_allclose(weights, [0.5, 0.5], atol=0.25)


def test_an_ensemble_is_a_run_like_any_other(windows: Path, runs: tuple[Path, ...], tmp_path: Path) -> None:
    ensemble(EnsembleConfig(data=windows, runs=runs, out=tmp_path / "run"))
    scored = evaluate(tmp_path / "run", windows, split="test")
    assert (tmp_path / "run" / "evaluation-test.json").is_file() and 0 < scored.primary.value < 1
    assert scored.encoder_read_splits == ("train",)
    evaluate(runs[0], windows, split="test")
    page = write_report(tmp_path / "report.html", windows, [tmp_path / "run", runs[0]]).read_text()
    for text in (
        "2 models",
        "Calibration",
        "calibration error",
        f"dnaspt ensemble {runs[0]} {runs[1]} --data {windows}",
    ):
        assert text in page
    tables = describe(tmp_path / "run").tables
    assert "ensemble of 2 models for regions, head sigmoid" in tables[0].title and len(tables[0].rows) == 2
    model = load(tmp_path / "run")
    assert model.predict(["ACGT" * 64]).shape == (1, len(model.labels))
    with pytest.raises(CheckpointError, match="is an ensemble; embed sequences with one of its models"):
        model.embed("ACGT")


@pytest.mark.slow
def test_crfs_are_joined_by_their_emissions(gene_data: Path, pretrained: Path, tmp_path: Path) -> None:
    runs = tuple(finetune(settings(gene_data, tmp_path / f"{n}", pretrained, seed=n)).path for n in range(2))
    run = ensemble(EnsembleConfig(data=gene_data, runs=runs, out=tmp_path / "run"))
    assert {"valid_mcc", "valid_exon_f1", "valid_gene_f1"} <= set(run.scores)
    assert read_config(tmp_path / "run").head == "crf"
    evaluate(tmp_path / "run", gene_data, split="valid")
    assert evaluate(run.path, gene_data, split="valid", write=False).encoder_read_splits == ("train",)
    genes = finetune(FinetuneConfig(data=gene_data, out=tmp_path / "genes", head="gene-model", network=run.path))
    assert genes.finished
    assert evaluate(genes.path, gene_data, split="valid", write=False).encoder_read_splits == ("train",)
    with pytest.raises(ConfigError, match="is for windows; of genes the emissions are averaged"):
        ensemble(EnsembleConfig(data=gene_data, runs=runs, out=tmp_path / "other", weights="valid"))


def test_models_that_do_not_fit_are_refused(
    windows: Path, gene_data: Path, pretrained: Path, runs: tuple[Path, ...], tmp_path: Path
) -> None:
    crf = finetune(settings(gene_data, tmp_path / "crf", pretrained)).path
    ensemble(EnsembleConfig(data=windows, runs=runs, out=tmp_path / "joined"))
    for others, match in (
        ((runs[0], crf), "predicts other labels than"),
        ((runs[0], pretrained), "holds a language model"),
        ((tmp_path / "joined", runs[0]), "is an ensemble; give its members instead"),
        ((runs[0], runs[0]), "a run is given twice"),
    ):
        with pytest.raises(ConfigError, match=match):
            ensemble(EnsembleConfig(data=windows, runs=others, out=tmp_path / "run"))
    with pytest.raises(CheckpointError, match="already there"):
        ensemble(EnsembleConfig(data=windows, runs=runs, out=tmp_path / "joined"))
    with pytest.raises(ConfigError, match="is an ensemble, which has no encoder of its own"):
        finetune(settings(windows, tmp_path / "run", tmp_path / "joined"))
    with pytest.raises(CheckpointError, match="is an ensemble, which is not resumed"):
        finetune(settings(windows, tmp_path / "joined", pretrained), resume=True)
    ensemble(EnsembleConfig(data=windows, runs=runs, out=tmp_path / "joined"), overwrite=True)
