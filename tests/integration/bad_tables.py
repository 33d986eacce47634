"""Malformed BED, methylation calls, split tables and settings, each named for its fault: content, place and answer."""

import gzip

from tests.integration.sources import (
    ABSENT,
    CPG,
    CUT_GZIP,
    FOLDER,
    IS_FOLDER,
    NOT_THERE,
    PEAKS,
    UTF16,
    BadFile,
    bigwig,
    call,
)

_BED = "chr1\t10\t20\n"
_TABLE = "chromosome\tstart\tend\tstrand\tlabel\tsplit\n"
GOOD_CALL = call(CPG, CPG + 1)
BED = {
    "empty.bed": BadFile("regions", "", None, "no row in it; expected tab-separated rows"),
    "track_line_only.bed": BadFile("regions", "track name=peaks\n", None, "no row in it"),
    "folder_as_bed.bed": BadFile("regions", FOLDER, None, IS_FOLDER),
    "absent.bed": BadFile("regions", ABSENT, None, NOT_THERE),
    "truncated_gzip.bed.gz": BadFile("regions", gzip.compress(PEAKS.encode(), mtime=0)[:-9], None, CUT_GZIP),
    "utf16.bed": BadFile("regions", PEAKS.encode("utf-16"), None, UTF16),
    "workbook.bed": BadFile("regions", b"PK\x03\x04\x14\x00\x06\x00", None, "Excel workbook; .*tab-separated text"),
    "peaks.bb": BadFile("regions", b"\xeb\xf2\x89\x87\x04\x00", None, "is bigBed; .*bigBedToBed"),
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
    "off_contig.bed": BadFile("regions", f"{_BED}chr1\t10\t2201\n", 2, "chr1:10-2201 ends off the contig; .* 1200 bp"),
    "behind_contig.bed": BadFile("regions", f"{_BED}chr1\t1200\t1210\n", 2, "chr1:1200-1210 ends off the contig"),
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
        "regions", f"{_TABLE}chr1\t0\t99\t+\tenhancer\ttrain\n", 2, "label 'enhancer'; expected indices .* with commas"
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
    "truncated_gzip.txt.gz": BadFile("names", gzip.compress(b"peaks", mtime=0)[:-9], None, CUT_GZIP),
    "names_of_labels_empty.txt": BadFile("names", "\n", None, "no label; expected one name a line"),
    "names_of_labels_with_a_slash.txt": BadFile(
        "names", "a/b\n", None, "label 'a/b'; expected a name that can stand in"
    ),
    "names_of_labels_twice.txt": BadFile("names", "a\na\n", None, "a label that stands here twice"),
    "names_of_labels_too_many.txt": BadFile("names", "a\nb\n", None, r"2 names \(a, ...\) for 1 region files \(peaks"),
}
METHYLATION = {
    "empty.bedmethyl": BadFile("calls", "", None, "no row in it"),
    "folder_as_bedmethyl.bedmethyl": BadFile("calls", FOLDER, None, IS_FOLDER),
    "truncated_gzip.bedmethyl.gz": BadFile("calls", gzip.compress(GOOD_CALL.encode(), mtime=0)[:12], None, CUT_GZIP),
    "utf16.bedmethyl": BadFile("calls", GOOD_CALL.encode("utf-16"), None, UTF16),
    "nine_columns.bedmethyl": BadFile(
        "calls",
        "\t".join("123456789") + "\n",
        None,
        r"rows of 9 columns; expected bedMethyl \(11 or 18 columns\), Bismark",
    ),
    "level_above_100.bedmethyl": BadFile(
        "calls", GOOD_CALL + call(30, 31, 9, 101), 2, "percent 101.*; expected 0 to 100"
    ),
    "nan_level.bedmethyl": BadFile(
        "calls", call(30, 31, 9, "nan"), None, "no level in it: 1 rows have reads, and none"
    ),
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
        "calls",
        call(CPG - 1, CPG),
        None,
        "1 of 1 calls lie on no CpG of .*are its positions shifted by one, or has it calls of other contexts",
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
        "calls", bigwig((CPG, CPG + 1, float("nan"))), None, "no level in it: its 1 values are NaN or -1; expected"
    ),
    "level_above_100.bw": BadFile(
        "calls", bigwig((30, 31, 101.0)), None, "chr1:30-31 has 101; expected a level of 0 to 100"
    ),
    "negative_level.bw": BadFile(
        "calls", bigwig((30, 31, -0.5)), None, "chr1:30-31 has -0.5; expected a level of 0 to 1"
    ),
    "truncated_header.bw": BadFile("calls", bigwig((30, 31, 0.5), keep=0.05), None, "no bigWig, or a truncated one"),
    "truncated.bw": BadFile("calls", bigwig((30, 31, 0.5), keep=0.6), None, "truncated|broken|cannot be read"),
    "negative_coverage.bw": BadFile("coverage", bigwig((0, 1200, -3.0)), None, "a negative or infinite value on chr1"),
    "absent_coverage.bw": BadFile("coverage", ABSENT, None, NOT_THERE),
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
        "split", f"{_SPLIT}chr1\t0\t9\ttrain\nchr1\t5\t20\ttest\n", 3, r"chr1:5-20 \(test\) overlaps chr1:0-9 \(train\)"
    ),
    "truncated_gzip.tsv.gz": BadFile("split", gzip.compress(_SPLIT.encode(), mtime=0)[:-9], None, CUT_GZIP),
    "another_genome.tsv": BadFile("split of windows", f"{_SPLIT}chr9\t0\t9\ttrain\n", None, "'chr9' has no record in"),
    "folder_as_table.tsv": BadFile("split", FOLDER, None, IS_FOLDER),
}
CONFIG = {
    "misspelt.toml": BadFile(
        "config", "window_pb = 64\n", None, "no setting is called 'window_pb'; did you mean 'window_bp'"
    ),
    "misspelt_training.toml": BadFile("training", "learning_rat = 1\n", None, "did you mean 'learning_rate'"),
    "misspelt_inside_a_table.toml": BadFile(
        "training", "[encoder]\nlayers = 3\n", None, "no setting is called 'encoder.layers'; did you mean 'n_layers'"
    ),
    "unknown_setting.toml": BadFile("config", "xyz = 1\n", None, "no setting is called 'xyz'; known: .*window_bp"),
    "not_toml.toml": BadFile("config", "window_bp: 64\n", None, r"not TOML \(.*line 1"),
    "not_utf8.toml": BadFile("config", b"split = '\xe9'\n", None, r"not TOML \(.*utf-8"),
    "text_for_a_number.toml": BadFile("config", "flank_bp = 'wide'\n", None, "flank_bp = 'wide': .*valid integer"),
    "out_of_range.toml": BadFile("config", "flank_bp = -1\n", None, "flank_bp = -1: .*greater than or equal to 0"),
    "even_kernel.toml": BadFile("training", "[encoder]\nkernel_size = 8\n", None, "encoder.*kernel_size 8 is even"),
    "folder_as_config.toml": BadFile("config", FOLDER, None, "Is a directory; expected a readable TOML file"),
    "absent.toml": BadFile("config", ABSENT, None, "No such file or directory; expected a readable TOML file"),
}
