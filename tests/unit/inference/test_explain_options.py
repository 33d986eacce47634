"""What `explain` is asked for: settings out of range, and sources that contradict each other, are refused."""

from pathlib import Path
from typing import Any

import pytest

from dnaspt.errors import ConfigError
from dnaspt.inference.explain_options import METHODS, ExplainOptions, ExplainSource

FILE = Path("x")


def test_methods_are_those_that_are_documented() -> None:
    assert METHODS == ("ism", "gradient", "deeplift")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "shap"}, "method 'shap'; expected ism, gradient, deeplift"),
        ({"n_references": 0}, "n_references 0; expected 1 to 1,000"),
        ({"seed": -1}, "seed -1; expected 0 to"),
    ],
)
def test_options_out_of_range_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ExplainOptions(**settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "give one of sequences"),
        ({"sequences": FILE, "data": FILE}, "give one of sequences"),
        ({"genome": FILE}, "genome and regions go together"),
        ({"sequences": FILE, "regions": FILE}, "genome and regions go together"),
        ({"sequences": FILE, "n_windows": 3}, "are for data"),
        ({"sequences": FILE, "split": "valid"}, "are for data"),
        ({"data": FILE, "name_column": "id"}, "are for sequences"),
        ({"data": FILE, "split": "tset"}, "split 'tset'; expected train, valid, test"),
        ({"data": FILE, "n_windows": 0}, "n_windows 0; expected 1 or more"),
    ],
)
def test_sources_that_contradict_each_other_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ExplainSource(**settings)


def test_inputs_are_all_that_is_read() -> None:
    assert ExplainSource(genome=FILE, regions=FILE).inputs() == {
        "sequences": None,
        "genome": FILE,
        "regions": FILE,
        "data": None,
    }
