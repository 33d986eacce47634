"""The training loop: what it keeps, how it stops, and that a resumed run ends with the same bits."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tests.unit.training.quick import losses_of, settings, weights_of

from dnaspt.checkpoint_config import read_config
from dnaspt.data.batches import BatchOptions, TrainingBatches
from dnaspt.data.dataset import read_split
from dnaspt.errors import BusyError, ConfigError, DivergedError
from dnaspt.output import locked_output
from dnaspt.training.finetune import finetune
from dnaspt.training.runs import Progress, Run, read_progress
from dnaspt.training.schedule import learning_rate


def progress_of(run: Path) -> Progress:
    return read_progress(next((run / "last").iterdir()))


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
    run = finetune(config)
    assert run.finished
    progress = progress_of(tmp_path / "run")
    assert progress.n_bad == 2
    again = finetune(config, resume=True)
    assert progress_of(tmp_path / "run") == progress
    assert again == run


def test_a_run_that_replaces_another_starts_from_the_beginning(
    gene_data: Path, tmp_path: Path, pretrained: Path
) -> None:
    config = settings(gene_data, tmp_path / "run", pretrained)
    finetune(config)
    before = weights_of(tmp_path / "run")
    run = finetune(config, overwrite=True)
    assert run.step == 4
    assert len(losses_of(tmp_path / "run")) == 2
    assert all(torch.equal(before[name], value) for name, value in weights_of(tmp_path / "run").items())


def test_a_time_limit_stops_saves_and_leaves_the_schedule_alone(
    gene_data: Path, tmp_path: Path, pretrained: Path
) -> None:
    config = settings(gene_data, tmp_path / "run", pretrained, steps=6, max_minutes=1e-9)
    run = finetune(config)
    assert (run.finished, run.stopped_by, run.step, run.scores) == (False, "time", 1, {})
    assert Run.open(tmp_path / "run").step == 1 and not (tmp_path / "run" / "result.json").exists()
    finetune(config.model_copy(update={"max_minutes": 0.0}), resume=True)
    finetune(config.model_copy(update={"max_minutes": 0.0, "out": tmp_path / "alone"}))
    stopped, alone = weights_of(tmp_path / "run"), weights_of(tmp_path / "alone")
    assert all(torch.equal(stopped[name], alone[name]) for name in alone)


def test_bf16_autocast_trains_to_nearly_the_same_loss(gene_data: Path, tmp_path: Path, pretrained: Path) -> None:
    for precision in ("32", "bf16"):
        finetune(settings(gene_data, tmp_path / precision, pretrained, precision=precision))
    assert losses_of(tmp_path / "bf16") == pytest.approx(losses_of(tmp_path / "32"), rel=0.02)
    assert losses_of(tmp_path / "bf16") != losses_of(tmp_path / "32")


def test_a_run_resumes_where_its_data_is_called_otherwise(
    gene_data: Path, tmp_path: Path, pretrained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = settings(gene_data, tmp_path / "run", pretrained)
    finetune(config.model_copy(update={"max_minutes": 1e-9}))
    monkeypatch.chdir(gene_data.parent)
    run = finetune(config.model_copy(update={"data": Path(gene_data.name)}), resume=True)
    assert run.finished


def test_a_run_that_was_begun_without_a_head_goes_on_with_the_head_of_its_checkpoints(
    gene_data: Path, tmp_path: Path, pretrained: Path
) -> None:
    """Earlier versions took a CRF for `auto`; a gene model must not take over its folder."""
    config = settings(gene_data, tmp_path / "run", pretrained)
    finetune(config.model_copy(update={"max_minutes": 1e-9}))
    file = tmp_path / "run" / "run.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"head": "auto"}))
    run = finetune(config.model_copy(update={"head": "auto"}), resume=True)
    assert run.finished and read_config(run).head == "crf" and run.result.steps == config.steps


def test_a_loss_that_is_not_finite_ends_the_run(gene_data: Path, tmp_path: Path, pretrained: Path) -> None:
    config = settings(gene_data, tmp_path / "run", pretrained, learning_rate=1e30, steps=20, head="softmax")
    with pytest.raises(DivergedError, match=r"the loss is (nan|inf); try a lower learning rate"):
        finetune(config)


@pytest.mark.parametrize("head", ["crf", "crf-unconstrained", "softmax"])
@pytest.mark.parametrize(("rate", "steps"), [(1e6, 20), (1e20, 1)])
def test_a_run_that_diverges_says_so_wherever_its_scores_stop_being_finite(
    gene_data: Path, tmp_path: Path, pretrained: Path, head: str, rate: float, steps: int
) -> None:
    """In a batch, whose loss the CRF cannot compute, or on valid, also after the last step."""
    config = settings(gene_data, tmp_path / "run", pretrained, learning_rate=rate, steps=steps, head=head)
    with pytest.raises(DivergedError, match=r"^step \d+: .*(NaN|nan).*; try a lower learning rate, or --precision 32$"):
        finetune(config)
    assert not (tmp_path / "run" / "result.json").exists()


def test_an_extended_run_takes_the_learning_rates_of_a_run_of_its_new_length(
    gene_data: Path, tmp_path: Path, pretrained: Path
) -> None:
    """The rate, which had fallen to its end, rises to where a longer run would have been, and falls again."""
    short, long = (settings(gene_data, tmp_path / "run", pretrained, steps=steps, validate_every=1) for steps in (4, 9))
    finetune(short)
    run = finetune(long, resume=True)
    assert run.finished and run.step == 9 and Run.open(tmp_path / "run") == run
    rates = [json.loads(line)["rate"] for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert rates == [learning_rate(step, 4, short) for step in range(4)] + [
        learning_rate(step, 9, long) for step in range(4, 9)
    ]
    assert rates[3] < rates[4] > rates[8]
    with pytest.raises(
        ConfigError, match="run: has 9 steps already, and 5 were asked for; give more --epochs or --steps"
    ):
        finetune(settings(gene_data, tmp_path / "run", pretrained, steps=5, validate_every=1), resume=True)
    assert Run.open(tmp_path / "run") == run


def test_an_extended_run_that_is_broken_off_ends_with_the_same_bits(
    gene_data: Path, tmp_path: Path, pretrained: Path
) -> None:
    runs = [tmp_path / name for name in ("alone", "stopped")]
    for out in runs:
        finetune(settings(gene_data, out, pretrained, steps=4))
        limit = 1e-9 if out.name == "stopped" else 0.0
        run = finetune(settings(gene_data, out, pretrained, steps=8, max_minutes=limit), resume=True)
        assert (run.finished, run.step) == ((False, 5) if limit else (True, 8))
    finetune(settings(gene_data, runs[1], pretrained, steps=8), resume=True)
    alone, stopped = map(weights_of, runs)
    assert all(torch.equal(stopped[name], alone[name]) for name in alone)


def test_a_run_that_patience_ended_is_extended_with_more_patience(
    gene_data: Path, tmp_path: Path, pretrained: Path
) -> None:
    common = {"learning_rate": 1e-12, "validate_every": 1}
    finetune(settings(gene_data, tmp_path / "run", pretrained, steps=50, patience=2, **common))
    with pytest.raises(
        ConfigError, match="had 2 validations without a new best, and patience is 2; give a larger --pat"
    ):
        finetune(settings(gene_data, tmp_path / "run", pretrained, steps=60, patience=2, **common), resume=True)
    run = finetune(settings(gene_data, tmp_path / "run", pretrained, steps=50, patience=4, **common), resume=True)
    assert progress_of(tmp_path / "run").n_bad == 4 and run.finished


def test_a_run_that_another_process_writes_is_left_alone(gene_data: Path, tmp_path: Path, pretrained: Path) -> None:
    config = settings(gene_data, tmp_path / "run", pretrained)
    with locked_output(tmp_path / "run"), pytest.raises(BusyError, match="has been writing there since"):
        finetune(config)
    assert list(tmp_path.iterdir()) == []
    finetune(config)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize("out", ["encoder", "encoder/new", "."])
def test_a_run_is_not_written_where_its_encoder_lies(
    gene_data: Path, tmp_path: Path, pretrained: Path, out: str
) -> None:
    encoder = tmp_path / "encoder"
    shutil.copytree(pretrained, encoder)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ConfigError, match=r"(is|lies in|holds) the encoder .*, which is read; choose another --out"):
        finetune(settings(gene_data, tmp_path / out, encoder), overwrite=True)
    with pytest.raises(ConfigError, match=r"the data .*, which is read"):
        finetune(settings(gene_data, gene_data / "run", encoder))
    assert sorted(tmp_path.rglob("*")) == before


class Recorder:
    """What a reporter is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int]] = []
        self.names: set[str] = set()

    def start(self, n_steps: int, step: int) -> None:
        self.told.append((f"start of {n_steps}", step))

    def update(self, step: int, row: dict[str, float]) -> None:
        self.told.append(("step", step))
        self.names |= set(row)

    def stop(self) -> None:
        self.told.append(("stop", 0))


def test_a_reporter_is_told_every_step(gene_data: Path, tmp_path: Path, pretrained: Path) -> None:
    recorder = Recorder()
    finetune(settings(gene_data, tmp_path / "run", pretrained, steps=2), reporter=recorder)
    assert recorder.told == [("start of 2", 0), ("step", 1), ("step", 2), ("stop", 0)]
    assert {"loss", "rate", "grad_norm", "bp_per_s", "valid_mcc"} <= recorder.names


def test_curves_for_tensorboard_are_written_where_they_are_wanted(
    gene_data: Path, tmp_path: Path, pretrained: Path
) -> None:
    finetune(settings(gene_data, tmp_path / "run", pretrained, tensorboard=True, steps=1))
    assert any((tmp_path / "run" / "tensorboard").iterdir())
