"""Groups for cross-fitting: whole contigs where there are enough, else blocks; about equally many gene bases in each."""

import numpy as np

from dnaspt.models.cross_fitting import cross_fitting_groups


def labels(*gene_bp: int, block_bp: int = 100) -> np.ndarray:
    """Labels of blocks with so many bases in genes."""
    return np.concatenate([np.repeat([1, 0], [n, block_bp - n]) for n in gene_bp]).astype(np.int8)


def test_contigs_stay_whole_and_groups_are_balanced() -> None:
    contigs = ["a", "b", "c", "d", "a"]
    own = [labels(50), labels(40), labels(30), labels(20), labels(10)]
    groups = cross_fitting_groups(contigs, own, [np.array([0, 100])] * 5, n_groups=2)
    assert [set(group.tolist()) for group in groups] == [{0}, {1}, {1}, {0}, {0}]  # 60 + 20 and 40 + 30
    assert [len(group) for group in groups] == [100] * 5


def test_blocks_of_few_contigs_are_grouped_along_their_cuts() -> None:
    own = [labels(40, 30, 20, 10)]
    groups = cross_fitting_groups(["a"], own, [np.array([0, 100, 200, 300, 400])], n_groups=2)
    assert groups[0].tolist() == [0] * 100 + [1] * 200 + [0] * 100


def test_a_contig_with_most_genes_is_cut_into_blocks() -> None:
    own = [labels(90, 90, 90), labels(10), labels(10)]
    cuts = [np.array([0, 100, 200, 300]), np.array([0, 100]), np.array([0, 100])]
    groups = cross_fitting_groups(["a", "b", "c"], own, cuts, n_groups=3)
    assert len(set(groups[0].tolist())) == 3


def test_no_genes_are_no_trouble() -> None:
    groups = cross_fitting_groups(["a", "b"], [labels(0), labels(0)], [np.array([0, 100])] * 2, n_groups=2)
    assert [set(group.tolist()) for group in groups] == [{0}, {1}]
    assert cross_fitting_groups([], [], []) == []
