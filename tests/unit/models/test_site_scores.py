"""The probe of sites is the linear map it says, finds planted sites, and scores each group by what was fitted on the others."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sklearn.metrics import average_precision_score
from tests.unit.models.sensor_cases import random_codes

from dnaspt.config import BASELINE_ENCODERS, PAD_TOKEN
from dnaspt.genome import alphabet
from dnaspt.models import site_scores
from dnaspt.models.cross_fitting import LabeledSequence
from dnaspt.models.encoder import DilatedEncoder, real_positions
from dnaspt.models.gene_structure import ACCEPTOR, DONOR, MINUS_COLUMNS, PLUS, START, STOP
from dnaspt.models.phase_labels import mirror_phase_labels
from dnaspt.models.sensors import SIGNALS, candidate_sites
from dnaspt.models.site_scores import (
    LETTER_OFFSETS,
    STATE_OFFSETS,
    SiteProbe,
    add_site_scores,
    fit_site_probe,
    letter_scores,
    letter_states,
    site_truth,
    site_weight_gradient,
)


def random_probe(seed: int, hidden_size: int = 3) -> SiteProbe:
    generator = torch.Generator().manual_seed(seed)
    probe = SiteProbe(hidden_size, 4)
    for tensor in (probe.weight, probe.center, probe.bias):
        tensor.copy_(torch.randn(tensor.shape, generator=generator))
    probe.offsets.copy_(torch.randint(-9, 10, probe.offsets.shape, generator=generator))
    return probe


@pytest.mark.parametrize("length", [1, 5, 40])
def test_a_score_is_the_sum_over_its_offsets(length: int) -> None:
    probe, hidden = random_probe(1), torch.randn(2, length, 3, generator=torch.Generator().manual_seed(2))
    scores = probe(hidden)
    for b in range(2):
        for i in range(length):
            for site in range(8):
                total = float(probe.bias[site])
                for index, offset in enumerate(probe.offsets[site].tolist()):
                    if 0 <= i + offset < length:
                        total += float(hidden[b, i + offset] @ probe.weight[site, index] - probe.center[site, index])
                assert float(scores[b, i, site]) == pytest.approx(total, abs=1e-4)


def test_padding_changes_no_score() -> None:
    probe, hidden = random_probe(3), torch.randn(1, 20, 3, generator=torch.Generator().manual_seed(4))
    padded = torch.cat([hidden, torch.zeros(1, 7, 3)], 1)
    real = (torch.arange(27) < 20).view(1, -1, 1)
    torch.testing.assert_close(probe(padded, real)[:, :20], probe(hidden))


def test_a_probe_comes_back_from_safetensors(tmp_path: Path) -> None:
    probe = random_probe(5)
    save_file(probe.state_dict(), tmp_path / "probe.safetensors")
    again = SiteProbe(3, 4)
    again.load_state_dict(load_file(tmp_path / "probe.safetensors"))
    hidden = torch.randn(1, 30, 3, generator=torch.Generator().manual_seed(6))
    assert torch.equal(again(hidden), probe(hidden))
    assert again.flank_bp == probe.flank_bp


def planted(seed: int, n: int = 4_000, groups: int = 3, share: float = 0.2) -> LabeledSequence:
    """Random letters of which a share of the candidate donors and starts of each strand are true."""
    codes = random_codes(seed, n)
    candidates = candidate_sites(codes)
    rng = np.random.default_rng(seed)
    labels = np.zeros(n, np.int8)
    labels[rng.random(n) < 0.05] = -100
    for column, label in (
        (0, PLUS + DONOR + 1),
        (2, PLUS + START),
        (4, MINUS_COLUMNS + DONOR),
        (6, MINUS_COLUMNS + START),
    ):
        at = np.flatnonzero(candidates[:, column] & (labels == 0))
        labels[at[rng.random(len(at)) < share]] = label
    return LabeledSequence(codes, labels, np.arange(n) * groups // n)


def states_that_know(sequences: list[LabeledSequence], noise: float):  # type: ignore[no-untyped-def]
    """Hidden states of which the first channel knows donors and the second starts, of either strand by its sign, with noise."""
    known = {}
    for sequence in sequences:
        known[sequence.codes.tobytes()] = sequence.labels
        known[alphabet.reverse_complement(sequence.codes).tobytes()] = mirror_phase_labels(sequence.labels)

    def hidden_states(codes: np.ndarray) -> np.ndarray:
        truth = site_truth(known[codes.tobytes()]).astype(np.float32)
        states = np.random.default_rng(len(codes)).normal(0, noise, (len(codes), 5)).astype(np.float32)
        states[:, 0] += truth[:, 0] - truth[:, 4]
        states[:, 1] += truth[:, 2] - truth[:, 6]
        return states

    return hidden_states


def test_planted_sites_of_both_strands_are_found_out_of_fold() -> None:
    sequences = [planted(7), planted(8)]
    fit = fit_site_probe(sequences, states_that_know(sequences, 0.1))
    truth = np.concatenate([site_truth(sequence.labels) for sequence in sequences])
    assert fit.precision["donor"] > 0.95 and fit.precision["start"] > 0.95
    assert fit.n_sites["donor"] == truth[:, [0, 4]].sum() and fit.n_sites["start"] == truth[:, [2, 6]].sum()
    known = [candidate_sites(s.codes) & (s.labels >= 0)[:, None] for s in sequences]
    for column in (0, 4, 2, 6):
        scores = np.concatenate([out[at[:, column], column] for out, at in zip(fit.scores, known, strict=True)])
        is_site = np.concatenate(
            [site_truth(s.labels)[a[:, column], column] for s, a in zip(sequences, known, strict=True)]
        )
        assert average_precision_score(is_site, scores) > 0.95


def test_signals_without_sites_score_zero_and_have_no_precision() -> None:
    sequences = [planted(9)]
    fit = fit_site_probe(sequences, states_that_know(sequences, 0.1))
    assert np.isnan(fit.precision["acceptor"]) and fit.n_sites["acceptor"] == 0 < fit.n_candidates["acceptor"]
    for column in (1, 3, 5, 7):
        assert (fit.scores[0][:, column] == 0).all()
    few = planted(9, n=300, share=0.1)
    none = fit_site_probe([few], states_that_know([few], 0.1))
    assert (none.scores[0] == 0).all()


def test_a_group_is_scored_by_a_probe_of_the_others() -> None:
    first, second, third = (planted(seed, groups=1) for seed in (10, 11, 12))
    sequences = [s._replace(groups=np.full(4_000, n)) for n, s in enumerate((first, second, third))]
    hidden_states = states_that_know(sequences, 0.7)
    fit = fit_site_probe(sequences, hidden_states)
    others = fit_site_probe(sequences[:2], hidden_states).probe
    with torch.no_grad():
        expected = others(torch.from_numpy(hidden_states(third.codes))[None])[0].numpy()
    np.testing.assert_allclose(fit.scores[2], expected, atol=0.02)  # hidden states are kept in half precision


def test_a_single_group_has_no_out_of_fold_scores() -> None:
    sequence = planted(13, groups=1)
    fit = fit_site_probe([sequence], states_that_know([sequence], 0.1))
    assert (fit.scores[0] == 0).all()
    assert fit.probe.weight.abs().sum() > 0


def test_states_that_know_nothing_score_about_zero_whatever_the_share_of_sites() -> None:
    sequences = [planted(14, share=0.05), planted(15, share=0.05)]
    rng = np.random.default_rng(16)
    fit = fit_site_probe(sequences, lambda codes: rng.normal(size=(len(codes), 2)).astype(np.float32))
    assert np.abs(fit.scores[0][:, [0, 4]]).mean() < 0.2


def test_training_on_the_other_strand_gives_the_same_probe() -> None:
    sequences = [planted(17), planted(18)]
    hidden_states = states_that_know(sequences, 0.3)
    turned = [
        LabeledSequence(alphabet.reverse_complement(s.codes), mirror_phase_labels(s.labels), s.groups[::-1])
        for s in sequences
    ]
    forward, backward = fit_site_probe(sequences, hidden_states).probe, fit_site_probe(turned, hidden_states).probe
    torch.testing.assert_close(forward.weight, backward.weight, atol=2e-3, rtol=0.02)


def test_many_examples_are_thinned_out_and_the_log_odds_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    sequences = [planted(19, n=20_000), planted(20, n=20_000)]
    hidden_states = states_that_know(sequences, 0.5)
    full = fit_site_probe(sequences, hidden_states, penalty=1.0)
    monkeypatch.setattr(site_scores, "MOST_EXAMPLES", 1_000)
    thin = fit_site_probe(sequences, hidden_states, penalty=1.0)
    at = candidate_sites(sequences[0].codes)[:, 0]
    assert np.abs(full.scores[0][at, 0] - thin.scores[0][at, 0]).mean() < 0.5


def test_hidden_states_that_are_not_kept_are_read_again_and_tiles_change_no_score(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sequences = [planted(21)]
    hidden_states = states_that_know(sequences, 0.3)
    kept = fit_site_probe(sequences, hidden_states)
    monkeypatch.setattr(site_scores, "_KEPT_BYTES", 0)
    monkeypatch.setattr(site_scores, "_TILE_BP", 700)
    np.testing.assert_allclose(fit_site_probe(sequences, hidden_states).scores[0], kept.scores[0], atol=0.02)


def test_letters_are_read_as_far_as_the_weight_arrays_read() -> None:
    assert [(row[0], row[-1] + 1) for row in LETTER_OFFSETS] == [(signal.first, signal.last) for signal in SIGNALS]
    assert letter_states(np.array([0, 3, 4, 9], np.uint8)).tolist() == [
        [1, 0, 0, 0],
        [0, 0, 0, 1],
        [0] * 4,
        [0, 1, 0, 0],
    ]
    sequence = planted(22)
    fit = fit_site_probe([sequence], letter_states, offsets=LETTER_OFFSETS, penalty=site_scores.LETTER_PENALTY)
    assert fit.probe.weight.shape == (8, 28, 4)
    assert len(STATE_OFFSETS) == len(LETTER_OFFSETS)


def test_site_scores_are_added_to_the_columns_of_their_signals() -> None:
    rng = np.random.default_rng(23)
    scores, weights = rng.normal(size=(20, 8)).astype(np.float32), np.array([1.0, 2.0, 3.0, 4.0])
    potentials = np.zeros((20, 29), np.float32)
    add_site_scores(potentials, scores, weights)
    for first, own in ((PLUS, scores[:, :4]), (MINUS_COLUMNS, scores[:, 4:])):
        for phase in range(3):
            np.testing.assert_allclose(potentials[:, first + DONOR + phase], own[:, 0])
            np.testing.assert_allclose(potentials[:, first + ACCEPTOR + phase], 2 * own[:, 1])
        np.testing.assert_allclose(potentials[:, first + START], 3 * own[:, 2])
        np.testing.assert_allclose(potentials[:, first + STOP], 4 * own[:, 3])
    assert (potentials[:, [0, PLUS, PLUS + 3, MINUS_COLUMNS + 5]] == 0).all()
    gradients = rng.normal(size=(20, 29)).astype(np.float32)
    found = site_weight_gradient(scores, gradients)
    for signal in range(4):
        alone = np.zeros((20, 29), np.float32)
        add_site_scores(alone, scores, np.eye(4)[signal])
        assert found[signal] == pytest.approx((alone * gradients).sum(), abs=1e-4)


def test_letters_are_scored_at_candidates_as_the_probe_scores_them() -> None:
    rng = np.random.default_rng(5)
    encoder = DilatedEncoder(BASELINE_ENCODERS["onehot"])
    probe = SiteProbe(encoder.config.hidden_size, max(map(len, LETTER_OFFSETS)))
    for name in ("weight", "center", "bias"):
        buffer = probe.get_buffer(name)
        buffer.copy_(torch.from_numpy(rng.normal(size=buffer.shape)))
    for column in range(8):
        own = np.array(LETTER_OFFSETS[column % 4]) * (1 if column < 4 else -1)
        probe.offsets[column, : len(own)] = torch.from_numpy(own)
    tokens = torch.from_numpy(rng.choice(5, (2, 300), p=[0.24, 0.24, 0.24, 0.24, 0.04]).astype(np.uint8))
    tokens[1, 200:] = PAD_TOKEN
    by_probe = probe(encoder(tokens), real_positions(tokens)).numpy()
    scores = letter_scores(probe, tokens, encoder.channels).numpy()
    for row, length in ((0, 300), (1, 200)):
        is_site = candidate_sites(tokens[row, :length].numpy())
        assert is_site.any(0).all()
        np.testing.assert_allclose(scores[row, :length][is_site], by_probe[row, :length][is_site], rtol=1e-4, atol=1e-4)
        assert not scores[row, :length][~is_site].any()
    assert not scores[1, 200:].any()
