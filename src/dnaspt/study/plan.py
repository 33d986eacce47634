"""A study's settings to the runs it needs, each named by a digest of its settings and data (a given checkpoint: of its path).

Every arm's learning rate is chosen on valid, at a share of the budget, with one seed, from the same rates; then every seed and
label fraction is trained with it. A fraction of the labels is trained for as many bases as all of them.
"""

import hashlib
import json
import logging
import re
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from dnaspt.config import FinetuneConfig, HeadName, PretrainConfig, Settings, build_config
from dnaspt.data.manifest import SPLITS, UNLABELED, Manifest, read_manifest
from dnaspt.data.segments import union_bp
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
    label_fractions: tuple[float, ...] | None = None
    """Shares of the train windows to learn from; left out: those of the study."""
    learning_rate: float | None = Field(None, gt=0)
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
    """Dataset folder."""
    arms: tuple[Arm, ...] = Field(min_length=1)
    """What is compared."""
    seeds: tuple[int, ...] = Field((0, 1, 2), min_length=1)
    """Of every arm; the first one's runs choose the learning rates."""
    label_fractions: tuple[float, ...] = Field((1.0,), min_length=1)
    """Shares of the train windows to learn from."""
    learning_rates: tuple[float, ...] = Field((3e-4, 1e-3, 3e-3), min_length=1)
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
    def title(self) -> str:
        """Of its report; the dataset of `bend run` lies in OUT/data."""
        own = self.data.absolute()
        return f"Study of {own.parent.name if own.name == 'data' else own.name}"

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
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two arms are called {twice[0]!r}")
        fixed = {"data", "out", "seed", "encoder", "head", "learning_rate", "label_fraction", "freeze_encoder", "steps"}
        reads = {"unlabeled", "splits"}
        for part, taken in (("pretrain", (fixed | reads) - {"encoder", "learning_rate"}), ("finetune", fixed)):
            for settings in (self, *self.arms):
                if wrong := sorted(taken & set(getattr(settings, part))):
                    do = "; say epochs" if wrong[0] == "steps" else ""
                    raise ValueError(f"{part}.{wrong[0]} is set by the study itself{do}")
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

    @property
    def title(self) -> str:
        """What a person reads of it."""
        words = [self.arm or "pretraining"]
        if "baseline" not in self.settings:
            words.append(f"seed {self.settings['seed']}")
        if "learning_rate" in self.settings and "baseline" not in self.settings:
            words.append(f"learning rate {self.settings['learning_rate']:g}")
        if (fraction := self.settings.get("label_fraction", 1.0)) != 1:
            words.append(f"{fraction:.0%} of the labels")
        return ", ".join(words)

    def as_kind(self, kind: Literal["tune", "final"]) -> "Job":
        """A run with the same settings, and so the same weights, for the other purpose."""
        return replace(self, kind=kind)

    def baseline_command(self, data: Path, out: Path) -> tuple[str, ...]:
        """Words of `dnaspt` that make a baseline: its name is a model, or augustus:SPECIES."""
        model, _, species = str(self.settings["baseline"]).partition(":")
        which = ("--species", species) if species else ("--model", model)
        return ("baseline", str(data), *which, "--out", str(out))

    def toml(self) -> str:
        """Its settings as the file that `--config` takes."""
        return "".join(f"{name} = {_toml(value)}\n" for name, value in self.settings.items())


def _toml(value: Any) -> str:
    """A value as TOML writes it; strings, numbers and lists of them are written as in JSON."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {_toml(part)}" for name, part in value.items()) + " }"
    return json.dumps(value)


def check_settings(study: StudyConfig) -> None:
    """Refuse settings that no run has, or that the dataset does not allow.

    Raises:
        ConfigError: names the first. DatasetError: no dataset.
    """
    splits = read_manifest(study.data).splits
    if missing := [name for name in SPLITS if name not in splits]:
        raise ConfigError(
            f"{study.data}: has no {missing[0]} split; a study trains, chooses on valid and scores on test"
        )
    if any(arm.init == SPT_MORE for arm in study.arms) and UNLABELED not in splits:
        do = "prepare it with --unlabeled"
        raise ConfigError(f"{study.data}: has no unlabeled sequence for init {SPT_MORE!r}; {do}")
    for arm in study.arms:
        if arm.is_baseline and read_manifest(study.data).per_base != arm.is_augustus:
            whose = "genes" if arm.is_augustus else "windows"
            raise ConfigError(f"{study.data}: has other labels than {whose}; init {arm.init!r} is for {whose}")
        if arm.is_baseline and (idle := sorted(arm.model_fields_set - {"name", "init"})):
            raise ConfigError(f"arm {arm.name!r}: {idle[0]} has no effect on a baseline")
    _tell_of_sizes(study)
    for arm in study.arms:
        if not arm.is_baseline and arm.init not in (SCRATCH, *PRETRAINED) and not Path(arm.init).exists():
            known = ", ".join((SCRATCH, *PRETRAINED, *COMPOSITION, AUGUSTUS, f"{AUGUSTUS}:SPECIES"))
            raise ConfigError(f"arm {arm.name!r}: init {arm.init!r} is no file or folder; expected one, or {known}")
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


def pretrainings(study: StudyConfig, dataset: Manifest) -> list[Job]:
    """Those that any arm begins from, each once."""
    arms = [arm for init in PRETRAINED for arm in study.arms if arm.init == init]
    jobs = [_pretraining(study, dataset, arm, seed) for arm in arms for seed in study.seeds]
    return list({job.digest: job for job in jobs}.values())


def _pretraining(study: StudyConfig, dataset: Manifest, arm: Arm, seed: int) -> Job:
    settings = study.pretrain | arm.pretrain | {"seed": seed}
    if UNLABELED in dataset.splits:
        settings["unlabeled"] = arm.init == SPT_MORE
    if arm.init == SPT_MORE:
        own, more = (pretrain_bp(study.data, dataset.digest, split) for split in ("train", UNLABELED))
        settings["epochs"] = _pretrain_epochs(study, arm) * own / (own + more)
    return Job("pretrain", "", settings, "", dataset.digest)


def tuning(study: StudyConfig, dataset: Manifest, arm: Arm) -> list[Job]:
    """Runs that choose an arm's learning rate, one for each."""
    if arm.is_baseline or arm.learning_rate or len(study.learning_rates) == 1:
        return []
    return [_finetuning(study, dataset, arm, study.seeds[0], rate, 1.0, "tune") for rate in study.learning_rates]


def finals(study: StudyConfig, dataset: Manifest, arm: Arm, rate: float) -> list[Job]:
    """Runs of an arm whose scores count."""
    if arm.is_baseline:  # has neither a seed nor a rate
        settings = {"baseline": arm.init, "seed": study.seeds[0], "learning_rate": 0.0, "label_fraction": 1.0}
        return [Job("final", arm.name, settings, "", dataset.digest)]
    fractions = study.label_fractions if arm.label_fractions is None else arm.label_fractions
    return [
        _finetuning(study, dataset, arm, seed, rate, fraction, "final")
        for fraction in fractions
        for seed in study.seeds
    ]


@lru_cache
def pretrain_bp(data: Path, digest: str, split: str = "train") -> int:
    """Bases of an epoch of pretraining on a split, which reads what windows share once; digest: of the dataset."""
    return union_bp(data, split)


def _pretrain_epochs(study: StudyConfig, arm: Arm) -> float:
    return float((study.pretrain | arm.pretrain).get("epochs", PretrainConfig.model_fields["epochs"].default))


def _finetuning(
    study: StudyConfig,
    dataset: Manifest,
    arm: Arm,
    seed: int,
    rate: float,
    fraction: float,
    kind: Literal["tune", "final"],
) -> Job:
    own = study.finetune | arm.finetune
    epochs = own.get("epochs", FinetuneConfig.model_fields["epochs"].default)
    if arm.extended:
        epochs += _pretrain_epochs(study, arm) * pretrain_bp(study.data, dataset.digest) / dataset.splits["train"].n_bp
    settings = own | {
        "seed": seed,
        "head": arm.head,
        "learning_rate": rate,
        "label_fraction": fraction,
        "epochs": epochs * (study.tuning_share if kind == "tune" else 1 / fraction),
    }
    if arm.freeze_encoder:
        settings["freeze_encoder"] = True
    if arm.init == SCRATCH and "preset" in study.pretrain and "embeddings" not in own:
        settings.setdefault("preset", study.pretrain["preset"])
    encoder = "" if arm.init == SCRATCH else arm.init
    if arm.init in PRETRAINED:
        encoder = _pretraining(study, dataset, arm, seed).digest
    return Job(kind, arm.name, settings, encoder, dataset.digest)
