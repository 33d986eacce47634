"""Predictions on a table: a row for each sequence, in its order, as `predict` gives them."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import dnaspt
from dnaspt.errors import CheckpointError, ConfigError, InputError
from dnaspt.inference.sequence_file import predict_sequences_file

LETTERS = ["ACGTTGCA" * 8, "", "N" * 40, "acgu" * 10, "GGGTTTCC" * 6]


@pytest.fixture(scope="module")
def run(windows: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run") / "windows"
    settings = {"preset": "tiny", "steps": 2, "tensorboard": False, "composition": False}
    dnaspt.finetune(windows, out=out, **settings)
    return out


@pytest.fixture
def table(tmp_path: Path) -> Path:
    pd.DataFrame({"id": list("abcde"), "seq": LETTERS, "other": range(5)}).to_csv(tmp_path / "in.csv", index=False)
    return tmp_path / "in.csv"


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_rows_are_kept_and_what_is_not_known_is_empty(run: Path, table: Path, suffix: str, tmp_path: Path) -> None:
    out = tmp_path / f"out{suffix}"
    summary = predict_sequences_file(run, table, out)
    assert (summary.n_sequences, summary.n_empty, summary.n_unknown) == (3, 1, 1) and summary.files == (str(out),)
    read = {
        ".csv": pd.read_csv,
        ".tsv": lambda file: pd.read_csv(file, sep="\t"),
        ".jsonl": lambda file: pd.DataFrame([json.loads(line) for line in file.read_text().splitlines()]),
        ".parquet": pd.read_parquet,
    }
    frame = read[suffix](out)
    assert frame.columns.tolist() == ["name", "rich", "chance", "never"] and frame["name"].tolist() == list("abcde")
    known = frame.drop(columns="name").astype(float).to_numpy()
    assert np.isnan(known[[1, 2]]).all()
    expected = dnaspt.load(run).predict([LETTERS[0], LETTERS[3], LETTERS[4]]).to_numpy()
    np.testing.assert_allclose(known[[0, 3, 4]], expected, atol=1e-5)


def test_fasta_and_tables_without_names(run: Path, tmp_path: Path) -> None:
    (tmp_path / "in.fa").write_text(">one 1\nACGT\nACGT\n>two 0\nGGCC\n")
    (tmp_path / "in.tsv").write_text("sequence\tx\nACGTACGT\t1\nGGCC\t2\n")
    for name, names in (("in.fa", ["one", "two"]), ("in.tsv", [1, 2])):
        predict_sequences_file(run, tmp_path / name, tmp_path / f"{name}.csv")
        assert pd.read_csv(tmp_path / f"{name}.csv")["name"].tolist() == names
    one, other = (pd.read_csv(tmp_path / f"{name}.csv").drop(columns="name") for name in ("in.fa", "in.tsv"))
    pd.testing.assert_frame_equal(one, other)


def test_what_is_refused(run: Path, table: Path, tmp_path: Path, gene_data: Path) -> None:
    with pytest.raises(ConfigError, match=r"out\.bed: unknown suffix; expected \.csv, \.tsv"):
        predict_sequences_file(run, table, tmp_path / "out.bed")
    with pytest.raises(ConfigError, match="is the sequences"):
        predict_sequences_file(run, table, table)
    with pytest.raises(InputError, match="no column 'dna'"):
        predict_sequences_file(run, table, tmp_path / "out.csv", sequence_column="dna")
    (tmp_path / "wrong.csv").write_text("sequence\nACGT\nMEV\n")
    with pytest.raises(InputError, match=r"wrong\.csv:3: 'E' in a sequence"):
        predict_sequences_file(run, tmp_path / "wrong.csv", tmp_path / "out.csv")
    (tmp_path / "empty.csv").write_text("sequence,x\n,1\nNNNN,2\n")
    with pytest.raises(InputError, match="no sequence can be predicted"):
        predict_sequences_file(run, tmp_path / "empty.csv", tmp_path / "out.csv")
    dnaspt.finetune(gene_data, out=tmp_path / "genes", head="softmax", preset="tiny", steps=1, tensorboard=False)
    with pytest.raises(ConfigError, match="predicts genes; give a FASTA with --genome"):
        predict_sequences_file(tmp_path / "genes", table, tmp_path / "out.csv")
    dnaspt.pretrain(gene_data, out=tmp_path / "pre", preset="tiny", steps=1, tensorboard=False)
    with pytest.raises(CheckpointError, match="holds a language model"):
        predict_sequences_file(tmp_path / "pre", table, tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()
