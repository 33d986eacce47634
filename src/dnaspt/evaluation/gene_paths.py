"""A gene model and a stretch of a contig to the decoded class of each base; long runs of N are non-coding by rule.

No CDS can be known where no base is: inside a run of more than 50 N every base but ten at each end is class 8. The chain
is decoded piece by piece between such places, each piece knowing its neighbors: that is exact, and always legal.
"""

from typing import NamedTuple

import numpy as np

from dnaspt.evaluation.predict import predict_both_strands, predict_sequence
from dnaspt.genome import alphabet
from dnaspt.models.codons import Grammar, flags_between
from dnaspt.models.heads import CRFHead, Decoded, SoftmaxHead
from dnaspt.models.task_model import TaskModel
from dnaspt.tasks import GENE_STATES, NONCODING

LONG_RUN_BP = 50
"""Longest run of N that a gene may cross."""
RUN_EDGE_BP = 10
"""Bases of a longer run, at each end, in which a gene beside it may come to its end."""


class Buffers(NamedTuple):
    """Memory maps (L, K) of zeros for what is as long as the stretch."""

    emissions: np.ndarray
    marginals: np.ndarray


def decode(model: TaskModel, emissions: np.ndarray, buffer: np.ndarray | None = None) -> Decoded:
    """Path and posterior of one sequence of a gene model from its emissions (L, K); see the heads' `decode`."""
    assert isinstance(model.head, CRFHead | SoftmaxHead)
    return model.head.decode(emissions, buffer)


def predict_path(
    model: TaskModel,
    codes: np.ndarray,
    *,
    start: int = 0,
    end: int | None = None,
    average_strands: bool = False,
    grammar: Grammar | None = None,
    buffers: Buffers | None = None,
) -> Decoded:
    """Path and posterior (end - start,) of a stretch of a contig: codes (L,), what lies around it is context.

    grammar: of the codons that a path must keep to; only a CRF can.
    """
    out = None if buffers is None else buffers.emissions
    emissions = predict_emissions(model, codes, start=start, end=end, average_strands=average_strands, out=out)
    return decode_path(model, emissions, codes, start=start, grammar=grammar, buffers=buffers)


def predict_emissions(
    model: TaskModel,
    codes: np.ndarray,
    *,
    start: int = 0,
    end: int | None = None,
    average_strands: bool = False,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Emissions (end - start, K) of a stretch of a contig."""
    end = len(codes) if end is None else end
    if average_strands:
        return predict_both_strands(model, codes, GENE_STATES.complement, start=start, end=end, out=out)
    return predict_sequence(model, codes, start=start, end=end, out=out)


def decode_path(
    model: TaskModel,
    emissions: np.ndarray,
    codes: np.ndarray,
    *,
    start: int = 0,
    grammar: Grammar | None = None,
    buffers: Buffers | None = None,
) -> Decoded:
    """Path and posterior of emissions (n, K) that begin at `start` of codes (L,): what lies between runs is decoded by itself."""
    head, end = model.head, start + len(emissions)
    assert isinstance(head, CRFHead | SoftmaxHead)
    path = np.full(len(emissions), NONCODING, dtype=np.int8)
    posterior = np.ones(len(emissions), dtype=np.float32)
    edges = [0, *(edge for run in unknown_runs(codes, start, end) for edge in run), len(emissions)]
    for left, right in zip(edges[::2], edges[1::2], strict=True):
        if left == right:
            continue
        buffer = None if buffers is None else buffers.marginals[left:right]
        before = NONCODING if left else None
        after = NONCODING if right < len(emissions) else None
        if grammar is None:
            piece = head.decode(emissions[left:right], buffer, before=before, after=after)
        else:
            assert isinstance(head, CRFHead)
            flags = flags_between(codes, start + left, start + right)
            piece = head.decode_codons(emissions[left:right], grammar, flags, buffer, before=before, after=after)
        path[left:right], posterior[left:right] = piece
    return Decoded(path, posterior)


def unknown_runs(codes: np.ndarray, start: int, end: int) -> list[tuple[int, int]]:
    """The inner parts of long runs of N on a stretch of codes (L,): intervals counted from `start`, ascending."""
    first = max(0, start - LONG_RUN_BP - 1)
    is_unknown = (codes[first : end + LONG_RUN_BP + 1] & 7) == alphabet.N
    changes = np.flatnonzero(is_unknown[1:] != is_unknown[:-1]) + 1
    edges = np.concatenate([[0], changes, [len(is_unknown)]])
    lefts, rights = edges[:-1], edges[1:]
    long = is_unknown[lefts] & (rights - lefts > LONG_RUN_BP)
    lefts = np.clip(lefts[long] + RUN_EDGE_BP + first, start, end) - start
    rights = np.clip(rights[long] - RUN_EDGE_BP + first, start, end) - start
    return [(left, right) for left, right in zip(lefts.tolist(), rights.tolist(), strict=True) if left < right]
