"""What a person sees: lines and tables as they are, without markup."""

import json
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dnaspt.cli.terminal import (
    DownloadProgress,
    _blocks,
    _drawn,
    mapping_table,
    open_in_browser,
    print_json,
    show_summary,
    show_tables,
    show_text,
    table,
)
from dnaspt.evaluation.metrics import Score
from dnaspt.progress import console
from dnaspt.reports.tables import Table

INTERVAL = "0.612 [0.583, 0.641]"


@pytest.fixture(autouse=True)
def _width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "width", 80)


def test_a_table_shows_its_title_names_and_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    table("windows", ("split", "bp"), [("train", 1_234_567), ("[bold]valid", 0.25)])
    shown = capsys.readouterr().out
    assert shown.startswith("windows")
    assert "1,234,567" in shown and "0.25" in shown


def test_three_intervals_fit_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    table(
        "genes", ("level", "sensitivity", "precision", "F1"), [("intron chain", *[INTERVAL] * 3), ("gene", *["-"] * 3)]
    )
    title, names, rule, chain, gene = capsys.readouterr().out.splitlines()
    assert (title, set(rule), chain) == ("genes", {"-"}, f"intron chain  {INTERVAL}  {INTERVAL}  {INTERVAL}")
    assert len(names) == len(rule) == len(chain) == len(gene)  # numbers are right-aligned


def test_texts_are_broken_between_words_and_set_in_where_they_could_be_rows(capsys: pytest.CaptureFixture[str]) -> None:
    row = ("scratch and self-pretrained with composition", INTERVAL, INTERVAL, "it is undecided in the end")
    table("gains", ("arm", "gain [95 %]", "F1", "verdict"), [row, ("other", "-", "-", "-")])
    lines = capsys.readouterr().out.splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert [line for line in lines if line.startswith("  ")] and lines[3].count(INTERVAL) == 2


def test_what_cannot_fit_has_its_columns_in_blocks_behind_the_first_one(capsys: pytest.CaptureFixture[str]) -> None:
    table("wide", ("label", *(f"score{k}" for k in range(5))), [("a", *[INTERVAL] * 5)])
    shown = capsys.readouterr().out
    assert shown.count("label") == 2 and shown.count(INTERVAL) == 5
    assert all(len(line) <= 80 for line in shown.splitlines())


def test_a_word_is_never_broken_so_that_a_path_can_be_copied(capsys: pytest.CaptureFixture[str]) -> None:
    path = "/".join(["folder"] * 20)
    mapping_table("run", {"checkpoint": path, "n_bp": 12})
    shown = capsys.readouterr().out
    assert path in shown and "bases" in shown and "n_bp" not in shown


CELLS = st.lists(
    st.sampled_from(["a", "gene", "0.612", "1,234", "-", "", INTERVAL, "3 of 4", "a long text of words", "x" * 30])
)


@settings(deadline=None, max_examples=200)
@given(st.lists(CELLS.map(tuple), min_size=1, max_size=6), st.integers(20, 120))
def test_no_part_of_a_cell_is_lost_broken_or_made_up(columns: list[tuple[str, ...]], width: int) -> None:
    n_rows = max(map(len, columns)) + 1
    full = [("name", *own, *[""] * n_rows)[:n_rows] for own in columns]
    blocks = _blocks(full, width)
    assert sorted({number for block in blocks for number in block}) == list(range(len(full)))
    drawn = [_drawn([full[number] for number in block], width).plain for block in blocks]
    for block, text in zip(blocks, drawn, strict=True):
        rows = [line for line in text.splitlines() if not line or set(line) != {"-"} or len(line) == 1]
        words = Counter(word for line in rows for word in line.split())
        assert words == Counter(word for number in block for cell in full[number] for word in cell.split())
        assert text.count(INTERVAL) == sum(cell == INTERVAL for number in block for cell in full[number])


def test_sentences_are_broken_between_words(capsys: pytest.CaptureFixture[str]) -> None:
    show_text("one word and another " * 10)
    lines = capsys.readouterr().out.splitlines()
    assert (
        len(lines) == 3
        and all(len(line) <= 80 for line in lines)
        and lines[1].split()[0] in ("one", "word", "and", "another")
    )


def test_json_has_numbers_as_they_are_and_null_where_there_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    content = {"a": Score(0.123456789, math.nan, math.inf), "b": (Path("x"), np.float32(0.5), np.int64(3)), 1: "ä"}
    print_json(content)
    said = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert said == {
        "a": {"value": 0.123456789, "low": None, "high": None},
        "b": ["x", 0.5, 3],
        "1": "ä",
    } and isinstance(said["b"][2], int)


def test_a_summary_is_a_table_in_words_or_json_with_names(capsys: pytest.CaptureFixture[str]) -> None:
    rows = {"out": "genes.gff3", "n_left_out": 3}
    show_summary("genes.gff3: written", rows, as_json=False)
    assert "genes left out by a filter      3" in capsys.readouterr().out
    show_summary("genes.gff3: written", rows, as_json=True)
    assert json.loads(capsys.readouterr().out) == rows


def test_an_empty_mapping_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    mapping_table("counted", {})
    assert capsys.readouterr().out == ""


def test_a_table_without_rows_is_its_title_and_its_note(capsys: pytest.CaptureFixture[str]) -> None:
    show_tables([Table("no windows", ("split",), [], "the genome is too short")])
    assert capsys.readouterr().out == "no windows\nthe genome is too short\n"


def test_downloads_are_silent_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with DownloadProgress() as progress:
        progress.tell("genome.fa", 10, 100)
        progress.tell("genome.fa", 100, 100)
        progress.tell("labels.bed", 5, -1)
    assert "genome.fa" not in capsys.readouterr().out


def test_a_page_is_opened_on_a_desktop_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    open_in_browser("http://127.0.0.1:1/")
    assert opened == []
    monkeypatch.setenv("DISPLAY", ":0")
    open_in_browser("http://127.0.0.1:1/")
    assert opened == ["http://127.0.0.1:1/"]
