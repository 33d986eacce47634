"""A table in a file: slices read and write what a numpy array's would."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from tests.unit.inference.small_models import limited

from dnaspt.inference.disk_array import disk_array


def test_slices_are_those_of_an_array(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    expected = np.zeros((50, 3), np.float32)
    with disk_array(tmp_path / "rows", 50, 3) as rows:
        assert len(rows) == 50 and not np.asarray(rows).any()
        for start, stop in ((0, 50), (10, 20), (45, 50), (7, 7)):
            values = rng.standard_normal((stop - start, 3))
            rows[start:stop] = values
            expected[start:stop] = values
        np.testing.assert_array_equal(np.asarray(rows), expected)
        part = rows[10:40]
        assert len(part) == 30
        part[5:10] = np.ones((5, 3))
        expected[15:20] = 1
        np.testing.assert_array_equal(np.asarray(part[3:12]), expected[13:22])
        assert np.asarray(rows[-3:], np.float64).dtype == np.float64
        assert len(rows[40:30]) == 0 and np.asarray(rows[60:]).shape == (0, 3)


def test_threads_read_side_by_side(tmp_path: Path) -> None:
    values = np.arange(200_000, dtype=np.float32).reshape(-1, 2)
    with disk_array(tmp_path / "rows", len(values), 2) as rows, ThreadPoolExecutor(4) as pool:
        rows[:] = values
        starts = range(0, len(values), 500)
        for start, part in zip(starts, pool.map(lambda first: np.asarray(rows[first : first + 500]), starts)):
            np.testing.assert_array_equal(part, values[start : start + 500])


def test_the_file_is_gone_when_the_block_ends(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), disk_array(tmp_path / "rows", 5, 2):
        assert (tmp_path / "rows").is_file()
        raise KeyboardInterrupt
    assert not (tmp_path / "rows").exists()


def test_rows_that_are_not_there_are_an_error(tmp_path: Path) -> None:
    with disk_array(tmp_path / "rows", 5, 2) as rows:
        rows.file.truncate(8)
        with pytest.raises(OSError, match="rows 0 to 5 are not there"):
            np.asarray(rows)


def test_space_is_claimed_first(tmp_path: Path) -> None:
    with limited(100), pytest.raises(OSError), disk_array(tmp_path / "rows", 1000, 2):
        pass
    assert not (tmp_path / "rows").exists()
