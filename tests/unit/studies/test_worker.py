import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from dnaspt.config import FinetuneConfig, PretrainConfig
from dnaspt.errors import InputError
from dnaspt.studies.worker import (
    Baseline,
    Evaluate,
    Finetune,
    LogReporter,
    Pretrain,
    read_instruction,
    work,
    write_instruction,
)
from dnaspt.training.runs import Run

QUICK = {"steps": 2, "batch_bp": 2048, "tensorboard": False, "accelerator": "cpu", "precision": "32"}


@pytest.fixture(autouse=True)
def _all_messages(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "dnaspt")


def test_an_instruction_keeps_which_settings_were_given(tmp_path: Path) -> None:
    """Or a default would be taken for a wish: 'preset has no effect' and the like."""
    config = FinetuneConfig(data=Path("d"), out=Path("o"), learning_rate=3e-4, label_fraction=1 / 3)
    given = Finetune(action="finetune", config=config, resume=True)
    write_instruction(tmp_path / "configs" / "x.json", given)
    again = read_instruction(tmp_path / "configs" / "x.json")
    assert again == given
    assert isinstance(again, Finetune)
    assert again.config.model_fields_set == {"data", "out", "learning_rate", "label_fraction"}


def test_an_encoder_in_full_is_kept(tmp_path: Path) -> None:
    config = PretrainConfig.model_validate({"data": "d", "out": "o", "encoder": {"hidden_size": 8, "n_layers": 2}})
    write_instruction(tmp_path / "x.json", Pretrain(action="pretrain", config=config, resume=False))
    again = read_instruction(tmp_path / "x.json")
    assert isinstance(again, Pretrain) and again.config == config


def test_each_action_is_read_as_what_it_is(tmp_path: Path) -> None:
    baseline = Baseline(action="baseline", data=Path("d"), out=Path("o"), model="kmer", species="")
    for given in (baseline, Evaluate(action="evaluate", run=Path("r"), data=Path("d"))):
        write_instruction(tmp_path / "x.json", given)
        assert read_instruction(tmp_path / "x.json") == given


@pytest.mark.parametrize("content", ["", "{}", '{"action": "fly"}', '{"action": "evaluate", "run": "r"}'])
def test_a_file_without_an_instruction_is_named(content: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "x.json"
    file.write_text(content)
    with pytest.raises(InputError, match=r"x\.json: .*run the study again"):
        read_instruction(file)
    assert work(file) == 2
    assert work(tmp_path / "none.json") == 2 and "none.json: No such file" in caplog.text


def test_a_worker_trains_and_scores(gene_data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pretrained, run = tmp_path / "pre", tmp_path / "run"
    first = PretrainConfig(data=gene_data, out=pretrained, preset="tiny", **QUICK)
    write_instruction(tmp_path / "1.json", Pretrain(action="pretrain", config=first, resume=False))
    second = FinetuneConfig(data=gene_data, out=run, encoder=pretrained, head="softmax", **QUICK)
    write_instruction(tmp_path / "2.json", Finetune(action="finetune", config=second, resume=False))
    write_instruction(tmp_path / "3.json", Evaluate(action="evaluate", run=run, data=gene_data))
    assert [work(tmp_path / f"{number}.json") for number in (1, 2, 3)] == [0, 0, 0]
    assert "pretrain: step 2/2, loss" in caplog.text and "MCC" in caplog.text
    assert Run.open(run).finished and (run / "evaluation-test.json").is_file()


def test_a_worker_fits_a_baseline(windows: Path, tmp_path: Path) -> None:
    baseline = Baseline(action="baseline", data=windows, out=tmp_path / "cpg", model="cpg", species="")
    write_instruction(tmp_path / "x.json", baseline)
    assert work(tmp_path / "x.json") == 0
    assert work(tmp_path / "x.json") == 0  # what was left behind is replaced
    assert json.loads((tmp_path / "cpg" / "result.json").read_text())["baseline"] == "cpg"


def test_an_error_of_the_user_ends_with_its_code(
    gene_data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = FinetuneConfig(data=gene_data, out=tmp_path / "run", head="sigmoid", **QUICK)
    write_instruction(tmp_path / "x.json", Finetune(action="finetune", config=config, resume=False))
    assert work(tmp_path / "x.json") == 2 and "head 'sigmoid' does not fit" in caplog.text


def test_training_that_diverges_ends_with_76(gene_data: Path, tmp_path: Path) -> None:
    config = FinetuneConfig(
        data=gene_data, out=tmp_path / "run", head="softmax", preset="tiny", learning_rate=1e30, **QUICK
    )
    write_instruction(tmp_path / "x.json", Finetune(action="finetune", config=config, resume=False))
    assert work(tmp_path / "x.json") == 76


def test_a_module_run_as_a_process_logs_to_stderr(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "dnaspt.studies.worker", str(tmp_path / "none.json")]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 2 and not ran.stdout
    assert ran.stderr.strip().endswith("expected an instruction for a run of a study") and " ERROR " in ran.stderr


def test_progress_is_a_line_for_each_tenth(caplog: pytest.LogCaptureFixture) -> None:
    reporter = LogReporter("finetune")
    reporter.start(100, 0)
    for step in range(1, 101):
        reporter.update(step, {"loss": 1.0})
    reporter.stop()
    assert len(caplog.messages) == 11
    assert caplog.messages[-1] == "finetune: step 100/100, loss 1"
