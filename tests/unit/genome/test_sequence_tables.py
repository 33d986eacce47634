"""Tables of sequences as people have them, and what is wrong with them."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dnaspt.errors import InputError
from dnaspt.genome.alphabet import decode
from dnaspt.genome.sequence_tables import (
    SequenceTable,
    find_column,
    is_missing,
    is_sequence_table,
    read_sequence_table,
    sequences_of,
)

ROWS = [("ACGT", "1"), ("GGCC", "0"), ("TTAA", "")]


def written(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    data = text.encode()
    file.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return file


def delimited(delimiter: str) -> str:
    return "".join(f"{delimiter.join(row)}\n" for row in [("sequence", "label"), *ROWS])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("rows.csv", delimited(",")),
        ("rows.csv.gz", delimited(",")),
        ("rows.csv", "\ufeff" + delimited(",")),  # as spreadsheets save it
        ("rows.csv", delimited(";")),
        ("rows.csv", delimited(",").replace("\n", "\r\n")),
        ("rows.csv", "\n" + delimited(",") + "\n\n"),
        ("rows.csv", '"sequence","label"\n"ACGT","1"\n" GGCC ",0\n"TTAA",\n'),
        ("rows.csv", "sequence,label,,\nACGT,1,,\nGGCC,0,,\nTTAA,,,\n"),  # columns that a spreadsheet leaves empty
        ("rows.tsv", delimited("\t")),
        ("rows.txt", delimited("\t")),
        ("ROWS.CSV", delimited(",")),
        ("rows.jsonl", "".join(json.dumps({"sequence": s, "label": int(y) if y else None}) + "\n" for s, y in ROWS)),
        (
            "rows.ndjson.gz",
            '{"sequence": "ACGT", "label": true}\n{"label": 0.0, "sequence": "GGCC"}\n{"sequence": "TTAA"}',
        ),
        ("rows.json", json.dumps([{"sequence": s, "label": y} for s, y in ROWS])),
    ],
)
def test_rows_of_text(tmp_path: Path, name: str, text: str) -> None:
    table = read_sequence_table(written(tmp_path, name, text))
    assert table.columns == ("sequence", "label") and table.rows == ROWS and not table.is_fasta
    assert is_sequence_table(table.path) and len(table) == 3 and table.column("label") == ["1", "0", ""]


def test_parquet(tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    columns = {
        "sequence": ["ACGT", "GGCC", "TTAA"],
        "label": [1, 0, None],
        "level": [0.5, 2.0, None],
        "is": [True, False, None],
    }
    pq.write_table(pa.table(columns), file)
    table = read_sequence_table(file)
    assert table.rows == [("ACGT", "1", "0.5", "1"), ("GGCC", "0", "2", "0"), ("TTAA", "", "", "")]


def test_fasta_keeps_headers_and_joins_lines(tmp_path: Path) -> None:
    text = ">a|1|training some words\nAC\nGT\n\n>a|0\nGG CC\n>empty\n"
    table = read_sequence_table(written(tmp_path, "rows.fa.gz", text))
    assert table.is_fasta and table.lines == [1, 5, 7]
    assert table.rows == [
        ("a|1|training", "a|1|training some words", "ACGT"),
        ("a|0", "a|0", "GGCC"),
        ("empty", "empty", ""),
    ]


def test_lines_are_those_of_the_file(tmp_path: Path) -> None:
    table = read_sequence_table(written(tmp_path, "rows.csv", '\nsequence,note\nAC, "a, b"\n\nGT,x\n'))
    assert table.lines == [3, 5] and table.rows == [("AC", "a, b"), ("GT", "x")]


@pytest.mark.parametrize(
    ("name", "text", "match"),
    [
        ("rows.xyz", "sequence\nACGT\n", r"unknown suffix '\.xyz'; expected \.csv"),
        ("rows.csv", "sequence,label\n", "no row in it"),
        ("rows.csv", "", "no row in it"),
        ("rows.csv", "sequence,label\nACGT\n", r"rows\.csv:2: 1 fields in this row, 2 in the header"),
        ("rows.csv", "sequence,label\nACGT,1\nAC,GT,1\n", r"rows\.csv:3: 3 fields in this row"),
        ("rows.csv", 'sequence,label\n"ACGT,1\n', "not a table"),
        ("rows.tsv", 'sequence\tname\nACGT\t"a\nGGCC\tb"\n', "a field goes on over a line end; is a quote left open"),
        ("rows.jsonl", "[" * 100_000, "broken JSON"),
        ("rows.jsonl", '{"sequence": "ACGT", "label": "\\ud800"}\n', "half of a character"),
        ("rows.csv", "sequence,sequence\nACGT,1\n", "column 'sequence' is there twice"),
        ("rows.csv", "sequence,label,,\nACGT,1,x,y\n", "two columns have no name; name them in the header"),
        ("rows.tsv", "sequence\tlabel\nACGT\t1\tx\n", "is a tab within a field, without quotes"),
        ("rows.csv", "sequence;label\nACGT;1;x\n", "is a semicolon within a field, without quotes"),
        ("rows.csv", "sequence,label\nACGT,1,x\n", "is a comma within a field, without quotes"),
        ("rows.txt", "sequence|label\nACGT|1|x\n", "is a vertical bar within a field, without quotes"),
        ("rows.jsonl", '{"sequence": "ACGT"\n', "broken JSON"),
        ("rows.jsonl", '["ACGT", 1]\n', r"rows\.jsonl:1: a str; expected an object in each line"),
        ("rows.parquet", "PAR1 and no more", "not a Parquet file"),
        ("rows.fa", "ACGT\n", "before the first header"),
        ("rows.xlsx.csv", "PK\x03\x04 and more", "Excel workbook"),
    ],
)
def test_what_is_no_table_is_named(tmp_path: Path, name: str, text: str, match: str) -> None:
    with pytest.raises(InputError, match=match):
        read_sequence_table(written(tmp_path, name, text))


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_a_column_with_a_list_is_an_error_where_it_is_used_and_no_other_one(tmp_path: Path, suffix: str) -> None:
    rows = [{"sequence": "ACGT", "label": 1, "more": None}, {"sequence": "AC", "label": 0, "more": [0, 1]}]
    file = tmp_path / f"rows.{suffix}"
    if suffix == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), file)
    else:
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    table = read_sequence_table(file)
    assert table.column("sequence") == ["ACGT", "AC"] and table.column("label") == ["1", "0"]
    with pytest.raises(InputError, match=rf"rows\.{suffix}:2: column 'more' holds a list; expected text or a number"):
        table.column("more")


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("a.jsonl", '{"sequence": "A", "label": 1}\n\n{"sequence": "A", "label": 1, "label": 0}\n', 3),
        ("a.json", '[{"sequence": "A"}, {"sequence": "A", "label": 1, "label": 1}]', 2),
    ],
)
def test_a_name_that_stands_twice_in_an_object_is_refused(tmp_path: Path, name: str, text: str, line: int) -> None:
    with pytest.raises(InputError, match=rf"{name}:{line}: 'label' is there twice in an object; leave out one"):
        read_sequence_table(written(tmp_path, name, text))


def test_names_within_an_object_that_is_a_value_are_not_looked_at(tmp_path: Path) -> None:
    text = '{"sequence": "A", "more": {"x": 1, "x": 2}}\n'
    assert read_sequence_table(written(tmp_path, "a.jsonl", text)).column("sequence") == ["A"]


def test_what_some_objects_do_not_have_is_told_where_it_is_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    text = '{"sequence": "A", "id": "x", "more": 1}\n{"sequence": null, "id": "y"}\n{"id": "z", "more": 2}\n'
    table = read_sequence_table(written(tmp_path, "a.jsonl", text))
    assert sequences_of(table)[0] == ["x", "y", "z"]
    assert caplog.messages == [f"{table.path}: 1 of 3 objects have no 'sequence', which is read as missing"]


def test_text_that_is_not_utf8(tmp_path: Path) -> None:
    for name in ("rows.csv", "rows.jsonl", "rows.fa"):
        (tmp_path / name).write_bytes(b">sequence,note\nACGT,caf\xe9\n")
        with pytest.raises(InputError, match="not UTF-8"):
            read_sequence_table(tmp_path / name)


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., SequenceTable]:
    def make(*columns: str) -> SequenceTable:
        return SequenceTable(tmp_path / "rows.csv", columns, [tuple("x" for _ in columns)], [2])

    return make


def test_columns_are_found_by_usual_names(table: Callable[..., SequenceTable]) -> None:
    usual = ("sequence", "seq")
    assert find_column(table("id", "Seq"), None, usual, "the sequence", "sequence_column") == "Seq"
    assert find_column(table("id", "Seq"), "id", usual, "the sequence", "sequence_column") == "id"
    assert find_column(table("id"), None, usual, "the sequence", "sequence_column") is None
    with pytest.raises(InputError, match="no column 'x'; expected one of 'id', 'Seq'"):
        find_column(table("id", "Seq"), "x", usual, "the sequence", "sequence_column")
    with pytest.raises(
        InputError, match="'seq', 'sequence' could each be the sequence; expected one column; say which"
    ):
        find_column(table("seq", "sequence"), None, usual, "the sequence", "sequence_column")


def test_missing_values() -> None:
    assert all(map(is_missing, ("", "NA", "nan", "NULL", "None", ".")))
    assert not any(map(is_missing, ("0", "no", "negative", "-")))


def test_a_missing_sequence_has_no_bases_but_in_fasta(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    text = "id,seq\n" + "".join(f"s,{letters}\n" for letters in ("NA", "NaN", "null", "None", "", ".", "NANA", "ryACn"))
    codes = sequences_of(read_sequence_table(written(tmp_path, "a.csv", text)))[1]
    assert [decode(own) for own in codes] == ["", "", "", "", "", "", "NANA", "nnACn"]
    assert "2 IUPAC letters other than N were read as N" in caplog.text
    fasta = read_sequence_table(written(tmp_path, "a.fa", ">a\nNA\n>b\nNAN\n"))
    assert [decode(own) for own in sequences_of(fasta)[1]] == ["NA", "NAN"]
    with pytest.raises(
        InputError, match=r"b\.csv:3: 'L' in a sequence; expected IUPAC nucleotide letters; is it protein"
    ):
        sequences_of(read_sequence_table(written(tmp_path, "b.csv", "seq\nNA\nMKL\n")))


def test_a_folder_has_a_file_for_each_sequence_by_split_and_class(tmp_path: Path) -> None:
    for name, letters in {
        "train/positive/0": "ACGT\n",
        "train/negative/0": "TTTT",
        "test/positive/7": "GG\r\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / f"{name}.txt").write_bytes(letters.encode())
    table = read_sequence_table(tmp_path)
    assert table.columns == ("name", "sequence", "label", "split")
    assert table.rows == [
        ("test/positive/7", "GG", "positive", "test"),
        ("train/negative/0", "TTTT", "negative", "train"),
        ("train/positive/0", "ACGT", "positive", "train"),
    ]
    (tmp_path / "train" / "positive" / "1.txt").write_text("ACGT ACGT")
    with pytest.raises(InputError, match=r"1\.txt: 2 words in it; expected one sequence"):
        read_sequence_table(tmp_path)
    with pytest.raises(InputError, match="is a folder without such files"):
        read_sequence_table(tmp_path / "train")


def test_what_does_not_belong_to_a_folder_is_told_or_hidden(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("train/pos/1.txt", "train/neg/2.TXT", "train/pos/more/3.txt", "train/neg/4.fa"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("ACGT\n")
    for name in ("train/.ipynb_checkpoints/1-checkpoint.txt", "train/pos/._1.txt", ".git/a/b.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("no sequence at all\n")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "5.txt").write_text("GGGG\n")
    (tmp_path / "train" / "linked").symlink_to(tmp_path / "elsewhere")
    table = read_sequence_table(tmp_path)
    assert sorted(table.column("label")) == ["linked", "neg", "pos"]
    assert "3 files are not read, such as elsewhere/5.txt: they are no SPLIT/CLASS/NAME.txt" in caplog.text


def test_a_header_may_hold_the_other_delimiter_in_quotes(tmp_path: Path) -> None:
    table = read_sequence_table(written(tmp_path, "a.csv", "\"DNA, 5'-3'\";label\nACGT;1\n"))
    assert table.columns == ("DNA, 5'-3'", "label")


@pytest.mark.parametrize(
    ("name", "text", "match"),
    [
        ("a.csv", "sequence,label\n1,ACGT,1\n", "row.names = FALSE"),
        ("a.json", '{"sequence": {"0": "ACGT"}, "label": {"0": 1}}', "columns instead of rows.*orient='records'"),
        ("a.jsonl", '{"sequence": {"dna": "ACGT"}, "label": 1}\n', "the sequence or each label, a column of its own"),
    ],
)
def test_how_to_write_it_is_told(tmp_path: Path, name: str, text: str, match: str) -> None:
    with pytest.raises(InputError, match=match):
        read_sequence_table(written(tmp_path, name, text)).column("sequence")
