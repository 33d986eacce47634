"""A gene model: sensors, site scores and lengths, weighted and summed, as the potentials of segments.

What is estimated is `GeneModel`; how it scores a sequence is here, for training and for prediction alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from dnaspt.genome import alphabet
from dnaspt.genome.coding_sequence import without_last_coding_bases
from dnaspt.genome.gene_states import ACCEPTOR as ACCEPTOR_CLASS
from dnaspt.genome.gene_states import CDS, MINUS, MISSING, NONCODING
from dnaspt.genome.gene_states import DONOR as DONOR_CLASS
from dnaspt.genome.gene_states import INTRON as INTRON_CLASS
from dnaspt.genome.genetic_code import STANDARD, GeneticCode
from dnaspt.models import sensors
from dnaspt.models.emission_potentials import column_potentials, limited_scores
from dnaspt.models.gene_structure import (
    ACCEPTOR,
    CODING,
    DONOR,
    FORBIDDEN,
    INTERGENIC,
    INTRON,
    N_COLUMNS,
    START,
    STOP,
    STRAND_COLUMNS,
    gene_structure,
)
from dnaspt.models.kernels.crf_viterbi import Emissions
from dnaspt.models.kernels.semi_markov import (
    AFTER_INTRON,
    BEFORE_INTRON,
    CLOSE_EDGE,
    EXON_OPENS,
    GENE_CLOSES,
    GENE_OPENS,
    GENE_START,
    GENE_STOP,
    INTRON_OPENS,
    LAST_EXON,
    LAST_INTRON,
    OPEN_EDGE,
    SHORT_CLOSES,
    SHORT_OPENS,
    SPLIT_OPENS,
    Expected,
    Lengths,
    Moves,
    Potentials,
    SegmentModel,
    Site,
    SiteProbabilities,
)
from dnaspt.models.length_densities import GeneLengths, LengthDensity
from dnaspt.models.sensors import Sensors
from dnaspt.models.site_scores import N_SITES, add_site_scores

SITE_WEIGHTS = ("donor sites", "acceptor sites", "start sites", "stop sites")
LENGTH_WEIGHTS = ("exon lengths", "intron lengths", "gene")
WEIGHT_NAMES = (*sensors.WEIGHTS, *SITE_WEIGHTS, *LENGTH_WEIGHTS)
"""What each of the 13 weights scales; the last one is added to the log-odds of a gene's beginning."""
N_SENSORS = len(sensors.WEIGHTS)
SITES = slice(N_SENSORS, N_SENSORS + len(SITE_WEIGHTS))
EXON_LENGTHS, INTRON_LENGTHS, GENE = range(SITES.stop, len(WEIGHT_NAMES))
PRIOR_WEIGHTS = np.array([1.0, 0.5, 0.9, 0.7, 0.5, 0.6, 0.7, 0.7, 0.5, 0.5, 1.0, 1.0, 2.0])
"""Where the search begins: rounded from searches on the train part of athaliana."""
_CODING_COLUMNS = [first + CODING + base for first in STRAND_COLUMNS for base in range(3)]
LEAST_EXON_BP = 3
"""Exons beside an intron are no shorter, unless the intron splits the start or stop codon."""


class Shares(NamedTuple):
    """How often a base of the training sequence is intergenic, in an exon, or in an intron."""

    between: float
    exon: float
    intron: float


@dataclass(frozen=True)
class GeneModel:
    """What is estimated.

    Attributes:
        sensors: log-odds of content and signals.
        lengths: densities of lengths.
        weights: (13,), see `WEIGHT_NAMES`.
        shares: of intergenic bases, exons and introns.
        genetic_code: which codons start and stop a gene.
        network_weight: what the class scores of a network are multiplied by, where a sequence has them.
        network_gene: what the network adds for a gene, before it is multiplied so.
    """

    sensors: Sensors
    lengths: GeneLengths
    weights: np.ndarray
    shares: Shares
    genetic_code: GeneticCode = STANDARD
    network_weight: float = 0.0
    network_gene: float = 0.0

    @cached_property
    def tables(self) -> "LengthTables":
        """Log densities of the lengths, in the layout of the kernels."""
        return LengthTables.of(self.lengths)

    def segments(
        self, *, may_begin: bool = True, may_end: bool = True, min_intron_bp: int = 0, gene_offset: float = 0.0
    ) -> SegmentModel:
        """Lengths and moves.

        Args:
            may_begin: whether a sequence may begin within a gene.
            may_end: whether it may end within one.
            min_intron_bp: shortest intron; 0 leaves it to the densities. Beyond their explicit lengths, these go on as far.
            gene_offset: nats added to the log-odds of a gene's beginning: more genes above 0, fewer below.
        """
        segments = segment_model(self.tables, self.lengths, self.shares, self.weights, self.genetic_code)
        lengths, moves = reaching(segments.lengths, min_intron_bp), segments.moves
        lengths.introns[0, :min_intron_bp] = -np.inf
        moves.gene[:] += gene_offset + self.network_weight * self.network_gene
        moves.first[1:] = moves.first[1:] if may_begin else -np.inf
        moves.last[1:] = moves.last[1:] if may_end else -np.inf
        return segments._replace(lengths=lengths)

    def potentials(self, codes: np.ndarray, emissions: Emissions, offset: int = 0, softmask: float = 0.0) -> Potentials:
        """Potentials of a sequence, as its tiles ask for them.

        Args:
            codes: letters of the whole contig (C,).
            emissions: site scores (L, 8) of the sequence, or (L, 17) with the class scores of a network behind them; in memory
                or in a file.
            offset: where the sequence begins on the contig.
            softmask: nats that a soft-masked base costs as a coding one.
        """

        def between(start: int, stop: int) -> np.ndarray:
            first, last = start + offset, stop + offset
            rows = self.sensors.potentials(codes, self.weights[:N_SENSORS], first, last)
            scores = np.asarray(emissions[start:stop])
            sites, of_network = scores[:, :N_SITES], scores[:, N_SITES:]
            add_site_scores(rows, candidate_scores(codes, sites, first, last, self.genetic_code), self.weights[SITES])
            if self.network_weight and of_network.size:
                rows += np.float32(self.network_weight) * column_potentials(limited_scores(of_network))
            penalize_soft_masked(rows, codes[first:last], softmask)
            return rows

        return between


def penalize_soft_masked(potentials: np.ndarray, codes: np.ndarray, nats: float) -> None:
    """Lower the coding columns of potentials (L, 29) at soft-masked letters (L,), in place.

    Args:
        potentials: (L, 29) float32.
        codes: letters (L,).
        nats: what each soft-masked base costs as a coding one.
    """
    if nats:
        masked = np.flatnonzero(alphabet.soft_masked(codes))
        potentials[masked[:, None], _CODING_COLUMNS] -= np.float32(nats)


def candidate_scores(
    codes: np.ndarray, sites: np.ndarray, start: int, stop: int, genetic_code: GeneticCode = STANDARD
) -> np.ndarray:
    """Site scores (stop - start, 8) of an interval, 0 where there is no candidate.

    Args:
        codes: letters of the whole contig (C,).
        sites: site scores of the interval (stop - start, 8), nats.
        start: its first position on the contig.
        stop: position behind its last one.
        genetic_code: which codons start and stop a gene.
    """
    left, right = max(0, start - 3), min(len(codes), stop + 3)
    is_site = sensors.candidate_sites(codes[left:right], genetic_code)[start - left : stop - left]
    return np.where(is_site, sites, np.float32(0))


class LengthTables(NamedTuple):
    """Log densities in the layout of `Lengths`, without weights, and what each row adds whatever its weight.

    Attributes:
        exons: (2, 9, M + 1) nats, as `Lengths.exons`.
        exon_shares: (2, 9) nats, log-probabilities of exons with these ends.
        exon_slope: what each base beyond M adds.
        short: (2, 2, 3) nats, as `Lengths.short`.
        short_shares: (2, 2) nats, log-probabilities of such exons.
        introns: (4, D + 1) nats, as `Lengths.introns`.
        intron_slope: what each base beyond D adds.
    """

    exons: np.ndarray
    exon_shares: np.ndarray
    exon_slope: float
    short: np.ndarray
    short_shares: np.ndarray
    introns: np.ndarray
    intron_slope: float

    @classmethod
    def of(cls, lengths: GeneLengths) -> "LengthTables":
        """Tables of densities; the tails of all exons take the slope of single ones, since the kernel has one slope."""
        slope = lengths.exons[0].tail_slope
        single, initial, internal, terminal = (density.with_tail_slope(slope) for density in lengths.exons)
        n = single.n_explicit + 1
        exons, shares = np.full((2, 9, n), -np.inf), np.zeros((2, 9))
        short, short_shares = np.full((2, 2, 3), -np.inf), np.zeros((2, 2))
        for strand in range(2):
            left, right = (initial, terminal) if strand == 0 else (terminal, initial)
            left_share = lengths.log_multi if strand == 0 else lengths.log_terminal
            right_share = lengths.log_terminal if strand == 0 else lengths.log_multi
            rows = (
                (GENE_START, GENE_STOP, single.log_explicit, lengths.log_single),
                (GENE_START, BEFORE_INTRON, left.log_explicit, left_share),
                (AFTER_INTRON, BEFORE_INTRON, internal.log_explicit, lengths.log_internal),
                (AFTER_INTRON, GENE_STOP, right.log_explicit, right_share),
                (OPEN_EDGE, BEFORE_INTRON, residual(internal), 0.0),
                (OPEN_EDGE, GENE_STOP, residual(right), 0.0),
                (OPEN_EDGE, CLOSE_EDGE, residual(internal), 0.0),
                (GENE_START, CLOSE_EDGE, left.log_survival(), 0.0),
                (AFTER_INTRON, CLOSE_EDGE, internal.log_survival(), 0.0),
            )
            for begin, end, values, share in rows:
                row = 3 * begin + end
                exons[strand, row], shares[strand, row] = values, share
                is_open = end == CLOSE_EDGE and begin != GENE_START
                exons[strand, row, : 1 if is_open else LEAST_EXON_BP] = -np.inf
            short[strand, 0, 1:], short_shares[strand, 0] = left.log_explicit[1:3], left_share
            short[strand, 1, 1:], short_shares[strand, 1] = right.log_explicit[1:3], right_share
        intron = lengths.intron
        introns = np.stack([intron.log_explicit, residual(intron), intron.log_survival(), residual(intron)])
        introns[1:, 0] = -np.inf
        return cls(exons, shares, single.tail_slope, short, short_shares, introns, intron.tail_slope)


def reaching(lengths: Lengths, intron_bp: int) -> Lengths:
    """The same lengths with introns explicit up to `intron_bp` at least: what lies beyond a table goes on from its last entry."""
    n_more = intron_bp - (lengths.introns.shape[1] - 1)
    if n_more <= 0:
        return lengths
    tail = lengths.introns[:, -1:] + lengths.intron_slope * np.arange(1, n_more + 1)
    return lengths._replace(introns=np.concatenate([lengths.introns, tail], axis=1))


def residual(density: LengthDensity) -> np.ndarray:
    """Log-probability that so many bases of a part are left where a sequence begins in it: survival over the mean length.

    Returns:
        Nats (n_explicit + 1,), for 0 .. n_explicit bases.
    """
    survival = density.log_survival()
    beyond = np.exp(density.log_tail) / -np.expm1(density.tail_slope)
    return np.asarray(survival - np.log(np.exp(survival[1:]).sum() + beyond))


def segment_model(
    tables: LengthTables,
    lengths: GeneLengths,
    shares: Shares,
    weights: np.ndarray,
    genetic_code: GeneticCode = STANDARD,
) -> SegmentModel:
    """Lengths and moves with weights (13,).

    Args:
        tables: log densities of the lengths.
        lengths: how often genes have which parts.
        shares: of intergenic bases, exons and introns.
        weights: (13,), see `WEIGHT_NAMES`.
        genetic_code: which codons start and stop a gene.
    """
    exon, intron = float(weights[EXON_LENGTHS]), float(weights[INTRON_LENGTHS])
    scaled = Lengths(
        exon * tables.exons + tables.exon_shares[:, :, None],
        exon * tables.exon_slope,
        exon * tables.short + tables.short_shares[:, :, None],
        intron * tables.introns,
        intron * tables.intron_slope,
    )
    first = np.log(np.array([shares.between, shares.exon / 6, shares.intron / 6]))
    gene = np.full(2, lengths.log_gene + float(weights[GENE]))
    return SegmentModel(gene_structure(genetic_code), scaled, Moves(lengths.log_stay, gene, first, np.zeros(3)))


def length_weight_gradient(tables: LengthTables, expected: Expected) -> np.ndarray:
    """Expected values of what the weights of exon lengths, intron lengths and the gene scale: (3,)."""

    def total(counts: np.ndarray, values: np.ndarray) -> float:
        return float((counts * np.where(np.isfinite(values), values, 0)).sum())

    exon = total(expected.exons, tables.exons) + total(expected.short, tables.short)
    exon += float(expected.excess[0]) * tables.exon_slope
    intron = total(expected.introns, tables.introns) + float(expected.excess[1]) * tables.intron_slope
    return np.array([exon, intron, float(expected.gene.sum())])


def allowed_columns() -> np.ndarray:
    """Whether a column may stand at a base of each of the nine classes: (9, 29) bool."""
    allowed = np.zeros((9, N_COLUMNS), bool)
    allowed[NONCODING, INTERGENIC] = True
    for strand, first in enumerate(STRAND_COLUMNS):
        shift = MINUS * strand
        for class_, columns in (
            (CDS, (*range(CODING, CODING + 3), START, STOP)),
            (INTRON_CLASS, range(INTRON, INTRON + 3)),
            (DONOR_CLASS, (*range(INTRON, INTRON + 3), *range(DONOR, DONOR + 3))),
            (ACCEPTOR_CLASS, (*range(INTRON, INTRON + 3), *range(ACCEPTOR, ACCEPTOR + 3))),
        ):
            allowed[class_ + shift, [first + column for column in columns]] = True
    return allowed


def clamp(labels: np.ndarray, nats: float = FORBIDDEN) -> np.ndarray:
    """What to add to potentials so that only paths that agree with nine-class labels (L,) remain: (L, 29) float32."""
    table = np.zeros((10, N_COLUMNS), np.float32)
    table[:9][~allowed_columns()] = nats
    return np.asarray(table[np.where(labels == MISSING, 9, labels)])


class GeneCall(NamedTuple):
    """A gene of a path, from left to right.

    Attributes:
        strand: 0 plus, 1 minus.
        start, end: its bases in the sequence, introns at its ends included.
        exons: (start, end) of each coding interval; may be empty where the sequence shows an intron alone.
        phase: bases of the first codon that lie before the first exon.
        has_left, has_right: whether its own left and right ends are there, and not the sequence's.
        exon_sites: for each exon the number of the path's site that closes it.
        last_site: number of the site that ends the gene.
        first_site: number of the site that begins it.
    """

    strand: int
    start: int
    end: int
    exons: tuple[tuple[int, int], ...]
    phase: int
    has_left: bool
    has_right: bool
    exon_sites: tuple[int, ...]
    last_site: int
    first_site: int


def genes_of(sites: Sequence[Site]) -> list[GeneCall]:
    """The genes of a path's sites."""
    genes: list[GeneCall] = []
    exons: list[tuple[int, int]] = []
    closed: list[int] = []
    strand = phase = start = first = begins = 0
    has_left = True
    for number, site in enumerate(sites):
        position = site.position
        if site.is_edge or site.kind in (GENE_OPENS, SPLIT_OPENS):
            strand, exons, closed = site.strand, [], []
            has_left, phase, start = not site.is_edge, site.phase if site.is_edge else 0, position
            if site.kind == SPLIT_OPENS:
                start = position - site.phase
                exons, closed = [(start, position)], [number]
            first, begins = start, number
        elif site.kind in (EXON_OPENS, SHORT_OPENS):
            first = position
        elif site.kind in (INTRON_OPENS, GENE_CLOSES, SHORT_CLOSES, LAST_EXON):
            exons.append((first, position))
            closed.append(number)
        if site.kind in (GENE_CLOSES, SHORT_CLOSES, LAST_EXON, LAST_INTRON):
            has_right = site.kind in (GENE_CLOSES, SHORT_CLOSES)
            genes.append(
                GeneCall(
                    strand, start, position, tuple(exons), phase, has_left, has_right, tuple(closed), number, begins
                )
            )
    return genes


def posteriors_of(genes: Sequence[GeneCall], probabilities: SiteProbabilities) -> list[tuple[float, list[float]]]:
    """For each gene its probability, and that of each of its exons, both ends and frame exact, from left to right.

    The probability of a gene is that of all its exons and introns together.
    """
    posteriors = []
    for gene in genes:
        exons = [
            # An exon of 1 or 2 bases before a split codon is part of the site that begins the gene.
            float(probabilities.site[site] * (1 if site == gene.first_site else probabilities.before[site]))
            for site in gene.exon_sites
        ]
        inner = probabilities.before[gene.first_site + 1 : gene.last_site + 1]
        posteriors.append((float(probabilities.site[gene.last_site] * inner.prod()), exons))
    return posteriors


def without_stop_codon(gene: GeneCall) -> GeneCall | None:
    """The gene without its stop codon, and without an intron that splits the stop codon or stands before it.

    None where no coding base is left.
    """
    if not (gene.has_right if gene.strand == 0 else gene.has_left):
        return gene
    exons = without_last_coding_bases(gene.exons, "+-"[gene.strand], 3)
    if not exons:
        return None
    return (
        gene._replace(end=exons[-1][1], exons=exons)
        if gene.strand == 0
        else gene._replace(start=exons[0][0], exons=exons)
    )


def classes_of(genes: Sequence[GeneCall], n: int, *, stop_in_cds: bool = True) -> np.ndarray:
    """Nine classes (n,) int8 of a sequence with these genes.

    Args:
        genes: the genes, with their stop codons.
        n: bases of the sequence.
        stop_in_cds: whether the stop codon has class CDS; if not, a gene ends before it, and what lies behind is non-coding.
    """
    path = np.full(n, NONCODING, np.int8)
    for gene in genes if stop_in_cds else filter(None, map(without_stop_codon, genes)):
        shift = MINUS * gene.strand
        left, right = (DONOR_CLASS, ACCEPTOR_CLASS) if gene.strand == 0 else (ACCEPTOR_CLASS, DONOR_CLASS)
        path[gene.start : gene.end] = INTRON_CLASS + shift
        for start, end in gene.exons:
            path[start:end] = CDS + shift
            if end < gene.end:
                path[end] = left + shift
            if start > gene.start:
                path[start - 1] = right + shift
    return path


def class_columns() -> np.ndarray:
    """How the probabilities of columns make that of each of the nine classes: (9, 29) float64."""
    sums = np.zeros((9, N_COLUMNS))
    sums[NONCODING, INTERGENIC] = 1
    for strand, first in enumerate(STRAND_COLUMNS):
        shift = MINUS * strand
        donors, acceptors = slice(first + DONOR, first + DONOR + 3), slice(first + ACCEPTOR, first + ACCEPTOR + 3)
        sums[CDS + shift, first + CODING : first + CODING + 3] = 1
        sums[DONOR_CLASS + shift, donors] = 1
        sums[ACCEPTOR_CLASS + shift, acceptors] = 1
        sums[INTRON_CLASS + shift, first + INTRON : first + INTRON + 3] = 1
        sums[INTRON_CLASS + shift, donors] = sums[INTRON_CLASS + shift, acceptors] = -1
    return sums
