"""The one inference path: windows of tokens through a model, in batches, and sequences of any length tiled through it.

A tile is read with the model's receptive field on both sides, which is trimmed from its emissions: tiled equals untiled.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from dnaspt.checkpoint import model_device
from dnaspt.config import PAD_TOKEN
from dnaspt.genome import alphabet
from dnaspt.inference.disk_array import RowFile
from dnaspt.models.heads import Trunk
from dnaspt.models.kernels.crf_viterbi import Emissions
from dnaspt.models.task_model import TaskModel

TILE_BP = 65_536
BATCH_BP = {"cpu": 65_536, "cuda": 131_072}
"""Bases of a batch, by kind of device."""
TURNED_BP = 1 << 20
"""Bases whose reverse complement is held at once."""


class View(nn.Module):
    """Another output (B, L, ...) of a model than its emissions, for the same path."""

    def __init__(self, model: nn.Module, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.model, self._function = model, function

    def predict(self, tokens: Tensor) -> Tensor:
        """The output of token ids (B, L)."""
        return self._function(tokens)


@torch.no_grad()
def predict_batches(
    model: TaskModel | View, windows: Iterable[np.ndarray], batch_bp: int | None = None
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


def _forward(model: TaskModel | View, windows: list[np.ndarray]) -> Iterator[np.ndarray]:
    tokens = np.full((len(windows), max(map(len, windows))), PAD_TOKEN, dtype=np.uint8)
    for row, window in zip(tokens, windows, strict=True):
        row[: len(window)] = alphabet.tokens(window)
    found = model.predict(torch.from_numpy(tokens).to(model_device(model)))
    emissions = found.to("cpu", torch.float64 if found.dtype == torch.float64 else torch.float32).numpy()
    for row, window in zip(emissions, windows, strict=True):
        yield row[: len(window)] if emissions.ndim == 3 else row


def predict_windows(model: TaskModel, windows: Iterable[np.ndarray], *, average_strands: bool = False) -> np.ndarray:
    """Logits of the labels of n windows of codes: (n, K), or of their bins (n, bins * K).

    average_strands: the mean of both strands' logits.
    """
    if not average_strands:
        return np.stack(list(predict_batches(model, windows)))
    both = (strand for window in windows for strand in (window, alphabet.reverse_complement(window)))
    logits = np.stack(list(predict_batches(model, both)))
    forward, backward = logits[::2], logits[1::2]
    trunk = model.head.trunk
    if isinstance(trunk, Trunk) and trunk.resolution_bp > 1:  # bins of the other strand come in reverse
        bins = backward.reshape(len(backward), -1, trunk.linear.out_features)
        backward = bins[:, ::-1].reshape(backward.shape)
    return np.asarray((forward + backward) / 2)


class Stretch(NamedTuple):
    """Positions start to end of a contig's codes (L,); what lies around them is context."""

    codes: np.ndarray
    start: int
    end: int

    @classmethod
    def whole(cls, codes: np.ndarray) -> "Stretch":
        """All of a contig."""
        return cls(codes, 0, len(codes))

    def __len__(self) -> int:
        return self.end - self.start


Outs = Sequence[np.ndarray | RowFile | None]
"""Where the emissions of each stretch are written; None makes an array."""


def predict_sequences(
    model: TaskModel, stretches: Sequence[Stretch], *, tile_bp: int | None = None, outs: Outs | None = None
) -> list[Emissions]:
    """Emissions (end - start, K) of stretches of any length; tiles of all of them share batches, long ones first."""
    tile_bp, flank = tile_bp or TILE_BP, model.flank_bp
    found: list[Any] = list(outs or [None] * len(stretches))
    tiles = [
        (index, first, min(first + tile_bp, stretch.end))
        for index, stretch in enumerate(stretches)
        for first in range(stretch.start, stretch.end, tile_bp)
    ]
    tiles.sort(key=lambda tile: tile[1] - tile[2])
    read = [_read(len(stretches[index].codes), first, last, flank, model.grid_bp) for index, first, last in tiles]
    windows = (stretches[tile[0]].codes[left:right] for tile, (left, right) in zip(tiles, read, strict=True))
    for (index, first, last), (left, _), emissions in zip(tiles, read, predict_batches(model, windows), strict=True):
        stretch = stretches[index]
        if found[index] is None:
            found[index] = np.empty((len(stretch), emissions.shape[1]), dtype=emissions.dtype)
        rows = slice(first - stretch.start, last - stretch.start)
        found[index][rows] = emissions[first - left : last - left]
    return found


def _read(length: int, first: int, last: int, flank: int, grid: int) -> tuple[int, int]:
    """What is read for positions first to last of a contig: with their context, from and to where it may be cut."""
    return max(0, first - flank) // grid * grid, min(length, -(-(last + flank) // grid) * grid)


def predict_both_strands(
    model: TaskModel, stretches: Sequence[Stretch], complement: tuple[int, ...] | None, *, outs: Outs | None = None
) -> list[Emissions]:
    """Mean of the emissions of each stretch and of its reverse complement, in forward order: (end - start, K).

    complement: the state of a base on the other strand, for each state; None where labels have no strand.
    """
    means: list[Any] = predict_sequences(model, stretches, outs=outs)
    states = slice(None) if complement is None else list(complement)
    for blocks in _blocks(stretches):
        turned = [_turned(stretches[index], first, last, model) for index, first, last in blocks]
        backward = predict_sequences(model, turned)
        for (index, first, last), rows in zip(blocks, backward, strict=True):
            here = slice(first - stretches[index].start, last - stretches[index].start)
            means[index][here] = (np.asarray(means[index][here]) + np.asarray(rows)[::-1, states]) / 2
    return means


def _turned(stretch: Stretch, first: int, last: int, model: TaskModel) -> Stretch:
    """The reverse complement of a part of a contig, with its context."""
    length = len(stretch.codes)
    left, right = _read(length, length - last, length - first, model.flank_bp, model.grid_bp)
    turned = alphabet.reverse_complement(stretch.codes[length - right : length - left])
    return Stretch(turned, length - last - left, length - first - left)


def _blocks(stretches: Sequence[Stretch]) -> Iterator[list[tuple[int, int, int]]]:
    """Parts of stretches, (index, start, end), as many at a time as may be turned around at once."""
    some: list[tuple[int, int, int]] = []
    room = TURNED_BP
    for index, stretch in enumerate(stretches):
        for first in range(stretch.start, stretch.end, TURNED_BP):
            last = min(first + TURNED_BP, stretch.end)
            if some and last - first > room:
                yield some
                some, room = [], TURNED_BP
            some.append((index, first, last))
            room -= last - first
    if some:
        yield some
