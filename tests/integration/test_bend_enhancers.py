"""BEND's enhancer annotation: bins, folds, and a run from its files to a track."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from sklearn.metrics import average_precision_score
from tests.integration.in_process import dnaspt

from dnaspt.bend.prepare import PrepareBendConfig, prepare_bend
from dnaspt.data.batches import BatchOptions, TrainingBatches
from dnaspt.data.dataset import read_split
from dnaspt.data.manifest import read_manifest
from dnaspt.errors import ConfigError, InputError
from dnaspt.evaluation.score import cpg_counts
from dnaspt.genome.alphabet import decode

BIN_BP, N_BINS, N_ROWS = 128, 10, 40


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty windows of ten bins, in parts 1 to 10; bins rich in CG are enhancers."""
    folder, rng = tmp_path_factory.mktemp("bend"), np.random.default_rng(5)
    (folder / "data/enhancer_annotation").mkdir(parents=True)
    (folder / "data/genomes").mkdir()
    labels = (rng.random((N_ROWS, N_BINS)) < 0.2).astype(np.int8)
    letters, rows = [], ["chromosome\tstart\tend\tsplit"]
    for row in range(N_ROWS):
        for label in labels[row]:
            rich = (0.1, 0.4, 0.4, 0.1) if label else (0.3, 0.2, 0.2, 0.3)
            letters += rng.choice(list("ACGT"), BIN_BP, p=rich).tolist()
        at = row * BIN_BP * N_BINS
        rows.append(f"chr1\t{at}\t{at + BIN_BP * N_BINS}\tpart{row % 10 + 1}")
    (folder / "data/genomes/GRCh38.fa").write_text(f">chr1\n{''.join(letters)}\n")
    (folder / "data/enhancer_annotation/enhancer_annotation.bed").write_text("\n".join(rows) + "\n")
    with h5py.File(folder / "data/enhancer_annotation/enhancer_annotation.hdf5", "w") as file:
        file["labels"] = labels[:, :, None]
    return folder


@pytest.fixture(scope="module")
def data(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("data") / "enhancers"
    prepare_bend(PrepareBendConfig(task="enhancer_annotation", root=root, out=out, fold=10))
    return out


def test_bins_and_folds_are_those_of_the_files(root: Path, data: Path) -> None:
    manifest = read_manifest(data)
    assert {name: split.n_windows for name, split in manifest.splits.items()} == {"train": 32, "valid": 4, "test": 4}
    assert manifest.window_bp == 1280 and manifest.resolution_bp == BIN_BP
    with h5py.File(root / "data/enhancer_annotation/enhancer_annotation.hdf5") as file:
        labels = file["labels"][:, :, 0]
    genome = (root / "data/genomes/GRCh38.fa").read_text().split("\n")[1]
    for name, parts in (("test", {9}), ("valid", {0}), ("train", set(range(1, 9)))):
        for window in read_split(data, name):
            row = window.start // 1280
            assert row % 10 in parts
            np.testing.assert_array_equal(window.labels, labels[row])
            assert decode(window.codes) == genome[window.start : window.end]
    counted = sum(split.label_counts["enhancer"] for split in manifest.splits.values())
    assert counted == labels.sum() and manifest.splits["test"].known_counts["enhancer"] == 40
    bins = read_split(data, "test").bins(BIN_BP)
    assert len(bins) == 40
    for window in bins:
        assert window.labels.tolist() == [labels[window.start // 1280, window.start % 1280 // BIN_BP]]
        assert decode(window.codes) == genome[window.start : window.end]


def test_labels_of_bins_are_turned_with_their_window(data: Path) -> None:
    split = read_split(data, "train")
    batches = TrainingBatches([split], 1280, BatchOptions(batch_bp=12_800, n_labels=1))
    n_turned = 0
    forward = [(window.labels.tolist(), int(window.codes[0] & 7) + 4 * int(window.codes[1] & 7)) for window in split]
    for batch in batches.batches(0):
        for tokens, labels in zip(batch.tokens, batch.labels, strict=True):
            shares = np.isin(tokens.reshape(N_BINS, BIN_BP), (1, 2)).mean(axis=1)
            assert (shares[labels == 1] > 0.65).all() and (shares[labels == 0] < 0.6).all()
            place = int(tokens[0]) + 4 * int(tokens[1])  # the same for a window and its turn once in 16
            n_turned += (labels.tolist(), place) not in forward
    assert 8 < n_turned < 24


@pytest.mark.slow
def test_it_trains_is_evaluated_and_predicts_a_track(root: Path, data: Path, tmp_path: Path) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text("positive_weight = 4\n")
    run = tmp_path / "run"
    options = ("--preset", "tiny", "--steps", "30", "--batch-bp", "5120", "--lr", "0.003", "--config", settings)
    ran = dnaspt("finetune", data, "--out", run, *options)
    assert ran.code == 0, ran.errors
    assert "valid_auprc" in json.loads((run / "result.json").read_text())
    assert dnaspt("evaluate", run, "--data", data).code == 0
    assert dnaspt("evaluate", run, "--data", data, "--average-strands").code == 0
    scores = json.loads((run / "evaluation-test.json").read_text())
    with np.load(run / "evaluation-test.npz") as arrays:
        truth, logits = arrays["truth"], arrays["logits"]
    assert truth.shape == logits.shape == (40, 1)
    assert scores["auprc"]["enhancer"]["value"] == pytest.approx(average_precision_score(truth[:, 0], logits[:, 0]))
    assert scores["auprc"]["enhancer"]["value"] > 0.6
    for out in ("track.bed", "track.bw", "track.parquet"):
        ran = dnaspt(
            "predict", run, "--genome", root / "data/genomes/GRCh38.fa", "--out", tmp_path / out, "--threshold", "0"
        )
        assert ran.code == 0, ran.errors
    rows = [line.split("\t") for line in (tmp_path / "track.bed").read_text().splitlines() if line[0] != "#"]
    starts = [int(row[1]) for row in rows if row[0] == "chr1"]
    assert starts == list(range(0, N_ROWS * N_BINS * BIN_BP, BIN_BP))
    ran = dnaspt("baseline", data, "--model", "cpg", "--out", tmp_path / "cpg")
    assert ran.code == 0, ran.errors
    result, valid = json.loads((tmp_path / "cpg" / "result.json").read_text()), read_split(data, "valid").bins(BIN_BP)
    known = valid.labels >= 0
    expected = average_precision_score(valid.labels[known], result["chosen"][0] * cpg_counts(valid)[known])
    assert result["valid_auprc"] == pytest.approx(expected)  # chosen by the task's own metric
    ran = dnaspt("pretrain", data, "--out", tmp_path / "pre", "--preset", "tiny", "--steps", "2")
    assert ran.code == 0, ran.errors


def test_what_does_not_fit_is_refused(root: Path, tmp_path: Path) -> None:
    bed = root / "data/enhancer_annotation/enhancer_annotation.bed"
    with pytest.raises(ConfigError, match=r"fold 11; .* has parts 1 to 10"):
        prepare_bend(PrepareBendConfig(task="enhancer_annotation", root=root, out=tmp_path / "data", fold=11))
    own = tmp_path / "own.bed"
    (tmp_path / "own.hdf5").write_bytes(bed.with_suffix(".hdf5").read_bytes())
    own.write_text(bed.read_text().replace("chr1\t0\t1280", "chr1\t0\t1279"))
    with pytest.raises(InputError, match="expected one length, a multiple of the bins' 128 bp"):
        prepare_bend(PrepareBendConfig(task="enhancer_annotation", root=root, bed=own, out=tmp_path / "data"))
    assert not (tmp_path / "data").exists()
