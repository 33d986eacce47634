"""Splits to padded batches."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dnaspt.config import PAD_TOKEN
from dnaspt.data.batches import BatchOptions, TrainingBatches
from dnaspt.data.dataset import Split
from dnaspt.genome.alphabet import SOFT_MASKED, T, reverse_complement
from dnaspt.genome.gene_states import GENE_STATES, MISSING, reverse_complement_labels

MakeSplit = Callable[..., Split]


@given(st.lists(st.integers(1, 300), min_size=1, max_size=40), st.integers(64, 1000), st.booleans())
def test_every_base_is_in_exactly_one_window_of_an_epoch(
    make_split: MakeSplit, lengths: list[int], batch_bp: int, contiguous: bool
) -> None:
    split = make_split(lengths, contiguous=contiguous)
    batches = TrainingBatches([split], 100, BatchOptions(batch_bp=batch_bp, seed=3))
    seen = np.zeros(len(split.codes), dtype=int)
    for windows in batches.plan(1):
        for start, end in windows:
            seen[start:end] += 1
    assert (seen == 1).all()


def test_batches_stay_within_the_budget_and_padding_is_marked(make_split: MakeSplit) -> None:
    split = make_split(list(range(20, 200, 3)), contiguous=False)
    for batch in TrainingBatches([split], 100, BatchOptions(batch_bp=600)).batches(0):
        assert batch.tokens.size <= 600
        inside = np.arange(batch.tokens.shape[1]) < batch.lengths[:, None]
        assert ((batch.tokens == PAD_TOKEN) == ~inside).all()
        assert (batch.labels[~inside] == MISSING).all()


@given(st.lists(st.integers(1, 3000), min_size=1, max_size=40))
def test_short_sequences_are_padded_to_their_own_length(make_split: MakeSplit, lengths: list[int]) -> None:
    options = BatchOptions(batch_bp=8192, any_length=True)
    batches = TrainingBatches([make_split(lengths, contiguous=False)], 100_000, options)
    for batch in batches.batches(0):
        assert batch.tokens.shape[1] <= 1.125 * batch.lengths.max()
    of_41 = TrainingBatches([make_split([41] * 50, contiguous=False)], 41, options)
    assert {batch.tokens.shape[1] for batch in of_41.batches(0)} == {44}
    of_one = TrainingBatches([make_split([1] * 50, contiguous=False)], 1, options)
    assert {batch.tokens.shape[1] for batch in of_one.batches(0)} == {1}


def test_an_epoch_is_a_function_of_seed_and_number_and_can_be_entered_anywhere(make_split: MakeSplit) -> None:
    batches = TrainingBatches([make_split([100] * 30)], 100, BatchOptions(batch_bp=500, seed=5, mask_fraction=0.15))
    whole = list(batches.batches(2))
    rest = list(batches.batches(2, first=3))
    assert len(rest) == len(whole) - 3
    for left, right in zip(whole[3:], rest, strict=True):
        assert (left.tokens == right.tokens).all()
        assert (left.labels == right.labels).all()
    other = next(iter(batches.batches(3)))
    assert other.tokens.shape != whole[0].tokens.shape or (other.tokens != whole[0].tokens).any()


def test_turned_windows_have_reverse_complemented_bases_and_labels(make_split: MakeSplit) -> None:
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


def test_window_labels_stay_with_their_window(make_split: MakeSplit) -> None:
    split = make_split([64] * 20, contiguous=True, n_labels=3)
    by_codes = {window.codes.tobytes(): window.labels for window in split}
    options = BatchOptions(batch_bp=256, reverse_complement=False)
    for batch in TrainingBatches([split], 64, options).batches(0):
        for tokens, labels in zip(batch.tokens, batch.labels, strict=True):
            assert (by_codes[tokens.tobytes()] == labels).all()


def test_shares_of_all_processes_make_up_the_batch(make_split: MakeSplit) -> None:
    options = BatchOptions(batch_bp=300, n_shares=2)
    for batch in TrainingBatches([make_split([100] * 7, contiguous=False)], 100, options).batches(0):
        assert sum(batch.share(rank, 2).n_bp for rank in range(2)) == batch.n_bp
        assert all(len(batch.share(rank, 2).lengths) for rank in range(2))


def test_windows_longer_than_a_batch_are_cut_anew_in_every_epoch(make_split: MakeSplit) -> None:
    split = make_split([30, 5000, 200, 900], contiguous=False)
    batches = TrainingBatches([split], 100, BatchOptions(batch_bp=1000, seed=1))
    first, second = (np.concatenate(batches.plan(epoch)) for epoch in (0, 1))
    assert (np.diff(first)[:, 0] <= 1000).all()
    assert set(first[:, 0]) != set(second[:, 0])
    assert {(0, 30), (5030, 5230), (5230, 6130)} <= set(map(tuple, first.tolist()))
    assert all(batch.tokens.size <= 1008 for batch in batches.batches(0))  # lengths are padded to a multiple of 12


def test_a_reversed_window_has_its_bins_in_reverse_order_and_the_labels_of_a_bin_in_theirs(
    make_split: MakeSplit,
) -> None:
    split = make_split([60] * 16, contiguous=False, n_labels=6)
    labels_of = {window.codes.tobytes(): window.labels for window in split}
    n_reversed = 0
    for batch in TrainingBatches([split], 60, BatchOptions(batch_bp=60, n_labels=2, seed=2)).batches(0):
        codes, labels = batch.tokens[0, : batch.lengths[0]], batch.labels[0]
        if codes.tobytes() not in labels_of:
            codes, labels = reverse_complement(codes), labels.reshape(3, 2)[::-1].ravel()
            n_reversed += 1
        assert (labels_of[codes.tobytes()] == labels).all()
    assert 0 < n_reversed < 16


def test_labels_of_whole_windows_do_not_change_with_the_strand(make_split: MakeSplit) -> None:
    split = make_split([60] * 16, contiguous=False, n_labels=6)
    labels_of = {window.codes.tobytes(): window.labels for window in split}
    for batch in TrainingBatches([split], 60, BatchOptions(batch_bp=60, n_labels=6, seed=2)).batches(0):
        codes = batch.tokens[0, : batch.lengths[0]]
        known = labels_of.get(codes.tobytes(), labels_of.get(reverse_complement(codes).tobytes()))
        assert (known == batch.labels[0]).all()


def test_soft_masked_bases_weigh_less_on_either_strand(make_split: MakeSplit) -> None:
    split = make_split([90] * 8, contiguous=False)
    split = replace(split, codes=np.where(split.codes == T, split.codes | SOFT_MASKED, split.codes))
    options = BatchOptions(batch_bp=90, mask_fraction=0.15, repeat_weight=0.25, reverse_complement=False)
    (batch, *_) = TrainingBatches([split], 90, options).batches(0)
    true = np.where(batch.labels == MISSING, batch.tokens, batch.labels)[0, : batch.lengths[0]]
    assert batch.weights is not None
    assert (batch.weights[0, : batch.lengths[0]] == np.where(true == T, np.float32(0.25), 1)).all()
    plain = TrainingBatches([split], 90, replace(options, repeat_weight=1.0)).batches(0)
    assert all(batch.weights is None for batch in plain)


def test_windows_of_two_splits_are_read_and_none_joins_both(make_split: MakeSplit) -> None:
    first, second = make_split([100] * 3), make_split([100] * 5, seed=1)
    batches = TrainingBatches([first, second], 100, BatchOptions(batch_bp=400, mask_fraction=0.15))
    assert batches.n_bp == 800
    windows = batches.windows(4)
    assert (np.sort(windows[:, 0])[1:] == np.sort(windows[:, 1])[:-1]).all()
    assert not ((windows[:, 0] < 300) & (windows[:, 1] > 300)).any()
