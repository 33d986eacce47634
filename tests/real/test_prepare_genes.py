import shutil
import subprocess

import numpy as np
import pytest
from tests.unit.genome.gff3_files import write_gff3
from tests.unit.genome.legal_labels import illegal_positions

from dnaspt.data.dataset import read_split
from dnaspt.data.segments import segments
from dnaspt.data.transcript_table import read_transcripts
from dnaspt.genome import alphabet
from dnaspt.genome.fasta import Contig, read_fasta
from dnaspt.genome.gene_states import GENE_STATES, reverse_complement_labels, transcripts_from_labels
from dnaspt.genome.gff3 import read_annotation
from dnaspt.prepare.gene_labels import label_genes
from dnaspt.prepare.genes import PrepareGenesConfig, prepare_genes
from dnaspt.prepare.splits import SplitInterval

pytestmark = pytest.mark.real


def config(real_data, tmp_path, name, **options):
    folder = real_data / "gene_finding" / name
    files = {"genome": folder / "genome.fa.gz", "annotation": folder / "annotation.gff3.gz"}
    return PrepareGenesConfig(out=tmp_path / "out", **(files | options))


def gt_ag_share(counts):
    return counts["introns_gt_ag"] / counts["introns"]


@pytest.mark.parametrize(("name", "n_genes", "n_introns"), [("athaliana", 343, 1350), ("celegans", 156, 773)])
def test_genes_and_introns_of_longest_transcripts_are_those_of_the_readme(
    real_data, tmp_path, name, n_genes, n_introns
):
    manifest = prepare_genes(config(real_data, tmp_path, name)).manifest
    assert manifest.counts["coding_genes"] == n_genes
    assert manifest.counts["introns"] == n_introns
    assert gt_ag_share(manifest.counts) >= 0.98
    assert manifest.counts["stop_codons_in_cds"] == manifest.counts["transcripts"]
    n_bp = {split: summary.n_bp for split, summary in manifest.splits.items()}
    assert n_bp["test"] / sum(n_bp.values()) == pytest.approx(0.2, abs=0.02)
    for split in ("train", "valid", "test"):
        for segment in segments(read_split(tmp_path / "out", split)):
            assert not len(illegal_positions(segment.labels, GENE_STATES))


def test_test_labels_of_athaliana_decode_to_the_longest_transcripts(real_data, tmp_path):
    prepare_genes(config(real_data, tmp_path, "athaliana"))
    truth = {(one.chrom, one.strand, one.cds) for one, longest in read_transcripts(tmp_path / "out", "test") if longest}
    decoded = {
        (one.chrom, one.strand, one.cds)
        for segment in segments(read_split(tmp_path / "out", "test"))
        for one in transcripts_from_labels(segment.labels, segment.chrom, start=segment.start)
    }
    assert len(truth) == 72
    assert len(truth & decoded) >= 70


def test_fly_loci_have_no_missing_label_and_every_tenth_train_locus_is_valid(real_data, tmp_path):
    folder = real_data / "gene_finding" / "fly_loci"
    files = {
        f"{split}{what}": folder / f"{name}.{end}"
        for split, name in (("", "train"), ("test_", "test"))
        for what, end in (("genome", "fa.gz"), ("annotation", "gff3.gz"))
    }
    manifest = prepare_genes(PrepareGenesConfig(out=tmp_path / "out", **files)).manifest
    assert manifest.counts["coding_genes"] == 1078
    assert sum(split.n_missing for split in manifest.splits.values()) == 0
    assert len(set(read_split(tmp_path / "out", "valid").chrom)) == 87
    assert len(read_transcripts(tmp_path / "out", "test")) == 200


def test_human_annotations_of_four_kinds_are_read_together(real_data, tmp_path):
    folder = real_data / "gene_finding" / "human"
    files = {"genome": sorted(folder.glob("*.fa.gz")), "annotation": sorted(folder.glob("*.g[tf]f*.gz"))}
    chr20, chr22 = "NCBI33_chr20_30249935_31254640", "GRCh38_chr22_32000001_32300000"
    split = {"split": "contig", "test_contigs": [chr20], "valid_contigs": [chr22]}
    manifest = prepare_genes(PrepareGenesConfig(out=tmp_path / "out", **files, **split)).manifest
    assert gt_ag_share(manifest.counts) >= 0.97
    assert manifest.counts["stop_codons_from_rows"] > 20
    assert len(read_transcripts(tmp_path / "out", "test")) == 24


def test_labels_of_a_reverse_complemented_chromosome_are_the_mapped_labels(real_data, tmp_path):
    folder = real_data / "gene_finding" / "celegans"
    contig = next(read_fasta(folder / "genome.fa.gz"))
    annotated = [
        one for one in read_annotation(folder / "annotation.gff3.gz").transcripts if one.transcript.chrom == contig.name
    ]
    length = len(contig)
    intervals = [SplitInterval(contig.name, 0, length, "train")]
    forward = label_genes(contig, annotated, intervals)
    flip = {"+": "-", "-": "+"}
    turned = [
        type(one.transcript)(
            contig.name,
            flip[one.transcript.strand],
            one.transcript.gene_id,
            one.transcript.transcript_id,
            tuple((length - end, length - start) for start, end in reversed(one.transcript.cds)),
        )
        for one in annotated
    ]
    write_gff3(tmp_path / "turned.gff3", turned, [(contig.name, length)])
    read = read_annotation(tmp_path / "turned.gff3").transcripts
    backward = label_genes(Contig(contig.name, alphabet.reverse_complement(contig.codes)), read, intervals)
    assert np.array_equal(backward.labels, reverse_complement_labels(forward.labels))


@pytest.mark.skipif(not shutil.which("gffread"), reason="gffread is not installed (apt-get install gffread)")
def test_gffread_finds_start_and_stop_in_every_written_cds_of_athaliana(real_data, tmp_path):
    prepare_genes(config(real_data, tmp_path, "athaliana"))
    truth = [one for split in ("train", "valid", "test") for one, _ in read_transcripts(tmp_path / "out", split)]
    contigs = list(read_fasta(real_data / "gene_finding" / "athaliana" / "genome.fa.gz"))
    with (tmp_path / "g.fa").open("w") as file:
        file.writelines(f">{one.name}\n{alphabet.decode(one.codes)}\n" for one in contigs)
    write_gff3(tmp_path / "t.gff3", truth, [(one.name, len(one)) for one in contigs])
    command = ["gffread", "-J", "-g", tmp_path / "g.fa", tmp_path / "t.gff3", "-x", tmp_path / "x.fa"]
    subprocess.run(command, check=True, capture_output=True)
    assert (tmp_path / "x.fa").read_text().count(">") == len(truth)
