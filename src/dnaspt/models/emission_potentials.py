"""Class scores of each base, from any network, to the potentials of a gene model."""

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


def class_scores(emissions: np.ndarray) -> np.ndarray:
    """Scores (n, K) float32 of the classes of each base, from a head's emissions (n, K): 0 for the best class of a base.

    The others are lower, but never lower than `LEAST_PROBABILITY` allows. Emissions of a softmax are log-probabilities, but for a
    constant of the base; those of a CRF are its scores of single bases, without those of its transitions.

    Raises:
        NotFiniteError: emissions that are NaN.
    """
    scores = emissions - emissions.max(1, keepdims=True)
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
