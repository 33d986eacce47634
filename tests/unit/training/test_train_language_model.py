"""The score of a language model on masked windows."""

import numpy as np
import pytest
import torch
from tests.unit.training.quick import ENCODER

from dnaspt.genome.gene_states import MISSING
from dnaspt.models.language_model import LanguageModel
from dnaspt.training.masked_windows import MaskedWindows
from dnaspt.training.train_language_model import score_language_model


def test_windows_of_any_length_are_scored_as_each_alone() -> None:
    rng = np.random.default_rng(0)
    lengths = (5_000, 7, 30_000, 600, 3_000, 64, 9_000)
    tokens = [rng.integers(0, 4, length).astype(np.uint8) for length in lengths]
    labels = [np.where(rng.random(length) < 0.3, rng.integers(0, 4, length), MISSING) for length in lengths]
    torch.manual_seed(0)
    model = LanguageModel(ENCODER).eval()
    with torch.no_grad():
        together = score_language_model(model, MaskedWindows(tokens, labels))
        alone = [
            score_language_model(model, MaskedWindows([one], [true])) for one, true in zip(tokens, labels, strict=True)
        ]
    counts = [(true != MISSING).sum() for true in labels]
    for name, value in together.items():
        assert value == pytest.approx(np.average([one[name] for one in alone], weights=counts), abs=1e-6)


def test_without_a_masked_base_nothing_is_scored() -> None:
    windows = MaskedWindows([np.zeros(9, np.uint8)], [np.full(9, MISSING)])
    assert score_language_model(LanguageModel(ENCODER).eval(), windows) == {"nats": 0.0, "accuracy": 0.0}
