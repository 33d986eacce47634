"""One run of a study: trained and evaluated by the same commands that a person would give, then put on record."""

import json
import os
import platform
import runpy
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dnaspt import __version__
from dnaspt.data.manifest import read_manifest
from dnaspt.errors import DivergedError, DnasptError
from dnaspt.evaluation.baseline import GENES_FILE
from dnaspt.evaluation.evaluate import LOG
from dnaspt.publish import write_text_atomically
from dnaspt.report.locus import example_genes
from dnaspt.study.plan import PRETRAINED, Job, StudyConfig
from dnaspt.study.workshop import Record, Workshop
from dnaspt.tasks import TASKS

try:
    import fcntl
except ImportError:  # Windows locks nothing
    fcntl = None  # type: ignore[assignment]

N_EXAMPLES = 3
"""Stretches of the test split that a report draws."""

Call = Callable[[Workshop, Job, Sequence[str], int], None]
"""Runs a `dnaspt` command for a run, while a file is locked; its words go into a log."""

_running: set[subprocess.Popen[bytes]] = set()
"""Commands in processes of their own."""


def run_job(shop: Workshop, job: Job, call: Call) -> None:
    """One run to its end, and its record.

    Raises:
        DnasptError: a command failed.
    """
    with _alone(shop, job) as lock:
        has_weights = (shop.out / "runs" / job.name / "result.json").is_file()
        if shop.record(job) is None or (job.kind == "pretrain" and not has_weights):
            _run_alone(shop, job, call, lock)


def _run_alone(shop: Workshop, job: Job, call: Call, lock: int) -> None:
    folder = shop.out / "runs" / job.name
    diverged = ""
    if not (folder / "result.json").is_file():
        shop.say(f"{job.name}: {job.title}")
        try:
            _train(shop, job, folder, call, lock)
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
            call(shop, job, ("evaluate", str(folder), "--data", str(shop.study.data)), lock)
        record |= _scores(folder) | {"curve": _curve(shop, folder), "examples": _examples(shop, folder)}
        record["n_test_evaluations"] = _n_evaluations(folder)
    shop.records.mkdir(parents=True, exist_ok=True)
    write_text_atomically(shop.record_file(job), json.dumps(record) + "\n")


def _train(shop: Workshop, job: Job, folder: Path, call: Call, lock: int) -> None:
    words = training_command(shop.study, job, shop.out)
    if "baseline" in job.settings:
        call(shop, job, (*words, "--overwrite"), lock)
        return
    config = shop.out / "configs" / f"{job.name}.toml"
    config.parent.mkdir(parents=True, exist_ok=True)
    write_text_atomically(config, job.toml())
    call(shop, job, (*words, *["--resume"] * folder.exists()), lock)


def training_command(study: StudyConfig, job: Job, out: Path) -> tuple[str, ...]:
    """Words of `dnaspt` that make a run of a study in OUT; its settings lie in configs/NAME.toml there."""
    folder = out / "runs" / job.name
    if "baseline" in job.settings:
        return job.baseline_command(study.data, folder)
    encoder: tuple[str, ...] = ()
    if job.encoder:
        is_ours = any(arm.name == job.arm and arm.init in PRETRAINED for arm in study.arms)
        place = out / "runs" / f"pretrain-{job.encoder}" if is_ours else Path(job.encoder).resolve()
        encoder = ("--encoder", str(place))
    command = "pretrain" if job.kind == "pretrain" else "finetune"
    config = out / "configs" / f"{job.name}.toml"
    return (command, str(study.data), "--out", str(folder), "--config", str(config), *encoder)


def in_new_process(shop: Workshop, job: Job, arguments: Sequence[str], lock: int) -> None:
    """Run a command in a process of its own, with its share of the cores; it keeps the lock, even where this process is killed.

    Raises:
        DnasptError: it failed.
    """
    environment = os.environ | ({"OMP_NUM_THREADS": str(threads_of(shop))} if shop.jobs > 1 else {})
    with _log(shop, job).open("a", encoding="utf-8") as file:
        command = [sys.executable, "-m", "dnaspt", *arguments]
        fds = (lock,) if fcntl else ()
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, env=environment, pass_fds=fds)
        _running.add(process)
        try:
            code = process.wait()
        except (KeyboardInterrupt, SystemExit):
            stop_running()
            process.wait()
            raise
        finally:
            _running.discard(process)
    _check(shop, job, arguments, code)


def stop_running() -> None:
    """Ask the commands in processes of their own to save and end, where this process is asked to."""
    for process in tuple(_running):
        process.terminate()


def in_this_process(shop: Workshop, job: Job, arguments: Sequence[str], lock: int) -> None:
    """Run a command here, as `python -m dnaspt` does, so that it ends where this process is killed.

    Raises:
        DnasptError: it failed.
    """
    before, code = sys.argv, 0
    sys.argv = ["dnaspt", *arguments]
    with _log(shop, job).open("a", encoding="utf-8") as file:
        try:
            with redirect_stdout(file), redirect_stderr(file):
                runpy.run_module("dnaspt", run_name="__main__")
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        except Exception:
            traceback.print_exc(file=file)
            code = 1
        finally:
            sys.argv = before
    _check(shop, job, arguments, code)


@contextmanager
def _alone(shop: Workshop, job: Job) -> Iterator[int]:
    """Wait until no other process works on a run, and keep others away; gives the locked file."""
    file = shop.out / "locks" / job.name
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as handle:
        if fcntl is not None:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                shop.say(f"{job.name}: another process works on it; waiting for it")
                fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle.fileno()


def threads_of(shop: Workshop) -> int:
    """A run's share of this machine's cores."""
    n_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, n_cores // shop.jobs)


def _log(shop: Workshop, job: Job) -> Path:
    log = shop.out / "logs" / f"{job.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    return log


def _check(shop: Workshop, job: Job, arguments: Sequence[str], code: int) -> None:
    if code:
        log = _log(shop, job)
        last = log.read_text(encoding="utf-8").strip().splitlines()[-1:]
        kind = DivergedError if code == DivergedError.exit_code else DnasptError
        raise kind(f"{job.name}: 'dnaspt {arguments[0]}' ended with {code}: {' '.join(last)} (see {log})")


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
    """Times that test was scored, by the run's own log; baselines, which have none, are scored when they are made."""
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
        counted = {
            name: np.round(array.astype(np.float64), 5).tolist() if array.dtype.kind == "f" else array.tolist()
            for name, array in arrays.items()
        }
    return {"test": test, "counted": counted}
