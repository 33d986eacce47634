"""Where the Triton kernels run: on a new enough GPU, with triton and a compiler, and nowhere else."""

import pytest
import torch

from dnaspt.models.kernels import triton_support
from dnaspt.models.kernels.triton_support import device_of, runs_kernels


@pytest.fixture(autouse=True)
def _forget() -> None:
    runs_kernels.cache_clear()


@pytest.mark.parametrize(
    ("has_triton", "compiler", "capability", "expected"),
    [
        (True, "/usr/bin/gcc", (9, 0), True),
        (True, "/usr/bin/gcc", (8, 0), True),
        (True, "/usr/bin/gcc", (7, 5), False),
        (True, None, (9, 0), False),
        (False, "/usr/bin/gcc", (9, 0), False),
    ],
)
def test_all_that_kernels_need_must_be_there(
    has_triton: bool,
    compiler: str | None,
    capability: tuple[int, int],
    expected: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(triton_support, "find_spec", lambda name: name if has_triton else None)
    monkeypatch.setattr(triton_support.shutil, "which", lambda name: compiler)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert runs_kernels(torch.device("cuda")) is expected
    runs_kernels.cache_clear()
    assert not runs_kernels(torch.device("cpu"))
    runs_kernels.cache_clear()


def test_a_tensor_on_the_cpu_leaves_the_current_gpu_alone() -> None:
    with device_of(torch.zeros(1)):
        pass
