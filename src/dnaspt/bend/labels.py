"""Labels that BEND keeps in HDF5 beside its bed: row i belongs to line i."""

from pathlib import Path

import h5py
import numpy as np

from dnaspt.errors import InputError
from dnaspt.tasks import MISSING


class LabelRows:
    """Dataset `labels` of an HDF5 file: row i belongs to line i of the bed; rows are padded, or of their own length.

    Raises:
        InputError: no HDF5, no such dataset, not integers, or another number of rows than the bed has.
    """

    def __init__(self, path: Path, n_rows: int, n_classes: int) -> None:
        self.path, self._n_classes = path, n_classes
        try:
            self._file = h5py.File(path, "r")
        except OSError as error:
            raise InputError(path, f"no HDF5 ({error})", expected="a file with a dataset 'labels'") from error
        held = list(self._file)
        if "labels" not in held:
            self._file.close()
            raise InputError(path, f"holds {', '.join(held) or 'nothing'}", expected="a dataset 'labels'")
        self._labels = self._file["labels"]
        if (n_labels := len(self._labels)) != n_rows:
            self._file.close()
            raise InputError(path, f"{n_labels:,} rows of labels", expected=f"{n_rows:,}, one for each row of the bed")

    def __enter__(self) -> "LabelRows":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def row(self, index: int, length: int) -> np.ndarray:
        """Labels of a row (length,) int8; padding behind them is not read, -100 is a missing one."""
        values = np.asarray(self._labels[index])
        values = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
        if values.ndim != 1 or len(values) < length or not np.issubdtype(values.dtype, np.number):
            found = f"row {index} of labels is {values.dtype} {values.shape}"
            raise InputError(self.path, found, expected=f"{length:,} numbers or more, as the bed's row is long")
        values = values[:length]
        sound = (values == MISSING) | ((values >= 0) & (values < self._n_classes) & (values == np.floor(values)))
        if not sound.all():
            found = f"row {index} has label {values[~sound][0]}"
            raise InputError(self.path, found, expected=f"0 to {self._n_classes - 1}, or {MISSING}")
        return values.astype(np.int8)
