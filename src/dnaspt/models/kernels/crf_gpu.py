"""Emissions on a GPU into log masses with exact derivatives, posteriors and best paths: tensors in and out, in nats.

Sequences of any lengths are cut into pieces that are computed at once; see `crf_triton`.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dnaspt.models.kernels.crf_chain import refuse_disagreeing, refuse_impossible, refuse_unknown
from dnaspt.models.kernels.triton_support import runs_kernels
from dnaspt.tasks import MISSING

MAX_STATES = 64
"""A tile of moves must fit the registers of a program."""


@dataclass(frozen=True, slots=True)
class GpuSums:
    """Log mass (B,) float64, derivatives of emissions (B, L, K) float32 and of transitions (B, K, K) float64."""

    log_mass: Tensor
    emissions: Tensor
    transitions: Tensor


def fits(emissions: Tensor) -> bool:
    """Whether the kernels can compute on emissions (B, L, K): on a GPU, no float64, up to MAX_STATES."""
    usable = emissions.is_cuda and emissions.dtype != torch.float64 and emissions.shape[2] <= MAX_STATES
    return usable and emissions.numel() > 0 and runs_kernels(emissions.device)


@cache
def _kernels() -> Any:
    from dnaspt.models.kernels import crf_triton

    return crf_triton


class _Pieces:
    """A batch cut into pieces, with what all kernels read; sums or, with best, maxima."""

    def __init__(
        self, emissions: Tensor, lengths: Tensor, scores: tuple[Tensor, Tensor, Tensor], legal: Tensor, *, best: bool
    ) -> None:
        batch, self.length, self.k = emissions.shape
        self.emissions, self.lengths = (
            emissions.detach().contiguous(),
            lengths.to(emissions.device, torch.int32).contiguous(),
        )
        self.size = max(2, 1 << (self.k - 1).bit_length())
        self.piece = piece_size(self.length)
        self.n = -(-self.length // self.piece)
        self.best = best
        start, end, transitions = (score.detach().to(emissions.device, torch.float32) for score in scores)
        self.start, self.end = self._pad(start), self._pad(end)
        self.transitions = self._pad(transitions.masked_fill(~legal.to(emissions.device), -torch.inf))
        self.sound = torch.stack(
            [(score < torch.inf).all() for score in (self.start, self.end, self.transitions)]
        ).all()
        self.warps = 1 if self.size <= 16 else 4
        self.entering, self.following = self._room(batch), self._room(batch)

    def _pad(self, scores: Tensor) -> Tensor:
        room = (0, self.size - self.k) * scores.ndim
        return torch.nn.functional.pad(scores, room, value=-torch.inf).contiguous()

    def _room(self, batch: int, *more: int, dtype: torch.dtype = torch.float32) -> Tensor:
        return torch.empty(batch, self.n, self.size, *more, dtype=dtype, device=self.emissions.device)

    def join(self, labels: Tensor | None) -> Tensor:
        """Fills `entering` and `following`; returns log masses (B,), NaN where an emission is NaN or +inf."""
        kernels, batch = _kernels(), len(self.lengths)
        # Nothing is computed for the states that only pad.
        rows = self._room(batch, self.size).fill_(-torch.inf)
        scales = self._room(batch, dtype=torch.float64).zero_()
        faults = torch.zeros(batch, self.n, dtype=torch.int32, device=rows.device)
        mass = torch.empty(batch, dtype=torch.float64, device=rows.device)
        kernels.piece_rows[(self.n, batch, self.k)](
            *(self.emissions, labels, self.lengths, self.transitions, self.end, rows, scales, faults),
            *(self.length, self.k, self.n),
            PIECE=self.piece,
            LABELED=labels is not None,
            BEST=self.best,
            SIZE=self.size,
            num_warps=self.warps,
            enable_fp_fusion=True,
        )
        kernels.join_pieces[(batch, 2)](
            *(rows, scales, self.lengths, self.start, self.entering, self.following, mass, self.n),
            PIECE=self.piece,
            BEST=self.best,
            SIZE=self.size,
            num_warps=self.warps,
            enable_fp_fusion=True,
        )
        return mass.masked_fill(faults.any(1) | ~self.sound, torch.nan)

    def add_derivatives(self, labels: Tensor | None, sign: float, posterior: Tensor, moves: Tensor) -> None:
        """Add what `join` prepared, times a sign, to posterior (B, L, K) and moves (B, pieces, SIZE, SIZE)."""
        alphas = torch.empty(*posterior.shape[:2], self.size, device=posterior.device)
        _kernels().piece_posteriors[(self.n, len(self.lengths))](
            *(self.emissions, labels, self.lengths, self.transitions, self.end, self.entering, self.following),
            *(alphas, posterior, moves, self.length, self.k, self.n, sign),
            PIECE=self.piece,
            LABELED=labels is not None,
            SIZE=self.size,
            num_warps=self.warps,
            enable_fp_fusion=True,
        )


def piece_size(length: int) -> int:
    """Positions of a piece: about as many as there are pieces, since both are walked one by one."""
    return max(16, min(1024, 1 << (length.bit_length() // 2)))


def sum_batch(
    emissions: Tensor,
    lengths: Tensor,
    scores: tuple[Tensor, Tensor, Tensor],
    legal: Tensor,
    labels: Tensor | None = None,
    *,
    gradients: bool = True,
) -> GpuSums:
    """Log-partition of each sequence, or its log-likelihood where labels are given, with exact derivatives.

    Args:
        emissions: (B, L, K) float32 or lower; -inf forbids a state at a position.
        lengths: (B,) positions of each sequence, 1 to L; what lies beyond is not read.
        scores: start (K,), end (K,), transitions (K, K).
        legal: (K, K) bool.
        labels: (B, L) integers; MISSING where the state is open.
        gradients: whether the derivatives are computed.

    Raises:
        ValueError: as `crf_cpu.sum_batch`.
    """
    pieces = _Pieces(emissions, lengths, scores, legal, best=False)
    batch, length, k = emissions.shape
    posterior = torch.zeros(batch, length if gradients else 0, k, device=emissions.device)
    moves = torch.zeros(batch, pieces.n if gradients else 0, pieces.size, pieces.size, device=emissions.device)
    given = None if labels is None else labels.detach().to(emissions.device, torch.int32).contiguous()
    masses = []
    for fixed, sign in [(None, 1.0)] if given is None else [(None, -1.0), (given, 1.0)]:
        masses.append(pieces.join(fixed))
        if gradients:
            pieces.add_derivatives(fixed, sign, posterior, moves)
    if labels is not None:
        masses.append(_unknown(labels, pieces.lengths, k).double())
    _refuse(torch.stack(masses).cpu().numpy(), k)
    mass = masses[0] if given is None else masses[1] - masses[0]
    return GpuSums(mass, posterior, moves.sum(1, dtype=torch.float64)[:, :k, :k])


def _unknown(labels: Tensor, lengths: Tensor, k: int) -> Tensor:
    """Which sequences have labels that name no state: (B, L) -> (B,)."""
    labels = labels.to(lengths.device)
    inside = torch.arange(labels.shape[1], device=labels.device) < lengths.unsqueeze(1)
    return (inside & ((labels >= k) | ((labels < 0) & (labels != MISSING)))).any(1)


def _refuse(found: np.ndarray, k: int) -> None:
    """What `sum_batch` raises; rows: log-partition and, with labels, their log mass and whether some are unknown."""
    if len(found) > 1:
        refuse_unknown(found[2] > 0, k)
    refuse_impossible(found[0])
    if len(found) > 1:
        refuse_disagreeing(found[1])


def find_paths(
    emissions: Tensor, lengths: Tensor, scores: tuple[Tensor, Tensor, Tensor], legal: Tensor
) -> tuple[Tensor, Tensor]:
    """Best legal path of each sequence (Viterbi): (B, L) int8, MISSING at padding, and its score (B,) float64.

    Arguments and errors as in `sum_batch`; of equally good moves the one from the lower state wins.
    """
    kernels = _kernels()
    pieces = _Pieces(emissions, lengths, scores, legal, best=True)
    batch, length, _ = emissions.shape
    best = pieces.join(None)
    refuse_impossible(best.cpu().numpy())
    origins = torch.empty(batch, length + 1, pieces.size, dtype=torch.uint8, device=emissions.device)
    first_states = torch.empty(batch, pieces.n, pieces.size, dtype=torch.uint8, device=emissions.device)
    last_state = torch.empty(batch, dtype=torch.int32, device=emissions.device)
    leaving = torch.empty(batch, pieces.n, dtype=torch.int32, device=emissions.device)
    paths = torch.full((batch, length), MISSING, dtype=torch.int8, device=emissions.device)
    settings = {"PIECE": pieces.piece, "SIZE": pieces.size, "num_warps": pieces.warps, "enable_fp_fusion": True}
    kernels.piece_origins[(pieces.n, batch)](
        *(pieces.emissions, pieces.lengths, pieces.transitions, pieces.end, pieces.entering),
        *(origins, first_states, last_state, length, pieces.k, pieces.n),
        **settings,
    )
    kernels.trace_pieces[(batch,)](first_states, pieces.lengths, last_state, leaving, pieces.n, **settings)
    kernels.write_paths[(pieces.n, batch)](origins, pieces.lengths, leaving, paths, length, pieces.n, **settings)
    return paths, best
