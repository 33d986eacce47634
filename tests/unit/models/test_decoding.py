"""What decoding gets and gives has defaults that ask for nothing."""

import numpy as np

from dnaspt.models.decoding import NO_STATES, Decoded, DecodingContext, GeneRules


def test_a_context_asks_for_nothing_but_a_sequence() -> None:
    context = DecodingContext(np.zeros(3, np.uint8))
    assert (context.first, context.before, context.after, context.grammar) == (0, None, None, None)
    assert not context.average_strands


def test_rules_of_a_gene_model_allow_genes_that_are_cut() -> None:
    rules = GeneRules(np.zeros(1, np.int8), np.zeros(1, bool), np.zeros(1, bool), np.zeros(1, np.int8))
    assert not rules.complete
    assert rules.min_intron_bp == 0


def test_a_path_without_states_has_none() -> None:
    assert len(Decoded(np.zeros(2, np.int8), np.ones(2, np.float32), NO_STATES).states) == 0
