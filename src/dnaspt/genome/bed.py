"""BED and its dialects, and BEND's tables of labeled windows, as columns of 0-based half-open intervals; and BED written."""

import gzip
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dnaspt.atomic import atomic_file
from dnaspt.errors import InputError
from dnaspt.genome.bed_dialects import INTERVAL, read_regions, read_table_intervals
from dnaspt.genome.columns import Column, find_header
from dnaspt.genome.intervals import positions

if TYPE_CHECKING:  # takes half a second to import, so it is imported where it is used
    import pandas as pd

_OVERHANG_BP = 1000
"""A peak may pass the end of its contig by so much: MACS extends reads to fragments, which are shorter."""
_LABEL_ROWS = 1 << 17
"""Rows whose labels are parsed at once, to bound memory."""
_INDEX_LETTERS = frozenset("0123456789, ")
_MAX_LABELS = 100_000
"""More than any table has: a number beyond it is a mistake, and a column for each smaller one would fill the memory."""


@dataclass(frozen=True, slots=True)
class Regions:
    """The n intervals of a BED file as columns (n,), in file order.

    Attributes:
        path: the file.
        chrom: contig names, Python strings.
        start: first base, int64.
        end: base behind the last one, int64.
        strand: "+", "-" or ".".
        center: summit of the peak if a narrowPeak row has one, else the midpoint, int64.
        line: 1-based line in the file, int64.
        dropped: how many rows were left out, by reason.
    """

    path: Path
    chrom: np.ndarray
    start: np.ndarray
    end: np.ndarray
    strand: np.ndarray
    center: np.ndarray
    line: np.ndarray
    dropped: Mapping[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.start)

    def take(self, rows: np.ndarray) -> "Regions":
        """Select rows by index or mask.

        Args:
            rows: row numbers (m,), or a mask (n,) bool.
        """
        return replace(
            self,
            chrom=self.chrom[rows],
            start=self.start[rows],
            end=self.end[rows],
            strand=self.strand[rows],
            center=self.center[rows],
            line=self.line[rows],
        )

    def intervals(self, rows: np.ndarray) -> np.ndarray:
        """Starts and ends of the rows that an index or a mask selects: (m, 2) int64.

        Args:
            rows: row numbers (m,), or a mask (n,) bool.
        """
        return np.stack([self.start[rows], self.end[rows]], axis=1)

    def rows_by_contig(self) -> dict[str, np.ndarray]:
        """Row numbers of each contig, ascending. Contigs come in the order of the file.

        Returns:
            Contig to row numbers (m,) int64.
        """
        return rows_by_value(self.chrom)

    def cut_at_end(self, chrom: str, rows: np.ndarray, length_bp: int) -> tuple["Regions", np.ndarray]:
        """Cut regions that pass the end of their contig by a few bases, as peaks of MACS may, at that end.

        A summit beyond the end is moved to the middle of what is left.

        Args:
            chrom: the contig.
            rows: numbers of its rows (m,).
            length_bp: its length.

        Returns:
            The regions, and the numbers of the rows that were cut (k,).

        Raises:
            InputError: a row lies beyond the end as a whole, or passes it by more than 1,000 bp. The error names its line.
        """
        passing = rows[self.end[rows] > length_bp]
        if not len(passing):
            return self, passing
        is_far = (self.start[passing] >= length_bp) | (self.end[passing] > length_bp + _OVERHANG_BP)
        self.check_inside(chrom, passing[is_far], length_bp)
        end, center = self.end.copy(), self.center.copy()
        end[passing] = length_bp
        beyond = passing[center[passing] >= length_bp]
        center[beyond] = (self.start[beyond] + length_bp) // 2
        return replace(self, end=end, center=center), passing

    def check_inside(self, chrom: str, rows: np.ndarray, length_bp: int) -> None:
        """Refuse rows that end beyond their contig.

        Args:
            chrom: the contig.
            rows: numbers of its rows (m,).
            length_bp: its length.

        Raises:
            InputError: a row does. The error names its line.
        """
        off_contig = rows[self.end[rows] > length_bp]
        if len(off_contig):
            row = off_contig[0]
            found = f"{chrom}:{self.start[row]}-{self.end[row]} ends off the contig"
            do = "was it made for another genome?"
            raise InputError(self.path, found, expected=f"at most {length_bp} bp", do=do, line=int(self.line[row]))


@dataclass(frozen=True, slots=True)
class LabeledRegions:
    """Windows of a file that also gives their labels, as BEND's files do.

    Attributes:
        regions: the windows (n).
        indices: numbers of the labels that are true, for all windows one behind the other (labels,) int64.
        offsets: window i has the labels indices[offsets[i]:offsets[i + 1]] (n + 1,).
        split: split of each window (n,); None if the file has no such column.
    """

    regions: Regions
    indices: np.ndarray
    offsets: np.ndarray
    split: np.ndarray | None

    def n_labels(self) -> int:
        """Number of labels: one more than the largest in the file."""
        return int(self.indices.max()) + 1 if len(self.indices) else 0

    def is_binary(self) -> bool:
        """Whether every window has exactly one label, 0 or 1, and both occur: then they mean no and yes."""
        return bool((np.diff(self.offsets) == 1).all()) and set(np.unique(self.indices).tolist()) == {0, 1}

    def first_without_label(self) -> int | None:
        """Number of the first window without a label, where all others have one, 0 or 1, and both occur; else None."""
        counts = np.diff(self.offsets)
        if (counts > 1).any() or counts.all() or set(np.unique(self.indices).tolist()) != {0, 1}:
            return None
        return int(np.argmin(counts))

    def with_one_label(self) -> "LabeledRegions":
        """The same windows, where 1 has become the only label, number 0, and 0 has become no label."""
        offsets = np.concatenate([[0], np.cumsum(self.indices == 1)])
        return LabeledRegions(self.regions, np.zeros(offsets[-1], dtype=np.int64), offsets, self.split)

    def matrix(self, rows: np.ndarray, n_labels: int) -> np.ndarray:
        """Labels of m rows as a matrix (m, K) int8 of 0 and 1.

        Args:
            rows: row numbers (m,).
            n_labels: K.
        """
        labels = np.zeros((len(rows), n_labels), dtype=np.int8)
        of_row = np.stack([self.offsets[rows], self.offsets[rows + 1]], axis=1)
        labels[np.repeat(np.arange(len(rows)), np.diff(of_row)[:, 0]), self.indices[positions(of_row)]] = 1
        return labels


def rows_by_value(values: np.ndarray) -> dict[str, np.ndarray]:
    """Row numbers of each distinct value, ascending. Values come in the order in which they first appear.

    Args:
        values: strings (n,).

    Returns:
        Value to row numbers (m,) int64.
    """
    import pandas as pd

    codes, names = pd.factorize(values)
    order = np.argsort(codes, kind="stable")
    bounds = np.cumsum(np.bincount(codes, minlength=len(names)))[:-1]
    return {str(name): rows for name, rows in zip(names, np.split(order, bounds))}


def read_bed(path: str | Path) -> Regions:
    """Read regions, plain or gzip: BED of 3 or more columns or one of its dialects, which all rows together tell.

    - narrowPeak, with columns after the tenth or without (IDR), or a table whose header names a `peak` or `summit`: the
      center of a region is its summit.
    - BED12: its blocks are the regions.
    - BEDPE: both ends are regions. An end without a position is left out (`end_unknown`).
    - bedGraph: rows of value 0, or without a value, are no regions (`zero_signal`).
    - A table with a header (chrom, start, end) whose `length` or `width` is that of 1-based closed intervals, as MACS .xls
      and R's GRanges: they are converted.

    A dialect that changes which bases are regions is named in a warning. The strand is that of column 6, or of the column
    `strand` of a header, if it is + or -, else ".".

    Raises:
        InputError: no rows, fewer than three columns, a coordinate that is not an integer, start < 0, start >= end, a
            summit outside its peak, blocks that contradict their row, no region left, or a file that is no text.
    """
    rows = read_regions(Path(path))
    return _regions(Path(path), rows.frame, rows.dropped)


def has_labels(path: str | Path) -> bool:
    """Whether a file is a table whose header has a column `label` or `split`."""
    header = find_header(Path(path))
    return header is not None and bool({"label", "split"} & set(header.names))


def read_labeled_bed(path: str | Path) -> LabeledRegions:
    """Read BEND's table: a header with chromosome, start, end, and optionally strand, label and split.

    Column `label` holds the numbers of the labels that are true, with commas between them. It is empty if none is. A `length` or
    `width` of 1-based closed intervals, as in R's GRanges, tells that they are to be converted.

    Raises:
        InputError: no header, a malformed row, a label that is not a list of numbers, or a strand other than + - . and *
    """
    import pandas as pd

    path = Path(path)
    header = find_header(path)
    if header is None or header.names[:3] != ("chrom", "start", "end"):
        raise InputError(path, "no header", expected="chromosome, start, end, (strand), (label), (split)", line=1)
    names = [name for name in ("strand", "label", "split") if name in header.names]
    if repeated := [name for name in names if header.names.count(name) > 1]:
        raise InputError(path, f"two columns {repeated[0]!r}", expected="one", line=header.line)
    optional = [Column(name, header.names.index(name), str, optional=True) for name in names]
    frame, _ = read_table_intervals(path, [*INTERVAL, *optional], header)
    strand = (
        frame["strand"].astype(str).replace({"": ".", "*": "."})
        if "strand" in frame
        else pd.Series(".", index=frame.index)
    )
    if not strand.isin(["+", "-", "."]).all():
        row = int(np.flatnonzero(~strand.isin(["+", "-", "."]))[0])
        raise InputError(path, f"strand {strand.iloc[row]!r}", expected="+ - or .", line=int(frame["line"].iloc[row]))
    frame["strand"], frame["center"] = strand, (frame["start"] + frame["end"]) // 2
    label = frame["label"].astype(str) if "label" in frame else pd.Series("", index=frame.index)
    indices, offsets = _label_indices(path, label.to_numpy(dtype=object), frame["line"].to_numpy())
    split = frame["split"].astype(str).to_numpy(dtype=object) if "split" in frame else None
    return LabeledRegions(_regions(path, frame), indices, offsets, split)


def _regions(path: Path, frame: "pd.DataFrame", dropped: Mapping[str, int] | None = None) -> Regions:
    """Regions from the columns of a table."""
    return Regions(
        path=path,
        chrom=frame["chrom"].to_numpy(dtype=object),
        start=frame["start"].to_numpy(dtype=np.int64),
        end=frame["end"].to_numpy(dtype=np.int64),
        strand=frame["strand"].to_numpy(dtype=object).astype("U1"),
        center=frame["center"].to_numpy(dtype=np.int64),
        line=frame["line"].to_numpy(dtype=np.int64),
        dropped=dropped or {},
    )


def _label_indices(path: Path, labels: np.ndarray, lines: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Parse column `label`: see `LabeledRegions.indices` and `offsets`."""
    counts = np.fromiter((text.count(",") + 1 if text else 0 for text in labels), dtype=np.int64, count=len(labels))
    offsets = np.concatenate([[0], np.cumsum(counts)])
    blocks = [labels[first : first + _LABEL_ROWS] for first in range(0, len(labels), _LABEL_ROWS)]
    parsed = [_parse_indices(",".join(text for text in block if text)) for block in blocks]
    indices = np.concatenate([np.zeros(0, dtype=np.int64), *parsed])
    if len(indices) != offsets[-1] or ((indices < 0) | (indices >= _MAX_LABELS)).any():
        row = next(row for row, text in enumerate(labels) if text and not _are_indices(text))
        expected = f"indices (0, 1, ... below {_MAX_LABELS:,}) with commas between; --labels-file names them"
        raise InputError(path, f"label {labels[row][:40]!r}", expected=expected, line=int(lines[row]))
    return indices, offsets


def _are_indices(text: str) -> bool:
    """Whether a label is a list of indices."""
    words = [word.strip() for word in text.split(",")]
    return set(text) <= _INDEX_LETTERS and all(
        word.isdecimal() and len(word) < 10 and int(word) < _MAX_LABELS for word in words
    )


def _parse_indices(text: str) -> np.ndarray:
    """Parse integers with commas between them; a single -1 if the text is anything else."""
    if not text:
        return np.zeros(0, dtype=np.int64)
    if not set(text) <= _INDEX_LETTERS or ",," in text:
        return np.full(1, -1)
    try:
        return np.fromstring(text, dtype=np.int64, sep=",")
    except ValueError:  # a comma with no number beside it
        return np.full(1, -1)


def write_bed(path: str | Path, frames: "Iterable[pd.DataFrame]") -> None:
    """Write tables as one BED file, one below the other. The file appears whole or not at all.

    Args:
        path: the file; gzip if its name ends in .gz.
        frames: tables whose first columns are chrom, start and end. Numbers that are not integers get six digits.

    Raises:
        ValueError: a table has other first columns.
    """
    path = Path(path)
    open_text = gzip.open if path.suffix == ".gz" else open
    with atomic_file(path) as unfinished, open_text(unfinished, "wt", encoding="utf-8", newline="\n") as file:
        for frame in frames:
            if tuple(frame.columns[:3]) != ("chrom", "start", "end"):
                raise ValueError(f"columns {tuple(frame.columns)}; expected chrom, start, end first")
            frame.to_csv(file, sep="\t", header=False, index=False, float_format="%.6g", lineterminator="\n")
