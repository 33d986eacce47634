import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from dnaspt.studies import dry_run
from dnaspt.studies.context import StudyContext
from dnaspt.studies.cost import Cost
from dnaspt.studies.dry_run import PLAN_COLUMNS, command_lines, plan_rows, plan_runs, plan_sentence
from dnaspt.studies.plan import Job
from dnaspt.studies.records import read_records, record_file
from dnaspt.studies.settings import Arm


@pytest.fixture(autouse=True)
def _one_second_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dry_run, "measure", lambda *_: Cost(60.0, 0.0, 100.0, disk_mb=2.0))


def test_a_study_that_is_not_begun_is_planned(context: StudyContext) -> None:
    said: list[str] = []
    runs = plan_runs(replace(context, say=said.append))
    assert [(run.job.kind, run.job.arm, run.state) for run in runs] == [
        ("pretrain", "", "to do"),
        ("tune", "scratch", "to do"),
        ("tune", "scratch", "to do"),
        ("final", "scratch", "to do"),
        ("final", "SPT", "to do"),
    ]
    assert [run.is_rate_open for run in runs] == [False, False, False, True, False]
    assert all(run.minutes == run.steps and run.peak_mb == 100 for run in runs)
    assert said == [f"measuring a few steps: {kind}" for kind in ("pretraining", "scratch", "SPT")]
    assert not context.out.exists()


def test_the_runs_of_an_arm_and_stage_are_a_row(context: StudyContext) -> None:
    runs = plan_runs(context)
    rows = [dict(zip(PLAN_COLUMNS, row, strict=True)) for row in plan_rows(runs)]
    assert [(row["arm"], row["stage"], row["labels"], row["to do"]) for row in rows] == [
        ("shared", "pretraining", "none", "1 of 1"),
        ("scratch", "trials", "100%", "2 of 2"),
        ("scratch", "final", "100%", "1 of 1"),
        ("SPT", "final", "100%", "1 of 1"),
    ]
    assert [row["rate"] for row in rows] == ["-", "0.001, 0.003", "the best", "0.003"]
    assert (rows[1]["minutes"], rows[1]["disk MB"]) == (f"{runs[1].steps + runs[2].steps:.1f}", "4.0")
    assert {row["memory MB"] for row in rows} == {"100"}


def test_all_runs_together_are_a_sentence(context: StudyContext) -> None:
    runs = plan_runs(context)
    minutes, longest = sum(run.steps for run in runs), max(run.steps for run in runs)
    assert plan_sentence(runs) == (
        f"5 runs, 5 to do. One after another: {minutes} minutes (the longest {longest}), 10 MB of disk. "
        "Scoring test is not counted."
    )


def test_a_planned_run_is_told_in_full_for_json(context: StudyContext) -> None:
    pretraining, *_, scratch, spt = [run.to_dict() for run in plan_runs(context)]
    assert (pretraining["stage"], pretraining["arm"], pretraining["fold"]) == ("pretrain", "", None)
    assert (scratch["learning_rate"], spt["learning_rate"]) == (None, 0.003)
    assert (scratch["state"], scratch["peak_mb"], scratch["disk_mb"]) == ("to do", 100.0, 2.0)


def test_finished_runs_cost_nothing(finished: StudyContext) -> None:
    runs = plan_runs(finished)
    assert {run.state for run in runs} == {"finished"} and not any(run.minutes for run in runs)
    assert {row[-4:] for row in plan_rows(runs)} == {("0 of 1", "-", "-", "-"), ("0 of 2", "-", "-", "-")}
    assert plan_sentence(runs) == f"{len(runs)} runs, 0 to do. Scoring test is not counted."


def test_what_will_be_made_is_charged_alone(finished: StudyContext, tmp_path: Path) -> None:
    """The best trial at the whole budget is the final run; a pretraining without weights is made again where it is needed."""
    shutil.copytree(finished.records, tmp_path / "records")
    context = replace(finished, out=tmp_path / "out", records=tmp_path / "records")
    for record in read_records(context.records, "final"):
        record_file(context.records, record.job.name).unlink()
    context = replace(context, study=context.study.model_copy(update={"tuning_share": 1.0}))
    states = [(run.job.kind, run.job.arm, run.state) for run in plan_runs(context)]
    assert states == [
        ("pretrain", "", "to do"),
        ("tune", "scratch", "to do"),
        ("tune", "scratch", "to do"),
        ("final", "scratch", "its best trial"),
        ("final", "SPT", "to do"),
    ]


def test_a_baseline_is_to_do_without_a_cost(context: StudyContext, windows: Path) -> None:
    study = context.study.model_copy(update={"data": windows, "arms": (Arm(name="count", init="cpg"),)})
    (run,) = plan_runs(replace(context, study=study))
    assert (run.state, run.steps, run.minutes, run.is_rate_open) == ("to do", 0, 0.0, False)


def test_the_commands_make_every_run(finished: StudyContext) -> None:
    lines = command_lines(finished)
    assert lines[:2] == ["# the settings of the study, as study.toml", "dnaspt study study.toml --out ."]
    data = finished.study.data.as_posix()
    runs = [line for line in lines if "--out runs/" in line]
    assert len(runs) == len(read_records(finished.records))
    assert runs[0].startswith(f"dnaspt pretrain {data} --out runs/pretrain-")
    pretraining = runs[0].split("--out ")[1].split()[0]
    assert runs[-1].endswith(f"--encoder {pretraining}") and "--config configs/final-" in runs[-1]
    assert lines[-1].startswith("dnaspt evaluate runs/final-")
    told = next(line for line in lines if line.startswith("# scratch, seed 0, learning rate"))
    assert '; head = "softmax"; ' in told


def test_baselines_have_commands_of_their_own(context: StudyContext) -> None:
    names = {"kmer": "--model kmer", "augustus": "--model augustus", "augustus:human": "--species human"}
    for name, options in names.items():
        job = Job("final", "b", {"baseline": name, "seed": 0}, "", "d")
        line = dry_run._training_line(context, job)
        assert line == f"dnaspt baseline {context.study.data.as_posix()} {options} --out runs/{job.name}"
