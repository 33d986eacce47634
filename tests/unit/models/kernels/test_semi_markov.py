"""Segments against enumeration: every path of short sequences, judged and scored one by one by a plain reader of its letters."""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest

from dnaspt.genome import alphabet
from dnaspt.models.gene_model import genes_of as calls_of
from dnaspt.models.gene_model import posteriors_of
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
from dnaspt.models.kernels import semi_markov as kinds
from dnaspt.models.kernels.semi_markov import (
    BEFORE_INTRON,
    CLOSE_EDGE,
    OPEN_EDGE,
    Lengths,
    Moves,
    SegmentModel,
    Site,
    Trail,
    best_path,
    site_probabilities,
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


def random_model(rng: np.random.Generator, *, edges: bool = True, longest: tuple[int, int] = (6, 7)) -> SegmentModel:
    """Random scores; introns of 4 bases or more; explicit lengths of exons and introns up to `longest`."""
    exons = rng.normal(size=(2, 9, longest[0] + 1))
    for row in range(9):
        left, right = divmod(row, 3)
        least = 1 if right == CLOSE_EDGE and left != 1 else 3
        exons[:, row, :least] = -np.inf
        assert right != BEFORE_INTRON or least == 3
    short = rng.normal(size=(2, 2, 3))
    short[:, :, 0] = -np.inf
    introns = rng.normal(size=(4, longest[1] + 1))
    introns[0, :LEAST_INTRON], introns[1:, 0] = -np.inf, -np.inf
    first, last = rng.normal(size=3), rng.normal(size=3)
    if not edges:
        first[1:], last[1:] = -np.inf, -np.inf
    moves = Moves(float(rng.normal()), rng.normal(size=2), first, last)
    return SegmentModel(gene_structure(), Lengths(exons, -0.3, short, introns, -0.2), moves)


LEAST_INTRON = 4
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
    letters = random_letters(rng, int(rng.integers(1, 27)))
    model = random_model(rng, edges=seed % 4 != 0)
    check_all_paths(letters, random_scores(rng, len(letters)), model, tiles=(1 << 18, 1, 4, 9))


@pytest.mark.parametrize("n_bytes", [0, 100_000])
def test_tiles_that_are_not_kept_are_walked_again(n_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "KEPT_BYTES", n_bytes)
    rng = np.random.default_rng(11)
    letters = random_letters(rng, 24)
    check_all_paths(letters, random_scores(rng, 24), random_model(rng), tiles=(2, 5))


@pytest.mark.parametrize("longest", [(3, 4), (4, 9), (12, 4), (30, 30)])
@pytest.mark.parametrize("seed", range(3))
def test_lengths_on_both_sides_of_the_longest_explicit_one(seed: int, longest: tuple[int, int]) -> None:
    rng = np.random.default_rng(100 + seed)
    letters = random_letters(rng, 24)
    check_all_paths(letters, random_scores(rng, 24), random_model(rng, longest=longest), tiles=(1 << 18, 7))


@pytest.mark.parametrize("seed", range(4))
def test_scores_that_are_far_apart(seed: int) -> None:
    rng = np.random.default_rng(200 + seed)
    letters = random_letters(rng, 22)
    model = random_model(rng)
    lengths = model.lengths
    far = lengths._replace(exons=400 * np.minimum(lengths.exons, 0), introns=400 * np.minimum(lengths.introns, 0))
    model = model._replace(lengths=far)  # densities that no float64 holds
    check_all_paths(letters, 64 * random_scores(rng, 22), model, tiles=(1 << 18, 5), gradients=False)


@pytest.mark.parametrize("letters", ["N" * 20, "NNNGTNNNNAGNNNNN", "NATGNNNGTNNAGNTAAN", "NNTTANNCTNNNNACNCATN"])
def test_letters_that_are_not_known(letters: str) -> None:
    rng = np.random.default_rng(len(letters))
    check_all_paths(letters, random_scores(rng, len(letters)), random_model(rng), tiles=(1 << 18, 3))


class Planted(NamedTuple):
    """A gene that is written into a sequence: coding bases, introns before some of them, and what lies around it."""

    coding: str
    introns: dict[int, str]
    left: str = "C"
    right: str = "C"

    def letters(self) -> str:
        pieces = [self.introns.get(at, "") + letter for at, letter in enumerate(self.coding)]
        return self.left + "".join(pieces) + self.right

    def gene(self) -> Gene:
        exons, start = [], len(self.left)
        cuts = [0, *sorted(self.introns), len(self.coding)]
        for first, last in pairwise(cuts):
            start += len(self.introns.get(first, ""))
            exons.append(Exon(start, start + last - first))
            start = exons[-1].end
        return Gene(0, tuple(exons), 0, "", "")


PLANTED = {
    "two exons": Planted("ATGCCCTGA", {4: "GTAG"}),
    "a long exon and a long intron": Planted("ATGCCACCACCCTGA", {9: "GCACACACAG"}),
    "a start codon split behind A": Planted("ATGCCCTAA", {1: "GTAAG"}),
    "a start codon split behind AT": Planted("ATGCCCTAG", {2: "GCCAG"}),
    "a stop codon split behind T": Planted("ATGCCCTAA", {7: "GTCAG"}),
    "a stop codon split behind TA": Planted("ATGCCCTAG", {8: "GTCCCCAG"}),
    "a stop codon split behind TG": Planted("ATGCCCTGA", {8: "GCAG"}, right=""),
    "both split": Planted("ATGCACTGA", {1: "GTAG", 7: "GTAG"}),
    "both split, the other way": Planted("ATGCACTAA", {2: "GTAG", 8: "GTAG"}, left=""),
    "four exons": Planted("ATGCCACCCTGA", {1: "GTAG", 5: "GCAG", 10: "GTAG"}, left="", right=""),
    "four exons, other phases": Planted("ATGCCACCCTAA", {2: "GTAG", 6: "GTAG", 11: "GTAG"}, left="", right=""),
}


@pytest.mark.parametrize("name", PLANTED)
@pytest.mark.parametrize("strand", [0, 1])
def test_whole_genes_with_introns(name: str, strand: int) -> None:
    letters, gene = PLANTED[name].letters(), PLANTED[name].gene()
    n = len(letters)
    if strand == 1:
        letters = letters[::-1].translate(str.maketrans("ACGT", "TGCA"))
        gene = Gene(1, tuple(Exon(n - end, n - start) for start, end in gene.exons[::-1]), 0, "", "")
    rng = np.random.default_rng(sum(map(ord, name)) + strand)
    model, scores = random_model(rng), random_scores(rng, n)
    before = {genes: score for score, genes in check_all_paths(letters, scores, model, tiles=(1 << 18,))}
    assert (gene,) in before  # it is one of many paths; now it becomes the best
    reward_gene(scores, gene)
    paths = check_all_paths(letters, scores, model, tiles=(1 << 18, 2, 11), gradients=False)
    assert max(paths)[1] == (gene,)


def reward_gene(scores: np.ndarray, gene: Gene, nats: float = 8.0) -> None:
    """Add to the scores of the sites and bases of a whole gene."""
    base, phase = STRAND_COLUMNS[gene.strand], 0
    scores[: gene.exons[0].start, INTERGENIC] += nats
    scores[gene.exons[-1].end :, INTERGENIC] += nats
    scores[gene.exons[0].start, base + (START, STOP)[gene.strand]] += nats
    scores[gene.exons[-1].end - 1, base + (STOP, START)[gene.strand]] += nats
    for number, exon in enumerate(gene.exons):
        for t in range(exon.start, exon.end):
            scores[t, base + CODING + (phase if gene.strand == 0 else 2 - phase)] += nats
            phase = (phase + 1) % 3
        if number + 1 < len(gene.exons):
            column = phase if gene.strand == 0 else (3 - phase) % 3
            scores[exon.end : gene.exons[number + 1].start, base + INTRON + column] += nats


def check_all_paths(
    letters: str, scores: np.ndarray, model: SegmentModel, *, tiles: tuple[int, ...], gradients: bool = True
) -> list[tuple[float, tuple[Gene, ...]]]:
    """Best path, sum and probabilities against all paths, one by one."""
    n, codes = len(letters), alphabet.encode(letters)
    paths = all_paths(letters, scores, model, LEAST_INTRON)
    total = np.logaddexp.reduce([score for score, _ in paths])
    highest, genes = max(paths)
    for number, tile_bp in enumerate(tiles):
        best = best_path(codes, lambda a, b: scores[a:b], model, tile_bp=tile_bp)
        assert best.score == pytest.approx(highest, abs=1e-9)
        assert genes_of(best.sites, n) == genes
        marginals = np.zeros((n, N_COLUMNS))

        def keep(start: int, rows: np.ndarray, into: np.ndarray = marginals) -> None:
            into[start : start + len(rows)] = rows

        sums = sum_paths(codes, lambda a, b: scores[a:b], model, path=best, marginals=keep, tile_bp=tile_bp)
        assert sums.log_sum == pytest.approx(total, abs=1e-9)
        if gradients and number == len(tiles) - 1:
            check_gradients(codes, scores, model, sums, marginals)
        product = np.prod([given for tile in sums.given for given in tile])
        end = sums.mass[-1][0] if len(sums.mass[-1]) else 1.0
        assert product * end == pytest.approx(np.exp(highest - total), rel=1e-9)
        check_posteriors(posteriors_of(calls_of(best.sites), site_probabilities(best, sums)), genes, paths)
    return paths


def check_posteriors(
    posteriors: list[tuple[float, list[float]]], genes: tuple[Gene, ...], paths: list[tuple[float, tuple[Gene, ...]]]
) -> None:
    """Probabilities of genes and exons against the paths that hold them."""
    total = np.logaddexp.reduce([score for score, _ in paths])
    shares = [(np.exp(score - total), own) for score, own in paths]
    for (of_gene, of_exons), gene in zip(posteriors, genes, strict=True):
        assert of_gene == pytest.approx(sum(share for share, own in shares if gene in own), abs=1e-9)
        for exon, probability in zip(exons_in_frame(gene), of_exons, strict=True):
            holding = (share for share, own in shares if any(exon in exons_in_frame(other) for other in own))
            assert probability == pytest.approx(sum(holding), abs=1e-9)


def exons_in_frame(gene: Gene) -> list[tuple[object, ...]]:
    """Each exon with its strand, the phase before it, and what stands at its ends."""
    exons, phase = [], gene.phase
    for number, exon in enumerate(gene.exons):
        left = gene.left if number == 0 else "intron"
        right = gene.right if number == len(gene.exons) - 1 else "intron"
        exons.append((gene.strand, exon, phase, left, right))
        phase = (phase + exon.end - exon.start) % 3
    return exons


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


def faults(gene: Gene, letters: str) -> list[str]:
    """What is wrong with a gene, by translating it."""
    n, exons = len(letters), list(gene.exons)
    has_start, has_stop = not gene.left, not gene.right
    starts_in_exon, ends_in_exon = gene.left == "exon", gene.right == "exon"
    if (starts_in_exon and exons[0].start != 0) or (ends_in_exon and exons[-1].end != n):
        return ["cut, but not by the sequence's end"]
    coded = sum(end - start for start, end in exons)
    lead = (3 - gene.phase) % 3  # bases that complete the first codon
    if gene.strand == 1:
        letters = letters[::-1].translate(str.maketrans("ACGT", "TGCA"))
        exons = [Exon(n - end, n - start) for start, end in exons[::-1]]
        lead = (gene.phase + coded) % 3  # the first codon's bases after the cut, in the direction of transcription
        has_start, has_stop = has_stop, has_start
        starts_in_exon, ends_in_exon = ends_in_exon, starts_in_exon
    wrong = []
    coding = "".join(letters[start:end] for start, end in exons)
    codons = [coding[at : at + 3] for at in range(lead, len(coding) - 2, 3)]
    rest = len(coding) - lead - 3 * len(codons)
    if has_start and (lead or not "ATG".startswith((codons or [coding])[0])):
        wrong.append("no start codon")
    if has_stop and not codons and not has_start:  # the cut intron splits the stop codon
        if rest or not any(stop.endswith(coding) for stop in STOPS):
            wrong.append("no stop codon")
    elif has_stop and (rest or not codons or codons.pop() not in STOPS):
        wrong.append("no stop codon")
    if STOPS & set(codons):
        wrong.append("a stop codon in frame")
    introns = [(left.end, right.start) for left, right in pairwise(exons)]
    pieces = [(letters[start : start + 2], letters[end - 2 : end]) for start, end in introns]
    if any(donor not in ("GT", "GC") or acceptor != "AG" for donor, acceptor in pieces):
        wrong.append("a splice site")
    if exons and not has_start and not starts_in_exon and letters[exons[0].start - 2 : exons[0].start] != "AG":
        wrong.append("the acceptor of a cut intron")
    if exons and not has_stop and not ends_in_exon and letters[exons[-1].end :][:2] not in ("GT", "GC"):
        wrong.append("the donor of a cut intron")
    if any(end <= start for start, end in exons + introns):
        wrong.append("order")
    return wrong


@pytest.mark.parametrize("seed", range(12))
def test_every_decoded_gene_is_legal(seed: int) -> None:
    rng = np.random.default_rng(300 + seed)
    n = int(rng.integers(1_000, 5_000))
    share_gc = rng.uniform(0.2, 0.7)
    codes = rng.choice(5, n, p=[(1 - share_gc) / 2, share_gc / 2, share_gc / 2, (1 - share_gc) / 2, 0]).astype(np.uint8)
    for start in rng.integers(0, n, 3):
        codes[start : start + rng.integers(1, 80)] = alphabet.N
    letters = alphabet.decode(codes)
    scores = rng.normal(size=(n, N_COLUMNS))
    scores[:, 1:] += rng.uniform(0.0, 0.3)
    model = random_model(rng, longest=(40, 30), edges=seed % 3 != 0)
    model = model._replace(moves=model.moves._replace(gene=np.full(2, 6.0), stay=0.0))
    path = best_path(codes, lambda a, b: scores[a:b], model)
    genes = genes_of(path.sites, n)
    assert len(genes) > n / 400 and {gene.strand for gene in genes} == {0, 1}
    assert max(len(gene.exons) for gene in genes) > 2
    assert [faults(gene, letters) for gene in genes] == [[]] * len(genes)
    spans = [(gene.exons[0].start, gene.exons[-1].end) for gene in genes if gene.exons]
    assert all(left[1] < right[0] for left, right in pairwise(spans))
    assert best_path(codes, lambda a, b: scores[a:b], model, tile_bp=777).sites == path.sites


def test_the_translator_finds_what_is_wrong() -> None:
    letters = "CATGCCGTAGCTGAC"
    whole = Gene(0, (Exon(1, 6), Exon(10, 14)), 0, "", "")
    assert faults(whole, letters) == []
    turned_letters = letters[::-1].translate(str.maketrans("ACGT", "TGCA"))
    assert faults(Gene(1, (Exon(1, 5), Exon(9, 14)), 0, "", ""), turned_letters) == []
    assert faults(whole._replace(exons=(Exon(1, 6), Exon(9, 14))), letters) == ["no stop codon", "a splice site"]
    assert faults(whole._replace(exons=(Exon(2, 6), Exon(10, 14))), letters)[0] == "no start codon"
    assert faults(Gene(0, (Exon(0, 9),), 0, "exon", ""), "CCCTAATGA") == ["a stop codon in frame"]
    assert faults(Gene(0, (Exon(0, 8),), 1, "exon", ""), "CCTAATGA") == ["a stop codon in frame"]
    assert faults(Gene(0, (Exon(1, 9),), 1, "exon", ""), "CCCTAATGA") == ["cut, but not by the sequence's end"]


def test_the_way_back_of_a_best_path_keeps_few_nodes() -> None:
    rng = np.random.default_rng(5)
    codes = rng.integers(0, 4, 9_000).astype(np.uint8)
    scores = rng.normal(size=(len(codes), N_COLUMNS))
    walker = kinds._Walker(codes, lambda a, b: scores[a:b], random_model(rng, longest=(40, 30)), 3_000)
    for tile in walker.forward(kinds.BEST):
        trail = Trail.of(tile)
        assert 0 < len(trail.number) < int(tile.walk.nodes.size[0]) / 4
        assert set(tile.kept.tolist()) <= set(trail.number.tolist())


def test_a_path_may_come_on_the_way_back() -> None:
    rng = np.random.default_rng(6)
    codes = rng.integers(0, 4, 200).astype(np.uint8)
    scores, model = rng.normal(size=(len(codes), N_COLUMNS)), random_model(rng)
    path = best_path(codes, lambda a, b: scores[a:b], model, tile_bp=90)
    known, late = (
        sum_paths(codes, lambda a, b: scores[a:b], model, path=given, tile_bp=90) for given in (path, lambda: path)
    )
    assert site_probabilities(path, late).site.tolist() == site_probabilities(path, known).site.tolist()
    assert np.concatenate(known.given).tolist() == np.concatenate(late.given).tolist()


def test_scores_that_are_no_numbers_are_refused() -> None:
    rng = np.random.default_rng(0)
    model, codes, scores = random_model(rng), np.zeros(9, np.uint8), random_scores(rng, 9)
    with pytest.raises(ValueError, match="no path"):
        best_path(codes, lambda a, b: scores[a:b], model._replace(moves=model.moves._replace(last=np.full(3, -np.inf))))
    with pytest.raises(ValueError, match="gene: a score is NaN or infinite"):
        best_path(codes, lambda a, b: scores[a:b], model._replace(moves=model.moves._replace(gene=np.full(2, np.nan))))
    for value in (np.nan, np.inf, -np.inf):
        scores[4, 3] = value
        with pytest.raises(ValueError, match="from 0 to 9 are not finite"):
            sum_paths(codes, lambda a, b: scores[a:b], model)
