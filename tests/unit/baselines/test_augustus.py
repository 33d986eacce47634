"""AUGUSTUS without AUGUSTUS: what it is given, what is read of what it prints, and what is said where it is not there."""

import os
import stat
from pathlib import Path

import numpy as np
import pytest

from dnaspt.baselines import augustus
from dnaspt.baselines.augustus import genbank_record, predict, set_parameter, train, with_stop_probabilities
from dnaspt.data.segments import Segment
from dnaspt.errors import ConfigError, DnasptError
from dnaspt.genome.alphabet import encode
from dnaspt.genome.transcripts import Transcript

PARAMETERS = """\
# stop codons
/Constant/amberprob      0.33    # Prob(stop codon = tag)
/Constant/ochreprob      0.33    # Prob(stop codon = taa)
/Constant/opalprob       0.34    # Prob(stop codon = tga)
stopCodonExcludedFromCDS false
"""
ETRAINING = """\
HMM-training the parameters...
Frequency of stop codons:
tag:   20 (0.2)
taa:   55 (0.55)
tga:   25 (0.25)
end *EXON*
"""
GFF3 = """\
##gff-version 3
# This output was generated with AUGUSTUS (version 3.5.0).
# ----- prediction on sequence number 1 (length = 40, name = 0) -----
0\tAUGUSTUS\tgene\t3\t20\t0.9\t+\t.\tID=g1
0\tAUGUSTUS\ttranscript\t3\t20\t0.9\t+\t.\tID=g1.t1;Parent=g1
0\tAUGUSTUS\tCDS\t3\t8\t0.9\t+\t0\tID=g1.t1.cds;Parent=g1.t1
0\tAUGUSTUS\tCDS\t12\t20\t0.9\t+\t0\tID=g1.t1.cds;Parent=g1.t1
# protein sequence = [MK]
###
1\tAUGUSTUS\tgene\t1\t9\t0.5\t-\t.\tID=g2
1\tAUGUSTUS\ttranscript\t1\t9\t0.5\t-\t.\tID=g2.t1;Parent=g2
1\tAUGUSTUS\tCDS\t1\t9\t0.5\t-\t0\tID=g2.t1.cds;Parent=g2.t1
###
"""


def segment_of(letters: str, chrom: str = "chr1", start: int = 0) -> Segment:
    return Segment(chrom, start, encode(letters.encode()), np.full(len(letters), 8, np.int8))


def program(folder: Path, name: str, script: str) -> None:
    """A shell script in the place of a program."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(stat.S_IRWXU)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation whose programs print the text above, as conda lays it out; returns the folder of programs."""
    programs, generic = tmp_path / "bin", tmp_path / "config" / "species" / "generic"
    generic.mkdir(parents=True)
    (tmp_path / "config" / "extrinsic").mkdir()
    (generic / "generic_parameters.cfg").write_text(PARAMETERS)
    (generic / "generic_weightmatrix.txt").write_text("weights\n")
    (tmp_path / "said.gff3").write_text(GFF3)
    (tmp_path / "said.txt").write_text(ETRAINING)
    program(programs, "augustus", f'for last; do :; done; cp "$last" {tmp_path}/given.fa; cat {tmp_path}/said.gff3')
    program(programs, "etraining", f'cp "$2" {tmp_path}/given.gb; cat {tmp_path}/said.txt')
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("AUGUSTUS_CONFIG_PATH", raising=False)
    return programs


def test_a_genbank_record_has_the_gene_at_its_place() -> None:
    letters = "ACGT" * 20
    gene = Transcript("chr 1", "-", "g", "t", ((110, 116), (120, 126)))
    lines = genbank_record(gene, 100, letters).splitlines()
    assert lines[0] == "LOCUS       chr_1_110   80 bp  DNA"
    assert lines[3] == "     CDS             complement(join(11..16,21..26))"
    assert lines[5] == "BASE COUNT     20 a 20 c 20 g 20 t"
    assert lines[7:9] == [f"        1 {' '.join(['acgtacgtac', 'gtacgtacgt'] * 3)}", "       61 acgtacgtac gtacgtacgt"]
    assert lines[-1] == "//"
    plus = genbank_record(Transcript("c", "+", "g", "t", ((110, 116),)), 100, letters)
    assert "     CDS             11..16\n" in plus


def test_the_stop_codons_of_etraining_become_parameters() -> None:
    changed = with_stop_probabilities(PARAMETERS, ETRAINING)
    assert "/Constant/amberprob      0.2 " in changed
    assert "/Constant/ochreprob      0.55 " in changed
    assert "/Constant/opalprob       0.25 " in changed
    assert with_stop_probabilities(PARAMETERS, "nothing\n") == PARAMETERS


def test_a_parameter_must_be_there_once() -> None:
    assert "stopCodonExcludedFromCDS true" in set_parameter(PARAMETERS, "stopCodonExcludedFromCDS", "true")
    for text in ("", PARAMETERS + PARAMETERS):
        with pytest.raises(DnasptError, match="have no single 'stopCodonExcludedFromCDS'"):
            set_parameter(text, "stopCodonExcludedFromCDS", "true")


def test_genes_are_read_by_segment(installed: Path, tmp_path: Path) -> None:
    segments = [segment_of("ACGT" * 10), segment_of("acgt" * 5, "chr2", 300), segment_of("GGGG")]
    one, two, three = predict(segments, "arabidopsis")
    assert [annotated.transcript.cds for annotated in one] == [((2, 8), (11, 20))]
    assert [(annotated.transcript.strand, annotated.transcript.cds) for annotated in two] == [("-", ((0, 9),))]
    assert three == []
    assert (tmp_path / "given.fa").read_text() == f">0\n{'ACGT' * 10}\n>1\n{'ACGT' * 5}\n>2\nGGGG\n"


def test_a_species_is_trained_on_the_genes_of_train(installed: Path, gene_data: Path, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    config = train(gene_data, tmp_path / "work")
    records = (tmp_path / "work" / "train.gb").read_text()
    assert records.count("LOCUS") == records.count("     CDS  ") == records.count("//\n") > 0
    parameters = (config / "species" / augustus.TRAINED / "trained_parameters.cfg").read_text()
    assert parameters == with_stop_probabilities(PARAMETERS, ETRAINING)
    assert (config / "species" / augustus.TRAINED / "generic_weightmatrix.txt").is_file()
    assert (config / "extrinsic").is_symlink()


def test_a_program_that_fails_is_quoted(installed: Path) -> None:
    program(installed, "augustus", "echo 'first line' >&2; echo 'no such species: fly' >&2; exit 3")
    with pytest.raises(DnasptError, match="augustus --species=fly ended with 3: no such species: fly"):
        predict([segment_of("ACGT")], "fly")


def test_where_it_is_not_installed_a_way_out_is_told(
    gene_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("AUGUSTUS_CONFIG_PATH", str(tmp_path))
    with pytest.raises(
        ConfigError, match=r"AUGUSTUS is not installed here .*give its GFF3 to 'dnaspt baseline --annotation'"
    ):
        predict([segment_of("ACGT")], "fly")
    with pytest.raises(ConfigError, match="AUGUSTUS is not installed here"):
        train(gene_data, tmp_path / "work")
    if not Path("/usr/share/augustus/config").is_dir():
        (tmp_path / "augustus").touch(mode=0o755)
        with pytest.raises(ConfigError, match="set AUGUSTUS_CONFIG_PATH"):
            train(gene_data, tmp_path / "work")
