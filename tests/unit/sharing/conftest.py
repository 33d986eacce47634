"""Runs to share: a pretrained encoder, and a model of windows that is scored on test."""

import shutil
from pathlib import Path

import pytest

import dnaspt

QUICK = {"steps": 1, "batch_bp": 2048, "tensorboard": False, "accelerator": "cpu"}
TINY = {"hidden_size": 8, "n_layers": 2}


@pytest.fixture(scope="session")
def shared(windows: Path, gene_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder "alice" with runs pre (of genes), rich (of windows, scored on test) and genes (a CRF, not scored)."""
    folder = tmp_path_factory.mktemp("private") / "alice"
    dnaspt.pretrain(gene_data, out=folder / "pre", encoder=TINY, **QUICK)
    dnaspt.finetune(windows, out=folder / "rich", encoder=folder / "pre", **QUICK)
    dnaspt.evaluate(folder / "rich", windows, accelerator="cpu")
    dnaspt.finetune(gene_data, out=folder / "genes", encoder=folder / "pre", head="crf", **QUICK)
    return folder


@pytest.fixture
def rich(shared: Path, tmp_path: Path) -> Path:
    """A copy of the model of windows, to be changed."""
    return Path(shutil.copytree(shared / "rich", tmp_path / "rich"))
