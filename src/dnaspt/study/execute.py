"""Runs of a study, side by side in processes of their own: finished ones are skipped, broken-off ones go on.

out/runs/NAME are the runs' folders; records/NAME.json, one small file for each finished run, is all that the tables need.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from dnaspt import __version__
from dnaspt.data.store import Manifest, read_manifest
from dnaspt.errors import ConfigError, DnasptError
from dnaspt.publish import write_text_atomically
from dnaspt.study.plan import PRETRAINED, Arm, Job, StudyConfig, check_settings, finals, pretrainings, tuning
from dnaspt.tasks import TASKS

Record = dict[str, Any]
Stage = Literal["pretrain", "tune", "final"]
STAGES: tuple[Stage, ...] = ("pretrain", "tune", "final")
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Workshop:
    """Where a study's runs are made.

    Attributes:
        study: its settings.
        out: folder of the runs.
        records: folder of their records.
        jobs: runs at a time; they share the processor's cores.
        say: tells a person what happens.
    """

    study: StudyConfig
    out: Path
    records: Path
    jobs: int = 1
    say: Say = field(default=lambda _: None)

    def record_file(self, job: Job) -> Path:
        """Where a run's record is or will be."""
        return self.records / f"{job.name}.json"

    def record(self, job: Job) -> Record | None:
        """The record of a finished run."""
        file = self.record_file(job)
        return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None


def run_study(shop: Workshop) -> list[Record]:
    """Train and score what is missing; the records of all final runs.

    Raises:
        ConfigError: settings that no run has. DatasetError: no dataset. DnasptError: a run failed; what is finished stays.
    """
    check_settings(shop.study)
    _run_all(shop, stage_jobs(shop, "tune"))
    wanted = stage_jobs(shop, "final")
    _run_all(shop, sorted(wanted, key=lambda job: -job.settings["label_fraction"]))
    return [_finished(shop, job) | {"arm": job.arm} for job in wanted]


def run_task(shop: Workshop, stage: Stage, number: int) -> None:
    """One run of a stage, for which all stages before are done.

    Raises:
        ConfigError: settings that no run has, or a stage without that run. DnasptError: it failed.
    """
    check_settings(shop.study)
    jobs = distinct(stage_jobs(shop, stage))
    if not 0 <= number < len(jobs):
        raise ConfigError(f"task {number}: stage {stage} has {len(jobs)} runs, counted from 0")
    if shop.record(jobs[number]) is None:
        _run(shop, jobs[number])


def stage_jobs(shop: Workshop, stage: Stage) -> list[Job]:
    """The runs of a stage; the final ones are known when the rates are chosen.

    Raises:
        DnasptError: they are not chosen yet.
    """
    study, dataset = shop.study, read_manifest(shop.study.data)
    if stage == "pretrain":
        return pretrainings(study, dataset)
    if stage == "tune":
        return [job for arm in study.arms for job in tuning(study, dataset, arm)]
    return [job for arm in study.arms for job in finals(study, dataset, arm, _chosen_rate(shop, dataset, arm))]


def n_jobs(shop: Workshop, stage: Stage) -> int:
    """Distinct runs of a stage, before anything is run."""
    if stage != "final":
        return len(distinct(stage_jobs(shop, stage)))
    study, dataset = shop.study, read_manifest(shop.study.data)
    return len(distinct(job for arm in study.arms for job in finals(study, dataset, arm, study.learning_rates[0])))


def distinct(jobs: Iterable[Job]) -> list[Job]:
    """Equal runs once."""
    return list({job.name: job for job in jobs}.values())


def _chosen_rate(shop: Workshop, dataset: Manifest, arm: Arm) -> float:
    """The learning rate with the best score on valid."""
    jobs = tuning(shop.study, dataset, arm)
    if not jobs:
        return shop.study.learning_rates[0]
    metric = f"valid_{TASKS[dataset.task].metric}"
    scores = [_finished(shop, job)["result"][metric] for job in jobs]
    return shop.study.learning_rates[int(np.argmax(scores))]


def _finished(shop: Workshop, job: Job) -> Record:
    record = shop.record(job)
    if record is None:
        raise DnasptError(f"{shop.record_file(job)}: is not there; run the stages before first")
    return record


def _run_all(shop: Workshop, jobs: Iterable[Job]) -> None:
    """Run the jobs that have no record, after the pretrainings that they begin from; equal jobs run once."""
    missing = distinct(job for job in jobs if shop.record(job) is None)
    needed = {job.encoder for job in missing}
    for stage in ([job for job in stage_jobs(shop, "pretrain") if job.digest in needed], missing):
        with ThreadPoolExecutor(shop.jobs) as pool:
            futures = [pool.submit(_run, shop, job) for job in stage]
            done, _ = wait(futures, return_when=FIRST_EXCEPTION)
            for future in futures:
                future.cancel()
            for future in done:
                future.result()


def _run(shop: Workshop, job: Job) -> None:
    """One run to its end, and its record."""
    folder = shop.out / "runs" / job.name
    if not (folder / "result.json").is_file():
        shop.say(f"{job.name}: {job.arm or 'pretraining'}, seed {job.settings['seed']}")
        _train(shop, job, folder)
    record = {
        **asdict(job),
        "dnaspt_version": __version__,
        "result": json.loads((folder / "result.json").read_text(encoding="utf-8")),
    }
    if job.kind == "final":
        if not (folder / "evaluation-test.json").is_file():
            _dnaspt(shop, job, "evaluate", str(folder), "--data", str(shop.study.data))
        record |= _scores(folder) | {"curve": _curve(shop, folder)}
    shop.records.mkdir(parents=True, exist_ok=True)
    write_text_atomically(shop.record_file(job), json.dumps(record) + "\n")


def _train(shop: Workshop, job: Job, folder: Path) -> None:
    config = shop.out / "configs" / f"{job.name}.toml"
    config.parent.mkdir(parents=True, exist_ok=True)
    write_text_atomically(config, "".join(f"{name} = {_toml(value)}\n" for name, value in job.settings.items()))
    encoder: tuple[str, ...] = ()
    if job.encoder:
        is_ours = any(arm.name == job.arm and arm.init in PRETRAINED for arm in shop.study.arms)
        encoder = ("--encoder", str(shop.out / "runs" / f"pretrain-{job.encoder}") if is_ours else job.encoder)
    command = "pretrain" if job.kind == "pretrain" else "finetune"
    again = ("--resume",) if folder.exists() else ()
    _dnaspt(shop, job, command, str(shop.study.data), "--out", str(folder), "--config", str(config), *encoder, *again)


def _toml(value: Any) -> str:
    """A value as TOML writes it; strings, numbers and lists of them are written as in JSON."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {_toml(part)}" for name, part in value.items()) + " }"
    return json.dumps(value)


def _dnaspt(shop: Workshop, job: Job, *arguments: str) -> None:
    """Run a command in a process of its own, with its share of the cores; its words go into a log.

    Raises:
        DnasptError: it failed.
    """
    log = shop.out / "logs" / f"{job.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    threads = max(1, len(os.sched_getaffinity(0)) // shop.jobs) if hasattr(os, "sched_getaffinity") else 1
    environment = os.environ | ({"OMP_NUM_THREADS": str(threads)} if shop.jobs > 1 else {})
    with log.open("a", encoding="utf-8") as file:
        command = [sys.executable, "-m", "dnaspt", *arguments]
        done = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, env=environment, check=False)
    if done.returncode:
        last = log.read_text(encoding="utf-8").strip().splitlines()[-1:]
        raise DnasptError(
            f"{job.name}: 'dnaspt {arguments[0]}' ended with {done.returncode}: {' '.join(last)} (see {log})"
        )


def _curve(shop: Workshop, folder: Path) -> list[tuple[int, float]]:
    """Steps and scores of the validations."""
    metric = f"valid_{TASKS[read_manifest(shop.study.data).task].metric}"
    rows = map(json.loads, (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines())
    return [(row["step"], row[metric]) for row in rows if metric in row]


def _scores(folder: Path) -> Record:
    """Scores on test, and what resampling reads."""
    test = json.loads((folder / "evaluation-test.json").read_text(encoding="utf-8"))
    for name in ("checkpoint", "data"):
        test.pop(name, None)
    with np.load(folder / "evaluation-test.npz", allow_pickle=False) as arrays:
        counted = {
            name: np.round(array.astype(np.float64), 5).tolist() if array.dtype.kind == "f" else array.tolist()
            for name, array in arrays.items()
        }
    return {"test": test, "counted": counted}
