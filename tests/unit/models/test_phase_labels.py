"""Labels with the reading frame, base by base: whole genes, cut genes, both strands, and what is not known."""

import numpy as np
import pytest

from dnaspt.genome import alphabet
from dnaspt.genome.gene_states import MISSING, NONCODING, label_contig, reverse_complement_labels, transcript_labels
from dnaspt.genome.genetic_code import STANDARD, GeneticCode
from dnaspt.genome.stop_in_cds import labels_with_stop_codons, with_stop_codon
from dnaspt.genome.transcripts import Transcript
from dnaspt.models.gene_structure import ACCEPTOR, CODING, DONOR, INTERGENIC, INTRON, PLUS, START, STOP
from dnaspt.models.phase_labels import mirror_phase_labels, phase_labels

C = [PLUS + CODING + i for i in range(3)]


def gene(*cds: tuple[int, int], strand: str = "+", phase: int = 0, name: str = "g") -> Transcript:
    return Transcript("c", strand, name, f"{name}.t", cds, phase=phase)


def read(text: str, genes: list[Transcript], *, known: bool = True, **options) -> list[int]:  # type: ignore[no-untyped-def]
    """Phase-aware labels of a contig whose nine-class labels come from transcripts, which may or may not be known."""
    codes = alphabet.encode(text)
    labels, _ = label_contig(genes, codes)
    return phase_labels(codes, labels, genes if known else (), **options).tolist()


@pytest.mark.parametrize("known", [True, False])
def test_a_gene_of_one_exon(known: bool) -> None:
    expected = [INTERGENIC] * 2 + [PLUS + START, C[1], C[2], *C, C[0], C[1], PLUS + STOP] + [INTERGENIC] * 2
    assert read("CCATGGCATAACC", [gene((2, 11))], known=known) == expected


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("split", [0, 1, 2])
def test_an_intron_has_the_bases_of_the_codon_before_it_as_phase(split: int, known: bool) -> None:
    coding = "ATGGCAGCCTAA"
    at = 6 + split
    text = "C" + coding[:at] + "GTCCCCAG" + coding[at:] + "C"
    intron = [PLUS + DONOR + split, *[PLUS + INTRON + split] * 6, PLUS + ACCEPTOR + split]
    exons = [PLUS + START, C[1], C[2], *C, *C, C[0], C[1], PLUS + STOP]
    expected = [INTERGENIC, *exons[:at], *intron, *exons[at:], INTERGENIC]
    assert read(text, [gene((1, 1 + at), (9 + at, 21))], known=known) == expected


def test_start_and_stop_codons_may_be_split() -> None:
    found = read("CATGTCCCCAGGGCATGTCCCCAGAAC", [gene((1, 3), (11, 16), (24, 26))])
    assert found[1:3] == [PLUS + START, C[1]]
    assert found[11] == C[2]
    assert found[3] == PLUS + DONOR + 2 and found[10] == PLUS + ACCEPTOR + 2
    assert found[15] == C[0] and found[24:26] == [C[1], PLUS + STOP]


def test_the_minus_strand_mirrors_the_plus_strand() -> None:
    text = "CCATGGCAGTCCCCAGGCATAACC"
    genes = [gene((2, 8), (16, 22))]
    n = len(text)
    turned = [gene(*((n - b, n - a) for a, b in genes[0].cds[::-1]), strand="-")]
    reverse = alphabet.decode(alphabet.reverse_complement(alphabet.encode(text)))
    forward = np.array(read(text, genes), np.int8)
    assert read(reverse, turned) == mirror_phase_labels(forward).tolist()
    assert read(reverse, turned, known=False) == mirror_phase_labels(forward).tolist()
    assert (mirror_phase_labels(mirror_phase_labels(forward)) == forward).all()


def test_a_cut_gene_has_the_frame_that_its_letters_leave() -> None:
    codes = alphabet.encode(
        "TAATTAACCATAACC"
    )  # TAA ends at 2 and 6 of frames 0 and 1; the gene's stop codon ends frame 2
    labels = np.array([0] * 13 + [NONCODING] * 2, np.int8)
    frames = phase_labels(codes, labels)
    assert (
        frames.tolist() == [MISSING] * 13 + [INTERGENIC] * 2
    )  # stop codons in two frames, and the end is in the first
    codes = alphabet.encode("TTAATAAGCATAACC")
    frames = phase_labels(codes, labels)
    assert frames[12] == MISSING
    codes = alphabet.encode("CCTGCGGCATTAACC")
    frames = phase_labels(codes, labels)
    assert frames[12] == PLUS + STOP and frames[:4].tolist() == [C[2], *C]


def test_a_cut_gene_with_several_open_frames_is_missing_unless_its_transcript_is_known() -> None:
    codes = alphabet.encode("GGCGGCGGCGGC")
    assert (phase_labels(codes, np.zeros(12, np.int8)) == MISSING).all()
    whole = [gene((50, 62), phase=1)]
    found = phase_labels(codes, np.zeros(12, np.int8), whole, start=50)
    assert found.tolist() == [C[2], *C * 3, C[0], C[1]]
    assert (phase_labels(codes, np.zeros(12, np.int8), whole, start=51) == MISSING).all()


def test_a_stop_codon_inside_makes_a_gene_missing() -> None:
    assert read("CCATGTAAGCATAACC", [gene((2, 14))])[2:14] == [MISSING] * 12


def test_another_genetic_code_has_its_own_start_and_stop_codons() -> None:
    ciliate = GeneticCode.from_ncbi(
        6, "".join("Q" if a == "*" else a for a in STANDARD_LINE[:14]) + STANDARD_LINE[14:], ("ATG",)
    )
    found = read("CCATGTAAGCATGACC", [gene((2, 14))], genetic_code=ciliate)
    assert found[2] == PLUS + START and found[13] == PLUS + STOP
    other_start = GeneticCode(1, STANDARD.amino_acids, ("CTG",), STANDARD.stops)
    assert read("CCCTGGCATAACC", [gene((2, 11))], genetic_code=other_start)[2] == PLUS + START
    assert read("CCCTGGCATAACC", [gene((2, 11))])[2] == C[0]


STANDARD_LINE = "FFLLSSSSYY**CC*WLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG"


@pytest.mark.parametrize("known", [True, False])
def test_the_stop_codon_behind_the_cds_is_labeled_as_coding(known: bool) -> None:
    codes = alphabet.encode("CCATGGCATAACC")
    whole = [gene((2, 8))]
    labels = np.full(13, NONCODING, np.int8)
    labels[2:8] = transcript_labels(whole[0])
    whole = [with_stop_codon(own, codes) for own in whole]
    found = phase_labels(codes, labels_with_stop_codons(labels, codes), whole if known else ())
    assert found.tolist() == read("CCATGGCATAACC", [gene((2, 11))])
    codes, labels = alphabet.reverse_complement(codes), reverse_complement_labels(labels)
    turned = phase_labels(codes, labels_with_stop_codons(labels, codes))
    assert (mirror_phase_labels(turned) == found).all()


def test_genes_that_share_bases_in_different_frames_are_missing_there() -> None:
    codes = alphabet.encode("ATGGCCGCCGGCGGCGGCGCCGGC")
    labels = np.zeros(24, np.int8)
    both = [gene((0, 18), name="a"), gene((10, 24), name="b")]
    found = phase_labels(codes, labels, both)
    assert found[:10].tolist() == [PLUS + START, C[1], C[2], *C, *C, C[0]]
    assert found[10:18].tolist() == [MISSING] * 8
    assert found[18:].tolist() == [C[2], *C, C[0], C[1]]


def test_missing_labels_stay_missing_and_the_frame_goes_on_behind_them() -> None:
    text = "CCATGGCAGCNGCAGCATAACC"
    found = read(text, [gene((2, 20))])
    assert found[12 - 2] == MISSING
    assert found[11:14] == [C[0], C[1], C[2]]


def test_a_frameshift_in_the_annotation_keeps_the_frame_of_the_coding_bases() -> None:
    found = read("CCATGGCAGCGAGCATAACC", [gene((2, 10), (11, 18))])
    assert found[10] == MISSING
    assert found[8:10] == [C[0], C[1]] and found[11] == C[2]


def test_empty_sequence() -> None:
    assert phase_labels(np.zeros(0, np.uint8), np.zeros(0, np.int8)).tolist() == []
