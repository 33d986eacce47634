"""Headers of FASTA, names of files and values to labels."""

import math
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from dnaspt.errors import ConfigError, InputError
from dnaspt.genome.gene_states import MISSING
from dnaspt.genome.sequence_tables import SequenceTable
from dnaspt.prepare.sequence_labels import (
    BinaryLabels,
    ClassLabels,
    ColumnNames,
    LabeledRows,
    LabelKind,
    NumberLabels,
    binary_labels,
    check_class_files,
    class_of_file,
    labeled_rows,
    rows_of_class,
    understood_labels,
)


def fasta(*headers: str) -> SequenceTable:
    rows = [((header.split() or [""])[0], header, "ACGT") for header in headers]
    return SequenceTable(
        Path("a.fa"), ("name", "header", "sequence"), rows, list(range(1, len(rows) + 1)), is_fasta=True
    )


def rows_of(*values: str, column: str = "label") -> LabeledRows:
    table = SequenceTable(
        Path("a.csv"), ("sequence", column), [("A", v) for v in values], list(range(2, len(values) + 2))
    )
    return LabeledRows(table, ["x"] * len(values), ["A"] * len(values), {column: list(values)}, None)


@pytest.mark.parametrize(
    ("header", "label", "split"),
    [
        ("P1|1|training", "1", "train"),
        ("P1|0|testing", "0", "test"),
        ("P1|enhancer", "enhancer", None),
        ("seq7 label=promoter length=80", "promoter", None),
        ("seq7 Class=2;x", "2", None),
        ('seq7 label="weak enhancer" split=test', "weak enhancer", "test"),
        ("seq7 label='weak enhancer'", "weak enhancer", None),
        ('seq7 label="1" chr1:100-200(+) note=weak enhancer', "1", None),
        ("seq7|label=1|chr1", "1", None),
        ("seq7 1", "1", None),
        ("seq7 label=1 split=dev", "1", "valid"),
        ("seq7 label=1,split=train", "1", "train"),
        ("seq7 label=1, split=train", "1", "train"),
        ("seq7 split=train,label=a,b", "a,b", "train"),
        ("seq7 label='a=b',split=test", "a=b", "test"),
    ],
)
def test_labels_and_splits_in_headers(header: str, label: str, split: str | None) -> None:
    rows = labeled_rows(fasta(header), ColumnNames())
    assert rows.labels == {"label": [label]} and rows.splits == (None if split is None else [split])


def test_headers_that_say_too_little() -> None:
    for header in ("seq7", "", "seq7 one two"):
        with pytest.raises(InputError, match="no label in the header"):
            labeled_rows(fasta(header), ColumnNames())
    with pytest.raises(InputError, match=r"a\.fa:2: no split in this header, though others have one"):
        labeled_rows(fasta("a|1|training", "b|1"), ColumnNames())
    with pytest.raises(InputError, match="split 'trainig' in the header"):
        labeled_rows(fasta("a|1|trainig"), ColumnNames())
    with pytest.raises(InputError, match="is FASTA, which has no columns; leave out sequence_column"):
        labeled_rows(fasta("a|1"), ColumnNames(sequence="x"))


@pytest.mark.parametrize(
    ("file", "name"),
    [("pos.fa", "pos"), ("train_pos.fa.gz", "pos"), ("enhancer.test.fasta", "enhancer"), ("test.fa", "test")],
)
def test_classes_are_named_after_files(file: str, name: str) -> None:
    assert class_of_file(Path(file)) == name


def test_all_rows_of_a_file_are_of_its_class() -> None:
    rows = rows_of_class(fasta("a", ""), "pos")
    assert rows.labels == {"label": ["pos", "pos"]} and rows.names == ["a", "a:2"]


def files_of_classes(first: tuple[str, ...], second: tuple[str, ...]) -> list[SequenceTable]:
    return [replace(fasta(*first), path=Path("a.fa")), replace(fasta(*second), path=Path("b.fa"))]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("s|0|training", "t|1|testing"), ("u|1|training",)),
        (("s|1|training", "t|1|testing"), ("u|0|training",)),  # the splits
        (("s label=x", "t label=y"), ("u label=x",)),
        (("s 1", "t 0"), ("u 0",)),
    ],
)
def test_files_of_classes_with_labels_in_their_headers_are_refused(
    first: tuple[str, ...], second: tuple[str, ...]
) -> None:
    with pytest.raises(
        InputError, match=r"a\.fa: has labels in its headers \(.*\), but several FASTA .*; join them to one file"
    ):
        check_class_files({"": files_of_classes(first, second)})


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("s", "t"), ("u",)),
        (("s|0|training", "t"), ("u|1|training",)),  # not in every header
        (("s label=1", "t label=1"), ("u label=0",)),  # as the files say
        (("s|NM_1", "t|NM_2"), ("u|NM_3",)),
        (("chr1:5-9 one two", "t one two"), ("u len=5",)),
    ],
)
def test_files_of_classes_may_have_other_words_in_their_headers(
    first: tuple[str, ...], second: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    check_class_files({"": files_of_classes(first, second)})
    assert not caplog.messages


def test_words_that_may_be_labels_in_files_of_classes_are_told(caplog: pytest.LogCaptureFixture) -> None:
    check_class_files({"": files_of_classes(("s +", "t -", "u +", "v -"), ("w +",))})
    told = (
        "a.fa: words of its headers that may be labels ('+', '-') are not read: each of several FASTA files is a class"
    )
    assert caplog.messages == [told]


def test_values_to_labels() -> None:
    labels = binary_labels([rows_of("1", "0", "NA", "1.0")], None)
    assert labels.names == ("label",) and labels.matrix(rows_of("1", "", "0")).tolist() == [[1], [MISSING], [0]]
    with pytest.raises(InputError, match=r"a\.csv:2: label '2'; expected '0' or '1'"):
        labels.matrix(rows_of("2"))
    assert binary_labels([rows_of("0", "0")], None).matrix(rows_of("0")).tolist() == [[0]]


def test_all_tables_have_the_same_labels() -> None:
    with pytest.raises(InputError, match="no column 'label', which"):
        binary_labels([rows_of("0", "1"), rows_of("0", "1", column="other")], None)


@pytest.mark.parametrize(
    "others", [("0", "1"), ("True", "False"), ("positive", "negative"), ("0", "1", "2"), ("-1", "1")]
)
@pytest.mark.parametrize("odd", ["?", "-", "unknown", "ambiguous"])
def test_a_value_that_is_not_known_beside_true_and_false_is_no_class(others: tuple[str, ...], odd: str) -> None:
    rows = rows_of(*others, odd)
    match = rf"a\.csv:{len(others) + 2}: label '{re.escape(odd)}'; expected one of .*; leave it empty .* or say kind classes"
    with pytest.raises(InputError, match=match):
        understood_labels([rows_of(*others), rows], None)
    assert odd in understood_labels([rows], None, "classes").names
    assert isinstance(understood_labels([rows], odd), BinaryLabels)


def test_two_values_without_a_hint() -> None:
    with pytest.raises(ConfigError, match="has the values 'coding', 'noncoding'; say positive"):
        binary_labels([rows_of("coding", "noncoding")], None)
    counts = Counter(
        binary_labels([rows_of("background", "peak")], None).matrix(rows_of("background", "peak")).ravel().tolist()
    )
    assert counts == {0: 1, 1: 1}


@pytest.mark.parametrize(
    ("false", "true", "name"),
    [
        ("no_enhancer", "enhancer", "enhancer"),
        ("No TFs", "TF", "TF"),
        ("no", "yes", "label"),
        ("-1", "+1", "label"),
        ("0", "positive", "label"),
        ("neg", "1", "label"),
        ("not_bound", "bound", "bound"),
        ("random_1", "CTCF", "CTCF"),
    ],
)
def test_names_of_two_values_say_which_is_true(false: str, true: str, name: str) -> None:
    labels = binary_labels([rows_of(false, true)], None)
    assert labels.values == ({false: 0, true: 1},) and labels.names == (name,)


@pytest.mark.parametrize(
    "values",
    [
        ("0-10", "10-20"),
        ("1_a", "2_b"),
        ("-1 kb", "5 kb"),
        ("no", "maybe"),
        ("1", "unknown"),
        ("no_TF", "CTCF"),
        ("no_a", "no_b"),
        ("yes", "true_peak"),
    ],
)
def test_beginnings_of_names_that_are_no_words_ask_which_is_true(values: tuple[str, str]) -> None:
    with pytest.raises(ConfigError, match="; say positive: the one that is true"):
        understood_labels([rows_of(*values)], None)
    assert isinstance(understood_labels([rows_of(*values)], None, "classes"), ClassLabels)
    assert binary_labels([rows_of(*values)], values[1]).names == (values[1],)


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        (("0.5", "2", "-1e-3"), "auto", NumberLabels),
        (("1.0", "0.0", "1"), "auto", BinaryLabels),
        (("0", "1", "2"), "auto", ClassLabels),
        (("0", "1", "2"), "numbers", NumberLabels),
        (("3", "7", "12"), "classes", ClassLabels),
        (("0", "1", "1"), "classes", ClassLabels),
        (("a", "b", "c"), "classes", ClassLabels),
        (("0", "1", "NaN"), "labels", BinaryLabels),
    ],
)
def test_what_the_values_of_a_label_are(values: tuple[str, ...], kind: LabelKind, expected: type) -> None:
    assert type(understood_labels([rows_of(*values)], None, kind)) is expected


def test_numbers_keep_what_is_missing_and_refuse_what_is_no_finite_number() -> None:
    rows = rows_of("0.5", "", "NA", "-2e3")
    labels = understood_labels([rows], None)
    assert labels.matrix(rows)[:, 0].tolist() == pytest.approx([0.5, math.nan, math.nan, -2000.0], nan_ok=True)
    for wrong in ("high", "inf", "1e99", "0x1F", "1_000"):
        with pytest.raises(InputError, match=rf"a\.csv:3: label '{wrong}'; expected a number, 1e\+30 at most"):
            NumberLabels(("label",)).matrix(rows_of("0.5", wrong))


@pytest.mark.parametrize("values", [("1e2", "2e5", "3E1"), ("1e2", "4", "7")])
def test_names_that_look_like_numbers_ask_what_they_are(values: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match="could be numbers or names; say kind numbers, or kind classes"):
        understood_labels([rows_of(*values)], None)
    assert isinstance(understood_labels([rows_of(*values)], None, "numbers"), NumberLabels)
    assert isinstance(understood_labels([rows_of(*values)], None, "classes"), ClassLabels)


def test_whole_numbers_that_are_no_classes_ask_what_they_are() -> None:
    with pytest.raises(InputError, match="say kind numbers to predict them, kind classes, or positive"):
        understood_labels([rows_of("3", "7", "12")], None)
    with pytest.raises(ConfigError, match="positive '3' is for labels that are true or false"):
        understood_labels([rows_of("3", "7", "12")], "3", "numbers")


def test_words_that_are_read_as_missing_are_told(caplog: pytest.LogCaptureFixture) -> None:
    understood_labels([rows_of("none", "weak", "strong", "mid", "none")], None)
    assert "label 'none' is read as missing, in 2 rows; if it is a class, call it something else" in caplog.text
    caplog.clear()
    understood_labels([rows_of("0.5", "NA", "1.5", "2.25")], None)
    understood_labels([rows_of("a", "", "b", "c")], None)
    assert not caplog.text


@pytest.mark.parametrize("odd", ["<0.1", ">=100", "inf", "0,53", "5%"])
@pytest.mark.parametrize("others", [("0.5", "0.5", "1.5"), ("1", "2", "3"), ("a", "b"), ()])
def test_what_stands_for_a_number_and_is_none_is_named(odd: str, others: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match=rf"label '{odd}'; expected a number, with a decimal point"):
        understood_labels([rows_of(*others, odd)], None)
    assert isinstance(understood_labels([rows_of("a", odd, "b")], None, "classes"), ClassLabels)


def test_one_word_among_many_numbers_is_named() -> None:
    with pytest.raises(InputError, match="label 'high'; expected a number"):
        understood_labels([rows_of(*["0.5", "1.5"] * 5, "high")], None)
    assert isinstance(understood_labels([rows_of("1.5", "2.25", "a")], None), ClassLabels)


def test_numbers_that_single_precision_cannot_tell_apart_are_told(caplog: pytest.LogCaptureFixture) -> None:
    labels = NumberLabels(("label",))
    labels.matrix(rows_of("1000000.48", "1000000.51", "1000000.53"))
    assert "label has 3 different numbers, of which single precision keeps 1" in caplog.text
    caplog.clear()
    labels.matrix(rows_of("0.1", "0.2", "1e-12"))
    assert not caplog.text


def test_several_whole_numbers_say_how_to_predict_them() -> None:
    rows = replace(rows_of("3", "7", "12"), labels={"a": ["3", "7", "12"], "b": ["1", "2", "3"]})
    with pytest.raises(InputError, match="for numbers say kind numbers"):
        understood_labels([rows], None)


@pytest.mark.parametrize("header", ["s1 label=weak enhancer", "s1\tlabel=weak\tenhancer", "s1 label=1 chr1:5-9"])
def test_a_label_of_several_words_needs_quotes(header: str) -> None:
    with pytest.raises(InputError, match=r"label of several words .*; put the label in quotes: label=\"\.\.\.\""):
        labeled_rows(fasta(header), ColumnNames())


@pytest.mark.parametrize("header", ["s1 label=1:split=train", "s1 label=a=b", "s1|len=100|train"])
def test_a_label_with_an_equals_sign_needs_quotes(header: str) -> None:
    with pytest.raises(InputError, match=r"a\.fa:1: label '.*' in the header .*; expected no '=' in it; put a space"):
        labeled_rows(fasta(header), ColumnNames())


def test_a_word_of_another_kind_is_no_label() -> None:
    with pytest.raises(InputError, match="no label in the header 's1 len=100'"):
        labeled_rows(fasta("s1 len=100"), ColumnNames())


def test_values_that_differ_in_case_alone_ask_what_they_are() -> None:
    for values in (("Yes", "no", "yes", "No"), ("Enhancer", "control", "enhancer")):
        with pytest.raises(InputError, match="; write them alike, or say kind classes"):
            understood_labels([rows_of(*values)], None, "auto")
    found = understood_labels([rows_of("Enhancer", "control", "enhancer")], None, "classes")
    assert found.names == ("Enhancer", "control", "enhancer")
    with pytest.raises(InputError, match="'Enhancer' and 'enhancer'"):
        binary_labels([rows_of("Enhancer", "control", "enhancer")], "Enhancer")


def test_labels_and_splits_that_some_objects_do_not_have_are_told(caplog: pytest.LogCaptureFixture) -> None:
    absent = {"label": 1, "more": 2}
    table = SequenceTable(Path("a.jsonl"), ("sequence", "label"), [("A", "1"), ("A", "")], [1, 2], absent=absent)
    assert labeled_rows(table, ColumnNames()).labels == {"label": ["1", ""]}
    assert caplog.messages == ["a.jsonl: 1 of 2 objects have no 'label', which is read as missing"]


def test_a_column_without_any_split_is_no_column_of_splits(caplog: pytest.LogCaptureFixture) -> None:
    def table(*sets: str) -> SequenceTable:
        rows = [("A", "1", word) for word in sets]
        return SequenceTable(Path("a.csv"), ("sequence", "label", "set"), rows, list(range(2, len(rows) + 2)))

    assert labeled_rows(table("A", "B"), ColumnNames()).splits is None
    assert "a.csv: column 'set' names no split (train, valid or test), and is not read" in caplog.text
    with pytest.raises(InputError, match=r"set .B.; expected train, .*rename the column"):
        labeled_rows(table("train", "B"), ColumnNames())
    with pytest.raises(InputError, match="set 'A'; expected train"):
        labeled_rows(table("A", "B"), ColumnNames(split="set"))


def test_files_of_classes_may_say_in_their_headers_what_their_roles_say(caplog: pytest.LogCaptureFixture) -> None:
    tables = {
        role: files_of_classes((f"s|1|{word}", f"t|1|{word}"), (f"u|0|{word}",))
        for role, word in (("train", "training"), ("test", "testing"))
    }
    tables["test"] = [replace(own, path=Path(f"test_{own.path}")) for own in tables["test"]]
    check_class_files(tables)
    assert not caplog.messages
    with pytest.raises(InputError, match=r"test_a\.fa: has labels in its headers \('1'\)"):
        check_class_files({"train": tables["train"], "valid": tables["test"]})


def test_strands_in_the_headers_of_class_files_are_no_labels(caplog: pytest.LogCaptureFixture) -> None:
    check_class_files({"": files_of_classes(("s|1", "t|-1", "u|1", "v|-1"), ("w|1",))})
    assert "words of its headers that may be labels ('-1', '1') are not read" in caplog.messages[0]


@pytest.mark.parametrize(
    "values", [("positive", "negative", "neutral"), ("yes", "no", "partial"), ("T", "N", "M"), ("F", "M", "N")]
)
def test_three_classes_of_which_two_could_be_true_and_false_are_classes(values: tuple[str, ...]) -> None:
    found = understood_labels([rows_of(*values, *values)], None)
    assert isinstance(found, ClassLabels) and set(found.names) == set(values)
