import math

import pytest

from dnaspt.evaluation.metrics import Score
from dnaspt.reports.tables import SIGNED, Table, cell, markdown_table, value_table, written


@pytest.mark.parametrize(
    ("score", "form", "text"),
    [
        (Score(0.6124, 0.5831, 0.6409), ".3f", "0.612 [0.583, 0.641]"),
        (Score(0.05, -0.01, 0.11), SIGNED, "+0.050 [-0.010, +0.110]"),
        (Score(0.5), ".3f", "0.500"),
        (Score(math.nan), ".3f", "–"),
    ],
)
def test_a_score_is_written_with_its_interval(score: Score, form: str, text: str) -> None:
    assert written(score, form) == text


def test_a_table_is_drawn_in_columns() -> None:
    table = Table("Arms", ("arm", "MCC"), (("scratch", "0.5"), ("SPT", "0.61")), "Two seeds.")
    assert str(table) == "Arms\narm      MCC\nscratch  0.5\nSPT      0.61\nTwo seeds."
    assert markdown_table(table) == "| arm | MCC |\n| --- | --- |\n| scratch | 0.5 |\n| SPT | 0.61 |"


def test_an_empty_table_is_its_title_and_its_note() -> None:
    assert str(Table("Dropped", ("reason",), (), "Nothing.")) == "Dropped\nNothing."
    assert markdown_table(Table("Dropped", ("reason",), ())) == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "yes"),
        (False, "no"),
        (None, "-"),
        (1234567, "1,234,567"),
        (0.123456, "0.1235"),
        (1.23456, "1.2346"),
        (1234.5, "1,234.50"),
        ((1, 0.5), "1, 0.5"),
        ({"a": 1}, "a: 1"),
        ("x", "x"),
    ],
)
def test_a_value_is_shown_shortly(value: object, text: str) -> None:
    assert cell(value) == text


def test_no_values_make_no_table() -> None:
    assert value_table("counted", {}) == []
    assert value_table("counted", {"genes": 1000})[0].rows == (("genes", "1,000"),)


def test_a_table_is_saved_as_csv_under_its_title() -> None:
    table = Table("F1 of <exons>, heads", ("run", "F1"), (("a, b", "0.5"), ('"c"', "–")))
    assert table.file_name == "f1_of_exons_heads"
    assert table.csv == 'run,F1\n"a, b",0.5\n"""c""",–\n'
    assert (
        table.csv_uri
        == "data:text/csv;charset=utf-8,run%2CF1%0A%22a%2C%20b%22%2C0.5%0A%22%22%22c%22%22%22%2C%E2%80%93%0A"
    )
    assert Table("–", ("a",), ()).file_name == "table"
