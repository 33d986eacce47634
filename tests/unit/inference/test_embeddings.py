"""Hidden states in files equal those of `Model.embed`, whatever passes at a time."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import dnaspt
from dnaspt import progress
from dnaspt.errors import CheckpointError, ConfigError, InputError
from dnaspt.genome import alphabet
from dnaspt.genome.fasta import read_fasta
from dnaspt.inference import embeddings
from dnaspt.inference.embeddings import embed_file

LETTERS = ["ACGTTGCA" * 20, "", "acgun" * 30]


@pytest.fixture(scope="module")
def run(gene_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run") / "pre"
    dnaspt.pretrain(gene_data, out=out, preset="tiny", steps=2, batch_bp=4096, tensorboard=False)
    return out


def vectors_of(file: Path) -> np.ndarray:
    return np.stack(pq.read_table(file)["embedding"].to_pylist())


@pytest.mark.parametrize("group", [1 << 26, 1000])
def test_sequences_of_a_table(run: Path, group: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embeddings, "_GROUP_NUMBERS", group)
    pd.DataFrame({"name": list("abc"), "sequence": LETTERS}).to_csv(tmp_path / "in.csv", index=False)
    summary = embed_file(run, tmp_path / "out.parquet", sequences=tmp_path / "in.csv")
    assert (summary.n_vectors, summary.n_empty) == (3, 1) and summary.n_bytes == 3 * 4 * summary.hidden_size
    table = pq.read_table(tmp_path / "out.parquet").to_pandas()
    assert table["name"].tolist() == ["a", "b", "c"] and table["end"].tolist() == [160, 0, 150]
    first, last = dnaspt.load(run).embed([LETTERS[0], LETTERS[2]])
    expected = np.stack([first, np.full_like(first, np.nan), last])
    np.testing.assert_allclose(vectors_of(tmp_path / "out.parquet"), expected, atol=1e-5)
    dnaspt.load(run).embed_file(tmp_path / "out.npz", sequences=tmp_path / "in.csv")
    with np.load(tmp_path / "out.npz") as arrays:
        assert arrays["names"].tolist() == ["a", "b", "c"] and arrays["start"].tolist() == [0, 0, 0]
        np.testing.assert_allclose(arrays["embeddings"], expected, atol=1e-5)


def test_the_size_is_said_before_and_how_far_it_is(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "_LINE_EVERY_S", 0)
    monkeypatch.setattr(embeddings, "_GROUP_NUMBERS", 1000)
    (tmp_path / "in.fa").write_text(f">one\n{LETTERS[0]}\n>two\n{LETTERS[2]}\n")
    given = {"sequences": tmp_path / "in.fa", "per_base": True}
    summary = embed_file(run, tmp_path / "out.parquet", **given, progress=True)
    first, *lines = capsys.readouterr().out.splitlines()
    size = f"310 vectors of {summary.hidden_size} numbers, {summary.n_bytes / 1e6:,.1f} MB before packing"
    assert first == f"{tmp_path / 'out.parquet'}: {size}"
    assert lines[0].startswith("embed: ") and lines[-1].startswith("embed: 100%, ")
    embed_file(run, tmp_path / "out.parquet", **given, overwrite=True)
    assert capsys.readouterr().out == ""


def test_each_base(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "in.fa").write_text(f">one\n{LETTERS[0]}\n>two\n{LETTERS[2]}\n")
    expected = dnaspt.load(run).embed([LETTERS[0], LETTERS[2]], pool=None)
    for group in (1 << 26, 1000):
        monkeypatch.setattr(embeddings, "_GROUP_NUMBERS", group)
        summary = embed_file(run, tmp_path / "out.parquet", sequences=tmp_path / "in.fa", per_base=True, overwrite=True)
        assert summary.n_vectors == 310
        table = pq.read_table(tmp_path / "out.parquet").to_pandas()
        assert table["start"].tolist() == [*range(160), *range(150)] and (table["end"] == table["start"] + 1).all()
        np.testing.assert_allclose(vectors_of(tmp_path / "out.parquet"), np.concatenate(expected), atol=1e-5)


def test_windows_and_regions_of_a_genome_are_read_with_what_is_around_them(
    run: Path, simulated: Path, tmp_path: Path
) -> None:
    genome = simulated / "genome.fa"
    contig = next(read_fasta(genome))
    (whole,) = dnaspt.load(run).embed(alphabet.decode(contig.codes), pool=None)
    summary = embed_file(run, tmp_path / "windows.parquet", genome=genome, window_bp=5_000)
    assert summary.n_vectors == 3 * 5
    table = pq.read_table(tmp_path / "windows.parquet").to_pandas()
    assert table["end"].tolist()[:5] == [5_000, 10_000, 15_000, 20_000, 24_000]
    expected = np.stack([whole[start : start + 5_000].mean(axis=0) for start in range(0, 24_000, 5_000)])
    np.testing.assert_allclose(vectors_of(tmp_path / "windows.parquet")[:5], expected, atol=1e-4)
    (tmp_path / "a.bed").write_text(f"{contig.name}\t100\t300\n{contig.name}\t200\t400\n")
    assert embed_file(run, tmp_path / "regions.parquet", genome=genome, regions=tmp_path / "a.bed").n_vectors == 2
    expected = np.stack([whole[100:300].mean(axis=0), whole[200:400].mean(axis=0)])
    np.testing.assert_allclose(vectors_of(tmp_path / "regions.parquet"), expected, atol=1e-4)


def test_what_is_refused(
    run: Path, windows: Path, simulated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    genome, out = simulated / "genome.fa", tmp_path / "out.parquet"
    with pytest.raises(ConfigError, match=r"out\.csv: unknown suffix; expected \.parquet or \.npz"):
        embed_file(run, tmp_path / "out.csv", genome=genome)
    for given in ({}, {"genome": genome, "sequences": genome}):
        with pytest.raises(ConfigError, match=r"give either sequences .* or genome"):
            embed_file(run, out, **given)
    with pytest.raises(ConfigError, match="regions are intervals of a genome"):
        embed_file(run, out, sequences=genome, regions=genome)
    with pytest.raises(ConfigError, match="window_bp 0"):
        embed_file(run, out, genome=genome, window_bp=0)
    for given in ({"sequences": genome}, {"genome": genome, "regions": genome}):
        with pytest.raises(ConfigError, match="window_bp is for windows of a genome"):
            embed_file(run, out, window_bp=100, **given)
    (tmp_path / "empty.csv").write_text("sequence,x\n,1\n")
    with pytest.raises(InputError, match="nothing to embed in it"):
        embed_file(run, out, sequences=tmp_path / "empty.csv")
    monkeypatch.setattr(embeddings, "_MOST_NPZ", 10)
    with pytest.raises(ConfigError, match=r"all in memory; write \.parquet instead"):
        embed_file(run, tmp_path / "out.npz", genome=genome)
    dnaspt.finetune(windows, out=tmp_path / "basset", preset="basset", steps=1, tensorboard=False)
    with pytest.raises(CheckpointError, match="Basset has no state for each base"):
        embed_file(tmp_path / "basset", out, genome=genome)
    assert not out.exists()


def test_windows_that_touch_are_computed_at_once_and_have_the_same_states(
    run: Path, simulated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    genome = simulated / "genome.fa"
    name = next(iter(read_fasta(genome))).name
    rows = [(0, 100), (100, 250), (200, 300), (220, 260), (900, 1000)]  # touching, overlapping, within another, apart
    (tmp_path / "a.bed").write_text("".join(f"{name}\t{start}\t{end}\n" for start, end in rows))
    embed_file(run, tmp_path / "together.parquet", genome=genome, regions=tmp_path / "a.bed")
    monkeypatch.setattr(embeddings, "_runs", lambda group: [[own] for own in group])
    embed_file(run, tmp_path / "alone.parquet", genome=genome, regions=tmp_path / "a.bed")
    assert pq.read_table(tmp_path / "together.parquet")["end"].to_pylist() == [end for _, end in rows]
    np.testing.assert_allclose(
        vectors_of(tmp_path / "together.parquet"), vectors_of(tmp_path / "alone.parquet"), atol=1e-5
    )
