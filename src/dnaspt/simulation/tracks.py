"""Simulated contigs to the text of their annotation: GFF3 (1-based closed), BED and bedMethyl (0-based half-open)."""

from collections.abc import Iterator

import numpy as np

from dnaspt.genome import alphabet
from dnaspt.genome.intervals import to_mask
from dnaspt.simulation.contig import PlacedGene, SimulatedContig

_COVERAGE = 18.0
_LEVEL = {"island": (1.0, 18.0), "elsewhere": (14.0, 2.5)}
"""Parameters of the beta distributions of methylation levels: means 0.05 and 0.85."""
_ODD_FRACTION = 0.03
_LINE_BP = 60


def fasta_record(contig: SimulatedContig) -> str:
    """A FASTA record with lines of 60 bases, repeats in lower case."""
    letters = alphabet.decode(contig.codes)
    lines = (letters[start : start + _LINE_BP] for start in range(0, len(letters), _LINE_BP))
    return f">{contig.name}\n" + "\n".join(lines) + "\n"


def gff3_rows(contig: SimulatedContig) -> Iterator[str]:
    """Rows of gene, mRNA, exon and CDS; all CDS rows of a transcript share one ID, phases run along the transcript."""
    for number, gene in enumerate(contig.genes, start=1):
        gene_id = f"{contig.name}_g{number}"
        start, end = gene.exons[0][0][0], gene.exons[0][-1][1]
        yield _row(contig.name, "gene", (start, end), gene.strand, f"ID={gene_id};Name={gene_id}")
        for isoform in range(len(gene.cds)):
            name = f"{gene_id}.{isoform + 1}"
            yield _row(contig.name, "mRNA", (start, end), gene.strand, f"ID={name};Parent={gene_id}")
            for span in gene.exons[isoform]:
                yield _row(contig.name, "exon", span, gene.strand, f"Parent={name}")
            for span, phase in zip(gene.cds[isoform], _phases(gene, isoform)):
                yield _row(contig.name, "CDS", span, gene.strand, f"ID={name}.cds;Parent={name}", phase)


def _row(chrom: str, kind: str, span: tuple[int, int], strand: str, attributes: str, phase: int | str = ".") -> str:
    return f"{chrom}\tdnaspt\t{kind}\t{span[0] + 1}\t{span[1]}\t.\t{strand}\t{phase}\t{attributes}\n"


def _phases(gene: PlacedGene, isoform: int) -> list[int]:
    """Phase of each CDS part, ascending: (3 - coding bases before it mod 3) mod 3, along the transcript."""
    lengths = np.array([end - start for start, end in gene.cds[isoform]])
    lengths = lengths if gene.strand == "+" else lengths[::-1]
    phases = (-(np.cumsum(lengths) - lengths)) % 3
    return [int(phase) for phase in (phases if gene.strand == "+" else phases[::-1])]


def bed_rows(contig: SimulatedContig, peaks: str) -> Iterator[str]:
    """Rows of four columns for the peaks of one kind."""
    for number, (start, end) in enumerate(contig.peaks[peaks], start=1):
        yield f"{contig.name}\t{start}\t{end}\t{contig.name}_{peaks}{number}\n"


def bedmethyl_rows(contig: SimulatedContig, rng: np.random.Generator) -> Iterator[str]:
    """One row for each cytosine of a CpG, both strands: coverage and percent methylated; uncovered ones have no row.

    CpGs of islands are unmethylated, the others methylated, 3 % of either the other way round.
    """
    sites = alphabet.cpg_positions(contig.codes)
    in_island = to_mask(contig.islands, len(contig.codes))
    low = in_island[sites] ^ (rng.random(len(sites)) < _ODD_FRACTION)
    level = np.where(low, rng.beta(*_LEVEL["island"], len(sites)), rng.beta(*_LEVEL["elsewhere"], len(sites)))
    depth = rng.gamma(4.0, _COVERAGE / 4.0, len(sites))
    coverage = rng.poisson(depth[:, None], (len(sites), 2))
    methylated = rng.binomial(coverage, level[:, None])
    for site, row_coverage, row_methylated in zip(sites.tolist(), coverage.tolist(), methylated.tolist()):
        for offset, strand in enumerate("+-"):
            if n := row_coverage[offset]:
                start, end, percent = site + offset, site + offset + 1, 100 * row_methylated[offset] / n
                span = f"{start}\t{end}"
                yield f"{contig.name}\t{span}\tm\t{n}\t{strand}\t{span}\t0,0,0\t{n}\t{percent:.1f}\n"
