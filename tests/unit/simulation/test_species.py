"""Tables of a species, and the sequence that is drawn from them."""

import numpy as np
import pytest

from dnaspt.genome import alphabet
from dnaspt.genome.genetic_code import CODONS, STANDARD
from dnaspt.simulation.species import (
    CODON_CODES,
    ORDER,
    SENSE,
    STOP_USAGE,
    Pool,
    make_species,
    sample_chain,
    sample_weights,
    weights,
)


def test_the_simulated_species_uses_every_stop_codon() -> None:
    assert set(STOP_USAGE) == set(STANDARD.stops) and sum(STOP_USAGE.values()) == pytest.approx(1)


def test_sense_codons_are_all_but_the_stops() -> None:
    assert {CODONS[index] for index in SENSE} == set(CODONS) - set(STANDARD.stops)
    assert [alphabet.decode(codes) for codes in CODON_CODES] == list(CODONS)


def test_weights_give_the_rest_to_the_other_bases() -> None:
    matrix = weights("A60 G30", "T100", "C40")
    assert np.allclose(matrix, [[0.6, 0.05, 0.3, 0.05], [0, 0, 0, 1], [0.2, 0.4, 0.2, 0.2]])


def test_drawn_motifs_have_the_frequencies_of_their_matrix() -> None:
    rng, matrix = np.random.default_rng(0), weights("A60 G30", "T100")
    drawn = np.stack([sample_weights(rng, matrix) for _ in range(4000)])
    shares = np.stack([(drawn == base).mean(axis=0) for base in range(4)], axis=1)
    assert np.abs(shares - matrix).max() < 0.03


def test_two_seeds_are_two_species_and_one_seed_is_one() -> None:
    first, again, other = make_species(3), make_species(3), make_species(4)
    assert np.array_equal(first.codons, again.codons) and not np.array_equal(first.codons, other.codons)
    assert all(np.array_equal(a, b) for a, b in zip(first.repeats, again.repeats, strict=True))
    for table in (*first.bases.values(), first.codons):
        assert (np.diff(table, axis=1) >= 0).all() and (table[:, -1] == 1).all()


def test_a_chain_follows_its_table() -> None:
    """Of order 4 over bases: the frequency of the next base after each context is that of the table."""
    table = make_species(0).bases["intron"]
    symbols = sample_chain(np.random.default_rng(0), table, 400_000).astype(np.int64)
    assert len(symbols) >= 400_000 and symbols.max() == 3
    context = sum(symbols[i : len(symbols) - ORDER + i] * 4 ** (ORDER - 1 - i) for i in range(ORDER))
    counts = np.zeros((4**ORDER, 4))
    np.add.at(counts, (context, symbols[ORDER:]), 1)
    frequent = counts.sum(axis=1) > 2000
    found = counts[frequent] / counts[frequent].sum(axis=1, keepdims=True)
    expected = np.diff(table[frequent], axis=1, prepend=0)
    assert frequent.sum() > 40 and np.abs(found - expected).max() < 0.05


def test_sequence_outside_of_islands_has_few_cpgs() -> None:
    rates = {}
    for kind in ("island", "intergenic"):
        codes = sample_chain(np.random.default_rng(0), make_species(0).bases[kind], 100_000)
        n_c, n_g = (np.count_nonzero(codes == base) for base in (alphabet.C, alphabet.G))
        rates[kind] = len(alphabet.cpg_positions(codes)) * len(codes) / (n_c * n_g)
    assert rates["intergenic"] < 0.5 < 0.8 < rates["island"]


def test_a_pool_gives_every_symbol_once() -> None:
    table = make_species(0).bases["utr"]
    pool = Pool(np.random.default_rng(5), table, 640)
    whole = sample_chain(np.random.default_rng(5), table, 640)
    assert np.array_equal(np.concatenate([pool.take(n) for n in (1, 99, 540)]), whole)
    taken = pool.take(10)
    taken[:] = 9
    assert pool.take(630).max() <= 3
