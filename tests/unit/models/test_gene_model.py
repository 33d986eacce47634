"""Length tables that sum to one, weights whose gradients are those of the log-sum, and paths as genes and classes by hand."""

from functools import cache

import numpy as np
import pytest

from dnaspt.genome import alphabet
from dnaspt.genome.gene_states import MINUS, MISSING
from dnaspt.models.gene_model import (
    EXON_LENGTHS,
    GENE,
    INTRON_LENGTHS,
    PRIOR_WEIGHTS,
    SITES,
    WEIGHT_NAMES,
    GeneCall,
    GeneModel,
    LengthTables,
    Shares,
    candidate_scores,
    clamp,
    class_columns,
    classes_of,
    genes_of,
    length_weight_gradient,
    reaching,
    segment_model,
)
from dnaspt.models.gene_structure import (
    ACCEPTOR,
    CODING,
    DONOR,
    FORBIDDEN,
    INTRON,
    MINUS_COLUMNS,
    N_COLUMNS,
    PLUS,
    START,
    STOP,
)
from dnaspt.models.kernels.semi_markov import (
    EXON_OPENS,
    GENE_CLOSES,
    GENE_OPENS,
    INTRON_OPENS,
    LAST_BETWEEN,
    LAST_EXON,
    LAST_INTRON,
    SHORT_CLOSES,
    SHORT_OPENS,
    SPLIT_OPENS,
    Site,
    sum_paths,
)
from dnaspt.models.length_densities import GeneLengths, GeneParts
from dnaspt.models.sensors import Sensors

SHARES = Shares(0.6, 0.3, 0.1)


@cache
def lengths() -> GeneLengths:
    """Densities that are explicit up to 60 and 50 bases."""
    sizes = {
        "intron": [20, 25, 30, 80],
        "single": [90, 60],
        "initial": [10, 40],
        "internal": [30, 33],
        "terminal": [20, 9, 4],
    }
    parts = GeneParts(
        {kind: np.array(values) for kind, values in sizes.items()},
        {kind: np.ones(len(values)) for kind, values in sizes.items()},
        2.0,
        3.0,
    )
    return GeneLengths.fit(parts, intergenic_bp=5_000, min_intron_bp=10, explicit_intron_bp=50, explicit_exon_bp=60)


def beyond(last: float, slope: float) -> float:
    """Probability of all lengths beyond the explicit ones."""
    return float(np.exp(last + slope) / -np.expm1(slope))


def test_probabilities_of_lengths_sum_to_one() -> None:
    tables = LengthTables.of(lengths())
    slope = tables.exon_slope
    single, initial, internal, terminal = (density.with_tail_slope(slope) for density in lengths().exons)
    assert lengths().exons[2].tail_slope != slope
    for strand, rows in enumerate((((1, terminal), (3, initial)), ((1, initial), (3, terminal)))):
        for row, density in (*rows, (4, single), (0, internal)):
            total = np.exp(tables.exons[strand, row]).sum() + beyond(tables.exons[strand, row, -1], slope)
            if row in (1, 3):  # what is shorter is an exon of a split start or stop codon
                total += np.exp(tables.short[strand, {3: 0, 1: 1}[row]]).sum()
            else:  # no such exons
                total += np.exp(density.log_explicit[1:3]).sum()
            assert total == pytest.approx(1)
    slope = tables.intron_slope
    for row in (0, 1, 3):  # whole introns, and what is left of those that began before the sequence
        assert np.exp(tables.introns[row]).sum() + beyond(tables.introns[row, -1], slope) == pytest.approx(1)
    assert (tables.introns[1:, 0] == -np.inf).all()
    survival = np.exp(tables.introns[2])  # an intron that goes on beyond the sequence: it is so long or longer
    assert survival[1] == pytest.approx(1) and survival[11] == pytest.approx(1 - np.exp(tables.introns[0, 10]))


def test_rows_of_the_minus_strand_are_those_of_the_plus_strand_turned() -> None:
    tables = LengthTables.of(lengths())
    assert (tables.exons[0, 3] == tables.exons[1, 1]).all() and (tables.exons[0, 1] == tables.exons[1, 3]).all()
    assert (tables.exons[0, 4] == tables.exons[1, 4]).all() and (tables.exons[0, 0] == tables.exons[1, 0]).all()
    assert (tables.short[0] == tables.short[1, ::-1]).all()
    assert tables.exon_shares[0, 3] == tables.exon_shares[1, 1] == lengths().log_multi
    assert tables.exon_shares[0, 1] == tables.exon_shares[1, 3] == lengths().log_terminal
    assert (tables.exons[:, [0, 1, 3, 4, 6, 7], :3] == -np.inf).all()


def test_weights_scale_lengths_and_shift_genes() -> None:
    weights = PRIOR_WEIGHTS.copy()
    weights[EXON_LENGTHS], weights[INTRON_LENGTHS], weights[GENE] = 0.5, 2.0, -1.5
    tables = LengthTables.of(lengths())
    _, own, moves = segment_model(tables, lengths(), SHARES, weights)
    assert own.exons[0, 4, 30] == pytest.approx(0.5 * lengths().exons[0].log_explicit[30] + lengths().log_single)
    assert own.introns[0, 30] == pytest.approx(2 * lengths().intron.log_explicit[30])
    assert own.intron_slope == 2 * lengths().intron.tail_slope and own.exon_slope == 0.5 * lengths().exons[0].tail_slope
    assert moves.gene.tolist() == [lengths().log_gene - 1.5] * 2 and moves.stay == lengths().log_stay
    assert np.exp(moves.first).tolist() == pytest.approx([0.6, 0.05, 0.1 / 6]) and moves.last.tolist() == [0, 0, 0]
    model = GeneModel(Sensors.zero(), lengths(), weights, SHARES)
    whole = model.segments(may_begin=False, may_end=False, min_intron_bp=20)
    assert np.isinf(whole.moves.first).tolist() == np.isinf(whole.moves.last).tolist() == [False, True, True]
    assert np.isfinite(whole.lengths.introns[0]).nonzero()[0][0] == 20
    assert np.isfinite(model.segments().lengths.introns[0]).nonzero()[0][0] == 10


def test_a_shortest_intron_beyond_the_explicit_lengths_leaves_the_longer_ones() -> None:
    model = GeneModel(Sensors.zero(), lengths(), PRIOR_WEIGHTS, SHARES)
    ordinary, far = model.segments().lengths, model.segments(min_intron_bp=120).lengths
    assert ordinary.introns.shape == (4, 51) and far.introns.shape == (4, 121)
    assert np.isinf(far.introns[0, :120]).all()
    for row in range(4):
        assert far.introns[row, 120] == pytest.approx(ordinary.introns[row, 50] + 70 * ordinary.intron_slope)
    assert (far.introns[1:, :51] == ordinary.introns[1:]).all()
    codes = np.random.default_rng(5).integers(0, 4, 300).astype(np.uint8)

    def potentials(start: int, stop: int) -> np.ndarray:
        return np.zeros((stop - start, N_COLUMNS), np.float32)

    # Longer tables of the same lengths change nothing.
    same = model.segments()._replace(lengths=reaching(ordinary, 130))
    assert sum_paths(codes, potentials, same).log_sum == pytest.approx(
        sum_paths(codes, potentials, model.segments()).log_sum
    )


def test_gradients_of_the_weights_of_lengths_are_differences_of_the_log_sum() -> None:
    rng = np.random.default_rng(3)
    codes = rng.integers(0, 4, 400).astype(np.uint8)
    scores = rng.normal(scale=0.5, size=(400, N_COLUMNS)).astype(np.float32)
    tables, weights = LengthTables.of(lengths()), PRIOR_WEIGHTS.copy()
    weights[GENE] = 14.0

    def log_sum(weights: np.ndarray) -> float:
        return sum_paths(codes, lambda a, b: scores[a:b], segment_model(tables, lengths(), SHARES, weights)).log_sum

    expected = sum_paths(codes, lambda a, b: scores[a:b], segment_model(tables, lengths(), SHARES, weights)).expected
    gradient = length_weight_gradient(tables, expected)
    assert expected.gene.sum() > 1 and expected.excess.min() > 0
    for index, value in zip((EXON_LENGTHS, INTRON_LENGTHS, GENE), gradient, strict=True):
        step = np.zeros(len(WEIGHT_NAMES))
        step[index] = 1e-5
        assert value == pytest.approx((log_sum(weights + step) - log_sum(weights - step)) / 2e-5, rel=1e-5)


def site(position: int, kind: int, strand: int = 0, phase: int = 0, *, is_edge: bool = False) -> Site:
    return Site(position, kind, strand, phase, is_edge)


def test_genes_and_classes_of_whole_genes() -> None:
    sites = [
        site(2, GENE_OPENS),
        site(6, INTRON_OPENS, phase=1),
        site(10, EXON_OPENS, phase=1),
        site(15, GENE_CLOSES),
        site(19, SPLIT_OPENS, 1, phase=2),  # two bases of the stop codon before the intron
        site(23, EXON_OPENS, 1, phase=2),
        site(27, INTRON_OPENS, 1, phase=0),
        site(31, SHORT_OPENS, 1, phase=2),
        site(32, SHORT_CLOSES, 1, phase=2),
        site(35, LAST_BETWEEN),
    ]
    genes = genes_of(sites)
    assert genes == [
        GeneCall(0, 2, 15, ((2, 6), (10, 15)), 0, True, True, (1, 3), 3, 0),
        GeneCall(1, 17, 32, ((17, 19), (23, 27), (31, 32)), 0, True, True, (4, 6, 8), 8, 4),
    ]
    path = "".join(str(class_) for class_ in classes_of(genes, 35))
    assert path == "88" + "0000" + "1223" + "00000" + "88" + "44" + "7665" + "4444" + "7665" + "4" + "888"
    path = "".join(str(class_) for class_ in classes_of(genes, 35, stop_in_cds=False))
    # Of the minus gene the intron between both parts of the stop codon is non-coding, too.
    assert path == "88" + "0000" + "1223" + "00888" + "88" + "88" + "8888" + "8444" + "7665" + "4" + "888"


def test_genes_and_classes_of_cut_genes() -> None:
    sites = [
        site(0, EXON_OPENS, 0, phase=2, is_edge=True),
        site(4, GENE_CLOSES),
        site(7, GENE_OPENS, 1),
        site(13, INTRON_OPENS, 1),
        site(16, LAST_INTRON, 1),
    ]
    genes = genes_of(sites)
    assert genes == [
        GeneCall(0, 0, 4, ((0, 4),), 2, False, True, (1,), 1, 0),
        GeneCall(1, 7, 16, ((7, 13),), 0, True, False, (3,), 4, 2),
    ]
    assert "".join(map(str, classes_of(genes, 16))) == "0000" + "888" + "444444" + "766"
    assert "".join(map(str, classes_of(genes, 16, stop_in_cds=False))) == "0888" + "888" + "888444" + "766"
    sites = [
        site(0, INTRON_OPENS, 0, phase=1, is_edge=True),
        site(3, EXON_OPENS, 0, phase=1),
        site(6, LAST_EXON, 0, phase=1),
    ]
    genes = genes_of(sites)
    assert genes == [GeneCall(0, 0, 6, ((3, 6),), 1, False, False, (2,), 2, 0)]
    assert "".join(map(str, classes_of(genes, 6))) == "223000"
    assert "".join(map(str, classes_of(genes, 6, stop_in_cds=False))) == "223000"  # its end is not in the sequence
    genes = [GeneCall(0, 0, 6, ((3, 6),), 0, False, True, (0,), 0, 0)]
    assert "".join(map(str, classes_of(genes, 7))) == "2230008"
    assert "".join(map(str, classes_of(genes, 7, stop_in_cds=False))) == "8888888"  # an intron and a stop codon alone
    genes = genes_of([site(0, INTRON_OPENS, 1, phase=1, is_edge=True), site(3, LAST_INTRON, 1, phase=1)])
    assert genes == [GeneCall(1, 0, 3, (), 1, False, False, (), 1, 0)]
    assert "".join(map(str, classes_of(genes, 3))) == "666"


def test_site_scores_count_at_candidates_only() -> None:
    codes = alphabet.encode("ATGGTAAGCAT")
    sites = np.arange(11 * 8, dtype=np.float32).reshape(11, 8) + 1
    kept = candidate_scores(codes, sites, 0, 11)
    assert np.flatnonzero(kept[:, 0]).tolist() == [3, 7]  # donors GT and GC
    assert np.flatnonzero(kept[:, 1]).tolist() == [7]  # acceptor AG: its G
    assert np.flatnonzero(kept[:, 2]).tolist() == [0]  # start codon ATG
    assert np.flatnonzero(kept[:, 3]).tolist() == [6]  # stop codon TAA: its last A
    assert np.flatnonzero(kept[:, 6]).tolist() == [10]  # CAT: the start codon of the minus strand begins at its T
    assert (kept[kept != 0] == sites[kept != 0]).all()
    assert (candidate_scores(codes, sites[3:9], 3, 9) == kept[3:9]).all()


def test_potentials_are_weighted_site_scores_where_sensors_are_silent() -> None:
    codes = alphabet.encode("CCATGGTAAGCATCC")
    weights = np.zeros(len(WEIGHT_NAMES))
    weights[SITES] = 1.0, 2.0, 3.0, 4.0
    model = GeneModel(Sensors.zero(), lengths(), weights, SHARES)
    sites = np.ones((11, 8), np.float32)
    rows = model.potentials(codes, sites, offset=2)(0, 11)
    assert rows.shape == (11, N_COLUMNS) and rows.dtype == np.float32
    assert rows[3, PLUS + DONOR : PLUS + DONOR + 3].tolist() == [1, 1, 1]
    assert rows[7, PLUS + ACCEPTOR : PLUS + ACCEPTOR + 3].tolist() == [2, 2, 2]
    assert rows[0, PLUS + START] == 3 and rows[10, MINUS_COLUMNS + START] == 3
    assert (model.potentials(codes, sites, offset=2)(3, 8) == rows[3:8]).all()


def test_labels_forbid_what_contradicts_them() -> None:
    added = clamp(np.array([8, 0, 1, 2, 3, MINUS, MISSING]))
    allowed = [np.flatnonzero(row == 0).tolist() for row in added]
    coding = [CODING, CODING + 1, CODING + 2, START, STOP]
    intron = [INTRON, INTRON + 1, INTRON + 2]
    assert allowed[0] == [0] and allowed[1] == [PLUS + column for column in coding]
    assert allowed[2] == [PLUS + column for column in (*intron, DONOR, DONOR + 1, DONOR + 2)]
    assert allowed[3] == [PLUS + column for column in intron]
    assert allowed[4] == [PLUS + column for column in (*intron, ACCEPTOR, ACCEPTOR + 1, ACCEPTOR + 2)]
    assert allowed[5] == [MINUS_COLUMNS + column for column in coding]
    assert allowed[6] == list(range(N_COLUMNS)) and set(np.unique(added)) == {0, FORBIDDEN}


def test_probabilities_of_classes_are_sums_of_columns() -> None:
    rows = np.zeros((3, N_COLUMNS))
    rows[0, 0], rows[0, PLUS + CODING + 1] = 0.25, 0.75
    rows[1, PLUS + INTRON], rows[1, PLUS + DONOR] = 1.0, 0.4
    rows[2, MINUS_COLUMNS + INTRON + 2], rows[2, MINUS_COLUMNS + ACCEPTOR + 2] = 0.9, 0.3
    classes = rows @ class_columns().T
    assert classes[0].tolist() == [0.75, 0, 0, 0, 0, 0, 0, 0, 0.25]
    assert classes[1] == pytest.approx([0, 0.4, 0.6, 0, 0, 0, 0, 0, 0])
    assert classes[2] == pytest.approx([0, 0, 0, 0, 0, 0, 0.6, 0.3, 0])
