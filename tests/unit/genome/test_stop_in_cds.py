"""The stop codon becomes part of the CDS, whichever way a source writes it."""

from pathlib import Path

import numpy as np
import pytest

from dnaspt.genome import alphabet
from dnaspt.genome.gene_states import MISSING, reverse_complement_labels
from dnaspt.genome.genetic_code import genetic_code
from dnaspt.genome.gff3 import AnnotatedTranscript
from dnaspt.genome.stop_in_cds import (
    labels_with_stop_codons,
    stop_codon_in_cds,
    with_stop_codon,
    without_stop_codon,
)
from dnaspt.genome.transcripts import Transcript


@pytest.mark.parametrize(
    ("sequence", "strand", "cds", "exons", "rows", "expected", "kind"),
    [
        ("CCATGAAATAACC", "+", ((2, 11),), (), (), ((2, 11),), "in_cds"),
        ("CCATGAAATAACC", "+", ((2, 8),), (), (), ((2, 11),), "from_sequence"),
        ("CCATGAAATAACC", "+", ((2, 8),), ((0, 13),), (), ((2, 11),), "from_sequence"),
        ("CCATGAAATAACC", "+", ((2, 8),), ((0, 9),), (), ((2, 8),), "not_found"),
        ("CCATGAAACCACC", "+", ((2, 8),), (), (), ((2, 8),), "not_found"),
        ("CCATGAAATA", "+", ((2, 8),), (), (), ((2, 8),), "not_found"),
        ("CCATGAAATNACC", "+", ((2, 8),), (), (), ((2, 8),), "not_found"),
        ("CCATGAAACCACC", "+", ((2, 8),), (), ((8, 11),), ((2, 11),), "from_rows"),
        ("CCATGAAATAACC", "+", ((2, 11),), (), ((8, 11),), ((2, 11),), "in_cds"),
        # TGA in two exons, one base before the intron GTCCAG.
        ("ATGAAATGTCCAGGACC", "+", ((0, 6),), ((0, 7), (13, 17)), (), ((0, 7), (13, 15)), "from_sequence"),
        ("ATGAAATGTCCAGGACC", "+", ((0, 6),), (), ((6, 7), (13, 15)), ((0, 7), (13, 15)), "from_rows"),
        # The same gene on the minus strand.
        ("GGTCCTGGACATTTCAT", "-", ((11, 17),), ((0, 4), (10, 17)), (), ((2, 4), (10, 17)), "from_sequence"),
        ("GGTTATTTCATGG", "-", ((5, 11),), (), (), ((2, 11),), "from_sequence"),
        ("GGTTATTTCATGG", "-", ((2, 11),), (), (), ((2, 11),), "in_cds"),
        ("ggttatttcatgg", "-", ((5, 11),), ((4, 13),), (), ((5, 11),), "not_found"),
        # A last codon that an intron divides: TA, intron, A.
        ("ATGTAGTCCAGACC", "+", ((0, 5), (11, 12)), (), (), ((0, 5), (11, 12)), "in_cds"),
    ],
)
def test_the_stop_codon_belongs_to_the_cds_for_every_source(sequence, strand, cds, exons, rows, expected, kind):
    one = AnnotatedTranscript(Transcript("c", strand, "g", "g.t", cds), exons, rows, 1, Path("a.gff3"))
    (found,), counts = stop_codon_in_cds([one], alphabet.encode(sequence))
    assert found.cds == expected
    assert counts == {f"stop_codons_{kind}": 1}


def test_the_score_of_a_transcript_is_kept_where_its_stop_codon_is_added():
    codes = alphabet.encode(b"ATGGCTTAAA")
    scored = Transcript("c", "+", "g", "t", ((0, 6),), 0.75)
    annotated = AnnotatedTranscript(scored, (), (), 1, Path("a.gff3"))
    assert stop_codon_in_cds([annotated], codes)[0] == [Transcript("c", "+", "g", "t", ((0, 9),), 0.75)]


@pytest.mark.parametrize(
    ("sequence", "strand", "cds", "expected"),
    [
        ("CCATGAAATAACC", "+", ((2, 11),), ((2, 8),)),
        ("GGTTATTTCATGG", "-", ((2, 11),), ((5, 11),)),
        ("CCATGAAACCACC", "+", ((2, 11),), ((2, 11),)),
        # TGA in two exons, one base before the intron GTCCAG: the second exon goes, and a base of the first.
        ("ATGAAATGTCCAGGACC", "+", ((0, 7), (13, 15)), ((0, 6),)),
        ("GGTCCTGGACATTTCAT", "-", ((2, 4), (10, 17)), ((11, 17),)),
        # Nothing else is left of the gene.
        ("TAA", "+", ((0, 3),), ((0, 3),)),
    ],
)
def test_the_stop_codon_is_cut_off_where_the_cds_ends_with_one(sequence, strand, cds, expected):
    transcript = Transcript("c", strand, "g", "t", cds)
    assert without_stop_codon(transcript, alphabet.encode(sequence)).cds == expected


def test_which_codons_are_stop_codons_is_a_matter_of_the_genetic_code() -> None:
    codes = alphabet.encode(b"ATGTAATGACC")
    for table, expected in ((1, ((0, 6),)), (6, ((0, 9),))):  # TAA is Q in code 6, and TGA follows
        one = AnnotatedTranscript(Transcript("c", "+", "g", "g.t", ((0, 6),)), (), (), 1, Path("a.gff3"))
        (found,), _ = stop_codon_in_cds([one], codes, genetic_code(table))
        assert found.cds == expected
    whole = Transcript("c", "+", "g", "g.t", ((0, 9),))
    assert without_stop_codon(whole, codes, genetic_code(6)).cds == ((0, 6),)
    assert without_stop_codon(whole, codes, genetic_code(10)) == whole


@pytest.mark.parametrize(
    ("sequence", "cds", "expected"),
    [
        ("CCATGAAATAACC", ((2, 8),), ((2, 11),)),
        ("CCATGAAATAACC", ((2, 11),), ((2, 11),)),
        ("CCATGAAACCACC", ((2, 8),), ((2, 8),)),
        ("CCATGAAATA", ((2, 8),), ((2, 8),)),
        # T, the intron GTCCAG, GA: nothing says where that intron ends.
        ("ATGAAATGTCCAGGACC", ((0, 6),), ((0, 6),)),
    ],
)
def test_the_stop_codon_behind_the_cds_is_added_where_the_letters_show_it(sequence, cds, expected):
    codes, n = alphabet.encode(sequence), len(sequence)
    assert with_stop_codon(Transcript("c", "+", "g", "t", cds), codes).cds == expected
    minus = Transcript("c", "-", "g", "t", tuple((n - end, n - start) for start, end in reversed(cds)))
    mirrored = tuple((n - end, n - start) for start, end in reversed(expected))
    assert with_stop_codon(minus, alphabet.reverse_complement(codes)).cds == mirrored


def labels_of(text: str) -> np.ndarray:
    """Labels by their digits; x is a missing one."""
    return np.array([MISSING if letter == "x" else int(letter) for letter in text], np.int8)


@pytest.mark.parametrize(
    ("sequence", "labels", "expected"),
    [
        ("CCATGAAATAACC", "8800000088888", "8800000000088"),
        ("CCATGGTCCAGAAATAGCC", "8800012222300088888", "8800012222300000088"),
        # No stop codon behind the CDS, also where an intron splits it (T, GTCCAG, GA): three bases are not known.
        ("CCATGAAACCACC", "8800000088888", "88000000xxx88"),
        ("ATGAAATGTCCAGGACC", "00000088888888888", "000000xxx88888888"),
        ("CCATGAAATNACC", "8800000088888", "88000000xxx88"),
        ("CCATGAAATA", "8800000088", "88000000xx"),
        # Labels that have the stop codon in the CDS, all the same.
        ("CCATGAAATAACC", "8800000000088", "8800000000088"),
        # The gene goes on behind a missing label, an intron or the end.
        ("CCATGAAATAACC", "88000000xx888", "88000000xx888"),
        ("CCATGAAAGTAAC", "8800000012222", "8800000012222"),
        ("ATGAAA", "000000", "000000"),
        # Another gene lies where the stop codon is: on the other strand, or where a label is missing.
        ("CCATGAAATAACC", "8800000088444", "88000000xx444"),
        ("CCATGAAATAACC", "880000008xx88", "88000000xxx88"),
        # Two genes that face each other; of the second one the letters before the CDS are no stop codon.
        ("ATGTAATTACAT", "000888888444", "000000444444"),
        ("ATGTAACAT", "000888444", "000000444"),
    ],
)
def test_labels_get_the_stop_codons_that_they_leave_out(sequence, labels, expected):
    codes = alphabet.encode(sequence)
    assert labels_with_stop_codons(labels_of(labels), codes).tolist() == labels_of(expected).tolist()
    turned = labels_with_stop_codons(reverse_complement_labels(labels_of(labels)), alphabet.reverse_complement(codes))
    assert turned.tolist() == reverse_complement_labels(labels_of(expected)).tolist()


def test_labels_of_another_genetic_code_get_its_stop_codons() -> None:
    codes, labels = alphabet.encode("ATGAAATAATGACC"), labels_of("00000088888888")
    assert labels_with_stop_codons(labels, codes, genetic_code(6)).tolist() == labels_of("000000xxx88888").tolist()
    assert labels_with_stop_codons(labels, codes, genetic_code(10)).tolist() == labels_of("00000000088888").tolist()
