"""Sensors: hand-counted tables, probabilities that sum to 1, counts that subtract, and scores that know what they should."""

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tests.unit.models.sensor_cases import random_codes, random_labels

from dnaspt.genome import alphabet
from dnaspt.genome.genetic_code import STANDARD, GeneticCode, genetic_code
from dnaspt.models.cross_fitting import LabeledSequence
from dnaspt.models.gene_structure import ACCEPTOR, CODING, DONOR, INTRON, MINUS_COLUMNS, N_COLUMNS, PLUS, START, STOP
from dnaspt.models.phase_labels import mirror_phase_labels
from dnaspt.models.sensors import (
    SIGNALS,
    WIDTH,
    SensorCounts,
    Sensors,
    add_sensors,
    candidate_sites,
    chain_table,
    fit_sensors,
    sensor_weight_gradient,
    signal_tables,
)

A, C, G, T = range(4)


def equal(first: SensorCounts, second: SensorCounts) -> bool:
    return all((getattr(first, key.name) == getattr(second, key.name)).all() for key in fields(SensorCounts))


def number(letters: str) -> int:
    return int("".join(map(str, alphabet.encode(letters))), 4)


def test_content_counts_by_hand() -> None:
    codes = alphabet.encode("ACGTACGNAAAAACT")
    labels = np.full(15, -100, np.int8)
    labels[[5, 6, 12, 13, 14]] = [PLUS + CODING + 1, PLUS + INTRON + 2, PLUS + START, PLUS + DONOR, 0]
    content = SensorCounts.of(codes, labels).content
    expected = np.zeros_like(content)
    expected[1, number("ACGTA"), C] = 1  # codon base 1
    expected[3, number("CGTAC"), G] = 1  # intron
    # Position 12 has only four known letters before it. Position 13: a donor is a base of its intron.
    expected[3, number("AAAAA"), C] = 1
    expected[4, number("AAAAC"), T] = 1
    # The other strand of position 14 has no letters before it; the others are on the plus strand.
    assert (content == expected).all()


def test_intergenic_bases_count_on_both_strands() -> None:
    codes = alphabet.encode("AAAAACGGGGG")
    labels = np.full(11, -100, np.int8)
    labels[5] = 0
    content = SensorCounts.of(codes, labels).content
    assert content.sum() == 2
    assert content[4, number("AAAAA"), C] == 1 and content[4, number("CCCCC"), G] == 1


def test_signal_counts_by_hand() -> None:
    codes = alphabet.encode("TTTTTCAGGTAAGTCCNC")
    labels = np.zeros(18, np.int8)
    labels[8] = PLUS + DONOR + 1
    counts = SensorCounts.of(codes, labels)
    donor = counts.signals[0, 0]
    assert counts.sites[0].tolist() == [1, 1]  # the decoy is the GT of AAGTCC
    assert counts.sites[1].tolist() == [0, 2]
    window = "TCAGGTAAGTCC"  # from -4 on
    for i in range(12):
        assert donor[i].sum() == 1
        before = codes[8 - 4 + i - 1]
        assert donor[i, before, alphabet.encode(window)[i]] == 1
    decoy = counts.signals[0, 1]
    assert decoy[:, :4].sum() + decoy[:, 4].sum() == decoy.sum()
    assert decoy[8].sum() == 0 and decoy[9, 4, C] == 1 and decoy[10:12].sum() == 0  # N, behind N, beyond the end


def test_missing_labels_are_neither_sites_nor_decoys() -> None:
    codes = random_codes(1, 500)
    counts = SensorCounts.of(codes, np.full(500, -100, np.int8))
    assert equal(counts, SensorCounts.zero())


def test_a_chain_table_by_hand() -> None:
    counts = np.zeros((1024, 4))
    counts[number("AAAAC"), G] = 6
    counts[number("TAAAC"), T] = 2
    table = chain_table(counts, 2.0)
    assert table.shape == (1365, 4)
    np.testing.assert_allclose(table.sum(1), 1)
    order0 = (np.array([0, 0, 6, 2]) + 2 * 0.25) / 10
    np.testing.assert_allclose(table[0], order0)
    after_c = (np.array([0, 0, 6, 2]) + 2 * order0) / 10
    np.testing.assert_allclose(table[1 + C], after_c)
    np.testing.assert_allclose(table[1 + A], order0)  # never seen: as with a letter less
    full, lower = after_c, None
    for order in (2, 3, 4):
        lower = full
        full = (np.array([0, 0, 6, 2]) + 2 * lower) / 10
        np.testing.assert_allclose(table[(4**order - 1) // 3 + number("AAAC"[-order:])], full)
    np.testing.assert_allclose(table[341 + number("AAAAC")], (np.array([0, 0, 6, 0]) + 2 * full) / 8)


def test_witten_bell_weighs_the_shorter_context_by_the_different_letters_seen() -> None:
    counts = np.zeros((1024, 4))
    counts[number("CCCCC")] = [3, 1, 0, 0]
    table = chain_table(counts, 1.0, witten_bell=True)
    order0 = (np.array([3, 1, 0, 0]) + 2 * 0.25) / 6
    np.testing.assert_allclose(table[0], order0)
    np.testing.assert_allclose(table.sum(1), 1)


def test_signal_log_odds_by_hand() -> None:
    counts = np.zeros((2, WIDTH, 5, 4))
    counts[0, 3, A, G], counts[0, 3, C, T], counts[0, 3, 4, G] = 4, 2, 2
    counts[1, 3, A, G], counts[1, 3, A, T], counts[1, 3, G, C] = 10, 30, 20
    tables = signal_tables(counts, 8.0)
    decoys = (np.array([0, 20, 10, 30]) + 1) / 64
    true = (np.array([0, 0, 6, 2]) + 8 * decoys) / 16
    np.testing.assert_allclose(tables[3, 4, :4], np.log(true / decoys), rtol=1e-5)
    after_a = (np.array([0, 0, 4, 0]) + 8 * true) / 12
    decoys_after_a = (np.array([0, 0, 10, 30]) + 8 * decoys) / 48
    np.testing.assert_allclose(tables[3, A, :4], np.log(after_a / decoys_after_a), rtol=1e-5)
    assert (tables[:, :, 4] == 0).all()  # N
    assert (tables[0, 0] == tables[0, 4]).all()


def test_what_was_never_seen_scores_zero() -> None:
    codes = random_codes(2, 2_000)
    labels = np.where(random_labels(2, 2_000) % 2 == 0, 0, PLUS + CODING).astype(np.int8)
    features = Sensors.from_counts(SensorCounts.of(codes, labels)).features(codes)
    assert (features[:, [3, 13]] == 0).all()  # no intron
    assert (features[:, [4, 5, 6, 7, 14, 15, 16, 17]] == 0).all()  # no site
    assert (features[:, 0] != 0).any()
    assert (Sensors.zero().features(codes) == 0).all()


def test_counts_subtract_to_those_of_the_rest() -> None:
    parts = [(random_codes(seed, 800), random_labels(seed, 800)) for seed in range(3)]
    counts = [SensorCounts.of(*part) for part in parts]
    total = SensorCounts.total(counts)
    assert equal(total - counts[1], SensorCounts.of(*parts[0]) + SensorCounts.of(*parts[2]))
    blocks = [SensorCounts.of(*parts[0], 0, 300), SensorCounts.of(*parts[0], 300, 800)]
    assert equal(blocks[0] + blocks[1], counts[0])


def test_counts_of_the_reverse_complement_are_the_same() -> None:
    codes, labels = random_codes(4, 900), random_labels(4, 900)
    turned = SensorCounts.of(alphabet.reverse_complement(codes), mirror_phase_labels(labels))
    assert equal(turned, SensorCounts.of(codes, labels))


def test_cross_fitted_features_come_from_the_other_groups_alone() -> None:
    sequences = [
        LabeledSequence(random_codes(seed, 1_000), random_labels(seed, 1_000), np.repeat([seed, 2], [600, 400]))
        for seed in range(2)
    ]
    fit = fit_sensors(sequences)
    rest = SensorCounts.of(*sequences[1][:2]) + SensorCounts.of(*sequences[0][:2], 600, 1_000)
    expected = Sensors.from_counts(rest).features(sequences[0].codes)
    found = fit.features(sequences[0])
    assert (found[:600] == expected[:600]).all()
    assert (fit.features(sequences[0], 550, 700) == found[550:700]).all()
    assert equal(fit.counts, SensorCounts.total(SensorCounts.of(*sequence[:2]) for sequence in sequences))
    everything = Sensors.from_counts(fit.counts)
    assert (everything.content == fit.sensors.content).all()
    alone = sequences[0]._replace(groups=np.zeros(1_000, int))
    assert (fit_sensors([alone]).features(alone) == 0).all()


def test_potentials_are_weighted_features_in_their_columns() -> None:
    codes = random_codes(5, 300)
    sensors = Sensors.from_counts(SensorCounts.of(codes, random_labels(5, 300)))
    weights = np.array([1.0, 0.5, 2.0, 3.0, 4.0, 5.0])
    features, potentials = sensors.features(codes), sensors.potentials(codes, weights)
    assert potentials.shape == (300, N_COLUMNS) and potentials.dtype == np.float32
    assert (potentials[:, 0] == 0).all()
    for first, own in ((PLUS, features[:, :10]), (MINUS_COLUMNS, features[:, 10:])):
        for i in range(3):
            np.testing.assert_allclose(potentials[:, first + CODING + i], own[:, i])
            np.testing.assert_allclose(potentials[:, first + INTRON + i], 0.5 * own[:, 3])
            np.testing.assert_allclose(potentials[:, first + DONOR + i], 2 * own[:, 4])
            np.testing.assert_allclose(potentials[:, first + ACCEPTOR + i], 3 * own[:, 5])
        np.testing.assert_allclose(potentials[:, first + START], 4 * own[:, 6] - own[:, 8], atol=1e-5)
        np.testing.assert_allclose(potentials[:, first + STOP], 5 * own[:, 7] - own[:, 9], atol=1e-5)
    more = potentials.copy()
    add_sensors(more, features, weights)
    np.testing.assert_allclose(more, 2 * potentials, atol=1e-5)
    assert (sensors.potentials(codes, weights, 40, 200) == potentials[40:200]).all()
    gradient = sensor_weight_gradient(features, potentials)
    moved = sensors.potentials(codes, weights + np.array([0, 0, 1.0, 0, 0, 0])) - potentials
    assert gradient[2] == pytest.approx((moved * potentials).sum(), rel=1e-4)


def test_the_letters_of_a_start_and_a_stop_codon_do_not_count_as_content() -> None:
    codes, at = alphabet.encode("CCCCCCATGCCCTAACCC"), 6
    sensors = Sensors.from_counts(SensorCounts.of(random_codes(6, 3_000), random_labels(6, 3_000)))
    potentials = sensors.potentials(codes, np.array([1.0, 0, 0, 0, 0, 0]))
    coding = [potentials[at + i, PLUS + CODING + i % 3] for i in range(9)]
    assert potentials[at, PLUS + START] == pytest.approx(-sum(coding[:3]), abs=1e-5)
    assert potentials[at + 8, PLUS + STOP] == pytest.approx(-sum(coding[6:]), abs=1e-5)


def test_sensors_come_back_from_safetensors(tmp_path: Path) -> None:
    code = GeneticCode(1, STANDARD.amino_acids, ("ATG", "CTG"), ("TGA",))
    codes = random_codes(7, 1_000)
    counts = SensorCounts.of(codes, random_labels(7, 1_000), genetic_code=code)
    sensors = Sensors.from_counts(counts, genetic_code=code)
    save_file(sensors.arrays(), tmp_path / "sensors.safetensors")
    again = Sensors.from_arrays(load_file(tmp_path / "sensors.safetensors"))
    assert (again.features(codes) == sensors.features(codes)).all()
    assert {name: array.shape for name, array in again.arrays().items()} == {
        name: array.shape for name, array in Sensors.zero().arrays().items()
    }


def test_candidates_follow_the_genetic_code() -> None:
    codes = alphabet.encode("CTGATGTGATAA")
    code = GeneticCode(1, STANDARD.amino_acids, ("CTG",), ("TGA",))
    assert np.flatnonzero(candidate_sites(codes, code)[:, 2]).tolist() == [0]
    assert np.flatnonzero(candidate_sites(codes, code)[:, 3]).tolist() == [3, 8]
    assert np.flatnonzero(candidate_sites(codes)[:, 2]).tolist() == [3]


def simulated(seed: int, n_genes: int) -> tuple[np.ndarray, np.ndarray]:
    """Genes of one exon with a codon usage of their own, between random letters."""
    rng = np.random.default_rng(seed)
    codons = [codon for codon in STANDARD.amino_acids if codon not in STANDARD.stops]
    usage = np.random.default_rng(0).dirichlet(np.full(len(codons), 0.3))
    letters, labels = [], []
    for _ in range(n_genes):
        for _ in range(2):
            letters.append("".join(rng.choice(list("ACGT"), 300)))
            labels += [0] * 300
        body = "".join(rng.choice(codons, 100, p=usage))
        letters[-1:] = [letters[-1][:-6] + "GCCACC", "ATG" + body + "TAA"]
        labels += [PLUS + START, PLUS + 1, PLUS + 2, *[PLUS, PLUS + 1, PLUS + 2] * 100, PLUS, PLUS + 1, PLUS + STOP]
    return alphabet.encode("".join(letters)), np.array(labels, np.int8)


@pytest.mark.parametrize("n_genes", [5, 40])
def test_few_genes_are_enough_to_tell_coding_from_intergenic(n_genes: int) -> None:
    sensors = Sensors.from_counts(SensorCounts.of(*simulated(1, n_genes)))
    codes, labels = simulated(2, 20)
    features = sensors.features(codes)
    in_frame = [features[labels == PLUS + base, base].mean() for base in range(3)]
    assert min(in_frame) > 0
    assert max(features[labels == 0, base].mean() for base in range(3)) < 0
    out_of_frame = features[labels == PLUS + 1, 0].mean()
    assert out_of_frame < in_frame[1]
    start = np.flatnonzero(candidate_sites(codes)[:, 2])
    true = labels[start] == PLUS + START
    assert features[start[true], 6].mean() > features[start[~true], 6].mean() + 1


def test_signals_read_their_bases() -> None:
    assert [(signal.name, signal.first, signal.last, signal.word_first) for signal in SIGNALS] == [
        ("donor", -4, 8, 0),
        ("acceptor", -24, 4, -1),
        ("start", -12, 9, 0),
        ("stop", -8, 7, -2),  # -6 .. 9 around the first base of the stop codon
    ]


def test_sensors_in_another_code_look_for_its_codons() -> None:
    ciliate = genetic_code(6)  # TGA alone stops
    standard = Sensors.zero()
    turned = standard.in_code(ciliate)
    assert standard.words[3].sum() == 3 and turned.words[3].sum() == 1
    assert (turned.words[:3] == standard.words[:3]).all()
    assert (turned.words == Sensors.from_counts(SensorCounts.zero(), genetic_code=ciliate).words).all()
