"""Transcripts and their contig to coding sequences and proteins, read in the direction of transcription."""

from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from itertools import product

import numpy as np

from dnaspt.genome.alphabet import LETTERS, N, decode, reverse_complement, tokens
from dnaspt.genome.genetic_code import STANDARD, STOP, GeneticCode
from dnaspt.genome.intervals import StartEnds
from dnaspt.genome.transcripts import Transcript

UNKNOWN_AMINO_ACID = "X"
_WIDTH = 60
"""Letters in a line of FASTA."""


def coding_codes(transcript: Transcript, codes: np.ndarray) -> np.ndarray:
    """Codes of the CDS from its first whole codon on: letters of the contig (L,) -> (n,) uint8, each base with its case."""
    coding = np.concatenate([codes[start:end] for start, end in transcript.cds])
    return (reverse_complement(coding) if transcript.strand == "-" else coding)[transcript.phase :]


def translate(coding: np.ndarray, code: GeneticCode = STANDARD) -> str:
    """Amino acids of the whole codons of a coding sequence (n,); what is left over at its end is not read.

    A stop codon is `*`. A codon with N is the amino acid that it must be, else X.
    """
    codons = tokens(coding[: len(coding) // 3 * 3]).reshape(-1, 3).astype(np.int64)
    return str(_amino_acids(code)[codons @ (len(LETTERS) ** 2, len(LETTERS), 1)].tobytes(), "ascii")


@cache
def _amino_acids(code: GeneticCode) -> np.ndarray:
    """ASCII of the amino acid of each of the 125 codons of A, C, G, T and N."""
    meanings = []
    for codon in product(LETTERS, repeat=len("ACG")):
        possible = product(*(LETTERS[:N] if letter == "N" else letter for letter in codon))
        found = {code.amino_acids["".join(letters)] for letters in possible}
        meanings.append(found.pop() if len(found) == 1 else UNKNOWN_AMINO_ACID)
    return np.frombuffer("".join(meanings).encode(), np.uint8)


def protein(transcript: Transcript, codes: np.ndarray, code: GeneticCode = STANDARD) -> str:
    """The protein of a transcript: its whole codons, but for a stop codon at its end.

    Args:
        transcript: the transcript.
        codes: letters of its contig (L,).
        code: what each codon means.
    """
    return translate(coding_codes(transcript, codes), code).removesuffix(STOP)


def coding_letters(transcript: Transcript, codes: np.ndarray) -> str:
    """The CDS of a transcript from its first whole codon on, soft-masked bases in lower case; codes: of its contig (L,)."""
    return decode(coding_codes(transcript, codes))


def with_codons_read(transcript: Transcript, codes: np.ndarray, code: GeneticCode = STANDARD) -> Transcript:
    """The transcript with `has_start` and `has_stop` by its letters.

    It counts in codons from its first coding base on. A stop codon must end the last whole codon, and be none by itself.

    Args:
        transcript: the transcript.
        codes: letters of its contig (L,).
        code: which codons start and stop a gene.
    """
    letters = decode(tokens(coding_codes(transcript, codes)))
    has_start = transcript.phase == 0 and letters[:3] in code.starts
    has_stop = len(letters) % 3 == 0 and len(letters) > 3 and letters[-3:] in code.stops
    return replace(transcript, has_start=has_start, has_stop=has_stop)


def fasta_record(name: str, letters: str) -> str:
    """A record of FASTA, in lines of 60 letters."""
    lines = [letters[first : first + _WIDTH] for first in range(0, len(letters), _WIDTH)]
    return "\n".join([f">{name}", *lines, ""])


def first_coding_bases(cds: StartEnds, strand: str, n: int) -> StartEnds:
    """The first n coding bases in the direction of transcription, as intervals in ascending order.

    Args:
        cds: (start, end) of each CDS interval, ascending.
        strand: "+" or "-".
        n: number of bases.
    """
    kept, left = [], n
    for start, end in cds if strand == "+" else reversed(cds):
        if left > 0:
            kept.append((start, min(end, start + left)) if strand == "+" else (max(start, end - left), end))
            left -= end - start
    return _ascending(kept, strand)


def last_coding_bases(cds: StartEnds, strand: str, n: int) -> StartEnds:
    """The last n coding bases in the direction of transcription, as intervals in ascending order.

    Args:
        cds: (start, end) of each CDS interval, ascending.
        strand: "+" or "-".
        n: number of bases.
    """
    return first_coding_bases(cds, "-" if strand == "+" else "+", n)


def without_last_coding_bases(cds: StartEnds, strand: str, n: int) -> StartEnds:
    """The CDS without its last n bases in the direction of transcription.

    Args:
        cds: (start, end) of each CDS interval, ascending.
        strand: "+" or "-".
        n: number of bases.
    """
    return first_coding_bases(cds, strand, sum(end - start for start, end in cds) - n)


def _ascending(intervals: Iterable[tuple[int, int]], strand: str) -> StartEnds:
    ordered = tuple(intervals)
    return ordered if strand == "+" else ordered[::-1]
