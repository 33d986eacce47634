"""Masks of the language model: how many bases, which ones, and what stands in their place."""

import numpy as np
import pytest

from dnaspt.config import MASK_TOKEN, PAD_TOKEN
from dnaspt.data.masking import mask_for_training, mask_for_validation
from dnaspt.genome.alphabet import T
from dnaspt.genome.gene_states import MISSING


def test_masking_scores_15_percent_and_never_n_and_draws_letters_only() -> None:
    tokens = np.random.default_rng(0).integers(0, 5, (50, 4000)).astype(np.uint8)
    tokens[:, -100:] = PAD_TOKEN
    masked, labels = mask_for_training(tokens, 0.15, np.random.default_rng(1))
    scored = labels != MISSING
    assert scored[tokens < 4].mean() == pytest.approx(0.15, abs=0.005)
    assert not scored[tokens >= 4].any()
    assert (labels[scored] == tokens[scored]).all()
    assert (masked[~scored] == tokens[~scored]).all()
    assert (masked[scored] == MASK_TOKEN).mean() == pytest.approx(0.8, abs=0.01)
    kept = masked[scored] == tokens[scored]
    assert kept.mean() == pytest.approx(0.1 + 0.1 / 4, abs=0.01)
    assert set(np.unique(masked[scored])) == {0, 1, 2, 3, MASK_TOKEN}


def test_validation_masks_the_same_positions_every_time_all_with_the_mask_token() -> None:
    tokens = np.random.default_rng(0).integers(0, 5, 3000).astype(np.uint8)
    first, second = mask_for_validation(tokens, 0.15, 4), mask_for_validation(tokens, 0.15, 4)
    assert (first[0] == second[0]).all()
    assert (first[0][first[1] != MISSING] == MASK_TOKEN).all()


def test_published_masks_use_the_base_t_and_draw_the_mask_token_too() -> None:
    tokens = np.random.default_rng(0).integers(0, 4, (50, 4000)).astype(np.uint8)
    masked, labels = mask_for_training(tokens, 0.15, np.random.default_rng(1), as_published=True)
    scored = labels != MISSING
    assert (masked[scored] == T).mean() == pytest.approx(0.8 + 0.1 / 7 + 0.1 / 4, abs=0.01)
    assert (masked[scored] == MASK_TOKEN).mean() == pytest.approx(0.1 * 2 / 7, abs=0.005)
    assert (masked[~scored] == tokens[~scored]).all()
    fixed, truth = mask_for_validation(tokens[0], 0.15, 4, as_published=True)
    assert (fixed[truth != MISSING] == T).all()


def test_validation_positions_depend_on_seed_and_length_alone() -> None:
    rng = np.random.default_rng(0)
    first, second = (rng.integers(0, 4, 3000).astype(np.uint8) for _ in range(2))
    positions = [np.flatnonzero(mask_for_validation(tokens, 0.15, 4)[1] != MISSING) for tokens in (first, second)]
    assert (positions[0] == positions[1]).all()
    other_seed = np.flatnonzero(mask_for_validation(first, 0.15, 5)[1] != MISSING)
    assert len(other_seed) != len(positions[0]) or (other_seed != positions[0]).any()
