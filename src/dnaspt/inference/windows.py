"""FASTA to tracks of window labels: windows laid along contigs, or centered on CpGs, to BED, bigWig and Parquet.

Finished contigs are kept beside the output until it is whole: memory does not grow with the genome, and a prediction that was
broken off goes on where it stopped.
"""

import json
import logging
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from dnaspt.atomic import atomic_file, write_text_atomically
from dnaspt.checkpoint import CheckpointConfig
from dnaspt.errors import ConfigError, InputError, refuse_full_disk
from dnaspt.genome import alphabet
from dnaspt.genome.bed import write_bed
from dnaspt.genome.bigwig import write_bigwig
from dnaspt.genome.fasta import Contig
from dnaspt.genome.intervals import count_true
from dnaspt.inference.emissions import predict_windows
from dnaspt.inference.resume import Intervals, Request, finished_contigs
from dnaspt.models.task_model import TaskModel
from dnaspt.progress import along_sequence, unwatched
from dnaspt.tasks import TASKS

log = logging.getLogger(__name__)

_BIGWIG = (".bw", ".bigwig")
SUFFIXES = (".bed", *_BIGWIG, ".parquet")
_NOT_ON_WINDOWS = frozenset('<>:"|?*\\')
"""Letters that no name of a file has on Windows; a colon would write into another file."""
_CHUNK_WINDOWS = 4096
"""Windows that are predicted, and written as one row group, at a time."""


@dataclass(frozen=True, slots=True)
class WindowOptions:
    """How windows are laid along a contig.

    Attributes:
        stride_bp: step of the windows; each window stands for the stride_bp bases in its middle. No effect with on_cpgs.
        on_cpgs: one window for each CpG, the C just left of its middle; it stands for the two bases of the CpG.
        threshold: a BED row is written from this probability on.
        average_strands: take the mean of both strands' logits.
    """

    stride_bp: int
    on_cpgs: bool
    threshold: float = 0.5
    average_strands: bool = False


@dataclass(frozen=True, slots=True)
class WindowCounts:
    """Windows of one contig.

    Attributes:
        n_windows: predicted.
        n_unknown: left out, because more than half of their bases are N.
        n_off_contig: left out, because they reach beyond the contig.
    """

    n_windows: int
    n_unknown: int
    n_off_contig: int


@dataclass(frozen=True, slots=True)
class WindowSummary:
    """What was predicted and written.

    Attributes:
        n_contigs: contigs predicted.
        n_windows: windows predicted.
        n_unknown: windows left out, because more than half of their bases are N.
        n_off_contig: windows left out, because they reach beyond the contig.
        n_resumed: contigs taken over from a prediction that was broken off.
        files: names of the files written.
    """

    n_contigs: int
    n_windows: int
    n_unknown: int
    n_off_contig: int
    n_resumed: int
    files: tuple[str, ...]


def label_probabilities(
    model: TaskModel, windows: Iterable[np.ndarray], *, average_strands: bool = False
) -> np.ndarray:
    """Probabilities of the labels of n windows (n, K) float32, or of their bins (n, bins * K), or predicted numbers.

    See `predict_windows`.

    Args:
        model: a model of windows or bins.
        windows: codes (L,) of each window.
        average_strands: take the mean of both strands' logits.
    """
    return model.calibrator.predictions(predict_windows(model, windows, average_strands=average_strands))


def predict_windows_file(
    request: Request, model: TaskModel, config: CheckpointConfig, options: WindowOptions
) -> WindowSummary:
    """Write predictions in the format that the name of the output says: .bed, .bw (one file per label) or .parquet.

    Args:
        request: the FASTA, what to predict of it, and the file to write.
        model: a model of windows or bins.
        config: its description.
        options: how windows are laid.

    Raises:
        ConfigError: another suffix, or labels that files of this system cannot be named after.
        InputError: the FASTA cannot be used, or no window of it can be scored; finished contigs are deleted.
        NoSpaceError: the disk is full; finished contigs are kept.
    """
    if request.out.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"{request.out}: unknown suffix; expected {', '.join(SUFFIXES)}")
    if request.out.suffix.lower() in _BIGWIG:
        bigwig_files(request.out, config.labels)
    settings = {name: value for name, value in asdict(options).items() if name != "threshold"}
    lengths: list[tuple[str, int]] = []
    tables: list[WindowTable] = []
    counts: list[WindowCounts] = []
    n_resumed = 0

    def work_bp() -> int:
        return request.left_bp(lambda number: (folder / f"{number}.json").is_file())

    with (
        finished_contigs(request, {"task": config.task} | settings) as folder,
        along_sequence("predict", work_bp, wanted=request.progress) as told,
    ):
        for number, contig, intervals in request.contigs(lengths):
            table, counts_file = folder / f"{number}.parquet", folder / f"{number}.json"
            if counts_file.is_file():
                n_resumed += 1
            else:
                n = contig_windows(table, model, config, contig, intervals, options, told)
                write_text_atomically(counts_file, json.dumps(asdict(n)))
            counts.append(WindowCounts(**json.loads(counts_file.read_text(encoding="utf-8"))))
            if counts[-1].n_windows:
                tables.append(WindowTable(contig.name, table))
        if not tables:
            raise _no_window(request, config, lengths, counts)
    files = write_windows(request.out, config.labels, lengths, tables, options.threshold)
    shutil.rmtree(folder)
    return WindowSummary(
        n_contigs=len(counts),
        n_windows=sum(n.n_windows for n in counts),
        n_unknown=sum(n.n_unknown for n in counts),
        n_off_contig=sum(n.n_off_contig for n in counts),
        n_resumed=n_resumed,
        files=tuple(map(str, files)),
    )


def _no_window(
    request: Request, config: CheckpointConfig, lengths: Sequence[tuple[str, int]], counts: Sequence[WindowCounts]
) -> InputError:
    """The error of a genome on which no window can be scored, with the reason."""
    n_off, n_unknown = sum(n.n_off_contig for n in counts), sum(n.n_unknown for n in counts)
    window_bp, bin_bp = config.window_bp, TASKS[config.task].resolution_bp
    what, size_bp = ("bin", bin_bp) if bin_bp else ("window", window_bp)
    reasons = []
    if n_off:
        longest_bp = max(length_bp for _, length_bp in lengths)
        beyond = "are shorter than one" if bin_bp else "reach beyond their sequence"
        number = f"{n_off:,} {'sequences or intervals' if bin_bp else 'windows'}"
        reasons.append(f"{number} {beyond} (the longest sequence has {longest_bp:,} bp)")
    if n_unknown:
        reasons.append(f"{n_unknown:,} {what}s are more than half N")
    if TASKS[config.task].on_cpgs and not reasons:
        reasons.append("there is no CpG, and this model has one window a CpG")
    return InputError(
        request.genome,
        f"no {what} of {size_bp:,} bp could be scored: {'; '.join(reasons) or 'nothing was asked for'}",
        do="give whole contigs, or short sequences with --sequences (predict_sequences_file), which scores them as they are"
        if n_off
        else "",
    )


def contig_windows(
    file: Path,
    model: TaskModel,
    config: CheckpointConfig,
    contig: Contig,
    intervals: Intervals,
    options: WindowOptions,
    told: Callable[[int], None] = unwatched,
) -> WindowCounts:
    """Predict the windows on intervals of a contig into a Parquet file: start, end, and the labels by number.

    No file is written where there is no window. `told` is told the bases of the intervals that are done.

    Args:
        file: the Parquet file to write.
        model: a model of windows or bins.
        config: its description.
        contig: the contig.
        intervals: where to predict, as start and end on the contig, 0-based half-open.
        options: how windows are laid.
        told: is told the bases that are done.

    Returns:
        How many windows were predicted, and how many were left out.
    """
    if bin_bp := TASKS[config.task].resolution_bp:
        both = options.average_strands
        return _contig_bins(file, model, config, contig, intervals, bin_bp, average_strands=both, told=told)
    layout = np.concatenate(
        [_lay_windows(contig, start, end, config.window_bp, options) for start, end in intervals], axis=1
    )
    inside = (layout[0] >= 0) & (layout[0] + config.window_bp <= len(contig))
    n_off_contig = int((~inside).sum())
    layout = layout[:, inside]
    windows = np.stack([layout[0], layout[0] + config.window_bp], axis=1)
    n_bases = count_true(alphabet.is_unknown(contig.codes), windows)
    unknown = n_bases > alphabet.MOST_UNKNOWN * config.window_bp
    layout = layout[:, ~unknown]
    n_bp = sum(end - start for start, end in intervals)
    if layout.shape[1]:
        both = options.average_strands
        tables = _predicted(model, config, contig, layout, average_strands=both)
        _write_table(file, _telling(tables, n_bp / layout.shape[1], told))
    else:
        told(n_bp)
    return WindowCounts(layout.shape[1], int(unknown.sum()), n_off_contig)


def _lay_windows(contig: Contig, start: int, end: int, window_bp: int, options: WindowOptions) -> np.ndarray:
    """Starts of the windows of an interval, and starts and ends of the bases they stand for: (3, n), ascending."""
    if options.on_cpgs:
        starts = alphabet.cpg_positions(contig.codes[start:end]) + start
        return np.stack([starts - (window_bp // 2 - 1), starts, starts + 2])
    starts = np.arange(start, end, options.stride_bp)
    ends = np.minimum(starts + options.stride_bp, end)
    return np.stack([starts - (window_bp - options.stride_bp) // 2, starts, ends])


def _predicted(
    model: TaskModel, config: CheckpointConfig, contig: Contig, layout: np.ndarray, *, average_strands: bool
) -> Iterator[pa.Table]:
    """Tables of start, end and probabilities of the windows of a layout (3, n)."""
    windows = np.lib.stride_tricks.sliding_window_view(contig.codes, config.window_bp)
    for first in range(0, layout.shape[1], _CHUNK_WINDOWS):
        window_starts, starts, ends = layout[:, first : first + _CHUNK_WINDOWS]
        probability = label_probabilities(model, windows[window_starts], average_strands=average_strands)
        yield _table(starts, ends, probability)


def _telling(tables: Iterator[pa.Table], bp_per_window: float, told: Callable[[int], None]) -> Iterator[pa.Table]:
    """The tables; before each one it is told how many bases it stands for."""
    for table in tables:
        told(round(len(table) * bp_per_window))
        yield table


def _contig_bins(
    file: Path,
    model: TaskModel,
    config: CheckpointConfig,
    contig: Contig,
    intervals: Intervals,
    bin_bp: int,
    *,
    average_strands: bool,
    told: Callable[[int], None],
) -> WindowCounts:
    """As `contig_windows`, for bins: windows are laid end to end, and the last one of an interval is cut to whole bins."""
    n_unknown, n_short, tables = 0, 0, []
    for interval_start, interval_end in intervals:
        for start in range(interval_start, interval_end, config.window_bp):
            n_bp = min(start + config.window_bp, interval_end) - start
            n_bins = n_bp // bin_bp
            n_short += n_bp % bin_bp > 0
            if not n_bins:
                told(n_bp)
                continue
            codes = contig.codes[start : start + n_bins * bin_bp]
            probability = label_probabilities(model, [codes], average_strands=average_strands).reshape(n_bins, -1)
            known = ~alphabet.mostly_unknown_bins(codes, bin_bp)
            n_unknown += int((~known).sum())
            starts = start + np.flatnonzero(known) * bin_bp
            tables.append(_table(starts, starts + bin_bp, probability[known]))
            told(n_bp)
    n_windows = sum(len(table) for table in tables)
    if n_windows:
        _write_table(file, iter(tables))
    return WindowCounts(n_windows, n_unknown, n_short)


def _table(starts: np.ndarray, ends: np.ndarray, probability: np.ndarray) -> pa.Table:
    """Columns start, end, and "0", "1", ... for the labels."""
    return pa.table({"start": starts, "end": ends} | {str(k): column for k, column in enumerate(probability.T)})


def _write_table(path: Path, tables: Iterator[pa.Table]) -> None:
    """One row group for each table; the file is opened here, so that a full disk is an OSError like any other."""
    first = next(tables)
    with (
        atomic_file(path) as unfinished,
        unfinished.open("wb") as file,
        pq.ParquetWriter(file, first.schema, compression="zstd") as writer,
    ):
        writer.write_table(first)
        for table in tables:
            writer.write_table(table)


@dataclass(frozen=True, slots=True)
class WindowTable:
    """The windows of one contig, ascending: a Parquet file of start, end, and probabilities in columns "0", "1", ..."""

    chrom: str
    path: Path

    def row_groups(self, labels: Sequence[int]) -> Iterator[pa.Table]:
        """Start, end and the given labels, a row group at a time."""
        with pq.ParquetFile(self.path) as file:
            for group in range(file.num_row_groups):
                yield file.read_row_group(group, columns=["start", "end", *map(str, labels)])


def write_windows(
    out: Path,
    labels: tuple[str, ...],
    lengths: Sequence[tuple[str, int]],
    tables: Sequence[WindowTable],
    threshold: float,
) -> list[Path]:
    """Write the windows in the format that the name of `out` says.

    Args:
        out: the file; see `SUFFIXES`.
        labels: names of the labels.
        lengths: all contigs and their lengths in bp, in the order of the FASTA file.
        tables: of the contigs that have windows, in that order.
        threshold: a BED row is written from this probability on.

    Returns:
        the files written.

    Raises:
        InputError: it cannot be written. NoSpaceError: the disk is full.
    """
    try:
        if out.suffix.lower() == ".parquet":
            _write_parquet(out, labels, tables)
        elif out.suffix.lower() == ".bed":
            write_bed(out, _bed_frames(labels, tables, threshold))
            if tables and not out.stat().st_size:
                highest = _highest(labels, tables)
                log.warning("%s: no row; the highest probability is %.3g, see --threshold", out, highest)
        else:
            return _write_bigwigs(out, labels, lengths, tables)
    except OSError as error:
        refuse_full_disk(out, error)
        raise
    return [out]


def _write_parquet(out: Path, labels: tuple[str, ...], tables: Sequence[WindowTable]) -> None:
    """Columns chrom, start, end and one probability per label."""
    names = [("chrom", pa.string()), ("start", pa.int64()), ("end", pa.int64())]
    schema = pa.schema([*names, *((label, pa.float32()) for label in labels)])
    with (
        atomic_file(out) as unfinished,
        unfinished.open("wb") as file,
        pq.ParquetWriter(file, schema, compression="zstd") as writer,
    ):
        for table in tables:
            for rows in table.row_groups(range(len(labels))):
                chrom = pa.array([table.chrom] * len(rows), pa.string())
                writer.write_table(pa.Table.from_arrays([chrom, *rows.columns], schema=schema))


def _bed_frames(labels: tuple[str, ...], tables: Sequence[WindowTable], threshold: float) -> Iterator[pd.DataFrame]:
    """BED6 rows of the windows that reach the threshold: name = label, score = 1000 x probability."""
    names = np.array(labels, dtype=object)
    for table in tables:
        for rows in table.row_groups(range(len(labels))):
            start, end, *columns = (column.to_numpy() for column in rows.columns)
            probability = np.stack(columns, axis=1)
            row, label = np.nonzero(probability >= threshold)
            score = np.rint(1000 * probability[row, label]).astype(np.int64)
            intervals = {"chrom": table.chrom, "start": start[row], "end": end[row]}
            yield pd.DataFrame(intervals | {"name": names[label], "score": score, "strand": "."})


def _highest(labels: tuple[str, ...], tables: Sequence[WindowTable]) -> float:
    """The highest probability of any label."""
    groups = (rows for table in tables for rows in table.row_groups(range(len(labels))))
    return max(float(column.to_numpy().max()) for rows in groups for column in rows.columns[2:])


def bigwig_files(out: Path, labels: tuple[str, ...]) -> list[Path]:
    """The bigWig of each label: `out` itself for a single label, else STEM.LABEL.bw.

    Raises:
        ConfigError: on Windows and macOS, where labels that differ in case alone have one file; and names that Windows forbids.
    """
    if len(labels) == 1:
        return [out]
    names = [f"{out.stem}.{label}{out.suffix}" for label in labels]
    fault = ""
    if sys.platform == "win32" and (unfit := [label for label in labels if _NOT_ON_WINDOWS & set(label)]):
        fault = f"no file can be named after the label {unfit[0]!r} on Windows"
    if sys.platform in ("win32", "darwin") and len({name.casefold() for name in names}) < len(names):
        fault = "labels that differ in case alone would have one file on this system"
    if fault:
        raise ConfigError(f"{out}: {fault}; write .parquet or .bed")
    return [out.with_name(name) for name in names]


def written_files(out: Path, labels: tuple[str, ...]) -> list[Path]:
    """The files that predictions are written to: one, but of bigWig one for each label; see `bigwig_files`."""
    return bigwig_files(out, labels) if out.suffix.lower() in _BIGWIG else [out]


def _write_bigwigs(
    out: Path, labels: tuple[str, ...], lengths: Sequence[tuple[str, int]], tables: Sequence[WindowTable]
) -> list[Path]:
    """One bigWig per label, see `bigwig_files`."""
    files = bigwig_files(out, labels)
    for k, file in enumerate(files):
        write_bigwig(file, lengths, _track(tables, k))
    return files


def _track(tables: Sequence[WindowTable], label: int) -> Iterator[tuple[str, np.ndarray, np.ndarray, np.ndarray]]:
    """Contig, starts, ends and probabilities of one label, a row group at a time."""
    for table in tables:
        for rows in table.row_groups([label]):
            start, end, value = (column.to_numpy() for column in rows.columns)
            yield table.chrom, start, end, value.astype(np.float64)
