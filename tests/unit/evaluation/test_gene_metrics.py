import json
import time
from dataclasses import replace

import numpy as np
import pytest

from dnaspt.evaluation.gene_metrics import LEVELS, GeneScores, ScoredRegion, rates, score_genes
from dnaspt.genome.gene_states import MISSING
from dnaspt.genome.transcripts import Transcript

Exons = tuple[tuple[int, int], ...]


def transcript(cds: Exons, name: str = "a", strand: str = "+", chrom: str = "c", gene: str = "") -> Transcript:
    return Transcript(chrom, strand, gene or name, name, cds)


def region(length: int = 1000, chrom: str = "c", start: int = 0, n_blocks: int = 1) -> ScoredRegion:
    cuts = np.linspace(0, length, n_blocks + 1).astype(np.int64)
    return ScoredRegion(chrom, start, np.full(length, 8, dtype=np.int8), cuts)


def score(truth: list[Transcript], predicted: list[Transcript], *regions: ScoredRegion) -> GeneScores:
    return score_genes([(gene, True) for gene in truth], predicted, regions or [region()], n=20)


def counts(found: GeneScores, level: str) -> tuple[int, int, int, int]:
    at = found.levels[level]
    return at.n_found, at.n_true, at.n_right, at.n_predicted


TWO_EXONS = ((100, 130), (200, 290))
THREE_EXONS = ((400, 430), (500, 530), (600, 690))


def test_a_perfect_prediction_scores_1_at_every_level() -> None:
    genes = [transcript(TWO_EXONS), transcript(THREE_EXONS, "b", "-")]
    found = score(genes, genes)
    for level in LEVELS:
        at = found.levels[level]
        assert (at.sensitivity.value, at.precision.value, at.f1.value, at.f1.low) == (1, 1, 1, 1), level
    assert counts(found, "base") == (270, 270, 270, 270)
    assert counts(found, "splice_site") == (6, 6, 6, 6)
    assert counts(found, "exon") == (5, 5, 5, 5)
    assert counts(found, "intron_chain") == (2, 2, 2, 2)
    assert found.ignored == {}


def test_one_shifted_acceptor_costs_one_site_one_exon_and_the_gene() -> None:
    found = score([transcript(TWO_EXONS)], [transcript(((100, 130), (203, 290)), "p")])
    assert counts(found, "base") == (117, 120, 117, 117)
    assert counts(found, "splice_site") == (1, 2, 1, 2)
    assert counts(found, "exon") == (1, 2, 1, 2)
    assert counts(found, "intron_chain") == (0, 1, 0, 1)
    assert counts(found, "transcript") == (0, 1, 0, 1)
    assert counts(found, "gene") == (0, 1, 0, 1)
    assert found.levels["exon"].f1.value == 0.5
    assert found.levels["gene"].f1.value == 0


def test_the_wrong_strand_is_wrong_at_every_level() -> None:
    found = score([transcript(TWO_EXONS)], [transcript(TWO_EXONS, strand="-")])
    assert all(counts(found, level)[0] == counts(found, level)[2] == 0 for level in LEVELS)


def test_a_donor_is_no_acceptor() -> None:
    found = score([transcript(((0, 10), (20, 30)))], [transcript(((0, 10), (11, 15), (20, 30)), "p")])
    assert counts(found, "splice_site") == (2, 2, 2, 4)
    found = score([transcript(((0, 10), (20, 30)))], [transcript(((2, 5), (11, 30)), "p")])
    assert counts(found, "splice_site") == (0, 2, 0, 2)


def test_single_exon_genes_have_no_intron_chain() -> None:
    gene = transcript(((10, 40),))
    found = score([gene], [gene])
    assert counts(found, "intron_chain") == (0, 0, 0, 0)
    assert np.isnan(found.levels["intron_chain"].f1.value)
    assert counts(found, "transcript") == (1, 1, 1, 1)


def test_a_gene_is_right_when_any_isoform_is_exact_but_transcripts_are_those_of_the_longest() -> None:
    longest, shorter = transcript(TWO_EXONS, "a.1", gene="a"), transcript(((100, 130), (206, 290)), "a.2", gene="a")
    found = score_genes([(longest, True), (shorter, False)], [replace(shorter, gene_id="p")], [region()], n=20)
    assert counts(found, "gene") == (1, 1, 1, 1)
    assert counts(found, "transcript") == (0, 1, 0, 1)
    assert counts(found, "base") == (114, 120, 114, 114)


def test_predicted_isoforms_are_one_gene_and_the_longest_counts_below_it() -> None:
    gene = transcript(TWO_EXONS)
    isoforms = [transcript(TWO_EXONS, "p.1", gene="p"), transcript(((100, 130), (200, 320)), "p.2", gene="p")]
    found = score([gene], isoforms)
    assert counts(found, "gene") == (1, 1, 1, 1)
    assert counts(found, "exon") == (1, 2, 1, 2)


def test_genes_off_the_regions_are_ignored_and_those_on_missing_labels_count_by_their_known_bases() -> None:
    scored = region(500, start=100)
    scored.labels[205:210] = MISSING
    inside, missing, outside = (transcript(((at, at + 30),), f"g{at}") for at in (120, 300, 590))
    found = score([inside, missing, outside], [inside, missing, outside, replace(inside, chrom="d")], scored)
    assert counts(found, "gene") == (1, 1, 1, 1)
    assert all(counts(found, level)[1] == counts(found, level)[3] == 1 for level in ("exon", "transcript", "gene"))
    assert counts(found, "base") == (55, 55, 55, 55)  # 30 of one gene, 25 of the one with 5 missing bases
    assert found.ignored == {
        "annotated gene on missing labels": 1,
        "annotated gene not wholly on a segment": 1,
        "predicted gene on missing labels": 1,
        "predicted gene not wholly on a segment": 2,
    }


def test_a_predicted_gene_with_one_missing_base_is_right_or_wrong_at_its_other_bases() -> None:
    scored = region()
    scored.labels[150] = MISSING
    found = score([transcript(((400, 430),))], [transcript(((140, 170),), "p"), transcript(((415, 430),), "q")], scored)
    assert counts(found, "base") == (15, 30, 15, 29 + 15)
    assert counts(found, "exon") == (0, 1, 0, 1)


def test_a_missing_label_in_an_intron_does_not_matter() -> None:
    scored = region()
    scored.labels[150] = MISSING
    gene = transcript(TWO_EXONS)
    assert counts(score([gene], [gene], scored), "gene") == (1, 1, 1, 1)


def test_overlapping_regions_are_refused() -> None:
    with pytest.raises(ValueError, match="overlap at c:900"):
        score([], [], region(), region(start=900))


def test_counts_of_blocks_lie_where_the_features_are_and_add_up() -> None:
    genes = [transcript(TWO_EXONS), transcript(THREE_EXONS, "b", "-"), transcript(TWO_EXONS, "d", chrom="d")]
    found = score(genes, genes[1:], region(n_blocks=10), region(chrom="d"))
    assert found.block_counts.shape == (11, len(LEVELS), 4)
    exons = found.block_counts[:, LEVELS.index("exon")]
    assert exons[:, 1].tolist() == [0, 1, 1, 0, 1, 1, 1, 0, 0, 0, 2]
    assert exons[:, 3].tolist() == [0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 2]
    totals = rates(found.block_counts.sum(axis=0))
    for level, name in enumerate(LEVELS):
        assert totals[level, 2] == found.levels[name].f1.value
    base = found.block_counts[:, 0]
    assert base[:, 1].tolist() == [0, 30, 90, 0, 30, 30, 90, 0, 0, 0, 120]


def test_intervals_hold_the_value_and_json_has_no_nan() -> None:
    genes = [transcript(((at, at + 60),), f"g{at}") for at in range(0, 10_000, 100)]
    found = score_genes([(gene, True) for gene in genes], genes[::2], [region(10_000, n_blocks=50)], n=200, seed=3)
    at = found.levels["gene"]
    assert at.sensitivity.low < 0.5 < at.sensitivity.high or at.sensitivity.low == 0.5
    assert at.f1.low <= at.f1.value <= at.f1.high
    assert "NaN" not in json.dumps(found.to_dict())


def test_no_prediction_scores_0_with_undefined_precision() -> None:
    found = score([transcript(TWO_EXONS)], [])
    assert found.levels["gene"].f1.value == 0
    assert np.isnan(found.levels["gene"].precision.value)
    assert found.levels["gene"].sensitivity.value == 0


def test_ten_thousand_genes_are_scored_in_seconds() -> None:
    exons = np.arange(5) * 200
    genes = [
        transcript(tuple((int(at + e), int(at + e + 90)) for e in exons), f"g{at}", "+-"[at // 2000 % 2])
        for at in range(1000, 20_000_000, 2000)
    ]
    started = time.process_time()
    found = score_genes([(gene, True) for gene in genes], genes, [region(20_001_000, n_blocks=2000)], n=50)
    assert found.levels["gene"].n_right == 10_000
    assert time.process_time() - started < 8
