"""Whether the Triton kernels can run on a device. They need a GPU with bfloat16, triton, and a C compiler for their launchers."""

import os
import shutil
from contextlib import AbstractContextManager
from functools import cache
from importlib.util import find_spec

import torch
from torch import Tensor


@cache
def runs_kernels(device: torch.device) -> bool:
    """Whether the Triton kernels can run there; if not, PyTorch's layers and the CPU's kernels take their place.

    triton comes with PyTorch's builds for CUDA; nothing else is needed, so its absence is no error.
    """
    if device.type != "cuda" or find_spec("triton") is None:
        return False
    compiler = os.environ.get("CC") or shutil.which("gcc") or shutil.which("clang")
    return bool(compiler) and torch.cuda.get_device_capability(device) >= (8, 0)


def device_of(tensor: Tensor) -> AbstractContextManager[None]:
    """Context in which a tensor's GPU is the current one, on which triton launches; no effect for a tensor on the CPU."""
    context: AbstractContextManager[None] = torch.cuda.device_of(tensor)  # type: ignore[no-untyped-call]
    return context
