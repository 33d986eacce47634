"""Another genetic code from the annotation to the predicted proteins: genes of a ciliate, and start codons beside ATG."""

import re
from pathlib import Path

import numpy as np
import pytest

import dnaspt
from dnaspt.checkpoint_config import CheckpointConfig, read_config
from dnaspt.data.manifest import read_manifest
from dnaspt.errors import CheckpointError, ConfigError
from dnaspt.genome import alphabet
from dnaspt.genome.coding_sequence import coding_codes
from dnaspt.genome.fasta import read_fasta
from dnaspt.genome.gff3 import read_annotation

pytestmark = pytest.mark.slow

CODE = {"genetic_code": 6, "start_codons": ["ATG", "CTG"]}


def as_ciliate(folder: Path) -> tuple[Path, Path]:
    """The simulated genome with other codons: TGA stops all genes, TAA and TAG stand for glutamine, a third begin with CTG."""
    contigs = {contig.name: contig.codes.copy() for contig in read_fasta(folder / "genome.fa")}
    random = np.random.default_rng(0)
    for number, one in enumerate(read_annotation(folder / "annotation.gff3").transcripts):
        gene, codes = one.transcript, contigs[one.transcript.chrom]
        positions = np.concatenate([np.arange(start, end) for start, end in gene.cds])
        coding = alphabet.tokens(coding_codes(gene, codes)).reshape(-1, 3)
        letters = np.array(["".join("ACGT"[base] for base in codon) for codon in coding])
        is_glutamine = np.isin(letters, ("CAA", "CAG")) & (random.random(len(letters)) < 0.7)
        coding[is_glutamine, 0] = 3  # CAA to TAA, CAG to TAG
        coding[-1] = alphabet.encode("TGA")
        if number % 3 == 0:
            coding[0] = alphabet.encode("CTG")
        turned = coding.ravel() if gene.strand == "+" else alphabet.reverse_complement(coding.ravel())
        codes[positions] = turned
    genome = folder / "ciliate.fa"
    genome.write_text(
        "".join(f">{name}\n{alphabet.decode(alphabet.tokens(codes))}\n" for name, codes in contigs.items())
    )
    return genome, folder / "annotation.gff3"


@pytest.fixture(scope="module")
def ciliate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ciliate")
    dnaspt.simulate(folder / "genome", n_contigs=3, contig_bp=30_000, seed=3)
    genome, annotation = as_ciliate(folder / "genome")
    dnaspt.prepare_genes(genome, annotation, out=folder / "data", genetic_code=6)
    dnaspt.finetune(folder / "data", out=folder / "run", head="gene-model", start_codons=["ATG", "CTG"])
    dnaspt.load(folder / "run").predict_file(genome, folder / "genes.gff3", proteins=folder / "proteins.fa")
    return folder


def test_the_code_of_the_dataset_is_that_of_the_run(ciliate: Path) -> None:
    assert read_manifest(ciliate / "data").genetic_code == 6
    config = read_config(ciliate / "run")
    assert (config.genetic_code, config.start_codons) == (6, ("ATG", "CTG"))
    assert set(config.code.stops) == {"TGA"}


def test_genes_of_another_code_are_found_and_legal_in_it_alone(ciliate: Path) -> None:
    files = (ciliate / "genome" / "annotation.gff3", ciliate / "genes.gff3", ciliate / "genome" / "ciliate.fa")
    compared = dnaspt.compare_annotations(*files, **CODE)
    assert compared.levels["gene"].f1.value > 0.7
    assert compared.levels["exon"].f1.value > 0.8
    for side in (compared.reference, compared.prediction):
        assert side.structures.n_illegal == 0 < side.n_genes
    standard = dnaspt.compare_annotations(*files)
    assert standard.prediction.structures.faults["stop codon in frame"] > standard.prediction.n_genes / 2
    assert standard.prediction.structures.faults["no start codon"] >= 2
    with_atg = dnaspt.compare_annotations(*files, genetic_code=6)
    assert (
        with_atg.prediction.structures.faults["no start codon"]
        == standard.prediction.structures.faults["no start codon"]
    )
    evaluated = dnaspt.evaluate(ciliate / "run", ciliate / "data", split="train")
    assert evaluated.genes.structures.faults["stop codon in frame"] == 0
    assert evaluated.genes.structures.faults["no start codon"] < evaluated.genes.structures.n_transcripts / 4


def test_start_and_stop_rows_and_proteins_follow_the_code(ciliate: Path) -> None:
    contigs = {contig.name: contig.codes for contig in read_fasta(ciliate / "genome" / "ciliate.fa")}
    letters: dict[str, set[str]] = {"start_codon": set(), "stop_codon": set()}
    for line in (ciliate / "genes.gff3").read_text().splitlines():
        chrom, _, kind, start, end, _, strand, *_ = [*line.split("\t"), *[""] * 8][:9]
        if kind in letters and int(end) - int(start) == 2:  # not split by an intron
            codon = alphabet.tokens(contigs[chrom][int(start) - 1 : int(end)])
            letters[kind].add(alphabet.decode(alphabet.reverse_complement(codon) if strand == "-" else codon))
    assert letters == {"start_codon": {"ATG", "CTG"}, "stop_codon": {"TGA"}}
    proteins = re.findall(r">(\S+)\n([A-Z*\n]+)", (ciliate / "proteins.fa").read_text())
    assert len(proteins) > 5
    assert not any("*" in protein.replace("\n", "").removesuffix("*") for _, protein in proteins)


def test_a_crf_and_a_start_codon_that_stops_are_refused(ciliate: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a crf knows genetic code 1 and the start codon ATG alone"):
        dnaspt.finetune(ciliate / "data", out=tmp_path / "run", head="crf")
    with pytest.raises(ConfigError, match="start codon 'TGA' is a stop codon in genetic code 6"):
        dnaspt.finetune(ciliate / "data", out=tmp_path / "run", head="gene-model", start_codons=["TGA"])
    with pytest.raises(ConfigError, match="genetic code 5; expected one of NCBI's tables 1, 4, 6, 10, 12"):
        dnaspt.prepare_genes("g.fa", "g.gff3", out=tmp_path / "data", genetic_code=5)


def test_checkpoints_without_a_code_are_read_as_the_standard_one(ciliate: Path, tmp_path: Path) -> None:
    config = read_config(ciliate / "run")
    old = config.model_dump(mode="json", exclude={"genetic_code", "start_codons"})
    read = CheckpointConfig.model_validate(old)
    assert (read.genetic_code, read.start_codons) == (1, ("ATG",))
    (tmp_path / "model.safetensors").touch()
    (tmp_path / "config.json").write_text(config.model_copy(update={"genetic_code": 2}).model_dump_json())
    with pytest.raises(CheckpointError, match="genetic code 2; expected one of NCBI's tables 1, 4, 6, 10, 12"):
        read_config(tmp_path)
