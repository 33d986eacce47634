"""Runs of a simulated genome: a CRF, a gene model, and windows."""

from pathlib import Path

import pytest

from dnaspt.config import FinetuneConfig, PretrainConfig
from dnaspt.prepare.regions import PrepareRegionsConfig, prepare_regions
from dnaspt.training.finetune import finetune
from dnaspt.training.pretrain import pretrain

QUICK = {"steps": 2, "batch_bp": 2048, "tensorboard": False, "precision": "32", "accelerator": "cpu", "preset": "tiny"}


@pytest.fixture(scope="session")
def shown_runs(simulated: Path, gene_data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Run folders by kind: crf, softmax, gene-model and windows."""
    folder = tmp_path_factory.mktemp("shown")
    peaks = PrepareRegionsConfig(
        out=folder / "peaks",
        genome=simulated / "genome.fa",
        regions=(simulated / "peaks_A.bed",),
        window_bp=256,
        core_bp=128,
    )
    prepare_regions(peaks)
    for head in ("crf", "softmax"):
        finetune(FinetuneConfig(data=gene_data, out=folder / head, head=head, **QUICK))
    finetune(FinetuneConfig(data=gene_data, out=folder / "gene-model", head="gene-model", accelerator="cpu"))
    finetune(FinetuneConfig(data=folder / "peaks", out=folder / "windows", **QUICK))
    return {name: folder / name for name in ("crf", "softmax", "gene-model", "windows")}


@pytest.fixture(scope="session")
def runs_pretrained(gene_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pretrained run."""
    out = tmp_path_factory.mktemp("pretrained") / "pre"
    pretrain(PretrainConfig(data=gene_data, out=out, **QUICK))
    return out
