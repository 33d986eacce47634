"""The torch part of fine-tuning: labeled windows and an encoder to a trained task model."""

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from dnaspt.checkpoint import HeadStart, build_task_model, load_model, write_description
from dnaspt.checkpoint_config import CheckpointConfig
from dnaspt.config import FinetuneConfig
from dnaspt.data.batches import BatchOptions, TrainingBatches
from dnaspt.data.dataset import Split
from dnaspt.data.manifest import Manifest
from dnaspt.errors import telling_memory
from dnaspt.evaluation.calibration import label_frequencies
from dnaspt.evaluation.evaluate import score_model
from dnaspt.genome.gene_states import MISSING
from dnaspt.genome.transcripts import Transcript
from dnaspt.inference.genes import grammar_of
from dnaspt.models.heads import SigmoidHead
from dnaspt.models.kernels.threads import subnormals_as_zero
from dnaspt.models.task_model import TaskModel
from dnaspt.tasks import TASKS
from dnaspt.training.distill import taught
from dnaspt.training.fabric import build_fabric, device_name, precision_of
from dnaspt.training.finish_windows import finish_windows
from dnaspt.training.fit_composition import FittedComposition, fit_composition
from dnaspt.training.loop import LESS_MEMORY, Reporter, SilentReporter, Training, fit
from dnaspt.training.optim import build_optimizer
from dnaspt.training.run_folder import RunFolder
from dnaspt.training.runs import Run, RunResult

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FinetuningData:
    """Labeled windows of a fine-tuning.

    Attributes:
        manifest: of the dataset.
        train: windows to learn from.
        valid: windows on which checkpoints are chosen.
        annotated: transcripts of valid by which its genes are scored, and whether each is the longest isoform of its gene; empty
            for windows, and where none lies on these windows.
    """

    manifest: Manifest
    train: Split
    valid: Split
    annotated: Sequence[tuple[Transcript, bool]] = ()


@telling_memory(LESS_MEMORY)
@subnormals_as_zero()
def train_task_model(
    config: FinetuneConfig,
    data: FinetuningData,
    checkpoint: CheckpointConfig,
    folder: RunFolder,
    reporter: Reporter | None = None,
) -> Run:
    """Train a task head and, unless it is frozen, the encoder; see `finetune`."""
    manifest, task = data.manifest, TASKS[data.manifest.task]
    fabric = build_fabric(config)
    composition = None
    if checkpoint.composition is not None:
        composition = fit_composition(data.train, len(manifest.labels))
        _tell_composition(composition, manifest.labels)
    model = build_model(config, checkpoint, data, composition)
    options = BatchOptions(
        batch_bp=config.batch_bp,
        seed=config.seed,
        complement=task.states.complement if task.states else None,
        reverse_complement=config.reverse_complement,
        n_labels=0 if manifest.per_base else len(manifest.labels),
        n_shares=fabric.world_size,
        any_length=task.any_length,
    )

    if config.teacher is not None:
        windows = taught(data.train, config.teacher, len(manifest.labels), fabric.device)
        batches = TrainingBatches([windows], manifest.window_bp, options)
    else:
        batches = TrainingBatches([data.train], manifest.window_bp, options)
    grammar = grammar_of(model, checkpoint)

    def validate() -> dict[str, float]:
        scores = score_model(model, data.valid, manifest.labels, annotated=data.annotated, grammar=grammar)
        return {f"valid_{name}": score for name, score in scores.items()}

    training = Training(
        model=model,
        optimizer=build_optimizer(model, config, config.encoder_rate, config.crf_rate),
        batches=batches,
        validate=validate,
        score=task.chosen_by(config.choose_by),
        valid_bp=len(data.valid.codes),
        checkpoint=checkpoint,
        config=config,
        folder=folder,
        reporter=reporter or SilentReporter(),
    )
    ended = fit(training, fabric)
    result = RunResult.of(ended.progress, device=device_name(fabric), precision=precision_of(config))
    if fabric.is_global_zero and ended.finished:
        if isinstance(model.head, SigmoidHead):
            best = folder.path / "best" / f"step-{ended.progress.best_step:08d}"
            result = replace(result, scores=_finish(config, best, data, composition, fabric.device))
        folder.finish(result)
        if task.metric == "mcc" and not ended.progress.best_scores.get("valid_mcc", 0) > 0:
            log.warning(
                "%s: valid MCC never rose above 0: no better than calling all bases alike; train longer", folder.path
            )
    return Run(folder.path, result, ended.finished, ended.stopped_by, fabric.global_rank)


def _tell_composition(composition: FittedComposition, labels: Sequence[str]) -> None:
    """Log how well the composition ranks windows that its models did not learn, and which labels it knows nothing of."""
    areas = ", ".join(f"{label} {area:.3f}" for label, area in zip(labels[:12], composition.auroc, strict=False))
    log.info("composition, AUROC on train windows that its models did not learn: %s", areas)
    silent = [label for label, scores in zip(labels, composition.scores, strict=True) if not scores.any()]
    if silent:
        names = ", ".join(silent[:5]) + (f" and {len(silent) - 5} more" if len(silent) > 5 else "")
        log.warning(
            "composition: too few windows with or without the label, so it says their frequency alone: %s", names
        )


def _finish(
    config: FinetuneConfig,
    checkpoint: Path,
    data: FinetuningData,
    composition: FittedComposition | None,
    device: torch.device,
) -> dict[str, float]:
    """Complete a checkpoint of windows, of which config.json alone is replaced: the scores that it then has on valid."""
    model, described = load_model(checkpoint)
    assert isinstance(model, TaskModel)
    labels, frequencies = data.manifest.labels, _frequencies(data)
    finished = finish_windows(model.to(device), data.valid, labels, config.average_strands, composition, frequencies)
    provenance = described.provenance | finished.scores
    write_description(checkpoint, described.model_copy(update=finished.description | {"provenance": provenance}))
    return finished.scores


def build_model(
    config: FinetuneConfig,
    checkpoint: CheckpointConfig,
    data: FinetuningData,
    composition: FittedComposition | None = None,
) -> TaskModel:
    """A task model before its first step: the head is fresh, the encoder pretrained where one is given."""
    if TASKS[data.manifest.task].numbers:
        start = HeadStart(mean=label_moments(data)[0], sd=label_moments(data)[1])
    else:
        frequencies = torch.from_numpy(_frequencies(data)).float() if checkpoint.pool == "normalized" else None
        start = HeadStart(class_weights(config, data), frequencies)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        model = build_task_model(checkpoint, start)
    if config.encoder is not None:
        _load_encoder(model.encoder, config.encoder)
    if config.freeze_encoder:
        model.encoder.requires_grad_(False)
    if composition is not None:
        assert model.composition is not None
        model.composition.set(composition.scores, composition.constant)
    return model


def _load_encoder(encoder: nn.Module, path: str | os.PathLike[str]) -> None:
    """Load the weights of the encoder of a checkpoint or run into an encoder."""
    pretrained, _ = load_model(path)
    encoder.load_state_dict(pretrained.encoder.state_dict())


def _frequencies(data: FinetuningData) -> np.ndarray:
    """Share of the train windows in which each label is true (K,)."""
    return label_frequencies(data.train.labels.reshape(-1, len(data.manifest.labels)))


def label_moments(data: FinetuningData) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (K,) of labels that are numbers, over the train windows where they are known."""
    labels = data.train.labels.reshape(-1, len(data.manifest.labels)).astype(np.float64)
    known = ~np.isnan(labels)
    n_known = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, labels, 0).sum(axis=0) / n_known
    variance = np.where(known, labels - mean, 0) ** 2
    return torch.from_numpy(mean).float(), torch.from_numpy(np.sqrt(variance.sum(axis=0) / n_known)).float()


def class_weights(config: FinetuneConfig, data: FinetuningData) -> Tensor | None:
    """Weights of classes or labels in the loss (K,); None where all weigh the same.

    "balanced" weighs the class of a base by the inverse root of its frequency, and the label of a window, where it is true,
    by the number of negative windows over that of positive ones.
    """
    n_labels = len(data.manifest.labels)
    if TASKS[data.manifest.task].numbers:
        return None
    if config.positive_weight:
        return torch.full((n_labels,), config.positive_weight)
    if config.class_weights == "none":
        return None
    if data.manifest.per_base:
        known = data.train.labels[data.train.labels != MISSING]
        counts = np.bincount(known, minlength=n_labels).astype(float)
        weights = 1 / np.sqrt(np.maximum(counts, 1))
        return torch.from_numpy(weights / weights.mean()).float()
    labels = data.train.labels.reshape(-1, n_labels)
    positives = np.maximum((labels == 1).sum(0), 1)
    if TASKS[data.manifest.task].one_of:
        return torch.from_numpy(positives.sum() / (n_labels * positives)).float()
    return torch.from_numpy((labels == 0).sum(0) / positives).float()
