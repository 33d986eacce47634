"""Malformed files, each named for its fault: what stands in them, the command that reads them, and what it must answer.

A file is text, bytes, a folder (`FOLDER`), nothing (`ABSENT`), or a function that writes it.
"""

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyBigWig
import pysam
from tests.integration.in_process import letters

FOLDER, ABSENT = "a folder", "no file"

CHR1, CHR2 = letters(1200, 1), letters(600, 2)
GENOME = f">chr1\n{CHR1}\n>chr2\n{CHR2}\n"


def feature(kind: str, first: object, last: object, attributes: str, **columns: str) -> str:
    """A row of GFF3 or GTF on the plus strand of chr1, with other columns where given."""
    chrom, strand, phase = (
        columns.get(name, default) for name, default in (("chrom", "chr1"), ("strand", "+"), ("phase", "0"))
    )
    return f"{chrom}\ttest\t{kind}\t{first}\t{last}\t.\t{strand}\t{phase}\t{attributes}\n"


TOP = "##gff-version 3\n" + feature("gene", 31, 120, "ID=g") + feature("mRNA", 31, 120, "ID=t;Parent=g")
GENES = TOP + feature("CDS", 31, 60, "Parent=t") + feature("CDS", 91, 120, "Parent=t")
PEAKS = "chr1\t100\t400\nchr1\t700\t900\n"


@dataclass(frozen=True)
class BadFile:
    """command: see `COMMANDS`; line: where the fault is, where a line is known; message: regular expression."""

    command: str
    content: str | bytes | Callable[[Path], None]
    line: int | None
    message: str

    def write(self, path: Path) -> None:
        """Put the file where it should be."""
        if self.content == FOLDER:
            path.mkdir()
        elif isinstance(self.content, bytes):
            path.write_bytes(self.content)
        elif callable(self.content):
            self.content(path)
        elif self.content != ABSENT:
            path.write_text(self.content)


_GENES = "prepare genes --genome {folder}/genome.fa --annotation {folder}/genes.gff3 --out {out} --window-bp 64"
_REGIONS = "prepare regions --genome {folder}/genome.fa --regions {folder}/peaks.bed --out {out} --window-bp 256"
_CALLS = "prepare methylation --genome {folder}/genome.fa --calls {file} --out {out} --window-bp 64"
COMMANDS = {
    "genome": _GENES.replace("{folder}/genome.fa", "{file}"),
    "annotation": _GENES.replace("{folder}/genes.gff3", "{file}"),
    "unknown": f"{_GENES} --unknown {{file}}",
    "unlabeled": f"{_GENES} --unlabeled {{file}}",
    "split": f"{_GENES} --split {{file}}",
    "split of windows": f"{_REGIONS} --split {{file}}",
    "config": f"{_GENES} --config {{file}}",
    "training": "pretrain {folder}/data --out {out} --config {file}",
    "regions": _REGIONS.replace("{folder}/peaks.bed", "{file}"),
    "blacklist": f"{_REGIONS} --blacklist {{file}}",
    "names": f"{_REGIONS} --labels-file {{file}}",
    "calls": _CALLS,
    "coverage": f"{_CALLS.replace('{file}', '{folder}/levels.bw')} --coverage {{file}}",
}


def _damaged(text: str) -> bytes:
    """Gzip data with a byte that flipped."""
    content = bytearray(gzip.compress(text.encode()))
    content[len(content) // 2] ^= 0xFF
    return bytes(content)


def bigwig(*rows: tuple[int, int, float], chrom: str = "chr1", keep: float = 1.0) -> Callable[[Path], None]:
    """A writer of a bigWig, cut off after a share of its bytes."""

    def write(path: Path) -> None:
        file = pyBigWig.open(str(path), "w")
        file.addHeader([(chrom, 1200)])
        file.addEntries(
            [chrom] * len(rows), [row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows]
        )
        file.close()
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])

    return write


def call(start: object, end: object, coverage: object = 9, percent: object = 50, **columns: str) -> str:
    """A row of bedMethyl."""
    code, strand = columns.get("code", "m"), columns.get("strand", "+")
    return f"chr1\t{start}\t{end}\t{code}\t{coverage}\t{strand}\t{start}\t{end}\t255,0,0\t{coverage}\t{percent}\n"


def cut_bgzip(path: Path) -> None:
    """Write bgzip data without the last block: whole gzip data that end too early."""
    with pysam.BGZFile(str(path), "wb") as file:
        file.write(GENOME.encode())
    path.write_bytes(path.read_bytes()[:-28])


CPG = CHR1.index("CG", 200)
GOOD_CALL = call(CPG, CPG + 1)
_BED = "chr1\t10\t20\n"
_TABLE = "chromosome\tstart\tend\tstrand\tlabel\tsplit\n"
_CUT = r"broken gzip data .*; expected a whole file; copy it again"
_IS_FOLDER = "is a folder; expected a file"
_ABSENT = "No such file or directory; expected a readable file"

FASTA = {
    "empty.fa": BadFile("genome", "", None, "no sequence in it; expected FASTA records"),
    "blank_lines_only.fa": BadFile("genome", "\n\n \n", None, "no sequence in it"),
    "folder_as_fasta.fa": BadFile("genome", FOLDER, None, _IS_FOLDER),
    "absent.fa": BadFile("genome", ABSENT, None, _ABSENT),
    "truncated_gzip.fa.gz": BadFile("genome", gzip.compress(GENOME.encode())[:-99], None, _CUT),
    "gzip_without_data.fa.gz": BadFile("genome", gzip.compress(GENOME.encode())[:4], None, _CUT),
    "damaged_gzip.fa.gz": BadFile("genome", _damaged(GENOME), None, _CUT),
    "bgzip_cut_between_blocks.fa.gz": BadFile("genome", cut_bgzip, None, "bgzip data without its end mark; .*copy it"),
    "protein.fa": BadFile("genome", ">p\nMKTAYIAKQR\n", 2, "'I' in record 'p'; expected IUPAC .* is it protein?"),
    "gaps_of_an_alignment.fa": BadFile(
        "genome", ">a\nACGT\nAC--GT\n", 3, "'-' in record 'a'; expected IUPAC nucleotide letters$"
    ),
    "numbered_lines.fa": BadFile("genome", ">a\n1 ACGT\n", 2, "'1' in record 'a'"),
    "letters_before_header.fa": BadFile("genome", "ACGT\n>a\nACGT\n", 1, "b'ACGT' before the first header"),
    "fastq_as_fasta.fa": BadFile("genome", "@r\nACGT\n+\nIIII\n", 1, "before the first header; expected FASTA"),
    "genbank_as_fasta.fa": BadFile("genome", "LOCUS       AB000001\n", 1, "before the first header; expected FASTA"),
    "utf16.fa": BadFile("genome", GENOME.encode("utf-16"), 1, "before the first header"),
    "zip_as_fasta.fa": BadFile("genome", b"PK\x03\x04\x14\x00\n\x00", 1, "before the first header"),
    "header_without_name.fa": BadFile("genome", f"{GENOME}>\nACGT\n", 5, "a header without a name; expected '>name'"),
    "header_not_utf8.fa": BadFile("genome", b">a\xe9\nACGT\n", 1, "a header that is not UTF-8 text"),
    "header_without_sequence.fa": BadFile("genome", f"{GENOME}>chr3\n", 5, "record 'chr3' has no sequence"),
    "record_without_sequence.fa": BadFile("genome", ">chr3\n\n>chr4\nAC\n", 1, "record 'chr3' has no sequence"),
    "record_twice.fa": BadFile("genome", f"{GENOME}>chr1 again\nACGT\n", 5, "record 'chr1' stands here twice"),
    "unlabeled_protein.fa": BadFile("unlabeled", ">p\nMKTAYI\n", 2, "is it protein?"),
}
# A genome of other names is as bad as an annotation of other names: the message is about the pair.
GFF3 = {
    "empty.gff3": BadFile("annotation", "", None, "no annotation in it; expected rows of GFF3 or GTF"),
    "comments_only.gff3": BadFile("annotation", "# nothing\n", None, "no annotation in it"),
    "version_line_only.gff3": BadFile("annotation", "##gff-version 3\n", None, "no coding transcript in it"),
    "folder_as_gff3.gff3": BadFile("annotation", FOLDER, None, _IS_FOLDER),
    "absent.gff3": BadFile("annotation", ABSENT, None, _ABSENT),
    "truncated_gzip.gff3.gz": BadFile("annotation", gzip.compress(GENES.encode())[:-20], None, _CUT),
    "cds_without_strand.gff3": BadFile(
        "annotation",
        TOP + feature("CDS", 31, 60, "Parent=t", strand="."),
        4,
        r"CDS of 't' without strand; expected \+ or -",
    ),
    "cds_without_parent.gff3": BadFile(
        "annotation",
        TOP + feature("CDS", 31, 60, "ID=c"),
        4,
        "CDS without Parent at chr1:31-60; expected Parent=TRANSCRIPT",
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
    "cds_on_both_strands.gff3": BadFile(
        "annotation",
        TOP + feature("CDS", 31, 60, "Parent=t") + feature("CDS", 91, 120, "Parent=t", strand="-"),
        5,
        "transcript 't' has CDS on both strands; expected one strand",
    ),
    "transcript_on_two_contigs.gff3": BadFile(
        "annotation", GENES + feature("CDS", 31, 60, "Parent=t", chrom="chr2"), 6, "'t' on contigs 'chr1' and 'chr2'"
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
    "cds_without_transcript_id.gtf": BadFile(
        "annotation",
        feature("CDS", 31, 60, 'gene_id "g";'),
        1,
        "CDS without transcript_id at chr1:31-60; expected gene_id",
    ),
    "cds_without_gene_id.gtf": BadFile(
        "annotation", feature("CDS", 31, 60, 'transcript_id "t";'), 1, "CDS without gene_id at chr1:31-60"
    ),
    "transcript_in_two_genes.gtf": BadFile(
        "annotation",
        feature("CDS", 31, 60, _GTF) + feature("CDS", 91, 120, _GTF.replace('"g"', '"h"')),
        2,
        "transcript 't' in genes 'g' and 'h'; expected one gene",
    ),
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
BED = {
    "empty.bed": BadFile("regions", "", None, "no row in it; expected tab-separated rows"),
    "track_line_only.bed": BadFile("regions", "track name=peaks\n", None, "no row in it"),
    "folder_as_bed.bed": BadFile("regions", FOLDER, None, _IS_FOLDER),
    "absent.bed": BadFile("regions", ABSENT, None, _ABSENT),
    "truncated_gzip.bed.gz": BadFile("regions", gzip.compress(PEAKS.encode())[:-9], None, _CUT),
    "two_columns.bed": BadFile("regions", f"{_BED}chr1\t30\n", 2, "2 columns .*; expected at least 3, tab-separated"),
    "start_after_end.bed": BadFile("regions", f"{_BED}chr1\t40\t30\n", 2, "interval 40-30; expected 0 <= start < end"),
    "start_equals_end.bed": BadFile("regions", f"{_BED}chr1\t40\t40\n", 2, "interval 40-40; expected 0 <= start < end"),
    "negative_start.bed": BadFile("regions", f"{_BED}chr1\t-1\t30\n", 2, "interval -1-30; expected 0 <= start < end"),
    "start_in_words.bed": BadFile(
        "regions", f"{_BED}chr1\tten\t30\n", 2, "start 'ten'; expected an integer in column 2"
    ),
    "decimal_end.bed": BadFile("regions", f"{_BED}chr1\t10\t30.5\n", 2, "end '30.5'; expected an integer in column 3"),
    "thousands_separators.bed": BadFile(
        "regions", f"{_BED}chr1\t1,000\t1,100\n", 2, "start '1,000'; expected an integer"
    ),
    "end_beyond_64_bits.bed": BadFile("regions", f"{_BED}chr1\t10\t{1 << 64}\n", 2, "end .*; expected an integer"),
    "off_contig.bed": BadFile("regions", f"{_BED}chr1\t10\t1201\n", 2, "chr1:10-1201 ends off the contig; .* 1200 bp"),
    "another_genome.bed": BadFile(
        "regions", "chrX\t10\t20\n", None, "contig 'chrX' has no record in .*is it the genome"
    ),
    "binary.bed": BadFile("regions", bytes(range(256)), 1, "columns|expected"),
    "start_after_end_blacklist.bed": BadFile("blacklist", "chr1\t9\t3\n", 1, "interval 9-3"),
    "start_after_end_unknown.bed": BadFile("unknown", "chr1\t9\t3\n", 1, "interval 9-3"),
    "summit_outside_peak.narrowPeak": BadFile(
        "regions",
        "chr1\t10\t20\tp\t0\t.\t1.5\t2.5\t3.5\t10\n",
        1,
        "summit 10 of a peak of 10 bp; expected an offset inside",
    ),
    "truncated_row.narrowPeak": BadFile(
        "regions",
        "chr1\t10\t20\tp\t0\t.\t1.5\t2.5\t3.5\t4\nchr1\t30\t40\tp\t0\n",
        2,
        "5 columns .*; expected at least 10",
    ),
}
LABELED = {
    "label_in_words.bed": BadFile(
        "regions", f"{_TABLE}chr1\t0\t99\t+\tenhancer\ttrain\n", 2, "label 'enhancer'; expected indices with commas"
    ),
    "negative_label.bed": BadFile("regions", f"{_TABLE}chr1\t0\t99\t+\t-1\ttrain\n", 2, "label '-1'; expected indices"),
    "split_of_another_name.bed": BadFile(
        "regions",
        f"{_TABLE}chr1\t0\t99\t+\t1\ttrain\nchr1\t0\t99\t+\t1\tdev\n",
        3,
        "split 'dev'; expected train, valid",
    ),
    "strand_in_words.bed": BadFile("regions", f"{_TABLE}chr1\t0\t99\tplus\t1\ttrain\n", 2, "strand 'plus'; expected"),
    "header_only.bed": BadFile("regions", _TABLE, None, "no row in it; expected rows of chrom, start, end"),
    "truncated_gzip.txt.gz": BadFile("names", gzip.compress(b"peaks")[:-9], None, _CUT),
    "names_of_labels_empty.txt": BadFile("names", "\n", None, "no label; expected one name a line"),
    "names_of_labels_twice.txt": BadFile("names", "a\na\n", None, "a label that stands here twice"),
    "names_of_labels_too_many.txt": BadFile("names", "a\nb\n", None, r"2 names \(a, ...\) for 1 region files \(peaks"),
}
METHYLATION = {
    "empty.bedmethyl": BadFile("calls", "", None, "no row in it"),
    "folder_as_bedmethyl.bedmethyl": BadFile("calls", FOLDER, None, _IS_FOLDER),
    "truncated_gzip.bedmethyl.gz": BadFile("calls", gzip.compress(GOOD_CALL.encode())[:12], None, _CUT),
    "nine_columns.bedmethyl": BadFile(
        "calls",
        "\t".join("123456789") + "\n",
        None,
        r"rows of 9 columns; expected bedMethyl \(11 or 18 columns\), Bismark",
    ),
    "level_above_100.bedmethyl": BadFile(
        "calls", GOOD_CALL + call(30, 31, 9, 101), 2, "percent 101.*; expected 0 to 100"
    ),
    "nan_level.bedmethyl": BadFile("calls", GOOD_CALL + call(30, 31, 9, "nan"), 2, "percent nan; expected 0 to 100"),
    "negative_coverage.bedmethyl": BadFile("calls", GOOD_CALL + call(30, 31, -9), 2, "coverage -9; expected 0 or more"),
    "decimal_coverage.bedmethyl": BadFile(
        "calls", GOOD_CALL + call(30, 31, 9.5), 2, "coverage '9.5'; expected an integer"
    ),
    "end_too_far.bedmethyl": BadFile("calls", GOOD_CALL + call(30, 40), 2, r"end 40; expected start \+ 1"),
    "strand_in_words.bedmethyl": BadFile("calls", GOOD_CALL + call(30, 31, strand="plus"), 2, "strand plus; expected"),
    "no_5mc.bedmethyl": BadFile(
        "calls", call(30, 31, code="h"), None, "no call of 5mC in it; expected rows of 5-methyl"
    ),
    "off_contig.bedmethyl": BadFile(
        "calls", GOOD_CALL + call(1200, 1201), None, "a call at chr1:1200 .*off the contig"
    ),
    "shifted_by_one.bedmethyl": BadFile(
        "calls", call(CPG - 1, CPG), None, "1 of 1 calls lie on no CpG of .*are its positions shifted by one?"
    ),
    "another_genome.bedmethyl": BadFile("calls", GOOD_CALL.replace("chr1", "chr9"), None, "'chr9' has no record in"),
    "coverage_for_bedmethyl.bedmethyl": BadFile("coverage", GOOD_CALL, None, "no bigWig, or a truncated one"),
    "level_above_100.cov": BadFile("calls", "chr1\t9\t9\t120\t6\t1\n", 1, "percent 120.*; expected 0 to 100"),
    "negative_count.cov": BadFile("calls", "chr1\t9\t9\t50\t-6\t1\n", 1, "methylated -6; expected a count of reads"),
    "start_of_zero.cov": BadFile("calls", "chr1\t0\t0\t50\t6\t1\n", 1, r"start 0; expected 1 or more \(1-based\)"),
    "ends_of_both_kinds.cov": BadFile(
        "calls", "chr1\t9\t9\t50\t6\t1\nchr1\t20\t21\t50\t6\t1\n", 2, "end 21; expected end = start .* in all rows"
    ),
    "four_columns.bedgraph": BadFile("calls", "chr1\t9\t10\t50\n", None, "rows of 4 columns; expected bedMethyl"),
    "nan_level.bw": BadFile(
        "calls", bigwig((CPG, CPG + 1, float("nan"))), None, f"chr1:{CPG}-{CPG + 1} has nan; expected"
    ),
    "level_above_100.bw": BadFile(
        "calls", bigwig((30, 31, 101.0)), None, "chr1:30-31 has 101; expected a level of 0 to 100"
    ),
    "negative_level.bw": BadFile(
        "calls", bigwig((30, 31, -0.5)), None, "chr1:30-31 has -0.5; expected a level of 0 to 1"
    ),
    "truncated_header.bw": BadFile("calls", bigwig((30, 31, 0.5), keep=0.05), None, "no bigWig, or a truncated one"),
    "truncated.bw": BadFile("calls", bigwig((30, 31, 0.5), keep=0.6), None, "truncated|broken|cannot be read"),
    "negative_coverage.bw": BadFile("coverage", bigwig((0, 1200, -3.0)), None, "a negative or missing value on chr1"),
    "absent_coverage.bw": BadFile("coverage", ABSENT, None, _ABSENT),
}
_SPLIT = "chromosome\tstart\tend\tsplit\n"
TABLES = {
    "empty.tsv": BadFile("split", "", 1, "no column 'chrom'; expected a header"),
    "no_split_column.tsv": BadFile(
        "split", "chrom\tstart\tend\nchr1\t0\t9\n", 1, "no column 'split'; expected a header"
    ),
    "header_only.tsv": BadFile("split", _SPLIT, None, "no row in it"),
    "split_of_another_name.tsv": BadFile(
        "split", f"{_SPLIT}chr1\t0\t9\tdev\n", 2, "split 'dev'; expected train, valid"
    ),
    "start_after_end.tsv": BadFile("split", f"{_SPLIT}chr1\t9\t3\ttrain\n", 2, "interval 9-3; expected .*start < end"),
    "start_in_words.tsv": BadFile("split", f"{_SPLIT}chr1\tzero\t3\ttrain\n", 2, "row .*; expected chromosome, start"),
    "three_columns.tsv": BadFile("split", f"{_SPLIT}chr1\t0\t9\n", 2, "row .*; expected chromosome, start, end, split"),
    "splits_that_overlap.tsv": BadFile(
        "split", f"{_SPLIT}chr1\t0\t9\ttrain\nchr1\t5\t20\ttest\n", 3, "chr1:5-20 is test and overlaps a train piece"
    ),
    "truncated_gzip.tsv.gz": BadFile("split", gzip.compress(_SPLIT.encode())[:-9], None, _CUT),
    "another_genome.tsv": BadFile("split of windows", f"{_SPLIT}chr9\t0\t9\ttrain\n", None, "'chr9' has no record in"),
    "folder_as_table.tsv": BadFile("split", FOLDER, None, _IS_FOLDER),
}
CONFIG = {
    "misspelt.toml": BadFile(
        "config", "window_pb = 64\n", None, "no setting is called 'window_pb'; did you mean 'window_bp'"
    ),
    "misspelt_training.toml": BadFile("training", "learning_rat = 1\n", None, "did you mean 'learning_rate'"),
    "misspelt_inside_a_table.toml": BadFile(
        "training", "[encoder]\nlayers = 3\n", None, "no setting is called 'encoder.layers'; check its name"
    ),
    "unknown_setting.toml": BadFile("config", "xyz = 1\n", None, "no setting is called 'xyz'; known: out, genome,"),
    "not_toml.toml": BadFile("config", "window_bp: 64\n", None, r"not TOML \(.*line 1"),
    "not_utf8.toml": BadFile("config", b"split = '\xe9'\n", None, r"not TOML \(.*utf-8"),
    "text_for_a_number.toml": BadFile("config", "flank_bp = 'wide'\n", None, "flank_bp = 'wide': .*valid integer"),
    "out_of_range.toml": BadFile("config", "flank_bp = -1\n", None, "flank_bp = -1: .*greater than or equal to 0"),
    "even_kernel.toml": BadFile("training", "[encoder]\nkernel_size = 8\n", None, "encoder.*kernel_size 8 is even"),
    "folder_as_config.toml": BadFile("config", FOLDER, None, "Is a directory; expected a readable TOML file"),
    "absent.toml": BadFile("config", ABSENT, None, "No such file or directory; expected a readable TOML file"),
}
BAD_FILES = FASTA | GFF3 | GTF | BED | LABELED | METHYLATION | TABLES | CONFIG
