"""The stop codon becomes part of the CDS, whichever way a source writes it."""

from pathlib import Path

import pytest

from dnaspt.genome import alphabet
from dnaspt.genome.genetic_code import genetic_code
from dnaspt.genome.gff3 import AnnotatedTranscript
from dnaspt.genome.stop_in_cds import stop_codon_in_cds, without_stop_codon
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
