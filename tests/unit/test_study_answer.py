"""What a study says in words: the answer first, one sentence for each question and verdict, the best baseline alone."""

import numpy as np
import pytest

from dnaspt.config import build_config
from dnaspt.evaluation.metrics import Score
from dnaspt.reports.compare import FEWER, Difference, Group
from dnaspt.reports.study_text import claim_rows, sentences
from dnaspt.studies.settings import StudyConfig


def gain(question: str, before: str, after: str, value: float, *, fraction: float = 1.0) -> Difference:
    """A gain whose interval is 0.05 to each side."""
    return Difference(question, before, after, fraction, Score(value, value - 0.05, value + 0.05), 3)


def group(arm: str, value: float) -> Group:
    """Runs that all reached one value."""
    return Group(arm, 1.0, np.array([value]), np.full((1, 4), value), 1.0, 0.001, 50)


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


@pytest.mark.parametrize(
    ("low", "high", "verdict"), [(-0.01, 0.01, "supported"), (0.03, 0.05, "not supported"), (-0.01, 0.04, "undecided")]
)
def test_a_marginal_gain_has_a_verdict_by_its_size(low: float, high: float, verdict: str) -> None:
    gain = Difference("pretraining", "scratch", "SPT", 1.0, Score((low + high) / 2, low, high), 3)
    study = build_config(StudyConfig, {"data": "x", "arms": [{"name": "scratch"}], "marginal_gain": 0.02})
    *_, last = claim_rows(study, [gain], "regions")
    assert last[0].startswith("P5") and last[-1] == verdict
    assert len(claim_rows(study.model_copy(update={"marginal_gain": 0}), [gain], "regions")) == 1


def test_claims_are_those_of_the_paper_alone() -> None:
    """P2 is about the self-pretrained model, P4 about a quarter of the labels of methylation, P6 about scratch for longer."""
    arms = [{"name": "scratch"}, {"name": "longer", "extended": True}, {"name": "SPT", "init": "spt"}]
    arms += [{"name": "SPT + CRF", "init": "spt", "head": "crf"}, {"name": "CRF", "head": "crf"}]
    study = build_config(StudyConfig, {"data": "x", "arms": arms})
    better, worse = Score(0.1, 0.05, 0.15), Score(-0.1, -0.15, -0.05)
    found = [
        Difference("pretraining", "scratch", "SPT", 0.25, better, 3),
        Difference(FEWER, "scratch", "SPT", 0.25, better, 3),
        Difference(FEWER, "scratch", "SPT", 0.5, better, 3),
        Difference("training longer", "scratch", "longer", 1.0, better, 3),
        Difference("training longer", "SPT", "longer", 1.0, better, 3),
        Difference("the CRF", "scratch", "CRF", 1.0, better, 3),
        Difference("the CRF", "SPT", "SPT + CRF", 1.0, worse, 3),
    ]
    told = [(row[0].split(":")[0], row[-1]) for row in claim_rows(study, found, "methylation")]
    crf = [("P2", "not supported"), ("control of P2", "supported")]
    assert told == [*crf, ("P4", "supported"), ("P6", "not supported")]
    assert [row[0].split(":")[0] for row in claim_rows(study, found, "genes")] == ["P2", "control of P2", "P6"]
