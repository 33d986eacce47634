"""One run of a study: trained and evaluated by the same commands that a person would give, then put on record."""

import json
import platform
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dnaspt import __version__
from dnaspt.atomic import publish_folder, write_text_atomically
from dnaspt.data.manifest import read_manifest
from dnaspt.errors import DivergedError
from dnaspt.evaluation.loci import example_genes
from dnaspt.evaluation.results import GENES_FILE, LOG
from dnaspt.studies.context import Record, Workshop
from dnaspt.studies.plan import Job
from dnaspt.studies.settings import PRETRAINED, StudyConfig
from dnaspt.studies.worker import Locks, alone
from dnaspt.tasks import TASKS

N_EXAMPLES = 3
"""Stretches of the test split that a report draws."""

Call = Callable[[Workshop, Job, Sequence[str], Locks], None]
"""Runs a `dnaspt` command for a run, while files are locked; its words go into a log."""


def run_job(shop: Workshop, job: Job, call: Call) -> None:
    """One run to its end, and its record.

    Raises:
        DnasptError: a command failed.
    """
    with alone(shop, job) as locks:
        if shop.record(job) is None or (job.kind == "pretrain" and not shop.has_weights(job)):
            _run_alone(shop, job, call, locks)


def _run_alone(shop: Workshop, job: Job, call: Call, locks: Locks) -> None:
    folder = shop.out / "runs" / job.name
    diverged = ""
    if job.kind == "final":
        _take_over_trial(shop, job, folder)
    if not shop.has_weights(job):
        shop.say(f"{job.name}: {job.title}")
        try:
            _train(shop, job, folder, call, locks)
        except DivergedError as error:
            if job.kind != "tune":
                raise
            diverged = str(error)  # a rate to avoid, which is what was to be found out
    record = {
        **asdict(job),
        "dnaspt_version": __version__,
        "versions": {"torch": torch.__version__, "Python": platform.python_version()},
        "result": {"diverged": diverged}
        if diverged
        else json.loads((folder / "result.json").read_text(encoding="utf-8")),
    }
    if job.kind == "final":
        if not (folder / "evaluation-test.json").is_file():
            call(shop, job, ("evaluate", str(folder), "--data", str(shop.study.data)), locks)
        record |= _scores(folder) | {"curve": _curve(shop, folder), "examples": _examples(shop, folder)}
        record["n_test_evaluations"] = _n_evaluations(folder)
    shop.records.mkdir(parents=True, exist_ok=True)
    write_text_atomically(shop.record_file(job), json.dumps(record) + "\n")


def _take_over_trial(shop: Workshop, job: Job, folder: Path) -> None:
    """Begin with the finished trial that had the same settings, where there is one: rates tried at the whole budget."""
    trial = shop.out / "runs" / job.as_kind("tune").name
    if not folder.exists() and (trial / "result.json").is_file():
        with publish_folder(folder) as copy:
            shutil.copytree(trial, copy, dirs_exist_ok=True)


def _train(shop: Workshop, job: Job, folder: Path, call: Call, locks: Locks) -> None:
    words = training_command(shop.study, job, shop.out)
    if "baseline" in job.settings:
        call(shop, job, (*words, "--overwrite"), locks)
        return
    config = shop.out / "configs" / f"{job.name}.toml"
    config.parent.mkdir(parents=True, exist_ok=True)
    write_text_atomically(config, job.toml())
    call(shop, job, (*words, *["--resume"] * folder.exists()), locks)


def training_command(study: StudyConfig, job: Job, out: Path) -> tuple[str, ...]:
    """Words of `dnaspt` that make a run of a study in OUT; its settings lie in configs/NAME.toml there."""
    folder = out / "runs" / job.name
    if "baseline" in job.settings:
        return job.baseline_command(study.data, folder)
    encoder: tuple[str, ...] = ()
    if job.encoder:
        is_ours = any(arm.name == job.arm and arm.init in PRETRAINED for arm in study.arms)
        place = out / "runs" / f"pretrain-{job.encoder}" if is_ours else Path(job.encoder)
        encoder = ("--encoder", place.as_posix())
    command = "pretrain" if job.kind == "pretrain" else "finetune"
    config = out / "configs" / f"{job.name}.toml"
    return (command, study.data.as_posix(), "--out", folder.as_posix(), "--config", config.as_posix(), *encoder)


def _curve(shop: Workshop, folder: Path) -> list[tuple[int, float]]:
    """Steps and scores of the validations."""
    metric = f"valid_{TASKS[read_manifest(shop.study.data).task].metric}"
    if not (folder / "metrics.jsonl").is_file():
        return []
    rows = map(json.loads, (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines())
    return [(row["step"], row[metric]) for row in rows if metric in row]


def _examples(shop: Workshop, folder: Path) -> list[list[dict[str, Any]]]:
    """Genes predicted on a few stretches of the test split, to draw; none for windows."""
    has_genes = (folder / "best").is_dir() or (folder / GENES_FILE).is_file()
    if not TASKS[read_manifest(shop.study.data).task].per_base or not has_genes:
        return []
    found = example_genes(shop.study.data, folder, N_EXAMPLES)
    return [[{"chrom": gene.chrom, "strand": gene.strand, "cds": gene.cds} for gene in genes] for genes in found]


def _n_evaluations(folder: Path) -> int:
    """Times that test was scored, by the run's own log; baselines made by older versions, which kept none, were scored once."""
    if not (folder / LOG).is_file():
        return 1
    rows = map(json.loads, (folder / LOG).read_text(encoding="utf-8").splitlines())
    return sum(row["split"] == "test" for row in rows)


def _scores(folder: Path) -> Record:
    """Scores on test, and what resampling reads."""
    test = json.loads((folder / "evaluation-test.json").read_text(encoding="utf-8"))
    for name in ("checkpoint", "data"):
        test.pop(name, None)
    with np.load(folder / "evaluation-test.npz", allow_pickle=False) as arrays:
        return {"test": test, "counted": {name: _numbers(array) for name, array in arrays.items()}}


def _numbers(array: np.ndarray) -> list[Any]:
    """Numbers as JSON writes them shortly: to five decimals, whole ones without any."""
    rounded = np.round(array.astype(np.float64), 5)
    is_whole = bool(np.isfinite(rounded).all() and (rounded == np.round(rounded)).all())
    return list((array.astype(np.int64) if is_whole else rounded).tolist())
