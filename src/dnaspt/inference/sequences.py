"""Sequences as Python users have them (strings, arrays of letters, FASTA files) to names and codes.

Lower case is kept as soft-masking, U is read as T, IUPAC letters are read as N and counted; anything else is an error.
"""

import errno
import logging
import os
from collections.abc import Iterator
from collections.abc import Sequence as SequenceOf
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dnaspt.errors import InputError
from dnaspt.genome import alphabet
from dnaspt.genome.fasta import read_fasta

log = logging.getLogger(__name__)

Sequences = str | bytes | os.PathLike[str] | SequenceOf[str | bytes | np.ndarray] | np.ndarray
"""One sequence, several, or the path of a FASTA file; see `read_sequences`."""

_LETTERS = "A, C, G, T, N or another IUPAC letter"


class NamedSequence(NamedTuple):
    """A sequence.

    Attributes:
        name: name of the FASTA record; seq1, seq2, ... for sequences without one.
        codes: codes (L,) uint8, see `genome.alphabet`.
    """

    name: str
    codes: np.ndarray


def read_sequences(seqs: Sequences) -> list[NamedSequence]:
    """Names and codes of sequences.

    Args:
        seqs: one of

            - a string of letters: one sequence;
            - a list, tuple or array of strings (also bytes, or arrays of letters): one sequence each;
            - an array of single letters (dtype S1 or U1): one sequence (L,), or B sequences (B, L);
            - the path of a FASTA file, plain, gzip or bgzip: a `Path`, or a string with a dot or a slash in it.

    Returns:
        the sequences in order; none for an empty list.

    Raises:
        InputError: a letter that is not a nucleotide code (the error says which sequence and position), an empty sequence, a
            value that is no sequence, or a FASTA file that cannot be used.

    Example:
        >>> read_sequences(["ACGT", "ggu"])[1].codes.tolist()
        [10, 10, 11]
    """
    if isinstance(seqs, os.PathLike) or (isinstance(seqs, str) and _is_path(seqs)):
        records = [(contig.name, contig.codes, contig.n_ambiguous) for contig in read_fasta(Path(seqs))]
    else:
        records = [(f"seq{n}", *_encode(f"seq{n}", value)) for n, value in enumerate(_values(seqs), start=1)]
    if n_ambiguous := sum(n for _, _, n in records):
        log.warning("%d IUPAC letters other than N were read as N", n_ambiguous)
    return [NamedSequence(name, codes) for name, codes, _ in records]


def _is_path(text: str) -> bool:
    """Whether a string names a file: no nucleotide is a dot or a slash, and no file has lines or NUL in its name."""
    if not ("." in text or "/" in text or os.sep in text) or "\n" in text or "\0" in text:
        return False
    try:
        Path(text).stat()
    except OSError as error:  # a sequence with gaps as dots is too long for a name
        return error.errno != errno.ENAMETOOLONG
    return True


def _values(seqs: Any) -> Iterator[Any]:
    """Each sequence as it was given."""
    if hasattr(seqs, "to_pylist"):  # a column of a pyarrow table
        seqs = seqs.to_pylist()
    elif hasattr(seqs, "to_numpy"):  # of a pandas or polars table
        seqs = seqs.to_numpy()
    if isinstance(seqs, str | bytes | bytearray):
        return iter([seqs])
    if isinstance(seqs, list | tuple):
        return iter(seqs)
    if isinstance(seqs, np.ndarray) and not len(np.atleast_1d(seqs)):
        return iter([])
    if isinstance(seqs, np.ndarray) and seqs.dtype.kind in "SUOT":
        if _holds_letters(seqs):
            return iter(np.atleast_2d(seqs))
        if seqs.ndim <= 1:
            return iter(np.atleast_1d(seqs).tolist())
        raise InputError("sequences", f"an array of strings of shape {seqs.shape}", expected="shape (B,)")
    found = f"an array of {seqs.dtype}" if isinstance(seqs, np.ndarray) else f"a value of type {type(seqs).__name__}"
    raise InputError("sequences", found, expected="strings, arrays of letters, or the path of a FASTA file")


def _holds_letters(array: np.ndarray) -> bool:
    """Whether each element of an array is a single letter: (L,) or (B, L)."""
    return array.ndim in (1, 2) and array.dtype.str[1:] in ("S1", "U1")


def _encode(name: str, value: Any) -> tuple[np.ndarray, int]:
    """Codes of one sequence, and how many letters other than N are read as N."""
    text = _text(name, value)
    if not text:
        raise InputError(name, "an empty sequence", expected=_LETTERS)
    letters = text.encode("ascii", errors="replace")
    codes = alphabet.encode(letters)
    wrong = np.flatnonzero(codes == alphabet.NOT_DNA)
    if len(wrong):
        do = "a FASTA file is given alone, as a Path or a string with a dot or a slash" if _is_file(text) else ""
        raise InputError(name, f"letter {wrong[0] + 1} is {text[wrong[0]]!r}", expected=_LETTERS, do=do)
    n_read_as_n = int(alphabet.is_unknown(codes).sum())
    return codes, n_read_as_n - letters.count(b"N") - letters.count(b"n")


def _is_file(text: str) -> bool:
    """Whether there is a file of this name."""
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # too long, or with NUL
        return False


def _text(name: str, value: Any) -> str:
    """The letters of one sequence."""
    if isinstance(value, str):
        return value
    if isinstance(value, bytes | bytearray):
        return value.decode("latin-1")
    if isinstance(value, np.ndarray) and value.ndim == 1 and _holds_letters(value):
        if value.dtype.kind == "S":
            return value.tobytes().decode("latin-1")
        return value.astype("<U1").tobytes().decode("utf-32-le")
    raise InputError(name, f"a value of type {type(value).__name__}", expected="a string or an array of letters")
