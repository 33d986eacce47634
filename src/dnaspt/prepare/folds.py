"""Intervals of a genome to the folds of a cross-validation, balanced by label, and to the blocks that a fold chooses weights on.

A fold is tested with models that are trained on the other folds. Every fold is cut into up to ten blocks; every model is chosen
on a tenth of the blocks of the other folds, and never reads them in training. Cuts fall between loci, so no gene is cut.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from dnaspt.config import MOST_FOLDS
from dnaspt.errors import ConfigError
from dnaspt.genome.intervals import cluster
from dnaspt.prepare.splits import Folds, SplitInterval, SplitPlan, SplitTable

N_BLOCKS = 10
"""Blocks of a fold, at most; of the blocks of all other folds, one in so many chooses weights."""
_MOST_UNEVEN = 2.0
"""Whole contigs make folds where none has more than twice the labels of another; else contigs are cut."""


@dataclass(frozen=True, slots=True, order=True)
class FoldInterval:
    """An interval of a contig that belongs to one block of one fold.

    Attributes:
        chrom: contig name.
        start: 0-based start.
        end: half-open end.
        fold: number of the fold, from 1; 0 where the interval is in train of every fold.
        block: number of the block, from 1, over all folds; 0 where the interval is in train of every fold.
    """

    chrom: str
    start: int
    end: int
    fold: int
    block: int


@dataclass(frozen=True, slots=True)
class FoldPlan:
    """How a genome is divided into folds.

    Attributes:
        n_folds: number of folds.
        intervals: every interval, in the order of the genome.
        blocks: for each fold its blocks that have labels.
        has_valid: whether the dataset has a valid split of its own.
    """

    n_folds: int
    intervals: tuple[FoldInterval, ...]
    blocks: tuple[tuple[int, ...], ...]
    has_valid: bool = False
    _by_contig: dict[str, list[FoldInterval]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for interval in sorted(self.intervals):
            self._by_contig.setdefault(interval.chrom, []).append(interval)

    def at(self, chrom: str, start: int, end: int) -> tuple[int, int]:
        """Fold and block of the interval that holds a window as a whole.

        Raises:
            ValueError: none does.
        """
        intervals = self._by_contig.get(chrom, [])
        index = bisect_right(intervals, start, key=lambda interval: interval.start) - 1
        if index < 0 or intervals[index].end < end:
            raise ValueError(f"{chrom}:{start}-{end} lies in no fold")
        return intervals[index].fold, intervals[index].block

    def valid_blocks(self, fold: int, present: Set[int]) -> tuple[int, ...]:
        """Blocks of the other folds on which the weights of a fold are chosen: one in ten of those that have labels.

        Which of them depends on the fold, so that most bases are in train of some fold.

        Args:
            fold: number of the fold, from 1.
            present: blocks in which there are windows.

        Returns:
            The blocks; none where the dataset has a valid split of its own.

        Raises:
            ConfigError: one block is left, which cannot be for train and for valid.
        """
        if self.has_valid:
            return ()
        others = (blocks for number, blocks in enumerate(self.blocks, start=1) if number != fold)
        rest = [block for blocks in others for block in blocks if block in present]
        if len(rest) < 2:
            found = f"besides fold {fold} there are {len(rest)} blocks with labels"
            raise ConfigError(
                f"{found}; expected one for train and one for valid; say other folds, or prepare more data"
            )
        step = min(N_BLOCKS, len(rest))
        return tuple(rest[(fold - 1) % step :: step])

    def contigs_of(self, fold: int) -> tuple[str, ...]:
        """Contigs on which a fold lies, in the order of the genome."""
        return tuple(dict.fromkeys(interval.chrom for interval in self.intervals if interval.fold == fold))

    def cuts(self) -> list[list[str | int]]:
        """The intervals for the settings of a manifest: contig, start, end, fold and block of each."""
        return [[row.chrom, row.start, row.end, row.fold, row.block] for row in self.intervals]


@dataclass(frozen=True, slots=True)
class _Units:
    """The u smallest intervals between which cuts may fall, in the order of the genome.

    Attributes:
        interval: number of the interval that each lies in (u,).
        bounds: starts and ends (u, 2).
        weight: labels in each (u,): where there are none at all, bases.
    """

    interval: np.ndarray
    bounds: np.ndarray
    weight: np.ndarray


def loci_of(intervals: Iterable[tuple[int, int, float]]) -> np.ndarray:
    """Intervals that are not to be cut, each with its labels: those that overlap as one, ascending, (n, 3) int64."""
    rows = np.array(list(intervals), dtype=np.int64).reshape(-1, 3)
    if not len(rows):
        return rows
    group = cluster(rows[:, :2])
    n_groups = int(group.max()) + 1
    starts, ends = np.full(n_groups, np.iinfo(np.int64).max), np.zeros(n_groups, np.int64)
    np.minimum.at(starts, group, rows[:, 0])
    np.maximum.at(ends, group, rows[:, 1])
    weights = np.bincount(group, weights=rows[:, 2], minlength=n_groups).astype(np.int64)
    return np.stack([starts, ends, weights], axis=1)


def bins_with_labels(positions: np.ndarray, length_bp: int, bin_bp: int) -> np.ndarray:
    """A contig in bins between which cuts may fall, with the number of labels in each: (n, 3) int64.

    Args:
        positions: where labels lie, in any order (m,).
        length_bp: length of the contig.
        bin_bp: length of a bin; the last one holds what remains.
    """
    starts = np.arange(0, max(length_bp - bin_bp, 0) + 1, bin_bp)
    ends = np.append(starts[1:], length_bp)
    rows = np.minimum(positions[(positions >= 0) & (positions < length_bp)] // bin_bp, len(starts) - 1)
    return np.stack([starts, ends, np.bincount(rows.astype(np.int64), minlength=len(starts))], axis=1)


def divide(
    intervals: Sequence[SplitInterval],
    loci: Mapping[str, np.ndarray],
    folds: Folds,
    *,
    always_train: Set[str] = frozenset(),
    has_valid: bool = False,
) -> FoldPlan:
    """Divide intervals of a genome into folds, and folds into blocks; the same input gives the same folds.

    Where there are contigs enough, a fold is some whole contigs, else a stretch of the genome, balanced by label.

    Args:
        intervals: what is to be divided, in the order of the genome.
        loci: what is not to be cut on each contig: start, end and number of labels (n, 3), ascending and disjoint.
        folds: how many folds, or "contigs" for one of each contig.
        always_train: contigs that are in train of every fold.
        has_valid: whether weights are chosen on a valid split of the dataset's own.

    Raises:
        ConfigError: too few contigs or too few loci for so many folds, or too many contigs.
    """
    divided = [interval for interval in intervals if interval.chrom not in always_train]
    contigs = list(dict.fromkeys(interval.chrom for interval in divided))
    units = _units_of(divided, loci)
    contig_of_interval = np.array([contigs.index(interval.chrom) for interval in divided], dtype=np.int64)
    contig = contig_of_interval[units.interval]
    if folds == "contigs":
        fold, n_folds = contig + 1, len(contigs)
        if not 2 <= n_folds <= MOST_FOLDS:
            found = f"folds 'contigs' of {n_folds} contig{'s' * (n_folds != 1)}"
            do = "name small contigs in always_train, or say how many folds, such as 5"
            raise ConfigError(f"{found}; expected 2 to {MOST_FOLDS}; {do}")
    else:
        fold, n_folds = _balanced(contig, len(contigs), units.weight, folds), folds
    block, with_labels = _blocks(fold, n_folds, units.weight)
    return FoldPlan(
        n_folds,
        _joined(intervals, always_train, units, fold, block),
        with_labels,
        has_valid,
    )


def plan_in_folds(
    plan: SplitPlan,
    lengths: Mapping[str, int],
    loci: Mapping[str, np.ndarray],
    folds: Folds,
    always_train: Set[str] = frozenset(),
) -> tuple[SplitPlan, FoldPlan]:
    """Divide what a plan gives to train into folds.

    Args:
        plan: how contigs are divided into splits.
        lengths: length in bp of each contig that is divided, in the order of the genome.
        loci: what is not to be cut, see `divide`.
        folds: how many folds, or "contigs" for one of each contig.
        always_train: contigs that are in train of every fold.

    Returns:
        A plan whose intervals end where blocks of folds end, so that a window lies in one of them; and the folds.

    Raises:
        ConfigError: a contig of `always_train` is not among these, or too few or too many contigs or loci.
    """
    if absent := sorted(always_train - lengths.keys()):
        raise ConfigError(f"contig {absent[0]!r} of always_train is not among those with labels; check its name")
    intervals = [interval for chrom, length_bp in lengths.items() for interval in plan.intervals(chrom, length_bp)]
    train = [interval for interval in intervals if interval.split == "train"]
    has_valid = any(interval.split == "valid" for interval in intervals)
    fold_plan = divide(train, loci, folds, always_train=always_train, has_valid=has_valid)
    rest = [interval for interval in intervals if interval.split != "train"]
    cut = [SplitInterval(row.chrom, row.start, row.end, "train") for row in fold_plan.intervals]
    by_contig: dict[str, list[SplitInterval]] = {chrom: [] for chrom in lengths}
    for interval in sorted([*rest, *cut]):
        by_contig[interval.chrom].append(interval)
    table = SplitTable(Path(), {chrom: tuple(own) for chrom, own in by_contig.items()})
    return replace(plan, by="column", table=table), fold_plan


def _units_of(intervals: Sequence[SplitInterval], loci: Mapping[str, np.ndarray]) -> _Units:
    """Each interval cut halfway between its loci. A locus that reaches out of an interval has no label there."""
    numbers, bounds, weights = [], [], []
    for number, interval in enumerate(intervals):
        own = loci.get(interval.chrom, np.zeros((0, 3), np.int64))
        own = own[(own[:, 1] > interval.start) & (own[:, 0] < interval.end)]
        is_whole = (own[:, 0] >= interval.start) & (own[:, 1] <= interval.end)
        cuts = (own[:-1, 1] + own[1:, 0]) // 2
        edges = np.concatenate([[interval.start], cuts, [interval.end]])
        bounds.append(np.stack([edges[:-1], edges[1:]], axis=1))
        weights.append(np.where(is_whole, own[:, 2], 0) if len(own) else np.zeros(1, np.int64))
        numbers.append(np.full(len(edges) - 1, number))
    if not numbers:
        raise ConfigError("no contig is left to divide into folds; name fewer of them in always_train")
    merged, weight = np.concatenate(bounds), np.concatenate(weights)
    return _Units(np.concatenate(numbers), merged, weight if weight.any() else merged[:, 1] - merged[:, 0])


def _balanced(contig: np.ndarray, n_contigs: int, weight: np.ndarray, n_folds: int) -> np.ndarray:
    """Fold (u,) from 1 of each unit: whole contigs where that balances the labels, else stretches of the genome.

    Raises:
        ConfigError: fewer units with labels than folds.
    """
    by_contig = np.bincount(contig, weights=weight, minlength=n_contigs)
    sums, fold_of = np.zeros(n_folds), np.zeros(n_contigs, dtype=np.int64)
    for number in np.argsort(-by_contig, kind="stable"):  # the largest first, each to the fold with the fewest labels
        fold_of[number] = np.argmin(sums)
        sums[fold_of[number]] += by_contig[number]
    if n_contigs >= n_folds and sums.min() > 0 and sums.max() <= _MOST_UNEVEN * sums.min():
        in_order = {old: new for new, old in enumerate(dict.fromkeys(fold_of.tolist()), start=1)}
        return np.asarray(np.array([in_order[old] for old in fold_of.tolist()])[contig])
    if (n_units := int((weight > 0).sum())) < n_folds:
        raise ConfigError(f"{n_folds} folds of {n_units} loci with labels; expected as many loci; say fewer folds")
    return _groups(weight, n_folds) + 1


def _groups(weight: np.ndarray, n: int) -> np.ndarray:
    """Divide units in their order into n groups of about equal weight, none without weight: (u,) -> (u,) int64 from 0."""
    with_weight = np.flatnonzero(weight > 0)
    sums = np.cumsum(weight[with_weight])
    lasts: list[int] = []
    for number in range(1, n):
        first = lasts[-1] + 1 if lasts else 0
        stop = len(with_weight) - (n - number)  # leaves a unit to each group that follows
        lasts.append(first + int(np.argmin(np.abs(sums[first:stop] - sums[-1] * number / n))))
    before = np.searchsorted(with_weight, np.arange(len(weight)), side="right") - 1
    return np.asarray(np.searchsorted(np.array(lasts, dtype=np.int64), np.maximum(before, 0), side="left"))


def _blocks(fold: np.ndarray, n_folds: int, weight: np.ndarray) -> tuple[np.ndarray, tuple[tuple[int, ...], ...]]:
    """Block (u,) of each unit, from 1, and for each fold its blocks that have labels."""
    block = np.zeros(len(fold), dtype=np.int64)
    with_labels: list[tuple[int, ...]] = []
    n_before = 0
    for number in range(1, n_folds + 1):
        own = np.flatnonzero(fold == number)
        n = min(N_BLOCKS, int((weight[own] > 0).sum()))
        block[own] = n_before + 1 + (_groups(weight[own], n) if n else 0)
        with_labels.append(tuple(range(n_before + 1, n_before + n + 1)))
        n_before += max(n, 1)
    return block, tuple(with_labels)


def _joined(
    intervals: Sequence[SplitInterval],
    always_train: Set[str],
    units: _Units,
    fold: np.ndarray,
    block: np.ndarray,
) -> tuple[FoldInterval, ...]:
    """Units of one interval and one block as one, beside the intervals that are always in train; in the order of the genome."""
    joined: list[FoldInterval] = []
    number = -1
    for interval in intervals:
        if interval.chrom in always_train:
            joined.append(FoldInterval(interval.chrom, interval.start, interval.end, 0, 0))
            continue
        number += 1
        rows = np.flatnonzero(units.interval == number)
        for own in np.split(rows, np.flatnonzero(np.diff(block[rows])) + 1):
            start, end = int(units.bounds[own[0], 0]), int(units.bounds[own[-1], 1])
            joined.append(FoldInterval(interval.chrom, start, end, int(fold[own[0]]), int(block[own[0]])))
    return tuple(joined)
