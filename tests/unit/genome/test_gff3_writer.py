"""Transcripts written as GFF3 are read back, and other programs read them."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pysam
import pytest
from tests.unit.genome.gff3_files import write_gff3

from dnaspt.genome import alphabet
from dnaspt.genome.gff3 import read_annotation
from dnaspt.genome.gff3_writer import cds_phases, gff3_header, gff3_lines
from dnaspt.genome.transcripts import Transcript

PREDICTED = [
    Transcript("c1", "+", "c1.g1", "c1.g1.t1", ((9, 13), (30, 38)), 0.9876),
    Transcript("c1", "-", "c1.g2", "c1.g2.t1", ((50, 54), (70, 71), (80, 84)), 0.5),
    Transcript("c 2", "-", "same", "same", ((0, 3),)),
]
CONTIGS = [("c1", 100), ("c 2", 20), ("empty", 7)]


def test_written_transcripts_are_read_back(tmp_path):
    path = tmp_path / "p.gff3"
    write_gff3(path, reversed(PREDICTED), CONTIGS)
    found = read_annotation(path)
    read_back = {
        (one.transcript.chrom, one.transcript.strand, one.transcript.transcript_id, one.transcript.cds)
        for one in found.transcripts
    }
    assert read_back == {(one.chrom, one.strand, one.transcript_id, one.cds) for one in PREDICTED}
    assert found.lengths == dict(CONTIGS)
    assert [path.name for path in tmp_path.iterdir()] == ["p.gff3"]


def test_gff3_text_is_exactly_this(tmp_path):
    write_gff3(tmp_path / "p.gff3", PREDICTED[:1], [("c1", 100)])
    assert (tmp_path / "p.gff3").read_text() == (
        "##gff-version 3\n##sequence-region c1 1 100\n"
        "c1\tdnaspt\tgene\t10\t38\t0.9876\t+\t.\tID=c1.g1\n"
        "c1\tdnaspt\tmRNA\t10\t38\t0.9876\t+\t.\tID=c1.g1.t1;Parent=c1.g1\n"
        "c1\tdnaspt\texon\t10\t13\t0.9876\t+\t.\tParent=c1.g1.t1\n"
        "c1\tdnaspt\texon\t31\t38\t0.9876\t+\t.\tParent=c1.g1.t1\n"
        "c1\tdnaspt\tCDS\t10\t13\t0.9876\t+\t0\tID=c1.g1.t1.cds;Parent=c1.g1.t1\n"
        "c1\tdnaspt\tCDS\t31\t38\t0.9876\t+\t2\tID=c1.g1.t1.cds;Parent=c1.g1.t1\n"
        "###\n"
    )


def test_phase_is_counted_in_the_direction_of_transcription():
    plus = Transcript("c", "+", "g", "t", ((0, 4), (10, 11), (20, 24)))
    minus = Transcript("c", "-", "g", "t", ((0, 4), (10, 11), (20, 24)))
    assert cds_phases(plus.cds, "+") == (0, 2, 1)
    assert cds_phases(minus.cds, "-") == (1, 2, 0)


def test_writing_contig_by_contig_gives_the_same_rows(tmp_path):
    write_gff3(tmp_path / "p.gff3", PREDICTED, CONTIGS)
    parts = [*gff3_header(CONTIGS), *gff3_lines(PREDICTED[:2]), *gff3_lines(PREDICTED[2:])]
    assert (tmp_path / "p.gff3").read_text() == "".join(parts)


def test_isoforms_share_one_gene_row(tmp_path):
    isoforms = [Transcript("c", "+", "g", name, ((start, 30),)) for name, start in (("t1", 0), ("t2", 9))]
    lines = list(gff3_lines(isoforms))
    assert sum("\tgene\t" in line for line in lines) == 1
    assert lines[0].split("\t")[3:5] == ["1", "30"]


def genome_with_genes(tmp_path: Path) -> tuple[Path, Path]:
    """A genome whose three transcripts have a start, no stop inside, a stop at the end and GT..AG introns."""
    codes = np.random.default_rng(0).integers(0, 4, 300).astype(np.uint8)
    letters = bytearray(alphabet.decode(codes).encode())
    plus = Transcript("c1", "+", "c1.g1", "c1.g1.t1", ((10, 15), (40, 50)), 0.75)
    minus = Transcript("c1", "-", "c1.g2", "c1.g2.t1", ((100, 104), (130, 141)), 0.5)
    letters[10:15], letters[15:17], letters[38:40], letters[40:50] = b"ATGGC", b"GT", b"AG", b"TGCTGCTTAA"
    letters[100:104], letters[104:106], letters[128:130], letters[130:141] = b"TTAG", b"CT", b"AC", b"CAGCAGCCCAT"
    fasta, gff3 = tmp_path / "g.fa", tmp_path / "g.gff3"
    fasta.write_text(f">c1\n{letters.decode()}\n>c2\nACGT\n")
    write_gff3(gff3, [minus, plus], [("c1", 300), ("c2", 4)])
    return fasta, gff3


@pytest.mark.tool
@pytest.mark.skipif(not shutil.which("gffread"), reason="gffread is not installed (apt-get install gffread)")
def test_gffread_reads_the_gff3_without_complaint_and_extracts_the_cds(tmp_path):
    fasta, gff3 = genome_with_genes(tmp_path)
    ran = subprocess.run(["gffread", "-E", gff3, "-o", tmp_path / "o.gff3"], capture_output=True, text=True, check=True)
    complaints = [line for line in ran.stderr.splitlines() if not line.startswith(("Command line", "gffread", " "))]
    assert [line for line in complaints if line and "loaded" not in line] == []
    subprocess.run(["gffread", "-x", tmp_path / "cds.fa", "-g", fasta, gff3], check=True, capture_output=True)
    sequences = {}
    for record in pysam.FastxFile(str(tmp_path / "cds.fa")):
        sequences[record.name] = record.sequence
    assert sequences == {"c1.g1.t1": "ATGGCTGCTGCTTAA", "c1.g2.t1": "ATGGGCTGCTGCTAA"}


@pytest.mark.tool
@pytest.mark.skipif(not shutil.which("gt"), reason="gt is not installed (apt-get install genometools)")
def test_genometools_finds_the_gff3_valid(tmp_path):
    _, gff3 = genome_with_genes(tmp_path)
    ran = subprocess.run(["gt", "gff3validator", gff3], capture_output=True, text=True)
    assert (ran.returncode, ran.stdout.strip(), ran.stderr) == (0, "input is valid GFF3", "")


def test_known_start_and_stop_codons_have_rows_of_their_own_and_stay_in_the_cds():
    cds = ((50, 51), (70, 78), (90, 92), (96, 100))
    bare = Transcript("c1", "-", "g", "t", cds)
    known = Transcript("c1", "-", "g", "t", cds, has_start=True, has_stop=True)
    codons = ["start_codon\t98\t100", "stop_codon\t51\t51", "stop_codon\t71\t72"]
    rows = [f"c1\tdnaspt\t{row}\t.\t-\t.\tParent=t\n" for row in codons]
    assert list(gff3_lines([known])) == [*list(gff3_lines([bare]))[:-1], *rows, "###\n"]
