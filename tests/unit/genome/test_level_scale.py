"""Percent or shares: decided from all levels of a file."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dnaspt.errors import InputError
from dnaspt.genome.bigwig import Signal
from dnaspt.genome.level_scale import PERCENT, SHARES, LevelScale, scale_of_signals

FILE = Path("a.bed")


def table(levels: list[float], line: int) -> pd.DataFrame:
    return pd.DataFrame({"percent": np.array(levels, dtype=float), "line": np.arange(line, line + len(levels))})


def by_coverage(*rows: tuple[float, int]) -> LevelScale:
    """The evidence of (level, reads), in two blocks."""
    scale = LevelScale(FILE)
    for line, block in ((1, rows[:1]), (2, rows[1:])):
        scale.add(table([level for level, _ in block], line), np.array([reads for _, reads in block], dtype=np.int64))
    return scale


def by_counts(*rows: tuple[float, int, int]) -> LevelScale:
    """The evidence of (level, methylated reads, all reads), in two blocks."""
    scale = LevelScale(FILE)
    for line, block in ((1, rows[:1]), (2, rows[1:])):
        _, methylated, reads = (np.array(column) for column in (list(zip(*block)) or [(), (), ()]))
        scale.compare(table([row[0] for row in block], line), methylated, reads)
    return scale


@pytest.mark.parametrize(
    ("rows", "expected", "doubt"),
    [
        ([(0, 9), (100, 9)], PERCENT, ""),
        ([(0, 9), (0, 9)], PERCENT, ""),
        ([(0.5, 300), (45, 20), (100, 9)], PERCENT, ""),  # 0.5 % of 300 reads is more than one read
        ([(1, 90), (45, 20), (0.4, 9)], PERCENT, ""),  # a level that was not counted, among percent
        ([(0.25, 12), (0, 9), (1, 9)], SHARES, "levels are shares from 0 to 1, not percent"),
        ([(0, 9), (1, 9)], SHARES, "levels are shares from 0 to 1, not percent"),
        ([(1.0000002, 9), (0.5, 9)], SHARES, "levels are shares from 0 to 1, not percent"),
        ([(0.5, 400), (1, 200)], PERCENT, "no level is above 1"),
    ],
)
def test_levels_and_reads_tell_the_scale(rows: list, expected: float, doubt: str) -> None:
    scale = by_coverage(*rows)
    assert scale.decide() == expected
    assert (doubt in scale.doubts[0]) if doubt else not scale.doubts


def test_a_level_above_1_among_shares_is_named_with_its_line() -> None:
    with pytest.raises(InputError, match=r"a\.bed:3: level 45; expected shares from 0 to 1"):
        by_coverage((0.25, 9), (0.5, 9), (45, 9)).decide()


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([(10.526316, 2, 19), (100, 5, 5), (0, 0, 3)], PERCENT),
        ([(11, 2, 19), (10, 2, 19), (66, 2, 3)], PERCENT),  # rounded, or cut off
        ([(0.105, 2, 19), (1, 5, 5), (0, 0, 3)], SHARES),
        ([(0.1, 2, 19), (0.66, 2, 3)], SHARES),
        ([(0, 0, 3), (0, 0, 9)], PERCENT),
    ],
)
def test_counts_tell_the_scale(rows: list, expected: float) -> None:
    scale = by_counts(*rows)
    assert scale.decide() == expected and bool(scale.doubts) == (expected == SHARES)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([(0, 0, 5), (6.67, 14, 15)], r"a\.bed:2: level 6.67 where 14 of 15 .*expected about 93.33; .* swapped\?"),
        ([(100, 5, 5), (40, 5, 10)], r"a\.bed:2: level 40 where 5 of 10 reads are methylated; expected about 50$"),
        ([(0.5, 5, 10), (0.3, 3, 10), (90, 9, 10)], r"a\.bed:3: level 90 where 9 of 10 .* expected about 0.9$"),
    ],
)
def test_a_level_against_the_counts_of_its_row_is_named_with_its_line(rows: list, message: str) -> None:
    with pytest.raises(InputError, match=message):
        by_counts(*rows).decide()


def signals(*values: list[float]) -> dict[str, Signal]:
    return {
        f"chr{number}": Signal(
            np.stack([np.arange(len(of_contig)), np.arange(len(of_contig)) + 1], axis=1), np.array(of_contig)
        )
        for number, of_contig in enumerate(values, 1)
    }


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([[0.0, 1.0], [0.5]], SHARES),
        ([[0.0, 1.0000002], [0.5]], SHARES),
        ([[0.0, 100.0], [50.0, 0.7]], PERCENT),
        ([[0.0, 0.0], [0.0]], SHARES),
        ([[1.5], [0.0, 0.0, 3.0]], PERCENT),
    ],
)
def test_all_values_of_a_bigwig_tell_the_scale(values: list, expected: float) -> None:
    assert scale_of_signals(Path("a.bw"), signals(*values)) == expected


def test_a_value_above_1_among_shares_is_named() -> None:
    with pytest.raises(InputError, match=r"a\.bw: chr2:1-2 has 1.5, where 3 of 4 levels are shares up to 1; expected"):
        scale_of_signals(Path("a.bw"), signals([0.5, 1.0], [0.25, 1.5]))


def test_many_shares_among_percent_are_a_doubt_that_names_the_first() -> None:
    percent = [(45.0, 20)] * 40
    scale = by_coverage(*percent, (0.75, 4), *[(0.5, 9)] * 9)
    assert scale.decide() == PERCENT
    assert scale.doubts == (
        "10 of 50 levels look like shares (line 41: 0.75 of 4 reads), and were read as percent like the others: was it joined "
        "of files of both?",
    )
    for few in ([*percent, *[(0.5, 9)] * 9], [*percent * 25, *[(0.5, 9)] * 10], [*percent, *[(1.0, 9)] * 10]):
        scale = by_coverage(*few)
        assert scale.decide() == PERCENT and not scale.doubts
