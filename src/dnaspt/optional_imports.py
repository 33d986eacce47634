"""Packages that only a few commands need: imported when they are needed, with one error that names what to install."""

from importlib import import_module
from types import ModuleType

from dnaspt.errors import ConfigError


def import_optional(package: str, purpose: str) -> ModuleType:
    """Import a package that is installed on request only.

    Args:
        package: its name, for Python and for pip; or a module of it, such as tangermeme.plot.
        purpose: what it is needed for, as the beginning of a sentence: "BEND's labels are HDF5 files, which".

    Raises:
        ConfigError: it is not installed.
    """
    try:
        return import_module(package)
    except ImportError as error:
        name = package.partition(".")[0]
        raise ConfigError(f"{purpose} need {name}, which is not installed; pip install {name}") from error
