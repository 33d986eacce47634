"""Simulated genes: codons, splice sites, exons and isoforms."""

import itertools
from collections import Counter

import numpy as np
from tests.unit.simulation.simulated import Simulated

from dnaspt.genome import alphabet
from dnaspt.genome.genetic_code import STANDARD
from dnaspt.simulation.genes import GeneSource
from dnaspt.simulation.species import make_species


def test_every_cds_reads_from_a_start_to_its_only_stop_codon(demo: Simulated) -> None:
    assert len(demo.transcripts) == demo.summary.n_transcripts > demo.summary.n_genes
    for chrom, strand, parts in demo.transcripts.values():
        exons = [demo.letters(chrom, start, end, strand) for start, end, _ in parts]
        coding = "".join(exons if strand == "+" else exons[::-1])
        codons = [coding[i : i + 3] for i in range(0, len(coding), 3)]
        assert len(coding) % 3 == 0
        assert codons[0] == "ATG"
        assert codons[-1] in STANDARD.stops
        assert not set(STANDARD.stops).intersection(codons[:-1])


def test_introns_have_canonical_ends_and_lengths_in_range_on_both_strands(demo: Simulated) -> None:
    pairs: Counter[tuple[str, str]] = Counter()
    for name, (chrom, strand, parts) in demo.transcripts.items():
        for left, right in itertools.pairwise(parts):
            intron = demo.letters(chrom, left[1], right[0], strand)
            assert len(intron) >= 60
            assert len(intron) <= 300 or name.endswith(".2")
            pairs[strand, f"{intron[:2]}-{intron[-2:]}"] += 1
    n = sum(pairs.values())
    assert set(pairs) <= {(strand, pair) for strand in "+-" for pair in ("GT-AG", "GC-AG")}
    assert min(pairs["+", "GT-AG"], pairs["-", "GT-AG"]) > 0.3 * n
    assert pairs["+", "GT-AG"] + pairs["-", "GT-AG"] >= 0.98 * n


def test_genes_are_dense_and_some_have_one_exon_and_some_two_isoforms(demo: Simulated) -> None:
    n_parts = Counter(len(parts) for name, (_, _, parts) in demo.transcripts.items() if name.endswith(".1"))
    assert 0.35 <= demo.summary.gene_bp / demo.summary.n_bp <= 0.5
    assert 0.1 < n_parts[1] / demo.summary.n_genes < 0.35
    assert sum(name.endswith(".2") for name in demo.transcripts) >= 10


def test_a_gene_on_the_minus_strand_is_the_mirror_image_and_twice_the_gene_itself() -> None:
    rng = np.random.default_rng(0)
    source = GeneSource(make_species(0), rng, island_fraction=0.5, isoform_fraction=1)
    for _ in range(20):
        gene = source.draw()
        mirrored = gene.on_minus()
        assert mirrored.strand == "-" and len(mirrored.cds) == len(gene.cds)
        for cds, of_mirrored in zip(gene.cds, mirrored.cds, strict=True):
            coding = np.concatenate([gene.codes[start:end] for start, end in cds])
            turned = np.concatenate([mirrored.codes[start:end] for start, end in of_mirrored])
            assert np.array_equal(coding, alphabet.reverse_complement(turned))
        twice = mirrored.on_minus()
        assert np.array_equal(twice.codes, gene.codes)
        assert (twice.exons, twice.cds, twice.island) == (gene.exons, gene.cds, gene.island)


def test_a_second_isoform_lacks_one_inner_exon_and_keeps_the_frame() -> None:
    source = GeneSource(make_species(1), np.random.default_rng(1), island_fraction=0, isoform_fraction=1)
    genes = [source.draw() for _ in range(60)]
    with_two = [gene for gene in genes if len(gene.cds) == 2]
    assert with_two
    for gene in with_two:
        first, second = gene.cds
        (skipped,) = set(first) - set(second)
        assert skipped not in (first[0], first[-1]) and len(second) == len(first) - 1
        assert (skipped[1] - skipped[0]) % 3 == 0
        assert gene.exons[0][0][0] == gene.exons[1][0][0] and gene.exons[0][-1][1] == gene.exons[1][-1][1]
