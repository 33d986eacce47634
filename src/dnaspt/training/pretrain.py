"""Self-pretraining: a dataset folder's own train sequences to a masked language model, scored beside n-gram models."""

import json
import logging
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from dnaspt.baselines.ngram import MaskedBases, best_ngram
from dnaspt.checkpoint import CheckpointConfig
from dnaspt.config import MASK_TOKEN, PAD_TOKEN, PRESETS, PretrainConfig
from dnaspt.data.batches import BatchOptions, TrainingBatches, mask_for_validation
from dnaspt.data.dataset import Split, read_split
from dnaspt.data.manifest import UNLABELED, read_manifest
from dnaspt.data.segments import without_overlaps
from dnaspt.errors import ConfigError
from dnaspt.genome import alphabet
from dnaspt.models.kernels.threads import subnormals_as_zero
from dnaspt.models.language_model import LanguageModel
from dnaspt.tasks import MISSING
from dnaspt.training.fabric import build_fabric, device_name, precision_of
from dnaspt.training.loop import Fit, FitResult, Reporter, SilentReporter, fit
from dnaspt.training.optim import build_optimizer
from dnaspt.training.runs import Run

log = logging.getLogger(__name__)

WINDOW_BP = 4096
_VALIDATION_SEED = 20
VALIDATION_BP = 2_000_000
_VALIDATION_BATCH_BP = 32_768


@dataclass(frozen=True, slots=True)
class MaskedWindows:
    """Fixed masked positions of the valid split: per window input tokens, true bases where scored (-100 elsewhere)."""

    tokens: list[np.ndarray]
    labels: list[np.ndarray]


def masked_windows(split: Split, fraction: float, *, as_published: bool = False) -> MaskedWindows:
    """Mask the first 2 Mb of a split at positions that depend on nothing but the windows."""
    tokens, labels, n_bp = [], [], 0
    for index, window in enumerate(split):
        masked, truth = mask_for_validation(
            alphabet.tokens(window.codes), fraction, _VALIDATION_SEED + index, as_published=as_published
        )
        tokens.append(masked)
        labels.append(truth)
        n_bp += len(masked)
        if n_bp >= VALIDATION_BP:
            break
    return MaskedWindows(tokens, labels)


def _groups(lengths: list[int]) -> Iterator[list[int]]:
    """Indices in batches of windows of like length, each sorted by it."""
    group: list[int] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        if group and lengths[index] * (len(group) + 1) > _VALIDATION_BATCH_BP:
            yield group
            group = []
        group.append(index)
    if group:
        yield group


def score_language_model(model: LanguageModel, windows: MaskedWindows) -> dict[str, float]:
    """nats: mean cross-entropy in nats per masked base over A C G T; accuracy: share of masked bases guessed right."""
    device = next(model.parameters()).device
    total = hits = count = 0.0
    for group in _groups([len(tokens) for tokens in windows.tokens]):
        longest = len(windows.tokens[group[-1]])
        tokens = np.full((len(group), longest), PAD_TOKEN, dtype=np.uint8)
        labels = np.full((len(group), longest), MISSING, dtype=np.int64)
        for row, index in enumerate(group):
            tokens[row, : len(windows.tokens[index])] = windows.tokens[index]
            labels[row, : len(windows.labels[index])] = windows.labels[index]
        truth = torch.from_numpy(labels).to(device)
        scored = truth != MISSING
        log_p = model.base_log_probabilities(torch.from_numpy(tokens).to(device))[scored]
        total -= float(log_p.gather(1, truth[scored][:, None]).double().sum())
        hits += float((log_p.argmax(1) == truth[scored]).sum())
        count += float(scored.sum())
    return {"nats": total / max(count, 1), "accuracy": hits / max(count, 1)}


@subnormals_as_zero()
def pretrain(
    config: PretrainConfig, *, resume: bool = False, overwrite: bool = False, reporter: Reporter | None = None
) -> tuple[FitResult, dict[str, Any]]:
    """Pretrain on the sequences of `config.splits`, and `unlabeled` where the dataset has it and the settings want it.

    Returns the state at the end and the result that is written to result.json: nats per masked base and masked accuracy of
    the best checkpoint on fixed valid positions, beside an order-5 Markov model and the best two-sided k-mer model.

    Raises:
        DatasetError: no dataset, or without the splits asked for. ConfigError: settings that do not fit.
    """
    manifest = read_manifest(config.data)
    if "valid" not in manifest.splits:
        raise ConfigError(f"{config.data}: has no valid split; the best checkpoint could not be chosen")
    run = Run(config.out, config, resume=resume, overwrite=overwrite)
    names = [*config.splits, *([UNLABELED] if config.unlabeled and UNLABELED in manifest.splits else [])]
    window_bp = max(manifest.window_bp, WINDOW_BP)
    splits = [without_overlaps(read_split(config.data, name), window_bp) for name in names]
    as_published = config.masking == "as-published"
    valid_split = without_overlaps(read_split(config.data, "valid"), window_bp)
    valid = masked_windows(valid_split, config.mask_fraction, as_published=as_published)
    fabric = build_fabric(config)
    options = BatchOptions(
        batch_bp=config.batch_bp,
        seed=config.seed,
        reverse_complement=config.reverse_complement,
        mask_fraction=config.mask_fraction,
        repeat_weight=config.repeat_weight,
        masks_as_published=as_published,
        n_shares=fabric.world_size,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        model = LanguageModel(config.encoder or PRESETS[config.preset])
    checkpoint = CheckpointConfig(
        kind="language",
        encoder=model.encoder.config,
        task=manifest.task,
        window_bp=window_bp,
        data_digest=manifest.digest,
        provenance={"command": "pretrain", "read_splits": names, "settings": json.loads(config.model_dump_json())},
    )

    def validate(current: nn.Module) -> dict[str, float]:
        assert isinstance(current, LanguageModel)
        scores = score_language_model(current, valid)
        return {"valid_nats": scores["nats"], "valid_accuracy": scores["accuracy"], "valid_score": -scores["nats"]}

    batches = TrainingBatches(splits, window_bp, options)
    job = Fit(
        model=model,
        optimizer=build_optimizer(model, config),
        batches=batches,
        validate=validate,
        score="valid_score",
        valid_bp=sum(len(codes) for codes in valid.tokens),
        checkpoint=checkpoint,
        config=config,
        run=run,
        reporter=reporter or SilentReporter(),
    )
    outcome = fit(job, fabric)
    result: dict[str, Any] = {}
    if fabric.is_global_zero and outcome.progress.best_scores and (outcome.finished or outcome.stopped_by == "time"):
        result = _result(outcome, splits, valid)
    if fabric.is_global_zero and outcome.finished:
        result |= {"device": device_name(fabric), "precision": precision_of(config)}
        run.finish(result)
    return outcome, result


def _result(outcome: FitResult, splits: list[Split], valid: MaskedWindows) -> dict[str, Any]:
    began = time.monotonic()
    ngram = best_ngram(*_end_to_end([window.codes for split in splits for window in split]), _masked_bases(valid))
    log.info("n-gram models fitted in %.1f s", time.monotonic() - began)
    progress = outcome.progress
    return {
        "valid_nats": progress.best_scores["valid_nats"],
        "valid_accuracy": progress.best_scores["valid_accuracy"],
        "best_step": progress.best_step,
        "steps": progress.step,
        "n_bp": progress.n_bp,
        "minutes": progress.seconds / 60,
        **asdict(ngram),
    }


def _end_to_end(parts: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Arrays joined, and the offsets of each."""
    return np.concatenate(parts), np.concatenate([[0], np.cumsum([len(part) for part in parts])])


def _masked_bases(windows: MaskedWindows) -> MaskedBases:
    """The valid positions as n-gram models take them: the same neighbors are hidden from them."""
    codes, offsets = _end_to_end(windows.tokens)
    labels = np.concatenate(windows.labels)
    positions = np.flatnonzero(labels != MISSING)
    codes[positions] = MASK_TOKEN  # where the masks are T, n-gram models must not take them for bases
    return MaskedBases(codes, offsets, positions, labels[positions].astype(np.uint8))
