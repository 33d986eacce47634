"""What a training run does with its settings, on a model of a few hundred weights."""

import json
import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from dnaspt.checkpoint import find_checkpoint, read_config
from dnaspt.config import EncoderConfig, FinetuneConfig, PretrainConfig, TrainingConfig, build_config
from dnaspt.data.batches import BatchOptions, TrainingBatches
from dnaspt.data.dataset import read_split
from dnaspt.errors import CheckpointError, ConfigError
from dnaspt.models.language_model import LanguageModel
from dnaspt.tasks import MISSING
from dnaspt.training.finetune import _spread, finetune
from dnaspt.training.loop import validation_interval
from dnaspt.training.optim import averaged, learning_rate, update_averages
from dnaspt.training.pretrain import MaskedWindows, pretrain, score_language_model

QUICK = {
    "steps": 4,
    "batch_bp": 2048,
    "validate_every": 2,
    "tensorboard": False,
    "precision": "32",
    "accelerator": "cpu",
}
ENCODER = EncoderConfig(hidden_size=16, n_layers=2)


@pytest.fixture(scope="module")
def pretrained(gene_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("runs") / "pretrained"
    _, result = pretrain(PretrainConfig(data=gene_data, out=run, encoder=ENCODER, **QUICK))
    assert {"valid_nats", "valid_accuracy", "markov_nats", "two_sided_nats"} <= result.keys()
    return run


def settings(data: Path, out: Path, encoder: Path, **other: object) -> FinetuneConfig:
    return FinetuneConfig.model_validate({"data": data, "out": out, "encoder": encoder} | QUICK | other)


def weights_of(run: Path) -> dict[str, torch.Tensor]:
    return load_file(next((run / "last").iterdir()) / "model.safetensors")


def losses_of(run: Path) -> list[float]:
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [row["loss"] for row in rows]


@pytest.mark.parametrize(
    ("n_steps", "valid_bp", "interval"),
    [(1000, 1_000, 50), (1000, 1_024_000, 100), (1000, 1 << 40, 250), (3, 1 << 40, 1), (1000, 0, 50)],
)
def test_validations_read_no_more_than_training_does(n_steps: int, valid_bp: int, interval: int) -> None:
    config = TrainingConfig(batch_bp=5120, accumulate=2)
    assert validation_interval(config, n_steps, valid_bp) == interval
    assert validation_interval(config.model_copy(update={"validate_every": 7}), n_steps, valid_bp) == 7


def test_windows_of_any_length_are_scored_as_each_alone() -> None:
    rng = np.random.default_rng(0)
    lengths = (5_000, 7, 30_000, 600, 3_000, 64, 9_000)
    tokens = [rng.integers(0, 4, length).astype(np.uint8) for length in lengths]
    labels = [np.where(rng.random(length) < 0.3, rng.integers(0, 4, length), MISSING) for length in lengths]
    torch.manual_seed(0)
    model = LanguageModel(ENCODER).eval()
    with torch.no_grad():
        together = score_language_model(model, MaskedWindows(tokens, labels))
        alone = [
            score_language_model(model, MaskedWindows([one], [true])) for one, true in zip(tokens, labels, strict=True)
        ]
    counts = [(true != MISSING).sum() for true in labels]
    for name, value in together.items():
        assert value == pytest.approx(np.average([one[name] for one in alone], weights=counts), abs=1e-6)


def test_rate_warms_up_to_its_peak_and_falls_to_its_floor() -> None:
    config = TrainingConfig(learning_rate=1.0, warmup_fraction=0.1, final_rate_fraction=0.01)
    rates = [learning_rate(step, 100, config) for step in range(100)]
    assert rates[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert all(left >= right for left, right in pairwise(rates[9:]))
    assert rates[-1] == pytest.approx(0.01, abs=0.005)


def test_a_frozen_encoder_keeps_its_weights_and_the_head_learns(
    gene_data: Path, tmp_path: Path, pretrained: Path
) -> None:
    finetune(settings(gene_data, tmp_path / "run", pretrained, freeze_encoder=True))
    before, after = load_file(find_checkpoint(pretrained) / "model.safetensors"), weights_of(tmp_path / "run")
    shared = [name for name in before if name.startswith("encoder.")]
    assert shared
    assert all(torch.equal(before[name], after[name]) for name in shared)
    assert after["head.crf.transitions"].any()


def test_weights_are_averaged_over_the_last_steps_and_put_back() -> None:
    """Alike at first, then the older the less, over a tenth of 200 steps."""
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    seen, expected = [], torch.zeros(2, 3)
    for step in range(200):
        model(torch.randn(4, 3)).pow(2).sum().backward()
        optimizer.step()
        update_averages(optimizer, step, 200, 0.1)
        seen.append(model.weight.detach().clone())
        expected = torch.stack(seen).mean(0) if step < 20 else expected + (seen[-1] - expected) / 20
        with averaged(optimizer):
            assert torch.allclose(model.weight, expected, atol=1e-5)
        assert torch.equal(model.weight, seen[-1])


def test_averaged_weights_are_what_is_kept(gene_data: Path, tmp_path: Path, pretrained: Path) -> None:
    """The last ones are those that training goes on from."""
    finetune(settings(gene_data, tmp_path / "run", pretrained, average_fraction=0.9, steps=8, validate_every=8))
    kept, last = (
        load_file(next((tmp_path / "run" / kind).glob("step-*")) / "model.safetensors") for kind in ("best", "last")
    )
    slots = load_file(next((tmp_path / "run" / "last").glob("step-*")) / "optimizer.safetensors")
    assert not torch.equal(kept["head.crf.transitions"], last["head.crf.transitions"])
    assert torch.equal(kept["head.crf.transitions"], slots["head.crf.transitions|average"])


def test_accumulated_batches_weigh_as_much_as_their_bases(gene_data: Path, tmp_path: Path, pretrained: Path) -> None:
    common = {"reverse_complement": False, "head": "softmax", "steps": 1, "learning_rate": 1e-12, "validate_every": 1}
    options = BatchOptions(batch_bp=1024, reverse_complement=False)
    n_batches = len(TrainingBatches([read_split(gene_data, "train")], 1024, options).plan(0))
    finetune(settings(gene_data, tmp_path / "many", pretrained, accumulate=n_batches, batch_bp=1024, **common))
    finetune(settings(gene_data, tmp_path / "one", pretrained, batch_bp=1024 * n_batches * 2, **common))
    many, one = losses_of(tmp_path / "many")[0], losses_of(tmp_path / "one")[0]
    assert many == pytest.approx(one, rel=1e-6)


def test_patience_ends_a_run_and_resuming_it_changes_nothing(gene_data: Path, tmp_path: Path, pretrained: Path) -> None:
    config = settings(
        gene_data, tmp_path / "run", pretrained, steps=500, patience=2, learning_rate=1e-12, validate_every=1
    )
    outcome, result = finetune(config)
    assert outcome.finished
    assert outcome.progress.n_bad == 2
    again, same = finetune(config, resume=True)
    assert again.progress == outcome.progress
    assert same == result


def test_a_run_that_replaces_another_starts_from_the_beginning(
    gene_data: Path, tmp_path: Path, pretrained: Path
) -> None:
    config = settings(gene_data, tmp_path / "run", pretrained)
    finetune(config)
    before = weights_of(tmp_path / "run")
    outcome, _ = finetune(config, overwrite=True)
    assert outcome.progress.step == 4
    assert len(losses_of(tmp_path / "run")) == 2
    assert all(torch.equal(before[name], value) for name, value in weights_of(tmp_path / "run").items())


def test_a_time_limit_stops_saves_and_leaves_the_schedule_alone(
    gene_data: Path, tmp_path: Path, pretrained: Path
) -> None:
    config = settings(gene_data, tmp_path / "run", pretrained, steps=6, max_minutes=1e-9)
    outcome, result = finetune(config)
    assert (outcome.finished, outcome.stopped_by, outcome.progress.step, result) == (False, "time", 1, {})
    finetune(config.model_copy(update={"max_minutes": 0.0}), resume=True)
    finetune(config.model_copy(update={"max_minutes": 0.0, "out": tmp_path / "alone"}))
    stopped, alone = weights_of(tmp_path / "run"), weights_of(tmp_path / "alone")
    assert all(torch.equal(stopped[name], alone[name]) for name in alone)


def test_other_data_or_another_encoder_is_not_resumed(gene_data: Path, tmp_path: Path, pretrained: Path) -> None:
    config = settings(gene_data, tmp_path / "run", pretrained)
    finetune(config)
    described = next((tmp_path / "run" / "last").iterdir()) / "config.json"
    raw = json.loads(described.read_text())
    described.write_text(json.dumps(raw | {"data_digest": "0" * 64}))
    with pytest.raises(CheckpointError, match="dataset has changed"):
        finetune(config, resume=True)
    raw["provenance"]["encoder"]["sha256"] = "0" * 64
    described.write_text(json.dumps(raw))
    with pytest.raises(CheckpointError, match="encoder has changed"):
        finetune(config, resume=True)


@pytest.mark.parametrize(
    "other", [{"class_weights": "balanced", "head": "softmax"}, {"label_fraction": 0.25}, {"encoder_rate": 0.1}]
)
def test_every_setting_trains(other: dict[str, object], gene_data: Path, tmp_path: Path, pretrained: Path) -> None:
    outcome, result = finetune(settings(gene_data, tmp_path / "run", pretrained, **other))
    assert outcome.finished
    assert math.isfinite(result["valid_mcc"])
    description = read_config(tmp_path / "run")
    assert description.provenance["encoder"]["sha256"]


def test_bf16_autocast_trains_to_nearly_the_same_loss(gene_data: Path, tmp_path: Path, pretrained: Path) -> None:
    for precision in ("32", "bf16"):
        finetune(settings(gene_data, tmp_path / precision, pretrained, precision=precision))
    assert losses_of(tmp_path / "bf16") == pytest.approx(losses_of(tmp_path / "32"), rel=0.02)
    assert losses_of(tmp_path / "bf16") != losses_of(tmp_path / "32")


def test_a_gpu_that_is_not_there_is_a_users_error(gene_data: Path, tmp_path: Path, pretrained: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    with pytest.raises(ConfigError, match="--accelerator gpu"):
        finetune(settings(gene_data, tmp_path / "run", pretrained, accelerator="gpu"))
    with pytest.raises(ConfigError, match="--precision 16 is for a GPU"):
        finetune(settings(gene_data, tmp_path / "run", pretrained, precision="16"))


def test_a_misspelt_setting_offers_the_right_one(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text("learning_rat = 1e-3\n")
    with pytest.raises(ConfigError, match="did you mean 'learning_rate'"):
        build_config(FinetuneConfig, {"data": tmp_path, "out": tmp_path}, file)


def test_options_win_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text("seed = 3\nsteps = 7\n")
    config = build_config(FinetuneConfig, {"data": tmp_path, "out": tmp_path, "seed": 5, "steps": None}, file)
    assert (config.seed, config.steps) == (5, 7)


def test_a_missing_setting_is_named_with_its_option() -> None:
    with pytest.raises(ConfigError, match="out is missing; give --out, or set it in a file given with --config"):
        build_config(PretrainConfig, {"data": "x"})


def test_a_run_resumes_where_its_data_is_called_otherwise(
    gene_data: Path, tmp_path: Path, pretrained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = settings(gene_data, tmp_path / "run", pretrained)
    finetune(config.model_copy(update={"max_minutes": 1e-9}))
    monkeypatch.chdir(gene_data.parent)
    outcome, _ = finetune(config.model_copy(update={"data": Path(gene_data.name)}), resume=True)
    assert outcome.finished


def test_an_encoder_that_has_read_the_test_split_is_a_warning(
    gene_data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    everything = tmp_path / "pre"
    pretrain(PretrainConfig(data=gene_data, out=everything, encoder=ENCODER, splits=("train", "test"), **QUICK))
    finetune(settings(gene_data, tmp_path / "run", everything))
    assert "was pretrained on the test split of this dataset too" in caplog.text


def test_pretraining_that_time_ends_is_compared_with_the_n_grams_too(gene_data: Path, tmp_path: Path) -> None:
    options = QUICK | {"steps": 100, "validate_every": 1, "max_minutes": 1e-9}
    outcome, result = pretrain(PretrainConfig(data=gene_data, out=tmp_path / "run", encoder=ENCODER, **options))
    assert not outcome.finished
    assert result["markov_nats"] > 0
    assert not (tmp_path / "run" / "result.json").exists()


def test_a_large_valid_split_is_scored_on_stretches_spread_over_it(gene_data: Path) -> None:
    split = read_split(gene_data, "train")
    assert _spread(split, len(split.codes)) is split
    part = _spread(split, len(split.codes) // 4)
    assert 0.1 * len(split) < len(part) < 0.5 * len(split)
    assert set(part.chrom) == set(split.chrom)
