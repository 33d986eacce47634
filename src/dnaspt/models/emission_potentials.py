"""Class probabilities of each base, from any network, to the potentials of a gene model; a gene model that has seen no gene."""

import numpy as np

from dnaspt.genome.gene_states import ACCEPTOR as ACCEPTOR_CLASS
from dnaspt.genome.gene_states import CDS, GENE_STATES, MINUS, NONCODING
from dnaspt.genome.gene_states import DONOR as DONOR_CLASS
from dnaspt.genome.gene_states import INTRON as INTRON_CLASS
from dnaspt.genome.genetic_code import STANDARD, GeneticCode
from dnaspt.models.decoding import Decoded, DecodingContext
from dnaspt.models.gene_model import (
    EXON_LENGTHS,
    FORBIDDEN,
    INTRON_LENGTHS,
    N_SENSORS,
    WEIGHT_NAMES,
    GeneModel,
    Shares,
    penalize_soft_masked,
)
from dnaspt.models.gene_model_head import decode_genes, rules_of
from dnaspt.models.gene_structure import (
    ACCEPTOR,
    CODING,
    DONOR,
    INTERGENIC,
    INTRON,
    MINUS_COLUMNS,
    N_COLUMNS,
    START,
    STOP,
    STRAND_COLUMNS,
)
from dnaspt.models.kernels.crf_viterbi import Emissions
from dnaspt.models.length_densities import GeneLengths, GeneParts
from dnaspt.models.sensors import Sensors

N_CLASSES = len(GENE_STATES.names)
WIDTHS = (N_CLASSES, MINUS_COLUMNS, N_COLUMNS)
"""Numbers of classes that are understood: 9 (`GENE_STATES`), 15 (the columns of the plus strand), 29 (those of both strands)."""
LEAST_PROBABILITY = 1e-6
"""A class never counts as less probable: a network that is sure and wrong at one base must not decide about a gene."""
_PRIOR_SHARES = Shares(between=0.5, exon=0.2, intron=0.3)
_PRIOR_MB = 1_000


def log_probabilities(rows: np.ndarray, *, are_logits: bool) -> np.ndarray:
    """Log-probabilities (n, K) float32 of the classes, from probabilities or from logits (n, K)."""
    rows = np.asarray(rows, np.float64)
    if are_logits:
        rows = rows - rows.max(1, keepdims=True)
        rows = rows - np.log(np.exp(rows).sum(1, keepdims=True))
    else:
        rows = np.log(np.maximum(rows, LEAST_PROBABILITY))
    return np.asarray(np.maximum(rows, np.log(LEAST_PROBABILITY)), np.float32)


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


def prior_gene_model(genes_per_mb: float, genetic_code: GeneticCode = STANDARD) -> GeneModel:
    """A gene model without sensors, whose lengths are the priors of `length_densities`.

    Args:
        genes_per_mb: genes in a megabase of sequence between genes.
        genetic_code: which codons start and stop a gene.
    """
    lengths = GeneLengths.fit(GeneParts.of([]), intergenic_bp=_PRIOR_MB * 1e6, n_genes=_PRIOR_MB * genes_per_mb)
    weights = np.zeros(len(WEIGHT_NAMES))
    weights[[EXON_LENGTHS, INTRON_LENGTHS]] = 1
    return GeneModel(Sensors.zero(), lengths, weights, _PRIOR_SHARES, genetic_code)


class EmissionDecoder:
    """Decodes class probabilities of each base by a gene model: its lengths, moves and sensors.

    Args:
        model: the gene model; its site scores have no part.
        weight: what the log-probabilities are multiplied by.
    """

    def __init__(self, model: GeneModel, weight: float = 1.0) -> None:
        self._model, self._weight = model, np.float32(weight)
        self._has_sensors = bool(model.weights[:N_SENSORS].any())

    def decode(self, emissions: Emissions, context: DecodingContext, *, with_posterior: bool = True) -> Decoded:
        """The best genes of one sequence, from the log-probabilities of its classes (L, K)."""
        codes, softmask = context.codes, rules_of(context).softmask

        def between(start: int, stop: int) -> np.ndarray:
            rows = self._weight * column_potentials(np.asarray(emissions[start:stop]))
            first, last = context.first + start, context.first + stop
            if self._has_sensors:
                rows += self._model.sensors.potentials(codes, self._model.weights[:N_SENSORS], first, last)
            penalize_soft_masked(rows, codes[first:last], softmask)
            return rows

        return decode_genes(self._model, between, len(emissions), context, with_posterior=with_posterior)
