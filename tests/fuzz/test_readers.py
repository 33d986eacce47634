"""A minute of damaged files for the readers; `python tests/fuzz/readers.py` reads as many as you like."""

from pathlib import Path

import pytest
from tests.fuzz.readers import fuzz


@pytest.mark.slow
def test_damaged_files_end_in_clean_errors_or_in_clean_results(tmp_path: Path) -> None:
    counts, faults = fuzz(12_000, 0, tmp_path)
    assert not faults, faults[0]
    assert counts["read"] > 2_000 and counts["refused"] > 2_000
