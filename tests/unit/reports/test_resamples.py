from dataclasses import replace

import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import ttest_1samp
from tests.unit.reports.cases import gene_scores, window_scores

from dnaspt.evaluation.gene_metrics import LEVELS
from dnaspt.evaluation.metrics import auroc, mcc, mcc_score
from dnaspt.evaluation.pooled import pool_counts
from dnaspt.reports.resamples import N_RESAMPLES, Resamples, resampled_scores


@pytest.mark.parametrize(
    ("n_seeds", "n_blocks", "block_sd"), [(3, 25, 0.0), (3, 25, 1.0), (3, 6, 1.0), (1, 6, 1.0), (5, 100, 0.3)]
)
def test_95_percent_intervals_cover_the_truth_95_times_in_100(n_seeds: int, n_blocks: int, block_sd: float) -> None:
    """Normal noise of seeds and of blocks around 0; a little more is allowed, less is not."""
    rng, n = np.random.default_rng(0), 1000
    covered = 0
    for _ in range(n):
        seeds = rng.normal(0, 1, n_seeds) if n_seeds > 1 else np.zeros(1)
        blocks = rng.normal(0, block_sd * np.sqrt(n_blocks), n_blocks)
        drawn = blocks[rng.integers(n_blocks, size=(500, n_blocks))].mean(axis=1)
        score = Resamples(seeds + blocks.mean(), seeds[:, None] + drawn, (n_blocks,)).score()
        covered += score.low <= 0 <= score.high
    assert 0.92 <= covered / n <= 0.99


def test_one_block_has_no_interval() -> None:
    score = Resamples(np.array([0.5, 0.6]), np.full((2, 10), 0.55), (1,)).score()
    assert score.value == pytest.approx(0.55) and np.isnan(score.low) and np.isnan(score.high)


@pytest.mark.parametrize(
    ("n_seeds", "n_blocks", "level"), [(1, 25, 0.95), (3, 25, 0.95), (5, 100, 0.95), (3, 25, 0.975)]
)
def test_a_detectable_gain_is_seen_four_times_in_five(n_seeds: int, n_blocks: int, level: float) -> None:
    """Normal noise of seeds and of blocks around a gain of that size, which is computed from the noise."""
    rng, n = np.random.default_rng(0), 1000
    spread = 1.0 if n_seeds > 1 else 0.0

    def draw(gain: float) -> Resamples:
        seeds, blocks = gain + rng.normal(0, spread, n_seeds), rng.normal(0, np.sqrt(n_blocks), n_blocks)
        drawn = blocks[rng.integers(n_blocks, size=(500, n_blocks))].mean(axis=1)
        return Resamples(seeds + blocks.mean(), seeds[:, None] + drawn, (n_blocks,))

    size = float(np.mean([draw(0).detectable(level) for _ in range(n)]))
    seen = sum(draw(size).score(level).low > 0 for _ in range(n))
    assert 0.74 <= seen / n <= 0.88


def test_a_detectable_gain_does_not_depend_on_the_gain_that_was_observed() -> None:
    rng = np.random.default_rng(1)
    values, resampled = rng.normal(0, 0.1, 3), rng.normal(0, 0.1, (3, 200))
    sizes = [Resamples(values + gain, resampled + gain, (20,)).detectable() for gain in (0, 0.5)]
    assert sizes[1] == pytest.approx(sizes[0])


def test_with_one_seed_and_many_blocks_a_detectable_gain_is_two_quantiles_times_the_standard_error() -> None:
    drawn = 0.3 + 0.1 * ndtri((np.arange(2000) + 0.5) / 2000)[None]
    expected = (ndtri(0.975) + ndtri(0.8)) * 0.1
    assert Resamples(np.array([0.5]), drawn, (10_000,)).detectable() == pytest.approx(expected, rel=0.01)


def test_without_spread_no_detectable_gain_is_known() -> None:
    assert np.isnan(Resamples(np.zeros(1), np.zeros((1, 9)), (5,)).detectable())
    assert np.isnan(Resamples(np.array([0.5, 0.6]), np.full((2, 10), 0.55), (1,)).detectable())


def test_resamples_of_genes_vary_around_their_score() -> None:
    scores, counts = gene_scores([9, 5, 8, 7, 6, 9, 8, 7])
    drawn = resampled_scores(counts, "mcc")
    assert drawn.shape == (N_RESAMPLES,) and drawn.mean() == pytest.approx(scores.primary.value, abs=0.01)
    assert mcc_score(counts.confusions).low == np.percentile(drawn, 2.5)


@pytest.mark.parametrize(("metric", "index"), [("mean_auroc", 0), ("mean_auprc", 1)])
def test_resamples_of_windows_are_those_of_their_metric(metric: str, index: int) -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(2, size=(200, 2))
    scores, counts = window_scores(truth + rng.normal(size=truth.shape), truth)
    assert scores.windows is not None
    mean = (scores.windows.labels.mean_auroc, scores.windows.labels.mean_auprc)[index]
    assert resampled_scores(counts, metric).mean() == pytest.approx(mean.value, abs=0.01)


def test_blocks_that_are_drawn_within_small_folds_have_wider_intervals() -> None:
    """Normal noise of blocks in 4 folds of 3: 12 blocks drawn among 12 would make intervals that are too narrow."""
    rng, n, folds = np.random.default_rng(0), 1000, np.repeat(np.arange(4), 3)
    covered = 0
    for _ in range(n):
        blocks = rng.normal(0, 1, 12)
        chosen = rng.integers(3, size=(500, 12)) + 3 * folds
        drawn = blocks[chosen].mean(axis=1)[None]
        score = Resamples(blocks.mean(keepdims=True), drawn, (3, 3, 3, 3)).score()
        covered += score.low <= 0 <= score.high
    assert 0.93 <= covered / n <= 0.98


def test_one_block_in_each_fold_has_no_interval_and_one_among_others_widens() -> None:
    values, drawn = np.array([0.1]), np.random.default_rng(0).normal(0.1, 0.05, (1, 500))
    assert np.isnan(Resamples(values, drawn, (1, 1, 1)).score().low)
    alone, beside = (Resamples(values, drawn, blocks).score() for blocks in ((9, 9), (9, 9, 1)))
    assert beside.high - beside.low > alone.high - alone.low


def test_folds_as_repeats_have_the_interval_of_students_t() -> None:
    gains = np.array([0.02, -0.01, 0.03, 0.05])
    found = Resamples(gains[:1], np.zeros((1, 9)), (8,), gains[None]).over_folds()
    expected = ttest_1samp(gains, 0).confidence_interval(0.95)
    assert (found.value, found.low, found.high) == pytest.approx((gains.mean(), expected.low, expected.high))
    with_nan = Resamples(gains[:1], np.zeros((1, 9)), (8,), np.append(gains, np.nan)[None]).over_folds()
    assert with_nan == found
    assert np.isnan(Resamples(gains[:1], np.zeros((1, 9)), (8,), gains[None, :2]).over_folds().low)


def test_genes_of_folds_are_scored_fold_by_fold() -> None:
    each = [
        replace(counts, levels=np.stack([counts.confusions.reshape(-1, 4)] * len(LEVELS), axis=1))
        for counts in (gene_scores(n_right)[1] for n_right in ([9, 5, 8], [7, 6]))
    ]
    pooled = pool_counts(each)
    assert pooled.folds.tolist() == [1, 1, 1, 2, 2]
    of_folds = [mcc(counts.confusions.sum(axis=0)) for counts in each]
    found = Resamples.of(0.5, pooled, "mcc")
    assert found.of_folds.tolist() == [of_folds] and found.blocks == (5,)
    exons = Resamples.of_genes(pooled, "exon")
    assert exons.of_folds[0].tolist() == [Resamples.of_genes(counts, "exon").value for counts in each]


def test_windows_of_folds_are_scored_fold_by_fold() -> None:
    rng = np.random.default_rng(0)
    each = []
    for _ in range(2):
        truth = rng.integers(2, size=(60, 2))
        each.append(window_scores(truth + rng.normal(size=truth.shape), truth)[1])
    pooled = pool_counts(each)
    found = Resamples.of(0.5, pooled, "mean_auroc")
    assert found.of_folds[0] == pytest.approx([auroc(own.truth, own.logits).mean() for own in each])
    assert found.blocks == tuple(own.n_blocks for own in each)
