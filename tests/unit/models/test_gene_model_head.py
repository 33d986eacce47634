"""The head of gene models: what was estimated lies in its buffers, and planted genes are decoded on both strands."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from dnaspt.errors import ConfigError, NotFiniteError
from dnaspt.genome import alphabet
from dnaspt.genome.gene_states import reverse_complement_labels
from dnaspt.genome.genetic_code import genetic_code
from dnaspt.models.decoding import DecodingContext
from dnaspt.models.emission_potentials import column_potentials, limited_scores
from dnaspt.models.gene_model import PRIOR_WEIGHTS, GeneCall, GeneModel, Shares, class_columns
from dnaspt.models.gene_model_head import RULES, GeneModelHead, states_of
from dnaspt.models.gene_structure import N_COLUMNS
from dnaspt.models.kernels.semi_markov import sum_paths
from dnaspt.models.length_densities import GeneLengths, GeneParts
from dnaspt.models.sensors import Sensors
from dnaspt.models.site_scores import SiteProbe

N_OFFSETS, HIDDEN = 3, 5


@cache
def model() -> GeneModel:
    """Silent sensors, and lengths of a few genes."""
    sizes = {
        "intron": [40, 80, 90, 100, 400],
        "single": [900, 300],
        "initial": [60, 100],
        "internal": [100, 120],
        "terminal": [50, 90],
    }
    parts = GeneParts(
        {kind: np.array(values) for kind, values in sizes.items()},
        {kind: np.ones(len(values)) for kind, values in sizes.items()},
        2.0,
        3.0,
    )
    lengths = GeneLengths.fit(parts, intergenic_bp=5_000)
    return GeneModel(Sensors.zero(), lengths, PRIOR_WEIGHTS * 0.9, Shares(0.6, 0.3, 0.1))


def head() -> GeneModelHead:
    head = GeneModelHead(HIDDEN, N_OFFSETS)
    probe = SiteProbe(HIDDEN, N_OFFSETS)
    probe.weight.normal_(generator=torch.Generator().manual_seed(0))
    probe.offsets[:] = torch.arange(N_OFFSETS) - 4
    head.take(model(), probe)
    return head


def test_what_was_estimated_lies_in_the_checkpoint(tmp_path: Path) -> None:
    first, file = head(), tmp_path / "head.safetensors"
    save_file(first.state_dict(), file)
    second = GeneModelHead(HIDDEN, N_OFFSETS)
    assert second.model().lengths.intron.tail_slope == 0  # made before the weights are loaded, and forgotten then
    second.load_state_dict(load_file(file))
    for name, value in first.state_dict().items():
        assert torch.equal(second.state_dict()[name], value)
    again = second.model()
    assert again is second.model()
    assert (again.weights == model().weights).all() and again.shares == model().shares
    for density, own in zip(
        (again.lengths.intron, *again.lengths.exons), (model().lengths.intron, *model().lengths.exons), strict=True
    ):
        assert (density.log_explicit == own.log_explicit).all()
        assert density.tail_start == own.tail_start and density.tail_slope == own.tail_slope
    shares = ("log_single", "log_multi", "log_internal", "log_terminal", "log_gene", "log_stay")
    assert [getattr(again.lengths, name) for name in shares] == [getattr(model().lengths, name) for name in shares]
    for name, array in model().sensors.arrays().items():
        assert (again.sensors.arrays()[name] == array).all()
    assert second.flank_bp == 4 and torch.equal(second.trunk.weight, first.trunk.weight)


def test_a_gene_model_is_not_trained_and_has_no_probabilities_of_bases() -> None:
    with pytest.raises(ConfigError, match="not trained"):
        head().loss(torch.zeros(1, 4, 8), None)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="genes and exons"):
        head().probabilities(torch.zeros(1, 4, 8), torch.tensor([4]))


START, STOP, INTRON, MINUS = 3, 6, 9, 12
"""States of a strand behind its first one (1), and the first one of the minus strand."""


def states(gene: GeneCall, n: int) -> list[int]:
    return states_of([gene], n).tolist()


def test_states_of_a_whole_gene() -> None:
    gene = GeneCall(0, 1, 16, ((1, 5), (8, 16)), 0, True, True, (), 0, 0)  # ATG C, an intron of phase 1, CC AAA TAA
    start, stop, intron = 1 + START, 1 + STOP, 1 + INTRON
    assert states(gene, 17) == [
        0,
        *(start, start + 1, start + 2, 1),
        *[intron + 1] * 3,
        *(2, 3, 1, 2, 3, stop, stop + 1, stop + 2),
        0,
    ]


def test_states_of_the_minus_strand_count_codon_bases_from_the_right() -> None:
    gene = GeneCall(1, 1, 13, ((1, 6), (9, 13)), 0, True, True, (), 0, 0)
    first = 1 + MINUS
    stop, start, intron = first + STOP, first + START, first + INTRON
    assert states(gene, 14) == [
        0,
        *(stop + 2, stop + 1, stop, first + 2, first + 1),
        *[intron + 1] * 3,  # one base of the split codon stands before the intron in the direction of transcription
        *(first, start + 2, start + 1, start),
        0,
    ]


def test_states_of_cut_genes() -> None:
    gene = GeneCall(0, 0, 9, ((0, 4), (7, 9)), 2, False, False, (), 0, 0)  # two bases of the first codon lie before
    assert states(gene, 9) == [3, 1, 2, 3, 10, 10, 10, 1, 2]
    gene = GeneCall(0, 0, 8, ((3, 5),), 1, False, False, (), 0, 0)  # an intron, an exon, an intron
    assert states(gene, 8) == [11, 11, 11, 2, 3, 10, 10, 10]
    gene = GeneCall(1, 0, 4, (), 1, False, False, (), 0, 0)  # an intron alone
    assert states(gene, 5) == [MINUS + 1 + INTRON + 2] * 4 + [0]


def test_states_mean_what_the_rules_say() -> None:
    assert len(RULES.codon_bases) == len(RULES.starts) == len(RULES.stops) == 25
    assert RULES.codon_bases.tolist() == [-1, *[0, 1, 2] * 8]
    assert np.flatnonzero(RULES.starts).tolist() == [4, 5, 6, 16, 17, 18]
    assert np.flatnonzero(RULES.stops).tolist() == [7, 8, 9, 19, 20, 21]


def planted() -> tuple[np.ndarray, np.ndarray, str]:
    """A gene with an intron that splits a codon: codes, site scores (L, 8), and classes."""
    rng = np.random.default_rng(1)
    between = ["".join(rng.choice(list("ACT"), 150)).replace("ATG", "ACC") for _ in range(2)]
    exons = ["ATG" + "CTC" * 20 + "C", "TC" + "CAC" * 25 + "TGA"]
    intron = "GT" + "ACTTC" * 16 + "AG"
    letters = between[0] + exons[0] + intron + exons[1] + between[1]
    classes = "8" * 150 + "0" * 64 + "1" + "2" * 82 + "3" + "0" * 80 + "8" * 150
    scores = np.full((len(letters), 8), -20, np.float32)
    scores[214, 0] = scores[297, 1] = scores[150, 2] = scores[377, 3] = 20
    return alphabet.encode(letters), scores, classes


def test_a_planted_gene_is_decoded() -> None:
    codes, scores, classes = planted()
    decoded = head().decode(scores, DecodingContext(codes))
    assert "".join(map(str, decoded.path)) == classes and decoded.path.dtype == np.int8
    assert decoded.posterior.dtype == np.float32 and (decoded.posterior >= 0).all() and (decoded.posterior <= 1).all()
    assert decoded.posterior.min() > 0.5
    assert decoded.states[147:156].tolist() == [0, 0, 0, 4, 5, 6, 1, 2, 3]
    assert decoded.states[214:216].tolist() == [11, 11] and decoded.states[375:379].tolist() == [7, 8, 9, 0]
    quiet = head().decode(scores, DecodingContext(codes), with_posterior=False)
    assert (quiet.path == decoded.path).all() and quiet.posterior.size == 0


def test_posteriors_of_bases_are_those_of_their_classes() -> None:
    codes, scores, _ = planted()
    decoded = head().decode(0.9 * scores, DecodingContext(codes))
    rows = np.zeros((len(codes), N_COLUMNS))

    def keep(first: int, columns: np.ndarray) -> None:
        rows[first : first + len(columns)] = columns

    potentials = head().model().potentials(codes, 0.9 * scores)
    sum_paths(np.asarray(alphabet.tokens(codes)), potentials, model().segments(), marginals=keep)
    expected = (rows @ class_columns().T)[np.arange(len(codes)), decoded.path]
    assert len(set(decoded.path.tolist())) > 2
    np.testing.assert_allclose(decoded.posterior, expected, rtol=1e-6)


def test_stop_codons_are_non_coding_where_the_labels_have_them_so() -> None:
    codes, scores, classes = planted()
    outside = head()
    outside.stop_in_cds = False
    inside, decoded = (own.decode(scores, DecodingContext(codes)) for own in (head(), outside))
    assert "".join(map(str, inside.path)) == classes
    assert "".join(map(str, decoded.path)) == classes[:375] + "888" + classes[378:]
    assert (decoded.states == inside.states).all() and (decoded.posterior == inside.posterior).all()
    assert decoded.genes == inside.genes
    assert (RULES.classes[decoded.states] % 4 == np.where(inside.path % 4 % 2, 2, inside.path % 4)).all()
    asked = outside.decode(scores, DecodingContext(codes, grammar=RULES))  # what is asked for goes before
    assert (asked.path == inside.path).all()


@pytest.mark.parametrize("before", [0, 1, 2])  # bases of the stop codon before the intron
def test_an_intron_that_splits_the_stop_codon_is_non_coding_with_it(before: int) -> None:
    rng = np.random.default_rng(1)
    between = ["".join(rng.choice(list("ACT"), 150)).replace("ATG", "ACC") for _ in range(2)]
    exon, stop, intron = "ATG" + "CTC" * 40, "TGA", "GT" + "ACTTC" * 16 + "AG"
    letters = between[0] + exon + stop[:before] + intron + stop[before:] + between[1]
    codes, scores = alphabet.encode(letters), np.full((len(letters), 8), -20, np.float32)
    donor = 150 + len(exon) + before
    acceptor = donor + len(intron) - 1
    end = acceptor + 1 + 3 - before
    scores[donor, 0] = scores[acceptor, 1] = scores[150, 2] = scores[end - 1, 3] = 40
    whole = "8" * 150 + "0" * (donor - 150) + "1" + "2" * 82 + "3" + "0" * (end - acceptor - 1) + "8" * 150
    without = "8" * 150 + "0" * len(exon) + "8" * (len(letters) - 150 - len(exon))
    for rules, expected in ((RULES, whole), (RULES._replace(stop_in_cds=False), without)):
        decoded = head().decode(scores, DecodingContext(codes, grammar=rules))
        assert "".join(map(str, decoded.path)) == expected
        turned = head().decode(
            scores[::-1, list(GeneModelHead.emission_complement)],
            DecodingContext(alphabet.reverse_complement(codes), grammar=rules),
        )
        assert reverse_complement_labels(turned.path).tolist() == decoded.path.tolist()


def test_the_reverse_complement_has_the_mirrored_genes() -> None:
    codes, scores, classes = planted()
    whole = RULES._replace(complete=True)  # the model's ends of a sequence are not those of its mirror image
    one = head().decode(scores, DecodingContext(codes, grammar=whole))
    assert "".join(map(str, one.path)) == classes
    turned = head().decode(
        scores[::-1, list(GeneModelHead.emission_complement)],
        DecodingContext(alphabet.reverse_complement(codes), grammar=whole),
    )
    mirrored = turned.path[::-1]
    assert np.where(mirrored == 8, 8, mirrored - 4).tolist() == one.path.tolist()
    assert turned.posterior[::-1] == pytest.approx(one.posterior, abs=1e-5)
    states = turned.states[::-1]
    assert np.where(states == 0, 0, states - MINUS).tolist() == one.states.tolist()


def test_a_part_of_a_contig_is_read_with_the_letters_around_it() -> None:
    codes, scores, classes = planted()
    decoded = head().decode(scores[100:], DecodingContext(codes, first=100))
    assert "".join(map(str, decoded.path)) == classes[100:]
    whole = RULES._replace(complete=True)
    cut = head().decode(scores[:250], DecodingContext(codes, grammar=whole))  # the sequence ends in the intron
    assert set(cut.path.tolist()) == {8}
    assert 2 in head().decode(scores[:250], DecodingContext(codes)).path
    for min_intron_bp, is_possible in ((84, True), (85, False)):
        rules = whole._replace(min_intron_bp=min_intron_bp)
        assert (2 in head().decode(scores, DecodingContext(codes, grammar=rules)).path) == is_possible


def test_another_genetic_code_has_other_stop_codons() -> None:
    codes, scores, classes = planted()
    ciliate = GeneModelHead(HIDDEN, N_OFFSETS, genetic_code(10))  # TGA codes for cysteine
    ciliate.take(model(), SiteProbe(HIDDEN, N_OFFSETS))
    assert "".join(map(str, ciliate.decode(scores, DecodingContext(codes)).path)) != classes


def with_network(weight: float) -> GeneModelHead:
    """The same head with a network's class scores behind its site scores."""
    own = GeneModelHead(HIDDEN, N_OFFSETS, has_network=True)
    own.take(replace(model(), network_weight=weight, network_gene=-2.0), head().trunk)
    return own


def test_a_network_counts_by_its_weight() -> None:
    codes, sites, classes = planted()
    path = np.array([int(class_) for class_ in classes])
    others = np.full((len(codes), 9), -3, np.float32)
    others[np.arange(len(codes)), 8] = 0  # no gene anywhere
    silent = np.full_like(sites, -20)
    truth = np.full((len(codes), 9), -3, np.float32)
    truth[np.arange(len(codes)), path] = 5
    context = DecodingContext(codes, grammar=RULES._replace(complete=True))

    def decoded(weight: float, *scores: np.ndarray) -> list[int]:
        return with_network(weight).decode(np.concatenate(scores, axis=1), context).path.tolist()

    assert decoded(0, sites, others) == head().decode(sites, context).path.tolist() == path.tolist()
    assert decoded(1, sites, others) == [8] * len(codes)  # 224 coding bases and introns, 3 nats each
    assert decoded(0, silent, truth) == [8] * len(codes)
    assert decoded(1, silent, truth) == path.tolist()
    extreme = others.copy()
    extreme[200] = [1e6, *[0] * 8]  # a single base that is sure of a coding base does not decide
    assert decoded(1, silent, extreme) == [8] * len(codes)


def test_potentials_of_a_network_are_stored_with_the_head_and_mirror_with_the_sequence(tmp_path: Path) -> None:
    codes, sites, _ = planted()
    first, file = with_network(0.35), tmp_path / "head.safetensors"
    save_file(first.state_dict(), file)
    second = GeneModelHead(HIDDEN, N_OFFSETS, has_network=True)
    second.load_state_dict(load_file(file))
    scores = np.random.default_rng(3).standard_normal((len(codes), 9)).astype(np.float32)
    emissions = np.concatenate([sites, scores], axis=1)
    rows, again = (own.model().potentials(codes, emissions)(0, len(codes)) for own in (first, second))
    assert second.model().network_weight == 0.35 and (rows == again).all()
    gene, plain = (own.segments().moves.gene for own in (second.model(), model()))
    assert np.allclose(gene, plain - 0.7)  # 0.35 times -2
    without = head().model().potentials(codes, sites)(0, len(codes))
    assert np.allclose(rows - without, 0.35 * column_potentials(limited_scores(scores)), atol=1e-4)
    assert not set(head().state_dict()) - set(first.state_dict())
    with pytest.raises(RuntimeError, match="network_weight"):
        head().load_state_dict(first.state_dict())
    turned = emissions[::-1, list(first.emission_complement)]
    context = DecodingContext(codes, grammar=RULES._replace(complete=True))
    backward = context._replace(codes=alphabet.reverse_complement(codes))
    path = first.decode(emissions, context).path
    assert reverse_complement_labels(first.decode(turned, backward).path).tolist() == path.tolist()


def test_class_scores_that_are_nan_are_refused() -> None:
    codes, sites, _ = planted()
    emissions = np.concatenate([sites, np.full((len(codes), 9), np.nan, np.float32)], axis=1)
    with pytest.raises(NotFiniteError, match="class scores of the network that are NaN"):
        with_network(1).decode(emissions, DecodingContext(codes))
