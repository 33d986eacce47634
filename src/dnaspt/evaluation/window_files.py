"""Predicted windows, one Parquet file per contig, to one BED, Parquet or bigWig file; a block of rows at a time."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from dnaspt.errors import refuse_full_disk
from dnaspt.genome.bed import write_bed
from dnaspt.genome.bigwig import write_bigwig
from dnaspt.publish import publish_file

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
