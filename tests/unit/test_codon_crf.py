"""The chain trained under the grammar of codons: against all its paths, listed one by one."""

from collections import defaultdict

import numpy as np
import pytest
import torch
from torch import Tensor

from dnaspt.data.labels import label_contig, reverse_complement_labels
from dnaspt.data.simulate import SimulateConfig, simulate
from dnaspt.genome.alphabet import encode, reverse_complement
from dnaspt.genome.fasta import read_fasta
from dnaspt.genome.gff3 import read_annotation
from dnaspt.models import crf_paths
from dnaspt.models.batch import Batch
from dnaspt.models.codon_crf import allowed_states, codon_log_likelihood, keeping
from dnaspt.models.codons import gene_grammar
from dnaspt.models.crf import LinearChainCRF
from dnaspt.tasks import CDS, GENE_STATES, MISSING, NONCODING

GRAMMAR = gene_grammar(stop_in_cds=True)
SEQUENCE = "CATGTAAGC"


def make_crf(seed: int = 0) -> LinearChainCRF:
    crf = LinearChainCRF(GENE_STATES).double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in crf.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return crf


def make_batch(*rows: tuple[str, list[int]]) -> Batch:
    length = max(len(sequence) for sequence, _ in rows)
    tokens = torch.full((len(rows), length), 6)
    labels = torch.full((len(rows), length), MISSING)
    for row, (sequence, known) in enumerate(rows):
        tokens[row, : len(sequence)] = torch.from_numpy(encode(sequence.encode()).astype(np.int64))
        labels[row, : len(sequence)] = torch.tensor(known)
    return Batch(tokens, torch.tensor([len(sequence) for sequence, _ in rows]), labels)


def emissions_for(batch: Batch, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn((*batch.tokens.shape, len(GENE_STATES.names)), generator=generator, dtype=torch.float64)


def listed(crf: LinearChainCRF, emissions: Tensor, allowed: np.ndarray) -> dict[tuple[int, ...], float]:
    """The mass of every path of classes of the only window, over all paths of allowed states that it stands for."""
    classes = GRAMMAR.classes
    start, end, moves = (part.detach().numpy() for part in (crf.start, crf.end, crf.transitions))
    rows, mass = emissions[0].numpy(), defaultdict[tuple[int, ...], float](float)

    def walk(path: tuple[int, ...], score: float) -> None:
        t = len(path)
        if t == len(rows):
            mass[tuple(classes[list(path)].tolist())] += np.exp(score + end[classes[path[-1]]])
            return
        for state in np.flatnonzero(allowed[t]).tolist():
            if t and not GRAMMAR.legal[path[-1], state]:
                continue
            step = moves[classes[path[-1]], classes[state]] if t else start[classes[state]]
            walk((*path, state), score + step + rows[t, classes[state]])

    walk((), 0.0)
    return dict(mass)


def test_probabilities_are_those_of_all_paths_listed_one_by_one() -> None:
    crf, nothing = make_crf(), [MISSING] * len(SEQUENCE)
    emissions = emissions_for(make_batch((SEQUENCE, nothing)))
    mass = listed(crf, emissions, allowed_states(GRAMMAR, make_batch((SEQUENCE, nothing)))[0])
    total = sum(mass.values())
    whole_gene = (NONCODING, *[CDS] * 6, NONCODING, NONCODING)
    assert whole_gene in mass
    assert (NONCODING, NONCODING, *[CDS] * 6, NONCODING) not in mass
    for path, own in mass.items():
        found = codon_log_likelihood(crf, GRAMMAR, emissions, make_batch((SEQUENCE, list(path))))
        assert found.item() == pytest.approx(np.log(own / total))
    some = [NONCODING, *[MISSING] * 7, NONCODING]
    agreeing = sum(own for path, own in mass.items() if path[0] == path[-1] == NONCODING)
    found = codon_log_likelihood(crf, GRAMMAR, emissions, make_batch((SEQUENCE, some)))
    assert found.item() == pytest.approx(np.log(agreeing / total))


def test_posteriors_are_those_of_all_paths_listed_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    crf, batch = make_crf(), make_batch((SEQUENCE, [MISSING] * len(SEQUENCE)))
    emissions = emissions_for(batch)
    chain, rules = GRAMMAR.expand(crf.chain()), GRAMMAR.rules(batch.tokens[0].numpy().astype(np.uint8))
    # At prediction no letter lies beyond the sequence, so its ends allow less than those of a window.
    allowed = rules.expand(np.zeros((len(SEQUENCE), len(GENE_STATES.names))), 0) == 0
    allowed[0] &= np.isfinite(chain.start)
    mass = listed(crf, emissions, allowed)
    path = crf_paths.find_path(emissions[0].numpy(), chain, rules)
    assert tuple(path.tolist()) == max(mass, key=lambda own: mass[own])
    total = sum(mass.values())
    expected = [sum(own for other, own in mass.items() if other[t] == path[t]) / total for t in range(len(path))]
    for block in (1 << 20, 16):
        monkeypatch.setattr(crf_paths, "BLOCK", block)
        np.testing.assert_allclose(
            crf_paths.find_posterior(emissions[0].numpy(), chain, path, rules), expected, rtol=1e-5
        )


def test_gradients_are_right() -> None:
    crf = make_crf()
    odd = [NONCODING, *[CDS] * 4, *[NONCODING] * 4]
    batch = make_batch((SEQUENCE, [NONCODING, *[CDS] * 6, MISSING, NONCODING]), (SEQUENCE[:-2], odd[:-2]))
    emissions = emissions_for(batch).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x, *_: codon_log_likelihood(crf, GRAMMAR, x, batch), (emissions, *crf.parameters())
    )


def test_labels_that_break_the_grammar_are_scored_by_the_chain_alone() -> None:
    crf, odd, fine = make_crf(), [NONCODING, *[CDS] * 4, *[NONCODING] * 4], [NONCODING, *[CDS] * 6, *[NONCODING] * 2]
    batch = make_batch((SEQUENCE, odd), (SEQUENCE, fine), (SEQUENCE[:5], odd[:5]))
    emissions = emissions_for(batch)
    assert keeping(GRAMMAR, batch).tolist() == [False, True, True]
    found = codon_log_likelihood(crf, GRAMMAR, emissions, batch)
    torch.testing.assert_close(found[:1], crf.log_likelihood(emissions[:1], batch.labels[:1], batch.lengths[:1]))
    for row, (sequence, labels) in ((1, (SEQUENCE, fine)), (2, (SEQUENCE[:5], odd[:5]))):
        alone = make_batch((sequence, labels))
        one = codon_log_likelihood(crf, GRAMMAR, emissions[row : row + 1, : len(sequence)], alone)
        torch.testing.assert_close(found[row : row + 1], one)
    assert (found[1:] > crf.log_likelihood(emissions, batch.labels, batch.lengths)[1:]).all()


@pytest.mark.parametrize("stop_in_cds", [True, False])
def test_true_genes_keep_to_it_wherever_a_window_is_cut(
    tmp_path_factory: pytest.TempPathFactory, stop_in_cds: bool
) -> None:
    out = tmp_path_factory.mktemp("codons") / "genome"
    simulate(SimulateConfig(out=out, n_contigs=1, contig_bp=30_000, seed=3))
    (contig,) = read_fasta(out / "genome.fa")
    genes = [one.transcript for one in read_annotation(out / "annotation.gff3").transcripts]
    labels, _ = label_contig(genes, contig.codes)
    if not stop_in_cds:
        for gene in genes:
            stop = slice(gene.end - 3, gene.end) if gene.strand == "+" else slice(gene.start, gene.start + 3)
            labels[stop] = np.where(labels[stop] == MISSING, MISSING, NONCODING)
    grammar, width = gene_grammar(stop_in_cds=stop_in_cds), 301
    for codes, classes in (
        (contig.codes & 7, labels),
        (reverse_complement(contig.codes & 7), reverse_complement_labels(labels)),
    ):
        starts = range(0, len(codes) - width, 37)
        tokens, known = (np.stack([row[at : at + width] for at in starts]).astype(np.int64) for row in (codes, classes))
        lengths = torch.full((len(starts),), width)
        assert keeping(grammar, Batch(torch.from_numpy(tokens), lengths, torch.from_numpy(known))).all()
