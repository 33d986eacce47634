"""Fine-tuned models to an ensemble: a run whose checkpoint predicts as all of them together."""

import json
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from dnaspt.checkpoint_config import CheckpointConfig, MemberConfig, find_checkpoint, read_config
from dnaspt.config import EnsembleConfig
from dnaspt.data.dataset import read_split
from dnaspt.data.manifest import Manifest, read_manifest
from dnaspt.errors import ConfigError
from dnaspt.evaluation.calibration import fit_calibrator
from dnaspt.evaluation.evaluate import score_model, window_logits
from dnaspt.genome.gene_states import MISSING
from dnaspt.output import refuse_inputs
from dnaspt.tasks import GENE_MODEL
from dnaspt.training.finetune import check_same_labels, scored_transcripts, source_of
from dnaspt.training.run_folder import RunFolder
from dnaspt.training.runs import Run, RunResult

if TYPE_CHECKING:
    from dnaspt.data.dataset import Split
    from dnaspt.models.ensemble import Ensemble

log = logging.getLogger(__name__)


def ensemble(config: EnsembleConfig, *, overwrite: bool = False) -> Run:
    """Join fine-tuned models to one that predicts the weighted sum of their log-odds or emissions.

    Args:
        config: settings.
        overwrite: replace a run that is there.

    Returns:
        The run. Its scores are those on valid, which are a little too good where the weights were fitted on it.

    Raises:
        DatasetError: no dataset, or one without valid, or without that fold.
        ConfigError: models that do not fit each other or the dataset, or a run folder where something is read.
        CheckpointError: a run without a checkpoint; the run folder is there already.
        BusyError: another process writes the run folder.
    """
    manifest = read_manifest(config.data, config.fold)
    if "valid" not in manifest.splits:
        raise ConfigError(f"{config.data}: has no valid split to score the ensemble on{manifest.hint}")
    refuse_inputs(config.out, {"data": config.data, "runs": list(config.runs)})
    members = [read_config(run) for run in config.runs]
    checkpoints = [find_checkpoint(run).resolve() for run in config.runs]
    if len(set(checkpoints)) < len(checkpoints):
        raise ConfigError("a run is given twice; an ensemble joins models that differ")
    for run, member in zip(config.runs, members, strict=True):
        _check_member(run, member, members[0], manifest, config)
    if config.weights == "valid" and manifest.per_base:
        raise ConfigError("weights = 'valid' is for windows; of genes the emissions are averaged: say equal")
    with RunFolder(config.out, config, resume=False, overwrite=overwrite) as folder:
        folder.claim()
        return _join(config, manifest, members, folder)


def _check_member(
    run: Path, member: CheckpointConfig, first: CheckpointConfig, manifest: Manifest, config: EnsembleConfig
) -> None:
    """Refuse a model that predicts other things than the others, or that may have learned what is tested.

    Raises:
        ConfigError: says why.
    """
    check_same_labels(run, member, config, manifest)
    if member.members:
        raise ConfigError(f"{run}: is an ensemble; give its members instead")
    if member.head == GENE_MODEL:
        raise ConfigError(
            f"{run}: is a gene model, which an ensemble cannot hold; join runs of --head crf, and give the ensemble to "
            "'dnaspt finetune --network'"
        )
    if (member.head, member.stop_in_cds, member.window_bp) != (first.head, first.stop_in_cds, first.window_bp):
        raise ConfigError(f"{run}: has another head, or other windows, than {config.runs[0]}; join models of one kind")


def _join(
    config: EnsembleConfig,
    manifest: Manifest,
    members: list[CheckpointConfig],
    folder: RunFolder,
) -> Run:
    """Load the models, choose their weights, score them together, and write the run."""
    from dnaspt.checkpoint import choose_device, load_model, save_checkpoint  # torch: seconds
    from dnaspt.inference.genes import grammar_of
    from dnaspt.models.ensemble import Ensemble
    from dnaspt.models.task_model import TaskModel
    from dnaspt.training.fabric import processor_name

    began = time.perf_counter()
    device = choose_device(config.accelerator)
    models = [model for model, _ in map(load_model, config.runs) if isinstance(model, TaskModel)]
    joined = Ensemble(models).to(device).eval()
    valid = read_split(config.data, "valid", config.fold)
    if config.weights == "valid":
        joined.weigh(fit_weights(joined, valid, manifest.labels))
    joined.share_transitions()
    description = _describe(config, manifest, members, joined.weights.tolist())
    if not manifest.per_base:
        truth = valid.labels.reshape(-1, len(manifest.labels))
        expected = _expected_biases(members, joined.weights.tolist(), len(manifest.labels))
        fitted = fit_calibrator(truth, window_logits(joined, valid).reshape(truth.shape), expected)
        description = description.model_copy(update=fitted._asdict())
    annotated = scored_transcripts(config, manifest, valid)
    scores = score_model(joined, valid, manifest.labels, annotated=annotated, grammar=grammar_of(joined, description))
    named = {f"valid_{name}": score for name, score in scores.items()}
    description = description.model_copy(update={"provenance": description.provenance | named})
    folder.begin(0)
    folder.log_metrics({"step": 0, **named})
    save_checkpoint(folder.path / "best" / "step-00000000", joined, description)
    minutes = (time.perf_counter() - began) / 60
    result = RunResult(named, 0, 0, 0, minutes, device=processor_name(), precision="32")
    folder.finish(result)
    return Run(folder.path, result, True, "", 0)


def _expected_biases(members: list[CheckpointConfig], weights: list[float], n_labels: int) -> np.ndarray:
    """Biases (K,) of the ensemble by those of its models: what a loss that weighs true labels added is to be taken back."""
    biases = [own.biases or (0.0,) * n_labels for own in members]
    return np.average(biases, axis=0, weights=weights)


def _describe(
    config: EnsembleConfig, manifest: Manifest, members: list[CheckpointConfig], weights: list[float]
) -> CheckpointConfig:
    """Description of the ensemble: what its models have in common, and where each comes from."""
    sources = [source_of(run, member) for run, member in zip(config.runs, members, strict=True)]
    provenance: dict[str, Any] = {
        "command": "ensemble",
        "settings": json.loads(config.model_dump_json()),
        "members": [source | {"weight": weight} for source, weight in zip(sources, weights, strict=True)],
    }
    parts = [MemberConfig(**{name: getattr(own, name) for name in MemberConfig.model_fields}) for own in members]
    alone = {name: CheckpointConfig.model_fields[name].default for name in ("pool", "composition")}
    return members[0].model_copy(update=alone | {"members": tuple(parts), "provenance": provenance})


def fit_weights(models: "Ensemble", valid: "Split", labels: tuple[str, ...]) -> np.ndarray:
    """Weights (M,) of the log-odds of windows by which the labels of valid are most probable: none is below 0, their sum is 1.

    Each label has a constant of its own, which is not kept. Weights are held near those that are all alike, the more so the fewer
    windows have the rarer value of a label.

    Args:
        models: the M models.
        valid: windows of the valid split.
        labels: names of the labels.
    """
    truth = valid.labels.reshape(-1, len(labels))
    known = truth != MISSING
    n_rare = max(1, min(int((truth == 1).sum()), int((truth == 0).sum())))
    log_odds = np.stack([window_logits(member, valid).reshape(truth.shape) for member in models.single])
    n_models, target = len(log_odds), np.where(known, truth, 0)

    def cost(values: np.ndarray) -> tuple[float, np.ndarray]:
        weights, constants = values[:n_models], values[n_models:]
        total = max(weights.sum(), 1e-9)
        apart = weights / total - 1 / n_models
        scores = np.tensordot(weights, log_odds, axes=1) + constants
        nats = (np.logaddexp(0, scores) - target * scores)[known].mean()
        slopes = np.where(known, expit(scores) - target, 0) / known.sum()
        of_weights = np.tensordot(log_odds, slopes, axes=((1, 2), (0, 1)))
        of_weights += 2 * n_models / n_rare * (apart - apart @ weights / total) / total
        return float(nats + n_models * apart @ apart / n_rare), np.concatenate([of_weights, slopes.sum(axis=0)])

    start = np.concatenate([np.full(n_models, 1 / n_models), np.zeros(len(labels))])
    bounds = [(0, None)] * n_models + [(None, None)] * len(labels)
    found = minimize(cost, start, jac=True, method="L-BFGS-B", bounds=bounds).x[:n_models]
    if found.sum() < 1e-6:
        log.warning("no weights of the models make the labels of valid more probable: all are taken alike")
        found = np.ones(n_models)
    return np.asarray(found / found.sum())
