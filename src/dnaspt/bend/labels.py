"""Labels that BEND keeps in an HDF5 file beside its bed: row i of the labels belongs to row i of the bed."""

from pathlib import Path

import numpy as np

from dnaspt.errors import InputError
from dnaspt.genome.gene_states import MISSING
from dnaspt.optional_imports import import_optional


class LabelRows:
    """Dataset `labels` of an HDF5 file; a context manager that closes it. Rows are padded, or each has its own length.

    Args:
        path: the HDF5 file.
        n_rows: rows of the bed.
        n_classes: classes of a base, or 2 for a label that is true or not.

    Raises:
        InputError: no HDF5, no such dataset, or another number of rows than the bed has.
        ConfigError: h5py is not installed.
    """

    def __init__(self, path: Path, n_rows: int, n_classes: int) -> None:
        h5py = import_optional("h5py", "labels of BEND in HDF5 files")
        self.path, self._n_classes = path, n_classes
        try:
            self._file = h5py.File(path, "r")
        except OSError as error:
            raise InputError(path, f"no HDF5 ({error})", expected="a file with a dataset 'labels'") from error
        names = list(self._file)
        if "labels" not in names:
            self._file.close()
            raise InputError(path, f"holds {', '.join(names) or 'nothing'}", expected="a dataset 'labels'")
        self._labels = self._file["labels"]
        if (n_labels := len(self._labels)) != n_rows:
            self._file.close()
            raise InputError(path, f"{n_labels:,} rows of labels", expected=f"{n_rows:,}, one for each row of the bed")

    def __enter__(self) -> "LabelRows":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def row(self, index: int, length: int) -> np.ndarray:
        """Labels of a row (length,) int8, -100 where one is missing; padding behind them is not read.

        Raises:
            InputError: fewer labels than `length`, or one that is no class.
        """
        values = np.asarray(self._labels[index])
        values = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
        if values.ndim != 1 or len(values) < length or not np.issubdtype(values.dtype, np.number):
            found = f"row {index} of labels is {values.dtype} {values.shape}"
            raise InputError(self.path, found, expected=f"{length:,} numbers or more, the length of the BED row")
        values = values[:length]
        is_valid = valid_labels(values, self._n_classes)
        if not is_valid.all():
            found = f"row {index} has label {values[~is_valid][0]}"
            raise InputError(self.path, found, expected=f"0 to {self._n_classes - 1}, or {MISSING}")
        return values.astype(np.int8)


def valid_labels(values: np.ndarray, n_classes: int) -> np.ndarray:
    """Which labels (n,) are whole numbers from 0 to n_classes - 1, or missing (-100): (n,) bool."""
    in_range = (values >= 0) & (values < n_classes) & (values == np.floor(values))
    return np.asarray((values == MISSING) | in_range)
