"""A seed to an invented species: base composition, codon usage and sequence signals, which all its genomes share.

Sequence comes from Markov chains: of order 4 for bases, of order 1 for codons.
"""

from dataclasses import dataclass

import numpy as np

from dnaspt.genome import alphabet
from dnaspt.genome.genetic_code import CODONS, STANDARD

ORDER = 4
_LANES = 64
_CONTRAST = 0.30
_CODON_CONTRAST = 0.45
_CODON_ORDER_CONTRAST = 0.25
_CPG_LEFT = 0.25
"""How much of the expected CpGs sequence outside of islands keeps: methylated C mutates to T."""
STOP_USAGE = {"TAA": 0.5, "TGA": 0.3, "TAG": 0.2}
"""Share of genes that end with each stop codon."""

_AMINO_ACIDS = dict(
    zip("ARNDCQEGHILKMFPSTWYV", (8, 5, 4, 5, 2, 4, 6, 7, 2, 6, 9, 6, 2, 4, 5, 8, 5, 1, 3, 7), strict=True)
)
"""Frequency of each amino acid in proteins, in whole percent."""

_COMPOSITION = {
    "intergenic": (0.32, 0.18, 0.18, 0.32),
    "intron": (0.27, 0.16, 0.17, 0.40),
    "utr": (0.31, 0.20, 0.17, 0.32),
    "island": (0.18, 0.32, 0.32, 0.18),
}


CODON_CODES = np.stack([alphabet.encode(codon) for codon in CODONS])
"""Codes of the 64 codons (64, 3), AAA first."""
SENSE = np.array([index for index, codon in enumerate(CODONS) if codon not in STANDARD.stops])
"""Indices of the 61 codons that are not a stop codon."""


def weights(*columns: str) -> np.ndarray:
    """Position weight matrix (L, 4) from a text for each position, such as "A60 G30": percent; other bases share the rest."""
    matrix: np.ndarray = np.zeros((len(columns), 4))
    for row, column in zip(matrix, columns):
        given = {"ACGT".index(share[0]): int(share[1:]) / 100 for share in column.split()}
        row[:] = (1 - sum(given.values())) / max(1, 4 - len(given))
        row[list(given)] = list(given.values())
    return np.asarray(matrix / matrix.sum(axis=1, keepdims=True))


EXON_END = weights("A35 C35", "A62", "G80")
"""Last bases of an exon, before a donor."""
DONOR_TAIL = weights("A60 G36", "A72", "G82", "T60")
"""Intron bases 3 to 6, after GT or GC."""
BRANCH_POINT = weights("C45 T45", "T80", "A45 G35", "A96", "C60 T30")
POLYPYRIMIDINE = weights(*["T58 C28"] * 11)
ACCEPTOR_HEAD = weights("A30 T30", "C68 T28")
"""The two bases of an intron before its AG."""
EXON_START = weights("G55 A25")
"""First base of an exon, after an acceptor."""
BEFORE_START = weights("A35 C30", "C45 A30", "A45 C30", "A62 G28", "A48 C32", "A40 C42")
"""The six bases before the start codon: like the Kozak sequence (Kozak 1987), but not with its numbers."""
TATA_BOX = weights("T85", "A92", "T88", "A92", "A60 T38", "A75", "A50 G25")
POLYADENYLATION = alphabet.encode("AATAAA")
MOTIFS = {
    "A": weights("T80", "G92", "A94", "C75 G20", "G55 C35", "T92", "C92", "A94", "T60 C25", "C60"),
    "B": weights("G70 A25", "C90", "C94", "A60 C30", "C92", "G90", "C85", "C92", "C75 T20", "T60 A25"),
}
"""Motifs of the two kinds of peaks, as position weight matrices."""


@dataclass(frozen=True, slots=True)
class Species:
    """What all genomes of a species share.

    Attributes:
        bases: for each kind of sequence, cumulative probabilities of the next base after the last four (256, 4).
        codons: cumulative probabilities of the next codon after the last (61, 61), in the order of `SENSE`.
        repeats: ancestor of each repeat family, codes (L,).
    """

    bases: dict[str, np.ndarray]
    codons: np.ndarray
    repeats: tuple[np.ndarray, ...]


def make_species(seed: int, n_repeat_families: int = 6) -> Species:
    """Draw a species. The same seed gives the same species."""
    rng = np.random.default_rng(np.random.SeedSequence((seed, 0)))
    bases = {}
    for kind, composition in _COMPOSITION.items():
        table = np.array(composition) * np.exp(rng.normal(0, _CONTRAST, (4**ORDER, 4)))
        if kind != "island":
            table[alphabet.C :: 4, alphabet.G] *= _CPG_LEFT
        bases[kind] = _cumulative(table)
    lengths = rng.integers(200, 600, n_repeat_families)
    repeats = tuple(sample_chain(rng, bases["island"], int(length))[:length] for length in lengths)
    return Species(bases=bases, codons=_cumulative(_codon_table(rng)), repeats=repeats)


def _codon_table(rng: np.random.Generator) -> np.ndarray:
    """Weights of the next codon after the last (61, 61).

    They follow the frequency of the amino acids, prefer some synonymous codons, and depend a little on the last codon.
    """
    residues = np.array([STANDARD.amino_acids[CODONS[index]] for index in SENSE])
    usage = np.array([_AMINO_ACIDS[residue] for residue in residues], dtype=float)
    preference = np.exp(rng.normal(0, 2 * _CODON_CONTRAST, len(SENSE)))
    for residue in np.unique(residues):
        of_residue = residues == residue
        usage[of_residue] *= preference[of_residue] / preference[of_residue].sum()
    return usage * np.exp(rng.normal(0, _CODON_ORDER_CONTRAST, (len(SENSE), len(SENSE))))


def _cumulative(table: np.ndarray) -> np.ndarray:
    """Cumulative probabilities from weights, row by row: (n, S) -> (n, S), the last column exactly 1."""
    cumulative = np.cumsum(table / table.sum(axis=1, keepdims=True), axis=1)
    cumulative[:, -1] = 1.0
    return cumulative


def sample_chain(rng: np.random.Generator, cumulative: np.ndarray, n: int) -> np.ndarray:
    """Draw at least n symbols of a Markov chain: (N,) uint8, N >= n. They are 64 chains, one behind the other.

    Args:
        rng: source of randomness.
        cumulative: cumulative probabilities of the next symbol (S**order, S); the row is the last symbols as a number to the
            base S.
        n: number of symbols.
    """
    n_states, n_symbols = cumulative.shape
    steps = -(-n // _LANES)
    state = rng.integers(0, n_states, _LANES)
    symbols = np.empty((steps + ORDER, _LANES), dtype=np.uint8)
    for step, drawn in enumerate(rng.random((steps + ORDER, _LANES))):
        symbols[step] = (drawn[:, None] >= cumulative[state]).sum(axis=1)
        state = (state * n_symbols + symbols[step]) % n_states
    return np.asarray(symbols[ORDER:].T.ravel())


def sample_weights(rng: np.random.Generator, matrix: np.ndarray) -> np.ndarray:
    """Draw one sequence from a position weight matrix: (L, 4) -> codes (L,) uint8."""
    drawn = rng.random((len(matrix), 1))
    letters: np.ndarray = (drawn >= np.cumsum(matrix, axis=1)).sum(axis=1)
    return np.asarray(np.minimum(letters, 3).astype(np.uint8))


class Pool:
    """A stock of one kind of sequence: long chains are drawn at once, since many short draws are slow.

    Args:
        rng: source of randomness.
        cumulative: see `sample_chain`.
        n_at_once: symbols to draw at once.
    """

    def __init__(self, rng: np.random.Generator, cumulative: np.ndarray, n_at_once: int) -> None:
        self._rng, self._cumulative, self._n_at_once = rng, cumulative, n_at_once
        self._symbols = np.zeros(0, dtype=np.uint8)

    def take(self, n: int) -> np.ndarray:
        """Take the next n symbols: (n,) uint8."""
        if len(self._symbols) < n:
            self._symbols = sample_chain(self._rng, self._cumulative, max(n, self._n_at_once))
        taken, self._symbols = self._symbols[:n], self._symbols[n:]
        return taken.copy()
