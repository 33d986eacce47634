"""Blocks that are drawn together."""

import numpy as np

from dnaspt.data.bootstrap_blocks import sum_blocks


def test_stretches_that_overlap_on_the_genome_make_one_block() -> None:
    counts = [np.array([[1, 0], [2, 0]]), np.array([[0, 4]]), np.array([[8, 8], [16, 16]]), np.array([[32, 0]])]
    places = [("chr1:100-300", 0, 200), ("chr1:900-950", 0, 50), ("chr1:250-500", 0, 250), ("chr2:100-300", 0, 200)]
    assert sum_blocks(counts, places).tolist() == [[27, 24], [0, 4], [32, 0]]


def test_overlap_reaches_through_others_and_touching_is_none() -> None:
    one = np.array([[1]])
    assert len(sum_blocks([one] * 3, [("c", 0, 100), ("c", 150, 200), ("c", 50, 160)])) == 1
    assert len(sum_blocks([one] * 3, [("c", 0, 100), ("c", 100, 200), ("c", 200, 300)])) == 3
    assert len(sum_blocks([one] * 3, [("c", 0, 1000), ("c", 10, 20), ("c", 500, 600)])) == 1


def test_stretches_apart_keep_their_blocks_in_order() -> None:
    counts = [np.array([[3], [1]]), np.array([[4], [1], [5]])]
    assert sum_blocks(counts, [("b", 0, 10), ("a", 0, 10)]).tolist() == [[3], [1], [4], [1], [5]]
