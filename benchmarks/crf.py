"""Time of the CRF's forward and backward pass beside pytorch-crf's, into a printed table and a JSON file.

Run: python benchmarks/crf.py. Positions per second are B * L over the median of 30 runs, or over the one run
of pytorch-crf, whose backward pass at this length takes most of a minute.
"""

import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from torchcrf import CRF

from dnaspt.models.crf import LinearChainCRF
from dnaspt.tasks import GENE_STATES
from record import write_result

BATCH, LENGTH, STATES = 4, 8192, 9


def time_it(run: Callable[[], object], repeats: int) -> float:
    """Median seconds of `repeats` calls."""
    seconds = []
    for _ in range(repeats):
        begin = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds)


def measure_ours(crf: LinearChainCRF, emissions: torch.Tensor, labels: torch.Tensor) -> dict[str, float]:
    """Seconds of forward and backward, of the likelihood alone and of Viterbi decoding."""
    lengths = torch.full((len(emissions),), emissions.shape[1])

    def learn() -> None:
        crf.log_likelihood(emissions, labels, lengths).sum().backward()

    def score() -> None:
        with torch.no_grad():
            crf.log_likelihood(emissions, labels, lengths)

    runs = {"forward+backward": learn, "likelihood": score, "viterbi": lambda: crf.viterbi(emissions, lengths)}
    for run in runs.values():
        run()
    return {name: time_it(run, 30) for name, run in runs.items()}


def measure_reference(emissions: torch.Tensor, labels: torch.Tensor) -> dict[str, float]:
    """Seconds of the same with pytorch-crf, once each after a short warm-up."""
    crf = CRF(emissions.shape[2], batch_first=True)
    crf(emissions[:, :64], labels[:, :64]).backward()

    def score() -> None:
        with torch.no_grad():
            crf(emissions, labels)

    return {
        "forward+backward": time_it(lambda: crf(emissions, labels).backward(), 1),
        "likelihood": time_it(score, 1),
        "viterbi": time_it(lambda: crf.decode(emissions, torch.ones_like(labels, dtype=torch.bool)), 1),
    }


def main() -> None:
    """Measures the gene table, and all moves legal, against pytorch-crf."""
    torch.manual_seed(0)
    emissions = (torch.randn(BATCH, LENGTH, STATES) * 2).requires_grad_()
    lengths = torch.full((BATCH,), LENGTH)
    tables = {"genes, 17 moves": GENE_STATES.legal_matrix(), "dense, 81 moves": np.ones((STATES, STATES), dtype=bool)}
    seconds = {}
    for name, legal in tables.items():
        crf = LinearChainCRF(legal)
        seconds[name] = measure_ours(crf, emissions, crf.viterbi(emissions, lengths).paths)
    labels = torch.randint(STATES, (BATCH, LENGTH))
    seconds["pytorch-crf"] = measure_reference(emissions, labels)
    positions = BATCH * LENGTH
    print(f"B={BATCH} L={LENGTH} K={STATES} float32, {torch.get_num_threads()} threads: million positions/s (speed-up)")
    for name, own in seconds.items():
        cells = [
            f"{part} {positions / value / 1e6:8.4f} ({seconds['pytorch-crf'][part] / value:6.0f}x)"
            for part, value in own.items()
        ]
        print(f"{name:16s} " + "  ".join(cells))
    shape = {"batch": BATCH, "length": LENGTH, "states": STATES, "threads": torch.get_num_threads()}
    write_result("crf-cpu", "python benchmarks/crf.py", {**shape, "seconds": seconds})


if __name__ == "__main__":
    main()
