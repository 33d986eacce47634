"""Scores and legal moves of a linear chain into the arrays that its kernels read; float64 nats, forbidden is -inf."""

from typing import NamedTuple

import numpy as np

from dnaspt.tasks import MISSING

Block = tuple[np.ndarray, np.ndarray]
"""Emissions or weights (m, K) of consecutive positions, and their forward pass (m, K)."""


class Chain(NamedTuple):
    """Scores of a chain with its legal moves as predecessor lists, as the kernels read them (float64, nats).

    Attributes:
        first: (2, K + 1) row 0: moves first[0, j] to first[0, j + 1] lead to state j; row 1: they leave it.
        other: (2, E) row 0: the state that each of these moves comes from; row 1: the state that it leads to.
        score: (2, E) their transition scores.
        transitions: (K, K) the same scores, -inf where forbidden.
        start: (K,) score of the first state.
        end: (K,) score of the last state.
        mixing: smallest n such that n moves lead from every state to every state; 0 where there is none.
        branching: largest number of moves that leave a state.
    """

    first: np.ndarray
    other: np.ndarray
    score: np.ndarray
    transitions: np.ndarray
    start: np.ndarray
    end: np.ndarray
    mixing: int
    branching: int


class Sink(NamedTuple):
    """Where a pass adds `sign` times its posteriors (n, K) and its expected moves (K, K), if `wanted`."""

    posterior: np.ndarray
    moves: np.ndarray
    sign: float
    wanted: bool


def mixing_time(legal: np.ndarray, limit: int = 256) -> int:
    """Smallest n such that exactly n legal moves lead from every state to every state, or 0 if none up to `limit`."""
    reach = legal.astype(np.float32)
    moves = reach
    for n in range(1, limit + 1):
        if reach.all():
            return n
        reach = (reach @ moves > 0).astype(np.float32)
    return 0


def make_chain(legal: np.ndarray, scores: tuple[np.ndarray, np.ndarray, np.ndarray], mixing: int) -> Chain:
    """Chain of the legal moves (K, K) and the scores start (K,), end (K,), transitions (K, K)."""
    start, end, transitions = (np.ascontiguousarray(score, dtype=np.float64) for score in scores)
    to, source = np.nonzero(legal.T)
    state, onward = np.nonzero(legal)
    first = np.zeros((2, len(legal) + 1), np.uintp)
    first[:, 1:] = np.cumsum([legal.sum(axis=0), legal.sum(axis=1)], axis=1)
    score = np.stack([transitions[source, to], transitions[state, onward]])
    masked = np.where(legal, transitions, -np.inf)
    return Chain(
        first,
        np.stack([source, onward]).astype(np.uintp),
        score,
        masked,
        start,
        end,
        mixing,
        int(legal.sum(axis=1).max()),
    )


def refuse_unknown(unknown: np.ndarray, n_states: int) -> None:
    """Raise for the first sequence that has unknown labels; unknown: (B,) bool."""
    _refuse(unknown, f"has labels that are neither 0 to {n_states - 1} nor {MISSING}")


def refuse_impossible(scores: np.ndarray) -> None:
    """Raise for the first sequence whose log-partition or best score (B,) is NaN, or -inf: no path is legal."""
    _refuse(np.isnan(scores), "has emissions or CRF scores that are NaN or +inf")
    _refuse(np.isneginf(scores), "has no legal path at all")


def refuse_disagreeing(mass: np.ndarray) -> None:
    """Raise for the first sequence without a path that agrees with its labels; mass: log mass (B,) of those that do."""
    _refuse(~np.isfinite(mass), "has no legal path that agrees with its labels")


def _refuse(bad: np.ndarray, fault: str) -> None:
    if bad.any():
        raise ValueError(f"sequence {int(np.argmax(bad))} of the batch {fault}")
