"""Fixtures that every test may use."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    folder = os.environ.get("DNASPT_REAL_DATA")
    if not folder:
        pytest.skip("DNASPT_REAL_DATA is unset: set it to the folder with the real sequences and labels")
    if not Path(folder).is_dir():
        pytest.fail(f"DNASPT_REAL_DATA={folder} is no folder")
    return Path(folder)
