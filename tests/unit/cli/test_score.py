"""`evaluate`, `predict`, `variants` and `baseline`: their defaults are those of the functions that they call."""

import inspect
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest
from tests.unit.cli.help_texts import COMMANDS, own_defaults, wrong_promises

import dnaspt
from dnaspt.inference.predict import PredictOptions

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "evaluate": dnaspt.evaluate,
    "variants": dnaspt.score_variants,
    "baseline": dnaspt.baseline,
    "report": dnaspt.report,
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
    names = {parameter.name for parameter in COMMANDS[command].params} - {"trust_remote_code", "offline", "help"}
    assert names <= set(inspect.signature(FUNCTIONS[command]).parameters)


def test_defaults_of_predict_are_those_of_its_options() -> None:
    real = asdict(PredictOptions())
    own = own_defaults("predict")
    assert own == {name: real[name] for name in own}
    assert wrong_promises("predict", real) == {}
