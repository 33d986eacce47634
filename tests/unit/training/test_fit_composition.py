"""Labels of windows from their k-mers, cross-fitted."""

import numpy as np
import pytest
import torch

from dnaspt.data.dataset import Split
from dnaspt.evaluation.metrics import auroc
from dnaspt.genome.gene_states import MISSING
from dnaspt.models.composition import Composition
from dnaspt.training.fit_composition import N_GROUPS, fit_composition, neighbor_groups

WINDOW_BP = 256


def windows(n: int, labels: np.ndarray, gc: np.ndarray, seed: int = 0) -> Split:
    """Windows end to end on a contig; gc: share of G and C of each (n,)."""
    generator = np.random.default_rng(seed)
    probabilities = np.stack([1 - gc, gc, gc, 1 - gc], axis=1) / 2
    codes = np.stack([generator.choice(4, WINDOW_BP, p=own) for own in probabilities]).astype(np.uint8)
    start = np.arange(n) * WINDOW_BP
    return Split(
        chrom=np.full(n, "chr1"),
        start=start,
        end=start + WINDOW_BP,
        strand=np.full(n, "."),
        codes=codes.ravel(),
        offsets=np.arange(n + 1) * WINDOW_BP,
        labels=labels.astype(np.int8).ravel(),
        label_offsets=np.arange(n + 1) * labels.shape[1],
        per_base=False,
    )


def labeled(n: int = 400, seed: int = 0) -> Split:
    """Windows of two labels: the first is true where there is more G and C, the second at random."""
    generator = np.random.default_rng(seed)
    truth = generator.random((n, 2)) < 0.3
    return windows(n, truth, np.where(truth[:, 0], 0.56, 0.44), seed)


def log_odds_of(fitted: object, split: Split, n_labels: int) -> np.ndarray:
    module = Composition(n_labels)
    module.set(fitted.scores, fitted.constant)  # type: ignore[attr-defined]
    return module(torch.from_numpy(split.codes.reshape(len(split), -1))).numpy()


def test_a_label_that_composition_knows_is_predicted_and_another_one_is_not() -> None:
    train, new = labeled(seed=0), labeled(seed=1)
    fitted = fit_composition(train, 2)
    truth = new.labels.reshape(-1, 2)
    areas = auroc(truth, log_odds_of(fitted, new, 2))
    assert areas[0] > 0.95 and fitted.auroc[0] > 0.95
    assert 0.4 < areas[1] < 0.6 and 0.35 < fitted.auroc[1] < 0.65


def test_log_odds_are_calibrated_on_new_windows() -> None:
    fitted = fit_composition(labeled(1000), 2)
    new = labeled(1000, seed=1)
    truth, log_odds = new.labels.reshape(-1, 2), log_odds_of(fitted, new, 2)
    nats = np.logaddexp(0, -(2 * truth - 1) * log_odds).mean(axis=0)
    entropy = -(0.3 * np.log(0.3) + 0.7 * np.log(0.7))
    assert nats[0] < 0.3 * entropy
    assert nats[1] == pytest.approx(entropy, abs=0.03)


def test_windows_are_scored_by_models_that_did_not_learn_them() -> None:
    """Labels of random windows: a model that has seen them ranks them far better than chance."""
    generator = np.random.default_rng(0)
    split = windows(200, generator.random((200, 1)) < 0.5, np.full(200, 0.5))
    fitted = fit_composition(split, 1)
    assert fitted.auroc[0] < 0.62


def test_groups_are_neighbors_of_equal_size() -> None:
    groups = neighbor_groups(labeled(1000))
    assert (np.diff(groups) >= 0).all() and groups.max() == N_GROUPS - 1
    assert np.bincount(groups).min() > 100


def test_missing_labels_have_no_say_and_rare_ones_have_their_frequency() -> None:
    train = labeled()
    known = fit_composition(train, 2)
    labels = train.labels.reshape(-1, 2).copy()
    labels[:, 1] = 0
    labels[7, 1] = 1
    rare = fit_composition(windows(400, labels, np.full(400, 0.5)), 2)
    assert not rare.scores[1].any()
    assert rare.constant[1] == pytest.approx(np.log(2 / 400))
    labels = train.labels.reshape(-1, 2).copy()
    more = Split(
        chrom=np.full(500, "chr1"),
        start=np.arange(500) * WINDOW_BP,
        end=np.arange(1, 501) * WINDOW_BP,
        strand=np.full(500, "."),
        codes=np.concatenate([train.codes, np.zeros(100 * WINDOW_BP, np.uint8)]),
        offsets=np.arange(501) * WINDOW_BP,
        labels=np.concatenate([labels, np.full((100, 2), MISSING, np.int8)]).ravel(),
        label_offsets=np.arange(501) * 2,
        per_base=False,
    )
    with_missing = fit_composition(more, 2)
    assert with_missing.auroc[0] == pytest.approx(known.auroc[0], abs=0.02)
