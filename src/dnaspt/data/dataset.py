"""Dataset folders: one Parquet table of windows per split, beside `manifest.json`. A split is read as contiguous arrays."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from dnaspt.data.manifest import SPLITS, UNLABELED, Manifest, read_manifest
from dnaspt.errors import DatasetError
from dnaspt.genome import alphabet
from dnaspt.genome.gene_states import MISSING
from dnaspt.tasks import TASKS

if TYPE_CHECKING:  # each takes long to import, so they are imported where they are used
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc


@dataclass(frozen=True, slots=True)
class Window:
    """One row of a table: a stretch of sequence that is given to a model, and its labels.

    On strand "-" codes and labels read 5' to 3' on that strand.

    Attributes:
        chrom: contig name.
        start: 0-based start on the contig.
        end: half-open end on the contig.
        strand: "+", "-" or ".".
        codes: (L,) uint8, see `genome.alphabet`.
        labels: (L,) int8 classes of bases, or (K,) int8 of 0 and 1 for a whole window, or (bins * K,) for its bins;
            `MISSING` where unknown; or (K,) float32 numbers, nan where unknown; empty for sequence that is for pretraining only.
    """

    chrom: str
    start: int
    end: int
    strand: str
    codes: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True, slots=True)
class Split:
    """All n windows of one split as contiguous arrays.

    Window i has codes[offsets[i]:offsets[i + 1]] and labels[label_offsets[i]:label_offsets[i + 1]].

    Attributes:
        chrom: contig names (n,).
        start: 0-based starts (n,).
        end: half-open ends (n,).
        strand: "+", "-" or "." (n,).
        codes: codes of all windows, end to end (bases,) uint8.
        offsets: where each window begins in `codes` (n + 1,).
        labels: labels of all windows, end to end (labels,): int8, or float32 where they are numbers.
        label_offsets: where each window begins in `labels` (n + 1,).
        per_base: whether each base has a label; else the labels are of windows, or of their bins, or there are none.
    """

    chrom: np.ndarray
    start: np.ndarray
    end: np.ndarray
    strand: np.ndarray
    codes: np.ndarray
    offsets: np.ndarray
    labels: np.ndarray
    label_offsets: np.ndarray
    per_base: bool

    def __len__(self) -> int:
        return len(self.start)

    def __iter__(self) -> Iterator[Window]:
        return (self.window(index) for index in range(len(self)))

    @property
    def intervals(self) -> np.ndarray:
        """Starts and ends of all windows (n, 2) int64."""
        return np.stack([self.start, self.end], axis=1)

    def window(self, index: int) -> Window:
        """Window `index`; -1 is the last one. Its arrays are views, not copies.

        Raises:
            IndexError: there is no such window.
        """
        if not -len(self) <= index < len(self):
            raise IndexError(f"window {index}; the split has {len(self)}")
        index %= len(self)
        return Window(
            str(self.chrom[index]),
            int(self.start[index]),
            int(self.end[index]),
            str(self.strand[index]),
            self.codes[self.offsets[index] : self.offsets[index + 1]],
            self.labels[self.label_offsets[index] : self.label_offsets[index + 1]],
        )

    def take(self, rows: np.ndarray) -> "Split":
        """The windows with the given row numbers, copied, in this order.

        Args:
            rows: row numbers (m,).
        """
        windows = [self.window(int(row)) for row in rows]
        return Split(
            chrom=self.chrom[rows],
            start=self.start[rows],
            end=self.end[rows],
            strand=self.strand[rows],
            codes=np.concatenate([window.codes for window in windows]),
            offsets=np.concatenate([[0], np.cumsum([len(window.codes) for window in windows])]),
            labels=np.concatenate([window.labels for window in windows]),
            label_offsets=np.concatenate([[0], np.cumsum([len(window.labels) for window in windows])]),
            per_base=self.per_base,
        )

    def bins(self, bin_bp: int) -> "Split":
        """Each bin of `bin_bp` bases as a window of its own, with the labels of that bin (views, not copies)."""
        n_bins = np.diff(self.offsets) // bin_bp
        first_bin = np.cumsum(n_bins) - n_bins
        within_window = (np.arange(n_bins.sum()) - np.repeat(first_bin, n_bins)) * bin_bp
        start = np.repeat(self.start, n_bins) + within_window
        n_labels = len(self.labels) // max(1, len(start))
        return Split(
            chrom=np.repeat(self.chrom, n_bins),
            start=start,
            end=start + bin_bp,
            strand=np.repeat(self.strand, n_bins),
            codes=self.codes,
            offsets=np.append(np.repeat(self.offsets[:-1], n_bins) + within_window, self.offsets[-1]),
            labels=self.labels,
            label_offsets=np.arange(len(start) + 1) * n_labels,
            per_base=self.per_base,
        )


@dataclass(frozen=True, slots=True, repr=False)
class Dataset:
    """A dataset folder: what `prepare_genes`, `prepare_regions`, `prepare_methylation`, `prepare_sequences` and others return.

    A `Dataset` can be given wherever the path of a dataset folder can.

    Attributes:
        path: the folder.
        manifest: sizes, sources, settings, and what was dropped and why.

    Example:
        >>> data = dnaspt.Dataset.open("data/peaks")
        >>> data.task, data.labels, data.splits
        ('regions', ('peaks_A',), ('train', 'valid', 'test'))
        >>> data.to_frame("valid").columns.tolist()
        ['chrom', 'start', 'end', 'strand', 'sequence', 'labels']
        >>> data.read("valid").window(0).codes.shape
        (256,)
    """

    path: Path
    manifest: Manifest = field(hash=False)

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        sizes = "".join(f", {name}={self.manifest.splits[name].n_windows:,}" for name in self.splits)
        return f"Dataset({str(self.path)!r}, task={self.task!r}{sizes})"

    @classmethod
    def open(cls, folder: str | PathLike[str]) -> Self:
        """Open a dataset folder that `dnaspt prepare` made.

        Raises:
            DatasetError: there is no such folder, it is unfinished, or it is of another format version.
        """
        return cls(Path(folder), read_manifest(folder))

    @property
    def task(self) -> str:
        """Name of the task, a key of `TASKS`."""
        return self.manifest.task

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the labels."""
        return self.manifest.labels

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits that hold windows: of train, valid, test and unlabeled those that are there."""
        return tuple(name for name in (*SPLITS, UNLABELED) if name in self.manifest.splits)

    def read(self, split: str, fold: int = 0) -> Split:
        """Read one split as contiguous arrays; of a fold (from 1) what its models are trained, chosen or tested on.

        Raises:
            DatasetError: there is no such split or fold, or its table is damaged.
        """
        return read_split(self.path, split, fold)

    def to_frame(self, split: str, fold: int = 0) -> "pd.DataFrame":
        """One split as a table: chrom, start, end, strand, sequence (a string) and labels (an array), a window per row.

        Coordinates are 0-based half-open. A label of -100, or nan where labels are numbers, is missing. With a fold, see `read`.

        Raises:
            DatasetError: there is no such split or fold, or its table is damaged.
        """
        frame: pd.DataFrame = _read_table(self.path, split, read_manifest(self.path, fold)).to_pandas()
        return frame


def split_file(folder: str | PathLike[str], split: str) -> Path:
    """The file in which a dataset folder keeps a split."""
    return Path(folder) / f"{split}.parquet"


@cache
def window_schema(*, numbers: bool = False) -> "pa.Schema":
    """Columns of a table of windows; numbers: whether their labels are numbers."""
    import pyarrow as pa

    return pa.schema(
        [
            ("chrom", pa.string()),
            ("start", pa.int64()),
            ("end", pa.int64()),
            ("strand", pa.string()),
            ("sequence", pa.string()),
            ("labels", pa.list_(pa.float32() if numbers else pa.int8())),
        ]
    )


@cache
def fold_columns() -> "pa.Schema":
    """Columns that tables have beside the others where the dataset has folds.

    fold: number of the fold that tests the row, from 1; 0 where the row is in train of every fold. block: number of the block
    over all folds, from 1; 0 where the row is in train of every fold.
    """
    import pyarrow as pa

    return pa.schema([("fold", pa.int16()), ("block", pa.int32())])


def rows_of_split(manifest: Manifest, split: str) -> "tuple[str, pc.Expression | None]":
    """Where a split is stored: the split of a table, and which of its rows; None for all of them.

    Of a fold, test is the fold itself; valid are its blocks in the other folds, or the valid split of the dataset where it has
    one; train is all else of the train split.
    """
    import pyarrow.compute as pc

    if not manifest.fold or split == UNLABELED or (split == "valid" and manifest.has_own_valid):
        return split, None
    is_tested = pc.field("fold") == manifest.fold
    is_valid = pc.field("block").isin(list(manifest.folds[manifest.fold - 1].valid_blocks))
    rows = {"test": is_tested, "valid": ~is_tested & is_valid, "train": ~is_tested & ~is_valid}
    return "train", rows[split]


def read_split(folder: str | PathLike[str], split: str, fold: int = 0) -> Split:
    """Read one split of a dataset folder as contiguous arrays.

    Args:
        folder: the dataset folder.
        split: train, valid, test or unlabeled.
        fold: the fold whose split it is, from 1; 0 for the split of the whole dataset.

    Raises:
        DatasetError: there is no such split or fold, or its table is damaged.
    """
    manifest = read_manifest(folder, fold)
    table = _read_table(folder, split, manifest)
    n_classes = None if TASKS[manifest.task].numbers else len(manifest.labels) if manifest.per_base else 2
    path = split_file(folder, rows_of_split(manifest, split)[0])
    (codes, offsets), (labels, label_offsets) = _decode_windows(path, table, n_classes)
    return Split(
        chrom=table["chrom"].to_numpy(),
        start=table["start"].to_numpy(),
        end=table["end"].to_numpy(),
        strand=table["strand"].to_numpy(),
        codes=codes,
        offsets=offsets,
        labels=labels,
        label_offsets=label_offsets,
        per_base=manifest.per_base and len(labels) == len(codes),  # sequence for pretraining only has no labels
    )


def _read_table(folder: str | PathLike[str], split: str, manifest: Manifest) -> "pa.Table":
    """The table of one split, as it is stored; manifest: of the folder, or of one of its folds."""
    if split not in (*SPLITS, UNLABELED):
        raise DatasetError(f"{Path(folder)}: no split is called {split!r}; expected {', '.join(SPLITS)} or {UNLABELED}")
    stored, rows = rows_of_split(manifest, split)
    path = split_file(folder, stored)
    if not path.is_file():
        if split == "train" and manifest.task == "variants":
            raise DatasetError(
                f"{Path(folder)}: holds variants, which are scored without training; 'dnaspt evaluate' a run on them"
            )
        hint = "" if manifest.fold else manifest.hint
        raise DatasetError(f"{Path(folder)}: has no {split} split; expected {path.name} in it{hint}")
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        columns = window_schema(numbers=TASKS[manifest.task].numbers)
        if rows is None:
            return pq.read_table(path, schema=columns)
        schema = pa.schema([*columns, *fold_columns()])
        return pq.read_table(path, schema=schema, columns=columns.names, filters=rows)
    except (pa.ArrowException, OSError) as error:
        raise DatasetError(f"{path}: broken table ({str(error).splitlines()[0]}); prepare it again") from error


_Ragged = tuple[np.ndarray, np.ndarray]
"""Values of all n rows end to end, and the n + 1 offsets of the rows."""


def _decode_windows(path: Path, table: "pa.Table", n_classes: int | None) -> tuple[_Ragged, _Ragged]:
    """Codes and labels of the windows of a table; labels are classes below `n_classes`, or missing; None: they are numbers.

    Raises:
        DatasetError: an empty field, a letter that is not a base, labels that fit neither bases nor windows, or infinite ones.
    """
    for name in table.column_names:
        if n_null := table[name].null_count:
            raise _damaged(path, f"column {name!r} has no value in {n_null} rows")
    codes, offsets = _decode_sequences(table["sequence"])
    if (codes == alphabet.NOT_DNA).any():
        raise _damaged(path, "column 'sequence' has letters other than A C G T N")
    n_bp = np.diff(offsets)
    if (n_bp != table["end"].to_numpy() - table["start"].to_numpy()).any():
        raise _damaged(path, "column 'sequence' is not as long as start and end say")
    labels, label_offsets = _decode_labels(path, table["labels"])
    n_labels = np.diff(label_offsets)
    if not (n_labels == n_bp).all() and (n_labels != n_labels[0]).any():
        raise _damaged(path, "column 'labels' has neither one label a base nor the same number in each window")
    if n_classes is None:
        if np.isinf(labels).any():
            raise _damaged(path, "column 'labels' has an infinite number")
        return (codes, offsets), (labels, label_offsets)
    is_wrong = (labels != MISSING) & ((labels < 0) | (labels >= n_classes))
    if is_wrong.any():
        expected = f"expected 0 to {n_classes - 1}, or {MISSING} where missing"
        raise _damaged(path, f"column 'labels' has label {labels[is_wrong][0]}; {expected}")
    return (codes, offsets), (labels, label_offsets)


def _damaged(path: Path, found: str) -> DatasetError:
    return DatasetError(f"{path}: {found}; prepare it again")


def _decode_sequences(column: "pa.ChunkedArray") -> _Ragged:
    sequences = [alphabet.encode(memoryview(value.as_buffer())) for chunk in column.chunks for value in chunk]
    offsets = np.zeros(len(sequences) + 1, dtype=np.int64)
    np.cumsum([len(codes) for codes in sequences], out=offsets[1:])
    return (np.concatenate(sequences) if sequences else np.zeros(0, np.uint8)), offsets


def _decode_labels(path: Path, column: "pa.ChunkedArray") -> _Ragged:
    lengths = np.concatenate([np.asarray(chunk.value_lengths()) for chunk in column.chunks] or [np.zeros(0)])
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    chunks = [chunk.flatten() for chunk in column.chunks]
    if any(chunk.null_count for chunk in chunks):
        raise _damaged(path, "column 'labels' has an empty label")
    values = [chunk.to_numpy() for chunk in chunks]
    return (np.concatenate(values) if values else np.zeros(0, np.int8)), offsets
