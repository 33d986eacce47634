"""The grammar of codons: true genes pass it, and nothing but genes with codons comes out of it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from dnaspt.evaluation.gene_faults import structure_report
from dnaspt.genome.alphabet import N, encode, reverse_complement
from dnaspt.genome.fasta import read_fasta
from dnaspt.genome.gene_states import (
    CDS,
    DONOR,
    GENE_STATES,
    INTRON,
    MISSING,
    NONCODING,
    label_contig,
    reverse_complement_labels,
    transcript_labels,
    transcripts_from_labels,
)
from dnaspt.genome.gff3 import read_annotation
from dnaspt.genome.transcripts import Transcript
from dnaspt.models.codons import Grammar, gene_grammar, sequence_flags
from dnaspt.models.crf import LinearChainCRF
from dnaspt.models.kernels import crf_viterbi
from dnaspt.models.kernels.crf_chain import Chain
from dnaspt.models.kernels.crf_chain import make_chain as make_kernel_chain
from dnaspt.models.kernels.crf_viterbi import SLICE, Rules, best_path, best_states
from dnaspt.simulation.simulate import SimulateConfig, simulate


def make_chain(seed: int = 0, scale: float = 0.0) -> Chain:
    crf = LinearChainCRF(GENE_STATES)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in crf.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * scale)
    return crf.chain()


def decode(emissions: np.ndarray, codes: np.ndarray, chain: Chain, *, stop_in_cds: bool = True) -> np.ndarray:
    grammar = gene_grammar(stop_in_cds=stop_in_cds)
    return best_path(emissions, grammar.expand(chain), grammar.rules(codes))[0]


def emissions_of(labels: np.ndarray, certainty: float, seed: int = 0) -> np.ndarray:
    """Noise (L, K) that favors the labels."""
    emissions = np.random.default_rng(seed).standard_normal((len(labels), len(GENE_STATES.names))).astype(np.float32)
    known = np.flatnonzero(labels != MISSING)
    emissions[known, labels[known]] += certainty
    return emissions


@pytest.fixture(scope="module")
def contig(tmp_path_factory: pytest.TempPathFactory) -> tuple[np.ndarray, list[Transcript]]:
    """A simulated contig and its genes."""
    out = tmp_path_factory.mktemp("codons") / "genome"
    simulate(SimulateConfig(out=out, n_contigs=1, contig_bp=60_000, seed=3))
    (found,) = read_fasta(out / "genome.fa")
    return found.codes, [one.transcript for one in read_annotation(out / "annotation.gff3").transcripts]


@pytest.mark.parametrize("stop_in_cds", [True, False])
def test_true_genes_of_both_strands_pass(contig: tuple[np.ndarray, list[Transcript]], stop_in_cds: bool) -> None:
    codes, genes = contig
    labels, _ = label_contig(genes, codes)
    if not stop_in_cds:
        for gene in genes:
            stop = slice(gene.end - 3, gene.end) if gene.strand == "+" else slice(gene.start, gene.start + 3)
            labels[stop] = np.where(labels[stop] == MISSING, MISSING, NONCODING)
    assert {CDS, CDS + 4} <= set(labels.tolist())
    path = decode(emissions_of(labels, 50.0), codes, make_chain(), stop_in_cds=stop_in_cds)
    np.testing.assert_array_equal(path[labels != MISSING], labels[labels != MISSING])


def test_a_sequence_of_more_than_a_slice_is_decoded_the_same(contig: tuple[np.ndarray, list[Transcript]]) -> None:
    codes, genes = contig
    labels, _ = label_contig(genes, codes)
    n = SLICE // len(codes) + 2
    long = np.tile(labels, n)
    path = decode(np.tile(emissions_of(labels, 50.0), (n, 1)), np.tile(codes, n), make_chain())
    np.testing.assert_array_equal(path[long != MISSING], long[long != MISSING])


@pytest.mark.parametrize("strand", ["+", "-"])
def test_start_and_stop_codons_may_stand_beside_introns(strand: str) -> None:
    exons, intron = ("ATG", "GCAGCA", "TAA"), "GT" + "CC" * 5 + "AG"
    letters = "C" * 30 + intron.join(exons) + "C" * 30
    codes, labels = encode(letters.encode()), np.full(len(letters), NONCODING, np.int8)
    cds = tuple((30 + at, 30 + at + len(exon)) for exon, at in zip(exons, (0, 17, 37), strict=True))
    gene = Transcript("chr1", "+", "g", "t", cds)
    labels[30 : cds[-1][1]] = transcript_labels(gene)
    if strand == "-":
        codes, labels = reverse_complement(codes), reverse_complement_labels(labels)
    np.testing.assert_array_equal(decode(emissions_of(labels, 20.0), codes, make_chain()), labels)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("stop_in_cds", [True, False])
def test_whatever_the_scores_whole_genes_have_codons(seed: int, stop_in_cds: bool) -> None:
    generator = np.random.default_rng(seed)
    codes = generator.integers(0, 4, 6000).astype(np.uint8)
    emissions = (generator.standard_normal((6000, 9)) * 3).astype(np.float32)
    emissions[:, NONCODING] += 1
    path = decode(emissions, codes, make_chain(seed, 0.2), stop_in_cds=stop_in_cds)
    legal = GENE_STATES.legal_matrix()
    assert legal[path[:-1], path[1:]].all()
    inside = [t for t in transcripts_from_labels(path, "chr1") if t.start > 0 and t.end < len(codes)]
    whole = [t for t in inside if path[t.start - 1] == path[t.end] == NONCODING]
    assert whole
    faults = structure_report(whole, {"chr1": codes}, stop_in_cds=stop_in_cds).to_dict()["faults"]
    # Stop codons that arise across an intron are beyond the grammar.
    assert [count for name, count in faults.items() if "stop codon in frame" not in name] == [0] * (len(faults) - 1)
    single = [t for t in whole if len(t.cds) == 1]
    faults = structure_report(single, {"chr1": codes}, stop_in_cds=stop_in_cds).to_dict()["faults"]
    assert sum(faults.values()) == 0


def test_the_reverse_complement_has_the_reverse_complements_genes() -> None:
    generator = np.random.default_rng(1)
    codes = generator.integers(0, 4, 3000).astype(np.uint8)
    emissions = (generator.standard_normal((3000, 9)) * 3).astype(np.float32)
    path = decode(emissions, codes, make_chain())
    turned = emissions[::-1][:, list(GENE_STATES.complement)].copy()
    back = decode(turned, reverse_complement(codes), make_chain())
    np.testing.assert_array_equal(reverse_complement_labels(back[None])[0], path)


def counting_up(grammar: Grammar, chain: Chain) -> tuple[Chain, Rules, np.ndarray]:
    """The grammar with a state for each base of the shortest intron: slow, but plain. And the state that each stands for."""
    of = np.repeat(
        np.arange(len(grammar.classes)), grammar.least
    )  # the last of a state's copies is the one that may be left
    last = np.cumsum(grammar.least) - 1
    legal, moves = np.zeros((len(of), len(of)), bool), np.zeros((len(of), len(of)))
    for source, to in zip(*np.nonzero(grammar.legal), strict=True):
        begin = last[to] if source == to else last[to] - grammar.least[to] + 1
        legal[last[source], begin], moves[last[source], begin] = True, chain.transitions[source, to]
    for state in np.flatnonzero(grammar.least > 1):
        for copy in range(last[state] - grammar.least[state] + 1, last[state]):
            legal[copy, copy + 1], moves[copy, copy + 1] = True, chain.transitions[state, state]
    start = np.where(np.isin(np.arange(len(of)), last), chain.start[of], -np.inf)
    one = np.ones(len(of), np.int64)
    rules = Rules(of, grammar.needed[of], grammar.forbidden[of], one, lambda start, stop: np.zeros(0, np.uint16))
    return make_kernel_chain(legal, (start, chain.end[of], moves), mixing=0), rules, of


@pytest.mark.parametrize("size", [61, SLICE])
@pytest.mark.parametrize("complete", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_introns_have_their_least_length_on_the_best_path_there_is(
    seed: int, complete: bool, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = np.random.default_rng(seed)
    codes = generator.integers(0, 4, 1500).astype(np.uint8)
    emissions = generator.standard_normal((1500, 9)) * 3
    emissions[:, NONCODING] -= 2
    chain = make_chain(seed, 0.5)
    lengths = {}
    for min_intron_bp in (3, 12):
        grammar = gene_grammar(stop_in_cds=True, complete=complete, min_intron_bp=min_intron_bp)
        own = grammar.expand(chain)
        monkeypatch.setattr(crf_viterbi, "SLICE", size)
        path, score = best_states(emissions, own, grammar.rules(codes))
        monkeypatch.setattr(crf_viterbi, "SLICE", SLICE)
        slow, rules, of = counting_up(grammar, own)
        rules = replace(rules, flags=grammar.rules(codes).flags)
        truth, true_score = best_states(np.take(emissions, grammar.classes, axis=1), slow, rules)
        assert score == pytest.approx(true_score, abs=1e-8)
        np.testing.assert_array_equal(path, of[truth])
        genes = transcripts_from_labels(grammar.classes[path].astype(np.int8), "chr1")
        lengths[min_intron_bp] = [end - start for gene in genes for start, end in gene.introns]
    assert min(lengths[3]) < 10
    assert min(lengths[12]) >= 12 and len(lengths[12]) > 3


def test_an_intron_at_the_end_of_a_sequence_may_be_seen_in_part() -> None:
    letters = "ATG" + "GCA" * 5 + "GTAAG"
    labels = np.array([CDS] * 18 + [DONOR] + [INTRON] * 4, np.int8)
    codes = encode(letters.encode())
    for own, truth in ((codes, labels), (reverse_complement(codes), reverse_complement_labels(labels))):
        grammar = gene_grammar(stop_in_cds=True, min_intron_bp=60)
        emissions = emissions_of(truth, 20.0)
        path, _ = best_path(emissions, grammar.expand(make_chain()), grammar.rules(own))
        np.testing.assert_array_equal(path, truth)


def test_a_strong_hint_without_a_start_codon_is_moved_to_one() -> None:
    letters = "CC" * 10 + "ATG" + "GCA" * 20 + "TAA" + "CC" * 10
    codes = encode(letters.encode())
    labels = np.full(len(codes), NONCODING, np.int8)
    labels[24:82] = CDS  # begins four bases late, ends four early
    (gene,) = transcripts_from_labels(decode(emissions_of(labels, 5.0), codes, make_chain()), "chr1")
    assert gene.cds == ((20, 86),)


@pytest.mark.parametrize("stop_in_cds", [True, False])
def test_complete_genes_lie_within_the_sequence(stop_in_cds: bool) -> None:
    generator = np.random.default_rng(2)
    codes = generator.integers(0, 4, 6000).astype(np.uint8)
    emissions = (generator.standard_normal((6000, 9)) * 3).astype(np.float32)
    paths = []
    for complete in (False, True):
        grammar = gene_grammar(stop_in_cds=stop_in_cds, complete=complete)
        paths.append(best_path(emissions, grammar.expand(make_chain()), grammar.rules(codes))[0])
    assert paths[0][0] != NONCODING
    found = transcripts_from_labels(paths[1], "chr1")
    assert len(found) > 10
    faults = structure_report(found, {"chr1": codes}, stop_in_cds=stop_in_cds).to_dict()["faults"]
    assert sum(count for name, count in faults.items() if "stop codon in frame" not in name) == 0


def test_a_gene_may_fill_a_sequence_and_still_be_complete() -> None:
    codes = encode(("ATG" + "GCA" * 20 + "TAA").encode())
    grammar = gene_grammar(stop_in_cds=True, complete=True)
    emissions = emissions_of(np.full(len(codes), CDS, np.int8), 20.0)
    assert (best_path(emissions, grammar.expand(make_chain()), grammar.rules(codes))[0] == CDS).all()


def test_flags_of_a_stretch_see_the_letters_around_it() -> None:
    codes = np.random.default_rng(0).integers(0, 5, 500).astype(np.uint8)
    flags, rules = sequence_flags(codes), gene_grammar(stop_in_cds=True).rules(codes)
    np.testing.assert_array_equal(rules.flags(100, 200), flags[100:200])
    np.testing.assert_array_equal(rules.flags(0, 500), flags)
    np.testing.assert_array_equal(gene_grammar(stop_in_cds=True).rules(codes, 60).flags(40, 140), flags[100:200])
    assert not sequence_flags(np.full(10, N, np.uint8)).any()
    assert len(sequence_flags(codes[:1])) == 1
