"""Decoding of one sequence of any length on the CPU: the best path (Viterbi 1967) and the posterior of its states; in nats.

Emissions lie in memory or in a file and are read in slices. NumPy arrays in and out.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from dnaspt.models.kernels.crf_chain import Chain, refuse_impossible
from dnaspt.models.kernels.crf_forward_backward import Totals, scratch_for, sum_segment
from dnaspt.models.kernels.numba_cache import kernel

SLICE = 1 << 20
"""Positions of a long sequence that are in memory at once; Viterbi decoding keeps 1 byte of back-pointer for each state there."""


class Emissions(Protocol):
    """Emissions (L, K) in memory, or in a file: `numpy.asarray` of a slice of them brings its rows into memory."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: slice, /) -> Any: ...


@dataclass(frozen=True, slots=True)
class Rules:
    """Which column of the emissions each state takes, and which letters of the sequence allow it.

    Attributes:
        classes: (K,) column of the emissions.
        needed: (K,) uint16, bits that the flags of a position must have.
        forbidden: (K,) uint16, bits that they must not have.
        flags: start, stop -> (stop - start,) uint16 flags of these positions; empty where every state is allowed.
    """

    classes: np.ndarray
    needed: np.ndarray
    forbidden: np.ndarray
    flags: Callable[[int, int], np.ndarray]

    def between(self, start: int, stop: int) -> "SliceRules":
        """The rules of some positions."""
        return SliceRules(self.classes, self.needed, self.forbidden, self.flags(start, stop))


class SliceRules(NamedTuple):
    """`Rules` of one slice, as the kernel reads them; flags (n,), or empty where every state is allowed."""

    classes: np.ndarray
    needed: np.ndarray
    forbidden: np.ndarray
    flags: np.ndarray


def best_path(emissions: Emissions, chain: Chain, rules: Rules | None = None) -> tuple[np.ndarray, float]:
    """The classes of `best_states` (L,) int8, and their score in nats."""
    rules = rules or _no_rules(chain)
    states, score = best_states(emissions, chain, rules)
    return rules.classes.astype(np.int8)[states], score


def best_states(emissions: Emissions, chain: Chain, rules: Rules) -> tuple[np.ndarray, float]:
    """The legal path of the highest score; of equally good moves into a state, the one from the lower state wins.

    Only the scores that enter a slice are kept; its back-pointers are found again on the way back.

    Args:
        emissions: (L, C) float32 or float64, nats, L >= 1; -inf forbids a class at a position.
        chain: scores and legal moves of K states.
        rules: the class of each state and the letters that it needs.

    Returns:
        States of the path (L,) int8, and its score in nats.

    Raises:
        ValueError: no path is legal, or a score is NaN or +inf.
    """
    n, k = len(emissions), len(chain.start)
    slices = list(_slices(n))
    back, score = np.zeros((min(n, SLICE), k), np.uint8), np.zeros(k)

    def walk(number: int, score: np.ndarray) -> bool:
        start, stop = slices[number]
        rows, own_rules = np.asarray(emissions[start:stop]), rules.between(start, stop)
        return bool(_walk_slice(rows, score, chain, own_rules, back, 0 if number == 0 else -1))

    entering = []
    for number in range(len(slices)):
        entering.append(score.copy())
        if not walk(number, score):
            refuse_impossible(np.array(np.nan))
    ends = score + chain.end
    refuse_impossible(np.array(ends.max()))
    path, state = np.empty(n, np.int8), int(np.argmax(ends))
    for number in range(len(slices) - 1, -1, -1):
        if number < len(slices) - 1:
            walk(number, entering[number])
        start, stop = slices[number]
        state = _trace(back, state, path[start:stop])
    return path, float(ends.max())


def path_posterior(emissions: Emissions, chain: Chain, path: np.ndarray) -> np.ndarray:
    """Posterior probability of the states of a path: emissions (L, K), path (L,) -> (L,) float32.

    What enters each slice is found on the way forward; what follows it, and its posteriors, on the way back.

    Raises:
        ValueError: as `best_path`.
    """
    posterior = np.empty(len(emissions), np.float32)
    k, slices = len(chain.start), list(_slices(len(emissions)))
    entry, beyond, anywhere = chain.start, np.empty((2, k)), np.zeros(k)
    entering, moves, scratch = [], np.zeros((k, k)), scratch_for(k)
    nothing = np.zeros((0, k), np.asarray(emissions[:1]).dtype)
    for start, stop in slices[:-1]:
        entering.append(entry)
        unwanted = Totals(nothing, moves, 1.0, False)
        mass = sum_segment(np.asarray(emissions[start:stop]), entry, anywhere, chain, unwanted, beyond, scratch)
        refuse_impossible(np.array(mass))
        entry = beyond[0] - beyond[0].max()
    entering.append(entry)
    leave = chain.end
    for (start, stop), entry in zip(reversed(slices), reversed(entering), strict=True):
        rows = np.asarray(emissions[start:stop])
        totals = Totals(np.zeros_like(rows), moves, 1.0, True)
        refuse_impossible(np.array(sum_segment(rows, entry, leave, chain, totals, beyond, scratch)))
        states = path[start:stop, None].astype(np.int64)
        posterior[start:stop] = np.take_along_axis(totals.posterior, states, axis=1)[:, 0]
        leave = np.logaddexp.reduce(chain.transitions + (beyond[1] - beyond[1].max()), axis=1)
    return posterior


def _slices(length: int) -> Iterator[tuple[int, int]]:
    """Starts and ends of the slices of a sequence."""
    return ((start, min(start + SLICE, length)) for start in range(0, length, SLICE))


def _no_rules(chain: Chain) -> Rules:
    """Rules that allow every state everywhere."""
    none = np.zeros(len(chain.start), np.uint16)
    return Rules(np.arange(len(chain.start)), none, none, lambda start, stop: none[:0])


@kernel()
def _walk_slice(
    emissions: np.ndarray, score: np.ndarray, chain: Chain, rules: SliceRules, back: np.ndarray, begin: int
) -> bool:
    """Update the best score of a path to each state (K,) and note where it came from (m, K); False for NaN and +inf.

    The sequence begins at position `begin` of the slice; -1 where it began before.
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
def _trace(back: np.ndarray, state: int, path: np.ndarray) -> int:
    """Write the states (m,) of the path that ends in a state, and return the state from which it comes."""
    for t in range(len(path) - 1, -1, -1):
        path[t] = state
        state = int(back[t, state])
    return state
