"""Tensors that say they are on Apple's GPU, with its rules: what of `mps` can be tested without one.

They hold a tensor of the CPU, which computes. As on `mps` there is no float64; `numpy()` and mixing with tensors of the CPU are
errors; and an operator must have a kernel for `mps`, or be made of others, in the list of operators that PyTorch ships
(`torchgen`). What Apple's kernels compute, and how fast, cannot be pretended.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import torch
import torchgen
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map
from torchgen.gen import parse_native_yaml
from torchgen.model import DispatchKey

MPS = torch.device("mps", 0)
_NO_FLOAT64 = "Cannot convert a MPS Tensor to float64 dtype as the MPS framework doesn't support float64"


@cache
def operators_with_kernel() -> frozenset[str]:
    """Names of the operators that PyTorch can run on `mps`, such as add.Tensor."""
    native = Path(torchgen.__file__).parent / "packaged" / "ATen" / "native"
    parsed = parse_native_yaml(str(native / "native_functions.yaml"), str(native / "tags.yaml"))
    found = set()
    for function in parsed.native_functions:
        is_composite = (
            function.has_composite_explicit_autograd_kernel or function.has_composite_implicit_autograd_kernel
        )
        is_composite |= function.has_composite_explicit_autograd_non_functional_kernel
        structured = function.structured_delegate
        names = [function.func.name] + ([structured] if structured else [])
        if is_composite or any(name in parsed.backend_indices[DispatchKey.MPS].index for name in names):
            found.add(str(function.func.name))
    return frozenset(found)


_MAY_MIX = (torch.Tensor.copy_, torch.Tensor.__getitem__, torch._has_compatible_shallow_copy_type)
"""Functions that take tensors of several devices."""


class OnMps(torch.Tensor):
    """A tensor that says it is on `mps`; `held` is that of the CPU."""

    held: torch.Tensor

    @staticmethod
    def __new__(cls, held: torch.Tensor) -> "OnMps":
        if held.dtype == torch.float64:
            raise TypeError(_NO_FLOAT64)
        made: OnMps = torch.Tensor._make_wrapper_subclass(
            cls, held.shape, held.stride(), held.storage_offset(), dtype=held.dtype
        )
        made.held = held
        return made

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return MPS

    def numpy(self, **_: Any) -> Any:
        raise TypeError("can't convert mps:0 device type tensor to numpy. Use Tensor.cpu() to copy it to host memory")

    def __repr__(self, **_: Any) -> str:  # type: ignore[override]
        return f"OnMps({self.held!r})"

    @classmethod
    def __torch_dispatch__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = function.__name__.removesuffix(".default")
        if name not in operators_with_kernel() and name not in ("_to_copy", "_local_scalar_dense"):
            raise NotImplementedError(f"The operator 'aten::{name}' is not currently implemented for the MPS device")
        result = function(*tree_map(_held, args), **tree_map(_held, kwargs or {}))
        if args and isinstance(args[0], OnMps) and result is args[0].held:
            return args[0]  # in place
        return tree_map(lambda value: OnMps(value) if isinstance(value, torch.Tensor) else value, result)


def _held(value: Any) -> Any:
    return value.held if isinstance(value, OnMps) else value


class _Moved(torch.autograd.Function):
    """A move between the CPU and the pretended device."""

    @staticmethod
    def forward(ctx: Any, tensor: torch.Tensor) -> torch.Tensor:
        return tensor.held.clone() if isinstance(tensor, OnMps) else OnMps(tensor.detach().clone())

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        return gradient.held if isinstance(gradient, OnMps) else OnMps(gradient)


class _Moving(TorchFunctionMode):
    """Moves tensors to and from the pretended device, and makes new ones there."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if function in (torch.Tensor.to, torch.Tensor.cpu):
            return _move(args[0], [torch.device("cpu")] if function is torch.Tensor.cpu else list(args[1:]), kwargs)
        if function is torch.Tensor.tolist and isinstance(args[0], OnMps):
            return args[0].held.tolist()
        device = kwargs.get("device")
        if device is not None and torch.device(device).type == "mps":
            return _move(function(*args, **kwargs | {"device": "cpu"}), [MPS], {})
        if function is torch.nn.functional.embedding_bag and isinstance(args[0], OnMps):
            assert "_embedding_bag" in operators_with_kernel()
            return OnMps(function(*map(_held, args), **kwargs))  # it makes a tensor on its device, which is not there
        if function not in _MAY_MIX:
            tensors = [value for value in tree_leaves((args, kwargs)) if isinstance(value, torch.Tensor) and value.ndim]
            if len({isinstance(tensor, OnMps) for tensor in tensors}) == 2:
                name = getattr(function, "__name__", "?")
                raise RuntimeError(f"Expected all tensors to be on the same device, but found mps:0 and cpu ({name})")
        return function(*args, **kwargs)


def _move(tensor: torch.Tensor, wanted: list[Any], kwargs: dict[str, Any]) -> torch.Tensor:
    """`tensor.to(...)`."""
    wanted += [kwargs.pop(name) for name in ("device", "dtype") if kwargs.get(name) is not None]
    device, dtype = tensor.device, tensor.dtype
    for one in wanted:
        if isinstance(one, torch.Tensor):
            device, dtype = one.device, one.dtype
        elif isinstance(one, torch.dtype):
            dtype = one
        elif isinstance(one, str | torch.device):
            device = torch.device(one)
    is_there, goes_there = isinstance(tensor, OnMps), device.type == "mps"
    if goes_there and not is_there and kwargs.get("non_blocking"):
        raise AssertionError("memory that Apple's GPU may still read is given back: a copy that blocks is needed")
    if dtype == torch.float64 and (goes_there or (is_there and dtype != tensor.dtype)):
        raise TypeError(_NO_FLOAT64)
    moved = tensor if dtype == tensor.dtype else torch.ops.aten._to_copy(tensor, dtype=dtype)
    return _Moved.apply(moved) if is_there != goes_there else moved


@contextmanager
def pretended_mps() -> Iterator[None]:
    """A block in which tensors can be moved to `mps`."""
    before = torch.__future__.get_overwrite_module_params_on_conversion()
    torch.__future__.set_overwrite_module_params_on_conversion(True)  # else a parameter would stay a tensor of the CPU
    try:
        with _Moving():
            yield
    finally:
        torch.__future__.set_overwrite_module_params_on_conversion(before)
