"""A study's settings to the runs it needs, each named by a digest of its settings and data (a given checkpoint: of its path).

Every arm's learning rate is chosen on valid, at a share of the budget, with one seed, from the same rates; then every seed and
label fraction is trained with it. A fraction of the labels is trained for as many bases as all of them.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from dnaspt.config import FinetuneConfig, PretrainConfig
from dnaspt.data.manifest import UNLABELED, Manifest
from dnaspt.data.segments import union_bp
from dnaspt.studies.settings import PRETRAINED, SCRATCH, SPT_MORE, Arm, StudyConfig


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
