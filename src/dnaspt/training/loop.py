"""The one training path: steps an optimizer on `model.loss(batch)` until the schedule, a time limit or a signal ends it.

A run is a function of its settings and data: killed at any moment and resumed, it ends with the same bits on the CPU.
"""

import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Protocol, cast

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from dnaspt.checkpoint import CheckpointConfig
from dnaspt.config import TrainingConfig
from dnaspt.data.batches import ArrayBatch, TrainingBatches
from dnaspt.errors import DivergedError
from dnaspt.models.batch import Batch
from dnaspt.training.optim import averaged, learning_rate, set_rate, update_averages
from dnaspt.training.runs import Run, load_optimizer
from dnaspt.training.signals import StopSignals
from dnaspt.training.stream import Stream

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands; written beside every checkpoint.

    step: optimizer steps done. epoch, cursor: next batch. best, best_step, best_scores: best validation so far, and all its
    scores. n_bad: validations since. n_bp: bases seen. seconds: time spent, over all sittings.
    """

    step: int = 0
    epoch: int = 0
    cursor: int = 0
    best: float = -math.inf
    best_step: int = 0
    best_scores: dict[str, float] = field(default_factory=dict)
    n_bad: int = 0
    n_bp: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class FitResult:
    """finished: the schedule or early stopping ended it. stopped_by: "", "time" or a signal's name. rank: of this process."""

    progress: Progress
    finished: bool
    stopped_by: str
    rank: int = 0


class Reporter(Protocol):
    """What shows progress to a person."""

    def start(self, n_steps: int, step: int) -> None:
        """A run of n_steps begins (or goes on) at step."""

    def update(self, step: int, row: dict[str, float]) -> None:
        """A step was done; row holds the newest numbers."""

    def stop(self) -> None:
        """The run is over."""


class SilentReporter:
    """Shows nothing."""

    def start(self, n_steps: int, step: int) -> None:
        """Nothing."""

    def update(self, step: int, row: dict[str, float]) -> None:
        """Nothing."""

    def stop(self) -> None:
        """Nothing."""


@dataclass(frozen=True, slots=True)
class Fit:
    """What `fit` works on.

    score: the primary validation metric, higher is better; validate returns it under that name beside others.
    valid_bp: bases that a validation reads.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    batches: TrainingBatches
    validate: Callable[[nn.Module], dict[str, float]]
    score: str
    valid_bp: int
    checkpoint: CheckpointConfig
    config: TrainingConfig
    run: Run
    reporter: Reporter


def to_tensors(batch: ArrayBatch, device: torch.device) -> Batch:
    """Arrays to tensors on a device."""

    def move(array: Any) -> Tensor:
        return torch.from_numpy(array).to(device, non_blocking=True)

    weights = None if batch.weights is None else move(batch.weights)
    return Batch(move(batch.tokens), move(batch.lengths), move(batch.labels), weights)


def steps_of(config: TrainingConfig, batches: TrainingBatches) -> int:
    """Optimizer steps of a run: `steps`, or as many as `epochs` passes over the batches take."""
    return config.steps or max(1, math.ceil(config.epochs * len(batches.plan(0)) / config.accumulate))


def validation_interval(config: TrainingConfig, n_steps: int, valid_bp: int) -> int:
    """Steps between validations: `validate_every`, or a twentieth of the run.

    Where a validation reads more bases than are trained on in between, as many steps as read them, up to a quarter of the run.
    """
    steps_of_valid = math.ceil(valid_bp / (config.batch_bp * config.accumulate))
    return config.validate_every or max(1, n_steps // 20, min(steps_of_valid, n_steps // 4))


def fit(job: Fit, fabric: Fabric) -> FitResult:
    """Train to the end of the schedule, or until time, patience or a signal stops it; see `Fit`.

    Raises:
        CheckpointError: what is to be resumed was trained on other data or from another encoder.
        DivergedError: the loss is not finite.
    """
    last = job.run.find_last(job.checkpoint)
    if last:
        job.model.load_state_dict(last.weights)
    model, optimizer = fabric.setup(job.model, job.optimizer)
    model.mark_forward_method("loss")
    if last:
        load_optimizer(job.model, job.optimizer, last.optimizer)  # after setup, which has moved the parameters
    progress = Progress(**last.progress) if last else Progress()
    if fabric.is_global_zero:
        job.run.open()
        job.run.cut_metrics(progress.step)
    n_steps = steps_of(job.config, job.batches)
    reporter = job.reporter if fabric.is_global_zero else SilentReporter()
    reporter.start(n_steps, progress.step)
    writer = _tensorboard(job, fabric)
    try:
        with StopSignals() as signals, _stream(job, progress) as stream:
            return _loop(_Sitting(job, fabric, model, optimizer, n_steps, signals, writer, reporter), stream, progress)
    finally:
        reporter.stop()
        if writer is not None:
            writer.close()


def _stream(job: Fit, progress: Progress) -> Stream:
    return Stream(job.batches, progress.epoch, progress.cursor, job.config.accumulate)


@dataclass(frozen=True, slots=True)
class _Sitting:
    """One stretch of a run without interruption: the job, and what Fabric made of its model and optimizer."""

    job: Fit
    fabric: Fabric
    model: Any
    optimizer: Any
    n_steps: int
    signals: StopSignals
    writer: Any
    reporter: Reporter


def _loop(sitting: _Sitting, stream: Stream, progress: Progress) -> FitResult:
    config, n_steps = sitting.job.config, sitting.n_steps
    began, before = time.monotonic(), progress
    row: dict[str, float] = {}
    stopped_by = ""
    while progress.step < n_steps and not stopped_by and not _out_of_patience(config, progress):
        micro = stream.take()
        loss, norm = _step(sitting, [batch for _, _, batch in micro], progress.step)
        epoch, cursor, _ = micro[-1]
        sitting_s = time.monotonic() - began
        progress = replace(
            progress,
            step=progress.step + 1,
            epoch=epoch,
            cursor=cursor + 1,
            n_bp=progress.n_bp + sum(batch.n_bp for _, _, batch in micro),
            seconds=before.seconds + sitting_s,
        )
        row |= {"loss": loss, "grad_norm": norm, "rate": learning_rate(progress.step - 1, n_steps, config)}
        row["bp_per_s"] = (progress.n_bp - before.n_bp) / max(sitting_s, 1e-9)
        stopped_by = _stop_reason(sitting, sitting_s)
        progress = _end_of_step(sitting, progress, row, stopping=bool(stopped_by))
        sitting.reporter.update(progress.step, row)
    finished = progress.step >= n_steps or _out_of_patience(config, progress)
    return FitResult(progress, finished, "" if finished else stopped_by, sitting.fabric.global_rank)


def _out_of_patience(config: TrainingConfig, progress: Progress) -> bool:
    return bool(config.patience) and progress.n_bad >= config.patience


def _end_of_step(sitting: _Sitting, progress: Progress, row: dict[str, float], *, stopping: bool) -> Progress:
    """Validate, log and save where it is time to; a row is logged before the checkpoint of its step appears."""
    config, step = sitting.job.config, progress.step
    logged = {name: row[name] for name in ("loss", "grad_norm", "rate")}
    interval = validation_interval(config, sitting.n_steps, sitting.job.valid_bp)
    validates = step % interval == 0 or step == sitting.n_steps
    if validates:
        progress, scores = _validate(sitting, progress)
        row |= scores
        logged |= {"seconds": progress.seconds, "n_bp": progress.n_bp} | scores
    if validates or step % 10 == 0:
        _log(sitting, progress, logged)
    if validates or stopping or (config.save_every and step % config.save_every == 0):
        _save(sitting, progress)
    return progress


def _step(sitting: _Sitting, micro: list[ArrayBatch], step: int) -> tuple[float, float]:
    """One optimizer step on one or several batches; returns the mean loss in nats per scored item and the gradient norm."""
    fabric, model, optimizer = sitting.fabric, sitting.model, sitting.optimizer
    model.train()
    rank, world = fabric.global_rank, fabric.world_size
    n_bp = sum(batch.n_bp for batch in micro)
    totals = torch.zeros(2, device=fabric.device, dtype=torch.float64)
    for index, batch in enumerate(micro):
        with fabric.no_backward_sync(model, enabled=index < len(micro) - 1):
            # Dropout is a function of (seed, step, batch): a resumed run drops the same. Autocast, because Fabric lowers the
            # precision of `forward` alone where it does not wrap the model.
            seed = hash((sitting.job.config.seed, step, index, rank)) & 0xFFFFFFFF
            with _random(fabric.device, seed), fabric.autocast():
                loss = model.loss(to_tensors(batch.share(rank, world), fabric.device))
            # DDP averages gradients over processes; the count of scored items is only known when all have been seen.
            fabric.backward(loss.total * (world / n_bp))
        totals += torch.stack([loss.total.detach().double(), loss.n_scored.double()])
    if world > 1:
        totals = cast(Tensor, fabric.all_reduce(totals, reduce_op="sum"))
    total, count = totals.tolist()
    if not math.isfinite(total):
        raise DivergedError(f"step {step}: the loss is {total}; try a lower learning rate, or --precision 32")
    if count:
        for parameter in model.parameters():
            if parameter.grad is not None:
                parameter.grad.mul_(n_bp / count)
    norm = fabric.clip_gradients(model, optimizer, max_norm=sitting.job.config.clip_norm, error_if_nonfinite=False)
    set_rate(optimizer, learning_rate(step, sitting.n_steps, sitting.job.config))
    if count:
        optimizer.step()
        if fraction := sitting.job.config.average_fraction:
            update_averages(sitting.job.optimizer, step, sitting.n_steps, fraction)
    optimizer.zero_grad(set_to_none=True)
    return total / max(count, 1.0), float(cast(Tensor, norm))


@contextmanager
def _random(device: torch.device, seed: int) -> Iterator[None]:
    """Torch's generators from a seed on, and as they were afterwards."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


def _validate(sitting: _Sitting, progress: Progress) -> tuple[Progress, dict[str, float]]:
    """Score the valid split on rank 0 and keep the weights, averaged where that is asked for, if they are the best so far."""
    with averaged(sitting.job.optimizer):
        return _validate_now(sitting, progress)


def _validate_now(sitting: _Sitting, progress: Progress) -> tuple[Progress, dict[str, float]]:
    job, fabric = sitting.job, sitting.fabric
    scores: dict[str, float] = {}
    if fabric.is_global_zero:
        job.model.eval()
        with torch.no_grad(), fabric.autocast():
            scores = job.validate(job.model)
    scores = fabric.broadcast(scores)
    score = scores[job.score]
    if not score >= progress.best:
        return replace(progress, n_bad=progress.n_bad + 1), scores
    # Of equal scores the later weights are kept; patience counts them as no gain.
    n_bad = 0 if score > progress.best else progress.n_bad + 1
    progress = replace(progress, best=score, best_step=progress.step, best_scores=scores, n_bad=n_bad)
    if fabric.is_global_zero:
        job.run.save_best(job.model, _described(job, progress), progress.step)
    return progress, scores


def _described(job: Fit, progress: Progress) -> CheckpointConfig:
    """The description of a checkpoint of this moment."""
    moment = {"step": progress.step, "n_bp": progress.n_bp, "best_step": progress.best_step, **progress.best_scores}
    return job.checkpoint.model_copy(update={"provenance": job.checkpoint.provenance | moment})


def _save(sitting: _Sitting, progress: Progress) -> None:
    job = sitting.job
    if sitting.fabric.is_global_zero:
        job.run.save_last(job.model, _described(job, progress), job.optimizer, asdict(progress))
    sitting.fabric.barrier()


def _log(sitting: _Sitting, progress: Progress, row: dict[str, float]) -> None:
    if not sitting.fabric.is_global_zero:
        return
    sitting.job.run.log_metrics({"step": progress.step, "epoch": progress.epoch} | row)
    if sitting.writer is not None:
        for name, value in row.items():
            sitting.writer.add_scalar(name, value, progress.step)


def _tensorboard(job: Fit, fabric: Fabric) -> Any:
    if not job.config.tensorboard or not fabric.is_global_zero:
        return None
    from torch.utils.tensorboard import SummaryWriter  # takes a second to import

    return SummaryWriter(str(job.run.out / "tensorboard"))


def _stop_reason(sitting: _Sitting, seconds: float) -> str:
    """Why to stop now, agreed between processes: "", "time" or a signal's name."""
    limit_s = sitting.job.config.max_minutes * 60
    reason = sitting.signals.received or ("time" if limit_s and seconds > limit_s else "")
    if sitting.fabric.world_size > 1:
        asked = torch.tensor(float(bool(reason)), device=sitting.fabric.device)
        reasons = cast(Tensor, sitting.fabric.all_gather(asked))
        reason = reason or ("another process" if bool(reasons.any()) else "")
    return reason
