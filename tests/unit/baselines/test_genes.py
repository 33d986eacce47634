"""Genes of other gene finders scored by the same code: the annotation itself is perfect."""

import json
from pathlib import Path

import pytest
from tests.integration.in_process import dnaspt

from dnaspt.baselines.baseline import run_baseline
from dnaspt.errors import ConfigError, DatasetError, InputError
from dnaspt.genome.fasta import read_fasta
from dnaspt.genome.gff3 import read_annotation
from dnaspt.genome.stop_in_cds import without_stop_codon


def test_the_annotation_is_perfect_with_and_without_its_stop_codons(
    gene_data: Path, simulated: Path, tmp_path: Path
) -> None:
    ran = dnaspt("baseline", gene_data, "--annotation", simulated / "annotation.gff3", "--out", tmp_path / "truth")
    assert ran.code == 0, ran.errors
    scores = json.loads((tmp_path / "truth" / "evaluation-test.json").read_text())
    assert scores["mcc"]["value"] == pytest.approx(1)
    assert scores["genes"]["levels"]["gene"]["f1"]["value"] == pytest.approx(1)
    kept = dnaspt("baseline", gene_data, "--annotation", tmp_path / "truth" / "genes.gff3", "--out", tmp_path / "again")
    assert kept.code == 0, kept.errors
    again = json.loads((tmp_path / "again" / "evaluation-test.json").read_text())
    assert (again["mcc"], again["genes"]) == (scores["mcc"], scores["genes"])
    codes = {contig.name: contig.codes for contig in read_fasta(simulated / "genome.fa")}
    rows = []
    for one in read_annotation(simulated / "annotation.gff3").transcripts:
        cut = without_stop_codon(one.transcript, codes[one.transcript.chrom])
        assert cut.cds_bp == one.transcript.cds_bp - 3
        for start, end in cut.cds:
            ids = f'gene_id "{cut.gene_id}"; transcript_id "{cut.transcript_id}";'
            rows.append("\t".join((cut.chrom, "x", "CDS", str(start + 1), str(end), ".", cut.strand, ".", ids)))
    (tmp_path / "as.gtf").write_text("\n".join(rows) + "\n")
    scores = run_baseline(gene_data, tmp_path / "gtf", annotation=tmp_path / "as.gtf")
    assert scores.scores["gene_f1"].value == pytest.approx(1)


def test_genes_on_the_other_strand_are_wrong_and_those_on_no_contig_refused(
    gene_data: Path, simulated: Path, tmp_path: Path
) -> None:
    text = (simulated / "annotation.gff3").read_text()
    other = tmp_path / "other.gff3"
    other.write_text(text.replace("\t+\t", "\t-\t"))
    assert run_baseline(gene_data, tmp_path / "other", annotation=other).primary.value < 0.9
    names = [contig.name for contig in read_fasta(simulated / "genome.fa")]
    for name in names:
        text = text.replace(name, name.removeprefix("chr"))
    other.write_text(text)
    with pytest.raises(InputError, match="the names differ only in 'chr'"):
        run_baseline(gene_data, tmp_path / "foreign", annotation=other)
    other.write_text("##gff-version 3\n")
    with pytest.raises(InputError, match=r"no coding transcript|no CDS"):
        run_baseline(gene_data, tmp_path / "empty", annotation=other)


def test_what_is_left_out_of_an_annotation_stands_beside_the_scores(
    gene_data: Path, simulated: Path, tmp_path: Path
) -> None:
    file = tmp_path / "odd.gff3"
    contig = next(read_fasta(simulated / "genome.fa")).name
    odd = [f"{contig}\tx\tCDS\t{at}\t{at + 29}\t.\t+\t0\tParent=gone{at}" for at in (1, 101)]
    odd.append(f"{contig}\tx\tCDS\t301\t330\t.\t+\t0\tID=lone;pseudo=true")
    file.write_text((simulated / "annotation.gff3").read_text() + "\n".join(odd) + "\n")
    run_baseline(gene_data, tmp_path / "out", annotation=file)
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert result["left_out"] == {
        "transcripts_cut_off": 2,
        "transcripts_of_pseudogenes": 1,
        "cds_without_parent": 1,
    }


def test_what_does_not_fit_is_refused(gene_data: Path, windows: Path, simulated: Path, tmp_path: Path) -> None:
    annotation = simulated / "annotation.gff3"
    with pytest.raises(DatasetError, match="this baseline is for genes"):
        run_baseline(windows, tmp_path / "out", annotation=annotation)
    with pytest.raises(ConfigError, match="one of --annotation, --species or --model augustus"):
        run_baseline(gene_data, tmp_path / "out", annotation=annotation, species="fly")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    with pytest.raises(DatasetError, match="holds no baseline"):
        run_baseline(gene_data, tmp_path / "mine", annotation=annotation, overwrite=True)
