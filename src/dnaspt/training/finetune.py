"""Fine-tuning: a dataset folder and an encoder (pretrained or fresh) to a model with a task head, chosen on the valid split."""

import json
import logging
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dnaspt.checkpoint import TENSORS, CheckpointConfig, build_model, find_checkpoint, load_model, read_config
from dnaspt.config import BASELINE_ENCODERS, PRESETS, AnyEncoderConfig, BassetConfig, FinetuneConfig
from dnaspt.data.batches import BatchOptions, TrainingBatches
from dnaspt.data.dataset import Split, read_split
from dnaspt.data.manifest import Manifest, Source, read_manifest
from dnaspt.data.subset import label_subset, take
from dnaspt.errors import ConfigError, DatasetError
from dnaspt.evaluation.evaluate import score_model
from dnaspt.models.heads import SigmoidHead
from dnaspt.models.huggingface import read_huggingface_config
from dnaspt.models.kernels.threads import subnormals_as_zero
from dnaspt.models.task_model import TaskModel
from dnaspt.tasks import MISSING, TASKS
from dnaspt.training.fabric import build_fabric, device_name, precision_of
from dnaspt.training.loop import Fit, FitResult, Reporter, SilentReporter, fit
from dnaspt.training.optim import build_optimizer
from dnaspt.training.runs import Run

log = logging.getLogger(__name__)

LEAST_WINDOWS = 16
"""Of a batch by which pooled vectors are normalized."""
VALIDATION_BP = 4_000_000
"""Bases of the valid split on which a checkpoint is chosen."""


@subnormals_as_zero()
def finetune(
    config: FinetuneConfig, *, resume: bool = False, overwrite: bool = False, reporter: Reporter | None = None
) -> tuple[FitResult, dict[str, Any]]:
    """Train a task head and, unless frozen, the encoder; the best checkpoint by the task's metric on valid is kept.

    Raises:
        DatasetError: no dataset, or without train and valid. ConfigError: a head that does not fit the task.
        CheckpointError: `--encoder` is no checkpoint.
    """
    manifest = read_manifest(config.data)
    checkpoint = _describe(config, manifest)
    run = Run(config.out, config, resume=resume, overwrite=overwrite)
    train = label_subset(read_split(config.data, "train"), config.label_fraction, config.seed)
    valid = read_split(config.data, "valid")
    _check_valid(config, manifest, valid)
    valid = _spread(valid, VALIDATION_BP)
    fabric = build_fabric(config)
    model = _build(config, checkpoint, _class_weights(config, manifest, train))
    if checkpoint.pool == "normalized":
        assert isinstance(model.head, SigmoidHead)
        model.head.begin_at(_frequencies(manifest, train))
    states = TASKS[manifest.task].states
    options = BatchOptions(
        batch_bp=config.batch_bp,
        seed=config.seed,
        complement=states.complement if states else None,
        reverse_complement=config.reverse_complement,
        n_labels=0 if manifest.per_base else len(manifest.labels),
        n_shares=fabric.world_size,
    )
    metric = TASKS[manifest.task].metric

    def validate(current: nn.Module) -> dict[str, float]:
        assert isinstance(current, TaskModel)
        return {f"valid_{name}": value for name, value in score_model(current, valid, manifest.labels).items()}

    job = Fit(
        model=model,
        optimizer=build_optimizer(model, config, config.encoder_rate, config.crf_rate),
        batches=TrainingBatches([train], manifest.window_bp, options),
        validate=validate,
        score=f"valid_{metric}",
        valid_bp=len(valid.codes),
        checkpoint=checkpoint,
        config=config,
        run=run,
        reporter=reporter or SilentReporter(),
    )
    outcome = fit(job, fabric)
    progress = outcome.progress
    result: dict[str, Any] = {}
    if outcome.finished and fabric.is_global_zero:
        result = {
            **progress.best_scores,
            "best_step": progress.best_step,
            "steps": progress.step,
            "n_bp": progress.n_bp,
            "minutes": progress.seconds / 60,
            "device": device_name(fabric),
            "precision": precision_of(config),
        }
        run.finish(result)
        if metric == "mcc" and not progress.best > 0:
            log.warning(
                "%s: valid MCC never rose above 0: no better than calling all bases alike; train longer", config.out
            )
    return outcome, result


def _describe(config: FinetuneConfig, manifest: Manifest) -> CheckpointConfig:
    """What the fine-tuned model will be.

    Raises:
        ConfigError: head and task do not fit, or a split is missing.
    """
    task = TASKS[manifest.task]
    if not task.heads:
        raise ConfigError(f"{config.data}: {task.name} are scored without training; see 'dnaspt evaluate'")
    head = task.heads[0] if config.head == "auto" else config.head
    if head not in task.heads:
        raise ConfigError(f"head {head!r} does not fit task {task.name!r}; expected {' or '.join(task.heads)}")
    if missing := [name for name in ("train", "valid") if name not in manifest.splits]:
        raise ConfigError(f"{config.data}: has no {missing[0]} split; fine-tuning learns on train and chooses on valid")
    if config.class_weights != "none" and head.startswith("crf"):
        log.warning("class weights have no effect on a CRF head")
    if config.pool == "normalized":
        _check_pool(config, manifest)
    if config.encoder is not None and "preset" in config.model_fields_set:
        log.warning("--preset has no effect: the pretrained encoder has its own size")
    if config.crf_rate != FinetuneConfig.model_fields["crf_rate"].default and not head.startswith("crf"):
        log.warning("crf_rate has no effect on a %s head", head)
    if config.freeze_encoder and config.encoder_rate != 1:
        log.warning("encoder_rate has no effect on a frozen encoder")
    if config.freeze_encoder and config.encoder is None:
        log.warning("the encoder is frozen and not pretrained: only the head learns")
    provenance: dict[str, Any] = {"command": "finetune", "settings": json.loads(config.model_dump_json())}
    encoder = _fresh_encoder(config, manifest)
    if config.encoder is not None:
        folder = find_checkpoint(config.encoder)
        pretrained = read_config(folder)
        encoder = pretrained.encoder
        held_out = [name for name in pretrained.provenance.get("read_splits", ()) if name in ("valid", "test")]
        if held_out and pretrained.data_digest == manifest.digest:
            log.warning(
                "%s: was pretrained on the %s split of this dataset too", config.encoder, " and ".join(held_out)
            )
        elif pretrained.data_digest != manifest.digest:
            log.warning(
                "%s: was pretrained on other data, which may hold sequences of this test split; that is not checked",
                config.encoder,
            )
        provenance["encoder"] = {
            "path": str(folder),
            "sha256": Source.of(folder / TENSORS).sha256,
            "data_digest": pretrained.data_digest,
            "provenance": pretrained.provenance,
        }
    return CheckpointConfig(
        kind="task",
        encoder=encoder,
        task=task.name,
        head=head,
        labels=manifest.labels,
        pool=config.pool,
        window_bp=manifest.window_bp,
        stop_in_cds=manifest.stop_in_cds,
        data_digest=manifest.digest,
        provenance=provenance,
    )


def _check_pool(config: FinetuneConfig, manifest: Manifest) -> None:
    """Refuse to normalize where a batch does not say what windows are like.

    Raises:
        ConfigError: no windows, Basset, several processes, or too few windows in a batch.
    """
    if manifest.per_base or manifest.resolution_bp or config.preset == "basset":
        raise ConfigError(f'pool = "normalized" is for windows, with another encoder than basset; {config.data}')
    if config.devices * config.num_nodes > 1:
        raise ConfigError('pool = "normalized" learns in one process: what windows are like is counted in each alone')
    if (n_windows := config.batch_bp // manifest.window_bp) < LEAST_WINDOWS:
        more = LEAST_WINDOWS * manifest.window_bp
        raise ConfigError(
            f'pool = "normalized": a batch has {n_windows} windows; expected batch_bp of {more:,} or more'
        )


def _fresh_encoder(config: FinetuneConfig, manifest: Manifest) -> AnyEncoderConfig:
    """The encoder where none of ours is given: a size, a baseline, or a Hugging Face model.

    Raises:
        ConfigError: two are given, or one that does not fit the data.
    """
    if config.embeddings:
        if config.encoder is not None or "preset" in config.model_fields_set:
            raise ConfigError("--embeddings takes the place of --encoder and --preset; give one of them")
        return read_huggingface_config(config.embeddings, config.revision)
    if config.preset not in BASELINE_ENCODERS:
        return PRESETS[config.preset]
    encoder = BASELINE_ENCODERS[config.preset]
    if not isinstance(encoder, BassetConfig):
        return encoder
    if manifest.per_base:
        raise ConfigError(f"preset 'basset' is for windows; {config.data} has labels per base")
    return encoder.model_copy(update={"window_bp": manifest.window_bp})


def _build(config: FinetuneConfig, checkpoint: CheckpointConfig, class_weights: Tensor | None) -> TaskModel:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        model = build_model(checkpoint, class_weights)
    assert isinstance(model, TaskModel)
    if config.encoder is not None:
        assert isinstance(model.encoder, nn.Module)
        model.encoder.load_state_dict(load_model(config.encoder)[0].encoder.state_dict())
    if config.freeze_encoder:
        model.encoder.requires_grad_(False)
    return model


def _spread(split: Split, n_bp: int) -> Split:
    """The split, or, where it is larger than n_bp bases, stretches of neighboring windows spread evenly over it."""
    if len(split.codes) <= n_bp:
        return split
    n_stretches = max(1, min(100, len(split) // 10))
    starts = np.linspace(0, len(split.codes), n_stretches, endpoint=False)
    firsts = split.offsets[:-1]
    inside = firsts - starts[np.searchsorted(starts, firsts, side="right") - 1] < n_bp / n_stretches
    log.info("checkpoints are chosen on %d of %d windows of the valid split", inside.sum(), len(split))
    return take(split, np.flatnonzero(inside))


def _check_valid(config: FinetuneConfig, manifest: Manifest, valid: Split) -> None:
    """Refuse a valid split of windows on which nothing can be chosen, before anything is trained.

    Raises:
        DatasetError: no label has both windows where it is true and windows where it is not.
    """
    if TASKS[manifest.task].per_base:
        return
    labels = valid.labels.reshape(-1, len(manifest.labels))
    if not ((labels == 1).any(axis=0) & (labels == 0).any(axis=0)).any():
        found = (
            "no label has both positive and negative windows in the valid split, so no checkpoint can be chosen on it"
        )
        raise DatasetError(f"{config.data}: {found}; split otherwise, or prepare more data")


def _frequencies(manifest: Manifest, train: Split) -> Tensor:
    """How often each label is true where it is known, counting one more window of either kind: (K,)."""
    matrix = train.labels.reshape(-1, len(manifest.labels))
    positives, negatives = (matrix == 1).sum(0) + 1, (matrix == 0).sum(0) + 1
    return torch.from_numpy(positives / (positives + negatives)).float()


def _class_weights(config: FinetuneConfig, manifest: Manifest, train: Split) -> Tensor | None:
    """balanced: classes by the inverse root of their frequency; labels of windows by negatives over positives."""
    n_labels = len(manifest.labels)
    if config.positive_weight:
        if manifest.per_base:
            raise ConfigError("positive_weight is for labels of windows and bins; see class_weights")
        return torch.full((n_labels,), config.positive_weight)
    if config.class_weights == "none":
        return None
    if manifest.per_base:
        counts = np.bincount(train.labels[train.labels != MISSING], minlength=n_labels).astype(float)
        weights = 1 / np.sqrt(np.maximum(counts, 1))
        return torch.from_numpy(weights / weights.mean()).float()
    matrix = train.labels.reshape(-1, n_labels)
    positives = np.maximum((matrix == 1).sum(0), 1)
    return torch.from_numpy((matrix == 0).sum(0) / positives).float()
