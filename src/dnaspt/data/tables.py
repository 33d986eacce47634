"""A Parquet table of windows to contiguous arrays; a table that was changed or damaged since it was written is refused."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from dnaspt.errors import DatasetError
from dnaspt.genome import alphabet
from dnaspt.tasks import MISSING

SCHEMA = pa.schema(
    [
        ("chrom", pa.string()),
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("strand", pa.string()),
        ("sequence", pa.string()),
        ("labels", pa.list_(pa.int8())),
    ]
)
"""Columns of a table of windows."""

Arrays = tuple[np.ndarray, np.ndarray]
"""Values of all rows end to end, and the n + 1 offsets."""


def decode_windows(path: Path, table: pa.Table, n_classes: int) -> tuple[Arrays, Arrays]:
    """Codes and labels of the windows of a table; labels are classes below `n_classes`, or missing.

    Raises:
        DatasetError: a value that is not there, letters that are no bases, or labels that fit neither bases nor windows.
    """
    for name in table.column_names:
        if n_null := table[name].null_count:
            raise _fault(path, f"column {name!r} has no value in {n_null} rows")
    codes, offsets = _letters(table["sequence"])
    if (codes == alphabet.NOT_DNA).any():
        raise _fault(path, "column 'sequence' has letters other than A C G T N")
    n_bp = np.diff(offsets)
    if (n_bp != table["end"].to_numpy() - table["start"].to_numpy()).any():
        raise _fault(path, "column 'sequence' is not as long as start and end say")
    labels, label_offsets = _lists(path, table["labels"])
    n_labels = np.diff(label_offsets)
    if not (n_labels == n_bp).all() and (n_labels != n_labels[0]).any():
        raise _fault(path, "column 'labels' holds neither one label a base nor as many in each window")
    if ((labels != MISSING) & ((labels < 0) | (labels >= n_classes))).any():
        wrong = labels[(labels != MISSING) & ((labels < 0) | (labels >= n_classes))][0]
        raise _fault(
            path, f"column 'labels' has label {wrong}; expected 0 to {n_classes - 1}, or {MISSING} where missing"
        )
    return (codes, offsets), (labels, label_offsets)


def _fault(path: Path, found: str) -> DatasetError:
    return DatasetError(f"{path}: {found}; prepare it again")


def _letters(column: pa.ChunkedArray) -> Arrays:
    parts = [alphabet.encode(memoryview(value.as_buffer())) for chunk in column.chunks for value in chunk]
    offsets = np.zeros(len(parts) + 1, dtype=np.int64)
    np.cumsum([len(part) for part in parts], out=offsets[1:])
    return (np.concatenate(parts) if parts else np.zeros(0, np.uint8)), offsets


def _lists(path: Path, column: pa.ChunkedArray) -> Arrays:
    lengths = np.concatenate([np.asarray(chunk.value_lengths()) for chunk in column.chunks] or [np.zeros(0)])
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    chunks = [chunk.flatten() for chunk in column.chunks]
    if any(chunk.null_count for chunk in chunks):
        raise _fault(path, "column 'labels' has an empty label")
    values = [chunk.to_numpy() for chunk in chunks]
    return (np.concatenate(values) if values else np.zeros(0, np.int8)), offsets
