"""`dnaspt bend`: the defaults of a protocol's run, the names of tasks, and the table of published values."""

from dataclasses import MISSING, fields
from pathlib import Path

import pytest
from tests.unit.cli.help_texts import COMMANDS, own_defaults, wrong_promises
from typer.testing import CliRunner

from dnaspt.bend.protocol import BendRun
from dnaspt.bend.table import BEND_TASKS
from dnaspt.cli.main import app


def test_defaults_in_the_help_are_those_of_a_run() -> None:
    real = {field.name: field.default for field in fields(BendRun) if field.default is not MISSING}
    own = own_defaults("bend run")
    assert own == {name: real[name] for name in own}
    assert wrong_promises("bend run", real) == {}


@pytest.mark.parametrize("command", ["bend run", "bend download", "prepare bend"])
def test_the_help_names_every_task(command: str) -> None:
    (task,) = (parameter for parameter in COMMANDS[command].params if parameter.name in ("task", "tasks"))
    assert all(name in task.help for name in BEND_TASKS)


def test_results_without_a_study_are_the_published_values(tmp_path: Path) -> None:
    file = tmp_path / "results.csv"
    said = CliRunner().invoke(app, ["bend", "results", "--out", str(file)])
    assert said.exit_code == 0
    assert file.read_text(encoding="utf-8").startswith("task,metric,model,value,source,note\n")
    assert "gene_finding" in file.read_text(encoding="utf-8")
