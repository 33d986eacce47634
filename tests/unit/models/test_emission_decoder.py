"""A gene model that has seen no gene, and genes from class probabilities."""

import numpy as np
import pytest

from dnaspt.genome import alphabet
from dnaspt.genome.gene_states import CDS, NONCODING
from dnaspt.genome.genetic_code import genetic_code
from dnaspt.models.decoding import DecodingContext
from dnaspt.models.emission_decoder import EmissionDecoder, prior_gene_model
from dnaspt.models.gene_model_head import RULES


def test_the_prior_gene_model_has_the_density_that_was_asked_for() -> None:
    for genes_per_mb in (10, 200):
        model = prior_gene_model(genes_per_mb, genetic_code(6))
        assert np.exp(model.lengths.log_gene) == pytest.approx(genes_per_mb / 2 / (1e6 + genes_per_mb), rel=0.01)
        assert model.genetic_code is genetic_code(6)


def test_a_gene_of_clear_classes_is_decoded_and_soft_masking_can_take_it_away() -> None:
    random = np.random.default_rng(1)
    codons = random.choice(["GCT", "AAA", "CCC", "GGT"], 100)
    letters = "C" * 50 + "ATG" + "".join(codons) + "TAA" + "C" * 50
    truth = np.full(len(letters), NONCODING)
    truth[50:-50] = CDS
    logs = np.full((len(letters), 9), np.log(0.1 / 8), np.float32)
    logs[np.arange(len(letters)), truth] = np.log(0.9)
    decoder = EmissionDecoder(prior_gene_model(100))
    context = DecodingContext(alphabet.encode(letters.lower()), grammar=RULES)
    decoded = decoder.decode(logs, context)
    assert np.array_equal(decoded.path, truth)
    assert decoded.posterior.min() > 0.5
    # 0.9 against 0.0125 are 4.28 nats a base: 4 nats leave a gain, 5 do not.
    for nats, is_gene in ((4, True), (5, False)):
        masked = context._replace(grammar=RULES._replace(softmask=nats))
        assert (decoder.decode(logs, masked).path == CDS).any() == is_gene
    assert (EmissionDecoder(prior_gene_model(100), weight=0.001).decode(logs, context).path == NONCODING).all()
