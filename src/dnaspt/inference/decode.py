"""Emissions of a model of genes to the class of each base; long runs of N are non-coding by rule.

No CDS can be known where the bases are unknown: in a run of more than 50 N, all but the 10 bases at either end are class 8. The
chain is decoded between such runs, and knows that its neighbors there are non-coding: that is exact, and always legal.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Protocol, TypeVar

import numpy as np
import torch

from dnaspt.genome import alphabet
from dnaspt.genome.gene_states import NONCODING
from dnaspt.genome.intervals import true_runs
from dnaspt.inference.emissions import ContigSlice, EmissionArray, predict_both_strands, predict_sequences
from dnaspt.models.codons import BETWEEN, Grammar
from dnaspt.models.decoding import ClassProbabilities, Decoded, DecodingContext, GenePosterior, GeneRules
from dnaspt.models.gene_model_head import GeneModelHead
from dnaspt.models.heads import CRFHead, SigmoidHead, SoftmaxHead
from dnaspt.models.kernels.crf_viterbi import Emissions
from dnaspt.models.kernels.threads import subnormals_as_zero
from dnaspt.models.task_model import TaskModel
from dnaspt.progress import unwatched

Item = TypeVar("Item")

LONG_RUN_BP = 50
"""Longest run of N that a gene may cross."""
RUN_EDGE_BP = 10
"""Bases at either end of a longer run in which a neighboring gene may end."""
GROUP_BP = 1 << 20
"""Bases of short sequences that are predicted together."""


def predict_emissions(
    model: TaskModel,
    slices: Sequence[ContigSlice],
    *,
    average_strands: bool = False,
    into: Sequence[EmissionArray | None] | None = None,
    told: Callable[[int], None] = unwatched,
) -> list[EmissionArray]:
    """Emissions (end - start, K) of each slice, of one strand or the mean of both.

    Args:
        model: a model of genes, of any head.
        slices: what to predict.
        average_strands: take the mean of both strands.
        into: where to write the emissions of each slice, (end - start, K); None makes an array.
        told: is told the bases that are done; twice each where both strands are read.
    """
    if average_strands:
        return predict_both_strands(model, slices, _base_head(model).emission_complement, into=into, told=told)
    return predict_sequences(model, slices, into=into, told=told)


def predict_paths(
    model: TaskModel,
    slices: Iterable[ContigSlice],
    *,
    average_strands: bool = False,
    grammar: Grammar | GeneRules | None = None,
) -> Iterator[np.ndarray]:
    """Decoded classes (end - start,) int8 of each slice, in order; short slices are predicted together.

    Args:
        model: a model of genes, of any head.
        slices: what to predict.
        average_strands: take the mean of both strands.
        grammar: see `decode_path`.
    """
    for group in grouped(slices, len):
        arrays = predict_emissions(model, group, average_strands=average_strands)
        for contig_slice, emissions in zip(group, arrays, strict=True):
            decoded = decode_path(
                model,
                emissions,
                contig_slice,
                average_strands=average_strands,
                grammar=grammar,
                with_posterior=False,
            )
            yield decoded.path


class Decoder(Protocol):
    """What decodes emissions: a head, or any other."""

    def decode(self, emissions: Emissions, context: DecodingContext, *, with_posterior: bool = True) -> Decoded:
        """The best path of one sequence (L, K).

        Args:
            emissions: of the sequence (L, K), in memory or in a file.
            context: what is known beside them, such as the letters of the contig.
            with_posterior: compute the posterior, else it is empty.
        """


def decode_path(
    model: TaskModel,
    emissions: EmissionArray,
    contig_slice: ContigSlice,
    *,
    average_strands: bool = False,
    grammar: Grammar | GeneRules | None = None,
    with_posterior: bool = True,
    marginals: ClassProbabilities | None = None,
    alone: bool = True,
) -> Decoded:
    """Best path of a slice, and the posterior of its states.

    Args:
        model: a model of genes, of any head.
        emissions: of the slice (L, K).
        contig_slice: the slice.
        average_strands: whether the emissions are the mean of both strands'.
        grammar: codons that the path of a CRF must keep to, or what a gene model is asked for; None for none.
        with_posterior: compute the posterior, else it is empty.
        marginals: gets the class probabilities of a gene model, by positions of the contig; none of long runs of N.
        alone: whether no other slice is decoded at the same time, so that a second thread may help.

    Returns:
        path (L,) int8, posterior (L,) float32, and states (L,) int8 of the grammar. In long runs of N the path is non-coding and
        the posterior 1.
    """
    return decode_with(
        _base_head(model),
        emissions,
        contig_slice,
        average_strands=average_strands,
        grammar=grammar,
        with_posterior=with_posterior,
        marginals=marginals,
        alone=alone,
    )


@subnormals_as_zero()
def decode_with(
    decoder: Decoder,
    emissions: EmissionArray,
    contig_slice: ContigSlice,
    *,
    average_strands: bool = False,
    grammar: Grammar | GeneRules | None = None,
    with_posterior: bool = True,
    marginals: ClassProbabilities | None = None,
    alone: bool = True,
) -> Decoded:
    """Best path of a slice by any decoder; see `decode_path`.

    Args:
        decoder: what decodes.
        emissions: of the slice (L, K).
        contig_slice: the slice.
        average_strands: whether the emissions are the mean of both strands'.
        grammar: see `decode_path`.
        with_posterior: compute the posterior, else it is empty.
        marginals: see `decode_path`.
        alone: whether no other slice is decoded at the same time, so that a second thread may help.
    """
    codes, start, end = contig_slice
    path = np.full(end - start, NONCODING, dtype=np.int8)
    posterior = np.ones(end - start if with_posterior else 0, dtype=np.float32)
    states = np.full(0 if grammar is None else end - start, BETWEEN, dtype=np.int8)
    genes: list[GenePosterior] = []
    edges = [0, *(edge for run in unknown_runs(codes, start, end) for edge in run), end - start]
    for left, right in zip(edges[::2], edges[1::2], strict=True):
        if left == right:
            continue
        before, after = (NONCODING if left else None), (NONCODING if right < end - start else None)
        into = None if marginals is None else partial(_from, marginals, start + left)
        context = DecodingContext(codes, start + left, before, after, grammar, average_strands, into, alone)
        decoded = decoder.decode(emissions[left:right], context, with_posterior=with_posterior)
        path[left:right] = decoded.path
        if with_posterior:
            posterior[left:right] = decoded.posterior
        if grammar is not None:
            states[left:right] = decoded.states
        genes += [gene._replace(start=gene.start + left) for gene in decoded.genes]
    return Decoded(path, posterior, states, tuple(genes))


def _from(marginals: ClassProbabilities, start: int, first: int, probabilities: np.ndarray) -> None:
    """Give class probabilities whose positions are counted from `start`."""
    marginals(start + first, probabilities)


@torch.no_grad()
@subnormals_as_zero()
def class_probabilities(model: TaskModel, emissions: EmissionArray, *, average_strands: bool = False) -> np.ndarray:
    """Probability of each class at each base (L, K) float32: marginals of a CRF, else the softmax.

    They are those of the head alone: the rules on codons and on runs of N have no part in them.

    Args:
        model: a model of genes, of any head.
        emissions: of a sequence (L, K).
        average_strands: whether the emissions are the mean of both strands'.
    """
    head = _base_head(model)
    rows = torch.from_numpy(np.asarray(emissions))
    lengths = torch.tensor([len(rows)])
    probabilities = head.probabilities(rows[None], lengths, average_strands=average_strands)
    return probabilities[0].to(torch.float32).numpy()


def _base_head(model: TaskModel) -> SoftmaxHead | CRFHead | GeneModelHead:
    """The head of a model of bases."""
    assert not isinstance(model.head, SigmoidHead)
    return model.head


def n_emissions(model: TaskModel) -> int:
    """Emissions of each base."""
    return len(_base_head(model).emission_complement)


def grouped(items: Iterable[Item], length: Callable[[Item], int], group_bp: int | None = None) -> Iterator[list[Item]]:
    """Items in order, in groups of group_bp bases (`GROUP_BP`) at most; a longer item is a group of its own.

    Args:
        items: what to group.
        length: bases of an item.
        group_bp: most bases of a group; None takes `GROUP_BP`.
    """
    limit_bp = group_bp or GROUP_BP
    group: list[Item] = []
    n_bp = 0
    for item in items:
        if group and n_bp + length(item) > limit_bp:
            yield group
            group, n_bp = [], 0
        group.append(item)
        n_bp += length(item)
    if group:
        yield group


def unknown_runs(codes: np.ndarray, start: int, end: int) -> list[tuple[int, int]]:
    """Inner parts of the long runs of N on positions start to end of a contig (L,): intervals counted from `start`, ascending.

    A run counts in full where the slice cuts it.

    Args:
        codes: codes of the whole contig (L,) uint8.
        start: first position, 0-based.
        end: end, half-open.
    """
    first = max(0, start - LONG_RUN_BP - 1)
    lefts, rights = true_runs(alphabet.is_unknown(codes[first : end + LONG_RUN_BP + 1])).T
    long = rights - lefts > LONG_RUN_BP
    lefts = np.clip(lefts[long] + RUN_EDGE_BP + first, start, end) - start
    rights = np.clip(rights[long] - RUN_EDGE_BP + first, start, end) - start
    return [(left, right) for left, right in zip(lefts.tolist(), rights.tolist(), strict=True) if left < right]
