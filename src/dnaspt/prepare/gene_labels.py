"""One contig and its annotated transcripts to a label for each base, and to the reference transcripts of each split."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from dnaspt.data.transcript_table import ReferenceTranscript
from dnaspt.errors import InputError
from dnaspt.genome import alphabet
from dnaspt.genome.fasta import Contig
from dnaspt.genome.gene_states import MIN_INTRON_BP, label_contig, longest_per_gene
from dnaspt.genome.genetic_code import SPLICE_PAIRS
from dnaspt.genome.gff3 import AnnotatedTranscript
from dnaspt.genome.stop_in_cds import stop_codon_in_cds
from dnaspt.genome.transcripts import Transcript
from dnaspt.prepare.splits import SplitInterval

INTRON_MOTIFS = {pair.donor + pair.acceptor: f"introns_{pair.donor}_{pair.acceptor}".lower() for pair in SPLICE_PAIRS}
"""First and last two bases of nearly all introns, and the name under which each motif is counted."""


@dataclass(frozen=True, slots=True)
class LabeledContig:
    """A contig with its genes as labels.

    Attributes:
        labels: classes (L,) int8 along the forward strand, `MISSING` where unknown.
        intervals: intervals of the contig by split.
        longest: the transcript of each gene that the labels follow, by start.
        references: transcripts that lie in one split, isoforms included.
        counts: what was found, and what became missing for which reason.
        dropped: transcripts that are no reference in any split.
    """

    labels: np.ndarray
    intervals: tuple[SplitInterval, ...]
    longest: tuple[Transcript, ...]
    references: tuple[ReferenceTranscript, ...]
    counts: dict[str, int]
    dropped: dict[str, int]


def label_genes(
    contig: Contig,
    annotated: Sequence[AnnotatedTranscript],
    intervals: Sequence[SplitInterval],
    *,
    unknown: Sequence[tuple[int, int]] = (),
    coding: Sequence[tuple[int, int]] = (),
    is_circular: bool = False,
) -> LabeledContig:
    """Label a contig by the longest transcript of each gene. A gene that does not lie in one split is missing.

    No base that is coding in any transcript is labeled non-coding: where the labeled transcripts do not reach, it is missing.

    Args:
        contig: name and sequence of the contig.
        annotated: its coding transcripts.
        intervals: its intervals by split.
        unknown: start and end of intervals whose annotation is unknown.
        coding: start and end of intervals that are coding in transcripts which are left out.
        is_circular: whether the contig is circular. A gene across its origin, whose end lies behind the end of the contig, is
            missing then, on both sides.

    Raises:
        InputError: a CDS ends off the contig.
    """
    coding = list(coding)
    over_origin = [row for row in annotated if is_circular and _last_base(row) > len(contig)]
    if over_origin:
        annotated = [row for row in annotated if _last_base(row) <= len(contig)]
        coding += [(row.transcript.start, row.transcript.end) for row in over_origin]
        coding += [stop for row in over_origin for stop in row.stop_codon]
    n_off_contig = 0 if is_circular else sum(end > len(contig) for _, end in (*unknown, *coding))
    if is_circular:
        coding, unknown = (_on_circle(intervals, len(contig)) for intervals in (coding, unknown))
    _check_ends(annotated, contig)
    transcripts, stop_counts = stop_codon_in_cds(annotated, contig.codes)
    longest, gene_counts = longest_per_gene(transcripts)
    across_splits = [transcript for transcript in longest if _interval_with(transcript, intervals) is None]
    unknown = [*unknown, *((transcript.start, transcript.end) for transcript in across_splits)]
    coding += [interval for transcript in transcripts for interval in transcript.cds]
    labels, label_counts = label_contig(longest, contig.codes, unknown=unknown, coding=coding)
    counts = Counter(
        genes_across_splits=sum(_overlaps_any(transcript, intervals) for transcript in across_splits),
        transcripts_across_origin=len(over_origin),
        coding_off_contig=n_off_contig,
    )
    for more in (stop_counts, gene_counts, label_counts, _structure_counts(longest, contig.codes)):
        counts.update(more)
    references = tuple(_references(transcripts, longest, intervals))
    dropped = {"transcripts_not_in_one_split": len(transcripts) - len(references)}
    return LabeledContig(labels, tuple(intervals), tuple(longest), references, dict(counts), dropped)


def _last_base(row: AnnotatedTranscript) -> int:
    """Base behind the last one of the CDS and of stop_codon rows."""
    return max(row.transcript.end, *(end for _, end in row.stop_codon), 0)


def _on_circle(intervals: Iterable[tuple[int, int]], length_bp: int) -> list[tuple[int, int]]:
    """Intervals of a circular contig; what reaches beyond its end goes on at its start."""
    intervals = list(intervals)
    beyond = [(max(start - length_bp, 0), end - length_bp) for start, end in intervals if end > length_bp]
    return [(start, min(end, length_bp)) for start, end in intervals if start < length_bp] + beyond


def _check_ends(annotated: Iterable[AnnotatedTranscript], contig: Contig) -> None:
    """Refuse a CDS that ends off its contig."""
    for row in annotated:
        end = _last_base(row)
        if end > len(contig):
            found = f"CDS of {row.transcript.transcript_id!r} ends at {end:,} on {contig.name!r}"
            expected = f"at most {len(contig):,}, the length of the contig"
            do = "is it the annotation of this genome?"
            raise InputError(row.path, found, expected=expected, do=do, line=row.line)


def _interval_with(transcript: Transcript, intervals: Iterable[SplitInterval]) -> SplitInterval | None:
    """The interval that holds the whole CDS, introns included."""
    for interval in intervals:
        if interval.start <= transcript.start and transcript.end <= interval.end:
            return interval
    return None


def _overlaps_any(transcript: Transcript, intervals: Iterable[SplitInterval]) -> bool:
    return any(transcript.start < interval.end and interval.start < transcript.end for interval in intervals)


def _references(
    transcripts: Iterable[Transcript], longest: Iterable[Transcript], intervals: Sequence[SplitInterval]
) -> Iterator[ReferenceTranscript]:
    """Transcripts to score predictions by: each in one split, and of a gene whose labels are known."""
    labeled = {
        transcript.gene_id: transcript.transcript_id
        for transcript in longest
        if _interval_with(transcript, intervals) is not None
    }
    for transcript in transcripts:
        interval = _interval_with(transcript, intervals)
        if interval is not None and transcript.gene_id in labeled:
            is_longest = labeled[transcript.gene_id] == transcript.transcript_id
            yield ReferenceTranscript(transcript, interval.split, is_longest)


def _structure_counts(longest: Sequence[Transcript], codes: np.ndarray) -> dict[str, int]:
    """Introns by motif, and CDS whose length is not a multiple of 3."""
    counts: Counter[str] = Counter()
    for transcript in longest:
        counts["cds_not_multiple_of_3"] += transcript.cds_bp % 3 != 0
        counts["introns"] += len(transcript.introns)
        for start, end in transcript.introns:
            if end - start < MIN_INTRON_BP:
                continue
            ends = alphabet.tokens(codes[[start, start + 1, end - 2, end - 1]])
            letters = alphabet.decode(alphabet.reverse_complement(ends) if transcript.strand == "-" else ends)
            counts[INTRON_MOTIFS.get(letters, "introns_other")] += 1
    return dict(counts)
