"""The forward-backward algorithm of a linear-chain CRF on the CPU: emissions (L, K) to log masses and exact derivatives, in nats.

Forward and backward variables as in Rabiner 1989, the CRF as in Lafferty, McCallum and Pereira 2001. The file goes from the
whole to its parts: a batch of sequences on threads, one sequence with its labels, a segment of it without labels, and the walks
over one chunk of positions. All but the batch are Numba kernels that compute in float64.

Memory. Positions are walked in chunks. Only the vector that enters a chunk is kept, and the chunk is computed again on the way
back, so memory beyond input and output stays small. (A sequence of a single chunk is computed once.)

Two number spaces. In probability space every position is scaled, which is several times faster; it serves where a bound proves
that nothing can underflow. Everything else is computed in log space.
"""

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from dnaspt.genome.gene_states import MISSING
from dnaspt.models.kernels.crf_chain import Chain, refuse_disagreeing, refuse_impossible, refuse_unknown
from dnaspt.models.kernels.numba_cache import kernel
from dnaspt.models.kernels.threads import inherit_flush_to_zero, thread_pool

CHUNK = 16384
"""Positions of a chunk: 2.4 MB of float64 for nine states."""
SAFE_NATS = 500.0
"""In probability space no live state lies deeper than this below the best one, in nats; float64 ends at 708."""
SMALL, TINY = 1e-20, 1e-290
"""Mass of a position below SMALL is scaled up to 1; below TINY, near float64's subnormal numbers, log space takes over."""
_LANES = 8
"""float64 values of a vector register."""


@dataclass(frozen=True, slots=True)
class Sums:
    """Log masses of a batch and, where asked for, their exact derivatives.

    Attributes:
        log_mass: (B,) float64, nats.
        emissions: (B, L, K) derivatives with respect to the emissions, 0 at padding; empty if not asked for.
        transitions: (B, K, K) float64 derivatives with respect to the transitions, 0 where a move is forbidden.
    """

    log_mass: np.ndarray
    emissions: np.ndarray
    transitions: np.ndarray


def sum_batch(
    emissions: np.ndarray,
    lengths: np.ndarray,
    chain: Chain,
    labels: np.ndarray | None = None,
    *,
    gradients: bool = True,
    n_threads: int = 1,
) -> Sums:
    """Log-partition of each sequence, or its log-likelihood where labels are given, with exact derivatives.

    Each sequence is computed alone, so its result depends neither on the batch around it nor on the number of threads.

    Args:
        emissions: (B, L, K) float32 or float64, C order, nats; -inf forbids a state at a position.
        lengths: (B,) positions of each sequence, 1 to L; what lies beyond is not read.
        chain: scores and legal moves.
        labels: (B, L) int64; MISSING where the state is open.
        gradients: whether the backward pass runs.
        n_threads: sequences that are computed at a time.

    Raises:
        ValueError: a sequence has no legal path, no legal path that agrees with its labels, labels that name no state, or
            scores that are NaN or +inf.
    """
    n_sequences, length, k = emissions.shape
    if labels is not None:
        unknown = ((labels < 0) & (labels != MISSING)) | (labels >= k)
        refuse_unknown((unknown & (np.arange(length) < lengths[:, None])).any(axis=1), k)
    mass = np.empty(n_sequences)
    partition = np.empty(n_sequences)
    posterior = np.zeros((n_sequences, length if gradients else 0, k), emissions.dtype)
    moves = np.zeros((n_sequences, k, k) if gradients else (n_sequences, 0, 0))

    def run(b: int) -> None:
        rows, own, scratch = emissions[b, : lengths[b]], posterior[b, : lengths[b]], scratch_for(k)
        sign = 1.0
        if labels is not None:
            totals = Totals(own, moves[b], 1.0, gradients)
            mass[b] = sum_labeled(rows, labels[b, : lengths[b]], chain, totals, scratch)
            sign = -1.0
        totals = Totals(own, moves[b], sign, gradients)
        partition[b] = sum_segment(rows, chain.start, chain.end, chain, totals, np.empty((2, k)), scratch)

    _run_each(run, lengths, n_threads)
    refuse_impossible(partition)
    if labels is None:
        return Sums(partition, posterior, moves)
    refuse_disagreeing(mass)
    return Sums(mass - partition, posterior, moves)


def _run_each(run: Callable[[int], None], lengths: np.ndarray, n_threads: int) -> None:
    """Call `run` for every sequence, the longest first, on threads."""
    order = np.argsort(-lengths, kind="stable").tolist()
    if min(n_threads, len(order)) <= 1:
        for b in order:
            run(b)
        return
    for _ in thread_pool(os.getpid(), n_threads).map(inherit_flush_to_zero(run), order):
        pass


_scratch = threading.local()


def scratch_for(n_states: int) -> np.ndarray:
    """Scratch memory of this thread: (2, CHUNK, K) float64. It is kept: fresh pages take as long as a quarter of the sums."""
    scratch: np.ndarray | None = getattr(_scratch, "array", None)
    if scratch is None or scratch.shape[2] != n_states:
        scratch = _scratch.array = np.empty((2, CHUNK, n_states))
    return scratch


class Totals(NamedTuple):
    """What a backward pass adds to.

    Attributes:
        posterior: (n, K) gets `sign` times the probability of each state at each position.
        moves: (K, K) gets `sign` times the expected number of each move.
        sign: 1 or -1.
        wanted: whether the backward pass runs at all.
    """

    posterior: np.ndarray
    moves: np.ndarray
    sign: float
    wanted: bool


@kernel()
def sum_labeled(emissions: np.ndarray, labels: np.ndarray, chain: Chain, totals: Totals, scratch: np.ndarray) -> float:
    """Log mass of the legal paths that agree with labels (n,), of which a negative one leaves its state open.

    Labeled positions have one path. Each stretch of open positions between them is a segment: see `sum_segment` for the result.

    Args:
        emissions: (n, K), n >= 1.
        labels: (n,) int64.
        chain: scores and legal moves.
        totals: where posteriors and expected moves are added.
        scratch: (2, min(n, CHUNK) or more, K) float64 to work in.
    """
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
                if totals.wanted:
                    totals.moves[previous, here] += totals.sign
            if totals.wanted:
                totals.posterior[t, here] += totals.sign
            previous, t = here, t + 1
            continue
        stop = t + 1
        while stop < n and labels[stop] < 0:
            stop += 1
        entry = chain.transitions[previous] if previous >= 0 else chain.start
        if stop < n:
            _copy(chain.transitions[:, labels[stop]], leave)
        else:
            _copy(chain.end, leave)
        own = Totals(totals.posterior[t:stop], totals.moves, totals.sign, totals.wanted)
        mass += sum_segment(emissions[t:stop], entry, leave, chain, own, beyond, scratch)
        for j in range(len(leave) if totals.wanted else 0):
            if previous >= 0:
                totals.moves[previous, j] += totals.posterior[t, j]
            if stop < n:
                totals.moves[j, labels[stop]] += totals.posterior[stop - 1, j]
        previous, t = -1, stop
    return mass + (chain.end[previous] if previous >= 0 else 0.0)


@kernel()
def sum_segment(
    emissions: np.ndarray,
    entry: np.ndarray,
    leave: np.ndarray,
    chain: Chain,
    totals: Totals,
    beyond: np.ndarray,
    scratch: np.ndarray,
) -> float:
    """Log mass of all legal paths through emissions (n, K); adds its derivatives to the totals.

    Args:
        emissions: (n, K), n >= 1.
        entry: (K,) score of the first state.
        leave: (K,) score of the last state.
        chain: scores and legal moves.
        totals: where posteriors and expected moves are added.
        beyond: (2, K) gets what the neighbors of the segment need, each row up to a constant. Row 0: log mass of the paths that
            go on to each state of the position after the segment. Row 1, only if totals are wanted: log mass of the segment and
            all after it, by the state of its first position.
        scratch: (2, min(n, CHUNK) or more, K) float64 to work in.

    Returns:
        Nats; -inf if no path is legal, NaN if a score is NaN or +inf.
    """
    log_space = not probability_is_safe(emissions, entry, leave, chain)
    while True:
        top = _extent(chain.score[0])[1]
        listed = np.empty((2, 0 if log_space else chain.score.shape[1]))
        for p in range(listed.shape[1]):
            listed[0, p] = np.exp(chain.score[0, p] - top)
            listed[1, p] = np.exp(chain.score[1, p] - top)
        moves = MoveWeights(listed, _dense_weights(chain, top))
        mass = _sum_chunks(emissions, entry, leave, chain, moves, totals, beyond, scratch)
        if log_space or not np.isnan(mass):
            return mass
        log_space = True


@kernel()
def probability_is_safe(emissions: np.ndarray, entry: np.ndarray, leave: np.ndarray, chain: Chain) -> bool:
    """Whether no live state can fall more than SAFE_NATS below the best one, forward or backward.

    Exactly `mixing` moves lead from the best state to every other, so no state lies deeper than the spreads of
    emissions and transitions on those moves add up to. Near the ends the spread of entry or leaving counts too.

    Args:
        emissions: (n, K).
        entry: (K,) score of the first state.
        leave: (K,) score of the last state.
        chain: scores and legal moves.
    """
    if chain.mixing == 0:
        return False
    n, k = emissions.shape
    span = chain.mixing + 1
    per_move = _spread(chain.score[0]) + np.log(chain.branching)
    bound = SAFE_NATS - span * per_move - max(_spread(entry), _spread(leave))
    recent = np.zeros(span)
    window = 0.0
    for t in range(n):
        low = high = emissions[t, 0]
        for j in range(1, k):
            low, high = min(low, emissions[t, j]), max(high, emissions[t, j])
        window += (high - low) - recent[t % span]
        recent[t % span] = high - low
        if not window < bound:
            return False
    return True


class MoveWeights(NamedTuple):
    """exp(score - largest score) of the legal moves.

    Attributes:
        listed: (2, E) in the order of `Chain.score`; (2, 0) says that the sums run in log space.
        dense: (2, K, K padded to whole vectors) where most moves are legal, row 0 from and row 1 to a state; else (2, K, 0).
    """

    listed: np.ndarray
    dense: np.ndarray


@kernel()
def _dense_weights(chain: Chain, top: float) -> np.ndarray:
    """`MoveWeights.dense` of a chain whose largest transition score is `top`."""
    k, n_moves = chain.start.size, chain.score.shape[1]
    width = (k + _LANES - 1) // _LANES * _LANES if 2 * n_moves > k * k else 0
    dense = np.zeros((2, k, width))
    for i in range(k if width else 0):
        for j in range(k):
            dense[0, i, j] = dense[1, j, i] = np.exp(chain.transitions[i, j] - top)
    return dense


@kernel()
def _sum_chunks(
    emissions: np.ndarray,
    entry: np.ndarray,
    leave: np.ndarray,
    chain: Chain,
    moves: MoveWeights,
    totals: Totals,
    beyond: np.ndarray,
    scratch: np.ndarray,
) -> float:
    """As `sum_segment`, in the space that `moves` says; NaN where probability space fails."""
    n, k = emissions.shape
    log_space = moves.listed.size == 0
    size = min(n, CHUNK)
    n_chunks = (n + size - 1) // size
    alpha, weights = scratch[0], scratch[1]
    entering, beta = np.empty((n_chunks, k)), np.empty((2, k))
    top_entry, top_leave = _extent(entry)[1], _extent(leave)[1]
    if top_entry == -np.inf or top_leave == -np.inf:
        return -np.inf
    mass = top_entry + top_leave + (0.0 if log_space else (n - 1) * _extent(chain.score[0])[1])
    ahead = _shifted(entry, top_entry, log_space)
    _copy(_shifted(leave, top_leave, log_space), beta[1])
    for c in range(n_chunks):
        _copy(ahead, entering[c])
        here = emissions[c * size : (c + 1) * size]
        mass += _forward_chunk(here, ahead, chain, weights[: len(here)], alpha, moves)
        if not mass > -np.inf:
            return mass
    mass += _finish(alpha[n - 1 - (n_chunks - 1) * size], beta[1], log_space)
    _note_logs(ahead, log_space, beyond[0])
    if not (totals.wanted and mass > -np.inf):
        return mass
    for c in range(n_chunks - 1, -1, -1):
        here = emissions[c * size : (c + 1) * size]
        own = Totals(totals.posterior[c * size : (c + 1) * size], totals.moves, totals.sign, True)
        n_inside = len(here) if c < n_chunks - 1 else len(here) - 1
        if c < n_chunks - 1:
            _copy(entering[c], ahead)
            _forward_chunk(here, ahead, chain, weights[: len(here)], alpha, moves)
        if log_space:
            _backward_log(Walked(here, alpha), beta, chain, own, n_inside)
        else:
            _backward(Walked(weights[: len(here)], alpha), beta, chain, moves, own, n_inside)
    _note_logs(beta[0], log_space, beyond[1])
    return mass


@kernel()
def _forward_chunk(
    emissions: np.ndarray,
    ahead: np.ndarray,
    chain: Chain,
    weights: np.ndarray,
    alpha: np.ndarray,
    moves: MoveWeights,
) -> float:
    """Fill `alpha` and, in probability space, `weights` (m, K) of one chunk; returns its log scale."""
    if moves.listed.size == 0:
        return _forward_log(emissions, ahead, chain, alpha)
    return _weigh(emissions, weights) + _forward(weights, ahead, chain, moves, alpha)


@kernel()
def _weigh(emissions: np.ndarray, weights: np.ndarray) -> float:
    """Emissions (m, K) to weights exp(emission - best of its position); returns the sum of the bests."""
    total = 0.0
    m, k = emissions.shape
    for t in range(m):
        best = emissions[t, 0]
        for j in range(1, k):
            best = max(best, emissions[t, j])
        total += best
        for j in range(k):
            weights[t, j] = np.float64(emissions[t, j]) - best
    _exp(weights[:m].reshape(-1))
    return total


@kernel()
def _forward(weights: np.ndarray, ahead: np.ndarray, chain: Chain, moves: MoveWeights, alpha: np.ndarray) -> float:
    """Forward variables (m, K) of a chunk, scaled; `ahead` (K,) enters, and leaves as the prediction of the next position.

    Returns the log of the product of all scales, or NaN where a scale is too small.
    """
    m, k = weights.shape
    first, source, weight, dense = chain.first[0], chain.other[0], moves.listed[0], moves.dense[0]
    wide = np.empty(dense.shape[1])
    log_scale = 0.0
    for t in range(m):
        mass = 0.0
        for j in range(k):
            alpha[t, j] = ahead[j] * weights[t, j]
            mass += alpha[t, j]
        if not SMALL < mass < 1 / SMALL:
            if not mass > TINY:
                return np.nan
            log_scale += np.log(mass)
            for j in range(k):
                alpha[t, j] /= mass
        if wide.size:
            _row_times_matrix(alpha[t], dense, wide)
            for j in range(k):
                ahead[j] = wide[j]
            continue
        for j in range(k):
            total = 0.0
            for p in range(first[j], first[j + 1]):
                total += alpha[t, source[p]] * weight[p]
            ahead[j] = total
    return log_scale


class Walked(NamedTuple):
    """A chunk after its forward pass: weights in probability space, else emissions (m, K), and forward variables (m, K)."""

    weights: np.ndarray
    alpha: np.ndarray


@kernel()
def _backward(chunk: Walked, beta: np.ndarray, chain: Chain, moves: MoveWeights, totals: Totals, n_inside: int) -> None:
    """Backward pass of one chunk: adds posteriors and expected moves to the totals.

    `beta` (2, K) holds what follows the chunk. Row 0: the weight of each state of the next position with all after it;
    row 1: the weight of leaving, where that is after this chunk. Only the first `n_inside` positions have a next one.
    """
    weights, alpha = chunk
    m, k = weights.shape
    first, to, weight, dense = chain.first[1], chain.other[1], moves.listed[1], moves.dense[1]
    wide, expected_dense = np.zeros(dense.shape[1]), np.zeros(dense.shape)
    following, here, number = beta[0], beta[1], totals.posterior.dtype.type
    expected = np.zeros(weight.size)
    for t in range(m - 1, -1, -1):
        inside = t < n_inside
        norm = 0.0
        if inside and wide.size:
            _row_times_matrix(following, dense, wide)
            for i in range(k):
                here[i] = wide[i]
        for i in range(k):
            if inside and not wide.size:
                total = 0.0
                for p in range(first[i], first[i + 1]):
                    total += weight[p] * following[to[p]]
                here[i] = total
            norm += alpha[t, i] * here[i]
        inverse = 1.0 / norm
        if not SMALL < norm < 1 / SMALL:
            for i in range(k):
                here[i] *= inverse
                following[i] *= inverse
            inverse = 1.0
        for i in range(k):
            share = alpha[t, i] * inverse
            totals.posterior[t, i] += number(totals.sign * (share * here[i]))
            if inside and wide.size:
                for j in range(k):
                    expected_dense[i, j] += share * following[j]
            elif inside:
                for p in range(first[i], first[i + 1]):
                    expected[p] += share * following[to[p]]
        for i in range(k):
            following[i] = weights[t, i] * here[i]
    for i in range(k):
        for p in range(first[i], first[i + 1]):
            n_moves = expected_dense[i, to[p]] if wide.size else expected[p]
            totals.moves[i, to[p]] += totals.sign * (n_moves * weight[p])


@kernel()
def _row_times_matrix(row: np.ndarray, matrix: np.ndarray, out: np.ndarray) -> None:
    """Row (K,) times matrix (K, W) into out (W,): eight sums side by side, which LLVM turns into a vector."""
    k = len(matrix)
    for first in range(0, matrix.shape[1], _LANES):
        a = b = c = d = e = f = g = h = 0.0
        for i in range(k):
            factor = row[i]
            a += factor * matrix[i, first]
            b += factor * matrix[i, first + 1]
            c += factor * matrix[i, first + 2]
            d += factor * matrix[i, first + 3]
            e += factor * matrix[i, first + 4]
            f += factor * matrix[i, first + 5]
            g += factor * matrix[i, first + 6]
            h += factor * matrix[i, first + 7]
        out[first], out[first + 1], out[first + 2], out[first + 3] = a, b, c, d
        out[first + 4], out[first + 5], out[first + 6], out[first + 7] = e, f, g, h


@kernel()
def _exp(values: np.ndarray) -> None:
    """Exponential in place for arguments in [-708, 0], within 3e-16. LLVM vectorizes this form, and not the library's.

    x = n ln 2 + r with |r| <= ln 2 / 2 (Cody and Waite 1980), exp(r) by Taylor's series of degree 13, 2^n by its bits.
    """
    for i in range(values.size):
        shifted = values[i] * 1.4426950408889634 + 6755399441055744.0
        n = shifted - 6755399441055744.0
        r = (values[i] - n * 6.93147180369123816490e-01) - n * 1.90821492927058770002e-10
        p = (r / 6227020800 + 1 / 479001600) * r + 1 / 39916800
        p = ((p * r + 1 / 3628800) * r + 1 / 362880) * r + 1 / 40320
        p = ((p * r + 1 / 5040) * r + 1 / 720) * r + 1 / 120
        p = ((p * r + 1 / 24) * r + 1 / 6) * r + 0.5
        p = (p * r + 1.0) * r + 1.0
        bits = np.int64((np.float64(shifted).view(np.int64) + 1023) << 52)
        values[i] = p * bits.view(np.float64)


@kernel()
def _forward_log(emissions: np.ndarray, ahead: np.ndarray, chain: Chain, alpha: np.ndarray) -> float:
    """As `_forward`, in log space, from emissions; returns -inf where no mass is left, NaN for NaN or +inf."""
    m, k = emissions.shape
    first, source, score = chain.first[0], chain.other[0], chain.score[0]
    log_scale = 0.0
    for t in range(m):
        best = -np.inf
        for j in range(k):
            alpha[t, j] = ahead[j] + emissions[t, j]
            if not alpha[t, j] < np.inf:
                return np.nan
            best = max(best, alpha[t, j])
        if best == -np.inf:
            return best
        log_scale += best
        for j in range(k):
            alpha[t, j] -= best
        for j in range(k):
            best = -np.inf
            for p in range(first[j], first[j + 1]):
                best = max(best, alpha[t, source[p]] + score[p])
            total = 0.0
            for p in range(first[j], first[j + 1]):
                if best > -np.inf:
                    total += np.exp(alpha[t, source[p]] + score[p] - best)
            ahead[j] = best + np.log(total)
    return log_scale


@kernel()
def _backward_log(chunk: Walked, beta: np.ndarray, chain: Chain, totals: Totals, n_inside: int) -> None:
    """As `_backward`, in log space, from emissions."""
    emissions, alpha = chunk
    m, k = emissions.shape
    following, here, number = beta[0], beta[1], totals.posterior.dtype.type
    first, to, score = chain.first[1], chain.other[1], chain.score[1]
    for t in range(m - 1, -1, -1):
        inside = t < n_inside
        if inside:
            for i in range(k):
                best = -np.inf
                for p in range(first[i], first[i + 1]):
                    best = max(best, score[p] + following[to[p]])
                total = 0.0
                for p in range(first[i], first[i + 1]):
                    if best > -np.inf:
                        total += np.exp(score[p] + following[to[p]] - best)
                here[i] = best + np.log(total)
        norm = _log_sum(alpha[t], here)
        if inside:
            for i in range(k):
                for p in range(first[i], first[i + 1]):
                    expected = np.exp(alpha[t, i] + score[p] + following[to[p]] - norm)
                    totals.moves[i, to[p]] += totals.sign * expected
        for j in range(k):
            totals.posterior[t, j] += number(totals.sign * np.exp(alpha[t, j] + here[j] - norm))
            following[j] = emissions[t, j] + here[j] - norm


@kernel()
def _log_sum(left: np.ndarray, right: np.ndarray) -> float:
    """Log of the sum of exp(left + right), -inf for an empty sum."""
    best, total = -np.inf, 0.0
    for j in range(left.size):
        best = max(best, left[j] + right[j])
    for j in range(left.size):
        if best != -np.inf:
            total += np.exp(left[j] + right[j] - best)
    return float(best + np.log(total))


@kernel()
def _shifted(values: np.ndarray, top: float, log_space: int) -> np.ndarray:
    """Log values minus their largest, and their exponentials in probability space."""
    shifted = np.empty(values.size)
    for j in range(values.size):
        shifted[j] = values[j] - top if log_space else np.exp(values[j] - top)
    return shifted


@kernel()
def _finish(alpha: np.ndarray, leave: np.ndarray, log_space: int) -> float:
    """Log mass of the last position joined with leaving; NaN where probability space has lost it."""
    if log_space:
        return _log_sum(alpha, leave)
    total = 0.0
    for j in range(alpha.size):
        total += alpha[j] * leave[j]
    return np.log(total) if total > TINY else np.nan


@kernel()
def _note_logs(values: np.ndarray, log_space: int, noted: np.ndarray) -> None:
    """Write the logs of values, which in log space are logs already."""
    for j in range(values.size):
        noted[j] = values[j] if log_space else np.log(values[j])


@kernel()
def _extent(values: np.ndarray) -> tuple[float, float]:
    """Smallest and largest of the values above -inf; (inf, -inf) if there are none."""
    low, high = np.inf, -np.inf
    for i in range(values.size):
        if values[i] != -np.inf:
            low, high = min(low, values[i]), max(high, values[i])
    return low, high


@kernel()
def _spread(values: np.ndarray) -> float:
    """Largest minus smallest of the values above -inf."""
    low, high = _extent(values)
    return high - low


@kernel()
def _copy(source: np.ndarray, copy: np.ndarray) -> None:
    """As copy[:] = source; NumPy's form brings its error messages along and doubles the time to compile."""
    for i in range(source.size):
        copy[i] = source[i]
