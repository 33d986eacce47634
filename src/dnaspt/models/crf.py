"""A linear-chain CRF with hard legal moves: emissions (B, L, K) to log-likelihoods and posteriors.

A path y of n positions scores start[y_0] + sum_t emissions[t, y_t] + sum_t transitions[y_t-1, y_t] + end[y_n-1], in
nats (Lafferty, McCallum and Pereira 2001). A window may start and end in any state; only moves can be forbidden.
Best paths are found by `kernels/crf_viterbi.py`, from the scores that `LinearChainCRF.chain` gives.

pytorch-crf and TorchCRF know no forbidden moves and loop over positions in Python; on two CPU cores a training step with ours is
290 to 590 times as fast (docs/performance.md).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from dnaspt.genome.gene_states import StateTable
from dnaspt.models.devices import to_device, widest_float
from dnaspt.models.kernels import crf_forward_backward, crf_gpu
from dnaspt.models.kernels.crf_chain import Chain, make_chain, mixing_time
from dnaspt.models.kernels.triton_support import device_of

MAX_STATES = 127
"""Paths are int8."""


class LinearChainCRF(nn.Module):
    """Linear-chain CRF over K states with hard-forbidden transitions.

    Forbidden entries of `transitions` are never read: they keep their value, have gradient 0, and no path uses them.

    Args:
        states: the table of states, or the legal moves themselves as a boolean matrix (K, K), row = from, column = to.

    Raises:
        ValueError: the matrix is not boolean and square, or has more than 127 states.
    """

    _legal_moves: Tensor

    def __init__(self, states: StateTable | np.ndarray) -> None:
        super().__init__()
        self.legal = states.legal_matrix() if isinstance(states, StateTable) else np.array(states)
        if self.legal.dtype != bool or self.legal.ndim != 2 or self.legal.shape[0] != self.legal.shape[1]:
            raise ValueError(f"legal moves are {self.legal.dtype} {self.legal.shape}, expected a boolean matrix (K, K)")
        n_states = len(self.legal)
        if not 1 <= n_states <= MAX_STATES:
            raise ValueError(f"{n_states} states, expected 1 to {MAX_STATES}")
        self.mixing = mixing_time(self.legal)
        self.start = nn.Parameter(torch.zeros(n_states))
        self.end = nn.Parameter(torch.zeros(n_states))
        self.transitions = nn.Parameter(torch.zeros(n_states, n_states))
        self.register_buffer("_legal_moves", torch.from_numpy(self.legal), persistent=False)

    def log_likelihood(self, emissions: Tensor, labels: Tensor, lengths: Tensor) -> Tensor:
        """Log-probability of the labels, summed over all legal paths that agree with them: (B, L, K), (B, L) -> (B,).

        Args:
            emissions: (B, L, K) of any float type, nats; -inf forbids a state at a position.
            labels: (B, L) of any integer type; MISSING leaves the state open.
            lengths: (B,) positions of each sequence, 1 to L; nothing beyond is read, its gradient is 0.

        Returns:
            Nats, <= 0; float64 for float64 emissions, else float32. The gradient has the emissions' type.

        Raises:
            ValueError: no legal path agrees with a sequence's labels, or its scores are NaN or +inf; names the sequence.
        """
        return self._log_mass(emissions, lengths, labels)

    def log_partition(self, emissions: Tensor, lengths: Tensor) -> Tensor:
        """Log of the summed exponentials of all legal paths' scores, in nats: (B, L, K) -> (B,), differentiable.

        Arguments, types and errors as in `log_likelihood`, which is normalized by it.
        """
        return self._log_mass(emissions, lengths, None)

    @torch.no_grad()
    def marginals(self, emissions: Tensor, lengths: Tensor) -> Tensor:
        """Posterior probability of each state: (B, L, K) -> (B, L, K), 0 at padding; float64 or float32.

        Arguments, types and errors as in `log_likelihood`.
        """
        lattice = self._lattice(emissions, lengths, None)
        return _sum_paths(emissions, (self.start, self.end, self.transitions), lattice, gradients=True)[1]

    @torch.no_grad()
    def mean_with_mirror(self, complement: Sequence[int]) -> "LinearChainCRF":
        """The CRF that reads the mean of both strands' emissions: the mean of this one and of its mirror.

        On the other strand a path is read from its end: a move from i to j is one from the complement of j to that of i, and
        start and end change places. So the score of a path here is the mean of its scores on both strands.

        Args:
            complement: for each state, the state of the same base on the other strand. The legal moves must be their own mirror.

        Raises:
            ValueError: the legal moves are not their own mirror.
        """
        turned = list(complement)
        if not np.array_equal(self.legal, self.legal[np.ix_(turned, turned)].T):
            raise ValueError("the legal moves of the other strand differ")
        mean = LinearChainCRF(self.legal).to(self.start)
        mean.start.copy_((self.start + self.end[turned]) / 2)
        mean.end.copy_((self.end + self.start[turned]) / 2)
        mean.transitions.copy_((self.transitions + self.transitions[turned][:, turned].T) / 2)
        return mean

    def chain(self) -> Chain:
        """The scores and legal moves on the CPU, as the kernels of `crf_viterbi` read them."""
        scores = (_to_numpy(self.start), _to_numpy(self.end), _to_numpy(self.transitions))
        return make_chain(self.legal, scores, self.mixing)

    def _log_mass(self, emissions: Tensor, lengths: Tensor, labels: Tensor | None) -> Tensor:
        """Log-likelihood or, without labels, log-partition (B,)."""
        lattice = self._lattice(emissions, lengths, labels)
        scores = (self.start, self.end, self.transitions)
        gradients = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in (emissions, *scores))
        mass: Tensor = _LogMass.apply(emissions, *scores, lattice, gradients)  # type: ignore[no-untyped-call]
        return mass

    def _lattice(self, emissions: Tensor, lengths: Tensor, labels: Tensor | None) -> "_Lattice":
        """Check shapes and lengths; with a wrong one the kernels would read memory that is not theirs."""
        if emissions.ndim != 3 or emissions.shape[2] != len(self.legal) or not emissions.is_floating_point():
            actual = f"{emissions.dtype} {tuple(emissions.shape)}"
            raise ValueError(f"emissions are {actual}, expected floats (B, L, {len(self.legal)})")
        if lengths.shape != emissions.shape[:1]:
            raise ValueError(f"lengths are {tuple(lengths.shape)}, expected {tuple(emissions.shape[:1])}")
        if labels is not None and (labels.shape != emissions.shape[:2] or labels.is_floating_point()):
            actual = f"{labels.dtype} {tuple(labels.shape)}"
            raise ValueError(f"labels are {actual}, expected integers {tuple(emissions.shape[:2])}")
        counts = lengths.detach().cpu().numpy().astype(np.int64)
        wrong = (counts < 1) | (counts > emissions.shape[1])
        if wrong.any():
            b = int(wrong.argmax())
            raise ValueError(f"sequence {b} has length {counts[b]}, expected 1 to {emissions.shape[1]}")
        return _Lattice(self.legal, self.mixing, counts, labels, self._legal_moves)


class _Lattice(NamedTuple):
    """Which paths are possible in a batch.

    Attributes:
        legal: (K, K) bool, legal moves.
        mixing: their mixing time.
        lengths: (B,) positions of each sequence.
        labels: (B, L), or None where every state is open.
        moves: the legal moves as a tensor on the device of the emissions.
    """

    legal: np.ndarray
    mixing: int
    lengths: np.ndarray
    labels: Tensor | None
    moves: Tensor


class _LogMass(torch.autograd.Function):
    """Log-likelihood or, without labels, log-partition; the forward pass computes the gradient too.

    The gradient is (posterior given the labels) - (posterior), likewise for expected moves: backward only scales it.
    """

    @staticmethod
    def forward(ctx: Any, emissions: Tensor, *rest: Any) -> Tensor:
        *scores, lattice, gradients = rest
        mass, posterior, moves = _sum_paths(emissions, (scores[0], scores[1], scores[2]), lattice, gradients=gradients)
        if gradients:
            ctx.save_for_backward(posterior, moves, torch.from_numpy(lattice.lengths).to(emissions.device))
            ctx.types = tuple(tensor.dtype for tensor in (emissions, *scores))
        return mass.to(_result_type(emissions))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        posterior, moves, lengths = ctx.saved_tensors
        scale = upstream.to(widest_float(upstream.device))
        ends = posterior.gather(1, (lengths - 1)[:, None, None].expand(-1, 1, posterior.shape[2])).squeeze(1)
        sums = (
            (scale[:, None] * posterior[:, 0]).sum(0),
            (scale[:, None] * ends).sum(0),
            (scale[:, None, None] * moves).sum(0),
        )
        per_position = _scaled(posterior, scale) if ctx.needs_input_grad[0] else None
        grads = (per_position, *sums)
        return *(grad if grad is None else grad.to(dtype) for grad, dtype in zip(grads, ctx.types)), None, None


def _scaled(posterior: Tensor, scale: Tensor) -> Tensor:
    """Posterior (B, L, K) times the scale (B,) of each sequence."""
    factor = scale.to(posterior.dtype)[:, None, None]
    if posterior.device.type != "cpu":
        return factor * posterior
    # NumPy takes one thread. PyTorch's would go on spinning for milliseconds, on the cores that the kernels use.
    return torch.from_numpy(factor.numpy() * posterior.numpy())


def _sum_paths(
    emissions: Tensor, scores: tuple[Tensor, Tensor, Tensor], lattice: _Lattice, *, gradients: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Log mass (B,), posterior (B, L, K) and expected moves (B, K, K) on the emissions' device, by the kernels that fit it."""
    if crf_gpu.fits(emissions):
        lengths = torch.from_numpy(lattice.lengths)
        with device_of(emissions):
            gpu_sums = crf_gpu.sum_batch(emissions, lengths, scores, lattice.moves, lattice.labels, gradients=gradients)
        return gpu_sums.log_mass, gpu_sums.emissions, gpu_sums.transitions
    start, end, transitions = (_to_numpy(score) for score in scores)
    sums = crf_forward_backward.sum_batch(
        _to_numpy(emissions),
        lattice.lengths,
        make_chain(lattice.legal, (start, end, transitions), lattice.mixing),
        None if lattice.labels is None else lattice.labels.detach().cpu().to(torch.int64).contiguous().numpy(),
        gradients=gradients,
        n_threads=torch.get_num_threads(),
    )
    mass, posterior, moves = (
        to_device(torch.from_numpy(array), emissions.device)
        for array in (sums.log_mass, sums.emissions, sums.transitions)
    )
    return mass, posterior, moves


def _to_numpy(tensor: Tensor) -> np.ndarray:
    """Values on the CPU in C order, as float64 if they are, else as float32."""
    return tensor.detach().cpu().to(_result_type(tensor)).contiguous().numpy()


def _result_type(tensor: Tensor) -> torch.dtype:
    """Type of results: float64 for float64, else float32."""
    return torch.float64 if tensor.dtype == torch.float64 else torch.float32
