"""FASTA and regions to a dataset of windows, each with K labels of 0 or 1; or FASTA and tracks of signal, with K numbers.

Regions are files of peaks, one label per file: a window is positive for a label where at least `min_overlap` of its central
`core_bp` lies in regions of that file. Or they are a table of windows that have their labels already. Of tracks of signal the
numbers are means or sums over the core; peaks then only say where windows lie.
"""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol, Self

import numpy as np
from pydantic import Field, model_validator

from dnaspt.config import MOST_BP, Paths
from dnaspt.data.dataset import Dataset
from dnaspt.data.manifest import SPLITS, Manifest
from dnaspt.errors import ConfigError, InputError
from dnaspt.genome.bed import LabeledRegions, Regions, has_labels, read_bed, read_labeled_bed
from dnaspt.genome.contig_names import check_contigs
from dnaspt.genome.fasta import Contig, read_fasta
from dnaspt.genome.intervals import coverage
from dnaspt.prepare.background import MatchedBackground, merge_centers
from dnaspt.prepare.folds import FoldPlan
from dnaspt.prepare.region_labels import peak_labels, row_labels, row_splits
from dnaspt.prepare.signal_tracks import SignalLabels, SignalTrack
from dnaspt.prepare.splits import SplitInterval, SplitPlan
from dnaspt.prepare.windows import LabeledWindows, WindowFilter, WindowSettings, add_windows, from_starts, tiled_starts
from dnaspt.prepare.writer import DatasetWriter, check_written
from dnaspt.tasks import TASKS

log = logging.getLogger(__name__)

_MANY_UNUSED = 0.1
"""Share of regions without a positive window from which a warning is logged."""
_MANY_EXPECTED = 20
"""Regions that contigs without any would have, had they as many for each base as the others, from which there is a warning."""


class PrepareRegionsConfig(WindowSettings):
    """Settings of `prepare regions`."""

    regions: Paths = ()
    """Files of regions, one label each, named by the file: BED (of BED12 the blocks), narrowPeak, BEDPE, bedGraph or MACS
    .xls; or one table in BEND's format with a `label` column, whose rows are the windows."""
    signal: Paths = ()
    """bigWig tracks, one number each to predict (regression), named by the file. Without `regions` windows tile the genome; with
    them, and background `matched`, they are centered on the regions, and background is added."""
    signal_summary: Literal["mean", "sum"] = "mean"
    """What the number of a window is: mean or sum of a track over the middle `core_bp`. Take sum for counts of reads."""
    signal_log: bool = True
    """Whether the logarithm of 1 + that is taken, as coverage has a few large values. Turn it off for ratios, for values below 0,
    and for counts with head poisson."""
    signal_gaps: Literal["zero", "missing"] | None = None
    """What bases without a value in a track are: zero, as in coverage that leaves out zeros, or missing, where they were not
    measured. Left out, such bases are an error."""
    labels_file: Path | None = None
    """Text file with the names of the labels, one per line: names for the files in order, the files' own names in
    another order, or names for the indices of a `label` column. Give it if the names of the files are not what tables
    should show."""
    n_labels: int | None = Field(None, ge=1, le=1_000_000)
    """Number of labels of a table with a `label` column. Give it if the largest index does not occur in the table and
    there is no `labels_file`."""
    core_bp: int = Field(256, ge=1, le=MOST_BP)
    """Length in bp of the central part of a window that decides about its labels. Make it about as long as a typical
    region."""
    min_overlap: float = Field(0.5, gt=0, le=1)
    """Share of the core that regions must cover to make a window positive. Lower it for regions shorter than the
    core."""
    stride_bp: int | None = Field(None, ge=1, le=MOST_BP)
    """Step in bp from window to window, with background `all`; `window_bp` if left out. Make it smaller for more
    windows, which then overlap."""
    background: Literal["all", "matched"] = "all"
    """`all` tiles the genome, and windows without a region are negative; `matched` centers windows on the regions and
    adds negative windows of the same split and GC content. Take `matched` if regions are rare."""
    background_ratio: float = Field(1.0, ge=0, le=1_000_000)
    """Negative windows for each window on a region, with background `matched`. Raise it to come closer to the rarity of
    regions in a genome."""
    match_gc: bool = True
    """Whether negative windows have the GC content of the regions, with background `matched`. Turn it off if the model
    may tell regions by their GC content."""
    blacklist: Path | None = None
    """BED of regions that no window may touch. Give it to leave out regions with artifacts, such as the blacklist of
    ENCODE."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.core_bp > self.window_bp:
            raise ValueError(f"core_bp {self.core_bp} is more than window_bp {self.window_bp}")
        if not self.regions and not self.signal:
            raise ValueError("no regions; give peaks (regions), or tracks of signal (signal)")
        if self.regions and self.signal and self.background == "all":
            raise ValueError(
                "regions beside signal say where windows lie: say background matched, or leave one of them out"
            )
        idle = [name for name in ("signal_summary", "signal_log", "signal_gaps") if name in self.model_fields_set]
        if idle and not self.signal:
            raise ValueError(f"{idle[0]} is for tracks of signal; give some (signal)")
        return self

    def label_files(self) -> tuple[Path, ...]:
        """The regions, the names of the labels, and the blacklist."""
        return tuple(
            path for path in (*self.regions, *self.signal, self.labels_file, self.blacklist) if path is not None
        )

    @property
    def needed_bp(self) -> int:
        """Bases of the core that regions must cover to make a window positive."""
        return max(1, int(np.ceil(self.min_overlap * self.core_bp - 1e-9)))


class _WindowSource(Protocol):
    """Where the windows of a dataset come from.

    Attributes:
        rules: what decides which windows are kept.
        labels: names of the labels.
        window_bp: length of the longest window.
        tracks: tracks of signal.
        wanted: splits that must have windows.
    """

    rules: "_FilterRules"
    labels: tuple[str, ...]
    window_bp: int
    tracks: Sequence[SignalTrack]
    wanted: frozenset[str]

    @property
    def files(self) -> tuple[Regions, ...]:
        """The region files."""
        ...

    def windows_on(self, contig: Contig, index: int) -> LabeledWindows: ...

    def finish(self) -> None: ...


def prepare_regions(config: PrepareRegionsConfig, about: Mapping[str, Any] | None = None) -> Dataset:
    """Write the dataset folder `config.out`, one contig after the other. Where this fails, nothing is left behind.

    Dropped and counted: rows that are no regions (see `read_bed`); regions on a contig without a record
    (`contig_not_in_genome`); regions that make no window positive (`region_without_window`, or, with matched background,
    `regions_below_min_overlap`); windows that run off their contig, lie in two splits, touch the blacklist, or hold too many N
    (`unknown_bases`). Peaks that pass the end of their contig by a few bases are cut there and counted (`regions_cut_at_end`).

    Args:
        config: the settings.
        about: more settings for the manifest to record.

    Raises:
        InputError: a file cannot be used, a region ends far off its contig (with `strict`, any does), no contig is in both
            files, no window is positive, or no window is left, in all or in a split that training needs.
        ConfigError: settings contradict each other or the files.
        DatasetError: `config.out` exists, or, with `strict`, splits share sequence.
    """
    counts, dropped = Counter[str](), Counter[str]()
    with DatasetWriter(config.out, overwrite=config.overwrite, inputs=config.files()) as writer:
        config.check_files()
        blacklist = read_bed(config.blacklist) if config.blacklist else None
        source, writer.folds = _window_source(config, blacklist, counts, dropped)
        plan = source.rules.plan
        present: set[str] = set()
        for index, contig in enumerate(read_fasta(config.genome)):
            present.add(contig.name)
            windows = source.windows_on(contig, index)
            counts["windows"] += len(windows)
            if not config.signal:
                counts["windows_with_a_label"] += int((windows.labels == 1).any(axis=1).sum())
            add_windows(writer, contig, windows)
        plan.check_contigs(config.genome, present, strict=config.strict)
        for regions in source.files:
            rows = regions.rows_by_contig()
            absent = check_contigs(regions.path, rows, config.genome, present, strict=config.strict)
            counts["regions"] += len(regions)
            dropped.update(regions.dropped)
            dropped["contig_not_in_genome"] += sum(len(rows[name]) for name in absent)
        for track in source.tracks:
            on_contigs = track.n_by_contig
            absent = check_contigs(track.path, on_contigs, config.genome, present, strict=config.strict)
            dropped["contig_not_in_genome"] += sum(len(on_contigs[name]) for name in absent)
        source.finish()
        if blacklist is not None:
            check_contigs(blacklist.path, blacklist.rows_by_contig(), config.genome, present, strict=False)
        _warn_of_unused(config, source, counts["regions"], dropped)
        check_written(config.genome, writer.n_windows, source.wanted, dropped)
        if not config.signal and not counts["windows_with_a_label"]:
            raise InputError(source.files[0].path, "no window is positive", expected="regions that make some positive")
        task = TASKS["signal" if config.signal else "regions"]
        manifest = Manifest(
            task=task.name,
            labels=source.labels,
            resolution_bp=task.resolution_bp,
            window_bp=source.window_bp,
            sources=config.sources(),
            settings={**config.recorded(writer.folds), **(about or {})},
            counts=dict(counts),
            dropped={reason: number for reason, number in dropped.items() if number},
        )
        manifest = writer.finish(manifest, strict=config.strict)
        _check_numbers(config, manifest)
    return Dataset(config.out, manifest)


def _check_numbers(config: PrepareRegionsConfig, manifest: Manifest) -> None:
    """Refuse a track without a number in train, and name those without two different ones: nothing can be learned from them.

    Raises:
        InputError: names the track.
    """
    train = manifest.splits.get("train")
    if not config.signal or train is None:
        return
    for label in manifest.labels:
        numbers = train.numbers.get(label)
        if numbers is None:
            raise InputError(config.signal[0], f"label {label!r} has no number in train", do="leave its track out")
        if numbers.least == numbers.most:
            log.warning("label %r has no two different numbers in train: nothing can be learned from it", label)


def _warn_of_unused(
    config: PrepareRegionsConfig, source: "_WindowSource", n_regions: int, dropped: Counter[str]
) -> None:
    """Say that many regions make no window positive, and what to do: some are too narrow for any window."""
    unused = dropped["region_without_window"] + dropped["regions_below_min_overlap"]
    if unused <= _MANY_UNUSED * n_regions:
        return
    narrow = sum(int((regions.end - regions.start < config.needed_bp).sum()) for regions in source.files)
    do = ["lower --min-overlap"]
    if narrow:
        too_few = f"{narrow} have less than {config.needed_bp} bp"
        do.append(f"make narrow regions wider, such as summits (bedtools slop): {too_few}")
    if narrow < unused and config.background == "all":
        do.append("take --background matched, or change stride_bp in a --config file")
    log.warning(
        "%d of %d regions make no window positive: they cover less than min_overlap %g of any core of %d bp; %s",
        *(unused, n_regions, config.min_overlap, config.core_bp, "; or ".join(do)),
    )


def _window_source(
    config: PrepareRegionsConfig, blacklist: Regions | None, counts: Counter[str], dropped: Counter[str]
) -> tuple[_WindowSource, FoldPlan | None]:
    """The source of windows that files and settings ask for, and the folds; warns about settings that have no effect on it."""
    labeled = [path for path in config.regions if has_labels(path)]
    if labeled and len(config.regions) > 1:
        raise ConfigError(
            f"{labeled[0]} brings its own labels and cannot be combined with other regions; give it alone"
        )
    table = read_labeled_bed(labeled[0]) if labeled else None
    if table is not None and config.signal:
        raise ConfigError(f"{labeled[0]} brings its own labels; leave it out, or leave out signal")
    if table is not None and table.split is not None and config.folds is not None:
        raise ConfigError(f"{labeled[0]} has a column split, which divides its rows; leave it out, or leave out folds")
    files = tuple(read_bed(path) for path in config.regions) if table is None else ()
    plan, folds = config.plan_in_folds(_centers((table.regions,) if table is not None else files))
    rules = _FilterRules(config, plan, _intervals_by_contig(blacklist), dropped)
    if table is not None:
        _warn_without_effect(
            config, ("core_bp", "min_overlap", "stride_bp", "background", "background_ratio", "match_gc")
        )
        return _TableRows(rules, table), folds
    source: _WindowSource
    if config.background == "matched":
        _warn_without_effect(config, ("stride_bp",))
        source = _CenteredWindows(rules, files, counts)
    else:
        _warn_without_effect(config, ("background_ratio", "match_gc", *(("min_overlap",) if config.signal else ())))
        source = _TiledWindows(rules, files, counts)
    return (_WithSignal(source, counts) if config.signal else source), folds


def _centers(files: Sequence[Regions]) -> dict[str, np.ndarray]:
    """Where the centers of regions lie on each contig, of all files."""
    centers: dict[str, list[np.ndarray]] = {}
    for regions in files:
        for name, rows in regions.rows_by_contig().items():
            centers.setdefault(name, []).append(regions.center[rows])
    return {name: np.concatenate(own) for name, own in centers.items()}


def _warn_without_effect(config: PrepareRegionsConfig, names: tuple[str, ...]) -> None:
    for name in names:
        if name in config.model_fields_set:
            log.warning("%s has no effect on these regions with background %r", name, config.background)


def _intervals_by_contig(regions: Regions | None) -> dict[str, np.ndarray]:
    """Intervals (n, 2) of each contig."""
    if regions is None:
        return {}
    return {name: regions.intervals(rows) for name, rows in regions.rows_by_contig().items()}


@dataclass(frozen=True, slots=True)
class _FilterRules:
    """What decides which windows are kept, on any contig.

    Attributes:
        config: the settings.
        plan: how contigs are divided.
        blacklist: intervals (n, 2) of each contig.
        dropped: counts the windows and regions that are left out.
    """

    config: PrepareRegionsConfig
    plan: SplitPlan
    blacklist: dict[str, np.ndarray]
    dropped: Counter[str]

    def on(self, contig: Contig) -> WindowFilter:
        """The filter for the windows of one contig."""
        intervals = self.plan.intervals(contig.name, len(contig))
        return WindowFilter(intervals, self.config.max_n_fraction, self.blacklist.get(contig.name))


class _Peaks:
    """K files of regions, one label each: what the two sources that label windows by overlap have in common."""

    tracks: Sequence[SignalTrack] = ()

    def __init__(self, rules: _FilterRules, files: tuple[Regions, ...], counts: Counter[str]) -> None:
        self.counts = counts
        self.rules, self.window_bp, self.wanted = rules, rules.config.window_bp, rules.plan.wanted
        labels_file = None if rules.config.signal else rules.config.labels_file
        names, order = peak_labels(rules.config.regions, labels_file) if rules.config.regions else ((), ())
        self.labels = names
        self.files = tuple(files[index] for index in order)
        self._rows = [regions.rows_by_contig() for regions in self.files]
        self._cut_lines: list[list[int]] = [[] for _ in self.files]

    def regions_on(self, contig: Contig) -> list[np.ndarray]:
        """Row numbers of each file's regions on a contig. Those that pass its end by a few bases are cut there and counted."""
        rows_by_file = [rows.get(contig.name, np.zeros(0, dtype=np.int64)) for rows in self._rows]
        if self.rules.config.strict:
            for regions, rows in zip(self.files, rows_by_file):
                regions.check_inside(contig.name, rows, len(contig))
        cut = [regions.cut_at_end(contig.name, rows, len(contig)) for regions, rows in zip(self.files, rows_by_file)]
        self.files = tuple(regions for regions, _ in cut)
        for lines, (regions, rows) in zip(self._cut_lines, cut):
            lines.extend(regions.line[rows].tolist())
        return rows_by_file

    def finish(self) -> None:
        """Count the regions that were cut at the end of their contig, and say which."""
        for regions, lines in zip(self.files, self._cut_lines):
            if lines:
                self.counts["regions_cut_at_end"] += len(lines)
                log.warning(
                    "%s:%d: passes the end of its contig, and was cut there; %d regions were cut in all",
                    *(regions.path, lines[0], len(lines)),
                )

    def label_by_overlap(self, rows_by_file: list[np.ndarray], starts: np.ndarray) -> np.ndarray:
        """Labels (n, K) int8 of windows with the given starts (n,), by the share of their core that regions cover."""
        config = self.rules.config
        core = from_starts(starts + (config.window_bp - config.core_bp) // 2, config.core_bp)
        core = np.maximum(core, 0)
        labels = np.zeros((len(starts), len(self.files)), dtype=np.int8)
        for column, (regions, rows) in enumerate(zip(self.files, rows_by_file)):
            if len(rows):
                labels[:, column] = coverage(core, regions.intervals(rows)) >= config.needed_bp
        return labels

    def count_unused(self, rows_by_file: list[np.ndarray], starts: np.ndarray, labels: np.ndarray) -> None:
        """Count regions that overlap the core of no window with their label; starts ascend."""
        config = self.rules.config
        core = starts + (config.window_bp - config.core_bp) // 2
        for column, (regions, rows) in enumerate(zip(self.files, rows_by_file)):
            positive = core[labels[:, column] == 1]
            first = np.searchsorted(positive + config.core_bp, regions.start[rows], side="right")
            beyond = np.searchsorted(positive, regions.end[rows], side="left")
            self.rules.dropped["region_without_window"] += int((first >= beyond).sum())


class _TiledWindows(_Peaks):
    """Windows that tile each interval of a split (background `all`)."""

    def __init__(self, rules: _FilterRules, files: tuple[Regions, ...], counts: Counter[str]) -> None:
        super().__init__(rules, files, counts)
        self._lengths: dict[str, int] = {}

    def windows_on(self, contig: Contig, index: int) -> LabeledWindows:
        """The windows of one contig, ascending."""
        config, window_filter = self.rules.config, self.rules.on(contig)
        rows_by_file = self.regions_on(contig)
        self._lengths[contig.name] = len(contig)
        stride_bp = config.stride_bp or config.window_bp
        starts = tiled_starts(window_filter.intervals, config.window_bp, stride_bp, len(contig))
        kept = window_filter.keep(contig, from_starts(starts, config.window_bp), self.rules.dropped)
        starts = starts[kept.rows]
        labels = self.label_by_overlap(rows_by_file, starts)
        self.count_unused(rows_by_file, starts, labels)
        return LabeledWindows(from_starts(starts, config.window_bp), kept.split, labels)

    def finish(self) -> None:
        """Name, too, contigs without a region where chance would have put many: their windows are all negative."""
        super().finish()
        for regions, rows in zip(self.files, self._rows):
            without = [name for name in self._lengths if name not in rows]
            n_bp = sum(self._lengths[name] for name in without)
            n_inside = sum(len(of_contig) for name, of_contig in rows.items() if name in self._lengths)
            if n_bp * n_inside >= _MANY_EXPECTED * (sum(self._lengths.values()) - n_bp):
                names = ", ".join(without[:3]) + (", ..." if len(without) > 3 else "")
                log.warning(
                    "%s: no region on %d contigs of %d bp (%s), so that all windows there are negative; if they were not "
                    "looked at, give the genome without them",
                    *(regions.path, len(without), n_bp, names),
                )


class _CenteredWindows(_Peaks):
    """Windows centered on regions, and background windows like them that touch no region (background `matched`)."""

    def __init__(self, rules: _FilterRules, files: tuple[Regions, ...], counts: Counter[str]) -> None:
        super().__init__(rules, files, counts)
        config = rules.config
        self._background = MatchedBackground(
            config.window_bp, config.background_ratio, config.seed, match_gc=config.match_gc
        )

    def windows_on(self, contig: Contig, index: int) -> LabeledWindows:
        """The windows of one contig, ascending."""
        config, window_filter = self.rules.config, self.rules.on(contig)
        rows_by_file = self.regions_on(contig)
        starts = self._centered_starts(rows_by_file)
        kept = window_filter.keep(contig, from_starts(starts, config.window_bp), self.rules.dropped)
        starts = starts[kept.rows]
        labels = self.label_by_overlap(rows_by_file, starts)
        regions = [of_file.intervals(rows) for of_file, rows in zip(self.files, rows_by_file)]
        taken = np.concatenate([from_starts(starts, config.window_bp), *regions])
        background, background_split = self._background.draw(contig, index, window_filter, (starts, kept.split), taken)
        self.counts["background_windows"] += len(background)
        starts = np.concatenate([starts, background])
        order = np.argsort(starts, kind="stable")
        split = np.concatenate([kept.split, background_split])[order]
        labels = np.concatenate([labels, np.zeros((len(background), len(self.files)), dtype=np.int8)])[order]
        return LabeledWindows(from_starts(starts[order], config.window_bp), split, labels)

    def _centered_starts(self, rows_by_file: list[np.ndarray]) -> np.ndarray:
        """Starts of windows centered on the regions that reach `min_overlap`; centers that lie close make one window."""
        config = self.rules.config
        centers = np.concatenate([regions.center[rows] for regions, rows in zip(self.files, rows_by_file)])
        own_label = np.repeat(np.arange(len(rows_by_file)), [len(rows) for rows in rows_by_file])
        labels = self.label_by_overlap(rows_by_file, centers - config.window_bp // 2)
        is_positive = labels[np.arange(len(centers)), own_label] == 1
        self.rules.dropped["regions_below_min_overlap"] += int((~is_positive).sum())
        kept = merge_centers(centers[is_positive], config.core_bp // 2)
        self.counts["regions_merged"] += int(is_positive.sum()) - len(kept)
        return kept - config.window_bp // 2

    def finish(self) -> None:
        """Count, too, the background windows that were wanted and not found."""
        super().finish()
        if short := self._background.n_short:
            self.counts["background_short"] = short
            log.warning("%d background windows of the wanted length and GC were not found", short)


class _WithSignal:
    """Windows of another source, with the numbers of tracks of signal instead of their labels."""

    def __init__(self, source: _WindowSource, counts: Counter[str]) -> None:
        self.rules, self.window_bp, self.wanted = source.rules, source.window_bp, source.wanted
        config = source.rules.config
        self.labels, order = peak_labels(config.signal, config.labels_file)
        self.tracks: Sequence[SignalTrack] = [SignalTrack(config.signal[index]) for index in order]
        self._numbers = SignalLabels(self.tracks, config.signal_summary, config.signal_gaps, log=config.signal_log)
        self._source, self._counts = source, counts
        self._lengths: dict[str, int] = {}

    @property
    def files(self) -> tuple[Regions, ...]:
        """The region files."""
        return self._source.files

    def windows_on(self, contig: Contig, index: int) -> LabeledWindows:
        """The windows of one contig, ascending."""
        config, windows = self.rules.config, self._source.windows_on(contig, index)
        self._lengths[contig.name] = len(contig)
        for track in self.tracks:
            track.check_length(contig.name, len(contig))
        cores = from_starts(windows.intervals[:, 0] + (config.window_bp - config.core_bp) // 2, config.core_bp)
        return replace(windows, labels=self._numbers.of(contig.name, cores))

    def finish(self) -> None:
        """Count the numbers that are missing, and name contigs of which a track has no value: zero there is a guess."""
        self._source.finish()
        if self._numbers.n_missing:
            self._counts["numbers_missing"] = self._numbers.n_missing
        if self.rules.config.signal_gaps != "zero":
            return
        for track in self.tracks:
            without = [name for name in self._lengths if not track.n_by_contig.get(name)]
            if without:
                names = ", ".join(without[:3]) + (", ..." if len(without) > 3 else "")
                log.warning(
                    "%s: no value on %d contigs of %d bp (%s), so that all windows there are 0; if they were not measured, give "
                    "the genome without them, or say signal_gaps: missing",
                    *(track.path, len(without), sum(self._lengths[name] for name in without), names),
                )


class _TableRows:
    """The rows of BEND's table as windows of any length; its split column, if it has one, divides them."""

    tracks: Sequence[SignalTrack] = ()

    def __init__(self, rules: _FilterRules, labeled: LabeledRegions) -> None:
        self.rules = rules
        self.labeled, self.labels = row_labels(labeled, rules.config.labels_file, rules.config.n_labels)
        self.files: tuple[Regions, ...] = (labeled.regions,)
        self.window_bp = int((labeled.regions.end - labeled.regions.start).max())
        self._rows = labeled.regions.rows_by_contig()
        self._split = row_splits(labeled)
        self.wanted = rules.plan.wanted if self._split is None else frozenset[str]()

    def windows_on(self, contig: Contig, index: int) -> LabeledWindows:
        """The windows of one contig, in file order."""
        rows = self._rows.get(contig.name, np.zeros(0, dtype=np.int64))
        regions = self.labeled.regions
        regions.check_inside(contig.name, rows, len(contig))
        window_filter = self.rules.on(contig)
        whole_contig = [SplitInterval(contig.name, 0, len(contig), SPLITS[0])]
        intervals = window_filter.intervals if self._split is None else whole_contig
        window_filter = WindowFilter(intervals, max_n_fraction=1.0, blacklist=window_filter.blacklist)
        kept = window_filter.keep(contig, regions.intervals(rows), self.rules.dropped)
        rows = rows[kept.rows]
        split = kept.split if self._split is None else self._split[rows]
        labels = self.labeled.matrix(rows, len(self.labels))
        return LabeledWindows(regions.intervals(rows), split, labels, regions.strand[rows])

    def finish(self) -> None:
        """Nothing is left to do."""
