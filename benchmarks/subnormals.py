"""What numbers below float32's normal range cost on a CPU, and what taking them for zero saves.

`python benchmarks/subnormals.py` writes benchmarks/results/subnormals-cpu.json: a training step. It is forward and backward of
`small` on 2 x 1,024 bases, its gradient at the output scaled by 1e-36, as a CRF gives where it is all but sure.

`python benchmarks/subnormals.py --run RUN --genome g.fa` writes benchmarks/results/subnormals-prediction.json: emissions of the
first bases of a genome by a trained gene model, whose activations are as small here and there. Both are interleaved in one run.
"""

import argparse
import statistics
import time
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import torch

from dnaspt.config import PRESETS
from dnaspt.genome.fasta import read_fasta
from dnaspt.inference import emissions
from dnaspt.inference.emissions import ContigSlice, predict_sequences
from dnaspt.inference.model import load
from dnaspt.models.encoder import DilatedEncoder
from dnaspt.models.kernels.threads import subnormals_as_zero
from record import write_result

REPEATS = 3


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, help="a fine-tuned gene model; left out, a training step is measured")
    parser.add_argument("--genome", type=Path)
    parser.add_argument("--bp", type=int, default=200_000, help="bases to predict")
    chosen = parser.parse_args()
    if chosen.run:
        measure_prediction(chosen.run, chosen.genome, chosen.bp)
    else:
        measure_training()


def measure_prediction(run: Path, genome: Path, n_bp: int) -> None:
    """Bases a second of the emissions, with subnormal numbers as they are and taken for zero."""
    model = load(run, accelerator="cpu").task_model()
    contig = ContigSlice.whole(next(iter(read_fasta(genome))).codes[:n_bp])
    rates: dict[str, list[float]] = {}
    sums = set()
    for repeat in range(REPEATS + 1):
        for name, context in (("as they are", nullcontext), ("as zero", subnormals_as_zero)):
            emissions.subnormals_as_zero = context  # type: ignore[attr-defined]
            began = time.perf_counter()
            (rows,) = predict_sequences(model, [contig])
            if repeat:  # the first compiles
                rates.setdefault(name, []).append(len(contig) / (time.perf_counter() - began))
            sums.add(float(np.asarray(rows).sum(dtype=np.float64)))
    medians = {name: statistics.median(values) for name, values in rates.items()}
    found = {"n_bp": len(contig), "threads": torch.get_num_threads(), "repeats": REPEATS, "bp_per_s": medians}
    found |= {"times": medians["as zero"] / medians["as they are"], "same emissions": len(sums) == 1}
    write_result("subnormals-prediction", f"python benchmarks/subnormals.py --run RUN --genome {genome.name}", found)
    print(found)


def measure_training() -> None:
    """Seconds of a training step of the encoder with ordinary and with subnormal gradients."""
    torch.manual_seed(0)
    encoder = DilatedEncoder(PRESETS["small"])
    tokens = torch.randint(0, 4, (2, 1024))
    taken: dict[str, list[float]] = {}
    for repeat in range(REPEATS + 1):
        for name, scale, context in (
            ("ordinary", 1.0, nullcontext()),
            ("subnormal", 1e-36, nullcontext()),
            ("subnormal, as zero", 1e-36, subnormals_as_zero()),
        ):
            with context:
                began = time.perf_counter()
                (encoder(tokens).sum() * scale).backward()
                seconds = time.perf_counter() - began
            if repeat:  # the first compiles
                taken.setdefault(name, []).append(seconds)
    medians = {name: statistics.median(values) for name, values in taken.items()}
    ratios = {name: value / medians["ordinary"] for name, value in medians.items()}
    found = {"threads": torch.get_num_threads(), "repeats": REPEATS, "median_s": medians, "ratios to ordinary": ratios}
    write_result("subnormals-cpu", "python benchmarks/subnormals.py", found)
    for name, ratio in ratios.items():
        print(f"{name}: {medians[name]:.3f} s, {ratio:.1f} times an ordinary step")


if __name__ == "__main__":
    main()
