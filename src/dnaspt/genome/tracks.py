"""Methylation calls (bedMethyl, Bismark coverage, bigWig) to 0-based columns by contig."""

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dnaspt.errors import InputError
from dnaspt.genome.bigwig import intervals, is_bigwig, open_bigwig
from dnaspt.genome.bigwig import write_bigwig as write_bigwig
from dnaspt.genome.columns import Column, first_row, read_columns
from dnaspt.genome.intervals import containing, positions

if TYPE_CHECKING:  # takes half a second to import, so it is imported where it is used
    import pandas as pd

log = logging.getLogger(__name__)

_OTHER_MODIFICATIONS = frozenset(["h", "f", "c", "g", "e", "b", "T", "U", "a", "A", "o", "G", "n", "N"])
"""Codes of SAM's MM tag other than m (5mC) and C (any cytosine modification); numbers are ChEBI's."""
_CHEBI_5MC = "27551"


@dataclass(frozen=True, slots=True)
class Calls:
    """n methylation calls on one contig, in file order.

    Attributes:
        position: int64, 0-based, of the cytosine read: on the minus strand the position of its G.
        strand: uint8, one of the characters + - and "." where a call belongs to no strand or to both.
        coverage: int32, reads.
        level: float32, methylated share of them, 0 to 1.
    """

    position: np.ndarray
    strand: np.ndarray
    coverage: np.ndarray
    level: np.ndarray

    def __len__(self) -> int:
        return len(self.position)


@dataclass(frozen=True, slots=True)
class Sample:
    """All calls of one file by contig; `has_coverage` is False for a bigWig of levels alone (coverage is then 1)."""

    path: Path
    contigs: Mapping[str, Calls]
    dropped: Mapping[str, int]
    has_coverage: bool = True

    def __len__(self) -> int:
        return sum(len(calls) for calls in self.contigs.values())


def read_calls(path: str | Path, coverage: str | Path | None = None) -> Sample:
    """Read methylation calls; the content decides the format.

    bedMethyl: 11 columns (ENCODE) or 18 (modkit), column 10 coverage, column 11 percent; rows of a modification other
    than 5mC are dropped and counted. Bismark coverage: 1-based start = end, percent, methylated, unmethylated; the same
    columns 0-based half-open (Bismark's zero.cov, MethylDackel) are told apart by their ends. bigWig: levels 0 to 1 or
    percent, one value per base or per CpG (2 bp); `coverage` names a second bigWig.

    Raises:
        InputError: a malformed row, a level out of range, a negative coverage, or an unknown format.
    """
    path = Path(path)
    if is_bigwig(path):
        return _read_bigwig(path, Path(coverage) if coverage else None)
    if coverage:
        raise InputError(path, "no bigWig", expected="a bigWig of levels where a bigWig of coverage is given")
    n_columns = len(_fields(path))
    if n_columns >= 11:
        return _read_bedmethyl(path)
    if n_columns == 6:
        return _read_bismark(path)
    expected = "bedMethyl (11 or 18 columns), Bismark coverage (6 columns) or bigWig"
    raise InputError(path, f"rows of {n_columns} columns", expected=expected)


def _fields(path: Path) -> list[str]:
    """Fields of the first row; modkit once wrote tabs up to column 10 and spaces after it."""
    fields = first_row(path)
    return fields if len(fields) != 10 else " ".join(fields).split()


def _read_bedmethyl(path: Path) -> Sample:
    columns = [Column("chrom", 0, str), Column("start", 1, int), Column("end", 2, int), Column("name", 3, str)]
    columns += [Column("strand", 5, str), Column("coverage", 9, int), Column("percent", 10, float)]
    dropped: Counter[str] = Counter()
    collected = _Collected(path)
    for frame in read_columns(path, columns, spaces=len(first_row(path)) == 10):
        frame = _without_other_modifications(frame, dropped)
        start, end = frame["start"].to_numpy(), frame["end"].to_numpy()
        _refuse(path, frame, (start < 0) | (end - start < 1) | (end - start > 2), "end", "start + 1, or + 2 for a CpG")
        _refuse(path, frame, frame["coverage"].to_numpy() < 0, "coverage", "0 or more")
        covered = frame["coverage"].to_numpy() > 0
        level = frame["percent"].to_numpy() / 100
        with np.errstate(invalid="ignore"):
            _refuse(path, frame, ~((level >= 0) & (level <= 1)) & covered, "percent", "0 to 100")
        strand = frame["strand"].astype(str)
        _refuse(path, frame, ~strand.isin(["+", "-", "."]).to_numpy(), "strand", "+ - or .")
        codes = strand.map(ord).to_numpy(dtype=np.uint8)
        codes[end - start == 2] = ord(".")
        collected.add(frame["chrom"], start, codes, frame["coverage"].to_numpy(), np.where(covered, level, 0))
    return collected.sample(dropped)


def _without_other_modifications(frame: "pd.DataFrame", dropped: Counter[str]) -> "pd.DataFrame":
    """Drop rows whose name is the code of a modification other than 5mC; modkit writes `m` or `m,CG,0`."""
    names = frame["name"].cat.categories.astype(str)
    codes = [name.split(",")[0] for name in names]
    other = np.array(
        [code in _OTHER_MODIFICATIONS or (code.isdecimal() and len(code) > 3 and code != _CHEBI_5MC) for code in codes]
    )
    drop = other[frame["name"].cat.codes.to_numpy()]
    if not drop.any():
        return frame
    dropped["other_modification"] += int(drop.sum())
    return frame[~drop]


def _read_bismark(path: Path) -> Sample:
    columns = [Column("chrom", 0, str), Column("start", 1, int), Column("end", 2, int), Column("percent", 3, float)]
    columns += [Column("methylated", 4, int), Column("unmethylated", 5, int)]
    collected = _Collected(path)
    width: int | None = None
    for frame in read_columns(path, columns):
        start, end = frame["start"].to_numpy(), frame["end"].to_numpy()
        width = int(end[0] - start[0]) if width is None else width
        expected = "end = start (1-based) in all rows, or start + 1 in all (0-based; + 2 for a CpG)"
        _refuse(path, frame, (end - start != width) | (width not in (0, 1, 2)), "end", expected)
        _refuse(
            path, frame, start < (1 if width == 0 else 0), "start", "1 or more (1-based)" if width == 0 else "0 or more"
        )
        for name in ("methylated", "unmethylated"):
            _refuse(path, frame, frame[name].to_numpy() < 0, name, "a count of reads, 0 or more")
        coverage = (frame["methylated"] + frame["unmethylated"]).to_numpy()
        percent = frame["percent"].to_numpy()
        with np.errstate(invalid="ignore"):
            _refuse(path, frame, ~((percent >= 0) & (percent <= 100)) & (coverage > 0), "percent", "0 to 100")
        level = frame["methylated"].to_numpy() / np.maximum(coverage, 1)
        strand = np.full(len(frame), ord("."), dtype=np.uint8)
        collected.add(frame["chrom"], start - (width == 0), strand, coverage, level)
    return collected.sample()


def _refuse(path: Path, frame: "pd.DataFrame", bad: np.ndarray, column: str, expected: str) -> None:
    """Raise an InputError for the first row that is marked bad."""
    if bad.any():
        row = int(np.argmax(bad))
        found = f"{column} {frame[column].iloc[row]}"
        raise InputError(path, found, expected=expected, line=int(frame["line"].iloc[row]))


class _Collected:
    """Calls of many blocks, put together by contig."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._parts: dict[str, list[Calls]] = {}

    def add(
        self, chrom: "pd.Series", position: np.ndarray, strand: np.ndarray, coverage: np.ndarray, level: np.ndarray
    ) -> None:
        """Append one block; chrom is categorical."""
        codes = chrom.cat.codes.to_numpy()
        order = np.argsort(codes, kind="stable")
        names = chrom.cat.categories
        bounds = np.cumsum(np.bincount(codes, minlength=len(names)))[:-1]
        for name, rows in zip(names, np.split(order, bounds)):
            if len(rows):
                part = Calls(
                    position[rows].astype(np.int64),
                    strand[rows],
                    np.minimum(coverage[rows], np.iinfo(np.int32).max).astype(np.int32),
                    level[rows].astype(np.float32),
                )
                self._parts.setdefault(str(name), []).append(part)

    def sample(self, dropped: Mapping[str, int] | None = None) -> Sample:
        """Everything that was added."""
        if not self._parts:
            raise InputError(self.path, "no call of 5mC in it", expected="rows of 5-methylcytosine (code m)")
        contigs = {}
        for name in list(self._parts):
            parts = self._parts.pop(name)
            columns = zip(*((part.position, part.strand, part.coverage, part.level) for part in parts))
            contigs[name] = Calls(*(np.concatenate(column) for column in columns))
        return Sample(self.path, contigs, dict(dropped or {}))


def _read_bigwig(path: Path, coverage: Path | None) -> Sample:
    with open_bigwig(path) as file:
        found = {name: intervals(path, file, name) for name in file.chroms()}
    found = {name: rows for name, rows in found.items() if len(rows[0])}
    if not found:
        raise InputError(path, "no value in it", expected="methylation levels")
    high = max(float(np.fmax.reduce(value)) for _, _, value in found.values())
    scale = 100.0 if high > 1 else 1.0
    contigs = {name: _bigwig_calls(path, name, found.pop(name), scale) for name in list(found)}
    if coverage is None:
        return Sample(path, contigs, {}, has_coverage=False)
    with open_bigwig(coverage) as file:
        contigs = {name: _with_coverage(coverage, file, name, calls) for name, calls in contigs.items()}
    return Sample(path, contigs, {})


def _bigwig_calls(path: Path, name: str, found: tuple[np.ndarray, np.ndarray, np.ndarray], scale: float) -> Calls:
    """One call per interval of 1 bp, or per CpG of an even one (4 bp: two neighboring CpGs of one value)."""
    start, end, value = found
    width = end - start
    with np.errstate(invalid="ignore"):
        bad = np.flatnonzero((width > 1) & (width % 2 == 1) | ~((value >= 0) & (value <= scale)))
    if len(bad):
        row = bad[0]
        expected = f"a level of 0 to {scale:g} for each base or each CpG (2 bp)"
        raise InputError(path, f"{name}:{start[row]}-{end[row]} has {value[row]:g}", expected=expected)
    n_calls = np.maximum(width // 2, 1)
    number = positions(np.stack([np.zeros_like(n_calls), n_calls], axis=1))  # 0, 1, ... within each interval
    position = np.repeat(start, n_calls) + 2 * number
    strand = np.full(len(position), ord("."), dtype=np.uint8)
    level = np.repeat(value / scale, n_calls).astype(np.float32)
    return Calls(position, strand, np.ones(len(position), dtype=np.int32), level)


def _with_coverage(path: Path, file: Any, name: str, calls: Calls) -> Calls:
    """The coverage of each call from a second bigWig; 0 where that has no value."""
    if name not in file.chroms():
        return Calls(calls.position, calls.strand, np.zeros(len(calls), dtype=np.int32), calls.level)
    start, end, value = intervals(path, file, name)
    if (value < 0).any() or np.isnan(value).any():
        raise InputError(path, f"a negative or missing value on {name}", expected="coverage, 0 or more")
    bases = np.stack([calls.position, calls.position + 1], axis=1)
    index = containing(bases, np.stack([start, end], axis=1))
    coverage = np.where(index >= 0, np.rint(np.append(value, 0))[index], 0).astype(np.int32)
    return Calls(calls.position, calls.strand, coverage, calls.level)
