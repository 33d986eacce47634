"""Sequences as users have them: strings, lists, arrays of letters, FASTA files."""

import gzip
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from dnaspt.errors import InputError
from dnaspt.genome.alphabet import decode
from dnaspt.inference.sequences import read_sequences


def letters_of(seqs: Any) -> list[str]:
    return [decode(codes) for _, codes in read_sequences(seqs)]


@pytest.mark.parametrize(
    "seqs",
    [
        ["ACGT", "ggN"],
        ("ACGT", "ggN"),
        [b"ACGT", bytearray(b"ggN")],
        np.array(["ACGT", "ggN"]),
        np.array([b"ACGT", b"ggN"]),
        np.array(["ACGT", "ggN"], dtype=object),
        pd.Series(["ACGT", "ggN"], index=[7, 3]),
        [np.array(list("ACGT")), np.array([b"g", b"g", b"N"])],
    ],
    ids=["list", "tuple", "bytes", "U4", "S4", "object", "pandas", "arrays of letters"],
)
def test_several_sequences_keep_their_order_and_are_numbered(seqs: Any) -> None:
    assert letters_of(seqs) == ["ACGT", "ggN"]
    assert [name for name, _ in read_sequences(seqs)] == ["seq1", "seq2"]


@pytest.mark.parametrize(
    "seqs", ["ACGTn", b"ACGTn", np.array("ACGTn"), np.array(list("ACGTn")), np.frombuffer(b"ACGTn", "S1")]
)
def test_one_sequence_is_one_string_or_one_array_of_letters(seqs: Any) -> None:
    assert letters_of(seqs) == ["ACGTn"]


@pytest.mark.parametrize("kind", ["U1", "S1"])
def test_a_matrix_of_letters_is_a_sequence_in_each_row(kind: str) -> None:
    matrix = np.array([list("ACGT"), list("TTTT")]).astype(kind)
    assert letters_of(matrix) == ["ACGT", "TTTT"]
    assert letters_of(matrix[:, ::-1]) == ["TGCA", "TTTT"]


def test_of_nothing_comes_nothing() -> None:
    for seqs in ([], (), np.array([]), np.array([], dtype="U1"), pd.Series([], dtype=object)):
        assert read_sequences(seqs) == []


def test_u_is_read_as_t_and_iupac_letters_as_n_which_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert letters_of(["ACUu", "RYNn"]) == ["ACTt", "NNNn"]
    assert "2 IUPAC letters other than N were read as N" in caplog.text


def test_known_letters_are_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    read_sequences(["ACGTN", "acgtn"])
    assert not caplog.text


@pytest.mark.parametrize("kind", [Path, str])
@pytest.mark.parametrize("name", ["genome.fa", "genome.fasta.gz", "no_suffix"])
def test_a_fasta_file_gives_its_records_by_name(kind: type, name: str, tmp_path: Path) -> None:
    text = b">chr1 first\nACGT\nacgr\n>chr2\nTT\n"
    (tmp_path / name).write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    assert [(name, decode(codes)) for name, codes in read_sequences(kind(tmp_path / name))] == [
        ("chr1", "ACGTacgn"),
        ("chr2", "TT"),
    ]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    for path in ("genom.fa", tmp_path / "genome.fa", f"{tmp_path}/x"):
        with pytest.raises(InputError, match=r"(genom\.fa|genome\.fa|x): No such file"):
            read_sequences(path)


@pytest.mark.parametrize(
    ("seqs", "message"),
    [
        (["ACGT", "AC-T"], "seq2: letter 3 is '-'; expected A, C, G, T, N or another IUPAC letter"),
        (["ACGT", "ACGX"], "seq2: letter 4 is 'X'"),
        ("ACGé", "seq1: letter 4 is 'é'"),
        (np.array([["A", "C"], ["G", "é"]]), "seq2: letter 2 is 'é'"),
        (np.array(["A", "", "C"]), r"seq1: letter 2 is '\\x00'"),
        (b"AC\xffT", "seq1: letter 3 is 'ÿ'"),
        (["ACGT", ""], "seq2: an empty sequence"),
        ("", "seq1: an empty sequence"),
        (["ACGT", None], "seq2: a value of type NoneType; expected a string or an array of letters"),
        (["ACGT", 3.5], "seq2: a value of type float"),
        (["ACGT", Path("g.fa")], "seq2: a value of type PosixPath"),
        (7, "sequences: a value of type int; expected strings"),
        (np.zeros((2, 3), np.uint8), "sequences: an array of uint8"),
        (np.array([["ACGT", "AC"]]), r"sequences: an array of strings of shape \(1, 2\); expected shape \(B,\)"),
    ],
)
def test_what_is_no_sequence_is_an_error_that_says_which_and_where(seqs: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_sequences(seqs)


def test_columns_of_pyarrow_are_sequences() -> None:
    column = pa.array(["ACGT", "ggN"])
    for seqs in (column, pa.chunked_array([column])):
        assert letters_of(seqs) == ["ACGT", "ggN"]
    with pytest.raises(InputError, match="seq2: a value of type NoneType"):
        read_sequences(pa.array(["ACGT", None]))


@pytest.mark.skipif(not hasattr(np.dtypes, "StringDType"), reason="NumPy 1 has no strings of any length")
def test_an_array_of_strings_of_any_length_is_a_sequence_in_each_element() -> None:
    assert letters_of(np.array(["ACGT", "ggN"], dtype=np.dtypes.StringDType())) == ["ACGT", "ggN"]


def test_rows_without_letters_are_empty_sequences_and_not_left_out() -> None:
    with pytest.raises(InputError, match="seq1: an empty sequence"):
        read_sequences(np.zeros((2, 0), "U1"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ACGT" * 100 + "..", r"seq1: letter 401 is '\.'"),
        (">chr1 v1.0\nACGT\n", "seq1: letter 1 is '>'"),
        ("ACG\0.fa", r"seq1: letter 4 is '\\x00'"),
    ],
)
def test_a_string_that_can_be_no_file_name_is_read_as_letters(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_sequences(text)


def test_the_name_of_a_file_among_sequences_is_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "genome").write_text(">chr1\nACGT\n")
    for seqs in ("genome", ["genome"], [f"{tmp_path}/genome"]):
        with pytest.raises(InputError, match="a FASTA file is given alone, as a Path"):
            read_sequences(seqs)
