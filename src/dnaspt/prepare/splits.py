"""Contigs to train / valid / test pieces. A window with its flanks lies in one piece, so splits never share a base."""

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Self

from pydantic import model_validator

from dnaspt.config import Settings
from dnaspt.data.manifest import SPLITS
from dnaspt.errors import ConfigError, InputError
from dnaspt.genome.columns import read_lines


@dataclass(frozen=True, slots=True, order=True)
class Piece:
    """A stretch of a contig that belongs to one split, 0-based half-open."""

    chrom: str
    start: int
    end: int
    split: str


@dataclass(frozen=True, slots=True, order=True)
class TablePiece(Piece):
    """A piece as a table gives it, with the 1-based line that says where it ends."""

    line: int


@dataclass(frozen=True, slots=True)
class SplitTable:
    """Pieces by contig, each contig's ascending, and the file that they are from."""

    path: Path
    pieces: Mapping[str, tuple[TablePiece, ...]]

    def on(self, chrom: str, length_bp: int) -> tuple[TablePiece, ...]:
        """Pieces of one contig.

        Raises:
            InputError: one ends off the contig.
        """
        pieces = self.pieces.get(chrom, ())
        if pieces and pieces[-1].end > length_bp:
            last = pieces[-1]
            found = f"{chrom}:{last.start}-{last.end} ends off the contig"
            do = "was it made for another genome?"
            raise InputError(self.path, found, expected=f"at most {length_bp} bp", do=do, line=last.line)
        return pieces


By = Literal["position", "contig", "column", "train", "train-only", "valid", "test"]


@dataclass(frozen=True, slots=True)
class SplitPlan:
    """How contigs are divided; `among` settles what depends on which contigs there are.

    Attributes:
        by: "position" cuts every contig into train, valid, test from left to right by `fractions`;
            "contig" gives whole contigs to `valid_contigs` and `test_contigs`, the rest to train;
            "column" takes pieces from a table with a split column (see `read_split_table`);
            "train" puts all into train but `valid_contigs`, or the last tenth of every contig where none is named;
            "train-only", "valid" and "test" put everything into that split (separate inputs).
        fractions: train, valid, test parts of "position"; they sum to 1.
        valid_contigs: contig names.
        test_contigs: contig names.
        table: for "column".
    """

    by: By = "position"
    fractions: tuple[float, float, float] = (0.72, 0.08, 0.20)
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
        """Whether `among` has something to settle."""
        return self.by in ("contig", "train")

    def among(self, contigs: Sequence[str]) -> "SplitPlan":
        """The plan for these contigs, in file order.

        "train", and "contig" without valid contigs: every tenth contig that trains is valid; where fewer than ten are
        there, the last tenth of each. "contig" where none is named: of every ten the 5th and 9th are test and the 10th
        valid; where fewer than ten are there, the last is test and the one before it valid.

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
            rest = [name for name in contigs if name not in self.test_contigs]
            return replace(self, by="train", valid_contigs=frozenset(rest[9::10]))
        return self

    def pieces(self, chrom: str, length_bp: int) -> tuple[Piece, ...]:
        """Pieces of one contig, ascending.

        Raises:
            InputError: a piece of the table ends off the contig.
        """
        if self.table is not None:
            return self.table.on(chrom, length_bp)
        if self.by == "position":
            return _cut(chrom, length_bp, self.fractions)
        if chrom in self.valid_contigs:
            return (Piece(chrom, 0, length_bp, "valid"),)
        if chrom in self.test_contigs:
            return (Piece(chrom, 0, length_bp, "test"),)
        if self.by == "train" and not self.valid_contigs:
            return _cut(chrom, length_bp, (0.9, 0.1, 0.0))
        split = "train" if self.by in ("contig", "train", "train-only") else self.by
        return (Piece(chrom, 0, length_bp, split),)

    @property
    def wanted(self) -> frozenset[str]:
        """Splits without which the dataset would not be what was asked for, of those that training reads."""
        if self.by == "column":
            named = (piece.split for pieces in self.table.pieces.values() for piece in pieces) if self.table else ()
            return frozenset(named) - {"test"}
        if self.by == "position":
            return frozenset(split for split, part in zip(SPLITS, self.fractions) if part) - {"test"}
        return {"train-only": frozenset(("train",)), "valid": frozenset(("valid",)), "test": frozenset[str]()}.get(
            self.by, frozenset(("train", "valid"))
        )


def _cut(chrom: str, length_bp: int, fractions: tuple[float, float, float]) -> tuple[Piece, ...]:
    """Cut a contig into train, valid, test from left to right."""
    first = round(length_bp * fractions[0])
    second = round(length_bp * (fractions[0] + fractions[1]))
    cuts = (0, first, second, length_bp)
    return tuple(Piece(chrom, start, end, split) for start, end, split in zip(cuts, cuts[1:], SPLITS) if end > start)


def read_split_table(path: str | Path) -> SplitTable:
    """Pieces by contig from a tab-separated table with a header: chromosome (or chrom), start, end, split; 0-based.

    Raises:
        InputError: a column is missing, a row is malformed, a split is unknown, or two pieces of different splits overlap.
    """
    path = Path(path)
    lines = [line.rstrip("\r\n") for _, line in read_lines(path)]
    header = lines[0].lstrip("#").split("\t") if lines else []
    names = ["chrom" if name in ("chromosome", "chr") else name for name in header]
    wanted = ("chrom", "start", "end", "split")
    if missing := [name for name in wanted if name not in names]:
        raise InputError(
            path, f"no column {missing[0]!r}", expected="a header with chromosome, start, end, split", line=1
        )
    columns = [names.index(name) for name in wanted]
    found: dict[str, list[TablePiece]] = {}
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        fields = line.split("\t")
        try:
            chrom, start, end, split = (fields[column] for column in columns)
            piece = TablePiece(chrom, int(start), int(end), split, line=number)
        except (IndexError, ValueError):
            raise InputError(
                path, f"row {line[:60]!r}", expected="chromosome, start, end, split", line=number
            ) from None
        if split not in SPLITS or not 0 <= piece.start < piece.end:
            found_text = f"split {split!r}" if split not in SPLITS else f"interval {start}-{end}"
            raise InputError(path, found_text, expected="train, valid or test, and 0 <= start < end", line=number)
        found.setdefault(chrom, []).append(piece)
    if not found:
        raise InputError(path, "no row in it", expected="rows of chromosome, start, end, split below the header")
    return SplitTable(path, {chrom: _merged(path, sorted(pieces)) for chrom, pieces in found.items()})


def _merged(path: Path, pieces: Sequence[TablePiece]) -> tuple[TablePiece, ...]:
    """Join touching pieces of one split; refuse an overlap of two."""
    merged: list[TablePiece] = []
    for piece in pieces:
        last = merged[-1] if merged else None
        if last and piece.start < last.end and piece.split != last.split:
            found = f"{piece.chrom}:{piece.start}-{piece.end} is {piece.split} and overlaps a {last.split} piece"
            raise InputError(path, found, expected="splits that share no base", line=piece.line)
        if last and piece.start <= last.end and piece.split == last.split:
            merged[-1] = replace(max(last, piece, key=lambda one: one.end), start=last.start)
        else:
            merged.append(piece)
    return tuple(merged)


_SPLIT_WORDS = ("position", "contig", "train", "train-only", "valid", "test")


class SplitSettings(Settings):
    """How contigs are divided.

    split: "position", "contig", one of the other words of `SplitPlan`, or the path of a split table.
    fractions: train, valid and test parts of "position".
    valid_contigs, test_contigs: names, for "contig".
    """

    split: str | None = None
    fractions: tuple[float, float, float] = (0.72, 0.08, 0.20)
    valid_contigs: tuple[str, ...] = ()
    test_contigs: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _check_split(self) -> Self:
        if self.split_table is not None and not self.split_table.exists():
            raise ValueError(f"split {self.split!r} is neither a file nor one of {', '.join(_SPLIT_WORDS)}")
        if self.split != "contig" and (self.valid_contigs or self.test_contigs):
            raise ValueError("valid_contigs and test_contigs have an effect with split 'contig' alone")
        return self

    @property
    def split_table(self) -> Path | None:
        """The table that divides the contigs, where one does."""
        return Path(self.split) if self.split is not None and self.split not in _SPLIT_WORDS else None

    def plan(self) -> SplitPlan:
        """How contigs are divided; by position where nothing is said.

        Raises:
            InputError: a split table that cannot be used.
            ConfigError: fractions that do not sum to 1, or a contig that is named twice.
        """
        if self.split_table is not None:
            return SplitPlan(by="column", table=read_split_table(self.split_table))
        return SplitPlan(
            by=self.split or "position",  # type: ignore[arg-type]  # one of the words, checked when built
            fractions=self.fractions,
            valid_contigs=frozenset(self.valid_contigs),
            test_contigs=frozenset(self.test_contigs),
        )


def check_written(genome: Path, n_windows: Mapping[str, int], wanted: Set[str], dropped: Counter[str]) -> None:
    """Refuse a dataset without a window, or without one in a split that was asked for.

    Args:
        genome: the file that the error names.
        n_windows: windows by split.
        wanted: splits that must have some.
        dropped: why windows are not there.

    Raises:
        InputError: there is none; the reasons are named.
    """
    empty = [split for split in ("train", "valid") if split in wanted and not n_windows.get(split)]
    if any(n_windows.values()) and not empty:
        return
    reasons = ", ".join(f"{reason} {count}" for reason, count in dropped.items() if count) or "nothing was dropped"
    if not any(n_windows.values()):
        raise InputError(genome, f"no window left ({reasons})", do="check window_bp, the split and the filters")
    do = "choose another --split or a smaller window_bp"
    raise InputError(genome, f"no window in the {empty[0]} split ({reasons})", expected="one or more", do=do)
