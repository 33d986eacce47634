"""BEND's supervised baselines: a CNN on the one-hot code, and Basset."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.integration.in_process import dnaspt

from dnaspt.checkpoint import load_model
from dnaspt.config import BASELINE_ENCODERS, PAD_TOKEN, BassetConfig
from dnaspt.models.basset import BassetEncoder, DenseTrunk
from dnaspt.models.encoder import DilatedEncoder


def test_without_layers_the_encoder_is_the_one_hot_code() -> None:
    encoder = DilatedEncoder(BASELINE_ENCODERS["onehot"])
    hidden = encoder(torch.tensor([[0, 1, 2, 3, 4, PAD_TOKEN]]))
    assert hidden.shape == (1, 6, 7) and not hidden[0, 5].any()
    np.testing.assert_array_equal(hidden[0, :5].argmax(-1), [0, 1, 2, 4, 3])  # BEND's channels: A C G N T
    assert encoder.double()(torch.tensor([[0]])).dtype == torch.float64


def test_basset_has_the_published_sizes_and_a_short_window_is_a_padded_one() -> None:
    config = BassetConfig()
    encoder, trunk = BassetEncoder(config).eval(), DenseTrunk(config, 125).eval()
    assert config.n_pooled == 10
    n_parameters = sum(parameter.numel() for parameter in (*encoder.parameters(), *trunk.parameters()))
    convolutions = sum(a * b * k + 3 * b for a, b, k in ((5, 300, 19), (300, 200, 11), (200, 200, 7)))
    assert n_parameters == convolutions + 2001 * 1000 + 1001 * 1000 + 1001 * 125
    tokens = torch.randint(0, 5, (2, 512))
    tokens[1, 300:] = PAD_TOKEN
    torch.testing.assert_close(encoder(tokens[1:, :300]), encoder(tokens)[1:])
    assert trunk(encoder(tokens), None).shape == (2, 125)


@pytest.mark.parametrize(("preset", "steps"), [("onehot", "40"), ("basset", "12")])
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
