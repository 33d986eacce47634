"""A per-base dataset and runs to one stretch of the test split to draw: annotated genes beside each run's predictions.

The stretch is chosen by a fixed rule, which the locus carries in words; contig coordinates, 0-based half-open.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dnaspt.checkpoint import load_task_model
from dnaspt.data.dataset import read_split
from dnaspt.data.segments import Segment, segments
from dnaspt.data.transcript_table import read_transcripts
from dnaspt.evaluation.results import GENES_FILE
from dnaspt.genome.gene_states import transcripts_from_labels
from dnaspt.genome.gff3 import read_annotation
from dnaspt.genome.intervals import true_runs
from dnaspt.genome.transcripts import Transcript
from dnaspt.inference import emissions as predict
from dnaspt.inference.decode import predict_paths
from dnaspt.tasks import MISSING

MIN_BP, MAX_BP = 8_000, 15_000
_MARGIN_BP = 300
_CONTEXT_BP = 4_000
_N_CANDIDATES = 6
_MAX_MISSING = 0.1


@dataclass(frozen=True, slots=True)
class Stretch:
    """A piece start..end of a segment of the test split."""

    segment: Segment
    start: int
    end: int


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
    """

    chrom: str
    start: int
    end: int
    truth: tuple[Transcript, ...]
    predicted: tuple[tuple[Transcript, ...], ...]
    missing: tuple[tuple[int, int], ...]
    choice: str


def choose_locus(data: Path, runs: Sequence[tuple[Path, bool]]) -> Locus | None:
    """The candidate stretch on which the runs' labels differ most; None where the test split has no genes.

    Candidates begin at a gene and hold two genes with introns or more, or as many as there are; a few, evenly spread
    over all such places, are predicted with 4 kb of context on both sides.

    Args:
        data: dataset folder of a per-base task.
        runs: run folders, and whether each was evaluated with both strands averaged.
    """
    genes = _annotated(data)
    places, n_genes = _places(list(segments(read_split(data, "test"))), genes)
    if not places:
        return None
    candidates = _spread(places, _N_CANDIDATES)
    paths = [_paths(run, candidates, both_strands=both) for run, both in runs]
    disagreement = [_disagreement([of_run[n] for of_run in paths], place) for n, place in enumerate(candidates)]
    index = int(np.argmax(disagreement))
    place = candidates[index]
    choice = (
        f"of {len(candidates)} stretches with {_wanted(n_genes)}, evenly spread over the {len(places)} such places "
        f"of the test split, {_reason(len(runs))}"
    )
    return _locus(place, genes, [_genes_of(of_run[index], place) for of_run in paths], choice)


def example_genes(data: Path, run: Path, n: int) -> list[list[Transcript]]:
    """Genes that a run predicts, or a baseline's file holds, on n stretches of test, which depend on the annotation alone."""
    candidates = _examples(data, n)
    if (run / GENES_FILE).is_file():
        known = [one.transcript for one in read_annotation(run / GENES_FILE).transcripts]
        return [list(_reaching(known, place)) for place in candidates]
    return [
        list(_reaching(_genes_of(path, place), place))
        for path, place in zip(_paths(run, candidates, both_strands=False), candidates, strict=True)
    ]


def example_loci(data: Path, predicted: Sequence[Sequence[Sequence[Transcript]]]) -> list[Locus]:
    """The stretches of `example_genes` with their annotation; predicted: what it gave for each run, all for as many."""
    genes, candidates = _annotated(data), _examples(data, len(predicted[0]))
    choice = f"one of {len(candidates)} places with genes, evenly spread over those of the test split"
    return [_locus(place, genes, [of_run[n] for of_run in predicted], choice) for n, place in enumerate(candidates)]


def _annotated(data: Path) -> list[Transcript]:
    return [transcript for transcript, longest in read_transcripts(data, "test") if longest]


def _examples(data: Path, n: int) -> list[Stretch]:
    return _spread(_places(list(segments(read_split(data, "test"))), _annotated(data))[0], n)


def _spread(places: Sequence[Stretch], n: int) -> list[Stretch]:
    """At most n of the places, evenly spread."""
    if not places:
        return []
    return [places[index] for index in np.unique(np.linspace(0, len(places) - 1, n).round().astype(int))]


def _wanted(n_genes: int) -> str:
    return {2: "two or more annotated genes with introns", 1: "an annotated gene with introns"}.get(n_genes, "a gene")


def _reason(n_runs: int) -> str:
    if n_runs == 1:
        return "the one where prediction and annotation differ at most bases"
    return "the one where the runs differ from each other at most bases (so it is not a typical one)"


def _places(pieces: Sequence[Segment], genes: Sequence[Transcript]) -> tuple[list[Stretch], int]:
    """Stretches with the most genes with introns that can be asked for, and that number: 2, 1 or 0."""
    stretches = [place for piece in pieces for place in _stretches(piece, genes)]
    known = [place for place in stretches if _labels(place).size and (_labels(place) == MISSING).mean() <= _MAX_MISSING]
    for n_genes in (2, 1, 0):
        found = [place for place in known or stretches if _n_with_introns(place, genes) >= n_genes]
        if found:
            return found, n_genes
    return [], 0


def _stretches(piece: Segment, genes: Sequence[Transcript]) -> list[Stretch]:
    """From each gene of a segment on: up to 15 kb that end behind a gene, at least 8 kb where the segment allows it."""
    inside = sorted(
        (gene for gene in genes if gene.chrom == piece.chrom and piece.start <= gene.start and gene.end <= piece.end),
        key=lambda gene: gene.start,
    )
    ends = np.maximum.accumulate([gene.end for gene in inside]) if inside else np.zeros(0, dtype=np.int64)
    found = []
    for first, gene in enumerate(inside):
        start = max(piece.start, gene.start - _MARGIN_BP)
        last = bisect_left(ends.tolist(), start + MAX_BP - _MARGIN_BP) - 1
        end = int(ends[last]) + _MARGIN_BP if last >= first else gene.end + _MARGIN_BP
        end = min(piece.end, start + MAX_BP, max(end, start + MIN_BP))
        found.append(Stretch(piece, max(piece.start, min(start, end - MIN_BP)), end))
    return found


def _n_with_introns(place: Stretch, genes: Sequence[Transcript]) -> int:
    chrom = place.segment.chrom
    return sum(g.chrom == chrom and place.start <= g.start and g.end <= place.end and len(g.cds) > 1 for g in genes)


def _labels(place: Stretch) -> np.ndarray:
    return place.segment.labels[place.start - place.segment.start : place.end - place.segment.start]


def _context(place: Stretch) -> tuple[int, int]:
    """The stretch and its surroundings, as far as the segment goes: contig positions."""
    piece = place.segment
    return max(place.start - _CONTEXT_BP, piece.start), min(place.end + _CONTEXT_BP, piece.end)


def _paths(run: Path, places: Sequence[Stretch], *, both_strands: bool) -> list[np.ndarray]:
    """Classes that a run predicts on stretches, each with its context."""
    model, _ = load_task_model(run)
    stretches = []
    for place in places:
        piece = place.segment
        start, end = (position - piece.start for position in _context(place))
        stretches.append(predict.Stretch(piece.codes, start, end))
    return list(predict_paths(model, stretches, average_strands=both_strands))


def _disagreement(paths: Sequence[np.ndarray], place: Stretch) -> float:
    """Share of bases on which not all runs agree; for a single run, on which it differs from the truth."""
    first = place.start - _context(place)[0]
    labels = np.stack([path[first : first + place.end - place.start] for path in paths])
    if len(labels) == 1:
        truth = _labels(place)
        return float(((labels[0] != truth) & (truth != MISSING)).mean())
    return float((labels != labels[0]).any(axis=0).mean())


def _genes_of(path: np.ndarray, place: Stretch) -> list[Transcript]:
    return transcripts_from_labels(path, place.segment.chrom, start=_context(place)[0])


def _locus(
    place: Stretch, genes: Sequence[Transcript], predicted: Sequence[Sequence[Transcript]], choice: str
) -> Locus:
    chrom, start, end = place.segment.chrom, place.start, place.end
    return Locus(
        chrom,
        start,
        end,
        truth=_reaching(genes, place),
        predicted=tuple(_reaching(found, place) for found in predicted),
        missing=tuple((start + left, start + right) for left, right in true_runs(_labels(place) == MISSING).tolist()),
        choice=choice,
    )


def _reaching(transcripts: Sequence[Transcript], place: Stretch) -> tuple[Transcript, ...]:
    """Transcripts that share a base with the stretch."""
    chrom = place.segment.chrom
    return tuple(one for one in transcripts if one.chrom == chrom and one.start < place.end and place.start < one.end)
