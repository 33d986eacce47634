from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.unit.reports.cases import RESULT, gene_scores, study_record, window_scores

from dnaspt.data.dataset import read_split
from dnaspt.data.manifest import read_manifest
from dnaspt.evaluation.metrics import Score
from dnaspt.evaluation.results import BootstrapCounts
from dnaspt.reports.compare import Difference, differences_of, groups_of
from dnaspt.reports.html import Section
from dnaspt.reports.study_page import _of_fold, _stretches, _windows, gains_picture, study_sections
from dnaspt.studies.context import StudyContext
from dnaspt.studies.scheduler import StudyRuns, run_study
from dnaspt.studies.settings import StudyConfig


@pytest.fixture(scope="module")
def runs(finished: StudyContext) -> StudyRuns:
    return run_study(finished)


def sections_of(study: StudyConfig, runs: StudyRuns) -> dict[str, Section]:
    groups = groups_of(runs.finals, runs.pretrainings)
    sections = study_sections(study, runs, groups, differences_of(study, groups), "MCC")
    return {section.title: section for section in sections}


def test_a_study_is_told_in_its_sections(study: StudyConfig, runs: StudyRuns) -> None:
    sections = sections_of(study, runs)
    assert list(sections) == [
        *("Scores on the test split", "Differences between arms", "In detail", "Cost", "Learning"),
        *("Example loci", "Dataset"),
    ]
    assert [table.title for table in sections["In detail"].tables] == [
        *("Gene structures", "F1 by class", "Learning rates, on valid"),
    ]
    view = sections["Example loci"].view
    assert view is not None and [track.name for track in view.tracks] == [
        *("annotation", "scratch", "scratch: P(coding), reverse strand below"),
        *("SPT", "SPT: P(coding), reverse strand below", "labels of the dataset"),
    ]
    names = [picture.name for section in sections.values() for picture in section.pictures]
    assert names[:4] == ["scores", "gains", "cost", "learning"] and names[4:] == [
        f"locus{number}" for number in range(1, len(names) - 3)
    ]


def test_fewer_labels_have_a_section_of_their_own(study: StudyConfig, runs: StudyRuns) -> None:
    half = [replace(r, job=replace(r.job, settings=r.job.settings | {"label_fraction": 0.5})) for r in runs.finals]
    sections = sections_of(study, replace(runs, finals=(*runs.finals, *half)))
    (picture,) = sections["Fewer labels"].pictures
    assert picture.caption.startswith("scratch, SPT: test MCC, mean over seeds with 95 % intervals, by the share")


def test_arms_that_are_not_compared_have_no_picture_of_gains(study: StudyConfig, runs: StudyRuns) -> None:
    alone = study.model_copy(update={"arms": study.arms[:1]})
    sections = sections_of(alone, replace(runs, finals=runs.finals[:1]))
    assert sections["Differences between arms"].text == "No two arms differ in one thing alone."
    assert gains_picture("gains", [], "MCC") is None


def test_a_given_encoder_has_no_known_cost(study: StudyConfig) -> None:
    given = study_record("given", gene_scores([7, 8, 9]), encoder="runs/pre")
    dataset = read_manifest(study.data)
    runs = StudyRuns(dataset.model_copy(update={"labels": ("in", "out")}), (given,), {"other": RESULT}, {})
    assert sections_of(study, runs)["Cost"].pictures == ()


def test_gains_are_drawn_with_both_sides() -> None:
    gain = Difference("pretraining", "scratch", "SPT", 1.0, Score(0.1, 0.05, 0.15), 3)
    picture = gains_picture("gains", [gain], "MCC")
    assert picture is not None and "scratch to SPT" in picture.svg


def test_studies_of_windows_draw_the_first_seed_of_each_arm() -> None:
    rng = np.random.default_rng(0)
    truth = (rng.random((40, 2)) < 0.5).astype(np.int8)
    scored = window_scores(truth + rng.normal(size=truth.shape), truth)
    records = [study_record(arm, scored, seed) for arm in ("scratch", "SPT") for seed in (0, 1)]
    study = StudyConfig.model_construct(seeds=(0, 1))
    (section,) = _windows(study, records)
    assert section.text == "Seed 0 of each arm, all labels."
    assert [picture.name for picture in section.pictures] == ["roc", "precision_recall"]
    assert "scratch" in section.pictures[0].svg and "mean of 2 labels" in section.pictures[0].caption


def test_studies_of_windows_show_stretches_of_what_is_tested(windows: Path, tmp_path: Path) -> None:
    manifest, rng = read_manifest(windows), np.random.default_rng(0)
    truth = read_split(windows, "test").labels.reshape(-1, len(manifest.labels))
    scored = window_scores(rng.normal(size=truth.shape), truth)
    records = [study_record(arm, scored, seed) for arm in ("scratch", "SPT") for seed in (0, 1)]
    study = StudyConfig.model_construct(seeds=(0, 1), folds=None, data=windows)
    runs = StudyRuns(manifest, tuple(records), {}, {})
    (section,) = _stretches(study, runs)
    assert section.text.endswith("a lower score. Seed 0 of each arm, all labels.") and section.view is not None
    assert [track.name for track in section.view.tracks][:3] == [
        "rich",
        "scratch: share below, rich",
        "SPT: share below, rich",
    ]
    gone = StudyConfig.model_construct(seeds=(0, 1), folds=None, data=tmp_path)
    assert _stretches(gone, runs) == []
    part = replace(records[0], job=replace(records[0].job, settings=records[0].job.settings | {"label_fraction": 0.25}))
    assert _stretches(study, replace(runs, finals=(part,))) == []


def test_of_folds_the_first_one_is_shown() -> None:
    counts = BootstrapCounts(
        truth=np.arange(6)[:, None] % 2, logits=np.arange(6.0)[:, None], blocks=np.arange(6), folds=np.repeat([1, 2], 3)
    )
    first = _of_fold(counts, 1)
    assert first.logits.ravel().tolist() == [0, 1, 2] and first.truth.ravel().tolist() == [0, 1, 0]
    assert not _of_fold(replace(counts, folds=np.zeros(0, np.int64)), 1).logits.size
