"""Settings of a study: what is compared, on which data, over which seeds and learning rates."""

import json
import logging
import os
import re
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from dnaspt.checkpoint import find_checkpoint
from dnaspt.config import FinetuneConfig, HeadName, PretrainConfig, Settings, build_config
from dnaspt.data.manifest import SPLITS, UNLABELED, Manifest, read_manifest
from dnaspt.errors import ConfigError
from dnaspt.tasks import TASKS

log = logging.getLogger(__name__)

SCRATCH, SPT, SPT_MORE = "scratch", "spt", "spt+unlabeled"
PRETRAINED = (SPT, SPT_MORE)
COMPOSITION = ("kmer", "markov", "cpg")
"""Baselines without a network, for windows (`evaluation.baseline`)."""
_PRESET = PretrainConfig.model_fields["preset"].default
AUGUSTUS = "augustus"
"""Genes of AUGUSTUS, trained on the train split; augustus:SPECIES, with a model of its authors (`evaluation.augustus`)."""

Share = Annotated[float, Field(gt=0, le=1)]
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Seed = Annotated[int, Field(ge=0)]


class Arm(Settings):
    """One way to a model."""

    name: str
    """As tables call it."""
    init: str = SCRATCH
    """scratch, spt (pretrained on the train split's sequences), spt+unlabeled (on the unlabeled ones too, for as many
    bases), the path of a checkpoint, or, for windows, a baseline without a network: kmer (logistic regression on 4-mers),
    markov (two Markov chains) or cpg (CpG count); for genes augustus (AUGUSTUS, trained on the train split) or
    augustus:SPECIES (with a model of its authors)."""
    head: HeadName = "auto"
    """auto takes the task's first."""
    freeze_encoder: bool = False
    """Train the head alone."""
    label_fractions: tuple[Share, ...] | None = Field(None, min_length=1)
    """Shares of the train windows to learn from; left out: those of the study."""
    learning_rate: Rate | None = None
    """Left out, it is chosen on valid."""
    extended: bool = False
    """Trained for the bases of pretraining too: the same bases in all."""
    pretrain: dict[str, Any] = Field(default_factory=dict)
    """Settings of this arm's pretraining, beside those of the study."""
    finetune: dict[str, Any] = Field(default_factory=dict)
    """Settings of this arm's fine-tuning, beside those of the study: preset = "basset", embeddings = "FOLDER", ..."""

    @property
    def is_baseline(self) -> bool:
        """Whether it is no network of ours: it has neither a seed nor a learning rate."""
        return self.init in COMPOSITION or self.is_augustus

    @property
    def is_augustus(self) -> bool:
        """Whether its genes are those of AUGUSTUS."""
        return self.init.split(":")[0] == AUGUSTUS


class StudyConfig(Settings):
    """A comparison of arms on one dataset."""

    data: Path
    """Dataset folder; a file may list several, each for a study of its own with the same arms."""
    arms: tuple[Arm, ...] = Field(min_length=1)
    """What is compared."""
    seeds: tuple[Seed, ...] = Field((0, 1, 2), min_length=1)
    """Of every arm; the first one's runs choose the learning rates."""
    label_fractions: tuple[Share, ...] = Field((1.0,), min_length=1)
    """Shares of the train windows to learn from."""
    learning_rates: tuple[Rate, ...] = Field((3e-4, 1e-3, 3e-3), min_length=1)
    """From which every arm's is chosen on valid."""
    marginal_gain: float = Field(0.0, ge=0)
    """Gains of pretraining within this much of 0 are marginal: tests P5, for histone marks and accessibility; 0 leaves it out."""
    tuning_share: float = Field(0.25, gt=0, le=1)
    """Share of the fine-tuning epochs that choosing a rate may take. With 1 the best trial is the first seed's run; less is
    quicker, and may favor rates that do not last."""
    pretrain: dict[str, Any] = Field(default_factory=dict)
    """Settings of every pretraining."""
    finetune: dict[str, Any] = Field(default_factory=dict)
    """Settings of every fine-tuning."""

    def network_of(self, arm: Arm) -> tuple[object, ...]:
        """What decides the size of an arm's encoder: arms that differ here differ in more than where they begin."""
        pretrain, finetune = self.pretrain | arm.pretrain, self.finetune | arm.finetune
        if arm.init in PRETRAINED:
            own = pretrain.get("encoder")
            return ("preset", pretrain.get("preset", _PRESET)) if own is None else ("encoder", json.dumps(own))
        if arm.init != SCRATCH:
            return ("given", arm.init)
        if "embeddings" in finetune:
            return ("embeddings", finetune["embeddings"])
        return ("preset", finetune.get("preset", self.pretrain.get("preset", _PRESET)))

    @property
    def name(self) -> str:
        """Of its dataset; that of `bend run` lies in OUT/data."""
        own = Path(os.path.abspath(self.data))
        return own.parent.name if own.name == "data" else own.name

    @property
    def title(self) -> str:
        """Of its report."""
        return f"Study of {self.name}"

    def with_heads(self, dataset: Manifest) -> "StudyConfig":
        """The same study with the head that "auto" means here: arms that train alike are compared alike."""
        first = next(iter(TASKS[dataset.task].heads), "auto")
        arms = (arm.model_copy(update={"head": first}) if arm.head == "auto" else arm for arm in self.arms)
        return self.model_copy(update={"arms": tuple(arms)})

    @model_validator(mode="after")
    def _check(self) -> Self:
        parts = [self.pretrain, self.finetune, *(part for arm in self.arms for part in (arm.pretrain, arm.finetune))]
        if any("max_minutes" in part for part in parts):
            raise ValueError(
                "max_minutes would end a run early; break the study off instead, and run it again to go on"
            )
        names = [arm.name for arm in self.arms]
        if odd := [name for name in names if not name.strip() or re.search(r"[|\n\r]", name)]:
            raise ValueError(f"an arm is called {odd[0]!r}; expected a name without '|', on one line")
        if twice := _twice(names):
            raise ValueError(f"two arms are called {twice[0]!r}")
        own = (arm.label_fractions or () for arm in self.arms)
        for given in (self.seeds, self.learning_rates, self.label_fractions, *own):
            if twice := _twice(given):  # a run that counts twice makes intervals too narrow
                raise ValueError(f"{twice[0]!r} stands twice among {', '.join(map(str, given))}")
        fixed = {"data", "out", "seed", "encoder", "head", "learning_rate", "label_fraction", "freeze_encoder", "steps"}
        reads = {"unlabeled", "splits"}
        for part, taken in (("pretrain", (fixed | reads) - {"encoder", "learning_rate"}), ("finetune", fixed)):
            for settings in (self, *self.arms):
                if wrong := sorted(taken & set(getattr(settings, part))):
                    do = "; say epochs" if wrong[0] == "steps" else ""
                    raise ValueError(f"{part}.{wrong[0]} is set by the study itself{do}")
        return self


def _twice(given: Sequence[Any]) -> list[Any]:
    return sorted({one for one in given if given.count(one) > 1})


def check_settings(study: StudyConfig) -> None:
    """Refuse settings that no run has, or that the dataset does not allow.

    Raises:
        ConfigError: names the first. DatasetError: no dataset. CheckpointError: an arm's init is none.
    """
    dataset = read_manifest(study.data)
    splits, heads = dataset.splits, ("auto", *TASKS[dataset.task].heads)
    if missing := [name for name in SPLITS if name not in splits]:
        raise ConfigError(
            f"{study.data}: has no {missing[0]} split; a study trains, chooses on valid and scores on test"
        )
    if any(arm.init == SPT_MORE for arm in study.arms) and UNLABELED not in splits:
        do = "prepare it with --unlabeled"
        raise ConfigError(f"{study.data}: has no unlabeled sequence for init {SPT_MORE!r}; {do}")
    for arm in study.arms:
        if arm.is_baseline and dataset.per_base != arm.is_augustus:
            whose = "genes" if arm.is_augustus else "windows"
            raise ConfigError(f"{study.data}: has other labels than {whose}; init {arm.init!r} is for {whose}")
        if arm.is_baseline and (idle := sorted(arm.model_fields_set - {"name", "init"})):
            raise ConfigError(f"arm {arm.name!r}: {idle[0]} has no effect on a baseline")
        if arm.head not in heads:
            raise ConfigError(
                f"arm {arm.name!r}: head {arm.head!r} does not fit task {dataset.task!r}; expected {' or '.join(heads[1:])}"
            )
    _tell_of_sizes(study)
    for arm in study.arms:
        if arm.is_baseline or arm.init in (SCRATCH, *PRETRAINED):
            continue
        if not Path(arm.init).exists():
            known = ", ".join((SCRATCH, *PRETRAINED, *COMPOSITION, AUGUSTUS, f"{AUGUSTUS}:SPECIES"))
            raise ConfigError(f"arm {arm.name!r}: init {arm.init!r} is no file or folder; expected one, or {known}")
        find_checkpoint(arm.init)
    places = {"data": study.data, "out": Path("run")}
    for arm in study.arms:
        pretrain, finetune = study.pretrain | arm.pretrain, study.finetune | arm.finetune
        batches = [[part.get(name) for name in ("batch_bp", "accumulate")] for part in (pretrain, finetune)]
        if batches[0] != batches[1] and (arm.extended or arm.init == SPT_MORE):
            raise ConfigError("pretrain and finetune have different batches; then equal bases are not equal steps")
        if arm.pretrain and not arm.extended and arm.init not in PRETRAINED:
            raise ConfigError(f"arm {arm.name!r}: is not pretrained here; its settings of pretraining have no effect")
        if arm.init in PRETRAINED and {"preset", "embeddings"} & set(arm.finetune):
            raise ConfigError(f"arm {arm.name!r}: begins from pretraining, which has the size; set it under pretrain")
        if {"preset", "embeddings"} <= set(finetune):
            raise ConfigError(
                f"arm {arm.name!r}: has a preset and embeddings; give each arm its own, and the study none"
            )
        build_config(PretrainConfig, pretrain | places)
        build_config(FinetuneConfig, finetune | places)


def without_preset(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings of fine-tuning but for the size, which pretraining decides for arms that begin from it."""
    return {name: value for name, value in settings.items() if name != "preset"}


def _tell_of_sizes(study: StudyConfig) -> None:
    """Arms that would be compared if their encoders had one size."""
    for first, second in product(study.arms, study.arms):
        is_pair = first.init == SCRATCH and second.init in PRETRAINED and first.head == second.head
        is_pair &= first.freeze_encoder == second.freeze_encoder
        if (
            is_pair
            and without_preset(first.finetune) == without_preset(second.finetune)
            and study.network_of(first) != study.network_of(second)
        ):
            names = (first.name, second.name)
            log.warning("arms %r and %r differ in the size of the encoder, so they are not compared", *names)
