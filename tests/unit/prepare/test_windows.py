"""Windows of a contig: where they lie, which are kept, and how they are written."""

from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnaspt.data.manifest import SPLITS
from dnaspt.genome import alphabet
from dnaspt.genome.fasta import Contig
from dnaspt.genome.transcripts import Transcript
from dnaspt.prepare.splits import SplitInterval
from dnaspt.prepare.windows import (
    LabeledWindows,
    WindowFilter,
    WindowSettings,
    add_windows,
    around_genes,
    from_starts,
    split_of,
    tile_with_flanks,
    tiled_starts,
)
from dnaspt.prepare.writer import DatasetWriter

INTERVALS = (
    SplitInterval("a", 0, 50, "train"),
    SplitInterval("a", 50, 60, "valid"),
    SplitInterval("a", 70, 95, "test"),
)


def gene(start: int, end: int) -> Transcript:
    return Transcript("a", "+", f"g{start}", f"g{start}.t", ((start, end),))


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (40, [(10, 50)]),
        (80, [(10, 90)]),
        (160, [(10, 90), (90, 170)]),
        (100, [(10, 90), (90, 110)]),
        (169, [(10, 90), (90, 135), (135, 179)]),
        (85, [(10, 53), (53, 95)]),
    ],
)
def test_tiles_cover_each_base_once_and_share_a_short_rest(length: int, expected: list[tuple[int, int]]) -> None:
    windows = tile_with_flanks(SplitInterval("a", 10, 10 + length, "train"), 80)
    assert [(window.core_start, window.core_end) for window in windows] == expected


@given(st.integers(0, 50), st.integers(1, 400), st.integers(2, 90), st.integers(0, 100))
def test_cores_follow_each_other_and_none_is_shorter_than_an_eighth(
    start: int, length_bp: int, window_bp: int, flank_bp: int
) -> None:
    end = start + length_bp
    windows = list(tile_with_flanks(SplitInterval("a", start, end, "train"), window_bp, flank_bp))
    assert windows[0].core_start == start and windows[-1].core_end == end
    assert all(left.core_end == right.core_start for left, right in pairwise(windows))
    for window in windows:
        core_bp = window.core_end - window.core_start
        assert core_bp <= window_bp and (core_bp >= window_bp / 8 or len(windows) == 1)
        assert window.start == max(start, window.core_start - flank_bp)
        assert window.end == min(end, window.core_end + flank_bp)


def test_flanks_of_tiles_stay_inside_the_interval() -> None:
    windows = list(tile_with_flanks(SplitInterval("a", 10, 200, "train"), 100, 30))
    assert [(window.start, window.end) for window in windows] == [(10, 140), (80, 200)]


def test_gene_windows_are_clipped_to_the_interval_and_skip_genes_of_others() -> None:
    genes = [gene(100, 260), gene(700, 760), gene(790, 850), gene(860, 960)]
    windows = around_genes(SplitInterval("a", 650, 880, "train"), genes, 50)
    assert list(windows) == [(650, 810, 650, 810), (740, 880, 740, 880)]


def test_tiled_windows_fit_into_their_interval_and_start_at_its_left_end() -> None:
    assert tiled_starts(INTERVALS, 20, 20, 95).tolist() == [0, 20, 70]
    assert tiled_starts(INTERVALS, 10, 5, 95).tolist() == [*range(0, 41, 5), 50, *range(70, 86, 5)]
    assert tiled_starts(INTERVALS, 20, 20, 80).tolist() == [0, 20]  # the contig ends before the interval
    assert tiled_starts((), 20, 20, 95).tolist() == []


def test_a_window_belongs_to_the_interval_that_holds_all_of_it() -> None:
    windows = from_starts(np.array([0, 40, 41, 50, 51, 60, 69, 70, 85, 86]), 10)
    names = [SPLITS[index] if index >= 0 else None for index in split_of(INTERVALS, windows).tolist()]
    assert names == ["train", "train", None, "valid", None, None, None, "test", "test", None]
    assert split_of((), windows).tolist() == [-1] * 10


def test_each_window_that_is_dropped_is_counted_once_under_the_first_reason() -> None:
    codes = np.zeros(95, dtype=np.uint8)
    codes[0:6] = alphabet.N
    codes[30:40] = alphabet.N | alphabet.SOFT_MASKED
    windows = from_starts(np.array([-1, 0, 10, 25, 30, 45, 50, 75, 90]), 10)
    window_filter = WindowFilter(INTERVALS, max_n_fraction=0.5, blacklist=np.array([[55, 56], [84, 85]]))
    dropped = Counter[str]()
    kept = window_filter.keep(Contig("a", codes), windows, dropped)
    assert windows[kept.rows, 0].tolist() == [10, 25]
    assert [SPLITS[index] for index in kept.split] == ["train", "train"]
    assert dropped == {"off_contig": 2, "not_in_one_split": 1, "blacklist": 2, "unknown_bases": 2}


def test_without_limits_only_place_and_split_decide() -> None:
    contig = Contig("a", np.full(95, alphabet.N, dtype=np.uint8))
    kept = WindowFilter(INTERVALS).keep(contig, from_starts(np.array([0, 86]), 10), Counter())
    assert kept.rows.tolist() == [0]


def test_windows_are_written_in_the_direction_of_their_strand(tmp_path: Path) -> None:
    contig = Contig("a", alphabet.encode(b"AACCGGTTacgtn"))
    labels = np.array([[1], [0], [1]], dtype=np.int8)
    intervals = np.array([[0, 4], [2, 6], [8, 13]])
    windows = LabeledWindows(intervals, np.array([0, 2, 0]), labels, np.array(["+", "-", "-"]))
    with DatasetWriter(tmp_path / "out") as writer:
        add_windows(writer, contig, windows)
        written = {split: list(pending) for split, pending in writer._pending.items()}
    assert [alphabet.decode(window.codes) for window in written["train"]] == ["AACC", "nacgt"]
    (test,) = written["test"]
    assert (test.chrom, test.start, test.end, test.strand) == ("a", 2, 6, "-")
    assert alphabet.decode(test.codes) == "CCGG" and test.labels.tolist() == [0]


def test_windows_hold_no_contig_in_memory(tmp_path: Path) -> None:
    contig = Contig("a", np.zeros(1000, dtype=np.uint8))
    windows = LabeledWindows(np.array([[5, 25]]), np.array([0]), np.zeros((1, 1), dtype=np.int8))
    with DatasetWriter(tmp_path / "out") as writer:
        add_windows(writer, contig, windows)
        (window,) = writer._pending["train"]
        assert window.codes.base is None and window.strand == "."


def test_the_plan_of_a_genome_divides_its_contigs_or_those_named(tmp_path: Path) -> None:
    genome = tmp_path / "g.fa"
    genome.write_text("".join(f">c{number}\nACGT\n" for number in range(12)))
    settings = WindowSettings(out=tmp_path / "out", genome=genome, split="contig")
    plan = settings.plan_of_genome()
    assert (plan.valid_contigs, plan.test_contigs) == ({"c9"}, {"c4", "c8"})
    few = settings.plan_of_genome(frozenset(["c0", "c5", "c11"]))
    assert (few.valid_contigs, few.test_contigs) == ({"c5"}, {"c11"})


def test_what_is_recorded_leaves_out_where_the_dataset_lies(tmp_path: Path) -> None:
    genome = tmp_path / "g.fa"
    genome.write_text(">a\nACGT\n")
    settings = WindowSettings(out=tmp_path / "out", genome=genome, overwrite=True)
    assert list(settings.recorded()) == [
        *(
            "split",
            "fractions",
            "valid_contigs",
            "test_contigs",
            "genome",
            "window_bp",
            "max_n_fraction",
            "seed",
            "strict",
        ),
    ]
    assert [source.path for source in settings.sources()] == [str(genome)]
