"""Malformed FASTA, GFF3 and GTF, each named for its fault: the content, where the fault is, and the answer; and all others."""

import gzip
from pathlib import Path

import pysam
from tests.integration.bad_tables import BED, CONFIG, LABELED, METHYLATION, TABLES
from tests.integration.sources import (
    ABSENT,
    CUT_GZIP,
    FOLDER,
    GENES,
    GENOME,
    IS_FOLDER,
    NOT_THERE,
    TOP,
    UTF16,
    BadFile,
    feature,
)


def _damaged(text: str) -> bytes:
    """Gzip data with a byte that flipped."""
    content = bytearray(gzip.compress(text.encode(), mtime=0))
    content[len(content) // 2] ^= 0xFF
    return bytes(content)


def cut_bgzip(path: Path) -> None:
    """Write bgzip data that are cut between two blocks: whole gzip data that end too early, within a line."""
    with pysam.BGZFile(str(path), "wb") as file:
        file.write(GENOME[:-100].encode())
    path.write_bytes(path.read_bytes()[:-28])


FASTA = {
    "empty.fa": BadFile("genome", "", None, "no sequence in it; expected FASTA records"),
    "blank_lines_only.fa": BadFile("genome", "\n\n \n", None, "no sequence in it"),
    "folder_as_fasta.fa": BadFile("genome", FOLDER, None, IS_FOLDER),
    "absent.fa": BadFile("genome", ABSENT, None, NOT_THERE),
    "truncated_gzip.fa.gz": BadFile("genome", gzip.compress(GENOME.encode(), mtime=0)[:-99], None, CUT_GZIP),
    "gzip_without_data.fa.gz": BadFile("genome", gzip.compress(GENOME.encode(), mtime=0)[:4], None, CUT_GZIP),
    "damaged_gzip.fa.gz": BadFile("genome", _damaged(GENOME), None, CUT_GZIP),
    "bgzip_cut_between_blocks.fa.gz": BadFile(
        "genome", cut_bgzip, None, "bgzip data without their end mark, and they end within a line; .*copy it again"
    ),
    "protein.fa": BadFile("genome", ">p\nMKTAYIAKQR\n", 2, "'I' in record 'p'; expected IUPAC .* is it protein?"),
    "gaps_of_an_alignment.fa": BadFile(
        "genome", ">a\nACGT\nAC--GT\n", 3, "'-' in record 'a'; expected IUPAC nucleotide letters$"
    ),
    "numbered_lines.fa": BadFile("genome", ">a\n1 ACGT\n", 2, "'1' in record 'a'"),
    "letters_before_header.fa": BadFile("genome", "ACGT\n>a\nACGT\n", 1, "b'ACGT' before the first header"),
    "fastq_as_fasta.fa": BadFile("genome", "@r\nACGT\n+\nIIII\n", 1, "before the first header; expected FASTA"),
    "genbank_as_fasta.fa": BadFile("genome", "LOCUS       AB000001\n", 1, "before the first header; expected FASTA"),
    "utf16.fa": BadFile("genome", GENOME.encode("utf-16"), None, UTF16),
    "utf16_without_mark.fa": BadFile("genome", GENOME.encode("utf-16-be"), None, UTF16),
    "zip_as_fasta.fa": BadFile("genome", b"PK\x03\x04\x14\x00\n\x00", None, "is a zip archive .*; unpack it"),
    "genome.2bit": BadFile("genome", b"\x43\x27\x41\x1a" + bytes(12), None, "is 2bit; .*twoBitToFa"),
    "header_without_name.fa": BadFile("genome", f"{GENOME}>\nACGT\n", 5, "a header without a name; expected '>name'"),
    "header_not_utf8.fa": BadFile("genome", b">a\xe9\nACGT\n", 1, "a header that is not UTF-8 text"),
    "header_without_sequence.fa": BadFile("genome", f"{GENOME}>chr3\n", 5, "record 'chr3' has no sequence"),
    "record_without_sequence.fa": BadFile("genome", ">chr3\n\n>chr4\nAC\n", 1, "record 'chr3' has no sequence"),
    "record_twice.fa": BadFile("genome", f"{GENOME}>chr1 again\nACGT\n", 5, "record 'chr1' stands here twice"),
    "unlabeled_protein.fa": BadFile("unlabeled", ">p\nMKTAYI\n", 2, "is it protein?"),
}
GFF3 = {
    "empty.gff3": BadFile("annotation", "", None, "no annotation in it; expected rows of GFF3 or GTF"),
    "comments_only.gff3": BadFile("annotation", "# nothing\n", None, "no annotation in it"),
    "version_line_only.gff3": BadFile("annotation", "##gff-version 3\n", None, "no coding transcript in it"),
    "folder_as_gff3.gff3": BadFile("annotation", FOLDER, None, IS_FOLDER),
    "absent.gff3": BadFile("annotation", ABSENT, None, NOT_THERE),
    "unpacked_only_once.gff3.gz": BadFile(
        "annotation", gzip.compress(gzip.compress(GENES.encode())), None, "is packed with gzip twice; .*unpack it once"
    ),
    "truncated_gzip.gff3.gz": BadFile("annotation", gzip.compress(GENES.encode(), mtime=0)[:-20], None, CUT_GZIP),
    "cds_without_strand.gff3": BadFile(
        "annotation",
        TOP + feature("CDS", 31, 60, "Parent=t", strand="."),
        4,
        r"CDS of 't' without strand; expected \+ or -",
    ),
    "parent_in_lower_case.gff3": BadFile(
        "annotation",
        TOP + feature("CDS", 31, 60, "ID=c;parent=t"),
        4,
        "parent= in column 9 of a CDS at chr1:31-60; expected Parent=, with a capital P",
    ),
    "start_after_end.gff3": BadFile(
        "annotation", TOP + feature("CDS", 60, 31, "Parent=t"), 4, "start 60 after end 31; expected start <= end"
    ),
    "start_of_zero.gff3": BadFile(
        "annotation", TOP + feature("CDS", 0, 60, "Parent=t"), 4, "start 0; expected 1 or more: coordinates are 1-based"
    ),
    "coordinate_in_words.gff3": BadFile(
        "annotation", TOP + feature("CDS", "ten", 60, "Parent=t"), 4, "coordinates 'ten' and '60'; expected integers"
    ),
    "phase_of_three.gff3": BadFile(
        "annotation",
        TOP + feature("CDS", 31, 60, "Parent=t", phase="3"),
        4,
        "phase '3' of a CDS; expected 0, 1, 2 or .",
    ),
    "strand_in_words.gff3": BadFile(
        "annotation", TOP + feature("CDS", 31, 60, "Parent=t", strand="plus"), 4, r"strand 'plus'; expected \+ - or \."
    ),
    "eight_columns.gff3": BadFile(
        "annotation", TOP + "chr1\tx\tCDS\t31\t60\t.\t+\t0\n", 4, "8 columns in .*; expected 9 tab-separated columns"
    ),
    "truncated_last_line.gff3": BadFile(
        "annotation", GENES[:-30], 5, "columns in .*; expected 9 tab-separated columns"
    ),
    "spaces_for_tabs.gff3": BadFile("annotation", GENES.replace("\t", " "), 2, "1 column in .*is it an annotation"),
    "column_nine_without_keys.gff3": BadFile(
        "annotation", TOP + feature("CDS", 31, 60, "just words"), 4, "column 9 'just words'; expected key=value"
    ),
    "name_on_both_strands.gff3": BadFile(
        "annotation",
        GENES
        + feature("mRNA", 901, 990, "ID=t;Parent=g", strand="-")
        + feature("CDS", 901, 930, "Parent=t", strand="-"),
        6,
        r"the ID 't' is used for two transcripts of 'chr1', on \+ \(line 3\) and on - \(line 6\); expected IDs that are",
    ),
    "cds_off_contig.gff3": BadFile(
        "annotation",
        GENES.replace("\t120\t", "\t1203\t"),
        5,
        "CDS of 't' ends at 1,203 on 'chr1'; expected at most 1,200",
    ),
    "sequence_region_without_end.gff3": BadFile(
        "annotation", "##gff-version 3\n##sequence-region chr1 1\n", 2, "expected '##sequence-region CONTIG FIRST LAST'"
    ),
    "utf16.gff3": BadFile("annotation", GENES.encode("utf-16"), None, UTF16),
    "latin1.gff3": BadFile("annotation", TOP.encode() + b"# caf\xe9\n", 4, "byte 0xe9 that is not UTF-8 text"),
    "web_page_as_gff3.gff3": BadFile("annotation", "<!DOCTYPE html>\n", 1, "1 column in .*is it an annotation?"),
    "fasta_as_gff3.gff3": BadFile("annotation", GENOME, 1, "1 column in .*is it an annotation?"),
    "no_cds.gff3": BadFile("annotation", TOP, None, "no coding transcript in it; expected CDS rows"),
    "names_without_chr.gff3": BadFile(
        "annotation", GENES.replace("chr1", "1"), None, "differ only in 'chr': rename one"
    ),
    "another_genome.gff3": BadFile(
        "annotation", GENES.replace("chr1", "scaffold_9"), None, "contig 'scaffold_9' has no record in .*genome.fa"
    ),
}
_GTF = 'gene_id "g"; transcript_id "t";'
GTF = {
    "cds_without_strand.gtf": BadFile(
        "annotation", feature("CDS", 31, 60, _GTF, strand="."), 1, "CDS of 't' without strand"
    ),
    "stop_codon_off_contig.gtf": BadFile(
        "annotation",
        feature("CDS", 31, 60, _GTF) + feature("stop_codon", 1201, 1203, _GTF),
        1,
        "ends at 1,203 on 'chr1'",
    ),
}
BAD_FILES = FASTA | GFF3 | GTF | BED | LABELED | METHYLATION | TABLES | CONFIG
