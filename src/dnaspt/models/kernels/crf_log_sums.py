"""Log masses, posteriors and expected moves of one sequence's legal paths: Numba kernels; nats, float64 inside.

Positions are walked in blocks: only the vector that enters a block is kept, and a block is computed again on the way
back, so that memory beyond input and output stays small (a sequence of one block is computed once).
Sums run in probability space where a bound proves that nothing can underflow, else in log space.
"""

import threading

import numpy as np

from dnaspt.models.kernels.crf_chain import Block, Chain, Sink
from dnaspt.models.kernels.crf_forward_backward import (
    TINY,
    Edge,
    backward,
    backward_log,
    copy,
    extent,
    forward,
    forward_log,
    full_matrices,
    log_sum,
    probability_is_safe,
    weigh,
)
from dnaspt.models.kernels.numba_cache import kernel

BLOCK = 16384
"""Positions per block: 2.4 MB of float64 for nine states."""


@kernel()
def _forward_block(emissions: np.ndarray, ahead: np.ndarray, chain: Chain, block: Block, edge: Edge) -> float:
    """Fills one block (weights, alpha) in probability space, or in log space where `edge` is empty; its log scale."""
    weights, alpha = block
    if edge[0].size == 0:
        return forward_log(emissions, ahead, chain, alpha)
    return weigh(emissions, weights) + forward(weights, ahead, chain, edge, alpha)


@kernel()
def _shifted(values: np.ndarray, top: float, log_space: int) -> np.ndarray:
    """Log values less their largest; their exponentials for probability space."""
    shifted = np.empty(values.size)
    for j in range(values.size):
        shifted[j] = values[j] - top if log_space else np.exp(values[j] - top)
    return shifted


@kernel()
def _finish(alpha: np.ndarray, leave: np.ndarray, log_space: int) -> float:
    """Log mass of the last position joined with leaving; NaN where probability space has lost it."""
    if log_space:
        return log_sum(alpha, leave)
    total = 0.0
    for j in range(alpha.size):
        total += alpha[j] * leave[j]
    return np.log(total) if total > TINY else np.nan


@kernel()
def _note(values: np.ndarray, log_space: int, noted: np.ndarray) -> None:
    """Logs of values, which are logs already in log space."""
    for j in range(values.size):
        noted[j] = values[j] if log_space else np.log(values[j])


@kernel()
def _sum_paths(
    emissions: np.ndarray,
    entry: np.ndarray,
    leave: np.ndarray,
    chain: Chain,
    edge: Edge,
    sink: Sink,
    beyond: np.ndarray,
    room: np.ndarray,
) -> float:
    """Log mass of all paths in the space that `edge` says (see `_forward_block`); NaN where probability space fails."""
    n, k = emissions.shape
    log_space = edge[0].size == 0
    size = min(n, BLOCK)
    n_blocks = (n + size - 1) // size
    alpha, weights = room[0], room[1]
    entering, beta = np.empty((n_blocks, k)), np.empty((2, k))
    top_entry, top_leave = extent(entry)[1], extent(leave)[1]
    if top_entry == -np.inf or top_leave == -np.inf:
        return -np.inf
    mass = top_entry + top_leave + (0.0 if log_space else (n - 1) * extent(chain.score[0])[1])
    ahead = _shifted(entry, top_entry, log_space)
    copy(_shifted(leave, top_leave, log_space), beta[1])
    for b in range(n_blocks):
        copy(ahead, entering[b])
        here = emissions[b * size : (b + 1) * size]
        mass += _forward_block(here, ahead, chain, (weights[: len(here)], alpha), edge)
        if not mass > -np.inf:
            return mass
    mass += _finish(alpha[n - 1 - (n_blocks - 1) * size], beta[1], log_space)
    _note(ahead, log_space, beyond[0])
    if not (sink.wanted and mass > -np.inf):
        return mass
    for b in range(n_blocks - 1, -1, -1):
        here = emissions[b * size : (b + 1) * size]
        gain = Sink(sink.posterior[b * size : (b + 1) * size], sink.moves, sink.sign, True)
        n_inside = len(here) if b < n_blocks - 1 else len(here) - 1
        if b < n_blocks - 1:
            copy(entering[b], ahead)
            _forward_block(here, ahead, chain, (weights[: len(here)], alpha), edge)
        if log_space:
            backward_log((here, alpha), beta, chain, gain, n_inside)
        else:
            backward((weights[: len(here)], alpha), beta, chain, edge, gain, n_inside)
    _note(beta[0], log_space, beyond[1])
    return mass


@kernel()
def sum_segment(
    emissions: np.ndarray,
    entry: np.ndarray,
    leave: np.ndarray,
    chain: Chain,
    sink: Sink,
    beyond: np.ndarray,
    room: np.ndarray,
) -> float:
    """Log mass of all legal paths through emissions (n, K); adds its derivatives to the sink.

    Args:
        emissions: (n, K), n >= 1.
        entry: (K,) score of the first state.
        leave: (K,) score of the last state.
        chain: scores and legal moves.
        sink: where posteriors and expected moves are added.
        beyond: (2, K) gets the segment as its neighbors see it, each row up to a constant. Row 0: log mass of the paths
            that go on to each state of the position after it; row 1, where the sink wants anything: log mass of the
            segment and all after it by the state of its first position.
        room: (2, min(n, BLOCK) or more, K) to work in; to get memory anew for every sequence takes as long as the sums.

    Returns:
        Nats; -inf where no path is legal, NaN where a score is NaN or +inf.
    """
    log_space = not probability_is_safe(emissions, entry, leave, chain)
    while True:
        top = extent(chain.score[0])[1]
        weight = np.empty((2, 0 if log_space else chain.score.shape[1]))
        for p in range(weight.shape[1]):
            weight[0, p] = np.exp(chain.score[0, p] - top)
            weight[1, p] = np.exp(chain.score[1, p] - top)
        edge = (weight, full_matrices(chain, top))
        mass = _sum_paths(emissions, entry, leave, chain, edge, sink, beyond, room)
        if log_space or not np.isnan(mass):
            return mass
        log_space = True


@kernel()
def sum_labeled(emissions: np.ndarray, labels: np.ndarray, chain: Chain, sink: Sink, room: np.ndarray) -> float:
    """As `sum_segment`, over the paths that agree with labels (n,); a negative label leaves its state open."""
    n = len(labels)
    leave, beyond = np.empty(len(chain.end)), np.empty((2, len(chain.end)))
    mass = chain.start[labels[0]] if labels[0] >= 0 else 0.0
    previous = -1  # label of the position before, where the move from it is still to be scored
    t = 0
    while t < n and mass > -np.inf:
        here = labels[t]
        if here >= 0:
            mass += emissions[t, here]
            if previous >= 0:
                mass += chain.transitions[previous, here]
                if sink.wanted:
                    sink.moves[previous, here] += sink.sign
            if sink.wanted:
                sink.posterior[t, here] += sink.sign
            previous, t = here, t + 1
            continue
        stop = t + 1
        while stop < n and labels[stop] < 0:
            stop += 1
        entry = chain.transitions[previous] if previous >= 0 else chain.start
        if stop < n:
            copy(chain.transitions[:, labels[stop]], leave)
        else:
            copy(chain.end, leave)
        gain = Sink(sink.posterior[t:stop], sink.moves, sink.sign, sink.wanted)
        mass += sum_segment(emissions[t:stop], entry, leave, chain, gain, beyond, room)
        for j in range(len(leave) if sink.wanted else 0):
            if previous >= 0:
                sink.moves[previous, j] += sink.posterior[t, j]
            if stop < n:
                sink.moves[j, labels[stop]] += sink.posterior[stop - 1, j]
        previous, t = -1, stop
    return mass + (chain.end[previous] if previous >= 0 else 0.0)


_rooms = threading.local()


def room_for(n_states: int) -> np.ndarray:
    """Where this thread works: (2, BLOCK, K) float64, the same for all its sequences."""
    room: np.ndarray | None = getattr(_rooms, "room", None)
    if room is None or room.shape[2] != n_states:
        room = _rooms.room = np.empty((2, BLOCK, n_states))
    return room
