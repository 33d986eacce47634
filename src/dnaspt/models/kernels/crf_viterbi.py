"""Best path and posterior of one sequence of any length, on the CPU: emissions in memory or in a file, a block at a time.

NumPy arrays in and out, in nats.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from dnaspt.models.kernels.crf_chain import Chain, Sink, refuse_impossible
from dnaspt.models.kernels.crf_log_sums import room_for, sum_segment
from dnaspt.models.kernels.numba_cache import kernel

BLOCK = 1 << 20
"""Positions of a long sequence that are in memory at once: 1 byte of back-pointer per state of Viterbi decoding."""


class Rows(Protocol):
    """Rows (L, K) in memory, or in a file: `numpy.asarray` of a slice of them brings them into memory."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: slice, /) -> Any: ...


class Allowed(NamedTuple):
    """Rules of one block of positions, as the kernel reads them; `flags` is empty where all states are allowed."""

    classes: np.ndarray
    needed: np.ndarray
    forbidden: np.ndarray
    flags: np.ndarray


@dataclass(frozen=True, slots=True)
class Rules:
    """What states stand for, and which letters they need.

    Attributes:
        classes: (K,) column of the emissions that a state takes.
        needed, forbidden: (K,) uint16 bits that a position's flags must have, and must not have.
        flags: start, stop -> (stop - start,) uint16 of these positions of one sequence.
    """

    classes: np.ndarray
    needed: np.ndarray
    forbidden: np.ndarray
    flags: Callable[[int, int], np.ndarray]

    def block(self, start: int, stop: int) -> Allowed:
        """The rules of some positions."""
        return Allowed(self.classes, self.needed, self.forbidden, self.flags(start, stop))


@kernel()
def _best_block(
    emissions: np.ndarray, score: np.ndarray, chain: Chain, rules: Allowed, back: np.ndarray, begin: int
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
def _trace(back: np.ndarray, classes: np.ndarray, state: int, path: np.ndarray) -> int:
    """Writes the classes (m,) of the path that ends in a state, and returns the state that it comes from."""
    for t in range(len(path) - 1, -1, -1):
        path[t] = classes[state]
        state = int(back[t, state])
    return state


def best_path(emissions: Rows, chain: Chain, rules: Rules, path: np.ndarray) -> float:
    """Writes the classes of the best path (n,) and returns its score; NaN where a score is NaN or +inf.

    Only the scores that enter a block are kept; its back-pointers are found again on the way back.
    """
    n, k = len(path), len(chain.start)
    blocks = list(_blocks(n))
    back, score, entering = np.zeros((min(n, BLOCK), k), np.uint8), np.zeros(k), []
    for number, (start, stop) in enumerate(blocks):
        entering.append(score.copy())
        here = rules.block(start, stop)
        if not _best_block(np.asarray(emissions[start:stop]), score, chain, here, back, 0 if number == 0 else -1):
            return np.nan
    ends = score + chain.end
    state = int(np.argmax(ends))
    for number in range(len(blocks) - 1, -1, -1):
        start, stop = blocks[number]
        if number < len(blocks) - 1:
            here, score = rules.block(start, stop), entering[number]
            _best_block(np.asarray(emissions[start:stop]), score, chain, here, back, 0 if number == 0 else -1)
        state = _trace(back, rules.classes, state, path[start:stop])
    return float(ends.max())


def _blocks(length: int) -> Iterator[tuple[int, int]]:
    """Stretches of a sequence that are small enough to be handled at once."""
    return ((start, min(start + BLOCK, length)) for start in range(0, length, BLOCK))


def find_path(emissions: Rows, chain: Chain, rules: Rules | None = None) -> np.ndarray:
    """Best legal path (L,) int8 of one sequence of any length: emissions (L, K).

    With rules the chain's states are theirs, and the path is one of their classes. Errors as in `crf_cpu.sum_batch`.
    """
    path = np.empty(len(emissions), np.int8)
    refuse_impossible(np.array([best_path(emissions, chain, rules or free_rules(chain), path)]))
    return path


def free_rules(chain: Chain) -> Rules:
    """Rules that allow every state everywhere."""
    none = np.zeros(len(chain.start), np.uint16)
    return Rules(np.arange(len(chain.start)), none, none, lambda start, stop: none[:0])


def find_posterior(emissions: Rows, chain: Chain, path: np.ndarray) -> np.ndarray:
    """Posterior of the states of a path in one sequence of any length: emissions (L, K), path (L,) -> (L,) float32.

    What enters each block is found on the way forth, what follows it and its posteriors on the way back. Errors as in
    `crf_cpu.sum_batch`.
    """
    posterior = np.empty(len(emissions), np.float32)
    k, blocks = len(chain.start), list(_blocks(len(emissions)))
    entry, beyond, anywhere = chain.start, np.empty((2, k)), np.zeros(k)
    entering, moves, room = [], np.zeros((k, k)), room_for(k)
    nothing = np.zeros((0, k), np.asarray(emissions[:1]).dtype)
    for start, stop in blocks[:-1]:
        entering.append(entry)
        unwanted = Sink(nothing, moves, 1.0, False)
        mass = sum_segment(np.asarray(emissions[start:stop]), entry, anywhere, chain, unwanted, beyond, room)
        refuse_impossible(np.array([mass]))
        entry = beyond[0] - beyond[0].max()
    entering.append(entry)
    leave = chain.end
    for (start, stop), entry in zip(reversed(blocks), reversed(entering), strict=True):
        rows = np.asarray(emissions[start:stop])
        sink = Sink(np.zeros_like(rows), moves, 1.0, True)
        refuse_impossible(np.array([sum_segment(rows, entry, leave, chain, sink, beyond, room)]))
        states = path[start:stop, None].astype(np.int64)
        posterior[start:stop] = np.take_along_axis(sink.posterior, states, axis=1)[:, 0]
        leave = np.logaddexp.reduce(chain.transitions + (beyond[1] - beyond[1].max()), axis=1)
    return posterior
