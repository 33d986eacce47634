"""Contigs to the intervals of the splits train, valid and test. A window lies in one interval, so splits share no base."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal, Self, cast, get_args

import numpy as np
from pydantic import BeforeValidator, Field, model_validator

from dnaspt.config import MOST_FOLDS, Names, Settings
from dnaspt.data.manifest import SPLITS, Source
from dnaspt.errors import ConfigError, InputError
from dnaspt.genome.columns import read_lines
from dnaspt.genome.contig_names import check_contigs
from dnaspt.genome.text_files import open_bytes

SplitRule = Literal["position", "contig", "column", "train", "train-only", "valid", "test"]
"""How contigs are divided, see `SplitPlan`."""
_RULES_BY_NAME = tuple(rule for rule in get_args(SplitRule) if rule != "column")
_FRACTIONS = (0.72, 0.08, 0.20)


Folds = Annotated[int, Field(ge=2, le=MOST_FOLDS)] | Literal["contigs"]
"""How many folds, or one for each contig."""


def checked_folds(value: object) -> object:
    """Folds as they are given, in a file or as the text of an option.

    Raises:
        ValueError: neither a number of folds nor "contigs".
    """
    folds = int(value) if isinstance(value, str) and value.strip().isdecimal() else value
    is_number = isinstance(folds, int) and not isinstance(folds, bool) and 2 <= folds <= MOST_FOLDS
    if not (folds is None or folds == "contigs" or is_number):
        raise ValueError(f"{value!r}; expected 2 to {MOST_FOLDS}, or 'contigs'")
    return folds


class SplitSettings(Settings):
    """How contigs are divided into train, valid and test."""

    split: str | None = None
    """How contigs are divided: `position` (parts of each contig, by `fractions`), `contig` (whole contigs), `train`
    (all for train, but a tenth for valid), `train-only`, `valid` or `test` (all for one split), or the path of a table
    with the columns chromosome, start, end, split. Take `contig` to test on whole chromosomes, a table to repeat a
    published split."""
    fractions: tuple[float, float, float] = _FRACTIONS
    """Shares of train, valid and test with split `position`; they sum to 1. Change them for a larger test split."""
    valid_contigs: Names = ()
    """Contigs for valid, with split `contig`; left out, they are chosen by their order in the genome. Name them to
    repeat a published split."""
    test_contigs: Names = ()
    """Contigs for test, with split `contig`; left out, they are chosen by their order in the genome. Name them to hold
    out chromosomes of your choice."""

    folds: Annotated[Folds | None, BeforeValidator(checked_folds)] = None
    """Number of folds of a cross-validation, or `contigs` for one of each contig; left out, splits are fixed. Every base
    is tested in one fold, by a model that has not seen it. Without `split` all contigs are divided; with it, its train
    part, and its valid chooses weights. Give it where a single test split has too few genes or windows to decide."""
    always_train: Names = ()
    """Contigs that are in train of every fold, and never tested, with `folds`. Name those that are unlike the others,
    such as organelles."""

    @model_validator(mode="after")
    def _check_split(self) -> Self:
        if self.split_table is not None and not self.split_table.exists():
            raise ValueError(f"split {self.split!r} is neither a file nor one of {', '.join(_RULES_BY_NAME)}")
        if self.split != "contig" and (self.valid_contigs or self.test_contigs):
            raise ValueError("valid_contigs and test_contigs have an effect with split 'contig' alone")
        if self.always_train and self.folds is None:
            raise ValueError("always_train has an effect with folds alone")
        if self.folds is not None and self.split in ("valid", "test"):
            raise ValueError(f"split {self.split!r} has no train part to divide into folds; choose another split")
        return self

    @property
    def not_recorded(self) -> set[str]:
        """Names of settings that a manifest leaves out: where the dataset lies, and those of folds where there are none."""
        return {"out", "overwrite", *(() if self.folds is not None else ("folds", "always_train"))}

    @property
    def split_table(self) -> Path | None:
        """Path of the table that divides the contigs, if `split` names one."""
        return Path(self.split) if self.split is not None and self.split not in _RULES_BY_NAME else None

    def files(self) -> tuple[Path, ...]:
        """Every file that is read, in the order in which the manifest lists them."""
        return (self.split_table,) if self.split_table else ()

    def check_files(self) -> None:
        """Refuse a file that cannot be read before the work begins: some files are needed only after minutes.

        Raises:
            InputError: a file is missing, is a folder, or may not be read.
        """
        for path in self.files():
            open_bytes(path).close()

    def sources(self) -> tuple[Source, ...]:
        """Digests of all files that are read."""
        return tuple(Source.of(path) for path in self.files())

    def plan(self) -> "SplitPlan":
        """How contigs are divided; by position where `split` is not given, or all for train where folds divide them.

        Raises:
            InputError: the split table cannot be used.
            ConfigError: the fractions do not sum to 1, or a contig is named twice.
        """
        if self.split_table is not None:
            return SplitPlan("column", table=read_split_table(self.split_table))
        if self.folds is not None and "split" not in self.model_fields_set:
            return SplitPlan("train-only", self.fractions)
        return SplitPlan(
            cast(SplitRule, self.split or "position"),
            fractions=self.fractions,
            valid_contigs=frozenset(self.valid_contigs),
            test_contigs=frozenset(self.test_contigs),
        )


@dataclass(frozen=True, slots=True, order=True)
class SplitInterval:
    """An interval of a contig that belongs to one split.

    Attributes:
        chrom: contig name.
        start: 0-based start.
        end: half-open end.
        split: train, valid, test or unlabeled.
        line: 1-based line of the split table that says where the interval ends; 0 where there is no table.
    """

    chrom: str
    start: int
    end: int
    split: str
    line: int = field(default=0, compare=False)

    @property
    def name(self) -> str:
        """The interval as messages name it, such as "chr1:0-500 (train)"."""
        return f"{self.chrom}:{self.start}-{self.end} ({self.split})"


@dataclass(frozen=True, slots=True)
class SplitTable:
    """A table that divides contigs.

    Attributes:
        path: its file.
        intervals: the intervals of each contig, ascending and disjoint.
    """

    path: Path
    intervals: Mapping[str, tuple[SplitInterval, ...]]

    def on(self, chrom: str, length_bp: int) -> tuple[SplitInterval, ...]:
        """The intervals of one contig.

        Raises:
            InputError: an interval ends off the contig.
        """
        intervals = self.intervals.get(chrom, ())
        if intervals and intervals[-1].end > length_bp:
            last = intervals[-1]
            found = f"{chrom}:{last.start}-{last.end} ends off the contig"
            do = "was it made for another genome?"
            raise InputError(self.path, found, expected=f"at most {length_bp} bp", do=do, line=last.line)
        return intervals


@dataclass(frozen=True, slots=True)
class SplitPlan:
    """How contigs are divided into splits.

    Attributes:
        by: "position" cuts every contig from left to right into train, valid and test;
            "contig" gives whole contigs to valid and test, and all others to train;
            "column" takes the intervals of a table (see `read_split_table`);
            "train" gives all to train, except `valid_contigs`, or the last tenth of every contig where none is named;
            "train-only", "valid" and "test" give all to one split (for separate inputs).
        fractions: shares of train, valid and test, for "position"; they sum to 1.
        valid_contigs: names of contigs for valid.
        test_contigs: names of contigs for test.
        table: the table, for "column".

    Raises:
        ConfigError: the fractions do not sum to 1, or a contig is named for valid and for test.
    """

    by: SplitRule = "position"
    fractions: tuple[float, float, float] = _FRACTIONS
    valid_contigs: frozenset[str] = frozenset()
    test_contigs: frozenset[str] = frozenset()
    table: SplitTable | None = None

    def __post_init__(self) -> None:
        if min(self.fractions) < 0 or abs(sum(self.fractions) - 1) > 1e-6:
            raise ConfigError(f"split fractions {self.fractions}; expected three that are not negative and sum to 1")
        if both := self.valid_contigs & self.test_contigs:
            raise ConfigError(f"contig {min(both)!r} is named for valid and for test; choose one")

    @property
    def needs_contigs(self) -> bool:
        """Whether the plan depends on which contigs there are, so that `among` has to be called."""
        return self.by in ("contig", "train")

    def among(self, contigs: Sequence[str]) -> "SplitPlan":
        """The plan for these contigs, given in file order.

        "contig" without names: of every ten contigs the 5th and 9th are test and the 10th is valid; of fewer than ten the
        last is test and the one before it valid. "train", and "contig" without `valid_contigs`: every tenth contig that
        is not test is valid; where there are fewer than ten, the last tenth of each.

        Raises:
            ConfigError: fewer than three contigs to divide by "contig".
        """
        if self.by == "contig" and not self.valid_contigs and not self.test_contigs:
            if len(contigs) < 3:
                found = f"split 'contig' of {len(contigs)} contig{'s' * (len(contigs) != 1)}"
                raise ConfigError(f"{found}; expected 3 or more; say --split position")
            if len(contigs) < 10:
                return replace(self, valid_contigs=frozenset(contigs[-2:-1]), test_contigs=frozenset(contigs[-1:]))
            test = frozenset((*contigs[4::10], *contigs[8::10]))
            return replace(self, valid_contigs=frozenset(contigs[9::10]), test_contigs=test)
        if self.needs_contigs and not self.valid_contigs:
            not_test = [name for name in contigs if name not in self.test_contigs]
            return replace(self, by="train", valid_contigs=frozenset(not_test[9::10]))
        return self

    def intervals(self, chrom: str, length_bp: int) -> tuple[SplitInterval, ...]:
        """The intervals of one contig, ascending and disjoint.

        Raises:
            InputError: an interval of the table ends off the contig.
        """
        if self.table is not None:
            return self.table.on(chrom, length_bp)
        if self.by == "position":
            return _cut(chrom, length_bp, self.fractions)
        if chrom in self.valid_contigs:
            return (SplitInterval(chrom, 0, length_bp, "valid"),)
        if chrom in self.test_contigs:
            return (SplitInterval(chrom, 0, length_bp, "test"),)
        if self.by == "train" and not self.valid_contigs:
            return _cut(chrom, length_bp, (0.9, 0.1, 0.0))
        split = "train" if self.by in ("contig", "train", "train-only") else self.by
        return (SplitInterval(chrom, 0, length_bp, split),)

    def between_genes(
        self, lengths: Mapping[str, int], genes: Mapping[str, Sequence[tuple[int, int, int]]]
    ) -> "SplitPlan | None":
        """The plan "position" with cuts between genes, so that every split has genes: two cuts in the whole genome.

        The first cut is where the share of coding bases is nearest to that of train, the second where it is nearest to that of
        train and valid. Contigs count in the order of `lengths`.

        Args:
            lengths: length of each contig in bp.
            genes: first base, last base + 1 and coding bases of genes that do not overlap, ascending, by contig.

        Returns:
            The plan; None if there are fewer genes than splits.
        """
        shares = [share for share in self.fractions if share]
        splits = [split for split, share in zip(SPLITS, self.fractions) if share]
        ordered = [(chrom, *gene) for chrom in lengths for gene in genes.get(chrom, ())]
        if len(ordered) < len(splits):
            return None
        coding = np.cumsum([row[3] for row in ordered])
        last_genes: list[int] = []
        for number, share in enumerate(np.cumsum(shares)[:-1].tolist()):
            first = last_genes[-1] + 1 if last_genes else 0
            stop = len(ordered) - (len(splits) - 1 - number)  # leaves a gene to each split that follows
            distances = np.abs(coding[first:stop] - share * coding[-1])
            last_genes.append(first + int(np.argmin(distances)))
        ends = [_cut_behind(ordered, gene, lengths) for gene in last_genes]
        return replace(self, by="column", table=SplitTable(Path(), _between(ends, splits, lengths)))

    def cuts(self) -> dict[str, list[list[str | int]]]:
        """The intervals of a plan with a table for the settings of a manifest: contig, start, end and split of each."""
        table = self.table.intervals if self.table else {}
        return {"cuts": [[row.chrom, row.start, row.end, row.split] for rows in table.values() for row in rows]}

    @property
    def wanted(self) -> frozenset[str]:
        """Splits that the plan should fill, without test: training does not read it, so it may be empty."""
        if self.table is not None:
            splits = {interval.split for intervals in self.table.intervals.values() for interval in intervals}
        elif self.by == "position":
            splits = {split for split, share in zip(SPLITS, self.fractions) if share}
        else:
            splits = {"train-only": {"train"}, "valid": {"valid"}, "test": set()}.get(self.by, {"train", "valid"})
        return frozenset(splits - {"test"})

    def check_contigs(self, genome: Path, present: Set[str], *, strict: bool) -> None:
        """Refuse a plan that names contigs the genome does not have.

        Args:
            genome: FASTA that the error names.
            present: contig names of the genome.
            strict: whether a single absent contig of the table is an error.

        Raises:
            ConfigError: a contig of `valid_contigs` or `test_contigs` is absent.
            InputError: no contig of the table is in the genome, or, with `strict`, one is not.
        """
        if absent := sorted((self.valid_contigs | self.test_contigs) - present):
            raise ConfigError(f"contig {absent[0]!r} of the split has no record in {genome}; check its name")
        if self.table is not None and self.table.path != Path():
            check_contigs(self.table.path, self.table.intervals, genome, present, strict=strict)


def _cut_behind(genes: Sequence[tuple[str, int, int, int]], number: int, lengths: Mapping[str, int]) -> tuple[str, int]:
    """Contig and position of a cut behind a gene: halfway to the next gene, or the end of the contig."""
    chrom, _, end, _ = genes[number]
    following = genes[number + 1]
    return chrom, (end + following[1]) // 2 if following[0] == chrom else lengths[chrom]


def _between(
    ends: Sequence[tuple[str, int]], splits: Sequence[str], lengths: Mapping[str, int]
) -> dict[str, tuple[SplitInterval, ...]]:
    """Intervals of each contig, where all splits but the last end at a contig and a position."""
    intervals: dict[str, list[SplitInterval]] = {chrom: [] for chrom in lengths}
    remaining = list(ends)
    for chrom, length_bp in lengths.items():
        start = 0
        while start < length_bp:
            split = splits[len(ends) - len(remaining)]
            is_here = bool(remaining) and remaining[0][0] == chrom
            end = remaining.pop(0)[1] if is_here else length_bp
            if end > start:
                intervals[chrom].append(SplitInterval(chrom, start, end, split))
            start = end
    return {chrom: tuple(own) for chrom, own in intervals.items()}


def _cut(chrom: str, length_bp: int, fractions: tuple[float, float, float]) -> tuple[SplitInterval, ...]:
    """Cut a contig into train, valid and test from left to right."""
    first = round(length_bp * fractions[0])
    second = round(length_bp * (fractions[0] + fractions[1]))
    cuts = (0, first, second, length_bp)
    return tuple(
        SplitInterval(chrom, start, end, split) for start, end, split in zip(cuts, cuts[1:], SPLITS) if end > start
    )


_COLUMNS = ("chrom", "start", "end", "split")


def read_split_table(path: str | Path) -> SplitTable:
    """Read a tab-separated table with a header: chromosome (or chrom), start, end, split. Coordinates are 0-based half-open.

    Raises:
        InputError: a column is missing, a row is malformed, a split is unknown, or intervals of two splits overlap.
    """
    path = Path(path)
    lines = [line.rstrip("\r\n") for _, line in read_lines(path)]
    header = lines[0].lstrip("#").split("\t") if lines else []
    names = ["chrom" if name in ("chromosome", "chr") else name for name in header]
    if missing := [name for name in _COLUMNS if name not in names]:
        expected = "a header with chromosome, start, end, split"
        raise InputError(path, f"no column {missing[0]!r}", expected=expected, line=1)
    columns = [names.index(name) for name in _COLUMNS]
    by_contig: dict[str, list[SplitInterval]] = {}
    for number, line in enumerate(lines[1:], start=2):
        if line.strip():
            interval = _parse_row(path, line, number, columns)
            by_contig.setdefault(interval.chrom, []).append(interval)
    if not by_contig:
        raise InputError(path, "no row in it", expected="rows of chromosome, start, end, split below the header")
    return SplitTable(path, {chrom: _merged(path, sorted(intervals)) for chrom, intervals in by_contig.items()})


def _parse_row(path: Path, row: str, line: int, columns: Sequence[int]) -> SplitInterval:
    """A row of a split table, whose `_COLUMNS` stand in the given columns."""
    fields = row.split("\t")
    try:
        chrom, start, end, split = (fields[column] for column in columns)
        interval = SplitInterval(chrom, int(start), int(end), split, line)
    except (IndexError, ValueError):
        raise InputError(path, f"row {row[:60]!r}", expected="chromosome, start, end, split", line=line) from None
    if split not in SPLITS or not 0 <= interval.start < interval.end:
        found = f"split {split!r}" if split not in SPLITS else f"interval {start}-{end}"
        raise InputError(path, found, expected="train, valid or test, and 0 <= start < end", line=line)
    return interval


def _merged(path: Path, intervals: Sequence[SplitInterval]) -> tuple[SplitInterval, ...]:
    """Join touching intervals of one split; refuse an overlap of two splits."""
    merged: list[SplitInterval] = []
    for interval in intervals:
        last = merged[-1] if merged else None
        if last and interval.start < last.end and interval.split != last.split:
            found = f"{interval.name} overlaps {last.name}"
            raise InputError(path, found, expected="splits that share no base", line=interval.line)
        if last and interval.start <= last.end and interval.split == last.split:
            merged[-1] = replace(max(last, interval, key=lambda either: either.end), start=last.start)
        else:
            merged.append(interval)
    return tuple(merged)
