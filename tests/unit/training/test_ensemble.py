"""Fine-tuned models to an ensemble."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.unit.training.quick import settings

from dnaspt.checkpoint import load_model, read_config
from dnaspt.config import EnsembleConfig, FinetuneConfig
from dnaspt.data.dataset import read_split
from dnaspt.errors import CheckpointError, ConfigError
from dnaspt.evaluation.evaluate import evaluate, mean_scores, window_logits
from dnaspt.genome import alphabet
from dnaspt.inference.model import load
from dnaspt.models.ensemble import Ensemble
from dnaspt.models.task_model import TaskModel
from dnaspt.reports.describe import describe
from dnaspt.reports.run_page import write_report
from dnaspt.training.ensemble import ensemble
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
    log_odds = window_logits(joined, valid, average_strands=config.both_strands).reshape(len(valid), -1)
    scores = mean_scores(valid.labels.reshape(log_odds.shape), log_odds)
    assert run.scores["valid_auroc"] == pytest.approx(scores["auroc"], abs=1e-6)


def test_a_composition_is_joined_with_the_share_that_valid_gives_it(
    windows: Path, runs: tuple[Path, ...], tmp_path: Path
) -> None:
    run = ensemble(EnsembleConfig(data=windows, runs=runs[:1], out=tmp_path / "run", composition=True))
    joined, config = load_model(run.path)
    assert isinstance(joined, Ensemble) and joined.composition is not None and config.composition is not None
    assert 0 < config.composition <= 1 and joined.composition.share == config.composition
    valid = read_split(windows, "valid")
    single, _ = load_model(runs[0])
    assert isinstance(single, TaskModel)
    tokens = torch.from_numpy(np.stack([alphabet.tokens(window.codes) for window in valid]))
    with torch.no_grad():
        of_kmers = joined.composition(tokens).numpy()
    expected = (1 - config.composition) * window_logits(single, valid) + config.composition * of_kmers
    np.testing.assert_allclose(window_logits(joined, valid), expected, atol=1e-4)
    assert "share of the composition" in str(describe(run.path).tables)
    scored = evaluate(run.path, windows, split="valid", write=False)
    assert scored.primary.value == pytest.approx(run.scores["valid_auroc"], abs=1e-6)


def test_one_run_without_a_composition_is_no_ensemble(windows: Path, runs: tuple[Path, ...], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is one run; give two or more"):
        ensemble(EnsembleConfig(data=windows, runs=runs[:1], out=tmp_path / "run"))


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
