"""Time (minutes), memory and disk (MB) of a study's runs on this machine, from a few steps and a validation of each kind."""

import contextlib
import math
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dnaspt.config import FinetuneConfig, PretrainConfig, TrainingConfig, build_config
from dnaspt.data.batches import BatchOptions, TrainingBatches
from dnaspt.data.dataset import read_split
from dnaspt.data.manifest import UNLABELED, read_fold_or_whole, read_manifest
from dnaspt.data.segments import without_overlaps
from dnaspt.errors import DatasetError
from dnaspt.studies.plan import Job, pretraining_paths
from dnaspt.studies.settings import PRETRAINED, SCRATCH, StudyConfig
from dnaspt.training import schedule
from dnaspt.training.finetune import VALIDATION_BP as FINETUNE_VALID_BP
from dnaspt.training.finetune import finetune
from dnaspt.training.masked_windows import VALIDATION_BP as PRETRAIN_VALID_BP
from dnaspt.training.pretrain import WINDOW_BP, pretrain

_STEPS = 6
"""Steps that are run to measure one; the first and the last do extra work."""
_ESTIMATED_BP = 200_000
"""Bases of the train split on which a gene model is estimated to measure its time, about."""


@dataclass(slots=True)
class _StepClock:
    """A reporter that keeps when each step was done."""

    times: list[float] = field(default_factory=list)

    def start(self, n_steps: int, step: int) -> None:
        """Begin."""
        self.times = [time.monotonic()]

    def update(self, step: int, row: dict[str, float]) -> None:
        """A step, and what followed it, is done."""
        self.times.append(time.monotonic())

    def note(self, text: str) -> None:
        """A part of a run that has no steps is done."""

    def stop(self) -> None:
        """The run is over."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Time and memory of a kind of runs.

    Attributes:
        step_s: seconds of a training step.
        validation_s: seconds of a validation and a checkpoint.
        peak_mb: memory of the process at its peak; nan where the system does not say. Of a gene model it is that of the part of
            the train split on which it was measured.
        base_s: seconds for each base of train and valid, of a gene model; else 0.
        disk_mb: size of the run folder.
    """

    step_s: float
    validation_s: float
    peak_mb: float
    base_s: float = 0.0
    disk_mb: float = 0.0


_DECISIVE = ("head", "freeze_encoder", "preset", "encoder", "embeddings", "pool", "batch_bp", "accumulate", "precision")
"""Settings that decide the time of a step."""


def cost_key(study: StudyConfig, job: Job) -> tuple[object, ...]:
    """Key of a measured cost: runs with the same key have steps that take equally long."""
    arm = next((arm for arm in study.arms if arm.name == job.arm), None)
    network = study.network_of(arm) if arm else ()
    return (job.kind == "pretrain", network, *(str(job.settings.get(name, "")) for name in _DECISIVE))


def measure(study: StudyConfig, job: Job) -> Cost:
    """Train a few steps with a run's settings, from an encoder of its size; a gene model is estimated on a part of the data.

    Raises:
        KeyboardInterrupt: a signal stopped it.
    """
    if job.is_gene_model:
        return _measure_gene_model(study, job)
    settings = {name: value for name, value in job.settings.items() if name not in ("epochs", "label_fraction")}
    clock = _StepClock()
    with tempfile.TemporaryDirectory() as folder:
        short = {"data": study.data, "fold": job.fold, "tensorboard": False, "steps": _STEPS, "validate_every": _STEPS}
        out = {"out": Path(folder) / "run"}
        if job.kind == "pretrain":
            _forget_peak()
            paths = pretraining_paths(study, job)
            run = pretrain(build_config(PretrainConfig, settings | short | paths.settings() | out), reporter=clock)
        else:
            size = _encoder(study, job, short | {"steps": 1, "out": Path(folder) / "encoder"})
            _forget_peak()
            run = finetune(build_config(FinetuneConfig, settings | size | short | out), reporter=clock)
        disk_mb = _size_mb(out["out"])
    if not run.finished:
        raise KeyboardInterrupt  # training ends cleanly on a signal, and there is nothing to go on with here
    steps = [after - before for before, after in zip(clock.times, clock.times[1:], strict=False)]
    step_s = statistics.median(steps[1:-1])
    return Cost(step_s, max(0.0, steps[-1] - step_s), _peak_mb(), disk_mb=disk_mb)


def _measure_gene_model(study: StudyConfig, job: Job) -> Cost:
    """Estimate a gene model on a part of the train split, or on all of it where that part has too few genes."""
    share = _ESTIMATED_BP / read_manifest(study.data, job.fold).splits["train"].n_bp
    if share < 1:
        with contextlib.suppress(DatasetError):
            return _measure_share(study, job, share)
    return _measure_share(study, job, 1.0)


def _measure_share(study: StudyConfig, job: Job, share: float) -> Cost:
    """Estimate a gene model on a share of the train windows.

    Raises:
        DatasetError: they have too few genes.
    """
    with tempfile.TemporaryDirectory() as folder:
        short = {"data": study.data, "fold": job.fold, "tensorboard": False, "steps": 1}
        size = _encoder(study, job, short | {"out": Path(folder) / "encoder"})
        _forget_peak()
        began, run = time.monotonic(), Path(folder) / "run"
        own = {"data": study.data, "out": run, "label_fraction": share}
        finetune(build_config(FinetuneConfig, job.settings | size | own))
        base_s, disk_mb = (time.monotonic() - began) / _estimated_bp(study, job, share), _size_mb(run)
    return Cost(0.0, 0.0, _peak_mb(), base_s, disk_mb)


def _size_mb(folder: Path) -> float:
    """Size of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def _estimated_bp(study: StudyConfig, job: Job, fraction: float) -> float:
    """Bases of train and valid that a gene model reads that learns from a share of the train windows."""
    splits = read_manifest(study.data, job.fold).splits
    return fraction * splits["train"].n_bp + splits["valid"].n_bp


def _encoder(study: StudyConfig, job: Job, short: dict[str, Any]) -> dict[str, Any]:
    """Settings that give fine-tuning an encoder as large as that of a run's arm; one with layers of its own is made."""
    arm = next(arm for arm in study.arms if arm.name == job.arm)
    if arm.init not in (SCRATCH, *PRETRAINED):
        return {"encoder": Path(arm.init)}
    pretraining = study.pretrain | arm.pretrain
    if arm.init in PRETRAINED and "encoder" in pretraining:
        config = build_config(PretrainConfig, {"encoder": pretraining["encoder"]} | short)
        if not pretrain(config).finished:
            raise KeyboardInterrupt
        return {"encoder": config.out}
    default = PretrainConfig.model_fields["preset"].default
    return {"preset": pretraining.get("preset", default)} if arm.init in PRETRAINED else {}


def _forget_peak() -> None:
    """Begin to count the peak anew, where the system can (Linux)."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii", newline="\n")


def _peak_mb() -> float:
    """Memory of this process at its peak; nan where the system does not say (Windows)."""
    with contextlib.suppress(OSError, IndexError):
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        return float(status.split("VmHWM:")[1].split()[0]) / 1024
    peak_mb = math.nan
    if sys.platform != "win32":
        with contextlib.suppress(ImportError):
            import resource

            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            peak_mb = peak / (1024**2 if sys.platform == "darwin" else 1024)
    return peak_mb


def minutes_of(study: StudyConfig, job: Job, steps: int, cost: Cost) -> float:
    """Training time of a run of so many steps, in minutes; scoring test is not counted. A gene model takes time by base."""
    if job.is_gene_model:
        return _estimated_bp(study, job, job.label_fraction) * cost.base_s / 60
    return (steps * cost.step_s + (steps and _n_validations(study, job, steps)) * cost.validation_s) / 60


def _n_validations(study: StudyConfig, job: Job, steps: int) -> int:
    """Validations of a run of so many steps."""
    is_pretraining = job.kind == "pretrain"
    data = pretraining_paths(study, job).data if is_pretraining else study.data
    manifest = read_fold_or_whole(data, job.fold)
    valid_bp = min(PRETRAIN_VALID_BP if is_pretraining else FINETUNE_VALID_BP, manifest.splits["valid"].n_bp)
    return math.ceil(steps / schedule.validation_interval(_config(study, job), steps, valid_bp))


def _config(study: StudyConfig, job: Job) -> TrainingConfig:
    settings = job.settings | {"data": study.data, "out": Path("run")}
    return build_config(PretrainConfig if job.kind == "pretrain" else FinetuneConfig, settings)


def steps_of(study: StudyConfig, job: Job) -> int:
    """Optimizer steps of a run, about; with fewer labels, epochs are scaled so that the number of bases stays the same.

    A baseline and a gene model have none.
    """
    if job.baseline or job.members or job.is_gene_model:
        return 0
    config = _config(study, job)
    config = config.model_copy(update={"epochs": config.epochs * job.label_fraction})
    options = BatchOptions(batch_bp=config.batch_bp, seed=config.seed)
    names = ["train", UNLABELED] if job.settings.get("unlabeled") else ["train"]
    folders = pretraining_paths(study, job).read if job.kind == "pretrain" else (study.data,)
    views = {folder: read_fold_or_whole(folder, job.fold) for folder in folders}
    window_bp = max(view.window_bp for view in views.values())
    splits = [
        read_split(folder, name, view.fold) for folder, view in views.items() for name in names if name in view.splits
    ]
    if job.kind == "pretrain":
        window_bp = max(window_bp, WINDOW_BP)
        splits = [without_overlaps(split, window_bp) for split in splits]
    return schedule.count_steps(config, TrainingBatches(splits, window_bp, options))
