"""Docstrings as the API pages show them."""

import sys
from pathlib import Path

import pytest

pytest.importorskip("griffe", reason="`make site` installs it and runs these")
DOCS = Path(__file__).parents[2] / "docs"
sys.path.insert(0, str(DOCS))
from site_docstrings import readable  # noqa: E402

sys.path.remove(str(DOCS))


def test_an_example_is_code_and_each_error_stands_in_a_line_of_its_own() -> None:
    text = """Do it.

Raises:
    InputError: a file is broken; see
    its line. ConfigError, DatasetError: a setting is wrong.

Example:
    >>> f()"""
    assert (
        readable(text)
        == """Do it.

Raises:
    InputError: a file is broken; see its line.
    ConfigError, DatasetError: a setting is wrong.

Examples:
    >>> f()"""
    )


def test_a_docstring_without_either_stays() -> None:
    assert readable("Do it.\n\nReturns:\n    A number.") == "Do it.\n\nReturns:\n    A number."


def test_an_address_of_another_host_is_text() -> None:
    assert readable("Codes (https://a.example.org/b).") == "Codes (a.example.org/b)."
