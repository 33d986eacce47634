"""Gene models on odd contigs: tiny ones, N, soft-masked letters, no site at all, genes at the ends. All genes are legal."""

import logging
from pathlib import Path

import numpy as np
import pytest
from tests.unit.inference.gene_model_runs import gene_model_run
from tests.unit.inference.small_models import GENES, random_codes, random_letters, run_of, write_fasta

import dnaspt
from dnaspt.errors import ConfigError
from dnaspt.evaluation.gene_faults import structure_report
from dnaspt.genome import alphabet
from dnaspt.genome.transcripts import Transcript

pytestmark = pytest.mark.slow


def legal_genes(run: Path, contigs: dict[str, np.ndarray], folder: Path, **options: float) -> list[Transcript]:
    """Genes in Python; those of a file are the same, and none is illegal."""
    genome, out = write_fasta(folder / "g.fa", contigs), folder / "genes.gff3"
    model = dnaspt.load(run)
    summary = model.predict_file(genome, out, **options, overwrite=True)
    genes = [gene for own in model.predict(genome, **options) for gene in own]
    assert summary.n_genes == len(genes) == out.read_text().count("\tmRNA\t")
    assert summary.n_contigs == len(contigs)
    assert structure_report(genes, contigs).n_illegal == 0
    return genes


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return gene_model_run(tmp_path_factory.mktemp("model") / "run")


def test_tiny_contigs_are_predicted(run: Path, tmp_path: Path) -> None:
    contigs = {f"c{n}_{seed}": random_codes(n, seed) for n in range(1, 11) for seed in range(5)}
    contigs |= {"start": alphabet.encode("ATG"), "stop": alphabet.encode("TAA"), "gene": alphabet.encode("ATGTAA")}
    genes = legal_genes(run, contigs, tmp_path)
    assert all(len(contigs[gene.chrom]) >= gene.end for gene in genes)


def test_contigs_of_n_and_without_a_site_have_no_whole_gene(run: Path, tmp_path: Path) -> None:
    contigs = {
        "n": np.full(700, alphabet.N, np.uint8),
        "c": alphabet.encode("C" * 3_000),
        "short_n": np.full(7, alphabet.N, np.uint8),
    }
    assert all(gene.is_partial for gene in legal_genes(run, contigs, tmp_path))
    assert legal_genes(run, contigs, tmp_path, complete_genes=True) == []


def test_no_gene_crosses_a_long_run_of_n_and_genes_at_ends_are_partial(run: Path, tmp_path: Path) -> None:
    codes = random_codes(6_000, 5)
    codes[1_000:1_040] = alphabet.N
    codes[3_000:3_200] = alphabet.N
    genes = legal_genes(run, {"chr": codes}, tmp_path)
    assert len(genes) > 1 and any(gene.is_partial for gene in genes)
    for gene in genes:
        assert gene.end <= 3_010 or gene.start >= 3_190
        if gene.is_partial and gene.cds_bp:
            known = (gene.start, gene.end)
            assert not (gene.has_start and gene.has_stop), known
    whole = legal_genes(run, {"chr": codes}, tmp_path, complete_genes=True)
    assert whole and not any(gene.is_partial for gene in whole)
    assert all(gene.has_start and gene.has_stop and gene.cds_bp % 3 == 0 for gene in whole)


def test_soft_masked_bases_cost_nats_where_they_are_asked_to(run: Path, tmp_path: Path) -> None:
    upper = random_letters(5_000, 3)
    half = upper[:2_500].lower() + upper[2_500:]
    codes = {name: alphabet.encode(letters) for name, letters in (("upper", upper), ("half", half))}

    def places(letters: str, **options: float) -> list[tuple[str, tuple[tuple[int, int], ...]]]:
        genes = legal_genes(run, {"c": codes[letters]}, tmp_path, **options)
        return [(gene.strand, gene.cds) for gene in genes]

    assert places("half") == places("upper") == places("upper", softmask=3)
    masked = places("half", softmask=3)
    is_masked = alphabet.soft_masked(codes["half"])
    assert masked and not any(is_masked[start:end].any() for _, cds in masked for start, end in cds)
    header = [line for line in (tmp_path / "genes.gff3").read_text().splitlines() if line.startswith("# ")]
    assert header[1:] == ["# softmask: 3 nats"] and header[0].startswith("# dnaspt ")


def test_softmask_is_for_gene_models_and_no_negative_number(
    run: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for softmask in (-0.5, float("nan"), float("inf")):
        with pytest.raises(ConfigError, match=r"softmask .*; expected 0 or more, in nats"):
            dnaspt.load(run).predict("ACGT" * 10, softmask=softmask)
    with caplog.at_level(logging.WARNING):
        dnaspt.load(run_of(tmp_path / "crf", GENES)).predict("ACGT" * 10, softmask=1)
    assert "--softmask has no effect on a crf head; it is for gene models" in caplog.text


def test_whole_genes_and_shortest_introns_are_options_of_gene_models(
    run: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    genes = legal_genes(run, {"c": random_codes(8_000, 4)}, tmp_path, complete_genes=True, min_intron_bp=40)
    introns = [end - start for gene in genes for start, end in gene.introns]
    assert introns and min(introns) >= 40
    assert "no effect" not in caplog.text
    dnaspt.load(run).predict("ACGT" * 10, codons=False)
    assert "codons has no effect on a gene-model head, which always keeps to codons" in caplog.text


def test_genes_below_a_probability_are_left_out(run: Path, tmp_path: Path) -> None:
    contigs = {f"c{seed}": random_codes(5_000, seed) for seed in range(8)}
    genes = legal_genes(run, contigs, tmp_path)
    probabilities = [gene.probability for gene in genes]
    assert len(genes) > 3 and all(value is not None and 0 <= value <= 1 for value in probabilities)
    middle = round(sorted(probabilities)[len(genes) // 2], 4)
    kept = legal_genes(run, contigs, tmp_path, min_score=middle)
    assert [gene.cds for gene in kept] == [gene.cds for gene in genes if round(gene.probability, 4) >= middle]
    assert 0 < len(kept) < len(genes)
