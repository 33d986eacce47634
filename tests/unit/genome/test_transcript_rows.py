"""Which CDS rows of one name belong together."""

from pathlib import Path

import pytest

from dnaspt.errors import InputError
from dnaspt.genome.intervals import Interval
from dnaspt.genome.transcript_rows import CdsRow, NamedRow, TranscriptRows, by_place, by_protein, ids_name_proteins

FILE = Path("a.gff3")


def cds(start: int, end: int, cds_id: str = "", protein_id: str = "", strand: str = "+") -> CdsRow:
    return CdsRow(start, end, strand, 1, cds_id, protein_id)


def named(start: int, end: int, strand: str = "+", line: int = 1) -> NamedRow:
    return NamedRow("mrna", Interval("c", start, end, strand), line)


def starts(parts: list[TranscriptRows]) -> list[list[int]]:
    return [[row.start for row in part.cds] for part in parts]


def test_rows_go_to_the_place_that_holds_them_or_to_the_nearest() -> None:
    rows = TranscriptRows(
        "c", "t", cds=[cds(0, 9), cds(20, 30), cds(100, 110), cds(95, 99)], exons=[(0, 30), (100, 120)]
    )
    places = by_place(FILE, rows, [named(0, 30), named(100, 120), named(100, 125)])
    assert starts(places) == [[0, 20], [100, 95]]
    assert [place.exons for place in places] == [[(0, 30)], [(100, 120)]]


def test_rows_that_overlap_are_one_place() -> None:
    rows = TranscriptRows("c", "t", cds=[cds(0, 9), cds(20, 30)])
    assert by_place(FILE, rows, [named(0, 25), named(20, 30)]) == [rows]
    assert by_place(FILE, rows, [named(0, 25)]) == [rows]


def test_places_on_both_strands_are_an_error_unless_spliced_from_two() -> None:
    rows = TranscriptRows("c", "t", cds=[cds(0, 9), cds(100, 110, strand="-")])
    places = [named(0, 25, "+", 3), named(100, 130, "-", 8)]
    with pytest.raises(InputError, match=r"a\.gff3:8: the ID 't' is used for two transcripts of 'c', on \+ \(line 3\)"):
        by_place(FILE, rows, places)
    rows.is_trans_spliced = True
    assert by_place(FILE, rows, places) == [rows]


def test_what_most_transcripts_do_says_whether_ids_name_proteins() -> None:
    shared = TranscriptRows("c", "t", cds=[cds(0, 9, "p"), cds(20, 30, "p")])
    own = TranscriptRows("c", "u", cds=[cds(0, 9, "q1"), cds(20, 30, "q2")])
    assert ids_name_proteins([shared, shared, own])
    assert not ids_name_proteins([shared, own, own])


def test_rows_are_divided_by_protein_and_keep_the_stop_codons_that_touch_them() -> None:
    rows = TranscriptRows(
        "c", "t", cds=[cds(0, 9, "p"), cds(12, 15, "p"), cds(20, 30, "q")], stops=[(15, 18), (30, 33)]
    )
    for ids_count in (True, False):
        first, second = by_protein(rows, ids_count=ids_count)
        assert (first.protein, first.stops, second.protein, second.stops) == ("p", [(15, 18)], "q", [(30, 33)])


def test_rows_with_an_id_each_are_one_protein_or_unclear_where_others_share_theirs() -> None:
    rows = TranscriptRows("c", "t", cds=[cds(0, 9, "p1"), cds(20, 30, "p2")])
    assert by_protein(rows, ids_count=False) == [rows]
    assert by_protein(rows, ids_count=True) is None


def test_rows_that_share_any_name_are_one_protein() -> None:
    rows = TranscriptRows("c", "t", cds=[cds(0, 9, "c", "P.1"), cds(20, 30, "c"), cds(40, 50, "c", "P")])
    assert by_protein(rows, ids_count=True) == [rows]


def test_a_row_without_any_id_keeps_all_together() -> None:
    rows = TranscriptRows("c", "t", cds=[cds(0, 9, "p"), cds(20, 30)])
    assert by_protein(rows, ids_count=True) == [rows]
