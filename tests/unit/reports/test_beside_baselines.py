"""A run beside baselines: their scores are those of `baseline`, gains are paired, and what is kept is not made again."""

from pathlib import Path

import pytest

import dnaspt
from dnaspt.errors import ConfigError
from dnaspt.reports import beside_baselines as module
from dnaspt.reports.beside_baselines import beside_baselines


@pytest.fixture(scope="module")
def run(windows: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("beside") / "run"
    dnaspt.finetune(windows, out=out, preset="tiny", steps=2, composition=False, tensorboard=False)
    return out


def test_baselines_stand_beside_a_run_with_what_it_has_over_them(
    run: Path, windows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluation = dnaspt.evaluate(run, windows)
    table = beside_baselines(run, evaluation, windows, ["kmer", "cpg"])
    assert [row[0] for row in table.rows] == [run.name, "kmer", "cpg"]
    alone = dnaspt.baseline(windows, out=tmp_path / "kmer")
    assert table.rows[1][1] == alone.primary.with_interval(undefined="–")
    gain = float(table.rows[1][2].split()[0])
    assert gain == pytest.approx(evaluation.primary.value - alone.primary.value, abs=6e-4)
    assert {row[3] for row in table.rows[1:]} <= {"better", "worse", "undecided"}
    monkeypatch.setattr(module, "run_baseline", None)  # what is kept is read
    assert beside_baselines(run, evaluation, windows, ["kmer", "cpg"]) == table


def test_what_cannot_be_compared_is_refused(run: Path, windows: Path) -> None:
    on_valid = dnaspt.evaluate(run, windows, split="valid")
    with pytest.raises(ConfigError, match="baselines are scored on test; these are scores on valid"):
        beside_baselines(run, on_valid, windows, ["kmer"])
    evaluation = dnaspt.evaluate(run, windows)
    with pytest.raises(ConfigError, match="no baseline is called 'gru'"):
        beside_baselines(run, evaluation, windows, ["gru"])
    (checkpoint,) = (run / "best").iterdir()
    with pytest.raises(ConfigError, match="keeps no scores to compare"):
        beside_baselines(checkpoint, evaluation, windows, ["kmer"])
