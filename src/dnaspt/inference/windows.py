"""FASTA to tracks of window labels: windows slid along contigs (or centered on CpGs) to BED, bigWig and Parquet.

Finished contigs are kept beside the output until it is whole: memory does not grow with the genome, and a broken-off
prediction goes on where it stopped.
"""

import json
import logging
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from dnaspt.atomic import publish_file, write_text_atomically
from dnaspt.checkpoint import CheckpointConfig
from dnaspt.errors import ConfigError, refuse_full_disk
from dnaspt.genome import alphabet
from dnaspt.genome.bed import write_bed
from dnaspt.genome.bigwig import write_bigwig
from dnaspt.genome.fasta import Contig
from dnaspt.genome.intervals import count_true
from dnaspt.inference.emissions import predict_windows
from dnaspt.inference.resume import Request, contig_parts
from dnaspt.models.task_model import TaskModel
from dnaspt.tasks import TASKS

log = logging.getLogger(__name__)

SUFFIXES = (".bed", ".bw", ".bigwig", ".parquet")


@dataclass(frozen=True, slots=True)
class WindowPart:
    """The windows of one contig, ascending: a Parquet file of start, end, and probabilities in columns "0", "1", ..."""

    chrom: str
    path: Path

    def blocks(self, labels: Sequence[int]) -> Iterator[pa.Table]:
        """Starts, ends and the given labels, a row group at a time."""
        with pq.ParquetFile(self.path) as file:
            for group in range(file.num_row_groups):
                yield file.read_row_group(group, columns=["start", "end", *map(str, labels)])


def write_windows(
    out: Path,
    labels: tuple[str, ...],
    lengths: Sequence[tuple[str, int]],
    parts: Sequence[WindowPart],
    threshold: float,
) -> list[Path]:
    """Write the windows in the format that the name of `out` says; returns the files.

    Args:
        out: the file; see `SUFFIXES`.
        labels: names of the labels.
        lengths: all contigs and their lengths in bp, in the order of the FASTA file.
        parts: the contigs that have windows, in that order.
        threshold: probability from which a BED row is written.

    Raises:
        InputError: it cannot be written; NoSpaceError: for want of space.
    """
    try:
        if out.suffix.lower() == ".parquet":
            _write_parquet(out, labels, parts)
        elif out.suffix.lower() == ".bed":
            write_bed(out, _bed_frames(labels, parts, threshold))
            if parts and not out.stat().st_size:
                log.warning(
                    "%s: no row; the highest probability is %.3g, see --threshold", out, _highest(labels, parts)
                )
        else:
            return _write_bigwigs(out, labels, lengths, parts)
    except OSError as error:
        refuse_full_disk(out, error)
        raise
    return [out]


def _write_parquet(out: Path, labels: tuple[str, ...], parts: Sequence[WindowPart]) -> None:
    """Columns chrom, start, end and one probability per label."""
    names = [("chrom", pa.string()), ("start", pa.int64()), ("end", pa.int64())]
    schema = pa.schema([*names, *((label, pa.float32()) for label in labels)])
    with (
        publish_file(out) as unfinished,
        unfinished.open("wb") as file,
        pq.ParquetWriter(file, schema, compression="zstd") as writer,
    ):
        for part in parts:
            for block in part.blocks(range(len(labels))):
                chrom = pa.array([part.chrom] * len(block), pa.string())
                writer.write_table(pa.Table.from_arrays([chrom, *block.columns], schema=schema))


def _bed_frames(labels: tuple[str, ...], parts: Sequence[WindowPart], threshold: float) -> Iterator[pd.DataFrame]:
    """BED6 rows of the windows that reach the threshold: name = label, score = 1000 x probability."""
    names = np.array(labels, dtype=object)
    for part in parts:
        for block in part.blocks(range(len(labels))):
            start, end, *columns = (column.to_numpy() for column in block.columns)
            probability = np.stack(columns, axis=1)
            row, label = np.nonzero(probability >= threshold)
            score = np.rint(1000 * probability[row, label]).astype(np.int64)
            intervals = {"chrom": part.chrom, "start": start[row], "end": end[row]}
            yield pd.DataFrame(intervals | {"name": names[label], "score": score, "strand": "."})


def _highest(labels: tuple[str, ...], parts: Sequence[WindowPart]) -> float:
    blocks = (block for part in parts for block in part.blocks(range(len(labels))))
    return max(float(column.to_numpy().max()) for block in blocks for column in block.columns[2:])


def _write_bigwigs(
    out: Path, labels: tuple[str, ...], lengths: Sequence[tuple[str, int]], parts: Sequence[WindowPart]
) -> list[Path]:
    """One bigWig per label: out itself for a single one, else STEM.LABEL.bw."""
    files = [out] if len(labels) == 1 else [out.with_name(f"{out.stem}.{label}{out.suffix}") for label in labels]
    for k, file in enumerate(files):
        write_bigwig(file, lengths, _track(parts, k))
    return files


def _track(parts: Sequence[WindowPart], label: int) -> Iterator[tuple[str, np.ndarray, np.ndarray, np.ndarray]]:
    for part in parts:
        for block in part.blocks([label]):
            start, end, value = (column.to_numpy() for column in block.columns)
            yield part.chrom, start, end, value.astype(np.float64)


_CHUNK_WINDOWS = 4096
_MAX_UNKNOWN = 0.5


@dataclass(frozen=True, slots=True)
class WindowCounts:
    """Of one contig: windows predicted; left out because over half is N; left out because they reach off the contig."""

    n_windows: int
    n_unknown: int
    n_off_contig: int


@dataclass(frozen=True, slots=True)
class WindowSummary:
    """What was predicted and written.

    Attributes:
        n_contigs: contigs predicted.
        n_windows: windows predicted.
        n_unknown: windows left out because over half of them is N.
        n_off_contig: windows left out because they reach off the contig.
        n_resumed: contigs taken over from a broken-off prediction.
        files: names of the files written.
    """

    n_contigs: int
    n_windows: int
    n_unknown: int
    n_off_contig: int
    n_resumed: int
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WindowOptions:
    """How windows are laid.

    stride_bp: step of the windows; each speaks for the stride_bp bases in its middle. Ignored where on_cpgs.
    on_cpgs: one window per CpG, the C just left of its middle; it speaks for the two bases of the CpG.
    threshold: BED rows are windows of at least this probability.
    average_strands: mean logits of both strands.
    """

    stride_bp: int
    on_cpgs: bool
    threshold: float = 0.5
    average_strands: bool = False


def predict_windows_file(
    request: Request, model: TaskModel, config: CheckpointConfig, options: WindowOptions
) -> WindowSummary:
    """Write predictions in the format that the name of the output says: .bed, .bw (one file per label) or .parquet.

    Raises:
        ConfigError: another suffix.
        InputError: the FASTA cannot be used; finished contigs are not kept then. NoSpaceError: they are.
    """
    if request.out.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"{request.out}: unknown suffix; expected {', '.join(SUFFIXES)}")
    settings = {name: value for name, value in asdict(options).items() if name != "threshold"}
    lengths: list[tuple[str, int]] = []
    parts: list[WindowPart] = []
    counts: list[WindowCounts] = []
    n_resumed = 0
    with contig_parts(request, {"task": config.task} | settings) as folder:
        for number, contig, wanted in request.contigs(lengths):
            part, finished = folder / f"{number}.parquet", folder / f"{number}.json"
            if finished.is_file():
                n_resumed += 1
            else:
                found = contig_windows(part, model, config, contig, wanted, options)
                write_text_atomically(finished, json.dumps(asdict(found)))
            counts.append(WindowCounts(**json.loads(finished.read_text(encoding="utf-8"))))
            if counts[-1].n_windows:
                parts.append(WindowPart(contig.name, part))
    files = write_windows(request.out, config.labels, lengths, parts, options.threshold)
    shutil.rmtree(folder)
    n_windows, n_unknown, n_off_contig = (
        sum(getattr(one, name) for one in counts) for name in WindowCounts.__dataclass_fields__
    )
    names = tuple(str(file) for file in files)
    return WindowSummary(len(counts), n_windows, n_unknown, n_off_contig, n_resumed, names)


def contig_windows(
    part: Path,
    model: TaskModel,
    config: CheckpointConfig,
    contig: Contig,
    stretches: list[tuple[int, int]],
    options: WindowOptions,
) -> WindowCounts:
    """Predict the windows of a contig's stretches into a Parquet file: start, end, and the labels by number.

    No file is written where there is no window.
    """
    if bin_bp := TASKS[config.task].resolution_bp:
        return _contig_bins(part, model, config, contig, stretches, bin_bp, average_strands=options.average_strands)
    laid = np.concatenate(
        [_layout(contig, first, last, config.window_bp, options) for first, last in stretches], axis=1
    )
    inside = (laid[0] >= 0) & (laid[0] + config.window_bp <= len(contig))
    n_off_contig = int((~inside).sum())
    laid = laid[:, inside]
    n_bases = count_true(alphabet.is_unknown(contig.codes), np.stack([laid[0], laid[0] + config.window_bp], axis=1))
    unknown = n_bases > _MAX_UNKNOWN * config.window_bp
    laid = laid[:, ~unknown]
    if laid.shape[1]:
        _write_part(part, _tables(model, config, contig, laid, average_strands=options.average_strands))
    return WindowCounts(laid.shape[1], int(unknown.sum()), n_off_contig)


def _contig_bins(
    part: Path,
    model: TaskModel,
    config: CheckpointConfig,
    contig: Contig,
    stretches: list[tuple[int, int]],
    bin_bp: int,
    *,
    average_strands: bool,
) -> WindowCounts:
    """As `contig_windows`, for the bins of windows laid end to end; the last of a stretch is as short as it must be."""
    n_unknown, n_short, tables = 0, 0, []
    for first, last in stretches:
        for start in range(first, last, config.window_bp):
            n_bins = (min(start + config.window_bp, last) - start) // bin_bp
            n_short += (min(start + config.window_bp, last) - start) % bin_bp > 0
            if not n_bins:
                continue
            codes = contig.codes[start : start + n_bins * bin_bp]
            logits = predict_windows(model, [codes], average_strands=average_strands).reshape(n_bins, -1)
            probability = (1 / (1 + np.exp(-logits.astype(np.float64)))).astype(np.float32)
            n_bases = alphabet.is_unknown(codes).reshape(n_bins, bin_bp).sum(axis=1)
            known = n_bases <= _MAX_UNKNOWN * bin_bp
            n_unknown += int((~known).sum())
            starts = start + np.flatnonzero(known) * bin_bp
            columns = {str(k): column for k, column in enumerate(probability[known].T)}
            tables.append(pa.table({"start": starts, "end": starts + bin_bp} | columns))
    n_windows = sum(len(table) for table in tables)
    if n_windows:
        _write_part(part, iter(tables))
    return WindowCounts(n_windows, n_unknown, n_short)


def _layout(contig: Contig, first: int, last: int, window_bp: int, options: WindowOptions) -> np.ndarray:
    """Starts of the windows, and starts and ends of the intervals they speak for: (3, n), ascending."""
    if options.on_cpgs:
        start = alphabet.cpg_positions(contig.codes[first:last]) + first
        return np.stack([start - (window_bp // 2 - 1), start, start + 2])
    start = np.arange(first, last, options.stride_bp)
    end = np.minimum(start + options.stride_bp, last)
    return np.stack([start - (window_bp - options.stride_bp) // 2, start, end])


def _tables(
    model: TaskModel, config: CheckpointConfig, contig: Contig, laid: np.ndarray, *, average_strands: bool
) -> Iterator[pa.Table]:
    windows = np.lib.stride_tricks.sliding_window_view(contig.codes, config.window_bp)
    for at in range(0, laid.shape[1], _CHUNK_WINDOWS):
        window_start, start, end = laid[:, at : at + _CHUNK_WINDOWS]
        logits = predict_windows(model, windows[window_start], average_strands=average_strands)
        probability = (1 / (1 + np.exp(-logits.astype(np.float64)))).astype(np.float32)
        columns = {str(k): column for k, column in enumerate(probability.T)}
        yield pa.table({"start": start, "end": end} | columns)


def _write_part(part: Path, tables: Iterator[pa.Table]) -> None:
    """One row group for each table; the file is opened here, so that a full disk is an OSError like any other."""
    first = next(tables)
    with (
        publish_file(part) as unfinished,
        unfinished.open("wb") as file,
        pq.ParquetWriter(file, first.schema, compression="zstd") as writer,
    ):
        writer.write_table(first)
        for table in tables:
            writer.write_table(table)
