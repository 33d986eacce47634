"""A run beside baselines: their scores are those of `baseline`, gains are paired, and what is kept is not made again."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import dnaspt
from dnaspt.errors import CheckpointError, ConfigError, DatasetError
from dnaspt.evaluation.metrics import Score
from dnaspt.evaluation.results import BesideBaseline, read_counts, read_evaluation
from dnaspt.reports import beside_baselines as module
from dnaspt.reports.beside_baselines import (
    _resampled,
    _score,
    beside_baselines,
    beside_table,
    check_beside,
)


@pytest.fixture(scope="module")
def run(windows: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("beside") / "run"
    dnaspt.finetune(windows, out=out, preset="tiny", steps=2, composition=False, tensorboard=False)
    return out


def test_baselines_stand_beside_a_run_with_what_it_has_over_them(
    run: Path, windows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluation = dnaspt.evaluate(run, windows)
    found = beside_baselines(run, evaluation, windows, ["kmer", "cpg"])
    alone = dnaspt.baseline(windows, out=tmp_path / "kmer")
    kmer = found[0]
    assert (kmer.baseline, kmer.score, kmer.own) == ("kmer", alone.primary, evaluation.primary)
    assert kmer.gain.value == pytest.approx(evaluation.primary.value - alone.primary.value)
    assert kmer.to_dict()["gain"] == kmer.gain.to_dict()
    table = beside_table(run, found)
    assert [row[0] for row in table.rows] == [run.name, "kmer", "cpg"]
    assert table.columns == ("model", "mean AUROC [95 %]", f"{run.name} minus it [95 %]", f"{run.name} is")
    monkeypatch.setattr(module, "run_baseline", None)  # what is kept is read
    assert beside_baselines(run, evaluation, windows, ["kmer", "cpg", "kmer"]) == found
    monkeypatch.undo()
    kept = run / module.FOLDER / "kmer" / "evaluation-test.json"
    kept.write_text(kept.read_text()[:99])
    assert beside_baselines(run, evaluation, windows, ["kmer"]) == found[:1]
    for asked in ("kmer", ["kmer"]):
        assert dnaspt.evaluate(run, windows, baseline=asked).beside == tuple(found[:1])
    assert evaluation.beside == ()
    for asked, says in (
        (None, "expected a text"),
        (5, "expected a text"),
        ((None,), "expected a text"),
        ("gru", "'gru'"),
    ):
        with pytest.raises(ConfigError, match=says):
            dnaspt.evaluate(run, windows, baseline=asked)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="instead of a loaded model"):
        dnaspt.evaluate(dnaspt.load(run), windows, baseline="kmer")
    with pytest.raises(ConfigError, match="scored on test"):
        dnaspt.evaluate(run, windows, split="valid", baseline="kmer")


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(math.nan, math.nan, "not defined"), (0.1, 0.3, "better"), (-0.3, -0.1, "worse"), (-0.1, 0.1, "undecided")],
)
def test_the_verdict_is_of_the_run(low: float, high: float, verdict: str) -> None:
    score = Score(0.7, 0.6, 0.8)
    assert BesideBaseline("kmer", "mean AUROC", score, score, Score((low + high) / 2, low, high)).verdict == verdict


def test_genes_are_compared_as_predict_writes_them(runs: Path) -> None:
    evaluation = read_evaluation(runs / "c" / "evaluation-test.json")
    counts = read_counts(runs / "c" / "evaluation-test.npz")
    found = _score(evaluation, "exon")
    assert evaluation.codons is not None and found == evaluation.codons.genes.levels["exon"].f1
    assert _resampled(evaluation, counts, "exon").value == pytest.approx(found.value)


def test_what_cannot_be_compared_is_refused_before_test_is_scored(
    run: Path, windows: Path, gene_data: Path, tmp_path: Path
) -> None:
    letters = ["".join(own) for own in np.random.default_rng(0).choice(list("ACGT"), (40, 30))]
    table = pd.DataFrame({"sequence": letters, "label": np.arange(40) / 8})
    table.to_csv(tmp_path / "a.csv", index=False)
    numbers = dnaspt.prepare_sequences(sequences=tmp_path / "a.csv", out=tmp_path / "data").path
    with pytest.raises(ConfigError, match="baselines are scored on test; leave them out, or leave out split valid"):
        check_beside(run, windows, ["kmer"], split="valid", fold=0)
    for data, names, match in (
        (windows, ["kmer", "gru"], "no baseline is called 'gru'"),
        (windows, ["augustus"], "has labels per window"),
        (numbers, ["markov"], "for numbers say kmer"),
        (gene_data, ["kmer"], "no baseline for genes is called 'kmer'; expected augustus"),
        (windows, [""], "no baseline is called"),
    ):
        with pytest.raises((ConfigError, DatasetError), match=match):
            check_beside(run, data, names, split="test", fold=0)
    (checkpoint,) = (run / "best").iterdir()
    with pytest.raises(CheckpointError, match="keeps no scores to compare"):
        check_beside(checkpoint, windows, ["kmer"], split="test", fold=0)
    with pytest.raises(CheckpointError):
        check_beside(run / "missing", windows, ["kmer"], split="test", fold=0)
