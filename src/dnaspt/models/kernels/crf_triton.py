"""Triton kernels of `crf_gpu`: log masses and posteriors of a linear chain, computed in chunks of its length.

A chunk maps the scores `ahead` (K) with which its first position is reached, before that position's emission, to those of the
chunk after it: a (K, K) matrix in log-sum-exp arithmetic, one row per program. The matrices are joined one after another, and
then each chunk is walked from what enters it, all chunks at once: an associative scan of two levels (Blelloch 1990; for chains
of states Särkkä and García-Fernández 2021). Everything is in log space and float32, rescaled at every position, so that nothing
underflows; only scales are summed in float64. K is padded to a power of two (SIZE), with -inf. Lengths are not specialized,
so that a batch of another shape compiles nothing.
"""

import triton
from triton import language as tl

__all__ = ["chunk_posteriors", "chunk_rows", "join_chunks"]


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
def _log_sums(scores, axis: tl.constexpr):
    """Log-sum-exp over an axis of scores (SIZE, SIZE)."""
    top = tl.max(scores, axis)
    floor = _floor(top)
    total = tl.sum(tl.exp(scores - tl.expand_dims(floor, axis)), axis)
    return tl.where(top == float("-inf"), top, floor + tl.log(tl.where(total > 0, total, 1.0)))


@triton.jit
def _log_sum(scores):
    """Log-sum-exp of scores (SIZE)."""
    top = tl.max(scores, 0)
    total = tl.sum(tl.exp(scores - _floor(top)), 0)
    return tl.where(top == float("-inf"), top, _floor(top) + tl.log(tl.where(total > 0, total, 1.0)))


@triton.jit
def _square(values, SIZE: tl.constexpr):
    """A matrix (SIZE, SIZE) in row-major order at an address."""
    state = tl.arange(0, SIZE)
    return tl.load(values + state[:, None] * SIZE + state[None, :])


@triton.jit(do_not_specialize=["length", "k", "n_chunks"])
def chunk_rows(
    emissions, labels, lengths, transitions, end, rows, scales, faults,
    length, k, n_chunks,
    CHUNK: tl.constexpr, LABELED: tl.constexpr, SIZE: tl.constexpr,
):  # fmt: skip
    """Row `program_id(2)` of each chunk's matrix, rescaled; of the last chunk, the mass to its end instead, in column 0.

    Args:
        emissions: (B, L, K).
        labels: (B, L) int32, negative where the state is open; None without labels.
        lengths: (B,) int32.
        transitions: (SIZE, SIZE) float32, -inf where a move is forbidden.
        end: (SIZE,) float32, score of the last state.
        rows: gets the rows, (B, n_chunks, SIZE, SIZE).
        scales: gets their scales, (B, n_chunks, SIZE) float64.
        faults: (B, n_chunks), gets 1 for NaN and +inf.
        length: L.
        k: K.
        n_chunks: chunks of a sequence of length L.
        CHUNK: positions of a chunk.
        LABELED: whether there are labels.
        SIZE: K, padded to a power of two.
    """
    chunk, b, origin = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    n = tl.load(lengths + b)
    if chunk * CHUNK < n:
        state = tl.arange(0, SIZE)
        moves = _square(transitions, SIZE)
        ahead = tl.where(state == origin, 0.0, float("-inf"))
        last = tl.minimum(n, (chunk + 1) * CHUNK)
        scale = tl.zeros((), tl.float64)
        fault = tl.zeros((SIZE,), tl.int32)
        alpha = ahead
        for t in range(chunk * CHUNK, last):
            here = _load(emissions, labels, b.to(tl.int64) * length + t, k, LABELED, SIZE)
            fault = fault | tl.where(here < float("inf"), 0, 1)
            alpha = ahead + tl.where(here < float("inf"), here, 0.0)
            top = _floor(tl.max(alpha, 0))
            scale += top
            alpha = alpha - top
            ahead = _log_sums(alpha[:, None] + moves, 0)
        if last == n:
            mass = _log_sum(alpha + tl.load(end + state))
            ahead = tl.where(state == 0, mass, float("-inf"))
        at = b.to(tl.int64) * n_chunks + chunk
        tl.store(rows + (at * SIZE + origin) * SIZE + state, ahead)
        tl.store(scales + at * SIZE + origin, scale)
        if origin == 0:
            tl.store(faults + at, tl.max(fault, 0))


@triton.jit(do_not_specialize=["n_chunks"])
def join_chunks(
    rows, scales, lengths, start, entering, following, mass,
    n_chunks,
    CHUNK: tl.constexpr, SIZE: tl.constexpr,
):  # fmt: skip
    """What enters each chunk (program_id(1) = 0) and what follows its entry (1), and the log mass of each sequence.

    Args:
        rows: what `chunk_rows` gave.
        scales: what `chunk_rows` gave.
        lengths: (B,) int32.
        start: (SIZE,) float32, score of the first state.
        entering: gets what enters each chunk, (B, n_chunks, SIZE).
        following: gets what follows its entry, (B, n_chunks, SIZE).
        mass: gets the log mass of each sequence, (B,) float64.
        n_chunks: chunks of a sequence of length L.
        CHUNK: positions of a chunk.
        SIZE: K, padded to a power of two.
    """
    b, backward = tl.program_id(0), tl.program_id(1)
    state = tl.arange(0, SIZE)
    n_here = (tl.load(lengths + b) + CHUNK - 1) // CHUNK
    first = b.to(tl.int64) * n_chunks
    if backward == 0:
        ahead = tl.load(start + state)
        for chunk in range(0, n_here):
            at = first + chunk
            ahead = ahead - _floor(tl.max(ahead, 0))
            tl.store(entering + at * SIZE + state, ahead)
            scores = _square(rows + at * SIZE * SIZE, SIZE)
            weight = ahead.to(tl.float64) + tl.load(scales + at * SIZE + state)
            weight = tl.where(tl.max(scores, 1) == float("-inf"), float("-inf"), weight)
            ahead = _log_sums((weight - _floor(tl.max(weight, 0))).to(tl.float32)[:, None] + scores, 0)
    else:
        at = first + n_here - 1
        total = tl.zeros((), tl.float64)
        rest = tl.load(rows + (at * SIZE + state) * SIZE)
        for back in range(1, n_here + 1):
            at = first + n_here - back
            if back > 1:
                rest = _log_sums(_square(rows + at * SIZE * SIZE, SIZE) + rest[None, :], 1)
            weight = rest.to(tl.float64) + tl.load(scales + at * SIZE + state)
            top = _floor(tl.max(weight, 0))
            total += top
            rest = (weight - top).to(tl.float32)
            tl.store(following + at * SIZE + state, rest)
        tl.store(mass + b, total + _log_sum(tl.load(start + state) + rest))


@triton.jit(do_not_specialize=["length", "k", "n_chunks"])
def chunk_posteriors(
    emissions, labels, lengths, transitions, end, entering, following, alphas, posterior, moves_out,
    length, k, n_chunks, sign,
    CHUNK: tl.constexpr, LABELED: tl.constexpr, SIZE: tl.constexpr,
):  # fmt: skip
    """Adds sign * posterior of each state and of each move.

    Args:
        emissions: (B, L, K).
        labels: (B, L) int32, negative where the state is open; None without labels.
        lengths: (B,) int32.
        transitions: (SIZE, SIZE) float32, -inf where a move is forbidden.
        end: (SIZE,) float32, score of the last state.
        entering: what `join_chunks` gave.
        following: what `join_chunks` gave.
        alphas: scratch (B, L, SIZE).
        posterior: gets the posteriors of states, (B, L, K).
        moves_out: gets the posteriors of moves, (B, n_chunks, SIZE, SIZE).
        length: L.
        k: K.
        n_chunks: chunks of a sequence of length L.
        sign: 1 or -1.
        CHUNK: positions of a chunk.
        LABELED: whether there are labels.
        SIZE: K, padded to a power of two.
    """
    chunk, b = tl.program_id(0), tl.program_id(1)
    n = tl.load(lengths + b)
    if chunk * CHUNK < n:
        state = tl.arange(0, SIZE)
        moves = _square(transitions, SIZE)
        at = b.to(tl.int64) * n_chunks + chunk
        first, last = chunk * CHUNK, tl.minimum(n, (chunk + 1) * CHUNK)
        base = b.to(tl.int64) * length
        ahead = tl.load(entering + at * SIZE + state)
        for t in range(first, last):
            alpha = ahead + _load(emissions, labels, base + t, k, LABELED, SIZE)
            alpha = alpha - _floor(tl.max(alpha, 0))
            tl.store(alphas + (base + t) * SIZE + state, alpha)
            ahead = _log_sums(alpha[:, None] + moves, 0)
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
                after = _log_sums(moves + coming[None, :], 1)
            both = alpha + after
            norm = _floor(_log_sum(both))
            share = tl.exp(both - norm)
            old = tl.load(posterior + (base + t) * k + state, mask=state < k, other=0.0)
            tl.store(posterior + (base + t) * k + state, old + sign * share, mask=state < k)
            if t < n - 1:
                expected += tl.exp((alpha - norm)[:, None] + (moves + coming[None, :]))
            here = _load(emissions, labels, base + t, k, LABELED, SIZE)
            coming = here + after
            coming = coming - _floor(tl.max(coming, 0))
        square = moves_out + at * SIZE * SIZE + state[:, None] * SIZE + state[None, :]
        tl.store(square, tl.load(square) + sign * expected)
