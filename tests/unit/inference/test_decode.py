import numpy as np
import pytest
from tests.unit.inference.small_models import GENES, decoded, model_of, predict_sequence, random_codes

from dnaspt.genome.alphabet import N
from dnaspt.genome.gene_states import CDS, GENE_STATES, MINUS, NONCODING, illegal_positions
from dnaspt.inference import decode
from dnaspt.inference.decode import unknown_runs
from dnaspt.models.heads import DecodingContext


@pytest.mark.parametrize("head", ["crf", "softmax"])
def test_no_coding_base_lies_in_a_long_run_of_n(head: str) -> None:
    codes = random_codes(4000)
    codes[900:1400] = codes[2000:2040] = codes[2500:2551] = codes[3900:] = N
    model = model_of(GENES.model_copy(update={"head": head}))
    # A model that calls everything coding: a gene has to end where the run begins.
    model.head.trunk.linear.bias.data[CDS] += 50
    path, posterior = decoded(model, codes)
    for run in (slice(910, 1390), slice(2510, 2541), slice(3910, 3990)):
        assert (path[run] == NONCODING).all()
        assert (posterior[run] == 1).all()
    assert (path[[800, 2020]] == CDS).all()
    if head == "crf":
        assert not len(illegal_positions(path, GENE_STATES))


def test_decoding_between_runs_of_n_is_exact() -> None:
    codes = random_codes(1500)
    codes[600:800] = N
    model = model_of(GENES).double()
    emissions = predict_sequence(model, codes)
    emissions[610:790, :NONCODING] = -1e4
    path, posterior = model.head.decode(emissions, DecodingContext(codes))
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
    path, posterior = decoded(model_of(GENES), np.full(500, N, np.uint8), 100, 300)
    assert (path == NONCODING).all() and (posterior == 1).all()
    assert CDS + MINUS not in path
