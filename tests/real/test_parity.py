"""BEND's ConvNet checkpoints: the same hidden states and logits here, and back again without a change."""

from pathlib import Path

import numpy as np
import pytest
import torch

from dnaspt.checkpoint import export_bend, load_model, read_tensors
from dnaspt.config import BEND_CHANNELS

pytestmark = pytest.mark.real


def test_hidden_states_and_logits_of_a_bend_checkpoint_are_reproduced(real_data: Path) -> None:
    folder = real_data / "parity" / "bend_convnet"
    expected = np.load(folder / "expected.npz")
    model, config = load_model(folder)
    # In float64: the expected values carry float32 rounding of up to 9.95e-6 themselves (hidden states reach 20).
    model.double()
    # The file's ids are BEND's channels (A C G N T); ours are tokens (A C G T N).
    tokens = torch.tensor(BEND_CHANNELS).argsort()[torch.from_numpy(expected["input_ids"])]
    with torch.no_grad():
        hidden = model.encoder(tokens)
        logits = model.head(hidden)[..., np.argsort(config.encoder.channels)]
    assert np.abs(hidden.numpy() - expected["last_hidden_state"]).max() < 1e-5
    assert np.abs(logits.numpy() - expected["logits"]).max() < 1e-5
    with torch.no_grad():
        single = model.float().encoder(tokens)
    assert np.abs(single.numpy() - expected["last_hidden_state"]).max() < 1e-6 * np.abs(hidden.numpy()).max()


def test_export_gives_back_the_same_tensors(real_data: Path, tmp_path: Path) -> None:
    folder = real_data / "parity" / "bend_convnet"
    export_bend(folder, tmp_path / "out")
    before, after = (read_tensors(path / "model.safetensors") for path in (folder, tmp_path / "out"))
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
