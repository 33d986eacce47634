"""Tab-separated text to typed columns, each row with its line number."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dnaspt.errors import InputError
from dnaspt.genome import columns
from dnaspt.genome.columns import (
    Column,
    TableHeader,
    find_header,
    first_row,
    n_columns,
    preamble,
    read_columns,
    read_lines,
)

NAME, START, SCORE = Column("name", 0, str), Column("start", 1, int), Column("score", 2, float)


def write(folder: Path, content: str | bytes) -> Path:
    path = folder / "a.tsv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read(path: Path, *wanted: Column, **options: object) -> pd.DataFrame:
    return pd.concat(read_columns(path, wanted, **options), ignore_index=True)


def test_columns_have_their_types_whatever_their_order(tmp_path: Path) -> None:
    frame = read(write(tmp_path, "a\t1\t0.5\nNA\t2\tnan\n"), SCORE, NAME, START)
    assert frame["name"].tolist() == ["a", "NA"] and frame["start"].tolist() == [1, 2]
    assert frame["score"][0] == 0.5 and np.isnan(frame["score"][1])
    assert frame["line"].tolist() == [1, 2]


@pytest.mark.parametrize("block_bytes", [1, 5, 11, 64, 1 << 20])
def test_blocks_may_end_anywhere_and_lines_are_counted_across_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block_bytes: int
) -> None:
    monkeypatch.setattr(columns, "_BLOCK_BYTES", block_bytes)
    text = "# comment\ntrack name=a\n" + "".join(f"c{i}\t{i}\t{i / 4}\n" + "\n" * (i % 2) for i in range(9))
    frame = read(write(tmp_path, text + "last\t9\t."), NAME, START, SCORE)
    assert frame["start"].tolist() == list(range(10)) and frame["name"].iloc[-1] == "last"
    lines = text.split("\n")
    assert [lines[line - 1].split("\t")[0] for line in frame["line"][:-1]] == [f"c{i}" for i in range(9)]


def test_a_header_is_found_and_skipped(tmp_path: Path) -> None:
    path = write(tmp_path, "# made by hand\n#Chromosome\tchromStart\tName \nchr1\t4\tx\n")
    header = find_header(path)
    assert header == TableHeader(("chrom", "chromstart", "name"), 2)
    assert read(path, NAME, START, header=header)["start"].tolist() == [4]
    assert find_header(write(tmp_path, "chr1\t4\tx\n#Chromosome\tstart\tend\n")) is None


def test_the_first_row_is_the_first_that_counts(tmp_path: Path) -> None:
    assert first_row(write(tmp_path, "#c\nbrowser position\n\nchr1\t4 5\n")) == ["chr1", "4 5"]
    assert first_row(write(tmp_path, "chr1 4  5\n")) == ["chr1", "4", "5"]
    with pytest.raises(InputError, match="no row in it; expected tab-separated rows"):
        first_row(write(tmp_path, "# nothing\n"))


def test_rows_are_cut_at_spaces_where_there_is_no_tab_or_where_that_is_asked_for(tmp_path: Path) -> None:
    assert read(write(tmp_path, "a 1  0.5\n"), NAME, SCORE)["score"].tolist() == [0.5]
    assert read(write(tmp_path, "a\t1 0.5\n"), NAME, SCORE, spaces=True)["score"].tolist() == [0.5]
    with pytest.raises(InputError, match=r":1: 2 columns \('a\\t1 0.5'\); expected at least 3"):
        read(write(tmp_path, "a\t1 0.5\n"), NAME, SCORE)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\t1\nb\tx\n", ":2: start 'x'; expected an integer in column 2"),
        ("a\t1\nb\t1_000\n", ":2: start '1_000'; expected an integer"),
        ("a\t1\nb\t\n", ":2: start ''; expected an integer"),
        ("a\t1\n\nb\n", ":3: 1 columns .*; expected at least 2, tab-separated"),
        (f"a\t{1 << 63}\n", ":1: start '9223372036854775808'; expected an integer"),
        ("", "a.tsv: no row in it; expected rows of name, start"),
    ],
)
def test_rows_that_do_not_fit_are_named_with_their_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(write(tmp_path, text), NAME, START)


def test_a_name_that_is_not_utf8_is_refused_where_it_is_read(tmp_path: Path) -> None:
    path = write(tmp_path, b"a\t1\n\xff\t2\n")
    assert read(path, START)["start"].tolist() == [1, 2]
    with pytest.raises(InputError, match=r":2: name .*; expected UTF-8 text in column 1"):
        read(path, NAME, START)


def test_lines_have_numbers_and_no_byte_order_mark(tmp_path: Path) -> None:
    path = write(tmp_path, b"\xef\xbb\xbfa\n\nb\xff")
    assert list(read_lines(path)) == [(1, "a\n"), (2, "\n"), (3, "b\ufffd")]


def test_broken_gzip_data_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, gzip.compress(b"a\t1\n" * 999)[:-9])
    for reader in (read_lines(path), read_columns(path, [NAME])):
        with pytest.raises(InputError, match="broken gzip data"):
            list(reader)


def test_the_width_is_that_of_most_rows_without_empty_fields_at_their_ends(tmp_path: Path) -> None:
    assert n_columns(write(tmp_path, "a\t1\nb\t1\t2\t\t\nc\t1\t2\t\r\n# a\tb\tc\td\n")) == 3
    assert n_columns(write(tmp_path, "a 1\nb 1 2  3\n")) == 4  # as many rows of each: the wider one
    header = TableHeader(("chrom", "start", "end", "name"), 1)
    assert n_columns(write(tmp_path, "chrom\tstart\tend\tname\na\t1\t2\n"), header) == 3
    with pytest.raises(InputError, match="no row in it"):
        n_columns(write(tmp_path, "# nothing\n"))


def test_the_preamble_ends_at_the_first_row(tmp_path: Path) -> None:
    assert preamble(write(tmp_path, "# a\ntrack type=bedGraph\n\nx\t1\n# b\n")) == "# a\ntrack type=bedGraph\n\n"


@pytest.mark.parametrize("texts", [["", "x"], ["x", ""], ["", ""]])
@pytest.mark.parametrize("gap", ["\t", " "])
def test_a_row_may_end_before_an_optional_column_and_before_no_other(tmp_path: Path, texts: list, gap: str) -> None:
    path = write(tmp_path, "".join(gap.join(["a", "1", text]).rstrip() + "\n" for text in texts))
    last = read(path, NAME, Column("last", 2, str, optional=True))["last"].astype(str)
    assert last.replace(".", "").tolist() == texts
    with pytest.raises(InputError, match=rf":{texts.index('') + 1}: 2 columns .*; expected at least 3"):
        read(path, NAME, Column("last", 2, str))


@pytest.mark.parametrize("content", [b"\xef\xbb\xbfa\t1\n", b"\xef\xbb\xbf\na\t1\n", b"a\t1\r\n", b"a\t1\r\r\n"])
@pytest.mark.parametrize("block_bytes", [1, 1 << 20])
def test_marks_and_line_ends_are_no_part_of_a_field(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, block_bytes: int
) -> None:
    monkeypatch.setattr(columns, "_BLOCK_BYTES", block_bytes)
    frame = read(write(tmp_path, content), NAME, START)
    assert (frame["name"].tolist(), frame["start"].tolist()) == (["a"], [1])


def test_integers_that_are_written_with_a_point_are_read_and_infinity_is_none(tmp_path: Path) -> None:
    assert read(write(tmp_path, "a\t5.0\nb\t1e3\n"), START)["start"].tolist() == [5, 1000]
    for text in ("inf", "-inf", "1e300", "5.5", "nan", "."):
        with pytest.raises(InputError, match=f":2: start '{text}'; expected an integer in column 2"):
            read(write(tmp_path, f"a\t5.0\nb\t{text}\n"), START)


def test_spaces_around_text_are_no_part_of_it(tmp_path: Path) -> None:
    frame = read(write(tmp_path, "a \t1\t0.5\n a\t2\t1\nb c\t3\t1\n"), NAME, START)
    assert frame["name"].tolist() == ["a", "a", "b c"] and sorted(frame["name"].cat.categories) == ["a", "b c"]


def test_labels_may_be_called_so_in_a_header(tmp_path: Path) -> None:
    assert find_header(write(tmp_path, "chrom\tstart\tend\tLabels\n")) == TableHeader(
        ("chrom", "start", "end", "label"), 1
    )
