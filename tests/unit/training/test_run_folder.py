"""A run folder: where a run may begin or go on, its settings and its metrics."""

import json
import os
from pathlib import Path

import pytest

from dnaspt.config import FinetuneConfig, PretrainConfig
from dnaspt.errors import BusyError, CheckpointError, InputError
from dnaspt.owner import Owner
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


def finished(path: Path, config: FinetuneConfig = CONFIG) -> None:
    folder = RunFolder(path, config, resume=False)
    folder.begin(0)
    folder.finish(RunResult({"valid_mcc": 0.5}, 1, 2, 3, 4.0))


@pytest.mark.parametrize("make", [lambda path: None, Path.mkdir])
def test_there_must_be_a_run_to_resume(tmp_path: Path, make) -> None:
    make(tmp_path / "run")
    with pytest.raises(
        CheckpointError, match=r"run: (is empty|no such folder); expected a run to resume; leave --resume"
    ):
        RunFolder(tmp_path / "run", CONFIG, resume=True)
    (tmp_path / "run").mkdir(exist_ok=True)
    (tmp_path / "run" / ".run.json.unfinished-7").touch()  # killed before it had begun
    with pytest.raises(CheckpointError, match="run: is empty; expected a run to resume"):
        RunFolder(tmp_path / "run", CONFIG, resume=True)


@pytest.mark.parametrize("name", [".run.json.unfinished-7", f".run.json.unfinished-{Owner('elsewhere', 7, 7).tag}"])
def test_a_lone_unfinished_file_keeps_nobody_out(tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    for overwrite in (False, True):
        (tmp_path / "run").mkdir(exist_ok=True)
        (tmp_path / "run" / name).touch()
        with RunFolder(tmp_path / "run", CONFIG, resume=False, overwrite=overwrite) as folder:
            folder.claim()
            folder.begin(0)
        assert (tmp_path / "run" / "run.json").is_file() and f"{name}: unfinished, of " in caplog.text
        with RunFolder(tmp_path / "run", CONFIG, resume=True) as folder:
            folder.claim()


@pytest.mark.skipif(os.name != "posix", reason="Windows does not say which processes run")
def test_what_a_killed_process_left_anywhere_in_a_run_is_removed(tmp_path: Path) -> None:
    begun(tmp_path / "run")
    tag = f"{Owner.this_process().host}-{2**30}-7"
    for name in (
        f".metrics.jsonl.unfinished-{tag}",
        f"best/.step-1.unfinished-{tag}/x",
        f"last/.step-1.unfinished-{tag}/x",
    ):
        (tmp_path / "run" / name).mkdir(parents=True)
    with RunFolder(tmp_path / "run", CONFIG, resume=True) as folder:
        folder.claim()
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")) == [
        "run",
        "run/best",
        "run/last",
        "run/run.json",
    ]


def test_two_processes_do_not_write_one_run(tmp_path: Path) -> None:
    first, second = (RunFolder(tmp_path / "run", CONFIG, resume=False, hint="; hint") for _ in range(2))
    with first:
        first.claim()
        first.claim()  # once is enough
        with pytest.raises(BusyError, match=rf"run: PID {os.getpid()} on .* has been writing there since .*; hint$"):
            second.claim()
        first.begin(0)
    with second, pytest.raises(CheckpointError, match=r"run: already there; go on with --resume, .*; hint"):
        second.claim()
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_run_is_begun_and_replaced_where_a_symbolic_link_leads(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("disk/run")
    for overwrite in (False, True):
        with RunFolder(tmp_path / "link", CONFIG, resume=False, overwrite=overwrite) as folder:
            folder.claim()
            folder.begin(0)
        assert (tmp_path / "disk" / "run" / "run.json").is_file() and (tmp_path / "link").is_symlink()
        (tmp_path / "disk" / "run" / "old").touch()
        (tmp_path / "disk" / "run" / "away").symlink_to(tmp_path)
    with RunFolder(tmp_path / "link", CONFIG, resume=False, overwrite=True) as folder:
        folder.begin(0)
    assert [path.name for path in (tmp_path / "disk" / "run").iterdir()] == ["run.json"] and tmp_path.is_dir()


def test_a_run_that_is_being_replaced_stays_one_to_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun(tmp_path / "run")
    (tmp_path / "run" / "best").mkdir()
    monkeypatch.setattr("shutil.rmtree", lambda path: (_ for _ in ()).throw(KeyboardInterrupt))
    monkeypatch.setattr(Path, "rename", lambda *_: (_ for _ in ()).throw(OSError("a disk of its own")))
    with pytest.raises(KeyboardInterrupt):
        RunFolder(tmp_path / "run", CONFIG, resume=False, overwrite=True).begin(0)
    monkeypatch.undo()
    RunFolder(tmp_path / "run", CONFIG, resume=False, overwrite=True).begin(0)


def test_a_run_is_put_back_where_its_successor_fails_at_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    begun(tmp_path / "run")
    (tmp_path / "run" / "result.json").write_text("{}")
    with pytest.raises(RuntimeError), RunFolder(tmp_path / "run", CONFIG, resume=False, overwrite=True) as folder:
        folder.claim()
        folder.begin(0)
        assert not (tmp_path / "run" / "result.json").exists()
        raise RuntimeError
    assert (tmp_path / "run" / "result.json").read_text() == "{}" and "is kept" in caplog.text
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_run_is_gone_once_its_successor_has_a_checkpoint_to_go_on_from(tmp_path: Path) -> None:
    begun(tmp_path / "run")
    (tmp_path / "run" / "result.json").write_text("{}")
    with pytest.raises(RuntimeError), RunFolder(tmp_path / "run", CONFIG, resume=False, overwrite=True) as folder:
        folder.begin(0)
        (tmp_path / "run" / "last" / "step-00000001").mkdir(parents=True)
        raise RuntimeError
    assert (tmp_path / "run" / "last").is_dir() and not (tmp_path / "run" / "result.json").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize("longer", [{"epochs": 20.0}, {"steps": 200}, {"patience": 9, "epochs": 20.0}])
def test_a_finished_run_is_extended_where_that_is_asked_for(tmp_path: Path, longer: dict[str, float]) -> None:
    finished(tmp_path)
    config = FinetuneConfig(data="data", out="run", seed=3, **longer)
    folder = RunFolder(tmp_path, config, resume=True)
    assert folder.extends
    folder.begin(2)
    assert not (tmp_path / "result.json").exists()  # not finished any more
    assert not RunFolder(tmp_path, config, resume=True).extends  # broken off, it goes on as any run
    with pytest.raises(
        CheckpointError, match=r"was started with (epochs|steps) = .*, and extend it when it is finished"
    ):
        RunFolder(tmp_path, FinetuneConfig(data="data", out="run", seed=3, epochs=40), resume=True)


def test_a_run_is_not_extended_by_chance(tmp_path: Path) -> None:
    """Where epochs are left out, they have their default, which nobody has asked for."""
    finished(tmp_path, FinetuneConfig(data="data", out="run", seed=3, epochs=10))
    with pytest.raises(
        CheckpointError, match=r"epochs = 10.0, now 16.0; resume with the same settings; .* give --epochs"
    ):
        RunFolder(tmp_path, CONFIG, resume=True)
    with pytest.raises(CheckpointError, match=r"learning_rate = 0.001, now 0.1; resume with the same settings$"):
        RunFolder(tmp_path, FinetuneConfig(data="d", out="r", seed=3, epochs=20, learning_rate=0.1), resume=True)


def test_a_run_that_is_finished_and_not_extended_stays_finished(tmp_path: Path) -> None:
    finished(tmp_path)
    RunFolder(tmp_path, CONFIG, resume=True).begin(2, is_finished=True)
    assert read_result(tmp_path).steps == 2


@pytest.mark.parametrize("line", ['{"loss": 1}', '{"step": "a"}', '{"step": -1}', "[1]", '{"step": 1, "loss": "x"}'])
def test_metrics_that_are_damaged_are_named(tmp_path: Path, line: str) -> None:
    begun(tmp_path)
    (tmp_path / "metrics.jsonl").write_text(f'{line}\n{{"step": 2}}\n')
    with pytest.raises(InputError, match=r"metrics\.jsonl(:1)?: "):
        RunFolder(tmp_path, CONFIG, resume=True).begin(2)


@pytest.mark.parametrize(("own", "other"), [("finetune", "pretrain"), ("pretrain", "finetune")])
def test_a_run_of_another_command_is_named(own: str, other: str, tmp_path: Path) -> None:
    configs = {"finetune": CONFIG, "pretrain": PretrainConfig(data="data", out="run", seed=3)}
    RunFolder(tmp_path, configs[other], resume=False).begin(0)
    with pytest.raises(CheckpointError, match=f"is a run of 'dnaspt {other}'; resume it with that, or choose another"):
        RunFolder(tmp_path, configs[own], resume=True)
