"""Lightning Fabric from settings: device, precision, several GPUs (DDP) and several nodes; it detects SLURM and torchrun."""

import os
import platform
import warnings
from contextlib import nullcontext

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.lightning import LightningEnvironment

from dnaspt.config import TrainingConfig
from dnaspt.errors import ConfigError
from dnaspt.models.devices import takes_apple_gpu
from dnaspt.training.signals import default_signals

_FABRIC_PRECISION = {"32": "32-true", "bf16": "bf16-mixed", "16": "16-mixed"}


def bf16_is_fast(accelerator: str) -> bool:
    """Whether training is on a GPU that multiplies in bfloat16 itself, from Ampere on."""
    return (
        accelerator != "cpu" and torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    )


def precision_of(config: TrainingConfig) -> str:
    """Precision of a run: 32, bf16 or 16. "auto" is bf16 on a GPU that has it, else 32, for which a CPU has own kernels."""
    if config.precision != "auto":
        return config.precision
    return "bf16" if bf16_is_fast(config.accelerator) else "32"


def device_name(fabric: Fabric) -> str:
    """Name of the GPU or processor that a run trains on."""
    if fabric.device.type == "cuda":
        return torch.cuda.get_device_name(fabric.device)
    return "Apple GPU" if fabric.device.type == "mps" else processor_name()


def processor_name() -> str:
    """Name of the processor."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            models = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    except OSError:  # not Linux
        models = []
    return models[0] if models else platform.processor() or platform.machine()


def choose_accelerator(config: TrainingConfig) -> str:
    """What Lightning is to train on: a GPU of NVIDIA, Apple's, which trains in one process alone, or the CPU.

    Raises:
        ConfigError: a GPU is asked for, and there is none.
    """
    if config.accelerator == "cpu" or torch.cuda.is_available():
        return "cpu" if config.accelerator == "cpu" else "gpu"
    if config.n_processes > 1 and config.accelerator == "auto":
        return "cpu"
    return "mps" if takes_apple_gpu(config.accelerator) else "cpu"


def build_fabric(config: TrainingConfig) -> Fabric:
    """Build and launch Fabric; with more than one device or node it trains with DDP, and waits for all of its processes.

    Raises:
        ConfigError: devices that are not there, or a precision that they do not have.
    """
    accelerator = choose_accelerator(config)
    if accelerator == "cpu" and config.precision == "16":
        raise ConfigError("--precision 16 is for a GPU; a CPU takes 32 or bf16")
    if accelerator == "mps" and precision_of(config) != "32":
        raise ConfigError(
            f"--precision {config.precision} was never tried on Apple's GPU; say 32, or --accelerator cpu"
        )
    n_cores = os.cpu_count() or 1
    if accelerator == "cpu" and config.devices > n_cores:
        cores = "core" if n_cores == 1 else "cores"
        raise ConfigError(
            f"--devices {config.devices}: this machine has {n_cores} {cores}, and each process needs its own"
        )
    is_alone = config.n_processes == 1
    try:
        # While it waits for other processes, Python handles no signals.
        with warnings.catch_warnings(), nullcontext() if is_alone else default_signals():
            # Inside a SLURM job Lightning warns that srun is there and not used; `processes` has checked that.
            warnings.filterwarnings("ignore", message=".*srun.*")
            fabric = Fabric(
                accelerator=accelerator,
                devices=config.devices,
                num_nodes=config.num_nodes,
                precision=_FABRIC_PRECISION[precision_of(config)],  # type: ignore[arg-type]
                strategy="auto" if is_alone else "ddp",
                plugins=[LightningEnvironment()]
                if is_alone
                else None,  # a process alone is none of SLURM's or torchrun's
            )
            fabric.launch()
    except (RuntimeError, ValueError) as error:
        options = f"--accelerator {config.accelerator} --devices {config.devices} --num-nodes {config.num_nodes}"
        raise ConfigError(f"{options}: {str(error).splitlines()[0]}") from error
    return fabric
