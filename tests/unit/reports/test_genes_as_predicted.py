"""Reports lead with the genes that `predict` writes, by three scores together, and never prefer a model of worse genes."""

import math
from dataclasses import replace

import pytest
from tests.unit.reports.cases import gene_scores, run_record

from dnaspt.evaluation.gene_metrics import GeneScores
from dnaspt.evaluation.metrics import Score
from dnaspt.evaluation.results import BootstrapCounts, Evaluation, GeneEvaluation
from dnaspt.reports.compare import Difference
from dnaspt.reports.genes_as_predicted import GenesAsPredicted, PairedGain, as_predicted_table, genes_differ, standing
from dnaspt.reports.run_page import _genes_shown
from dnaspt.reports.run_tables import gene_tables
from dnaspt.reports.run_text import answer
from dnaspt.reports.study_text import sentences


def with_levels(genes: GeneEvaluation, base: float, exon: float) -> GeneEvaluation:
    """The same scores with another F1 of coding bases and of exons."""
    level = genes.genes.levels["base"]
    levels = {"base": replace(level, f1=Score(base)), "exon": replace(level, f1=Score(exon)), "gene": level}
    return replace(genes, genes=GeneScores(levels, {}))


def scored(
    head: int, base: float, exon: float, codons: int | None = None, n_blocks: int = 20
) -> tuple[Evaluation, BootstrapCounts]:
    """Scores of a run: bases of 10 that are right by the head alone and with codons, and F1 as predicted."""
    evaluation, counts = gene_scores([head] * n_blocks)
    assert evaluation.genes is not None
    if codons is None:
        return replace(evaluation, genes=with_levels(evaluation.genes, base, exon)), counts
    predicted, codon_counts = gene_scores([codons] * n_blocks)
    assert predicted.genes is not None
    faultless = replace(predicted.genes.structures, n_illegal=0, faults={"no start codon": 0})
    genes = replace(with_levels(predicted.genes, base, exon), structures=faultless)
    return replace(evaluation, codons=genes), replace(counts, confusions_codons=codon_counts.confusions)


def genes(name: str, base: float, exon: float, mcc: float, *, has_codons: bool = True) -> GenesAsPredicted:
    return GenesAsPredicted(name, Score(base), Score(exon), Score(mcc), Score(mcc - 0.1), has_codons)


def test_scores_are_those_with_codons_and_the_head_alone_stands_beside_them() -> None:
    own = GenesAsPredicted.of("SPT + CRF", [scored(8, 0.9, 0.7, codons=9)[0]])
    assert own is not None and own.has_codons
    assert own.values == pytest.approx((0.9, 0.7, 0.8)) and own.head_mcc.value == pytest.approx(0.6)
    table = as_predicted_table([own])
    ((name, base, exon, mcc, alone),) = table.rows
    assert (name, base, exon) == ("SPT + CRF", "0.900", "0.700")
    assert mcc.startswith("0.800 [") and alone.startswith("0.600 [")
    softmax = GenesAsPredicted.of("SPT + softmax", [scored(8, 0.5, 0.1)[0]])
    assert softmax is not None and not softmax.has_codons
    assert as_predicted_table([softmax]).rows[0][-1] == "the same"


def test_over_seeds_the_scores_are_means() -> None:
    own = GenesAsPredicted.of("arm", [scored(8, 0.9, 0.7, codons=9)[0], scored(7, 0.5, 0.5, codons=8)[0]])
    assert own is not None and own.values == pytest.approx((0.7, 0.6, 0.7))
    assert own.head_mcc.value == pytest.approx(0.5) and math.isnan(own.mcc.low)


def test_a_model_is_best_only_by_all_three_scores() -> None:
    better, worse = genes("better", 0.9, 0.7, 0.8), genes("worse", 0.8, 0.6, 0.8)
    first, second = standing([worse, better])
    assert first == (
        "On the test split better is best: F1 of coding bases 0.900, F1 of exons 0.700, MCC 0.800; worse 0.800, 0.600, 0.800."
    )
    assert second == ("That is what predict writes, with codons. MCC of the head alone: better 0.700; worse 0.700.")
    higher_mcc = genes("higher MCC", 0.8, 0.6, 0.95)
    (first, _) = standing([higher_mcc, better])
    assert first.startswith(
        "On the test split none is better than all others by these three together: better has F1 of"
    )
    assert "best" not in first
    (first, _) = standing([better, replace(better, name="equal")])
    assert "is best" not in first


def test_a_head_that_knows_no_codons_is_named() -> None:
    _, second = standing([genes("crf", 0.9, 0.7, 0.8), genes("softmax", 0.5, 0.1, 0.6, has_codons=False)])
    assert second == (
        "That is what predict writes, with codons (of softmax the head alone, which knows no codons). "
        "MCC of the head alone: crf 0.700."
    )
    assert len(standing([genes("softmax", 0.5, 0.1, 0.6, has_codons=False)])) == 1


def test_a_score_that_is_not_defined_is_never_best() -> None:
    undefined = genes("undefined", math.nan, math.nan, 0.9)
    (first, _) = standing([undefined, genes("defined", 0.1, 0.1, 0.1)])
    assert "is best" not in first and "undefined –, –, 0.900" in first


def test_genes_speak_against_a_gain_in_mcc_alone() -> None:
    before, after = genes("a", 0.8, 0.6, 0.5), genes("b", 0.9, 0.5, 0.7)
    assert genes_differ(before, after, 1) and genes_differ(before, after, -1)
    assert not genes_differ(before, after, 0)
    assert not genes_differ(before, replace(after, exon_f1=Score(0.6)), 1)


def test_a_run_report_compares_what_predict_writes() -> None:
    runs = [
        run_record("scratch + CRF", "crf", scored(9, 0.8, 0.6, codons=7)),
        run_record("SPT + CRF", "crf", scored(7, 0.9, 0.7, codons=8)),
    ]
    told = answer(runs)
    assert told[0].startswith(
        "On the test split SPT + CRF is best: F1 of coding bases 0.900, F1 of exons 0.700, MCC 0.600"
    )
    assert "MCC of the head alone: SPT + CRF 0.400 [0.400, 0.400]; scratch + CRF 0.800" in told[1]
    assert told[2] == (
        "Self-pretraining raises MCC with CRF by 0.200, from 0.400 (scratch + CRF) to 0.600 (SPT + CRF): "
        "+0.200 [+0.200, +0.200]. F1 of coding bases goes from 0.800 to 0.900, F1 of exons from 0.600 to 0.700."
    )


def test_a_higher_mcc_with_worse_genes_is_no_gain() -> None:
    runs = [
        run_record("scratch + CRF", "crf", scored(9, 0.8, 0.6, codons=7)),
        run_record("SPT + CRF", "crf", scored(9, 0.9, 0.5, codons=8)),
    ]
    told = answer(runs)
    assert "is best" not in told[0]
    assert told[2] == (
        "Self-pretraining with CRF: MCC and genes disagree. MCC goes from 0.400 (scratch + CRF) to 0.600 (SPT + CRF): "
        "+0.200 [+0.200, +0.200]. F1 of coding bases goes from 0.800 to 0.900, F1 of exons from 0.600 to 0.500."
    )


def test_the_tables_of_a_report_show_both_and_say_which() -> None:
    shown, folded = gene_tables([run_record("SPT + CRF", "crf", scored(8, 0.9, 0.7, codons=9))])
    titles = [table.title for table in shown]
    assert titles == [
        "Genes as predict writes them",
        "Illegal structures, as predict writes genes",
        "Gene structures",
        "Illegal structures, heads alone",
    ]
    assert shown[1].rows[0][2] == "0 (0.0%)" and shown[3].rows[0][2] == "2 (25.0%)"
    assert [row[0] for row in shown[2].rows] == ["SPT + CRF, head alone", "SPT + CRF, with codons"]
    assert [table.title for table in folded][::3] == [
        "Coding bases, as predict writes genes",
        "Coding bases, heads alone",
    ]
    shown, folded = gene_tables([run_record("SPT + softmax", "softmax", scored(8, 0.9, 0.7))])
    assert [table.title for table in shown][1] == "Illegal structures, heads alone" and len(shown) == len(folded) == 3


def test_the_figure_of_scores_shows_both() -> None:
    runs = [
        run_record("SPT + CRF", "crf", scored(8, 0.9, 0.7, codons=9)),
        run_record("SPT + softmax", "softmax", scored(8, 0.5, 0.1)),
    ]
    shown = _genes_shown(runs)
    assert list(shown) == ["SPT + CRF", "SPT + CRF, head alone", "SPT + softmax"]
    assert [round(own.mcc.value, 3) for own in shown.values()] == [0.8, 0.6, 0.6]


def test_the_verdict_of_a_study_is_not_given_by_mcc_against_its_genes() -> None:
    gain = Difference("pretraining", "scratch", "SPT", 1.0, Score(0.1, 0.05, 0.15), 3)
    for exon, verdict in ((0.7, "Yes."), (0.5, "MCC and genes disagree.")):
        own = [genes("scratch", 0.8, 0.6, 0.5), genes("SPT", 0.9, exon, 0.6)]
        told = sentences([], [gain], "MCC", own)
        assert told[0].startswith("On the test split")
        assert f"for as many bases of fine-tuning? {verdict} For as many" in told[2]
        assert "Gains are in the MCC of the heads alone." in told


@pytest.mark.parametrize(
    ("gain", "said"),
    [
        (PairedGain("F1 of exons", Score(0.1, 0.02, 0.18)), "better is best: F1 of"),
        (PairedGain("F1 of exons", Score(0.1, 0.02, 0.18), in_these_runs=True), "better is best in these runs: F1 of"),
        (
            PairedGain("F1 of exons", Score(0.1, -0.02, 0.22)),
            "better has the highest scores, not told apart from worse (F1 of exons +0.100 [-0.020, +0.220]): F1 of",
        ),
        (
            PairedGain("MCC", Score(0.1, math.nan, math.nan)),
            "better has the highest scores, not told apart from worse (MCC +0.100): F1 of",
        ),
        (None, "better has the highest scores: F1 of"),
    ],
)
def test_best_is_only_what_the_paired_interval_tells_apart(gain: PairedGain | None, said: str) -> None:
    own = [genes("worse", 0.8, 0.6, 0.8), genes("better", 0.9, 0.7, 0.8), genes("last", 0.1, 0.1, 0.1)]
    asked = []

    def gain_of(before: str, after: str) -> PairedGain | None:
        asked.append((before, after))
        return gain

    assert standing(own, gain_of)[0].startswith(f"On the test split {said}")
    assert sentences([], [], "MCC", own, gain=gain_of)[0].startswith(f"On the test split {said}")
    assert set(asked) == {("worse", "better")}


def test_runs_that_the_blocks_do_not_tell_apart_have_no_best_one() -> None:
    runs = [
        run_record("scratch + softmax", "softmax", gene_scores([7, 8, 9, 9] * 5)),
        run_record("SPT + softmax", "softmax", gene_scores([9, 9, 8, 8] * 5)),
    ]
    told = answer(runs)[0]
    assert told.startswith(
        "On the test split SPT + softmax has the highest scores, not told apart from scratch + softmax (MCC +0.050 ["
    )


def test_a_gene_model_always_keeps_to_codons() -> None:
    crf = genes("crf", 0.8, 0.6, 0.8)
    model = replace(genes("gene model", 0.9, 0.7, 0.9, has_codons=False), is_gene_model=True)
    _, second = standing([crf, model])
    assert second == "That is what predict writes, with codons. MCC of the head alone: crf 0.700."
