import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.unit.reports.cases import RESULT, gene_scores, study_record, window_scores

from dnaspt.config import build_config
from dnaspt.data.manifest import Manifest
from dnaspt.evaluation.metrics import Score
from dnaspt.reports.compare import FEWER, Difference, Group
from dnaspt.reports.resamples import Resamples
from dnaspt.reports.study_tables import (
    claim_rows,
    claim_values,
    cost_table,
    difference_rows,
    difference_values,
    gain_table,
    gene_tables,
    group_rows,
    group_values,
    rate_table,
    records_by_arm,
    score_tables,
    study_tables,
    table_csv,
    version_table,
)
from dnaspt.reports.tables import written
from dnaspt.studies.records import Record
from dnaspt.studies.scheduler import StudyRuns
from dnaspt.studies.settings import StudyConfig

GAIN = Difference("pretraining", "scratch", "SPT", 1.0, Score(0.1, 0.05, 0.15), 3)
GROUP = Group("scratch", 0.25, Resamples(np.array([0.5, 0.75]), np.full((2, 4), 0.625), (50,)), 61.4, 3e-4)


def runs_of(*records: Record, labels: tuple[str, ...] = ("in", "out")) -> StudyRuns:
    """A study whose encoder `spt` was pretrained, and whose encoder `given` was not."""
    dataset = Manifest(task="genes", labels=labels, resolution_bp=1, window_bp=9, sources=(), settings={})
    return StudyRuns(dataset, records, {"spt": replace(RESULT, n_bp=3_000_000, steps=20, minutes=4.0)}, {})


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


def test_scores_and_gains_are_rows_of_text_and_of_numbers() -> None:
    assert group_rows([GROUP]) == [("scratch", "25%", "2", written(GROUP.score), "0.500 0.750", "0.0003", "61")]
    assert group_rows([replace(GROUP, rate=0.0)])[0][5] == "–"
    gain = ("pretraining", "scratch", "SPT", "100%", "+0.100 [+0.050, +0.150]", "–", "better")
    assert difference_rows([GAIN]) == [gain]
    fewer = replace(GAIN, question=FEWER, fraction=0.25, gain=Score(-0.1, -0.15, -0.05))
    assert difference_rows([fewer])[0][3:] == ("100% to 25%", "-0.100 [-0.150, -0.050]", "–", "worse")
    (row,) = group_values([GROUP], "MCC")
    assert row["values"] == [0.5, 0.75] and row["mean"] == 0.625 and row["metric"] == "MCC"
    (row,) = difference_values([replace(GAIN, gain=Score(0.1, -0.1, 0.3))])
    assert (row["gain"], row["verdict"], row["n_seeds"]) == (0.1, "undecided", 3)


UNDECIDED = replace(GAIN, gain=Score(0.1, -0.1, 0.3), n_blocks=25, detectable=0.31)


def test_beside_an_undecided_verdict_stands_the_gain_that_would_have_been_seen() -> None:
    study = build_config(StudyConfig, {"data": "x", "arms": [{"name": "scratch"}, {"name": "SPT", "init": "spt"}]})
    assert difference_rows([UNDECIDED])[0][-2:] == ("0.310", "undecided")
    assert claim_rows(study, [UNDECIDED], "genes")[0][-4:] == ("3", "25", "0.310", "undecided")
    (row,) = difference_values([replace(GAIN, n_blocks=25, detectable=0.31)])  # as a number beside every verdict
    assert (row["n_blocks"], row["detectable_gain"], row["verdict"]) == (25, 0.31, "better")
    _, (gains,) = gene_tables({"exon": [GROUP]}, {"exon": [UNDECIDED]})
    assert gains.rows[0][-1] == "+0.100 [-0.100, +0.300], detectable 0.310"


def test_verdicts_of_a_second_look_say_so() -> None:
    arms = [{"name": "scratch"}, {"name": "SPT", "init": "spt"}]
    study = build_config(StudyConfig, {"data": "x", "arms": arms, "looks": 2, "marginal_gain": 0.02})
    gains = [replace(gain, looks=2) for gain in (GAIN, UNDECIDED)]
    assert [row[-1] for row in difference_rows(gains)] == ["better (second look)", "undecided (second look)"]
    verdicts = ["supported (second look)", "undecided (second look)", "not supported (second look)"]
    assert [row[-1] for row in claim_rows(study, gains, "genes")] == [*verdicts, verdicts[1]]
    _, table, claims = study_tables(study, [GROUP], gains, "MCC", "genes")
    assert table.columns[4] == claims.columns[2] == "gain in MCC [97.5 %]"


def test_claims_as_numbers_say_what_was_compared() -> None:
    study = build_config(StudyConfig, {"data": "x", "arms": [{"name": "scratch"}, {"name": "SPT", "init": "spt"}]})
    (row,) = claim_values(study, [GAIN], "genes")
    assert str(row["claim"]).startswith("P1: ") and (row["compared"], row["verdict"]) == ("scratch to SPT", "supported")


def test_numbers_become_csv_with_lists_in_a_cell() -> None:
    assert table_csv([{"a": "x, y", "b": [0.5, 1 / 3]}]) == 'a,b\n"x, y",0.500000 0.333333\n'
    assert table_csv([]) == "\n"


def test_the_first_tables_name_the_metric() -> None:
    study = build_config(StudyConfig, {"data": "x", "arms": [{"name": "scratch"}]})
    scores, gains, claims = study_tables(study, [GROUP], [GAIN], "MCC", "genes")
    assert "test MCC [95 %]" in scores.columns and "gain in MCC [95 %]" in gains.columns == gains.columns
    assert claims.note.startswith("Supported or not where the interval excludes 0")


def test_details_are_of_the_runs_with_all_labels() -> None:
    records = [study_record("a", gene_scores([7])), study_record("b", gene_scores([7]), label_fraction=0.5)]
    assert list(records_by_arm(records)) == ["a"]
    assert score_tables(runs_of(records[1])) == ([], [])


def test_details_of_genes_are_means_over_the_seeds() -> None:
    both = [study_record("a", gene_scores([n] * 4), seed=seed) for seed, n in enumerate((7, 9))]
    with_codons = [replace(r, test=replace(r.scored, codons=r.scored.genes)) for r in both]
    shown, folded = score_tables(runs_of(*with_codons, study_record("b", gene_scores([8]))))
    levels, f1 = shown
    assert levels.rows == (
        ("a", "0.333", "0.333", "0.333", "0.600"),
        ("a, with codons", "0.333", "0.333", "0.333", "0.600"),
        ("b", "0.333", "0.333", "0.333", "0.600"),
    )
    assert f1.title == "F1 by class" and f1.rows == (("in", "0.800", "0.800"), ("out", "0.800", "0.800"))
    assert [table.title for table in folded] == [
        "Precision by class",
        "Recall by class",
        "Confusion, a",
        "Confusion, b",
    ]
    assert folded[2].rows == (("in", "80.0%", "20.0%"), ("out", "20.0%", "80.0%"))


def test_details_of_windows_stand_beside_the_cpg_count() -> None:
    truth = np.array([[0], [1]] * 20)
    arm = study_record("a", window_scores(truth * 1.0, truth))
    (auroc,), (auprc,) = score_tables(runs_of(arm))
    assert (auroc.columns, auroc.rows) == (("label", "a", "CpG count"), (("label0", "1.000", "0.500"),))
    assert auprc.title == "AUPRC by label" and not auroc.note
    count = study_record("count", window_scores(truth * 1.0, truth), baseline="cpg")
    assert score_tables(runs_of(arm, count))[0][0].columns == ("label", "a", "count")


def test_labels_without_a_score_are_named() -> None:
    truth = np.array([[0], [1]] * 20)
    one_value = study_record("a", window_scores(truth * 1.0, np.ones_like(truth)))
    (auroc,), _ = score_tables(runs_of(one_value))
    assert auroc.rows[0][:2] == ("label0", "–")
    assert auroc.note == "Left out where test has one value only, so that no score is defined: label0."


def test_trials_are_a_table_with_the_chosen_rate() -> None:
    tried = {"a": {1e-3: 0.5, 3e-3: 0.25}, "b": {3e-3: -math.inf, 1e-2: 0.1}, "given": {}}
    table = rate_table(tried, 0.25)
    assert table is not None and table.columns == ("arm", "0.001", "0.003", "0.01", "chosen")
    assert table.rows == (("a", "0.500", "0.250", "–", "0.001"), ("b", "–", "none", "0.100", "0.01"))
    assert table.note.startswith("One seed, 25% of the epochs.")
    assert rate_table({"given": {}}, 0.25) is None
    diverged = rate_table({"a": {1e-3: -math.inf}}, 1.0)
    assert diverged is not None and diverged.rows == (("a", "none", "–"),)


def test_costs_count_pretraining_and_what_follows() -> None:
    scored = gene_scores([7])
    seeds = [study_record("SPT", scored, seed=seed, encoder="spt") for seed in (0, 1)]
    slow = replace(seeds[1], result=replace(RESULT, minutes=9.0, n_bp=5_000_000))
    scratch, given = study_record("scratch", scored), study_record("given", scored, encoder="given")
    rows = cost_table(runs_of(scratch, seeds[0], slow, given)).rows
    assert rows == (
        ("scratch", "100%", "0", "2", "0", "9", "0", "1.5"),
        ("SPT", "100%", "3", "3.5", "20", "9", "4", "1.5"),
        ("given", "100%", "–", "2", "–", "9", "–", "1.5"),
    )


def test_what_the_runs_were_made_with_is_counted() -> None:
    scored = gene_scores([7])
    known = replace(study_record("a", scored), versions={"torch": "2.13", "Python": "3.11"})
    older = replace(study_record("a", scored), result=replace(RESULT, device="", precision=""))
    baseline = study_record("k", scored, baseline="kmer")
    table = version_table([known, known, older, baseline])
    assert table.rows == (
        ("0.1.0", "2.13", "3.11", "cpu", "32", "2"),
        ("0.1.0", *["not on record"] * 4, "1"),
    )
    assert table.note and not version_table([known]).note


def test_claims_name_the_protocol_by_which_an_arm_is_pretrained(gene_data: Path) -> None:
    arms = [{"name": "scratch"}, {"name": "SPT", "init": "spt"}]
    arms.append({"name": "own", "init": "spt", "pretrain_data": []})
    study = build_config(StudyConfig, {"data": "x", "pretrain_data": gene_data, "arms": arms})
    both = [GAIN, replace(GAIN, after="own", gain=Score(0.1, -0.1, 0.2)), replace(GAIN, question=FEWER, fraction=0.25)]
    genes = f"gene-finding sequences of {gene_data.name}"
    beats = "beats training from scratch (pretraining not counted)"
    told = [(row[0], row[1], row[-1]) for row in claim_rows(study, both, "methylation")]
    assert told == [
        (f"P1: self-pretraining on {genes} {beats}", "scratch to SPT", "supported"),
        (f"P1: self-pretraining on own windows {beats}", "scratch to own", "undecided"),
        (
            f"P4: with a quarter of the labels it still beats all labels from scratch (pretrained on {genes})",
            "scratch, all labels, to SPT, 25% of the labels",
            "supported",
        ),
    ]
    assert [row["claim"] for row in claim_values(study, both, "methylation")] == [claim for claim, _, _ in told]


def test_a_gain_of_folds_has_them_as_repeats_beside_it() -> None:
    of_folds = replace(GAIN, n_seeds=1, by_fold=(0.2, -0.1, 0.2), over_folds=Score(0.1, -0.3, 0.5))
    table = gain_table([GAIN, of_folds], "MCC")
    assert table.columns[-1] == "folds as repeats [95 %]"
    assert [row[-2:] for row in table.rows] == [
        ("better", "–"),
        ("better in these runs", "+0.100 [-0.300, +0.500], ahead in 2 of 3"),
    ]
    assert "folds" not in str(gain_table([GAIN], "MCC").columns)
    (row,) = difference_values([of_folds])
    assert (row["by_fold"], row["over_folds_low"], row["verdict"]) == ([0.2, -0.1, 0.2], -0.3, "better in these runs")


@pytest.mark.parametrize(
    ("over_folds", "verdict"),
    [(Score(0.0, -0.01, 0.01), "supported"), (Score(0.0, -0.03, 0.03), "supported in these runs")],
)
def test_a_marginal_gain_is_marginal_over_the_folds_too(over_folds: Score, verdict: str) -> None:
    study = StudyConfig.model_validate(
        {"data": Path("x"), "arms": [{"name": "scratch"}, {"name": "SPT", "init": "spt"}], "marginal_gain": 0.02}
    )
    small = Difference("pretraining", "scratch", "SPT", 1.0, Score(0, -0.01, 0.01), 1, over_folds=over_folds)
    assert [row[-1] for row in claim_rows(study, [small], "regions")] == ["undecided", verdict]


def test_labels_that_some_folds_cannot_score_are_named() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(2, size=(40, 2))
    empty = truth * [1, 0]
    of_folds = tuple(
        study_record("a", window_scores(rng.normal(size=truth.shape), own)) for own in (truth, empty, empty)
    )
    runs = replace(runs_of(of_folds[0]), of_folds=of_folds)
    (shown,), _ = score_tables(runs)
    assert shown.note.endswith("no score is defined: label1 (in 2 of 3 folds).")
    assert not score_tables(runs_of(of_folds[0]))[0][0].note
