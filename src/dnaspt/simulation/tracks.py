"""Simulated contigs to text: FASTA, GFF3 (1-based, last base included), BED and bedMethyl (0-based half-open)."""

from collections.abc import Iterator

import numpy as np

from dnaspt.genome import alphabet
from dnaspt.genome.gff3_writer import cds_phases
from dnaspt.genome.intervals import StartEnd, to_mask
from dnaspt.simulation.contig import SimulatedContig

_COVERAGE = 18.0
_LEVEL = {"island": (1.0, 18.0), "elsewhere": (14.0, 2.5)}
"""Parameters of the beta distributions of methylation levels, with means 0.05 and 0.85."""
_ODD_FRACTION = 0.03
_LINE_BP = 60


def fasta_record(contig: SimulatedContig) -> str:
    """FASTA record of a contig, with lines of 60 bases and repeats in lower case."""
    letters = alphabet.decode(contig.codes)
    lines = (letters[start : start + _LINE_BP] for start in range(0, len(letters), _LINE_BP))
    return f">{contig.name}\n" + "\n".join(lines) + "\n"


def gff3_rows(contig: SimulatedContig) -> Iterator[str]:
    """Yield rows of gene, mRNA, exon and CDS. All CDS rows of a transcript share one ID."""
    for number, gene in enumerate(contig.genes, start=1):
        gene_id = f"{contig.name}_g{number}"
        start, end = gene.exons[0][0][0], gene.exons[0][-1][1]
        yield _row(contig.name, "gene", (start, end), gene.strand, f"ID={gene_id};Name={gene_id}")
        for isoform in range(len(gene.cds)):
            name = f"{gene_id}.{isoform + 1}"
            yield _row(contig.name, "mRNA", (start, end), gene.strand, f"ID={name};Parent={gene_id}")
            for exon in gene.exons[isoform]:
                yield _row(contig.name, "exon", exon, gene.strand, f"Parent={name}")
            for interval, phase in zip(gene.cds[isoform], cds_phases(gene.cds[isoform], gene.strand), strict=True):
                yield _row(contig.name, "CDS", interval, gene.strand, f"ID={name}.cds;Parent={name}", phase)


def _row(contig: str, kind: str, interval: StartEnd, strand: str, attributes: str, phase: int | str = ".") -> str:
    start, end = interval
    return f"{contig}\tdnaspt\t{kind}\t{start + 1}\t{end}\t.\t{strand}\t{phase}\t{attributes}\n"


def bed_rows(contig: SimulatedContig, peaks: str) -> Iterator[str]:
    """Yield a row of four columns for each peak of one kind."""
    for number, (start, end) in enumerate(contig.peaks[peaks], start=1):
        yield f"{contig.name}\t{start}\t{end}\t{contig.name}_{peaks}{number}\n"


def motif_rows(contig: SimulatedContig) -> Iterator[str]:
    """Yield a row of six columns for each planted motif: its kind as the name, and its strand."""
    for motif in contig.motifs:
        place = motif.place
        yield f"{contig.name}\t{place.start}\t{place.end}\t{motif.kind}\t0\t{place.strand}\n"


def bedmethyl_rows(contig: SimulatedContig, rng: np.random.Generator) -> Iterator[str]:
    """Yield a row for each cytosine of a CpG on both strands: its coverage and its methylation in percent.

    Cytosines without coverage have no row. CpGs in islands are unmethylated and all others methylated, but for 3 % of both.
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
                yield f"{contig.name}\t{start}\t{end}\tm\t{n}\t{strand}\t{start}\t{end}\t0,0,0\t{n}\t{percent:.1f}\n"
