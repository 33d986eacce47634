import json
import shutil
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from dnaspt.config import FinetuneConfig
from dnaspt.errors import DivergedError
from dnaspt.studies import launch
from dnaspt.studies.context import StudyContext
from dnaspt.studies.job import encoder_of, run_job, toml_of
from dnaspt.studies.launch import Locks
from dnaspt.studies.plan import Job
from dnaspt.studies.records import read_records
from dnaspt.studies.scheduler import stage_jobs
from dnaspt.studies.worker import Baseline, Evaluate, Finetune, Instruction


class Recorder:
    """Keeps what workers were told, and has it done."""

    def __init__(self) -> None:
        self.instructions: list[Instruction] = []

    def __call__(self, context: StudyContext, job: Job, instruction: Instruction, locks: Locks) -> None:
        self.instructions.append(instruction)
        launch.in_this_process(context, job, instruction, locks)


def final(context: StudyContext, arm: str = "scratch", **settings: object) -> Job:
    given = context.study.finetune | {"seed": 0, "head": "softmax", "learning_rate": 3e-3, "label_fraction": 1.0}
    return Job("final", arm, given | {"preset": "tiny"} | settings, "", "d")


def test_a_final_run_is_trained_then_scored_then_recorded(context: StudyContext) -> None:
    job, workers = final(context), Recorder()
    run_job(context, job, workers)
    assert [instruction.action for instruction in workers.instructions] == ["finetune", "evaluate"]
    (record,) = read_records(context.records)
    folder = context.run_folder(job)
    test = json.loads((folder / "evaluation-test.json").read_text())
    assert record.scored.primary.value == test["mcc"]["value"] and record.scored.data == record.scored.checkpoint == ""
    assert record.counts.n_blocks == test["n_blocks"] and record.n_test_evaluations == 1
    metrics = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert record.curve == tuple((row["step"], row["valid_mcc"]) for row in metrics if "valid_mcc" in row)
    assert record.result.steps == metrics[-1]["step"] and 1 <= len(record.examples) <= 3
    run_job(context, job, workers)
    assert len(workers.instructions) == 2


def test_a_run_that_was_broken_off_goes_on(context: StudyContext) -> None:
    job, workers = final(context), Recorder()
    run_job(context, job, workers)
    shutil.rmtree(context.records)
    (context.run_folder(job) / "result.json").unlink()
    (context.run_folder(job) / "evaluation-test.json").unlink()
    run_job(context, job, workers)
    resumed = workers.instructions[2]
    assert isinstance(resumed, Finetune) and resumed.resume
    assert isinstance(workers.instructions[3], Evaluate)


def test_the_settings_of_a_run_are_those_of_its_command(context: StudyContext) -> None:
    job, workers = final(context), Recorder()
    run_job(context, job, workers)
    trained = workers.instructions[0]
    assert isinstance(trained, Finetune)
    settings = tomllib.loads(context.config_file(job).read_text())
    assert settings == job.settings
    from_file = settings | {"data": context.study.data, "out": context.run_folder(job)}
    assert trained.config == FinetuneConfig.model_validate(from_file)
    assert json.loads((context.run_folder(job) / "run.json").read_text())["learning_rate"] == 3e-3


def test_a_trial_with_the_same_settings_is_taken_over(context: StudyContext) -> None:
    job, workers = final(context), Recorder()
    run_job(context, job.as_kind("tune"), workers)
    run_job(context, job, workers)
    assert [instruction.action for instruction in workers.instructions] == ["finetune", "evaluate"]
    trial, run = (context.run_folder(one) for one in (job.as_kind("tune"), job))
    weights = [next(folder.glob("best/*/model.safetensors")).read_bytes() for folder in (trial, run)]
    assert weights[0] == weights[1] and not (trial / "evaluation-test.json").exists()


def test_a_trial_may_diverge_and_a_final_run_may_not(context: StudyContext) -> None:
    job = final(context, learning_rate=1e30)
    run_job(context, job.as_kind("tune"), launch.in_this_process)
    (record,) = read_records(context.records)
    assert "the loss is" in record.diverged and record.result.scores == {} and record.test is None
    with pytest.raises(DivergedError):
        run_job(context, job, launch.in_this_process)


def test_a_baseline_is_fitted_and_scored_at_once(windows: Path, context: StudyContext) -> None:
    context = replace(context, study=context.study.model_copy(update={"data": windows}))
    job, workers = Job("final", "count", {"baseline": "cpg", "seed": 0}, "", "d"), Recorder()
    run_job(context, job, workers)
    assert [type(instruction) for instruction in workers.instructions] == [Baseline]
    (record,) = read_records(context.records)
    assert record.baseline is not None and record.baseline.baseline == "cpg" and record.examples == ()
    assert record.scored.metric == "mean_auroc" and record.counts.logits.min() == 0
    assert not context.config_file(job).exists()


def test_augustus_may_have_a_model_of_its_authors(context: StudyContext) -> None:
    told: list[Instruction] = []

    def refuse(_: StudyContext, __: Job, instruction: Instruction, ___: Locks) -> None:
        told.append(instruction)
        raise KeyboardInterrupt

    for name in ("augustus", "augustus:human"):
        with pytest.raises(KeyboardInterrupt):
            run_job(context, Job("final", "A", {"baseline": name, "seed": 0}, "", "d"), refuse)
    assert [(one.model, one.species) for one in told if isinstance(one, Baseline)] == [("augustus", ""), ("", "human")]


def test_an_encoder_is_a_pretraining_of_the_study_or_a_given_checkpoint(finished: StudyContext) -> None:
    (pretraining,) = stage_jobs(finished, "pretrain")
    spt = next(job for job in stage_jobs(finished, "final") if job.arm == "SPT")
    assert encoder_of(finished, spt) == finished.out / "runs" / pretraining.name
    given = replace(spt, arm="another", encoder="runs/pre")
    assert encoder_of(finished, given) == Path("runs/pre")
    assert encoder_of(finished, replace(spt, encoder="")) is None


def test_settings_are_written_as_toml_with_those_of_windows_that_a_recipe_would_fill_in(
    finished: StudyContext, windows: Path, gene_data: Path
) -> None:
    settings = {"epochs": 0.1, "head": 'a "b"', "tensorboard": False, "encoder": {"channels": [0, 1], "n_layers": 2}}
    job = Job("tune", "a", settings, "", "d")
    of_genes, of_windows = (
        replace(finished, study=finished.study.model_copy(update={"data": data})) for data in (gene_data, windows)
    )
    assert tomllib.loads(toml_of(of_genes, job)) == settings
    plain = {"learning_rate": 1e-3, "average_fraction": 0, "encoder_rate": 1, "composition": False, "pool": "mean"}
    assert tomllib.loads(toml_of(of_windows, job)) == settings | plain
    assert tomllib.loads(toml_of(of_windows, replace(job, kind="pretrain"))) == settings
