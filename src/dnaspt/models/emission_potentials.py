"""Class scores of each base, from any network, to the potentials of a gene model."""

from typing import NamedTuple

import numpy as np

from dnaspt.errors import NotFiniteError
from dnaspt.genome.gene_states import ACCEPTOR as ACCEPTOR_CLASS
from dnaspt.genome.gene_states import CDS, GENE_STATES, MINUS, NONCODING
from dnaspt.genome.gene_states import DONOR as DONOR_CLASS
from dnaspt.genome.gene_states import INTRON as INTRON_CLASS
from dnaspt.models.gene_structure import (
    ACCEPTOR,
    CODING,
    DONOR,
    FORBIDDEN,
    INTERGENIC,
    INTRON,
    MINUS_COLUMNS,
    N_COLUMNS,
    START,
    STOP,
    STRAND_COLUMNS,
)

N_CLASSES = len(GENE_STATES.names)
WIDTHS = (N_CLASSES, MINUS_COLUMNS, N_COLUMNS)
"""Numbers of classes that are understood: 9 (`GENE_STATES`), 15 (the columns of the plus strand), 29 (those of both strands)."""
LEAST_PROBABILITY = 1e-6
"""A class never counts as less probable: a network that is sure and wrong at one base must not decide about a gene."""


def log_probabilities(rows: np.ndarray, *, are_logits: bool) -> np.ndarray:
    """Log-probabilities (n, K) float32 of the classes, from probabilities or from logits (n, K)."""
    rows = np.asarray(rows, np.float64)
    if are_logits:
        rows = rows - rows.max(1, keepdims=True)
        rows = rows - np.log(np.exp(rows).sum(1, keepdims=True))
    else:
        rows = np.log(np.maximum(rows, LEAST_PROBABILITY))
    return np.asarray(np.maximum(rows, np.log(LEAST_PROBABILITY)), np.float32)


class SharedMoves(NamedTuple):
    """The scores of a CRF's moves, shared out among bases, so that they can be added where there is no chain.

    Attributes:
        classes: (9,) what each base of a class adds.
        gene: what a gene adds, the mean of both strands.
    """

    classes: np.ndarray
    gene: float


def shared_moves(transitions: np.ndarray) -> SharedMoves:
    """Share out the scores (9, 9) of the moves of a CRF of the nine classes; row = from, column = to.

    Half of a move belongs to the base before it, half to the base behind it. A base in a run of its class adds the score of
    staying there. A donor or acceptor, which is a single base between two such runs, adds its two moves, less the half of staying
    in either run. What the first and last move of a gene differ from staying is the gene's. So the score of a path is that of
    the CRF, whose emissions alone mean little: what is added to all emissions of a class, and taken from the moves into it,
    changes no path.
    """
    legal, stay = GENE_STATES.legal_matrix(), transitions.diagonal()
    classes = stay.copy()
    for class_ in np.flatnonzero(~legal.diagonal()):
        before, after = (int(np.flatnonzero(moves)[0]) for moves in (legal[:, class_], legal[class_]))
        classes[class_] = transitions[before, class_] + transitions[class_, after] - (stay[before] + stay[after]) / 2
    ends = [
        transitions[NONCODING, coding] + transitions[coding, NONCODING] - stay[NONCODING] - stay[coding]
        for coding in (CDS, CDS + MINUS)
    ]
    return SharedMoves(classes, float(np.mean(ends)))


def limited_scores(scores: np.ndarray) -> np.ndarray:
    """Scores (n, K) float32 of the classes of each base, with 0 for its best class.

    The others are lower, but never lower than `LEAST_PROBABILITY` allows.

    Args:
        scores: (n, K), nats.

    Raises:
        NotFiniteError: scores that are NaN.
    """
    scores = scores - scores.max(1, keepdims=True)
    if np.isnan(scores).any():
        raise NotFiniteError("the sequence has class scores of the network that are NaN")
    return np.asarray(np.maximum(scores, np.log(LEAST_PROBABILITY)), np.float32)


def column_potentials(logs: np.ndarray) -> np.ndarray:
    """Potentials (n, 29) float32 of log-probabilities (n, K) of the classes of each base; K is one of `WIDTHS`.

    A path then scores the sum of the logarithms of its bases' classes: the base of a donor or acceptor is an intron base, too,
    and the first and last base of a gene are coding, so these signals hold the difference. Of nine classes, CDS stands for all
    three bases of a codon, and intron for all phases. Fifteen classes are the intergenic one and those of the plus strand; then
    nothing lies on the minus strand.
    """
    potentials = np.zeros((len(logs), N_COLUMNS), np.float32)
    if logs.shape[1] == N_CLASSES:
        potentials[:, INTERGENIC] = logs[:, NONCODING]
        for strand, first in enumerate(STRAND_COLUMNS):
            of_class = logs[:, MINUS * strand :]
            coding, intron = of_class[:, CDS, None], of_class[:, INTRON_CLASS, None]
            potentials[:, first + CODING : first + CODING + 3] = coding
            potentials[:, first + INTRON : first + INTRON + 3] = intron
            potentials[:, first + DONOR : first + DONOR + 3] = of_class[:, DONOR_CLASS, None] - intron
            potentials[:, first + ACCEPTOR : first + ACCEPTOR + 3] = of_class[:, ACCEPTOR_CLASS, None] - intron
        return potentials
    potentials[:, : logs.shape[1]] = logs
    for first in STRAND_COLUMNS:
        if first >= logs.shape[1]:
            potentials[:, first : first + STOP + 1] = FORBIDDEN
            continue
        intron = potentials[:, first + INTRON : first + INTRON + 3]
        potentials[:, first + DONOR : first + DONOR + 3] -= intron
        potentials[:, first + ACCEPTOR : first + ACCEPTOR + 3] -= intron
        potentials[:, first + START] -= potentials[:, first + CODING]
        potentials[:, first + STOP] -= potentials[:, first + CODING + 2]
    return potentials
