"""What a person sees: lines and tables as they are, without markup."""

import pytest

from dnaspt.cli.terminal import DownloadProgress, mapping_table, open_in_browser, show_tables, table
from dnaspt.reports.tables import Table


def test_a_table_shows_its_title_names_and_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    table("windows", ("split", "bp"), [("train", 1_234_567), ("[bold]valid", 0.25)])
    shown = capsys.readouterr().out
    assert shown.startswith("windows")
    assert "1,234,567" in shown and "0.25" in shown


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
