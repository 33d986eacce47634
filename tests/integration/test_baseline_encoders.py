"""BEND's supervised baselines, a CNN on the one-hot code and Basset, trained and resumed."""

import json
from pathlib import Path

import pytest
import torch
from tests.integration.in_process import dnaspt

from dnaspt.checkpoint import load_model


@pytest.mark.parametrize(("preset", "steps"), [("onehot", "40"), pytest.param("basset", "12", marks=pytest.mark.slow)])
def test_they_learn_composition_and_resume_to_the_same_bits(
    windows: Path, tmp_path: Path, preset: str, steps: str
) -> None:
    options = ("--preset", preset, "--steps", steps, "--batch-bp", "8192", "--lr", "0.003")
    settings = tmp_path / "settings.toml"
    settings.write_text("save_every = 5\nvalidate_every = 12\nprecision = '32'\n")
    run = tmp_path / "run"
    assert dnaspt("finetune", windows, "--out", run, *options, "--config", settings).code == 0
    assert dnaspt("evaluate", run, "--data", windows).code == 0
    scores = json.loads((run / "evaluation-test.json").read_text())
    assert scores["auroc"]["rich"]["value"] > 0.9
    broken = tmp_path / "broken"
    stopped = dnaspt("finetune", windows, "--out", broken, *options, "--config", settings, "--max-minutes", "0.0001")
    assert stopped.code != 2
    assert dnaspt("finetune", windows, "--out", broken, *options, "--config", settings, "--resume").code == 0
    for name, tensor in load_model(run)[0].state_dict().items():
        torch.testing.assert_close(load_model(broken)[0].state_dict()[name], tensor, rtol=0, atol=0)


def test_basset_is_for_windows(gene_data: Path, tmp_path: Path) -> None:
    ran = dnaspt("finetune", gene_data, "--out", tmp_path / "run", "--preset", "basset")
    assert ran.code == 2 and "is for windows" in " ".join(ran.errors)
