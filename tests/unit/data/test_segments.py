"""Neighboring windows joined into segments."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnaspt.data.dataset import Split, Window, read_split
from dnaspt.data.segments import segments, union_bp, without_overlaps
from dnaspt.genome import alphabet
from dnaspt.genome.gene_states import MISSING, reverse_complement_labels
from dnaspt.prepare.genes import PrepareGenesConfig, prepare_genes

MakeSplit = Callable[..., Split]


def split_of(windows: list[Window]) -> Split:
    columns = {name: np.array([getattr(w, name) for w in windows]) for name in ("chrom", "start", "end", "strand")}
    arrays = {name: np.concatenate([getattr(w, name) for w in windows]) for name in ("codes", "labels")}
    offsets = {
        f"{prefix}offsets": np.concatenate([[0], np.cumsum([len(getattr(w, name)) for w in windows])])
        for prefix, name in (("", "codes"), ("label_", "labels"))
    }
    return Split(**columns, **arrays, **offsets, per_base=len(arrays["labels"]) == len(arrays["codes"]))


def window_at(genome: np.ndarray, chrom: str, start: int, end: int) -> Window:
    return Window(chrom, start, end, "+", genome[start:end], (genome[start:end] % 3).astype(np.int8))


def test_windows_of_the_minus_strand_join_as_the_forward_strand_reads() -> None:
    codes = alphabet.encode(b"ACGTTGCAAC")
    labels = np.array([8, 8, 0, 0, 1, 2, 3, 0, 8, MISSING], dtype=np.int8)
    forward = Window("c", 5, 15, "+", codes, labels)
    turned = [
        Window("c", 5, 11, "-", alphabet.reverse_complement(codes[:6]), reverse_complement_labels(labels[:6])),
        Window("c", 9, 15, "-", alphabet.reverse_complement(codes[4:]), reverse_complement_labels(labels[4:])),
    ]
    for windows in ([forward], turned):
        (segment,) = segments(split_of(windows))
        assert (segment.start, segment.end) == (5, 15)
        assert np.array_equal(segment.codes, codes)
        assert np.array_equal(segment.labels, labels)
        assert np.array_equal(without_overlaps(split_of(windows), 10).codes, codes)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 60), st.integers(1, 15)), min_size=1, max_size=12))
def test_segments_are_the_maximal_runs_of_bases_that_windows_cover(rows: list[tuple[str, int, int]]) -> None:
    genome = np.random.default_rng(0).integers(0, 4, 80).astype(np.uint8)
    covered = {(chrom, base) for chrom, start, n in rows for base in range(start, start + n)}
    expected = [
        (chrom, start)
        for chrom, start in sorted(covered)
        if (chrom, start - 1) not in covered
        or not any(own == chrom and first < start <= first + n for own, first, n in rows)
    ]
    split = split_of([window_at(genome, chrom, start, start + n) for chrom, start, n in rows])
    joined = list(segments(split))
    assert [(segment.chrom, segment.start) for segment in joined] == expected
    assert {(segment.chrom, base) for segment in joined for base in range(segment.start, segment.end)} == covered
    for segment in joined:
        assert np.array_equal(segment.codes, genome[segment.start : segment.end])
        assert np.array_equal(segment.labels, segment.codes % 3)


def test_a_base_that_one_of_two_windows_labels_is_labeled() -> None:
    genome = np.zeros(20, dtype=np.uint8)
    first = Window("c", 0, 12, "+", genome[:12], np.array([0] * 8 + [MISSING] * 4, dtype=np.int8))
    second = Window("c", 8, 20, "+", genome[:12], np.array([MISSING] * 2 + [3] * 10, dtype=np.int8))
    (segment,) = segments(split_of([second, first]))
    assert segment.labels.tolist() == [0] * 8 + [MISSING] * 2 + [3] * 10


def test_labels_of_windows_leave_all_bases_missing(make_split: MakeSplit) -> None:
    split = make_split([40, 40], n_labels=3)
    (segment,) = segments(split)
    assert len(segment.codes) == 80 and (segment.labels == MISSING).all()


def test_sequence_without_overlaps_has_each_base_once_and_is_cut_at_the_length_of_a_window() -> None:
    genome = np.random.default_rng(1).integers(0, 4, 100).astype(np.uint8)
    split = split_of([window_at(genome, "a", *span) for span in ((0, 40), (20, 70), (90, 100))])
    once = without_overlaps(split, 30)
    assert list(zip(once.start.tolist(), once.end.tolist())) == [(0, 30), (30, 60), (60, 70), (90, 100)]
    assert np.array_equal(once.codes, np.concatenate([genome[:70], genome[90:]]))
    assert (once.labels == MISSING).all() and len(once.labels) == len(once.codes) and set(once.strand) == {"+"}


@pytest.mark.parametrize(("windows", "flank_bp"), [("tile", 300), ("gene", 700)])
def test_bases_of_windows_that_overlap_or_have_flanks_are_counted_once(
    simulated: Path, tmp_path: Path, windows: str, flank_bp: int
) -> None:
    config = PrepareGenesConfig(
        out=tmp_path / "data",
        genome=simulated / "genome.fa",
        annotation=simulated / "annotation.gff3",
        window_bp=1024,
        windows=windows,
        flank_bp=flank_bp,
    )
    data = prepare_genes(config)
    n_bp = len(without_overlaps(data.read("train"), 512).codes)
    assert union_bp(data, "train") == n_bp < data.manifest.splits["train"].n_bp
    assert n_bp == len(without_overlaps(read_split(data.path, "train"), 4096).codes)
