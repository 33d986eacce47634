"""A seed to a folder with a small genome whose truth is known: FASTA, GFF3, BED, bedMethyl and truth.json.

The folder appears whole or not at all, and the same configuration gives the same bytes.
"""

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from dnaspt.atomic import publish_folder
from dnaspt.config import Settings
from dnaspt.errors import DatasetError
from dnaspt.genome import alphabet
from dnaspt.simulation.contig import ContigBuilder, SimulatedContig
from dnaspt.simulation.genes import GeneSource
from dnaspt.simulation.species import MOTIFS, Species, make_species
from dnaspt.simulation.tracks import bed_rows, bedmethyl_rows, fasta_record, gff3_rows

log = logging.getLogger(__name__)

_TRUTH = "truth.json"


class SimulateConfig(Settings):
    """What to simulate.

    Attributes:
        out: the folder to write.
        n_contigs: contigs, named chr1, chr2, ...
        contig_bp: length of each.
        intergenic_bp: mean length between a gene and the next promoter; it sets how dense the genes are.
        island_fraction: share of genes that start in a CpG island.
        isoform_fraction: share of genes that get a second isoform where an exon can be skipped in frame.
        seed: of the genome.
        species: of codon usage, composition and repeat families: two seeds of one species are two genomes of it.
        overwrite: whether a folder that was simulated before may be replaced.
    """

    out: Path
    n_contigs: int = Field(default=4, ge=1, le=1000)
    contig_bp: int = Field(default=150_000, ge=10_000, le=100_000_000)
    intergenic_bp: float = Field(default=1_100, ge=300, le=1_000_000)
    island_fraction: float = Field(default=0.4, ge=0, le=1)
    isoform_fraction: float = Field(default=0.3, ge=0, le=1)
    seed: int = Field(default=0, ge=0)
    species: int = Field(default=0, ge=0)
    overwrite: bool = False


class SimulationSummary(Settings):
    """What `dnaspt.simulate` wrote: counts over all contigs.

    Attributes:
        out: folder of the files.
        n_contigs: number of contigs.
        n_bp: bases of all contigs.
        n_genes: number of genes.
        n_transcripts: number of transcripts; some genes have two.
        n_introns: number of introns.
        gene_bp: bases of genes, from the first to the last base of their exons.
        cds_bp: bases of coding sequence.
        repeat_bp: bases of repeats, in lower case.
        n_islands: number of CpG islands.
        n_peaks: number of peaks of each track.
        n_cpg_rows: rows of the methylation file.

    Example:
        >>> genome = dnaspt.simulate("small_genome", n_contigs=1, contig_bp=20_000)
        >>> genome.n_contigs, genome.n_bp
        (1, 20000)
    """

    out: Path
    n_contigs: int
    n_bp: int
    n_genes: int
    n_transcripts: int
    n_introns: int
    gene_bp: int
    cds_bp: int
    repeat_bp: int
    n_islands: int
    n_peaks: dict[str, int]
    n_cpg_rows: int


def simulate(config: SimulateConfig) -> SimulationSummary:
    """Write genome.fa, annotation.gff3, peaks_A.bed, peaks_B.bed, methylation.bedmethyl and truth.json.

    Raises:
        DatasetError: the folder is there and may not be replaced.
    """
    _check_out(config)
    species = make_species(config.species)
    contigs = [_contig(config, species, index) for index in range(config.n_contigs)]
    with publish_folder(config.out) as unfinished:
        summary = _write(config, contigs, unfinished)
    log.info("simulated %d genes on %d bp in %s", summary.n_genes, summary.n_bp, config.out)
    return summary


def _check_out(config: SimulateConfig) -> None:
    """Refuse to replace anything but an empty folder, or with `overwrite` one that was simulated before."""
    out = config.out
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if not (out / _TRUTH).is_file():
        raise DatasetError(f"{out}: is there and is not a simulated genome (no {_TRUTH} in it); choose another --out")
    if not config.overwrite:
        raise DatasetError(f"{out}: already there; choose another --out, or say --overwrite")


def _contig(config: SimulateConfig, species: Species, index: int) -> SimulatedContig:
    rng = np.random.default_rng(np.random.SeedSequence((config.seed, 1, index)))
    genes = GeneSource(species, rng, island_fraction=config.island_fraction, isoform_fraction=config.isoform_fraction)
    return ContigBuilder(species, rng, genes, config.intergenic_bp).build(f"chr{index + 1}", config.contig_bp)


def _write(config: SimulateConfig, contigs: list[SimulatedContig], folder: Path) -> SimulationSummary:
    marks = (np.random.default_rng(np.random.SeedSequence((config.seed, 2, i))) for i in range(len(contigs)))
    methylation = [row for contig, rng in zip(contigs, marks) for row in bedmethyl_rows(contig, rng)]
    summary = _summary(config, contigs, len(methylation))
    regions = [f"##sequence-region {contig.name} 1 {len(contig.codes)}\n" for contig in contigs]
    files = {
        "genome.fa": [fasta_record(contig) for contig in contigs],
        "annotation.gff3": ["##gff-version 3\n", *regions, *(row for contig in contigs for row in gff3_rows(contig))],
        **{f"peaks_{name}.bed": [row for contig in contigs for row in bed_rows(contig, name)] for name in MOTIFS},
        "methylation.bedmethyl": methylation,
        _TRUTH: [json.dumps(_truth(config, contigs, summary), indent=1) + "\n"],
    }
    for name, lines in files.items():
        (folder / name).write_text("".join(lines), encoding="utf-8")
    return summary


def _summary(config: SimulateConfig, contigs: list[SimulatedContig], n_cpg_rows: int) -> SimulationSummary:
    genes = [gene for contig in contigs for gene in contig.genes]
    return SimulationSummary(
        out=config.out,
        n_contigs=len(contigs),
        n_bp=sum(len(contig.codes) for contig in contigs),
        n_genes=len(genes),
        n_transcripts=sum(len(gene.cds) for gene in genes),
        n_introns=sum(len(gene.cds[0]) - 1 for gene in genes),
        gene_bp=sum(gene.exons[0][-1][1] - gene.exons[0][0][0] for gene in genes),
        cds_bp=sum(end - start for gene in genes for start, end in gene.cds[0]),
        repeat_bp=sum(int(np.count_nonzero(alphabet.soft_masked(contig.codes))) for contig in contigs),
        n_islands=sum(len(contig.islands) for contig in contigs),
        n_peaks={name: sum(len(contig.peaks[name]) for contig in contigs) for name in MOTIFS},
        n_cpg_rows=n_cpg_rows,
    )


def _truth(config: SimulateConfig, contigs: list[SimulatedContig], summary: SimulationSummary) -> dict[str, Any]:
    """Parameters, counts, and what the other files do not say: CpG islands, motifs."""
    return {
        "parameters": config.model_dump(exclude={"out", "overwrite"}),
        "counts": summary.model_dump(exclude={"out"}),
        "islands": [[contig.name, start, end] for contig in contigs for start, end in contig.islands],
        "motifs": {name: matrix.round(4).tolist() for name, matrix in MOTIFS.items()},
    }
