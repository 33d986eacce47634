"""Fine-tuned models to an ensemble: a run whose checkpoint predicts as all of them together."""

import json
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dnaspt.checkpoint_config import CheckpointConfig, MemberConfig, read_config
from dnaspt.config import EnsembleConfig
from dnaspt.data.dataset import read_split
from dnaspt.data.manifest import Manifest, read_manifest
from dnaspt.errors import ConfigError
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

SHRINKAGE = 1e-3
"""Cost, in nats a label, of a weight that differs by 1 from the mean of all: valid splits are small."""


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
    for run, member in zip(config.runs, members, strict=True):
        _check_member(run, member, members[0], manifest, config)
    fits_weights = config.weights == "valid" or (config.weights == "auto" and not manifest.per_base)
    if fits_weights and manifest.per_base:
        raise ConfigError("weights = 'valid' is for windows; of genes the emissions are averaged: say equal")
    with RunFolder(config.out, config, resume=False, overwrite=overwrite) as folder:
        folder.claim()
        return _join(config, manifest, members, folder, fits_weights=fits_weights)


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
    *,
    fits_weights: bool,
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
    if fits_weights:
        joined.weigh(fit_weights(joined, valid, manifest.labels))
    joined.share_transitions()
    description = _describe(config, manifest, members, joined.weights.tolist())
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
    alone = {name: CheckpointConfig.model_fields[name].default for name in ("pool", "composition", "temperature")}
    return members[0].model_copy(update=alone | {"members": tuple(parts), "provenance": provenance})


def fit_weights(models: "Ensemble", valid: "Split", labels: tuple[str, ...]) -> np.ndarray:
    """Weights (M,) of the log-odds of windows by which the labels of valid are most probable; none is below 0.

    Weights that differ cost a little, so that few windows do not decide between models that are alike.

    Args:
        models: the M models.
        valid: windows of the valid split.
        labels: names of the labels.
    """
    from scipy.optimize import minimize

    truth = valid.labels.reshape(-1, len(labels))
    known = truth != MISSING
    log_odds = np.stack([window_logits(member, valid).reshape(truth.shape)[known] for member in models.single])
    signs = 2.0 * truth[known] - 1

    def cost(weights: np.ndarray) -> tuple[float, np.ndarray]:
        margins = signs * (weights @ log_odds)
        apart = weights - weights.mean()
        slopes = -(log_odds @ (signs / (1 + np.exp(margins)))) / len(signs) + 2 * SHRINKAGE * apart
        return float(np.logaddexp(0, -margins).mean() + SHRINKAGE * apart @ apart), slopes

    start = np.full(len(log_odds), 1 / len(log_odds))
    found = minimize(cost, start, jac=True, method="L-BFGS-B", bounds=[(0, None)] * len(start))
    return np.asarray(found.x)
