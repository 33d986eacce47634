"""A study's settings to the runs it needs, each named by a digest of its settings and data (a given checkpoint: of its path).

Every arm's learning rate is chosen on valid, at a share of the budget, with one seed, from the same rates; then every seed and
label fraction is trained with it. A fraction of the labels is trained for as many steps as all of them.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from dnaspt.config import FinetuneConfig, PretrainConfig, Settings, build_config

SCRATCH, SPT = "scratch", "spt"


class Arm(Settings):
    """One way to a model."""

    name: str
    """As tables call it."""
    init: str = SCRATCH
    """scratch, spt (pretrained on the dataset's own sequences), or the path of a checkpoint."""
    head: Literal["auto", "crf", "softmax", "sigmoid"] = "auto"
    """auto takes the task's first."""
    freeze_encoder: bool = False
    """Train the head alone."""
    label_fractions: tuple[float, ...] | None = None
    """Shares of the train windows to learn from; left out: those of the study."""
    extended: bool = False
    """Trained for the epochs of pretraining too: the same steps in all."""


class StudyConfig(Settings):
    """A comparison of arms on one dataset."""

    data: Path
    """Dataset folder."""
    arms: tuple[Arm, ...] = Field(min_length=1)
    """What is compared."""
    seeds: tuple[int, ...] = Field((0, 1, 2), min_length=1)
    """Of every arm; the first one's runs choose the learning rates."""
    label_fractions: tuple[float, ...] = Field((1.0,), min_length=1)
    """Shares of the train windows to learn from."""
    learning_rates: tuple[float, ...] = Field((3e-4, 1e-3, 3e-3), min_length=1)
    """From which every arm's is chosen on valid."""
    tuning_share: float = Field(0.25, gt=0, le=1)
    """Share of the fine-tuning epochs that choosing a rate may take."""
    pretrain: dict[str, Any] = Field(default_factory=dict)
    """Settings of every pretraining."""
    finetune: dict[str, Any] = Field(default_factory=dict)
    """Settings of every fine-tuning."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        names = [arm.name for arm in self.arms]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two arms are called {twice[0]!r}")
        fixed = {"data", "out", "seed", "encoder", "head", "learning_rate", "label_fraction", "freeze_encoder", "steps"}
        for part, taken in (("pretrain", fixed - {"encoder", "learning_rate"}), ("finetune", fixed)):
            if wrong := sorted(taken & set(getattr(self, part))):
                raise ValueError(f"{part}.{wrong[0]} is set by the study itself")
        return self


@dataclass(frozen=True, slots=True)
class Job:
    """One run.

    Attributes:
        kind: pretrain, tune (choose a rate on valid) or final (scored on test).
        arm: of the study; "" for pretraining, which arms share.
        settings: of `pretrain` or `finetune`, without paths.
        encoder: digest of the pretraining, or path of a checkpoint; "" for none.
        data_digest: of the dataset.
    """

    kind: Literal["pretrain", "tune", "final"]
    arm: str
    settings: dict[str, Any]
    encoder: str
    data_digest: str

    @property
    def digest(self) -> str:
        """Of everything but the arm's name."""
        decisive = {name: value for name, value in asdict(self).items() if name != "arm"}
        return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def name(self) -> str:
        """Of its folder and its record."""
        return f"{self.kind}-{self.digest}"


def check_settings(study: StudyConfig) -> None:
    """Refuse settings that no run has.

    Raises:
        ConfigError: names the first.
    """
    places = {"data": study.data, "out": Path("run")}
    build_config(PretrainConfig, study.pretrain | places)
    build_config(FinetuneConfig, study.finetune | places)


def pretraining(study: StudyConfig, data_digest: str, seed: int) -> Job:
    """The pretraining of a seed."""
    return Job("pretrain", "", study.pretrain | {"seed": seed}, "", data_digest)


def tuning(study: StudyConfig, data_digest: str, arm: Arm) -> list[Job]:
    """Runs that choose an arm's learning rate, one for each."""
    if len(study.learning_rates) == 1:
        return []
    return [_finetuning(study, data_digest, arm, study.seeds[0], rate, 1.0, "tune") for rate in study.learning_rates]


def finals(study: StudyConfig, data_digest: str, arm: Arm, rate: float) -> list[Job]:
    """Runs of an arm whose scores count."""
    fractions = study.label_fractions if arm.label_fractions is None else arm.label_fractions
    return [
        _finetuning(study, data_digest, arm, seed, rate, fraction, "final")
        for fraction in fractions
        for seed in study.seeds
    ]


def _finetuning(
    study: StudyConfig,
    data_digest: str,
    arm: Arm,
    seed: int,
    rate: float,
    fraction: float,
    kind: Literal["tune", "final"],
) -> Job:
    epochs = study.finetune.get("epochs", FinetuneConfig.model_fields["epochs"].default)
    if arm.extended:
        epochs += study.pretrain.get("epochs", PretrainConfig.model_fields["epochs"].default)
    settings = study.finetune | {
        "seed": seed,
        "head": arm.head,
        "learning_rate": rate,
        "label_fraction": fraction,
        "epochs": epochs * (study.tuning_share if kind == "tune" else 1 / fraction),
    }
    if arm.freeze_encoder:
        settings["freeze_encoder"] = True
    if arm.init == SCRATCH and "preset" in study.pretrain:
        settings.setdefault("preset", study.pretrain["preset"])
    encoder = {SCRATCH: "", SPT: pretraining(study, data_digest, seed).digest}.get(arm.init, arm.init)
    return Job(kind, arm.name, settings, encoder, data_digest)
