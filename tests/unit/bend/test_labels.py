"""Labels in HDF5: rows padded or of their own length, and what is refused."""

import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from dnaspt.bend.labels import LabelRows, valid_labels
from dnaspt.errors import ConfigError, InputError


def write(path: Path, labels: object, name: str = "labels", dtype: object = None) -> Path:
    with h5py.File(path, "w") as file:
        file.create_dataset(name, data=labels, dtype=dtype)
    return path


def test_padded_rows_are_read_as_long_as_the_bed_says(tmp_path: Path) -> None:
    path = write(tmp_path / "x.hdf5", np.array([[0, 8, -100], [3, -100, 7]]))
    with LabelRows(path, 2, 9) as labels:
        assert labels.row(0, 2).tolist() == [0, 8] and labels.row(1, 3).tolist() == [3, -100, 7]
        assert labels.row(0, 2).dtype == np.int8


def test_rows_of_one_column_and_rows_of_their_own_length_are_read(tmp_path: Path) -> None:
    with LabelRows(write(tmp_path / "x.hdf5", np.zeros((2, 4, 1), np.int8)), 2, 2) as labels:
        assert labels.row(1, 4).tolist() == [0, 0, 0, 0]
    path = tmp_path / "y.hdf5"
    with h5py.File(path, "w") as file:
        ragged = file.create_dataset("labels", (2,), dtype=h5py.vlen_dtype(np.int64))
        ragged[0], ragged[1] = np.array([1, 2, 3]), np.array([4])
    with LabelRows(path, 2, 9) as labels:
        assert labels.row(0, 3).tolist() == [1, 2, 3] and labels.row(1, 1).tolist() == [4]
        with pytest.raises(InputError, match=r"y\.hdf5: row 1 of labels is int64 \(1,\); expected 2 numbers or more"):
            labels.row(1, 2)


@pytest.mark.parametrize("label", [9, -1, 0.5, np.nan])
def test_a_label_that_is_no_class_is_named_with_its_row(tmp_path: Path, label: float) -> None:
    path = write(tmp_path / "x.hdf5", np.array([[0, 1], [2, label]], dtype=float))
    with LabelRows(path, 2, 9) as labels:
        assert labels.row(1, 1).tolist() == [2]  # what is behind the row is not read
        with pytest.raises(InputError, match=r"row 1 has label .*; expected 0 to 8, or -100"):
            labels.row(1, 2)


def test_a_file_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.hdf5").write_text("no HDF5")
    for path, message in (
        (tmp_path / "text.hdf5", "no HDF5"),
        (write(tmp_path / "other.hdf5", [1], name="y"), "holds y; expected a dataset 'labels'"),
        (write(tmp_path / "few.hdf5", np.zeros((2, 3), int)), "2 rows of labels; expected 3, one for each row"),
    ):
        with pytest.raises(InputError, match=message):
            LabelRows(path, 3, 9)
    with (
        LabelRows(write(tmp_path / "words.hdf5", ["a", "b", "c"]), 3, 9) as labels,
        pytest.raises(InputError, match="expected 1 numbers or more"),
    ):
        labels.row(0, 1)


def test_without_h5py_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ConfigError, match=r"need h5py, which is not installed; pip install h5py$"):
        LabelRows(tmp_path / "x.hdf5", 1, 9)


def test_labels_are_whole_numbers_below_the_number_of_classes_or_missing() -> None:
    values = np.array([0.0, 1.0, 2.0, -100.0, 0.5, -1.0, np.nan])
    assert valid_labels(values, 2).tolist() == [True, True, False, True, False, False, False]
