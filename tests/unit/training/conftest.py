"""A pretrained run that fine-tunings of these tests begin from."""

from pathlib import Path

import pytest
from tests.unit.training.quick import ENCODER, QUICK

from dnaspt.config import PretrainConfig
from dnaspt.training.pretrain import pretrain


@pytest.fixture(scope="session")
def pretrained(gene_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "pretrained"
    return pretrain(PretrainConfig(data=gene_data, out=out, encoder=ENCODER, **QUICK)).path
