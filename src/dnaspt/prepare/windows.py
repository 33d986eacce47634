"""What the datasets of labeled windows share: settings, which windows stay, and windows of a contig to the dataset."""

import logging
from collections import Counter
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from dnaspt.data.dataset import Window
from dnaspt.data.manifest import SPLITS, Source
from dnaspt.errors import ConfigError, InputError
from dnaspt.genome import alphabet
from dnaspt.genome.fasta import Contig, contig_names
from dnaspt.genome.intervals import containing, count_true, coverage
from dnaspt.prepare.splits import Piece, SplitPlan, SplitSettings
from dnaspt.prepare.writer import DatasetWriter

log = logging.getLogger(__name__)

_OUTSIDE = -1


class WindowSettings(SplitSettings):
    """Settings of every dataset of windows with one label set each.

    max_n_fraction: windows with a larger share of N are dropped.
    strict: a contig without a record in the genome, or sequence shared by splits, is an error and no count.
    """

    out: Path
    genome: Path
    window_bp: int = Field(512, ge=2)
    max_n_fraction: float = Field(0.5, ge=0, le=1)
    split: str = "position"
    seed: int = Field(0, ge=0)
    strict: bool = False
    overwrite: bool = False

    def plan_of_genome(self, only: Set[str] | None = None) -> SplitPlan:
        """How the contigs of the genome are divided, of all or of those named."""
        plan = self.plan()
        if not plan.needs_contigs:
            return plan
        return plan.among([name for name in contig_names(self.genome) if only is None or name in only])

    def recorded(self) -> dict[str, Any]:
        """The settings as the manifest keeps them: all that decide what is in the tables."""
        return self.model_dump(mode="json", exclude={"out", "overwrite"})

    def sources(self, paths: Iterable[Path | None]) -> tuple[Source, ...]:
        """Digests of the genome, the split table and the other files that were given."""
        return tuple(Source.of(path) for path in (self.genome, *paths, self.split_table) if path is not None)


@dataclass(frozen=True, slots=True)
class Placed:
    """Windows that may stay: their row numbers (n,) and the index of their split in `SPLITS` (n,)."""

    rows: np.ndarray
    split: np.ndarray


@dataclass(frozen=True, slots=True)
class Limits:
    """Which windows of a contig may stay; blacklist: intervals (n, 2)."""

    pieces: Sequence[Piece]
    max_n_fraction: float = 1.0
    blacklist: np.ndarray | None = None

    def place(self, contig: Contig, starts: np.ndarray, ends: np.ndarray, dropped: Counter[str]) -> Placed:
        """Keep windows that lie in one split, outside the blacklist, on known bases; count the others by reason."""
        rows, windows = np.arange(len(starts)), np.stack([starts, ends], axis=1)
        on_contig = (starts >= 0) & (ends <= len(contig))
        dropped["off_contig"] += int((~on_contig).sum())
        rows = rows[on_contig]
        split = split_of(self.pieces, starts[rows], ends[rows])
        dropped["not_in_one_split"] += int((split == _OUTSIDE).sum())
        rows, split = rows[split != _OUTSIDE], split[split != _OUTSIDE]
        if self.blacklist is not None:
            free = coverage(windows[rows], self.blacklist) == 0
            dropped["blacklist"] += int((~free).sum())
            rows, split = rows[free], split[free]
        if self.max_n_fraction < 1:
            n_unknown = count_true(alphabet.is_unknown(contig.codes), windows[rows])
            known = n_unknown <= self.max_n_fraction * (ends[rows] - starts[rows])
            dropped["unknown_bases"] += int((~known).sum())
            rows, split = rows[known], split[known]
        return Placed(rows, split)


def split_of(pieces: Sequence[Piece], starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Index in `SPLITS` of the piece that holds a whole window, -1 where none does: (n,) int8."""
    if not pieces:
        return np.full(len(starts), _OUTSIDE, dtype=np.int8)
    splits = np.array([SPLITS.index(piece.split) for piece in pieces], dtype=np.int8)
    index = containing(np.stack([starts, ends], axis=1), np.array([(piece.start, piece.end) for piece in pieces]))
    return np.where(index >= 0, splits[index], _OUTSIDE).astype(np.int8)


@dataclass(frozen=True, slots=True)
class Chosen:
    """Windows of one contig for the dataset.

    Attributes:
        starts: 0-based (n,).
        ends: half-open (n,).
        split: index in `SPLITS` (n,).
        labels: (n, K) int8 of 0, 1 and `MISSING`.
        strands: "+", "-" or "." (n,); "." throughout where left out.
    """

    starts: np.ndarray
    ends: np.ndarray
    split: np.ndarray
    labels: np.ndarray
    strands: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.starts)


def add_windows(writer: DatasetWriter, contig: Contig, chosen: Chosen) -> None:
    """Write the windows; one on the minus strand is written as it reads 5' to 3' on that strand."""
    splits = [SPLITS[index] for index in chosen.split.tolist()]
    strands = ["."] * len(chosen) if chosen.strands is None else chosen.strands.tolist()
    rows = zip(splits, chosen.starts.tolist(), chosen.ends.tolist(), strands, chosen.labels)
    for split, start, end, strand, labels in rows:
        codes = contig.codes[start:end].copy()  # a view would keep the whole contig in memory
        if strand == "-":
            codes = alphabet.reverse_complement(codes)
        writer.add(split, Window(contig.name, start, end, strand, codes, labels))


def check_contigs(path: Path, wanted: Iterable[str], genome: Path, present: set[str], *, strict: bool) -> list[str]:
    """Contigs of a file that the genome does not have, sorted.

    Raises:
        InputError: none of them is there, or, with `strict`, one is not.
    """
    wanted = set(wanted)
    absent = sorted(wanted - present)
    if absent and (strict or len(absent) == len(wanted)):
        found = f"contig {absent[0]!r} has no record in {genome} ({len(absent)} of {len(wanted)} contigs have none)"
        with_chr = {name.removeprefix("chr") for name in wanted} & {name.removeprefix("chr") for name in present}
        differs = with_chr and len(absent) == len(wanted)
        do = "the names differ only in 'chr': rename one side" if differs else "is it the genome of these intervals?"
        raise InputError(path, found, expected=f"names such as {min(present)!r}", do=do)
    return absent


def check_split_contigs(settings: WindowSettings, plan: SplitPlan, present: set[str]) -> None:
    """Refuse a split that names contigs the genome does not have.

    Raises:
        ConfigError: a contig of `valid_contigs` or `test_contigs` is absent.
        InputError: no contig of the split table is there, or, with `strict`, one is not.
    """
    if absent := sorted((plan.valid_contigs | plan.test_contigs) - present):
        raise ConfigError(f"contig {absent[0]!r} of the split has no record in {settings.genome}; check its name")
    if plan.table is not None:
        check_contigs(plan.table.path, plan.table.pieces, settings.genome, present, strict=settings.strict)
