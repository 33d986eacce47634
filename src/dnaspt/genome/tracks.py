"""Methylation calls (bedMethyl, Bismark coverage, bigWig) to columns for each contig, with 0-based positions."""

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dnaspt.errors import InputError
from dnaspt.genome.bigwig import Signal, is_bigwig, read_bigwig
from dnaspt.genome.columns import Column, first_row, read_columns
from dnaspt.genome.intervals import containing, positions

if TYPE_CHECKING:  # takes half a second to import, so it is imported where it is used
    import pandas as pd

log = logging.getLogger(__name__)

_OTHER_MODIFICATIONS = frozenset(["h", "f", "c", "g", "e", "b", "T", "U", "a", "A", "o", "G", "n", "N"])
"""Codes of modifications in SAM's MM tag, but for m (5mC) and C (any modification of cytosine). Numbers are those of ChEBI."""
_CHEBI_5MC = "27551"


@dataclass(frozen=True, slots=True)
class Calls:
    """Methylation calls on one contig, as columns (n,) in file order.

    Attributes:
        position: 0-based position of the cytosine, int64. On the minus strand it is the position of the G.
        strand: code of the character "+", "-" or ".", uint8; "." is for a call of both strands, or of an unknown one.
        coverage: number of reads, int32.
        level: share of the reads that are methylated, 0 to 1, float32.
    """

    position: np.ndarray
    strand: np.ndarray
    coverage: np.ndarray
    level: np.ndarray

    def __len__(self) -> int:
        return len(self.position)


@dataclass(frozen=True, slots=True)
class Sample:
    """All methylation calls of one file.

    Attributes:
        path: the file.
        contigs: calls of each contig.
        dropped: how many rows were left out, by reason.
        has_coverage: whether the coverage is known. If not, as in a bigWig of levels alone, it is 1 for each call.
    """

    path: Path
    contigs: Mapping[str, Calls]
    dropped: Mapping[str, int]
    has_coverage: bool = True

    def __len__(self) -> int:
        return sum(len(calls) for calls in self.contigs.values())


def read_calls(path: str | Path, coverage: str | Path | None = None) -> Sample:
    """Read methylation calls. The content of the file tells its format.

    - bedMethyl has 11 columns (ENCODE) or 18 (modkit). Column 10 is the coverage, column 11 the level in percent. Rows of a
      modification other than 5mC are dropped and counted.
    - Bismark coverage has 6 columns: contig, start, end, percent, methylated reads, unmethylated reads. It is 1-based with
      start = end. Files with the same columns, 0-based and half-open (Bismark's zero.cov, MethylDackel), are known by their ends.
    - bigWig has levels from 0 to 1 or in percent, one for each base or each CpG (2 bp).

    Args:
        path: the file.
        coverage: a second bigWig, of coverage, if `path` is a bigWig.

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
    """Fields of the first row. Early versions of modkit wrote tabs up to column 10, and spaces after it."""
    fields = first_row(path)
    return fields if len(fields) != 10 else " ".join(fields).split()


def _read_bedmethyl(path: Path) -> Sample:
    """Read bedMethyl: see `read_calls`."""
    columns = [Column("chrom", 0, str), Column("start", 1, int), Column("end", 2, int), Column("name", 3, str)]
    columns += [Column("strand", 5, str), Column("coverage", 9, int), Column("percent", 10, float)]
    dropped: Counter[str] = Counter()
    calls = _CallsByContig(path)
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
        calls.add(frame["chrom"], start, codes, frame["coverage"].to_numpy(), np.where(covered, level, 0))
    return calls.sample(dropped)


def _without_other_modifications(frame: "pd.DataFrame", dropped: Counter[str]) -> "pd.DataFrame":
    """Drop rows whose name is the code of a modification other than 5mC. modkit writes `m` or `m,CG,0`."""
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
    """Read Bismark coverage: see `read_calls`."""
    columns = [Column("chrom", 0, str), Column("start", 1, int), Column("end", 2, int), Column("percent", 3, float)]
    columns += [Column("methylated", 4, int), Column("unmethylated", 5, int)]
    calls = _CallsByContig(path)
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
        calls.add(frame["chrom"], start - (width == 0), strand, coverage, level)
    return calls.sample()


def _refuse(path: Path, frame: "pd.DataFrame", bad: np.ndarray, column: str, expected: str) -> None:
    """Refuse the first row that is marked as bad, if there is one.

    Raises:
        InputError: there is one.
    """
    if bad.any():
        row = int(np.argmax(bad))
        found = f"{column} {frame[column].iloc[row]}"
        raise InputError(path, found, expected=expected, line=int(frame["line"].iloc[row]))


class _CallsByContig:
    """Sorts the calls of many blocks of rows by contig."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._blocks: dict[str, list[Calls]] = {}

    def add(
        self, chrom: "pd.Series", position: np.ndarray, strand: np.ndarray, coverage: np.ndarray, level: np.ndarray
    ) -> None:
        """Add the columns of one block (n,); chrom is categorical."""
        codes = chrom.cat.codes.to_numpy()
        order = np.argsort(codes, kind="stable")
        names = chrom.cat.categories
        bounds = np.cumsum(np.bincount(codes, minlength=len(names)))[:-1]
        for name, rows in zip(names, np.split(order, bounds)):
            if len(rows):
                calls = Calls(
                    position[rows].astype(np.int64),
                    strand[rows],
                    np.minimum(coverage[rows], np.iinfo(np.int32).max).astype(np.int32),
                    level[rows].astype(np.float32),
                )
                self._blocks.setdefault(str(name), []).append(calls)

    def sample(self, dropped: Mapping[str, int] | None = None) -> Sample:
        """Join the blocks of each contig.

        Raises:
            InputError: nothing was added.
        """
        if not self._blocks:
            raise InputError(self.path, "no call of 5mC in it", expected="rows of 5-methylcytosine (code m)")
        contigs = {}
        for name in list(self._blocks):  # each list is dropped once it is joined, to bound memory
            blocks = self._blocks.pop(name)
            columns = zip(*((block.position, block.strand, block.coverage, block.level) for block in blocks))
            contigs[name] = Calls(*(np.concatenate(column) for column in columns))
        return Sample(self.path, contigs, dict(dropped or {}))


def _read_bigwig(path: Path, coverage: Path | None) -> Sample:
    """Read levels from a bigWig, and coverage from a second one if it is given."""
    levels = dict(read_bigwig(path))
    if not levels:
        raise InputError(path, "no value in it", expected="methylation levels")
    highest = max(float(np.fmax.reduce(signal.values)) for signal in levels.values())
    scale = 100.0 if highest > 1 else 1.0
    contigs = {contig: _bigwig_calls(path, contig, levels.pop(contig), scale) for contig in list(levels)}
    if coverage is None:
        return Sample(path, contigs, {}, has_coverage=False)
    reads = {contig: np.zeros(len(calls), dtype=np.int32) for contig, calls in contigs.items()}
    for contig, signal in read_bigwig(coverage):
        if contig in contigs:
            reads[contig] = _coverage_at(coverage, contig, signal, contigs[contig].position)
    return Sample(path, {contig: replace(calls, coverage=reads[contig]) for contig, calls in contigs.items()}, {})


def _bigwig_calls(path: Path, contig: str, signal: Signal, scale: float) -> Calls:
    """Calls of a contig: one for each interval of 1 bp, else one for each 2 bp (4 bp: two neighboring CpGs with one value)."""
    (start, end), value = signal.intervals.T, signal.values
    width = end - start
    with np.errstate(invalid="ignore"):
        bad = np.flatnonzero((width > 1) & (width % 2 == 1) | ~((value >= 0) & (value <= scale)))
    if len(bad):
        row = bad[0]
        expected = f"a level of 0 to {scale:g} for each base or each CpG (2 bp)"
        raise InputError(path, f"{contig}:{start[row]}-{end[row]} has {value[row]:g}", expected=expected)
    n_calls = np.maximum(width // 2, 1)
    number = positions(np.stack([np.zeros_like(n_calls), n_calls], axis=1))  # 0, 1, ... within each interval
    position = np.repeat(start, n_calls) + 2 * number
    strand = np.full(len(position), ord("."), dtype=np.uint8)
    level = np.repeat(value / scale, n_calls).astype(np.float32)
    return Calls(position, strand, np.ones(len(position), dtype=np.int32), level)


def _coverage_at(path: Path, contig: str, signal: Signal, position: np.ndarray) -> np.ndarray:
    """Coverage at positions (n,) of a contig: (n,) int32, 0 where the bigWig has no value."""
    if (signal.values < 0).any() or np.isnan(signal.values).any():
        raise InputError(path, f"a negative or missing value on {contig}", expected="coverage, 0 or more")
    index = containing(np.stack([position, position + 1], axis=1), signal.intervals)
    return np.where(index >= 0, np.rint(np.append(signal.values, 0))[index], 0).astype(np.int32)
