"""Simulated contigs: repeats, N, and peaks of motifs."""

import numpy as np
import pytest
from tests.unit.simulation.simulated import Simulated

from dnaspt.genome import alphabet
from dnaspt.simulation.contig import ContigBuilder
from dnaspt.simulation.genes import GeneSource
from dnaspt.simulation.species import MOTIFS, make_species


def test_the_genome_holds_soft_masked_repeats_and_short_runs_of_n(demo: Simulated) -> None:
    lines = (demo.out / "genome.fa").read_text().splitlines()
    assert max(map(len, lines)) == 60
    for codes in demo.codes.values():
        assert len(codes) == 150_000
        assert np.count_nonzero(codes == alphabet.N) == 60
        assert 0.03 < np.mean(alphabet.soft_masked(codes)) < 0.2


@pytest.mark.parametrize("name", ["A", "B"])
def test_peaks_are_dense_in_their_motif_and_the_rest_is_not(demo: Simulated, name: str) -> None:
    matrix = np.log(MOTIFS[name] / 0.25)
    rows = demo.rows(f"peaks_{name}.bed")
    assert len(rows) == demo.summary.n_peaks[name] >= 50

    def scores(codes: np.ndarray) -> np.ndarray:
        windows = np.lib.stride_tricks.sliding_window_view(np.minimum(alphabet.tokens(codes), 3), len(matrix))
        return matrix[np.arange(len(matrix)), windows].sum(axis=1)

    hits = {}
    for chrom, codes in demo.codes.items():
        hits[chrom] = np.maximum(scores(codes), scores(alphabet.reverse_complement(codes))[::-1]) > 6
    per_peak = [hits[chrom][int(start) : int(end)].sum() for chrom, start, end, _ in rows]
    assert all(200 <= int(end) - int(start) <= 500 for _, start, end, _ in rows)
    assert np.mean(np.array(per_peak) >= 1) > 0.95
    everywhere = np.mean([hit.mean() for hit in hits.values()])
    assert np.sum(per_peak) / sum(int(end) - int(start) for _, start, end, _ in rows) > 8 * everywhere


def test_genes_lie_apart_and_their_sequence_is_that_of_the_contig() -> None:
    species, rng = make_species(0), np.random.default_rng(2)
    genes = GeneSource(species, rng, island_fraction=0.4, isoform_fraction=0.3)
    contig = ContigBuilder(species, rng, genes, intergenic_bp=400).build("c", 50_000)
    assert len(contig.codes) == 50_000 and len(contig.genes) > 5
    ends = [0]
    for gene in contig.genes:
        exons = gene.exons[0]
        assert exons[0][0] >= ends[-1] + 250 and exons[-1][1] <= 50_000
        ends.append(exons[-1][1])
        start = contig.codes[gene.cds[0][0][0] :][:3] if gene.strand == "+" else contig.codes[: gene.cds[0][-1][1]][-3:]
        assert alphabet.decode(start if gene.strand == "+" else alphabet.reverse_complement(start)) == "ATG"
