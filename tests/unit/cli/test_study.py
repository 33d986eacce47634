"""`dnaspt study`: options that contradict each other are refused, those without effect are told."""

import inspect
import logging
from pathlib import Path

import pytest
from tests.unit.cli.help_texts import own_defaults, wrong_promises
from typer.testing import CliRunner

import dnaspt
from dnaspt.cli.main import app


@pytest.fixture
def study(windows: Path, tmp_path: Path) -> list[str]:
    file = tmp_path / "study.toml"
    file.write_text(f'data = "{windows}"\nseeds = [0]\narms = [{{ name = "CpG count", init = "cpg" }}]\n')
    return ["study", str(file), "--out", str(tmp_path / "out")]


def test_defaults_in_the_help_are_those_of_the_function() -> None:
    parameters = inspect.signature(dnaspt.study).parameters
    own = own_defaults("study")
    assert own == {name: parameters[name].default for name in own}
    assert wrong_promises("study", {"data": None, "records": None}) == {}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--task", "0"], "--task is a run of a stage; say --stage too"),
        (["--stage", "final", "--engine", "slurm"], "--stage has no effect on --engine slurm"),
    ],
)
def test_options_that_contradict_each_other_are_refused(study: list[str], options: list[str], said: str) -> None:
    outcome = CliRunner().invoke(app, [*study, *options])
    assert isinstance(outcome.exception, dnaspt.ConfigError)
    assert said in str(outcome.exception)


def test_options_without_effect_are_told(study: list[str], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        outcome = CliRunner().invoke(app, [*study, "--sbatch", "--mem=1G", "--dry-run"])
    assert outcome.exit_code == 0, repr(outcome.exception)
    assert "--sbatch has no effect here" in caplog.text
    assert "1 run, 1 to do. One after another: 0 minutes" in outcome.output


def test_a_study_of_baselines_answers_and_is_done_the_second_time(study: list[str]) -> None:
    first, second = (CliRunner().invoke(app, study) for _ in range(2))
    assert first.exit_code == 0, repr(first.exception)
    assert "study.html, study.md, and the tables as CSV and Parquet written" in first.output
    assert "finished, 1 of 1" in first.output and "finished, 1 of 1" not in second.output
