"""Damaged files of runs and studies; `python tests/fuzz/runs.py` tries as many as you like."""

from pathlib import Path

import pytest
from tests.fuzz.runs import TARGETS, fuzz


@pytest.mark.slow
def test_damaged_runs_end_in_one_line_that_names_the_file(tmp_path: Path) -> None:
    counts, faults = fuzz(3 * len(TARGETS), 0, tmp_path)
    assert not faults, faults[0]
    assert counts["refused"] > len(TARGETS)
