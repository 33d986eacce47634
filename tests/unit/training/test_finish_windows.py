"""What is chosen on valid after training: one strand or both, weights, and that everything said by default is of that."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit
from tests.integration.in_process import dnaspt as command

import dnaspt
from dnaspt.checkpoint import load_model, read_config
from dnaspt.config import FinetuneConfig
from dnaspt.data.dataset import Split, read_split
from dnaspt.errors import ConfigError
from dnaspt.evaluation.evaluate import window_logits
from dnaspt.evaluation.results import read_evaluation
from dnaspt.genome.gene_states import MISSING
from dnaspt.models.task_model import TaskModel
from dnaspt.training.finetune import finetune
from dnaspt.training.finish_windows import finish_windows, fit_weights


def train(windows: Path, out: Path, average_strands: str) -> Path:
    given = {"data": windows, "out": out, "preset": "tiny", "steps": 4, "batch_bp": 4096, "tensorboard": False}
    finetune(FinetuneConfig.model_validate(given | {"average_strands": average_strands}))
    return out


@pytest.fixture(scope="module")
def averaged(windows: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that averages both strands by default."""
    return train(windows, tmp_path_factory.mktemp("averaged") / "run", "always")


def test_what_ranks_valid_better_is_chosen(windows: Path, averaged: Path) -> None:
    model, config = load_model(averaged)
    assert isinstance(model, TaskModel)
    valid = read_split(windows, "valid")
    log_odds = {
        both: window_logits(model, valid, average_strands=both).reshape(len(valid), -1) for both in (False, True)
    }

    def labeled_by(both: bool) -> Split:
        labels = (log_odds[both] > np.median(log_odds[both], axis=0)).astype(valid.labels.dtype)
        return replace(valid, labels=labels.reshape(valid.labels.shape))

    for better in (False, True):
        assert finish_windows(model, labeled_by(better), config.labels, "auto").description["both_strands"] is better
    assert finish_windows(model, labeled_by(False), config.labels, "always").description["both_strands"]
    assert not finish_windows(model, labeled_by(True), config.labels, "never").description["both_strands"]


def test_weights_are_near_equal_where_models_are_alike_and_not_where_one_knows_nothing() -> None:
    generator = np.random.default_rng(0)
    n, signal = 4000, generator.normal(size=4000)
    truth = (generator.random(n) < expit(signal - 2)).astype(np.int8)
    good, other = (signal + generator.normal(size=n) for _ in range(2))
    for members, least, most in (((good, other + 3), 0.4, 0.6), ((good, generator.normal(size=n)), 0.75, 1)):
        weights = fit_weights(np.stack(members)[:, :, None], truth[:, None], np.arange(n))
        assert weights.sum() == pytest.approx(1) and (weights >= 0).all()
        assert least < weights[0] <= most


def test_few_windows_keep_weights_alike() -> None:
    generator = np.random.default_rng(0)
    truth = (np.arange(30) < 2).astype(np.int8)[:, None]
    weights = fit_weights(generator.normal(size=(2, 30, 1)), truth, np.arange(30))
    np.testing.assert_allclose(weights, [0.5, 0.5], atol=0.25)


def test_many_windows_of_few_blocks_keep_weights_near_the_usual_ones() -> None:
    generator = np.random.default_rng(0)
    n, signal = 4000, generator.normal(size=4000)
    truth = (generator.random(n) < expit(signal)).astype(np.int8)[:, None]
    log_odds = np.stack([signal, generator.normal(size=n)])[:, :, None]
    usual = np.array([0.25, 0.75])
    by_n_blocks = [fit_weights(log_odds, truth, np.arange(n) * n_blocks // n, usual)[0] for n_blocks in (1, 100, 4000)]
    assert 0.25 < by_n_blocks[0] < 0.3 < by_n_blocks[1] < by_n_blocks[2]
    tighter = fit_weights(log_odds, truth, np.arange(n) // 40, usual, hold=10)
    assert 0.25 < tighter[0] < by_n_blocks[1]


@pytest.mark.parametrize("factor", [0.1, 1, 10])
def test_a_model_that_is_too_sure_of_itself_moves_no_weight_by_that(factor: float) -> None:
    generator = np.random.default_rng(0)
    n, signal = 300, generator.normal(size=300)
    truth = (generator.random(n) < expit(signal)).astype(np.int8)[:, None]
    members = [signal + generator.normal(size=n) for _ in range(2)]
    log_odds = np.stack([members[0] * factor, members[1]])[:, :, None]
    apart = [abs(fit_weights(log_odds, truth, np.arange(n) // 150, hold=hold)[0] - 0.5) for hold in (0.1, 1, 10, 100)]
    assert apart[0] >= apart[1] >= apart[2] >= apart[3] and apart[1] < 0.1 and apart[3] < 0.001


def test_log_odds_that_are_off_for_all_windows_move_no_weight() -> None:
    generator = np.random.default_rng(0)
    signal = generator.normal(size=(300, 2))
    truth = (generator.random(signal.shape) < expit(signal - 2)).astype(np.int8)
    log_odds = np.stack([signal + generator.normal(size=signal.shape) for _ in range(2)])
    off = log_odds + np.array([[[161.0, -119.0]], [[0.0, 0.0]]])
    found = [fit_weights(own, truth, np.arange(300) // 10) for own in (log_odds, off)]
    np.testing.assert_allclose(found[1], found[0], atol=1e-3)


def test_without_a_value_of_the_labels_the_usual_weights_are_taken() -> None:
    usual = np.array([0.25, 0.75])
    for truth in (np.zeros((20, 1)), np.full((20, 1), MISSING)):
        log_odds = np.random.default_rng(0).normal(size=(2, 20, 1))
        np.testing.assert_array_equal(fit_weights(log_odds, truth.astype(np.int8), np.arange(20), usual), usual)


def test_models_that_know_nothing_get_the_usual_weights() -> None:
    truth = (np.arange(40) % 2).astype(np.int8)[:, None]
    wrong = np.where(truth == 1, -3.0, 3.0)
    weights = fit_weights(np.stack([wrong, wrong]), truth, np.arange(40), np.array([0.25, 0.75]))
    np.testing.assert_allclose(weights, [0.25, 0.75])


def test_scores_and_predictions_follow_the_choice_and_say_so(windows: Path, averaged: Path) -> None:
    assert read_config(averaged).both_strands
    usual = dnaspt.evaluate(averaged, windows)
    assert usual.average_strands
    assert usual.primary.value == dnaspt.evaluate(averaged, windows, average_strands=True).primary.value
    one = dnaspt.evaluate(averaged, windows, average_strands=False)
    assert not one.average_strands and one.primary.value != usual.primary.value
    for stem, value in (("evaluation-test", usual), ("evaluation-test-one-strand", one)):
        assert read_evaluation(averaged / f"{stem}.json").primary.value == value.primary.value
    model = dnaspt.load(averaged)
    letters = ["ACGT" * 64, "GATTACAC" * 32]
    np.testing.assert_array_equal(model.predict_proba(letters), model.predict_proba(letters, average_strands=True))
    assert not np.array_equal(model.predict_proba(letters), model.predict_proba(letters, average_strands=False))
    np.testing.assert_array_equal(model.predict(letters).to_numpy(), model.predict_proba(letters))


def test_files_hold_the_mean_too(averaged: Path, tmp_path: Path) -> None:
    genome = tmp_path / "genome.fa"
    genome.write_text(">one\n" + "".join(np.random.default_rng(0).choice(list("ACGT"), 3000)) + "\n")
    for name, options in (("usual", []), ("both", ["--average-strands"]), ("one", ["--one-strand"])):
        assert (
            command("predict", averaged, "--genome", genome, "--out", tmp_path / f"{name}.parquet", *options).code == 0
        )
    usual, both, one = ((tmp_path / f"{name}.parquet").read_bytes() for name in ("usual", "both", "one"))
    assert usual == both != one


def test_checkpoints_of_one_strand_are_written_as_before(windows: Path, tmp_path: Path) -> None:
    run = train(windows, tmp_path / "run", "never")
    (config,) = (run / "best").glob("*/config.json")
    assert "both_strands" not in config.read_text()
    assert not dnaspt.evaluate(run, windows).average_strands


def test_bases_are_refused(gene_data: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="average_strands is for labels of windows"):
        finetune(FinetuneConfig(data=gene_data, out=tmp_path / "run", head="crf", average_strands="always"))
