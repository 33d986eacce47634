"""Files of regions in BED's dialects to a table of 0-based half-open intervals, each with its center.

All rows together tell the dialect, never the first alone, where that decides which bases are regions. A dialect that changes
them is named in a warning.
"""

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dnaspt.errors import InputError
from dnaspt.genome.columns import (
    GRANGES_NAMES,
    Column,
    TableHeader,
    find_header,
    first_row,
    n_columns,
    preamble,
    read_columns,
    row_error,
)
from dnaspt.genome.text_files import unpacked_name

if TYPE_CHECKING:  # takes half a second to import, so it is imported where it is used
    import pandas as pd

log = logging.getLogger(__name__)

INTERVAL = (Column("chrom", 0, str), Column("start", 1, int), Column("end", 2, int))
_STRAND = Column("strand", 5, str, optional=True)
_SECOND_END = (Column("chrom", 3, str), Column("start", 4, int), Column("end", 5, int))
_BLOCKS = (Column("n_blocks", 9, str), Column("sizes", 10, str), Column("starts", 11, str))
_BLOCK_COLUMNS = 12
_SUMMIT_COLUMN = 9
_SUMMIT_NAME = re.compile(r"summit|peak|point|offset|^[vx]10$")
_SIGNAL_NAMES = ("signalvalue", "pvalue", "qvalue")
_LENGTH_NAMES = ("width", "length")
"""Columns that may hold the length of an interval; R's GRanges always has the first."""
_VALUE_NAMES = ("value", "datavalue", "score", "signal", "coverage", "depth", "count")
_NO_VALUE = ("", ".", "NA", "nan", "NaN")
_MOST = 0.9
"""Share of rows that must look like pairs of intervals, or have the length of their interval."""


@dataclass(frozen=True, slots=True)
class RegionRows:
    """Regions as a table: chrom, start, end, strand (+, - or .), center and line.

    Attributes:
        frame: the table.
        dropped: how many rows were left out, by reason.
    """

    frame: "pd.DataFrame"
    dropped: Mapping[str, int] = field(default_factory=dict)


def read_regions(path: Path) -> RegionRows:
    """Read BED or one of its dialects: see `dnaspt.genome.bed.read_bed`.

    Raises:
        InputError: as `read_bed`.
    """
    header = find_header(path)
    first, width = first_row(path, header), n_columns(path, header)
    if header is None and _begins_with_names(first):
        found = f"contigs ({first[1][:20]}) in column 2"
        do = "take off column 1; positions of HOMER are 1-based (pos2bed.pl converts them), and so are those of SAF"
        raise InputError(path, found, expected="contig, start and end in columns 1 to 3 (BED)", do=do)
    if width >= _BLOCK_COLUMNS and _has_blocks(path, header):
        return _read_blocks(path, header)
    if _is_pairs(path, header, first):
        return _read_pairs(path, header)
    if header is None and width > len(INTERVAL) and _has_lengths(path):
        return _read_table(path, TableHeader(("chrom", "start", "end", "length"), line=0))
    has_length = header is not None and any(name in _LENGTH_NAMES for name in header.names)
    if width == len(INTERVAL) + 1 and not has_length and (values := _bedgraph_values(path, header)) is not None:
        return _read_bedgraph(path, header, values)
    if header is not None:
        return _read_table(path, header)
    columns = [*INTERVAL, _STRAND] if width > _STRAND.index else list(INTERVAL)
    has_summits = width > _SUMMIT_COLUMN and _are_signals(first[6:9])
    if has_summits:
        columns.append(Column("summit", _SUMMIT_COLUMN, str))
    frame = _with_center(read_intervals(path, columns))
    if has_summits:
        frame["center"] = _narrow_peak_centers(path, frame, is_sure=width == _SUMMIT_COLUMN + 1)
    return RegionRows(frame)


def _begins_with_names(first: Sequence[str]) -> bool:
    """Whether the first row (its fields) has a column before contig, start and end, as HOMER's peaks and SAF."""
    return len(first) > 3 and not _is_integer(first[1]) and _is_integer(first[2]) and _is_integer(first[3])


def _is_integer(text: str) -> bool:
    return text.strip().removeprefix("-").isdecimal()


def read_intervals(path: Path, columns: Sequence[Column], header: TableHeader | None = None) -> "pd.DataFrame":
    """Read columns of all rows, among them `INTERVAL`.

    Args:
        path: the file.
        columns: columns to read.
        header: its header, see `find_header`.

    Raises:
        InputError: a malformed row, or one whose start and end are none of an interval.
    """
    return _checked(path, _read_rows(path, columns, header))


def read_table_intervals(path: Path, columns: Sequence[Column], header: TableHeader) -> tuple["pd.DataFrame", int]:
    """Read columns of all rows of a table with a header, among them `INTERVAL`; 1-based intervals are converted.

    Args:
        path: the file.
        columns: columns to read.
        header: its header. A length tells whether the table is 1-based, as those of MACS (.xls) and R's GRanges are.

    Returns:
        The table, and the number of the first base in the file: 0 or 1.

    Raises:
        InputError: a malformed row, lengths that contradict their intervals, or a start and end that are none of an interval.
    """
    given = {column.name for column in columns}
    names = [name for name in _LENGTH_NAMES if name in header.names and name not in given]
    columns = [*columns, *(Column(name, header.names.index(name), str, optional=True) for name in names)]
    frame = _read_rows(path, columns, header)
    first_base = _first_base(path, frame, header)
    frame["start"] -= first_base
    return _checked(path, frame), first_base


def _read_rows(path: Path, columns: Sequence[Column], header: TableHeader | None) -> "pd.DataFrame":
    """Read columns of all rows; contig names are Python strings."""
    import pandas as pd

    frames = [block.assign(chrom=block["chrom"].astype(object)) for block in read_columns(path, columns, header)]
    return pd.concat(frames, ignore_index=True)


def _checked(path: Path, frame: "pd.DataFrame") -> "pd.DataFrame":
    """The table, whose starts and ends are those of intervals.

    Raises:
        InputError: a row has others. The error names its line.
    """
    start, end = frame["start"].to_numpy(), frame["end"].to_numpy()
    bad = np.flatnonzero((start < 0) | (start >= end))
    if len(bad):
        row = int(bad[0])
        found = f"interval {start[row]}-{end[row]}"
        raise row_error(path, frame, row, found, expected="0 <= start < end (0-based half-open)")
    return frame


def _with_center(frame: "pd.DataFrame") -> "pd.DataFrame":
    """The table with the midpoint of each interval as its center, and a strand of + - or . for each."""
    frame["center"] = (frame["start"] + frame["end"]) // 2
    strand = frame["strand"].astype(str) if "strand" in frame else frame["chrom"]
    frame["strand"] = strand.where(strand.isin(["+", "-"]), ".") if "strand" in frame else "."
    return frame


def _numbers(texts: "pd.Series") -> np.ndarray:
    """The numbers that a column of text holds (n,) float64: NaN where there is no value, infinity where it is none."""
    import pandas as pd

    texts = texts.astype(str).str.strip()
    numbers = pd.to_numeric(texts, errors="coerce").to_numpy(dtype=np.float64)
    return np.where(texts.isin(_NO_VALUE), np.nan, np.where(np.isnan(numbers), np.inf, numbers))


def _are_integers(numbers: np.ndarray) -> np.ndarray:
    return np.asarray(np.isfinite(numbers) & (numbers == np.rint(numbers)))


def _are_signals(fields: Sequence[str]) -> bool:
    """Whether the seventh to ninth field are numbers (signal, p, q), as in narrowPeak, or say that there is none."""
    try:
        return all(field in _NO_VALUE or float(field) is not None for field in fields)
    except ValueError:
        return False


def _narrow_peak_centers(path: Path, frame: "pd.DataFrame", *, is_sure: bool) -> np.ndarray:
    """Center of each peak (n,): its summit (an offset), its midpoint where it has none.

    Where the file is surely narrowPeak, with ten columns the last of which begins with an integer, a value that is no summit is
    refused. With more columns, the tenth may be something else. Then the midpoints are the centers.

    Raises:
        InputError: a value is no summit, and the file is narrowPeak. The error names the line.
    """
    offset, midpoint = _numbers(frame["summit"]), frame["center"].to_numpy()
    start, end = frame["start"].to_numpy(), frame["end"].to_numpy()
    is_known = ~np.isnan(offset)
    if not is_known.any() or not _are_integers(offset[is_known][:1])[0]:
        return midpoint
    bad = np.flatnonzero(is_known & ~(_are_integers(offset) & (offset >= -1) & (start + offset < end)))
    if len(bad):
        row = int(bad[0])
        text = str(frame["summit"].iloc[row])[:20]
        found, expected = f"summit {text!r}", "an integer in column 10"
        if _are_integers(offset[row : row + 1])[0]:
            found, expected = (
                f"summit {text} of a peak of {end[row] - start[row]} bp",
                "an offset inside the peak, or -1",
            )
        if is_sure:
            raise row_error(path, frame, row, found, expected=expected)
        log.warning(
            "%s:%d: column 10 is read as no summit (%s; expected %s); centers are midpoints",
            *(path, frame["line"].iloc[row], found, expected),
        )
        return midpoint
    if not is_sure:
        log.warning("%s: column 10 is read as that of narrowPeak: the summits", path)
    offset = np.where(is_known, offset, -1).astype(np.int64)
    return np.where(offset >= 0, start + offset, midpoint)


def _read_table(path: Path, header: TableHeader) -> RegionRows:
    """Read a table with a header. A length tells whether it is 1-based, as that of MACS (.xls); a summit is the center.

    Raises:
        InputError: lengths or summits contradict their intervals. The error names the line.
    """
    columns = list(INTERVAL)
    if "strand" in header.names or len(header.names) > _STRAND.index:
        index = header.names.index("strand") if "strand" in header.names else _STRAND.index
        columns.append(Column("strand", index, str, optional=True))
    summit = _summit_column(header)
    if summit is not None:
        columns.append(Column("summit", summit, str, optional=True))
    frame, first_base = read_table_intervals(path, columns, header)
    frame = _with_center(frame)
    if summit is not None:
        frame["center"] = _table_centers(path, frame, header.names[summit], first_base)
    return RegionRows(frame)


def _has_lengths(path: Path) -> bool:
    """Whether column 4 of a table without a header is the length of 1-based closed intervals in all rows; lengths differ.

    So write MACS (.xls) and R (GRanges), where somebody took off the header.
    """
    lengths: set[float] = set()
    for frame in read_columns(path, [*INTERVAL, Column("length", len(INTERVAL), str, optional=True)]):
        length = _numbers(frame["length"])
        if (length != (frame["end"] - frame["start"]).to_numpy() + 1).any():
            return False
        lengths.update(np.unique(length).tolist())
    return len(lengths) > 1


def _summit_column(header: TableHeader) -> int | None:
    """Number of the column of summits. One that is called peak is one in narrowPeak only: elsewhere it may hold names."""
    is_narrow_peak = any(name in header.names for name in _SIGNAL_NAMES)
    for index, name in enumerate(header.names[len(INTERVAL) :], len(INTERVAL)):
        if "summit" in name or (_SUMMIT_NAME.search(name) and (is_narrow_peak or index == _SUMMIT_COLUMN)):
            return index
    return None


def _first_base(path: Path, frame: "pd.DataFrame", header: TableHeader) -> int:
    """1 if the intervals are 1-based and closed, as their lengths or the name of MACS above them tell; else 0.

    Raises:
        InputError: the lengths of some rows say the one, those of others the other. The error names the first of these.
    """
    is_macs_table = "generated by macs" in preamble(path).lower() and _suffix(path) == "xls"
    first_base, is_told = int(is_macs_table), is_macs_table
    for name in (own for own in _LENGTH_NAMES if own in frame):
        longer = _numbers(frame[name]) - (frame["end"] - frame["start"]).to_numpy()
        known, fits = ~np.isnan(longer), np.isin(longer, (0, 1))
        if not fits.any() or fits.sum() < _MOST * known.sum():
            continue  # it is the length of something else
        first_base, is_told = int(longer[np.argmax(fits)]), True
        if (other := known & (longer != first_base)).any():
            row = int(np.argmax(other))
            found = f"{name} {frame[name].iloc[row]} of {frame['start'].iloc[row]}-{frame['end'].iloc[row]}"
            expected = "end - start + 1 in all rows (1-based), or end - start in all rows (0-based)"
            raise row_error(path, frame, row, found, expected=expected)
        break
    if first_base:
        log.warning("%s: its intervals are 1-based and closed, and were converted", path)
    elif "abs_summit" in header.names and not is_told:
        log.warning("%s: its intervals were read as 0-based; those of MACS (.xls) are 1-based", path)
    elif not is_told:
        _warn_of_granges(path, header)
    return first_base


def _warn_of_granges(path: Path, header: TableHeader | None) -> None:
    """Say of a table that may be R's GRanges that nothing tells that its intervals are 1-based."""
    if header is not None and header.contig_name in GRANGES_NAMES:
        told = "%s: its intervals were read as 0-based; those of R's GRanges are 1-based, which a column 'width' would tell"
        log.warning(told, path)


def _table_centers(path: Path, frame: "pd.DataFrame", name: str, first_base: int) -> np.ndarray:
    """Center of each region (n,): its summit, which all rows together tell to be a position or an offset; else its midpoint.

    Raises:
        InputError: numbers that are neither. The error names the line of the first.
    """
    value, midpoint = _numbers(frame["summit"]), frame["center"].to_numpy()
    start, length = frame["start"].to_numpy(), (frame["end"] - frame["start"]).to_numpy()
    if not np.isfinite(value).any():
        return midpoint  # names
    position, offset = value - first_base - start, np.where(value == -1, np.nan, value)
    ways = (position, offset) if name.startswith("abs") else (offset, position)
    fits = [np.isnan(way) | (_are_integers(way) & (way >= 0) & (way < length)) for way in ways]
    for way, fit in zip(ways, fits):
        if fit.all():
            return np.where(np.isnan(way), midpoint, start + np.nan_to_num(way)).astype(np.int64)
    row = int(np.argmin(fits[int(fits[1].sum() > fits[0].sum())]))
    found = f"{name} {str(frame['summit'].iloc[row])[:20]!r} of {start[row]}-{start[row] + length[row]}"
    raise row_error(path, frame, row, found, expected="a position or an offset inside the region, in all rows")


def _has_blocks(path: Path, header: TableHeader | None) -> bool:
    """Whether columns 10 to 12 are those of BED12: a number of blocks, their sizes and their starts.

    They are where any row has lists of numbers, or where all rows have one block that is the whole row.
    """
    is_whole = True
    for frame in read_columns(
        path, [*INTERVAL, *(Column(c.name, c.index, str, optional=True) for c in _BLOCKS)], header
    ):
        n_blocks, sizes, starts = (frame[column.name].astype(str) for column in _BLOCKS)
        if (sizes.str.fullmatch("[0-9]+,[0-9, ]*") & starts.str.fullmatch("[0-9]+,[0-9, ]*")).any():
            return True
        length = (frame["end"] - frame["start"]).astype(str)
        is_whole = is_whole and bool(((n_blocks == "1") & (sizes == length) & (starts == "0")).all())
    return is_whole


def _read_blocks(path: Path, header: TableHeader | None) -> RegionRows:
    """Read BED12: each block is a region.

    Raises:
        InputError: blocks contradict their row. The error names its line.
    """
    import pandas as pd

    frame = read_intervals(path, [*INTERVAL, _STRAND, *_BLOCKS], header)
    sizes, starts = (frame[name].astype(str).str.strip(", ") for name in ("sizes", "starts"))
    counted = [texts.str.count(",").to_numpy() + 1 for texts in (sizes, starts)]
    n_blocks = _numbers(frame["n_blocks"])
    bad = np.flatnonzero((counted[0] != n_blocks) | (counted[1] != n_blocks))
    if not len(bad):
        of_row = np.repeat(np.arange(len(frame)), counted[0])
        size, offset = (_numbers(pd.Series(",".join(texts).split(","))) for texts in (sizes, starts))
        length = (frame["end"] - frame["start"]).to_numpy()[of_row]
        fits = _are_integers(size) & _are_integers(offset) & (size > 0) & (offset >= 0)
        bad = of_row[~(fits & (offset + size <= length))]
    if len(bad):
        row = int(bad[0])
        found = f"blocks of sizes {sizes.iloc[row][:40]!r} at {starts.iloc[row][:40]!r}"
        expected = f"{frame['n_blocks'].iloc[row]} blocks inside {frame['start'].iloc[row]}-{frame['end'].iloc[row]}"
        raise row_error(path, frame, row, found, expected=expected)
    log.warning("%s: BED12: the %d blocks of its %d rows are the regions", path, len(of_row), len(frame))
    blocks = frame.iloc[of_row].reset_index(drop=True)
    blocks["start"] += offset.astype(np.int64)
    blocks["end"] = blocks["start"] + size.astype(np.int64)
    return RegionRows(_with_center(blocks))


def _is_pairs(path: Path, header: TableHeader | None, first: Sequence[str]) -> bool:
    """Whether rows are pairs of intervals (BEDPE): columns 5 and 6 are positions, and 4 names the contigs of column 1."""
    if len(first) < 6 or not all(map(_is_integer, first[4:6])):
        return False
    if _suffix(path) == "bedpe":
        return True
    frame = _read_rows(path, [INTERVAL[0], Column("chrom2", 3, str, optional=True)], header)
    second = frame["chrom2"].astype(str)
    return bool((second.isin(frame["chrom"].unique()) | (second == ".")).mean() >= _MOST)


def _suffix(path: Path) -> str:
    """Ending of a file's name in lower case, without that of gzip."""
    return unpacked_name(path).lower().rpartition(".")[2]


def _read_pairs(path: Path, header: TableHeader | None) -> RegionRows:
    """Read BEDPE: both ends of a pair are regions.

    Raises:
        InputError: a malformed row, or no end with a position.
    """
    import pandas as pd

    ends = [
        (*INTERVAL, Column("strand", 8, str, optional=True)),
        (*_SECOND_END, Column("strand", 9, str, optional=True)),
    ]
    frames = [_read_rows(path, columns, header) for columns in ends]
    frame = pd.concat(frames, ignore_index=True).sort_values("line", kind="stable", ignore_index=True)
    is_unknown = (frame["chrom"] == ".") | (frame["start"] == -1)
    n_unknown = int(is_unknown.sum())
    if n_unknown == len(frame):
        raise InputError(path, "no end of a pair has a position", expected="chrom, start and end of each end (BEDPE)")
    frame = _checked(path, frame[~is_unknown].reset_index(drop=True))
    log.warning("%s: BEDPE: both ends of its pairs are regions; %d ends have no position", path, n_unknown)
    return RegionRows(_with_center(frame), {"end_unknown": n_unknown} if n_unknown else {})


def _bedgraph_values(path: Path, header: TableHeader | None) -> np.ndarray | None:
    """Values of a bedGraph (n,), NaN where there is none; None if the fourth column is one of names.

    Names may be numbers: 1, 2, 3. So a file is bedGraph if it says so, or if a number has a fraction or comes twice.
    """
    import pandas as pd

    frame = pd.concat(read_columns(path, [Column("value", 3, str, optional=True)], header), ignore_index=True)
    values = _numbers(frame["value"])
    known = values[~np.isnan(values)]
    if np.isinf(values).any() or not len(known):
        return None
    is_named = header is not None and header.names[len(INTERVAL)] in _VALUE_NAMES
    says_so = is_named or _suffix(path) in ("bedgraph", "bdg", "bg") or "bedgraph" in preamble(path).lower()
    are_names = _are_integers(known).all() and len(np.unique(known)) == len(known)
    return None if are_names and not says_so else values


def _read_bedgraph(path: Path, header: TableHeader | None, values: np.ndarray) -> RegionRows:
    """Read bedGraph: rows of value 0, or without a value, are no regions.

    Raises:
        InputError: a malformed row, or none with a value other than 0.
    """
    frame = read_intervals(path, INTERVAL, header)
    _warn_of_granges(path, header)
    has_signal = ~np.isnan(values) & (values != 0)
    if not has_signal.any():
        raise InputError(path, "a bedGraph whose values are all 0", expected="regions, or values other than 0")
    n_zero = int((~has_signal).sum())
    log.warning(
        "%s: bedGraph: rows with a value are regions, and %d rows of value 0 are none; if it is a signal, call peaks first",
        *(path, n_zero),
    )
    frame = frame[has_signal].reset_index(drop=True)
    return RegionRows(_with_center(frame), {"zero_signal": n_zero} if n_zero else {})
