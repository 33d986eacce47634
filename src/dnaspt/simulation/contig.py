"""Genes, repeats and peaks to contigs: sequence and its truth, 0-based half-open along the forward strand."""

from dataclasses import dataclass, field
from functools import partial

import numpy as np

from dnaspt.genome import alphabet
from dnaspt.genome.intervals import Interval, StartEnd, StartEnds
from dnaspt.simulation.genes import Gene, GeneSource
from dnaspt.simulation.species import MOTIFS, Pool, Species, sample_weights

_MIN_INTERGENIC_BP = 250
_N_RUN_BP = 60
_SPACER_BP = (100, 400)
_PEAK_BP = (220, 500)
_MOTIF_STEP_BP = 45
_DIVERGENCE = (0.04, 0.18)
_KINDS = ("repeat", "A", "B", "AB", "chance")
_KIND_FREQUENCY = (0.34, 0.20, 0.20, 0.08, 0.18)


@dataclass(frozen=True, slots=True)
class GeneOnContig:
    """Structure of a gene, in coordinates of its contig.

    Attributes:
        strand: "+" or "-".
        exons: exons of each isoform, with UTRs, ascending. The isoform with the longest CDS comes first.
        cds: CDS intervals of each isoform, ascending.
    """

    strand: str
    exons: tuple[StartEnds, ...]
    cds: tuple[StartEnds, ...]


@dataclass(frozen=True, slots=True)
class PlantedMotif:
    """A motif that was written into a contig.

    Attributes:
        kind: "A" or "B".
        place: its bases; on strand "-" they are the reverse complement of the motif.
    """

    kind: str
    place: Interval


@dataclass(slots=True)
class SimulatedContig:
    """A contig and its truth.

    Attributes:
        name: name of the contig.
        codes: its letters (L,) uint8; repeats are soft-masked.
        genes: its genes, ascending.
        islands: its CpG islands, ascending.
        peaks: its peaks of each kind, ascending.
        motifs: the motifs of its peaks, and single ones, ascending.
        n_repeats: copies of repeats in it.
    """

    name: str
    codes: np.ndarray
    genes: list[GeneOnContig] = field(default_factory=list)
    islands: list[StartEnd] = field(default_factory=list)
    peaks: dict[str, list[StartEnd]] = field(default_factory=lambda: {name: [] for name in MOTIFS})
    motifs: list[PlantedMotif] = field(default_factory=list)
    n_repeats: int = 0


class ContigBuilder:
    """Builds one contig from left to right: intergenic sequence, gene, intergenic sequence, and so on.

    Args:
        species: tables of composition, and repeats.
        rng: source of randomness for this contig.
        genes: source of its genes.
        intergenic_bp: mean distance between a gene and the next promoter.
    """

    def __init__(self, species: Species, rng: np.random.Generator, genes: GeneSource, intergenic_bp: float) -> None:
        self._species, self._rng, self._genes = species, rng, genes
        self._spread = max(1.0, intergenic_bp - _MIN_INTERGENIC_BP)
        self._pool = Pool(rng, species.bases["intergenic"], 1 << 16)

    def build(self, name: str, length_bp: int) -> SimulatedContig:
        """Build a contig of exactly `length_bp` bases, with one short run of N near its start."""
        contig = SimulatedContig(name, np.zeros(length_bp, dtype=np.uint8))
        position = 0
        while position < length_bp:
            gap = int(_MIN_INTERGENIC_BP + self._rng.exponential(self._spread))
            gene = self._genes.draw()
            gene = gene.on_minus() if self._rng.random() < 0.5 else gene
            if position + gap + len(gene.codes) + _MIN_INTERGENIC_BP > length_bp:
                self._add_intergenic(contig, position, length_bp)
                break
            self._add_intergenic(contig, position, position + gap)
            self._add_gene(contig, position + gap, gene)
            position += gap + len(gene.codes)
        run = int(self._rng.integers(20, 40))
        contig.codes[run : run + _N_RUN_BP] = alphabet.N
        return contig

    def _add_gene(self, contig: SimulatedContig, start: int, gene: Gene) -> None:
        """Write a gene, promoter first, from a position on."""
        contig.codes[start : start + len(gene.codes)] = gene.codes
        exons, cds = (
            tuple(tuple((left + start, right + start) for left, right in intervals) for intervals in isoforms)
            for isoforms in (gene.exons, gene.cds)
        )
        contig.genes.append(GeneOnContig(gene.strand, exons, cds))
        if gene.island:
            contig.islands.append((gene.island[0] + start, gene.island[1] + start))

    def _add_intergenic(self, contig: SimulatedContig, start: int, end: int) -> None:
        """Write intergenic sequence of either strand, with repeats, peaks and single motifs, and spacers between these."""
        codes = self._pool.take(end - start)
        contig.codes[start:end] = alphabet.reverse_complement(codes) if self._rng.random() < 0.5 else codes
        position = start + int(self._rng.integers(*_SPACER_BP))
        while position < end:
            kind = str(self._rng.choice(_KINDS, p=_KIND_FREQUENCY))
            add = self._add_repeat if kind == "repeat" else partial(self._add_peak, kind=kind)
            position += add(contig, position, end) + int(self._rng.integers(*_SPACER_BP))

    def _add_repeat(self, contig: SimulatedContig, start: int, end: int) -> int:
        """Write a diverged, soft-masked copy of a repeat of either strand. Returns its length, 0 if it does not fit."""
        rng = self._rng
        ancestor = self._species.repeats[rng.integers(len(self._species.repeats))]
        if start + len(ancestor) > end:
            return 0
        changed = rng.random(len(ancestor)) < rng.uniform(*_DIVERGENCE)
        copy = np.where(changed, (ancestor + rng.integers(1, 4, len(ancestor))) & 3, ancestor).astype(np.uint8)
        copy = alphabet.reverse_complement(copy) if rng.random() < 0.5 else copy
        contig.codes[start : start + len(copy)] = copy | alphabet.SOFT_MASKED
        contig.n_repeats += 1
        return len(copy)

    def _add_peak(self, contig: SimulatedContig, start: int, end: int, kind: str) -> int:
        """Write a peak: motifs close together. Returns its length, 0 if it does not fit.

        kind: "A", "B" or "AB", or "chance": a single motif, which is no peak.
        """
        rng = self._rng
        names = {"AB": list(MOTIFS), "chance": [str(rng.choice(list(MOTIFS)))]}.get(kind, [kind])
        length = _MOTIF_STEP_BP if kind == "chance" else int(rng.integers(*_PEAK_BP))
        if start + length > end:
            return 0
        for index, position in enumerate(range(start, start + length - _MOTIF_STEP_BP + 1, _MOTIF_STEP_BP)):
            name = names[rng.integers(len(names))] if index >= len(names) else names[index]
            motif = sample_weights(rng, MOTIFS[name])
            strand = "-" if rng.random() < 0.5 else "+"
            motif = alphabet.reverse_complement(motif) if strand == "-" else motif
            position += int(rng.integers(0, _MOTIF_STEP_BP - len(motif)))
            contig.codes[position : position + len(motif)] = motif
            contig.motifs.append(PlantedMotif(name, Interval(contig.name, position, position + len(motif), strand)))
        if kind != "chance":
            for name in names:
                contig.peaks[name].append((start, start + length))
        return length
