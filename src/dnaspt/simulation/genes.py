"""A species to genes: promoter, UTRs, coding exons, and introns with their splice signals.

A gene reads 5' to 3' on its own strand, with 0-based half-open coordinates, until it is written on a contig.
"""

from dataclasses import dataclass

import numpy as np

from dnaspt.genome import alphabet
from dnaspt.genome.genetic_code import GC_AG, GT_AG, STANDARD
from dnaspt.genome.intervals import StartEnd, StartEnds
from dnaspt.simulation.species import (
    ACCEPTOR_HEAD,
    BEFORE_START,
    BRANCH_POINT,
    CODON_CODES,
    DONOR_TAIL,
    EXON_END,
    EXON_START,
    POLYADENYLATION,
    POLYPYRIMIDINE,
    SENSE,
    STOP_USAGE,
    TATA_BOX,
    Pool,
    Species,
    sample_weights,
)

MIN_INTRON_BP, MAX_INTRON_BP = 60, 300
_MEDIAN_INTRON_BP, _INTRON_SPREAD = 110, 0.45
_MIN_EXON_BP, _MAX_EXON_BP = 60, 400
_MEDIAN_EXON_BP, _EXON_SPREAD = 140, 0.40
_SINGLE_EXON_FRACTION = 0.2
_MAX_EXONS = 9
_GC_AG_FRACTION = 0.01
_BOUNDARY_SHIFT = 15


@dataclass(frozen=True, slots=True)
class Gene:
    """Sequence and structure of one gene.

    Attributes:
        codes: letters of promoter and transcript (L,) uint8.
        exons: exons of each isoform, with UTRs, ascending. The isoform with the longest CDS comes first.
        cds: CDS intervals of each isoform, from start to stop codon, ascending.
        island: interval of its CpG island, if it has one.
        strand: strand of the gene in `codes`.
    """

    codes: np.ndarray
    exons: tuple[StartEnds, ...]
    cds: tuple[StartEnds, ...]
    island: StartEnd | None
    strand: str = "+"

    def on_minus(self) -> "Gene":
        """The same gene on the minus strand: reverse complement of the sequence, mirror image of the intervals."""
        length = len(self.codes)

        def mirror(intervals: StartEnds) -> StartEnds:
            return tuple((length - end, length - start) for start, end in reversed(intervals))

        return Gene(
            codes=alphabet.reverse_complement(self.codes),
            exons=tuple(mirror(intervals) for intervals in self.exons),
            cds=tuple(mirror(intervals) for intervals in self.cds),
            island=mirror((self.island,))[0] if self.island else None,
            strand="-",
        )


class GeneSource:
    """Draws genes of a species.

    Args:
        species: tables of composition and codon usage.
        rng: source of randomness.
        island_fraction: share of the genes whose promoter is a CpG island.
        isoform_fraction: share of the genes that get a second isoform, if one of their exons can be skipped in frame.
    """

    def __init__(
        self, species: Species, rng: np.random.Generator, *, island_fraction: float, isoform_fraction: float
    ) -> None:
        self._rng = rng
        self._island_fraction, self._isoform_fraction = island_fraction, isoform_fraction
        self._codons = Pool(rng, species.codons, 8_000)
        self._intron, self._utr, self._island, self._intergenic = (
            Pool(rng, species.bases[kind], 20_000) for kind in ("intron", "utr", "island", "intergenic")
        )

    def draw(self) -> Gene:
        """Draw one gene."""
        coding, exon_lengths = self._draw_coding()
        promoter, island = self._draw_promoter()
        utr5, utr3 = self._draw_utrs()
        sequences, position = [promoter, utr5], len(promoter) + len(utr5)
        cds, n_coding = [], 0
        for index, length in enumerate(exon_lengths):
            if index:
                intron = self._draw_intron()
                sequences.append(intron)
                position += len(intron)
            sequences.append(coding[n_coding : n_coding + length])
            cds.append((position, position + length))
            position, n_coding = position + length, n_coding + length
        codes = np.concatenate([*sequences, utr3])
        isoforms = [tuple(cds)]
        if shorter := self._skip_exon(codes, cds):
            isoforms.append(shorter)
        exons = tuple(_with_utrs(isoform, len(promoter), len(codes)) for isoform in isoforms)
        return Gene(codes, exons, tuple(isoforms), island)

    def _draw_coding(self) -> tuple[np.ndarray, list[int]]:
        """Draw a coding sequence from start to stop codon (L,), and the lengths of the exons to cut it into."""
        rng = self._rng
        n_exons = 1 if rng.random() < _SINGLE_EXON_FRACTION else int(min(_MAX_EXONS, 1 + rng.geometric(0.3)))
        if n_exons == 1:
            planned = np.array([rng.integers(_MAX_EXON_BP * 3 // 4, _MAX_EXON_BP * 5 // 2)])
        else:
            lengths = _MEDIAN_EXON_BP * np.exp(rng.normal(0, _EXON_SPREAD, n_exons))
            planned = np.clip(lengths.astype(int), _MIN_EXON_BP + _BOUNDARY_SHIFT, _MAX_EXON_BP - _BOUNDARY_SHIFT)
        n_codons = int(planned.sum()) // 3
        sense = CODON_CODES[SENSE[self._codons.take(n_codons - 2)]].ravel()
        stop = rng.choice(list(STOP_USAGE), p=list(STOP_USAGE.values()))
        coding = np.concatenate([alphabet.encode(STANDARD.starts[0]), sense, alphabet.encode(str(stop))])
        cuts = [self._draw_boundary(coding, int(cut)) for cut in np.cumsum(planned)[:-1]]
        return coding, np.diff([0, *cuts, len(coding)]).tolist()

    def _draw_boundary(self, coding: np.ndarray, planned: int) -> int:
        """Draw an exon boundary near a planned one, where the coding bases resemble the end and the start of an exon."""
        positions = np.arange(planned - _BOUNDARY_SHIFT // 2, planned + _BOUNDARY_SHIFT // 2 + 1)
        matrix = np.concatenate([EXON_END, EXON_START])
        context = coding[positions[:, None] + np.arange(-len(EXON_END), len(EXON_START))]
        fit = np.prod(matrix[np.arange(len(matrix)), context] * 4, axis=1) ** 1.5
        return int(self._rng.choice(positions, p=fit / fit.sum()))

    def _draw_intron(self) -> np.ndarray:
        """Draw an intron: donor, body, branch point, polypyrimidine tract, acceptor."""
        rng = self._rng
        length = _MEDIAN_INTRON_BP * np.exp(rng.normal(0, _INTRON_SPREAD))
        codes = self._intron.take(int(np.clip(length, MIN_INTRON_BP, MAX_INTRON_BP)))
        ends = GC_AG if rng.random() < _GC_AG_FRACTION else GT_AG
        _plant(codes, 0, np.concatenate([alphabet.encode(ends.donor), sample_weights(rng, DONOR_TAIL)]))
        tract, head = sample_weights(rng, POLYPYRIMIDINE), sample_weights(rng, ACCEPTOR_HEAD)
        tail = np.concatenate([tract, head, alphabet.encode(ends.acceptor)])
        _plant(codes, len(codes) - len(tail), tail)
        gap = int(rng.integers(0, 14))
        _plant(codes, len(codes) - len(tail) - gap - len(BRANCH_POINT), sample_weights(rng, BRANCH_POINT))
        return codes

    def _draw_promoter(self) -> tuple[np.ndarray, StartEnd | None]:
        """Draw a promoter and the interval of its CpG island: either an island, or plain sequence with a TATA box."""
        rng = self._rng
        if rng.random() < self._island_fraction:
            length = int(rng.integers(300, 600))
            return self._island.take(length), (0, length)
        codes = self._intergenic.take(80)
        _plant(codes, len(codes) - 30, sample_weights(rng, TATA_BOX))
        return codes, None

    def _draw_utrs(self) -> tuple[np.ndarray, np.ndarray]:
        """Draw a 5' UTR, and a 3' UTR with a polyadenylation signal."""
        rng = self._rng
        utr5 = self._utr.take(int(rng.integers(25, 90)))
        _plant(utr5, len(utr5) - len(BEFORE_START), sample_weights(rng, BEFORE_START))
        utr3 = self._utr.take(int(rng.integers(60, 180)))
        _plant(utr3, len(utr3) - int(rng.integers(16, 26)), POLYADENYLATION)
        return utr5, utr3

    def _skip_exon(self, codes: np.ndarray, cds: list[StartEnd]) -> StartEnds | None:
        """Draw an isoform without one inner exon; None if the gene gets none, or if its frame would not stay open."""
        if self._rng.random() >= self._isoform_fraction:
            return None
        for index in self._rng.permutation(np.arange(1, max(1, len(cds) - 1))):
            start, end = cds[index]
            kept = (*cds[:index], *cds[index + 1 :])
            if (end - start) % 3 == 0 and _reads_through(np.concatenate([codes[a:b] for a, b in kept])):
                return kept
        return None


def _plant(codes: np.ndarray, start: int, signal: np.ndarray) -> None:
    """Write a signal over codes (L,), in place."""
    codes[start : start + len(signal)] = signal


def _with_utrs(cds: StartEnds, start: int, end: int) -> StartEnds:
    """Exons of a transcript from start to end: its CDS intervals, of which the first and the last get the UTRs."""
    starts = (start, *(left for left, _ in cds[1:]))
    ends = (*(right for _, right in cds[:-1]), end)
    return tuple(zip(starts, ends, strict=True))


def _reads_through(coding: np.ndarray) -> bool:
    """Whether the only stop codon is the last."""
    codons = coding.reshape(-1, 3) @ np.array([16, 4, 1])
    return bool(np.isin(codons[:-1], SENSE).all())
