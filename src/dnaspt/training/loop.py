"""The one training loop: it steps an optimizer on `model.loss(batch)` until the schedule, a time limit or a signal ends it.

A run is a function of its settings and data: killed at any moment and resumed, it ends with the same bits on the CPU.
"""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol, cast

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from dnaspt.checkpoint_config import CheckpointConfig
from dnaspt.config import TrainingConfig
from dnaspt.data.batches import ArrayBatch, TrainingBatches
from dnaspt.errors import BusyError, ConfigError, DivergedError, DnasptError, NotFiniteError
from dnaspt.models.batch import Batch
from dnaspt.models.devices import widest_float
from dnaspt.training.optim import averaged, set_rate, update_averages
from dnaspt.training.run_checkpoints import (
    OPTIMIZER,
    load_last,
    load_optimizer,
    load_weights,
    save_best,
    save_last,
)
from dnaspt.training.run_folder import RunFolder
from dnaspt.training.runs import Progress
from dnaspt.training.schedule import count_steps, learning_rate, validation_interval
from dnaspt.training.signals import StopSignals
from dnaspt.training.stream import Stream

LESS_MEMORY = "lower batch_bp (and raise accumulate), or take a smaller preset"
"""What to do where training does not fit into memory."""
_LOG_EVERY = 10
"""Steps between rows of metrics.jsonl; validations are always logged."""


class Reporter(Protocol):
    """Shows a person the progress of a run."""

    def start(self, n_steps: int, step: int) -> None:
        """A run of n_steps begins (or goes on) at step."""

    def update(self, step: int, row: dict[str, float]) -> None:
        """A step is done; row holds the newest numbers by name."""

    def note(self, text: str) -> None:
        """A part of a run that has no steps is done."""

    def stop(self) -> None:
        """The run is over."""


class SilentReporter:
    """Shows nothing."""

    def start(self, n_steps: int, step: int) -> None:
        """Nothing."""

    def update(self, step: int, row: dict[str, float]) -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""

    def stop(self) -> None:
        """Nothing."""


@dataclass(frozen=True, slots=True)
class Training:
    """What `fit` trains, on what, and where it writes.

    Attributes:
        model: has a method `loss(batch)`.
        optimizer: of the model's parameters.
        batches: the training data.
        validate: scores the model on valid; scores by name.
        score: name of the primary one among these scores, higher is better.
        valid_bp: bases that a validation reads.
        checkpoint: description of the model.
        config: settings.
        folder: run folder.
        reporter: shows the progress.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    batches: TrainingBatches
    validate: Callable[[], dict[str, float]]
    score: str
    valid_bp: int
    checkpoint: CheckpointConfig
    config: TrainingConfig
    folder: RunFolder
    reporter: Reporter


@dataclass(frozen=True, slots=True)
class FitResult:
    """How a session of training ended.

    Attributes:
        progress: where the run stands.
        finished: whether the schedule or early stopping ended it.
        stopped_by: "" where it is finished, else "time" or the name of a signal.
    """

    progress: Progress
    finished: bool
    stopped_by: str


def to_tensors(batch: ArrayBatch, device: torch.device) -> Batch:
    """Move the arrays of a batch to a device."""

    def move(array: Any) -> Tensor:
        return torch.from_numpy(array).to(device, non_blocking=device.type == "cuda")

    weights = None if batch.weights is None else move(batch.weights)
    return Batch(move(batch.tokens), move(batch.lengths), move(batch.labels), weights)


def fit(training: Training, fabric: Fabric) -> FitResult:
    """Train to the end of the schedule, or until time, patience or a signal stops it.

    Raises:
        BusyError: another process writes the run.
        CheckpointError: the run that is to be resumed was trained on other data or from another encoder, or is damaged.
        ConfigError: a finished run is to be extended to a length that it has.
        DivergedError: the loss is not finite.
    """
    _claim(training.folder, fabric)
    last = load_last(training.folder, training.checkpoint)
    if last:
        load_weights(training.model, last)
    model, optimizer = fabric.setup(training.model, training.optimizer)
    model.mark_forward_method("loss")
    if last:
        file = last.checkpoint / OPTIMIZER
        load_optimizer(
            training.model, training.optimizer, last.optimizer, file
        )  # after setup, which moved the parameters
    progress = last.progress if last else Progress()
    n_steps = count_steps(training.config, training.batches)
    is_finished = _is_finished(training.config, progress, n_steps)
    if training.folder.extends and is_finished:
        raise _not_longer(training, progress, n_steps)
    if fabric.is_global_zero:
        training.folder.begin(progress.step, is_finished=is_finished)
    reporter = training.reporter if fabric.is_global_zero else SilentReporter()
    reporter.start(n_steps, progress.step)
    writer = _tensorboard(training, fabric)
    try:
        with (
            StopSignals() as signals,
            Stream(training.batches, progress.epoch, progress.cursor, training.config.accumulate) as stream,
        ):
            session = _Session(training, fabric, model, optimizer, n_steps, signals, writer, reporter)
            return session.run(stream, progress)
    finally:
        reporter.stop()
        if writer is not None:
            writer.close()


def _claim(folder: RunFolder, fabric: Fabric) -> None:
    """Claim the run for the process of rank 0, on behalf of all that train together.

    Raises:
        BusyError: another process writes it, or has changed it; in all of them, so that none waits for the others.
    """
    fault = ""
    if fabric.is_global_zero:
        try:
            folder.claim()
        except DnasptError as error:
            fault = str(error)
    if fault := fabric.broadcast(fault):
        raise BusyError(fault)


def _is_finished(config: TrainingConfig, progress: Progress, n_steps: int) -> bool:
    """Whether all steps are done, or patience is exhausted."""
    return progress.step >= n_steps or bool(config.patience and progress.n_bad >= config.patience)


def _not_longer(training: Training, progress: Progress, n_steps: int) -> ConfigError:
    """The error of a finished run that is to be extended, and has nothing left to do."""
    path, patience = training.folder.path, training.config.patience
    if progress.step >= n_steps:
        asked = f"has {progress.step} steps already, and {n_steps} were asked for"
        return ConfigError(f"{path}: {asked}; give more --epochs or --steps to extend it")
    ended = f"had {progress.n_bad} validations without a new best, and patience is {patience}"
    return ConfigError(f"{path}: {ended}; give a larger --patience, or 0, to extend it")


def _tensorboard(training: Training, fabric: Fabric) -> Any:
    """A writer of TensorBoard's files, or None."""
    if not training.config.tensorboard or not fabric.is_global_zero:
        return None
    from torch.utils.tensorboard import SummaryWriter  # takes a second to import

    return SummaryWriter(str(training.folder.path / "tensorboard"))


@dataclass(frozen=True, slots=True)
class _Session:
    """One session of a run, from its start or resume to its end or stop.

    Attributes:
        training: what is trained; its model and optimizer hold the plain parameters.
        fabric: devices and processes.
        model: the model as Fabric runs it.
        optimizer: the optimizer as Fabric runs it.
        n_steps: optimizer steps of the whole run.
        signals: signals that ask to stop.
        writer: TensorBoard's, or None.
        reporter: shows the progress.
    """

    training: Training
    fabric: Fabric
    model: Any
    optimizer: Any
    n_steps: int
    signals: StopSignals
    writer: Any
    reporter: Reporter

    def run(self, stream: Stream, progress: Progress) -> FitResult:
        """Step until the run is finished or something stops it."""
        began, before = time.monotonic(), progress
        row: dict[str, float] = {}
        stopped_by = ""
        while not self._is_finished(progress) and not stopped_by:
            batches = stream.take()
            loss, norm = self._step([numbered.batch for numbered in batches], progress.step)
            session_s = time.monotonic() - began
            progress = replace(
                progress,
                step=progress.step + 1,
                epoch=batches[-1].epoch,
                cursor=batches[-1].number + 1,
                n_bp=progress.n_bp + sum(numbered.batch.n_bp for numbered in batches),
                seconds=before.seconds + session_s,
            )
            rate = learning_rate(progress.step - 1, self.n_steps, self.training.config)
            row |= {"loss": loss, "grad_norm": norm, "rate": rate}
            row["bp_per_s"] = (progress.n_bp - before.n_bp) / max(session_s, 1e-9)
            stopped_by = self._stop_reason(session_s)
            progress = self._end_step(progress, row, stopping=bool(stopped_by))
            self.reporter.update(progress.step, row)
        finished = self._is_finished(progress)
        return FitResult(progress, finished, "" if finished else stopped_by)

    def _is_finished(self, progress: Progress) -> bool:
        return _is_finished(self.training.config, progress, self.n_steps)

    def _step(self, batches: list[ArrayBatch], step: int) -> tuple[float, float]:
        """One optimizer step on one or more batches.

        Returns:
            The mean loss in nats per scored item (base or label), and the norm of the gradient.
        """
        fabric, model, optimizer, config = self.fabric, self.model, self.optimizer, self.training.config
        model.train()
        rank, world = fabric.global_rank, fabric.world_size
        n_bp = sum(batch.n_bp for batch in batches)
        totals = torch.zeros(2, device=fabric.device, dtype=widest_float(fabric.device))
        for index, batch in enumerate(batches):
            with fabric.no_backward_sync(model, enabled=index < len(batches) - 1):
                # Dropout is a function of (seed, step, batch): a resumed run drops the same. Autocast, because Fabric
                # lowers the precision of `forward` alone where it does not wrap the model.
                seed = hash((config.seed, step, index, rank)) & 0xFFFFFFFF
                with _seeded(fabric.device, seed), fabric.autocast(), _diverging_at(step):
                    loss = model.loss(to_tensors(batch.share(rank, world), fabric.device))
                # DDP averages gradients over processes; how many items were scored is only known at the end of the step.
                fabric.backward(loss.total * (world / n_bp))
            totals += torch.stack([loss.total.detach().to(totals.dtype), loss.n_scored.to(totals.dtype)])
        if world > 1:
            totals = cast(Tensor, fabric.all_reduce(totals, reduce_op="sum"))
        total, count = totals.tolist()
        if not math.isfinite(total):
            raise _diverged(step, f"the loss is {total}")
        if count:
            for parameter in model.parameters():
                if parameter.grad is not None:
                    parameter.grad.mul_(n_bp / count)
        norm = fabric.clip_gradients(model, optimizer, max_norm=config.clip_norm, error_if_nonfinite=False)
        set_rate(optimizer, learning_rate(step, self.n_steps, config))
        if count:
            optimizer.step()
            if config.average_fraction:
                update_averages(self.training.optimizer, step, self.n_steps, config.average_fraction)
        optimizer.zero_grad(set_to_none=True)
        return total / max(count, 1.0), float(cast(Tensor, norm))

    def _end_step(self, progress: Progress, row: dict[str, float], *, stopping: bool) -> Progress:
        """Validate, log and save where it is time to; a row is logged before the checkpoint of its step appears."""
        config, step = self.training.config, progress.step
        logged = {name: row[name] for name in ("loss", "grad_norm", "rate")}
        interval = validation_interval(config, self.n_steps, self.training.valid_bp)
        validates = step % interval == 0 or step == self.n_steps
        if validates:
            with averaged(self.training.optimizer):
                progress, scores = self._validate(progress, row["loss"])
            row |= scores
            logged |= {"seconds": progress.seconds, "n_bp": progress.n_bp} | scores
        if validates or step % _LOG_EVERY == 0:
            self._log(progress, logged)
        if validates or stopping or (config.save_every and step % config.save_every == 0):
            self._save(progress)
        return progress

    def _validate(self, progress: Progress, loss: float) -> tuple[Progress, dict[str, float]]:
        """Score the valid split on rank 0, and keep the weights if they are the best so far; loss: of the last step."""
        training, fabric = self.training, self.fabric
        scores: dict[str, float] = {}
        fault = ""
        if fabric.is_global_zero:
            training.model.eval()
            try:
                with torch.no_grad(), fabric.autocast():
                    scores = training.validate()
            except NotFiniteError as error:
                fault = str(error)
        scores, fault = fabric.broadcast((scores, fault))
        if fault or math.isnan(scores[training.score]):
            raise _diverged(progress.step, f"the loss is {loss:.3g}, and valid has no score: {fault or 'it is NaN'}")
        score = scores[training.score]
        if not score >= progress.best:
            return replace(progress, n_bad=progress.n_bad + 1), scores
        # Of equal scores the later weights are kept; patience counts them as no gain.
        n_bad = 0 if score > progress.best else progress.n_bad + 1
        progress = replace(progress, best=score, best_step=progress.step, best_scores=scores, n_bad=n_bad)
        if fabric.is_global_zero:
            save_best(training.folder, training.model, self._description(progress), progress.step)
        return progress, scores

    def _description(self, progress: Progress) -> CheckpointConfig:
        """Description of a checkpoint at this step."""
        checkpoint = self.training.checkpoint
        reached = {"step": progress.step, "n_bp": progress.n_bp, "best_step": progress.best_step}
        provenance = checkpoint.provenance | reached | progress.best_scores
        return checkpoint.model_copy(update={"provenance": provenance})

    def _log(self, progress: Progress, row: dict[str, float]) -> None:
        if not self.fabric.is_global_zero:
            return
        self.training.folder.log_metrics({"step": progress.step, "epoch": progress.epoch} | row)
        if self.writer is not None:
            for name, value in row.items():
                self.writer.add_scalar(name, value, progress.step)

    def _save(self, progress: Progress) -> None:
        """Save what a resumed run needs; the other processes wait."""
        training = self.training
        if self.fabric.is_global_zero:
            save_last(training.folder, training.model, self._description(progress), training.optimizer, progress)
        self.fabric.barrier()

    def _stop_reason(self, session_s: float) -> str:
        """Why to stop now, agreed between processes: "" (go on), "time" or the name of a signal."""
        limit_s = self.training.config.max_minutes * 60
        reason = self.signals.received or ("time" if limit_s and session_s > limit_s else "")
        if self.fabric.world_size > 1:
            asked = torch.tensor(float(bool(reason)), device=self.fabric.device)
            reasons = cast(Tensor, self.fabric.all_gather(asked))
            reason = reason or ("another process" if bool(reasons.any()) else "")
        return reason


def _diverged(step: int, fault: str) -> DivergedError:
    """The error of a training that diverged, with what to do."""
    return DivergedError(f"step {step}: {fault}; try a lower learning rate, or --precision 32")


@contextmanager
def _diverging_at(step: int) -> Iterator[None]:
    """A block in which scores that are not finite mean that training diverged."""
    try:
        yield
    except NotFiniteError as error:
        raise _diverged(step, str(error)) from error


@contextmanager
def _seeded(device: torch.device, seed: int) -> Iterator[None]:
    """A block in which torch draws random numbers from a seed; its generators are as before afterwards."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
