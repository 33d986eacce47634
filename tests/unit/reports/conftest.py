"""Evaluated runs of a simulated genome, two steps each, and the finished study of the tests of studies."""

from pathlib import Path

import pytest
from tests.unit.studies.conftest import finished as finished
from tests.unit.studies.conftest import study as study

from dnaspt.config import EncoderConfig, FinetuneConfig, PretrainConfig
from dnaspt.evaluation.evaluate import evaluate
from dnaspt.training.finetune import finetune
from dnaspt.training.pretrain import pretrain

QUICK = {"steps": 2, "batch_bp": 2048, "tensorboard": False, "precision": "32", "accelerator": "cpu"}


@pytest.fixture(scope="session")
def runs(gene_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with a pretraining run (pre) and three evaluated arms (a, b, c)."""
    folder = tmp_path_factory.mktemp("runs")
    encoder = EncoderConfig(hidden_size=8, n_layers=2)
    pretrain(PretrainConfig(data=gene_data, out=folder / "pre", encoder=encoder, **QUICK))
    for name, start, head in (("a", None, "softmax"), ("b", folder / "pre", "softmax"), ("c", folder / "pre", "crf")):
        config = FinetuneConfig(data=gene_data, out=folder / name, encoder=start, preset="tiny", head=head, **QUICK)
        finetune(config)
        evaluate(folder / name, gene_data)
    return folder
