"""A training step of the encoder beside its plain formulation and the machine's matrix products, interleaved in one run.

`python benchmarks/encoder.py` prints a table and writes benchmarks/results/encoder-DEVICE.json. The plain formulation is that of
the published code: Conv1d between transposes, float32, LayerNorm, exact GELU. A step is forward and backward of 30 layers on
8 x 1,024 random bases. Rates count the multiplications that the plain formulation needs (two operations each, three passes), so
that an algorithm with fewer of them shows as a higher rate. bf16 means autocast.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext

import torch
from torch import Tensor, nn
from torch.nn import functional

from dnaspt.config import PRESETS, EncoderConfig
from dnaspt.models.encoder import DilatedEncoder
from record import write_result

BATCH, LENGTH = 8, 1024
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


class PlainEncoder(nn.Module):
    """The published formulation, (B, L, D) in memory and Conv1d between transposes: tokens (B, L) -> (B, L, D)."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        size, kernel = config.hidden_size, config.kernel_size
        self.convs = nn.ModuleList(
            nn.Conv1d(size, size, kernel, padding="same", dilation=dilation) for dilation in config.dilations
        )
        self.linears = nn.ModuleList(nn.Linear(size, size) for _ in config.dilations)
        self.norms = nn.ModuleList(nn.LayerNorm(size) for _ in range(2 * config.n_layers))
        self.register_buffer("channels", torch.tensor(config.channels))
        self.size = size

    def forward(self, tokens: Tensor) -> Tensor:
        """Hidden states."""
        x = functional.one_hot(self.channels[tokens], self.size).float()
        for i, (conv, linear) in enumerate(zip(self.convs, self.linears, strict=True)):
            x = x + self.norms[2 * i](functional.gelu(conv(x.transpose(1, 2)).transpose(1, 2)))
            x = x + self.norms[2 * i + 1](functional.gelu(linear(x)))
        return x

    def copy_from(self, encoder: DilatedEncoder) -> None:
        """Take over the weights of ours."""
        for i, layer in enumerate(encoder.layers):
            self.convs[i].load_state_dict({"weight": layer.conv.weight.squeeze(2), "bias": layer.conv.bias})
            self.linears[i].load_state_dict(layer.linear.state_dict())
            self.norms[2 * i].load_state_dict(layer.conv_norm.state_dict())
            self.norms[2 * i + 1].load_state_dict(layer.linear_norm.state_dict())


def step(model: nn.Module, tokens: Tensor, weights: Tensor, *, bf16: bool) -> Callable[[], None]:
    """Forward and backward."""

    def run() -> None:
        with torch.autocast(DEVICE.type, torch.bfloat16) if bf16 else nullcontext():
            hidden = model(tokens)
        (hidden.float() * weights).sum().backward()
        model.zero_grad(set_to_none=True)

    return run


def product(size: int, *, bf16: bool) -> tuple[Callable[[], None], float]:
    """A square matrix product, and its operations."""
    left, right = (
        torch.randn(size, size, device=DEVICE, dtype=torch.bfloat16 if bf16 else torch.float32) for _ in "ab"
    )
    return lambda: torch.mm(left, right), 2.0 * size**3


def seconds(run: Callable[[], None]) -> float:
    """Of one call."""
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()
    began = time.perf_counter()
    run()
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - began


def operations(config: EncoderConfig) -> float:
    """Of a training step in the plain formulation."""
    per_base = config.n_layers * (config.kernel_size + 1) * config.hidden_size**2
    return 3 * 2.0 * per_base * BATCH * LENGTH


def measure(preset: str, repeats: int, *, bf16: bool) -> dict[str, object]:
    """Median seconds and rates of all formulations at one size."""
    config = PRESETS[preset]
    torch.manual_seed(0)
    ours, plain = DilatedEncoder(config).to(DEVICE), PlainEncoder(config).to(DEVICE)
    plain.copy_from(ours)
    tokens = torch.randint(0, 4, (BATCH, LENGTH), device=DEVICE)
    with torch.no_grad():
        difference = float((ours(tokens) - plain(tokens)).abs().max())
    weights = torch.randn(BATCH, LENGTH, config.hidden_size, device=DEVICE)
    square, n_square = product(2048 if DEVICE.type == "cpu" else 8192, bf16=False)
    runs = {
        "plain": step(plain, tokens, weights, bf16=False),
        "ours": step(ours, tokens, weights, bf16=False),
        "product": square,
    }
    if bf16:
        half, _ = product(2048 if DEVICE.type == "cpu" else 8192, bf16=True)
        runs |= {
            "plain bf16": step(plain, tokens, weights, bf16=True),
            "ours bf16": step(ours, tokens, weights, bf16=True),
            "product bf16": half,
        }
    for run in runs.values():
        run()
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            taken[name].append(seconds(run))
    median = {name: statistics.median(values) for name, values in taken.items()}
    rate = {
        name: (n_square if "product" in name else operations(config)) / value / 1e9 for name, value in median.items()
    }
    return {
        "preset": preset,
        "largest difference of hidden states": difference,
        "median_s": median,
        "gflop_per_s": rate,
        "ours / plain": median["plain"] / median["ours"],
        "ours / product rate": rate["ours"] / rate["product"],
    }


def main() -> None:
    """Print the table and write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--presets", nargs="*", default=["small", "base", "paper"])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--bf16", action="store_true", help="also under bfloat16 autocast")
    chosen = parser.parse_args()
    rows = [measure(preset, chosen.repeats, bf16=chosen.bf16) for preset in chosen.presets]
    for row in rows:
        print(f"{row['preset']}: hidden states differ by {row['largest difference of hidden states']:.1e} at most")
        for name, value in row["median_s"].items():
            print(f"  {name:13s} {value:8.3f} s {row['gflop_per_s'][name]:9.1f} GF/s")
        print(
            f"  ours is {row['ours / plain']:.2f} times plain, {row['ours / product rate']:.0%} of the product's rate"
        )
    write_result(
        f"encoder-{DEVICE.type}", f"python {' '.join(sys.argv)}", {"batch": BATCH, "length": LENGTH, "rows": rows}
    )


if __name__ == "__main__":
    main()
