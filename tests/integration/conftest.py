"""Fixtures of the tests that run commands."""

from pathlib import Path

import pytest
from tests.integration.spoiling import make_good


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sources, datasets and runs that are all right, and very small; not to be changed."""
    folder = tmp_path_factory.mktemp("made")
    make_good(folder)
    return folder
