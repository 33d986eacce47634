"""Damaged files of runs and studies; `python tests/fuzz/runs.py` tries as many as you like."""

import os
from pathlib import Path

import pytest
from tests.fuzz.runs import TARGETS, fuzz


def damage(n: int, seed: int, folder: Path) -> None:
    counts, faults = fuzz(n, seed, folder)
    assert not faults, faults[0]
    assert counts["refused"] > n / 4


@pytest.mark.slow
def test_damaged_runs_end_in_one_line_that_names_the_file(tmp_path: Path) -> None:
    damage(len(TARGETS), 0, tmp_path)


@pytest.mark.fuzz
def test_many_damaged_runs_end_in_one_line_that_names_the_file(tmp_path: Path) -> None:
    damage(10 * len(TARGETS), int(os.environ.get("FUZZ_SEED", "0")), tmp_path)
