"""The default way to train on windows: settings that were chosen on valid, for what is not given.

What they were chosen from is in docs/windows.md.
"""

from collections.abc import Mapping
from typing import Any

from dnaspt.checkpoint_config import read_config
from dnaspt.config import PRESETS, FinetuneConfig
from dnaspt.data.manifest import Manifest, read_manifest
from dnaspt.json_files import read_json
from dnaspt.tasks import TASKS
from dnaspt.training.runs import SETTINGS

RECIPE_SETTINGS = ("learning_rate", "average_fraction", "encoder_rate", "composition", "pool")
"""Settings that a recipe may fill in."""
LEARNING_RATE = 1e-2
STUDY_RATES = (3e-3, 1e-2, 3e-2)
"""Rates from which a study chooses."""
LEAST_WINDOWS = 16
"""Windows that a batch must have where pooled vectors are normalized by the batch."""
MOST_LABELS = 32
"""Labels up to which the composition is fitted without being asked for: each takes seconds."""


def recipe_settings(task: str) -> tuple[str, ...]:
    """Names of the settings that a recipe may fill in on a dataset of this task."""
    return () if TASKS[task].per_base or TASKS[task].resolution_bp else RECIPE_SETTINGS


def recipe_of(manifest: Manifest, given: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of fine-tuning that are taken where nothing else is said.

    Args:
        manifest: of the dataset.
        given: settings that somebody chose, with the encoder to begin from.

    Returns:
        Settings by name, none of them among the given ones; none at all for genes and bins, and for encoders of others.
    """
    default = {name: field.default for name, field in FinetuneConfig.model_fields.items()} | dict(given)
    if default["encoder"] is None:
        is_ours = default["preset"] in PRESETS and not default["embeddings"]
    else:
        is_ours = read_config(default["encoder"]).encoder.architecture == "dilated"
    if manifest.per_base or manifest.resolution_bp or not is_ours:
        return {}
    recipe: dict[str, Any] = {"learning_rate": LEARNING_RATE, "average_fraction": 0.1}
    if not default["freeze_encoder"]:
        recipe["encoder_rate"] = 0.1
    if len(manifest.labels) <= MOST_LABELS and TASKS[manifest.task].is_binary:
        recipe["composition"] = True
    is_alone = default["devices"] * default["num_nodes"] == 1
    if is_alone and default["batch_bp"] // manifest.window_bp >= LEAST_WINDOWS:
        recipe["pool"] = "normalized"
    return {name: value for name, value in recipe.items() if name not in given}


def with_recipe(config: FinetuneConfig, *, resume: bool = False) -> FinetuneConfig:
    """The settings with the recipe for what is not given.

    Args:
        config: settings.
        resume: go on with what the run folder says of them, if it does: an earlier version had other recipes.

    Raises:
        DatasetError: no dataset, or without that fold. CheckpointError: the encoder is no checkpoint.
    """
    given = {name: getattr(config, name) for name in config.model_fields_set}
    recipe = recipe_of(read_manifest(config.data, config.fold), given)
    if resume and recipe and (config.out / SETTINGS).is_file():
        begun = read_json(config.out / SETTINGS)
        recipe = {name: begun.get(name, FinetuneConfig.model_fields[name].default) for name in recipe}
    return config.model_copy(update=recipe) if recipe else config
