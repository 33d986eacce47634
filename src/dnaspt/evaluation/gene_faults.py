"""Transcripts and their genome to counts of illegal structures: splice sites, frames, start and stop codons.

A base that is not known (N) is never held against a structure. Standard genetic code.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from dnaspt.frozen_dict import freeze
from dnaspt.genome.alphabet import N, encode, reverse_complement, tokens
from dnaspt.genome.genetic_code import SPLICE_PAIRS, STANDARD
from dnaspt.genome.transcripts import Transcript

INTRON_FAULT = "intron not GT-AG, GC-AG or AT-AC"
TRANSCRIPT_FAULTS = ("length not a multiple of 3", "stop codon in frame", "no start codon", "no stop codon")


def _numbers(letters: Iterable[str]) -> np.ndarray:
    """Numbers of strings of letters, see `_number`."""
    return np.array([_number(encode(word)) for word in letters])


def _number(codes: np.ndarray) -> np.ndarray:
    """Strings of w codes 0..4 as numbers to the base 5: (..., w) -> (...)."""
    return codes.astype(np.int64) @ (5 ** np.arange(codes.shape[-1])[::-1])


_SPLICE = _numbers(pair.donor + pair.acceptor for pair in SPLICE_PAIRS)
_START = _numbers(STANDARD.starts)
_STOP = _numbers(STANDARD.stops)


@dataclass(frozen=True, slots=True)
class StructureReport:
    """How many transcripts have an illegal structure.

    Attributes:
        n_transcripts: transcripts looked at.
        n_introns: their introns.
        n_illegal: transcripts with one fault or more.
        faults: faults by kind; the first kind counts introns, the others count transcripts.
    """

    n_transcripts: int
    n_introns: int
    n_illegal: int
    faults: Mapping[str, int]

    def __post_init__(self) -> None:
        freeze(self, "faults")

    def to_dict(self) -> dict[str, Any]:
        """Content of a JSON file, with rates per intron and per transcript (None where there are none)."""
        among = {kind: self.n_introns if kind == INTRON_FAULT else self.n_transcripts for kind in self.faults}
        rates = {kind: count / among[kind] if among[kind] else None for kind, count in self.faults.items()}
        return asdict(self) | {"faults": dict(self.faults), "rates": rates}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> "StructureReport":
        """A report from the content of a JSON file."""
        counts = {name: int(raw[name]) for name in ("n_transcripts", "n_introns", "n_illegal")}
        return cls(**counts, faults=dict(raw["faults"]))


def structure_report(
    transcripts: Iterable[Transcript], codes_by_chrom: Mapping[str, np.ndarray], *, stop_in_cds: bool = True
) -> StructureReport:
    """Count illegal structures.

    Args:
        transcripts: true or predicted transcripts.
        codes_by_chrom: codes (L,) uint8 of whole contigs; see `genome.alphabet`.
        stop_in_cds: whether the stop codon is part of the CDS; if not, it is looked for in the three bases after it.

    Raises:
        ValueError: a transcript ends off its contig.
        KeyError: a contig has no sequence.
    """
    faults: Counter[str] = Counter(dict.fromkeys((INTRON_FAULT, *TRANSCRIPT_FAULTS), 0))
    n_transcripts = n_introns = n_illegal = 0
    for transcript in transcripts:
        codes = codes_by_chrom[transcript.chrom]
        if transcript.end > len(codes):
            raise ValueError(f"{transcript.transcript_id} ends at {transcript.end} of {len(codes)} bases")
        own_faults = _faults(transcript, codes, stop_in_cds=stop_in_cds)
        faults.update(own_faults)
        n_transcripts += 1
        n_introns += len(transcript.cds) - 1
        n_illegal += bool(own_faults.total())
    return StructureReport(n_transcripts, n_introns, n_illegal, dict(faults))


def _faults(transcript: Transcript, codes: np.ndarray, *, stop_in_cds: bool) -> Counter[str]:
    """Faults of one transcript by kind."""
    codons, n_left_over, after = _codons(transcript, codes)
    body, end = (codons[:-1], codons[-1:]) if stop_in_cds else (codons, after)
    flags = (n_left_over > 0, _is_any(body, _STOP).any(), not _may_be(codons[:1], _START), not _may_be(end, _STOP))
    faults = Counter({kind: 1 for kind, flag in zip(TRANSCRIPT_FAULTS, flags, strict=True) if flag})
    if n_illegal := _illegal_introns(transcript, codes):
        faults[INTRON_FAULT] = n_illegal
    return faults


def _codons(transcript: Transcript, codes: np.ndarray) -> tuple[np.ndarray, int, np.ndarray]:
    """Whole codons (n, 3) along the transcript, how many bases are left over, and the codon behind them (1, 3)."""
    coding = tokens(np.concatenate([codes[start:end] for start, end in transcript.cds]))
    after = tokens(codes[transcript.end : transcript.end + 3])
    if transcript.strand == "-":
        coding = reverse_complement(coding)
        after = reverse_complement(tokens(codes[max(transcript.start - 3, 0) : transcript.start]))
    n_codons, n_left_over = divmod(len(coding), 3)
    return (
        coding[: 3 * n_codons].reshape(-1, 3),
        n_left_over,
        after.reshape(-1, 3)[:1] if len(after) == 3 else after[:0],
    )


def _is_any(codons: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """Which codons (n, 3), or splice pairs (n, 4), are among the allowed ones: (n,)."""
    return np.isin(_number(codons), allowed)


def _may_be(codon: np.ndarray, allowed: np.ndarray) -> bool:
    """Whether a codon (1, 3) is allowed or not fully known; False where there is none (0, 3)."""
    return len(codon) > 0 and bool((codon >= N).any() or _is_any(codon, allowed).all())


def _illegal_introns(transcript: Transcript, codes: np.ndarray) -> int:
    """How many introns are too short for two splice sites or have none of the three pairs of them."""
    if len(transcript.cds) == 1:
        return 0
    start, end = np.array(transcript.introns).T
    pairs = tokens(codes[np.stack([start, start + 1, end - 2, end - 1], axis=1)])
    if transcript.strand == "-":
        pairs = reverse_complement(pairs)
    legal = (pairs >= N).any(axis=1) | _is_any(pairs, _SPLICE)
    return int((~legal | (end - start < 4)).sum())
