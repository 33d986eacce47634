"""Windows of a contig: where they lie, which of them are kept, and how they reach the dataset.

Windows are intervals (n, 2) int64 of starts and ends, 0-based half-open. Splits are indices into `SPLITS`.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pydantic import Field

from dnaspt.config import MOST_BP, MOST_SEED
from dnaspt.data.dataset import Window
from dnaspt.data.manifest import SPLITS
from dnaspt.genome import alphabet
from dnaspt.genome.fasta import Contig, contig_lengths, contig_names
from dnaspt.genome.intervals import containing, count_true, coverage
from dnaspt.genome.transcripts import Transcript
from dnaspt.prepare.folds import FoldPlan, bins_with_labels, plan_in_folds
from dnaspt.prepare.splits import SplitInterval, SplitPlan, SplitSettings
from dnaspt.prepare.writer import DatasetWriter

_OUTSIDE = -1
"""Split of a window that lies in none."""
_MOST_BINS = 10_000
"""Bins between which folds may be cut, about, in all."""
_RESERVED = ("chrom", "start", "end", "name")
"""Columns of a table of predictions beside those of the labels."""
LABEL_NAME = f"a name that can stand in the name of a file, and is not {', '.join(_RESERVED)}"
"""What the name of a label must be."""


def unfit_names(names: Iterable[str]) -> list[str]:
    """The names that no label can have: see `LABEL_NAME`."""
    return [name for name in names if not name.strip() or "/" in name or name in _RESERVED]


class WindowSettings(SplitSettings):
    """Settings of every dataset whose windows have labels as a whole."""

    out: Path
    """Dataset folder to write."""
    genome: Path
    """FASTA of the genome, plain, gzip or bgzip."""
    window_bp: int = Field(512, ge=2, le=MOST_BP)
    """Length of a window in bp. Make it longer if the labels depend on sequence further away; time and memory grow with
    it."""
    max_n_fraction: float = Field(0.5, ge=0, le=1)
    """Windows with a larger share of N are dropped. Lower it for a genome with many gaps; 1 keeps all windows."""
    split: str = "position"
    """How contigs are divided: `position` (parts of each contig, by `fractions`), `contig` (whole contigs), `train`
    (all for train, but a tenth for valid), `train-only`, `valid` or `test` (all for one split), or the path of a table
    with the columns chromosome, start, end, split. Take `contig` to test on whole chromosomes, a table to repeat a
    published split."""
    seed: int = Field(0, ge=0, le=MOST_SEED)
    """Seed of the draw of background windows in `prepare regions`; no effect elsewhere. Change it for another draw."""
    strict: bool = False
    """Make it an error that splits share sequence, that a contig of a file is not in the genome, or that calls or peaks
    leave a doubt; else these are counted or named in a warning. Turn it on for results that you publish."""
    overwrite: bool = False
    """Whether to replace the dataset folder `out` if it exists. Turn it on to prepare again with other settings."""

    def plan_of_genome(self, only: Set[str] | None = None) -> SplitPlan:
        """How the contigs of the genome are divided; with `only`, the contigs of these names."""
        plan = self.plan()
        if not plan.needs_contigs:
            return plan
        return plan.among([name for name in contig_names(self.genome) if only is None or name in only])

    def plan_in_folds(
        self, positions: Mapping[str, np.ndarray], only: Set[str] | None = None
    ) -> tuple[SplitPlan, FoldPlan | None]:
        """How the contigs of the genome are divided, and the folds, where there are to be some.

        Args:
            positions: where labels lie on each contig, by which folds are balanced.
            only: the contigs that are divided; None for all of the genome.
        """
        plan = self.plan_of_genome(only)
        if self.folds is None:
            return plan, None
        lengths = contig_lengths(self.genome)
        lengths = {name: length_bp for name, length_bp in lengths.items() if only is None or name in only}
        bin_bp = self.window_bp * max(4, sum(lengths.values()) // (_MOST_BINS * self.window_bp))
        loci = {
            name: bins_with_labels(positions.get(name, np.zeros(0, np.int64)), length_bp, bin_bp)
            for name, length_bp in lengths.items()
        }
        return plan_in_folds(plan, lengths, loci, self.folds, frozenset(self.always_train))

    def recorded(self, folds: FoldPlan | None = None) -> dict[str, Any]:
        """The settings as the manifest keeps them: those that decide what is in the tables; and the intervals of folds."""
        settings = self.model_dump(mode="json", exclude=self.not_recorded)
        if folds is None:
            return settings
        given = {} if "split" in self.model_fields_set else {"split": None}
        return settings | given | {"fold_intervals": folds.cuts()}

    def files(self) -> tuple[Path, ...]:
        """Every file that is read, in the order in which the manifest lists them."""
        return (self.genome, *self.label_files(), *super().files())

    def label_files(self) -> tuple[Path, ...]:
        """The files that the labels come from, and others that only this kind of dataset reads."""
        return ()


def from_starts(starts: np.ndarray, window_bp: int) -> np.ndarray:
    """Windows of one length: starts (n,) -> (n, 2)."""
    return np.stack([starts, starts + window_bp], axis=1)


def tiled_starts(intervals: Sequence[SplitInterval], window_bp: int, stride_bp: int, length_bp: int) -> np.ndarray:
    """Starts of the windows that fit into each interval of a contig at a fixed step, from its left end on: (n,) int64."""
    starts = [
        np.arange(interval.start, min(interval.end, length_bp) - window_bp + 1, stride_bp) for interval in intervals
    ]
    return np.concatenate([np.zeros(0, dtype=np.int64), *starts]).astype(np.int64)


class FlankedWindow(NamedTuple):
    """A window from start to end. Only its core has labels; the flanks on both sides are context."""

    start: int
    end: int
    core_start: int
    core_end: int


def tile_with_flanks(interval: SplitInterval, window_bp: int, flank_bp: int = 0) -> Iterator[FlankedWindow]:
    """Cut an interval into cores of `window_bp`, each base in one core, with flanks that stay inside the interval.

    The last core is what remains. If that is less than an eighth of a window, the last two cores share their bases evenly,
    so that no window is too short to learn from.
    """
    cuts = [*range(interval.start, interval.end, window_bp), interval.end]
    if len(cuts) > 2 and cuts[-1] - cuts[-2] < window_bp / 8:
        cuts[-2] = (cuts[-3] + cuts[-1] + 1) // 2
    for start, end in pairwise(cuts):
        yield FlankedWindow(max(interval.start, start - flank_bp), min(interval.end, end + flank_bp), start, end)


def around_genes(interval: SplitInterval, transcripts: Iterable[Transcript], flank_bp: int) -> Iterator[FlankedWindow]:
    """A window around each transcript that lies in the interval: its CDS from first to last base and `flank_bp` on both sides.

    The window stays inside the interval. All of it is core: the labels of neighboring genes count too.
    """
    for transcript in transcripts:
        if interval.start <= transcript.start and transcript.end <= interval.end:
            start = max(interval.start, transcript.start - flank_bp)
            end = min(interval.end, transcript.end + flank_bp)
            yield FlankedWindow(start, end, start, end)


@dataclass(frozen=True, slots=True)
class KeptWindows:
    """Windows that passed a filter.

    Attributes:
        rows: their row numbers (n,).
        split: index of their split in `SPLITS` (n,) int8.
    """

    rows: np.ndarray
    split: np.ndarray


@dataclass(frozen=True, slots=True)
class WindowFilter:
    """Which windows of one contig are kept.

    Attributes:
        intervals: the contig's intervals by split; a window must lie in one of them.
        max_n_fraction: largest share of N in a window.
        blacklist: intervals (m, 2) that no window may touch.
    """

    intervals: Sequence[SplitInterval]
    max_n_fraction: float = 1.0
    blacklist: np.ndarray | None = None

    def keep(self, contig: Contig, windows: np.ndarray, dropped: Counter[str]) -> KeptWindows:
        """Apply the filter to windows (n, 2), and count those that are dropped by reason in `dropped`."""
        rows = np.arange(len(windows))
        on_contig = (windows[:, 0] >= 0) & (windows[:, 1] <= len(contig))
        dropped["off_contig"] += int((~on_contig).sum())
        rows = rows[on_contig]
        split = split_of(self.intervals, windows[rows])
        dropped["not_in_one_split"] += int((split == _OUTSIDE).sum())
        rows, split = rows[split != _OUTSIDE], split[split != _OUTSIDE]
        if self.blacklist is not None:
            is_free = coverage(windows[rows], self.blacklist) == 0
            dropped["blacklist"] += int((~is_free).sum())
            rows, split = rows[is_free], split[is_free]
        if self.max_n_fraction < 1:
            n_unknown = count_true(alphabet.is_unknown(contig.codes), windows[rows])
            is_known = n_unknown <= self.max_n_fraction * (windows[rows, 1] - windows[rows, 0])
            dropped["unknown_bases"] += int((~is_known).sum())
            rows, split = rows[is_known], split[is_known]
        return KeptWindows(rows, split)


def split_of(intervals: Sequence[SplitInterval], windows: np.ndarray) -> np.ndarray:
    """Split of the interval that holds each whole window (n, 2), -1 where none does: (n,) int8."""
    if not intervals:
        return np.full(len(windows), _OUTSIDE, dtype=np.int8)
    splits = np.array([SPLITS.index(interval.split) for interval in intervals], dtype=np.int8)
    index = containing(windows, np.array([(interval.start, interval.end) for interval in intervals]))
    return np.where(index >= 0, splits[index], _OUTSIDE).astype(np.int8)


@dataclass(frozen=True, slots=True)
class LabeledWindows:
    """Windows of one contig for the dataset.

    Attributes:
        intervals: starts and ends (n, 2).
        split: index of the split in `SPLITS` (n,).
        labels: (n, K) int8 of 0, 1 and `MISSING`, or float32 numbers.
        strands: "+", "-" or "." (n,); "." for all if left out.
    """

    intervals: np.ndarray
    split: np.ndarray
    labels: np.ndarray
    strands: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.intervals)


def add_windows(writer: DatasetWriter, contig: Contig, windows: LabeledWindows) -> None:
    """Write windows of a contig; one on the minus strand is written as it reads 5' to 3' on that strand."""
    splits = [SPLITS[index] for index in windows.split.tolist()]
    strands = ["."] * len(windows) if windows.strands is None else windows.strands.tolist()
    for split, (start, end), strand, labels in zip(splits, windows.intervals.tolist(), strands, windows.labels):
        codes = contig.codes[start:end].copy()  # a view would keep the whole contig in memory
        if strand == "-":
            codes = alphabet.reverse_complement(codes)
        writer.add(split, Window(contig.name, start, end, strand, codes, labels))
