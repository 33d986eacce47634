"""The grammar of codons over the nine gene classes: a chain of more states, some of which only certain letters allow.

A gene begins with ATG, ends with a stop codon, has none in frame before, keeps its frame across introns, and its introns begin
with GT or GC and end with AG: what AUGUSTUS (Stanke and Waack 2003) and Tiberius (Gabriel et al. 2024) have in their models,
here at decoding alone. Every state stands for one of the nine classes and takes its scores: nothing is trained. Not known to it:
start and stop codons that an intron splits, stop codons that arise across an intron, introns of other ends, other genetic codes.
A gene that goes on beyond the sequence may begin and end anywhere, but keeps its frame; `complete` knows no such genes.
"""

from collections.abc import Iterable, Sequence
from functools import cache, partial
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from dnaspt.genome import alphabet
from dnaspt.genome.genetic_code import MAJOR_SPLICE_PAIRS, STANDARD
from dnaspt.models.kernels.crf_chain import Chain, make_chain
from dnaspt.models.kernels.crf_viterbi import Rules
from dnaspt.tasks import ACCEPTOR, CDS, DONOR, INTRON, MINUS, NONCODING

START, STOP, STOP_ENDS, DONOR_HERE, ACCEPTOR_HERE = (1 << i for i in range(5))
"""Bits of `sequence_flags`: a start or stop codon begins here, a stop codon ends here, an intron may begin or end here."""
START_MINUS, STOP_MINUS, DONOR_MINUS, ACCEPTOR_MINUS = (1 << i for i in range(5, 9))
"""The same on the minus strand: their codons' leftmost base, the intron's last and first base along the forward strand."""


class Grammar(NamedTuple):
    """States of a chain, K of them.

    Attributes:
        classes: (K,) class whose emissions and moves the state takes.
        needed: (K,) bits that a position's flags must have.
        forbidden: (K,) bits that they must not have.
        legal: (K, K) bool, row = from, column = to.
        initial: (K,) bool, whether a sequence may begin in the state: not in the middle of a start or stop codon.
        final: (K,) bool, whether it may end in the state.
    """

    classes: np.ndarray
    needed: np.ndarray
    forbidden: np.ndarray
    legal: np.ndarray
    initial: np.ndarray
    final: np.ndarray

    def expand(self, chain: Chain) -> Chain:
        """The chain of the grammar's states with the scores of a chain of their classes."""
        moves = chain.transitions[np.ix_(self.classes, self.classes)]
        start = np.where(self.initial, chain.start[self.classes], -np.inf)
        end = np.where(self.final, chain.end[self.classes], -np.inf)
        return make_chain(self.legal, (start, end, moves), mixing=0)

    def rules(self, codes: np.ndarray, first: int = 0) -> Rules:
        """Of a sequence that begins at position `first` of a contig's codes (L,), whose letters around it count too."""
        flags = partial(_flags_between, codes, first)
        return Rules(self.classes, self.needed, self.forbidden, flags)


class _States:
    """Collects states by name, and moves between names."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self.rows: list[tuple[int, int, int, bool]] = []
        self.moves: list[tuple[str, str]] = []

    def add(self, name: str, class_: int, needed: int = 0, forbidden: int = 0, *, initial: bool = True) -> None:
        self.numbers[name] = len(self.rows)
        self.rows.append((class_, needed, forbidden, initial))

    def chain(self, *names: str) -> None:
        self.moves += pairwise(names)

    def grammar(self, first: Sequence[str] = (), last: Sequence[str] = ()) -> Grammar:
        """first, last: the states that a sequence may begin and end in; left out: whatever `initial` says, and all."""
        legal = np.zeros((len(self.rows), len(self.rows)), dtype=bool)
        for source, to in self.moves:
            legal[self.numbers[source], self.numbers[to]] = True
        classes, needed, forbidden, initial = np.array(self.rows).T
        bits = (needed.astype(np.uint16), forbidden.astype(np.uint16))
        final = np.ones(len(self.rows), dtype=bool)
        if first:
            initial = np.isin(list(self.numbers), first)
        if last:
            final = np.isin(list(self.numbers), last)
        return Grammar(classes.astype(np.int64), *bits, legal, initial.astype(bool), final)


@cache
def gene_grammar(*, stop_in_cds: bool, complete: bool = False) -> Grammar:
    """The grammar of genes on both strands.

    Args:
        stop_in_cds: whether the stop codon belongs to class CDS, else to non-coding.
        complete: whether no gene goes on beyond the sequence.
    """
    states = _States()
    states.add("between", NONCODING)
    states.chain("between", "between")
    stop_class = CDS if stop_in_cds else NONCODING
    # Codons along the forward strand: on the minus strand a gene's stop codon comes first, and its codons' last base.
    strands = (
        ("+", 0, ("start", CDS, START), ("stop", stop_class, STOP), (DONOR, DONOR_HERE), (ACCEPTOR, ACCEPTOR_HERE)),
        (
            "-",
            MINUS,
            ("stop", stop_class if stop_class == NONCODING else CDS + MINUS, STOP_MINUS),
            ("start", CDS + MINUS, START_MINUS),
            (ACCEPTOR + MINUS, ACCEPTOR_MINUS),
            (DONOR + MINUS, DONOR_MINUS),
        ),
    )
    for sign, shift, (first, first_class, first_flag), (last, last_class, last_flag), left, right in strands:
        for name, class_, flag in ((first, first_class, first_flag), (last, last_class, last_flag)):
            for i in range(3):
                states.add(f"{sign}{name}{i}", class_, flag if i == 0 else 0, initial=i == 0)
            states.chain(*(f"{sign}{name}{i}" for i in range(3)))
        # A stop codon in frame is seen where the splice sites' letters cannot imitate one: at its end, from the left.
        bars = (0, 0, STOP_ENDS) if sign == "+" else (STOP_MINUS, 0, 0)
        for i in range(3):
            states.add(f"{sign}codon{i}", CDS + shift, forbidden=bars[i])
            for part, (class_, flag) in (("left", left), ("intron", (INTRON + shift, 0)), ("right", right)):
                states.add(f"{sign}{part}{i}", class_, flag)
        for i in range(3):
            states.chain(f"{sign}codon{i}", f"{sign}codon{(i + 1) % 3}")
            states.chain(f"{sign}codon{i}", *(f"{sign}{part}{(i + 1) % 3}" for part in ("left", "intron", "intron")))
            states.chain(f"{sign}intron{i}", f"{sign}right{i}", f"{sign}codon{i}")
        states.chain("between", f"{sign}{first}0")
        states.chain(f"{sign}{first}2", f"{sign}codon0")
        states.chain(f"{sign}{first}2", f"{sign}left0")
        for source in (f"{sign}{first}2", f"{sign}codon2", f"{sign}right0"):
            states.chain(source, f"{sign}{last}0")
        states.chain(f"{sign}{last}2", "between")
        if not stop_in_cds:  # then a non-coding stop codon may be all that lies between two genes
            states.chain(f"{sign}{last}2", "+start0")
            states.chain(f"{sign}{last}2", "-stop0")
    if complete:
        return states.grammar(("between", "+start0", "-stop0"), ("between", "+stop2", "-start2"))
    return states.grammar()


def _words(letters: Iterable[str]) -> tuple[tuple[int, ...], ...]:
    """Codes of different words."""
    return tuple(tuple(alphabet.encode(word).tolist()) for word in dict.fromkeys(letters))


_STARTS, _STOPS = _words(STANDARD.starts), _words(STANDARD.stops)
_DONORS = _words(pair.donor for pair in MAJOR_SPLICE_PAIRS)
_ACCEPTORS = _words(pair.acceptor for pair in MAJOR_SPLICE_PAIRS)


def sequence_flags(codes: np.ndarray) -> np.ndarray:
    """What the letters at each position of codes (L,) allow: (L,) uint16 of the bits above; nothing where they are N."""
    tokens = alphabet.tokens(codes)
    flags = np.zeros(len(tokens), np.uint16)
    _mark(flags, tokens, _STARTS, START)
    _mark(flags, tokens, _STOPS, STOP)
    _mark(flags, tokens, _STOPS, STOP_ENDS, at=2)
    _mark(flags, tokens, _DONORS, DONOR_HERE)
    _mark(flags, tokens, _ACCEPTORS, ACCEPTOR_HERE, at=1)
    _mark(flags, tokens, _turned(_STARTS), START_MINUS)
    _mark(flags, tokens, _turned(_STOPS), STOP_MINUS)
    _mark(flags, tokens, _turned(_DONORS), DONOR_MINUS, at=1)
    _mark(flags, tokens, _turned(_ACCEPTORS), ACCEPTOR_MINUS)
    return flags


def _flags_between(codes: np.ndarray, first: int, start: int, stop: int) -> np.ndarray:
    """The flags of positions of a sequence that begins at `first` of a contig's codes."""
    begin, end = first + start, first + stop
    context = min(2, begin)
    return sequence_flags(codes[begin - context : end + 2])[context : context + stop - start]


def _turned(words: tuple[tuple[int, ...], ...]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(alphabet.reverse_complement(np.array(word, np.uint8)).tolist()) for word in words)


def _mark(flags: np.ndarray, tokens: np.ndarray, words: tuple[tuple[int, ...], ...], bit: int, at: int = 0) -> None:
    """Set a bit at letter `at` of every occurrence of the words."""
    for word in words:
        n = len(tokens) - len(word) + 1
        if n > 0:
            here = np.ones(n, dtype=bool)
            for i, letter in enumerate(word):
                here &= tokens[i : i + n] == letter
            flags[at : at + n][here] |= np.uint16(bit)
