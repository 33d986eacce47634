"""What gradients below float32's normal range cost a step of the encoder on a CPU, and what taking them for zero saves.

`python benchmarks/subnormals.py` writes benchmarks/results/subnormals-cpu.json. A step: forward and backward of `small` on
2 x 1,024 bases, its gradient at the output scaled by 1e-36, as a CRF gives where it is all but sure; interleaved in one run.
"""

import statistics
import time
from contextlib import nullcontext

import torch

from dnaspt.config import PRESETS
from dnaspt.models.encoder import DilatedEncoder
from dnaspt.models.kernels.threads import subnormals_as_zero
from record import write_result

REPEATS = 3


def main() -> None:
    """Measure and write."""
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
