"""Transcripts to labels for each base, and back."""

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.genome.gff3_files import write_gff3
from tests.unit.genome.legal_labels import illegal_positions

from dnaspt.genome import alphabet
from dnaspt.genome.gene_states import (
    GENE_STATES,
    MISSING,
    label_contig,
    longest_per_gene,
    reverse_complement_labels,
    transcripts_from_labels,
    widen_missing,
)
from dnaspt.genome.gff3 import read_annotation
from dnaspt.genome.transcripts import Transcript

LENGTH = 120


def gene(strand: str, *cds: tuple[int, int], name: str = "g") -> Transcript:
    return Transcript("c", strand, name, f"{name}.t", cds)


def letters(text: str) -> np.ndarray:
    return alphabet.encode(text.encode())


def row(text: str) -> np.ndarray:
    """Labels written as one character per base; a dot is missing."""
    return np.array([MISSING if one == "." else int(one) for one in text], dtype=np.int8)


def text(labels: np.ndarray) -> str:
    return "".join("." if one == MISSING else str(one) for one in labels.tolist())


@pytest.mark.parametrize(
    ("transcripts", "expected"),
    [
        ([], "888888888888888888888888"),
        ([gene("+", (2, 8))], "880000008888888888888888"),
        ([gene("-", (2, 8))], "884444448888888888888888"),
        ([gene("+", (1, 4), (9, 12), (16, 17))], "800012223000122308888888"),
        ([gene("-", (1, 4), (9, 12), (16, 17))], "844476665444766548888888"),
        ([gene("+", (0, 4), (8, 24))], "000012230000000000000000"),
        ([gene("+", (1, 4), (9, 12)), gene("-", (14, 17), (22, 24), name="h")], "800012223000884447666544"),
        # A gap of 1 to 3 bases between coding exons is a frameshift, not an intron.
        ([gene("+", (1, 4), (7, 12))], "8000...00000888888888888"),
        ([gene("-", (1, 4), (5, 12))], "8444.4444444888888888888"),
        # Genes on opposite strands disagree where they overlap; genes nested in an intron hide it.
        ([gene("+", (1, 9)), gene("-", (6, 14), name="h")], "800000...444448888888888"),
        ([gene("+", (1, 4), (16, 20)), gene("-", (8, 12), name="h")], "80001222....222300008888"),
        # On the same strand they disagree only where their labels do.
        ([gene("+", (1, 4), (16, 20)), gene("+", (7, 9), (13, 15), name="h")], "8000122...22...300008888"),
        ([gene("+", (1, 9)), gene("+", (1, 9), name="h")], "800000000888888888888888"),
        # Neighbors without a base between them: no path leads from one strand to the other.
        ([gene("+", (1, 5)), gene("-", (5, 9), name="h")], "8000..444888888888888888"),
    ],
)
def test_labels_base_by_base(transcripts, expected):
    labels, _ = label_contig(transcripts, letters("A" * 24))
    assert text(labels) == expected


def test_n_bases_are_missing_and_counted():
    labels, counts = label_contig([gene("+", (2, 8))], letters("AANAAAnRAA"))
    assert text(labels) == "88.000..88"
    assert counts["bp_n"] == 3


def test_unknown_intervals_are_missing_and_counted():
    labels, counts = label_contig([gene("+", (2, 8))], letters("A" * 10), unknown=[(0, 4), (9, 20)])
    assert text(labels) == "....00008."
    assert counts["bp_unknown"] == 5


def test_conflicts_and_frameshifts_are_counted():
    _, counts = label_contig(
        [gene("+", (0, 3), (5, 9)), gene("-", (7, 12), name="h"), gene("+", (14, 20), name="i")], letters("A" * 24)
    )
    assert {name: counts[name] for name in ("genes_conflicting", "bp_conflicting", "frameshift_introns")} == {
        "genes_conflicting": 2,
        "bp_conflicting": 2,
        "frameshift_introns": 1,
    }


def test_the_longest_cds_stands_for_a_gene_and_ties_go_to_the_first_name():
    isoforms = [
        Transcript("c", "+", "g", "t3", ((0, 9),)),
        Transcript("c", "+", "g", "t2", ((0, 12),)),
        Transcript("c", "+", "g", "t1", ((3, 15),)),
        Transcript("c", "+", "h", "u1", ((0, 3),)),
        Transcript("d", "+", "g", "v1", ((0, 3),)),
    ]
    longest, counts = longest_per_gene(isoforms)
    assert [one.transcript_id for one in longest] == ["u1", "t1", "v1"]
    assert counts == {"transcripts": 5, "coding_genes": 3, "other_isoforms": 2}


def has_legal_path(labels: tuple[int, ...]) -> bool:
    """Whether some assignment of states to the missing labels is legal, by trying every one."""
    legal = set(GENE_STATES.legal)
    choices = [range(9) if one == MISSING else (one,) for one in labels]
    return any(all(pair in legal for pair in pairwise(path)) for path in product(*choices))


@pytest.mark.parametrize("gap", [0, 1, 2, 3])
def test_a_gap_is_legal_exactly_where_some_path_leads_across_it(gap):
    for left, right in product(range(9), range(9)):
        labels = (left, *[MISSING] * gap, right)
        found = illegal_positions(np.array(labels, dtype=np.int8), GENE_STATES)
        assert found.tolist() == ([] if has_legal_path(labels) else [gap + 1]), labels


def test_from_any_state_any_other_is_reached_across_a_long_gap():
    labels = np.full(2000, MISSING, dtype=np.int8)
    for left, right in product(range(9), range(9)):
        labels[0], labels[-1] = left, right
        assert not len(illegal_positions(labels, GENE_STATES))


def test_illegal_positions_are_those_of_the_second_label():
    assert illegal_positions(row("8801230081.3044"), GENE_STATES).tolist() == [9, 13]
    assert illegal_positions(row(""), GENE_STATES).tolist() == []
    assert illegal_positions(row("...."), GENE_STATES).tolist() == []


def test_a_label_that_is_no_state_is_refused():
    with pytest.raises(ValueError, match=r"outside 0 \.\. 8"):
        illegal_positions(np.array([0, 9], dtype=np.int8), GENE_STATES)
    with pytest.raises(ValueError, match=r"outside 0 \.\. 8"):
        illegal_positions(np.array([-1, 8], dtype=np.int8), GENE_STATES)


any_labels = st.lists(st.sampled_from([*range(9), MISSING]), max_size=40).map(
    lambda found: np.array(found, dtype=np.int8)
)


@settings(deadline=None)
@given(any_labels)
def test_widened_labels_are_legal_and_only_lose_labels(labels):
    widened = labels.copy()
    counts = widen_missing(widened, GENE_STATES)
    assert not len(illegal_positions(widened, GENE_STATES))
    changed = widened != labels
    assert (widened[changed] == MISSING).all()
    assert counts.get("bp_illegal", 0) == changed.sum()


@settings(deadline=None)
@given(any_labels)
def test_reverse_complement_of_labels_undoes_itself(labels):
    assert (reverse_complement_labels(reverse_complement_labels(labels)) == labels).all()


def test_reverse_complement_swaps_the_strands_of_a_gene():
    assert text(reverse_complement_labels(row("800012230008.8"))) == "8.844476654448"


@st.composite
def separate_genes(draw: st.DrawFn) -> list[Transcript]:
    """Genes with introns of 4 bp or more and at least one base between them, numbered from left to right."""
    at, found = draw(st.integers(0, 5)), []
    for number in range(1, draw(st.integers(0, 4)) + 1):
        cds = []
        for _ in range(draw(st.integers(1, 4))):
            end = at + draw(st.integers(1, 12))
            cds.append((at, end))
            at = end + draw(st.integers(4, 12))
        found.append(Transcript("c", draw(st.sampled_from("+-")), f"c.g{number}", f"c.g{number}.t1", tuple(cds)))
    return found


@settings(deadline=None)
@given(separate_genes())
def test_genes_to_labels_to_genes_is_the_identity(genes):
    length = 10 + max((one.end for one in genes), default=0)
    labels, _ = label_contig(genes, letters("A" * length))
    assert transcripts_from_labels(labels, "c") == genes


def test_gff3_to_labels_to_gff3_is_the_identity(tmp_path):
    genes = [gene("+", (3, 9), (15, 20), name="c.g1"), gene("-", (30, 34), (40, 41), (50, 60), name="c.g2")]
    genes = [Transcript("c", one.strand, one.gene_id, f"{one.gene_id}.t1", one.cds) for one in genes]
    first, second = tmp_path / "first.gff3", tmp_path / "second.gff3"
    write_gff3(first, genes, [("c", 70)])
    read = [one.transcript for one in read_annotation(first).transcripts]
    labels, _ = label_contig(read, letters("A" * 70))
    write_gff3(second, transcripts_from_labels(labels, "c"), [("c", 70)])
    assert second.read_text() == first.read_text()


@pytest.mark.parametrize(
    ("path", "genes"),
    [
        ("0001223000", [("+", ((0, 3), (7, 10)))]),
        ("2230001222", [("+", ((3, 6),))]),
        ("6654447666", [("-", ((3, 6),))]),
        ("2222222222", []),
        ("8800880088", [("+", ((2, 4),)), ("+", ((6, 8),))]),
        ("3088444884", [("+", ((1, 2),)), ("-", ((4, 7),)), ("-", ((9, 10),))]),
        ("800..00088", [("+", ((1, 3),)), ("+", ((5, 8),))]),
        ("8888888888", []),
        ("", []),
    ],
)
def test_paths_that_begin_or_end_inside_a_gene_give_their_cds(path, genes):
    found = transcripts_from_labels(row(path), "c", start=100, first_number=7)
    assert [(one.strand, tuple((a - 100, b - 100) for a, b in one.cds)) for one in found] == genes
    assert [one.gene_id for one in found] == [f"c.g{7 + n}" for n in range(len(genes))]
