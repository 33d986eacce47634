"""Reading the windows of a dataset folder, one split as contiguous arrays."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dnaspt.data.manifest import read_manifest
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


@dataclass(frozen=True, slots=True)
class Window:
    """One row: codes (L,) uint8 of a stretch of a contig, and its labels.

    labels is (L,) int8 for per-base classes, (K,) int8 of 0 / 1 for one label set per window, -100 where missing;
    empty for sequence that is there for pretraining only. On strand "-" both read 5' to 3' on that strand.
    """

    chrom: str
    start: int
    end: int
    strand: str
    codes: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True, slots=True)
class Split:
    """All windows of one split as contiguous arrays.

    Window i has codes[offsets[i]:offsets[i+1]] and labels[label_offsets[i]:label_offsets[i+1]].
    """

    chrom: np.ndarray
    start: np.ndarray
    end: np.ndarray
    strand: np.ndarray
    codes: np.ndarray
    offsets: np.ndarray
    labels: np.ndarray
    label_offsets: np.ndarray

    def __len__(self) -> int:
        return len(self.start)

    def window(self, index: int) -> Window:
        """Row `index` as a `Window` (views, no copies)."""
        return Window(
            str(self.chrom[index]),
            int(self.start[index]),
            int(self.end[index]),
            str(self.strand[index]),
            self.codes[self.offsets[index] : self.offsets[index + 1]],
            self.labels[self.label_offsets[index] : self.label_offsets[index + 1]],
        )

    def __iter__(self) -> Iterator[Window]:
        return (self.window(index) for index in range(len(self)))

    def bins(self, bin_bp: int) -> "Split":
        """Each bin of the windows as a window of its own, where each has as many labels (views, no copies)."""
        n_bins = np.diff(self.offsets) // bin_bp
        first = np.cumsum(n_bins) - n_bins
        within = (np.arange(n_bins.sum()) - np.repeat(first, n_bins)) * bin_bp
        start = np.repeat(self.start, n_bins) + within
        places = np.repeat(self.offsets[:-1], n_bins) + within
        n_labels = len(self.labels) // max(1, len(start))
        return Split(
            chrom=np.repeat(self.chrom, n_bins),
            start=start,
            end=start + bin_bp,
            strand=np.repeat(self.strand, n_bins),
            codes=self.codes,
            offsets=np.append(places, self.offsets[-1]),
            labels=self.labels,
            label_offsets=np.arange(len(start) + 1) * n_labels,
        )


def read_split(folder: str | Path, split: str) -> Split:
    """Decode one split of a dataset folder into contiguous arrays.

    Raises:
        DatasetError: the split is not there or its table is broken.
    """
    path = Path(folder) / f"{split}.parquet"
    if not path.is_file():
        if split == "train" and read_manifest(folder).task == "variants":
            raise DatasetError(
                f"{folder}: holds variants, which are scored without training; 'dnaspt evaluate' a run on them"
            )
        raise DatasetError(f"{folder}: has no {split} split; expected {path.name} in it")
    try:
        table = pq.read_table(path, schema=SCHEMA)
    except (pa.ArrowException, OSError) as error:
        raise DatasetError(f"{path}: broken table ({str(error).splitlines()[0]}); prepare it again") from error
    manifest = read_manifest(folder)
    n_classes = len(manifest.labels) if manifest.per_base else 2
    (codes, offsets), (labels, label_offsets) = decode_windows(path, table, n_classes)
    return Split(
        chrom=table["chrom"].to_numpy(),
        start=table["start"].to_numpy(),
        end=table["end"].to_numpy(),
        strand=table["strand"].to_numpy(),
        codes=codes,
        offsets=offsets,
        labels=labels,
        label_offsets=label_offsets,
    )
