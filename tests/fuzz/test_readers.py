"""Damaged files for the readers; `python tests/fuzz/readers.py` reads as many as you like."""

import os
from pathlib import Path

import pytest
from tests.fuzz.readers import fuzz


def read(n: int, seed: int, folder: Path) -> None:
    counts, faults = fuzz(n, seed, folder)
    assert not faults, faults[0]
    assert counts["read"] > n / 6 and counts["refused"] > n / 6


@pytest.mark.slow
def test_damaged_files_end_in_clean_errors_or_in_clean_results(tmp_path: Path) -> None:
    read(3_000, 0, tmp_path)


@pytest.mark.fuzz
def test_many_damaged_files_end_in_clean_errors_or_in_clean_results(tmp_path: Path) -> None:
    read(40_000, int(os.environ.get("FUZZ_SEED", "0")), tmp_path)
