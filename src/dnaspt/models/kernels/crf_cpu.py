"""Emissions of a batch of sequences into log masses with exact derivatives and best paths, on the CPU.

NumPy arrays in and out, in nats. Sequences are spread over threads; each is computed alone, so that no result depends
on the batch around it or on the number of threads.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dnaspt.models.kernels.crf_chain import Chain, Sink, refuse_disagreeing, refuse_impossible, refuse_unknown
from dnaspt.models.kernels.crf_log_sums import room_for, sum_labeled, sum_segment
from dnaspt.models.kernels.crf_viterbi import best_path, free_rules
from dnaspt.models.kernels.threads import as_here, threads_of
from dnaspt.tasks import MISSING


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


def _each(run: Callable[[int], None], lengths: np.ndarray, n_threads: int) -> None:
    """Calls `run` for every sequence, longest first."""
    order = np.argsort(-lengths, kind="stable").tolist()
    if min(n_threads, len(order)) <= 1:
        for b in order:
            run(b)
        return
    for _ in threads_of(os.getpid(), n_threads).map(as_here(run), order):
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
        here, gain, room = emissions[b, : lengths[b]], posterior[b, : lengths[b]], room_for(k)
        sign = 1.0
        if labels is not None:
            mass[b] = sum_labeled(here, labels[b, : lengths[b]], chain, Sink(gain, moves[b], 1.0, gradients), room)
            sign = -1.0
        sink, beyond = Sink(gain, moves[b], sign, gradients), np.empty((2, k))
        partition[b] = sum_segment(here, chain.start, chain.end, chain, sink, beyond, room)

    _each(run, lengths, n_threads)
    refuse_impossible(partition)
    if labels is None:
        return Sums(partition, posterior, moves)
    refuse_disagreeing(mass)
    return Sums(mass - partition, posterior, moves)


def find_paths(
    emissions: np.ndarray, lengths: np.ndarray, chain: Chain, *, n_threads: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Best legal path of each sequence (Viterbi): emissions (B, L, K) -> (B, L) int8, MISSING at padding; scores (B,).

    Where moves into a state are equally good, the one from the lower state wins. Arguments and errors as in `sum_batch`.
    """
    rules = free_rules(chain)
    paths = np.full(emissions.shape[:2], MISSING, np.int8)
    scores = np.empty(len(emissions))

    def run(b: int) -> None:
        scores[b] = best_path(emissions[b, : lengths[b]], chain, rules, paths[b, : lengths[b]])

    _each(run, lengths, n_threads)
    refuse_impossible(scores)
    return paths, scores
