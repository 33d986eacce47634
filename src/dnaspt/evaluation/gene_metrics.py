"""True and predicted transcripts to sensitivity, precision and F1 by level, from coding bases to genes.

Only coding sequence counts, both ends exact and on the right strand; coordinates are 0-based half-open. Bases, splice
sites, exons, intron chains and transcripts are those of the longest isoform per gene; a gene is right when any
annotated isoform is exact. The field's "specificity" is called precision here. (Conventions of Eval, gffcompare and
nGASP, without gffcompare's leeway at terminal exons.)
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from pydantic import ConfigDict

from dnaspt.data.bootstrap_blocks import blocks_outside_genes, sum_blocks
from dnaspt.evaluation.bootstrap import N_BOOTSTRAP, bootstrap_values, percentile_interval
from dnaspt.evaluation.metrics import Score, ratio
from dnaspt.frozen_dict import freeze
from dnaspt.genome.gene_states import MISSING
from dnaspt.genome.transcripts import Transcript

LEVELS = ("base", "splice_site", "exon", "intron_chain", "transcript", "gene")
FOUND, TRUE, RIGHT, PREDICTED = range(4)
"""Columns of counts: true items that were predicted, true items, predicted items that are true, predicted items."""

Key = tuple[str, str]
"""Contig and gene id."""
Feature = tuple[Any, ...]
"""Contig, strand, position, and what else makes a splice site, exon, intron chain or transcript."""
LocatedGene = tuple[Sequence[Transcript], int]
"""Isoforms of a gene, and the block in which it begins."""


@dataclass(frozen=True, slots=True)
class ScoredRegion:
    """An interval of a contig on which genes are scored.

    Attributes:
        chrom: contig name.
        start: contig position of its first base.
        labels: true class of each base (L,), -100 where missing.
        cuts: B + 1 ascending cuts from 0 to L into the blocks that a bootstrap resamples; (0, L) makes the region one block.
    """

    chrom: str
    start: int
    labels: np.ndarray
    cuts: np.ndarray

    @classmethod
    def of(cls, chrom: str, start: int, labels: np.ndarray) -> "ScoredRegion":
        """A region cut into blocks of about 10 kb outside genes.

        Args:
            chrom: contig name.
            start: contig position of its first base.
            labels: true class of each base (L,), -100 where missing.
        """
        return cls(chrom, start, labels, blocks_outside_genes(labels))

    @classmethod
    def whole(cls, chrom: str, start: int, labels: np.ndarray) -> "ScoredRegion":
        """A region that is one block, for scores without intervals.

        Args:
            chrom: contig name.
            start: contig position of its first base.
            labels: true class of each base (L,), -100 where missing.
        """
        return cls(chrom, start, labels, np.array([0, len(labels)]))

    @property
    def end(self) -> int:
        """Contig position after its last base."""
        return self.start + len(self.labels)


@dataclass(frozen=True, slots=True)
class LevelScores:
    """Scores of one level, and the counts behind them.

    Attributes:
        sensitivity: share of the annotated items that are predicted.
        precision: share of the predicted items that are annotated.
        f1: their harmonic mean.
        n_true: annotated items.
        n_found: annotated items that are predicted.
        n_predicted: predicted items.
        n_right: predicted items that are annotated.
    """

    sensitivity: Score
    precision: Score
    f1: Score
    n_true: int
    n_found: int
    n_predicted: int
    n_right: int

    def to_dict(self) -> dict[str, Any]:
        """Content of a JSON file."""
        scores = {name: getattr(self, name).to_dict() for name in ("sensitivity", "precision", "f1")}
        return asdict(self) | scores

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> "LevelScores":
        """Scores from the content of a JSON file."""
        sensitivity, precision, f1 = (Score.from_dict(raw[name]) for name in ("sensitivity", "precision", "f1"))
        n_true, n_found, n_predicted, n_right = (
            int(raw[name]) for name in ("n_true", "n_found", "n_predicted", "n_right")
        )
        return cls(sensitivity, precision, f1, n_true, n_found, n_predicted, n_right)


@dataclass(frozen=True, slots=True)
class GeneScores:
    """How well gene structures were found, from single bases to whole genes.

    Attributes:
        levels: scores by level: base, splice_site, exon, intron_chain, transcript, gene.
        ignored: how many genes were not scored, by reason.
        block_counts: counts of each block (B, levels, 4); empty for scores that were read from a file.

    Example:
        >>> scores = dnaspt.evaluate("runs/genes", "data/genes", split="valid").genes.genes
        >>> list(scores.levels)
        ['base', 'splice_site', 'exon', 'intron_chain', 'transcript', 'gene']
    """

    __pydantic_config__ = ConfigDict(arbitrary_types_allowed=True)  # an array is none of the types that are checked

    levels: Mapping[str, LevelScores]
    ignored: Mapping[str, int]
    block_counts: np.ndarray = field(default_factory=lambda: np.zeros((0, 0, 4), np.int64), compare=False, repr=False)

    def __post_init__(self) -> None:
        freeze(self, "levels", "ignored")

    @classmethod
    def of_blocks(
        cls, counts: np.ndarray, ignored: Mapping[str, int], *, n: int = N_BOOTSTRAP, seed: int = 0
    ) -> "GeneScores":
        """Scores with 95 % intervals from the counts of blocks (B, levels, 4).

        Args:
            counts: counts (B, levels, 4) in the columns FOUND, TRUE, RIGHT, PREDICTED.
            ignored: how many genes were not scored, by reason.
            n: number of resamples.
            seed: seed of the draw.
        """
        return cls(level_scores(counts, LEVELS, n=n, seed=seed), dict(ignored), counts)

    def to_dict(self) -> dict[str, Any]:
        """For JSON, without the blocks' counts."""
        return {"levels": {name: level.to_dict() for name, level in self.levels.items()}, "ignored": dict(self.ignored)}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> "GeneScores":
        """Scores from the content of a JSON file."""
        levels = {name: LevelScores.from_dict(level) for name, level in raw["levels"].items()}
        return cls(levels, dict(raw["ignored"]))


@dataclass(frozen=True, slots=True)
class _Gene:
    """A gene that is scored.

    Attributes:
        longest: its longest isoform.
        isoforms: all its isoforms.
        region: number of the region on which it lies.
        is_known: whether all its CDS bases are labeled.
    """

    longest: Transcript
    isoforms: tuple[Transcript, ...]
    region: int
    is_known: bool


def score_genes(
    truth: Iterable[tuple[Transcript, bool]],
    predicted: Iterable[Transcript],
    regions: Sequence[ScoredRegion],
    *,
    n: int = N_BOOTSTRAP,
    seed: int = 0,
) -> GeneScores:
    """Score predicted genes against annotated ones, with 95 % intervals over the regions' blocks.

    A gene that does not lie wholly on a region is not scored. A gene with a coding base whose label is missing is scored by its
    other bases alone. Both are counted in `ignored`. Several predicted transcripts of one gene are isoforms: the longest counts.

    Args:
        truth: annotated transcripts, and whether each is the longest isoform of its gene.
        predicted: predicted transcripts.
        regions: where genes are scored; they do not overlap.
        n: number of resamples.
        seed: seed of the draw.

    Raises:
        ValueError: two regions overlap.
    """
    counts, ignored = count_levels(truth, predicted, regions)
    return GeneScores.of_blocks(counts, ignored, n=n, seed=seed)


def count_levels(
    truth: Iterable[tuple[Transcript, bool]], predicted: Iterable[Transcript], regions: Sequence[ScoredRegion]
) -> tuple[np.ndarray, Counter[str]]:
    """Counts of each block and level (B, levels, 4), and how many genes were not scored, by reason; see `score_genes`.

    Args:
        truth: annotated transcripts, and whether each is the longest isoform of its gene.
        predicted: predicted transcripts.
        regions: where genes are scored; they do not overlap.

    Raises:
        ValueError: two regions overlap.
    """
    index = _RegionIndex(regions)
    ignored: Counter[str] = Counter()
    true_genes = list(_scored(_annotated(truth, ignored), "annotated", index, ignored))
    predicted_genes = list(_scored(_grouped(predicted), "predicted", index, ignored))
    counts = np.zeros((index.n_blocks, len(LEVELS), 4), dtype=np.int64)
    _count_bases(true_genes, predicted_genes, index, counts[:, 0])
    true_genes = [gene for gene in true_genes if gene.is_known]
    predicted_genes = [gene for gene in predicted_genes if gene.is_known]
    for level, features in enumerate((splice_sites, exons, intron_chain, structure), start=1):
        true_features, predicted_features = (
            {key: index.block_of(gene.region, key[2]) for gene in genes for key in features(gene.longest)}
            for genes in (true_genes, predicted_genes)
        )
        count_features(true_features, predicted_features, counts[:, level])
    true_located, predicted_located = (
        [(gene.isoforms, index.block_of(gene.region, gene.longest.start)) for gene in genes]
        for genes in (true_genes, predicted_genes)
    )
    count_genes(true_located, predicted_located, counts[:, LEVELS.index("gene")])
    counts = sum_blocks(
        np.split(counts, index.first_block[1:-1]),
        [(region.chrom, region.start, region.end) for region in index.regions],
    )
    return counts, ignored


class _RegionIndex:
    """Finds the region of a gene and the block of a position."""

    def __init__(self, regions: Sequence[ScoredRegion]) -> None:
        self.regions = sorted(regions, key=lambda region: (region.chrom, region.start))
        for left, right in zip(self.regions, self.regions[1:], strict=False):
            if left.chrom == right.chrom and right.start < left.end:
                raise ValueError(f"regions overlap at {right.chrom}:{right.start}; expected disjoint ones")
        self._starts = [(region.chrom, region.start) for region in self.regions]
        self._cuts = [region.cuts.tolist() for region in self.regions]
        self.first_block = np.cumsum([0, *(len(cuts) - 1 for cuts in self._cuts)]).tolist()
        self.n_blocks = self.first_block[-1]

    def region_of(self, transcript: Transcript) -> int | None:
        """Number of the region that holds the whole transcript."""
        number = bisect_right(self._starts, (transcript.chrom, transcript.start)) - 1
        if number < 0:
            return None
        region = self.regions[number]
        return number if region.chrom == transcript.chrom and transcript.end <= region.end else None

    def is_known(self, transcript: Transcript, number: int) -> bool:
        """Whether every coding base of a transcript on a region has a label."""
        labels, offset = self.regions[number].labels, self.regions[number].start
        return not any((labels[start - offset : end - offset] == MISSING).any() for start, end in transcript.cds)

    def block_of(self, number: int, position: int) -> int:
        """The block of a contig position on a region."""
        first = self.first_block[number]
        return int(first + bisect_right(self._cuts[number], position - self.regions[number].start) - 1)


def _annotated(
    truth: Iterable[tuple[Transcript, bool]], ignored: Counter[str]
) -> Iterator[tuple[Transcript, list[Transcript]]]:
    """Longest isoform and all isoforms of each annotated gene."""
    isoforms: dict[Key, list[Transcript]] = {}
    longest: dict[Key, Transcript] = {}
    for transcript, is_longest in truth:
        key = (transcript.chrom, transcript.gene_id)
        isoforms.setdefault(key, []).append(transcript)
        if is_longest:
            longest[key] = transcript
    if len(longest) < len(isoforms):
        ignored["annotated gene without a longest isoform"] += len(isoforms) - len(longest)
    return ((longest[key], members) for key, members in isoforms.items() if key in longest)


def _grouped(predicted: Iterable[Transcript]) -> Iterator[tuple[Transcript, list[Transcript]]]:
    """Longest isoform and all isoforms of each predicted gene."""
    genes: dict[Key, list[Transcript]] = {}
    for transcript in predicted:
        genes.setdefault((transcript.chrom, transcript.gene_id), []).append(transcript)
    return ((max(members, key=lambda transcript: transcript.cds_bp), members) for members in genes.values())


def _scored(
    genes: Iterable[tuple[Transcript, list[Transcript]]], kind: str, index: _RegionIndex, ignored: Counter[str]
) -> Iterator[_Gene]:
    """Genes that lie wholly on a region; the others, and those with missing labels, are counted.

    Of an annotated gene only the longest isoform has labels.
    """
    for longest, isoforms in genes:
        region = index.region_of(longest)
        judged = [longest] if kind == "annotated" else isoforms
        if region is None or any(index.region_of(isoform) != region for isoform in judged):
            ignored[f"{kind} gene not wholly on a segment"] += 1
            continue
        is_known = all(index.is_known(isoform, region) for isoform in judged)
        if not is_known:
            ignored[f"{kind} gene on missing labels"] += 1
        yield _Gene(longest, tuple(isoforms), region, is_known)


def splice_sites(transcript: Transcript) -> Iterator[Feature]:
    """First and last base of each intron, by kind."""
    kinds = ("donor", "acceptor") if transcript.strand == "+" else ("acceptor", "donor")
    for start, end in transcript.introns:
        yield (transcript.chrom, transcript.strand, start, kinds[0])
        yield (transcript.chrom, transcript.strand, end - 1, kinds[1])


def exons(transcript: Transcript) -> Iterator[Feature]:
    """Both ends of each coding exon."""
    return ((transcript.chrom, transcript.strand, start, end) for start, end in transcript.cds)


def intron_chain(transcript: Transcript) -> Iterator[Feature]:
    """All introns together; none for a single exon."""
    if introns := transcript.introns:
        yield (transcript.chrom, transcript.strand, introns[0][0], introns)


def structure(transcript: Transcript) -> Iterator[Feature]:
    """All coding exons together."""
    yield (transcript.chrom, transcript.strand, transcript.start, transcript.cds)


def count_features(true: Mapping[Feature, int], predicted: Mapping[Feature, int], counts: np.ndarray) -> None:
    """Add features and the blocks they lie in to the counts of blocks (B, 4).

    Args:
        true: annotated features, and the block of each.
        predicted: predicted features, and the block of each.
        counts: the counts (B, 4) int64, in the columns FOUND, TRUE, RIGHT, PREDICTED.
    """
    for features, others, hit, every in ((true, predicted, FOUND, TRUE), (predicted, true, RIGHT, PREDICTED)):
        blocks = np.fromiter(features.values(), np.int64, len(features))
        shared = np.fromiter((feature in others for feature in features), bool, len(features))
        counts[:, every] += np.bincount(blocks, minlength=len(counts))
        counts[:, hit] += np.bincount(blocks[shared], minlength=len(counts))


def _count_bases(true: list[_Gene], predicted: list[_Gene], index: _RegionIndex, counts: np.ndarray) -> None:
    """Add coding bases by strand, where labels are known, to the counts of blocks (B, 4)."""
    coding: dict[tuple[int, str], tuple[list[Transcript], list[Transcript]]] = {}
    for side, genes in enumerate((true, predicted)):
        for gene in genes:
            coding.setdefault((gene.region, gene.longest.strand), ([], []))[side].append(gene.longest)
    for (number, _), (true_transcripts, predicted_transcripts) in coding.items():
        region = index.regions[number]
        is_true, is_predicted = _coding_bases(region, true_transcripts), _coding_bases(region, predicted_transcripts)
        both = is_true & is_predicted
        blocks = counts[index.first_block[number] : index.first_block[number + 1]]
        for mask, columns in ((both, (FOUND, RIGHT)), (is_true, (TRUE,)), (is_predicted, (PREDICTED,))):
            blocks[:, columns] += np.diff(np.searchsorted(np.flatnonzero(mask), region.cuts))[:, None]


def _coding_bases(region: ScoredRegion, transcripts: list[Transcript]) -> np.ndarray:
    """Which bases of a region are coding and labeled: (L,) bool."""
    coding = np.zeros(len(region.labels), dtype=bool)
    for transcript in transcripts:
        for start, end in transcript.cds:
            coding[start - region.start : end - region.start] = True
    coding &= region.labels != MISSING
    return coding


def count_genes(true: Iterable[LocatedGene], predicted: Iterable[LocatedGene], counts: np.ndarray) -> None:
    """Add genes, right when any isoform is exact, to the counts of blocks (B, 4).

    Args:
        true: annotated genes, and the block of each.
        predicted: predicted genes, and the block of each.
        counts: the counts (B, 4) int64, in the columns FOUND, TRUE, RIGHT, PREDICTED.
    """
    true, predicted = list(true), list(predicted)
    for genes, others, hit, every in ((true, predicted, FOUND, TRUE), (predicted, true, RIGHT, PREDICTED)):
        blocks = np.array([block for _, block in genes], np.int64)
        exact = are_exact([isoforms for isoforms, _ in genes], [isoforms for isoforms, _ in others])
        counts[:, every] += np.bincount(blocks, minlength=len(counts))
        counts[:, hit] += np.bincount(blocks[exact], minlength=len(counts))


def are_exact(genes: Sequence[Sequence[Transcript]], others: Iterable[Iterable[Transcript]]) -> np.ndarray:
    """Whether any isoform of each gene (n) has all coding exons of any isoform of another file's genes: (n,) bool."""
    known = {key for isoforms in others for isoform in isoforms for key in structure(isoform)}
    exact = (any(key in known for isoform in isoforms for key in structure(isoform)) for isoforms in genes)
    return np.fromiter(exact, bool, len(genes))


def rates(counts: np.ndarray) -> np.ndarray:
    """Sensitivity, precision and F1 of counts in the columns FOUND, TRUE, RIGHT, PREDICTED: (..., 4) -> (..., 3).

    nan where 0 / 0; F1 is 0 where there is something to find and nothing is right.
    """
    sensitivity = ratio(counts[..., FOUND], counts[..., TRUE])
    precision = ratio(counts[..., RIGHT], counts[..., PREDICTED])
    known = np.nan_to_num(sensitivity) + np.nan_to_num(precision)
    harmonic = 2 * np.nan_to_num(sensitivity) * np.nan_to_num(precision) / np.where(known > 0, known, 1)
    nothing = (counts[..., TRUE] == 0) & (counts[..., PREDICTED] == 0)
    return np.stack([sensitivity, precision, np.where(nothing, np.nan, harmonic)], axis=-1)


def level_scores(counts: np.ndarray, levels: Sequence[str], *, n: int, seed: int) -> dict[str, LevelScores]:
    """Scores of each level, with intervals, from the counts of blocks (B, levels, 4).

    Args:
        counts: counts (B, levels, 4) in the columns FOUND, TRUE, RIGHT, PREDICTED.
        levels: names of the levels.
        n: number of resamples.
        seed: seed of the draw.
    """
    total = counts.sum(axis=0)
    values, drawn = rates(total), bootstrap_values(counts, rates, n=n, seed=seed)
    scores = {}
    for level, name in enumerate(levels):
        bounds = [percentile_interval(drawn[:, level, measure]) for measure in range(3)]
        sensitivity, precision, f1 = (Score.of(values[level, measure], bounds[measure]) for measure in range(3))
        n_found, n_true, n_right, n_predicted = total[level].tolist()
        scores[name] = LevelScores(sensitivity, precision, f1, n_true, n_found, n_predicted, n_right)
    return scores
