"""Masked positions of valid: the same in every run, and the same for n-gram models."""

from pathlib import Path

import numpy as np
import pytest

from dnaspt.config import MASK_TOKEN
from dnaspt.data.dataset import read_split
from dnaspt.genome.alphabet import T
from dnaspt.genome.gene_states import MISSING
from dnaspt.training import masked_windows
from dnaspt.training.masked_windows import concatenate, mask_windows, masked_bases


@pytest.mark.parametrize("as_published", [False, True])
def test_masks_hide_the_true_bases_and_are_always_the_same(gene_data: Path, as_published: bool) -> None:
    split = read_split(gene_data, "valid")
    windows, again = (mask_windows(split, 0.15, as_published=as_published) for _ in range(2))
    assert windows.n_bp == len(split.codes)
    mask = T if as_published else MASK_TOKEN
    for window, tokens, labels, same in zip(split, windows.tokens, windows.labels, again.tokens, strict=True):
        np.testing.assert_array_equal(tokens, same)
        scored = labels != MISSING
        assert (tokens[scored] == mask).all()
        np.testing.assert_array_equal(labels[scored], window.codes[scored] & 7)
        np.testing.assert_array_equal(tokens[~scored], window.codes[~scored] & 7)
    share = np.mean(np.concatenate(windows.labels) != MISSING)
    assert share == pytest.approx(0.15, abs=0.02)


def test_no_more_windows_are_masked_than_are_needed(gene_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masked_windows, "VALIDATION_BP", 2000)
    windows = mask_windows(read_split(gene_data, "valid"), 0.15)
    assert 2000 <= windows.n_bp < 2000 + len(windows.tokens[-1]) + 1


@pytest.mark.parametrize("as_published", [False, True])
def test_n_gram_models_see_the_same_masks(gene_data: Path, as_published: bool) -> None:
    """Where the mask is the base T they must not take it for one."""
    windows = mask_windows(read_split(gene_data, "valid"), 0.15, as_published=as_published)
    bases = masked_bases(windows)
    labels = np.concatenate(windows.labels)
    np.testing.assert_array_equal(bases.positions, np.flatnonzero(labels != MISSING))
    np.testing.assert_array_equal(bases.truth, labels[labels != MISSING])
    assert (bases.codes[bases.positions] == MASK_TOKEN).all()
    assert bases.offsets.tolist() == concatenate(windows.tokens)[1].tolist()


def test_sequences_are_joined_with_their_offsets() -> None:
    joined, offsets = concatenate([np.array([1, 2]), np.array([3])])
    assert joined.tolist() == [1, 2, 3] and offsets.tolist() == [0, 2, 3]
