"""Triton kernels of `crf_gpu`: log masses, posteriors and best paths of a linear chain, in pieces of its length.

A piece maps the scores `ahead` (K) with which its first position is reached, before that position's emission, to those of the
piece after it: a (K, K) matrix of log-sum-exp or of maxima, one row per program. The matrices are joined one after another, and
then each piece is walked from what enters it, all pieces at once: an associative scan of two levels (Blelloch 1990; for chains
of states Särkkä and García-Fernández 2021). Everything is in log space and float32, rescaled at every position, so that nothing
underflows; only scales are summed in float64. K is padded to a power of two (SIZE), with -inf. Lengths are not specialized,
so that a batch of another shape compiles nothing.
"""

import triton
from triton import language as tl

__all__ = ["join_pieces", "piece_origins", "piece_posteriors", "piece_rows", "trace_pieces", "write_paths"]


@triton.jit
def _load(emissions, labels, at, k, LABELED: tl.constexpr, SIZE: tl.constexpr):
    """Emissions (SIZE) of the position at index `at` of all; -inf for states that its label excludes."""
    state = tl.arange(0, SIZE)
    scores = tl.load(emissions + at * k + state, mask=state < k, other=float("-inf")).to(tl.float32)
    if LABELED:
        label = tl.load(labels + at)
        scores = tl.where((label < 0) | (label == state), scores, float("-inf"))
    return scores


@triton.jit
def _floor(values):
    """Values with 0 for -inf, so that they can be subtracted."""
    return tl.where(values == float("-inf"), 0.0, values)


@triton.jit
def _reduce(scores, axis: tl.constexpr, BEST: tl.constexpr):
    """Log-sum-exp, or the largest, over an axis of scores (SIZE, SIZE)."""
    top = tl.max(scores, axis)
    if BEST:
        return top
    floor = _floor(top)
    total = tl.sum(tl.exp(scores - tl.expand_dims(floor, axis)), axis)
    return tl.where(top == float("-inf"), top, floor + tl.log(tl.where(total > 0, total, 1.0)))


@triton.jit
def _total(scores, BEST: tl.constexpr):
    """Log-sum-exp, or the largest, of scores (SIZE)."""
    top = tl.max(scores, 0)
    if BEST:
        return top
    total = tl.sum(tl.exp(scores - _floor(top)), 0)
    return tl.where(top == float("-inf"), top, _floor(top) + tl.log(tl.where(total > 0, total, 1.0)))


@triton.jit
def _square(values, SIZE: tl.constexpr):
    """A matrix (SIZE, SIZE) in row-major order at an address."""
    state = tl.arange(0, SIZE)
    return tl.load(values + state[:, None] * SIZE + state[None, :])


@triton.jit(do_not_specialize=["length", "k", "n_pieces"])
def piece_rows(
    emissions, labels, lengths, transitions, end, rows, scales, faults,
    length, k, n_pieces,
    PIECE: tl.constexpr, LABELED: tl.constexpr, BEST: tl.constexpr, SIZE: tl.constexpr,
):  # fmt: skip
    """Row `program_id(2)` of each piece's matrix, rescaled; of the last piece, the mass to its end instead, in column 0.

    rows (B, n_pieces, SIZE, SIZE) and their scales (B, n_pieces, SIZE) float64; faults (B, n_pieces): 1 for NaN and +inf.
    """
    piece, b, origin = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    n = tl.load(lengths + b)
    if piece * PIECE < n:
        state = tl.arange(0, SIZE)
        moves = _square(transitions, SIZE)
        ahead = tl.where(state == origin, 0.0, float("-inf"))
        last = tl.minimum(n, (piece + 1) * PIECE)
        scale = tl.zeros((), tl.float64)
        fault = tl.zeros((SIZE,), tl.int32)
        alpha = ahead
        for t in range(piece * PIECE, last):
            here = _load(emissions, labels, b.to(tl.int64) * length + t, k, LABELED, SIZE)
            fault = fault | tl.where(here < float("inf"), 0, 1)
            alpha = ahead + tl.where(here < float("inf"), here, 0.0)
            top = _floor(tl.max(alpha, 0))
            scale += top
            alpha = alpha - top
            ahead = _reduce(alpha[:, None] + moves, 0, BEST)
        if last == n:
            mass = _total(alpha + tl.load(end + state), BEST)
            ahead = tl.where(state == 0, mass, float("-inf"))
        at = b.to(tl.int64) * n_pieces + piece
        tl.store(rows + (at * SIZE + origin) * SIZE + state, ahead)
        tl.store(scales + at * SIZE + origin, scale)
        if origin == 0:
            tl.store(faults + at, tl.max(fault, 0))


@triton.jit(do_not_specialize=["n_pieces"])
def join_pieces(
    rows, scales, lengths, start, entering, following, mass,
    n_pieces,
    PIECE: tl.constexpr, BEST: tl.constexpr, SIZE: tl.constexpr,
):  # fmt: skip
    """What enters each piece (program_id(1) = 0) and what follows its entry (1), both (B, n_pieces, SIZE); mass (B,) float64."""
    b, backward = tl.program_id(0), tl.program_id(1)
    state = tl.arange(0, SIZE)
    n_here = (tl.load(lengths + b) + PIECE - 1) // PIECE
    first = b.to(tl.int64) * n_pieces
    if backward == 0:
        ahead = tl.load(start + state)
        for piece in range(0, n_here):
            at = first + piece
            ahead = ahead - _floor(tl.max(ahead, 0))
            tl.store(entering + at * SIZE + state, ahead)
            scores = _square(rows + at * SIZE * SIZE, SIZE)
            weight = ahead.to(tl.float64) + tl.load(scales + at * SIZE + state)
            weight = tl.where(tl.max(scores, 1) == float("-inf"), float("-inf"), weight)
            ahead = _reduce((weight - _floor(tl.max(weight, 0))).to(tl.float32)[:, None] + scores, 0, BEST)
    else:
        at = first + n_here - 1
        total = tl.zeros((), tl.float64)
        rest = tl.load(rows + (at * SIZE + state) * SIZE)
        for back in range(1, n_here + 1):
            at = first + n_here - back
            if back > 1:
                rest = _reduce(_square(rows + at * SIZE * SIZE, SIZE) + rest[None, :], 1, BEST)
            weight = rest.to(tl.float64) + tl.load(scales + at * SIZE + state)
            top = _floor(tl.max(weight, 0))
            total += top
            rest = (weight - top).to(tl.float32)
            tl.store(following + at * SIZE + state, rest)
        tl.store(mass + b, total + _total(tl.load(start + state) + rest, BEST))


@triton.jit(do_not_specialize=["length", "k", "n_pieces"])
def piece_posteriors(
    emissions, labels, lengths, transitions, end, entering, following, alphas, posterior, moves_out,
    length, k, n_pieces, sign,
    PIECE: tl.constexpr, LABELED: tl.constexpr, SIZE: tl.constexpr,
):  # fmt: skip
    """Adds sign * posterior of each state (B, L, K) and of each move (B, n_pieces, SIZE, SIZE).

    alphas: scratch (B, L, SIZE).
    """
    piece, b = tl.program_id(0), tl.program_id(1)
    n = tl.load(lengths + b)
    if piece * PIECE < n:
        state = tl.arange(0, SIZE)
        moves = _square(transitions, SIZE)
        at = b.to(tl.int64) * n_pieces + piece
        first, last = piece * PIECE, tl.minimum(n, (piece + 1) * PIECE)
        base = b.to(tl.int64) * length
        ahead = tl.load(entering + at * SIZE + state)
        for t in range(first, last):
            alpha = ahead + _load(emissions, labels, base + t, k, LABELED, SIZE)
            alpha = alpha - _floor(tl.max(alpha, 0))
            tl.store(alphas + (base + t) * SIZE + state, alpha)
            ahead = _reduce(alpha[:, None] + moves, 0, False)
        tl.debug_barrier()
        expected = tl.zeros((SIZE, SIZE), tl.float32)
        after = tl.load(end + state)
        coming = tl.full((SIZE,), float("-inf"), tl.float32)
        if last < n:
            coming = tl.load(following + (at + 1) * SIZE + state)
        for back in range(1, last - first + 1):
            t = last - back
            alpha = tl.load(alphas + (base + t) * SIZE + state)
            if t < n - 1:
                after = _reduce(moves + coming[None, :], 1, False)
            both = alpha + after
            norm = _floor(_total(both, False))
            share = tl.exp(both - norm)
            old = tl.load(posterior + (base + t) * k + state, mask=state < k, other=0.0)
            tl.store(posterior + (base + t) * k + state, old + sign * share, mask=state < k)
            if t < n - 1:
                expected += tl.exp((alpha - norm)[:, None] + (moves + coming[None, :]))
            here = _load(emissions, labels, base + t, k, LABELED, SIZE)
            coming = here + after
            coming = coming - _floor(tl.max(coming, 0))
        place = moves_out + at * SIZE * SIZE + state[:, None] * SIZE + state[None, :]
        tl.store(place, tl.load(place) + sign * expected)


@triton.jit(do_not_specialize=["length", "k", "n_pieces"])
def piece_origins(
    emissions, lengths, transitions, end, entering, origins, first_states, last_state,
    length, k, n_pieces,
    PIECE: tl.constexpr, SIZE: tl.constexpr,
):  # fmt: skip
    """Write origins (B, L + 1, SIZE): state before the best way to each state of a position; last_state (B,).

    first_states (B, n_pieces, SIZE): state at the first position of a piece on the best way to each at the first of the next,
    or at the end of the sequence.
    """
    piece, b = tl.program_id(0), tl.program_id(1)
    n = tl.load(lengths + b)
    if piece * PIECE < n:
        state = tl.arange(0, SIZE)
        moves = _square(transitions, SIZE)
        at = b.to(tl.int64) * n_pieces + piece
        last = tl.minimum(n, (piece + 1) * PIECE)
        ahead = tl.load(entering + at * SIZE + state)
        before = state
        alpha = ahead
        for t in range(piece * PIECE, last):
            alpha = ahead + _load(emissions, lengths, b.to(tl.int64) * length + t, k, False, SIZE)
            alpha = alpha - _floor(tl.max(alpha, 0))
            scores = alpha[:, None] + moves
            ahead = tl.max(scores, 0)
            origin = tl.argmax(scores, 0)
            tl.store(origins + (b.to(tl.int64) * (length + 1) + t + 1) * SIZE + state, origin.to(tl.uint8))
            if t < n - 1:
                before = tl.max(tl.where(state[:, None] == origin[None, :], before[:, None], 0), 0)
        tl.store(first_states + at * SIZE + state, before.to(tl.uint8))
        if last == n:
            tl.store(last_state + b, tl.argmax(alpha + tl.load(end + state), 0))


@triton.jit(do_not_specialize=["n_pieces"])
def trace_pieces(first_states, lengths, last_state, leaving, n_pieces, PIECE: tl.constexpr, SIZE: tl.constexpr):
    """Write leaving (B, n_pieces): the best path's state at the first position of the next piece, or at the end."""
    b = tl.program_id(0)
    n_here = (tl.load(lengths + b) + PIECE - 1) // PIECE
    first = b.to(tl.int64) * n_pieces
    state = tl.load(last_state + b)
    for back in range(1, n_here + 1):
        at = first + n_here - back
        tl.store(leaving + at, state)
        state = tl.load(first_states + at * SIZE + state).to(tl.int32)


@triton.jit(do_not_specialize=["length", "n_pieces"])
def write_paths(origins, lengths, leaving, paths, length, n_pieces, PIECE: tl.constexpr, SIZE: tl.constexpr):
    """Write paths (B, L) int8 of the states that leave the pieces."""
    piece, b = tl.program_id(0), tl.program_id(1)
    n = tl.load(lengths + b)
    if piece * PIECE < n:
        last = tl.minimum(n, (piece + 1) * PIECE)
        state = tl.load(leaving + b.to(tl.int64) * n_pieces + piece)
        base = b.to(tl.int64) * (length + 1)
        for back in range(1, last - piece * PIECE + 1):
            t = last - back
            if t < n - 1:
                state = tl.load(origins + (base + t + 1) * SIZE + state).to(tl.int32)
            tl.store(paths + b.to(tl.int64) * length + t, state.to(tl.int8))
