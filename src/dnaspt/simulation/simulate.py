"""A seed to a folder with a small genome whose truth is known: FASTA, GFF3, BED, bedMethyl and truth.json.

The folder appears whole or not at all. The same settings give the same bytes.
"""

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from dnaspt.atomic import atomic_folder
from dnaspt.config import MOST_SEED, Settings
from dnaspt.errors import DatasetError
from dnaspt.genome import alphabet
from dnaspt.output import locked_output, refuse_existing
from dnaspt.simulation.contig import ContigBuilder, SimulatedContig
from dnaspt.simulation.genes import GeneSource
from dnaspt.simulation.species import MOTIFS, Species, make_species
from dnaspt.simulation.tracks import bed_rows, bedmethyl_rows, fasta_record, gff3_rows, motif_rows

log = logging.getLogger(__name__)

_TRUTH = "truth.json"


class SimulateConfig(Settings):
    """The genome to simulate."""

    out: Path
    """Folder to write."""
    n_contigs: int = Field(default=4, ge=1, le=1000)
    """Number of contigs, named chr1, chr2, and so on. Raise it for a larger genome."""
    contig_bp: int = Field(default=150_000, ge=10_000, le=100_000_000)
    """Length of each contig. Raise it for a larger genome."""
    intergenic_bp: float = Field(default=1_100, ge=300, le=1_000_000)
    """Mean distance between a gene and the next promoter. Raise it for fewer genes, which are harder to find."""
    island_fraction: float = Field(default=0.4, ge=0, le=1)
    """Share of the genes whose promoter is an unmethylated CpG island. Raise it for more unmethylated sites."""
    isoform_fraction: float = Field(default=0.3, ge=0, le=1)
    """Share of the genes that get a second isoform, if one of their exons can be skipped in frame. Set it to 0 for one
    isoform a gene."""
    seed: int = Field(default=0, ge=0, le=MOST_SEED)
    """Seed of the genome. Change it for another genome of the same species."""
    species: int = Field(default=0, ge=0, le=MOST_SEED)
    """Seed of the species: its codon usage, base composition and repeat families. Change it to train on one species and
    predict on another."""
    overwrite: bool = False
    """Whether to replace a folder that an earlier simulation wrote."""


class SimulationSummary(Settings):
    """What a simulation wrote, with counts over all contigs.

    Attributes:
        out: the folder.
        n_contigs: contigs.
        n_bp: their bases.
        n_genes: genes.
        n_transcripts: their isoforms.
        n_introns: introns of the isoforms with the longest CDS.
        gene_bp: bases from the first to the last exon base of each gene.
        cds_bp: coding bases of the isoforms with the longest CDS.
        repeat_bp: soft-masked bases.
        n_islands: CpG islands.
        n_peaks: peaks of each kind.
        n_cpg_rows: rows of the methylation file, one for each covered cytosine of a CpG.

    Example:
        >>> genome = dnaspt.simulate("small_genome", n_contigs=1, contig_bp=20_000)
        >>> genome.n_bp, sorted(genome.n_peaks)
        (20000, ['A', 'B'])
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
    """Write genome.fa, annotation.gff3, peaks_A.bed, peaks_B.bed, motifs.bed, methylation.bedmethyl and truth.json.

    Raises:
        DatasetError: the folder is there and may not be replaced. BusyError: another process writes it.
    """
    with locked_output(config.out):
        _check_out(config)
        species = make_species(config.species)
        contigs = [_simulate_contig(config, species, index) for index in range(config.n_contigs)]
        with atomic_folder(config.out) as unfinished:
            summary = _write(config, contigs, unfinished)
    log.info("simulated %d genes on %d bp in %s", summary.n_genes, summary.n_bp, config.out)
    return summary


def _check_out(config: SimulateConfig) -> None:
    """Refuse to replace anything but an empty folder or, with `overwrite`, an earlier simulation."""
    out = config.out
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if not (out / _TRUTH).is_file():
        raise DatasetError(f"{out}: is there and is not a simulated genome (no {_TRUTH} in it); choose another --out")
    refuse_existing(out, overwrite=config.overwrite, error=DatasetError)


def _simulate_contig(config: SimulateConfig, species: Species, index: int) -> SimulatedContig:
    rng = np.random.default_rng(np.random.SeedSequence((config.seed, 1, index)))
    genes = GeneSource(species, rng, island_fraction=config.island_fraction, isoform_fraction=config.isoform_fraction)
    return ContigBuilder(species, rng, genes, config.intergenic_bp).build(f"chr{index + 1}", config.contig_bp)


def _write(config: SimulateConfig, contigs: list[SimulatedContig], folder: Path) -> SimulationSummary:
    rngs = (np.random.default_rng(np.random.SeedSequence((config.seed, 2, i))) for i in range(len(contigs)))
    methylation = [row for contig, rng in zip(contigs, rngs) for row in bedmethyl_rows(contig, rng)]
    summary = _summarize(config, contigs, len(methylation))
    sequence_regions = [f"##sequence-region {contig.name} 1 {len(contig.codes)}\n" for contig in contigs]
    genes = [row for contig in contigs for row in gff3_rows(contig)]
    lines_by_file = {
        "genome.fa": [fasta_record(contig) for contig in contigs],
        "annotation.gff3": ["##gff-version 3\n", *sequence_regions, *genes],
        **{f"peaks_{name}.bed": [row for contig in contigs for row in bed_rows(contig, name)] for name in MOTIFS},
        "motifs.bed": [row for contig in contigs for row in motif_rows(contig)],
        "methylation.bedmethyl": methylation,
        _TRUTH: [json.dumps(_truth(config, contigs, summary), indent=1) + "\n"],
    }
    for name, lines in lines_by_file.items():
        (folder / name).write_text("".join(lines), encoding="utf-8", newline="\n")
    return summary


def _summarize(config: SimulateConfig, contigs: list[SimulatedContig], n_cpg_rows: int) -> SimulationSummary:
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
    """Settings and counts, and what the other files do not say: CpG islands and motifs."""
    return {
        "parameters": config.model_dump(exclude={"out", "overwrite"}),
        "counts": summary.model_dump(exclude={"out"}),
        "islands": [[contig.name, start, end] for contig in contigs for start, end in contig.islands],
        "motifs": {name: matrix.round(4).tolist() for name, matrix in MOTIFS.items()},
    }
