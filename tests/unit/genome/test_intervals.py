"""Interval arithmetic, each function against a count base by base."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dnaspt.genome.intervals import (
    Interval,
    cluster,
    complement,
    containing,
    count_true,
    coverage,
    end_to_end,
    merge,
    merge_few,
    overlapping,
    positions,
    runs,
    subtract,
    to_mask,
    true_runs,
)

LENGTH_BP = 40
starts_and_lengths = st.lists(st.tuples(st.integers(0, LENGTH_BP - 9), st.integers(1, 9)), max_size=8)
intervals_of_a_contig = starts_and_lengths.map(
    lambda rows: np.array([(start, start + length) for start, length in rows], dtype=np.int64).reshape(-1, 2)
)


def bases(interval: np.ndarray) -> set[int]:
    return set(range(*interval.tolist()))


def test_gff3_coordinates_become_half_open() -> None:
    interval = Interval.from_gff3("chr1", 1, 10, "-")
    assert interval == Interval("chr1", 0, 10, "-")
    assert len(interval) == 10


def test_intervals_sort_by_contig_and_position() -> None:
    later, other, first = Interval("a", 5, 6), Interval("b", 0, 1), Interval("a", 2, 9)
    assert sorted([other, later, first]) == [first, later, other]


@settings(deadline=None)
@given(intervals_of_a_contig)
def test_the_union_covers_the_same_bases_in_the_fewest_intervals(intervals: np.ndarray) -> None:
    union = merge(intervals)
    assert union.shape == (len(union), 2)
    assert np.array_equal(to_mask(union, LENGTH_BP), to_mask(intervals, LENGTH_BP))
    assert (union[1:, 0] > union[:-1, 1]).all()
    assert merge_few(map(tuple, intervals.tolist())) == tuple(map(tuple, union.tolist()))


def test_touching_intervals_are_joined_and_nested_ones_swallowed() -> None:
    assert merge(np.array([[30, 40], [1, 30], [5, 9], [50, 60]])).tolist() == [[1, 40], [50, 60]]


@pytest.mark.parametrize("join_touching", [False, True])
@settings(deadline=None)
@given(intervals_of_a_contig)
def test_groups_are_the_connected_components_of_sharing_a_base(join_touching: bool, intervals: np.ndarray) -> None:
    groups = cluster(intervals, join_touching=join_touching)
    slack = int(join_touching)
    expected = np.arange(len(intervals))
    for _ in intervals:
        for first, one in enumerate(intervals):
            for second, other in enumerate(intervals):
                if one[0] < other[1] + slack and other[0] < one[1] + slack:
                    expected[first] = expected[second] = min(expected[first], expected[second])
    assert np.array_equal(groups[:, None] == groups, expected[:, None] == expected)
    order = np.argsort(intervals[:, 0], kind="stable")
    assert (np.diff(groups[order]) >= 0).all()
    assert set(groups.tolist()) == set(range(len(set(expected.tolist()))))


@settings(deadline=None)
@given(intervals_of_a_contig, st.integers(0, 20), st.integers(0, 20))
def test_gaps_and_intervals_fill_the_range_and_share_no_base(intervals: np.ndarray, start: int, length: int) -> None:
    gaps = complement(intervals, start, start + length)
    inside = np.arange(LENGTH_BP)
    expected = ~to_mask(intervals, LENGTH_BP) & (inside >= start) & (inside < start + length)
    assert np.array_equal(to_mask(gaps, LENGTH_BP), expected)
    assert (gaps[:, 0] < gaps[:, 1]).all() and np.array_equal(gaps, merge(gaps))


@settings(deadline=None)
@given(intervals_of_a_contig, intervals_of_a_contig)
def test_what_is_subtracted_is_left_out_and_nothing_else(intervals: np.ndarray, others: np.ndarray) -> None:
    left = subtract(intervals, others)
    assert np.array_equal(to_mask(left, LENGTH_BP), to_mask(intervals, LENGTH_BP) & ~to_mask(others, LENGTH_BP))
    assert np.array_equal(left, merge(left))


@settings(deadline=None)
@given(intervals_of_a_contig, intervals_of_a_contig)
def test_coverage_and_overlap_equal_a_count_of_shared_bases(queries: np.ndarray, intervals: np.ndarray) -> None:
    covered = set().union(*map(bases, intervals))
    assert coverage(queries, intervals).tolist() == [len(bases(query) & covered) for query in queries]
    for query, index in zip(queries, overlapping(queries, intervals).tolist(), strict=True):
        assert bases(query) & (bases(intervals[index]) if index >= 0 else set()) or not bases(query) & covered


@settings(deadline=None)
@given(intervals_of_a_contig, intervals_of_a_contig)
def test_a_query_belongs_to_the_interval_that_holds_it_as_a_whole(queries: np.ndarray, intervals: np.ndarray) -> None:
    union = merge(intervals)
    for query, index in zip(queries, containing(queries, union).tolist(), strict=True):
        holders = [number for number, interval in enumerate(union) if bases(query) <= bases(interval)]
        assert holders == ([index] if index >= 0 else [])


def test_intervals_of_two_contigs_never_touch_end_to_end() -> None:
    intervals, contigs = np.array([[90, 100], [0, 10], [95, 97]]), np.array([0, 1, 1])
    laid = end_to_end(intervals, contigs)
    assert laid.tolist() == [[90, 100], [101, 111], [196, 198]]
    assert cluster(laid, join_touching=True).tolist() == [0, 1, 2]
    assert np.array_equal(end_to_end(intervals, ["chr1", "chr10", "chr10"]), laid)


@settings(deadline=None)
@given(intervals_of_a_contig)
def test_positions_are_those_of_each_interval_in_turn(intervals: np.ndarray) -> None:
    assert positions(intervals).tolist() == [base for interval in intervals.tolist() for base in range(*interval)]


@settings(deadline=None)
@given(st.lists(st.booleans(), min_size=LENGTH_BP, max_size=LENGTH_BP), intervals_of_a_contig)
def test_true_positions_are_counted_in_intervals_that_may_overlap(mask: list[bool], intervals: np.ndarray) -> None:
    expected = [sum(mask[start:end]) for start, end in intervals.tolist()]
    assert count_true(np.array(mask), intervals).tolist() == expected


@settings(deadline=None)
@given(st.lists(st.integers(0, 2), max_size=30))
def test_runs_spell_the_values_and_neighbors_differ(values: list[int]) -> None:
    of_run, intervals = runs(np.array(values, dtype=np.int8))
    assert np.repeat(of_run, intervals[:, 1] - intervals[:, 0]).tolist() == values
    assert (of_run[1:] != of_run[:-1]).all()
    assert np.array_equal(intervals[1:, 0], intervals[:-1, 1])


@settings(deadline=None)
@given(st.lists(st.booleans(), max_size=30))
def test_runs_of_true_give_the_mask_back(mask: list[bool]) -> None:
    intervals = true_runs(np.array(mask, dtype=bool))
    assert to_mask(intervals, len(mask)).tolist() == mask
    assert (intervals[1:, 0] > intervals[:-1, 1]).all()
