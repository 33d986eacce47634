from pathlib import Path

import numpy as np
import pytest
from tests.unit.inference.small_models import BINS, REGIONS, model_of, random_codes, run_of, windows_run, write_fasta

from dnaspt.checkpoint import CheckpointConfig, save_checkpoint
from dnaspt.errors import ConfigError, InputError
from dnaspt.genome.alphabet import N, reverse_complement
from dnaspt.inference import emissions as predict
from dnaspt.inference import windows as predict_windows
from dnaspt.inference.predict import PredictOptions, predict_file
from dnaspt.models.task_model import TaskModel


def test_windows_become_bed_bigwig_and_parquet_that_agree(tmp_path: Path) -> None:
    import pyarrow.parquet as pq
    import pybigtools

    codes = random_codes(3000)
    codes[1000:1600] = N
    genome = write_fasta(tmp_path / "g.fa", {"chr1": codes, "short": random_codes(100)})
    save_checkpoint(tmp_path / "run", model_of(REGIONS), REGIONS)
    options = PredictOptions(stride_bp=64, threshold=0.0)
    for name in ("p.parquet", "p.bed", "p.bw"):
        summary = predict_file(tmp_path / "run", genome, tmp_path / name, options)
    table = pq.read_table(tmp_path / "p.parquet").to_pandas()
    assert summary.n_unknown > 0
    assert len(table) == summary.n_windows
    rows = [line.split("\t") for line in (tmp_path / "p.bed").read_text().splitlines()]
    assert len(rows) == 2 * len(table)
    with pybigtools.open(str(tmp_path / "p.B.bw")) as track:
        first = table.iloc[0]
        assert track.values("chr1", int(first.start), int(first.end), fillna=None)[0] == pytest.approx(
            first.B, rel=1e-6
        )


def test_an_empty_bed_says_what_the_highest_probability_is(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    run, genome = windows_run(tmp_path, {"chr1": random_codes(1500)})
    predict_file(run, genome, tmp_path / "p.bed", PredictOptions(threshold=1.0))
    assert not (tmp_path / "p.bed").read_text()
    assert "p.bed: no row; the highest probability is 0." in caplog.text


CPGS = REGIONS.model_copy(update={"task": "methylation", "window_bp": 64})


@pytest.mark.parametrize(
    ("config", "contigs", "message"),
    [
        (
            REGIONS,
            {"a": random_codes(200), "b": random_codes(100)},
            r"no window of 256 bp could be scored: 3 windows reach beyond their sequence \(the longest sequence has 200 bp\); "
            "give whole contigs, or short sequences with --sequences",
        ),
        (
            REGIONS,
            {"a": np.full(700, N, np.uint8)},
            "3 windows reach beyond .* 700 bp.; 3 windows are more than half N",
        ),
        (
            BINS,
            {"a": random_codes(100)},
            r"no bin of 128 bp could be scored: 1 sequences or intervals are shorter than one",
        ),
        (
            CPGS,
            {"a": np.zeros(500, np.uint8)},
            "no window of 64 bp could be scored: there is no CpG, and this model has",
        ),
    ],
    ids=["short", "unknown", "bins", "no CpG"],
)
def test_where_no_window_can_be_scored_that_is_an_error_which_says_why(
    config: CheckpointConfig, contigs: dict[str, np.ndarray], message: str, tmp_path: Path
) -> None:
    run, genome = run_of(tmp_path / "run", config), write_fasta(tmp_path / "g.fa", contigs)
    for name in ("p.bed", "p.bw", "p.parquet"):
        with pytest.raises(InputError, match=rf"g\.fa: {message}" if message.startswith("no") else message):
            predict_file(run, genome, tmp_path / name)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["g.fa", "run"]


def test_windows_shorter_than_the_default_stride_are_laid_end_to_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = run_of(tmp_path / "run", REGIONS.model_copy(update={"window_bp": 64}))
    genome = write_fasta(tmp_path / "g.fa", {"chr1": random_codes(640)})
    assert predict_file(run, genome, tmp_path / "p.bed").n_windows == 10
    assert "the stride is 64 bp, the length of this model's windows" in caplog.text
    cpgs = run_of(tmp_path / "cpgs", CPGS)
    assert predict_file(cpgs, genome, tmp_path / "p.bed", overwrite=True).n_windows > 10


def test_windows_are_written_chunk_by_chunk_and_every_one_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = random_codes(3000)
    codes[1000:1600] = N
    run, genome = windows_run(tmp_path, {"chr1": codes, "short": random_codes(100)})
    options = PredictOptions(stride_bp=50, threshold=0)
    predict_file(run, genome, tmp_path / "whole.bed", options)
    sizes: list[int] = []

    def counted(model: TaskModel, windows: np.ndarray, *, average_strands: bool) -> np.ndarray:
        sizes.append(len(windows))
        return predict.predict_windows(model, windows, average_strands=average_strands)

    monkeypatch.setattr(predict_windows, "predict_windows", counted)
    monkeypatch.setattr(predict_windows, "_CHUNK_WINDOWS", 7)
    summary = predict_file(run, genome, tmp_path / "chunks.bed", options)
    assert max(sizes) == 7
    assert sum(sizes) == summary.n_windows
    # One window for each 50 bases: those of the contig's first 103 bases and last 153 reach off it, as all of `short`.
    assert summary.n_off_contig == 3 + 3 + 2
    assert summary.n_windows + summary.n_unknown + summary.n_off_contig == 60 + 2
    rows, whole = ((tmp_path / name).read_text().splitlines() for name in ("chunks.bed", "whole.bed"))
    assert [row.split("\t")[:4] for row in rows] == [row.split("\t")[:4] for row in whole]
    assert all(len(row.split("\t")) == 6 for row in rows)


def test_windows_of_both_strands_are_the_mean_of_logits(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    codes = random_codes(1500)
    run, genome = windows_run(tmp_path, {"chr1": codes})
    found = {}
    for name, sequence, both in (
        ("one", codes, False),
        ("reverse", reverse_complement(codes), False),
        ("both", codes, True),
    ):
        write_fasta(genome, {"chr1": sequence})
        options = PredictOptions(stride_bp=100, average_strands=both)
        predict_file(run, genome, tmp_path / "p.parquet", options, overwrite=True)
        table = pq.read_table(tmp_path / "p.parquet").to_pandas()
        found[name] = table[["A", "B"]].to_numpy(dtype=np.float64)
    logits = {name: np.log(share / (1 - share)) for name, share in found.items()}
    assert np.abs(logits["both"] - (logits["one"] + logits["reverse"][::-1]) / 2).max() < 1e-4
    assert np.abs(logits["both"] - logits["one"]).max() > 1e-3


def test_labels_that_no_file_can_be_named_after_are_refused_on_the_systems_that_forbid_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = Path("p.bw")
    assert predict_windows.bigwig_files(out, ("a:b", "A:B")) == [Path("p.a:b.bw"), Path("p.A:B.bw")]
    assert predict_windows.bigwig_files(out, ("a:b",)) == [out]
    with monkeypatch.context() as patch:
        patch.setattr("sys.platform", "win32")
        with pytest.raises(ConfigError, match=r"^p\.bw: no file can be named after the label 'a:b' on Windows; write"):
            predict_windows.bigwig_files(out, ("ab", "a:b"))
        patch.setattr("sys.platform", "darwin")
        with pytest.raises(ConfigError, match=r"^p\.bw: labels that differ in case alone would have one file"):
            predict_windows.bigwig_files(out, ("ab", "aB"))
