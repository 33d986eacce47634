"""A run folder: where a run may begin or go on, its settings and its metrics."""

import json
from pathlib import Path

import pytest

from dnaspt.config import FinetuneConfig
from dnaspt.errors import CheckpointError, InputError
from dnaspt.training.run_folder import RunFolder
from dnaspt.training.runs import RunResult, read_metrics, read_result

CONFIG = FinetuneConfig(data="data", out="run", seed=3)


def begun(path: Path) -> RunFolder:
    folder = RunFolder(path, CONFIG, resume=False)
    folder.begin(0)
    return folder


def test_nothing_is_written_before_the_run_begins(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run", CONFIG, resume=False)
    assert not (tmp_path / "run").exists()
    folder.begin(0)
    assert json.loads((tmp_path / "run" / "run.json").read_text())["seed"] == 3
    folder.finish(RunResult({"valid_mcc": 0.5}, 1, 2, 3, 4.0))
    assert read_result(tmp_path / "run").scores == {"valid_mcc": 0.5}


def test_a_run_that_is_there_is_resumed_or_replaced_on_request_alone(tmp_path: Path) -> None:
    begun(tmp_path / "run")
    with pytest.raises(CheckpointError, match="run: already there; go on with --resume"):
        RunFolder(tmp_path / "run", CONFIG, resume=False)
    RunFolder(tmp_path / "run", CONFIG, resume=True)
    replacing = RunFolder(tmp_path / "run", CONFIG, resume=False, overwrite=True)
    (tmp_path / "run" / "last" / "step-00000001").mkdir(parents=True)
    assert replacing.last_checkpoint() is None
    assert (tmp_path / "run" / "last").exists()  # its successor has not begun
    replacing.begin(0)
    assert not (tmp_path / "run" / "last").exists()


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    begun(tmp_path)
    assert (tmp_path / "run.json").is_file()


@pytest.mark.parametrize(
    ("setting", "value"), [("seed", 4), ("learning_rate", 0.5), ("precision", "32"), ("label_fraction", 0.5)]
)
def test_a_run_goes_on_with_the_same_settings_only(tmp_path: Path, setting: str, value: object) -> None:
    begun(tmp_path)
    with pytest.raises(CheckpointError, match=f"was started with {setting} = .*; resume with the same settings"):
        RunFolder(tmp_path, CONFIG.model_copy(update={setting: value}), resume=True)


def test_paths_and_settings_that_change_no_weight_may_differ(tmp_path: Path) -> None:
    begun(tmp_path)
    free = {"max_minutes": 5, "tensorboard": False, "save_every": 9, "accelerator": "cpu", "data": Path("moved")}
    RunFolder(tmp_path, CONFIG.model_copy(update=free), resume=True)


def test_a_setting_that_came_later_counts_as_its_default(tmp_path: Path) -> None:
    begun(tmp_path)
    file = tmp_path / "run.json"
    older = {name: value for name, value in json.loads(file.read_text()).items() if name != "average_fraction"}
    file.write_text(json.dumps(older))
    RunFolder(tmp_path, CONFIG, resume=True)
    with pytest.raises(CheckpointError, match=r"was started with average_fraction = 0\.0, now 0\.1"):
        RunFolder(tmp_path, CONFIG.model_copy(update={"average_fraction": 0.1}), resume=True)


def test_what_is_no_run_is_neither_resumed_nor_replaced(tmp_path: Path) -> None:
    (tmp_path / "notes").touch()
    with pytest.raises(CheckpointError, match=r"has no run\.json; expected a run to resume"):
        RunFolder(tmp_path, CONFIG, resume=True)
    with pytest.raises(CheckpointError, match=r"is there and is no run \(no run\.json in it\)"):
        RunFolder(tmp_path, CONFIG, resume=False, overwrite=True)
    with pytest.raises(CheckpointError, match="notes: is a file; expected a folder to write"):
        RunFolder(tmp_path / "notes", CONFIG, resume=False)
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(InputError, match=r"run\.json: not JSON"):
        RunFolder(tmp_path, CONFIG, resume=True)


def test_metrics_past_the_checkpoint_are_dropped(tmp_path: Path) -> None:
    folder = begun(tmp_path)
    for step in (1, 2, 3):
        folder.log_metrics({"step": step, "loss": step / 2})
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 4, "lo')
    RunFolder(tmp_path, CONFIG, resume=True).begin(2)
    assert read_metrics(tmp_path) == [{"step": 1, "loss": 0.5}, {"step": 2, "loss": 1.0}]
    assert (tmp_path / "metrics.jsonl").read_text() == '{"step": 1, "loss": 0.5}\n{"step": 2, "loss": 1.0}\n'


def test_the_newest_checkpoint_is_the_one_to_go_on_from(tmp_path: Path) -> None:
    folder = begun(tmp_path)
    assert folder.last_checkpoint() is None
    for step in (1, 12):
        (tmp_path / "last" / f"step-{step:08d}").mkdir(parents=True)
    assert folder.last_checkpoint() == tmp_path / "last" / "step-00000012"
