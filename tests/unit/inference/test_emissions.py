from pathlib import Path

import numpy as np
import pytest
import torch
from tests.unit.inference.gene_model_runs import WITH_NETWORK, gene_model
from tests.unit.inference.small_models import (
    GENES,
    REGIONS,
    WITHOUT_CODONS,
    genes_run,
    model_of,
    predict_sequence,
    random_codes,
)

from dnaspt.checkpoint_config import NetworkConfig
from dnaspt.config import BASELINE_ENCODERS
from dnaspt.errors import NotFiniteError
from dnaspt.genome.alphabet import N, reverse_complement
from dnaspt.genome.gene_states import GENE_STATES
from dnaspt.inference import emissions as predict
from dnaspt.inference.decode import n_emissions, predict_emissions
from dnaspt.inference.emissions import ContigSlice, predict_both_strands
from dnaspt.inference.predict import predict_file
from dnaspt.models.emission_potentials import shared_moves
from dnaspt.models.heads import CRFHead
from dnaspt.models.task_model import TaskModel


@pytest.mark.parametrize("tile_bp", [97, 500, 4096])
def test_tiled_equals_untiled(tile_bp: int) -> None:
    codes = random_codes(3001)
    codes[700:900] = N
    model = model_of(GENES).double()
    with torch.no_grad():
        untiled = model(torch.from_numpy(codes)[None])[0].numpy()
    assert np.abs(predict_sequence(model, codes, tile_bp=tile_bp) - untiled).max() < 1e-10
    single = predict_sequence(model.float(), codes, tile_bp=tile_bp)
    assert np.abs(single - untiled).max() < 1e-4


def test_a_slice_reads_its_context() -> None:
    codes, model = random_codes(2000), model_of(GENES).double()
    whole = predict_sequence(model, codes)
    assert np.abs(predict_sequence(model, codes, start=300, end=900) - whole[300:900]).max() < 1e-10


def both_strands(model: TaskModel, codes: np.ndarray) -> np.ndarray:
    return np.asarray(predict_both_strands(model, [ContigSlice.whole(codes)], GENE_STATES.complement)[0])


def test_mean_of_both_strands_is_the_mean_and_reverses_with_the_sequence() -> None:
    codes, model = random_codes(800), model_of(GENES).double()
    both = both_strands(model, codes)
    backward = both_strands(model, reverse_complement(codes))
    assert np.abs(both - backward[::-1][:, list(GENE_STATES.complement)]).max() < 1e-10


def test_both_strands_of_a_long_slice_are_read_tile_by_tile(monkeypatch: pytest.MonkeyPatch) -> None:
    codes, model = random_codes(2000), model_of(GENES).double()
    whole = both_strands(model, codes)
    lengths: list[int] = []

    def counted(part: np.ndarray) -> np.ndarray:
        lengths.append(len(part))
        return reverse_complement(part)

    monkeypatch.setattr(predict, "REVERSED_BP", 137)
    monkeypatch.setattr(predict.alphabet, "reverse_complement", counted)
    out = np.empty((1300, 9))
    contig_slice = ContigSlice(codes, 400, 1700)
    (tiles,) = predict_both_strands(model, [contig_slice], GENE_STATES.complement, into=[out])
    assert tiles is out
    assert np.abs(tiles - whole[400:1700]).max() < 1e-10
    assert max(lengths) <= 137 + 2 * model.flank_bp
    assert len(lengths) == 10


def test_tiled_and_untiled_give_the_same_gff3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, genome = genes_run(tmp_path, {"chr1": random_codes(6000), "chr2": random_codes(2500, 1)})
    rows = {}
    for tile_bp in (16_384, 311):
        monkeypatch.setattr(predict, "TILE_BP", tile_bp)
        summary = predict_file(run, genome, tmp_path / "genes.gff3", WITHOUT_CODONS, overwrite=tile_bp == 311)
        assert summary.n_genes > 0
        rows[tile_bp] = [line.split("\t") for line in (tmp_path / "genes.gff3").read_text().splitlines()]
    for untiled, tiled in zip(*rows.values(), strict=True):
        assert [*untiled[:5], *untiled[6:]] == [*tiled[:5], *tiled[6:]]
        if len(tiled) == 9:
            # Sums of float32 in another order may differ in the last of the four digits that are written.
            assert float(tiled[5]) == pytest.approx(float(untiled[5]), abs=1.1e-4)


@pytest.mark.parametrize("average_strands", [False, True])
def test_logits_that_are_nan_are_an_error(average_strands: bool) -> None:
    model = model_of(REGIONS)
    with torch.no_grad():
        model.head.trunk.output.weight.fill_(torch.nan)
    with pytest.raises(NotFiniteError, match="the logits of some windows are NaN"):
        predict.predict_windows(model, [random_codes(256)], average_strands=average_strands)


def test_class_scores_of_a_network_stand_behind_the_site_scores_also_in_tiles_and_on_both_strands() -> None:
    codes, model = random_codes(2001), gene_model(config=WITH_NETWORK).double()
    assert model.network is not None and n_emissions(model) == 17
    model.head.trunk.weight.normal_(generator=torch.Generator().manual_seed(0))
    whole = predict_sequence(model, codes)
    assert whole.shape == (2001, 17)
    assert (whole[:, 8:] == predict_sequence(model.network, codes)).all()
    assert (whole[:, :8] == predict_sequence(TaskModel(model.encoder, model.head).eval(), codes)).all()
    assert model.flank_bp == max(model.network.flank_bp, TaskModel(model.encoder, model.head).flank_bp)
    assert np.abs(predict_sequence(model, codes, tile_bp=97) - whole).max() < 1e-10
    complement = model.head.emission_complement
    assert sorted(complement) == list(range(17)) and complement[8:] == tuple(8 + own for own in GENE_STATES.complement)
    (both,) = predict_emissions(model, [ContigSlice.whole(codes)], average_strands=True)
    turned = predict_sequence(model, reverse_complement(codes))[::-1]
    assert np.abs(both[:, 8:] - (whole[:, 8:] + turned[:, 8:][:, list(GENE_STATES.complement)]) / 2).max() < 1e-10
    (backward,) = predict_emissions(model, [ContigSlice.whole(reverse_complement(codes))], average_strands=True)
    assert np.abs(both - backward[::-1][:, list(complement)]).max() < 1e-10


def test_the_moves_of_a_crf_count_in_its_class_scores() -> None:
    config = WITH_NETWORK.model_copy(update={"network": NetworkConfig(encoder=GENES.encoder, head="crf")})
    codes, model = random_codes(500), gene_model(config=config)
    assert model.network is not None and isinstance(model.network.head, CRFHead)
    with torch.no_grad():
        model.network.head.crf.transitions.normal_(generator=torch.Generator().manual_seed(0))
    moves = shared_moves(model.network.head.crf.transitions.detach().numpy())
    expected = predict_sequence(model.network, codes) + moves.classes
    assert np.allclose(predict_sequence(model, codes)[:, 8:], expected, atol=1e-5)
    assert model.network.head.gene_score == pytest.approx(moves.gene)


def test_a_network_that_reads_further_than_letters_sets_the_flank_of_tiles() -> None:
    letters = WITH_NETWORK.model_copy(update={"encoder": BASELINE_ENCODERS["onehot"]})
    codes, model = random_codes(1501), gene_model(config=letters)
    assert model.network is not None and model.flank_bp == model.network.flank_bp > 0
    whole = predict_sequence(model, codes)
    assert np.abs(predict_sequence(model, codes, tile_bp=50) - whole).max() < 1e-4
    with torch.no_grad():
        assert torch.allclose(model(torch.from_numpy(codes)[None])[0, :, 8:], torch.from_numpy(whole[:, 8:]), atol=1e-4)
