"""What decoding gets beside a sequence's emissions, and what it gives."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from dnaspt.models.codons import Grammar

ClassProbabilities = Callable[[int, np.ndarray], None]
"""Gets a position and the probabilities (n, 9) float64 of the classes of the n bases from there on, tile by tile."""


class GeneRules(NamedTuple):
    """What a gene model is asked for, and what its states mean.

    Attributes:
        codon_bases, starts, stops: (K,) of each state, as in `codons.Grammar`.
        classes: (K,) int8, of each state, CDS or intron by strand, or non-coding. Stop codons are CDS.
        stop_in_cds: whether the path has class CDS at stop codons; if not, they are non-coding, as in some datasets.
        complete: whether no gene goes on beyond the sequence.
        min_intron_bp: bases of the shortest intron.
        softmask: nats that a soft-masked base costs as a coding one.
        gene_offset: nats added to the log-odds of a gene's beginning.
    """

    codon_bases: np.ndarray
    starts: np.ndarray
    stops: np.ndarray
    classes: np.ndarray
    stop_in_cds: bool = True
    complete: bool = False
    min_intron_bp: int = 0
    softmask: float = 0.0
    gene_offset: float = 0.0


class GenePosterior(NamedTuple):
    """How probable a decoded gene is.

    Attributes:
        start: position of its first coding base along the forward strand, counted from the first decoded base; the stop codon
            counts as coding.
        gene: probability of all its exons and introns together.
        exons: probability of each exon, both ends and frame exact, along the forward strand.
    """

    start: int
    gene: float
    exons: tuple[float, ...]


class Decoded(NamedTuple):
    """A decoded sequence.

    Attributes:
        path: (L,) int8, class of each base.
        posterior: (L,) float32, probability of that class; empty if not asked for. Where a gene model's path leaves out a stop
            codon, it is still the probability of what the stop codon is made of, coding bases and perhaps an intron.
        states: (L,) int8, state of the grammar of codons at each base; empty where the path keeps to none. Those of a gene model
            have the stop codon whether or not the path has it.
        genes: probabilities of genes and exons, where the head knows them.
    """

    path: np.ndarray
    posterior: np.ndarray
    states: np.ndarray
    genes: tuple[GenePosterior, ...] = ()


NO_STATES = np.zeros(0, np.int8)


class DecodingContext(NamedTuple):
    """What is known about a sequence beside its emissions.

    Attributes:
        codes: letters of the whole contig (C,), coded as in `genome.alphabet`.
        first: position of the contig at which the sequence begins.
        before, after: state of the base to the left or right of the sequence; None where it is not known.
        grammar: the grammar of codons that a path must keep to, or what a gene model is asked for; None for none.
        average_strands: whether the emissions are the mean of both strands'.
        marginals: gets the class probabilities of each base, counted from the sequence's first one, beside the posterior; only a
            gene model gives them.
        alone: whether no other sequence is decoded at the same time, so that a second thread may help.
    """

    codes: np.ndarray
    first: int = 0
    before: int | None = None
    after: int | None = None
    grammar: Grammar | GeneRules | None = None
    average_strands: bool = False
    marginals: ClassProbabilities | None = None
    alone: bool = True
