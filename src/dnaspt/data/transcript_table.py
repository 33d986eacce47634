"""Coding transcripts of a dataset <-> `transcripts.parquet`, 0-based half-open on the contig: the truth to score by."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from dnaspt.errors import DatasetError
from dnaspt.genome.transcripts import Transcript

TABLE = "transcripts"

_SCHEMA = pa.schema(
    [
        ("chrom", pa.string()),
        ("strand", pa.string()),
        ("gene_id", pa.string()),
        ("transcript_id", pa.string()),
        ("cds_starts", pa.list_(pa.int64())),
        ("cds_ends", pa.list_(pa.int64())),
        ("split", pa.string()),
        ("longest", pa.bool_()),
    ]
)


class PlacedTranscript(NamedTuple):
    """A transcript that lies wholly in a piece of `split`; `longest` is the isoform that the labels follow."""

    transcript: Transcript
    split: str
    longest: bool


def transcript_table(rows: Sequence[PlacedTranscript]) -> pa.Table:
    """One row per transcript, isoforms included."""
    return pa.table(
        {
            "chrom": [row.transcript.chrom for row in rows],
            "strand": [row.transcript.strand for row in rows],
            "gene_id": [row.transcript.gene_id for row in rows],
            "transcript_id": [row.transcript.transcript_id for row in rows],
            "cds_starts": [[start for start, _ in row.transcript.cds] for row in rows],
            "cds_ends": [[end for _, end in row.transcript.cds] for row in rows],
            "split": [row.split for row in rows],
            "longest": [row.longest for row in rows],
        },
        schema=_SCHEMA,
    )


def read_transcripts(folder: str | Path, split: str) -> list[tuple[Transcript, bool]]:
    """Coding transcripts of one split of a dataset folder, each with whether it is its gene's longest.

    Raises:
        DatasetError: the folder has no such table, or it is broken.
    """
    path = Path(folder) / f"{TABLE}.parquet"
    if not path.is_file():
        raise DatasetError(f"{folder}: has no {path.name}; expected a dataset of 'dnaspt prepare genes'")
    try:
        rows = pq.read_table(path, schema=_SCHEMA, filters=[("split", "=", split)]).to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise DatasetError(f"{path}: broken table ({str(error).splitlines()[0]}); prepare it again") from error
    return [(_transcript(row), row["longest"]) for row in rows]


def _transcript(row: dict) -> Transcript:
    cds = tuple(zip(row["cds_starts"], row["cds_ends"], strict=True))
    return Transcript(row["chrom"], row["strand"], row["gene_id"], row["transcript_id"], cds)
