import math
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from dnaspt.config import build_config
from dnaspt.errors import ConfigError, DatasetError, DnasptError
from dnaspt.studies import scheduler
from dnaspt.studies.context import StudyContext
from dnaspt.studies.plan import Job
from dnaspt.studies.records import NO_RESULT, Record, read_records, record_file, write_record
from dnaspt.studies.scheduler import (
    checked,
    finished_part,
    n_jobs,
    rates_on_valid,
    run_stage,
    run_study,
    run_task,
    stage_jobs,
)
from dnaspt.studies.settings import Arm, StudyConfig
from dnaspt.training.runs import RunResult


def elsewhere(finished: StudyContext, folder: Path) -> StudyContext:
    """The finished study with a copy of its records and none of its runs."""
    shutil.copytree(finished.records, folder / "records")
    return replace(finished, out=folder / "out", records=folder / "records")


def score_trials(context: StudyContext, scores: Sequence[float | None]) -> None:
    """Records of the first arm's trials with these scores on valid; None: it diverged."""
    for job, score in zip(stage_jobs(context, "tune"), scores, strict=True):
        result = NO_RESULT if score is None else RunResult({"valid_mcc": score}, 1, 1, 1, 1.0)
        write_record(context.records, Record(job, result, "the loss is nan" if score is None else ""))


def test_the_stages_of_a_study(context: StudyContext) -> None:
    assert [(job.kind, job.arm) for job in stage_jobs(context, "pretrain")] == [("pretrain", "")]
    trials = stage_jobs(context, "tune")
    assert [(job.arm, job.learning_rate) for job in trials] == [("scratch", 1e-3), ("scratch", 3e-3)]
    with pytest.raises(DnasptError, match="run the stages before first"):
        stage_jobs(context, "final")
    assert [n_jobs(context, stage) for stage in ("pretrain", "tune", "final")] == [1, 2, 2]


@pytest.mark.parametrize(
    ("scores", "rate"),
    [([0.1, 0.2], 3e-3), ([0.2, 0.1], 1e-3), ([None, -0.5], 3e-3), ([0.0, math.nan], 1e-3), ([0.1, 0.1], 1e-3)],
)
def test_the_rate_with_the_best_score_on_valid_is_chosen(
    context: StudyContext, scores: list[float | None], rate: float
) -> None:
    score_trials(context, scores)
    rates = {job.arm: job.learning_rate for job in stage_jobs(context, "final")}
    assert rates == {"scratch": rate, "SPT": 3e-3}  # the second arm's is given


def test_without_any_score_no_rate_is_chosen(context: StudyContext) -> None:
    score_trials(context, [None, math.nan])
    assert rates_on_valid(context) == {"scratch": {1e-3: -math.inf, 3e-3: -math.inf}, "SPT": {}}
    with pytest.raises(DnasptError, match=r"arm 'scratch': no learning rate of 0\.001, 0\.003 has a score on valid"):
        stage_jobs(context, "final")


def test_a_finished_study_gives_its_records(finished: StudyContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler, "_ENGINES", {})  # nothing is left to run
    runs = run_study(finished)
    assert [record.job.arm for record in runs.finals] == ["scratch", "SPT"]
    (pretraining,) = runs.pretrainings.values()
    assert runs.pretraining_of(runs.finals[0]) is NO_RESULT
    assert runs.pretraining_of(runs.finals[1]) == pretraining and pretraining.ngram is not None
    assert set(runs.trials["scratch"]) == {1e-3, 3e-3} and runs.trials["SPT"] == {}
    given = replace(runs.finals[1], job=replace(runs.finals[1].job, encoder="runs/pre"))
    assert runs.pretraining_of(given) is None


def test_missing_runs_are_made_in_their_order(
    finished: StudyContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pretrainings first, those that begin from one last."""
    context = elsewhere(finished, tmp_path)
    for record in read_records(context.records):
        if record.job.kind != "tune":
            record_file(context.records, record.job.name).unlink()
    made: list[tuple[str, str]] = []
    monkeypatch.setattr(
        scheduler, "_ENGINES", {"local": lambda _, jobs: made.extend((job.kind, job.arm) for job in jobs)}
    )
    with pytest.raises(DnasptError, match="is not there"):  # since this engine makes nothing
        run_study(context)
    assert made == [("pretrain", ""), ("final", "scratch"), ("final", "SPT")]


def test_a_stage_is_made_by_itself(context: StudyContext, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Job] = []
    monkeypatch.setattr(scheduler, "_ENGINES", {"local": lambda _, jobs: made.extend(jobs)})
    run_stage(context, "tune")
    assert [job.kind for job in made] == ["tune", "tune"]


def test_a_task_is_one_run_of_a_stage(context: StudyContext, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Job] = []
    monkeypatch.setattr(scheduler, "run_job", lambda _, job, __: made.append(job))
    run_task(context, "tune", 1)
    assert made == stage_jobs(context, "tune")[1:]
    for number in (-1, 2):
        with pytest.raises(ConfigError, match=f"task {number}: stage tune has 2 runs, counted from 0"):
            run_task(context, "tune", number)


def test_a_pretraining_that_no_run_needs_is_not_made_again(finished: StudyContext, tmp_path: Path) -> None:
    said: list[str] = []
    context = replace(elsewhere(finished, tmp_path), say=said.append)
    run_task(context, "pretrain", 0)
    assert "all runs that begin from it are finished" in said[0] and not context.out.exists()


def test_a_pretraining_that_a_run_needs_is_made_again(
    finished: StudyContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, made = elsewhere(finished, tmp_path), []
    monkeypatch.setattr(scheduler, "run_job", lambda _, job, __: made.append(job.kind))
    lost = next(job for job in stage_jobs(context, "final") if job.arm == "SPT")
    record_file(context.records, lost.name).unlink()
    run_task(context, "pretrain", 0)
    assert made == ["pretrain"]
    record_file(context.records, stage_jobs(context, "tune")[0].name).unlink()
    record_file(context.records, stage_jobs(context, "tune")[0].as_kind("final").name).unlink(missing_ok=True)
    run_task(context, "pretrain", 0)  # rates are not chosen: it may be needed
    assert made == ["pretrain", "pretrain"]


def test_records_of_other_data_are_warned_of(
    finished: StudyContext, windows: Path, caplog: pytest.LogCaptureFixture
) -> None:
    scheduler._warn_of_other_data(finished)
    assert not caplog.text
    scheduler._warn_of_other_data(replace(finished, study=finished.study.model_copy(update={"data": windows})))
    assert "all records are of other data" in caplog.text


def test_a_damaged_record_is_named(finished: StudyContext, tmp_path: Path) -> None:
    context = elsewhere(finished, tmp_path)
    damaged = min(context.records.glob("tune-*"))
    damaged.write_bytes(damaged.read_bytes()[:100])
    with pytest.raises(DatasetError, match=f"{damaged.name}: is no record"):
        run_study(context)


def test_a_study_runs_as_it_is_checked(windows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings straight from a file get the recipe for windows, however the study is started."""
    arms = [{"name": "scratch", "learning_rate": 1e-2}]
    study = build_config(StudyConfig, {"data": windows, "seeds": [0], "arms": arms, "pretrain": {"preset": "tiny"}})
    context = StudyContext(study, tmp_path / "out", tmp_path / "records")
    made: list[Job] = []
    monkeypatch.setattr(scheduler, "_ENGINES", {"local": lambda _, jobs: made.extend(jobs)})
    run_stage(context, "final")
    assert made[0].settings["pool"] == "normalized" and made[0].settings["encoder_rate"] == 0.1
    once = checked(context)
    assert once.study.finetune["pool"] == "normalized" and checked(once) == once


def test_the_finished_part_of_a_study(finished: StudyContext, tmp_path: Path) -> None:
    whole, left_out = finished_part(finished)
    assert [arm.name for arm in whole.study.arms] == ["scratch", "SPT"] and left_out == ()
    context = elsewhere(finished, tmp_path)
    fewer = replace(context, study=context.study.model_copy(update={"label_fractions": (1.0, 0.5)}))
    part, left_out = finished_part(fewer)
    assert [(arm.name, arm.label_fractions) for arm in part.study.arms] == [("scratch", (1.0,)), ("SPT", (1.0,))]
    assert left_out == ("scratch (50% of the labels)", "SPT (50% of the labels)")
    for job in stage_jobs(context, "tune"):
        record_file(context.records, job.name).unlink()
    part, left_out = finished_part(context)
    assert [arm.name for arm in part.study.arms] == ["SPT"] and left_out == ("scratch",)
    assert [record.job.arm for record in run_study(part).finals] == ["SPT"]
    shutil.rmtree(context.records)
    with pytest.raises(DnasptError, match="no arm is finished in all folds and seeds yet"):
        finished_part(context)


def test_an_ensemble_of_unfinished_arms_is_left_out(finished: StudyContext, tmp_path: Path) -> None:
    context = elsewhere(finished, tmp_path)
    joined = Arm(name="both", members=("scratch", "SPT"))
    both = context.study.model_copy(update={"arms": (*context.study.arms, joined)})
    part, left_out = finished_part(replace(context, study=both))
    assert [arm.name for arm in part.study.arms] == ["scratch", "SPT"] and left_out == ("both",)
