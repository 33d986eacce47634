"""DNA letters <-> codes. A code is the letter's token id (A C G T N = 0..4); bit 3 is set where the letter was lower case.

Every other IUPAC letter is read as N and counted by the reader; anything else is no DNA (code 255).
"""

import numpy as np

A, C, G, T, N = range(5)
SOFT_MASKED = 8
"""Bit that marks a soft-masked (lower-case) base: `code & 7` is the token, `code & 8` the mask."""
NOT_DNA = 255
LETTERS = "ACGTN"

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
    """Codes of a sequence of L ASCII letters: (L,) uint8, case kept in bit 3, other characters 255."""
    if isinstance(letters, str):
        letters = letters.encode("ascii", errors="replace")
    return _ENCODE[np.frombuffer(letters, dtype=np.uint8)]


def decode(codes: np.ndarray) -> str:
    """Letters of codes (L,), soft-masked bases in lower case."""
    return str(_DECODE[codes].tobytes(), "ascii")


def reverse_complement(codes: np.ndarray) -> np.ndarray:
    """Codes of the opposite strand, read 5' to 3': (..., L) -> (..., L). N stays N; case is kept."""
    return np.asarray(_COMPLEMENT[codes][..., ::-1])
