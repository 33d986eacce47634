"""What devices can do: which has no float64, and whether Apple's GPU computes what the CPU computes.

Apple's GPU (`mps`) has no kernels of ours: PyTorch's layers run there, and a CRF is summed on the CPU. It was never tested on
Apple's hardware; so it is used only where a small network and its gradient come out there as they do on the CPU.
"""

import logging
from functools import cache

import torch
from torch import Tensor

from dnaspt.config import PAD_TOKEN, EncoderConfig
from dnaspt.errors import ConfigError

log = logging.getLogger(__name__)

_TOLERANCE = 1e-3
"""Largest difference of the probe from the CPU, as a share of the largest number."""


def widest_float(device: torch.device) -> torch.dtype:
    """The most precise float type of a device: float64, or float32 on Apple's GPU."""
    return torch.float32 if device.type == "mps" else torch.float64


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor on a device; as float32 where it is float64 and the device has none."""
    if tensor.dtype == torch.float64:
        tensor = tensor.to(widest_float(device))
    return tensor.to(device)


def takes_apple_gpu(accelerator: str) -> bool:
    """Whether to compute on Apple's GPU, where there is none of NVIDIA.

    Args:
        accelerator: gpu; or auto, which warns and takes the CPU where Apple's GPU does not compute what the CPU computes.

    Raises:
        ConfigError: gpu, and there is none that can be used.
    """
    fault = fault_of_apple_gpu()
    if fault and accelerator == "gpu":
        raise ConfigError(
            f"accelerator 'gpu': no CUDA device is visible here, nor can Apple's GPU be used: {fault}; say cpu"
        )
    if fault and torch.backends.mps.is_available():
        log.warning("Apple's GPU is not used: %s; computing on the CPU", fault)
    return not fault


@cache
def fault_of_apple_gpu() -> str:
    """Why Apple's GPU cannot be used, in words; "" where there is one that computes what the CPU computes."""
    if not torch.backends.mps.is_available():
        return "there is none, or this PyTorch does not know it"
    try:
        there, here = _probe(torch.device("mps")), _probe(torch.device("cpu"))
    except (RuntimeError, TypeError) as error:  # NotImplementedError, too: an operator that is missing
        return str(error).splitlines()[0]
    for name, expected in here.items():
        difference = float((there[name] - expected).abs().max() / expected.abs().max())
        if not difference <= _TOLERANCE:
            return f"its {name} differs from the CPU's by {difference:.1g} of the largest number"
    return ""


def _probe(device: torch.device) -> dict[str, Tensor]:
    """Hidden states and gradients of a small encoder with padded sequences, on the CPU."""
    from dnaspt.models.encoder import DilatedEncoder  # it imports the kernels

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        encoder = DilatedEncoder(EncoderConfig(hidden_size=32, n_layers=6)).to(widest_float(device)).to(device)
        tokens = torch.randint(4, (2, 200), dtype=torch.uint8)
        factors = torch.randn(2, 200, 32).to(widest_float(device))
    tokens[1, 150:] = PAD_TOKEN
    with torch.enable_grad():
        hidden = encoder(tokens.to(device))
        (hidden * factors.to(device)).sum().backward()
    gradients = {f"gradient of {name}": value.grad for name, value in encoder.named_parameters()}
    found = {"hidden states": hidden} | {name: grad for name, grad in gradients.items() if grad is not None}
    return {name: tensor.detach().cpu().double() for name, tensor in found.items()}
