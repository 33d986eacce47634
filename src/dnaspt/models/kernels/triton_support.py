"""Whether the Triton kernels can run on a device: a GPU that multiplies in bfloat16, triton, and a compiler for its launchers."""

import os
import shutil
from contextlib import AbstractContextManager
from functools import cache
from importlib.util import find_spec

import torch
from torch import Tensor


@cache
def runs_kernels(device: torch.device) -> bool:
    """Whether kernels can run there; else the CPU's or PyTorch's own take their place."""
    if device.type != "cuda" or find_spec("triton") is None:
        return False
    compiler = os.environ.get("CC") or shutil.which("gcc") or shutil.which("clang")
    return bool(compiler) and torch.cuda.get_device_capability(device) >= (8, 0)


def where(tensor: Tensor) -> AbstractContextManager[None]:
    """Makes a tensor's GPU the current one, on which triton launches; nothing for the CPU's."""
    context: AbstractContextManager[None] = torch.cuda.device_of(tensor)  # type: ignore[no-untyped-call]
    return context
