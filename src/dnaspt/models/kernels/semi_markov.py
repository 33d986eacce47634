"""Genes as segments: a semi-Markov CRF (Sarawagi and Cohen 2004) over exons, introns and what lies between genes, on both strands.

A path cuts a sequence into segments. Its score, in nats, is the sum of the potentials of its bases, of the sites between its segments,
and of the logarithms of its segments' lengths. The best path, the sum over all paths, and the probability of each segment are exact.

Sites are rare, so the work is done at sites alone. A node is a site with a phase; it opens an exon (start, end of an intron) or closes
one. An exon that closes at a node may have opened at any earlier node of the same frame with no stop codon in between, an intron at
any earlier donor of the same class of split codons. Lengths are explicit up to a longest one. Longer exons and introns have geometric
tails: nodes that have become too old are added to one running sum (an aggregate), so time is linear in the length of the sequence.

A sequence is read in tiles. What the next tile must know of the ones before it is a `Frontier`; on the way back each tile is walked
again from its frontier. So memory is bounded, and tiles of any size give the same result.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from dnaspt.models.gene_structure import (
    ACCEPTOR,
    BARRED,
    CODING,
    DONOR,
    END,
    GENE_LEFT,
    GENE_RIGHT,
    GO_ON,
    INTERGENIC,
    INTRON,
    INTRON_LEFT,
    INTRON_RIGHT,
    MINUS_SHIFT,
    N_COLUMNS,
    START,
    STOP,
    STRAND_COLUMNS,
    GeneStructure,
)
from dnaspt.models.kernels.numba_cache import kernel

TILE = 1 << 18
"""Bases of a tile: some 250 bytes of nodes for each base are in memory while it is walked."""

AFTER_INTRON, GENE_START, OPEN_EDGE = 0, 1, 2
"""What stands at the left end of an exon: an intron, the gene's left end, or the beginning of the sequence."""
BEFORE_INTRON, GENE_STOP, CLOSE_EDGE = 0, 1, 2
"""What stands at its right end."""

_CONTEXT = 3
"""Bases before a tile whose letters and potentials its boundaries need."""
_NEGLIGIBLE = -45.0
"""Terms so many nats below the largest one do not change a sum in float64."""

(_SUM, EXON_OPENS, GENE_OPENS, SHORT_OPENS, INTRON_OPENS, SPLIT_OPENS, GENE_CLOSES, SHORT_CLOSES) = range(8)
"""Kinds of nodes. _SUM: one more entry of an aggregate. EXON_OPENS: an intron ends, and its exon goes on. SHORT_OPENS: an intron ends,
and the codon that it splits ends the gene. SPLIT_OPENS: an intron splits the gene's leftmost codon; what stands before it is part of
the node. SHORT_CLOSES: the gene's end after SHORT_OPENS."""
LAST_BETWEEN, LAST_EXON, LAST_INTRON = 8, 9, 10
"""What the sequence ends in."""


class Lengths(NamedTuple):
    """Logarithms of the lengths' densities, in nats; -inf below the shortest length.

    Attributes:
        exons: (2, 9, M + 1), by strand, 3 x left end + right end of the exon, and length in bases.
        exon_slope: what each base beyond M adds, < 0.
        short: (2, 2, 3), by strand, left or right end of the gene, and length: exons of 1 or 2 bases, since an intron splits the
            gene's leftmost or rightmost codon. In `exons` all lengths with an intron beside are 3 or more.
        introns: (4, D + 1): introns with both ends in the sequence, without their left end, without their right end, without both.
        intron_slope: what each base beyond D adds, < 0.
    """

    exons: np.ndarray
    exon_slope: float
    short: np.ndarray
    introns: np.ndarray
    intron_slope: float


class Moves(NamedTuple):
    """Scores of what is neither a base, nor a site, nor a length, in nats.

    Attributes:
        stay: each base between genes.
        gene: (2,) beginning a gene of the plus or minus strand.
        first: (3,) the sequence begins between genes, in an exon, or in an intron.
        last: (3,) it ends there.
    """

    stay: float
    gene: np.ndarray
    first: np.ndarray
    last: np.ndarray


class Frontier(NamedTuple):
    """All that the boundaries from a position on must know of what lies before it. Scores are up to that position.

    Attributes:
        sums: (G,) value of each aggregate, -inf for none. They are: between genes; introns that have become long, by strand and class;
            exons that have, by strand, frame and left end.
        latest: (G,) position after which no forbidden codon may lie if an aggregate of exons is to be used.
        recent: (2,) value of the aggregate between genes one and two bases before.
        barred: (6,) where the last forbidden codon of each strand and frame begins; -1 for none.
        position, kind, strand, phase, label, value: (R,) nodes whose exons or introns are open.
    """

    sums: np.ndarray
    latest: np.ndarray
    recent: np.ndarray
    barred: np.ndarray
    position: np.ndarray
    kind: np.ndarray
    strand: np.ndarray
    phase: np.ndarray
    label: np.ndarray
    value: np.ndarray


class Nodes(NamedTuple):
    """The nodes of a tile. First come the aggregates of its frontier (G), the two recent ones, the frontier's nodes, then its own.

    Attributes:
        position: boundary of the node.
        kind, strand, phase: what it is; the phase counts the bases of the codon to its left.
        label: of a node that opens an exon, the left end; of one that opens an intron, the class of the codon; of a _SUM, whether the
            sum before it still counts.
        value: score of the best or of all paths up to the node, less the potentials of the segment that follows from the tile's
            beginning on.
        total: of a node with many predecessors, the score before its own potentials, less those of the segment that it ends.
        low: of such a node, the last forbidden codon that matters to it; of a _SUM, its aggregate.
        first, second: first and last predecessor in the list of open nodes (sums over paths), or `first` is the predecessor itself.
    """

    position: np.ndarray
    kind: np.ndarray
    strand: np.ndarray
    phase: np.ndarray
    label: np.ndarray
    value: np.ndarray
    total: np.ndarray
    low: np.ndarray
    first: np.ndarray
    second: np.ndarray


class Tile(NamedTuple):
    """A tile that has been walked.

    Attributes:
        nodes: its nodes, `count` of them.
        count: number of nodes.
        exons: (6, n) numbers of the nodes that open exons, by strand and frame, in order; introns: (6, n) the same by strand and phase.
        sums: (G + 2,) numbers of the nodes that stand for the next frontier's aggregates and recent ones; -1 for none.
        kept: (R,) numbers of the nodes that the next frontier keeps.
        frontier: the next frontier.
        last: numbers of the nodes that end the sequence; empty unless it ends here.
    """

    nodes: Nodes
    count: int
    exons: np.ndarray
    introns: np.ndarray
    sums: np.ndarray
    kept: np.ndarray
    frontier: Frontier
    last: np.ndarray


@kernel(forceinline=True)
def _codon(codes: np.ndarray, t: int) -> int:
    """Number of the codon at t in base 5."""
    return 25 * codes[t] + 5 * codes[t + 1] + codes[t + 2]


@kernel()
def _mark(codes: np.ndarray, start: int, stop: int, structure: GeneStructure) -> np.ndarray:
    """Flags of the boundaries start to stop (included) of a sequence."""
    flags = np.zeros(stop - start + 1, np.uint16)
    n = codes.size
    for t in range(max(start, 0), stop + 1):
        bits = np.uint16(0)
        if t + 3 <= n:
            bits |= structure.codon_left[_codon(codes, t)]
        if t >= 3:
            bits |= structure.codon_right[_codon(codes, t - 3)]
        if t + 2 <= n:
            bits |= structure.pair_left[5 * codes[t] + codes[t + 1]]
        if t >= 2:
            bits |= structure.pair_right[5 * codes[t - 2] + codes[t - 1]]
        flags[t - start] = bits
    return flags


@kernel(forceinline=True)
def _completion(codes: np.ndarray, t: int, phase: int) -> int:
    """Number of the letters from t on that complete a codon of which `phase` letters are known; N beyond the end."""
    if phase == 0:
        return 0
    n = codes.size
    first = codes[t] if t < n else 4
    if phase == 2:
        return first
    return 5 * first + (codes[t + 1] if t + 1 < n else 4)


@kernel(forceinline=True)
def _prefix(codes: np.ndarray, t: int, phase: int) -> int:
    """Number of the `phase` letters before t."""
    if phase == 0:
        return 0
    return codes[t - 1] if phase == 1 else 5 * codes[t - 2] + codes[t - 1]


@kernel(forceinline=True)
def _signal(strand: int, kind: int, phase: int) -> int:
    """The column of a site, by the flag of its boundary."""
    base, turned = STRAND_COLUMNS[strand], (3 - phase) % 3
    if kind == INTRON_LEFT:
        return base + (DONOR + phase if strand == 0 else ACCEPTOR + turned)
    if kind == INTRON_RIGHT:
        return base + (ACCEPTOR + phase if strand == 0 else DONOR + turned)
    return base + (START if (kind == GENE_LEFT) == (strand == 0) else STOP)


@kernel(forceinline=True)
def _coding(strand: int, base: int) -> int:
    """The column of the base of a codon that is number 0, 1 or 2 from the left."""
    return STRAND_COLUMNS[strand] + CODING + (base if strand == 0 else 2 - base)


@kernel(forceinline=True)
def _intron(strand: int, phase: int) -> int:
    """The column of an intron's bases."""
    return STRAND_COLUMNS[strand] + INTRON + (phase if strand == 0 else (3 - phase) % 3)


@kernel(forceinline=True)
def _log_add(a: float, b: float) -> float:
    """log(exp(a) + exp(b))."""
    if a < b:
        a, b = b, a
    return a if b == -np.inf else a + np.log1p(np.exp(b - a))


@kernel(forceinline=True)
def _sum_of(terms: np.ndarray, n: int, top: float) -> float:
    """Log of the summed exponentials of n terms, of which `top` is the largest."""
    total = 0.0
    for k in range(n):
        below = terms[k] - top
        if below > _NEGLIGIBLE:
            total += np.exp(below)
    return top + np.log(total)


@kernel(forceinline=True)
def _exon_score(nodes: Nodes, x: int, strand: int, right: int, t: int, lengths: Lengths, n_classes: int) -> float:
    """Score of closing at t an exon that node x opens, x alone or an aggregate; without the potentials of its bases."""
    longest = lengths.exons.shape[2] - 1
    if nodes.kind[x] == _SUM:
        left = (nodes.low[x] - 1 - 2 * n_classes) % 3
        return nodes.value[x] + lengths.exons[strand, 3 * left + right, longest] + lengths.exon_slope * t
    bp = t - nodes.position[x]
    beyond = max(0, bp - longest)
    row = 3 * nodes.label[x] + right
    return nodes.value[x] + lengths.exons[strand, row, bp - beyond] + lengths.exon_slope * beyond


@kernel(forceinline=True)
def _intron_score(nodes: Nodes, x: int, row: int, t: int, lengths: Lengths) -> float:
    """Score of ending at t an intron that node x opens, x alone or an aggregate; without the potentials of its bases."""
    longest = lengths.introns.shape[1] - 1
    if nodes.kind[x] == _SUM:
        return nodes.value[x] + lengths.introns[row, longest] + lengths.intron_slope * t
    bp = t - nodes.position[x]
    beyond = max(0, bp - longest)
    return nodes.value[x] + lengths.introns[row, bp - beyond] + lengths.intron_slope * beyond


@kernel(forceinline=True)
def _new_node(nodes: Nodes, count: int, t: int, kind: int, strand: int, phase: int, label: int, first: int) -> None:
    """Write a node with one predecessor; its value is the caller's."""
    nodes.position[count], nodes.kind[count], nodes.strand[count] = t, kind, strand
    nodes.phase[count], nodes.label[count], nodes.first[count] = phase, label, first


@kernel(forceinline=True)
def _append_exon(nodes: Nodes, x: int, exons: np.ndarray, n_exons: np.ndarray) -> None:
    """Add a node to the open exons of its frame."""
    list_ = 3 * nodes.strand[x] + (nodes.position[x] - nodes.phase[x]) % 3
    exons[list_, n_exons[list_]] = x
    n_exons[list_] += 1


@kernel(forceinline=True)
def _append_intron(
    nodes: Nodes,
    x: int,
    introns: np.ndarray,
    values: np.ndarray,
    positions: np.ndarray,
    classes: np.ndarray,
    n_introns: np.ndarray,
) -> None:
    """Add a node to the open introns of its phase."""
    list_ = 3 * nodes.strand[x] + nodes.phase[x]
    k = n_introns[list_]
    introns[list_, k], values[list_, k], positions[list_, k], classes[list_, k] = (
        x,
        nodes.value[x],
        nodes.position[x],
        nodes.label[x],
    )
    n_introns[list_] += 1


@kernel(forceinline=True)
def _add_to_sum(
    nodes: Nodes, count: int, t: int, g: int, sums: np.ndarray, x: int, entry: float, goes_on: bool, best: bool
) -> None:
    """Add node x with score `entry` to aggregate g: a new node, which takes the aggregate's place.

    goes_on: whether what was in the aggregate before still counts.
    """
    before = sums[g]
    nodes.position[count], nodes.kind[count], nodes.low[count] = t, _SUM, g
    nodes.first[count], nodes.second[count], nodes.label[count] = before, x, goes_on
    if not goes_on:
        nodes.value[count] = entry
        if best:
            nodes.first[count] = x
    elif best:
        nodes.value[count] = max(nodes.value[before], entry)
        nodes.first[count] = before if nodes.value[before] >= entry else x
    else:
        nodes.value[count] = _log_add(nodes.value[before], entry)
    sums[g] = count


@kernel(forceinline=True)
def _age_exons(
    nodes: Nodes,
    count: int,
    list_: int,
    t: int,
    exons: np.ndarray,
    n_exons: np.ndarray,
    alive: np.ndarray,
    young: np.ndarray,
    sums: np.ndarray,
    latest: np.ndarray,
    barred: np.ndarray,
    lengths: Lengths,
    n_classes: int,
    best: bool,
) -> int:
    """Move the open exons of a frame that are longer than the explicit lengths into their aggregates; the new count of nodes."""
    longest = lengths.exons.shape[2] - 1
    while young[list_] < n_exons[list_]:
        x = exons[list_, young[list_]]
        if t - nodes.position[x] <= longest:
            break
        if young[list_] >= alive[list_]:
            g = 1 + 2 * n_classes + 3 * list_ + nodes.label[x]
            entry = nodes.value[x] - lengths.exon_slope * (nodes.position[x] + longest)
            goes_on = sums[g] >= 0 and barred[list_] < latest[g]
            _add_to_sum(nodes, count, t, g, sums, x, entry, goes_on, best)
            latest[g] = nodes.position[x] + (nodes.kind[x] == GENE_OPENS)
            count += 1
        young[list_] += 1
    return count


@kernel(forceinline=True)
def _age_introns(
    nodes: Nodes,
    count: int,
    list_: int,
    t: int,
    introns: np.ndarray,
    n_introns: np.ndarray,
    young: np.ndarray,
    sums: np.ndarray,
    structure: GeneStructure,
    lengths: Lengths,
    best: bool,
) -> int:
    """Move the open introns of a phase that are longer than the explicit lengths into their aggregates; the new count of nodes."""
    longest, n_classes = lengths.introns.shape[1] - 1, structure.phases.shape[1]
    strand = list_ // 3
    while young[list_] < n_introns[list_]:
        x = introns[list_, young[list_]]
        if t - nodes.position[x] <= longest:
            break
        g = 1 + strand * n_classes + nodes.label[x]
        entry = nodes.value[x] - lengths.intron_slope * (nodes.position[x] + longest)
        _add_to_sum(nodes, count, t, g, sums, x, entry, sums[g] >= 0, best)
        count += 1
        young[list_] += 1
    return count


@kernel(forceinline=True)
def _any_sum(sums: np.ndarray, strand: int, phase: int, structure: GeneStructure) -> bool:
    """Whether an aggregate of introns of the phase has an entry."""
    n_classes = structure.phases.shape[1]
    for c in range(n_classes):
        if structure.phases[strand, c] == phase and sums[1 + strand * n_classes + c] >= 0:
            return True
    return False


@kernel(forceinline=True)
def _close_exon(
    nodes: Nodes,
    count: int,
    list_: int,
    right: int,
    t: int,
    exons: np.ndarray,
    n_exons: np.ndarray,
    first: int,
    low: int,
    sums: np.ndarray,
    latest: np.ndarray,
    lengths: Lengths,
    n_classes: int,
    terms: np.ndarray,
    best: bool,
) -> bool:
    """Make a node that closes the exons of a frame at t, with its total; False if no exon can close there.

    Args:
        first: the first of the open exons that counts.
        low: the last forbidden codon before the exon's end.
        terms: room for scores.
        nodes, count, list_, right, exons, n_exons, sums, latest, lengths, n_classes, best: as in `_walk`.
    """
    strand, n_terms, top, arg = list_ // 3, 0, -np.inf, -1
    for k in range(first, n_exons[list_]):
        x = exons[list_, k]
        score = nodes.value[x] + lengths.exons[strand, 3 * nodes.label[x] + right, t - nodes.position[x]]
        terms[n_terms] = score
        n_terms += 1
        if score > top:
            top, arg = score, x
    for left in range(3):
        g = 1 + 2 * n_classes + 3 * list_ + left
        if sums[g] >= 0 and low < latest[g]:
            score = _exon_score(nodes, sums[g], strand, right, t, lengths, n_classes)
            terms[n_terms] = score
            n_terms += 1
            if score > top:
                top, arg = score, sums[g]
    if top == -np.inf:
        return False
    nodes.position[count], nodes.strand[count], nodes.phase[count] = t, strand, 0
    nodes.label[count], nodes.low[count] = 0, low
    if best:
        nodes.total[count], nodes.first[count] = top, arg
    else:
        nodes.total[count] = _sum_of(terms, n_terms, top)
        nodes.first[count], nodes.second[count] = first, n_exons[list_]
    return True


@kernel(forceinline=True)
def _close_intron(
    nodes: Nodes,
    count: int,
    list_: int,
    edge: int,
    t: int,
    values: np.ndarray,
    positions: np.ndarray,
    classes: np.ndarray,
    introns: np.ndarray,
    n_introns: np.ndarray,
    first: int,
    penalty: np.ndarray,
    sums: np.ndarray,
    structure: GeneStructure,
    lengths: Lengths,
    terms: np.ndarray,
    best: bool,
) -> bool:
    """Make a node that ends the introns of a phase at t, with its total; False if no intron can end there.

    Args:
        edge: 2 where the sequence ends, else 0.
        values, positions, classes: (6, n) of the open introns.
        first: the first of them that counts.
        penalty: (C,) of each class of split codons, 0 or -inf.
        terms: room for scores.
        nodes, count, list_, introns, n_introns, sums, structure, lengths, best: as in `_walk`.
    """
    strand, n_terms, top, arg = list_ // 3, 0, -np.inf, -1
    n_classes = structure.phases.shape[1]
    for k in range(first, n_introns[list_]):
        c = classes[list_, k]
        row = edge + structure.edges[strand, c]
        score = values[list_, k] + lengths.introns[row, t - positions[list_, k]] + penalty[c]
        terms[n_terms] = score
        n_terms += 1
        if score > top:
            top, arg = score, introns[list_, k]
    for c in range(n_classes):
        g = 1 + strand * n_classes + c
        if sums[g] >= 0 and structure.phases[strand, c] == list_ % 3:
            score = _intron_score(nodes, sums[g], edge + structure.edges[strand, c], t, lengths) + penalty[c]
            terms[n_terms] = score
            n_terms += 1
            if score > top:
                top, arg = score, sums[g]
    if top == -np.inf:
        return False
    nodes.position[count], nodes.strand[count] = t, strand
    if best:
        nodes.total[count], nodes.first[count] = top, arg
    else:
        nodes.total[count] = _sum_of(terms, n_terms, top)
        nodes.first[count], nodes.second[count] = first, n_introns[list_]
    return True


@kernel()
def _walk(
    codes: np.ndarray,
    start: int,
    stop: int,
    potentials: np.ndarray,
    structure: GeneStructure,
    lengths: Lengths,
    moves: Moves,
    frontier: Frontier,
    best: bool,
) -> tuple[Nodes, int, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, Frontier]:
    """Walk over the boundaries start to stop - 1 of a sequence, and over its end if `stop` is it: see `Tile`.

    Args:
        codes: tokens of the sequence (L,).
        start, stop: the tile's bases.
        potentials: (lead + stop - start, 29) of the bases from `lead` bases before the tile on.
        structure, lengths, moves: what paths are like.
        frontier: what was before.
        best: follow the best path to each node; else the sum over all paths.
    """
    n_codes, n = codes.size, stop - start
    lead = len(potentials) - n
    is_last = stop == n_codes
    flags = _mark(codes, start - _CONTEXT, stop, structure)
    longest_exon, longest_intron = lengths.exons.shape[2] - 1, lengths.introns.shape[1] - 1
    n_classes = structure.phases.shape[1]
    n_sums, n_kept = frontier.sums.size, frontier.position.size

    # how much room
    room, room_exons, room_introns = n_sums + 2 + 2 * n_kept + 64, n_kept + 1, n_kept + 1
    for t in range(n + 1):
        bits = flags[t + _CONTEXT]
        for strand in range(2):
            own = bits >> (MINUS_SHIFT * strand)
            if own & INTRON_LEFT:
                room += 10
                room_introns += 2
            if own & INTRON_RIGHT:
                room += 16
                room_exons += 1
            if own & GENE_LEFT:
                room += 2
                room_exons += 1
            if own & GENE_RIGHT:
                room += 2
    nodes = Nodes(
        np.empty(room, np.int64),
        np.empty(room, np.int8),
        np.zeros(room, np.int8),
        np.zeros(room, np.int8),
        np.zeros(room, np.int8),
        np.empty(room, np.float64),
        np.empty(room, np.float64),
        np.zeros(room, np.int64),
        np.full(room, -1, np.int32),
        np.full(room, -1, np.int32),
    )
    exons, introns = np.empty((6, room_exons), np.int32), np.empty((6, room_introns), np.int32)
    # the same introns once more, side by side: they are read most
    intron_value, intron_at = np.empty((6, room_introns)), np.empty((6, room_introns), np.int64)
    intron_class = np.empty((6, room_introns), np.int8)
    n_exons, n_introns = np.zeros(6, np.int64), np.zeros(6, np.int64)
    alive, alive_before, young_exon, young_intron = (
        np.zeros(6, np.int64),
        np.zeros(6, np.int64),
        np.zeros(6, np.int64),
        np.zeros(6, np.int64),
    )
    terms = np.empty(max(room_exons, room_introns) + n_classes + 3)
    sums, latest = np.full(n_sums, -1, np.int32), frontier.latest.copy()
    barred, barred_before = frontier.barred.copy(), frontier.barred.copy()
    cum_exon, cum_intron, cum_between = np.zeros((2, 3)), np.zeros((2, 3)), 0.0
    pending = np.full((4, 2, 2), -1, np.int32)  # by position % 4, strand, and phase - 1
    closers = np.empty(16, np.int32)
    penalty = np.zeros(n_classes)
    end_penalty = np.zeros(n_classes)

    # what was before
    count = 0
    for g in range(n_sums):
        nodes.position[count], nodes.kind[count], nodes.value[count], nodes.low[count] = (
            start,
            _SUM,
            frontier.sums[g],
            g,
        )
        if frontier.sums[g] > -np.inf:
            sums[g] = count
        count += 1
    recent = np.full(3, -1, np.int32)
    for m in range(2):
        nodes.position[count], nodes.kind[count], nodes.value[count], nodes.low[count] = (
            start,
            _SUM,
            frontier.recent[m],
            0,
        )
        if frontier.recent[m] > -np.inf:
            recent[m + 1] = count
        count += 1
    for r in range(n_kept):
        nodes.position[count], nodes.kind[count] = frontier.position[r], frontier.kind[r]
        strand, phase = frontier.strand[r], frontier.phase[r]
        nodes.strand[count], nodes.phase[count], nodes.label[count] = strand, phase, frontier.label[r]
        nodes.value[count] = frontier.value[r]
        if frontier.kind[r] == SHORT_OPENS:
            pending[(frontier.position[r] + 3 - phase) % 4, strand, phase - 1] = count
        elif frontier.kind[r] == INTRON_OPENS or frontier.kind[r] == SPLIT_OPENS:
            _append_intron(nodes, count, introns, intron_value, intron_at, intron_class, n_introns)
        else:
            _append_exon(nodes, count, exons, n_exons)
        count += 1

    for t in range(start, stop + is_last):
        row = t - start + lead
        bits = flags[t - start + _CONTEXT]
        under = flags[t - start]
        n_closers = 0
        recent[0] = sums[0]
        if t >= 3:
            for strand in range(2):
                if (under >> (MINUS_SHIFT * strand)) & BARRED:
                    list_ = 3 * strand + t % 3
                    count = _age_exons(
                        nodes,
                        count,
                        list_,
                        t,
                        exons,
                        n_exons,
                        alive,
                        young_exon,
                        sums,
                        latest,
                        barred,
                        lengths,
                        n_classes,
                        best,
                    )
                    barred_before[list_], alive_before[list_] = barred[list_], alive[list_]
                    barred[list_] = t - 3
                    while alive[list_] < n_exons[list_]:
                        x = exons[list_, alive[list_]]
                        if nodes.position[x] > t - 3 or (nodes.position[x] == t - 3 and nodes.kind[x] == GENE_OPENS):
                            break
                        alive[list_] += 1
        for strand in range(2):
            own = bits >> (MINUS_SHIFT * strand)
            if own & INTRON_LEFT and t < n_codes:
                for phase in range(3):
                    list_ = 3 * strand + (t - phase) % 3
                    count = _age_exons(
                        nodes,
                        count,
                        list_,
                        t,
                        exons,
                        n_exons,
                        alive,
                        young_exon,
                        sums,
                        latest,
                        barred,
                        lengths,
                        n_classes,
                        best,
                    )
                    added = _close_exon(
                        nodes,
                        count,
                        list_,
                        BEFORE_INTRON,
                        t,
                        exons,
                        n_exons,
                        max(alive[list_], young_exon[list_]),
                        barred[list_],
                        sums,
                        latest,
                        lengths,
                        n_classes,
                        terms,
                        best,
                    )
                    if added:
                        nodes.kind[count], nodes.phase[count] = INTRON_OPENS, phase
                        nodes.label[count] = structure.later[strand, phase, _prefix(codes, t, phase)]
                        nodes.value[count] = (
                            nodes.total[count]
                            + cum_exon[strand, (t - phase) % 3]
                            + potentials[row, _signal(strand, INTRON_LEFT, phase)]
                            - cum_intron[strand, phase]
                        )
                        _append_intron(nodes, count, introns, intron_value, intron_at, intron_class, n_introns)
                        count += 1
                for phase in range(1, 3):
                    if t < phase or recent[phase] < 0 or row < phase:
                        continue
                    label = structure.first[strand, phase, _prefix(codes, t, phase)]
                    if label < 0:
                        continue
                    score = nodes.value[recent[phase]] + cum_between + moves.gene[strand]
                    score += potentials[row - phase, _signal(strand, GENE_LEFT, 0)]
                    for base in range(phase):
                        score += potentials[row - phase + base, _coding(strand, base)]
                        score -= potentials[row - phase + base, INTERGENIC] + moves.stay
                    score += lengths.short[strand, 0, phase]
                    if score > -np.inf:
                        _new_node(nodes, count, t, SPLIT_OPENS, strand, phase, label, recent[phase])
                        nodes.value[count] = (
                            score + potentials[row, _signal(strand, INTRON_LEFT, phase)] - cum_intron[strand, phase]
                        )
                        _append_intron(nodes, count, introns, intron_value, intron_at, intron_class, n_introns)
                        count += 1
            if own & GENE_RIGHT:
                list_ = 3 * strand + t % 3
                count = _age_exons(
                    nodes,
                    count,
                    list_,
                    t,
                    exons,
                    n_exons,
                    alive,
                    young_exon,
                    sums,
                    latest,
                    barred,
                    lengths,
                    n_classes,
                    best,
                )
                own_codon = barred[list_] == t - 3
                low = barred_before[list_] if own_codon else barred[list_]
                first = max(alive_before[list_] if own_codon else alive[list_], young_exon[list_])
                added = _close_exon(
                    nodes,
                    count,
                    list_,
                    GENE_STOP,
                    t,
                    exons,
                    n_exons,
                    first,
                    low,
                    sums,
                    latest,
                    lengths,
                    n_classes,
                    terms,
                    best,
                )
                if added:
                    nodes.kind[count] = GENE_CLOSES
                    nodes.value[count] = (
                        nodes.total[count]
                        + cum_exon[strand, t % 3]
                        + potentials[row - 1, _signal(strand, GENE_RIGHT, 0)]
                        - cum_between
                    )
                    closers[n_closers] = count
                    n_closers += 1
                    count += 1
            for phase in range(1, 3):
                x = pending[t % 4, strand, phase - 1]
                if x < 0:
                    continue
                pending[t % 4, strand, phase - 1] = -1
                score = lengths.short[strand, 1, 3 - phase]
                if score > -np.inf:
                    _new_node(nodes, count, t, SHORT_CLOSES, strand, phase, 0, x)
                    nodes.value[count] = (
                        nodes.value[x]
                        + score
                        + cum_exon[strand, t % 3]
                        + potentials[row - 1, _signal(strand, GENE_RIGHT, 0)]
                        - cum_between
                    )
                    closers[n_closers] = count
                    n_closers += 1
                    count += 1
            if own & INTRON_RIGHT:
                for phase in range(3):
                    list_ = 3 * strand + phase
                    if n_introns[list_] == 0 and not _any_sum(sums, strand, phase, structure):
                        continue
                    goes_on, ends = False, False
                    letters = _completion(codes, t, phase)
                    for c in range(n_classes):
                        outcome = structure.outcomes[strand, c, letters] if structure.phases[strand, c] == phase else 0
                        penalty[c] = 0.0 if outcome & GO_ON else -np.inf
                        end_penalty[c] = 0.0 if phase and outcome & END and t + 3 - phase <= n_codes else -np.inf
                        goes_on |= penalty[c] == 0
                        ends |= end_penalty[c] == 0
                    count = _age_introns(
                        nodes, count, list_, t, introns, n_introns, young_intron, sums, structure, lengths, best
                    )
                    for short in range(2):
                        if not (ends if short else goes_on):
                            continue
                        added = _close_intron(
                            nodes,
                            count,
                            list_,
                            0,
                            t,
                            intron_value,
                            intron_at,
                            intron_class,
                            introns,
                            n_introns,
                            young_intron[list_],
                            end_penalty if short else penalty,
                            sums,
                            structure,
                            lengths,
                            terms,
                            best,
                        )
                        if added:
                            frame = (t - phase) % 3
                            nodes.kind[count] = SHORT_OPENS if short else EXON_OPENS
                            nodes.phase[count], nodes.label[count] = phase, AFTER_INTRON
                            nodes.value[count] = (
                                nodes.total[count]
                                + cum_intron[strand, phase]
                                + potentials[row - 1, _signal(strand, INTRON_RIGHT, phase)]
                                - cum_exon[strand, frame]
                            )
                            if short:
                                pending[(t + 3 - phase) % 4, strand, phase - 1] = count
                            else:
                                _append_exon(nodes, count, exons, n_exons)
                            count += 1
        for strand in range(2):
            own = bits >> (MINUS_SHIFT * strand)
            if own & GENE_LEFT and sums[0] >= 0:
                _new_node(nodes, count, t, GENE_OPENS, strand, 0, GENE_START, sums[0])
                nodes.value[count] = (
                    nodes.value[sums[0]]
                    + moves.gene[strand]
                    + cum_between
                    + potentials[row, _signal(strand, GENE_LEFT, 0)]
                    - cum_exon[strand, t % 3]
                )
                if nodes.value[count] > -np.inf:
                    _append_exon(nodes, count, exons, n_exons)
                    count += 1
        recent[2], recent[1] = recent[1], recent[0]
        for k in range(n_closers):
            _add_to_sum(nodes, count, t, 0, sums, closers[k], nodes.value[closers[k]], sums[0] >= 0, best)
            count += 1
        if t < n_codes:
            for strand in range(2):
                for frame in range(3):
                    cum_exon[strand, frame] += potentials[row, _coding(strand, (t - frame) % 3)]
                    cum_intron[strand, frame] += potentials[row, _intron(strand, frame)]
            cum_between += potentials[row, INTERGENIC] + moves.stay

    # how the sequence may end
    last = np.empty(13 if is_last else 0, np.int32)
    n_last = 0
    if is_last:
        t = stop
        if sums[0] >= 0:
            _new_node(nodes, count, t, LAST_BETWEEN, 0, 0, 0, sums[0])
            nodes.value[count] = nodes.value[sums[0]] + cum_between + moves.last[0]
            last[n_last] = count
            n_last += 1
            count += 1
        for list_ in range(6):
            strand = list_ // 3
            count = _age_exons(
                nodes,
                count,
                list_,
                t,
                exons,
                n_exons,
                alive,
                young_exon,
                sums,
                latest,
                barred,
                lengths,
                n_classes,
                best,
            )
            added = _close_exon(
                nodes,
                count,
                list_,
                CLOSE_EDGE,
                t,
                exons,
                n_exons,
                max(alive[list_], young_exon[list_]),
                barred[list_],
                sums,
                latest,
                lengths,
                n_classes,
                terms,
                best,
            )
            if added:
                nodes.kind[count], nodes.phase[count] = LAST_EXON, (t - list_) % 3
                nodes.value[count] = nodes.total[count] + cum_exon[strand, list_ % 3] + moves.last[1]
                last[n_last] = count
                n_last += 1
                count += 1
            count = _age_introns(
                nodes, count, list_, t, introns, n_introns, young_intron, sums, structure, lengths, best
            )
            penalty[:] = 0
            added = _close_intron(
                nodes,
                count,
                list_,
                2,
                t,
                intron_value,
                intron_at,
                intron_class,
                introns,
                n_introns,
                young_intron[list_],
                penalty,
                sums,
                structure,
                lengths,
                terms,
                best,
            )
            if added:
                nodes.kind[count], nodes.phase[count] = LAST_INTRON, list_ % 3
                nodes.value[count] = nodes.total[count] + cum_intron[strand, list_ % 3] + moves.last[2]
                last[n_last] = count
                n_last += 1
                count += 1

    # what the next tile must know
    kept = np.empty(n_exons.sum() + n_introns.sum() + 16, np.int32)
    n_out = 0
    for list_ in range(6):
        for k in range(max(alive[list_], young_exon[list_]), n_exons[list_]):
            kept[n_out] = exons[list_, k]
            n_out += 1
        for k in range(young_intron[list_], n_introns[list_]):
            kept[n_out] = introns[list_, k]
            n_out += 1
    for slot in range(4):
        for strand in range(2):
            for p in range(2):
                if pending[slot, strand, p] >= 0:
                    kept[n_out] = pending[slot, strand, p]
                    n_out += 1
    kept = np.sort(kept[:n_out])
    onward = Frontier(
        np.full(n_sums, -np.inf),
        latest,
        np.full(2, -np.inf),
        barred,
        nodes.position[kept],
        nodes.kind[kept],
        nodes.strand[kept],
        nodes.phase[kept],
        nodes.label[kept],
        nodes.value[kept],
    )
    for k in range(n_out):
        strand, phase = onward.strand[k], onward.phase[k]
        if onward.kind[k] == INTRON_OPENS or onward.kind[k] == SPLIT_OPENS:
            onward.value[k] += cum_intron[strand, phase]
        else:
            onward.value[k] += cum_exon[strand, (onward.position[k] - phase) % 3]
    out = np.full(n_sums + 2, -1, np.int32)
    for g in range(n_sums):
        out[g] = sums[g]
        if sums[g] >= 0:
            onward.sums[g] = nodes.value[sums[g]]
            if g == 0:
                onward.sums[g] += cum_between
            elif g <= 2 * n_classes:
                strand, c = (g - 1) // n_classes, (g - 1) % n_classes
                onward.sums[g] += cum_intron[strand, structure.phases[strand, c]]
            else:
                list_ = (g - 1 - 2 * n_classes) // 3
                onward.sums[g] += cum_exon[list_ // 3, list_ % 3]
    for m in range(2):
        out[n_sums + m] = recent[m + 1]
        if recent[m + 1] >= 0:
            onward.recent[m] = nodes.value[recent[m + 1]] + cum_between
    return nodes, count, exons, introns, out, kept, last[:n_last], onward


class Expected(NamedTuple):
    """Expected counts over all paths: the gradients of the log of their sum.

    Attributes:
        exons: (2, 9, M + 1) exons by strand, ends and length, as `Lengths.exons`; longer ones count as M.
        introns: (4, D + 1) introns, likewise.
        excess: (2,) bases of exons beyond M, and of introns beyond D.
        stay: (1,) bases between genes.
        short: (2, 2, 3), as in `Lengths`.
        gene: (2,) genes that begin, by strand.
        first, last: (3,).
    """

    exons: np.ndarray
    introns: np.ndarray
    excess: np.ndarray
    stay: np.ndarray
    short: np.ndarray
    gene: np.ndarray
    first: np.ndarray
    last: np.ndarray


@kernel()
def _unwalk(
    codes: np.ndarray,
    start: int,
    stop: int,
    structure: GeneStructure,
    lengths: Lengths,
    frontier: Frontier,
    nodes: Nodes,
    count: int,
    exons: np.ndarray,
    introns: np.ndarray,
    sums: np.ndarray,
    mass: np.ndarray,
    marginals: np.ndarray,
    cover: np.ndarray,
    expected: Expected,
    hops: np.ndarray,
) -> np.ndarray:
    """Share the probability of each node out among its predecessors, from the end of a tile to its beginning.

    Args:
        mass: (count,) probability of each node so far: what the next tile gave to those that it kept.
        marginals: (3 + n, 29) gets the probability of each column at each base, from three bases before the tile on.
        cover: (2, 6) probability that the base right of the tile lies in an exon of each strand and frame, or in an intron of each
            strand and phase, and began before it; becomes that of the tile's first base.
        expected: is added to.
        hops: (H, 2) nodes and their predecessors on a path, in falling order.
        codes, start, stop, structure, lengths, frontier, nodes, count, exons, introns, sums: of the walk.

    Returns:
        (H,) probability of each of these predecessors, given its node.
    """
    n = stop - start
    n_classes = structure.phases.shape[1]
    n_sums = frontier.sums.size
    n_before = n_sums + 2 + frontier.position.size
    longest_exon, longest_intron = lengths.exons.shape[2] - 1, lengths.introns.shape[1] - 1
    now = sums[:n_sums].copy()
    exon_steps, intron_steps = np.zeros((6, n + 1)), np.zeros((6, n + 1))
    given = np.zeros(len(hops))
    hop = 0
    for node in range(count - 1, n_before - 1, -1):
        m = mass[node]
        kind, strand, phase = nodes.kind[node], nodes.strand[node], nodes.phase[node]
        on_path = hop < len(hops) and hops[hop, 0] == node
        if m == 0 and not on_path and kind != _SUM:
            continue
        t = nodes.position[node]
        at, row, frame = t - start, t - start + _CONTEXT, (t - phase) % 3
        if kind == _SUM:
            g, before, x = nodes.low[node], nodes.first[node], nodes.second[node]
            share = np.exp(nodes.value[before] - nodes.value[node]) if nodes.label[node] else 0.0
            if before >= 0:
                mass[before] += m * share
            mass[x] += m * (1 - share)
            if g > 2 * n_classes:
                expected.excess[0] -= m * (1 - share) * (nodes.position[x] + longest_exon)
            elif g > 0:
                expected.excess[1] -= m * (1 - share) * (nodes.position[x] + longest_intron)
            if on_path:
                given[hop] = share if hops[hop, 1] == before else 1 - share
            now[g] = before
        elif kind == GENE_OPENS:
            mass[nodes.first[node]] += m
            exon_steps[3 * strand + frame, at] += m
            marginals[row, _signal(strand, GENE_LEFT, 0)] += m
            expected.gene[strand] += m
        elif kind == SPLIT_OPENS:
            mass[nodes.first[node]] += m
            intron_steps[3 * strand + phase, at] += m
            marginals[row, _signal(strand, INTRON_LEFT, phase)] += m
            marginals[row - phase, _signal(strand, GENE_LEFT, 0)] += m
            for base in range(phase):
                marginals[row - phase + base, _coding(strand, base)] += m
            expected.gene[strand] += m
            expected.short[strand, 0, phase] += m
        elif kind == SHORT_CLOSES:
            mass[nodes.first[node]] += m
            exon_steps[3 * strand + t % 3, at] -= m
            marginals[row - 1, _signal(strand, GENE_RIGHT, 0)] += m
            expected.short[strand, 1, 3 - phase] += m
        elif kind == LAST_BETWEEN:
            mass[nodes.first[node]] += m
            expected.last[0] += m
        elif kind == INTRON_OPENS or kind == GENE_CLOSES or kind == LAST_EXON:
            right = BEFORE_INTRON if kind == INTRON_OPENS else GENE_STOP if kind == GENE_CLOSES else CLOSE_EDGE
            list_ = 3 * strand + frame
            exon_steps[list_, at] -= m
            if kind == INTRON_OPENS:
                intron_steps[3 * strand + phase, at] += m
                marginals[row, _signal(strand, INTRON_LEFT, phase)] += m
            elif kind == GENE_CLOSES:
                marginals[row - 1, _signal(strand, GENE_RIGHT, 0)] += m
            else:
                expected.last[1] += m
            for k in range(nodes.first[node], nodes.second[node]):
                x = exons[list_, k]
                bp = t - nodes.position[x]
                here = 3 * nodes.label[x] + right
                below = nodes.value[x] + lengths.exons[strand, here, bp] - nodes.total[node]
                if below > _NEGLIGIBLE:
                    p = np.exp(below)
                    mass[x] += m * p
                    expected.exons[strand, here, bp] += m * p
                    if on_path and hops[hop, 1] == x:
                        given[hop] = p
            for left in range(3):
                g = 1 + 2 * n_classes + 3 * list_ + left
                x = now[g]
                if x < 0:
                    continue
                latest = frontier.latest[g]
                if x >= n_sums:
                    newest = nodes.second[x]
                    latest = nodes.position[newest] + (nodes.kind[newest] == GENE_OPENS)
                if nodes.low[node] < latest:
                    p = np.exp(_exon_score(nodes, x, strand, right, t, lengths, n_classes) - nodes.total[node])
                    mass[x] += m * p
                    expected.exons[strand, 3 * left + right, longest_exon] += m * p
                    expected.excess[0] += m * p * t
                    if on_path and hops[hop, 1] == x:
                        given[hop] = p
        else:  # an intron ends
            list_ = 3 * strand + phase
            edge = 2 if kind == LAST_INTRON else 0
            intron_steps[list_, at] -= m
            wanted = 0
            if kind == LAST_INTRON:
                expected.last[2] += m
            else:
                wanted = END if kind == SHORT_OPENS else GO_ON
                exon_steps[3 * strand + frame, at] += m
                marginals[row - 1, _signal(strand, INTRON_RIGHT, phase)] += m
            letters = _completion(codes, t, phase)
            for k in range(nodes.first[node], nodes.second[node]):
                x = introns[list_, k]
                c = nodes.label[x]
                if (structure.outcomes[strand, c, letters] & wanted) != wanted:
                    continue
                bp, here = t - nodes.position[x], edge + structure.edges[strand, c]
                below = nodes.value[x] + lengths.introns[here, bp] - nodes.total[node]
                if below > _NEGLIGIBLE:
                    p = np.exp(below)
                    mass[x] += m * p
                    expected.introns[here, bp] += m * p
                    if on_path and hops[hop, 1] == x:
                        given[hop] = p
            for c in range(n_classes):
                x = now[1 + strand * n_classes + c]
                if x < 0 or structure.phases[strand, c] != phase:
                    continue
                if (structure.outcomes[strand, c, letters] & wanted) != wanted:
                    continue
                here = edge + structure.edges[strand, c]
                p = np.exp(_intron_score(nodes, x, here, t, lengths) - nodes.total[node])
                mass[x] += m * p
                expected.introns[here, longest_intron] += m * p
                expected.excess[1] += m * p * t
                if on_path and hops[hop, 1] == x:
                    given[hop] = p
        if on_path:
            if kind in (GENE_OPENS, SPLIT_OPENS, SHORT_CLOSES, LAST_BETWEEN):
                given[hop] = 1.0
            hop += 1
    for t in range(n - 1, -1, -1):
        row, outside = t + _CONTEXT, 1.0
        for list_ in range(6):
            strand, which = list_ // 3, list_ % 3
            if t + 1 <= n:
                cover[0, list_] -= exon_steps[list_, t + 1]
                cover[1, list_] -= intron_steps[list_, t + 1]
            marginals[row, _coding(strand, (t + start - which) % 3)] += cover[0, list_]
            marginals[row, _intron(strand, which)] += cover[1, list_]
    for list_ in range(6):
        cover[0, list_] -= exon_steps[list_, 0]
        cover[1, list_] -= intron_steps[list_, 0]
    return given


@kernel()
def _trace(nodes: Nodes, node: int, n_before: int) -> np.ndarray:
    """Follow the best path back from a node to what was before the tile: nodes and their predecessors (H, 2)."""
    n, x = 0, node
    while x >= n_before:
        x = nodes.first[x]
        n += 1
    hops = np.empty((n, 2), np.int64)
    x = node
    for hop in range(n):
        hops[hop, 0], hops[hop, 1] = x, nodes.first[x]
        x = nodes.first[x]
    return hops


Potentials = Callable[[int, int], np.ndarray]
"""Start and stop to the potentials (stop - start, 29) float32 of these bases."""


class SegmentModel(NamedTuple):
    """What paths are like."""

    structure: GeneStructure
    lengths: Lengths
    moves: Moves


class Site(NamedTuple):
    """A site of a path.

    Attributes:
        position: the boundary, before the base of this number.
        kind: one of the kinds above.
        strand: 0 plus, 1 minus.
        phase: bases of the codon to the left of the boundary.
        is_edge: whether the exon or intron that opens here began before the sequence.
    """

    position: int
    kind: int
    strand: int
    phase: int
    is_edge: bool


class BestPath(NamedTuple):
    """A path.

    Attributes:
        sites: from left to right.
        score: nats.
        hops: for each tile its (H, 2) nodes and predecessors.
    """

    sites: list[Site]
    score: float
    hops: list[np.ndarray]


def best_path(codes: np.ndarray, potentials: Potentials, model: SegmentModel, *, tile_bp: int = TILE) -> BestPath:
    """The path of the highest score through a sequence: tokens (L,), L >= 1.

    Raises:
        ValueError: no path is possible, or a score is NaN or +inf.
    """
    walker = _Walker(codes, potentials, model, tile_bp)
    tile = walker.forward(best=True)
    node = int(tile.last[np.argmax(tile.nodes.value[tile.last])])
    score = float(tile.nodes.value[node])
    sites: list[Site] = []
    hops: list[np.ndarray] = []
    for number in range(len(walker.tiles) - 1, -1, -1):
        if number < len(walker.tiles) - 1:
            tile = walker.tile(number, best=True)
            node = int(tile.sums[node] if node < len(tile.sums) else tile.kept[node - len(tile.sums)])
        n_before = walker.n_before(number)
        path = _trace(tile.nodes, node, n_before)
        hops.append(path)
        real = path[tile.nodes.kind[path[:, 0]] != _SUM, 0].tolist()
        if len(path):
            node = int(path[-1, 1])
        if number == 0 and node >= len(tile.sums):
            real.append(node)
        sites += [walker.site(tile.nodes, x, is_first=number == 0 and x == node) for x in real]
    return BestPath(sites[::-1], score, hops[::-1])


class Sums(NamedTuple):
    """Sums over all paths.

    Attributes:
        log_sum: log of the summed exponentials of all paths' scores.
        expected: expected counts.
        given: for each hop of a path, in rising order, the probability of the predecessor given its node.
        mass: for each hop, the probability of its node.
    """

    log_sum: float
    expected: Expected
    given: list[np.ndarray]
    mass: list[np.ndarray]


def sum_paths(
    codes: np.ndarray,
    potentials: Potentials,
    model: SegmentModel,
    *,
    path: BestPath | None = None,
    marginals: Callable[[int, np.ndarray], None] | None = None,
    tile_bp: int = TILE,
) -> Sums:
    """Sum over all paths through a sequence: tokens (L,), L >= 1.

    Args:
        codes: tokens.
        potentials: of the bases.
        model: what paths are like.
        path: a path of `best_path` with the same tiles, whose parts are to get probabilities.
        marginals: gets, from the last tile to the first, the start of some bases and the probability of each column at each of them.
        tile_bp: bases of a tile; the result does not depend on it.

    Raises:
        ValueError: no path is possible, or a score is NaN or +inf.
    """
    walker = _Walker(codes, potentials, model, tile_bp)
    tile = walker.forward(best=False)
    ends = tile.nodes.value[tile.last]
    log_sum = float(np.logaddexp.reduce(ends))
    expected = _nothing(model)
    onward = np.zeros(0)
    cover = np.zeros((2, 6))
    rest = np.zeros((_CONTEXT, N_COLUMNS))
    given: list[np.ndarray] = []
    masses: list[np.ndarray] = []
    for number in range(len(walker.tiles) - 1, -1, -1):
        start, stop = walker.tiles[number]
        if number < len(walker.tiles) - 1:
            tile = walker.tile(number, best=False)
        mass = np.zeros(tile.count)
        if number == len(walker.tiles) - 1:
            mass[tile.last] = np.exp(ends - log_sum)
        else:
            into = np.concatenate([tile.sums, tile.kept])
            np.add.at(mass, into[into >= 0], onward[into >= 0])
        rows = np.zeros((_CONTEXT + stop - start, N_COLUMNS))
        hops = path.hops[number] if path else np.zeros((0, 2), np.int64)
        given.append(
            _unwalk(
                codes,
                start,
                stop,
                model.structure,
                model.lengths,
                walker.frontiers[number],
                tile.nodes,
                tile.count,
                tile.exons,
                tile.introns,
                tile.sums,
                mass,
                rows,
                cover,
                expected,
                hops,
            )
        )
        masses.append(mass[hops[:, 0]])
        onward = mass[: walker.n_before(number)]
        reach = min(_CONTEXT, len(rows))
        rows[len(rows) - reach :] += rest[_CONTEXT - reach :]
        rest = rows[:_CONTEXT].copy()
        own = rows[_CONTEXT:]
        is_gene = np.r_[tuple(slice(s + CODING, s + DONOR) for s in STRAND_COLUMNS)]
        own[:, INTERGENIC] = np.clip(1 - own[:, is_gene].sum(1), 0, 1)
        expected.stay[0] += own[:, INTERGENIC].sum()
        if marginals is not None:
            marginals(start, own)
    _first_masses(expected, onward, walker.frontiers[0])
    return Sums(log_sum, expected, given[::-1], masses[::-1])


def _first_masses(expected: Expected, mass: np.ndarray, frontier: Frontier) -> None:
    """Add how probable it is that the sequence begins between genes, in an exon, or in an intron."""
    n_sums = len(frontier.sums) + 2
    expected.first[0] += mass[0]
    is_exon = frontier.kind == EXON_OPENS
    expected.first[1] += mass[n_sums:][is_exon].sum()
    expected.first[2] += mass[n_sums:][~is_exon].sum()


def _nothing(model: SegmentModel) -> Expected:
    """Counts of zero."""
    lengths = model.lengths
    return Expected(
        np.zeros(lengths.exons.shape),
        np.zeros(lengths.introns.shape),
        np.zeros(2),
        np.zeros(1),
        np.zeros(lengths.short.shape),
        np.zeros(2),
        np.zeros(3),
        np.zeros(3),
    )


class _Walker:
    """Tiles of a sequence, and the frontiers before them.

    Attributes:
        tiles: starts and ends.
        frontiers: what each tile must know.
    """

    def __init__(self, codes: np.ndarray, potentials: Potentials, model: SegmentModel, tile_bp: int) -> None:
        self.codes, self.potentials, self.model = codes, potentials, model
        n = len(codes)
        self.tiles = [(start, min(start + tile_bp, n)) for start in range(0, n, tile_bp)]
        self.frontiers: list[Frontier] = [_beginning(model)]

    def n_before(self, number: int) -> int:
        """Nodes of a tile that stand for what was before it."""
        frontier = self.frontiers[number]
        return len(frontier.sums) + 2 + len(frontier.position)

    def forward(self, *, best: bool) -> Tile:
        """Walk all tiles, and keep the last one."""
        for number in range(len(self.tiles)):
            tile = self.tile(number, best=best)
            if number < len(self.tiles) - 1:
                self.frontiers.append(tile.frontier)
        top = tile.nodes.value[tile.last].max(initial=-np.inf)
        if not np.isfinite(top):
            raise ValueError("no path through the sequence is possible, or its scores are not finite")
        return tile

    def tile(self, number: int, *, best: bool) -> Tile:
        """Walk a tile."""
        start, stop = self.tiles[number]
        rows = self.potentials(max(0, start - _CONTEXT), stop)
        structure, lengths, moves = self.model
        nodes, count, exons, introns, sums, kept, last, frontier = _walk(
            self.codes, start, stop, rows, structure, lengths, moves, self.frontiers[number], best
        )
        return Tile(nodes, count, exons, introns, sums, kept, frontier, last)

    def site(self, nodes: Nodes, x: int, *, is_first: bool) -> Site:
        """A node as a site; is_first: it opens what began before the sequence."""
        return Site(int(nodes.position[x]), int(nodes.kind[x]), int(nodes.strand[x]), int(nodes.phase[x]), is_first)


def _beginning(model: SegmentModel) -> Frontier:
    """The frontier at the beginning of a sequence."""
    structure, _, moves = model
    n_sums = 1 + structure.phases.size + 18
    sums = np.full(n_sums, -np.inf)
    sums[0] = moves.first[0]
    rows = [(EXON_OPENS, strand, phase, OPEN_EDGE, moves.first[1]) for strand in range(2) for phase in range(3)]
    rows += [
        (INTRON_OPENS, strand, phase, structure.edge[strand, phase], moves.first[2])
        for strand in range(2)
        for phase in range(3)
    ]
    rows = [row for row in rows if row[-1] > -np.inf]
    kind, strand, phase, label = (np.array([row[i] for row in rows], np.int8) for i in range(4))
    return Frontier(
        sums,
        np.full(n_sums, -1),
        np.full(2, -np.inf),
        np.full(6, -1),
        np.zeros(len(rows), np.int64),
        kind,
        strand,
        phase,
        label,
        np.array([row[-1] for row in rows], np.float64),
    )
