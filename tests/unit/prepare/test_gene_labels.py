"""Annotated transcripts of a contig to labels and reference transcripts."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.genome.legal_labels import illegal_positions

from dnaspt.errors import InputError
from dnaspt.genome import alphabet
from dnaspt.genome.fasta import Contig
from dnaspt.genome.gene_states import GENE_STATES, MISSING, reverse_complement_labels
from dnaspt.genome.gff3 import AnnotatedTranscript
from dnaspt.genome.transcripts import Transcript
from dnaspt.prepare.gene_labels import label_genes
from dnaspt.prepare.splits import SplitInterval

LENGTH = 120


def gene(strand: str, *cds: tuple[int, int], name: str = "g", transcript: str = "") -> Transcript:
    return Transcript("c", strand, name, transcript or f"{name}.t", cds)


def annotated(*transcripts: Transcript) -> list[AnnotatedTranscript]:
    return [AnnotatedTranscript(transcript, (), (), 1, Path("a.gff3")) for transcript in transcripts]


def contig(letters: str) -> Contig:
    return Contig("c", alphabet.encode(letters.encode()))


def text(labels: np.ndarray) -> str:
    """Labels as one character per base; a dot is missing."""
    return "".join("." if label == MISSING else str(label) for label in labels.tolist())


@st.composite
def annotations(draw: st.DrawFn) -> list[AnnotatedTranscript]:
    """Up to five transcripts of four genes, with exons that may go beyond the CDS; they overlap as they like."""
    rows = []
    for number in range(draw(st.integers(0, 5))):
        n_exons = draw(st.integers(1, 4))
        cuts = sorted(draw(st.sets(st.integers(0, LENGTH), min_size=2 * n_exons, max_size=2 * n_exons)))
        cds = tuple(zip(cuts[::2], cuts[1::2], strict=True))
        left, right = draw(st.integers(0, 6)), draw(st.integers(0, 6))
        exons = ((max(0, cuts[0] - left), cds[0][1]), *cds[1:]) if len(cds) > 1 else cds
        exons = (*exons[:-1], (exons[-1][0], min(LENGTH, cuts[-1] + right)))
        transcript = Transcript("c", draw(st.sampled_from("+-")), f"g{draw(st.integers(0, 3))}", f"t{number}", cds)
        rows.append(AnnotatedTranscript(transcript, draw(st.sampled_from([(), exons])), (), 1, Path("a.gff3")))
    return rows


def mirrored(row: AnnotatedTranscript) -> AnnotatedTranscript:
    """The same transcript on the reverse-complemented contig."""
    old = row.transcript

    def mirror(intervals: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
        return tuple((LENGTH - end, LENGTH - start) for start, end in reversed(intervals))

    strand = {"+": "-", "-": "+"}[old.strand]
    transcript = Transcript(old.chrom, strand, old.gene_id, old.transcript_id, mirror(old.cds))
    return AnnotatedTranscript(transcript, mirror(row.exons), mirror(row.stop_codon), row.line, row.path)


contigs = st.lists(st.sampled_from([0, 1, 2, 3, 3, 0, 4, 8, 11]), min_size=LENGTH, max_size=LENGTH).map(
    lambda codes: np.array(codes, dtype=np.uint8)
)


@settings(max_examples=150, deadline=None)
@given(annotations(), contigs, st.integers(1, LENGTH - 1))
def test_labels_of_the_reverse_complemented_genome_are_the_mapped_labels(
    rows: list[AnnotatedTranscript], codes: np.ndarray, cut: int
) -> None:
    intervals = [SplitInterval("c", 0, cut, "train"), SplitInterval("c", cut, LENGTH, "test")]
    turned_intervals = [SplitInterval("c", 0, LENGTH - cut, "test"), SplitInterval("c", LENGTH - cut, LENGTH, "train")]
    forward = label_genes(Contig("c", codes), rows, intervals)
    turned = [mirrored(row) for row in rows]
    backward = label_genes(Contig("c", alphabet.reverse_complement(codes)), turned, turned_intervals)
    assert text(backward.labels) == text(reverse_complement_labels(forward.labels))
    assert backward.counts == forward.counts
    assert not len(illegal_positions(forward.labels, GENE_STATES))


def test_a_cds_off_the_end_of_its_contig_is_refused_with_its_line() -> None:
    row = AnnotatedTranscript(gene("+", (2, 30)), (), (), 17, Path("a.gff3"))
    with pytest.raises(InputError, match=r"a.gff3:17: CDS of 'g.t' ends at 30 on 'c'; expected at most 24"):
        label_genes(contig("A" * 24), [row], [SplitInterval("c", 0, 24, "train")])


def test_a_stop_codon_off_the_end_of_its_contig_is_refused_too() -> None:
    row = AnnotatedTranscript(gene("+", (2, 23)), (), ((23, 26),), 4, Path("a.gtf"))
    with pytest.raises(InputError, match=r"a.gtf:4: CDS of 'g.t' ends at 26 on 'c'"):
        label_genes(contig("A" * 24), [row], [SplitInterval("c", 0, 24, "train")])


def test_a_gene_across_a_cut_is_missing_on_both_sides_and_no_reference() -> None:
    genes = annotated(gene("+", (2, 5)), gene("+", (8, 14), name="h"), gene("+", (18, 21), name="i"))
    intervals = [SplitInterval("c", 0, 10, "train"), SplitInterval("c", 10, 24, "test")]
    labeled = label_genes(contig("C" * 24), genes, intervals)
    assert text(labeled.labels) == "88000888......8888000888"
    assert labeled.counts["genes_across_splits"] == 1
    assert labeled.dropped == {"transcripts_not_in_one_split": 1}
    assert [(row.transcript.gene_id, row.split, row.longest) for row in labeled.references] == [
        ("g", "train", True),
        ("i", "test", True),
    ]


def test_a_gene_outside_all_splits_is_dropped_but_lies_across_none() -> None:
    labeled = label_genes(contig("C" * 24), annotated(gene("+", (18, 21))), [SplitInterval("c", 0, 10, "train")])
    assert labeled.counts.get("genes_across_splits", 0) == 0
    assert labeled.dropped == {"transcripts_not_in_one_split": 1} and labeled.references == ()


def test_isoforms_are_references_and_the_longest_gives_the_labels() -> None:
    genes = annotated(gene("+", (2, 5), (12, 18)), gene("+", (2, 5), transcript="short"))
    labeled = label_genes(contig("C" * 24), genes, [SplitInterval("c", 0, 24, "valid")])
    assert text(labeled.labels) == "880001222223000000888888"
    assert [(row.transcript.transcript_id, row.split, row.longest) for row in labeled.references] == [
        ("g.t", "valid", True),
        ("short", "valid", False),
    ]


def test_isoforms_of_a_gene_whose_longest_is_across_splits_are_no_reference() -> None:
    genes = annotated(gene("+", (2, 14)), gene("+", (2, 5), transcript="short"))
    intervals = [SplitInterval("c", 0, 10, "train"), SplitInterval("c", 10, 24, "test")]
    assert label_genes(contig("C" * 24), genes, intervals).references == ()


def test_intervals_of_unknown_annotation_are_missing() -> None:
    intervals = [SplitInterval("c", 0, 24, "train")]
    labeled = label_genes(contig("C" * 24), annotated(gene("-", (4, 10))), intervals, unknown=[(0, 3), (20, 24)])
    assert text(labeled.labels) == "...84444448888888888...."


def test_bases_that_are_coding_elsewhere_are_missing_where_no_transcript_labels_them() -> None:
    rows = annotated(gene("+", (4, 10), transcript="long"), gene("+", (8, 13), transcript="short"))
    labeled = label_genes(contig("C" * 24), rows, [SplitInterval("c", 0, 24, "train")], coding=[(2, 6), (20, 30)])
    assert text(labeled.labels) == "88..000000...8888888...."
    assert labeled.counts["bp_coding_elsewhere"] == 9


def test_a_gene_across_the_origin_of_a_circular_contig_is_missing_on_both_sides() -> None:
    rows = annotated(gene("+", (4, 10), name="a"), gene("+", (20, 23), (25, 28), name="b"))
    labeled = label_genes(contig("C" * 24), rows, [SplitInterval("c", 0, 24, "train")], is_circular=True)
    assert text(labeled.labels) == "....0000008888888888...."
    assert (labeled.counts["transcripts_across_origin"], len(labeled.references)) == (1, 1)


def test_what_is_unknown_across_the_origin_is_missing_on_both_sides() -> None:
    splits = [SplitInterval("c", 0, 24, "train")]
    for name in ("unknown", "coding"):
        labeled = label_genes(contig("C" * 24), [], splits, is_circular=True, **{name: [(20, 28), (26, 31), (9, 10)]})
        assert text(labeled.labels) == ".......88.8888888888....", name


def test_a_stop_codon_across_the_origin_leaves_its_gene_out() -> None:
    row = AnnotatedTranscript(gene("+", (15, 23)), (), ((23, 26),), 1, Path("a.gff3"))
    labeled = label_genes(contig("C" * 24), [row], [SplitInterval("c", 0, 24, "train")], is_circular=True)
    assert text(labeled.labels) == "..8888888888888........."
    assert labeled.counts["transcripts_across_origin"] == 1
    with pytest.raises(InputError, match="ends at 26 on 'c'"):
        label_genes(contig("C" * 24), [row], [SplitInterval("c", 0, 24, "train")])


@pytest.mark.parametrize(
    ("strand", "intron", "name"),
    [
        ("+", "GTCCCAG", "introns_gt_ag"),
        ("-", "CTGGGAC", "introns_gt_ag"),
        ("+", "gcCCCag", "introns_gc_ag"),
        ("+", "ATCCCAC", "introns_at_ac"),
        ("-", "GTGGGAT", "introns_at_ac"),
        ("+", "CTGGGAC", "introns_other"),
        ("+", "GTNCCNG", "introns_other"),
    ],
)
def test_introns_are_counted_by_the_letters_at_their_ends(strand: str, intron: str, name: str) -> None:
    genes = annotated(gene(strand, (2, 6), (13, 18)))
    labeled = label_genes(contig(f"CCAAAA{intron}AAAAACC"), genes, [SplitInterval("c", 0, 20, "train")])
    by_motif = {key: number for key, number in labeled.counts.items() if key.startswith("introns_")}
    assert by_motif == {name: 1} and labeled.counts["introns"] == 1
    assert labeled.counts["cds_not_multiple_of_3"] == 0


def test_a_gap_of_a_frameshift_has_no_motif_and_an_incomplete_cds_is_counted() -> None:
    genes = annotated(gene("+", (2, 6), (8, 12)))
    labeled = label_genes(contig("C" * 20), genes, [SplitInterval("c", 0, 20, "train")])
    assert not [key for key in labeled.counts if key.startswith("introns_")]
    assert (labeled.counts["introns"], labeled.counts["cds_not_multiple_of_3"]) == (1, 1)
