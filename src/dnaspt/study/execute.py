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
from typing import Any

import numpy as np

from dnaspt import __version__
from dnaspt.data.store import read_manifest
from dnaspt.errors import DnasptError
from dnaspt.publish import write_text_atomically
from dnaspt.study.plan import SPT, Job, StudyConfig, check_settings, finals, pretraining, tuning
from dnaspt.tasks import TASKS

Record = dict[str, Any]
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
    study, manifest = shop.study, read_manifest(shop.study.data)
    metric = f"valid_{TASKS[manifest.task].metric}"
    trials = {arm.name: tuning(study, manifest.digest, arm) for arm in study.arms}
    _run_all(shop, manifest.digest, [job for jobs in trials.values() for job in jobs])
    wanted: list[Job] = []
    for arm in study.arms:
        rate = study.learning_rates[0]
        if trials[arm.name]:
            scores = [_finished(shop, job)["result"][metric] for job in trials[arm.name]]
            rate = study.learning_rates[int(np.argmax(scores))]
            shop.say(f"{arm.name}: learning rate {rate:g} ({metric} {max(scores):.4f})")
        wanted += finals(study, manifest.digest, arm, rate)
    _run_all(shop, manifest.digest, wanted)
    return [_finished(shop, job) | {"arm": job.arm} for job in wanted]


def _finished(shop: Workshop, job: Job) -> Record:
    record = shop.record(job)
    assert record is not None, job.name
    return record


def _run_all(shop: Workshop, data_digest: str, jobs: Iterable[Job]) -> None:
    """Run the jobs that have no record, after the pretrainings that they begin from; equal jobs run once."""
    missing = {job.name: job for job in jobs if shop.record(job) is None}
    needed = {job.encoder for job in missing.values()}
    pretrainings = [pretraining(shop.study, data_digest, seed) for seed in shop.study.seeds]
    for stage in ([job for job in pretrainings if job.digest in needed], list(missing.values())):
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
        is_ours = any(arm.name == job.arm and arm.init == SPT for arm in shop.study.arms)
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
