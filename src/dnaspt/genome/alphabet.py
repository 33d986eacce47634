"""DNA letters <-> codes. The code of a base is its token id (A C G T N = 0..4), with bit 3 set if the letter was lower case.

Every other IUPAC letter becomes N, and the reader of the file counts it. Any other character is not DNA (code 255).
"""

import numpy as np

A, C, G, T, N = range(5)
SOFT_MASKED = 8
"""Bit that marks a soft-masked (lower-case) base; see `tokens` and `soft_masked`."""
NOT_DNA = 255
LETTERS = "ACGTN"
MOST_UNKNOWN = 0.5
"""Largest share of N in a sequence that a model is asked about; beyond it, the answer would be made up."""

_ENCODE = np.full(256, NOT_DNA, dtype=np.uint8)
for _letter in "URYSWKMBDHV":
    _ENCODE[ord(_letter)] = N
    _ENCODE[ord(_letter.lower())] = N | SOFT_MASKED
_ENCODE[ord("U")], _ENCODE[ord("u")] = T, T | SOFT_MASKED
for _code, _letter in enumerate(LETTERS):
    _ENCODE[ord(_letter)] = _code
    _ENCODE[ord(_letter.lower())] = _code | SOFT_MASKED

_DECODE: np.ndarray = np.full(256, ord("?"), dtype=np.uint8)
_DECODE[:5] = np.frombuffer(LETTERS.encode(), dtype=np.uint8)
_DECODE[SOFT_MASKED : SOFT_MASKED + 5] = np.frombuffer(LETTERS.lower().encode(), dtype=np.uint8)

_COMPLEMENT = np.arange(256, dtype=np.uint8)
_COMPLEMENT[:4] = (T, G, C, A)
_COMPLEMENT[SOFT_MASKED : SOFT_MASKED + 4] = _COMPLEMENT[:4] | SOFT_MASKED


def encode(letters: str | bytes | bytearray | memoryview) -> np.ndarray:
    """Codes of a sequence of L ASCII letters: (L,) uint8. Bit 3 keeps the case; 255 stands for what is not DNA."""
    if isinstance(letters, str):
        letters = letters.encode("ascii", errors="replace")
    return _ENCODE[np.frombuffer(letters, dtype=np.uint8)]


def decode(codes: np.ndarray) -> str:
    """Letters of codes (L,). Soft-masked bases are in lower case."""
    return str(_DECODE[codes].tobytes(), "ascii")


def tokens(codes: np.ndarray) -> np.ndarray:
    """Token id of each base, whatever its case: codes (...) -> (...) uint8, A C G T N = 0..4."""
    return np.asarray(codes & (SOFT_MASKED - 1))


def soft_masked(codes: np.ndarray) -> np.ndarray:
    """Whether each base is soft-masked, as repeats are: codes (...) -> (...) bool."""
    return np.asarray((codes & SOFT_MASKED) != 0)


def is_unknown(codes: np.ndarray) -> np.ndarray:
    """Whether each base is N: codes (...) -> (...) bool."""
    return np.asarray(tokens(codes) == N)


def is_mostly_unknown(codes: np.ndarray) -> bool:
    """Whether more than half of a sequence's codes (L,) are N; an empty one is not."""
    return bool(is_unknown(codes).sum() > MOST_UNKNOWN * len(codes))


def mostly_unknown_bins(codes: np.ndarray, bin_bp: int) -> np.ndarray:
    """Whether more than half of each bin's codes are N: codes (n * bin_bp,) -> (n,) bool."""
    return np.asarray(is_unknown(codes).reshape(-1, bin_bp).sum(axis=1) > MOST_UNKNOWN * bin_bp)


def cpg_positions(codes: np.ndarray) -> np.ndarray:
    """Positions of the C of each CpG: codes (L,) -> (n,) int64, ascending."""
    bases = tokens(codes)
    return np.flatnonzero((bases[:-1] == C) & (bases[1:] == G))


def reverse_complement(codes: np.ndarray) -> np.ndarray:
    """Codes of the opposite strand, read 5' to 3': (..., L) -> (..., L). N stays N, and each base keeps its case."""
    return np.asarray(_COMPLEMENT[codes][..., ::-1])
