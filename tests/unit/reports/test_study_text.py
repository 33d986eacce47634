from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.unit.reports.cases import RESULT, gene_scores, study_record

from dnaspt.config import build_config
from dnaspt.evaluation.metrics import Score
from dnaspt.prepare.held_out import CutOut
from dnaspt.reports.compare import UNDEFINED, Difference, Group
from dnaspt.reports.resamples import Resamples
from dnaspt.reports.study_tables import IN_THESE_RUNS
from dnaspt.reports.study_text import gene_model_sentences, markdown, method, sentences, sentences_over
from dnaspt.reports.tables import Table
from dnaspt.studies.settings import StudyConfig


def gain(question: str, before: str, after: str, value: float, *, fraction: float = 1.0) -> Difference:
    """A gain whose interval is 0.05 to each side."""
    return Difference(question, before, after, fraction, Score(value, value - 0.05, value + 0.05), 3)


def group(arm: str, value: float) -> Group:
    """Runs that all reached one value."""
    return Group(arm, 1.0, Resamples(np.array([value]), np.full((1, 4), value), (50,)), 1.0, 0.001)


GROUPS = [group("scratch", 0.6), group("SPT", 0.7), group("k-mers", 0.5), group("Markov", 0.8)]


@pytest.mark.parametrize(
    ("values", "headline"),
    [
        ([0.1, 0.2], "Yes."),
        ([0.01], "No evidence that it does."),
        ([-0.1], "No, it hurts."),
        ([0.0, 0.1], "In 1 of 2 comparisons it does, in 1 there is no evidence."),
        ([0.1, -0.1], "In 1 of 2 comparisons it does, in 1 it hurts."),
    ],
)
def test_the_first_sentence_says_whether_self_pretraining_helps(values: list[float], headline: str) -> None:
    """From the intervals of all labels alone."""
    told = sentences(GROUPS, [gain("pretraining", "scratch", "SPT", value) for value in values], "MCC")
    asked = "Does self-pretraining help here, for as many bases of fine-tuning?"
    assert told[0] == f"{asked} {headline} For as many bases in all? Not tested."


def test_comparisons_with_one_question_and_verdict_share_a_sentence() -> None:
    """Whatever their share of the labels."""
    gains = [gain("pretraining", "scratch", "SPT", 0.01), gain("pretraining", "scratch", "SPT", 0.02, fraction=0.25)]
    assert sentences(GROUPS, gains, "MCC")[1:] == [
        "Self-pretraining: no evidence of a difference in test MCC, +0.010 [-0.040, +0.060] (scratch to SPT); "
        "+0.020 [-0.030, +0.070] (scratch to SPT, 25% of the labels)."
    ]


def test_only_the_best_baseline_is_told() -> None:
    """The others stand in the table of gains."""
    gains = [gain("a network", "k-mers", "SPT", 0.2), gain("a network", "Markov", "SPT", -0.1)]
    assert sentences(GROUPS, gains, "mean AUROC") == [
        "A network instead of the best baseline lowers test mean AUROC: -0.100 [-0.150, -0.050] (Markov to SPT)."
    ]


def test_fewer_labels_are_told_from_all_of_them() -> None:
    told = sentences(GROUPS, [gain("pretraining, fewer labels", "scratch", "SPT", 0.1, fraction=0.25)], "MCC")
    assert told[-1].endswith("(scratch, all labels, to SPT, 25% of the labels).")


def test_over_several_datasets_each_comparison_has_its_verdicts() -> None:
    found = {
        "one": [gain("pretraining", "scratch", "SPT", 0.1), gain("a network", "k-mers", "SPT", 0.1)],
        "two": [gain("pretraining", "scratch", "SPT", 0.0), gain("the CRF", "SPT", "SPT + CRF", -0.1)],
        "three": [gain("pretraining", "scratch", "SPT", 0.2)],
    }
    assert sentences_over(found) == [
        "Self-pretraining (scratch to SPT): better on one, three; undecided on two.",
        "The CRF instead of softmax (SPT to SPT + CRF): worse on two.",
    ]


def study_with(*arms: dict[str, object], **settings: object) -> StudyConfig:
    return build_config(StudyConfig, {"data": "x", "arms": arms, **settings})


SCRATCH, SPT = {"name": "scratch"}, {"name": "SPT", "init": "spt"}


@pytest.mark.parametrize(
    ("settings", "n_blocks", "said"),
    [
        (
            {},
            50,
            "Means over the seeds; intervals cover the seeds (Student's t) and the choice of test sequence (1,000 ",
        ),
        ({"seeds": [0]}, 50, "with one seed they do not cover its choice."),
        ({}, 10, "its 10 blocks of about 10 kb; few, so they are rough)"),
        ({}, 1, "The test split is one block of 10 kb: there are no intervals."),
        ({}, 50, "Each arm's learning rate was chosen on valid from 0.0003, 0.001, 0.003, at 25% of the budget"),
        (
            {"learning_rates": [1e-3, 3e-3]},
            50,
            "At an end of these rates, so that a rate beyond may be better: scratch",
        ),
        ({"learning_rates": [1e-3]}, 50, "Learning rates that were given: all arms: 0.001."),
    ],
)
def test_how_it_was_made_is_said(settings: dict[str, object], n_blocks: int, said: str) -> None:
    groups = [replace(one, resamples=replace(one.resamples, blocks=(n_blocks,))) for one in GROUPS[:1]]
    assert said in method(study_with(SCRATCH, SPT, **settings), groups, [study_record("scratch", gene_scores([7, 8]))])


def test_rates_that_were_given_are_told_apart() -> None:
    told = method(study_with(SCRATCH, SPT | {"learning_rate": 0.01}), GROUPS[:1], [])
    assert "Learning rates of the other arms were chosen on valid" in told
    assert "Learning rates that were given: SPT: 0.01." in told


def test_fewer_labels_and_longer_training_are_explained() -> None:
    fewer = replace(GROUPS[0], fraction=0.25)
    longer = {"name": "longer", "extended": True}
    told = method(study_with(SCRATCH, longer), [fewer], [])
    assert "trained on for about as many bases as all labels." in told and "Longer training reads as many bases" in told
    told = method(study_with(SCRATCH, longer, finetune={"patience": 3}), [fewer], [])
    assert "rates on all labels." in told and "Longer training" not in told


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ([1, 1], "Test was evaluated once for each run, by its own log."),
        ([1, 3], "Test was evaluated up to 3 times for each run, by its own log."),
        ([1, None], "Test was evaluated once for each run, by its own log; 1 older records do not say."),
        ([None, None], "How often test was evaluated is not on record; a study does it once for each run."),
    ],
)
def test_how_often_test_was_scored_is_said(counts: list[int | None], said: str) -> None:
    scored = gene_scores([7, 8])
    records = [replace(study_record("scratch", scored), n_test_evaluations=count) for count in counts]
    assert method(study_with(SCRATCH, SPT), GROUPS[:1], records).endswith(said)


def test_a_report_as_markdown_has_every_table_with_its_note() -> None:
    tables = [Table("One", ("a", "b"), (("1", "2"),), "Note."), Table("Empty", ("a",), ())]
    text = markdown("Title", ["Yes.", "More."], "How.", tables, ["dnaspt study"])
    assert text == (
        "# Title\n\n- Yes.\n- More.\n\nHow.\n\n## One\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n\nNote.\n\n## Empty\n\n"
        "## Commands\n\n```\ndnaspt study\n```\n"
    )


def test_a_study_with_gene_models_leads_with_whole_genes_by_four_measures() -> None:
    values = {"mcc": (0.8, 0.9, 0.95), "base": (0.7, 0.8, 0.85), "exon": (0.6, 0.7, 0.65), "gene": (0.3, 0.4, 0.52)}
    arms = ("AUGUSTUS", "letters", "SPT")

    def of(arm: str, value: float) -> Group:
        return Group(
            arm,
            1.0,
            Resamples(np.array([value]), np.full((1, 4), value), (9,)),
            1.0,
            0.0,
            baseline=arm * (arm == "AUGUSTUS"),
        )

    groups = {name: [of(arm, value) for arm, value in zip(arms, own, strict=True)] for name, own in values.items()}

    def gain_of(question: str, before: int, name: str) -> Difference:
        value = values[name][2] - values[name][before]
        return Difference(question, arms[before], "SPT", 1.0, Score(value, value - 0.1, value + 0.1), 1)

    asked = (("a gene model", 0), ("pretrained site scores, against letters", 1))
    gains = {name: [gain_of(question, before, name) for question, before in asked] for name in values}
    first, letters, augustus = gene_model_sentences(groups, gains)
    ranked = ["letters 0.800", "SPT 0.850", "AUGUSTUS 0.700"]  # by F1 of exons
    assert [first.index(name) for name in ranked] == sorted(first.index(name) for name in ranked)
    assert letters == (
        "Site scores of a self-pretrained encoder instead of letters (letters to SPT): better by F1 of genes, "
        "undecided by F1 of coding bases, F1 of exons and MCC: "
        "F1 of coding bases +0.050 [-0.050, +0.150], F1 of exons -0.050 [-0.150, +0.050], F1 of genes +0.120 [+0.020, +0.220], "
        "MCC +0.050 [-0.050, +0.150]."
    )
    assert augustus == (
        "The gene model instead of the best baseline (AUGUSTUS to SPT): better by F1 of coding bases, F1 of genes and MCC, "
        "undecided by F1 of exons: F1 of coding bases +0.150 [+0.050, +0.250], F1 of exons +0.050 [-0.050, +0.150], "
        "F1 of genes +0.220 [+0.120, +0.320], MCC +0.150 [+0.050, +0.250]."
    )
    crf = gain("the CRF", "scratch", "SPT", 0.1)
    told = sentences(GROUPS, [*gains["mcc"], crf], "MCC", leading=[first])
    assert told[0] == first and told[1].startswith("The CRF instead of softmax raises test MCC") and len(told) == 2


def test_each_protocol_of_pretraining_has_an_answer_of_its_own() -> None:
    gains = [gain("pretraining", "scratch", "SPT", 0.1), gain("pretraining", "scratch", "own", 0.0)]
    told = sentences(GROUPS, gains, "MCC", protocols={"SPT": "gene-finding sequences of a", "own": "own windows"})
    assert told[0] == (
        "Does self-pretraining on gene-finding sequences of a help here, for as many bases of fine-tuning? Yes. For as many "
        "bases in all? Not tested. Does self-pretraining on own windows help here, for as many bases of fine-tuning? No evidence "
        "that it does. For as many bases in all? Not tested."
    )
    plain = sentences(GROUPS, gains, "MCC", protocols={"SPT": "own windows", "own": "own windows"})
    assert plain == sentences(GROUPS, gains, "MCC")


def test_what_was_pretrained_on_and_cut_out_is_said(gene_data: Path) -> None:
    own = {"name": "own", "init": "spt", "pretrain_data": []}
    study = study_with(SCRATCH, SPT, own, pretrain_data=gene_data)
    told = method(study, GROUPS[:1], [], {"x": replace(RESULT, cut_out=CutOut(50, 2000, 100, 3)), "y": RESULT})
    assert f"Pretrained on gene-finding sequences of {gene_data.name}: SPT; on own windows: own." in told
    assert "on either strand, was cut out before: 100 of 2,000 bases (5.00%) in 3 stretches." in told
    assert "Pretrained on" not in method(study_with(SCRATCH, SPT), GROUPS[:1], [])


def test_an_undecided_gain_says_what_would_have_been_seen_and_which_look_it_was() -> None:
    undecided = replace(gain("pretraining", "scratch", "SPT", 0.01), detectable=0.07, looks=2)
    told = sentences(GROUPS, [undecided], "MCC")
    assert told[1].endswith("test MCC, +0.010 [-0.040, +0.060], detectable 0.070 (scratch to SPT).")
    assert told[-1] == "Look 2 at these questions: the intervals of gains, of 97.5 %, allow for it."
    better = replace(undecided, gain=Score(0.1, 0.05, 0.15))
    assert "detectable" not in " ".join(sentences(GROUPS, [better], "MCC"))


def test_the_method_explains_detectable_gains_and_looks() -> None:
    study = build_config(StudyConfig, {"data": "x", "arms": [{"name": "scratch"}], "looks": 2})
    how = method(study, GROUPS, [])
    assert "80% power at the two-sided 0.025 level" in how and "its 50 blocks of about 10 kb" in how
    assert "put to this test split 2 times, so intervals of gains are of 97.5 %" in how


def test_gains_on_groups_of_labels_are_told_by_name() -> None:
    gains = [
        gain(question, "scratch", "SPT", value)
        for question, value in (("pretraining", 0.1), ("pretraining: ATAC", 0.0))
    ]
    told = sentences(GROUPS, gains, "mean AUROC")
    assert told[1].startswith("Self-pretraining raises test mean AUROC: ")
    assert told[2].startswith("Self-pretraining (ATAC): no evidence of a difference in test mean AUROC, ")


def test_what_holds_for_these_runs_alone_is_told_apart() -> None:
    here = replace(gain("pretraining", "scratch", "SPT", 0.1), n_seeds=1, over_folds=Score(0.1, -0.05, 0.25))
    sure = replace(here, after="SPT + CRF", over_folds=Score(0.1, 0.02, 0.18))
    told = sentences(GROUPS, [here, sure], "MCC")
    assert told[0].startswith(
        "Does self-pretraining help here, for as many bases of fine-tuning? In 1 of 2 comparisons it does"
    )
    assert "in 1 of 2 it does in these runs, but the folds as repeats leave it open" in told[0]
    assert told[1].startswith("Self-pretraining raises test MCC: ") and "scratch to SPT + CRF" in told[1]
    assert told[2].startswith("Self-pretraining raises test MCC in these runs: ") and told[3].startswith(
        "In these runs: "
    )
    (alone,) = {sentence for sentence in sentences(GROUPS, [here], "MCC") if sentence.startswith("Does")}
    assert "In these runs, yes, but the folds as repeats leave it open." in alone
    assert sentences_over({"one": [here], "two": [sure]})[0].endswith(": better on one (in these runs).")


def test_rates_that_were_given_may_have_been_chosen_on_what_folds_test() -> None:
    told = method(study_with(SCRATCH, SPT, learning_rates=[0.01], folds=3, seeds=[0]), GROUPS[:1], [])
    assert "pretraining and weights are those of the fold" in told and "may be among what is tested" in told
    assert "of blocks alone: with other seeds it is larger" in told
    told = method(study_with(SCRATCH, SPT, folds=3), GROUPS[:1], [])
    assert "pretraining, learning rates and weights are those of the fold" in told


def test_what_one_training_in_each_fold_means_is_said() -> None:
    sure = replace(gain("pretraining", "scratch", "SPT", 0.1), n_seeds=1, over_folds=Score(0.1, 0.02, 0.18))
    told = sentences(GROUPS, [sure], "MCC")
    assert told[-1].startswith("One training in each fold: ") and not any("In these runs" in one for one in told)
    assert sentences(GROUPS, [replace(sure, over_folds=UNDEFINED)], "MCC")[-1].startswith("One seed: ")
    models = replace(sure, question="pretrained site scores, against letters")
    leading = ["Letters: better in these runs by F1 of exons."]
    assert sentences(GROUPS, [models], "MCC", leading=leading) == [*leading, IN_THESE_RUNS]
