"""Runs as their users see them: scores, history, a path, and files of dnaspt 0.1."""

import json
import os
import pickle
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from dnaspt.baselines.ngram import NgramBaseline
from dnaspt.errors import CheckpointError, InputError
from dnaspt.training.runs import (
    Progress,
    Run,
    RunResult,
    RunStopped,
    read_metrics,
    read_progress,
    read_result,
    write_result,
)

NGRAM = NgramBaseline(5, 1.33, 0.35, 2, 1.26, 0.39, (1.3, 1.26), 900)
FINETUNED = RunResult({"valid_mcc": 0.5, "valid_accuracy": 0.75}, 30, 40, 9_000, 1.5, "a processor", "32")
OLD = {
    "valid_nats": 1.25,
    "valid_accuracy": 0.4,
    "best_step": 3,
    "steps": 4,
    "n_bp": 8192,
    "minutes": 0.5,
    "markov_order": 5,
    "markov_nats": 1.33,
    "markov_accuracy": 0.35,
    "two_sided_k": 2,
    "two_sided_nats": 1.26,
    "two_sided_accuracy": 0.39,
    "nats_by_k": [1.3, 1.26],
    "n_masked": 900,
    "device": "a processor",
}


@pytest.mark.parametrize(
    "result", [FINETUNED, RunResult({"valid_nats": 1.25, "valid_accuracy": 0.4}, 3, 4, 8192, 0.5, "x", "32", NGRAM)]
)
def test_a_result_is_read_as_it_was_written(result: RunResult, tmp_path: Path) -> None:
    write_result(tmp_path, result)
    assert read_result(tmp_path) == result
    content = json.loads((tmp_path / "result.json").read_text())
    assert content == json.loads(json.dumps({"format_version": 1} | result.summary()))


def test_a_result_of_dnaspt_0_1_is_read(tmp_path: Path) -> None:
    """It has no version, and sometimes no precision; its names stand in the same order today."""
    (tmp_path / "result.json").write_text(json.dumps(OLD))
    result = read_result(tmp_path)
    assert result.ngram == NGRAM and result.precision == "" and result.scores["valid_nats"] == 1.25
    assert list(result.summary()) == list(OLD)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format_version": 2}, "format version 2; expected 1"),
        ({"best_step": None}, "not the result of a training run"),
        ({"steps": "many"}, "not the result of a training run"),
        ({"steps": float("inf")}, "not the result of a training run"),
        ({"n_bp": [1]}, "not the result of a training run"),
        ({"nats_by_k": ["a"]}, "nats_by_k"),
    ],
)
def test_a_result_that_is_none_is_named(change: dict[str, object], message: str, tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text(json.dumps(OLD | change))
    with pytest.raises(InputError, match=rf"result\.json: .*{message}"):
        read_result(tmp_path)
    (tmp_path / "result.json").write_text(json.dumps({"baseline": "cpg", "minutes": 1}))
    with pytest.raises(InputError, match="not the result of a training run"):
        read_result(tmp_path)


def test_the_negative_nats_that_choose_a_checkpoint_are_no_score() -> None:
    progress = Progress(step=4, best_step=3, best_scores={"valid_nats": 1.5, "valid_score": -1.5}, seconds=90)
    result = RunResult.of(progress, device="x")
    assert result.scores == {"valid_nats": 1.5} and (result.steps, result.minutes, result.device) == (4, 1.5, "x")


def make_run(folder: Path) -> Path:
    (folder / "run.json").write_text("{}")
    rows = [{"step": 2, "loss": 1.0}, {"step": 1, "loss": 2.0}, {"step": 2, "valid_mcc": 0.5}]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_a_finished_run_is_read_with_its_history(tmp_path: Path) -> None:
    write_result(make_run(tmp_path), FINETUNED)
    run = Run.open(str(tmp_path))
    assert run == Run(tmp_path, FINETUNED, finished=True)
    assert (run.scores["valid_mcc"], run.best_step, run.step, run.n_bp, run.minutes) == (0.5, 30, 40, 9_000, 1.5)
    assert (run.device, run.precision) == ("a processor", "32")
    assert run.history["loss"].tolist() == [2.0, 1.0] and run.history["valid_mcc"].iloc[1] == 0.5
    assert repr(run) == f"Run({tmp_path}: finished at step 40, valid_mcc 0.5000, valid_accuracy 0.7500)"


def test_a_run_can_be_given_wherever_a_path_can(tmp_path: Path) -> None:
    run = Run(tmp_path, FINETUNED, finished=True)
    assert Path(run) == tmp_path and os.fspath(run) == str(tmp_path)


def test_a_run_that_is_not_finished_stands_where_its_last_checkpoint_does(tmp_path: Path) -> None:
    run = Run.open(make_run(tmp_path))
    assert not run.finished and run.step == 0 and repr(run) == f"Run({tmp_path}: not finished at step 0)"
    checkpoint = tmp_path / "last" / "step-00000007"
    checkpoint.mkdir(parents=True)
    (checkpoint / "state.json").write_text(json.dumps({"step": 7, "best": float("-inf"), "seconds": 30.0}))
    run = Run.open(tmp_path)
    assert (run.step, run.minutes, run.scores) == (7, 0.5, {})
    (checkpoint / "state.json").write_text('{"place": 7}')
    with pytest.raises(InputError, match=r"state\.json: not the state of a run"):
        read_progress(checkpoint)


def test_what_stopped_a_run_stands_in_its_name(tmp_path: Path) -> None:
    run = Run(tmp_path, FINETUNED, finished=False, stopped_by="SIGTERM")
    assert "stopped by SIGTERM at step 40" in repr(run)


def test_what_is_no_run_is_told_with_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name, problem in (("", r"has no run\.json in it"), ("file", "is a file"), ("no", "no such folder")):
        with pytest.raises(CheckpointError, match=f"{problem}; expected a run of 'dnaspt pretrain'"):
            Run.open(tmp_path / name)


def test_a_run_without_metrics_has_an_empty_history(tmp_path: Path) -> None:
    assert read_metrics(tmp_path) == [] and Run(tmp_path, FINETUNED, finished=True).history.empty
    (tmp_path / "metrics.jsonl").write_text('{"loss": 1}\n')
    with pytest.raises(InputError, match=r"metrics\.jsonl: a row without step"):
        read_metrics(tmp_path)


def test_runs_are_read_without_torch_and_pandas() -> None:
    code = "import sys, dnaspt.training.runs; print([name for name in ('torch', 'pandas') if name in sys.modules])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "[]"


def test_the_history_of_a_run_that_is_gone_is_an_error_and_not_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    run = Run(Path("run"), FINETUNED, finished=True)
    assert not len(run.history)
    monkeypatch.chdir(tmp_path / "run")
    with pytest.raises(CheckpointError, match="run: no such folder; was the run moved, or the working folder changed"):
        _ = run.history


def test_a_run_that_was_stopped_can_be_sent_to_another_process() -> None:
    stop = RunStopped(Run(Path("run"), FINETUNED, finished=False, stopped_by="SIGINT"))
    again = pickle.loads(pickle.dumps(stop))
    assert isinstance(again, RunStopped) and again.run == stop.run and str(again) == str(stop)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"step": "a"}, "step: Input should be a valid integer"),
        ({"step": 4}, "step is 4"),
        ({"step": 10**30}, "step"),
        ({"epoch": -1}, "epoch is -1"),
        ({"cursor": None}, "cursor"),
        ({"best": float("nan")}, "best is nan"),
        ({"best_scores": {"valid_mcc": "x"}}, r"best_scores\.valid_mcc"),
        ({"best_scores": []}, "best_scores"),
        ({"seconds": float("inf")}, "best is -inf, seconds is inf"),
        ({"steps": 1}, "no value is called 'steps'"),
    ],
)
def test_a_state_that_no_run_can_have_is_named(change: dict[str, object], message: str, tmp_path: Path) -> None:
    checkpoint = tmp_path / "step-00000003"
    checkpoint.mkdir()
    (checkpoint / "state.json").write_text(json.dumps(asdict(Progress(step=3))))
    assert read_progress(checkpoint) == Progress(step=3)
    (checkpoint / "state.json").write_text(json.dumps(asdict(Progress(step=3)) | change))
    expected = rf"state\.json: not the state of a run at this step \({message}.*; remove the checkpoint, and the run begins anew$"
    with pytest.raises(InputError, match=expected) as told:
        read_progress(checkpoint)
    assert "\n" not in str(told.value)


def test_the_scores_of_a_result_cannot_be_changed() -> None:
    result = RunResult({"valid_mcc": 0.5}, 1, 2, 3, 4.0)
    with pytest.raises(TypeError, match="a result cannot be changed"):
        result.scores["valid_mcc"] = 1.0  # type: ignore[index]
    assert result.summary()["valid_mcc"] == 0.5
