"""The torch part of pretraining: masked windows to a trained language model, and its score beside those of n-gram models."""

import json
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch

from dnaspt.baselines.ngram import NgramBaseline, best_ngram
from dnaspt.checkpoint_config import CheckpointConfig
from dnaspt.config import PAD_TOKEN, PRESETS, PretrainConfig
from dnaspt.data.batches import BatchOptions, TrainingBatches
from dnaspt.data.dataset import Split
from dnaspt.data.manifest import Manifest
from dnaspt.errors import telling_memory
from dnaspt.genome.gene_states import MISSING
from dnaspt.models.devices import widest_float
from dnaspt.models.kernels.threads import subnormals_as_zero
from dnaspt.models.language_model import LanguageModel
from dnaspt.prepare.held_out import CutOut
from dnaspt.tasks import TASKS
from dnaspt.training.fabric import build_fabric, device_name, precision_of
from dnaspt.training.loop import LESS_MEMORY, Reporter, SilentReporter, Training, fit
from dnaspt.training.masked_windows import MaskedWindows, concatenate, masked_bases
from dnaspt.training.optim import build_optimizer
from dnaspt.training.run_folder import RunFolder
from dnaspt.training.runs import Run, RunResult

log = logging.getLogger(__name__)

_VALIDATION_BATCH_BP = 32_768


@dataclass(frozen=True, slots=True)
class PretrainingData:
    """Sequences of a pretraining.

    Attributes:
        manifest: of the dataset on whose valid split the best checkpoint is chosen.
        names: splits that are read: train, and unlabeled where a dataset has it.
        splits: their windows, overlapping ones joined so that each base is there once.
        valid: masked windows on which checkpoints are chosen.
        window_bp: length of the windows in bp.
        digest: of all that is read and cut out.
        joined: what the checkpoint says of several datasets: `read` and `held_out`, the digests of those that were read and of
            those whose valid and test parts were cut out; empty where the dataset is read alone.
        cut_out: how much was cut out; None where the dataset is read alone.
    """

    manifest: Manifest
    names: tuple[str, ...]
    splits: list[Split]
    valid: MaskedWindows
    window_bp: int
    digest: str
    joined: Mapping[str, Sequence[str]] = field(default_factory=dict)
    cut_out: CutOut | None = None


@telling_memory(LESS_MEMORY)
@subnormals_as_zero()
def train_language_model(
    config: PretrainConfig, data: PretrainingData, folder: RunFolder, reporter: Reporter | None = None
) -> Run:
    """Train a masked language model; see `pretrain`."""
    fabric = build_fabric(config)
    options = BatchOptions(
        batch_bp=config.batch_bp,
        seed=config.seed,
        reverse_complement=config.reverse_complement,
        mask_fraction=config.mask_fraction,
        repeat_weight=config.repeat_weight,
        masks_as_published=config.masking == "as-published",
        n_shares=fabric.world_size,
        any_length=TASKS[data.manifest.task].any_length,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        model = LanguageModel(config.encoder or PRESETS[config.preset])

    def validate() -> dict[str, float]:
        scores = score_language_model(model, data.valid)
        return {"valid_nats": scores["nats"], "valid_accuracy": scores["accuracy"], "valid_score": -scores["nats"]}

    settings = json.loads(config.model_dump_json())
    training = Training(
        model=model,
        optimizer=build_optimizer(model, config),
        batches=TrainingBatches(data.splits, data.window_bp, options),
        validate=validate,
        score="valid_score",
        valid_bp=data.valid.n_bp,
        checkpoint=CheckpointConfig(
            kind="language",
            encoder=model.encoder.config,
            task=data.manifest.task,
            window_bp=data.window_bp,
            data_digest=data.digest,
            provenance={"command": "pretrain", "read_splits": list(data.names), "settings": settings} | _joined(data),
        ),
        config=config,
        folder=folder,
        reporter=reporter or SilentReporter(),
    )
    ended = fit(training, fabric)
    ngram = None
    if fabric.is_global_zero and ended.progress.best_scores and (ended.finished or ended.stopped_by == "time"):
        ngram = _fit_ngram(data)
    result = RunResult.of(
        ended.progress,
        device=device_name(fabric),
        precision=precision_of(config),
        ngram=ngram,
        cut_out=data.cut_out,
    )
    if fabric.is_global_zero and ended.finished:
        folder.finish(result)
    return Run(folder.path, result, ended.finished, ended.stopped_by, fabric.global_rank)


def _joined(data: PretrainingData) -> dict[str, Any]:
    """What the checkpoint says of several datasets; nothing where a dataset is read alone."""
    if data.cut_out is None:
        return {}
    return {name: list(digests) for name, digests in data.joined.items()} | {"cut_out": asdict(data.cut_out)}


def score_language_model(model: LanguageModel, windows: MaskedWindows) -> dict[str, float]:
    """Score a language model on masked bases.

    Returns:
        nats: mean cross-entropy in nats per masked base over A C G T; accuracy: share of masked bases guessed right.
    """
    device = next(model.parameters()).device
    total = hits = count = 0.0
    for batch in _batches_of_like_length([len(tokens) for tokens in windows.tokens]):
        longest = len(windows.tokens[batch[-1]])
        tokens = np.full((len(batch), longest), PAD_TOKEN, dtype=np.uint8)
        labels = np.full((len(batch), longest), MISSING, dtype=np.int64)
        for row, index in enumerate(batch):
            tokens[row, : len(windows.tokens[index])] = windows.tokens[index]
            labels[row, : len(windows.labels[index])] = windows.labels[index]
        truth = torch.from_numpy(labels).to(device)
        scored = truth != MISSING
        log_p = model.base_log_probabilities(torch.from_numpy(tokens).to(device))[scored]
        total -= float(log_p.gather(1, truth[scored][:, None]).to(widest_float(device)).sum())
        hits += float((log_p.argmax(1) == truth[scored]).sum())
        count += float(scored.sum())
    return {"nats": total / max(count, 1), "accuracy": hits / max(count, 1)}


def _batches_of_like_length(lengths: list[int]) -> Iterator[list[int]]:
    """Numbers of windows in batches, from short to long; a padded batch has at most 32 kb, or one window."""
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and lengths[index] * (len(batch) + 1) > _VALIDATION_BATCH_BP:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def _fit_ngram(data: PretrainingData) -> NgramBaseline:
    """Fit n-gram models on the sequences that the language model has read, and score them on the same masked bases."""
    began = time.monotonic()
    sequences = concatenate([window.codes for split in data.splits for window in split])
    ngram = best_ngram(*sequences, masked_bases(data.valid))
    log.info("n-gram models fitted in %.1f s", time.monotonic() - began)
    return ngram
