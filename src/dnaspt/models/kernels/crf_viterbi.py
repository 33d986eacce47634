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
    """Which column of the emissions each state takes, which letters of the sequence allow it, and how long a path stays in it.

    Attributes:
        classes: (K,) column of the emissions.
        needed: (K,) uint16, bits that the flags of a position must have.
        forbidden: (K,) uint16, bits that they must not have.
        least: (K,) int64, positions that a path which enters the state stays there at least; a state with more than 1 needs a
            legal move to itself. At the ends of a sequence a stay may be shorter: it may go on beyond.
        flags: start, stop -> (stop - start,) uint16 flags of these positions; empty where every state is allowed.
    """

    classes: np.ndarray
    needed: np.ndarray
    forbidden: np.ndarray
    least: np.ndarray
    flags: Callable[[int, int], np.ndarray]

    def between(self, start: int, stop: int) -> "SliceRules":
        """The rules of some positions."""
        slow = np.flatnonzero(self.least > 1)
        return SliceRules(self.classes, self.needed, self.forbidden, self.least, slow, self.flags(start, stop))


class SliceRules(NamedTuple):
    """`Rules` of one slice of n positions, as the kernel reads them.

    Attributes:
        classes, needed, forbidden, least: as in `Rules`.
        slow: (S,) int64, the states with a least stay of more than one position.
        flags: (n,) uint16, or empty where every state is allowed.
    """

    classes: np.ndarray
    needed: np.ndarray
    forbidden: np.ndarray
    least: np.ndarray
    slow: np.ndarray
    flags: np.ndarray


class Frontier(NamedTuple):
    """The best paths up to a position: all that the positions after it need to know.

    A path that enters a slow state waits until it has stayed there long enough: a delay line holds the scores of those who wait.

    Attributes:
        score: (K,) best score of a path to each state; of a slow state, of the paths that may leave it.
        stayed: (S,) score of staying in each slow state from the beginning of the sequence on, forbidden positions left out.
        entered: (S, D) for each slow state the best score of a path that entered it at one of the last D positions, minus
            `stayed` there: a ring, position p in column p % D. D is the longest least stay.
        barred: (S,) last position at which the slow state was forbidden; -1 for none.
    """

    score: np.ndarray
    stayed: np.ndarray
    entered: np.ndarray
    barred: np.ndarray

    @classmethod
    def before(cls, rules: Rules) -> "Frontier":
        """The frontier before the first position."""
        n_slow = int((rules.least > 1).sum())
        waiting = np.full((n_slow, int(rules.least.max())), -np.inf)
        return cls(np.zeros(len(rules.least)), np.zeros(n_slow), waiting, np.full(n_slow, -1))

    def copy(self) -> "Frontier":
        """A frontier of its own."""
        return Frontier(*(array.copy() for array in self))

    def best_end(self, rules: Rules, end: np.ndarray, n: int) -> tuple[float, int, int]:
        """The best way to end a sequence of n positions.

        Args:
            rules: rules of the states.
            end: (K,) score of the last state.
            n: positions.

        Returns:
            The score of the whole path, its last state, and the positions spent there if that is a stay which would have to go
            on; 0 for any other.
        """
        ends = self.score + end
        state = int(np.argmax(ends))
        best, shorter = float(ends[state]), 0
        for s, slow in enumerate(np.flatnonzero(rules.least > 1).tolist()):
            entries = np.arange(max(1, n - rules.least[slow] + 1, self.barred[s]), n)
            values = self.entered[s, entries % self.entered.shape[1]] + self.stayed[s] + end[slow]
            if len(values) and values.max() > best:
                best, state, shorter = float(values.max()), slow, n - int(entries[values.argmax()])
        return best, state, shorter


def best_path(emissions: Emissions, chain: Chain, rules: Rules | None = None) -> tuple[np.ndarray, float]:
    """The classes of `best_states` (L,) int8, and their score in nats.

    Args:
        emissions: (L, C), as in `best_states`.
        chain: scores and legal moves of K states.
        rules: the class of each state and the letters that it needs; None where each state is a class and allowed everywhere.
    """
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
    back, frontier = np.zeros((min(n, SLICE), k), np.uint8), Frontier.before(rules)

    def walk(number: int, frontier: Frontier) -> bool:
        start, stop = slices[number]
        rows, own_rules = np.asarray(emissions[start:stop]), rules.between(start, stop)
        return bool(_walk_slice(rows, frontier, chain, own_rules, back, start))

    entering = []
    for number in range(len(slices)):
        entering.append(frontier.copy())
        if not walk(number, frontier):
            refuse_impossible(np.array(np.nan))
    score, state, waiting = frontier.best_end(rules, chain.end, n)
    refuse_impossible(np.array(score))
    path = np.empty(n, np.int8)
    for number in range(len(slices) - 1, -1, -1):
        if number < len(slices) - 1:
            walk(number, entering[number])
        start, stop = slices[number]
        state, waiting = _trace(back, rules.least, state, waiting, path[start:stop])
    return path, score


def path_posterior(emissions: Emissions, chain: Chain, path: np.ndarray) -> np.ndarray:
    """Posterior probability of the states of a path.

    What enters each slice is found on the way forward; what follows it, and its posteriors, on the way back.

    Args:
        emissions: (L, K) float32 or float64, nats.
        chain: scores and legal moves of K states.
        path: (L,) int8, states.

    Returns:
        (L,) float32.

    Raises:
        ValueError: as `best_states`.
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
    least = np.ones(len(chain.start), np.int64)
    return Rules(np.arange(len(chain.start)), none, none, least, lambda start, stop: none[:0])


_RIPE = 128
"""Bit of a back-pointer: the path has stayed just long enough here. The other bits: from where a path that enters here comes."""


@kernel()
def _walk_slice(
    emissions: np.ndarray, frontier: Frontier, chain: Chain, rules: SliceRules, back: np.ndarray, offset: int
) -> bool:
    """Move the frontier over a slice and note where each best path came from (m, K); False for NaN and +inf.

    offset: position of the sequence at which the slice begins.
    """
    score, stayed, entered, barred = frontier.score, frontier.stayed, frontier.entered, frontier.barred
    k, n_columns = score.size, entered.shape[1]
    first, source, move = chain.first[0], chain.other[0], chain.score[0]
    previous, here = np.empty(k), np.empty(k)
    column = offset % n_columns
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
        position = t + offset
        if position == 0:
            for j in range(k):
                score[j] = chain.start[j] + here[j]
            column = 1 % n_columns
            continue
        for j in range(k):
            previous[j] = score[j]
        for j in range(k):
            if rules.least[j] > 1:
                continue
            best, origin = -np.inf, source[0]
            for p in range(first[j], first[j + 1]):
                value = previous[source[p]] + move[p]
                if value > best:
                    best, origin = value, source[p]
            score[j] = best + here[j]
            back[t, j] = origin
        for s in range(rules.slow.size):
            j = rules.slow[s]
            own = chain.transitions[j, j]
            best, origin = -np.inf, 0
            for p in range(first[j], first[j + 1]):
                value = previous[source[p]] + move[p]
                if source[p] != j and value > best:
                    best, origin = value, np.int64(source[p])
            if here[j] == -np.inf:
                barred[s] = position
            else:
                stayed[s] += own + here[j]
            entry, old = position - rules.least[j] + 1, column - rules.least[j] + 1
            score[j] = previous[j] + own + here[j]
            if entry > 0 and barred[s] <= entry:
                ripe = entered[s, old if old >= 0 else old + n_columns] + stayed[s]
                if ripe > score[j]:
                    score[j] = ripe
                    origin |= _RIPE
            entered[s, column] = best + here[j] - stayed[s]
            back[t, j] = origin
        column = column + 1 if column + 1 < n_columns else 0
    return sound


@kernel()
def _trace(back: np.ndarray, least: np.ndarray, state: int, waiting: int, path: np.ndarray) -> tuple[int, int]:
    """Write the states (m,) of the path that ends in a state.

    Args:
        back: (m, K) back-pointers.
        least: (K,) positions that a path stays in each state at least.
        state: the last state.
        waiting: positions up to where the path entered that state; 0 where the back-pointers tell.
        path: (m,) gets the states.

    Returns:
        The state before the slice, and its `waiting`.
    """
    for t in range(len(path) - 1, -1, -1):
        path[t] = state
        came = int(back[t, state])
        if waiting == 0 and least[state] > 1:
            if came < _RIPE:
                continue
            waiting = least[state]
        if waiting > 1:
            waiting -= 1
        else:
            state, waiting = came & (_RIPE - 1), 0
    return state, waiting
