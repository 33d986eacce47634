"""The table of reference transcripts."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from dnaspt.data.transcript_table import (
    TRANSCRIPTS,
    ReferenceTranscript,
    read_transcripts,
    shortest_intron_bp,
    transcript_table,
)
from dnaspt.errors import DatasetError
from dnaspt.genome.transcripts import Transcript

ONE_EXON = Transcript("a", "+", "g1", "g1.t", ((3, 30),))
TWO_EXONS = Transcript("a", "-", "g2", "g2.t", ((50, 62), (80, 89)))
ISOFORM = Transcript("a", "-", "g2", "g2.u", ((50, 62),))
ROWS = [
    ReferenceTranscript(ONE_EXON, "train", longest=True),
    ReferenceTranscript(TWO_EXONS, "test", longest=True),
    ReferenceTranscript(ISOFORM, "test", longest=False),
]


def test_transcripts_are_read_as_they_were_written_split_by_split(tmp_path: Path) -> None:
    pq.write_table(transcript_table(ROWS), tmp_path / f"{TRANSCRIPTS}.parquet")
    assert read_transcripts(tmp_path, "train") == [(ONE_EXON, True)]
    assert read_transcripts(str(tmp_path), "test") == [(TWO_EXONS, True), (ISOFORM, False)]
    assert read_transcripts(tmp_path, "valid") == []


def test_the_shortest_intron_is_that_of_the_train_split(tmp_path: Path) -> None:
    assert shortest_intron_bp(tmp_path) is None
    table = tmp_path / f"{TRANSCRIPTS}.parquet"
    pq.write_table(transcript_table(ROWS), table)
    assert shortest_intron_bp(tmp_path) is None  # the intron of 18 bp is of the test split
    long, short = ((0, 30), (95, 120)), ((0, 30), (33, 60), (120, 150))  # of 65, and of 3 (a frameshift) and 60
    more = [Transcript("b", "+", "g3", f"g3.{n}", cds) for n, cds in enumerate((long, short))]
    pq.write_table(
        transcript_table([*ROWS, *(ReferenceTranscript(one, "train", longest=False) for one in more)]), table
    )
    assert shortest_intron_bp(tmp_path) == 60


def test_a_table_without_transcripts_is_a_table(tmp_path: Path) -> None:
    pq.write_table(transcript_table([]), tmp_path / f"{TRANSCRIPTS}.parquet")
    assert read_transcripts(tmp_path, "train") == []


def test_a_folder_without_the_table_and_a_damaged_table_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        DatasetError, match=r"has no transcripts\.parquet; expected a dataset of 'dnaspt prepare genes'"
    ):
        read_transcripts(tmp_path, "train")
    (tmp_path / "transcripts.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(DatasetError, match=r"transcripts\.parquet: broken table .*prepare it again"):
        read_transcripts(tmp_path, "train")
