"""A species to genes: promoter, UTRs, coding exons and introns with their splice signals, 5' to 3'.

Coordinates are 0-based half-open along the transcript's own strand until the gene is placed on a contig.
"""

from dataclasses import dataclass

import numpy as np

from dnaspt.genome import alphabet
from dnaspt.genome.genetic_code import GC_AG, GT_AG, STANDARD
from dnaspt.genome.intervals import StartEnds
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
    """One gene as sequence and structure.

    Attributes:
        codes: promoter and transcript, codes (L,) uint8.
        exons: exons of each isoform, UTRs included, ascending; the isoform with the longest CDS is the first.
        cds: coding parts of each isoform, from start to stop codon, ascending.
        island: span of the CpG island, if any.
        strand: + or -, of `codes` as they stand.
    """

    codes: np.ndarray
    exons: tuple[StartEnds, ...]
    cds: tuple[StartEnds, ...]
    island: tuple[int, int] | None
    strand: str = "+"

    def on_minus(self) -> "Gene":
        """The same gene, read from the other strand: sequence reverse-complemented, spans mirrored."""
        length = len(self.codes)

        def mirrored(spans: StartEnds) -> StartEnds:
            return tuple((length - end, length - start) for start, end in reversed(spans))

        return Gene(
            codes=(3 - self.codes[::-1]).astype(np.uint8),
            exons=tuple(mirrored(spans) for spans in self.exons),
            cds=tuple(mirrored(spans) for spans in self.cds),
            island=mirrored((self.island,))[0] if self.island else None,
            strand="-",
        )


class GeneSource:
    """Draws genes of a species.

    Args:
        species: tables of composition and codon usage.
        rng: source of randomness.
        island_fraction: share of genes whose promoter is a CpG island.
        isoform_fraction: share of genes that get a second isoform where one of their exons can be skipped in frame.
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
        """One gene on its own strand."""
        coding, lengths = self._coding()
        promoter, island = self._promoter()
        utr5, utr3 = self._utrs()
        parts, at = [promoter, utr5], len(promoter) + len(utr5)
        cds, read = [], 0
        for index, length in enumerate(lengths):
            if index:
                intron = self._draw_intron()
                parts.append(intron)
                at += len(intron)
            parts.append(coding[read : read + length])
            cds.append((at, at + length))
            at, read = at + length, read + length
        codes = np.concatenate([*parts, utr3])
        isoforms = [tuple(cds)]
        if skipped := self._skip_exon(codes, cds):
            isoforms.append(skipped)
        exons = tuple(_with_utrs(spans, len(promoter), len(codes)) for spans in isoforms)
        return Gene(codes, exons, tuple(isoforms), island)

    def _coding(self) -> tuple[np.ndarray, list[int]]:
        """Coding sequence from start to stop codon, codes (L,), and the lengths of the exons that it is cut into."""
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
        cuts = [self._boundary(coding, int(cut)) for cut in np.cumsum(planned)[:-1]]
        return coding, np.diff([0, *cuts, len(coding)]).tolist()

    def _boundary(self, coding: np.ndarray, planned: int) -> int:
        """A place near the planned one whose coding bases fit an exon's end and start, as splice sites choose."""
        places = np.arange(planned - _BOUNDARY_SHIFT // 2, planned + _BOUNDARY_SHIFT // 2 + 1)
        matrix = np.concatenate([EXON_END, EXON_START])
        context = coding[places[:, None] + np.arange(-len(EXON_END), len(EXON_START))]
        fit = np.prod(matrix[np.arange(len(matrix)), context] * 4, axis=1) ** 1.5
        return int(self._rng.choice(places, p=fit / fit.sum()))

    def _draw_intron(self) -> np.ndarray:
        """An intron: donor, body, branch point, polypyrimidine tract, acceptor."""
        rng = self._rng
        length = _MEDIAN_INTRON_BP * np.exp(rng.normal(0, _INTRON_SPREAD))
        codes = self._intron.take(int(np.clip(length, MIN_INTRON_BP, MAX_INTRON_BP)))
        ends = GC_AG if rng.random() < _GC_AG_FRACTION else GT_AG
        _plant(codes, 0, np.concatenate([alphabet.encode(ends.donor), sample_weights(rng, DONOR_TAIL)]))
        parts = (POLYPYRIMIDINE, ACCEPTOR_HEAD)
        tail = np.concatenate([*(sample_weights(rng, part) for part in parts), alphabet.encode(ends.acceptor)])
        _plant(codes, len(codes) - len(tail), tail)
        gap = int(rng.integers(0, 14))
        _plant(codes, len(codes) - len(tail) - gap - len(BRANCH_POINT), sample_weights(rng, BRANCH_POINT))
        return codes

    def _promoter(self) -> tuple[np.ndarray, tuple[int, int] | None]:
        """The bases before the transcript: a CpG island, or plain sequence with a TATA box 30 bp before its end."""
        rng = self._rng
        if rng.random() < self._island_fraction:
            length = int(rng.integers(300, 600))
            return self._island.take(length), (0, length)
        codes = self._intergenic.take(80)
        _plant(codes, len(codes) - 30, sample_weights(rng, TATA_BOX))
        return codes, None

    def _utrs(self) -> tuple[np.ndarray, np.ndarray]:
        rng = self._rng
        utr5 = self._utr.take(int(rng.integers(25, 90)))
        _plant(utr5, len(utr5) - len(BEFORE_START), sample_weights(rng, BEFORE_START))
        utr3 = self._utr.take(int(rng.integers(60, 180)))
        _plant(utr3, len(utr3) - int(rng.integers(16, 26)), POLYADENYLATION)
        return utr5, utr3

    def _skip_exon(self, codes: np.ndarray, cds: list[tuple[int, int]]) -> StartEnds | None:
        """A second isoform without one inner exon, where the gene is chosen to have one and the frame stays open."""
        if self._rng.random() >= self._isoform_fraction:
            return None
        for index in self._rng.permutation(np.arange(1, max(1, len(cds) - 1))):
            start, end = cds[index]
            kept = (*cds[:index], *cds[index + 1 :])
            if (end - start) % 3 == 0 and _reads_through(np.concatenate([codes[a:b] for a, b in kept])):
                return kept
        return None


def _plant(codes: np.ndarray, start: int, signal: np.ndarray) -> None:
    codes[start : start + len(signal)] = signal


def _with_utrs(cds: StartEnds, start: int, end: int) -> StartEnds:
    """Exons from coding parts: the first and the last reach to the ends of the transcript."""
    exons = [list(span) for span in cds]
    exons[0][0], exons[-1][1] = start, end
    return tuple((a, b) for a, b in exons)


def _reads_through(coding: np.ndarray) -> bool:
    """Whether the only stop codon is the last."""
    codons = coding.reshape(-1, 3) @ np.array([16, 4, 1])
    return bool(np.isin(codons[:-1], SENSE).all())
