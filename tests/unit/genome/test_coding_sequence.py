"""Coding sequences and proteins of transcripts: by hand, and as gffread has them."""

import shutil
import subprocess
from dataclasses import replace
from itertools import product
from pathlib import Path

import pysam
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.genome.gff3_files import write_gff3

from dnaspt.genome.alphabet import encode, reverse_complement
from dnaspt.genome.coding_sequence import (
    coding_letters,
    fasta_record,
    first_coding_bases,
    last_coding_bases,
    protein,
    translate,
    with_codons_read,
    without_last_coding_bases,
)
from dnaspt.genome.genetic_code import CODONS, STANDARD, GeneticCode
from dnaspt.genome.transcripts import Transcript

LETTERS = "cc" + "ATGaa" + "GTccccAG" + "ACCCTAA" + "cc"
GENE = Transcript("c", "+", "g", "g.t", ((2, 7), (15, 22)))


def mirrored(transcript: Transcript, length: int) -> Transcript:
    cds = tuple((length - end, length - start) for start, end in reversed(transcript.cds))
    return replace(transcript, strand="-" if transcript.strand == "+" else "+", cds=cds)


def test_cds_and_protein_are_read_in_the_direction_of_transcription() -> None:
    codes = encode(LETTERS)
    for gene, own in ((GENE, codes), (mirrored(GENE, len(codes)), reverse_complement(codes))):
        assert coding_letters(gene, own) == "ATGaaACCCTAA"
        assert protein(gene, own) == "MKP"


def test_a_partial_gene_is_read_from_its_first_whole_codon() -> None:
    codes = encode(LETTERS)
    assert coding_letters(replace(GENE, phase=2), codes) == "GaaACCCTAA"
    assert protein(replace(GENE, phase=2), codes) == "ETL"  # GAA ACC CTA A
    assert protein(replace(GENE, cds=((2, 7), (15, 20))), codes) == "MKP"  # ATG AAA CCC T


def test_every_codon_means_what_the_code_says() -> None:
    assert translate(encode("".join(CODONS))) == "".join(STANDARD.amino_acids[codon] for codon in CODONS)
    assert translate(encode("ATGTGATAATAA")) == "M***"
    assert translate(encode("GCNCTNATNNNNTANnnn")) == "ALXXXX"
    assert translate(encode("AT")) == translate(encode("")) == ""
    protozoa = GeneticCode.from_ncbi(4, "FFLLSSSSYY**CCWWLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG", ("ATG",))
    assert translate(encode("ATGTGATAA"), protozoa) == "MW*"


def test_the_codons_at_both_ends_are_told_by_their_letters() -> None:
    def ends(letters: str, **changes: object) -> tuple[bool, bool]:
        read = with_codons_read(Transcript("c", "+", "g", "t", ((0, len(letters)),), **changes), encode(letters))
        return read.has_start, read.has_stop

    assert ends("ATGCCCtaa") == (True, True)
    assert ends("CTGCCCTAA") == (False, True)
    assert (
        ends("ATGCCCTA") == ends("ATGCCTAA") == ends("ATGCCNTAN") == (True, False)
    )  # of 8 bases, the last 3 are no codon
    assert ends("AATGCCTAA", phase=1) == (False, False)
    assert ends("GATGCTAA", phase=2) == (False, True)
    assert ends("TAA") == (False, False)


cds_of_a_gene = st.lists(st.integers(1, 9), min_size=2, max_size=12).map(
    lambda steps: tuple((sum(steps[:k]), sum(steps[: k + 1])) for k in range(1, len(steps), 2))
)  # exons of 1 to 9 bases, 1 to 9 bases apart


@given(cds_of_a_gene, st.sampled_from("+-"), st.integers(1, 4))
def test_first_and_last_bases_are_those_of_the_bases_in_order(
    cds: tuple[tuple[int, int], ...], strand: str, n: int
) -> None:
    bases = [base for start, end in cds for base in range(start, end)]

    def spelled(intervals: tuple[tuple[int, int], ...]) -> list[int]:
        assert all(start < end for start, end in intervals)
        return [base for start, end in intervals for base in range(start, end)]

    left, right = bases[:n], bases[-n:]
    assert spelled(first_coding_bases(cds, strand, n)) == (left if strand == "+" else right)
    assert spelled(last_coding_bases(cds, strand, n)) == (right if strand == "+" else left)
    assert spelled(without_last_coding_bases(cds, strand, n)) == (bases[:-n] if strand == "+" else bases[n:])


def test_fasta_has_lines_of_60_letters() -> None:
    assert fasta_record("a", "A" * 60 + "CG") == f">a\n{'A' * 60}\nCG\n"
    assert fasta_record("a", "A" * 60) == f">a\n{'A' * 60}\n"
    assert fasta_record("a", "") == ">a\n"


@pytest.mark.tool
@pytest.mark.skipif(not shutil.which("gffread"), reason="gffread is not installed (apt-get install gffread)")
def test_codons_with_n_are_what_they_are_to_gffread(tmp_path: Path) -> None:
    codons = ["".join(letters) for letters in product("ACGTN", repeat=3)]
    letters = "".join(f"ATG{codon}GGG" for codon in codons)
    genes = [Transcript("c", "+", codon, codon, ((9 * n, 9 * n + 9),)) for n, codon in enumerate(codons)]
    (tmp_path / "g.fa").write_text(f">c\n{letters}\n")
    write_gff3(tmp_path / "g.gff3", genes, [("c", len(letters))])
    command = ["gffread", "-S", "-y", tmp_path / "y.fa", "-g", tmp_path / "g.fa", tmp_path / "g.gff3"]
    subprocess.run(command, check=True, capture_output=True)
    with pysam.FastxFile(str(tmp_path / "y.fa")) as records:
        found = {record.name: record.sequence for record in records}
    assert found == {gene.transcript_id: protein(gene, encode(letters)) for gene in genes}
