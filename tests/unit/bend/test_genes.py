"""Splice sites of BEND's gene finding: where its labels lie, and what is told where they do not."""

from pathlib import Path

import numpy as np
import pytest

from dnaspt.bend.genes import SpliceSites, genes_of
from dnaspt.data.dataset import Window
from dnaspt.errors import InputError
from dnaspt.genome import alphabet

FORWARD = ("CCCCCGTCCCCAGCCCCC", "888001222222300888")
"""A gene of the plus strand: donor on the G of GT, acceptor on the G of AG."""


def labels_of(text: str) -> np.ndarray:
    return np.array([int(letter) for letter in text], dtype=np.int8)


def test_sites_on_their_letters_are_taken_on_both_strands() -> None:
    codes, labels = alphabet.encode(FORWARD[0]), labels_of(FORWARD[1])
    sites = SpliceSites()
    sites.add(codes, labels, 0)
    sites.check(Path("x"))
    assert sites._counts[1, 0].tolist() == [1, 1] and sites._counts[3, 0].tolist() == [1, 1]
    turned = SpliceSites()
    complement = np.array([4, 5, 6, 7, 0, 1, 2, 3, 8])
    turned.add(alphabet.reverse_complement(codes), complement[labels[::-1]], 0)
    turned.check(Path("x"))
    assert turned._counts[5, 0].tolist() == [1, 1] and turned._counts[7, 0].tolist() == [1, 1]


def test_labels_may_begin_within_the_contig() -> None:
    codes = alphabet.encode("NNNN" + FORWARD[0])
    sites = SpliceSites()
    sites.add(codes, labels_of(FORWARD[1]), 4)
    sites.check(Path("x"))


def test_a_site_at_the_end_of_a_contig_has_no_letters_to_check() -> None:
    sites = SpliceSites()
    sites.add(alphabet.encode("CCG"), labels_of("001"), 0)
    sites.check(Path("x"))
    assert sites._counts[1, 0].tolist() == [0, 0]


def test_swapped_classes_are_told_as_such() -> None:
    swapped = labels_of(FORWARD[1].replace("1", "x").replace("3", "1").replace("x", "3"))
    sites = SpliceSites()
    sites.add(alphabet.encode(FORWARD[0]), swapped, 0)
    with pytest.raises(InputError, match=r"x: 0% of the bases of class 1 \(donor\+\) lie on the G of GT .*are swapped"):
        sites.check(Path("x"))


def test_labels_of_another_genome_are_told_as_such() -> None:
    sites = SpliceSites()
    sites.add(alphabet.encode("C" * 18), labels_of(FORWARD[1]), 0)
    with pytest.raises(InputError, match="expected at least 90%; are these labels of this genome"):
        sites.check(Path("x"))


def test_nine_of_ten_sites_are_enough() -> None:
    good, bad = alphabet.encode(FORWARD[0]), alphabet.encode("C" * 18)
    labels, sites = labels_of(FORWARD[1]), SpliceSites()
    for _ in range(9):
        sites.add(good, labels, 0)
    sites.add(bad, labels, 0)
    sites.check(Path("x"))
    sites.add(bad, labels, 0)
    with pytest.raises(InputError, match="82% of the bases of class 1"):
        sites.check(Path("x"))


def test_the_genes_of_a_window_are_those_that_its_labels_mean() -> None:
    window = Window("chr1:5-23", 0, 18, ".", alphabet.encode(FORWARD[0]), labels_of(FORWARD[1]))
    (gene,) = genes_of(window, "test")
    assert gene.split == "test" and gene.longest
    assert gene.transcript.chrom == "chr1:5-23" and gene.transcript.cds == ((3, 5), (13, 15))
