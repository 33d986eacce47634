"""A linear chain as the arrays that the CRF's kernels read, and the errors that all of them raise. Scores are float64 in nats.

A forbidden move has the score -inf.
"""

from typing import NamedTuple

import numpy as np

from dnaspt.errors import NotFiniteError
from dnaspt.genome.gene_states import MISSING


class Chain(NamedTuple):
    """Scores of a linear chain with K states and E legal moves, the moves as lists (compressed sparse rows) and as a matrix.

    Attributes:
        first: (2, K + 1). Row 0: the moves first[0, j] to first[0, j + 1] lead to state j; row 1: they leave state j.
        other: (2, E). Row 0: the state from which each of these moves comes; row 1: the state to which it leads.
        score: (2, E). Scores of the moves, in the same two orders.
        transitions: (K, K). The same scores, row = from, column = to; -inf where a move is forbidden.
        start: (K,). Score of the first state.
        end: (K,). Score of the last state.
        mixing: Smallest n such that exactly n moves lead from every state to every state; 0 if there is none.
        branching: Largest number of moves that leave one state.
    """

    first: np.ndarray
    other: np.ndarray
    score: np.ndarray
    transitions: np.ndarray
    start: np.ndarray
    end: np.ndarray
    mixing: int
    branching: int


def make_chain(legal: np.ndarray, scores: tuple[np.ndarray, np.ndarray, np.ndarray], mixing: int) -> Chain:
    """Build a chain.

    Args:
        legal: (K, K) bool, row = from, column = to: which moves are legal.
        scores: start (K,), end (K,) and transitions (K, K), in nats. Transitions of forbidden moves are not read.
        mixing: what `mixing_time` gives for `legal`; 0 keeps the sums in log space.
    """
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


def mixing_time(legal: np.ndarray, limit: int = 256) -> int:
    """Smallest n such that exactly n legal moves lead from every state to every state; 0 if there is none up to `limit`.

    Args:
        legal: (K, K) bool, row = from, column = to.
        limit: largest n that is tried.
    """
    reach = legal.astype(np.float32)
    moves = reach
    for n in range(1, limit + 1):
        if reach.all():
            return n
        reach = (reach @ moves > 0).astype(np.float32)
    return 0


def refuse_unknown(unknown: np.ndarray, n_states: int) -> None:
    """Raise ValueError for the first sequence with a label that names no state; unknown: (B,) bool."""
    _refuse(unknown, f"has labels that are neither 0 to {n_states - 1} nor {MISSING}")


def refuse_impossible(scores: np.ndarray) -> None:
    """Raise NotFiniteError for the first sequence whose log-partition or best score is NaN, or -inf: it has no legal path.

    scores: (B,), or a single number () for a sequence without a batch.
    """
    _refuse(np.isnan(scores), "has emissions or CRF scores that are NaN or +inf", NotFiniteError)
    _refuse(np.isneginf(scores), "has no legal path at all", NotFiniteError)


def refuse_disagreeing(mass: np.ndarray) -> None:
    """Raise ValueError for the first sequence without a legal path that agrees with its labels; mass: (B,) log mass of those."""
    _refuse(~np.isfinite(mass), "has no legal path that agrees with its labels")


def _refuse(bad: np.ndarray, fault: str, kind: type[ValueError] = ValueError) -> None:
    """Raise an error with the name of the first bad sequence; bad: (B,) bool, or () for a sequence without a batch."""
    if bad.any():
        name = f"sequence {int(np.argmax(bad))} of the batch" if bad.ndim else "the sequence"
        raise kind(f"{name} {fault}")
