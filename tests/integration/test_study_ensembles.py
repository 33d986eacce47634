"""Arms of a study that join the runs of others."""

import shutil
from pathlib import Path

import numpy as np
import pytest

import dnaspt
from dnaspt.checkpoint import read_config
from dnaspt.data.dataset import Dataset
from dnaspt.errors import ConfigError
from dnaspt.evaluation.results import read_evaluation
from dnaspt.reports.compare import JOINED, differences_of, groups_of
from dnaspt.reports.study_report import study_report
from dnaspt.studies import launch, local_engine
from dnaspt.studies.context import StudyContext
from dnaspt.studies.dry_run import command_lines, plan_runs
from dnaspt.studies.scheduler import checked, n_jobs, run_study, stage_jobs
from dnaspt.studies.settings import StudyConfig

QUICK = {"preset": "tiny", "steps": 2, "batch_bp": 4096, "tensorboard": False, "accelerator": "cpu"}


@pytest.fixture(scope="module")
def peaks(simulated: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The peaks of the simulated genome in two folds."""
    files = simulated / "genome.fa", simulated / "peaks_A.bed"
    return dnaspt.prepare_regions(*files, out=tmp_path_factory.mktemp("folds") / "peaks", folds=2, window_bp=256)


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs are made in this process: they are short."""
    monkeypatch.setattr(local_engine, "in_new_process", launch.in_this_process)


def study_of(data: Path, **settings: object) -> StudyConfig:
    arms = [
        {"name": "first", "learning_rate": 1e-2},
        {"name": "second", "learning_rate": 1e-3},
        {"name": "4-mers", "init": "kmer"},
        {"name": "joined", "members": ["first", "second"]},
    ]
    quick = {name: value for name, value in QUICK.items() if name not in ("preset", "steps")}
    given = {"data": data, "arms": arms, "seeds": [0], "folds": 2, "pretrain": {"preset": "tiny"}}
    return StudyConfig.model_validate(given | {"finetune": {"epochs": 0.2, **quick}} | settings)


@pytest.mark.slow
def test_an_ensemble_is_joined_in_each_fold_scored_and_compared(peaks: Dataset, tmp_path: Path) -> None:
    study = study_of(peaks.path)
    context = checked(StudyContext(study, tmp_path / "out", tmp_path / "records"))
    study = context.study
    assert [n_jobs(context, stage) for stage in ("pretrain", "tune", "final", "join")] == [0, 0, 6, 2]
    assert [run.job.arm for run in plan_runs(context)].count("joined") == 2
    runs = run_study(context)
    joined = stage_jobs(context, "join")
    for job in joined:
        folder = context.run_folder(job)
        members = {Path(own["path"]).parent.parent.name for own in read_config(folder).provenance["members"]}
        assert members == set(job.members) and len(members) == 2
        assert read_evaluation(folder / "evaluation-test.json").fold == job.fold
    assert [record.job.arm for record in runs.finals] == ["first", "second", "4-mers", "joined"]
    differences = differences_of(study, groups_of(runs.finals))
    asked = {(own.question, own.before, own.after) for own in differences}
    assert {(JOINED, "first", "joined"), (JOINED, "second", "joined"), ("a network", "4-mers", "joined")} <= asked
    assert any(line.startswith("dnaspt ensemble runs/final-") for line in command_lines(context))
    study_report(context)
    assert "joined" in (tmp_path / "out" / "study.md").read_text()


@pytest.mark.slow
def test_members_whose_weights_are_gone_are_made_again(peaks: Dataset, tmp_path: Path) -> None:
    study = study_of(peaks.path, arms=[{"name": "alone", "learning_rate": 1e-2}], folds=2)
    context = StudyContext(study, tmp_path / "out", tmp_path / "records")
    before = run_study(context)
    shutil.rmtree(tmp_path / "out" / "runs")
    arms = [{"name": "alone", "learning_rate": 1e-2}, {"name": "more", "learning_rate": 1e-3}]
    study = study_of(peaks.path, arms=[*arms, {"name": "joined", "members": ["alone", "more"]}])
    after = run_study(StudyContext(study, tmp_path / "out", tmp_path / "records"))
    np.testing.assert_array_equal(before.finals[0].counts.logits, after.finals[0].counts.logits)
    assert len(after.finals) == 3


@pytest.mark.parametrize(
    ("arm", "match"),
    [
        ({"members": ["nobody"]}, "joins 'nobody', but no arm is called so"),
        ({"members": ["first", "4-mers"]}, "joins '4-mers', which is a baseline"),
        ({"members": ["first"]}, "joins one run"),
        ({"members": ["first", "first"]}, "joins 'first' twice"),
        ({"members": ["first", "second"], "head": "sigmoid"}, "head has no effect where runs of other arms are joined"),
        ({"members": ["first", "second"], "label_fractions": [0.5]}, "'first' has no runs with 50% of the labels"),
    ],
)
def test_arms_that_join_nothing_are_refused(arm: dict[str, object], match: str) -> None:
    arms = [{"name": "first"}, {"name": "second"}, {"name": "4-mers", "init": "kmer"}, {"name": "joined", **arm}]
    with pytest.raises((ConfigError, ValueError), match=match):
        study_of(Path("data"), arms=arms)
