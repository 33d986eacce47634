"""Annotated transcripts to transcripts whose CDS includes the stop codon. Some sources write it so, others do not."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice

import numpy as np

from dnaspt.genome import alphabet
from dnaspt.genome.genetic_code import STANDARD, GeneticCode
from dnaspt.genome.gff3 import AnnotatedTranscript
from dnaspt.genome.intervals import StartEnds, merge_few
from dnaspt.genome.transcripts import Transcript


def stop_codon_in_cds(
    annotated: Iterable[AnnotatedTranscript], codes: np.ndarray, genetic_code: GeneticCode = STANDARD
) -> tuple[list[Transcript], dict[str, int]]:
    """Make the stop codon part of the CDS of each transcript.

    If the annotation has stop_codon rows, they are added to the CDS. Else, if the last codon is not a stop codon but the next
    three bases of the transcript are, these are added. They follow the exons, so also across an intron; or the contig, if the
    annotation has no exon rows.

    Args:
        annotated: transcripts of one contig.
        codes: letters of the contig (L,).
        genetic_code: which codons stop a gene.

    Returns:
        The transcripts; and how many had the stop codon already, got it from rows, got it from the sequence, or have none.
    """
    transcripts: list[Transcript] = []
    counts: Counter[str] = Counter()
    for one in annotated:
        cds, origin = _with_stop_codon(one, codes, genetic_code.stops)
        counts[origin] += 1
        transcripts.append(replace(one.transcript, cds=cds))
    return transcripts, dict(counts)


def stop_rows_in_cds(annotated: AnnotatedTranscript) -> Transcript:
    """The transcript with its stop_codon rows, if it has any, as part of the CDS."""
    return replace(annotated.transcript, cds=merge_few((*annotated.transcript.cds, *annotated.stop_codon)))


def without_stop_codon(transcript: Transcript, codes: np.ndarray, genetic_code: GeneticCode = STANDARD) -> Transcript:
    """The transcript without its last three coding bases, if they are a stop codon; codes: letters of its contig (L,)."""
    last = list(islice(_from_the_end(transcript.cds, transcript.strand), 3))
    if transcript.cds_bp <= 3 or _letters(last[::-1], codes, transcript.strand) not in genetic_code.stops:
        return transcript
    kept = ((base, base + 1) for start, end in transcript.cds for base in range(start, end) if base not in last)
    return replace(transcript, cds=merge_few(kept))


def _with_stop_codon(annotated: AnnotatedTranscript, codes: np.ndarray, stops: Sequence[str]) -> tuple[StartEnds, str]:
    """CDS with the stop codon, and where that came from."""
    cds, strand = annotated.transcript.cds, annotated.transcript.strand
    united = stop_rows_in_cds(annotated).cds
    if united != cds:
        return united, "stop_codons_from_rows"
    last = list(islice(_from_the_end(cds, strand), 3))
    if _letters(last[::-1], codes, strand) in stops:
        return cds, "stop_codons_in_cds"
    following = list(islice(_after_cds(annotated, len(codes)), 3))
    if _letters(following, codes, strand) in stops:
        return merge_few((*cds, *((base, base + 1) for base in following))), "stop_codons_from_sequence"
    return cds, "stop_codons_not_found"


def _along(intervals: StartEnds, strand: str) -> Iterator[int]:
    """Positions of intervals in the direction of transcription."""
    if strand == "+":
        return (base for start, end in intervals for base in range(start, end))
    return (base for start, end in reversed(intervals) for base in range(end - 1, start - 1, -1))


def _from_the_end(intervals: StartEnds, strand: str) -> Iterator[int]:
    """Positions of intervals against the direction of transcription."""
    return _along(intervals, "-" if strand == "+" else "+")


def _after_cds(annotated: AnnotatedTranscript, length_bp: int) -> Iterator[int]:
    """Positions of the transcript behind its CDS, in the direction of transcription."""
    transcript = annotated.transcript
    exons = annotated.exons or ((0, length_bp),)
    if transcript.strand == "-":
        behind = tuple((start, min(end, transcript.start)) for start, end in exons if start < transcript.start)
    else:
        behind = tuple(
            (max(start, transcript.end), min(end, length_bp)) for start, end in exons if end > transcript.end
        )
    return _along(behind, transcript.strand)


def _letters(positions: list[int], codes: np.ndarray, strand: str) -> str:
    """Letters at positions that stand in the direction of transcription, as that strand reads."""
    letters = alphabet.tokens(codes[positions])
    return alphabet.decode(letters if strand == "+" else alphabet.reverse_complement(letters)[::-1])
