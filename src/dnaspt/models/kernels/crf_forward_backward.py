"""One walk forward or backward over a block of positions, in probability space or in log space: Numba kernels, float64, nats.

Probability space is several times faster and serves where a bound proves that nothing can underflow.
"""

import numpy as np

from dnaspt.models.kernels.crf_chain import Block, Chain, Sink
from dnaspt.models.kernels.numba_cache import kernel

SAFE_NATS = 500.0
"""Largest depth of a live state below the best one, in nats, in probability space; float64 ends at 708."""
_WIDTH = 8
"""float64 values of a vector."""
Edge = tuple[np.ndarray, np.ndarray]
"""Weights of the legal moves as lists (2, E), as `Chain.score` has them, and, where most moves are legal, as `full_matrices`."""
SMALL, TINY = 1e-20, 1e-290
"""Mass of a position below SMALL is scaled up to 1; below TINY, near float64's denormals, log space takes over."""


@kernel()
def _exp(values: np.ndarray) -> None:
    """Exponential in place for arguments in [-708, 0], within 3e-16; this form vectorizes, the library's does not.

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
def copy(source: np.ndarray, copy: np.ndarray) -> None:
    """As copy[:] = source; NumPy's own form brings its error messages along and doubles the time to compile."""
    for i in range(source.size):
        copy[i] = source[i]


@kernel()
def extent(values: np.ndarray) -> tuple[float, float]:
    """Smallest and largest of the values above -inf; (inf, -inf) for none."""
    low, high = np.inf, -np.inf
    for i in range(values.size):
        if values[i] != -np.inf:
            low, high = min(low, values[i]), max(high, values[i])
    return low, high


@kernel()
def _spread(values: np.ndarray) -> float:
    """Largest minus smallest of the values above -inf."""
    low, high = extent(values)
    return high - low


@kernel()
def probability_is_safe(emissions: np.ndarray, entry: np.ndarray, leave: np.ndarray, chain: Chain) -> bool:
    """Whether no live state can fall more than SAFE_NATS below the best one, on the way forth or back.

    Exactly `mixing` moves lead from the best state to every other, so no state lies deeper than the spreads of
    emissions and transitions on those moves add up to. Near the ends the spread of entry or leaving counts too.
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


@kernel()
def weigh(emissions: np.ndarray, weights: np.ndarray) -> float:
    """Emissions (m, K) into weights exp(emission - best of its position); returns the sum of the bests."""
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
def full_matrices(chain: Chain, top: float) -> np.ndarray:
    """Weights of all moves as two matrices (2, K, K padded to whole vectors), rows from and rows to; (2, K, 0) for few moves."""
    k, n_moves = chain.start.size, chain.score.shape[1]
    width = (k + _WIDTH - 1) // _WIDTH * _WIDTH if 2 * n_moves > k * k else 0
    full = np.zeros((2, k, width))
    for i in range(k if width else 0):
        for j in range(k):
            full[0, i, j] = full[1, j, i] = np.exp(chain.transitions[i, j] - top)
    return full


@kernel()
def _product(row: np.ndarray, matrix: np.ndarray, out: np.ndarray) -> None:
    """Row (K,) times matrix (K, W) into the first K of W columns; eight sums side by side, which LLVM makes a vector of."""
    k = len(matrix)
    for first in range(0, matrix.shape[1], _WIDTH):
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
def forward(weights: np.ndarray, ahead: np.ndarray, chain: Chain, edge: Edge, alpha: np.ndarray) -> float:
    """Forward pass of one block in probability space; `ahead` enters and leaves as the prediction of the next position.

    Returns the log of the product of all scales, or NaN where a scale is too small.
    """
    m, k = weights.shape
    first, source, weight, full = chain.first[0], chain.other[0], edge[0][0], edge[1][0]
    wide = np.empty(full.shape[1])
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
            _product(alpha[t], full, wide)
            for j in range(k):
                ahead[j] = wide[j]
            continue
        for j in range(k):
            total = 0.0
            for p in range(first[j], first[j + 1]):
                total += alpha[t, source[p]] * weight[p]
            ahead[j] = total
    return log_scale


@kernel()
def backward(block: Block, beta: np.ndarray, chain: Chain, edge: Edge, sink: Sink, n_inside: int) -> None:
    """Backward pass of one block (weights, alpha): adds posteriors and expected moves to the sink.

    `beta` (2, K) holds what follows the block. Row 0: the weight of each state of the next position with all after it;
    row 1: the weight of leaving, where that is after this block. Only the first `n_inside` positions have a next one.
    """
    weights, alpha = block
    m, k = weights.shape
    first, to, weight, full = chain.first[1], chain.other[1], edge[0][1], edge[1][1]
    wide, crowd = np.zeros(full.shape[1]), np.zeros(full.shape)
    following, here, number = beta[0], beta[1], sink.posterior.dtype.type
    moves = np.zeros(weight.size)
    for t in range(m - 1, -1, -1):
        inside = t < n_inside
        norm = 0.0
        if inside and wide.size:
            _product(following, full, wide)
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
            sink.posterior[t, i] += number(sink.sign * (share * here[i]))
            if inside and wide.size:
                for j in range(k):
                    crowd[i, j] += share * following[j]
            elif inside:
                for p in range(first[i], first[i + 1]):
                    moves[p] += share * following[to[p]]
        for i in range(k):
            following[i] = weights[t, i] * here[i]
    for i in range(k):
        for p in range(first[i], first[i + 1]):
            found = crowd[i, to[p]] if wide.size else moves[p]
            sink.moves[i, to[p]] += sink.sign * (found * weight[p])


@kernel()
def log_sum(left: np.ndarray, right: np.ndarray) -> float:
    """Log of the sum of exp(left + right), -inf for none."""
    best, total = -np.inf, 0.0
    for j in range(left.size):
        best = max(best, left[j] + right[j])
    for j in range(left.size):
        if best != -np.inf:
            total += np.exp(left[j] + right[j] - best)
    return float(best + np.log(total))


@kernel()
def forward_log(emissions: np.ndarray, ahead: np.ndarray, chain: Chain, alpha: np.ndarray) -> float:
    """As `forward`, in log space, from emissions; returns -inf where no mass is left, NaN for NaN or +inf."""
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
def backward_log(block: Block, beta: np.ndarray, chain: Chain, sink: Sink, n_inside: int) -> None:
    """As `backward`, in log space, from emissions and alpha."""
    emissions, alpha = block
    m, k = emissions.shape
    following, here, number = beta[0], beta[1], sink.posterior.dtype.type
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
        norm = log_sum(alpha[t], here)
        if inside:
            for i in range(k):
                for p in range(first[i], first[i + 1]):
                    expected = np.exp(alpha[t, i] + score[p] + following[to[p]] - norm)
                    sink.moves[i, to[p]] += sink.sign * expected
        for j in range(k):
            sink.posterior[t, j] += number(sink.sign * np.exp(alpha[t, j] + here[j] - norm))
            following[j] = emissions[t, j] + here[j] - norm
