"""Sequences in which a motif is planted or not, and a small model that has learned in seconds to tell them apart."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch

from dnaspt.checkpoint import CheckpointConfig, build_task_model, save_checkpoint
from dnaspt.config import EncoderConfig
from dnaspt.genome import alphabet
from dnaspt.models.batch import Batch

MOTIF = alphabet.encode("TGACGTACC")
LENGTH = 64
CONFIG = CheckpointConfig(
    kind="task",
    encoder=EncoderConfig(hidden_size=16, n_layers=2),
    task="sequences",
    head="sigmoid",
    labels=("motif", "noise"),
    window_bp=LENGTH,
    both_strands=True,
    pool="normalized",
)


class Planted(NamedTuple):
    """Codes (n, L), labels (n, 2): whether the motif is there, and chance; and which bases are the motif's (n, L)."""

    codes: np.ndarray
    labels: np.ndarray
    in_motif: np.ndarray


def planted(n: int, seed: int) -> Planted:
    """Sequences, half of them with the motif, on either strand."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 4, (n, LENGTH)).astype(np.uint8)
    labels = rng.integers(0, 2, (n, 2)).astype(np.int8)
    in_motif = np.zeros(codes.shape, bool)
    for row in np.flatnonzero(labels[:, 0]):
        start = int(rng.integers(0, LENGTH - len(MOTIF)))
        place = slice(start, start + len(MOTIF))
        codes[row, place] = MOTIF if rng.random() < 0.5 else alphabet.reverse_complement(MOTIF)
        in_motif[row, place] = True
    return Planted(codes, labels, in_motif)


def train_on_motif(folder: Path, *, n_steps: int = 150) -> Path:
    """A checkpoint folder; without steps its weights are random."""
    torch.manual_seed(0)
    model = build_task_model(CONFIG).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for step in range(n_steps):
        codes, labels, _ = planted(64, seed=step)
        batch = Batch(torch.from_numpy(codes).long(), torch.full((64,), LENGTH), torch.from_numpy(labels))
        total, n_scored = model.loss(batch)
        optimizer.zero_grad()
        (total / n_scored).backward()
        optimizer.step()
    save_checkpoint(folder, model, CONFIG)
    return folder


@pytest.fixture(scope="session")
def motif_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that has learned the motif."""
    return train_on_motif(tmp_path_factory.mktemp("motif") / "run")


@pytest.fixture(scope="session")
def untrained_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with random weights."""
    return train_on_motif(tmp_path_factory.mktemp("untrained") / "run", n_steps=0)
