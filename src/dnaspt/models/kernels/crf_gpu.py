"""The forward-backward algorithm of a linear-chain CRF on a GPU: tensors in and out, in nats.

Sequences of any lengths are cut into chunks that are computed at once by the Triton kernels of `crf_triton`, which says how.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dnaspt.genome.gene_states import MISSING
from dnaspt.models.kernels.crf_chain import refuse_disagreeing, refuse_impossible, refuse_unknown
from dnaspt.models.kernels.triton_support import runs_kernels

MAX_STATES = 64
"""The moves between this many states fit the registers of a program."""


@dataclass(frozen=True, slots=True)
class GpuSums:
    """Log masses of a batch and, where asked for, their exact derivatives.

    Attributes:
        log_mass: (B,) float64, nats.
        emissions: (B, L, K) float32 derivatives with respect to the emissions, 0 at padding; empty if not asked for.
        transitions: (B, K, K) float64 derivatives with respect to the transitions, 0 where a move is forbidden.
    """

    log_mass: Tensor
    emissions: Tensor
    transitions: Tensor


def fits(emissions: Tensor) -> bool:
    """Whether the kernels can compute on emissions (B, L, K): on a GPU, not float64, up to MAX_STATES states."""
    usable = emissions.is_cuda and emissions.dtype != torch.float64 and emissions.shape[2] <= MAX_STATES
    return usable and emissions.numel() > 0 and runs_kernels(emissions.device)


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
        emissions: (B, L, K) float32 or lower, nats; -inf forbids a state at a position.
        lengths: (B,) positions of each sequence, 1 to L; what lies beyond is not read.
        scores: start (K,), end (K,), transitions (K, K), nats.
        legal: (K, K) bool, row = from, column = to.
        labels: (B, L) integers; MISSING where the state is open.
        gradients: whether the derivatives are computed.

    Raises:
        ValueError: as `crf_forward_backward.sum_batch`.
    """
    chunks = _Chunks(emissions, lengths, scores, legal)
    batch, length, k = emissions.shape
    posterior = torch.zeros(batch, length if gradients else 0, k, device=emissions.device)
    moves = torch.zeros(batch, chunks.n if gradients else 0, chunks.size, chunks.size, device=emissions.device)
    given = None if labels is None else labels.detach().to(emissions.device, torch.int32).contiguous()
    masses = []
    for fixed, sign in [(None, 1.0)] if given is None else [(None, -1.0), (given, 1.0)]:
        masses.append(chunks.join(fixed))
        if gradients:
            chunks.add_derivatives(fixed, sign, posterior, moves)
    if labels is not None:
        masses.append(_unknown(labels, chunks.lengths, k).double())
    _refuse(torch.stack(masses).cpu().numpy(), k)
    mass = masses[0] if given is None else masses[1] - masses[0]
    return GpuSums(mass, posterior, moves.sum(1, dtype=torch.float64)[:, :k, :k])


def chunk_size(length: int) -> int:
    """Positions of a chunk: about as many as there are chunks, since both are walked one by one."""
    return max(16, min(1024, 1 << (length.bit_length() // 2)))


class _Chunks:
    """A batch cut into n chunks of CHUNK positions each, with what the kernels read; K is padded to a power of two, `size`."""

    def __init__(
        self, emissions: Tensor, lengths: Tensor, scores: tuple[Tensor, Tensor, Tensor], legal: Tensor
    ) -> None:
        batch, self.length, self.k = emissions.shape
        self.emissions = emissions.detach().contiguous()
        self.lengths = lengths.to(emissions.device, torch.int32).contiguous()
        self.size = max(2, 1 << (self.k - 1).bit_length())
        self.n_positions = chunk_size(self.length)
        self.n = -(-self.length // self.n_positions)
        start, end, transitions = (score.detach().to(emissions.device, torch.float32) for score in scores)
        self.start, self.end = self._pad(start), self._pad(end)
        self.transitions = self._pad(transitions.masked_fill(~legal.to(emissions.device), -torch.inf))
        self.sound = torch.stack(
            [(score < torch.inf).all() for score in (self.start, self.end, self.transitions)]
        ).all()
        self.warps = 1 if self.size <= 16 else 4
        self.entering, self.following = self._empty(batch), self._empty(batch)

    def _pad(self, scores: Tensor) -> Tensor:
        """Scores of `size` states, -inf for those that only pad."""
        padding = (0, self.size - self.k) * scores.ndim
        return torch.nn.functional.pad(scores, padding, value=-torch.inf).contiguous()

    def _empty(self, batch: int, *more: int, dtype: torch.dtype = torch.float32) -> Tensor:
        """A tensor (B, n, size, *more)."""
        return torch.empty(batch, self.n, self.size, *more, dtype=dtype, device=self.emissions.device)

    def join(self, labels: Tensor | None) -> Tensor:
        """Fill `entering` and `following`; returns log masses (B,), NaN where an emission or score is NaN or +inf."""
        kernels, batch = _kernels(), len(self.lengths)
        # Nothing is computed for the states that only pad.
        rows = self._empty(batch, self.size).fill_(-torch.inf)
        scales = self._empty(batch, dtype=torch.float64).zero_()
        faults = torch.zeros(batch, self.n, dtype=torch.int32, device=rows.device)
        mass = torch.empty(batch, dtype=torch.float64, device=rows.device)
        kernels.chunk_rows[(self.n, batch, self.k)](
            *(self.emissions, labels, self.lengths, self.transitions, self.end, rows, scales, faults),
            *(self.length, self.k, self.n),
            CHUNK=self.n_positions,
            LABELED=labels is not None,
            SIZE=self.size,
            num_warps=self.warps,
            enable_fp_fusion=True,
        )
        kernels.join_chunks[(batch, 2)](
            *(rows, scales, self.lengths, self.start, self.entering, self.following, mass, self.n),
            CHUNK=self.n_positions,
            SIZE=self.size,
            num_warps=self.warps,
            enable_fp_fusion=True,
        )
        return mass.masked_fill(faults.any(1) | ~self.sound, torch.nan)

    def add_derivatives(self, labels: Tensor | None, sign: float, posterior: Tensor, moves: Tensor) -> None:
        """Add what `join` prepared, times a sign, to posterior (B, L, K) and moves (B, n, size, size)."""
        alphas = torch.empty(*posterior.shape[:2], self.size, device=posterior.device)
        _kernels().chunk_posteriors[(self.n, len(self.lengths))](
            *(self.emissions, labels, self.lengths, self.transitions, self.end, self.entering, self.following),
            *(alphas, posterior, moves, self.length, self.k, self.n, sign),
            CHUNK=self.n_positions,
            LABELED=labels is not None,
            SIZE=self.size,
            num_warps=self.warps,
            enable_fp_fusion=True,
        )


@cache
def _kernels() -> Any:
    """The Triton kernels. They are imported late: triton is there only beside PyTorch's builds for a GPU."""
    from dnaspt.models.kernels import crf_triton

    return crf_triton


def _unknown(labels: Tensor, lengths: Tensor, k: int) -> Tensor:
    """Which sequences have labels that name no state: (B, L) -> (B,) bool."""
    labels = labels.to(lengths.device)
    inside = torch.arange(labels.shape[1], device=labels.device) < lengths.unsqueeze(1)
    return (inside & ((labels >= k) | ((labels < 0) & (labels != MISSING)))).any(1)


def _refuse(masses: np.ndarray, k: int) -> None:
    """Raise the errors of `sum_batch`, from numbers that come in one copy, since each copy waits for the GPU.

    masses: (1 or 3, B): log-partition and, with labels, their log mass, and 1 where one of them is unknown.
    """
    if len(masses) > 1:
        refuse_unknown(masses[2] > 0, k)
    refuse_impossible(masses[0])
    if len(masses) > 1:
        refuse_disagreeing(masses[1])
