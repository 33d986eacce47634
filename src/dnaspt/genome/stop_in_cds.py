"""Transcripts and labels whose CDS includes the stop codon, from those that leave it out, and back. Sources do either."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

from dnaspt.genome import alphabet
from dnaspt.genome.gene_states import CDS, MINUS, MISSING, NONCODING, transcripts_from_labels
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


def with_stop_codon(transcript: Transcript, codes: np.ndarray, genetic_code: GeneticCode = STANDARD) -> Transcript:
    """The transcript with the three bases behind its CDS, if they are a stop codon and its last codon is none.

    Args:
        transcript: a transcript of which nothing but the CDS is known.
        codes: letters of its contig (L,).
        genetic_code: which codons stop a gene.
    """
    return replace(transcript, cds=_with_stop_codon(_cds_alone(transcript), codes, genetic_code.stops)[0])


def labels_with_stop_codons(labels: np.ndarray, codes: np.ndarray, genetic_code: GeneticCode = STANDARD) -> np.ndarray:
    """Labels that leave stop codons out of the CDS to labels that have them in it: (L,) int8 -> (L,) int8.

    The three bases behind the CDS of a gene become coding where they are a stop codon. Where they are none, they become missing:
    an intron may split the stop codon or stand before it, and the labels do not say where that intron ends. A gene
    that a missing label, an intron or the end of the sequence cuts stays as it is.

    Args:
        labels: class of each base (L,) int8, see `GENE_STATES`.
        codes: letters of the same bases (L,).
        genetic_code: which codons stop a gene.
    """
    result = labels.copy()
    for gene in transcripts_from_labels(labels, ""):
        is_plus = gene.strand == "+"
        behind = slice(gene.end, gene.end + 3) if is_plus else slice(max(gene.start - 3, 0), gene.start)
        classes = labels[behind] if is_plus else labels[behind][::-1]
        _, origin = _with_stop_codon(_cds_alone(gene), codes, genetic_code.stops)
        if origin == _IN_CDS or classes[:1].tolist() != [NONCODING]:
            continue
        if origin == _FROM_SEQUENCE and (classes == NONCODING).all():
            result[behind] = CDS if is_plus else CDS + MINUS
        else:
            result[behind] = np.where(result[behind] == NONCODING, MISSING, result[behind])
    return result


def without_stop_codon(transcript: Transcript, codes: np.ndarray, genetic_code: GeneticCode = STANDARD) -> Transcript:
    """The transcript without its last three coding bases, if they are a stop codon.

    Args:
        transcript: the transcript.
        codes: letters of its contig (L,).
        genetic_code: which codons stop a gene.
    """
    last = list(islice(_from_the_end(transcript.cds, transcript.strand), 3))
    if transcript.cds_bp <= 3 or _letters(last[::-1], codes, transcript.strand) not in genetic_code.stops:
        return transcript
    kept = ((base, base + 1) for start, end in transcript.cds for base in range(start, end) if base not in last)
    return replace(transcript, cds=merge_few(kept))


_IN_CDS, _FROM_SEQUENCE = "stop_codons_in_cds", "stop_codons_from_sequence"
"""Where a stop codon was found, as it is counted."""


def _cds_alone(transcript: Transcript) -> AnnotatedTranscript:
    """A transcript without further rows of an annotation."""
    return AnnotatedTranscript(transcript, exons=(), stop_codon=(), line=0, path=Path())


def _with_stop_codon(annotated: AnnotatedTranscript, codes: np.ndarray, stops: Sequence[str]) -> tuple[StartEnds, str]:
    """CDS with the stop codon, and where that came from."""
    cds, strand = annotated.transcript.cds, annotated.transcript.strand
    united = stop_rows_in_cds(annotated).cds
    if united != cds:
        return united, "stop_codons_from_rows"
    last = list(islice(_from_the_end(cds, strand), 3))
    if _letters(last[::-1], codes, strand) in stops:
        return cds, _IN_CDS
    following = list(islice(_after_cds(annotated, len(codes)), 3))
    if _letters(following, codes, strand) in stops:
        return merge_few((*cds, *((base, base + 1) for base in following))), _FROM_SEQUENCE
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
