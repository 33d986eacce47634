"""Attributions find a planted motif, mirror on the other strand, and are what their methods say."""

import sys
from pathlib import Path

import numpy as np
import pytest
from tests.unit.inference.motif_models import LENGTH, planted
from tests.unit.inference.motif_models import motif_run as motif_run
from tests.unit.inference.motif_models import untrained_run as untrained_run
from tests.unit.models.huggingface_models import dnabert

from dnaspt.checkpoint import CheckpointConfig, build_task_model
from dnaspt.config import EncoderConfig
from dnaspt.errors import ConfigError, NotFiniteError
from dnaspt.evaluation.metrics import auroc
from dnaspt.genome import alphabet
from dnaspt.inference import explain
from dnaspt.inference.emissions import predict_windows
from dnaspt.inference.explain import Attribution, attributions, onehot
from dnaspt.inference.explain_options import METHODS, ExplainOptions, Method
from dnaspt.inference.model import load
from dnaspt.models.calibrator import Calibrator
from dnaspt.models.huggingface import read_huggingface_config
from dnaspt.models.task_model import TaskModel


def explained(
    model: TaskModel, windows: list[np.ndarray], method: Method, *, both: bool = True, label: int = 0
) -> list[Attribution]:
    return list(attributions(model, windows, label, ExplainOptions(method, both, n_references=6)))


def area_at_motifs(run: Path, method: Method) -> float:
    found = planted(60, seed=10_000)
    rows = np.flatnonzero(found.labels[:, 0])[:16]
    results = explained(load(run).task_model(), list(found.codes[rows]), method)
    sizes = [np.abs((own.scores * onehot(codes)).sum(0)) for own, codes in zip(results, found.codes[rows], strict=True)]
    return float(auroc(found.in_motif[rows].reshape(-1, 1).astype(np.int8), np.concatenate(sizes)[:, None])[0])


@pytest.mark.parametrize("method", METHODS)
def test_the_largest_attributions_lie_on_the_motif_once_it_is_learned(
    method: Method, motif_run: Path, untrained_run: Path
) -> None:
    assert area_at_motifs(motif_run, method) > 0.95
    assert 0.35 < area_at_motifs(untrained_run, method) < 0.65


@pytest.mark.parametrize("method", METHODS)
def test_with_both_strands_attributions_mirror(method: Method, motif_run: Path) -> None:
    model = load(motif_run).task_model()
    windows = list(planted(3, seed=3).codes)
    windows[2] = windows[2].copy()
    windows[2][10:14] = alphabet.N
    forward = explained(model, windows, method)
    backward = explained(model, [alphabet.reverse_complement(codes) for codes in windows], method)
    for own, other in zip(forward, backward, strict=True):
        np.testing.assert_allclose(own.scores, other.scores[::-1, ::-1], atol=1e-4)
        assert own.predicted == pytest.approx(other.predicted, abs=1e-4)
    assert max(np.abs(own.scores).max() for own in forward) > 0.5
    alone = explained(model, windows[:1], method, both=False)
    assert np.abs(alone[0].scores - forward[0].scores).max() > 1e-3


@pytest.mark.parametrize("both", [True, False])
def test_mutagenesis_is_the_change_of_the_log_odds_by_each_letter(both: bool, motif_run: Path) -> None:
    model = load(motif_run).task_model()
    codes = planted(1, seed=5).codes[0]
    changed = [codes]
    for position in range(LENGTH):
        for letter in range(4):
            other = codes.copy()
            other[position] = letter
            changed.append(other)
    log_odds = model.calibrator.log_odds(predict_windows(model, changed, average_strands=both))[:, 1]
    expected = (log_odds[1:] - log_odds[0]).reshape(LENGTH, 4).T
    (found,) = explained(model, [codes], "ism", both=both, label=1)
    np.testing.assert_allclose(found.scores, expected - expected.mean(axis=0), atol=2e-5)
    assert found.predicted == pytest.approx(log_odds[0], abs=1e-5) and np.isnan(found.gap)


def test_contributions_of_deeplift_sum_to_the_difference_from_shuffled_sequences(motif_run: Path) -> None:
    model = load(motif_run).task_model()
    windows = list(planted(4, seed=6).codes)
    found = explained(model, windows, "deeplift")
    for own, codes in zip(found, windows, strict=True):
        assert abs(own.gap) < 1e-3 * max(1.0, abs(own.difference))
        assert (own.scores * onehot(codes)).sum() == pytest.approx(own.difference + own.gap, abs=1e-4)


@pytest.mark.parametrize("head", ["mse", "poisson"])
def test_contributions_of_deeplift_to_a_number_sum_to_its_difference(head: str) -> None:
    encoder = EncoderConfig(hidden_size=16, n_layers=4)
    config = CheckpointConfig(
        kind="task", encoder=encoder, task="values", head=head, labels=("a", "b"), window_bp=LENGTH
    )
    model = build_task_model(config).eval()
    assert isinstance(model, TaskModel)
    model.head.trunk.output.weight.data *= 20
    model.calibrator = Calibrator(of_numbers=True, slopes=(2.0, 3.0), biases=(0.5, 0.0))
    windows = list(planted(3, seed=6).codes)
    predicted = model.calibrator.predictions(predict_windows(model, windows, average_strands=True))[:, 1]
    for own, value in zip(explained(model, windows, "deeplift", label=1), predicted, strict=True):
        assert own.predicted == pytest.approx(value, rel=1e-4)
        assert abs(own.gap) < 1e-3 * abs(own.difference)


def test_gradients_of_the_four_letters_of_a_base_sum_to_zero(motif_run: Path) -> None:
    (found,) = explained(load(motif_run).task_model(), [planted(1, seed=5).codes[0]], "gradient")
    np.testing.assert_allclose(found.scores.sum(axis=0), 0, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_a_window_is_explained_alike_whatever_stands_beside_it(
    method: Method, motif_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load(motif_run).task_model()
    windows = [*planted(3, seed=8).codes, planted(1, seed=9).codes[0][:30]]
    together = explained(model, windows, method)
    assert [own.scores.shape[1] for own in together] == [64] * 3 + [30]
    monkeypatch.setattr(explain, "_EDITED_BYTES", 16 * 64 * 20)  # 20 positions at a time
    monkeypatch.setattr(explain, "_FORWARD_BP", {"cpu": 200})
    monkeypatch.setattr(explain, "_GRADIENT_NUMBERS", {"cpu": 1})
    for own, codes in zip(together, windows, strict=True):
        (alone,) = explained(model, [codes], method)
        np.testing.assert_allclose(own.scores, alone.scores, atol=2e-5)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("letters", ["A", "CG", "N", "AAAAAAAAAAAAAAAAAAAAAAAA", "NNNNNNNNNNNNACGTNN"])
def test_unusual_windows_are_explained(letters: str, method: Method, motif_run: Path) -> None:
    codes = alphabet.encode(letters)
    (found,) = explained(load(motif_run).task_model(), [codes], method)
    assert found.scores.shape == (4, len(codes)) and np.isfinite(found.scores).all() and np.isfinite(found.predicted)


def test_progress_is_told_after_each_group(motif_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[int] = []
    options = ExplainOptions("gradient", average_strands=False)
    monkeypatch.setattr(explain, "_GRADIENT_NUMBERS", {"cpu": 2 * 64 * 16})
    windows = [*planted(3, seed=8).codes, planted(1, seed=9).codes[0][:30]]
    list(attributions(load(motif_run).task_model(), windows, 0, options, told.append))
    assert told == [2, 3, 4]


def test_a_model_with_damaged_weights_is_refused(motif_run: Path) -> None:
    model = load(motif_run).task_model()
    model.head.trunk.output.weight.data[0, 0] = float("nan")
    with pytest.raises(NotFiniteError, match="not finite"):
        explained(model, [planted(1, seed=5).codes[0]], "gradient")


def test_a_hugging_face_model_is_explained_by_mutagenesis_alone(tmp_path: Path) -> None:
    encoder = read_huggingface_config(str(dnabert(tmp_path / "bert")))
    config = CheckpointConfig(kind="task", encoder=encoder, task="regions", head="sigmoid", labels=("a",), window_bp=12)
    model = build_task_model(config).eval()
    (found,) = explained(model, [alphabet.encode("ACGTTGCATTGA")], "ism")
    assert found.scores.shape == (4, 12) and np.abs(found.scores).max() > 0
    for method in ("gradient", "deeplift"):
        with pytest.raises(ConfigError, match=f"method '{method}': a Hugging Face model has no gradient .*; say ism"):
            explained(model, [alphabet.encode("ACGTTGCATTGA")], method)  # type: ignore[arg-type]


def test_without_tangermeme_the_error_says_what_to_install(motif_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tangermeme.deep_lift_shap", None)
    with pytest.raises(
        ConfigError, match="Attributions need tangermeme, which is not installed; pip install tangermeme"
    ):
        explained(load(motif_run).task_model(), [planted(1, seed=5).codes[0]], "ism")


def test_batches_are_smaller_for_wider_models() -> None:
    sizes = []
    for hidden_size in (32, 512):
        encoder = EncoderConfig(hidden_size=hidden_size, n_layers=1)
        config = CheckpointConfig(
            kind="task", encoder=encoder, task="regions", head="sigmoid", labels=("a",), window_bp=64
        )
        sizes += [explain._batch_size(build_task_model(config), 64, method) for method in METHODS]
    assert sizes == [1024, 256, 64, 1024, 16, 4]
