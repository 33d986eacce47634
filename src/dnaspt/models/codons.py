"""The grammar of codons over the nine gene classes: a chain of more states, some of which only certain letters allow.

A gene begins with a start codon (ATG), ends with a stop codon, has no stop codon in frame before, keeps its frame across introns,
and its introns begin with GT or GC and end with AG. AUGUSTUS (Stanke and Waack 2003) and Tiberius (Gabriel et al. 2024) have such
rules in their models; here they hold at decoding alone. Every state stands for one of the nine classes and takes its scores, so
nothing is trained. Along the forward strand a gene of the plus strand walks through these states, codons and introns as often as
needed (`left` and `right` are the splice sites at the intron's ends; i counts 0, 1, 2 within a codon):

    between -> start 0 1 2 -> codon 0 -> 1 -> 2 -> codon 0 ... -> stop 0 1 2 -> between
                              codon i -> left i + 1 -> intron i + 1 ... -> right i + 1 -> codon i + 1

A path stays in an intron for as many bases as the shortest intron has, at least; `kernels/crf_viterbi.py` keeps it there.

The grammar does not know start and stop codons that an intron splits, stop codons that arise across an intron, other ends of
introns, or other genetic codes. A gene that goes on beyond the sequence may begin and end anywhere in a codon's frame; with
`complete` there are no such genes.
"""

from collections.abc import Iterable, Sequence
from functools import cache, partial
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from dnaspt.genome import alphabet
from dnaspt.genome.gene_states import ACCEPTOR, CDS, DONOR, INTRON, LEAST_INTRON_BP, MINUS, NONCODING
from dnaspt.genome.genetic_code import MAJOR_SPLICE_PAIRS, STANDARD
from dnaspt.models.kernels.crf_chain import Chain, make_chain
from dnaspt.models.kernels.crf_viterbi import Rules

START, STOP, STOP_ENDS, DONOR_HERE, ACCEPTOR_HERE = (1 << i for i in range(5))
"""Bits of `sequence_flags`: a start or stop codon begins here, a stop codon ends here, an intron may begin or end here."""
START_MINUS, STOP_MINUS, DONOR_MINUS, ACCEPTOR_MINUS = (1 << i for i in range(5, 9))
"""The same for the minus strand: the leftmost base of its codons; the rightmost (donor) and leftmost base of its introns."""

BETWEEN = 0
"""The state between genes."""
_WHOLE, _LATER = 1e-4, -1e-5
"""Nats that choose between equally good paths through the same classes, the same on both strands: for a gene that begins or ends
with its start or stop codon at the very end of the sequence; and for each base that a cut gene's first codon lacks."""


class Grammar(NamedTuple):
    """A chain of K states.

    Attributes:
        classes: (K,) class whose emissions and moves the state takes.
        needed: (K,) bits that a position's flags must have.
        forbidden: (K,) bits that they must not have.
        least: (K,) positions that a path stays in the state at least: in the middle of an intron more than 1.
        legal: (K, K) bool, row = from, column = to.
        initial: (K,) nats that a sequence gets for beginning in the state; -inf in the middle of a start or stop codon.
        final: (K,) nats that it gets for ending there; -inf in the middle of one, too.
        codon_bases: (K,) int8, which base of its codon a coding base in the state is, in the direction of transcription: 0, 1, 2.
            In an intron it is that of the next coding base; -1 where no gene is.
        starts: (K,) bool, whether the state is a base of a start codon.
        stops: (K,) bool, whether it is one of a stop codon.
    """

    classes: np.ndarray
    needed: np.ndarray
    forbidden: np.ndarray
    least: np.ndarray
    legal: np.ndarray
    initial: np.ndarray
    final: np.ndarray
    codon_bases: np.ndarray
    starts: np.ndarray
    stops: np.ndarray

    def expand(self, chain: Chain) -> Chain:
        """The chain of the grammar's states, with the scores of a chain of their classes."""
        moves = chain.transitions[np.ix_(self.classes, self.classes)]
        start, end = chain.start[self.classes] + self.initial, chain.end[self.classes] + self.final
        return make_chain(self.legal, (start, end, moves), mixing=0)

    def rules(self, codes: np.ndarray, first: int = 0) -> Rules:
        """Rules for a sequence that begins at position `first` of a contig's codes (L,); the letters around it count too."""
        flags = partial(_flags_between, codes, first)
        return Rules(self.classes, self.needed, self.forbidden, self.least, flags)


@cache
def gene_grammar(*, stop_in_cds: bool, complete: bool = False, min_intron_bp: int = LEAST_INTRON_BP) -> Grammar:
    """The grammar of genes on both strands.

    Args:
        stop_in_cds: whether the stop codon belongs to class CDS; else it is non-coding.
        complete: whether no gene goes on beyond the sequence.
        min_intron_bp: bases of the shortest intron, with its splice sites; 3 or more.
    """
    states = _States()
    states.states["between"] = _State(NONCODING)
    states.connect("between", "between")
    for strand in _strands(stop_in_cds=stop_in_cds):
        _add_strand(states, strand, min_intron_bp)
        if not stop_in_cds:  # then a non-coding stop codon may be all that lies between two genes
            states.connect(f"{strand.sign}{strand.last.name}2", "+start0")
            states.connect(f"{strand.sign}{strand.last.name}2", "-stop0")
    if complete:
        return states.grammar(("between", "+start0", "-stop0"), ("between", "+stop2", "-start2"))
    return states.grammar()


class _Codon(NamedTuple):
    """The start or stop codon: name, class of its bases, flag of its leftmost base."""

    name: str
    class_: int
    flag: int


class _Site(NamedTuple):
    """A splice site: class, and flag of its base."""

    class_: int
    flag: int


class _Strand(NamedTuple):
    """The parts of a gene from left to right along the forward strand.

    Attributes:
        sign: + or -.
        shift: what is added to the classes of the plus strand.
        first, last: the codons at its ends.
        left, right: the splice sites at the ends of its introns.
        barred: for each base of a codon the flag that it must not have, so that no stop codon is in frame. It is seen where the
            letters of splice sites cannot imitate it: at the codon's end, coming from the left.
    """

    sign: str
    shift: int
    first: _Codon
    last: _Codon
    left: _Site
    right: _Site
    barred: tuple[int, int, int]


def _strands(*, stop_in_cds: bool) -> tuple[_Strand, _Strand]:
    """Both strands. A gene of the minus strand begins with its stop codon, and its codons with their last base."""
    plus = _Strand(
        "+",
        shift=0,
        first=_Codon("start", CDS, START),
        last=_Codon("stop", CDS if stop_in_cds else NONCODING, STOP),
        left=_Site(DONOR, DONOR_HERE),
        right=_Site(ACCEPTOR, ACCEPTOR_HERE),
        barred=(0, 0, STOP_ENDS),
    )
    minus = _Strand(
        "-",
        shift=MINUS,
        first=_Codon("stop", CDS + MINUS if stop_in_cds else NONCODING, STOP_MINUS),
        last=_Codon("start", CDS + MINUS, START_MINUS),
        left=_Site(ACCEPTOR + MINUS, ACCEPTOR_MINUS),
        right=_Site(DONOR + MINUS, DONOR_MINUS),
        barred=(STOP_MINUS, 0, 0),
    )
    return plus, minus


class _State(NamedTuple):
    """A state; its attributes are those of `Grammar`."""

    class_: int
    needed: int = 0
    forbidden: int = 0
    least: int = 1
    initial: float = 0.0
    final: float = 0.0
    codon_base: int = -1
    is_start: bool = False
    is_stop: bool = False


class _States:
    """Collects states by name, and moves between names."""

    def __init__(self) -> None:
        self.states: dict[str, _State] = {}
        self.moves: list[tuple[str, str]] = []

    def connect(self, *names: str) -> None:
        """Make the moves from each of the states to the next one legal."""
        self.moves += pairwise(names)

    def grammar(self, first: Sequence[str] = (), last: Sequence[str] = ()) -> Grammar:
        """The grammar.

        first, last: states in which a sequence may begin and end; left out, as each state says.
        """
        names = list(self.states)
        legal = np.zeros((len(names), len(names)), dtype=bool)
        for source, to in self.moves:
            legal[names.index(source), names.index(to)] = True
        rows = list(self.states.values())
        initial, final = np.array([state.initial for state in rows]), np.array([state.final for state in rows])
        if first:
            initial = np.where(np.isin(names, first), 0, -np.inf)
        if last:
            final = np.where(np.isin(names, last), 0, -np.inf)
        return Grammar(
            classes=np.array([state.class_ for state in rows]),
            needed=np.array([state.needed for state in rows], np.uint16),
            forbidden=np.array([state.forbidden for state in rows], np.uint16),
            least=np.array([state.least for state in rows]),
            legal=legal,
            initial=initial,
            final=final,
            codon_bases=np.array([state.codon_base for state in rows], np.int8),
            starts=np.array([state.is_start for state in rows]),
            stops=np.array([state.is_stop for state in rows]),
        )


def _add_strand(states: _States, strand: _Strand, min_intron_bp: int) -> None:
    """Add the states and moves of the genes of one strand."""
    sign, first, last, is_plus = strand.sign, strand.first.name, strand.last.name, strand.shift == 0
    for name, class_, flag in (strand.first, strand.last):
        for i in range(3):
            states.states[f"{sign}{name}{i}"] = _State(
                class_,
                needed=flag if i == 0 else 0,
                initial=(_WHOLE if name == first else 0) if i == 0 else -np.inf,
                final=(_WHOLE if name == last else 0) if i == 2 else -np.inf,
                codon_base=-1 if class_ == NONCODING else i if is_plus else 2 - i,
                is_start=name == "start",
                is_stop=name == "stop",
            )
        states.connect(*(f"{sign}{name}{i}" for i in range(3)))
    intron = _Site(INTRON + strand.shift, 0)
    for i in range(3):
        codon = _State(CDS + strand.shift, forbidden=strand.barred[i])
        states.states[f"{sign}codon{i}"] = _in_frame(codon, i if is_plus else 2 - i, is_plus=is_plus)
        for name, (class_, flag) in (("left", strand.left), ("intron", intron), ("right", strand.right)):
            part = _State(class_, flag, least=min_intron_bp - 2 if name == "intron" else 1)
            states.states[f"{sign}{name}{i}"] = _in_frame(part, i if is_plus else (3 - i) % 3, is_plus=is_plus)
    for i in range(3):
        following = (i + 1) % 3
        states.connect(f"{sign}codon{i}", f"{sign}codon{following}")
        states.connect(
            f"{sign}codon{i}", f"{sign}left{following}", f"{sign}intron{following}", f"{sign}intron{following}"
        )
        states.connect(f"{sign}intron{i}", f"{sign}right{i}", f"{sign}codon{i}")
    states.connect("between", f"{sign}{first}0")
    states.connect(f"{sign}{first}2", f"{sign}codon0")
    states.connect(f"{sign}{first}2", f"{sign}left0")
    for source in (f"{sign}{first}2", f"{sign}codon2", f"{sign}right0"):
        states.connect(source, f"{sign}{last}0")
    states.connect(f"{sign}{last}2", "between")


def _in_frame(state: _State, codon_base: int, *, is_plus: bool) -> _State:
    """A state inside a gene with its base of the codon; a gene may be cut there, and begins at the left on the plus strand."""
    cut = (3 - codon_base) % 3 * _LATER
    return state._replace(codon_base=codon_base, initial=cut if is_plus else 0, final=0 if is_plus else cut)


Words = tuple[tuple[int, ...], ...]
"""Words of DNA as codes of their letters."""


def _words(letters: Iterable[str]) -> Words:
    """Codes of the distinct words."""
    return tuple(tuple(alphabet.encode(word).tolist()) for word in dict.fromkeys(letters))


_STARTS, _STOPS = _words(STANDARD.starts), _words(STANDARD.stops)
_DONORS = _words(pair.donor for pair in MAJOR_SPLICE_PAIRS)
_ACCEPTORS = _words(pair.acceptor for pair in MAJOR_SPLICE_PAIRS)


def sequence_flags(codes: np.ndarray) -> np.ndarray:
    """What the letters at each position allow: codes (L,) -> (L,) uint16 of the bits above; no bit where they are N."""
    tokens = alphabet.tokens(codes)
    flags = np.zeros(len(tokens), np.uint16)
    _mark(flags, tokens, _STARTS, START)
    _mark(flags, tokens, _STOPS, STOP)
    _mark(flags, tokens, _STOPS, STOP_ENDS, at=2)
    _mark(flags, tokens, _DONORS, DONOR_HERE)
    _mark(flags, tokens, _ACCEPTORS, ACCEPTOR_HERE, at=1)
    _mark(flags, tokens, _reverse_complements(_STARTS), START_MINUS)
    _mark(flags, tokens, _reverse_complements(_STOPS), STOP_MINUS)
    _mark(flags, tokens, _reverse_complements(_DONORS), DONOR_MINUS, at=1)
    _mark(flags, tokens, _reverse_complements(_ACCEPTORS), ACCEPTOR_MINUS)
    return flags


def _flags_between(codes: np.ndarray, first: int, start: int, stop: int) -> np.ndarray:
    """The flags of positions start to stop of a sequence that begins at `first` of a contig's codes."""
    begin, end = first + start, first + stop
    context = min(2, begin)
    return sequence_flags(codes[begin - context : end + 2])[context : context + stop - start]


def _reverse_complements(words: Words) -> Words:
    return tuple(tuple(alphabet.reverse_complement(np.array(word, np.uint8)).tolist()) for word in words)


def _mark(flags: np.ndarray, tokens: np.ndarray, words: Words, bit: int, at: int = 0) -> None:
    """Set a bit at letter `at` of every occurrence of the words."""
    for word in words:
        n = len(tokens) - len(word) + 1
        if n > 0:
            here = np.ones(n, dtype=bool)
            for i, letter in enumerate(word):
                here &= tokens[i : i + n] == letter
            flags[at : at + n][here] |= np.uint16(bit)
