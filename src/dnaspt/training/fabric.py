"""Lightning Fabric from settings: devices, precision, DDP and multi-node launch (SLURM and torchrun are found by it)."""

import platform
import warnings

import torch
from lightning_fabric import Fabric

from dnaspt.config import TrainingConfig
from dnaspt.errors import ConfigError


def bf16_is_fast(accelerator: str) -> bool:
    """Whether training is on a GPU that multiplies in bfloat16, from Ampere on."""
    return (
        accelerator != "cpu" and torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    )


def device_name(fabric: Fabric) -> str:
    """What a run was made on: the GPU's name, or the processor's."""
    if fabric.device.type == "cuda":
        return torch.cuda.get_device_name(fabric.device)
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            models = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    except OSError:
        models = []
    return models[0] if models else platform.processor() or platform.machine()


def precision_of(config: TrainingConfig) -> str:
    """32, bf16 or 16: what "auto" means on this machine; on a CPU 32, the precision of the encoder's own kernels."""
    if config.precision != "auto":
        return config.precision
    return "bf16" if bf16_is_fast(config.accelerator) else "32"


def build_fabric(config: TrainingConfig) -> Fabric:
    """A launched Fabric. DDP where there is more than one device or node.

    Raises:
        ConfigError: devices that are not there, or a precision that they have not.
    """
    precision = {"32": "32-true", "bf16": "bf16-mixed", "16": "16-mixed"}[precision_of(config)]
    accelerator = config.accelerator if config.accelerator != "auto" or torch.cuda.is_available() else "cpu"
    if accelerator == "cpu" and config.precision == "16":
        raise ConfigError("--precision 16 is for a GPU; a CPU takes 32 or bf16")
    try:
        with warnings.catch_warnings():
            # Lightning warns of SLURM's srun being there but unused; a single process is what was asked for.
            warnings.filterwarnings("ignore", message=".*srun.*")
            fabric = Fabric(
                accelerator=accelerator,
                devices=config.devices,
                num_nodes=config.num_nodes,
                precision=precision,  # type: ignore[arg-type]
                strategy="ddp" if config.devices * config.num_nodes > 1 else "auto",
            )
            fabric.launch()
    except (RuntimeError, ValueError) as error:
        wanted = f"--accelerator {config.accelerator} --devices {config.devices} --num-nodes {config.num_nodes}"
        raise ConfigError(f"{wanted}: {str(error).splitlines()[0]}") from error
    return fabric
