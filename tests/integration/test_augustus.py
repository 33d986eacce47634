"""AUGUSTUS as an arm of a study, where it is installed."""

import csv
import shutil
from pathlib import Path

import pytest
from tests.integration.in_process import dnaspt


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
