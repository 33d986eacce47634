"""Blocks of a genome, the units that a bootstrap draws."""

import numpy as np

from dnaspt.data.bootstrap_blocks import blocks_between, blocks_outside_genes, on_genome, sum_blocks, window_blocks
from dnaspt.genome.gene_states import MISSING


def test_blocks_do_not_cut_genes_and_are_about_as_long_as_asked() -> None:
    labels = np.full(100_000, 8, dtype=np.int8)
    labels[9_500:12_000] = 0
    labels[30_000:60_000] = 2
    labels[70_000:70_500] = MISSING
    cuts = blocks_outside_genes(labels)
    assert cuts[0] == 0
    assert cuts[-1] == 100_000
    assert cuts[1] == 12_000
    assert (labels[cuts[1:-1]] == 8).all()
    lengths = np.diff(cuts)
    assert lengths.min() >= 5_000
    assert sorted(lengths)[-1] == 38_000
    assert (np.sort(lengths)[:-1] < 15_000).all()


def test_blocks_between_genes_are_those_outside_their_labels() -> None:
    rng = np.random.default_rng(0)
    for n_genes in (0, 1, 5, 40):
        starts = rng.integers(0, 99_000, n_genes)
        genes = np.stack([starts, starts + rng.integers(1, 6_000, n_genes)], axis=1).clip(max=100_000)
        labels = np.full(100_000, 8, dtype=np.int8)
        for start, end in genes.tolist():
            labels[start:end] = 2
        cuts = blocks_between(genes, len(labels))
        assert cuts.tolist() == blocks_outside_genes(labels).tolist()
        assert (labels[cuts[1:-1]] == 8).all()
        assert (np.diff(cuts) >= 5_000).all()


def test_a_segment_without_a_base_to_cut_at_is_one_block() -> None:
    assert blocks_outside_genes(np.full(50_000, MISSING, dtype=np.int8)).tolist() == [0, 50_000]


def test_windows_share_a_block_when_they_start_in_the_same_10_kb_of_a_contig() -> None:
    chrom = np.array(["b", "b", "a", "a", "b"], dtype=object)
    start = np.array([0, 9_999, 0, 10_000, 10_000])
    blocks = window_blocks(chrom, start, start + 512)
    assert blocks[0] == blocks[1]
    assert sorted(set(blocks)) == [0, 1, 2, 3]
    assert len(set(window_blocks(chrom, start, start + 5_000))) == 2  # blocks of 20 kb


def test_segments_that_overlap_on_the_genome_make_one_block() -> None:
    counts = [np.array([[1, 0], [2, 0]]), np.array([[0, 4]]), np.array([[8, 8], [16, 16]]), np.array([[32, 0]])]
    intervals = [("chr1:100-300", 0, 200), ("chr1:900-950", 0, 50), ("chr1:250-500", 0, 250), ("chr2:100-300", 0, 200)]
    assert sum_blocks(counts, intervals).tolist() == [[27, 24], [0, 4], [32, 0]]


def test_overlap_reaches_through_others_and_touching_is_none() -> None:
    count = np.array([[1]])
    assert len(sum_blocks([count] * 3, [("c", 0, 100), ("c", 150, 200), ("c", 50, 160)])) == 1
    assert len(sum_blocks([count] * 3, [("c", 0, 100), ("c", 100, 200), ("c", 200, 300)])) == 3
    assert len(sum_blocks([count] * 3, [("c", 0, 1000), ("c", 10, 20), ("c", 500, 600)])) == 1


def test_segments_apart_keep_their_blocks_in_order() -> None:
    counts = [np.array([[3], [1]]), np.array([[4], [1], [5]])]
    assert sum_blocks(counts, [("b", 0, 10), ("a", 0, 10)]).tolist() == [[3], [1], [4], [1], [5]]


def test_a_contig_named_by_its_interval_lies_there_and_any_other_lies_where_it_says() -> None:
    assert on_genome("chr1:100-300", 5, 20) == ("chr1", 105, 120)
    assert on_genome("HLA:x:7-9", 0, 2) == ("HLA:x", 7, 9)
    assert on_genome("chr1", 5, 20) == ("chr1", 5, 20)
    assert on_genome("chr1:100", 5, 20) == ("chr1:100", 5, 20)


def test_a_split_without_windows_has_no_blocks() -> None:
    assert window_blocks(np.array([], dtype=str), np.array([], dtype=int), np.array([], dtype=int)).tolist() == []
