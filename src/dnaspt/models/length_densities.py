"""Lengths of exons and introns of training genes to smooth densities, and how often genes have which parts. All in nats.

A density is a kernel density of log length, mixed with a broad prior, so that every length from the shortest on is possible. It
is explicit up to a length, and beyond it falls geometrically, so that a decoder needs no time for long introns.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple, Self

import numpy as np
from scipy.special import ndtr

from dnaspt.genome.gene_states import LEAST_INTRON_BP, MIN_INTRON_BP
from dnaspt.genome.intervals import StartEnd
from dnaspt.genome.transcripts import Transcript

EXPLICIT_INTRON_BP = 2_000
EXPLICIT_EXON_BP = 6_000
"""Lengths up to which densities are explicit, unless the caller says otherwise."""
EXON_KINDS = ("single", "initial", "internal", "terminal")
"""Kinds of coding exons."""
BANDWIDTHS = (0.04, 0.06, 0.09, 0.13, 0.18, 0.25, 0.35, 0.5)
"""Bandwidths of the kernel density, in nats of length, from which cross-validated likelihood chooses."""
PRIOR_SHARE = 0.03
"""Least share of the broad part of a density."""
PRIOR_LENGTHS = 5.0
"""Lengths that the prior counts as: with so few, half of the density is the prior's."""
_GRID = 0.01
"""Nats between lengths that are told apart, where there are more than `_MOST_LENGTHS` different ones."""
_MOST_LENGTHS = 1_000
_PSEUDO_COUNT = 1.0


class LengthPrior(NamedTuple):
    """A log-normal density: mean and standard deviation of log length."""

    mean: float
    deviation: float


PRIORS = {
    "intron": LengthPrior(float(np.log(200)), 1.3),
    "single": LengthPrior(float(np.log(900)), 0.8),
    "initial": LengthPrior(float(np.log(170)), 1.0),
    "internal": LengthPrior(float(np.log(130)), 0.7),
    "terminal": LengthPrior(float(np.log(250)), 1.0),
}
"""What is assumed of each kind where few lengths are known: wide enough for most eukaryotes."""
LEAST_BP = {"intron": LEAST_INTRON_BP, "single": 6, "initial": 1, "internal": 1, "terminal": 1}
"""Shortest lengths. A start or stop codon may be split by an intron, so exons may be short."""


@dataclass(frozen=True)
class LengthDensity:
    """Log-probabilities of lengths in bp. The probabilities of all lengths sum to 1.

    Attributes:
        log_explicit: (n_explicit + 1,) float64, log p(n) for n = 0 .. n_explicit; -inf below the shortest length.
        tail_start: log p(n_explicit), where the tail begins.
        tail_slope: nats per base, below 0: log p(n) = tail_start + tail_slope * (n - n_explicit) for n > n_explicit.
    """

    log_explicit: np.ndarray
    tail_start: float
    tail_slope: float

    @property
    def n_explicit(self) -> int:
        """Longest explicit length."""
        return len(self.log_explicit) - 1

    def log_density(self, lengths: np.ndarray) -> np.ndarray:
        """Log p(n) of lengths (n,), explicit or not.

        Returns:
            Nats (n,).
        """
        lengths = np.asarray(lengths)
        tail = self.tail_start + self.tail_slope * (lengths - self.n_explicit)
        return np.where(lengths > self.n_explicit, tail, self.log_explicit[np.clip(lengths, 0, self.n_explicit)])

    @property
    def log_tail(self) -> float:
        """Log-probability of a length beyond n_explicit."""
        return float(self.tail_start + self.tail_slope - np.log(-np.expm1(self.tail_slope)))

    def with_tail_slope(self, tail_slope: float) -> "LengthDensity":
        """The same density with another slope of the tail, which still begins at p(n_explicit); all is scaled to sum to 1."""
        tail = np.exp(self.tail_start + tail_slope) / -np.expm1(tail_slope)
        scaled = self.log_explicit - np.log(np.exp(self.log_explicit).sum() + tail)
        return LengthDensity(scaled, float(scaled[-1]), tail_slope)

    def log_survival(self) -> np.ndarray:
        """Log P(length >= n) for n = 0 .. n_explicit, of parts of genes that a contig's end cuts: (n_explicit + 1,).

        Beyond it, log P(length >= n) = `log_tail` + tail_slope * (n - n_explicit - 1).
        """
        masses = np.exp(self.log_explicit)
        survival = np.cumsum(masses[::-1])[::-1] + np.exp(self.log_tail)
        return np.asarray(np.log(np.minimum(survival, 1.0)))


def fit_length_density(
    lengths: Sequence[int] | np.ndarray,
    *,
    n_explicit: int,
    prior: LengthPrior,
    weights: np.ndarray | None = None,
    least_bp: int = 1,
    bandwidth: float | None = None,
) -> LengthDensity:
    """Fit a smooth density of lengths.

    The kernel density of log length is mixed with a broad log-normal density of the same mean and twice the deviation. Mean and
    deviation are shrunk towards the prior's, which counts as `PRIOR_LENGTHS` lengths; without lengths the density is the prior's
    alone. The tail continues the density at n_explicit, and has the probability that the smooth density has beyond it.

    Args:
        lengths: observed lengths in bp (n,); those shorter than `least_bp` are left out. There may be none.
        n_explicit: longest explicit length.
        prior: what is assumed where few lengths are known.
        weights: weight of each length (n,); None for 1.
        least_bp: shortest length that is possible.
        bandwidth: of the kernel density, in nats; None chooses one of `BANDWIDTHS`
            by the likelihood of each length given the others.

    Raises:
        ValueError: n_explicit is below least_bp.
    """
    if n_explicit < least_bp:
        raise ValueError(f"n_explicit {n_explicit}; expected the shortest length, {least_bp}, or more")
    sample = _Sample.of(np.asarray(lengths, np.float64), weights, least_bp)
    broad, share = sample.broad_part(prior)
    if bandwidth is None and sample.total:
        bandwidth = sample.best_bandwidth(broad, share)
    edges = np.log(np.arange(least_bp, n_explicit + 2) - 0.5)
    below = share * ndtr((edges - broad.mean) / broad.deviation)
    if sample.total:
        kernels = ndtr((edges[:, None] - sample.logs) / bandwidth)
        below += (1 - share) * kernels @ sample.weights / sample.total
    possible = 1 - below[0]  # what is shorter than the shortest length is left out
    masses = np.maximum(np.diff(below), np.finfo(np.float64).tiny) / possible
    beyond = max((1 - below[-1]) / possible, 1e-12)
    scale = 1 / (masses.sum() + beyond)
    log_explicit = np.append(np.full(least_bp, -np.inf), np.log(masses * scale))
    # A geometric tail that begins at p(n_explicit) has the mass p r / (1 - r), where r is its ratio from base to base.
    return LengthDensity(log_explicit, float(log_explicit[-1]), float(-np.log1p(masses[-1] / beyond)))


class _Sample(NamedTuple):
    """Weighted log lengths; equal ones, or where they are many nearly equal ones, are one."""

    logs: np.ndarray
    weights: np.ndarray
    total: float

    @classmethod
    def of(cls, lengths: np.ndarray, weights: np.ndarray | None, least_bp: int) -> "_Sample":
        """Of lengths in bp."""
        weights = np.ones(len(lengths)) if weights is None else np.asarray(weights, np.float64)
        kept = (lengths >= least_bp) & (weights > 0)
        logs, weights = np.log(lengths[kept]), weights[kept]
        distinct, index = np.unique(logs, return_inverse=True)
        if len(distinct) > _MOST_LENGTHS:
            distinct, index = np.unique(np.round(logs / _GRID), return_inverse=True)
            distinct = distinct * _GRID
        return cls(distinct, np.bincount(index, weights, len(distinct)), float(weights.sum()))

    def broad_part(self, prior: LengthPrior) -> tuple[LengthPrior, float]:
        """The broad part of the density, and its share."""
        n = self.total + PRIOR_LENGTHS
        mean = (self.logs @ self.weights + PRIOR_LENGTHS * prior.mean) / n
        squares = (self.logs - mean) ** 2 @ self.weights
        squares += PRIOR_LENGTHS * (prior.deviation**2 + (prior.mean - mean) ** 2)
        widening = (2 * self.total + PRIOR_LENGTHS) / n
        share = (PRIOR_SHARE * self.total + PRIOR_LENGTHS) / n
        return LengthPrior(float(mean), float(widening * np.sqrt(squares / n))), share

    def best_bandwidth(self, broad: LengthPrior, share: float) -> float:
        """The widest bandwidth whose likelihood of each length given the others is within a standard error of the best one's.

        Copies of a gene have the same lengths, so the best one tends to be too narrow.
        """
        z = (self.logs - broad.mean) / broad.deviation
        prior = share * np.exp(-(z**2) / 2) / broad.deviation
        self_weight = np.minimum(self.weights, 1)
        others = np.maximum(self.total - self_weight, 1e-9)
        squares = (self.logs[:, None] - self.logs) ** 2
        scores = []
        for bandwidth in BANDWIDTHS:
            kernels = np.exp(-squares / (2 * bandwidth**2)) @ self.weights - self_weight
            density = (1 - share) * np.maximum(kernels, 0) / (bandwidth * others) + prior
            scores.append(np.log(np.maximum(density, 1e-300)))
        losses = np.array(scores[int(np.argmax(np.array(scores) @ self.weights))]) - np.array(scores)
        means = losses @ self.weights / self.total
        errors = np.sqrt(((losses - means[:, None]) ** 2 @ self.weights) / self.total**2)
        return BANDWIDTHS[int(np.flatnonzero(means <= errors + 1e-12)[-1])]


class GeneParts(NamedTuple):
    """Lengths of the parts of whole genes, in bp.

    Attributes:
        lengths: lengths of each kind, "intron" and those of `EXON_KINDS`: (n,) int64 each.
        weights: weight of the gene of each length: (n,) float64 each.
        n_single: weighted number of genes with a single exon.
        n_multi: weighted number of genes with more.
    """

    lengths: dict[str, np.ndarray]
    weights: dict[str, np.ndarray]
    n_single: float
    n_multi: float

    @classmethod
    def of(cls, transcripts: Iterable[Transcript], weights: Sequence[float] | None = None) -> Self:
        """Collect the parts of transcripts, one for each gene; partial ones are left out.

        Exons with a gap below `MIN_INTRON_BP` between them are one exon: annotations write frameshifts so.
        """
        transcripts = list(transcripts)
        rows: dict[str, list[tuple[int, float]]] = {kind: [] for kind in PRIORS}
        numbers = [0.0, 0.0]
        weights = [1.0] * len(transcripts) if weights is None else weights
        for transcript, weight in zip(transcripts, weights, strict=True):
            if transcript.is_partial:
                continue
            exons, introns = _exons_and_introns(transcript)
            rows["intron"] += [(length, weight) for length in introns]
            numbers[len(exons) > 1] += weight
            if len(exons) == 1:
                rows["single"].append((exons[0], weight))
                continue
            rows["initial"].append((exons[0], weight))
            rows["internal"] += [(length, weight) for length in exons[1:-1]]
            rows["terminal"].append((exons[-1], weight))
        return cls(
            {kind: np.array([length for length, _ in pairs], np.int64) for kind, pairs in rows.items()},
            {kind: np.array([weight for _, weight in pairs], np.float64) for kind, pairs in rows.items()},
            *numbers,
        )


def _exons_and_introns(transcript: Transcript) -> tuple[list[int], list[int]]:
    """Lengths of exons and introns in the direction of transcription."""
    exons: list[StartEnd] = []
    for start, end in transcript.cds:
        if exons and start - exons[-1][1] < MIN_INTRON_BP:
            exons[-1] = (exons[-1][0], end)
        else:
            exons.append((start, end))
    lengths = [end - start for start, end in exons]
    introns = [right[0] - left[1] for left, right in pairwise(exons)]
    return (lengths, introns) if transcript.strand == "+" else (lengths[::-1], introns[::-1])


@dataclass(frozen=True)
class GeneLengths:
    """Length densities of introns and of the four kinds of exons, and log-probabilities of how genes go on.

    Attributes:
        intron: density of introns.
        exons: densities of `EXON_KINDS`, in this order.
        log_single: log-probability that a gene has a single exon.
        log_multi: log-probability that it has more.
        log_internal: log-probability that the exon behind an intron is internal.
        log_terminal: log-probability that it is terminal.
        log_gene: log-probability that a gene of one strand begins behind an intergenic base.
        log_stay: log-probability that another intergenic base follows.
    """

    intron: LengthDensity
    exons: tuple[LengthDensity, LengthDensity, LengthDensity, LengthDensity]
    log_single: float
    log_multi: float
    log_internal: float
    log_terminal: float
    log_gene: float
    log_stay: float

    @classmethod
    def fit(
        cls,
        parts: GeneParts,
        *,
        intergenic_bp: float,
        n_genes: float | None = None,
        min_intron_bp: int = LEAST_INTRON_BP,
        explicit_intron_bp: int = EXPLICIT_INTRON_BP,
        explicit_exon_bp: int = EXPLICIT_EXON_BP,
    ) -> Self:
        """Fit all densities, and count.

        Args:
            parts: parts of the whole genes of the train split.
            intergenic_bp: labeled intergenic bases of the train split.
            n_genes: genes on them, on both strands, cut ones included; None for the whole ones.
            min_intron_bp: shortest intron.
            explicit_intron_bp: length up to which the density of introns is explicit.
            explicit_exon_bp: the same for exons.
        """

        def density(kind: str) -> LengthDensity:
            is_intron = kind == "intron"
            return fit_length_density(
                parts.lengths[kind],
                n_explicit=explicit_intron_bp if is_intron else explicit_exon_bp,
                prior=PRIORS[kind],
                weights=parts.weights[kind],
                least_bp=min_intron_bp if is_intron else LEAST_BP[kind],
            )

        single, initial, internal, terminal = (density(kind) for kind in EXON_KINDS)
        log_single, log_multi = _log_shares(parts.n_single, parts.n_multi)
        log_internal, log_terminal = _log_shares(parts.weights["internal"].sum(), parts.n_multi)
        genes = parts.n_single + parts.n_multi if n_genes is None else n_genes
        rate = min((genes + _PSEUDO_COUNT) / (intergenic_bp + genes + 1e4 * _PSEUDO_COUNT), 0.5)
        return cls(
            density("intron"),
            (single, initial, internal, terminal),
            *(log_single, log_multi, log_internal, log_terminal),
            log_gene=float(np.log(rate / 2)),
            log_stay=float(np.log1p(-rate)),
        )


def _log_shares(first: float, second: float) -> tuple[float, float]:
    """Log-probabilities of two outcomes by their numbers, with one pseudo-count each."""
    total = first + second + 2 * _PSEUDO_COUNT
    return float(np.log((first + _PSEUDO_COUNT) / total)), float(np.log((second + _PSEUDO_COUNT) / total))
