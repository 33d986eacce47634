"""The command line answers without loading torch, and says what was meant where a name is misspelt."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from dnaspt import __version__
from dnaspt.cli.main import app


def test_help_loads_neither_torch_nor_pandas_nor_numpy() -> None:
    heavy = ("torch", "pandas", "numpy", "pydantic")
    code = f"import sys, dnaspt.cli.main; print([name for name in {heavy} if name in sys.modules])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "[]"


@pytest.mark.parametrize(
    "command",
    ["pretrain", "finetune", "evaluate", "predict", "simulate", "inspect", "report", "export", "prepare genes"],
)
def test_every_command_explains_itself_with_an_example(command: str) -> None:
    said = CliRunner().invoke(app, [*command.split(), "--help"])
    assert said.exit_code == 0
    assert "Example: dnaspt" in " ".join(said.output.replace("│", " ").split())


def test_version_is_printed() -> None:
    said = CliRunner().invoke(app, ["--version"])
    assert said.output.strip() == __version__
