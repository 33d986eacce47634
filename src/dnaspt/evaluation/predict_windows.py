"""FASTA to tracks of window labels: windows slid along contigs (or centered on CpGs) to BED, bigWig and Parquet."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dnaspt.checkpoint import CheckpointConfig
from dnaspt.data.store import publish_file
from dnaspt.errors import ConfigError
from dnaspt.evaluation.predict import predict_batches
from dnaspt.genome import alphabet
from dnaspt.genome.fasta import Contig, read_fasta
from dnaspt.genome.tracks import write_bigwig
from dnaspt.models.task_model import TaskModel

log = logging.getLogger(__name__)

SUFFIXES = (".bed", ".bw", ".bigwig", ".parquet")
_CHUNK_WINDOWS = 4096


@dataclass(frozen=True, slots=True)
class WindowBlock:
    """Predictions of n windows of one contig: the interval that each speaks for, and probabilities (n, K)."""

    chrom: str
    start: np.ndarray
    end: np.ndarray
    probability: np.ndarray


@dataclass(frozen=True, slots=True)
class WindowSummary:
    """n_contigs, n_windows: predicted; n_unknown: windows left out because over half of them is N; files: written."""

    n_contigs: int
    n_windows: int
    n_unknown: int
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WindowOptions:
    """How windows are laid.

    stride_bp: step of the windows; each speaks for the stride_bp bases in its middle. Ignored where on_cpgs.
    on_cpgs: one window per CpG, the C just left of its middle; it speaks for the two bases of the CpG.
    threshold: BED rows are windows of at least this probability.
    average_strands: mean probability of both strands.
    """

    stride_bp: int
    on_cpgs: bool
    threshold: float = 0.5
    average_strands: bool = False


class _Tally:
    def __init__(self) -> None:
        self.n_contigs = self.n_windows = self.n_unknown = 0
        self.lengths: list[tuple[str, int]] = []


def predict_windows_file(
    model: TaskModel,
    config: CheckpointConfig,
    genome: Path,
    out: Path,
    options: WindowOptions,
    stretches: dict[str, list[tuple[int, int]]] | None = None,
) -> WindowSummary:
    """Write predictions in the format that the name of `out` says: .bed, .bw (one file per label) or .parquet.

    Raises:
        ConfigError: another suffix.
    """
    if out.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"{out}: unknown suffix; expected {', '.join(SUFFIXES)}")
    tally = _Tally()
    blocks = _blocks(model, config, genome, options, stretches, tally)
    if out.suffix.lower() == ".parquet":
        files = [_write_parquet(out, config.labels, blocks)]
    elif out.suffix.lower() == ".bed":
        files = [_write_bed(out, config.labels, blocks, options.threshold)]
    else:
        files = _write_bigwigs(out, config.labels, list(blocks), tally)
    return WindowSummary(tally.n_contigs, tally.n_windows, tally.n_unknown, tuple(str(file) for file in files))


def _blocks(
    model: TaskModel,
    config: CheckpointConfig,
    genome: Path,
    options: WindowOptions,
    stretches: dict[str, list[tuple[int, int]]] | None,
    tally: _Tally,
) -> Iterator[WindowBlock]:
    for contig in read_fasta(genome):
        tally.lengths.append((contig.name, len(contig)))
        wanted = [(0, len(contig))] if stretches is None else stretches.get(contig.name, [])
        tally.n_contigs += bool(wanted)
        for first, last in wanted:
            window_start, start, end = _layout(contig, first, last, config.window_bp, options)
            unknown = _unknown_share(contig, window_start, config.window_bp) > 0.5
            tally.n_unknown += int(unknown.sum())
            window_start, start, end = window_start[~unknown], start[~unknown], end[~unknown]
            for at in range(0, len(start), _CHUNK_WINDOWS):
                part = slice(at, at + _CHUNK_WINDOWS)
                probability = _probabilities(model, contig, window_start[part], config.window_bp, options)
                tally.n_windows += len(probability)
                yield WindowBlock(contig.name, start[part], end[part], probability)


def _layout(
    contig: Contig, first: int, last: int, window_bp: int, options: WindowOptions
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Starts of the windows, and the interval that each speaks for; windows lie wholly on the contig."""
    if options.on_cpgs:
        tokens = contig.codes[first:last] & 7
        start = np.flatnonzero((tokens[:-1] == alphabet.C) & (tokens[1:] == alphabet.G)) + first
        end = start + 2
        window_start = start - (window_bp // 2 - 1)
    else:
        margin = (window_bp - options.stride_bp) // 2
        start = np.arange(first, last, options.stride_bp)
        end = np.minimum(start + options.stride_bp, last)
        window_start = start - margin
    inside = (window_start >= 0) & (window_start + window_bp <= len(contig))
    return window_start[inside], start[inside], end[inside]


def _unknown_share(contig: Contig, window_start: np.ndarray, window_bp: int) -> np.ndarray:
    sums = np.concatenate([[0], np.cumsum((contig.codes & 7) == alphabet.N)])
    return np.asarray((sums[window_start + window_bp] - sums[window_start]) / window_bp)


def _probabilities(
    model: TaskModel, contig: Contig, window_start: np.ndarray, window_bp: int, options: WindowOptions
) -> np.ndarray:
    windows = contig.codes[window_start[:, None] + np.arange(window_bp)]
    probability = _sigmoid(np.stack(list(predict_batches(model, windows))))
    if options.average_strands:
        turned = alphabet.reverse_complement(windows)
        probability = (probability + _sigmoid(np.stack(list(predict_batches(model, turned))))) / 2
    return probability


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-logits.astype(np.float64))))


def _write_parquet(out: Path, labels: tuple[str, ...], blocks: Iterator[WindowBlock]) -> Path:
    """Columns chrom, start, end and one probability per label."""
    names = [("chrom", pa.string()), ("start", pa.int64()), ("end", pa.int64())]
    schema = pa.schema([*names, *((label, pa.float32()) for label in labels)])
    with publish_file(out) as unfinished, pq.ParquetWriter(unfinished, schema, compression="zstd") as writer:
        for block in blocks:
            columns = [pa.array([block.chrom] * len(block.start)), pa.array(block.start), pa.array(block.end)]
            columns += [pa.array(block.probability[:, k].astype(np.float32)) for k in range(len(labels))]
            writer.write_table(pa.table(columns, schema=schema))
    return out


def _write_bed(out: Path, labels: tuple[str, ...], blocks: Iterator[WindowBlock], threshold: float) -> Path:
    """BED6 rows of the windows that reach the threshold: name = label, score = 1000 x probability."""
    with publish_file(out) as unfinished, unfinished.open("w", encoding="utf-8") as file:
        for block in blocks:
            for row, label in np.argwhere(block.probability >= threshold):
                score = round(1000 * block.probability[row, label])
                place = f"{block.chrom}\t{block.start[row]}\t{block.end[row]}"
                file.write(f"{place}\t{labels[label]}\t{score}\t.\n")
    return out


def _write_bigwigs(out: Path, labels: tuple[str, ...], blocks: list[WindowBlock], tally: _Tally) -> list[Path]:
    """One bigWig per label: out itself for a single one, else STEM.LABEL.bw."""
    files = [out] if len(labels) == 1 else [out.with_name(f"{out.stem}.{label}{out.suffix}") for label in labels]
    for k, file in enumerate(files):
        values = ((block.chrom, block.start, block.end, block.probability[:, k]) for block in blocks)
        write_bigwig(file, tally.lengths, values)
    return files
