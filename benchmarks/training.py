"""What a training run spends its time on, and whether the kernels change what it learns: benchmarks/results/training-DEVICE.json.

`python benchmarks/training.py` on a simulated genome:
- the same pretraining, seed and float32, with the kernels of this package and with PyTorch's plain layers: the logged losses;
- steps of fine-tuning with a CRF (`small`, default batches): share of the time spent in the CRF and in waiting for batches.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from unittest import mock

import torch

from dnaspt.config import PRESETS, PretrainConfig
from dnaspt.data.batches import BatchOptions, TrainingBatches
from dnaspt.data.dataset import read_split
from dnaspt.genome.gene_states import GENE_STATES
from dnaspt.models.encoder import DilatedEncoder
from dnaspt.models.heads import CRFHead
from dnaspt.models.kernels import encoder_cpu
from dnaspt.models.task_model import TaskModel
from dnaspt.prepare.genes import PrepareGenesConfig, prepare_genes
from dnaspt.simulation.simulate import SimulateConfig, simulate
from dnaspt.training.fabric import bf16_is_fast
from dnaspt.training.loop import to_tensors
from dnaspt.training.pretrain import pretrain
from dnaspt.training.stream import Stream
from record import write_result

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=40, help="of the two pretrainings that are compared")
    parser.add_argument("--repeats", type=int, default=20, help="fine-tuning steps that are timed")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        simulate(SimulateConfig(out=folder / "genome", seed=0))
        files = {"genome": (folder / "genome/genome.fa",), "annotation": (folder / "genome/annotation.gff3",)}
        prepare_genes(PrepareGenesConfig(out=folder / "data", **files))
        found = {"loss": curves(folder, chosen.steps), "step": shares(folder / "data", chosen.repeats)}
    for part in found.values():
        for key, value in part.items():
            print(f"{key}: {value}")
    write_result(f"training-{DEVICE.type}", "python benchmarks/training.py", found)


def curves(folder: Path, steps: int) -> dict[str, object]:
    """Losses of the same run with and without the kernels."""
    losses = {}
    for name in ("kernels", "plain layers"):
        config = PretrainConfig(
            data=folder / "data",
            out=folder / name.replace(" ", "-"),
            preset="tiny",
            steps=steps,
            precision="32",
            tensorboard=False,
        )
        with mock.patch.object(encoder_cpu, "fits", encoder_cpu.fits if name == "kernels" else never):
            pretrain(config)
        rows = (config.out / "metrics.jsonl").read_text().splitlines()
        losses[name] = [json.loads(row)["loss"] for row in rows]
    pairs = list(zip(*losses.values(), strict=True))
    return {
        "logged losses with kernels": losses["kernels"],
        "logged losses with plain layers": losses["plain layers"],
        "largest relative difference": max(abs(mine - other) / other for mine, other in pairs),
    }


def never(*_: object) -> bool:
    """No kernels."""
    return False


def shares(data: Path, repeats: int) -> dict[str, object]:
    """Medians of fine-tuning steps, of the CRF in them, and the time that the steps waited for batches."""
    model = TaskModel(DilatedEncoder(PRESETS["small"]), CRFHead(PRESETS["small"].hidden_size, GENE_STATES)).to(DEVICE)
    optimizer = torch.optim.AdamW(model.parameters())
    options = BatchOptions(batch_bp=16_384, seed=0, complement=GENE_STATES.complement)
    batches = TrainingBatches([read_split(data, "train")], 4096, options)
    half = bf16_is_fast(DEVICE.type)
    steps, crf = [], []
    with Stream(batches, 0, 0) as stream:
        for _ in range(repeats + 3):
            waited = stream.waited_s
            began = now()
            ((_, _, arrays),) = stream.take()
            batch = to_tensors(arrays, DEVICE)
            with torch.autocast(DEVICE.type, torch.bfloat16, enabled=half):
                emissions = model(batch.tokens)
                middle = now()
                leaf = emissions.detach().requires_grad_()
                loss = model.head.loss(leaf, batch)
                loss.total.backward()
                after = now()
            emissions.backward(leaf.grad)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            steps.append((now() - began, stream.waited_s - waited))
            crf.append(after - middle)
    seconds = statistics.median(total for total, _ in steps[3:])
    return {
        "precision": "bfloat16 autocast" if half else "float32",
        "step_s": seconds,
        "crf_share": statistics.median(crf[3:]) / seconds,
        "waiting_share": sum(wait for _, wait in steps[3:]) / sum(total for total, _ in steps[3:]),
    }


def now() -> float:
    """Seconds, when all that was started is done."""
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


if __name__ == "__main__":
    main()
