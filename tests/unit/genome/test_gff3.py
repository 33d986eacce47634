"""Coding transcripts of GFF3 and GTF, and what is wrong with files that are refused."""

import gzip
from pathlib import Path

import pysam
import pytest

from dnaspt.errors import InputError
from dnaspt.genome.gff3 import read_annotation
from dnaspt.genome.intervals import Interval
from dnaspt.genome.transcripts import Transcript

GFF3 = """\
##gff-version 3
##sequence-region chr1 1 1000
# a comment

chr1\tx\tgene\t11\t100\t.\t+\t.\tID=g1
chr1\tx\tmRNA\t11\t100\t.\t+\t.\tID=t1;Parent=g1
chr1\tx\texon\t11\t40\t.\t+\t.\tParent=t1
chr1\tx\texon\t61\t100\t.\t+\t.\tParent=t1
chr1\tx\tCDS\t21\t40\t.\t+\t0\tID=c1;Parent=t1
chr1\tx\tCDS\t61\t70\t.\t+\t1\tID=c1;Parent=t1
"""
T1 = Transcript("chr1", "+", "g1", "t1", ((20, 40), (60, 70)))

GTF = """\
chr1\tx\ttranscript\t11\t100\t.\t+\t.\tgene_id "g1"; transcript_id "t1"; note "a; b";
chr1\tx\texon\t11\t40\t.\t+\t.\tgene_id "g1"; transcript_id "t1";
chr1\tx\texon\t61\t100\t.\t+\t.\tgene_id "g1"; transcript_id "t1";
chr1\tx\tCDS\t21\t40\t.\t+\t0\tgene_id "g1"; transcript_id "t1";
chr1\tx\tCDS\t61\t70\t.\t+\t1\tgene_id "g1"; transcript_id "t1";
chr1\tx\tstop_codon\t71\t73\t.\t+\t0\tgene_id "g1"; transcript_id "t1";
"""


def rows(*texts: str) -> str:
    """Rows with blanks for tabs between the first eight columns."""
    return "".join("\t".join(text.split(None, 8)) + "\n" for text in texts)


GENE = ("c x gene 1 90 . + . ID=g", "c x mRNA 1 90 . + . ID=t;Parent=g")


def read(tmp_path: Path, content: str | bytes, name: str = "a.gff3"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_annotation(path)


def transcripts(tmp_path: Path, content: str | bytes) -> list[Transcript]:
    return [one.transcript for one in read(tmp_path, content).transcripts]


def test_gff3_rows_become_half_open_transcripts_with_exons_and_lengths(tmp_path):
    found = read(tmp_path, GFF3)
    (one,) = found.transcripts
    assert one.transcript == T1
    assert one.exons == ((10, 40), (60, 100))
    assert one.stop_codon == ()
    assert one.line == 10
    assert (found.contigs, found.lengths, found.counts["rows"]) == ({"chr1"}, {"chr1": 1000}, 6)


def test_gtf_gives_the_same_transcript_and_its_explicit_stop_codon(tmp_path):
    (one,) = read(tmp_path, GTF).transcripts
    assert one.transcript == T1
    assert one.exons == ((10, 40), (60, 100))
    assert one.stop_codon == ((70, 73),)


@pytest.mark.parametrize(
    "content",
    [
        GFF3.replace("\n", "\r\n").encode(),
        gzip.compress(GFF3.encode(), mtime=0),
        b"\xef\xbb\xbf" + GFF3.encode(),
        (GFF3 + "##FASTA\n>chr1\nACGT\n").encode(),
        (GFF3 + ">chr1\nACGT\n").encode(),
        GFF3.rstrip("\n").encode(),
        GFF3.split("\n", 1)[1].encode(),
        (GFF3 + "chr1\trnaseq\tintron\t41\t60\t9\t.\t.\tName=evidence\n").encode(),
        "".join(reversed(GFF3.splitlines(keepends=True))).encode(),
    ],
    ids=["crlf", "gzip", "bom", "fasta-section", "bare-fasta", "no-last-newline", "no-version", "evidence", "reversed"],
)
def test_unusual_but_valid_files_give_the_same_transcript(tmp_path, content):
    assert transcripts(tmp_path, content) == [T1]


def test_bgzip_is_read_like_plain_text(tmp_path):
    plain, packed = tmp_path / "a.gff3", tmp_path / "a.gff3.gz"
    plain.write_text(GFF3)
    pysam.tabix_compress(str(plain), str(packed))
    assert read_annotation(packed).transcripts[0].transcript == T1


def test_a_cds_of_two_parents_belongs_to_both_transcripts_and_not_to_a_protein(tmp_path):
    text = rows(
        *GENE,
        "c x mRNA 1 90 . + . ID=u;Parent=g",
        "c x protein 1 30 . + . ID=p;Derives_from=t",
        "c x CDS 1 30 . + 0 Parent=t,u,p;",
    )
    found = transcripts(tmp_path, text)
    assert [(one.transcript_id, one.gene_id, one.cds) for one in found] == [
        ("t", "g", ((0, 30),)),
        ("u", "g", ((0, 30),)),
    ]


def test_percent_encoding_is_resolved_in_names(tmp_path):
    text = rows(
        "c%7C1 x gene 1 90 . + . ID=g%3B1",
        "c%7C1 x mRNA 1 90 . + . ID=t%2C1;Parent=g%3B1",
        "c%7C1 x CDS 1 30 . + 0 Parent=t%2C1",
    )
    (one,) = transcripts(tmp_path, text)
    assert (one.chrom, one.gene_id, one.transcript_id) == ("c|1", "g;1", "t,1")


def test_bacterial_cds_directly_below_a_gene_is_a_transcript(tmp_path):
    (one,) = transcripts(tmp_path, rows(GENE[0], "c x CDS 1 30 . + 0 ID=c;Parent=g"))
    assert (one.gene_id, one.transcript_id) == ("g", "g")


def test_cds_rows_alone_are_transcripts_of_their_parents(tmp_path):
    (one,) = transcripts(tmp_path, rows("c x CDS 1 30 . - 0 Parent=t", "c x CDS 41 60 . - 0 Parent=t"))
    assert (one.gene_id, one.transcript_id, one.cds) == ("t", "t", ((0, 30), (40, 60)))


def test_pseudogenes_and_untranslated_transcripts_are_counted_and_left_out(tmp_path):
    text = rows(
        *GENE,
        "c x CDS 1 30 . + 0 Parent=t",
        "c x pseudogene 1 90 . + . ID=q",
        "c x mRNA 1 90 . + . ID=r;Parent=q",
        "c x CDS 1 9 . + 0 Parent=r",
        "c x NMD_transcript_variant 1 90 . + . ID=n;Parent=g",
        "c x CDS 1 9 . + 0 Parent=n",
    )
    found = read(tmp_path, text)
    assert [one.transcript.transcript_id for one in found.transcripts] == ["t"]
    assert found.counts["transcripts_of_other_kinds"] == 2


def test_cds_whose_transcript_row_was_cut_off_is_unknown(tmp_path):
    found = read(tmp_path, rows(*GENE, "c x CDS 1 30 . + 0 Parent=t", "c x CDS 95 99 . + 0 Parent=lost"))
    assert found.unknown == (Interval("c", 94, 99),)
    assert found.counts["transcripts_cut_off"] == 1


def test_receptor_gene_segments_are_unknown_in_gtf(tmp_path):
    text = rows('c x CDS 1 30 . + 0 gene_id "g"; transcript_id "t"; transcript_biotype "TR_V_gene";')
    found = read(tmp_path, text)
    assert (found.transcripts, found.unknown) == ((), (Interval("c", 0, 30),))


@pytest.mark.parametrize(
    "texts",
    [
        ("c x gene 1 90 . + . ID=g", "c x mRNA 1 90 . + . ID=t;Parent=g;biotype=IG_V_gene"),
        ("c x gene 1 90 . + . ID=g;gene_biotype=TR_J_gene", "c x mRNA 1 90 . + . ID=t;Parent=g"),
        ("c x gene 1 90 . + . ID=t;gene_type=IG_C_gene",),
    ],
)
def test_receptor_gene_segments_are_unknown_in_gff3(tmp_path, texts):
    found = read(tmp_path, rows(*texts, "c x CDS 1 30 . + 0 Parent=t"))
    assert (found.transcripts, found.unknown) == ((), (Interval("c", 0, 30),))
    assert found.counts["transcripts_of_other_kinds"] == 1


@pytest.mark.parametrize("name", ["biotype", "transcript_biotype", "transcript_type"])
def test_transcripts_that_are_not_translated_are_counted_and_left_out_of_gff3(tmp_path, name):
    gene = "c x gene 1 90 . + . ID=g;gene_biotype=protein_coding"
    whole = (f"c x mRNA 1 90 . + . ID=t;Parent=g;{name}=protein_coding", "c x CDS 1 30 . + 0 Parent=t")
    decayed = (f"c x mRNA 1 90 . + . ID=n;Parent=g;{name}=nonsense_mediated_decay", "c x CDS 1 9 . + 0 Parent=n")
    found = read(tmp_path, rows(gene, *whole, *decayed))
    assert [one.transcript.transcript_id for one in found.transcripts] == ["t"]
    assert (found.unknown, found.counts["transcripts_of_other_kinds"]) == ((), 1)


def test_overlapping_and_touching_cds_rows_are_united(tmp_path):
    cds = ("c x CDS 1 30 . + 0 Parent=t", "c x CDS 31 40 . + 0 Parent=t", "c x CDS 40 50 . + 0 Parent=t")
    found = read(tmp_path, rows(*GENE, *cds))
    assert found.transcripts[0].transcript.cds == ((0, 50),)
    assert found.counts["transcripts_with_overlapping_cds"] == 1


def test_a_gene_copied_to_two_contigs_is_two_transcripts(tmp_path):
    text = rows(*GENE, "c x CDS 1 30 . + 0 Parent=t")
    found = transcripts(tmp_path, text + text.replace("c\t", "d\t"))
    assert [(one.chrom, one.transcript_id) for one in found] == [("c", "t"), ("d", "t_d")]


def test_trans_spliced_transcripts_are_left_out_and_counted(tmp_path):
    cds = [
        f"c x CDS {at} . {strand} 0 Parent=t;exception=trans-splicing" for at, strand in (("1 30", "+"), ("41 60", "-"))
    ]
    found = read(tmp_path, rows(*GENE, *cds))
    assert found.transcripts == ()
    assert found.counts["transcripts_trans_spliced"] == 1


def names_and_cds(tmp_path: Path, *texts: str) -> list[tuple[str, str, tuple[tuple[int, int], ...]]]:
    return [(row.gene_id, row.transcript_id, row.cds) for row in transcripts(tmp_path, rows(*texts))]


@pytest.mark.parametrize(
    "value", ["trans-splicing", "RNA editing,trans-splicing", "trans-splicing%2C RNA editing", "trans_splicing"]
)
def test_of_trans_spliced_transcripts_the_cds_rows_are_coding_and_what_lies_between_is_not(tmp_path, value):
    cds = [f"c x CDS {at} . + 0 Parent=t;exception={value}" for at in ("1 30", "61 80")]
    annotation = read(tmp_path, rows(*GENE, *cds))
    assert annotation.transcripts == ()
    assert annotation.oddities == {
        "transcripts_trans_spliced": (3, "'t' is left out: it is spliced from two transcripts")
    }
    assert annotation.coding == (Interval("c", 0, 30), Interval("c", 60, 80))


def test_a_transcript_on_both_strands_is_left_out_coding_and_odd(tmp_path):
    text = [
        f'c x CDS {at} . {strand} 0 gene_id "g"; transcript_id "t";' for at, strand in (("1 30", "+"), ("41 60", "-"))
    ]
    annotation = read(tmp_path, rows(*text))
    assert annotation.transcripts == ()
    assert annotation.coding == (Interval("c", 0, 30), Interval("c", 40, 60))
    assert annotation.counts["transcripts_trans_spliced"] == 1
    assert annotation.oddities == {"transcripts_on_both_strands": (2, "'t' has CDS on both strands")}


def test_one_name_in_several_genes_or_on_several_contigs_is_several_transcripts(tmp_path):
    text = [
        f'{contig} x CDS {at} . + 0 gene_id "{gene}"; transcript_id "unknown_transcript_1";'
        for contig, at, gene in (("c", "1 30", "g"), ("c", "101 130", "h"), ("d", "1 30", "i"))
    ]
    assert names_and_cds(tmp_path, *text) == [
        ("g", "unknown_transcript_1", ((0, 30),)),
        ("h", "unknown_transcript_1_2", ((100, 130),)),
        ("i", "unknown_transcript_1_d", ((0, 30),)),
    ]


@pytest.mark.parametrize("form", ["gff3", "gff3 without genes", "gtf", "gtf without transcripts"])
def test_one_id_at_two_places_is_two_genes(tmp_path, form):
    texts = []
    for first in (1, 501):
        places = {"gene": f"{first} {first + 89}", "exons": (f"{first} {first + 29}", f"{first + 60} {first + 89}")}
        if form.startswith("gff3"):
            texts += [f"c x gene {places['gene']} . + . ID=g"] * (form == "gff3")
            texts += [f"c x mRNA {places['gene']} . + . ID=t;Parent=g"]
            texts += [f"c x CDS {exon} . + 0 ID=p;Parent=t" for exon in places["exons"]]
        else:
            name = 'gene_id "g"; transcript_id "t";'
            texts += [f'c x gene {places["gene"]} . + . gene_id "g";']
            texts += [f"c x transcript {places['gene']} . + . {name}"] * (form == "gtf")
            texts += [f"c x CDS {exon} . + 0 {name}" for exon in places["exons"]]
    annotation = read(tmp_path, rows(*texts))
    assert [
        (row.transcript.gene_id, row.transcript.transcript_id, row.transcript.cds) for row in annotation.transcripts
    ] == [
        ("g", "t", ((0, 30), (60, 90))),
        ("g_2", "t_2", ((500, 530), (560, 590))),
    ]
    assert annotation.counts["names_at_several_places"] == annotation.counts["genes_at_several_places"] == 1


def test_isoforms_of_one_gene_that_do_not_overlap_are_two_genes(tmp_path):
    text = [
        f'c x CDS {at} . + 0 gene_id "g"; transcript_id "{name}";'
        for at, name in (("1 30", "t"), ("21 60", "u"), ("101 130", "v"))
    ]
    assert names_and_cds(tmp_path, *text) == [
        ("g", "t", ((0, 30),)),
        ("g", "u", ((20, 60),)),
        ("g_2", "v", ((100, 130),)),
    ]


@pytest.mark.parametrize("parent", ["gene", "mrna"])
def test_cds_rows_are_kept_apart_by_their_protein(tmp_path, parent):
    texts = GENE[:1] if parent == "gene" else GENE
    name = "g" if parent == "gene" else "t"
    cds = [
        f"c x CDS {at} . + 0 ID={own};Parent={name}"
        for at, own in (("1 30", "p"), ("41 60", "p"), ("11 30", "q"), ("51 60", "q"))
    ]
    assert names_and_cds(tmp_path, *texts, *cds) == [
        ("g", f"{name}_p", ((0, 30), (40, 60))),
        ("g", f"{name}_q", ((10, 30), (50, 60))),
    ]


def test_cds_rows_with_an_id_each_are_one_transcript_unless_their_proteins_differ(tmp_path):
    cds = [f"c x CDS {at} . + 0 ID=row{number};Parent=t" for number, at in enumerate(("1 30", "41 60"))]
    assert names_and_cds(tmp_path, *GENE, *cds) == [("g", "t", ((0, 30), (40, 60)))]
    apart = [f"{row};protein_id=P{number}" for number, row in enumerate(cds)]
    assert names_and_cds(tmp_path, *GENE, *apart) == [("g", "t_P0", ((0, 30),)), ("g_2", "t_P1", ((40, 60),))]


def test_genes_of_an_operon_are_genes_of_their_own(tmp_path):
    texts = [
        "c x operon 1 90 . + . ID=o",
        "c x mRNA 1 90 . + . ID=t;Parent=o",
        *(f"c x gene {at} . + . ID={name};Parent=o" for at, name in (("1 30", "a"), ("41 70", "b"))),
        *(f"c x CDS {at} . + 0 Parent=t;Derives_from={name}" for at, name in (("1 30", "a"), ("41 70", "b"))),
    ]
    assert [(gene, cds) for gene, _, cds in names_and_cds(tmp_path, *texts)] == [("a", ((0, 30),)), ("b", ((40, 70),))]


def test_a_cds_without_parent_is_a_gene_of_its_own(tmp_path):
    texts = ["c x CDS 101 130 . + 0 ID=lone", "c x CDS 141 160 . + 0 ID=lone", "c x CDS 201 230 . - 0 Name=x"]
    annotation = read(tmp_path, rows(*GENE, "c x CDS 1 30 . + 0 Parent=t", *texts))
    assert [(row.transcript.gene_id, row.transcript.cds) for row in annotation.transcripts] == [
        ("g", ((0, 30),)),
        ("lone", ((100, 130), (140, 160))),
        ("x", ((200, 230),)),
    ]
    assert annotation.oddities == {"cds_without_parent": (4, "CDS without Parent at c:101-130")}
    assert annotation.counts["cds_without_parent"] == 3


def test_a_cds_below_a_gene_and_its_transcript_belongs_to_the_transcript(tmp_path):
    texts = ["c x gene 1 30 . + . ID=g", "c x mRNA 1 30 . + . ID=t", "c x CDS 1 30 . + 0 ID=c;Parent=g,t"]
    assert names_and_cds(tmp_path, *texts) == [("g", "t", ((0, 30),))]


def test_a_gene_and_its_transcript_may_share_their_id(tmp_path):
    texts = ["c x gene 1 90 . + . ID=g", "c x mRNA 1 90 . + . ID=g;Parent=g", "c x CDS 1 30 . + 0 Parent=g"]
    for order in (texts, texts[::-1]):
        assert names_and_cds(tmp_path, *order) == [("g", "g", ((0, 30),))]


def test_blanks_behind_the_comma_of_parents_are_no_part_of_a_name(tmp_path):
    texts = [*GENE, "c x mRNA 1 90 . + . ID=u;Parent=g"]
    path = tmp_path / "a.gff3"
    path.write_text(rows(*texts) + "c\tx\tCDS\t1\t30\t.\t+\t0\tParent=t, u\n")
    assert [row.transcript.transcript_id for row in read_annotation(path).transcripts] == ["t", "u"]


@pytest.mark.parametrize(
    "texts",
    [
        ("c x gene 1 90 . + . ID=g;pseudo=true", GENE[1], "c x CDS 11 30 . + 0 Parent=t"),
        (*GENE, "c x CDS 11 30 . + 0 Parent=t;pseudo=true"),
        (*GENE, "c x CDS 11 30 . + 0 Parent=t;pseudogene=unprocessed"),
        ("c x gene 1 90 . + . ID=g;gene_biotype=transcribed_pseudogene", GENE[1], "c x CDS 11 30 . + 0 Parent=t"),
        ('c x CDS 11 30 . + 0 gene_id "g"; transcript_id "t"; gene_type "polymorphic_pseudogene";',),
        ('c x CDS 11 30 . + 0 gene_id "g"; transcript_id "t"; transcript_type "protein_coding_LoF";',),
        ('c x CDS 11 30 . + 0 gene_id "g"; transcript_id "t"; pseudo "true";',),
        ('c x gene 1 90 . + . gene_id "g"; pseudo "true";', 'c x CDS 11 30 . + 0 gene_id "g"; transcript_id "t";'),
        (
            'c x gene 1 90 . + . gene_id "g"; gene_biotype "pseudogene";',
            'c x CDS 11 30 . + 0 gene_id "g"; transcript_id "t";',
        ),
    ],
)
def test_cds_of_a_pseudogene_is_no_gene_and_not_non_coding_either(tmp_path, texts):
    annotation = read(tmp_path, rows(*texts))
    assert (annotation.transcripts, annotation.coding) == ((), (Interval("c", 10, 30),))
    assert annotation.counts["transcripts_of_pseudogenes"] == 1


def test_a_transcript_of_an_unknown_kind_is_coding_with_its_introns(tmp_path):
    texts = [
        GENE[0],
        "c x mIRNA 1 90 . + . ID=t;Parent=g",
        *(f"c x CDS {at} . + 0 Parent=t" for at in ("1 30", "61 80")),
    ]
    annotation = read(tmp_path, rows(*texts))
    assert (annotation.transcripts, annotation.coding) == ((), (Interval("c", 0, 80),))


def test_bare_names_in_column_9_of_braker_are_read(tmp_path):
    name = 'transcript_id "g.t1"; gene_id "g";'
    texts = ["c x gene 1 90 . + . g", "c x transcript 1 90 . + . g.t1", f"c x CDS 1 30 . + 0 {name}"]
    assert names_and_cds(tmp_path, *texts) == [("g", "g.t1", ((0, 30),))]


def left_out(tmp_path: Path, *texts: str) -> tuple[list[tuple[int, int]], dict[str, int]]:
    """What is coding of transcripts that are left out, where no transcript is read, and the counts."""
    annotation = read(tmp_path, rows(*texts))
    assert annotation.transcripts == ()
    return [(row.start, row.end) for row in annotation.coding], annotation.counts


def test_a_transcript_in_several_rows_below_one_gene_is_one(tmp_path):
    places = ("1 30", "41 60", "71 90")
    gff3 = [GENE[0], *(f"c x mRNA {at} . + . ID=t;Parent=g" for at in places)]
    gff3 += [f"c x CDS {at} . + 0 ID=p;Parent=t" for at in places]
    name = 'gene_id "g"; transcript_id "t";'
    gtf = [
        'c x gene 1 90 . + . gene_id "g";',
        *(f"c x {kind} {at} . + 0 {name}" for at in places for kind in ("transcript", "CDS")),
    ]
    for texts in (gff3, gtf):
        assert names_and_cds(tmp_path, *texts) == [("g", "t", ((0, 30), (40, 60), (70, 90)))]


def test_transcripts_of_one_gene_id_on_both_strands_are_two_genes(tmp_path):
    texts = []
    for first, strand, name in ((1, "+", "t"), (501, "-", "u")):
        texts += [f'c x gene {first} {first + 29} . {strand} . gene_id "g";']
        texts += [f'c x CDS {first} {first + 29} . {strand} 0 gene_id "g"; transcript_id "{name}";']
    assert names_and_cds(tmp_path, *texts) == [("g", "t", ((0, 30),)), ("g_2", "u", ((500, 530),))]


def test_cds_rows_of_one_gene_on_both_strands_are_spliced_from_two_transcripts(tmp_path):
    texts = [f"c x {kind} {at} . {strand} 0 {own}" for at, strand in (("1 30", "+"), ("501 530", "-"))
             for kind, own in (("gene", "ID=rps12"), ("CDS", "ID=c;Parent=rps12"))]  # fmt: skip
    assert left_out(tmp_path, *texts)[0] == [(0, 30), (500, 530)]


def test_ids_per_row_in_a_file_whose_others_share_theirs_are_unclear(tmp_path):
    texts = []
    for number, ids in enumerate((("p", "p"), ("q", "q"), ("r1", "r2"))):
        at = 1000 * number
        texts += [
            f"c x gene {at + 1} {at + 90} . + . ID=g{number}",
            f"c x mRNA {at + 1} {at + 90} . + . ID=t{number};Parent=g{number}",
        ]
        texts += [
            f"c x CDS {at + first} {at + first + 29} . + 0 ID={own};Parent=t{number}"
            for first, own in zip((1, 61), ids)
        ]
    annotation = read(tmp_path, rows(*texts))
    assert [row.transcript.gene_id for row in annotation.transcripts] == ["g0", "g1"]
    assert annotation.coding == (Interval("c", 2000, 2090),)
    assert annotation.counts["transcripts_of_unclear_proteins"] == 1


def test_one_transcript_id_whose_exon_numbers_begin_again_is_unclear(tmp_path):
    name = 'gene_id "g"; transcript_id "t"; exon_number '
    texts = [
        f"c x CDS {at} . + 0 {name}{number};"
        for at, number in (("1 30", 1), ("41 60", 2), ("501 530", 1), ("541 560", 2))
    ]
    coding, counts = left_out(tmp_path, *texts)
    assert (coding, counts["transcripts_of_unclear_proteins"]) == ([(0, 560)], 1)


def test_exons_may_be_the_parents_of_cds_rows(tmp_path):
    texts = ["c x gene 1 90 . + . TCS_ID=g", "c x mRNA 1 90 . + . TCS_ID=t;Parent=g"]
    for number, at in enumerate(("1 30", "61 90")):
        texts += [
            f"c x exon {at} . + . TCS_ID=e{number};Parent=t",
            f"c x CDS {at} . + 0 TCS_ID=c{number};Parent=e{number}",
        ]
    assert names_and_cds(tmp_path, *texts) == [("g", "t", ((0, 30), (60, 90)))]


@pytest.mark.parametrize("genes", [["1 100", "3901 4000"], ["3901 4100"]])
def test_a_gene_across_the_origin_in_two_rows_is_left_out(tmp_path, genes):
    texts = ["c x region 1 4000 . + . Is_circular=true", *(f"c x gene {at} . + . ID=g" for at in genes)]
    texts += [f"c x CDS {at} . + 0 ID=c;Parent=g" for at in ("3901 4000", "1 100")]
    coding, counts = left_out(tmp_path, *texts)
    assert (coding, counts["transcripts_across_origin"]) == ([(0, 100), (3900, 4000)], 1)


@pytest.mark.parametrize(("at", "strand"), [("61 90", "+"), ("1 30", "-")])
def test_cds_rows_against_their_transcript_are_left_out(tmp_path, at, strand):
    texts = [GENE[0], "c x mRNA 1 40 . + . ID=t;Parent=g", f"c x CDS {at} . {strand} 0 Parent=t"]
    coding, counts = left_out(tmp_path, *texts)
    assert (len(coding), counts["transcripts_against_their_rows"]) == (1, 1)


def test_a_row_of_a_transcript_that_is_not_there_is_coding(tmp_path):
    texts = [*GENE, "c x CDS 1 30 . + 0 Parent=t,lost", "c x CDS 61 90 . + 0 Parent=lost"]
    annotation = read(tmp_path, rows(*texts))
    assert Interval("c", 60, 90) in annotation.coding and len(annotation.transcripts) == 1


def test_a_parent_that_is_named_twice_is_two_parents(tmp_path):
    texts = [*GENE, "c x mRNA 1 90 . + . ID=u;Parent=g", "c x CDS 1 30 . + 0 Parent=t;Parent=u"]
    assert [name for _, name, _ in names_and_cds(tmp_path, *texts)] == ["t", "u"]


@pytest.mark.parametrize(
    "said",
    ["pseudo=_no_value", "pseudo", "Pseudo=true", "is_pseudo=1", "locus_type=pseudogene", "gene_biotype=Pseudogene"],
)
def test_pseudogenes_are_known_by_many_words(tmp_path, said):
    texts = [f"c x gene 1 90 . + . ID=g;{said}", "c x mRNA 1 90 . + . ID=t;Parent=g;biotype=protein_coding"]
    assert left_out(tmp_path, *texts, "c x CDS 11 30 . + 0 Parent=t")[0] == [(10, 30)]


def test_trans_splicing_may_stand_on_the_gene_alone(tmp_path):
    texts = [
        "c x gene 1 90 . + . ID=g;exception=trans-splicing",
        GENE[1],
        *(f"c x CDS {at} . + 0 Parent=t" for at in ("1 30", "61 90")),
    ]
    assert left_out(tmp_path, *texts)[0] == [(0, 30), (60, 90)]


def test_a_transcript_of_two_genes_side_by_side_is_coding_and_no_gene(tmp_path):
    texts = [f"c x gene {at} . + . ID={name}" for at, name in (("1 30", "a"), ("61 90", "b"))]
    texts += ["c x mRNA 1 90 . + . ID=t;Parent=a,b", *(f"c x CDS {at} . + 0 Parent=t" for at in ("1 30", "61 90"))]
    assert left_out(tmp_path, *texts)[0] == [(0, 90)]


def test_a_cds_without_gene_id_is_a_gene_and_one_without_transcript_id_is_coding(tmp_path):
    texts = ['c x CDS 1 30 . + 0 transcript_id "t";', 'c x CDS 101 130 . + 0 gene_id "g"; transcript_id "";']
    annotation = read(tmp_path, rows(*texts))
    assert [(row.transcript.gene_id, row.transcript.cds) for row in annotation.transcripts] == [("t", ((0, 30),))]
    assert annotation.coding == (Interval("c", 100, 130),)
    assert annotation.oddities == {
        "cds_without_ids": (1, "CDS without gene_id at c:1-30"),
        "transcripts_of_unclear_proteins": (
            2,
            "'CDS:101-130' is left out: nothing tells which of its CDS rows are one protein",
        ),
    }


@pytest.mark.parametrize(
    "texts",
    [
        ('c x pseudogene 1 90 . + . gene_id "g";', 'c x CDS 11 30 . + 0 gene_id "g"; transcript_id "t";'),
        (
            'c x pseudogenic_transcript 1 90 . + . gene_id "g"; transcript_id "t";',
            'c x CDS 11 30 . + 0 gene_id "g"; transcript_id "t";',
        ),
        ('c processed_pseudogene CDS 11 30 . + 0 gene_id "g"; transcript_id "t";',),
    ],
)
def test_pseudogenes_of_gtf_are_known_by_the_kind_and_the_source_of_their_rows(tmp_path, texts):
    coding, counts = left_out(tmp_path, *texts)
    assert (coding, counts["transcripts_of_pseudogenes"]) == ([(10, 30)], 1)


def test_a_sequence_region_without_a_contig_is_counted_and_left_out(tmp_path):
    annotation = read(
        tmp_path, "##gff-version 3\n##sequence-region  1 4000\n" + rows(*GENE, "c x CDS 1 30 . + 0 Parent=t")
    )
    assert (len(annotation.transcripts), annotation.lengths) == (1, {})
    assert annotation.oddities["nameless_sequence_regions"] == (2, "##sequence-region without a contig")


@pytest.mark.parametrize("line", ["c one 90", "c 1 9,000", "c 90 1", "c -5 90", "c 1 90.5", "c of the genome 1 90"])
def test_a_sequence_region_without_usable_coordinates_is_counted_and_says_nothing(tmp_path, line):
    region = f"##sequence-region {line}"
    annotation = read(tmp_path, f"{region}\n{region}\n" + rows(*GENE, "c x CDS 1 30 . + 0 Parent=t"))
    assert [row.transcript.cds for row in annotation.transcripts] == [((0, 30),)] and annotation.lengths == {}
    assert annotation.counts["sequence_regions_without_coordinates"] == 2
    assert annotation.oddities == {"sequence_regions_without_coordinates": (1, f"{region!r} has no usable coordinates")}


def test_sequence_regions_that_disagree_are_counted_and_the_largest_is_kept(tmp_path):
    regions = "".join(f"##sequence-region c 1 {end}\n" for end in (90, 90, 1200, 80))
    annotation = read(tmp_path, regions + rows(*GENE, "c x CDS 1 30 . + 0 Parent=t"))
    assert annotation.lengths == {"c": 1200} and annotation.counts["sequence_regions_that_disagree"] == 2
    said = "##sequence-region of 'c' ends at 1,200, in an earlier line at 90"
    assert annotation.oddities == {"sequence_regions_that_disagree": (3, said)}


@pytest.mark.parametrize(
    ("texts", "cds", "coding"),
    [
        (("coding_exon 1 30 . + 0 Parent=t", "coding_exon 61 80 . + 0 Parent=t"), ((0, 30), (60, 80)), []),
        (("coding_exon 1 30 . + 0 Parent=t", "CDS 1 30 . + 0 Parent=t"), ((0, 30),), [(0, 30)]),
        (("coding_exon 1 60 . + . Parent=t", "CDS 11 30 . + 0 Parent=t"), ((10, 30),), [(0, 60)]),
        (("coding_exon 1 30 . + 0 Parent=p", "CDS 1 30 . + 0 ID=p;Parent=t"), ((0, 30),), [(0, 30)]),
        (("coding_exon 1 30 . + 0 Parent=t", "coding_exon 61 80 . + 0 Parent=t", "CDS 1 80 . + 0 Parent=t"), None,
         [(0, 30), (0, 80), (60, 80)]),
        (("pseudogenic_CDS 1 30 . + 0 Parent=t", "pseudogenic_CDS 61 80 . + 0 Parent=t"), None, [(0, 80)]),
        (("CDS 1 30 . + 0 Parent=t", "coding_exon 61 80 . + 0 ID=lone"), ((0, 30),), [(60, 80)]),
    ],
    ids=["alone", "beside CDS", "with UTR", "below CDS", "CDS over introns", "pseudogenic", "without parent"],
)  # fmt: skip
def test_coding_exon_and_pseudogenic_cds_are_coding(tmp_path, texts, cds, coding):
    annotation = read(tmp_path, rows(*GENE, *(f"c x {text}" for text in texts)))
    assert [row.transcript.cds for row in annotation.transcripts] == ([cds] if cds else [])
    assert [(row.start, row.end) for row in annotation.coding] == coding
    counts = {name: n for name, n in annotation.counts.items() if n and name != "rows"}
    reason = {3: "transcripts_of_unclear_proteins", 2: "transcripts_of_pseudogenes"}.get(len(texts))
    if cds is None:
        assert counts == {reason: 1}
    else:
        assert counts == ({"coding_exons_without_transcript": 1} if "lone" in texts[-1] else {})


@pytest.mark.parametrize(
    ("texts", "reason", "line"),
    [
        (["c x CDS 1 30 . + 0 Parent=u"], "transcripts_cut_off", 3),
        (["c x CDS 1 30 . + 0 Parent=t;exception=trans-splicing"], "transcripts_trans_spliced", 3),
        (["c x CDS 201 230 . + 0 Parent=t"], "transcripts_against_their_rows", 3),
        (["c x CDS 1 30 . + 0 Parent=t", "c x stop_codon 301 303 . + 0 Parent=t"], "transcripts_against_their_rows", 3),
        (["c x CDS 31 60 . + 0 Parent=t", "c x stop_codon 11 13 . + 0 Parent=t"], "transcripts_against_their_rows", 3),
        (
            ["c x region 1 80 . + . ID=r;Is_circular=true", "c x CDS 1 30 . + 0 Parent=t"],
            "transcripts_across_origin",
            4,
        ),
    ],
)
def test_the_first_row_of_what_is_left_out_is_named(tmp_path, texts, reason, line):
    annotation = read(tmp_path, rows(*GENE, *texts))
    assert annotation.transcripts == () and annotation.counts[reason] == 1
    assert annotation.oddities[reason][0] == line and "is left out: " in annotation.oddities[reason][1]


@pytest.mark.parametrize(
    ("text", "reason", "interval"),
    [
        ("c x stop_codon 91 93 . + 0 ID=s", "stop_codons_without_transcript", (90, 93)),
        ("c x stop_codon 91 93 . + 0 Parent=u", "", (90, 93)),
    ],
)
def test_a_stop_codon_row_without_cds_is_coding(tmp_path, text, reason, interval):
    annotation = read(tmp_path, rows(*GENE, "c x CDS 1 30 . + 0 Parent=t", text))
    assert [row.transcript.cds for row in annotation.transcripts] == [((0, 30),)]
    assert annotation.coding == (Interval("c", *interval),) and (not reason or annotation.counts[reason] == 1)


def test_a_stop_codon_row_of_a_transcript_that_is_cut_off_is_coding(tmp_path):
    texts = ["c x CDS 11 30 . + 0 Parent=gone", "c x stop_codon 51 53 . + 0 Parent=gone"]
    annotation = read(tmp_path, rows(*GENE, *texts))
    assert annotation.unknown == (Interval("c", 10, 30),) and annotation.coding == (Interval("c", 50, 53),)


def test_rows_of_one_name_may_be_of_two_kinds(tmp_path):
    texts = [
        "c x transcript 61 180 . + . ID=t;Parent=g",
        "c x CDS 1 30 . + 0 Parent=t",
        "c x CDS 151 180 . + 0 Parent=t",
    ]
    assert names_and_cds(tmp_path, *GENE, *texts) == [("g", "t", ((0, 30), (150, 180)))]


def test_a_gtf_whose_first_name_has_an_equals_sign_is_read(tmp_path):
    text = rows('c x CDS 1 30 . + 0 gene_id "g=5"; transcript_id "t=1";')
    assert [(row.gene_id, row.transcript_id) for row in transcripts(tmp_path, text)] == [("g=5", "t=1")]


@pytest.mark.parametrize("ids", [("t:exon:1", "t:exon:2"), ("c8", "c9")], ids=["numbered", "other"])
def test_where_introns_are_rare_rows_that_are_numbered_by_their_transcript_are_one(tmp_path, ids):
    texts = [*genes_of_one_row(3), "c x gene 5001 5200 . - . ID=g", "c x mRNA 5001 5200 . - . ID=t;Parent=g"]
    texts += [f"c x CDS {at} . - 0 ID={own};Parent=t" for at, own in zip(("5001 5060", "5101 5160"), ids, strict=True)]
    annotation = read(tmp_path, rows(*texts))
    are_one = ids[0] == "t:exon:1"
    assert len(annotation.transcripts) == 3 + are_one
    assert annotation.coding == (() if are_one else (Interval("c", 5000, 5160),))


def test_the_gene_of_transcripts_of_gffread_is_their_gene_id(tmp_path):
    texts = [f"c x mRNA 1 90 . + . ID={name};geneID=g%3B1" for name in "tu"]
    cds = ["c x CDS 1 60 . + 0 Parent=t", "c x CDS 1 30 . + 0 Parent=u"]
    assert names_and_cds(tmp_path, *texts, *cds) == [("g;1", "t", ((0, 60),)), ("g;1", "u", ((0, 30),))]


def test_cds_without_parent_are_not_odd_where_none_has_one(tmp_path):
    annotation = read(tmp_path, rows("c x CDS 1 30 . + 0 ID=a;locus_tag=a", "c x CDS 41 70 . - 0 ID=b;locus_tag=b"))
    assert [row.transcript.gene_id for row in annotation.transcripts] == ["a", "b"]
    assert annotation.oddities == {} and annotation.counts["cds_without_parent"] == 2


def test_genes_at_several_places_are_named(tmp_path):
    texts = ["c x gene 1 900 . + . ID=g", "c x mRNA 1 90 . + . ID=t;Parent=g", "c x mRNA 501 590 . + . ID=u;Parent=g"]
    cds = ["c x CDS 1 30 . + 0 Parent=t", "c x CDS 501 530 . + 0 Parent=u"]
    annotation = read(tmp_path, rows(*texts, *cds))
    said = "transcripts of 'g' do not overlap: those of each place are read as a gene of their own"
    assert annotation.oddities == {"genes_at_several_places": (5, said)}


def test_a_gene_across_the_origin_has_its_introns_missing_too(tmp_path):
    circle = "c x region 1 4000 . + . ID=r;Is_circular=true"
    beyond = ["c x gene 3901 4100 . + . ID=g", "c x CDS 3901 3930 . + 0 Parent=g", "c x CDS 3961 4100 . + 0 Parent=g"]
    assert left_out(tmp_path, circle, *beyond)[0] == [(3900, 4100)]
    at_ends = [
        "c x gene 1 4000 . + . ID=g",
        *(f"c x CDS {at} . + 0 ID=p;Parent=g" for at in ("3901 3930", "3961 4000", "1 50", "71 100")),
    ]
    assert left_out(tmp_path, circle, *at_ends)[0] == [(0, 100), (3900, 4000)]
    stop = ["c x gene 1 4000 . - . ID=g", "c x CDS 1 60 . - 0 Parent=g", "c x stop_codon 3998 4000 . - 0 Parent=g"]
    coding, counts = left_out(tmp_path, circle, *stop)
    assert (coding, counts["transcripts_across_origin"]) == ([(0, 60), (3997, 4000)], 1)


def genes_of_one_row(n: int) -> list[str]:
    """Genes of a bacterium."""
    return [text for number in range(n) for at in (f"{1000 * number + 1} {1000 * number + 90}",)
            for text in (f"c x gene {at} . + . ID=g{number}", f"c x CDS {at} . + 0 ID=c{number};Parent=g{number}")]  # fmt: skip


@pytest.mark.parametrize("phases", [(0, 0), (0, 2)], ids=["two proteins", "one protein"])
@pytest.mark.parametrize("ids", [("x", "y"), ("", "")], ids=["IDs", "no IDs"])
def test_where_introns_are_rare_two_rows_of_one_gene_are_one_protein_if_their_phases_say_so(tmp_path, phases, ids):
    length = 30 if phases == (0, 0) else 31
    texts = [*genes_of_one_row(3), "c x gene 5001 5200 . + . ID=h"]
    for start, phase, own in zip((5001, 5101), phases, ids, strict=True):
        texts.append(f"c x CDS {start} {start + length - 1} . + {phase} {f'ID={own};' if own else ''}Parent=h")
    annotation = read(tmp_path, rows(*texts))
    cds = [row.transcript.cds for row in annotation.transcripts]
    if phases == (0, 0):
        assert len(cds) == 3 and annotation.coding == (Interval("c", 5000, 5130),)
        assert annotation.counts["transcripts_of_unclear_proteins"] == 1
    else:
        assert cds[3] == ((5000, 5031), (5100, 5131)) and annotation.coding == ()


@pytest.mark.parametrize(
    ("cds", "are_one"),
    [
        (("1 30", "61 90"), True),
        (("1 30", "1 30", "61 90", "61 90"), True),
        (("1 30", "1 30", "61 90"), False),
        (("1 60", "31 90"), False),
        (("1 30", "30 90"), True),
    ],
)
def test_isoforms_below_a_gene_whose_rows_have_no_ids_are_unclear(tmp_path, cds, are_one):
    annotation = read(tmp_path, rows(GENE[0], *(f"c x CDS {at} . + 0 Parent=g" for at in cds)))
    assert len(annotation.transcripts) == are_one
    assert annotation.counts.get("transcripts_of_unclear_proteins", 0) == (not are_one)
    assert annotation.coding == (() if are_one else (Interval("c", 0, 90),))


def test_two_rows_with_an_id_each_in_one_exon_are_no_protein_with_an_intron(tmp_path):
    cds = [f"c x CDS {at} . + 0 ID=row{number};Parent=t" for number, at in enumerate(("1 30", "61 90"))]
    exons = ["c x exon 1 30 . + . Parent=t", "c x exon 61 90 . + . Parent=t"]
    assert names_and_cds(tmp_path, *GENE, *cds, *exons) == [("g", "t", ((0, 30), (60, 90)))]
    coding, counts = left_out(tmp_path, *GENE, *cds, "c x exon 1 90 . + . Parent=t")
    assert (coding, counts["transcripts_of_unclear_proteins"]) == ([(0, 90)], 1)
    touching = [f"c x CDS {at} . + 0 ID=row{number};Parent=t" for number, at in enumerate(("1 30", "31 90"))]
    assert left_out(tmp_path, *GENE, *touching)[0] == [(0, 90)]


def test_circular_contigs_are_named(tmp_path):
    texts = ["c x region 1 90 . + . ID=c;Is_circular=true", *GENE, "c x CDS 1 30 . + 0 Parent=t"]
    assert read(tmp_path, rows(*texts)).circular == {"c"}


def test_a_gene_row_that_begins_before_its_region_is_accepted(tmp_path):
    assert len(transcripts(tmp_path, rows("c x gene -15 90 . + . ID=g", GENE[1], "c x CDS 1 30 . + 0 Parent=t"))) == 1


def test_a_version_line_without_rows_is_an_annotation_without_genes(tmp_path):
    assert read(tmp_path, "##gff-version 3\n").transcripts == ()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (rows(*GENE, "c x CDS 1e2 300 . + 0 Parent=t"), "a.gff3:3: coordinates '1e2' and '300'; expected integers"),
        (rows(*GENE, "c x CDS 30 1 . + 0 Parent=t"), "a.gff3:3: start 30 after end 1"),
        (rows(*GENE, "c x CDS 0 10 . + 0 Parent=t"), "a.gff3:3: CDS of 't' with start 0; expected 1 or more"),
        (rows(*GENE, "c x CDS 1 30 . . 0 Parent=t"), "a.gff3:3: CDS of 't' without strand; expected [+] or -"),
        (rows(*GENE, "c x CDS 1 30 . x 0 Parent=t"), "a.gff3:3: strand 'x'; expected [+] - or [.]"),
        (rows(*GENE, "c x CDS 1 30 . + 3 Parent=t"), "a.gff3:3: phase '3' of a CDS; expected 0, 1, 2 or [.]"),
        (rows(*GENE, "c x CDS 1 30 . + 0 ID=c;parent=t"), "a.gff3:3: parent= in column 9 .*; expected Parent=, with a"),
        (rows(*GENE, "c x CDS 1 30 . + 0"), "a.gff3:3: 8 columns in .*; expected 9 tab-separated columns"),
        (rows(*GENE).replace("\t", " "), "a.gff3:1: 1 column in .*; is it an annotation"),
        (rows(*GENE, "c x CDS 1 30 . + 0 nonsense"), "a.gff3:3: column 9 'nonsense'; expected key=value"),
        (rows("c x gene 1 30 . + 0 12,5"), "a.gff3:1: column 9 '12,5'; expected 'key=value;...' of GFF3 or"),
        (
            rows(
                *GENE,
                "c x CDS 1 30 . + 0 Parent=t",
                "c x mRNA 200 300 . - . ID=t;Parent=g",
                "c x CDS 201 230 . - 0 Parent=t",
            ),
            r"a.gff3:4: the ID 't' is used for two transcripts of 'c', on \+ \(line 2\) and on - \(line 4\); expected IDs",
        ),
        (
            "##sequence-region c 1\n",
            "a.gff3:1: '##sequence-region c 1'; expected '##sequence-region CONTIG FIRST LAST'",
        ),
        ("##sequence-region c\n", "a.gff3:1: '##sequence-region c'; expected '##sequence-region CONTIG FIRST LAST'"),
        (GFF3.encode() + b"chr1\t\xff\n", "a.gff3:11: byte 0xff that is not UTF-8 text"),
        (
            gzip.compress(GFF3.encode() * 50, mtime=0)[:-40],
            "a.gff3: broken gzip data .*; expected a whole file; copy it again",
        ),
        ("", "a.gff3: no annotation in it; expected rows of GFF3 or GTF"),
        ("# nothing\n\n", "a.gff3: no annotation in it"),
        (">chr1\nACGT\n", "a.gff3:1: 1 column in '>chr1'; expected 9 tab-separated columns .*; is it an annotation"),
    ],
)
def test_malformed_files_are_refused_with_the_line(tmp_path, content, message):
    with pytest.raises(InputError, match=message):
        read(tmp_path, content)


def test_a_folder_or_an_absent_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="is a folder; expected a file"):
        read_annotation(tmp_path)
    with pytest.raises(InputError, match="No such file"):
        read_annotation(tmp_path / "absent.gff3")
