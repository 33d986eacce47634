"""AUGUSTUS as an arm of a study, where it is installed."""

import csv
import shutil
from pathlib import Path

import pytest
from tests.integration.in_process import dnaspt

from dnaspt import baseline


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("augustus") is None, reason="AUGUSTUS is not installed")
def test_augustus_is_run_and_joins_a_study(gene_data: Path, tmp_path: Path) -> None:
    study = tmp_path / "study.toml"
    study.write_text(
        f'data = "{gene_data}"\nseeds = [0]\nlearning_rates = [1e-3]\n'
        'finetune = { preset = "tiny", epochs = 0.2, tensorboard = false }\n'
        '[[arms]]\nname = "scratch"\nhead = "crf"\n[[arms]]\nname = "AUGUSTUS"\ninit = "augustus:arabidopsis"\n'
        '[[arms]]\nname = "AUGUSTUS, trained here"\ninit = "augustus"\n'
    )
    ran = dnaspt("study", study, "--out", tmp_path / "out")
    assert ran.code == 0, ran.errors
    text = (tmp_path / "out" / "study.md").read_text()
    assert "a network" in text
    drawn = (tmp_path / "out" / "study_figures" / "locus1.svg").read_text()
    assert all(name in drawn for name in ("scratch", "AUGUSTUS, trained here"))
    with (tmp_path / "out" / "study_scores.csv").open() as file:
        mcc = {row["arm"]: float(row["mean"]) for row in csv.DictReader(file)}
    assert mcc["AUGUSTUS, trained here"] > mcc["AUGUSTUS"] + 0.1, mcc
    ran = dnaspt("baseline", gene_data, "--species", "no_such_species", "--out", tmp_path / "none")
    assert ran.code == 2 or ran.code == 1, ran.errors
    assert any("augustus" in line for line in ran.errors)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("augustus") is None, reason="AUGUSTUS is not installed")
def test_the_search_of_meta_parameters_is_stopped_in_time_and_scored(
    gene_data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    out = tmp_path / "out"
    with caplog.at_level("INFO", "dnaspt"):
        scores = baseline(gene_data, out=out, model="augustus", optimize_minutes=0.1)
    assert "stopped after 0.1 minutes" in caplog.text
    assert "optimized for 0.1 minutes" in (out / "result.json").read_text()
    assert scores.n_windows > 0
    for odd in (("--model", "augustus", "--optimize-minutes", "-1"), ("--species", "fly", "--optimize-minutes", "5")):
        ran = dnaspt("baseline", gene_data, *odd, "--out", tmp_path / "odd")
        assert ran.code == 2, ran.errors
        assert any("--optimize-minutes" in line for line in ran.errors), ran.errors
