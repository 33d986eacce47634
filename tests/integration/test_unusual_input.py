"""Valid but unusual input is accepted, and read as what it means."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pysam
import pytest
from tests.integration.in_process import dnaspt
from tests.integration.sources import CHR1, CHR2, CPG, GENES, GENOME, PEAKS, bigwig, call, feature

from dnaspt.data.dataset import read_split
from dnaspt.data.manifest import SPLITS, Manifest, read_manifest
from dnaspt.genome.gene_states import MISSING


class Dataset(NamedTuple):
    """The manifest and, over all splits by start, sequences and labels of the windows."""

    manifest: Manifest
    windows: dict[tuple[str, int], tuple[str, list[int]]]


def prepared(folder: Path, kind: str, *arguments: str | Path) -> Dataset:
    """What a prepare command makes of files in a folder."""
    out = folder / "out"
    code, _, errors = dnaspt("prepare", kind, *arguments, "--out", out)
    assert (code, errors) == (0, [])
    windows = {}
    for split in SPLITS:
        if (out / f"{split}.parquet").is_file():
            for window in read_split(out, split):
                letters = "".join("ACGTN"[code & 7] for code in window.codes)
                windows[window.chrom, window.start] = (letters, window.labels.tolist())
    return Dataset(read_manifest(out), windows)


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def genes(folder: Path, genome: str | bytes = GENOME, annotation: str | bytes = GENES, *more: str) -> Dataset:
    """The dataset of a genome and its annotation."""
    fasta, gff = write(folder / "genome.fa", genome), write(folder / "genes.gff3", annotation)
    return prepared(folder, "genes", "--genome", fasta, "--annotation", gff, "--window-bp", "64", *more)


def regions(folder: Path, bed: str | bytes = PEAKS, *more: str, genome: str = GENOME) -> Dataset:
    """The dataset of a genome and its peaks."""
    fasta, peaks = write(folder / "genome.fa", genome), write(folder / "peaks.bed", bed)
    config = write(folder / "core.toml", "core_bp = 16\n")
    arguments = ("--genome", fasta, "--regions", peaks, "--window-bp", "32", "--config", config)
    return prepared(folder, "regions", *arguments, *more)


def methylation(folder: Path, calls: str | bytes | Path, *more: str) -> Dataset:
    """The dataset of a genome and calls at its CpGs."""
    file = calls if isinstance(calls, Path) else write(folder / "calls.bedmethyl", calls)
    fasta = write(folder / "genome.fa", GENOME)
    arguments = ("--genome", fasta, "--calls", file, "--window-bp", "64", "--split", "train-only")
    return prepared(folder, "methylation", *arguments, *more)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Dataset]:
    """The datasets of the files as they usually are."""
    folders = {kind: tmp_path_factory.mktemp(kind) for kind in ("genes", "regions", "methylation")}
    return {
        "genes": genes(folders["genes"]),
        "regions": regions(folders["regions"]),
        "methylation": methylation(folders["methylation"], call(CPG, CPG + 1)),
    }


def bgzip(text: str, n_cut: int = 0) -> Callable[[Path], bytes]:
    def content(folder: Path) -> bytes:
        with pysam.BGZFile(str(folder / "packed"), "wb") as file:
            file.write(text.encode())
        packed = (folder / "packed").read_bytes()
        return packed[: len(packed) - n_cut]

    return content


def folded(sequence: str, width: int) -> str:
    return "\n".join(sequence[at : at + width] for at in range(0, len(sequence), width))


SAME_GENOME = {
    "crlf": GENOME.replace("\n", "\r\n"),
    "old_mac": GENOME.replace("\n", "\r"),
    "no_final_newline": GENOME.rstrip("\n"),
    "blank_lines": f"\n{GENOME.replace('>', chr(10) + '>')}\n\n",
    "folded_lines": f">chr1\n{folded(CHR1, 60)}\n>chr2\n{folded(CHR2, 7)}\n",
    "lower_case": GENOME.replace(CHR1, CHR1.lower()),
    "rna_letters": GENOME.replace("T", "U"),
    "spaces_in_headers": GENOME.replace(">chr1", ">chr1 Homo sapiens chromosome 1, GRCh38 > primary"),
    "spaces_in_lines": GENOME.replace(CHR1, folded(CHR1, 10).replace("\n", " ") + " "),
    "header_after_a_space": GENOME.replace(">chr1", "> chr1"),
    "gzip": gzip.compress(GENOME.encode(), mtime=0),
    "gzip_of_two_members": gzip.compress(GENOME[:500].encode(), mtime=0)
    + gzip.compress(GENOME[500:].encode(), mtime=0),
    "bgzip": bgzip(GENOME),
    "bgzip_without_end_mark": bgzip(GENOME, 28),
    "tab_after_the_name": GENOME.replace(">chr1", ">chr1\tlength=1200"),
    "byte_order_mark": "\ufeff" + GENOME,
}


@pytest.mark.parametrize("name", SAME_GENOME)
def test_a_genome_written_otherwise_is_the_same_genome(name: str, plain: dict[str, Dataset], tmp_path: Path) -> None:
    content = SAME_GENOME[name]
    found = genes(tmp_path, content(tmp_path) if callable(content) else content)
    assert found.windows == plain["genes"].windows
    assert found.manifest.counts == plain["genes"].manifest.counts
    assert found.manifest.dropped == plain["genes"].manifest.dropped


ROWS = GENES.splitlines(keepends=True)
GTF = "".join(
    feature("CDS", first, last, 'gene_id "g"; transcript_id "t";', phase=phase)
    for first, last, phase in ((31, 60, "0"), (91, 120, "."))
)
SAME_GENES = {
    "crlf": GENES.replace("\n", "\r\n"),
    "old_mac": GENES.replace("\n", "\r"),
    "byte_order_mark": "\ufeff" + GENES,
    "no_final_newline": GENES.rstrip("\n"),
    "blank_lines_and_comments": GENES.replace("\n", "\n\n# a comment\n"),
    "no_version_line": "".join(ROWS[1:]),
    "gzip": gzip.compress(GENES.encode(), mtime=0),
    "bgzip": bgzip(GENES),
    "bgzip_without_end_mark": bgzip(GENES, 28),
    "rows_upside_down": "".join([ROWS[0], *reversed(ROWS[1:])]),
    "sequence_at_the_end": f"{GENES}##FASTA\n{GENOME}",
    "directives_between_rows": GENES.replace("\n", "\n###\n"),
    "no_strand_on_unused_rows": GENES + feature("region", 1, 99, "ID=r", strand=".") + feature("match", 5, 9, "ID=m", strand="?"),
    "gene_and_transcript_without_strand": GENES.replace("\tgene\t31\t120\t.\t+", "\tgene\t31\t120\t.\t."),
    "cds_rows_alone": "".join(row for row in ROWS if "\tCDS\t" in row),
    "attributes_with_spaces_and_final_semicolon": GENES.replace("ID=g", " ID=g ; Name=a gene;").replace("Parent=t", "Parent=t;"),
    "row_twice": GENES + ROWS[-1],
    "gtf_without_gene_rows": GTF,
    "gtf_of_an_old_mac": GTF.replace("\n", "\r"),
    "gtf_with_extra_keys": GTF.replace('";\n', '"; note "a; b"; level 2; tag "x"; tag "y";\n'),
    "very_long_attribute": GENES.replace("ID=g", f"ID=g;Note={'x' * 200_000}"),
}  # fmt: skip


@pytest.mark.parametrize("name", SAME_GENES)
def test_an_annotation_written_otherwise_is_the_same_annotation(
    name: str, plain: dict[str, Dataset], tmp_path: Path
) -> None:
    content = SAME_GENES[name]
    found = genes(tmp_path, annotation=content(tmp_path) if callable(content) else content)
    assert found.windows == plain["genes"].windows
    assert found.manifest.counts["introns"] == 1
    assert found.manifest.dropped == plain["genes"].manifest.dropped


def test_letters_of_iupac_are_read_as_n_and_counted(tmp_path: Path) -> None:
    found = genes(tmp_path, GENOME.replace(CHR1, "RYn" + CHR1[3:]))
    letters, labels = found.windows["chr1", 0]
    assert letters[:4] == "NNN" + CHR1[3]
    assert labels[:3] == [MISSING] * 3
    assert found.manifest.counts["ambiguous_letters"] == 2


def test_contigs_without_annotation_and_annotated_contigs_without_sequence_are_counted(tmp_path: Path) -> None:
    absent = feature("CDS", 1, 60, "Parent=u", chrom="chrUn") + feature("mRNA", 1, 60, "ID=u", chrom="chrUn")
    found = genes(tmp_path, annotation=GENES + absent)
    assert found.manifest.dropped["contigs_without_annotation"] == 1
    assert found.manifest.dropped["bp_on_contigs_without_annotation"] == 600
    assert found.manifest.dropped["annotated_contigs_without_sequence"] == 1
    assert found.manifest.dropped["transcripts_on_contigs_without_sequence"] == 1


def test_contigs_of_one_base_of_n_alone_and_of_odd_names_are_accepted(tmp_path: Path) -> None:
    names = ("one", "only_n", "HLA-A*01:01:01|é#1", "17")
    sequences = ("A", "N" * 100, CHR2[:100], CHR2[100:200])
    genome = GENOME + "".join(f">{name}\n{letters}\n" for name, letters in zip(names, sequences, strict=True))
    rows = "".join(feature("region", 1, 1, "ID=r", chrom=name) for name in names)
    found = genes(tmp_path, genome, GENES + rows)
    chroms = {chrom for chrom, _ in found.windows}
    assert {"HLA-A*01:01:01|é#1", "17", "one"} <= chroms
    assert "only_n" not in chroms
    assert found.manifest.dropped["bp_in_windows_all_n"] == 100
    assert found.windows["one", 0][0] == "A"


def test_a_cds_of_two_parents_belongs_to_both_transcripts(tmp_path: Path) -> None:
    isoform = feature("mRNA", 31, 60, "ID=short;Parent=g")
    found = genes(tmp_path, annotation=GENES.replace("60\t.\t+\t0\tParent=t", "60\t.\t+\t0\tParent=t,short") + isoform)
    assert found.manifest.counts["annotation_rows"] == 5
    assert found.manifest.counts["introns"] == 1
    assert {name: count for name, count in found.manifest.counts.items() if "isoform" in name} == {"other_isoforms": 1}


SAME_PEAKS = {
    "crlf": PEAKS.replace("\n", "\r\n"),
    "old_mac": PEAKS.replace("\n", "\r"),
    "byte_order_mark": "\ufeff" + PEAKS,
    "no_final_newline": PEAKS.rstrip("\n"),
    "gzip": gzip.compress(PEAKS.encode(), mtime=0),
    "unsorted": "".join(reversed(PEAKS.splitlines(keepends=True))),
    "track_and_browser_lines": f"browser position chr1:1-9\ntrack name=peaks\n# comment\n\n{PEAKS}",
    "spaces_for_tabs": PEAKS.replace("\t", "  "),
    "header": f"chrom\tstart\tend\n{PEAKS}",
    "old_mac_header_and_comment": f"# comment\rchrom\tstart\tend\r{PEAKS}".replace("\n", "\r"),
    "header_after_a_byte_order_mark": f"\ufeffchrom\tstart\tend\n{PEAKS}",
    "more_columns": PEAKS.replace("\n", "\tpeak\t1000\t.\t7.5\textra\n"),
    "narrow_peak": PEAKS.replace("\n", "\tpeak\t0\t.\t7.5\t-1\t-1\t-1\n"),
    "quotes_in_names": PEAKS.replace("\n", '\t"peak\t0\t+\n'),
}


@pytest.mark.parametrize("name", SAME_PEAKS)
def test_peaks_written_otherwise_are_the_same_peaks(name: str, plain: dict[str, Dataset], tmp_path: Path) -> None:
    found = regions(tmp_path, SAME_PEAKS[name])
    assert found.windows == plain["regions"].windows
    assert found.manifest.counts == plain["regions"].manifest.counts


def test_peaks_given_twice_label_a_window_once_and_absent_contigs_are_counted(
    plain: dict[str, Dataset], tmp_path: Path
) -> None:
    found = regions(tmp_path, f"{PEAKS}{PEAKS}chrUn\t5\t9\n")
    assert found.windows == plain["regions"].windows
    assert found.manifest.counts["regions"] == 5
    assert found.manifest.dropped["contig_not_in_genome"] == 1


def test_a_split_table_with_crlf_and_blank_lines_is_read(tmp_path: Path) -> None:
    table = "\ufeff#chrom\tstart\tend\tsplit\r\nchr1\t0\t600\ttrain\r\n\r\nchr1\t600\t1200\tvalid\r\n"
    found = regions(tmp_path, PEAKS, "--split", str(write(tmp_path / "split.tsv", table)))
    assert {name: split.n_bp for name, split in found.manifest.splits.items()} == {"train": 576, "valid": 576}


SAME_CALLS = {
    "crlf": call(CPG, CPG + 1).replace("\n", "\r\n"),
    "old_mac": call(CPG, CPG + 1).replace("\n", "\r"),
    "byte_order_mark": "\ufeff" + call(CPG, CPG + 1),
    "gzip": gzip.compress(call(CPG, CPG + 1).encode(), mtime=0),
    "no_final_newline": call(CPG, CPG + 1).rstrip("\n"),
    "call_of_both_strands": call(CPG, CPG + 2, strand="."),
    "calls_of_each_strand": call(CPG, CPG + 1, 4) + call(CPG + 1, CPG + 2, 5, strand="-"),
    "call_without_reads": call(CPG, CPG + 1) + call(CPG + 1, CPG + 2, 0, "nan", strand="-"),
    "track_line": f"track name=calls\n{call(CPG, CPG + 1)}",
    "bismark": f"chr1\t{CPG + 1}\t{CPG + 1}\t55.6\t5\t4\n",
}


@pytest.mark.parametrize("name", SAME_CALLS)
def test_calls_written_otherwise_are_the_same_calls(name: str, plain: dict[str, Dataset], tmp_path: Path) -> None:
    found = methylation(tmp_path, SAME_CALLS[name])
    assert found.windows == plain["methylation"].windows
    assert found.manifest.counts["cpg_labeled"] == 1


def test_other_modifications_are_counted_and_left_out(plain: dict[str, Dataset], tmp_path: Path) -> None:
    found = methylation(tmp_path, call(CPG, CPG + 1) + call(CPG, CPG + 1, code="h"))
    assert found.windows == plain["methylation"].windows
    assert found.manifest.dropped["other_modification"] == 1


def test_a_bigwig_in_percent_is_the_same_call(plain: dict[str, Dataset], tmp_path: Path) -> None:
    bigwig((CPG, CPG + 2, 55.0))(tmp_path / "calls.bw")
    found = methylation(tmp_path, tmp_path / "calls.bw", "--min-coverage", "1")
    assert found.windows == plain["methylation"].windows


def test_a_config_with_a_byte_order_mark_and_crlf_is_read(tmp_path: Path) -> None:
    config = write(tmp_path / "w.toml", "\ufeffflank_bp = 8\r\n")
    found = genes(tmp_path, GENOME, GENES, "--config", str(config))
    assert found.manifest.settings["flank_bp"] == 8


def test_lines_of_an_old_mac_are_read_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    genes(tmp_path, GENOME.replace("\n", "\r"), GENES.replace("\n", "\r"))
    warned = [message for message in caplog.messages if "as on old Macs" in message]
    assert sorted(message.split(":")[0] for message in warned) == [f"{tmp_path}/genes.gff3", f"{tmp_path}/genome.fa"]


def test_names_with_spaces_and_letters_beyond_ascii_are_kept(tmp_path: Path) -> None:
    folder = tmp_path / "Maïs génome (v2)"
    folder.mkdir()
    found = genes(folder)
    assert json.loads((folder / "out" / "manifest.json").read_text())["sources"][0]["path"] == str(folder / "genome.fa")
    assert len(found.windows) == len(np.unique([start for _, start in found.windows]))
