"""A training step of the encoder beside its plain formulation and the machine's matrix products, interleaved in one run.

`python benchmarks/encoder.py` prints a table and writes benchmarks/results/encoder-DEVICE.json. The plain formulation is that of
the published code: Conv1d between transposes, float32, LayerNorm, exact GELU. A step is forward and backward of 30 layers on
8 x 1,024 random bases (on a GPU 16 x 4,096). Rates count the multiplications that the plain formulation needs (two operations
each, three passes), so that an algorithm with fewer of them shows as a higher rate.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn import functional

from dnaspt.config import PRESETS, EncoderConfig
from dnaspt.models.encoder import DilatedEncoder
from record import write_result

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
BATCH, LENGTH, SQUARE = (16, 4096, 8192) if DEVICE.type == "cuda" else (8, 1024, 2048)
DIFFERENCE = "relative difference from plain float32: hidden states, gradient of the first weights"
DTYPES = ["bfloat16", "float16"] if DEVICE.type == "cuda" else ["float32", "bfloat16"]


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


def run_step(model: nn.Module, tokens: Tensor, weights: Tensor, dtype: torch.dtype) -> Callable[[], None]:
    """Forward and backward; half precision means autocast."""

    def run() -> None:
        with autocast(dtype):
            hidden = model(tokens)
        (hidden.float() * weights).sum().backward()
        model.zero_grad(set_to_none=True)

    return run


def run_forward(model: nn.Module, tokens: Tensor, dtype: torch.dtype) -> Callable[[], None]:
    """Forward alone, without gradients."""

    def run() -> None:
        with torch.inference_mode(), autocast(dtype):
            model(tokens)

    return run


def outcome(model: nn.Module, tokens: Tensor, weights: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Hidden states, and the gradient of the first layer's convolution weights."""
    with autocast(dtype):
        hidden = model(tokens)
    first = next(parameter for parameter in model.parameters() if parameter.ndim > 1)
    (gradient,) = torch.autograd.grad((hidden.float() * weights).sum(), first)
    return hidden.detach().float(), gradient.flatten()


def autocast(dtype: torch.dtype) -> AbstractContextManager[None]:
    """To a half precision; nothing for float32."""
    return nullcontext() if dtype == torch.float32 else torch.autocast(DEVICE.type, dtype)


def product(size: int, dtype: torch.dtype) -> Callable[[], None]:
    """A square matrix product."""
    left, right = (torch.randn(size, size, device=DEVICE, dtype=dtype) for _ in "ab")

    def run() -> None:
        torch.mm(left, right)

    return run


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
    """Of a forward pass in the plain formulation; a training step takes three times as many."""
    per_base = config.n_layers * (config.kernel_size + 1) * config.hidden_size**2
    return 2.0 * per_base * BATCH * LENGTH


def measure(preset: str, repeats: int, dtypes: list[str]) -> dict[str, object]:
    """Median seconds and rates of all formulations at one size."""
    config = PRESETS[preset]
    torch.manual_seed(0)
    ours, plain = DilatedEncoder(config).to(DEVICE), PlainEncoder(config).to(DEVICE)
    plain.copy_from(ours)
    tokens = torch.randint(0, 4, (BATCH, LENGTH), device=DEVICE)
    weights = torch.randn(BATCH, LENGTH, config.hidden_size, device=DEVICE)
    runs: dict[str, Callable[[], None]] = {}
    for name in dtypes:
        dtype = getattr(torch, name)
        for who, model in (("plain", plain), ("ours", ours)):
            runs[f"{who} step {name}"] = run_step(model, tokens, weights, dtype)
            runs[f"{who} forward {name}"] = run_forward(model, tokens, dtype)
        runs[f"product {name}"] = product(SQUARE, dtype)
    exact = outcome(plain, tokens, weights, torch.float32)
    differences = {}
    for name in dtypes:
        found = outcome(ours, tokens, weights, getattr(torch, name))
        pairs = zip(found, exact, strict=True)
        differences[name] = [float((mine - other).norm() / other.norm()) for mine, other in pairs]
    for run in runs.values():
        run()
        run()
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            taken[name].append(seconds(run))
    median = {name: statistics.median(values) for name, values in taken.items()}
    counts = {"step": 3 * operations(config), "forward": operations(config), "product": 2.0 * SQUARE**3}
    rate = {
        name: next(count for kind, count in counts.items() if kind in name) / value / 1e9
        for name, value in median.items()
    }
    return {
        "preset": preset,
        DIFFERENCE: differences,
        "median_s": median,
        "gflop_per_s": rate,
        "ratios": {
            **{f"ours {name} / plain {other}": median[f"plain step {other}"] / median[f"ours step {name}"]
               for name in dtypes for other in dtypes},
            **{f"ours {name} / product {name}": rate[f"ours step {name}"] / rate[f"product {name}"] for name in dtypes},
        },
    }  # fmt: skip


def main() -> None:
    """Print the table and write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--presets", nargs="*", default=["small", "base", "paper"])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument(
        "--dtypes", nargs="*", default=DTYPES, help="float32, bfloat16, float16: half precision by autocast"
    )
    chosen = parser.parse_args()
    rows = [measure(preset, chosen.repeats, chosen.dtypes) for preset in chosen.presets]
    for row in rows:
        print(f"{row['preset']}:")
        for name, (hidden, gradient) in row[DIFFERENCE].items():
            print(f"  {name}: hidden states differ by {hidden:.1e} of their norm, a gradient by {gradient:.1e}")
        for name, value in row["median_s"].items():
            print(f"  {name:22s} {value * 1e3:9.2f} ms {row['gflop_per_s'][name]:11.1f} GF/s")
        for name, value in row["ratios"].items():
            print(f"  {name}: {value:.2f}")
    found = {"batch": BATCH, "length": LENGTH, "threads": torch.get_num_threads(), "rows": rows}
    write_result(f"encoder-{DEVICE.type}", f"python {' '.join(sys.argv)}", found)


if __name__ == "__main__":
    main()
