"""FASTA and regions (peaks by label, or windows that bring labels) to a dataset of windows, K labels of 0 or 1 each.

A window is positive for a label when at least `min_overlap` of its central `core_bp` lies in the label's regions.
"""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, Self

import numpy as np
from pydantic import Field, model_validator

from dnaspt.data.manifest import SPLITS, Manifest
from dnaspt.errors import ConfigError
from dnaspt.genome.bed import LabeledRegions, Regions, has_labels, read_bed, read_labeled_bed
from dnaspt.genome.fasta import Contig, read_fasta
from dnaspt.genome.intervals import coverage
from dnaspt.prepare.background import Background, merge_centers
from dnaspt.prepare.region_labels import peak_labels, row_labels, row_splits
from dnaspt.prepare.splits import Piece, SplitPlan, check_written
from dnaspt.prepare.windows import (
    Chosen,
    Limits,
    WindowSettings,
    add_windows,
    check_contigs,
    check_split_contigs,
)
from dnaspt.prepare.writer import DatasetWriter

log = logging.getLogger(__name__)

_MANY_UNUSED = 0.1
"""Share of the regions that may label no window without a word."""


class PrepareRegionsConfig(WindowSettings):
    """Settings of `prepare regions`.

    regions: BED or narrowPeak, one label per file (its stem); or one table with a `label` column in BEND's format,
        whose rows are taken as they are.
    labels_file: names of the labels, one a line; for peaks it orders the files' stems, or names them in order.
    n_labels: of a table with a `label` column and without `labels_file`, whose largest index may not occur.
    background: "all" tiles the genome (unlabeled windows are all zero); "matched" centers windows on regions that reach
        `min_overlap` and adds `background_ratio` windows without any for each, of the same length, split, and, with
        `match_gc`, GC.
    stride_bp: step of the tiling; window_bp where left out.
    blacklist: BED; windows that touch it are dropped.
    """

    regions: tuple[Path, ...] = Field(min_length=1)
    labels_file: Path | None = None
    n_labels: int | None = Field(None, ge=1)
    core_bp: int = Field(256, ge=1)
    min_overlap: float = Field(0.5, gt=0, le=1)
    stride_bp: int | None = Field(None, ge=1)
    background: Literal["all", "matched"] = "all"
    background_ratio: float = Field(1.0, ge=0)
    match_gc: bool = True
    blacklist: Path | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.core_bp > self.window_bp:
            raise ValueError(f"core_bp {self.core_bp} is more than window_bp {self.window_bp}")
        return self

    @property
    def needed_bp(self) -> int:
        """Bases of the core that make a window positive."""
        return max(1, int(np.ceil(self.min_overlap * self.core_bp - 1e-9)))


class _Chooser(Protocol):
    """Where windows come from: chooses those of one contig, and says what the regions are."""

    labels: tuple[str, ...]
    window_bp: int
    files: tuple[Regions, ...]
    wanted: frozenset[str]

    def choose(self, contig: Contig, index: int) -> Chosen: ...

    def finish(self) -> None: ...


def prepare_regions(config: PrepareRegionsConfig, about: Mapping[str, Any] | None = None) -> Manifest:
    """Write the dataset folder `config.out`, one contig after the other; nothing is left behind where this fails.

    Dropped and counted: regions on a contig without a record (`contig_not_in_genome`) or that make no window positive
    (`region_without_window`; with matched background those too narrow for `min_overlap` of the core, as
    `regions_below_min_overlap`), and windows that run off their contig, lie across splits, touch the blacklist, or hold
    too many N (`unknown_bases`). about: settings to record beside these.

    Raises:
        InputError: a file that cannot be used, a region off its contig, no contig in common, or no window left, in all or
            in a split that training needs.
        ConfigError: settings that contradict each other or the files.
        DatasetError: `config.out` is there already, or, with `strict`, splits share sequence.
    """
    plan = config.plan_of_genome()
    counts, dropped = Counter[str](), Counter[str]()
    with DatasetWriter(config.out, overwrite=config.overwrite) as writer:
        blacklist = read_bed(config.blacklist) if config.blacklist else None
        chooser = _chooser(config, plan, blacklist, counts, dropped)
        names: set[str] = set()
        for index, contig in enumerate(read_fasta(config.genome)):
            names.add(contig.name)
            chosen = chooser.choose(contig, index)
            counts["windows"] += len(chosen)
            counts["windows_with_a_label"] += int((chosen.labels == 1).any(axis=1).sum())
            add_windows(writer, contig, chosen)
        chooser.finish()
        check_split_contigs(config, plan, names)
        for regions in chooser.files:
            rows = regions.rows_by_contig()
            absent = check_contigs(regions.path, rows, config.genome, names, strict=config.strict)
            counts["regions"] += len(regions)
            dropped["contig_not_in_genome"] += sum(len(rows[name]) for name in absent)
        if blacklist is not None:
            check_contigs(blacklist.path, blacklist.rows_by_contig(), config.genome, names, strict=False)
        check_written(config.genome, writer.n_windows, chooser.wanted, dropped)
        if dropped["region_without_window"] > _MANY_UNUSED * counts["regions"]:
            log.warning(
                "%d of %d regions label no window: they cover less than min_overlap %g of its core of %d bp; lower it, or take "
                "another stride_bp, or background = matched",
                *(dropped["region_without_window"], counts["regions"], config.min_overlap, config.core_bp),
            )
        manifest = Manifest(
            task="regions",
            labels=chooser.labels,
            resolution_bp=0,
            window_bp=chooser.window_bp,
            sources=config.sources((*config.regions, config.labels_file, config.blacklist)),
            settings={**config.recorded(), **(about or {})},
            counts=dict(counts),
            dropped={reason: count for reason, count in dropped.items() if count},
        )
        return writer.finish(manifest, strict=config.strict)


def _chooser(
    config: PrepareRegionsConfig,
    plan: SplitPlan,
    blacklist: Regions | None,
    counts: Counter[str],
    dropped: Counter[str],
) -> _Chooser:
    labeled = [path for path in config.regions if has_labels(path)]
    if labeled and len(config.regions) > 1:
        raise ConfigError(
            f"{labeled[0]} brings its own labels and cannot be combined with other regions; give it alone"
        )
    stay = _Stay(config, plan, _by_contig(blacklist), dropped)
    if labeled:
        _warn_without_effect(
            config, ("core_bp", "min_overlap", "stride_bp", "background", "background_ratio", "match_gc")
        )
        return _LabeledRows(stay, read_labeled_bed(labeled[0]))
    files = tuple(read_bed(path) for path in config.regions)
    if config.background == "matched":
        _warn_without_effect(config, ("stride_bp",))
        return _Matched(stay, files, counts)
    _warn_without_effect(config, ("background_ratio", "match_gc"))
    return _Tiling(stay, files)


def _warn_without_effect(config: PrepareRegionsConfig, names: tuple[str, ...]) -> None:
    for name in names:
        if name in config.model_fields_set:
            log.warning("%s has no effect on these regions with background %r", name, config.background)


@dataclass(frozen=True, slots=True)
class _Stay:
    """What decides which windows stay, for any contig."""

    config: PrepareRegionsConfig
    plan: SplitPlan
    blacklist: dict[str, np.ndarray]
    dropped: Counter[str]

    def limits(self, contig: Contig) -> Limits:
        pieces = self.plan.pieces(contig.name, len(contig))
        return Limits(pieces, self.config.max_n_fraction, self.blacklist.get(contig.name))


def _by_contig(regions: Regions | None) -> dict[str, np.ndarray]:
    if regions is None:
        return {}
    rows = regions.rows_by_contig()
    return {name: regions.intervals(index) for name, index in rows.items()}


class _Peaks:
    """K files of regions, one label each."""

    def __init__(self, stay: _Stay, files: tuple[Regions, ...]) -> None:
        self.stay, self.window_bp, self.wanted = stay, stay.config.window_bp, stay.plan.wanted
        names, order = peak_labels(stay.config.regions, stay.config.labels_file)
        self.labels = names
        self.files = tuple(files[place] for place in order)
        self._rows = [regions.rows_by_contig() for regions in self.files]

    def on(self, contig: Contig) -> list[np.ndarray]:
        """Rows of each file that lie on a contig; refuses one that ends off it."""
        found = [rows.get(contig.name, np.zeros(0, dtype=np.int64)) for rows in self._rows]
        for regions, rows in zip(self.files, found):
            regions.check_inside(contig.name, rows, len(contig))
        return found

    def overlap_labels(self, rows: list[np.ndarray], starts: np.ndarray) -> np.ndarray:
        """Labels (n, K) int8 of windows by the share of their core that regions cover."""
        config = self.stay.config
        core = starts + (config.window_bp - config.core_bp) // 2
        core, core_end = np.maximum(core, 0), np.maximum(core + config.core_bp, 0)
        labels = np.zeros((len(starts), len(self.files)), dtype=np.int8)
        for column, (regions, index) in enumerate(zip(self.files, rows)):
            if len(index):
                covered = coverage(np.stack([core, core_end], axis=1), regions.intervals(index))
                labels[:, column] = covered >= config.needed_bp
        return labels

    def count_unused(self, rows: list[np.ndarray], starts: np.ndarray, labels: np.ndarray) -> None:
        """Count regions that overlap the core of no window with their label; windows ascend."""
        config = self.stay.config
        core = starts + (config.window_bp - config.core_bp) // 2
        for column, (regions, index) in enumerate(zip(self.files, rows)):
            positive = core[labels[:, column] == 1]
            first = np.searchsorted(positive + config.core_bp, regions.start[index], side="right")
            beyond = np.searchsorted(positive, regions.end[index], side="left")
            self.stay.dropped["region_without_window"] += int((first >= beyond).sum())


class _Tiling(_Peaks):
    """Every window of a tiling of each piece."""

    def choose(self, contig: Contig, index: int) -> Chosen:
        """The windows of one contig."""
        config, limits = self.stay.config, self.stay.limits(contig)
        rows = self.on(contig)
        starts = _tiles(limits.pieces, config.window_bp, config.stride_bp or config.window_bp, len(contig))
        placed = limits.place(contig, starts, starts + config.window_bp, self.stay.dropped)
        starts = starts[placed.rows]
        labels = self.overlap_labels(rows, starts)
        self.count_unused(rows, starts, labels)
        return Chosen(starts, starts + config.window_bp, placed.split, labels)

    def finish(self) -> None:
        """Nothing is left to do."""


def _tiles(pieces: Sequence[Piece], window_bp: int, stride_bp: int, length_bp: int) -> np.ndarray:
    """Starts of the windows that tile each piece from its left end, ascending."""
    starts = [np.arange(piece.start, min(piece.end, length_bp) - window_bp + 1, stride_bp) for piece in pieces]
    return np.concatenate([np.zeros(0, dtype=np.int64), *starts]).astype(np.int64)


class _Matched(_Peaks):
    """Windows centered on regions, and background windows like them that touch no region."""

    def __init__(self, stay: _Stay, files: tuple[Regions, ...], counts: Counter[str]) -> None:
        super().__init__(stay, files)
        config = stay.config
        self.counts = counts
        self._background = Background(config.window_bp, config.background_ratio, config.seed, match_gc=config.match_gc)

    def choose(self, contig: Contig, index: int) -> Chosen:
        """The windows of one contig, ascending."""
        config, limits = self.stay.config, self.stay.limits(contig)
        rows = self.on(contig)
        centers = np.concatenate([regions.center[index] for regions, index in zip(self.files, rows)])
        owners = np.repeat(np.arange(len(rows)), [len(index) for index in rows])
        own = self.overlap_labels(rows, centers - config.window_bp // 2)[np.arange(len(centers)), owners]
        self.stay.dropped["regions_below_min_overlap"] += int((own == 0).sum())
        kept = merge_centers(centers[own == 1], config.core_bp // 2)
        self.counts["regions_merged"] += int((own == 1).sum()) - len(kept)
        starts = kept - config.window_bp // 2
        placed = limits.place(contig, starts, starts + config.window_bp, self.stay.dropped)
        starts = starts[placed.rows]
        labels = self.overlap_labels(rows, starts)
        regions = [of_file.intervals(index) for of_file, index in zip(self.files, rows)]
        taken = np.concatenate([np.stack([starts, starts + config.window_bp], axis=1), *regions])
        away, away_split = self._background.choose(contig, index, limits, (starts, placed.split), taken)
        self.counts["background_windows"] += len(away)
        starts = np.concatenate([starts, away])
        order = np.argsort(starts, kind="stable")
        starts, split = starts[order], np.concatenate([placed.split, away_split])[order]
        labels = np.concatenate([labels, np.zeros((len(away), len(self.files)), dtype=np.int8)])[order]
        return Chosen(starts, starts + config.window_bp, split, labels)

    def finish(self) -> None:
        """Report background that was wanted and is not there."""
        if short := self._background.n_short:
            self.counts["background_short"] = short
            log.warning("%d background windows of the wanted length and GC were not found", short)


class _LabeledRows:
    """Rows of BEND's table as they are: any length; the split column, where there is one, decides."""

    def __init__(self, stay: _Stay, labeled: LabeledRegions) -> None:
        self.stay = stay
        self.labeled, self.labels = row_labels(labeled, stay.config.labels_file, stay.config.n_labels)
        self.files: tuple[Regions, ...] = (labeled.regions,)
        self.window_bp = int((labeled.regions.end - labeled.regions.start).max())
        self._rows = labeled.regions.rows_by_contig()
        self._split = row_splits(labeled)
        self.wanted = stay.plan.wanted if self._split is None else frozenset[str]()

    def choose(self, contig: Contig, index: int) -> Chosen:
        """The windows of one contig, in file order."""
        rows = self._rows.get(contig.name, np.zeros(0, dtype=np.int64))
        regions = self.labeled.regions
        regions.check_inside(contig.name, rows, len(contig))
        limits = self.stay.limits(contig)
        pieces = limits.pieces if self._split is None else [Piece(contig.name, 0, len(contig), SPLITS[0])]
        limits = Limits(pieces, 1.0, limits.blacklist)
        placed = limits.place(contig, regions.start[rows], regions.end[rows], self.stay.dropped)
        rows = rows[placed.rows]
        split = placed.split if self._split is None else self._split[rows]
        labels = self.labeled.matrix(rows, len(self.labels))
        return Chosen(regions.start[rows], regions.end[rows], split, labels, regions.strand[rows])

    def finish(self) -> None:
        """Nothing is left to do."""
