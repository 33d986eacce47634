"""Sequences to a model's emissions: windows in batches, and contigs of any length cut into tiles.

This is the one inference path: validation, `evaluate` and `predict` all use it. The model reads each tile with its receptive
field on both sides, and the emissions of these flanks are cut off: a tiled contig gives what an untiled one gives.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from dnaspt.checkpoint import model_device
from dnaspt.config import PAD_TOKEN
from dnaspt.errors import NotFiniteError
from dnaspt.genome import alphabet
from dnaspt.inference.disk_array import DiskArray
from dnaspt.models.heads import SigmoidHead
from dnaspt.models.kernels.threads import subnormals_as_zero
from dnaspt.models.language_model import LanguageModel
from dnaspt.models.task_model import TaskModel
from dnaspt.progress import unwatched

TILE_BP = 65_536
"""Bases of a tile, without its flanks."""
BATCH_BP = {"cpu": 65_536, "cuda": 131_072}
"""Bases of a batch, by kind of device."""
REVERSED_BP = 1 << 20
"""Bases whose reverse complement is held in memory at once."""

EmissionArray = np.ndarray | DiskArray
"""Rows (L, K), in memory or in a file."""


class ContigSlice(NamedTuple):
    """Positions start to end of a contig; the model reads the bases around them as context.

    Attributes:
        codes: codes of the whole contig (L,) uint8, see `genome.alphabet`.
        start: first position, 0-based.
        end: end, half-open.
    """

    codes: np.ndarray
    start: int
    end: int

    @classmethod
    def whole(cls, codes: np.ndarray) -> "ContigSlice":
        """All of a contig.

        Args:
            codes: codes of the contig (L,) uint8.
        """
        return cls(codes, 0, len(codes))

    def __len__(self) -> int:
        return self.end - self.start


class ModelOutput(nn.Module):
    """Another output of a model than its emissions, computed along the same path.

    Args:
        model: the model.
        function: tokens (B, L) -> (B, L, ...) or (B, ...).
        flank_bp: bases on either side that the output at a position depends on.
        grid_bp: a contig may be cut at multiples of it.
    """

    def __init__(
        self, model: nn.Module, function: Callable[[Tensor], Tensor], *, flank_bp: int = 0, grid_bp: int = 1
    ) -> None:
        super().__init__()
        self.model, self._function = model, function
        self.flank_bp, self.grid_bp = flank_bp, grid_bp

    def predict(self, tokens: Tensor) -> Tensor:
        """The output for token ids (B, L).

        Returns:
            (B, L, ...), or (B, ...).
        """
        return self._function(tokens)


def hidden_states(model: TaskModel | LanguageModel) -> ModelOutput:
    """The encoder's hidden states (B, L, D) as an output."""
    config = model.encoder.config
    return ModelOutput(model, model.encoder, flank_bp=config.flank_bp, grid_bp=config.grid_bp)


@torch.no_grad()
def predict_batches(
    model: TaskModel | ModelOutput, windows: Iterable[np.ndarray], batch_bp: int | None = None
) -> Iterator[np.ndarray]:
    """Emissions of each window, in order; windows that follow each other share a batch.

    Args:
        model: the model, in eval mode.
        windows: codes (L,) of each window.
        batch_bp: bases of a batch, padding included; None takes `BATCH_BP`.

    Yields:
        (L, K) float32 (float64 for a model in float64), or (K,) of a head that labels windows.
    """
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


def _forward(model: TaskModel | ModelOutput, windows: list[np.ndarray]) -> Iterator[np.ndarray]:
    """Emissions of one padded batch, without those of the padding."""
    tokens = np.full((len(windows), max(map(len, windows))), PAD_TOKEN, dtype=np.uint8)
    for row, window in zip(tokens, windows, strict=True):
        row[: len(window)] = alphabet.tokens(window)
    with subnormals_as_zero():  # not around the loop that yields: what runs between two batches is the caller's
        output = model.predict(torch.from_numpy(tokens).to(model_device(model)))
    emissions = output.to("cpu", torch.float64 if output.dtype == torch.float64 else torch.float32).numpy()
    for row, window in zip(emissions, windows, strict=True):
        yield row[: len(window)] if emissions.ndim == 3 else row


def predict_windows(model: TaskModel, windows: Iterable[np.ndarray], *, average_strands: bool = False) -> np.ndarray:
    """Logits of the labels of n windows (n, K), or of their bins (n, bins * K).

    Args:
        model: a model of windows or bins.
        windows: codes (L,) of each window.
        average_strands: take the mean of both strands' logits.

    Raises:
        NotFiniteError: logits that are NaN.
    """
    if average_strands:
        windows = (strand for window in windows for strand in (window, alphabet.reverse_complement(window)))
    logits = np.stack(list(predict_batches(model, windows)))
    if np.isnan(logits).any():
        raise NotFiniteError("the logits of some windows are NaN")
    if not average_strands:
        return logits
    forward, backward = logits[::2], logits[1::2]
    assert isinstance(model.head, SigmoidHead)
    trunk = model.head.trunk
    if trunk.resolution_bp > 1:  # bins of the other strand come in reverse
        bins = backward.reshape(len(backward), -1, trunk.output.out_features)
        backward = bins[:, ::-1].reshape(backward.shape)
    return np.asarray((forward + backward) / 2)


def predict_sequences(
    model: TaskModel | ModelOutput,
    slices: Sequence[ContigSlice],
    *,
    tile_bp: int | None = None,
    into: Sequence[EmissionArray | None] | None = None,
    told: Callable[[int], None] = unwatched,
) -> list[EmissionArray]:
    """Emissions (end - start, K) of slices of any length; tiles of all slices share batches, long tiles first.

    Args:
        model: a model of bases.
        slices: what to predict.
        tile_bp: bases of a tile; None takes `TILE_BP`.
        into: where to write the emissions of each slice, (end - start, K); None makes an array.
        told: is told the bases of each tile that is done.
    """
    tile_bp, flank_bp = tile_bp or TILE_BP, model.flank_bp
    arrays: list[EmissionArray | None] = list(into or [None] * len(slices))
    tiles = [
        (index, start, min(start + tile_bp, contig_slice.end))
        for index, contig_slice in enumerate(slices)
        for start in range(contig_slice.start, contig_slice.end, tile_bp)
    ]
    tiles.sort(key=lambda tile: tile[1] - tile[2])
    reads = [_with_flanks(len(slices[n].codes), start, end, flank_bp, model.grid_bp) for n, start, end in tiles]
    windows = (slices[tile[0]].codes[left:right] for tile, (left, right) in zip(tiles, reads, strict=True))
    outputs = predict_batches(model, windows)
    for (index, start, end), (left, _), emissions in zip(tiles, reads, outputs, strict=True):
        array = arrays[index]
        if array is None:
            array = arrays[index] = np.empty((len(slices[index]), emissions.shape[1]), dtype=emissions.dtype)
        offset = slices[index].start
        array[start - offset : end - offset] = emissions[start - left : end - left]
        told(end - start)
    return [np.zeros((0, 0), np.float32) if array is None else array for array in arrays]


def _with_flanks(length_bp: int, start: int, end: int, flank_bp: int, grid_bp: int) -> tuple[int, int]:
    """Start and end of what the model reads for positions start to end of a contig."""
    return max(0, start - flank_bp) // grid_bp * grid_bp, min(length_bp, -(-(end + flank_bp) // grid_bp) * grid_bp)


def predict_both_strands(
    model: TaskModel,
    slices: Sequence[ContigSlice],
    complement: tuple[int, ...] | None,
    *,
    into: Sequence[EmissionArray | None] | None = None,
    told: Callable[[int], None] = unwatched,
) -> list[EmissionArray]:
    """Mean of the emissions of each slice and of its reverse complement, in forward order: (end - start, K).

    Args:
        model: a model of bases.
        slices: what to predict.
        complement: for each state the state of the same base on the other strand; None where labels have no strand.
        into: where to write the means of each slice, (end - start, K); None makes an array.
        told: as there; each base is read twice.
    """
    means = predict_sequences(model, slices, into=into, told=told)
    states = slice(None) if complement is None else list(complement)
    for group in _groups_to_reverse(slices):
        reversed_slices = [_reverse_complement(slices[index], start, end, model) for index, start, end in group]
        for (index, start, end), backward in zip(
            group, predict_sequences(model, reversed_slices, told=told), strict=True
        ):
            rows = slice(start - slices[index].start, end - slices[index].start)
            means[index][rows] = (np.asarray(means[index][rows]) + np.asarray(backward)[::-1, states]) / 2
    return means


def _reverse_complement(contig_slice: ContigSlice, start: int, end: int, model: TaskModel) -> ContigSlice:
    """Positions start to end of a contig, with their context, on the other strand."""
    length_bp = len(contig_slice.codes)
    left, right = _with_flanks(length_bp, length_bp - end, length_bp - start, model.flank_bp, model.grid_bp)
    codes = alphabet.reverse_complement(contig_slice.codes[length_bp - right : length_bp - left])
    return ContigSlice(codes, length_bp - end - left, length_bp - start - left)


def _groups_to_reverse(slices: Sequence[ContigSlice]) -> Iterator[list[tuple[int, int, int]]]:
    """Cut slices into tiles (number of the slice, start, end), and group tiles of `REVERSED_BP` bases at most."""
    group: list[tuple[int, int, int]] = []
    room_bp = REVERSED_BP
    for index, contig_slice in enumerate(slices):
        for start in range(contig_slice.start, contig_slice.end, REVERSED_BP):
            end = min(start + REVERSED_BP, contig_slice.end)
            if group and end - start > room_bp:
                yield group
                group, room_bp = [], REVERSED_BP
            group.append((index, start, end))
            room_bp -= end - start
    if group:
        yield group
