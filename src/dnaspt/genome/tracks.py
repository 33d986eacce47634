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
from dnaspt.genome.columns import Column, first_row, read_columns, row_error
from dnaspt.genome.intervals import containing, positions
from dnaspt.genome.level_scale import PERCENT, ROUNDING, SHARES, LevelScale, scale_of_signals
from dnaspt.genome.modifications import parse_name

if TYPE_CHECKING:  # takes half a second to import, so it is imported where it is used
    import pandas as pd

log = logging.getLogger(__name__)

_MAX_WIDTH = 10_000
"""Longest interval of one level in a bigWig, in bp: a run of CpGs of one level is shorter, a signal along the genome is not."""
_SCALE_NAMES = {PERCENT: "percent", SHARES: "shares"}
_COUNTS = "write it as contig, position, position, percent, methylated reads, unmethylated reads (1-based)"
_NOT_READ = {
    1: "put tabs between its columns",
    4: "bedGraph has no coverage: give the bedMethyl or Bismark coverage (.cov) that comes with it",
    5: f"if it is bedGraph with coverage, give modkit's bedMethyl, or {_COUNTS}",
    7: f"if it is Bismark's cytosine report or methylpy's allc, give Bismark's coverage (.cov), or {_COUNTS}",
    8: f"if it is CGmap, {_COUNTS}",
    9: f"if it is a table of pb-CpG-tools, {_COUNTS}",
}
"""What to do about formats of calls that are not read, by their number of columns."""
_MISSING = -1.0
"""What a bigWig may hold where there is no read (wgbs_tools)."""


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
        dropped: how many rows were left out, by reason: `other_modification`; `hemi_pattern`, the share of one pattern of both
            strands; `combined_modifications`, beside rows of 5mC; `other_motif`, the same reads once more, or no CpG; `no_level`,
            reads without a level, or a level that is marked as missing.
        has_coverage: whether the coverage is known. If not, as in a bigWig of levels alone, it is 1 for each call.
        scale: what the levels of the file are: "percent" or "shares".
        doubts: what the file leaves open, and how it was read.
    """

    path: Path
    contigs: Mapping[str, Calls]
    dropped: Mapping[str, int]
    has_coverage: bool = True
    scale: str = "percent"
    doubts: tuple[str, ...] = ()

    def __len__(self) -> int:
        return sum(len(calls) for calls in self.contigs.values())


def read_calls(path: str | Path, coverage: str | Path | None = None) -> Sample:
    """Read methylation calls. The content of the file tells its format.

    - bedMethyl has 11 columns (ENCODE), 13 to 17 with the counts of modbam2bed, or 18 (modkit). Column 10 is the coverage,
      column 11 the level in percent; where the counts are known, the level is theirs. Only rows of 5mC are kept, see
      `dnaspt.genome.modifications`; the others are dropped and counted. A site that modkit wrote once for each of several
      motifs is kept once: that of the motif CG, if there is one.
    - Bismark coverage has 6 columns: contig, start, end, percent, methylated reads, unmethylated reads. It is 1-based with
      start = end. Files with the same columns, 0-based and half-open (Bismark's zero.cov, MethylDackel), are known by their ends.
    - bigWig has levels from 0 to 1 or in percent, one for each base or each CpG (2 bp). NaN and -1 are missing.

    Whether levels are percent or shares is decided from all rows. A level that contradicts the counts in its row is refused.

    Args:
        path: the file.
        coverage: a second bigWig, of coverage, if `path` is a bigWig.

    Raises:
        InputError: a malformed row, a level that is out of range or contradicts the counts in its row, a negative coverage, no
            level of 5mC, or an unknown format.
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
    raise InputError(path, f"rows of {n_columns} columns", expected=expected, do=_NOT_READ.get(n_columns, ""))


def _fields(path: Path) -> list[str]:
    """Fields of the first row. Early versions of modkit wrote tabs up to column 10, and spaces after it."""
    fields = first_row(path)
    while len(fields) > 1 and not fields[-1].strip():  # tabs at the end of the row
        fields.pop()
    return fields if len(fields) != 10 else " ".join(fields).split()


def _read_bedmethyl(path: Path) -> Sample:
    """Read bedMethyl: see `read_calls`."""
    first = _fields(path)
    columns = [Column("chrom", 0, str), Column("start", 1, int), Column("end", 2, int), Column("name", 3, str)]
    columns += [Column("strand", 5, str), Column("coverage", 9, int), Column("percent", 10, float), *_counts(first)]
    names, scale = _Names(), LevelScale(path)
    calls = {kind: _CallsByContig(path) for kind in (_FIVE_MC, _COMBINED)}
    for frame in read_columns(path, columns, spaces=len(first_row(path)) == 10):
        kinds = names.kinds(frame)
        for kind, of_kind in calls.items():
            if (kinds == kind).any():
                rows = frame if (kinds == kind).all() else frame[kinds == kind]
                _add_bedmethyl(path, rows, names.motifs(rows), of_kind, scale)
    kept, doubts = calls[_FIVE_MC], tuple[str, ...]()
    if not kept.n_rows and calls[_COMBINED].n_rows:
        kept = calls[_COMBINED]
        doubts = (
            f"its rows ({names.example(_COMBINED)}) count 5mC together with other modifications of C, and were read as levels "
            "of 5mC: so does bisulfite sequencing",
        )
    elif calls[_COMBINED].n_rows:
        names.dropped["combined_modifications"] = calls[_COMBINED].n_rows
    if not kept.n_rows:
        raise InputError(path, "no call of 5mC in it", expected="rows of 5-methylcytosine (code m)", do=names.others())
    decided = scale.decide()
    has_counts = any(column.name == "methylated" for column in columns)  # then levels are those of the counts
    sample = kept.sample(PERCENT if has_counts else decided, only_cg=names.has_cg)
    dropped = {reason: number for reason, number in {**names.dropped, **sample.dropped}.items() if number}
    return replace(sample, dropped=dropped, scale=_SCALE_NAMES[decided], doubts=(*doubts, *scale.doubts))


def _counts(first: list[str]) -> list[Column]:
    """Columns of the counts of reads in rows of which this is the first (its fields); none where they are not known."""
    if len(first) >= 18 and first[11].isdecimal():  # modkit; the coverage is N_valid
        return [Column("methylated", 11, int)]
    is_of_modbam2bed = len(first) >= 13 and parse_name(first[3]).modifications
    if is_of_modbam2bed and first[11].isdecimal() and first[12].isdecimal():
        return [Column("unmethylated", 11, int), Column("methylated", 12, int)]
    return []


def _add_bedmethyl(
    path: Path, frame: "pd.DataFrame", motif: np.ndarray, calls: "_CallsByContig", scale: LevelScale
) -> None:
    """Check rows of one kind of level, and add them.

    Raises:
        InputError: a malformed row. The error names its line.
    """
    start, end = frame["start"].to_numpy(), frame["end"].to_numpy()
    _refuse(path, frame, (start < 0) | (end - start < 1) | (end - start > 2), "end", "start + 1, or + 2 for a CpG")
    coverage, percent = frame["coverage"].to_numpy(), frame["percent"].to_numpy()
    _refuse(path, frame, coverage < 0, "coverage", "0 or more")
    has_level = (coverage > 0) & ~np.isnan(percent)
    _refuse(path, frame, has_level & _is_no_percent(percent), "percent", "0 to 100")
    strand = frame["strand"].astype(str)
    _refuse(path, frame, ~strand.isin(["+", "-", "."]).to_numpy(), "strand", "+ - or .")
    leveled = frame if has_level.all() else frame[has_level]
    level = np.where(has_level, np.minimum(percent, 100) / 100, 0)
    if "methylated" in frame:
        methylated = leveled["methylated"].to_numpy()
        unmethylated = leveled["unmethylated"].to_numpy() if "unmethylated" in frame else None
        reads = leveled["coverage"].to_numpy() if unmethylated is None else methylated + unmethylated
        scale.compare(leveled, methylated, np.maximum(reads, 1))
        level[has_level] = methylated / np.maximum(reads, 1)  # not rounded, as the percent are
    else:
        scale.add(leveled, coverage[has_level])
    codes = strand.map(ord).to_numpy(dtype=np.uint8)
    codes[end - start == 2] = ord(".")
    kept = has_level | (coverage == 0)
    calls.drop("no_level", int((~kept).sum()))
    calls.add(frame["chrom"][kept], start[kept], codes[kept], coverage[kept], level[kept], motif[kept])


_FIVE_MC, _COMBINED, _PATTERN, _OTHER = range(4)
"""What the level of a row is one of."""
_NO_MOTIF, _CG = 0, 1
"""Numbers of motifs: of rows that name none, and of CG; others have higher ones."""


class _Names:
    """What the names of rows say, in all blocks of a file; counts the rows that are no levels of 5mC.

    Attributes:
        dropped: how many rows were left out, by reason.
        has_cg: whether a row is of the motif CG.
    """

    def __init__(self) -> None:
        self.dropped: Counter[str] = Counter()
        self.has_cg = False
        self._motifs = {"": _NO_MOTIF, "CG,0": _CG}
        self._examples: dict[int, str] = {}

    def kinds(self, frame: "pd.DataFrame") -> np.ndarray:
        """What the level of each row is one of (n,)."""
        names = frame["name"].cat.categories.astype(str).tolist()
        kinds = np.array([self._kind(name) for name in names])[frame["name"].cat.codes.to_numpy()]
        for reason, kind in (("other_modification", _OTHER), ("hemi_pattern", _PATTERN)):
            self.dropped[reason] += int((kinds == kind).sum())
        return kinds

    def _kind(self, name: str) -> int:
        parsed = parse_name(name)
        kind = (
            _PATTERN
            if parsed.is_pattern
            else _FIVE_MC
            if parsed.is_5mc
            else _COMBINED
            if parsed.is_combined
            else _OTHER
        )
        self._examples.setdefault(kind, name)
        return kind

    def motifs(self, frame: "pd.DataFrame") -> np.ndarray:
        """Number of the motif of each row (n,) int16, in the order in which motifs first appear."""
        codes = frame["name"].cat.codes.to_numpy()
        names = frame["name"].cat.categories.astype(str).tolist()
        numbers = np.zeros(len(names), dtype=np.int16)
        used, first = np.unique(codes, return_index=True)
        for code in used[np.argsort(first)].tolist():
            numbers[code] = self._motifs.setdefault(parse_name(names[code]).motif, len(self._motifs))
            self.has_cg = self.has_cg or numbers[code] == _CG
        return numbers[codes]

    def example(self, kind: int) -> str:
        """The first name of a kind, for a message."""
        return repr(self._examples[kind][:40])

    def others(self) -> str:
        """What stands in the file instead of 5mC, for a message."""
        parts = []
        if n_rows := self.dropped["other_modification"]:
            parts.append(f"it has {n_rows:,} rows of other modifications ({self.example(_OTHER)})")
        if n_rows := self.dropped["hemi_pattern"]:
            parts.append(
                f"it has {n_rows:,} rows of patterns of both strands ({self.example(_PATTERN)}): give it the output of modkit "
                "pileup, not of pileup-hemi"
            )
        return "; ".join(parts)


def _read_bismark(path: Path) -> Sample:
    """Read Bismark coverage: see `read_calls`."""
    columns = [Column("chrom", 0, str), Column("start", 1, int), Column("end", 2, int), Column("percent", 3, float)]
    columns += [Column("methylated", 4, int), Column("unmethylated", 5, int)]
    calls, scale = _CallsByContig(path), LevelScale(path)
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
            count = frame[name].to_numpy()
            _refuse(path, frame, (count < 0) | (count > np.iinfo(np.int32).max), name, "a count of reads, 0 or more")
        coverage = (frame["methylated"] + frame["unmethylated"]).to_numpy()
        percent = frame["percent"].to_numpy()
        _refuse(path, frame, _is_no_percent(percent) & (coverage > 0), "percent", "0 to 100")
        covered = frame if (coverage > 0).all() else frame[coverage > 0]
        scale.compare(covered, covered["methylated"].to_numpy(), coverage[coverage > 0])
        level = frame["methylated"].to_numpy() / np.maximum(coverage, 1)
        strand = np.full(len(frame), ord("."), dtype=np.uint8)
        calls.add(frame["chrom"], start - (width == 0), strand, coverage, level)
    decided = scale.decide()  # of the percent alone: levels are those of the counts
    return replace(calls.sample(), scale=_SCALE_NAMES[decided], doubts=scale.doubts)


def _is_no_percent(levels: np.ndarray) -> np.ndarray:
    """Which levels (n,) are NaN, below 0 or above 100."""
    with np.errstate(invalid="ignore"):
        return np.asarray(~((levels >= 0) & (levels <= 100 * (1 + ROUNDING))))


def _refuse(path: Path, frame: "pd.DataFrame", bad: np.ndarray, column: str, expected: str) -> None:
    """Refuse the first row that is marked as bad, if there is one.

    Raises:
        InputError: there is one.
    """
    if bad.any():
        row = int(np.argmax(bad))
        raise row_error(path, frame, row, f"{column} {frame[column].iloc[row]}", expected=expected)


class _CallsByContig:
    """Sorts the calls of many blocks of rows by contig.

    Attributes:
        n_rows: rows so far, with those that were left out.
        dropped: how many rows were left out, by reason.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.n_rows = 0
        self.dropped: Counter[str] = Counter()
        self._blocks: dict[str, list[tuple[Calls, np.ndarray | None]]] = {}

    def drop(self, reason: str, n_rows: int) -> None:
        """Count rows that are left out."""
        self.dropped[reason] += n_rows
        self.n_rows += n_rows

    def add(
        self,
        chrom: "pd.Series",
        position: np.ndarray,
        strand: np.ndarray,
        coverage: np.ndarray,
        level: np.ndarray,
        motif: np.ndarray | None = None,
    ) -> None:
        """Add the columns of one block (n,); chrom is categorical, motif numbers the motif that put a row into the file."""
        codes = chrom.cat.codes.to_numpy()
        order = np.argsort(codes, kind="stable")
        names = chrom.cat.categories
        bounds = np.cumsum(np.bincount(codes, minlength=len(names)))[:-1]
        self.n_rows += len(codes)
        for name, rows in zip(names, np.split(order, bounds)):
            if len(rows):
                calls = Calls(
                    position[rows].astype(np.int64),
                    strand[rows],
                    np.minimum(coverage[rows], np.iinfo(np.int32).max).astype(np.int32),
                    level[rows].astype(np.float32),
                )
                motif_of_rows = None if motif is None or not motif.any() else motif[rows]
                self._blocks.setdefault(str(name), []).append((calls, motif_of_rows))

    def sample(self, scale: float = PERCENT, *, only_cg: bool = False) -> Sample:
        """Join the blocks of each contig; their levels were read as percent, and are of this scale.

        With `only_cg`, rows of other motifs than CG are left out: every CpG has one of that motif.

        Raises:
            InputError: no row has a level.
        """
        if not self._blocks:
            found = f"no level in it: {self.dropped['no_level']:,} rows have reads, and none has a level"
            raise InputError(self.path, found, expected="methylation levels")
        contigs = {}
        for name in list(self._blocks):  # each list is dropped once it is joined, to bound memory
            blocks, motifs = zip(*self._blocks.pop(name))
            columns = zip(*((block.position, block.strand, block.coverage, block.level) for block in blocks))
            calls = Calls(*(np.concatenate(column) for column in columns))
            if scale == SHARES:
                calls = replace(calls, level=calls.level * np.float32(100))
            if any(motif is not None for motif in motifs):
                numbers = [
                    np.zeros(len(block), np.int16) if motif is None else motif for block, motif in zip(blocks, motifs)
                ]
                calls = self._once(calls, np.concatenate(numbers), only_cg=only_cg)
            if len(calls):
                contigs[name] = calls
        return Sample(self.path, contigs, dict(self.dropped), scale=_SCALE_NAMES[scale])

    def _once(self, calls: Calls, motif: np.ndarray, *, only_cg: bool) -> Calls:
        """Of the rows of one site that stand under several motifs (n,) keep those of one: they count the same reads."""
        order = np.lexsort((motif, calls.strand, calls.position))
        position, strand = calls.position[order], calls.strand[order]
        is_first = np.append(True, (position[1:] != position[:-1]) | (strand[1:] != strand[:-1]))
        first_motif = motif[order][is_first][np.cumsum(is_first) - 1]
        is_kept = motif[order] == first_motif
        if only_cg:
            is_kept &= motif[order] <= _CG
        kept = np.sort(order[is_kept])
        self.dropped["other_motif"] += len(calls) - len(kept)
        return Calls(calls.position[kept], calls.strand[kept], calls.coverage[kept], calls.level[kept])


def _read_bigwig(path: Path, coverage: Path | None) -> Sample:
    """Read levels from a bigWig, and coverage from a second one if it is given."""
    signals = dict(read_bigwig(path))
    if not signals:
        raise InputError(path, "no value in it", expected="methylation levels")
    levels = {contig: _without_missing(signals.pop(contig)) for contig in list(signals)}
    n_missing = sum(n for _, n in levels.values())
    known = {contig: signal for contig, (signal, _) in levels.items() if len(signal.values)}
    if not known:
        raise InputError(path, f"no level in it: its {n_missing:,} values are NaN or -1", expected="methylation levels")
    scale = scale_of_signals(path, known)
    contigs = {contig: _bigwig_calls(path, contig, known.pop(contig), scale) for contig in list(known)}
    dropped = {"no_level": n_missing} if n_missing else {}
    sample = Sample(path, contigs, dropped, coverage is not None, _SCALE_NAMES[scale])
    if coverage is None:
        return sample
    reads = {contig: np.zeros(len(calls), dtype=np.int32) for contig, calls in contigs.items()}
    for contig, signal in read_bigwig(coverage):
        if contig in contigs:
            reads[contig] = _coverage_at(coverage, contig, signal, contigs[contig].position)
    return replace(
        sample, contigs={contig: replace(calls, coverage=reads[contig]) for contig, calls in contigs.items()}
    )


def _without_missing(signal: Signal) -> tuple[Signal, int]:
    """A signal without the values that are NaN or -1, and how many these are."""
    known = ~(np.isnan(signal.values) | (signal.values == _MISSING))
    if known.all():
        return signal, 0
    return Signal(signal.intervals[known], signal.values[known]), int((~known).sum())


def _bigwig_calls(path: Path, contig: str, signal: Signal, scale: float) -> Calls:
    """Calls of a contig: one for each interval of 1 bp, else one for each 2 bp (4 bp: two neighboring CpGs with one value)."""
    (start, end), value = signal.intervals.T, signal.values
    width = end - start
    bad = np.flatnonzero(
        (width > 1) & (width % 2 == 1) | (width > _MAX_WIDTH) | (value < 0) | (value > scale * (1 + ROUNDING))
    )
    if len(bad):
        row = bad[0]
        expected = f"a level of 0 to {scale:g} for each base or each CpG (2 bp)"
        do = "if its sign is the strand, write levels without it" if value[row] < 0 else ""
        raise InputError(path, f"{contig}:{start[row]}-{end[row]} has {value[row]:g}", expected=expected, do=do)
    n_calls = np.maximum(width // 2, 1)
    number = positions(np.stack([np.zeros_like(n_calls), n_calls], axis=1))  # 0, 1, ... within each interval
    position = np.repeat(start, n_calls) + 2 * number
    strand = np.full(len(position), ord("."), dtype=np.uint8)
    level = np.repeat(np.minimum(value, scale) / scale, n_calls).astype(np.float32)
    return Calls(position, strand, np.ones(len(position), dtype=np.int32), level)


def _coverage_at(path: Path, contig: str, signal: Signal, position: np.ndarray) -> np.ndarray:
    """Coverage at positions (n,) of a contig: (n,) int32, 0 where the bigWig has no value, NaN or -1."""
    signal, _ = _without_missing(signal)
    if not ((signal.values >= 0) & (signal.values <= np.iinfo(np.int32).max)).all():
        raise InputError(path, f"a negative or infinite value on {contig}", expected="coverage, 0 or more")
    index = containing(np.stack([position, position + 1], axis=1), signal.intervals)
    return np.where(index >= 0, np.rint(np.append(signal.values, 0))[index], 0).astype(np.int32)
