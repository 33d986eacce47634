"""BED, narrowPeak and BEND's tables of labeled windows to columns of 0-based half-open intervals, and back to BED."""

import gzip
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dnaspt.atomic import publish_file
from dnaspt.errors import InputError
from dnaspt.genome.columns import Column, Header, find_header, first_row, read_columns
from dnaspt.genome.intervals import positions

if TYPE_CHECKING:  # takes half a second to import, so it is imported where it is used
    import pandas as pd

_INTERVAL = (Column("chrom", 0, str), Column("start", 1, int), Column("end", 2, int))
_NARROW_PEAK_COLUMNS = 10
_LABEL_ROWS = 1 << 17
"""Rows whose labels are parsed at once."""
_INDEX_LETTERS = frozenset("0123456789, ")


@dataclass(frozen=True, slots=True)
class Regions:
    """n intervals of one file as columns of length n, in file order, 0-based half-open.

    Attributes:
        path: the file.
        chrom: contig names (str objects).
        start: int64.
        end: int64.
        strand: "+", "-" or ".".
        center: int64; the summit of a narrowPeak row where it has one, else the midpoint.
        line: int64, 1-based line in the file.
    """

    path: Path
    chrom: np.ndarray
    start: np.ndarray
    end: np.ndarray
    strand: np.ndarray
    center: np.ndarray
    line: np.ndarray

    def __len__(self) -> int:
        return len(self.start)

    def take(self, rows: np.ndarray) -> "Regions":
        """The rows of an index or a mask."""
        columns = (self.chrom, self.start, self.end, self.strand, self.center, self.line)
        return Regions(self.path, *(column[rows] for column in columns))

    def intervals(self, rows: np.ndarray) -> np.ndarray:
        """Starts and ends of some rows, by index or mask: (n, 2) int64."""
        return np.stack([self.start[rows], self.end[rows]], axis=1)

    def rows_by_contig(self) -> dict[str, np.ndarray]:
        """Row numbers of each contig, ascending; contigs in order of appearance."""
        return rows_by_value(self.chrom)

    def check_inside(self, chrom: str, rows: np.ndarray, length_bp: int) -> None:
        """Refuse rows that end beyond their contig.

        Raises:
            InputError: one does, with its line.
        """
        beyond = rows[self.end[rows] > length_bp]
        if len(beyond):
            row = beyond[0]
            found = f"{chrom}:{self.start[row]}-{self.end[row]} ends off the contig"
            do = "was it made for another genome?"
            raise InputError(self.path, found, expected=f"at most {length_bp} bp", do=do, line=int(self.line[row]))


@dataclass(frozen=True, slots=True)
class LabeledRegions:
    """Windows that bring their labels, as in BEND's files.

    Row i has the true labels indices[offsets[i]:offsets[i + 1]]; `split` is None where the file has no such column.
    """

    regions: Regions
    indices: np.ndarray
    offsets: np.ndarray
    split: np.ndarray | None

    def n_labels(self) -> int:
        """One more than the largest index in the file."""
        return int(self.indices.max()) + 1 if len(self.indices) else 0

    def says_yes_or_no(self) -> bool:
        """Whether each row has one label, which is 0 or 1, and both occur."""
        return bool((np.diff(self.offsets) == 1).all()) and set(np.unique(self.indices).tolist()) == {0, 1}

    def yes_as_index(self) -> "LabeledRegions":
        """The same rows with the single label 0 where they said 1, and none where they said 0."""
        offsets = np.concatenate([[0], np.cumsum(self.indices == 1)])
        return LabeledRegions(self.regions, np.zeros(offsets[-1], dtype=np.int64), offsets, self.split)

    def matrix(self, rows: np.ndarray, n_labels: int) -> np.ndarray:
        """Labels of some rows: (len(rows), K) int8 of 0 and 1."""
        labels = np.zeros((len(rows), n_labels), dtype=np.int8)
        of_row = np.stack([self.offsets[rows], self.offsets[rows + 1]], axis=1)
        labels[np.repeat(np.arange(len(rows)), np.diff(of_row)[:, 0]), self.indices[positions(of_row)]] = 1
        return labels


def rows_by_value(values: np.ndarray) -> dict[str, np.ndarray]:
    """Row numbers of each distinct value, ascending; values in order of appearance."""
    import pandas as pd

    codes, names = pd.factorize(values)
    order = np.argsort(codes, kind="stable")
    bounds = np.cumsum(np.bincount(codes, minlength=len(names)))[:-1]
    return {str(name): rows for name, rows in zip(names, np.split(order, bounds))}


def read_bed(path: str | Path) -> Regions:
    """Read BED (3 or more columns) or narrowPeak; plain or gzip; a header (chrom, start, end) may stand on top.

    The strand is taken from column 6 where it holds + - or . and is "." elsewhere.

    Raises:
        InputError: no rows, fewer than three columns, a coordinate that is no integer, start < 0, start >= end, or a
            summit outside its peak.
    """
    import pandas as pd

    path = Path(path)
    header, fields = find_header(path), first_row(path)
    columns = list(_INTERVAL)
    if len(fields) > 5:
        columns.append(Column("strand", 5, str))
    narrow_peak = header is None and _is_narrow_peak(fields)
    if narrow_peak:
        columns.append(Column("summit", 9, int))
    frame = _read_frame(path, columns, header)
    center = (frame["start"] + frame["end"]).to_numpy() // 2
    if narrow_peak:
        center = _summits(path, frame, center)
    strand = frame["strand"].astype(str) if "strand" in frame else pd.Series(".", index=frame.index)
    return _regions(path, frame, strand.where(strand.isin(["+", "-"]), "."), center)


def has_labels(path: str | Path) -> bool:
    """Whether a file is a table with a header that has a `label` or a `split` column."""
    header = find_header(Path(path))
    return header is not None and bool({"label", "split"} & set(header.names))


def read_labeled_bed(path: str | Path) -> LabeledRegions:
    """Read BEND's table: a header with chromosome, start, end and, each of them optional, strand, label, split.

    A label is a list of indices with commas between them, or empty where none is true.

    Raises:
        InputError: no header, a malformed row, a label that is no list of indices, or a strand other than + - .
    """
    import pandas as pd

    path = Path(path)
    header = find_header(path)
    if header is None or header.names[:3] != ("chrom", "start", "end"):
        raise InputError(path, "no header", expected="chromosome, start, end, (strand), (label), (split)", line=1)
    optional = [
        Column(name, header.names.index(name), str) for name in ("strand", "label", "split") if name in header.names
    ]
    frame = _read_frame(path, [*_INTERVAL, *optional], header)
    strand = frame["strand"].astype(str).replace("", ".") if "strand" in frame else pd.Series(".", index=frame.index)
    if not strand.isin(["+", "-", "."]).all():
        row = int(np.flatnonzero(~strand.isin(["+", "-", "."]))[0])
        raise InputError(path, f"strand {strand.iloc[row]!r}", expected="+ - or .", line=int(frame["line"].iloc[row]))
    center = (frame["start"] + frame["end"]).to_numpy() // 2
    label = frame["label"].astype(str) if "label" in frame else pd.Series("", index=frame.index)
    indices, offsets = _label_indices(path, label.to_numpy(dtype=object), frame["line"].to_numpy())
    split = frame["split"].astype(str).to_numpy(dtype=object) if "split" in frame else None
    return LabeledRegions(_regions(path, frame, strand, center), indices, offsets, split)


def _read_frame(path: Path, columns: list[Column], header: Header | None) -> "pd.DataFrame":
    import pandas as pd

    frame = pd.concat(
        [block.assign(chrom=block["chrom"].astype(object)) for block in read_columns(path, columns, header)],
        ignore_index=True,
    )
    start, end = frame["start"].to_numpy(), frame["end"].to_numpy()
    bad = np.flatnonzero((start < 0) | (start >= end))
    if len(bad):
        row = int(bad[0])
        found = f"interval {start[row]}-{end[row]}"
        expected = "0 <= start < end (0-based half-open)"
        raise InputError(path, found, expected=expected, line=int(frame["line"].iloc[row]))
    return frame


def _regions(path: Path, frame: "pd.DataFrame", strand: "pd.Series", center: np.ndarray) -> Regions:
    return Regions(
        path=path,
        chrom=frame["chrom"].to_numpy(dtype=object),
        start=frame["start"].to_numpy(dtype=np.int64),
        end=frame["end"].to_numpy(dtype=np.int64),
        strand=strand.to_numpy(dtype=object).astype("U1"),
        center=center.astype(np.int64),
        line=frame["line"].to_numpy(dtype=np.int64),
    )


def _is_narrow_peak(fields: list[str]) -> bool:
    """Ten columns, the seventh to ninth numbers (signal, p, q) and the tenth an integer (offset of the summit)."""
    if len(fields) != _NARROW_PEAK_COLUMNS:
        return False
    try:
        int(fields[9])
        return all(np.isfinite(float(field)) for field in fields[6:9])
    except ValueError:
        return False


def _summits(path: Path, frame: "pd.DataFrame", midpoint: np.ndarray) -> np.ndarray:
    start, end, summit = (frame[name].to_numpy() for name in ("start", "end", "summit"))
    bad = np.flatnonzero((summit < -1) | (start + summit >= end))
    if len(bad):
        row = int(bad[0])
        found = f"summit {summit[row]} of a peak of {end[row] - start[row]} bp"
        raise InputError(path, found, expected="an offset inside the peak, or -1", line=int(frame["line"].iloc[row]))
    return np.where(summit >= 0, start + summit, midpoint)


def _label_indices(path: Path, labels: np.ndarray, lines: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Indices of all rows end to end, and the n + 1 offsets."""
    counts = np.fromiter((text.count(",") + 1 if text else 0 for text in labels), dtype=np.int64, count=len(labels))
    offsets = np.concatenate([[0], np.cumsum(counts)])
    blocks = [labels[first : first + _LABEL_ROWS] for first in range(0, len(labels), _LABEL_ROWS)]
    parts = [_parse_indices(",".join(text for text in block if text)) for block in blocks]
    indices = np.concatenate([np.zeros(0, dtype=np.int64), *parts])
    if len(indices) != offsets[-1]:
        indices = np.full(1, -1)
    if (indices < 0).any():
        row = next(
            i for i, text in enumerate(labels) if text and not all(part.strip().isdecimal() for part in text.split(","))
        )
        expected = "indices (0, 1, ...) with commas between; --labels-file names them"
        raise InputError(path, f"label {labels[row][:40]!r}", expected=expected, line=int(lines[row]))
    return indices, offsets


def _parse_indices(text: str) -> np.ndarray:
    """Integers with commas between; -1 alone where there is anything else."""
    if not text:
        return np.zeros(0, dtype=np.int64)
    if not set(text) <= _INDEX_LETTERS or ",," in text:
        return np.full(1, -1)
    return np.fromstring(text, dtype=np.int64, sep=",")


def write_bed(path: str | Path, frames: "Iterable[pd.DataFrame]") -> None:
    """Write frames whose first columns are chrom, start, end as BED, one below the other; whole or not at all.

    Numbers that are no integers are written with six digits; a name that ends in .gz is written as gzip.
    """
    path = Path(path)
    open_text = gzip.open if path.suffix == ".gz" else open
    with publish_file(path) as unfinished, open_text(unfinished, "wt", encoding="utf-8", newline="") as file:
        for frame in frames:
            if tuple(frame.columns[:3]) != ("chrom", "start", "end"):
                raise ValueError(f"columns {tuple(frame.columns)}; expected chrom, start, end first")
            frame.to_csv(file, sep="\t", header=False, index=False, float_format="%.6g", lineterminator="\n")
