import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.genome.legal_labels import illegal_positions
from tests.unit.inference.small_models import GENES, decoded, model_of, predict_sequence, random_codes

from dnaspt.genome.alphabet import N, reverse_complement
from dnaspt.genome.gene_states import (
    CDS,
    GENE_STATES,
    MINUS,
    NONCODING,
    reverse_complement_labels,
)
from dnaspt.inference import decode
from dnaspt.inference.decode import class_probabilities, decode_path, predict_emissions, unknown_runs
from dnaspt.inference.emissions import ContigSlice
from dnaspt.models.codons import gene_grammar
from dnaspt.models.heads import Decoded, DecodingContext
from dnaspt.models.task_model import TaskModel


@pytest.mark.parametrize("head", ["crf", "softmax"])
def test_no_coding_base_lies_in_a_long_run_of_n(head: str) -> None:
    codes = random_codes(4000)
    codes[900:1400] = codes[2000:2040] = codes[2500:2551] = codes[3900:] = N
    model = model_of(GENES.model_copy(update={"head": head}))
    # A model that calls everything coding: a gene has to end where the run begins.
    model.head.trunk.linear.bias.data[CDS] += 50
    path, posterior, *_ = decoded(model, codes)
    for run in (slice(910, 1390), slice(2510, 2541), slice(3910, 3990)):
        assert (path[run] == NONCODING).all()
        assert (posterior[run] == 1).all()
    assert (path[[800, 2020]] == CDS).all()
    if head == "crf":
        assert not len(illegal_positions(path, GENE_STATES))


@pytest.mark.slow
def test_decoding_between_runs_of_n_is_exact() -> None:
    codes = random_codes(1500)
    codes[600:800] = N
    model = model_of(GENES).double()
    emissions = predict_sequence(model, codes)
    emissions[610:790, :NONCODING] = -1e4
    path, posterior, *_ = model.head.decode(emissions, DecodingContext(codes))
    found = decoded(model, codes)
    assert (found.path == path).all()
    assert np.abs(found.posterior - posterior).max() < 1e-6
    assert (path[:600] != NONCODING).any() and (path[800:] != NONCODING).any()


def test_a_run_of_n_counts_in_full_where_a_slice_cuts_it() -> None:
    codes = random_codes(1000)
    codes[400:500] = N
    codes[700:750] = N
    assert unknown_runs(codes, 0, 1000) == [(410, 490)]
    assert unknown_runs(codes, 480, 1000) == [(0, 10)]
    assert unknown_runs(codes, 100, 420) == [(310, 320)]
    assert unknown_runs(codes, 495, 1000) == []
    assert unknown_runs(np.full(30, N, np.uint8), 0, 30) == []
    assert decode.LONG_RUN_BP == 50


def test_a_slice_within_a_run_of_n_has_no_gene() -> None:
    path, posterior, *_ = decoded(model_of(GENES), np.full(500, N, np.uint8), 100, 300)
    assert (path == NONCODING).all() and (posterior == 1).all()
    assert CDS + MINUS not in path


def model_with_scores(seed: int, head: str = "crf") -> TaskModel:
    """A model whose chain tells the strands apart, as a trained one does."""
    model = model_of(GENES.model_copy(update={"head": head}))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.head.crf.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return model


def both_strands(model: TaskModel, codes: np.ndarray, start: int, end: int, *, codons: bool) -> Decoded:
    contig_slice = ContigSlice(codes, start, end)
    (emissions,) = predict_emissions(model, [contig_slice], average_strands=True)
    grammar = gene_grammar(stop_in_cds=True) if codons else None
    return decode_path(model, emissions, contig_slice, average_strands=True, grammar=grammar)


def with_n(seed: int, n_bp: int) -> np.ndarray:
    codes = random_codes(n_bp, seed)
    codes[n_bp // 3 : n_bp // 3 + 70] = N
    return codes


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    n_bp=st.integers(300, 1500),
    codons=st.booleans(),
    head=st.sampled_from(["crf", "crf-unconstrained"]),
    cut=st.integers(0, 100),
)
def test_of_both_strands_the_reverse_complement_is_decoded_to_the_mirror(
    seed: int, n_bp: int, codons: bool, head: str, cut: int
) -> None:
    codons = codons and head == "crf"
    model, codes = model_with_scores(seed, head).double(), with_n(seed, n_bp)
    found = both_strands(model, codes, cut, n_bp - 30, codons=codons)
    turned = both_strands(model, reverse_complement(codes), 30, n_bp - cut, codons=codons)
    np.testing.assert_array_equal(reverse_complement_labels(turned.path), found.path)
    np.testing.assert_allclose(turned.posterior[::-1], found.posterior, atol=1e-6)


@pytest.mark.parametrize("codons", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_in_float32_the_mirror_differs_in_ties_alone(seed: int, codons: bool) -> None:
    codes = with_n(seed, 6000)
    model = model_with_scores(seed)
    found = both_strands(model, codes, 0, 6000, codons=codons)
    turned = both_strands(model, reverse_complement(codes), 0, 6000, codons=codons)
    mirrored = reverse_complement_labels(turned.path)
    exact = model.double()
    (emissions,) = predict_emissions(exact, [ContigSlice.whole(codes)], average_strands=True)
    chain = exact.head.crf.mean_with_mirror(GENE_STATES.complement).chain()

    def score(path: np.ndarray) -> float:
        states = path.astype(np.int64)
        own = np.asarray(emissions)[np.arange(len(states)), states].sum()
        return float(
            own + chain.transitions[states[:-1], states[1:]].sum() + chain.start[states[0]] + chain.end[states[-1]]
        )

    assert len(set(found.path.tolist())) > 5
    assert score(mirrored) == pytest.approx(score(found.path), abs=1e-2)
    assert (mirrored == found.path).mean() > 0.99


def test_probabilities_of_both_strands_mirror_too() -> None:
    codes, model = random_codes(700), model_with_scores(3).double()
    rows = []
    for own in (codes, reverse_complement(codes)):
        (emissions,) = predict_emissions(model, [ContigSlice.whole(own)], average_strands=True)
        rows.append(class_probabilities(model, emissions, average_strands=True))
    np.testing.assert_allclose(rows[1][::-1][:, list(GENE_STATES.complement)], rows[0], atol=1e-6)
    (emissions,) = predict_emissions(model, [ContigSlice.whole(codes)], average_strands=True)
    assert np.abs(class_probabilities(model, emissions) - rows[0]).max() > 0.01
