"""Genes, repeats and planted peaks to contigs: sequence with its truth, 0-based half-open along the forward strand."""

from dataclasses import dataclass, field

import numpy as np

from dnaspt.genome import alphabet
from dnaspt.genome.intervals import StartEnds
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
class PlacedGene:
    """A gene on a contig: exons and coding parts of each isoform, ascending, the longest CDS first."""

    strand: str
    exons: tuple[StartEnds, ...]
    cds: tuple[StartEnds, ...]


@dataclass(slots=True)
class SimulatedContig:
    """A contig and what is true of it: codes (L,) uint8, repeats soft-masked; genes, peaks, CpG islands ascending."""

    name: str
    codes: np.ndarray
    genes: list[PlacedGene] = field(default_factory=list)
    islands: list[tuple[int, int]] = field(default_factory=list)
    peaks: dict[str, list[tuple[int, int]]] = field(default_factory=lambda: {name: [] for name in MOTIFS})
    n_repeats: int = 0


class ContigBuilder:
    """Lays out one contig from left to right: intergenic stretch, gene, intergenic stretch, ...

    Args:
        species: tables of composition.
        rng: source of randomness, this contig's own.
        genes: where its genes come from.
        intergenic_bp: mean length between a gene and the next promoter.
    """

    def __init__(self, species: Species, rng: np.random.Generator, genes: GeneSource, intergenic_bp: float) -> None:
        self._species, self._rng, self._genes = species, rng, genes
        self._spread = max(1.0, intergenic_bp - _MIN_INTERGENIC_BP)
        self._pool = Pool(rng, species.bases["intergenic"], 1 << 16)

    def build(self, name: str, length_bp: int) -> SimulatedContig:
        """A contig of exactly `length_bp`, with one short run of N."""
        contig = SimulatedContig(name, np.zeros(length_bp, dtype=np.uint8))
        at = 0
        while at < length_bp:
            gap = int(_MIN_INTERGENIC_BP + self._rng.exponential(self._spread))
            gene = self._genes.draw()
            gene = gene.on_minus() if self._rng.random() < 0.5 else gene
            if at + gap + len(gene.codes) + _MIN_INTERGENIC_BP > length_bp:
                self._fill(contig, at, length_bp)
                break
            self._fill(contig, at, at + gap)
            self._place(contig, at + gap, gene)
            at += gap + len(gene.codes)
        run = int(self._rng.integers(20, 40))
        contig.codes[run : run + _N_RUN_BP] = alphabet.N
        return contig

    def _place(self, contig: SimulatedContig, at: int, gene: Gene) -> None:
        contig.codes[at : at + len(gene.codes)] = gene.codes
        exons, cds = (
            tuple(tuple((start + at, end + at) for start, end in spans) for spans in isoforms)
            for isoforms in (gene.exons, gene.cds)
        )
        contig.genes.append(PlacedGene(gene.strand, exons, cds))
        if gene.island:
            contig.islands.append((gene.island[0] + at, gene.island[1] + at))

    def _fill(self, contig: SimulatedContig, start: int, end: int) -> None:
        """Intergenic sequence of either orientation, with repeats, peaks and chance motifs set apart by spacers."""
        codes = self._pool.take(end - start)
        contig.codes[start:end] = alphabet.reverse_complement(codes) if self._rng.random() < 0.5 else codes
        at = start + int(self._rng.integers(*_SPACER_BP))
        while at < end:
            kind = str(self._rng.choice(_KINDS, p=_KIND_FREQUENCY))
            length = self._repeat(contig, at, end) if kind == "repeat" else self._peak(contig, at, end, kind)
            at += length + int(self._rng.integers(*_SPACER_BP))

    def _repeat(self, contig: SimulatedContig, at: int, end: int) -> int:
        """Set a diverged, soft-masked copy of a repeat, either strand; return its length, 0 where it does not fit."""
        rng = self._rng
        ancestor = self._species.repeats[rng.integers(len(self._species.repeats))]
        if at + len(ancestor) > end:
            return 0
        changed = rng.random(len(ancestor)) < rng.uniform(*_DIVERGENCE)
        copy = np.where(changed, (ancestor + rng.integers(1, 4, len(ancestor))) & 3, ancestor).astype(np.uint8)
        copy = alphabet.reverse_complement(copy) if rng.random() < 0.5 else copy
        contig.codes[at : at + len(copy)] = copy | alphabet.SOFT_MASKED
        contig.n_repeats += 1
        return len(copy)

    def _peak(self, contig: SimulatedContig, at: int, end: int, kind: str) -> int:
        """Set motifs densely, and note the peak; "chance" is a single motif and no peak. Return the length."""
        rng = self._rng
        names = {"AB": list(MOTIFS), "chance": [str(rng.choice(list(MOTIFS)))]}.get(kind, [kind])
        length = _MOTIF_STEP_BP if kind == "chance" else int(rng.integers(*_PEAK_BP))
        if at + length > end:
            return 0
        for index, spot in enumerate(range(at, at + length - _MOTIF_STEP_BP + 1, _MOTIF_STEP_BP)):
            name = names[rng.integers(len(names))] if index >= len(names) else names[index]
            motif = sample_weights(rng, MOTIFS[name])
            motif = alphabet.reverse_complement(motif) if rng.random() < 0.5 else motif
            spot += int(rng.integers(0, _MOTIF_STEP_BP - len(motif)))
            contig.codes[spot : spot + len(motif)] = motif
        if kind != "chance":
            for name in names:
                contig.peaks[name].append((at, at + length))
        return length
