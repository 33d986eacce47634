"""Regions of the test split to draw: annotated genes beside the genes that each run predicts, as `predict` writes them.

Regions are chosen by a fixed rule, which a locus carries in words. Contig coordinates are 0-based half-open.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from dnaspt.checkpoint_config import find_checkpoint
from dnaspt.data.dataset import read_split
from dnaspt.data.segments import Segment, segments
from dnaspt.data.transcript_table import read_transcripts
from dnaspt.errors import CheckpointError
from dnaspt.evaluation.results import GENES_FILE
from dnaspt.genome.fasta import Contig
from dnaspt.genome.gene_states import CDS, MINUS, MISSING, transcripts_from_labels
from dnaspt.genome.gff3 import read_annotation
from dnaspt.genome.intervals import true_runs
from dnaspt.genome.transcripts import Transcript
from dnaspt.inference.decode import predict_paths
from dnaspt.inference.emissions import ContigSlice
from dnaspt.inference.genes import genes_and_probabilities, grammar_of
from dnaspt.inference.model import load

MIN_BP, MAX_BP = 8_000, 15_000
"""Shortest and longest region."""
_MARGIN_BP = 300
"""Bases that are drawn on either side of the genes."""
_CONTEXT_BP = 4_000
"""Bases on either side of a region that are predicted with it."""
_N_CANDIDATES = 6
CODING_STEPS = 20
"""Probabilities of coding bases are kept and shown in so many steps: pages and records stay small."""
_MAX_MISSING = 0.1
"""Largest share of bases without a label."""


@dataclass(frozen=True, slots=True)
class Locus:
    """What is drawn.

    Attributes:
        chrom: contig name.
        start: first base.
        end: end, half-open.
        truth: annotated transcripts, the longest of each gene, that reach into it.
        predicted: transcripts that each run predicts, in the order of the runs.
        missing: intervals (start, end) whose labels are not known.
        choice: how it was chosen, in words.
        codes: its letters (L,) uint8, see `genome.alphabet`.
        labels: class of each base (L,) int8, `MISSING` where it is not known.
        coding: of each run the probability (2, L) of a coding base of either strand; (2, 0) where it is not known.
    """

    chrom: str
    start: int
    end: int
    truth: tuple[Transcript, ...]
    predicted: tuple[tuple[Transcript, ...], ...]
    missing: tuple[tuple[int, int], ...]
    choice: str
    codes: np.ndarray = field(default_factory=lambda: np.zeros(0, np.uint8))
    labels: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int8))
    coding: tuple[np.ndarray, ...] = ()


@dataclass(frozen=True, slots=True)
class _Region:
    """Bases start to end (contig positions) of a segment of the test split."""

    segment: Segment
    start: int
    end: int

    @property
    def chrom(self) -> str:
        """Contig name."""
        return self.segment.chrom

    @property
    def labels(self) -> np.ndarray:
        """Labels of its bases."""
        return self.segment.labels[self.start - self.segment.start : self.end - self.segment.start]

    @property
    def codes(self) -> np.ndarray:
        """Letters of its bases."""
        return self.segment.codes[self.start - self.segment.start : self.end - self.segment.start]

    @property
    def context(self) -> tuple[int, int]:
        """Start and end of the region with its surroundings, as far as the segment goes."""
        return max(self.start - _CONTEXT_BP, self.segment.start), min(self.end + _CONTEXT_BP, self.segment.end)


def choose_loci(data: Path, runs: Sequence[tuple[Path, bool]], n: int = 1) -> list[Locus]:
    """At most n candidate regions on which the runs' labels differ most, the most first; none where test has no genes.

    Candidates begin at a gene and hold at least two genes with introns, or as many as there are. A few of them, evenly spread
    over the test split, are predicted with 4 kb of context on both sides. Baselines are shown, but have no say.

    Args:
        data: dataset folder of a per-base task.
        runs: run folders, and whether each was evaluated with both strands averaged; or folders of baselines.
        n: how many.
    """
    genes = _annotated(data)
    regions, n_genes = _regions_with_genes(list(segments(read_split(data, "test"))), genes)
    if not regions:
        return []
    candidates = _spread(regions, _N_CANDIDATES)
    paths = {run: _paths(run, candidates, both_strands=both) for run, both in runs if not _is_baseline(run)}
    disagreement = [_disagreement([own[n] for own in paths.values()], region) for n, region in enumerate(candidates)]
    order = _apart(candidates, np.argsort(-np.array(disagreement), kind="stable").tolist())[:n]
    choice = (
        f"of {len(candidates)} stretches with {_wanted(n_genes)}, evenly spread over the {len(regions)} such places "
        f"of the test split, {_reason(len(paths))}"
    )
    chosen = [candidates[number] for number in order]
    predicted: list[list[list[Transcript]]] = []
    coding: list[list[np.ndarray]] = []
    for run, both in runs:
        if _is_baseline(run):
            of_file = _genes_of_file(run)
            predicted.append([of_file for _ in chosen])
            coding.append([np.zeros((2, 0), np.float32) for _ in chosen])
        else:
            predicted.append([_genes_of(paths[run][number], candidates[number]) for number in order])
            coding.append(_coding(run, chosen, both_strands=both))
    return [
        _locus(region, genes, [own[n] for own in predicted], choice, tuple(own[n] for own in coding))
        for n, region in enumerate(chosen)
    ]


def _apart(regions: Sequence[_Region], order: Sequence[int]) -> list[int]:
    """Numbers of regions in an order, without those that share a base with one before them."""
    chosen: list[int] = []
    for number in order:
        own = regions[number]
        others = (regions[other] for other in chosen)
        if not any(own.chrom == o.chrom and own.start < o.end and o.start < own.end for o in others):
            chosen.append(number)
    return chosen


def _is_baseline(folder: Path) -> bool:
    """Whether a folder holds the genes of a baseline; a run may hold genes that it predicted."""
    if not (folder / GENES_FILE).is_file():
        return False
    try:
        find_checkpoint(folder)
    except CheckpointError:
        return True
    return False


def _genes_of_file(folder: Path) -> list[Transcript]:
    """Genes of a baseline."""
    return [annotated.transcript for annotated in read_annotation(folder / GENES_FILE).transcripts]


def example_genes(data: Path, run: Path, n: int, fold: int = 0) -> list[list[Transcript]]:
    """Genes that a run predicts, or that a baseline's file holds, on n regions of test, which depend on the annotation alone.

    Args:
        data: dataset folder of a per-base task.
        run: folder of the run or baseline.
        n: most regions to take.
        fold: the fold on whose test split the regions lie, from 1; 0 for the test split of the whole dataset.

    Returns:
        The genes of each region.
    """
    regions = _example_regions(data, n, fold)
    if _is_baseline(run):
        genes = _genes_of_file(run)
        return [list(_reaching(genes, region)) for region in regions]
    paths = _paths(run, regions, both_strands=False)
    return [list(_reaching(_genes_of(path, region), region)) for path, region in zip(paths, regions, strict=True)]


def example_coding(data: Path, run: Path, n: int, fold: int = 0) -> list[np.ndarray]:
    """Probability (2, L) of coding bases of either strand on the regions of `example_genes`, rounded to 1/20.

    An empty list for a baseline, which has none.

    Args:
        data: dataset folder of a per-base task.
        run: folder of the run or baseline.
        n: most regions to take.
        fold: as in `example_genes`.
    """
    if _is_baseline(run):
        return []
    found = _coding(run, _example_regions(data, n, fold), both_strands=False)
    return [np.rint(coding * CODING_STEPS) / np.float32(CODING_STEPS) for coding in found]


def example_loci(
    data: Path,
    predicted: Sequence[Sequence[Sequence[Transcript]]],
    fold: int = 0,
    coding: Sequence[Sequence[np.ndarray]] = (),
) -> list[Locus]:
    """The regions of `example_genes` with their annotation.

    Args:
        data: dataset folder of a per-base task.
        predicted: what `example_genes` gave for each run, all for the same number of regions.
        fold: the fold that it gave them for.
        coding: what `example_coding` gave for each run, (2, L) a region; none for those of which it is not known.
    """
    genes, regions = _annotated(data, fold), _example_regions(data, len(predicted[0]), fold)
    choice = f"one of {len(regions)} places with genes, evenly spread over those of the test split"
    return [
        _locus(
            region,
            genes,
            [of_run[n] for of_run in predicted],
            choice,
            tuple(_of_region(of_run[n : n + 1], region) for of_run in coding),
        )
        for n, region in enumerate(regions)
    ]


def _of_region(coding: Sequence[np.ndarray], region: _Region) -> np.ndarray:
    """The probabilities (2, L) of a region; (2, 0) where there are none, or they are of another one."""
    is_known = len(coding) and coding[0].shape == (2, region.end - region.start)
    return coding[0] if is_known else np.zeros((2, 0), np.float32)


def _annotated(data: Path, fold: int = 0) -> list[Transcript]:
    """The longest transcript of each gene of the test split."""
    return [transcript for transcript, is_longest in read_transcripts(data, "test", fold) if is_longest]


def _example_regions(data: Path, n: int, fold: int) -> list[_Region]:
    """At most n regions, evenly spread over the test split."""
    test = list(segments(read_split(data, "test", fold)))
    return _spread(_regions_with_genes(test, _annotated(data, fold))[0], n)


def _spread(regions: Sequence[_Region], n: int) -> list[_Region]:
    """At most n of the regions, evenly spread."""
    if not regions:
        return []
    return [regions[index] for index in np.unique(np.linspace(0, len(regions) - 1, n).round().astype(int))]


def _wanted(n_genes: int) -> str:
    """What candidates hold, in words."""
    return {2: "two or more annotated genes with introns", 1: "an annotated gene with introns"}.get(n_genes, "a gene")


def _reason(n_runs: int) -> str:
    """Why the candidate was chosen, in words."""
    if n_runs == 1:
        return "the one where prediction and annotation differ at most bases"
    return "the one where the runs differ from each other at most bases (so it is not a typical one)"


def _regions_with_genes(test: Sequence[Segment], genes: Sequence[Transcript]) -> tuple[list[_Region], int]:
    """Regions with the most genes with introns that can be asked for, and that number: 2, 1 or 0."""
    regions = [region for segment in test for region in _regions(segment, genes)]
    labeled = [region for region in regions if region.labels.size and (region.labels == MISSING).mean() <= _MAX_MISSING]
    for n_genes in (2, 1, 0):
        fitting = [region for region in labeled or regions if _n_with_introns(region, genes) >= n_genes]
        if fitting:
            return fitting, n_genes
    return [], 0


def _regions(segment: Segment, genes: Sequence[Transcript]) -> list[_Region]:
    """From each gene of a segment on: up to 15 kb that end behind a gene, at least 8 kb where the segment allows it."""
    inside = sorted(
        (g for g in genes if g.chrom == segment.chrom and segment.start <= g.start and g.end <= segment.end),
        key=lambda gene: gene.start,
    )
    ends = np.maximum.accumulate([gene.end for gene in inside]) if inside else np.zeros(0, dtype=np.int64)
    regions = []
    for first, gene in enumerate(inside):
        start = max(segment.start, gene.start - _MARGIN_BP)
        last = bisect_left(ends.tolist(), start + MAX_BP - _MARGIN_BP) - 1
        end = int(ends[last]) + _MARGIN_BP if last >= first else gene.end + _MARGIN_BP
        end = min(segment.end, start + MAX_BP, max(end, start + MIN_BP))
        regions.append(_Region(segment, max(segment.start, min(start, end - MIN_BP)), end))
    return regions


def _n_with_introns(region: _Region, genes: Sequence[Transcript]) -> int:
    """Genes with introns that lie wholly on a region."""
    return sum(
        g.chrom == region.chrom and region.start <= g.start and g.end <= region.end and len(g.cds) > 1 for g in genes
    )


def _paths(run: Path, regions: Sequence[_Region], *, both_strands: bool) -> list[np.ndarray]:
    """Classes that a run predicts on regions, each with its context: with codons where its head knows them, as `predict` does."""
    loaded = load(run)
    model = loaded.task_model()
    slices = []
    for region in regions:
        start, end = (position - region.segment.start for position in region.context)
        slices.append(ContigSlice(region.segment.codes, start, end))
    grammar = grammar_of(model, loaded.config)
    return list(predict_paths(model, slices, average_strands=both_strands, grammar=grammar))


def _coding(run: Path, regions: Sequence[_Region], *, both_strands: bool) -> list[np.ndarray]:
    """Probability (2, L) of coding bases of both strands on regions, each predicted with its context."""
    loaded = load(run)
    model = loaded.task_model()
    coding = []
    for region in regions:
        start, end = (position - region.segment.start for position in region.context)
        contig, part = Contig(region.chrom, region.segment.codes), ContigSlice(region.segment.codes, start, end)
        _, classes = genes_and_probabilities(model, loaded.config, contig, part, average_strands=both_strands)
        first = region.start - region.context[0]
        own = classes[first : first + region.end - region.start, [CDS, CDS + MINUS]]
        coding.append(own.T.astype(np.float32))
    return coding


def _disagreement(paths: Sequence[np.ndarray], region: _Region) -> float:
    """Share of bases on which not all runs agree; for a single run, on which it differs from the truth."""
    first = region.start - region.context[0]
    classes = np.stack([path[first : first + region.end - region.start] for path in paths])
    if len(classes) == 1:
        truth = region.labels
        return float(((classes[0] != truth) & (truth != MISSING)).mean())
    return float((classes != classes[0]).any(axis=0).mean())


def _genes_of(path: np.ndarray, region: _Region) -> list[Transcript]:
    """Transcripts decoded from the classes of a region with its context."""
    return transcripts_from_labels(path, region.chrom, start=region.context[0])


def _locus(
    region: _Region,
    genes: Sequence[Transcript],
    predicted: Sequence[Sequence[Transcript]],
    choice: str,
    coding: tuple[np.ndarray, ...] = (),
) -> Locus:
    """A region with the transcripts that reach into it."""
    missing = true_runs(region.labels == MISSING) + region.start
    return Locus(
        region.chrom,
        region.start,
        region.end,
        truth=_reaching(genes, region),
        predicted=tuple(_reaching(of_run, region) for of_run in predicted),
        missing=tuple((start, end) for start, end in missing.tolist()),
        choice=choice,
        codes=region.codes,
        labels=region.labels,
        coding=coding,
    )


def _reaching(transcripts: Sequence[Transcript], region: _Region) -> tuple[Transcript, ...]:
    """Transcripts that share a base with a region."""
    return tuple(t for t in transcripts if t.chrom == region.chrom and t.start < region.end and region.start < t.end)
