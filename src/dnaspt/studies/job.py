"""One run of a study: trained and scored by the functions that a person would call, then put on record."""

import platform
import shutil
from dataclasses import replace
from pathlib import Path

import tomli_w
import torch

from dnaspt import __version__
from dnaspt.atomic import atomic_folder, write_text_atomically
from dnaspt.baselines.results import read_result as read_baseline
from dnaspt.config import EnsembleConfig, FinetuneConfig, PretrainConfig, build_config
from dnaspt.data.manifest import Manifest, read_manifest
from dnaspt.errors import DivergedError
from dnaspt.evaluation.loci import example_coding, example_genes
from dnaspt.evaluation.results import GENES_FILE, LOG, count_evaluations, read_counts, read_evaluation
from dnaspt.studies.context import StudyContext
from dnaspt.studies.launch import Launch, Locks, exclusive
from dnaspt.studies.plan import Job, pretraining_paths
from dnaspt.studies.records import NO_RESULT, Record, kept_counts, result_of_baseline, write_record
from dnaspt.studies.settings import PRETRAINED
from dnaspt.studies.worker import Baseline, Ensemble, Evaluate, Finetune, Instruction, Pretrain
from dnaspt.tasks import TASKS
from dnaspt.training.recipe import recipe_settings
from dnaspt.training.runs import RESULT, SETTINGS, read_metrics, read_result

_N_EXAMPLES = 3
"""Stretches of the test split that a report draws."""


def run_job(context: StudyContext, job: Job, launch: Launch) -> None:
    """Make one run to its end, and its record; nothing where the record is there.

    Args:
        context: where the run is made.
        job: the run.
        launch: has a worker do one thing for the run: `launch.in_new_process` or `in_this_process`.

    Raises:
        DnasptError: a worker failed.
    """
    with exclusive(context, job) as locks:
        is_needed = job.kind == "pretrain" or job.name in context.needs_weights
        if context.record(job) is None or (is_needed and not context.has_weights(job)):
            _run_locked(context, job, launch, locks)


def _run_locked(context: StudyContext, job: Job, launch: Launch, locks: Locks) -> None:
    folder = context.run_folder(job)
    diverged = ""
    if job.kind == "final":
        _take_over_trial(context, job)
    if not context.has_weights(job):
        context.say(f"{job.name}: {job.title}")
        instruction = _instruction(context, job)
        if not job.baseline and not job.members:
            write_config(context, job)
        try:
            launch(context, job, instruction, locks)
        except DivergedError as error:
            if job.kind != "tune":
                raise
            diverged = str(error)  # a rate to avoid, which is what was to be found out
    if job.kind == "final" and not (folder / "evaluation-test.json").is_file():
        launch(context, job, _evaluation(context, job), locks)
    write_record(context.records_of(job), _record_of(context, job, diverged))


def _take_over_trial(context: StudyContext, job: Job) -> None:
    """Begin with the finished trial that had the same settings, where there is one: rates tried at the whole budget."""
    folder, trial = context.run_folder(job), context.run_folder(job.as_kind("tune"))
    if not folder.exists() and (trial / RESULT).is_file():
        with atomic_folder(folder) as copy:
            shutil.copytree(trial, copy, dirs_exist_ok=True)


def _instruction(context: StudyContext, job: Job) -> Instruction:
    """The instruction of a run for its worker; an interrupted run is resumed."""
    study, folder = context.study, context.run_folder(job)
    if job.baseline:
        model, _, species = job.baseline.partition(":")
        out = {"data": study.data, "out": folder} | ({"fold": job.fold} if job.fold else {})
        return Baseline(action="baseline", model="" if species else model, species=species, **out)
    if job.members:
        runs = tuple(context.out / "runs" / name for name in job.members)
        accelerator = study.finetune.get("accelerator", "auto")
        config = EnsembleConfig(
            data=study.data,
            out=folder,
            runs=runs,
            composition=job.settings.get("composition", False),
            fold=job.fold,
            accelerator=accelerator,
        )
        return Ensemble(action="ensemble", config=config)
    resume = (folder / SETTINGS).is_file()
    if job.kind == "pretrain":
        settings = job.settings | pretraining_paths(study, job).settings() | {"out": folder}
        return Pretrain(action="pretrain", config=build_config(PretrainConfig, settings), resume=resume)
    settings = job.settings | {"data": study.data, "out": folder}
    if encoder := encoder_of(context, job):
        settings["encoder"] = encoder
    return Finetune(action="finetune", config=build_config(FinetuneConfig, settings), resume=resume)


def _evaluation(context: StudyContext, job: Job) -> Evaluate:
    """The instruction that scores a finished run."""
    fold = {"fold": job.fold} if job.fold else {}
    return Evaluate(action="evaluate", run=context.run_folder(job), data=context.study.data, **fold)


def encoder_of(context: StudyContext, job: Job) -> Path | None:
    """Path of the encoder that a run begins from: a pretraining of the study, or a given checkpoint."""
    if not job.encoder:
        return None
    is_ours = any(arm.name == job.arm and arm.init in PRETRAINED for arm in context.study.arms)
    home = context.pretrained.out if context.pretrained else context.out
    return home / "runs" / f"pretrain-{job.encoder}" if is_ours else Path(job.encoder)


def toml_of(context: StudyContext, job: Job) -> str:
    """Settings of a run as the file that `--config` takes; those that a recipe would fill in are always said."""
    names = () if job.kind == "pretrain" else recipe_settings(read_manifest(context.study.data).task)
    return tomli_w.dumps({name: FinetuneConfig.model_fields[name].default for name in names} | job.settings)


def write_config(context: StudyContext, job: Job) -> None:
    """Write the settings of a run for a person who makes it again by hand; the report names the command."""
    file = context.config_file(job)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_text_atomically(file, toml_of(context, job))


def _record_of(context: StudyContext, job: Job, diverged: str) -> Record:
    """The record of a finished run, or of a trial that diverged."""
    folder = context.run_folder(job)
    baseline = read_baseline(folder) if job.baseline else None
    record = Record(
        job,
        NO_RESULT if diverged else result_of_baseline(baseline) if baseline else read_result(folder),
        diverged=diverged,
        baseline=baseline,
        dnaspt_version=__version__,
        versions={"torch": torch.__version__, "Python": platform.python_version()},
    )
    if job.kind != "final":
        return record
    dataset = read_manifest(context.study.data)
    has_examples = dataset.per_base and ((folder / "best").is_dir() or (folder / GENES_FILE).is_file())
    stretches = (context.study.data, folder, _N_EXAMPLES, job.fold)
    return replace(
        record,
        test=replace(read_evaluation(folder / "evaluation-test.json"), data="", checkpoint=""),
        counts=kept_counts(job, read_counts(folder / "evaluation-test.npz")),
        curve=() if job.is_gene_model or job.members else _curve(folder, dataset),
        examples=tuple(map(tuple, example_genes(*stretches))) if has_examples else (),
        examples_coding=tuple(example_coding(*stretches)) if has_examples else (),
        examples_as_predicted=dataset.per_base,
        n_test_evaluations=_n_test_evaluations(folder),
    )


def _curve(folder: Path, dataset: Manifest) -> tuple[tuple[int, float], ...]:
    """Steps and primary scores of the validations."""
    metric = f"valid_{TASKS[dataset.task].metric}"
    return tuple((row["step"], row[metric]) for row in read_metrics(folder) if metric in row)


def _n_test_evaluations(folder: Path) -> int:
    """How often test was scored, by the run's own log; once for baselines of older versions, which kept none."""
    return count_evaluations(folder) if (folder / LOG).is_file() else 1
