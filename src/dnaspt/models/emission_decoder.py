"""A gene model that has seen no gene, and the decoding of any network's class probabilities by a gene model."""

import numpy as np

from dnaspt.genome.genetic_code import STANDARD, GeneticCode
from dnaspt.models.decoding import Decoded, DecodingContext
from dnaspt.models.emission_potentials import column_potentials
from dnaspt.models.gene_model import (
    EXON_LENGTHS,
    INTRON_LENGTHS,
    N_SENSORS,
    WEIGHT_NAMES,
    GeneModel,
    Shares,
    penalize_soft_masked,
)
from dnaspt.models.gene_model_head import decode_genes, rules_of
from dnaspt.models.kernels.crf_viterbi import Emissions
from dnaspt.models.length_densities import GeneLengths, GeneParts
from dnaspt.models.sensors import Sensors

_PRIOR_SHARES = Shares(between=0.5, exon=0.2, intron=0.3)
_PRIOR_MB = 1_000


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
