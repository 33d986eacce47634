"""The commands of `cli/score.py`: their defaults are those of the functions that they call."""

import inspect
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from tests.unit.cli.help_texts import COMMANDS, own_defaults, wrong_promises
from typer.testing import CliRunner

import dnaspt
from dnaspt.cli.main import app
from dnaspt.inference.embeddings import embed_file
from dnaspt.inference.predict import PredictOptions

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "evaluate": dnaspt.evaluate,
    "variants": dnaspt.score_variants,
    "baseline": dnaspt.baseline,
    "compare-annotations": dnaspt.compare_annotations,
    "decode": dnaspt.decode_emissions,
    "explain": dnaspt.explain,
    "embed": embed_file,
    "export": dnaspt.export,
    "ensemble": dnaspt.ensemble,
    "report": dnaspt.report,
    "browse": dnaspt.browse,
}


def defaults_of(function: Callable[..., Any]) -> dict[str, Any]:
    parameters = inspect.signature(function).parameters.values()
    return {parameter.name: parameter.default for parameter in parameters if parameter.default is not parameter.empty}


@pytest.mark.parametrize("command", FUNCTIONS)
def test_defaults_in_the_help_are_those_of_the_function(command: str) -> None:
    real = defaults_of(FUNCTIONS[command])
    own = own_defaults(command)
    assert own == {name: real[name] for name in own}
    assert wrong_promises(command, real | {"k": None, "model": ""}) == {}


@pytest.mark.parametrize("command", FUNCTIONS)
def test_an_option_has_the_name_of_its_parameter(command: str) -> None:
    names = {parameter.name for parameter in COMMANDS[command].params} - {
        "trust_remote_code",
        "offline",
        "help",
        "as_json",
        "baseline" if command == "evaluate" else "",  # a call of its own
        "no_open",
    }
    assert names <= set(inspect.signature(FUNCTIONS[command]).parameters)


def test_defaults_of_predict_are_those_of_its_options() -> None:
    real = asdict(PredictOptions())
    own = own_defaults("predict")
    assert own == {name: real[name] for name in own}
    assert wrong_promises("predict", real) == {}


def test_annotations_are_compared_in_tables_as_json_and_in_a_file(simulated: Path, tmp_path: Path) -> None:
    annotation = str(simulated / "annotation.gff3")
    command = ["compare-annotations", annotation, annotation, "--genome", str(simulated / "genome.fa")]
    said = CliRunner().invoke(app, [*command, "--out", str(tmp_path / "o.csv")])
    assert said.exit_code == 0, said.output
    assert "illegal structures" in said.output and "intron chain" in said.output
    assert (tmp_path / "o.csv").read_text().startswith("level,by,group,sensitivity,")
    said = CliRunner().invoke(app, [*command, "--json"])
    content = json.loads(said.output)
    assert content["levels"]["gene"]["f1"]["value"] == 1
    assert content["prediction"]["structures"]["n_illegal"] == 0


def test_a_comparison_is_not_written_over_what_it_reads_nor_to_other_formats(simulated: Path, tmp_path: Path) -> None:
    annotation = tmp_path / "a.csv"
    annotation.write_bytes((simulated / "annotation.gff3").read_bytes())
    for out, message in ((annotation, "is the reference"), (tmp_path / "o.txt", "ends in .csv or .json")):
        said = CliRunner().invoke(app, ["compare-annotations", str(annotation), str(annotation), "--out", str(out)])
        assert message in str(said.exception)
    assert annotation.read_bytes() == (simulated / "annotation.gff3").read_bytes()


@pytest.mark.parametrize("option", ["--no-codons", "--min-coding-length 9", "--threshold 0.2"])
def test_an_option_for_a_genome_is_refused_by_its_own_name(option: str) -> None:
    outcome = CliRunner().invoke(app, f"predict run --sequences a.csv --out b.csv {option}".split())
    assert f"{option.split()[0]} is for a genome; leave it out, or leave out --sequences" in str(outcome.exception)
