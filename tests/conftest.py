"""Fixtures that every test may use, and one thread per process: tests run side by side, and threads that wait spin.

Without a GPU its kernels run under Triton's interpreter, which must be asked for before triton is imported.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "1")

import torch

if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.hub_server import Hub


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where the real data is there, a test on it or with a judge of our output that is skipped has failed."""
    report = yield
    must_run = item.get_closest_marker("real") or item.get_closest_marker("tool")
    if report.skipped and must_run and os.environ.get("DNASPT_REAL_DATA"):
        report.outcome = "failed"
        report.longrepr = f"skipped, although DNASPT_REAL_DATA is set: {report.longrepr}"
    return report


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> "Iterator[Hub]":
    """A server on 127.0.0.1 that stands for the Hugging Face hub, for this process; `environment` of it is for others."""
    from huggingface_hub import constants
    from tests.hub_server import TOKEN, serving

    with serving() as hub:
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        template = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub_cache"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.delenv("DNASPT_OFFLINE", raising=False)
        yield hub


@pytest.fixture(autouse=True)
def _switches() -> Iterator[None]:
    """What a command allows (`--offline`) holds for its process: no test leaves it to the next one."""
    for moment in ("before", "after"):
        for name in ("DNASPT_OFFLINE", "DNASPT_TRUST_REMOTE_CODE"):
            os.environ.pop(name, None)
        if moment == "before":
            yield


@pytest.fixture(scope="session")
def real_data() -> Path:
    folder = os.environ.get("DNASPT_REAL_DATA")
    if not folder:
        pytest.skip("DNASPT_REAL_DATA is unset: set it to the folder with the real sequences and labels")
    if not Path(folder).is_dir():
        pytest.fail(f"DNASPT_REAL_DATA={folder} is no folder")
    return Path(folder)


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small simulated genome: three contigs of 24 kb."""
    from dnaspt.simulation.simulate import SimulateConfig, simulate

    out = tmp_path_factory.mktemp("simulated") / "genome"
    simulate(SimulateConfig(out=out, n_contigs=3, contig_bp=24_000, seed=1))
    return out


@pytest.fixture(scope="session")
def gene_data(simulated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its genes as a dataset of windows of 1,024 bp."""
    from dnaspt.prepare.genes import PrepareGenesConfig, prepare_genes

    out = tmp_path_factory.mktemp("data") / "genes"
    genome, annotation = simulated / "genome.fa", simulated / "annotation.gff3"
    prepare_genes(PrepareGenesConfig(out=out, genome=(genome,), annotation=(annotation,), window_bp=1024))
    return out


@pytest.fixture(scope="session")
def windows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of windows. Label 0: rich in G and C. Label 1: by chance, missing now and then. Label 2: never true."""
    import numpy as np

    from dnaspt.data.dataset import Window
    from dnaspt.data.manifest import Manifest
    from dnaspt.prepare.writer import DatasetWriter

    out, rng = tmp_path_factory.mktemp("kmers") / "data", np.random.default_rng(0)
    with DatasetWriter(out) as writer:
        for split, n in (("train", 300), ("valid", 100), ("test", 120)):
            for row in range(n):
                rich = bool(rng.random() < 0.3)
                codes = rng.choice(4, 200, p=(0.2, 0.3, 0.3, 0.2) if rich else (0.3, 0.2, 0.2, 0.3)).astype(np.uint8)
                labels = np.array([rich, rng.choice([0, 1, -100]), 0], dtype=np.int8)
                writer.add(
                    split, Window(f"{split}{row // 20}", row % 20 * 300, row % 20 * 300 + 200, ".", codes, labels)
                )
        writer.finish(
            Manifest(
                task="regions",
                labels=("rich", "chance", "never"),
                resolution_bp=0,
                window_bp=200,
                sources=(),
                settings={},
            )
        )
    return out
