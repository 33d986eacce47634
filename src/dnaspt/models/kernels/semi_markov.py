"""Genes as segments: a semi-Markov CRF (Sarawagi and Cohen 2004) over exons, introns and what lies between genes.

A path cuts a sequence into segments of both strands. Its score, in nats, is the sum of the potentials of its bases, of the
sites between its segments, and of the logarithms of its segments' lengths. The best path, the sum over all paths, and the
probability of each segment are exact.

Sites are rare, so the work is done at sites alone. A node is a site with a phase; it opens an exon (start, end of an
intron) or closes one. An exon that closes at a node may have opened at any earlier node of the same frame with no stop
codon in between, an intron at any earlier donor of the same class of split codons. Lengths are explicit up to a longest
one. Longer exons and introns have geometric tails: nodes that have become too old are added to one running sum (an
aggregate), so time is linear in the length of the sequence.

A sequence is read in tiles. What the next tile must know of the ones before it is a `Frontier`. Of a tile on the best path's
way, only the nodes stay from which one at its end came (`Trail`): they are few. A sum over all paths needs all nodes on its
way back: the last tiles are still in memory, and each of the others is walked again from its frontier, in a thread of its
own. So memory is bounded, and tiles of any size give the same result.
"""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from dnaspt.genome.alphabet import N
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
from dnaspt.models.kernels.numba_cache import Function, kernel
from dnaspt.models.kernels.threads import inherit_flush_to_zero

TILE = 1 << 14
"""Bases of a tile: some 500 bytes for each base are in memory while it is walked, and should fit into the processor's cache."""
KEPT_BYTES = 1 << 27
"""Memory for tiles of a sum over all paths that have been walked: some 1 Mb."""

AFTER_INTRON, GENE_START, OPEN_EDGE = 0, 1, 2
"""What stands at the left end of an exon: an intron, the gene's left end, or the beginning of the sequence."""
BEFORE_INTRON, GENE_STOP, CLOSE_EDGE = 0, 1, 2
"""What stands at its right end."""

BEST, ALL = 0, 1
"""What a walk is for: the best path, or the sum over all paths."""

(_SUM, EXON_OPENS, GENE_OPENS, SHORT_OPENS, INTRON_OPENS, SPLIT_OPENS, GENE_CLOSES, SHORT_CLOSES) = range(8)
"""Kinds of nodes. _SUM: one more entry of an aggregate. EXON_OPENS: an intron ends, and its exon goes on. SHORT_OPENS: an
intron ends, and the codon that it splits ends the gene. SPLIT_OPENS: an intron splits the gene's leftmost codon; what
stands before it is part of the node. SHORT_CLOSES: the gene's end after SHORT_OPENS."""
LAST_BETWEEN, LAST_EXON, LAST_INTRON = 8, 9, 10
"""What the sequence ends in."""

_CONTEXT = 3
"""Bases before a tile whose letters and potentials its boundaries need."""
_CUM_EXON, _CUM_INTRON, _N_CUM = 1, 7, 13
"""Running sums of potentials: between genes, of exons by strand and frame, of introns by strand and phase."""
_BLOCK = 32
"""Open nodes whose highest value is kept, so that the best path can pass over all of them at once."""
_SPREAD = 100.0
"""In sums, the values of a block differ by no more nats from its first one."""
_LEAST_SUM = 1e-170
"""Below it, a sum of weights times densities may have lost terms: it is then summed as logarithms."""
_LEAST_MASS = 1e-21
"""A probability that changes no other one in float64."""


class Lengths(NamedTuple):
    """Logarithms of the lengths' densities, in nats, below 100; -inf below the shortest length.

    Attributes:
        exons: (2, 9, M + 1), by strand, 3 x left end + right end of the exon, and length in bases.
        exon_slope: what each base beyond M adds, < 0.
        short: (2, 2, 3), by strand, left or right end of the gene, and length: exons of 1 or 2 bases, since an intron
            splits the gene's leftmost or rightmost codon. In `exons` all lengths with an intron beside are 3 or more.
        introns: (4, D + 1): introns with both ends in the sequence, without their left end, without their right end,
            without both.
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


class Durations(NamedTuple):
    """Densities of the lengths of exons, or of introns.

    Attributes:
        log: (R, n + 1) nats, by row and length in bases. Exons have the row 9 x strand + 3 x left end + right end.
        density: (R, n + 1) their exponentials.
        top: (R, n + 1) the highest of each row of `log` from a length on.
        slope: what each base beyond n adds.
    """

    log: np.ndarray
    density: np.ndarray
    top: np.ndarray
    slope: float


class Scores(NamedTuple):
    """What a walk needs to know of a `SegmentModel`.

    Attributes:
        structure: what genes may look like.
        exons, introns: lengths.
        short: as in `Lengths`.
        moves: as given.
        columns: (3, 13) columns of the potentials that each running sum adds, by position % 3.
        running: (G,) the running sum that belongs to each aggregate.
    """

    structure: GeneStructure
    exons: Durations
    introns: Durations
    short: np.ndarray
    moves: Moves
    columns: np.ndarray
    running: np.ndarray


class Frontier(NamedTuple):
    """All that the boundaries from a position on must know of what lies before it. Scores are up to that position.

    Attributes:
        sums: (G,) value of each aggregate, -inf for none. They are: between genes; introns that have become long, by
            strand and class; exons that have, by strand, frame and left end.
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
    """The N nodes of a tile: the aggregates of its frontier (G), the two recent ones, the frontier's nodes, its own.

    Attributes:
        size: (1,) number of nodes.
        position: (N,) boundary of the node.
        kind, strand, phase: (N,) what it is; the phase counts the bases of the codon to its left.
        label: (N,) of a node that opens an exon, the left end; of one that opens an intron, the class of the codon; of a _SUM,
            whether the sum before it still counts.
        value: (N,) score of the best or of all paths up to the node, less the potentials of the segment that follows from the
            tile's beginning on.
        total: (N,) of a node with many predecessors, the score before its own potentials, less those of the segment that it
            ends; of a _SUM in a sum over all paths, the share of the sum before.
        low: (N,) of such a node, the last forbidden codon that matters to it; of a _SUM, its aggregate.
        first: (N,) the predecessor; in a sum over all paths, -1 where there are many. Of a _SUM in such a sum, the _SUM before.
        second: (N,) of a _SUM, the node that it adds.
    """

    size: np.ndarray
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


class Lists(NamedTuple):
    """Open exons and introns: the nodes that open them, in order, in one list for each aggregate that they may end up in.

    The lists stand one behind the other in the same arrays.

    Attributes:
        first, end: (G,) where each list begins and ends.
        young: (G,) its first node whose segment is not longer than the explicit lengths.
        node, position, value: (n,) of the nodes.
        block: (n,) where the block of each node begins.
        top: (n,) where a block begins, its highest value.
        weight: (n,) exp(value - value where the block begins); in sums over all paths.
    """

    first: np.ndarray
    end: np.ndarray
    young: np.ndarray
    node: np.ndarray
    position: np.ndarray
    value: np.ndarray
    block: np.ndarray
    top: np.ndarray
    weight: np.ndarray


class Walk(NamedTuple):
    """Where a walk stands.

    Attributes:
        nodes: so far.
        lists: of open exons and introns.
        sums: (G,) the newest node of each aggregate; -1 for none.
        recent: (3,) that of the aggregate between genes, here and one and two bases before.
        latest: (G,) as in `Frontier`.
        barred: (6,) as in `Frontier`; barred_before: (6,) the same before the last change.
        cum: (13,) running sums of potentials, from the tile's beginning on.
        pending: (4, 2, 2) nodes of kind SHORT_OPENS whose gene has not ended yet, by position % 4 of its end, strand, and
            phase - 1; -1 for none.
        last: (13,) nodes that end the sequence; -1 for none.
        chosen: (G, 3) room for the lists that a node may choose from: number, row of the lengths, and whether the gene's
            left end opens its exons.
        todo: (32, 3) room for kind, strand and phase of the nodes to make at a boundary.
        closers: (8,) room for the nodes that end a gene there.
    """

    nodes: Nodes
    lists: Lists
    sums: np.ndarray
    recent: np.ndarray
    latest: np.ndarray
    barred: np.ndarray
    barred_before: np.ndarray
    cum: np.ndarray
    pending: np.ndarray
    last: np.ndarray
    chosen: np.ndarray
    todo: np.ndarray
    closers: np.ndarray


class Tile(NamedTuple):
    """A tile that has been walked.

    Attributes:
        walk: at its end.
        sums: (G + 2,) numbers of the nodes that stand for the next frontier's aggregates and recent ones; -1 for none.
        kept: (R,) numbers of the nodes that the next frontier keeps, in rising order.
        frontier: the next frontier.
    """

    walk: Walk
    sums: np.ndarray
    kept: np.ndarray
    frontier: Frontier

    def n_bytes(self) -> int:
        """Memory of its nodes and lists."""
        n = int(self.walk.nodes.size[0])
        return sum(n * array.itemsize for array in self.walk.nodes[1:]) + sum(array.nbytes for array in self.walk.lists)

    def ends(self) -> np.ndarray:
        """Numbers of the nodes that end the sequence; empty unless it ends here.

        Returns:
            (E,).
        """
        return np.asarray(self.walk.last[self.walk.last >= 0])


class Trail(NamedTuple):
    """The way back through a tile along best paths: the nodes from which one at its end came.

    Attributes:
        number: (K,) their numbers, in rising order.
        position, kind, strand, phase, first: (K,) as in `Nodes`.
        sums, kept: as in `Tile`.
        ends: (E,) as `Tile.ends` gives them.
        values: (E,) their scores.
    """

    number: np.ndarray
    position: np.ndarray
    kind: np.ndarray
    strand: np.ndarray
    phase: np.ndarray
    first: np.ndarray
    sums: np.ndarray
    kept: np.ndarray
    ends: np.ndarray
    values: np.ndarray

    @classmethod
    def of(cls, tile: Tile) -> "Trail":
        """The way back through a tile of a walk for the best path."""
        nodes, ends = tile.walk.nodes, tile.ends()
        is_left = np.zeros(nodes.size[0], bool)
        for numbers in (tile.sums, tile.kept, ends):
            is_left[numbers[numbers >= 0]] = True
        _mark_predecessors(nodes.first, is_left)
        number = np.flatnonzero(is_left).astype(np.int32)
        return cls(
            number,
            nodes.position[number],
            nodes.kind[number],
            nodes.strand[number],
            nodes.phase[number],
            nodes.first[number],
            tile.sums,
            tile.kept,
            ends,
            nodes.value[ends],
        )

    def back(self, node: int, n_before: int) -> np.ndarray:
        """Follow the best path from a node to what was before the tile: nodes and their predecessors (H, 2)."""
        hops = np.empty((len(self.number), 2), np.int32)
        return hops[: _follow(self.number, self.first, node, n_before, hops)].copy()

    def before(self, number: int) -> int:
        """The node of this tile that stands before the next one under this number."""
        return int(self.sums[number] if number < len(self.sums) else self.kept[number - len(self.sums)])

    def sites(self, numbers: np.ndarray, *, is_edge: bool = False) -> list["Site"]:
        """Nodes (H,) as sites; is_edge: they open what began before the sequence."""
        rows = np.searchsorted(self.number, numbers)
        columns = (array[rows].tolist() for array in (self.position, self.kind, self.strand, self.phase))
        return [
            Site(position, kind, strand, phase, is_edge) for position, kind, strand, phase in zip(*columns, strict=True)
        ]


def _bare(**options: Any) -> Callable[[Function], Function]:
    """A kernel that makes no arrays: counting who refers to an array would take longer than all else that it does."""
    return kernel(_nrt=False, **options)


@_bare(forceinline=True)
def _letter(codes: np.ndarray, t: int) -> int:
    """The letter at t; N beyond the ends."""
    return int(codes[t]) if 0 <= t < codes.size else N


@_bare(forceinline=True)
def _codon(codes: np.ndarray, t: int) -> int:
    """Number of the codon at t in base 5."""
    return 25 * int(codes[t]) + 5 * int(codes[t + 1]) + int(codes[t + 2])


@_bare()
def _mark(codes: np.ndarray, start: int, structure: GeneStructure, flags: np.ndarray) -> None:
    """Write the flags of the boundaries of a sequence from `start` on; 0 before its first one."""
    n = codes.size
    for i in range(flags.size):
        t, bits = start + i, np.uint16(0)
        if 0 <= t <= n - 3:
            bits |= structure.codon_left[_codon(codes, t)]
        if t >= 3:
            bits |= structure.codon_right[_codon(codes, t - 3)]
        if 0 <= t <= n - 2:
            bits |= structure.pair_left[5 * codes[t] + codes[t + 1]]
        if t >= 2:
            bits |= structure.pair_right[5 * codes[t - 2] + codes[t - 1]]
        flags[i] = bits


@_bare(forceinline=True)
def _completion(codes: np.ndarray, t: int, phase: int) -> int:
    """Number of the letters from t on that complete a codon of which `phase` letters are known."""
    if phase == 0:
        return 0
    return _letter(codes, t) if phase == 2 else 5 * _letter(codes, t) + _letter(codes, t + 1)


@_bare(forceinline=True)
def _prefix(codes: np.ndarray, t: int, phase: int) -> int:
    """Number of the `phase` letters before t."""
    if phase == 0:
        return 0
    return _letter(codes, t - 1) if phase == 1 else 5 * _letter(codes, t - 2) + _letter(codes, t - 1)


@_bare(forceinline=True)
def _signal(strand: int, flag: int, phase: int) -> int:
    """The column of a site, by the flag of its boundary."""
    base, turned = STRAND_COLUMNS[strand], (3 - phase) % 3
    if flag == INTRON_LEFT:
        return base + (DONOR + phase if strand == 0 else ACCEPTOR + turned)
    if flag == INTRON_RIGHT:
        return base + (ACCEPTOR + phase if strand == 0 else DONOR + turned)
    return base + (START if (flag == GENE_LEFT) == (strand == 0) else STOP)


@_bare(forceinline=True)
def _coding(strand: int, base: int) -> int:
    """The column of the base of a codon that is number 0, 1 or 2 from the left."""
    return STRAND_COLUMNS[strand] + CODING + (base if strand == 0 else 2 - base)


@_bare(forceinline=True)
def _is_exon_list(g: int, n_classes: int) -> bool:
    """Whether list or aggregate g is one of exons."""
    return g > 2 * n_classes


@_bare(forceinline=True)
def _exon_list(strand: int, frame: int, left: int, n_classes: int) -> int:
    """The list of open exons of a strand and frame with a left end."""
    return 1 + 2 * n_classes + 3 * (3 * strand + frame) + left


@_bare(forceinline=True)
def _list_of(kind: int, strand: int, position: int, phase: int, label: int, n_classes: int) -> int:
    """The list of a node that opens an exon or intron."""
    if kind in (INTRON_OPENS, SPLIT_OPENS):
        return 1 + strand * n_classes + label
    return _exon_list(strand, (position - phase) % 3, label, n_classes)


@_bare(forceinline=True)
def _new_node(nodes: Nodes, t: int, kind: int, strand: int, phase: int, label: int, first: int, value: float) -> int:
    """Write a node; its number."""
    x = nodes.size[0]
    nodes.size[0] += 1
    nodes.position[x], nodes.kind[x], nodes.strand[x], nodes.phase[x] = t, kind, strand, phase
    nodes.label[x], nodes.first[x], nodes.value[x] = label, first, value
    return int(x)


@_bare(forceinline=True)
def _append(lists: Lists, g: int, x: int, position: int, value: float, mode: int) -> None:
    """Add node x to list g."""
    k = lists.end[g]
    lists.node[k], lists.position[k], lists.value[k], lists.top[k] = x, position, value, value
    block = lists.block[k - 1] if k > lists.first[g] else k
    is_new = k - block >= _BLOCK if mode == BEST else abs(value - lists.value[block]) > _SPREAD
    if is_new:
        block = k
    lists.block[k] = block
    lists.top[block] = max(lists.top[block], value)
    if mode == ALL:
        lists.weight[k] = np.exp(value - lists.value[block])
    lists.end[g] = k + 1


@_bare(forceinline=True)
def _add_to_sum(walk: Walk, t: int, g: int, x: int, entry: float, goes_on: int, mode: int) -> None:
    """Add node x with score `entry` to aggregate g: a new node, which takes the aggregate's place.

    goes_on: whether what was in the aggregate before still counts.
    """
    nodes, before = walk.nodes, walk.sums[g]
    first, value, share = before, entry, 0.0
    if not goes_on:
        first = x if mode == BEST else before
    elif mode == BEST:
        if nodes.value[before] >= entry:
            value = nodes.value[before]
        else:
            first = x
    else:
        ahead = nodes.value[before] - entry
        ratio = np.exp(-abs(ahead))
        value = max(nodes.value[before], entry) + np.log1p(ratio)
        share = (1.0 if ahead > 0 else ratio) / (1.0 + ratio)
    number = _new_node(nodes, t, _SUM, 0, 0, goes_on, first, value)
    nodes.low[number], nodes.second[number], nodes.total[number] = g, x, share
    walk.sums[g] = number


@_bare()
def _age(walk: Walk, t: int, g: int, low: int, gene: int, durations: Durations, mode: int) -> None:
    """Move the open segments of a list that are longer than the explicit lengths into its aggregate.

    Args:
        walk: where it stands.
        t: the boundary at which a segment may end.
        g: the list.
        low: the last forbidden codon of its frame.
        gene: whether the gene's left end opens its exons.
        durations: of its segments.
        mode: BEST or ALL.
    """
    longest, lists = durations.log.shape[1] - 1, walk.lists
    while lists.young[g] < lists.end[g]:
        k = lists.young[g]
        position = lists.position[k]
        if t - position <= longest:
            break
        lists.young[g] += 1
        if position + gene > low:
            entry = lists.value[k] - durations.slope * (position + longest)
            goes_on = walk.sums[g] >= 0 and low < walk.latest[g]
            _add_to_sum(walk, t, g, lists.node[k], entry, 1 if goes_on else 0, mode)
            walk.latest[g] = position + gene


@_bare(forceinline=True)
def _age_if_old(walk: Walk, t: int, g: int, low: int, gene: int, durations: Durations, mode: int) -> None:
    """Do so where there is one: most often there is none."""
    k = walk.lists.young[g]
    if k < walk.lists.end[g] and t - walk.lists.position[k] >= durations.log.shape[1]:
        _age(walk, t, g, low, gene, durations, mode)


@_bare(forceinline=True)
def _choose(
    chosen: np.ndarray, structure: GeneStructure, codes: np.ndarray, t: int, kind: int, strand: int, phase: int
) -> int:
    """Write down the lists that a node may choose its predecessor from; their number."""
    n, n_classes = 0, structure.phases.shape[1]
    if kind in (INTRON_OPENS, GENE_CLOSES, LAST_EXON):
        right = BEFORE_INTRON if kind == INTRON_OPENS else GENE_STOP if kind == GENE_CLOSES else CLOSE_EDGE
        frame = (t - phase) % 3
        for left in range(3):
            chosen[left, 0] = _exon_list(strand, frame, left, n_classes)
            chosen[left, 1] = 9 * strand + 3 * left + right
            chosen[left, 2] = left == GENE_START
        return 3
    letters, wanted, edge = 0, 0, 2
    if kind != LAST_INTRON:
        letters, wanted, edge = _completion(codes, t, phase), END if kind == SHORT_OPENS else GO_ON, 0
    for c in range(n_classes):
        if structure.phases[strand, c] == phase and (structure.outcomes[strand, c, letters] & wanted) == wanted:
            chosen[n, 0] = 1 + strand * n_classes + c
            chosen[n, 1] = edge + structure.edges[strand, c]
            chosen[n, 2] = 0
            n += 1
    return n


@_bare(forceinline=True)
def _first_after(lists: Lists, g: int, bar: int) -> int:
    """The first open node of a list that lies beyond position `bar`."""
    young = int(lists.young[g])
    if bar < 0:
        return young
    k = int(lists.end[g])
    while k > young and lists.position[k - 1] > bar:
        k -= 1
    return k


@_bare(forceinline=True, fastmath={"reassoc", "contract"})
def _weighted(lists: Lists, begin: int, end: int, t: int, density: np.ndarray, row: int) -> float:
    """Sum of the weights of open nodes, times the densities of their segments' lengths."""
    weight, position, own = lists.weight, lists.position, np.uint64(row)
    total = 0.0
    for k in range(np.uint64(begin), np.uint64(end)):
        total += weight[k] * density[own, np.uint64(t - position[k])]
    return total


@_bare(forceinline=True)
def _with(top: float, total: float, scale: float, mass: float) -> tuple[float, float]:
    """Add mass x exp(scale) to a sum, total x exp(top)."""
    if scale <= top:
        return top, (total + mass * np.exp(scale - top) if scale > -np.inf else total)
    return scale, total * np.exp(top - scale) + mass


@_bare(forceinline=True)
def _close(walk: Walk, n_chosen: int, t: int, low: int, durations: Durations, mode: int) -> tuple[float, int]:
    """Score of ending at t one of the segments of the chosen lists, without the potentials of bases; the best node.

    Args:
        walk: where it stands.
        n_chosen: number of lists.
        t: the boundary.
        low: the last forbidden codon before it.
        durations: of the segments.
        mode: BEST or ALL.
    """
    lists, log = walk.lists, durations.log
    longest = log.shape[1] - 1
    position, value = lists.position, lists.value
    top, total, best = -np.inf, 0.0, -1
    for number in range(n_chosen):
        g, row, gene = walk.chosen[number, 0], walk.chosen[number, 1], walk.chosen[number, 2]
        first, end = _first_after(lists, g, low - gene), lists.end[g]
        while end > first:
            block = lists.block[end - 1]
            begin = max(first, block)
            if mode == BEST:
                if lists.top[block] + durations.top[row, t - position[end - 1]] > top:
                    for k in range(np.uint64(begin), np.uint64(end)):
                        score = value[k] + log[np.uint64(row), np.uint64(t - position[k])]
                        if score > top:
                            top, best = score, lists.node[k]
            else:
                mass = _weighted(lists, begin, end, t, durations.density, row)
                if mass > _LEAST_SUM:
                    top, total = _with(top, total, value[block], mass)
                else:
                    for k in range(begin, end):
                        top, total = _with(top, total, value[k] + log[row, t - position[k]], 1.0)
            end = begin
        x = walk.sums[g]
        if x >= 0 and low < walk.latest[g]:
            score = walk.nodes.value[x] + log[row, longest] + durations.slope * t
            if mode == ALL:
                top, total = _with(top, total, score, 1.0)
            elif score > top:
                top, best = score, x
    if mode == ALL and top > -np.inf:
        top += np.log(total)
    return top, best


@_bare(forceinline=True)
def _site_score(potentials: np.ndarray, row: int, kind: int, strand: int, phase: int) -> float:
    """The potential of the site of a node; `row` is the base behind its boundary."""
    if kind == INTRON_OPENS:
        return float(potentials[row, _signal(strand, INTRON_LEFT, phase)])
    if kind == GENE_CLOSES:
        return float(potentials[row - 1, _signal(strand, GENE_RIGHT, 0)])
    if kind in (EXON_OPENS, SHORT_OPENS):
        return float(potentials[row - 1, _signal(strand, INTRON_RIGHT, phase)])
    return 0.0


@_bare(forceinline=True)
def _extend(
    walk: Walk, scores: Scores, codes: np.ndarray, t: int, kind: int, strand: int, phase: int, site: float, mode: int
) -> int:
    """Make a node that ends an exon or intron at t; its number, or -1 if none can end there.

    Args:
        walk: where it stands.
        scores: what paths are like.
        codes: letters.
        t: the boundary.
        kind: of the node.
        strand: of the node.
        phase: of the node.
        site: potential of its site.
        mode: BEST or ALL.
    """
    structure, nodes = scores.structure, walk.nodes
    n_classes, frame = structure.phases.shape[1], (t - phase) % 3
    list_, low = 3 * strand + frame, -1
    is_exon = kind in (INTRON_OPENS, GENE_CLOSES, LAST_EXON)
    durations = scores.exons if is_exon else scores.introns
    n_chosen = _choose(walk.chosen, structure, codes, t, kind, strand, phase)
    if is_exon:
        low = walk.barred[list_]
    for number in range(n_chosen):
        _age_if_old(walk, t, walk.chosen[number, 0], low, walk.chosen[number, 2], durations, mode)
    if kind == GENE_CLOSES and low == t - 3:
        low = walk.barred_before[list_]  # its own stop codon does not bar it
    total, best = _close(walk, n_chosen, t, low, durations, mode)
    if total == -np.inf:
        return -1
    value = total + site
    value += walk.cum[_CUM_EXON + list_] if is_exon else walk.cum[_CUM_INTRON + 3 * strand + phase]
    label = AFTER_INTRON
    if kind == INTRON_OPENS:
        label = structure.later[strand, phase, _prefix(codes, t, phase)]
        value -= walk.cum[_CUM_INTRON + 3 * strand + phase]
    elif kind == GENE_CLOSES:
        value -= walk.cum[0]
    elif kind == LAST_EXON:
        value += scores.moves.last[1]
    elif kind == LAST_INTRON:
        value += scores.moves.last[2]
    else:
        value -= walk.cum[_CUM_EXON + list_]
    x = _new_node(nodes, t, kind, strand, phase, label, best, value)
    nodes.total[x], nodes.low[x] = total, low
    if kind in (INTRON_OPENS, EXON_OPENS):
        _append(walk.lists, _list_of(kind, strand, t, phase, label, n_classes), x, t, value, mode)
    return x


@_bare(forceinline=True)
def _put(todo: np.ndarray, n: int, kind: int, strand: int, phase: int) -> int:
    """Write down a node to make; their new number."""
    todo[n, 0], todo[n, 1], todo[n, 2] = kind, strand, phase
    return n + 1


@_bare()
def _count(codes: np.ndarray, start: int, flags: np.ndarray, structure: GeneStructure, sizes: np.ndarray) -> int:
    """Add to `sizes` (G,) how many nodes of a tile each list may get; the number of its other nodes.

    The flags begin `_CONTEXT` boundaries before the tile.
    """
    n_classes, others = structure.phases.shape[1], 0
    for i in range(_CONTEXT, flags.size):
        t = start + i - _CONTEXT
        for strand in range(2):
            own = flags[i] >> (MINUS_SHIFT * strand)
            if own & INTRON_LEFT:
                for phase in range(3):
                    prefix = _prefix(codes, t, phase)
                    sizes[1 + strand * n_classes + structure.later[strand, phase, prefix]] += 1
                    label = structure.first[strand, phase, prefix]
                    if phase and label >= 0:
                        sizes[1 + strand * n_classes + label] += 1
            if own & INTRON_RIGHT:
                others += 6  # two codons that end a gene, their ends, and their entries between genes
                for frame in range(3):
                    sizes[_exon_list(strand, frame, AFTER_INTRON, n_classes)] += 1
            if own & GENE_LEFT:
                sizes[_exon_list(strand, t % 3, GENE_START, n_classes)] += 1
            if own & GENE_RIGHT:
                others += 2
    return others


@_bare()
def _walk(
    walk: Walk,
    codes: np.ndarray,
    start: int,
    stop: int,
    flags: np.ndarray,
    potentials: np.ndarray,
    scores: Scores,
    frontier: Frontier,
    mode: int,
) -> None:
    """Walk over the boundaries start to stop - 1 of a sequence, and over its end if `stop` is it.

    Args:
        walk: has room for the nodes.
        codes: tokens of the sequence (L,).
        start: the tile's first base.
        stop: the base behind its last one.
        flags: (3 + stop - start + 1,) of the boundaries from three before the tile to its end.
        potentials: (lead + stop - start, 29) float32 of the bases from `lead` bases before the tile on.
        scores: what paths are like.
        frontier: what was before.
        mode: BEST or ALL.
    """
    structure, moves = scores.structure, scores.moves
    n_codes, lead = codes.size, len(potentials) - (stop - start)
    is_last = stop == n_codes
    n_classes, n_sums, n_kept = structure.phases.shape[1], frontier.sums.size, frontier.position.size
    nodes, sums, cum, recent = walk.nodes, walk.sums, walk.cum, walk.recent
    pending, todo, closers, n_last = walk.pending, walk.todo, walk.closers, 0

    # what was before
    for g in range(n_sums):
        x = _new_node(nodes, start, _SUM, 0, 0, 0, -1, frontier.sums[g])
        nodes.low[x] = g
        if frontier.sums[g] > -np.inf:
            sums[g] = x
    for m in range(2):
        x = _new_node(nodes, start, _SUM, 0, 0, 0, -1, frontier.recent[m])
        nodes.low[x] = 0
        if frontier.recent[m] > -np.inf:
            recent[m + 1] = x
    for r in range(n_kept):
        position, kind, strand, phase = frontier.position[r], frontier.kind[r], frontier.strand[r], frontier.phase[r]
        label, value = frontier.label[r], frontier.value[r]
        x = _new_node(nodes, position, kind, strand, phase, label, -1, value)
        if kind == SHORT_OPENS:
            pending[(position + 3 - phase) % 4, strand, phase - 1] = x
        else:
            _append(walk.lists, _list_of(kind, strand, position, phase, label, n_classes), x, position, value, mode)

    for t in range(start, stop + is_last):
        row = t - start + lead
        bits, under = flags[t - start + _CONTEXT], flags[t - start]
        n_todo = n_closers = 0
        recent[0] = sums[0]
        for strand in range(2):
            if t >= 3 and (under >> (MINUS_SHIFT * strand)) & BARRED:
                list_ = 3 * strand + t % 3
                for left in range(3):
                    g = _exon_list(strand, t % 3, left, n_classes)
                    _age_if_old(walk, t, g, walk.barred[list_], left == GENE_START, scores.exons, mode)
                walk.barred_before[list_] = walk.barred[list_]
                walk.barred[list_] = t - 3
            own = bits >> (MINUS_SHIFT * strand)
            for phase in range(3):
                if own & INTRON_LEFT:
                    n_todo = _put(todo, n_todo, INTRON_OPENS, strand, phase)
                if phase == 0 and own & GENE_RIGHT:
                    n_todo = _put(todo, n_todo, GENE_CLOSES, strand, phase)
                if own & INTRON_RIGHT:
                    n_todo = _put(todo, n_todo, EXON_OPENS, strand, phase)
                    if phase and t + 3 - phase <= n_codes:
                        n_todo = _put(todo, n_todo, SHORT_OPENS, strand, phase)
                if t == n_codes:
                    n_todo = _put(todo, n_todo, LAST_EXON, strand, phase)
                    n_todo = _put(todo, n_todo, LAST_INTRON, strand, phase)
        for number in range(n_todo):
            kind, strand, phase = todo[number, 0], todo[number, 1], todo[number, 2]
            site = _site_score(potentials, row, kind, strand, phase)
            x = _extend(walk, scores, codes, t, kind, strand, phase, site, mode)
            if x < 0:
                continue
            if kind == SHORT_OPENS:
                pending[(t + 3 - phase) % 4, strand, phase - 1] = x
            elif kind == GENE_CLOSES:
                closers[n_closers] = x
                n_closers += 1
            elif kind in (LAST_EXON, LAST_INTRON):
                walk.last[n_last] = x
                n_last += 1
        for strand in range(2):
            own = bits >> (MINUS_SHIFT * strand)
            for phase in range(1, 3):
                # the gene's leftmost codon is split here
                x = recent[phase]
                if own & INTRON_LEFT and t >= phase and x >= 0:
                    label = structure.first[strand, phase, _prefix(codes, t, phase)]
                    value = nodes.value[x] + cum[0] + moves.gene[strand] + scores.short[strand, 0, phase]
                    if label >= 0 and value > -np.inf:
                        value += potentials[row - phase, _signal(strand, GENE_LEFT, 0)]
                        for base in range(phase):
                            value += potentials[row - phase + base, _coding(strand, base)]
                            value -= potentials[row - phase + base, INTERGENIC] + moves.stay
                        value += potentials[row, _signal(strand, INTRON_LEFT, phase)]
                        value -= cum[_CUM_INTRON + 3 * strand + phase]
                        x = _new_node(nodes, t, SPLIT_OPENS, strand, phase, label, x, value)
                        _append(walk.lists, 1 + strand * n_classes + label, x, t, value, mode)
                # its rightmost codon was split before, and ends here
                x = pending[t % 4, strand, phase - 1]
                if x >= 0:
                    pending[t % 4, strand, phase - 1] = -1
                    value = nodes.value[x] + scores.short[strand, 1, 3 - phase]
                    if value > -np.inf:
                        value += cum[_CUM_EXON + 3 * strand + t % 3] - cum[0]
                        value += potentials[row - 1, _signal(strand, GENE_RIGHT, 0)]
                        closers[n_closers] = _new_node(nodes, t, SHORT_CLOSES, strand, phase, 0, x, value)
                        n_closers += 1
            if own & GENE_LEFT and sums[0] >= 0:
                value = nodes.value[sums[0]] + moves.gene[strand] + cum[0]
                value += potentials[row, _signal(strand, GENE_LEFT, 0)] - cum[_CUM_EXON + 3 * strand + t % 3]
                if value > -np.inf:
                    x = _new_node(nodes, t, GENE_OPENS, strand, 0, GENE_START, sums[0], value)
                    _append(walk.lists, _exon_list(strand, t % 3, GENE_START, n_classes), x, t, value, mode)
        recent[2], recent[1] = recent[1], recent[0]
        for number in range(n_closers):
            x = closers[number]
            _add_to_sum(walk, t, 0, x, nodes.value[x], 1 if sums[0] >= 0 else 0, mode)
        if t < n_codes:
            for number in range(_N_CUM):
                cum[number] += potentials[row, scores.columns[t % 3, number]]
            cum[0] += moves.stay
    if is_last and sums[0] >= 0:
        value = nodes.value[sums[0]] + cum[0] + moves.last[0]
        walk.last[n_last] = _new_node(nodes, stop, LAST_BETWEEN, 0, 0, 0, sums[0], value)
        n_last += 1


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


class Masses(NamedTuple):
    """Probabilities, on the way back through a tile of n bases.

    Attributes:
        nodes: (N,) of each node.
        open: (n,) of the entries of the lists: the part that nodes of this tile gave.
        columns: (3 + n, 29) of each column at each base, from three bases before the tile on.
        steps: (n + 1, 13) by how much more or less probable each exon or intron becomes at a boundary.
        cover: (13,) that the base right of the tile lies in an exon of each strand and frame, or in an intron of each
            strand and phase, and that it began before that base.
        given: (H,) of the predecessors on a path, given their nodes.
    """

    nodes: np.ndarray
    open: np.ndarray
    columns: np.ndarray
    steps: np.ndarray
    cover: np.ndarray
    given: np.ndarray


@_bare(forceinline=True)
def _segment_score(nodes: Nodes, x: int, row: int, t: int, durations: Durations) -> float:
    """Score of ending at t the segment that node x opens, x alone or an aggregate; without the potentials of its bases."""
    longest = durations.log.shape[1] - 1
    if nodes.kind[x] == _SUM:
        return float(nodes.value[x] + durations.log[row, longest] + durations.slope * t)
    return float(nodes.value[x] + durations.log[row, t - nodes.position[x]])


@_bare(forceinline=True)
def _share(
    lists: Lists,
    open_: np.ndarray,
    g: int,
    row: int,
    bar: int,
    t: int,
    mass: float,
    total: float,
    least: float,
    durations: Durations,
    counts: np.ndarray,
) -> None:
    """Share the probability of a node out among the open nodes of a list.

    Args:
        lists: of the nodes still open.
        open_: (n,) probabilities of the entries.
        g: the list.
        row: of the lengths.
        bar: position beyond which its nodes count.
        t: boundary of the node.
        mass: its probability.
        total: its `Nodes.total`.
        least: scores below it have no share.
        durations: of the segments.
        counts: (R, N + 1) expected number of segments of each length.
    """
    log, density, longest = durations.log, durations.density, durations.log.shape[1] - 1
    position, value, weight = lists.position, lists.value, lists.weight
    lists.young[g] = min(lists.young[g], lists.end[g])
    while lists.young[g] > lists.first[g] and t - position[lists.young[g] - 1] <= longest:
        lists.young[g] -= 1
    first, end = _first_after(lists, g, bar), lists.end[g]
    own = np.uint64(row)
    while end > first:
        block = lists.block[end - 1]
        begin = max(first, block)
        if lists.top[block] + durations.top[row, t - position[end - 1]] > least:
            if value[block] - total < 4 * _SPREAD:
                scale = mass * np.exp(value[block] - total)
                for k in range(np.uint64(begin), np.uint64(end)):
                    bp = np.uint64(t - position[k])
                    share = scale * weight[k] * density[own, bp]
                    open_[k] += share
                    counts[own, bp] += share
            else:
                for k in range(begin, end):
                    bp = t - position[k]
                    share = mass * np.exp(value[k] + log[row, bp] - total)
                    open_[k] += share
                    counts[row, bp] += share
        end = begin


@_bare()
def _unwalk(
    walk: Walk,
    codes: np.ndarray,
    start: int,
    scores: Scores,
    latest: np.ndarray,
    n_before: int,
    masses: Masses,
    expected: Expected,
    hops: np.ndarray,
) -> None:
    """Share the probability of each node out among its predecessors, from the end of a tile to its beginning.

    Args:
        walk: at the tile's end; its lists and aggregates become those of the beginning.
        codes: tokens of the sequence.
        start: the tile's first base.
        scores: what paths are like.
        latest: of the frontier before the tile.
        n_before: nodes that stand for that frontier.
        masses: what the next tile gave; becomes what this one gives.
        expected: is added to; exons are (18, M + 1).
        hops: (H, 2) nodes and their predecessors on a path, in falling order.
    """
    structure, nodes, lists, now, chosen = scores.structure, walk.nodes, walk.lists, walk.sums, walk.chosen
    mass, columns, steps, given = masses.nodes, masses.columns, masses.steps, masses.given
    n_classes, hop = structure.phases.shape[1], 0
    for node in range(nodes.size[0] - 1, n_before - 1, -1):
        kind, strand, phase = nodes.kind[node], nodes.strand[node], nodes.phase[node]
        t = nodes.position[node]
        at, row, frame = t - start, t - start + _CONTEXT, (t - phase) % 3
        exon, intron = _CUM_EXON + 3 * strand + frame, _CUM_INTRON + 3 * strand + phase
        if kind in (EXON_OPENS, GENE_OPENS, INTRON_OPENS, SPLIT_OPENS):
            g = _list_of(kind, strand, t, phase, nodes.label[node], n_classes)
            lists.end[g] -= 1
            mass[node] += masses.open[lists.end[g]]
        m, before = mass[node], nodes.first[node]
        on_path = hop < len(hops) and hops[hop, 0] == node
        if kind == _SUM:
            g, x = nodes.low[node], nodes.second[node]
            share = nodes.total[node]
            if before >= 0:
                mass[before] += m * share
            mass[x] += m * (1 - share)
            if g > 0:
                durations = scores.exons if _is_exon_list(g, n_classes) else scores.introns
                beyond = nodes.position[x] + durations.log.shape[1] - 1
                expected.excess[0 if _is_exon_list(g, n_classes) else 1] -= m * (1 - share) * beyond
            if on_path:
                given[hop] = share if hops[hop, 1] == before else 1 - share
                hop += 1
            now[g] = before
            continue
        if m < _LEAST_MASS and not on_path:
            continue
        # what it opens and closes, and its site
        if kind == GENE_OPENS:
            steps[at, exon] += m
            columns[row, _signal(strand, GENE_LEFT, 0)] += m
            expected.gene[strand] += m
        elif kind == SPLIT_OPENS:
            steps[at, intron] += m
            columns[row, _signal(strand, INTRON_LEFT, phase)] += m
            columns[row - phase, _signal(strand, GENE_LEFT, 0)] += m
            for base in range(phase):
                columns[row - phase + base, _coding(strand, base)] += m
            expected.gene[strand] += m
            expected.short[strand, 0, phase] += m
        elif kind == SHORT_CLOSES:
            steps[at, _CUM_EXON + 3 * strand + t % 3] -= m
            columns[row - 1, _signal(strand, GENE_RIGHT, 0)] += m
            expected.short[strand, 1, 3 - phase] += m
        elif kind == LAST_BETWEEN:
            expected.last[0] += m
        elif kind == INTRON_OPENS:
            steps[at, exon] -= m
            steps[at, intron] += m
            columns[row, _signal(strand, INTRON_LEFT, phase)] += m
        elif kind == GENE_CLOSES:
            steps[at, exon] -= m
            columns[row - 1, _signal(strand, GENE_RIGHT, 0)] += m
        elif kind == LAST_EXON:
            steps[at, exon] -= m
            expected.last[1] += m
        elif kind == LAST_INTRON:
            steps[at, intron] -= m
            expected.last[2] += m
        else:
            steps[at, intron] -= m
            steps[at, exon] += m
            columns[row - 1, _signal(strand, INTRON_RIGHT, phase)] += m
        # its predecessors
        if kind in (GENE_OPENS, SPLIT_OPENS, SHORT_CLOSES, LAST_BETWEEN):
            mass[before] += m
            if on_path:
                given[hop] = 1.0
                hop += 1
            continue
        is_exon = kind in (INTRON_OPENS, GENE_CLOSES, LAST_EXON)
        durations = scores.exons if is_exon else scores.introns
        counts = expected.exons if is_exon else expected.introns
        longest, low, total = durations.log.shape[1] - 1, nodes.low[node], nodes.total[node]
        least = total + np.log(_LEAST_MASS / m)
        wanted = 0
        if on_path:
            x = hops[hop, 1]
            wanted = nodes.low[x]
            if nodes.kind[x] != _SUM:
                wanted = _list_of(nodes.kind[x], strand, nodes.position[x], nodes.phase[x], nodes.label[x], n_classes)
        for number in range(_choose(chosen, structure, codes, t, kind, strand, phase)):
            g, length_row = chosen[number, 0], chosen[number, 1]
            bar = low - chosen[number, 2]
            _share(lists, masses.open, g, length_row, bar, t, m, total, least, durations, counts)
            x = now[g]
            if x >= 0:
                reach = latest[g]
                if x >= n_before:
                    newest = nodes.second[x]
                    reach = nodes.position[newest] + (nodes.kind[newest] == GENE_OPENS)
                if low < reach:
                    share = m * np.exp(_segment_score(nodes, x, length_row, t, durations) - total)
                    mass[x] += share
                    counts[length_row, longest] += share
                    expected.excess[0 if is_exon else 1] += share * t
            if on_path and g == wanted:
                given[hop] = np.exp(_segment_score(nodes, hops[hop, 1], length_row, t, durations) - total)
        if on_path:
            hop += 1
    # what the next tile to the left gets
    for g in range(lists.end.size):
        for k in range(lists.first[g], lists.end[g]):
            mass[lists.node[k]] += masses.open[k]
    # bases
    cover, n = masses.cover, len(steps) - 1
    for t in range(n, -1, -1):
        row = t + _CONTEXT
        if t < n:
            within = 0.0
            for number in range(_CUM_EXON, _N_CUM):
                column = scores.columns[(t + start) % 3, number]
                columns[row, column] += cover[number]
                within += columns[row, column]
            between = min(max(1.0 - within, 0.0), 1.0)
            columns[row, INTERGENIC] = between
            expected.stay[0] += between
        for number in range(_CUM_EXON, _N_CUM):
            cover[number] -= steps[t, number]


@_bare()
def _mark_predecessors(first: np.ndarray, marked: np.ndarray) -> None:
    """Mark all nodes that come before marked ones on a best path."""
    for x in range(marked.size - 1, -1, -1):
        if marked[x] and first[x] >= 0:
            marked[first[x]] = True


@_bare()
def _follow(number: np.ndarray, first: np.ndarray, node: int, n_before: int, hops: np.ndarray) -> int:
    """Write the nodes of a best path and their predecessors, from a node back to what was before the tile; how many."""
    n, row = 0, number.size - 1
    while node >= n_before:
        while number[row] > node:
            row -= 1
        hops[n, 0] = node
        node = first[row]
        hops[n, 1] = node
        n += 1
    return n


Potentials = Callable[[int, int], np.ndarray]
"""Start and stop to the potentials (stop - start, 29) of these bases: finite numbers, used as float32."""


class SegmentModel(NamedTuple):
    """What paths are like.

    Attributes:
        structure: what genes may look like.
        lengths: densities of the lengths of exons and introns.
        moves: scores of what is neither a base, nor a site, nor a length.
    """

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
        is_site: for each tile whether the node of a hop is a site, and not an aggregate: (H,) bool.
    """

    sites: list[Site]
    score: float
    hops: list[np.ndarray]
    is_site: list[np.ndarray]


def best_path(codes: np.ndarray, potentials: Potentials, model: SegmentModel, *, tile_bp: int = TILE) -> BestPath:
    """The path of the highest score through a sequence: tokens (L,), L >= 1.

    Args:
        codes: tokens (L,).
        potentials: of the bases.
        model: what paths are like.
        tile_bp: bases of a tile; the result does not depend on it.

    Raises:
        ValueError: no path is possible, or a score is NaN or +inf.
    """
    walker = _Walker(codes, potentials, model, tile_bp)
    trails = [Trail.of(tile) for tile in walker.forward(BEST)]
    last = trails[-1]
    node, score = int(last.ends[np.argmax(last.values)]), float(last.values.max())
    sites: list[Site] = []
    hops: list[np.ndarray] = []
    is_site: list[np.ndarray] = []
    for number in range(len(trails) - 1, -1, -1):
        trail = trails[number]
        if number < len(trails) - 1:
            node = trail.before(node)
        path = trail.back(node, walker.n_before(number))
        hops.append(path)
        is_site.append(trail.kind[np.searchsorted(trail.number, path[:, 0])] != _SUM)
        if len(path):
            node = int(path[-1, 1])
        sites += trail.sites(path[is_site[-1], 0])
        if number == 0 and node >= len(trail.sums):
            sites += trail.sites(np.array([node]), is_edge=True)
    return BestPath(sites[::-1], score, hops[::-1], is_site[::-1])


class SiteProbabilities(NamedTuple):
    """Probabilities of the sites of a path, from left to right.

    Attributes:
        site: (S,) that a path has the site, with its phase; 1 for a part of a gene that began before the sequence.
        before: (S,) that a path which has the site has the one to its left as the site before it.
    """

    site: np.ndarray
    before: np.ndarray


class Sums(NamedTuple):
    """Sums over all paths.

    Attributes:
        log_sum: log of the summed exponentials of all paths' scores.
        expected: expected counts.
        given: for each tile, of each hop in the order of `BestPath.hops`, the probability of the predecessor given its node (H,).
        mass: for each tile, of each hop in that order, the probability of its node (H,).
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
    path: BestPath | Callable[[], BestPath] | None = None,
    marginals: Callable[[int, np.ndarray], None] | None = None,
    tile_bp: int = TILE,
) -> Sums:
    """Sum over all paths through a sequence: tokens (L,), L >= 1.

    Args:
        codes: tokens (L,).
        potentials: of the bases.
        model: what paths are like.
        path: a path of `best_path` with the same tiles, whose parts are to get probabilities; or what gives it on the way
            back, when another thread has found it.
        marginals: gets, from the last tile to the first, the start of n bases and the probability of each column at
            each of them (n, 29).
        tile_bp: bases of a tile; the result does not depend on it.

    Raises:
        ValueError: no path is possible, or a score is NaN or +inf.
    """
    walker = _Walker(codes, potentials, model, tile_bp)
    kept: deque[Tile] = deque()
    n_bytes = 0
    for tile in walker.forward(ALL):
        kept.append(tile)
        n_bytes += tile.n_bytes()
        while n_bytes > KEPT_BYTES and len(kept) > 1:
            n_bytes -= kept.popleft().n_bytes()
    log_sum = float(np.logaddexp.reduce(tile.walk.nodes.value[tile.ends()]))
    found = path() if callable(path) else path
    expected = _nothing(model)
    counts = expected._replace(exons=expected.exons.reshape(18, -1))
    onward, cover, rest = np.zeros(0), np.zeros(_N_CUM), np.zeros((_CONTEXT, N_COLUMNS))
    given: list[np.ndarray] = []
    path_masses: list[np.ndarray] = []
    for number, tile in walker.backward(kept):
        start, stop = walker.tiles[number]
        hops = found.hops[number] if found else np.zeros((0, 2), np.int32)
        nodes, lists = tile.walk.nodes, tile.walk.lists
        masses = Masses(
            nodes=np.zeros(nodes.size[0]),
            open=np.zeros(len(lists.node)),
            columns=np.zeros((_CONTEXT + stop - start, N_COLUMNS)),
            steps=np.zeros((stop - start + 1, _N_CUM)),
            cover=cover,
            given=np.zeros(len(hops)),
        )
        if number == len(walker.tiles) - 1:
            masses.nodes[tile.ends()] = np.exp(nodes.value[tile.ends()] - log_sum)
        else:
            into = np.concatenate([tile.sums, tile.kept])
            np.add.at(masses.nodes, into[into >= 0], onward[into >= 0])
        masses.columns[-_CONTEXT:] = rest
        n_before, latest = walker.n_before(number), walker.frontiers[number].latest
        _unwalk(tile.walk, walker.codes, start, walker.scores, latest, n_before, masses, counts, hops)
        given.append(masses.given)
        path_masses.append(masses.nodes[hops[:, 0]])
        onward, rest = masses.nodes[:n_before], masses.columns[:_CONTEXT].copy()
        if marginals is not None:
            marginals(start, masses.columns[_CONTEXT:])
    _first_masses(expected, onward, walker.frontiers[0])
    return Sums(log_sum, expected, given[::-1], path_masses[::-1])


def site_probabilities(path: BestPath, sums: Sums) -> SiteProbabilities:
    """Probabilities of the sites of a path, for which `sums` was made."""
    n = len(path.sites)
    site, before = np.ones(n), np.ones(n)
    number = n
    for tile in range(len(path.hops) - 1, -1, -1):
        for is_site, given, mass in zip(path.is_site[tile], sums.given[tile], sums.mass[tile], strict=True):
            if is_site:
                number -= 1
                site[number] = mass
            before[number] *= given
    return SiteProbabilities(site, before)


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
        scores: what paths are like.
    """

    def __init__(self, codes: np.ndarray, potentials: Potentials, model: SegmentModel, tile_bp: int) -> None:
        self.codes, self.potentials, self.scores = np.ascontiguousarray(codes, np.uint8), potentials, _scores(model)
        n = len(codes)
        self.tiles = [(start, min(start + tile_bp, n)) for start in range(0, n, tile_bp)]
        self.frontiers: list[Frontier] = [_beginning(model)]

    def n_before(self, number: int) -> int:
        """Nodes of a tile that stand for what was before it."""
        frontier = self.frontiers[number]
        return len(frontier.sums) + 2 + len(frontier.position)

    def forward(self, mode: int) -> Iterator[Tile]:
        """Walk all tiles."""
        for number in range(len(self.tiles)):
            tile = self.tile(number, mode)
            self.frontiers.append(tile.frontier)
            yield tile
        if not np.isfinite(tile.walk.nodes.value[tile.ends()].max(initial=-np.inf)):
            raise ValueError("no path through the sequence is possible")

    def backward(self, kept: deque[Tile]) -> Iterator[tuple[int, Tile]]:
        """Numbers and tiles of a sum over all paths, from the last one to the first.

        The last tiles, which are kept, are used up. The others are walked again, each while the one to its right is in use.
        """
        n_again = len(self.tiles) - len(kept)
        walk = inherit_flush_to_zero(self.tile)
        with ThreadPoolExecutor(1) as pool:
            ahead = pool.submit(walk, n_again - 1, ALL) if n_again else None
            while kept:
                yield n_again + len(kept) - 1, kept.pop()
            for number in range(n_again - 1, -1, -1):
                assert ahead is not None
                tile, ahead = ahead.result(), pool.submit(walk, number - 1, ALL) if number else None
                yield number, tile

    def tile(self, number: int, mode: int) -> Tile:
        """Walk a tile."""
        start, stop = self.tiles[number]
        rows = np.ascontiguousarray(self.potentials(max(0, start - _CONTEXT), stop), np.float32)
        if not np.isfinite(rows.sum()):
            raise ValueError(f"potentials of the bases from {start} to {stop} are not finite numbers")
        frontier = self.frontiers[number]
        flags = np.empty(_CONTEXT + stop - start + 1, np.uint16)
        _mark(self.codes, start - _CONTEXT, self.scores.structure, flags)
        walk = _new_walk(self.codes, start, flags, self.scores.structure, frontier)
        _walk(walk, self.codes, start, stop, flags, rows, self.scores, frontier, mode)
        return _tile(walk, self.scores)


def _new_walk(codes: np.ndarray, start: int, flags: np.ndarray, structure: GeneStructure, frontier: Frontier) -> Walk:
    """A walk with room for the nodes of a tile."""
    n_classes, n_sums, n_kept = structure.phases.shape[1], len(frontier.sums), len(frontier.position)
    sizes = np.zeros(n_sums, np.int64)
    is_open = frontier.kind != SHORT_OPENS
    np.add.at(sizes, _lists_of(frontier, n_classes)[is_open], 1)
    others = n_sums + 2 + 3 * n_kept + 16 + _count(codes, start, flags, structure, sizes)
    n = int(sizes.sum())
    room = others + 2 * n  # each node of a list may become an entry of an aggregate
    first = np.cumsum(sizes) - sizes
    integers, numbers = (np.int32, np.int8, np.int8, np.int8, np.int8), (np.float64, np.float64)
    return Walk(
        nodes=Nodes(
            np.zeros(1, np.int64),
            *(np.empty(room, dtype) for dtype in (*integers, *numbers, np.int32, np.int32, np.int32)),
        ),
        lists=Lists(
            first,
            first.copy(),
            first.copy(),
            *(np.empty(n, dtype) for dtype in (np.int32, np.int32, np.float64, np.int32, np.float64, np.float64)),
        ),
        sums=np.full(n_sums, -1, np.int32),
        recent=np.full(3, -1, np.int32),
        latest=frontier.latest.copy(),
        barred=frontier.barred.copy(),
        barred_before=frontier.barred.copy(),
        cum=np.zeros(_N_CUM),
        pending=np.full((4, 2, 2), -1, np.int32),
        last=np.full(13, -1, np.int32),
        chosen=np.empty((n_classes + 3, 3), np.int64),
        todo=np.empty((32, 3), np.int64),
        closers=np.empty(8, np.int32),
    )


def _lists_of(frontier: Frontier, n_classes: int) -> np.ndarray:
    """The list of each node of a frontier (R,)."""
    strand, label = frontier.strand.astype(np.int64), frontier.label
    exon = 1 + 2 * n_classes + 3 * (3 * strand + (frontier.position - frontier.phase) % 3) + label
    is_intron = np.isin(frontier.kind, (INTRON_OPENS, SPLIT_OPENS))
    return np.asarray(np.where(is_intron, 1 + strand * n_classes + label, exon))


def _tile(walk: Walk, scores: Scores) -> Tile:
    """A tile, and what the next one must know of it."""
    nodes, lists, n_classes = walk.nodes, walk.lists, scores.structure.phases.shape[1]
    bars = np.full(len(walk.sums), -1)
    bars[1 + 2 * n_classes :] = np.repeat(walk.barred, 3) - np.tile([0, 1, 0], 6)  # a start codon may lie where one is
    open_ = [
        lists.node[young:end][lists.position[young:end] > bar]
        for young, end, bar in zip(lists.young, lists.end, bars, strict=True)
    ]
    kept = np.sort(np.concatenate([*open_, walk.pending[walk.pending >= 0]]))
    sums = np.append(walk.sums, walk.recent[1:])
    values, is_real = np.full(len(sums), -np.inf), sums >= 0
    values[is_real] = nodes.value[sums[is_real]] + walk.cum[np.append(scores.running, [0, 0])[is_real]]
    frontier = Frontier(
        values[:-2],
        walk.latest,
        values[-2:],
        walk.barred,
        *(array[kept] for array in (nodes.position, nodes.kind, nodes.strand, nodes.phase, nodes.label, nodes.value)),
    )
    frontier.value[:] += walk.cum[scores.running[_lists_of(frontier, n_classes)]]
    return Tile(walk, sums, kept, frontier)


def _scores(model: SegmentModel) -> Scores:
    """Tables for a walk.

    Raises:
        ValueError: a score is NaN or +inf.
    """
    structure, lengths, moves = model
    for name, values in {**lengths._asdict(), **moves._asdict()}.items():
        if not np.all(np.asarray(values) < np.inf):
            raise ValueError(f"{name}: a score is NaN or infinite")
    columns = np.zeros((3, _N_CUM), np.int64)
    columns[:, 0] = INTERGENIC
    for strand, base in enumerate(STRAND_COLUMNS):
        for t in range(3):
            for number in range(3):
                from_left = (t - number) % 3
                coding = from_left if strand == 0 else 2 - from_left
                phase = number if strand == 0 else (3 - number) % 3
                columns[t, _CUM_EXON + 3 * strand + number] = base + CODING + coding
                columns[t, _CUM_INTRON + 3 * strand + number] = base + INTRON + phase
    of_introns = _CUM_INTRON + np.array([[0], [3]]) + structure.phases
    return Scores(
        structure,
        _durations(lengths.exons.reshape(18, -1), lengths.exon_slope),
        _durations(lengths.introns, lengths.intron_slope),
        np.ascontiguousarray(lengths.short, np.float64),
        Moves(float(moves.stay), *(np.ascontiguousarray(values, np.float64) for values in moves[1:])),
        columns,
        np.concatenate([[0], of_introns.ravel(), _CUM_EXON + np.repeat(np.arange(6), 3)]),
    )


def _durations(log: np.ndarray, slope: float) -> Durations:
    """Tables of densities (R, n + 1) in nats."""
    log = np.ascontiguousarray(log, np.float64)
    top = np.maximum.accumulate(log[:, ::-1], axis=1)[:, ::-1]
    return Durations(log, np.exp(log), np.ascontiguousarray(top), float(slope))


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
        np.zeros(len(rows), np.int32),
        kind,
        strand,
        phase,
        label,
        np.array([row[-1] for row in rows], np.float64),
    )
