"""A gene model and a stretch of a contig to the decoded class of each base; long runs of N are non-coding by rule.

No CDS can be known where no base is: inside a run of more than 50 N every base but ten at each end is class 8. The chain
is decoded piece by piece between such places, each piece knowing its neighbors: that is exact, and always legal.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import numpy as np

from dnaspt.genome import alphabet
from dnaspt.genome.intervals import true_runs
from dnaspt.inference.emissions import Outs, Stretch, predict_both_strands, predict_sequences
from dnaspt.models.codons import Grammar
from dnaspt.models.heads import CRFHead, Decoded, Place, SoftmaxHead
from dnaspt.models.kernels.crf_viterbi import Emissions
from dnaspt.models.task_model import TaskModel
from dnaspt.tasks import GENE_STATES, NONCODING

Item = TypeVar("Item")

LONG_RUN_BP = 50
"""Longest run of N that a gene may cross."""
GROUP_BP = 1 << 20
"""Bases of short sequences that are computed together."""
RUN_EDGE_BP = 10
"""Bases of a longer run, at each end, in which a gene beside it may come to its end."""


def predict_emissions(
    model: TaskModel, stretches: Sequence[Stretch], *, average_strands: bool = False, outs: Outs | None = None
) -> list[Emissions]:
    """Emissions (end - start, K) of each stretch; `outs` as in `predict_sequences`."""
    if average_strands:
        return predict_both_strands(model, stretches, GENE_STATES.complement, outs=outs)
    return predict_sequences(model, stretches, outs=outs)


def predict_paths(
    model: TaskModel, stretches: Iterable[Stretch], *, average_strands: bool = False, grammar: Grammar | None = None
) -> Iterator[np.ndarray]:
    """Decoded classes (end - start,) int8 of each stretch, in order; short ones are computed together."""
    for group in grouped(stretches, len):
        found = predict_emissions(model, group, average_strands=average_strands)
        for stretch, emissions in zip(group, found, strict=True):
            yield decode_path(model, emissions, stretch, grammar=grammar, with_posterior=False).path


def decode_path(
    model: TaskModel,
    emissions: Emissions,
    stretch: Stretch,
    *,
    grammar: Grammar | None = None,
    with_posterior: bool = True,
) -> Decoded:
    """Path and posterior of the emissions of a stretch: what lies between runs of N is decoded by itself.

    grammar: of the codons that a path must keep to; only a CRF can.
    """
    head, (codes, start, end) = model.head, stretch
    assert isinstance(head, CRFHead | SoftmaxHead)
    path = np.full(end - start, NONCODING, dtype=np.int8)
    posterior = np.ones(end - start if with_posterior else 0, dtype=np.float32)
    edges = [0, *(edge for run in unknown_runs(codes, start, end) for edge in run), end - start]
    for left, right in zip(edges[::2], edges[1::2], strict=True):
        if left == right:
            continue
        before, after = (NONCODING if left else None), (NONCODING if right < end - start else None)
        place = Place(codes, start + left, before, after, grammar)
        piece = head.decode(emissions[left:right], place, with_posterior=with_posterior)
        path[left:right] = piece.path
        if with_posterior:
            posterior[left:right] = piece.posterior
    return Decoded(path, posterior)


def grouped(items: Iterable[Item], length: Callable[[Item], int]) -> Iterator[list[Item]]:
    """Items in order, in groups of at most GROUP_BP, or one alone that is longer."""
    some: list[Item] = []
    n_bp = 0
    for item in items:
        if some and n_bp + length(item) > GROUP_BP:
            yield some
            some, n_bp = [], 0
        some.append(item)
        n_bp += length(item)
    if some:
        yield some


def unknown_runs(codes: np.ndarray, start: int, end: int) -> list[tuple[int, int]]:
    """The inner parts of long runs of N on a stretch of codes (L,): intervals counted from `start`, ascending."""
    first = max(0, start - LONG_RUN_BP - 1)
    is_unknown = alphabet.is_unknown(codes[first : end + LONG_RUN_BP + 1])
    lefts, rights = true_runs(is_unknown).T
    long = rights - lefts > LONG_RUN_BP
    lefts = np.clip(lefts[long] + RUN_EDGE_BP + first, start, end) - start
    rights = np.clip(rights[long] - RUN_EDGE_BP + first, start, end) - start
    return [(left, right) for left, right in zip(lefts.tolist(), rights.tolist(), strict=True) if left < right]
