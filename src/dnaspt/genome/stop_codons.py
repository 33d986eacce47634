"""Annotated transcripts to transcripts whose CDS includes the stop codon, whichever way their source writes it."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice

import numpy as np

from dnaspt.genome import alphabet
from dnaspt.genome.genetic_code import STANDARD
from dnaspt.genome.gff3 import AnnotatedTranscript
from dnaspt.genome.intervals import StartEnds, merge_few
from dnaspt.genome.transcripts import Transcript


def stop_codon_in_cds(
    annotated: Iterable[AnnotatedTranscript], codes: np.ndarray
) -> tuple[list[Transcript], dict[str, int]]:
    """Transcripts with the stop codon in the CDS.

    Rows that name it are united with the CDS. Else, where the last codon is no stop and the next three bases of the
    transcript are one, these are added: following the exons, so across an intron too, or along the contig where the
    file says nothing of exons.

    Args:
        annotated: transcripts of one contig.
        codes: letters of the contig (L,).

    Returns:
        the transcripts, and counts: stop codon already there, from rows, from the sequence, none found.
    """
    found: list[Transcript] = []
    counts: Counter[str] = Counter()
    for one in annotated:
        cds, kind = _with_stop(one, codes)
        counts[kind] += 1
        found.append(replace(one.transcript, cds=cds))
    return found, dict(counts)


def without_stop_codon(transcript: Transcript, codes: np.ndarray) -> Transcript:
    """The transcript without the last three coding bases where they are a stop codon; codes: letters of its contig (L,)."""
    minus = transcript.strand == "-"
    backward = list(islice(_forward(transcript.cds) if minus else _backward(transcript.cds), 3))
    if transcript.cds_bp <= 3 or _codon(iter(backward), codes, minus=minus, reverse=True) not in STANDARD.stops:
        return transcript
    cut = set(backward)
    kept = ((base, base + 1) for base in _forward(transcript.cds) if base not in cut)
    return replace(transcript, cds=merge_few(kept))


def _with_stop(one: AnnotatedTranscript, codes: np.ndarray) -> tuple[StartEnds, str]:
    cds, minus = one.transcript.cds, one.transcript.strand == "-"
    united = merge_few((*cds, *one.stop_codon))
    if united != cds:
        return united, "stop_codons_from_rows"
    if _codon(_backward(cds) if not minus else _forward(cds), codes, minus=minus, reverse=True) in STANDARD.stops:
        return cds, "stop_codons_in_cds"
    after = list(islice(_after(one, len(codes)), 3))
    if _codon(iter(after), codes, minus=minus, reverse=False) in STANDARD.stops:
        return merge_few((*cds, *((base, base + 1) for base in after))), "stop_codons_from_sequence"
    return cds, "stop_codons_not_found"


def _forward(intervals: StartEnds) -> Iterator[int]:
    return (base for start, end in intervals for base in range(start, end))


def _backward(intervals: StartEnds) -> Iterator[int]:
    return (base for start, end in reversed(intervals) for base in range(end - 1, start - 1, -1))


def _after(one: AnnotatedTranscript, length_bp: int) -> Iterator[int]:
    """Bases of the transcript behind its CDS, in the direction of transcription."""
    transcript = one.transcript
    exons = one.exons or ((0, length_bp),)
    if transcript.strand == "-":
        return _backward(tuple((start, min(end, transcript.start)) for start, end in exons if start < transcript.start))
    return _forward(
        tuple((max(start, transcript.end), min(end, length_bp)) for start, end in exons if end > transcript.end)
    )


def _codon(bases: Iterator[int], codes: np.ndarray, *, minus: bool, reverse: bool) -> str:
    """Letters at the first three of `bases`; `reverse` where they come against the direction of transcription."""
    triplet = list(islice(bases, 3))
    letters = alphabet.tokens(codes[triplet[::-1] if reverse else triplet])
    if minus:
        letters = alphabet.reverse_complement(letters)[::-1]
    return alphabet.decode(letters)
