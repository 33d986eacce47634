"""Contigs to train / valid / test pieces. A window with its flanks lies in one piece, so splits never share a base."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from dnaspt.data.store import SPLITS
from dnaspt.errors import ConfigError, InputError
from dnaspt.genome.columns import read_lines


@dataclass(frozen=True, slots=True, order=True)
class Piece:
    """A stretch of a contig that belongs to one split, 0-based half-open."""

    chrom: str
    start: int
    end: int
    split: str


@dataclass(frozen=True, slots=True)
class SplitPlan:
    """How contigs are divided.

    Attributes:
        by: "position" cuts every contig into train, valid, test from left to right by `fractions`;
            "contig" gives whole contigs to `valid_contigs` and `test_contigs`, the rest to train; where neither is
            named, of every ten contigs in file order the 5th and 9th are test and the 10th valid;
            "column" takes pieces from a table with a split column (see `read_split_table`);
            "train" puts whole contigs into train, every tenth (in file order) into valid;
            "valid" and "test" put everything into that split (separate inputs).
        fractions: train, valid, test parts of "position"; they sum to 1.
        valid_contigs: contig names.
        test_contigs: contig names.
        table: pieces by contig, for "column".
    """

    by: Literal["position", "contig", "column", "train", "train-only", "valid", "test"] = "position"
    fractions: tuple[float, float, float] = (0.72, 0.08, 0.20)
    valid_contigs: frozenset[str] = frozenset()
    test_contigs: frozenset[str] = frozenset()
    table: Mapping[str, tuple[Piece, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if min(self.fractions) < 0 or abs(sum(self.fractions) - 1) > 1e-6:
            raise ConfigError(f"split fractions {self.fractions}; expected three that are not negative and sum to 1")
        if both := self.valid_contigs & self.test_contigs:
            raise ConfigError(f"contig {min(both)!r} is named for valid and for test; choose one")

    def pieces(self, chrom: str, length_bp: int, index: int) -> tuple[Piece, ...]:
        """Pieces of one contig, ascending; `index` is its 0-based place in the file."""
        if self.by == "column":
            return tuple(piece for piece in self.table.get(chrom, ()) if piece.start < length_bp)
        if self.by == "position":
            first = round(length_bp * self.fractions[0])
            second = round(length_bp * (self.fractions[0] + self.fractions[1]))
            cuts = (0, first, second, length_bp)
            return tuple(
                Piece(chrom, start, end, split) for start, end, split in zip(cuts, cuts[1:], SPLITS) if end > start
            )
        return (Piece(chrom, 0, length_bp, self._whole(chrom, index)),)

    def _whole(self, chrom: str, index: int) -> str:
        if self.by == "contig" and (self.valid_contigs or self.test_contigs):
            return "valid" if chrom in self.valid_contigs else "test" if chrom in self.test_contigs else "train"
        if self.by == "contig":
            return {4: "test", 8: "test", 9: "valid"}.get(index % 10, "train")
        if self.by == "train":
            return "valid" if index % 10 == 9 else "train"
        return "train" if self.by == "train-only" else self.by


def read_split_table(path: str | Path) -> dict[str, tuple[Piece, ...]]:
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
    found: dict[str, list[_Row]] = {}
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        fields = line.split("\t")
        try:
            chrom, start, end, split = (fields[column] for column in columns)
            piece = _Row(chrom, int(start), int(end), split, line=number)
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
    return {chrom: _merged(path, sorted(pieces)) for chrom, pieces in found.items()}


@dataclass(frozen=True, slots=True, order=True)
class _Row(Piece):
    """A piece as a table gives it, with its 1-based line."""

    line: int


def _merged(path: Path, pieces: Sequence[_Row]) -> tuple[Piece, ...]:
    """Join touching pieces of one split; refuse an overlap of two."""
    merged: list[Piece] = []
    for piece in pieces:
        last = merged[-1] if merged else None
        if last and piece.start < last.end and piece.split != last.split:
            found = f"{piece.chrom}:{piece.start}-{piece.end} is {piece.split} and overlaps a {last.split} piece"
            raise InputError(path, found, expected="splits that share no base", line=piece.line)
        if last and piece.start <= last.end and piece.split == last.split:
            merged[-1] = Piece(last.chrom, last.start, max(last.end, piece.end), last.split)
        else:
            merged.append(Piece(piece.chrom, piece.start, piece.end, piece.split))
    return tuple(merged)
