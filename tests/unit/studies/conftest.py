"""A tiny study on a simulated genome, planned and finished; its runs take a second or two each."""

from pathlib import Path

import pytest

from dnaspt.config import build_config
from dnaspt.studies import launch, local_engine
from dnaspt.studies.context import StudyContext
from dnaspt.studies.scheduler import run_study
from dnaspt.studies.settings import StudyConfig

QUICK = {"epochs": 0.1, "batch_bp": 4096, "tensorboard": False, "accelerator": "cpu", "precision": "32"}
ARMS = [
    {"name": "scratch", "head": "softmax"},
    {"name": "SPT", "init": "spt", "head": "softmax", "learning_rate": 3e-3},
]


@pytest.fixture(scope="session")
def study(gene_data: Path) -> StudyConfig:
    """Two arms, one seed, two learning rates for the first arm."""
    settings = {"seeds": [0], "learning_rates": [1e-3, 3e-3], "pretrain": QUICK | {"preset": "tiny"}, "finetune": QUICK}
    return build_config(StudyConfig, settings | {"data": gene_data, "arms": ARMS})


@pytest.fixture
def context(study: StudyConfig, tmp_path: Path) -> StudyContext:
    """The study with nothing done."""
    return StudyContext(study, tmp_path / "out", tmp_path / "out" / "records")


@pytest.fixture(scope="session")
def finished(study: StudyConfig, tmp_path_factory: pytest.TempPathFactory) -> StudyContext:
    """The study with all its runs made; not to be changed."""
    out = tmp_path_factory.mktemp("finished")
    context = StudyContext(study, out, out / "records")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local_engine, "in_new_process", launch.in_this_process)
        run_study(context)
    return context
