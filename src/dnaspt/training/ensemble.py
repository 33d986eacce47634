"""Fine-tuned models to an ensemble: a run whose checkpoint predicts as all of them together."""

import json
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dnaspt.checkpoint_config import CheckpointConfig, MemberConfig, calibrator_of, find_checkpoint, read_config
from dnaspt.config import EnsembleConfig
from dnaspt.data.dataset import read_split
from dnaspt.data.manifest import Manifest, read_manifest
from dnaspt.data.subset import label_subset
from dnaspt.errors import ConfigError
from dnaspt.evaluation.calibration import label_frequencies
from dnaspt.evaluation.evaluate import score_model, window_logits
from dnaspt.output import refuse_inputs
from dnaspt.tasks import GENE_MODEL, TASKS
from dnaspt.training.finetune import check_same_labels, scored_transcripts, source_of
from dnaspt.training.finish_windows import blocks_of, finish_windows, fit_weights
from dnaspt.training.run_folder import RunFolder
from dnaspt.training.runs import Run, RunResult

if TYPE_CHECKING:
    from dnaspt.data.dataset import Split
    from dnaspt.models.ensemble import Ensemble
    from dnaspt.training.fit_composition import FittedComposition

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
    if len(config.runs) == 1 and not config.composition:
        raise ConfigError(f"{config.runs[0]}: is one run; give two or more to join, or --composition")
    if config.composition and (manifest.per_base or manifest.resolution_bp):
        raise ConfigError(f"composition is for labels of windows; {config.data} has labels of bases or bins")
    if config.weights == "valid" and manifest.per_base:
        raise ConfigError("weights = 'valid' is for windows; of genes the emissions are averaged: say equal")
    if not TASKS[manifest.task].is_binary and (config.composition or config.weights == "valid"):
        what = "composition" if config.composition else "weights = 'valid'"
        raise ConfigError(f"{what} is for labels that are true or false; {config.data} has {TASKS[manifest.task].has}")
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
    from dnaspt.models.composition import Composition
    from dnaspt.models.ensemble import Ensemble
    from dnaspt.models.task_model import TaskModel
    from dnaspt.training.fabric import processor_name

    began = time.perf_counter()
    device = choose_device(config.accelerator)
    models = [model for model, _ in map(load_model, config.runs) if isinstance(model, TaskModel)]
    of_kmers = Composition(len(manifest.labels)) if config.composition else None
    calibrator = calibrator_of(manifest.task)
    joined = Ensemble(models, of_kmers, calibrator).to(device).eval()
    valid = read_split(config.data, "valid", config.fold)
    train = None if manifest.per_base else _learned_windows(config, members)
    composition = _weigh(config, joined, valid, train, len(manifest.labels))
    joined.share_transitions()
    description = _describe(config, members, joined.weights.tolist())
    if train is None:
        annotated = scored_transcripts(config, manifest, valid)
        grammar = grammar_of(joined, description)
        scores = score_model(joined, valid, manifest.labels, annotated=annotated, grammar=grammar)
        named = {f"valid_{name}": score for name, score in scores.items()}
    else:
        frequencies = label_frequencies(train.labels.reshape(-1, len(manifest.labels)))
        finished = finish_windows(joined, valid, manifest.labels, "auto", composition, frequencies)
        description, named = description.model_copy(update=finished.description), finished.scores
    description = description.model_copy(update={"provenance": description.provenance | named})
    folder.begin(0)
    folder.log_metrics({"step": 0, **named})
    save_checkpoint(folder.path / "best" / "step-00000000", joined, description)
    minutes = (time.perf_counter() - began) / 60
    result = RunResult(named, 0, 0, 0, minutes, device=processor_name(), precision="32")
    folder.finish(result)
    return Run(folder.path, result, True, "", 0)


def _learned_windows(config: EnsembleConfig, members: list[CheckpointConfig]) -> "Split":
    """The train windows, with as many labels as the first model had."""
    learned = members[0].provenance.get("settings", {})
    train = read_split(config.data, "train", config.fold)
    return label_subset(train, learned.get("label_fraction", 1.0), learned.get("seed", 0))


def _weigh(
    config: EnsembleConfig, joined: "Ensemble", valid: "Split", train: "Split | None", n_labels: int
) -> "FittedComposition | None":
    """Choose the weights of the models, and fit the composition where there is one."""
    if config.weights == "valid":
        truth = valid.labels.reshape(-1, n_labels)
        log_odds = [window_logits(member, valid).reshape(truth.shape) for member in joined.single]
        joined.weigh(fit_weights(np.stack(log_odds), truth, blocks_of(valid)))
    if joined.composition is None or train is None:
        return None
    from dnaspt.training.fit_composition import fit_composition  # scikit-learn: seconds

    fitted = fit_composition(train, n_labels)
    joined.composition.set(fitted.scores, fitted.constant)
    return fitted


def _describe(config: EnsembleConfig, members: list[CheckpointConfig], weights: list[float]) -> CheckpointConfig:
    """Description of the ensemble: what its models have in common, and where each comes from."""
    sources = [source_of(run, member) for run, member in zip(config.runs, members, strict=True)]
    provenance: dict[str, Any] = {
        "command": "ensemble",
        "settings": json.loads(config.model_dump_json()),
        "members": [source | {"weight": weight} for source, weight in zip(sources, weights, strict=True)],
    }
    if numbers := members[0].provenance.get("numbers"):
        provenance["numbers"] = numbers
    parts = [MemberConfig(**{name: getattr(own, name) for name in MemberConfig.model_fields}) for own in members]
    names = ("pool", "composition", "both_strands")
    alone = {name: CheckpointConfig.model_fields[name].default for name in names}
    return members[0].model_copy(update=alone | {"members": tuple(parts), "provenance": provenance})
