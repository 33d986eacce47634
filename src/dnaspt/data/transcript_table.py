"""`transcripts.parquet` of a dataset folder: the annotated coding transcripts, the truth that gene predictions are scored by.

Coordinates are 0-based half-open on the contig.
"""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dnaspt.data.dataset import fold_columns, rows_of_split, split_file
from dnaspt.data.manifest import read_manifest
from dnaspt.errors import DatasetError
from dnaspt.genome.gene_states import MIN_INTRON_BP
from dnaspt.genome.transcripts import Transcript

if TYPE_CHECKING:  # takes long to import, so it is imported where it is used
    import pyarrow as pa

TRANSCRIPTS = "transcripts"
"""Name of the table."""


class ReferenceTranscript(NamedTuple):
    """A coding transcript that lies wholly in one split.

    Attributes:
        transcript: the transcript.
        split: name of the split.
        longest: whether it has the longest CDS of its gene: the isoform that the labels follow.
    """

    transcript: Transcript
    split: str
    longest: bool


def _schema() -> "pa.Schema":
    import pyarrow as pa

    return pa.schema(
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


def transcript_table(rows: Sequence[ReferenceTranscript], folds: Sequence[tuple[int, int]] | None = None) -> "pa.Table":
    """The table of the given transcripts, one row each, isoforms included.

    Args:
        rows: the transcripts.
        folds: fold and block of each, see `fold_columns`; None where the dataset has no folds.
    """
    import pyarrow as pa

    table = pa.table(
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
        schema=_schema(),
    )
    if folds is None:
        return table
    for column, values in zip(fold_columns(), zip(*folds, strict=True) if folds else ((), ()), strict=True):
        table = table.append_column(column, pa.array(values, column.type))
    return table


def shortest_intron_bp(folder: str | PathLike[str], fold: int = 0) -> int | None:
    """Bases of the shortest intron between coding exons in the train split; None where there is none, or no such table.

    With a fold (from 1), it is the train split of that fold.

    Gaps below `MIN_INTRON_BP` are no introns: annotations write frameshifts so.

    Raises:
        DatasetError: the table is damaged.
    """
    if not split_file(folder, TRANSCRIPTS).is_file():
        return None
    introns = (intron for transcript, _ in read_transcripts(folder, "train", fold) for intron in transcript.introns)
    lengths = (end - start for start, end in introns)
    return min((length for length in lengths if length >= MIN_INTRON_BP), default=None)


def read_transcripts(folder: str | PathLike[str], split: str, fold: int = 0) -> list[tuple[Transcript, bool]]:
    """Read the coding transcripts of one split of a dataset folder.

    Args:
        folder: the dataset folder.
        split: train, valid or test.
        fold: the fold whose split it is, from 1; 0 for the split of the whole dataset.

    Returns:
        Each transcript, and whether it has the longest CDS of its gene.

    Raises:
        DatasetError: the folder has no such table, or the table is damaged.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    path = split_file(folder, TRANSCRIPTS)
    if not path.is_file():
        raise DatasetError(f"{Path(folder)}: has no {path.name}; expected a dataset of 'dnaspt prepare genes'")
    stored, rows, schema = split, None, _schema()
    if fold:
        stored, rows = rows_of_split(read_manifest(folder, fold), split)
        schema = pa.schema([*schema, *fold_columns()])
    wanted = pc.field("split") == stored
    try:
        table = pq.read_table(
            path, schema=schema, columns=_schema().names, filters=wanted if rows is None else wanted & rows
        )
    except (pa.ArrowException, OSError) as error:
        raise DatasetError(f"{path}: broken table ({str(error).splitlines()[0]}); prepare it again") from error
    columns = (table[name].to_pylist() for name in table.column_names if name != "split")
    return [
        (Transcript(chrom, strand, gene_id, transcript_id, tuple(zip(starts, ends, strict=True))), longest)
        for chrom, strand, gene_id, transcript_id, starts, ends, longest in zip(*columns, strict=True)
    ]
