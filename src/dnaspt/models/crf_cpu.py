"""Emissions of one or many sequences into log masses with exact derivatives, posteriors and best paths, on the CPU.

NumPy arrays in and out, in nats. Sequences are spread over threads; each is computed alone, so that no result depends
on the batch around it or on the number of threads.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from dnaspt.models.crf_chain import Chain, Sink, refuse_disagreeing, refuse_impossible, refuse_unknown
from dnaspt.models.crf_sums import sum_labeled, sum_segment
from dnaspt.models.kernel import kernel
from dnaspt.tasks import MISSING


class Rules(NamedTuple):
    """What states stand for, and which letters they need.

    Attributes:
        classes: (K,) column of the emissions that a state takes.
        needed, forbidden: (K,) uint16 bits that a position's flags must have, and must not have.
        flags: (L,) uint16 of one sequence; empty where all states are allowed everywhere.
    """

    classes: np.ndarray
    needed: np.ndarray
    forbidden: np.ndarray
    flags: np.ndarray


BLOCK = 1 << 20
"""Positions per block of Viterbi decoding: 1 byte of back-pointer per state and position."""


@dataclass(frozen=True, slots=True)
class Sums:
    """Log masses of a batch and, where asked for, their exact derivatives.

    Attributes:
        log_mass: (B,) float64, nats.
        emissions: (B, L, K) derivative with respect to the emissions, 0 at padding; empty if not asked for.
        transitions: (B, K, K) float64 derivative with respect to the transitions, 0 where forbidden.
    """

    log_mass: np.ndarray
    emissions: np.ndarray
    transitions: np.ndarray


@kernel()
def _best_block(
    emissions: np.ndarray, score: np.ndarray, chain: Chain, rules: Rules, back: np.ndarray, begin: int
) -> bool:
    """Updates the best score of a path to each state (K,) and notes where it came from (m, K); False for NaN, +inf.

    The sequence begins at position `begin` of the block; -1 where it began before.
    """
    k = score.size
    first, source, move = chain.first[0], chain.other[0], chain.score[0]
    previous, here = np.empty(k), np.empty(k)
    sound = True
    for t in range(len(emissions)):
        for j in range(emissions.shape[1]):
            sound &= emissions[t, j] < np.inf
        for j in range(k):
            here[j] = emissions[t, rules.classes[j]]
        if rules.flags.size:
            flags = rules.flags[t]
            for j in range(k):
                if (flags & rules.needed[j]) != rules.needed[j] or flags & rules.forbidden[j]:
                    here[j] = -np.inf
        if t == begin:
            for j in range(k):
                score[j] = chain.start[j] + here[j]
            continue
        for j in range(k):
            previous[j] = score[j]
        for j in range(k):
            best, origin = -np.inf, source[0]
            for p in range(first[j], first[j + 1]):
                value = previous[source[p]] + move[p]
                if value > best:
                    best, origin = value, source[p]
            score[j] = best + here[j]
            back[t, j] = origin
    return sound


@kernel()
def _best_path(emissions: np.ndarray, chain: Chain, rules: Rules, path: np.ndarray) -> float:
    """Writes the classes of the best path (n,) and returns its score; NaN where a score is NaN or +inf."""
    n, k = len(emissions), chain.start.size
    size = min(n, BLOCK)
    n_blocks = (n + size - 1) // size
    back, entering, score = np.zeros((size, k), np.uint8), np.zeros((n_blocks, k)), np.zeros(k)
    for b in range(n_blocks):
        for j in range(k):
            entering[b, j] = score[j]
        block, here = emissions[b * size : (b + 1) * size], _from(rules, b * size)
        if not _best_block(block, score, chain, here, back, 0 if b == 0 else -1):
            return np.nan
    state, best = np.int64(0), -np.inf
    for j in range(k):
        if not score[j] + chain.end[j] <= best:
            state, best = np.int64(j), score[j] + chain.end[j]
    for b in range(n_blocks - 1, -1, -1):
        if b < n_blocks - 1:
            block, here = emissions[b * size : (b + 1) * size], _from(rules, b * size)
            _best_block(block, entering[b], chain, here, back, 0 if b == 0 else -1)
        for t in range(min((b + 1) * size, n) - 1, b * size - 1, -1):
            path[t] = rules.classes[state]
            state = np.int64(back[t - b * size, state])
    return best


@kernel()
def _from(rules: Rules, position: int) -> Rules:
    """The rules of a sequence from a position on."""
    return Rules(rules.classes, rules.needed, rules.forbidden, rules.flags[position:])


def _each(run: Callable[[int], None], lengths: np.ndarray, n_threads: int) -> None:
    """Calls `run` for every sequence, longest first; threads live for this call alone, so a later fork is safe."""
    order = np.argsort(-lengths, kind="stable").tolist()
    if min(n_threads, len(order)) <= 1:
        for b in order:
            run(b)
        return
    with ThreadPoolExecutor(min(n_threads, len(order))) as pool:
        for _ in pool.map(run, order):
            pass


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

    Args:
        emissions: (B, L, K) float32 or float64, C order, nats; -inf forbids a state at a position.
        lengths: (B,) positions of each sequence, 1 to L; what lies beyond is not read.
        chain: scores and legal moves.
        labels: (B, L) int64; MISSING where the state is open.
        gradients: whether the backward pass runs.
        n_threads: sequences at a time; results do not depend on it.

    Raises:
        ValueError: a sequence has no legal path, none that agrees with its labels, labels that name no state, or scores
            of NaN or +inf.
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
        here, gain = emissions[b, : lengths[b]], posterior[b, : lengths[b]]
        sign = 1.0
        if labels is not None:
            mass[b] = sum_labeled(here, labels[b, : lengths[b]], chain, Sink(gain, moves[b], 1.0, gradients))
            sign = -1.0
        partition[b] = sum_segment(here, chain.start, chain.end, chain, Sink(gain, moves[b], sign, gradients))

    _each(run, lengths, n_threads)
    refuse_impossible(partition)
    if labels is None:
        return Sums(partition, posterior, moves)
    refuse_disagreeing(mass)
    return Sums(mass - partition, posterior, moves)


def find_paths(
    emissions: np.ndarray, lengths: np.ndarray, chain: Chain, *, rules: Rules | None = None, n_threads: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Best legal path of each sequence (Viterbi): emissions (B, L, K) -> (B, L) int8, MISSING at padding; scores (B,).

    One sequence may be of any length, and emissions a memory map. Where moves into a state are equally good, the one
    from the lower state wins. Arguments and errors as in `sum_batch`. With rules, which are those of a single sequence, the
    chain's states are theirs, and the path is one of their classes.
    """
    if rules is None:
        none = np.zeros(len(chain.start), np.uint16)
        rules = Rules(np.arange(len(chain.start)), none, none, none[:0])
    paths = np.full(emissions.shape[:2], MISSING, np.int8)
    scores = np.empty(len(emissions))

    def run(b: int) -> None:
        scores[b] = _best_path(np.asarray(emissions[b, : lengths[b]]), chain, rules, paths[b, : lengths[b]])

    _each(run, lengths, n_threads)
    refuse_impossible(scores)
    return paths, scores


def find_posterior(emissions: np.ndarray, chain: Chain, posterior: np.ndarray | None = None) -> np.ndarray:
    """Posterior of each state in one sequence of any length: emissions (L, K) -> (L, K) of the same type.

    `posterior`, where given, holds zeros and is written into; both may be memory maps. Errors as in `sum_batch`.
    """
    posterior = np.zeros_like(emissions) if posterior is None else posterior
    moves = np.zeros((len(chain.start), len(chain.start)))
    sink = Sink(np.asarray(posterior), moves, 1.0, True)
    refuse_impossible(np.array([sum_segment(np.asarray(emissions), chain.start, chain.end, chain, sink)]))
    return posterior
