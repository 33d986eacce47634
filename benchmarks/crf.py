"""The CRF beside TorchCRF and pytorch-crf, interleaved in one run, into a table and benchmarks/results/crf-DEVICE.json.

`python benchmarks/crf.py` times a training step (log-likelihood and its gradients) and Viterbi decoding of one batch: medians of
--repeats rounds, in each of which every implementation runs once (ours, which takes milliseconds, five times). Log-likelihood and
gradients are compared with pytorch-crf's on the same weights. With a GPU everything runs there, on longer batches, but for our
Viterbi decoding: like `dnaspt predict`, it decodes one sequence after another on one thread of the CPU.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
import TorchCRF
import torchcrf
from torch import Tensor, nn

from dnaspt.genome.gene_states import GENE_STATES
from dnaspt.models.crf import LinearChainCRF
from dnaspt.models.kernels.crf_viterbi import best_path
from record import write_result

Run = Callable[[], object]
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
BATCH, LENGTH = (32, 14_000) if DEVICE.type == "cuda" else (4, 8192)


def ours(legal: np.ndarray, emissions: Tensor, labels: Tensor) -> dict[str, Run]:
    """A step and a decoding with the kernels of this package."""
    crf, lengths = LinearChainCRF(legal).to(DEVICE), torch.full((len(emissions),), emissions.shape[1])

    def decode() -> list[np.ndarray]:
        chain = crf.chain()
        return [best_path(rows, chain)[0] for rows in emissions.detach().cpu().numpy()]

    return {
        "step": lambda: crf.log_likelihood(emissions, labels, lengths).sum().backward(),
        "viterbi": decode,
    }


def references(emissions: Tensor, labels: Tensor) -> dict[str, dict[str, Run]]:
    """The same with the two packages, which know no forbidden moves."""
    mask = torch.ones_like(labels, dtype=torch.bool)
    batch_first = torchcrf.CRF(emissions.shape[2], batch_first=True).to(DEVICE)
    other = TorchCRF.CRF(emissions.shape[2], use_gpu=DEVICE.type == "cuda").to(DEVICE)
    return {
        "pytorch-crf": {
            "step": lambda: batch_first(emissions, labels).backward(),
            "viterbi": torch.no_grad()(lambda: batch_first.decode(emissions, mask)),
        },
        "TorchCRF": {
            "step": lambda: other(emissions, labels, mask).sum().backward(),
            "viterbi": torch.no_grad()(lambda: other.viterbi_decode(emissions, mask)),
        },
    }


def difference(n_states: int) -> dict[str, float]:
    """Largest relative difference from pytorch-crf's log-likelihood and gradients, 2 x 1,024 positions, all moves legal.

    pytorch-crf computes in float64: in float32 it is itself off by 1e-3.
    """
    generator = torch.Generator().manual_seed(1)
    crf = LinearChainCRF(np.ones((n_states, n_states), bool)).to(DEVICE)
    reference = torchcrf.CRF(n_states, batch_first=True).double().to(DEVICE)
    for mine, theirs in (
        (crf.start, "start_transitions"),
        (crf.end, "end_transitions"),
        (crf.transitions, "transitions"),
    ):
        mine.data = torch.randn(mine.shape, generator=generator).to(DEVICE)
        getattr(reference, theirs).data.copy_(mine.data.double())
    emissions = torch.randn(2, 1024, n_states, generator=generator).to(DEVICE)
    labels = torch.randint(n_states, (2, 1024), generator=generator).to(DEVICE)
    found = []
    for module, score in (
        (crf, lambda x: crf.log_likelihood(x, labels, torch.tensor([1024, 1024])).sum()),
        (reference, lambda x: reference(x, labels)),
    ):
        leaf = emissions.clone().to(next(module.parameters()).dtype).requires_grad_()
        value = score(leaf)
        value.backward()
        found.append([value.detach(), leaf.grad, *(parameter.grad for parameter in _weights(module))])
    names = ("log-likelihood", "emissions", "start", "end", "transitions")
    return {name: float((mine - theirs).abs().max() / theirs.abs().max()) for name, mine, theirs in zip(names, *found)}


def _weights(module: nn.Module) -> list[nn.Parameter]:
    parameters = dict(module.named_parameters())
    return [parameters.get(name, parameters.get(f"{name}_transitions")) for name in ("start", "end", "transitions")]


LEAVES: list[Tensor] = []
"""What gradients are computed for; those of the round before are dropped, as optimizers do."""


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=BATCH)
    parser.add_argument("--length", type=int, default=LENGTH)
    parser.add_argument("--states", type=int, default=9)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--references", nargs="*", default=["pytorch-crf", "TorchCRF"])
    chosen = parser.parse_args()
    torch.manual_seed(0)
    shape = (chosen.batch, chosen.length)
    emissions = (torch.randn(*shape, chosen.states, device=DEVICE) * 2).requires_grad_()
    LEAVES.append(emissions)
    labels = torch.randint(chosen.states, shape, device=DEVICE)
    dense = np.ones((chosen.states, chosen.states), dtype=bool)
    runs = {"ours, all moves legal": ours(dense, emissions, labels)}
    if chosen.states == len(GENE_STATES.names):
        chain = LinearChainCRF(GENE_STATES).chain()
        paths = np.stack([best_path(rows, chain)[0] for rows in emissions.detach().cpu().numpy()])
        runs["ours, gene moves"] = ours(GENE_STATES.legal_matrix(), emissions, torch.from_numpy(paths).to(DEVICE))
    runs |= {name: parts for name, parts in references(emissions, labels).items() if name in chosen.references}
    taken: dict[str, dict[str, list[float]]] = {name: {"step": [], "viterbi": []} for name in runs}
    for name, parts in runs.items():
        for run in parts.values() if name.startswith("ours") else ():
            run()  # compiles
    for round_ in range(chosen.repeats):
        for name, parts in runs.items():
            for part, run in parts.items():
                taken[name][part] += [_seconds(run) for _ in range(5 if name.startswith("ours") else 1)]
                print(f"round {round_ + 1}, {name}, {part}: {taken[name][part][-1]:.4f} s", flush=True)
    median = {
        name: {part: statistics.median(values) for part, values in parts.items()} for name, parts in taken.items()
    }
    _show(median, chosen.batch * chosen.length)
    compared = difference(chosen.states)
    print(
        "relative difference from pytorch-crf: " + ", ".join(f"{name} {value:.1e}" for name, value in compared.items())
    )
    found = vars(chosen) | {"threads": torch.get_num_threads(), "median_s": median, "relative_difference": compared}
    write_result(f"crf-{DEVICE.type}", "python benchmarks/crf.py", found)


def _seconds(run: Run) -> float:
    _finish()
    for leaf in LEAVES:
        leaf.grad = None
    began = time.perf_counter()
    run()
    _finish()
    return time.perf_counter() - began


def _finish() -> None:
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()


def _show(median: dict[str, dict[str, float]], n_positions: int) -> None:
    """One line per implementation and part: rate, and how many times faster ours is."""
    for name, parts in median.items():
        for part, value in parts.items():
            gains = [f"{value / own[part]:,.0f} x" for other, own in median.items() if other.startswith("ours")]
            print(
                f"{name:22s} {part:8s} {n_positions / value / 1e6:10.4f} million positions/s, ours: {', '.join(gains)}"
            )


if __name__ == "__main__":
    main()
