"""What a gene may look like, as tables: where exons and introns may end, and codons that an intron splits.

A gene is read from left to right along the forward strand, on both strands alike. On the plus strand it begins with its
start codon and ends with its stop codon; on the minus strand it begins with the reverse complement of its stop codon, and
introns begin with the reverse complement of their acceptor. `semi_markov` walks through genes by these tables alone.

An intron may split a codon. Then the letters before it decide which letters may follow: no stop codon may arise across an
intron, and a start or stop codon that is split must be whole. Prefixes that allow the same letters make one class (the
classes of a finite automaton, Myhill 1957 and Nerode 1958), so that an intron needs to remember its class only.
"""

from collections.abc import Sequence
from functools import cache
from itertools import product
from typing import NamedTuple

import numpy as np

from dnaspt.genome import alphabet
from dnaspt.genome.genetic_code import MAJOR_SPLICE_PAIRS, STANDARD, GeneticCode

N_COLUMNS = 29
"""Columns of the potentials (L, 29): intergenic, then those of the plus strand, then those of the minus strand."""
INTERGENIC = 0
PLUS, MINUS_COLUMNS = 1, 15
STRAND_COLUMNS = (PLUS, MINUS_COLUMNS)
"""First column of the plus and of the minus strand."""
CODING, INTRON, DONOR, ACCEPTOR, START, STOP = 0, 3, 6, 9, 12, 13
"""Columns of a strand, counted from its first. CODING: 3, by the base of the codon, in the direction of transcription.
INTRON, DONOR, ACCEPTOR: 3 each, by phase: how many bases of a split codon stand before the intron, in the direction of
transcription. A donor's score stands at the first base of its intron, an acceptor's at the last one, that of a start at the
first coding base, that of a stop at the last base of the stop codon."""
FORBIDDEN = -1e4
"""Nats of a column that cannot be: it contradicts a base's label, or the strand that is read."""

GENE_LEFT, GENE_RIGHT, INTRON_LEFT, INTRON_RIGHT, BARRED = (1 << bit for bit in range(5))
"""Bits of a boundary's flags on the plus strand: a gene may begin or end there, an intron may, or a codon begins there that
no frame may hold. Those of the minus strand are `MINUS_SHIFT` bits higher. A boundary lies before the base of its number."""
MINUS_SHIFT = 5

GO_ON, END = 1, 2
"""What may follow a split codon: more codons of the gene, or the end of the gene. Neither: the codon is not allowed."""


class SplitCodons(NamedTuple):
    """Classes of split codons of one strand, read from left to right.

    Attributes:
        phases: (C,) int8, bases of the codon before the intron.
        edges: (C,) bool, whether nothing is known of these bases: the intron began before the sequence.
        later: (3, 25) int8, class of a prefix of `phase` letters (its number in base 5) of any codon but the gene's leftmost one.
        first: (3, 25) int8, class where it is the leftmost codon; -1 where the prefix does not fit.
        edge: (3,) int8, class of an intron that began before the sequence.
        outcomes: (C, 25) uint8, for each class and the letters that complete the codon (their number in base 5): `GO_ON`, `END`.
    """

    phases: np.ndarray
    edges: np.ndarray
    later: np.ndarray
    first: np.ndarray
    edge: np.ndarray
    outcomes: np.ndarray


class GeneStructure(NamedTuple):
    """The tables of both strands.

    Attributes:
        codon_left: (125,) uint16, flags of the boundary before a codon (its number in base 5, N = 4).
        codon_right: (125,) uint16, flags of the boundary after it.
        pair_left: (25,) uint16, flags of the boundary before two letters.
        pair_right: (25,) uint16, flags of the boundary after them.
        phases, edges, later, first, edge, outcomes: those of `SplitCodons` for both strands, (2, ...); classes that a strand does
            not have have phase -1.
    """

    codon_left: np.ndarray
    codon_right: np.ndarray
    pair_left: np.ndarray
    pair_right: np.ndarray
    phases: np.ndarray
    edges: np.ndarray
    later: np.ndarray
    first: np.ndarray
    edge: np.ndarray
    outcomes: np.ndarray


@cache
def gene_structure(code: GeneticCode = STANDARD) -> GeneStructure:
    """The tables for a genetic code; introns begin with GT or GC and end with AG.

    Args:
        code: which codons start and stop a gene.
    """
    codon_left, codon_right = np.zeros(125, np.uint16), np.zeros(125, np.uint16)
    pair_left, pair_right = np.zeros(25, np.uint16), np.zeros(25, np.uint16)
    starts, stops = set(code.starts), set(code.stops)
    donors, acceptors = ({pair.donor for pair in MAJOR_SPLICE_PAIRS}, {pair.acceptor for pair in MAJOR_SPLICE_PAIRS})
    strands = []
    for shift, left, right, barred, intron_left, intron_right in (
        (0, starts, stops, stops, donors, acceptors),
        (MINUS_SHIFT, _turned(stops), _turned(starts), _turned(stops), _turned(acceptors), _turned(donors)),
    ):
        for words, table, bit in (
            (left, codon_left, GENE_LEFT),
            (barred, codon_left, BARRED),
            (right, codon_right, GENE_RIGHT),
            (intron_left, pair_left, INTRON_LEFT),
            (intron_right, pair_right, INTRON_RIGHT),
        ):
            for word in words:
                table[word_number(word)] |= bit << shift
        strands.append(_split_codons(left, right, barred))
    n = max(len(strand.phases) for strand in strands)
    padded = [
        strand._replace(
            phases=np.pad(strand.phases, (0, n - len(strand.phases)), constant_values=-1),
            edges=np.pad(strand.edges, (0, n - len(strand.edges))),
            outcomes=np.pad(strand.outcomes, ((0, n - len(strand.outcomes)), (0, 0))),
        )
        for strand in strands
    ]
    return GeneStructure(
        codon_left, codon_right, pair_left, pair_right, *(np.stack(arrays) for arrays in zip(*padded, strict=True))
    )


def word_number(word: str) -> int:
    """The number of a word in base 5, by the codes of its letters."""
    number = 0
    for letter in word:
        number = 5 * number + alphabet.LETTERS.index(letter)
    return number


def _turned(words: set[str]) -> set[str]:
    """Reverse complements."""
    return {alphabet.decode(alphabet.reverse_complement(alphabet.encode(word))) for word in words}


class _Class(NamedTuple):
    """What a class of prefixes has in common: phase, whether they are unknown, and outcome by the letters that follow."""

    phase: int
    is_edge: bool
    outcomes: tuple[int, ...]


def _split_codons(left: set[str], right: set[str], barred: set[str]) -> SplitCodons:
    """Classes of the prefixes of codons, given the codons at a gene's ends and those that no frame may hold."""
    classes = [_Class(0, False, (GO_ON,) * 25)]
    later, first = np.zeros((3, 25), np.int8), np.full((3, 25), -1, np.int8)
    for phase in (1, 2):
        for prefix in _words(phase):
            allowed = tuple(
                (prefix + rest not in barred) * GO_ON + (prefix + rest in right) * END for rest in _words(3 - phase)
            )
            later[phase, word_number(prefix)] = _number_in(classes, _Class(phase, False, allowed))
        for prefix in _words(phase):
            fits = tuple((prefix + rest in left) * GO_ON for rest in _words(3 - phase))
            if any(fits):
                first[phase, word_number(prefix)] = _number_in(classes, _Class(phase, False, fits))
    edge = [_number_in(classes, _Class(phase, True, (GO_ON,) * 5 ** ((3 - phase) % 3))) for phase in range(3)]
    table = np.zeros((len(classes), 25), np.uint8)
    for row, class_ in zip(table, classes, strict=True):
        row[: len(class_.outcomes)] = class_.outcomes
    phases, edges = (np.array([class_[i] for class_ in classes]) for i in range(2))
    return SplitCodons(phases.astype(np.int8), edges, later, first, np.array(edge, np.int8), table)


def _number_in(classes: list[_Class], class_: _Class) -> int:
    """Number of a class, which is added where it is not there yet."""
    if class_ not in classes:
        classes.append(class_)
    return classes.index(class_)


def _words(n: int) -> Sequence[str]:
    """All words of n letters, N included, in the order of their numbers."""
    return ["".join(letters) for letters in product(alphabet.LETTERS, repeat=n)]
