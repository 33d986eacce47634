"""A share of the training windows."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from dnaspt.data.dataset import Split
from dnaspt.data.segments import segments
from dnaspt.data.subset import label_subset

MakeSplit = Callable[..., Split]


def test_smaller_label_fractions_are_parts_of_larger_ones(make_split: MakeSplit) -> None:
    split = make_split([50] * 40, contiguous=False)
    quarter, half = (set(label_subset(split, fraction, 1).start.tolist()) for fraction in (0.25, 0.5))
    assert len(quarter) == 10
    assert quarter < half


def test_overlapping_windows_are_drawn_or_left_out_in_blocks_of_10_kb(make_split: MakeSplit) -> None:
    split = make_split([512] * 2000, contiguous=False, n_labels=1)
    overlapping = replace(split, start=np.arange(2000) * 50, end=np.arange(2000) * 50 + 512)
    quarter, half = (set(label_subset(overlapping, fraction, 1).start.tolist()) for fraction in (0.2, 0.5))
    assert (len(quarter), len(half)) == (400, 1000) and quarter < half
    assert len({start // 10_000 for start in quarter}) == 2


def test_the_share_of_one_is_the_split_itself_and_the_smallest_has_one_window(make_split: MakeSplit) -> None:
    split = make_split([50] * 40, contiguous=False)
    assert label_subset(split, 1, 0) is split
    assert len(label_subset(split, 0.001, 0)) == 1


def test_drawn_windows_keep_their_sequence_and_labels(make_split: MakeSplit) -> None:
    split = make_split([30, 60, 45] * 10, contiguous=False)
    by_start = {window.start: window for window in split}
    for window in label_subset(split, 0.3, 5):
        assert (window.codes == by_start[window.start].codes).all()
        assert (window.labels == by_start[window.start].labels).all()
        assert window.end == by_start[window.start].end


def test_another_seed_draws_other_windows(make_split: MakeSplit) -> None:
    split = make_split([50] * 40, contiguous=False)
    first, second = (set(label_subset(split, 0.5, seed).start.tolist()) for seed in (0, 1))
    assert len(first) == len(second) == 20 and first != second


def test_a_share_that_blocks_cannot_make_is_a_warning(make_split: MakeSplit, caplog: pytest.LogCaptureFixture) -> None:
    split = make_split([512] * 100, contiguous=False, n_labels=1)
    overlapping = replace(split, start=np.arange(100) * 50, end=np.arange(100) * 50 + 512)  # all in one block of 10 kb
    assert len(label_subset(overlapping, 0.1, 0)) == 100
    assert "training uses 100 of 100 windows instead of 10" in caplog.text


def genes_of_5_kb(split: Split) -> Split:
    """A coding stretch of 5 kb in every 7 kb of the split."""
    position = np.arange(len(split.labels)) % 7_000
    return replace(split, labels=np.where((position >= 1_000) & (position < 6_000), 0, 8).astype(np.int8))


def test_of_windows_that_are_pieces_of_a_contig_whole_genes_are_drawn(make_split: MakeSplit) -> None:
    split = genes_of_5_kb(make_split([4_000] * 100))
    quarter, half = (label_subset(split, fraction, 3) for fraction in (0.25, 0.5))
    for part, n_bp in ((quarter, 100_000), (half, 200_000)):
        assert len(part.codes) == pytest.approx(n_bp, abs=10_000)
        assert int((part.end - part.start).max()) == 4_000
        for segment in segments(part):
            whole = slice(segment.start, segment.end)
            assert (segment.codes == split.codes[whole]).all() and (segment.labels == split.labels[whole]).all()
            assert (segment.labels == 0).sum() % 5_000 == 0
    drawn = [{int(base) for start, end in part.intervals for base in range(start, end)} for part in (quarter, half)]
    assert drawn[0] < drawn[1]


def test_windows_that_are_contigs_of_their_own_are_drawn_whole(make_split: MakeSplit) -> None:
    split = genes_of_5_kb(make_split([14_000] * 20, contiguous=False))
    drawn = label_subset(split, 0.25, 0)
    assert (drawn.end - drawn.start).tolist() == [14_000] * 5


def test_a_share_below_one_stretch_is_a_warning(make_split: MakeSplit, caplog: pytest.LogCaptureFixture) -> None:
    split = genes_of_5_kb(make_split([4_000] * 100))
    assert len(label_subset(split, 0.001, 0).codes) >= 9_000
    assert "of 400000 bases, of 400 wanted" in caplog.text
