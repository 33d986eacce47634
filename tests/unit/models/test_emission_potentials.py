"""Class probabilities of other networks as potentials: a path scores the sum over the classes of its bases."""

import numpy as np
import pytest

from dnaspt.errors import NotFiniteError
from dnaspt.genome import alphabet
from dnaspt.genome.gene_states import ACCEPTOR, CDS, DONOR, INTRON, MINUS, NONCODING
from dnaspt.models.emission_potentials import (
    LEAST_PROBABILITY,
    column_potentials,
    limited_scores,
    log_probabilities,
    shared_moves,
)
from dnaspt.models.gene_model import penalize_soft_masked
from dnaspt.models.gene_structure import FORBIDDEN, MINUS_COLUMNS, N_COLUMNS, PLUS

#     CC ATG AA | GT CC AG | A TGA CC: the intron of phase 2 splits AAA
SEQUENCE = "CCATGAAGTCCAGATGACC"
CLASSES = [NONCODING] * 2 + [CDS] * 5 + [DONOR] + [INTRON] * 4 + [ACCEPTOR] + [CDS] * 4 + [NONCODING] * 2
COLUMNS = [0, 0, 12, 1, 2, 0, 1, 8, 5, 5, 5, 5, 11, 2, 0, 1, 13, 0, 0]
"""Column of each base as a class of its own, counted from the strand's first; 0 at both ends is intergenic."""
IN_GENE = slice(2, -2)


def path_score(potentials: np.ndarray, first: int) -> float:
    """Score of the gene's path by content and signals, as gene_structure adds them up."""
    content = [0, 1, 2, 0, 1, 5, 5, 5, 5, 5, 5, 2, 0, 1, 2]
    score = potentials[[0, 1, -2, -1], 0].sum()
    score += sum(potentials[2 + base, first + column] for base, column in enumerate(content))
    signals = ((2, 12), (7, 8), (12, 11), (16, 13))
    return float(score + sum(potentials[base, first + column] for base, column in signals))


@pytest.mark.parametrize("strand", [0, 1])
def test_a_path_scores_the_sum_of_nine_classes(strand: int) -> None:
    assert len(SEQUENCE) == len(CLASSES) == len(COLUMNS)
    logs = np.log(np.random.default_rng(strand).dirichlet(np.ones(9), len(SEQUENCE))).astype(np.float32)
    classes = np.array(CLASSES) + np.where(np.array(CLASSES) == NONCODING, 0, MINUS * strand)
    potentials = column_potentials(logs)
    assert potentials.shape == (len(SEQUENCE), N_COLUMNS)
    expected = logs[np.arange(len(logs)), classes].sum()
    assert path_score(potentials, (PLUS, MINUS_COLUMNS)[strand]) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("width", "strand"), [(29, 0), (29, 1), (15, 0)])
def test_a_path_scores_the_sum_of_phase_aware_classes(width: int, strand: int) -> None:
    logs = np.log(np.random.default_rng(width).dirichlet(np.ones(width), len(SEQUENCE))).astype(np.float32)
    first = (PLUS, MINUS_COLUMNS)[strand]
    columns = np.array(COLUMNS)
    columns[IN_GENE] += first
    content = np.array([0, 1, 2, 0, 1, 5, 5, 5, 5, 5, 5, 2, 0, 1, 2])
    columns[IN_GENE] = np.where(np.isin(np.array(COLUMNS)[IN_GENE], (8, 11, 12, 13)), columns[IN_GENE], first + content)
    expected = logs[np.arange(len(logs)), columns].sum()
    assert path_score(column_potentials(logs), first) == pytest.approx(expected, rel=1e-5)


def test_fifteen_classes_leave_nothing_on_the_minus_strand() -> None:
    potentials = column_potentials(np.zeros((4, 15), np.float32))
    assert (potentials[:, MINUS_COLUMNS:] == FORBIDDEN).all() and (potentials[:, :MINUS_COLUMNS] == 0).all()


def test_logits_and_probabilities_give_the_same_logarithms() -> None:
    logits = np.random.default_rng(0).standard_normal((50, 9)) * 3
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    by_logits = log_probabilities(logits + 1000, are_logits=True)
    assert np.allclose(by_logits, log_probabilities(probabilities, are_logits=False), atol=1e-5)
    sure = log_probabilities(np.array([[0.0, 1.0]]), are_logits=False)
    assert np.allclose(sure, [[np.log(LEAST_PROBABILITY), 0]])
    assert np.allclose(log_probabilities(np.array([[-np.inf, 0.0]]), are_logits=True), sure)


def test_a_soft_masked_base_costs_its_nats_in_coding_columns_alone() -> None:
    potentials = np.zeros((4, N_COLUMNS), np.float32)
    penalize_soft_masked(potentials, alphabet.encode("AcgT"), 0.5)
    expected = np.zeros((4, N_COLUMNS))
    expected[1:3, [1, 2, 3, 15, 16, 17]] = -0.5
    assert np.array_equal(potentials, expected)
    penalize_soft_masked(potentials, alphabet.encode("acgt"), 0)
    assert np.array_equal(potentials, expected)


def test_limited_scores_are_those_given_but_for_a_constant_of_the_base_and_never_too_sure() -> None:
    emissions = np.random.default_rng(0).standard_normal((50, 9)).astype(np.float32) * 3
    emissions[7] = [40, *[0] * 8]
    shifts = np.random.default_rng(1).standard_normal((50, 1)).astype(np.float32) * 100
    scores = limited_scores(emissions)
    assert scores.dtype == np.float32 and (scores.max(1) == 0).all()
    assert np.allclose(limited_scores(emissions + shifts), scores, atol=1e-4)
    assert np.allclose(scores[7], [0, *[np.log(LEAST_PROBABILITY)] * 8])
    sure = (emissions - emissions.max(1, keepdims=True)) < np.log(LEAST_PROBABILITY)
    logs = log_probabilities(emissions, are_logits=True)
    logs -= logs.max(1, keepdims=True)
    assert np.allclose(np.where(sure, 0, scores), np.where(sure, 0, logs), atol=1e-5)
    emissions[3, 2] = np.nan
    with pytest.raises(NotFiniteError, match="NaN"):
        limited_scores(emissions)


def test_shared_moves_give_a_path_the_score_that_the_chain_gives_it() -> None:
    random = np.random.default_rng(5)
    emissions, transitions = random.standard_normal((len(SEQUENCE), 9)), random.standard_normal((9, 9)) * 3
    moves = shared_moves(transitions)
    expected, scores = [], []
    for strand, first in enumerate((PLUS, MINUS_COLUMNS)):
        path = np.array(CLASSES) + np.where(np.array(CLASSES) == NONCODING, 0, MINUS * strand)
        potentials = column_potentials((emissions + moves.classes).astype(np.float32))
        if strand:  # along the forward strand a minus gene begins with its stop codon
            path, potentials = path[::-1], column_potentials((emissions + moves.classes).astype(np.float32)[::-1])
        expected.append(emissions[np.arange(len(path)), path].sum() + transitions[path[:-1], path[1:]].sum())
        scores.append(path_score(potentials, first) + moves.gene - transitions[NONCODING, NONCODING])
    assert np.mean(scores) == pytest.approx(np.mean(expected), abs=1e-3)  # what a gene adds is the mean of both strands


def test_what_moves_between_emissions_and_transitions_changes_no_score() -> None:
    random = np.random.default_rng(6)
    transitions, shifts = random.standard_normal((9, 9)), random.standard_normal(9)
    first, second = shared_moves(transitions), shared_moves(transitions - shifts)  # added to emissions of the class
    again = second.classes + shifts
    runs = [CDS, INTRON, CDS + MINUS, INTRON + MINUS, NONCODING]
    assert np.allclose(first.classes[runs], again[runs]) and first.gene == pytest.approx(second.gene)
    for donor, acceptor in ((DONOR, ACCEPTOR), (DONOR + MINUS, ACCEPTOR + MINUS)):  # every intron has one of each
        assert first.classes[donor] + first.classes[acceptor] == pytest.approx(again[donor] + again[acceptor])
