"""Segments against enumeration: every path of short sequences, judged and scored one by one by a plain reader of its letters."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pytest

from dnaspt.genome import alphabet
from dnaspt.models.gene_structure import (
    ACCEPTOR,
    CODING,
    DONOR,
    INTERGENIC,
    INTRON,
    N_COLUMNS,
    START,
    STOP,
    STRAND_COLUMNS,
    gene_structure,
)
from dnaspt.models.kernels.semi_markov import (
    BEFORE_INTRON,
    CLOSE_EDGE,
    OPEN_EDGE,
    Lengths,
    Moves,
    SegmentModel,
    Site,
    best_path,
    sum_paths,
)

STARTS, STOPS = {"ATG"}, {"TAA", "TAG", "TGA"}


def turned(words: set[str]) -> set[str]:
    return {word[::-1].translate(str.maketrans("ACGT", "TGCA")) for word in words}


class Ends(NamedTuple):
    """Words of a strand from left to right."""

    left: set[str]
    right: set[str]
    barred: set[str]
    intron_left: set[str]
    intron_right: set[str]


ENDS = (
    Ends(STARTS, STOPS, STOPS, {"GT", "GC"}, {"AG"}),
    Ends(turned(STOPS), turned(STARTS), turned(STOPS), {"CT"}, {"AC", "GC"}),
)


class Exon(NamedTuple):
    start: int
    end: int


class Gene(NamedTuple):
    """Exons of a gene, the bases of its first codon that lie before the sequence, and whether it is cut at either end."""

    strand: int
    exons: tuple[Exon, ...]
    phase: int
    left: str  # "" for its own end, else exon or intron
    right: str


def genes_from(letters: str, t: int, least_intron: int) -> Iterator[Gene]:
    """All genes whose left end lies at t (t = 0: or before)."""
    for strand in range(2):
        yield from grown(letters, strand, (), t, 0, "", least_intron)
        if t == 0:
            for phase in range(3):
                yield from grown(letters, strand, (), 0, phase, "exon", least_intron)
                yield Gene(strand, (), phase, "intron", "intron")
                for start in range(1, len(letters)):
                    if letters[start - 2 : start] in ENDS[strand].intron_right and start >= 2:
                        yield from grown(letters, strand, (), start, phase, "intron", least_intron)


def grown(
    letters: str, strand: int, exons: tuple[Exon, ...], start: int, phase: int, left: str, least_intron: int
) -> Iterator[Gene]:
    """Genes with these exons and one more that begins at start."""
    n, ends = len(letters), ENDS[strand]
    for end in range(start + 1, n + 1):
        now = (*exons, Exon(start, end))
        yield Gene(strand, now, phase, left, "")
        if end == n:
            yield Gene(strand, now, phase, left, "exon")
        elif letters[end : end + 2] in ends.intron_left:
            yield Gene(strand, now, phase, left, "intron")
            for following in range(end + least_intron, n):
                if letters[following - 2 : following] in ends.intron_right:
                    yield from grown(letters, strand, now, following, phase, left, least_intron)


def is_legal(gene: Gene, letters: str) -> bool:
    """Whether the letters allow the gene."""
    ends = ENDS[gene.strand]
    coding = "N" * gene.phase + "".join(letters[exon.start : exon.end] for exon in gene.exons)
    codons = [coding[i : i + 3] for i in range(0, len(coding), 3)]
    if not gene.left:
        fits = any(word.startswith(codons[0]) for word in ends.left)
        if not fits or (len(codons[0]) < 3 and gene.right != "intron"):
            return False
        codons = codons[1:]
    if not gene.right:
        if not codons or codons[-1] not in ends.right:
            return False
        codons = codons[:-1]
    if any(codon in ends.barred for codon in codons):
        return False
    for number, exon in enumerate(gene.exons):
        bp = exon.end - exon.start
        is_leftmost = number == 0 and gene.left != "intron"
        is_rightmost = number == len(gene.exons) - 1 and gene.right != "intron"
        own_left, own_right = is_leftmost and not gene.left, is_rightmost and not gene.right
        if bp < 3:
            if is_rightmost and gene.right == "exon":
                if own_left:
                    return False
            elif own_left and own_right:
                return False
            elif not own_left and not own_right:
                return False  # an inner exon
            elif is_leftmost and gene.left == "exon":
                return False
            elif own_right and (sum(e.end - e.start for e in gene.exons[:-1]) + gene.phase) % 3 != 3 - bp:
                return False  # it must be the rest of a split codon
    return True


def gene_score(gene: Gene, letters: str, scores: np.ndarray, model: SegmentModel) -> float:
    """Score of the gene, with the move into it."""
    n, lengths, moves = len(letters), model.lengths, model.moves
    base, plus = STRAND_COLUMNS[gene.strand], gene.strand == 0
    phase, score = gene.phase, 0.0
    if not gene.left:
        score += moves.gene[gene.strand]
        first = gene.exons[0].start
        score += scores[first, base + (START if plus else STOP)]
    elif gene.left == "exon":
        score += moves.first[1]
    else:
        score += moves.first[2]
    previous = 0 if gene.left == "intron" else None
    for number, exon in enumerate(gene.exons):
        if previous is not None:
            score += intron_score(gene, (previous, exon.start), phase, scores, model, opens=number > 0, closes=True)
        is_leftmost = number == 0 and gene.left != "intron"
        is_rightmost = number == len(gene.exons) - 1 and gene.right != "intron"
        left = 0 if not is_leftmost else OPEN_EDGE if gene.left else 1
        right = 0 if not is_rightmost else CLOSE_EDGE if gene.right else 1
        bp = exon.end - exon.start
        if bp < 3 and left == 1:
            score += lengths.short[gene.strand, 0, bp]
        elif bp < 3 and right == 1:
            score += lengths.short[gene.strand, 1, bp]
        else:
            most = lengths.exons.shape[2] - 1
            score += lengths.exons[gene.strand, 3 * left + right, min(bp, most)]
            score += lengths.exon_slope * max(0, bp - most)
        for t in range(exon.start, exon.end):
            score += scores[t, base + CODING + (phase if plus else 2 - phase)]
            phase = (phase + 1) % 3
        previous = exon.end
    if not gene.right:
        score += scores[gene.exons[-1].end - 1, base + (STOP if plus else START)]
    elif gene.right == "exon":
        score += moves.last[1]
    else:
        score += moves.last[2]
        score += intron_score(gene, (previous or 0, n), phase, scores, model, opens=bool(gene.exons), closes=False)
    return float(score)


def intron_score(
    gene: Gene,
    interval: tuple[int, int],
    phase: int,
    scores: np.ndarray,
    model: SegmentModel,
    *,
    opens: bool,
    closes: bool,
) -> float:
    start, end = interval
    base, plus = STRAND_COLUMNS[gene.strand], gene.strand == 0
    column = phase if plus else (3 - phase) % 3
    most = model.lengths.introns.shape[1] - 1
    row = (0 if closes else 2) + (0 if opens else 1)
    score = model.lengths.introns[row, min(end - start, most)] + model.lengths.intron_slope * max(0, end - start - most)
    score += scores[start:end, base + INTRON + column].sum()
    if opens:
        score += scores[start, base + (DONOR if plus else ACCEPTOR) + column]
    if closes:
        score += scores[end - 1, base + (ACCEPTOR if plus else DONOR) + column]
    return float(score)


def all_paths(
    letters: str, scores: np.ndarray, model: SegmentModel, least_intron: int
) -> list[tuple[float, tuple[Gene, ...]]]:
    """Every path: its score and its genes."""
    n = len(letters)
    by_start: dict[int, list[tuple[Gene, int, float]]] = {}
    for t in range(n):
        genes = []
        for gene in genes_from(letters, t, least_intron):
            if is_legal(gene, letters):
                score = gene_score(gene, letters, scores, model)
                end = n + 1 if gene.right else gene.exons[-1].end
                if score > -np.inf:
                    genes.append((gene, end, score))
        by_start[t] = genes
    moves = model.moves
    between = scores[:, INTERGENIC].astype(float) + moves.stay
    paths: list[tuple[float, tuple[Gene, ...]]] = []

    def go(t: int, score: float, genes: tuple[Gene, ...], *, may_open: bool) -> None:
        """At t, between genes."""
        if t == n:
            paths.append((score + moves.last[0], genes))
            return
        if may_open:
            for gene, end, own in by_start[t]:
                if gene.left:
                    continue
                if end > n:
                    paths.append((score + own, (*genes, gene)))
                else:
                    go(end, score + own, (*genes, gene), may_open=False)
        go(t + 1, score + between[t], genes, may_open=True)

    go(0, moves.first[0], (), may_open=True)
    for gene, end, own in by_start[0]:
        if gene.left:
            if end > n:
                paths.append((own, (gene,)))
            else:
                go(end, own, (gene,), may_open=False)
    return paths


def random_model(rng: np.random.Generator, *, edges: bool = True) -> SegmentModel:
    """Random scores; introns of 4 bases or more, explicit up to 7, exons up to 6."""
    exons = rng.normal(size=(2, 9, 7))
    for row in range(9):
        left, right = divmod(row, 3)
        least = 1 if right == CLOSE_EDGE and left != 1 else 3
        exons[:, row, :least] = -np.inf
        assert right != BEFORE_INTRON or least == 3
    short = rng.normal(size=(2, 2, 3))
    short[:, :, 0] = -np.inf
    introns = rng.normal(size=(4, 8))
    introns[0, :4], introns[1:, 0] = -np.inf, -np.inf
    first, last = rng.normal(size=3), rng.normal(size=3)
    if not edges:
        first[1:], last[1:] = -np.inf, -np.inf
    moves = Moves(float(rng.normal()), rng.normal(size=2), first, last)
    return SegmentModel(gene_structure(), Lengths(exons, -0.3, short, introns, -0.2), moves)


GRID = 2.0**-14
"""Scores are multiples of it, so that float32 holds them exactly, and what a step of it makes of them."""


def random_scores(rng: np.random.Generator, n: int) -> np.ndarray:
    return np.round(rng.normal(size=(n, N_COLUMNS)) / GRID) * GRID


WORDS = [
    "ATG",
    "TAA",
    "TGA",
    "GTAAAG",
    "GTCAG",
    "CTAC",
    "CTGAC",
    "CAT",
    "TTA",
    "TCA",
    "A",
    "C",
    "G",
    "T",
    "TG",
    "AT",
    "N",
]


def random_letters(rng: np.random.Generator, n: int) -> str:
    """Letters with many sites."""
    letters = ""
    while len(letters) < n:
        letters += WORDS[rng.integers(len(WORDS))]
    return letters[:n]


def genes_of(sites: list[Site], n: int) -> tuple[Gene, ...]:
    """The genes of a path's sites."""
    from dnaspt.models.kernels import semi_markov as kinds

    genes: list[Gene] = []
    exons: list[Exon] = []
    start, phase, left, strand = -1, 0, "", 0
    for site in sites:
        if site.is_edge:
            strand, phase, exons = site.strand, site.phase, []
            left, start = ("exon", 0) if site.kind == kinds.EXON_OPENS else ("intron", -1)
        elif site.kind == kinds.GENE_OPENS:
            strand, phase, left, exons, start = site.strand, 0, "", [], site.position
        elif site.kind == kinds.SPLIT_OPENS:
            strand, phase, left, exons = site.strand, 0, "", [Exon(site.position - site.phase, site.position)]
        elif site.kind in (kinds.EXON_OPENS, kinds.SHORT_OPENS):
            start = site.position
        elif site.kind in (kinds.INTRON_OPENS, kinds.GENE_CLOSES, kinds.SHORT_CLOSES, kinds.LAST_EXON):
            exons.append(Exon(start, site.position))
        if site.kind in (kinds.GENE_CLOSES, kinds.SHORT_CLOSES):
            genes.append(Gene(strand, tuple(exons), phase, left, ""))
        elif site.kind in (kinds.LAST_EXON, kinds.LAST_INTRON):
            genes.append(Gene(strand, tuple(exons), phase, left, "exon" if site.kind == kinds.LAST_EXON else "intron"))
    return tuple(genes)


@pytest.mark.parametrize("seed", range(40))
def test_every_path_is_counted(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 27))
    letters = random_letters(rng, n)
    codes = alphabet.encode(letters)
    scores = random_scores(rng, n)
    model = random_model(rng, edges=seed % 4 != 0)
    paths = all_paths(letters, scores, model, least_intron=4)
    total = np.logaddexp.reduce([score for score, _ in paths])
    highest, genes = max(paths)
    for tile_bp in (1 << 18, 1, 4, 9):
        best = best_path(codes, lambda a, b: scores[a:b], model, tile_bp=tile_bp)
        assert best.score == pytest.approx(highest, abs=1e-9)
        assert genes_of(best.sites, n) == genes
        marginals = np.zeros((n, N_COLUMNS))

        def keep(start: int, rows: np.ndarray, into: np.ndarray = marginals) -> None:
            into[start : start + len(rows)] = rows

        sums = sum_paths(codes, lambda a, b: scores[a:b], model, path=best, marginals=keep, tile_bp=tile_bp)
        assert sums.log_sum == pytest.approx(total, abs=1e-9)
        if tile_bp == 4:
            check_gradients(codes, scores, model, sums, marginals)
        product = np.prod([given for tile in sums.given for given in tile])
        end = sums.mass[-1][0] if len(sums.mass[-1]) else 1.0
        assert product * end == pytest.approx(np.exp(highest - total), rel=1e-9)


def check_gradients(codes, scores, model, sums, marginals) -> None:
    """Expected counts against differences of the log-sum."""
    rng = np.random.default_rng(1)
    step = GRID

    def log_sum(scores: np.ndarray, model: SegmentModel) -> float:
        return sum_paths(codes, lambda a, b: scores[a:b], model).log_sum

    def slope(change) -> float:
        return (change(step) - change(-step)) / (2 * step)

    wide = scores.astype(np.float64)
    for t, column in zip(rng.integers(len(codes), size=6), rng.integers(N_COLUMNS, size=6), strict=True):

        def change(by: float, t=t, column=column) -> float:
            moved = wide.copy()
            moved[t, column] += by
            return log_sum(moved, model)

        assert marginals[t, column] == pytest.approx(slope(change), abs=1e-6)
    lengths, moves, expected = model.lengths, model.moves, sums.expected
    for name in ("exons", "introns", "short"):
        own, direction = getattr(lengths, name), rng.normal(size=getattr(lengths, name).shape)
        by_hand = slope(
            lambda by, n=name, o=own, d=direction: log_sum(
                wide, model._replace(lengths=lengths._replace(**{n: o + by * d}))
            )
        )
        assert (getattr(expected, name) * direction).sum() == pytest.approx(by_hand, abs=1e-6)
    for number, name in enumerate(("exon_slope", "intron_slope")):
        own = getattr(lengths, name)
        by_hand = slope(
            lambda by, n=name, o=own: log_sum(wide, model._replace(lengths=lengths._replace(**{n: o + by})))
        )
        assert expected.excess[number] == pytest.approx(by_hand, abs=1e-6)
    for name in ("gene", "first", "last"):
        own, direction = getattr(moves, name), rng.normal(size=getattr(moves, name).shape)
        by_hand = slope(
            lambda by, n=name, o=own, d=direction: log_sum(
                wide, model._replace(moves=moves._replace(**{n: o + by * d}))
            )
        )
        assert (getattr(expected, name) * direction).sum() == pytest.approx(by_hand, abs=1e-6)
    by_hand = slope(lambda by: log_sum(wide, model._replace(moves=moves._replace(stay=moves.stay + by))))
    assert expected.stay[0] == pytest.approx(by_hand, abs=1e-6)
