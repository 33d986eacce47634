"""A seed to a made-up species: base compositions, codon usage and sequence signals, the same for every genome of it.

Sequence is drawn from Markov chains of order 4 over bases and of order 1 over codons, many chains side by side.
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
STOP_USAGE = {"TAA": 0.5, "TGA": 0.3, "TAG": 0.2}
"""Share of genes that end with each stop codon."""

_AMINO_ACIDS = dict(
    zip("ARNDCQEGHILKMFPSTWYV", (8, 5, 4, 5, 2, 4, 6, 7, 2, 6, 9, 6, 2, 4, 5, 8, 5, 1, 3, 7), strict=True)
)
"""Percent of each amino acid in proteins, rounded to whole numbers."""

_COMPOSITION = {
    "intergenic": (0.32, 0.18, 0.18, 0.32),
    "intron": (0.27, 0.16, 0.17, 0.40),
    "utr": (0.31, 0.20, 0.17, 0.32),
    "island": (0.18, 0.32, 0.32, 0.18),
}


CODON_CODES = np.stack([alphabet.encode(codon) for codon in CODONS])
"""Codes of the 64 codons (64, 3), AAA first."""
SENSE = np.array([index for index, codon in enumerate(CODONS) if codon not in STANDARD.stops])
"""Indices of the 61 codons that are no stop."""


def weights(*columns: str) -> np.ndarray:
    """A position weight matrix (L, 4) from columns such as "A60 G30": percent; the other bases share the rest."""
    matrix: np.ndarray = np.zeros((len(columns), 4))
    for row, column in zip(matrix, columns):
        given = {"ACGT".index(part[0]): int(part[1:]) / 100 for part in column.split()}
        row[:] = (1 - sum(given.values())) / max(1, 4 - len(given))
        row[list(given)] = list(given.values())
    return np.asarray(matrix / matrix.sum(axis=1, keepdims=True))


EXON_END = weights("A35 C35", "A62", "G80")
"""Last bases of an exon before a donor."""
DONOR_TAIL = weights("A60 G36", "A72", "G82", "T60")
"""Intron bases 3 to 6, after GT or GC."""
BRANCH_POINT = weights("C45 T45", "T80", "A45 G35", "A96", "C60 T30")
POLYPYRIMIDINE = weights(*["T58 C28"] * 11)
ACCEPTOR_HEAD = weights("A30 T30", "C68 T28")
"""The two intron bases before AG."""
EXON_START = weights("G55 A25")
"""First base of an exon after an acceptor."""
BEFORE_START = weights("A35 C30", "C45 A30", "A45 C30", "A62 G28", "A48 C32", "A40 C42")
"""The last six bases before the start codon (Kozak 1987 in kind, not in number)."""
TATA_BOX = weights("T85", "A92", "T88", "A92", "A60 T38", "A75", "A50 G25")
POLYADENYLATION = alphabet.encode("AATAAA")
MOTIFS = {
    "A": weights("T80", "G92", "A94", "C75 G20", "G55 C35", "T92", "C92", "A94", "T60 C25", "C60"),
    "B": weights("G70 A25", "C90", "C94", "A60 C30", "C92", "G90", "C85", "C92", "C75 T20", "T60 A25"),
}
"""Motifs of the two kinds of peaks."""


@dataclass(frozen=True, slots=True)
class Species:
    """What all genomes of a species share.

    Attributes:
        bases: cumulative next-base probabilities (256, 4) by kind of sequence and the four bases before.
        codons: cumulative next-codon probabilities (61, 61), in the order of `SENSE`.
        repeats: ancestors of the repeat families, codes (L,) each.
    """

    bases: dict[str, np.ndarray]
    codons: np.ndarray
    repeats: tuple[np.ndarray, ...]


def make_species(seed: int, n_repeat_families: int = 6) -> Species:
    """Draw a species; the same seed gives the same one."""
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
    """Next-codon weights (61, 61): amino-acid frequencies, a skewed choice among synonyms, a little memory."""
    residues = np.array([STANDARD.amino_acids[CODONS[index]] for index in SENSE])
    usage = np.array([_AMINO_ACIDS[residue] for residue in residues], dtype=float)
    preference = np.exp(rng.normal(0, 2 * _CODON_CONTRAST, len(SENSE)))
    for residue in np.unique(residues):
        of_residue = residues == residue
        usage[of_residue] *= preference[of_residue] / preference[of_residue].sum()
    return usage * np.exp(rng.normal(0, _CODON_ORDER_CONTRAST, (len(SENSE), len(SENSE))))


def _cumulative(table: np.ndarray) -> np.ndarray:
    cumulative = np.cumsum(table / table.sum(axis=1, keepdims=True), axis=1)
    cumulative[:, -1] = 1.0
    return cumulative


def sample_chain(rng: np.random.Generator, cumulative: np.ndarray, n: int) -> np.ndarray:
    """At least n symbols of a Markov chain: (N,) uint8, N >= n, as 64 chains end to end.

    Args:
        rng: source of randomness.
        cumulative: cumulative probabilities (S**order, S) of the next symbol, row = the symbols before in base S.
        n: symbols wanted.
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
    """One sequence from a position weight matrix: (L, 4) -> codes (L,) uint8."""
    drawn = rng.random((len(matrix), 1))
    letters: np.ndarray = (drawn >= np.cumsum(matrix, axis=1)).sum(axis=1)
    return np.asarray(np.minimum(letters, 3).astype(np.uint8))


class Pool:
    """Sequence of one kind, drawn in bulk and handed out piece by piece."""

    def __init__(self, rng: np.random.Generator, cumulative: np.ndarray, bulk: int) -> None:
        self._rng, self._cumulative, self._bulk = rng, cumulative, bulk
        self._symbols = np.zeros(0, dtype=np.uint8)

    def take(self, n: int) -> np.ndarray:
        """The next n symbols (n,) uint8."""
        if len(self._symbols) < n:
            self._symbols = sample_chain(self._rng, self._cumulative, max(n, self._bulk))
        taken, self._symbols = self._symbols[:n], self._symbols[n:]
        return taken.copy()
