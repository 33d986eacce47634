"""Transcripts written as GTF are read back, and other programs read them."""

import shutil
import subprocess
from pathlib import Path

import pytest

from dnaspt.errors import ConfigError
from dnaspt.genome.gff3 import read_annotation
from dnaspt.genome.gff3_writer import gff3_header, gff3_lines
from dnaspt.genome.gtf_writer import gtf_header, gtf_lines
from dnaspt.genome.stop_in_cds import stop_rows_in_cds
from dnaspt.genome.transcripts import Transcript

WHOLE = Transcript("c1", "+", "c1.g1", "c1.g1.t1", ((9, 14), (30, 37)), 0.9876, has_start=True, has_stop=True)
SPLIT = Transcript(
    "c1", "-", "c1.g2", "c1.g2.t1", ((50, 51), (70, 78), (90, 92), (96, 100)), 0.5, has_start=True, has_stop=True
)
"""Its stop codon is split: one base in an exon of its own, two in the next."""
PARTIAL = Transcript("c 2", "+", "c2.g1", "c2.g1.t1", ((0, 20),), None, phase=2, is_partial=True, has_stop=True)
CONTIGS = [("c1", 100), ("c 2", 20), ("empty", 7)]


def written(path: Path, transcripts: list[Transcript]) -> Path:
    path.write_text("".join([*gtf_header(CONTIGS), *gtf_lines(transcripts)]))
    return path


def test_gtf_text_is_exactly_this(tmp_path: Path) -> None:
    ids = 'gene_id "c1.g1"; transcript_id "c1.g1.t1";'
    assert "".join(gtf_lines([WHOLE])) == (
        'c1\tdnaspt\tgene\t10\t37\t0.9876\t+\t.\tgene_id "c1.g1";\n'
        f"c1\tdnaspt\ttranscript\t10\t37\t0.9876\t+\t.\t{ids}\n"
        f'c1\tdnaspt\texon\t10\t14\t0.9876\t+\t.\t{ids} exon_number "1";\n'
        f'c1\tdnaspt\texon\t31\t37\t0.9876\t+\t.\t{ids} exon_number "2";\n'
        f'c1\tdnaspt\tCDS\t10\t14\t0.9876\t+\t0\t{ids} exon_number "1";\n'
        f'c1\tdnaspt\tCDS\t31\t34\t0.9876\t+\t1\t{ids} exon_number "2";\n'
        f'c1\tdnaspt\tstart_codon\t10\t12\t0.9876\t+\t0\t{ids} exon_number "1";\n'
        f'c1\tdnaspt\tstop_codon\t35\t37\t0.9876\t+\t0\t{ids} exon_number "2";\n'
    )
    header = "".join(gtf_header(CONTIGS))
    assert header.startswith("##gtf-version 2.2\n##sequence-region c1 1 100\n")


def test_a_split_stop_codon_has_a_row_in_each_exon_and_none_of_the_cds(tmp_path: Path) -> None:
    rows = [line.split("\t") for line in gtf_lines([SPLIT])]
    found = [(row[2], int(row[3]), int(row[4]), row[7], row[8].split("exon_number ")[-1].strip()) for row in rows[2:]]
    assert [row for row in found if row[0] == "CDS"] == [
        ("CDS", 73, 78, "0", '"3";'),
        ("CDS", 91, 92, "2", '"2";'),
        ("CDS", 97, 100, "0", '"1";'),
    ]
    assert [row for row in found if "codon" in row[0]] == [
        ("start_codon", 98, 100, "0", '"1";'),
        ("stop_codon", 51, 51, "1", '"4";'),
        ("stop_codon", 71, 72, "0", '"3";'),
    ]
    assert sum(row[0] == "exon" for row in found) == 4


def test_what_gtf_and_gff3_say_is_read_alike(tmp_path: Path) -> None:
    genes = [WHOLE, SPLIT, PARTIAL]
    gtf = read_annotation(written(tmp_path / "p.gtf", genes))
    (tmp_path / "p.gff3").write_text("".join([*gff3_header(CONTIGS), *gff3_lines(genes)]))
    gff3 = read_annotation(tmp_path / "p.gff3")
    assert [stop_rows_in_cds(one) for one in gtf.transcripts] == [stop_rows_in_cds(one) for one in gff3.transcripts]
    read_back = {one.transcript.transcript_id: stop_rows_in_cds(one) for one in gtf.transcripts}
    for gene in genes:
        own = read_back[gene.transcript_id]
        expected = (gene.chrom, gene.strand, gene.gene_id, gene.cds, gene.phase, gene.is_partial)
        assert (own.chrom, own.strand, own.gene_id, own.cds, own.phase, own.is_partial) == expected
    assert gtf.lengths == gff3.lengths == dict(CONTIGS)
    assert gtf.contigs == gff3.contigs


def test_a_file_without_a_gene_is_an_annotation(tmp_path: Path) -> None:
    found = read_annotation(written(tmp_path / "p.gtf", []))
    assert (found.transcripts, found.lengths) == ((), dict(CONTIGS))


@pytest.mark.tool
@pytest.mark.skipif(not shutil.which("gffread"), reason="gffread is not installed (apt-get install gffread)")
def test_gffread_reads_the_gtf_without_complaint(tmp_path: Path) -> None:
    gtf = written(tmp_path / "p.gtf", [WHOLE, SPLIT])
    ran = subprocess.run(
        ["gffread", "-E", gtf, "-T", "-o", tmp_path / "o.gtf"], capture_output=True, text=True, check=True
    )
    complaints = [line for line in ran.stderr.splitlines() if not line.startswith(("Command line", "gffread", " "))]
    assert [line for line in complaints if line and "loaded" not in line] == []
    found = read_annotation(tmp_path / "o.gtf")
    assert sorted(one.exons for one in found.transcripts) == sorted([WHOLE.cds, SPLIT.cds])


def test_a_contig_whose_rows_would_be_comments_is_refused() -> None:
    assert list(gtf_header([("c#1", 9)])) == ["##gtf-version 2.2\n", "##sequence-region c%231 1 9\n"]
    with pytest.raises(ConfigError, match="'#1': a name that begins with #"):
        list(gtf_header([("#1", 9)]))
