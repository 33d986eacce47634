"""The k-mer baseline: its counts, and what it finds on windows that differ in composition alone."""

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from tests.integration.in_process import dnaspt

from dnaspt.data.store import DatasetWriter, Manifest, read_split
from dnaspt.data.window import Window
from dnaspt.evaluation.kmer_model import kmer_baseline, kmer_counts
from dnaspt.genome.alphabet import N, encode, reverse_complement


@pytest.fixture(scope="module")
def windows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Label 0: rich in G and C. Label 1: by chance, missing now and then. Label 2: never true."""
    out, rng = tmp_path_factory.mktemp("kmers") / "data", np.random.default_rng(0)
    with DatasetWriter(out) as writer:
        for split, n in (("train", 300), ("valid", 100), ("test", 120)):
            for row in range(n):
                rich = bool(rng.random() < 0.3)
                codes = rng.choice(4, 200, p=(0.2, 0.3, 0.3, 0.2) if rich else (0.3, 0.2, 0.2, 0.3)).astype(np.uint8)
                labels = np.array([rich, rng.choice([0, 1, -100]), 0], dtype=np.int8)
                writer.add(
                    split, Window(f"{split}{row // 20}", row % 20 * 300, row % 20 * 300 + 200, ".", codes, labels)
                )
        writer.finish(
            Manifest(
                task="regions",
                labels=("rich", "chance", "never"),
                resolution_bp=0,
                window_bp=200,
                sources=(),
                settings={},
            )
        )
    return out


def test_counts_are_those_of_a_plain_loop_and_strands_count_the_same(windows: Path) -> None:
    split = read_split(windows, "valid")
    found = kmer_counts(split, 2)
    assert found.shape == (100, 10)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-6)
    letters = encode(b"ACGTTNAC")
    one = split.__class__(
        **{name: getattr(split, name)[:1] for name in ("chrom", "start", "end", "strand")},
        codes=letters,
        offsets=np.array([0, len(letters)]),
        labels=split.labels[:3],
        label_offsets=np.array([0, 3]),
    )
    # AC, CG, GT (= AC), TT (= AA), AC: canonical pairs in order AA AC AG AT CA CC CG GA GC TA.
    np.testing.assert_allclose(kmer_counts(one, 2)[0], np.array([1, 3, 0, 0, 0, 0, 1, 0, 0, 0]) / 5)
    turned = split.__class__(**{**{f: getattr(one, f) for f in one.__slots__}, "codes": reverse_complement(letters)})
    np.testing.assert_array_equal(kmer_counts(one, 3), kmer_counts(turned, 3))
    blank = split.__class__(**{**{f: getattr(one, f) for f in one.__slots__}, "codes": np.full(8, N, np.uint8)})
    assert not kmer_counts(blank, 4).any()


def test_composition_is_found_and_chance_is_not(windows: Path, tmp_path: Path) -> None:
    scores = kmer_baseline(windows, tmp_path / "kmers", k=3)
    assert scores["auroc"]["rich"]["value"] > 0.95
    assert abs(scores["auroc"]["chance"]["value"] - 0.5) < 0.2
    assert scores["undefined"] == ["never"]
    with np.load(tmp_path / "kmers" / "evaluation-test.npz") as arrays:
        truth, logits = arrays["truth"], arrays["logits"]
    assert scores["auroc"]["rich"]["value"] == pytest.approx(roc_auc_score(truth[:, 0], logits[:, 0]))
    known = truth[:, 1] != -100
    assert scores["auroc"]["chance"]["value"] == pytest.approx(roc_auc_score(truth[known, 1], logits[known, 1]))


def test_the_command_scores_test_and_refuses_genes(windows: Path, gene_data: Path, tmp_path: Path) -> None:
    ran = dnaspt("baseline", windows, "--out", tmp_path / "kmers")
    assert ran.code == 0 and "mean test AUROC" in ran.printed, ran.errors
    assert json.loads((tmp_path / "kmers" / "result.json").read_text())["k"] == 4
    assert "NaN" not in (tmp_path / "kmers" / "result.json").read_text()
    assert dnaspt("baseline", windows, "--out", tmp_path / "kmers").code == 2
    assert dnaspt("baseline", windows, "--out", tmp_path / "kmers", "--overwrite").code == 0
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    assert dnaspt("baseline", windows, "--out", tmp_path / "mine", "--overwrite").code == 2
    assert (tmp_path / "mine" / "thesis.txt").is_file()
    ran = dnaspt("baseline", gene_data, "--out", tmp_path / "genes")
    assert ran.code == 2 and "is for windows" in " ".join(ran.errors)
