"""Cheap baselines: their counts, and what they find on windows that differ in composition alone."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from tests.integration.in_process import dnaspt

from dnaspt.baselines.baseline import WINDOW_MODELS, run_baseline
from dnaspt.baselines.windows import BASELINES, class_counts, kmer_counts, kmer_means, window_kmers
from dnaspt.data.dataset import read_split
from dnaspt.genome.alphabet import N, encode, reverse_complement
from dnaspt.studies.settings import COMPOSITION


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
        per_base=False,
    )
    # AC, CG, GT (= AC), TT (= AA), AC: canonical pairs in order AA AC AG AT CA CC CG GA GC TA.
    np.testing.assert_allclose(kmer_counts(one, 2)[0], np.array([1, 3, 0, 0, 0, 0, 1, 0, 0, 0]) / 5)
    backward = split.__class__(**{**{f: getattr(one, f) for f in one.__slots__}, "codes": reverse_complement(letters)})
    np.testing.assert_array_equal(kmer_counts(one, 3), kmer_counts(backward, 3))
    blank = split.__class__(**{**{f: getattr(one, f) for f in one.__slots__}, "codes": np.full(8, N, np.uint8)})
    assert not kmer_counts(blank, 4).any()


def test_composition_is_found_and_chance_is_not(windows: Path, tmp_path: Path) -> None:
    scores = run_baseline(windows, tmp_path / "kmers", k=3)
    assert scores.scores["auroc/rich"].value > 0.95
    assert abs(scores.scores["auroc/chance"].value - 0.5) < 0.2
    assert scores.windows is not None and scores.windows.labels.undefined == ("never",)
    with np.load(tmp_path / "kmers" / "evaluation-test.npz") as arrays:
        truth, logits = arrays["truth"], arrays["logits"]
    assert scores.scores["auroc/rich"].value == pytest.approx(roc_auc_score(truth[:, 0], logits[:, 0]))
    known = truth[:, 1] != -100
    assert scores.scores["auroc/chance"].value == pytest.approx(roc_auc_score(truth[known, 1], logits[known, 1]))


def test_markov_chains_and_the_cpg_count_find_composition_too(windows: Path, tmp_path: Path) -> None:
    for model in ("markov", "cpg"):
        scores = run_baseline(windows, tmp_path / model, model=model)
        assert scores.scores["auroc/rich"].value > 0.85, model
        assert abs(scores.scores["auroc/chance"].value - 0.5) < 0.2
        assert scores.windows is not None and scores.windows.labels.undefined == ("never",)
    chosen = json.loads((tmp_path / "markov" / "result.json").read_text())["chosen"]
    assert set(chosen) <= {1, 2, 3, 4, 5}
    assert json.loads((tmp_path / "cpg" / "result.json").read_text())["chosen"][0] == 1


def test_a_chain_scores_by_the_log_ratio_of_its_classes(windows: Path) -> None:
    split = read_split(windows, "valid")
    truth = split.labels.reshape(len(split), -1)
    counts = class_counts(split, 2, truth)
    assert counts.shape == (3, 2, 16)
    own = np.zeros((2, 16), np.int64)
    for row in range(len(split)):
        letters = split.codes[split.offsets[row] : split.offsets[row + 1]]
        for codes in (letters, reverse_complement(letters)):
            for first, second in itertools.pairwise(codes):
                own[truth[row, 0], 4 * first + second] += 1
    np.testing.assert_array_equal(counts[0], own)
    ratio = np.arange(16.0)
    letters = split.codes[split.offsets[3] : split.offsets[4]]
    both = [4 * codes[:-1] + codes[1:] for codes in (letters, reverse_complement(letters))]
    assert kmer_means(split, 2, ratio)[3] == pytest.approx(np.mean([ratio[kmers].mean() for kmers in both]))


def test_kmers_of_many_chunks_are_those_of_one(windows: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    split = read_split(windows, "valid")
    whole = kmer_counts(split, 3)
    monkeypatch.setattr("dnaspt.baselines.windows._CHUNK_BP", 1000)
    assert len(list(window_kmers(split, 3))) == 20
    np.testing.assert_array_equal(kmer_counts(split, 3), whole)


def test_a_study_knows_the_same_baselines() -> None:
    assert tuple(BASELINES) == WINDOW_MODELS == COMPOSITION


def test_the_command_scores_test_and_refuses_genes(windows: Path, gene_data: Path, tmp_path: Path) -> None:
    ran = dnaspt("baseline", windows, "--out", tmp_path / "kmers")
    assert ran.code == 0 and "AUROC" in ran.printed and "CpG count" in ran.printed, ran.errors
    assert json.loads((tmp_path / "kmers" / "result.json").read_text())["baseline"] == "kmer"
    assert "NaN" not in (tmp_path / "kmers" / "result.json").read_text()
    assert dnaspt("baseline", windows, "--out", tmp_path / "kmers").code == 2
    assert dnaspt("baseline", windows, "--out", tmp_path / "kmers", "--overwrite").code == 0
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    assert dnaspt("baseline", windows, "--out", tmp_path / "mine", "--overwrite").code == 2
    assert (tmp_path / "mine" / "thesis.txt").is_file()
    ran = dnaspt("baseline", gene_data, "--out", tmp_path / "genes")
    assert ran.code == 2 and "is for windows" in " ".join(ran.errors)
