"""The one inference path: windows of tokens through a model, in batches, and sequences of any length tiled through it.

A tile is read with the model's receptive field on both sides, which is trimmed from its emissions: tiled equals untiled.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import torch

from dnaspt.checkpoint import model_device
from dnaspt.config import PAD_TOKEN
from dnaspt.genome import alphabet
from dnaspt.models.task_model import TaskModel

TILE_BP = 65_536
BATCH_BP = {"cpu": 65_536, "cuda": 131_072}
"""Bases of a batch, by kind of device."""
TURNED_BP = 1 << 20
"""Bases whose reverse complement is held at once."""


@torch.no_grad()
def predict_batches(
    model: TaskModel, windows: Iterable[np.ndarray], batch_bp: int | None = None
) -> Iterator[np.ndarray]:
    """Emissions of each window of codes (L,), in order: (L, K) float per base, or (K,) per window."""
    batch_bp = batch_bp or BATCH_BP.get(model_device(model).type, BATCH_BP["cpu"])
    pending: list[np.ndarray] = []
    for window in windows:
        longest = max([len(window), *(len(other) for other in pending)])
        if pending and longest * (len(pending) + 1) > batch_bp:
            yield from _forward(model, pending)
            pending = []
        pending.append(window)
    if pending:
        yield from _forward(model, pending)


def _forward(model: TaskModel, windows: list[np.ndarray]) -> Iterator[np.ndarray]:
    tokens = np.full((len(windows), max(map(len, windows))), PAD_TOKEN, dtype=np.uint8)
    for row, window in zip(tokens, windows, strict=True):
        row[: len(window)] = window & 7
    found = model.predict(torch.from_numpy(tokens).to(model_device(model)))
    emissions = found.to("cpu", torch.float64 if found.dtype == torch.float64 else torch.float32).numpy()
    for row, window in zip(emissions, windows, strict=True):
        yield row[: len(window)] if emissions.ndim == 3 else row


def predict_windows(model: TaskModel, windows: Iterable[np.ndarray], *, average_strands: bool = False) -> np.ndarray:
    """Logits of the labels of n windows of codes: (n, K); with `average_strands` the mean of both strands' logits."""
    if not average_strands:
        return np.stack(list(predict_batches(model, windows)))
    both = (strand for window in windows for strand in (window, alphabet.reverse_complement(window)))
    logits = np.stack(list(predict_batches(model, both)))
    mean: np.ndarray = (logits[::2] + logits[1::2]) / 2
    return mean


def predict_sequence(
    model: TaskModel,
    codes: np.ndarray,
    *,
    start: int = 0,
    end: int | None = None,
    tile_bp: int | None = None,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Emissions (end - start, K) of a stretch of a contig of any length: codes (L,), what lies around it is context.

    out: where to write them (a memory map, say).
    """
    end = len(codes) if end is None else end
    tile_bp = tile_bp or TILE_BP
    flank = model.flank_bp
    tiles = [(first, min(first + tile_bp, end)) for first in range(start, end, tile_bp)]
    windows = (codes[max(0, first - flank) : last + flank] for first, last in tiles)
    for (first, last), emissions in zip(tiles, predict_batches(model, windows), strict=True):
        if out is None:
            out = np.empty((end - start, emissions.shape[1]), dtype=emissions.dtype)
        context = first - max(0, first - flank)
        out[first - start : last - start] = emissions[context : context + last - first]
    if out is None:
        raise ValueError("an empty sequence has no emissions")
    return out


def predict_both_strands(
    model: TaskModel,
    codes: np.ndarray,
    complement: tuple[int, ...] | None,
    *,
    start: int = 0,
    end: int | None = None,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Mean of the emissions of a stretch and of its reverse complement, in forward order: (L,) -> (end - start, K).

    complement: the state of a base on the other strand, for each state; None where labels have no strand.
    """
    end = len(codes) if end is None else end
    mean = predict_sequence(model, codes, start=start, end=end, out=out)
    for first in range(start, end, TURNED_BP):
        last = min(first + TURNED_BP, end)
        context_end = min(last + model.flank_bp, len(codes))
        turned = alphabet.reverse_complement(codes[max(0, first - model.flank_bp) : context_end])
        backward = predict_sequence(model, turned, start=context_end - last, end=context_end - first)[::-1]
        block = mean[first - start : last - start]
        block += backward if complement is None else backward[:, list(complement)]
        block /= 2
    return mean
