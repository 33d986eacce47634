from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnaspt.config import MASK_TOKEN, PAD_TOKEN
from dnaspt.data.batches import BatchOptions, TrainingBatches, mask_for_training, mask_for_validation
from dnaspt.data.dataset import Split
from dnaspt.data.subset import label_subset
from dnaspt.genome.alphabet import reverse_complement
from dnaspt.genome.gene_states import reverse_complement_labels
from dnaspt.tasks import GENE_STATES, MISSING


def make_split(lengths: list[int], *, contiguous: bool = True, n_labels: int = 0, seed: int = 0) -> Split:
    """Windows of random bases with per-base labels, or n_labels per window, that follow each other or not."""
    rng = np.random.default_rng(seed)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    start = offsets[:-1] if contiguous else offsets[:-1] + 7 * np.arange(len(lengths))
    width = n_labels or None
    labels = rng.integers(0, 2, len(lengths) * width) if width else rng.integers(0, 9, offsets[-1])
    return Split(
        chrom=np.array(["chr1"] * len(lengths), dtype=object),
        start=start,
        end=start + lengths,
        strand=np.array(["+"] * len(lengths), dtype=object),
        codes=rng.integers(0, 4, offsets[-1]).astype(np.uint8),
        offsets=offsets,
        labels=labels.astype(np.int8),
        label_offsets=offsets if width is None else np.arange(len(lengths) + 1) * width,
    )


@given(st.lists(st.integers(1, 300), min_size=1, max_size=40), st.integers(64, 1000), st.booleans())
def test_every_base_is_in_exactly_one_window_of_an_epoch(lengths: list[int], batch_bp: int, contiguous: bool) -> None:
    split = make_split(lengths, contiguous=contiguous)
    batches = TrainingBatches([split], 100, BatchOptions(batch_bp=batch_bp, seed=3))
    seen = np.zeros(len(split.codes), dtype=int)
    for spans in batches.plan(1):
        for start, end in spans:
            seen[start:end] += 1
    assert (seen == 1).all()


def test_batches_stay_within_the_budget_and_padding_is_marked() -> None:
    split = make_split(list(range(20, 200, 3)), contiguous=False)
    for batch in TrainingBatches([split], 100, BatchOptions(batch_bp=600)).batches(0):
        assert batch.tokens.size <= 600
        inside = np.arange(batch.tokens.shape[1]) < batch.lengths[:, None]
        assert ((batch.tokens == PAD_TOKEN) == ~inside).all()
        assert (batch.labels[~inside] == MISSING).all()


def test_an_epoch_is_a_function_of_seed_and_number_and_can_be_entered_anywhere() -> None:
    batches = TrainingBatches([make_split([100] * 30)], 100, BatchOptions(batch_bp=500, seed=5, mask_fraction=0.15))
    whole = list(batches.batches(2))
    rest = list(batches.batches(2, first=3))
    assert len(rest) == len(whole) - 3
    for left, right in zip(whole[3:], rest, strict=True):
        assert (left.tokens == right.tokens).all()
        assert (left.labels == right.labels).all()
    other = next(iter(batches.batches(3)))
    assert other.tokens.shape != whole[0].tokens.shape or (other.tokens != whole[0].tokens).any()


def test_turned_windows_have_reverse_complemented_bases_and_labels() -> None:
    split = make_split([80] * 12, contiguous=False)
    options = BatchOptions(batch_bp=80, complement=GENE_STATES.complement, seed=1)
    forward = {window.codes.tobytes(): window.labels for window in split}
    n_turned = 0
    for batch in TrainingBatches([split], 80, options).batches(0):
        codes, labels = batch.tokens[0], batch.labels[0]
        if codes.tobytes() not in forward:
            codes, labels = reverse_complement(codes), reverse_complement_labels(labels)
            n_turned += 1
        assert (forward[codes.tobytes()] == labels).all()
    assert 0 < n_turned < 12


def test_window_labels_stay_with_their_window() -> None:
    split = make_split([64] * 20, contiguous=True, n_labels=3)
    by_codes = {window.codes.tobytes(): window.labels for window in split}
    options = BatchOptions(batch_bp=256, reverse_complement=False)
    for batch in TrainingBatches([split], 64, options).batches(0):
        for tokens, labels in zip(batch.tokens, batch.labels, strict=True):
            assert (by_codes[tokens.tobytes()] == labels).all()


def test_shares_of_all_processes_make_up_the_batch() -> None:
    options = BatchOptions(batch_bp=300, n_shares=2)
    for batch in TrainingBatches([make_split([100] * 7, contiguous=False)], 100, options).batches(0):
        assert sum(batch.share(rank, 2).n_bp for rank in range(2)) == batch.n_bp
        assert all(len(batch.share(rank, 2).lengths) for rank in range(2))


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


def test_smaller_label_fractions_are_parts_of_larger_ones() -> None:
    split = make_split([50] * 40, contiguous=False)
    quarter, half = (set(label_subset(split, fraction, 1).start.tolist()) for fraction in (0.25, 0.5))
    assert len(quarter) == 10
    assert quarter < half


def test_overlapping_windows_are_kept_or_left_by_stretches_of_10_kb() -> None:
    split = make_split([512] * 2000, contiguous=False)
    overlapping = replace(split, start=np.arange(2000) * 50, end=np.arange(2000) * 50 + 512)
    quarter, half = (set(label_subset(overlapping, fraction, 1).start.tolist()) for fraction in (0.2, 0.5))
    assert (len(quarter), len(half)) == (400, 1000) and quarter < half
    assert len({start // 10_000 for start in quarter}) == 2


def test_windows_longer_than_a_batch_are_cut_anew_in_every_epoch() -> None:
    split = make_split([30, 5000, 200, 900], contiguous=False)
    batches = TrainingBatches([split], 100, BatchOptions(batch_bp=1000, seed=1))
    first, second = (np.concatenate(batches.plan(epoch)) for epoch in (0, 1))
    assert (np.diff(first)[:, 0] <= 1000).all()
    assert set(first[:, 0]) != set(second[:, 0])
    assert {(0, 30), (5030, 5230), (5230, 6130)} <= set(map(tuple, first.tolist()))
    assert all(batch.tokens.size <= 1008 for batch in batches.batches(0))  # lengths are padded to a multiple of 12
