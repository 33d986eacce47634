"""Densities of lengths sum to 1, are smooth at the join with their tail, and hold with few lengths or none."""

import numpy as np
import pytest

from dnaspt.genome.transcripts import Transcript
from dnaspt.models.length_densities import (
    EXON_KINDS,
    PRIORS,
    GeneLengths,
    GeneParts,
    LengthDensity,
    LengthPrior,
    fit_length_density,
)

PRIOR = LengthPrior(float(np.log(200)), 1.0)


def summed(density: LengthDensity) -> float:
    """Probability of all lengths, the tail term by term as far as it counts."""
    n = int(density.n_explicit - 40 / density.tail_slope)
    return float(np.exp(density.log_density(np.arange(n))).sum())


def simulated(seed: int, n: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.maximum(np.exp(rng.normal(np.log(90), 0.3, n)), 20).astype(int)


@pytest.mark.parametrize("n", [0, 1, 5, 2_000])
@pytest.mark.parametrize(("n_explicit", "least_bp"), [(10, 10), (100, 4), (2_000, 10)])
def test_the_probabilities_of_all_lengths_sum_to_one(n: int, n_explicit: int, least_bp: int) -> None:
    density = fit_length_density(simulated(1, n), n_explicit=n_explicit, prior=PRIOR, least_bp=least_bp)
    assert len(density.log_explicit) == n_explicit + 1
    assert summed(density) == pytest.approx(1, abs=1e-9)


def test_every_length_from_the_shortest_on_is_possible_and_no_shorter_one() -> None:
    density = fit_length_density([100] * 500, n_explicit=2_000, prior=PRIOR, least_bp=10)
    assert np.isneginf(density.log_explicit[:10]).all()
    assert np.isfinite(density.log_explicit[10:]).all()
    assert np.isfinite(density.log_density(np.array([2_001, 110_000]))).all()


def test_the_tail_continues_the_density() -> None:
    density = fit_length_density(simulated(2, 300) * 10, n_explicit=1_000, prior=PRIOR)
    assert density.tail_start == density.log_explicit[-1]
    assert density.tail_slope < 0
    assert density.log_density(np.array([1_001]))[0] == pytest.approx(density.log_explicit[-1], abs=0.02)


def test_survival_is_the_probability_of_at_least_that_length() -> None:
    density = fit_length_density(simulated(3, 50), n_explicit=60, prior=PRIOR, least_bp=20)
    survival = density.log_survival()
    assert survival[0] == pytest.approx(0, abs=1e-12) and survival[20] == pytest.approx(0, abs=1e-12)
    masses = np.exp(density.log_density(np.arange(200_000)))
    for n in (21, 45, 60):
        assert survival[n] == pytest.approx(np.log(masses[n:].sum()), abs=1e-9)
    beyond = density.log_tail + density.tail_slope * (75 - 60 - 1)
    assert beyond == pytest.approx(np.log(masses[75:].sum()), abs=1e-9)


def test_another_slope_of_the_tail_keeps_the_sum_and_the_join() -> None:
    density = fit_length_density(simulated(6, 100), n_explicit=120, prior=PRIOR)
    other = density.with_tail_slope(-0.2)
    assert summed(other) == pytest.approx(1, abs=1e-9)
    assert other.tail_start == other.log_explicit[-1]
    np.testing.assert_allclose(np.diff(other.log_explicit[1:]), np.diff(density.log_explicit[1:]), atol=1e-9)


def test_without_lengths_the_density_is_the_prior() -> None:
    density = fit_length_density([], n_explicit=5_000, prior=PRIOR)
    mode = np.exp(PRIOR.mean - PRIOR.deviation**2)  # of a log-normal density
    assert int(density.log_explicit.argmax()) == pytest.approx(mode, abs=1)


def test_many_lengths_are_recovered() -> None:
    lengths = simulated(4, 20_000)
    density = fit_length_density(lengths, n_explicit=2_000, prior=PRIOR)
    expected = np.bincount(lengths, minlength=200) / len(lengths)
    shares = np.exp(density.log_explicit)
    for start in range(50, 170, 20):
        assert shares[start : start + 20].sum() == pytest.approx(expected[start : start + 20].sum(), abs=0.02)


def test_a_weight_of_two_is_a_length_twice_and_one_of_zero_is_none() -> None:
    once = fit_length_density([50, 80, 90], weights=np.array([2.0, 1, 0]), n_explicit=300, prior=PRIOR, bandwidth=0.2)
    twice = fit_length_density([50, 50, 80], n_explicit=300, prior=PRIOR, bandwidth=0.2)
    np.testing.assert_allclose(once.log_explicit, twice.log_explicit)


def test_a_smooth_sample_gets_a_wider_bandwidth_than_a_peaked_one() -> None:
    rng = np.random.default_rng(5)
    peaked = np.where(rng.random(3_000) < 0.7, rng.normal(47, 2, 3_000), rng.normal(2_000, 50, 3_000)).astype(int)
    density = fit_length_density(peaked, n_explicit=3_000, prior=PRIOR, least_bp=10)
    assert np.exp(density.log_explicit[42:53]).sum() > 0.6


def test_the_joining_of_a_short_explicit_part_is_refused() -> None:
    with pytest.raises(ValueError, match="n_explicit 5"):
        fit_length_density([], n_explicit=5, prior=PRIOR, least_bp=10)


def gene(strand: str, *cds: tuple[int, int], partial: bool = False) -> Transcript:
    return Transcript("c", strand, "g", "t", cds, is_partial=partial)


def test_parts_of_genes_are_counted_in_the_direction_of_transcription() -> None:
    genes = [
        gene("+", (0, 90)),
        gene("+", (100, 110), (200, 220), (300, 330)),
        gene("-", (400, 410), (500, 520), (700, 730), (731, 740)),  # the last gap is a frameshift
        gene("+", (800, 890), partial=True),
    ]
    parts = GeneParts.of(genes)
    assert {kind: values.tolist() for kind, values in parts.lengths.items()} == {
        "intron": [90, 80, 180, 90],
        "single": [90],
        "initial": [10, 40],
        "internal": [20, 20],
        "terminal": [30, 10],
    }
    assert (parts.n_single, parts.n_multi) == (1, 2)
    weighted = GeneParts.of(genes, [2, 0.5, 1, 1])
    assert (weighted.n_single, weighted.n_multi) == (2, 1.5)
    assert weighted.weights["internal"].tolist() == [0.5, 1]


def test_moves_come_from_counts() -> None:
    parts = GeneParts.of([gene("+", (0, 90)), gene("+", (100, 110), (200, 220), (300, 330))])
    lengths = GeneLengths.fit(parts, intergenic_bp=1e6)
    assert np.exp([lengths.log_single, lengths.log_multi]).tolist() == pytest.approx([0.5, 0.5])
    assert np.exp([lengths.log_internal, lengths.log_terminal]).tolist() == pytest.approx([0.5, 0.5])
    rate = 3 / (1e6 + 2 + 1e4)
    assert lengths.log_gene == pytest.approx(np.log(rate / 2))
    assert lengths.log_stay == pytest.approx(np.log(1 - rate))
    assert [len(density.log_explicit) for density in lengths.exons] == [6001] * 4
    assert len(lengths.intron.log_explicit) == 2001


def test_genes_without_introns_leave_the_priors() -> None:
    lengths = GeneLengths.fit(GeneParts.of([gene("-", (0, 90))] * 5), intergenic_bp=0)
    bare = fit_length_density([], n_explicit=2_000, prior=PRIORS["intron"], least_bp=10)
    np.testing.assert_allclose(lengths.intron.log_explicit, bare.log_explicit)
    assert lengths.log_single > np.log(0.8)
    assert np.isfinite([lengths.log_multi, lengths.log_internal, lengths.log_gene, lengths.log_stay]).all()
    assert [summed(density) for density in lengths.exons] == pytest.approx([1] * len(EXON_KINDS))
