"""Packages that only some commands need: one error names what to install."""

import sys

import pytest

from dnaspt.errors import ConfigError
from dnaspt.optional_imports import import_optional


def test_a_package_that_is_there_is_imported() -> None:
    assert import_optional("json", "tests") is sys.modules["json"]


def test_a_package_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ConfigError, match=r"^labels need h5py, which is not installed; pip install h5py$"):
        import_optional("h5py", "labels")


def test_of_a_module_the_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tangermeme.plot", None)
    with pytest.raises(ConfigError, match=r"^Logos need tangermeme, which is not installed; pip install tangermeme$"):
        import_optional("tangermeme.plot", "Logos")
