"""A study's settings to the runs it needs, each named by a digest of its settings and data (a given checkpoint: of its path).

Every arm's learning rate is chosen on valid, at a share of the budget, with one seed, from the same rates; then every seed and
label fraction is trained with it. A fraction of the labels is trained for as many bases as all of them.
"""

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from dnaspt.config import FinetuneConfig, PretrainConfig, build_config
from dnaspt.data.manifest import MANIFEST_FILE, UNLABELED, Manifest, joint_digest, read_fold_or_whole
from dnaspt.data.segments import union_bp
from dnaspt.studies.settings import PRETRAINED, SCRATCH, SPT_MORE, Arm, PretrainingPaths, StudyConfig, without_preset
from dnaspt.tasks import GENE_MODEL
from dnaspt.training.pretrain import epoch_bp

Stage = Literal["pretrain", "tune", "final", "join"]
STAGES: tuple[Stage, ...] = ("pretrain", "tune", "final", "join")
"""Kinds of runs, in the order in which they are made. Those of `join` are final runs, too: ensembles of others."""


@dataclass(frozen=True, slots=True)
class Job:
    """One run that a study needs.

    Attributes:
        kind: pretrain, tune (a trial of a learning rate, scored on valid) or final (scored on test).
        arm: name of the arm; "" for pretraining, which arms share.
        settings: settings of `pretrain` or `finetune` by name, without paths; of a baseline its name.
        encoder: digest of the pretraining it begins from, or path of a given checkpoint; "" for none.
        data_digest: digest of the dataset; of a pretraining on other data that of all that it reads and cuts out.
    """

    kind: Stage
    arm: str
    settings: dict[str, Any]
    encoder: str
    data_digest: str

    @property
    def digest(self) -> str:
        """Digest of everything but the arm's name: 16 hexadecimal digits."""
        decisive = {name: value for name, value in asdict(self).items() if name != "arm"}
        return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def name(self) -> str:
        """Name of the run's folder and of its record."""
        return f"{self.kind}-{self.digest}"

    @property
    def seed(self) -> int:
        """Seed of the run."""
        return int(self.settings["seed"])

    @property
    def learning_rate(self) -> float:
        """Peak learning rate; 0 where the settings name none."""
        return float(self.settings.get("learning_rate", 0))

    @property
    def label_fraction(self) -> float:
        """Share of the train split that it learns from."""
        return float(self.settings.get("label_fraction", 1))

    @property
    def fold(self) -> int:
        """Fold of the dataset, from 1; 0 where the splits are fixed."""
        return int(self.settings.get("fold", 0))

    @property
    def baseline(self) -> str:
        """Name of the baseline: kmer, markov, cpg, augustus or augustus:SPECIES; "" for a network."""
        return str(self.settings.get("baseline", ""))

    @property
    def members(self) -> tuple[str, ...]:
        """Names of the runs that an ensemble joins; none where it is a run of its own."""
        return tuple(self.settings.get("members", ()))

    @property
    def is_gene_model(self) -> bool:
        """Whether it is a gene model, which is estimated without steps."""
        return self.settings.get("head") == GENE_MODEL

    @property
    def title(self) -> str:
        """The run in words: arm, seed, fold, learning rate and share of the labels."""
        words = [self.arm or "pretraining"]
        if not self.baseline and not self.members:
            words.append(f"seed {self.seed}")
        if self.fold:
            words.append(f"fold {self.fold}")
        if self.learning_rate:
            words.append(f"learning rate {self.learning_rate:g}")
        if self.label_fraction != 1:
            words.append(f"{self.label_fraction:.0%} of the labels")
        return ", ".join(words)

    def as_kind(self, kind: Literal["tune", "final"]) -> "Job":
        """The run with the same settings (so the same weights) of the other kind: tune or final."""
        return replace(self, kind=kind)


def distinct(jobs: Iterable[Job]) -> list[Job]:
    """Equal runs once, in the order in which they first appear."""
    return list({job.name: job for job in jobs}.values())


def pretrainings(study: StudyConfig, dataset: Manifest) -> list[Job]:
    """Pretrainings that the arms begin from, each once; dataset: the whole one, or as one fold sees it."""
    arms = [arm for init in PRETRAINED for arm in study.arms if arm.init == init]
    return distinct(_pretraining(study, dataset, arm, seed) for arm in arms for seed in study.seeds)


def _pretraining(study: StudyConfig, dataset: Manifest, arm: Arm, seed: int) -> Job:
    settings = study.pretrain | arm.pretrain | {"seed": seed} | _fold_of(dataset)
    if any(UNLABELED in manifest.splits for manifest in _read_by(study, dataset, arm)):
        settings["unlabeled"] = arm.init == SPT_MORE
    if arm.init == SPT_MORE:  # as many bases as the train split alone would be read for
        paths = study.pretraining_paths(arm)
        own, both = (_epoch_bp(study, dataset, paths, unlabeled=unlabeled) for unlabeled in (False, True))
        settings["epochs"] = _pretrain_epochs(study, arm) * own / both
    return Job("pretrain", "", settings, "", _pretraining_digest(study, dataset, arm))


def _read_by(study: StudyConfig, dataset: Manifest, arm: Arm) -> list[Manifest]:
    """Datasets that an arm is pretrained on, as the fold of the study's own dataset sees them."""
    return [_view(folder, dataset.fold) for folder in study.pretrain_data_of(arm)] or [dataset]


def _pretraining_digest(study: StudyConfig, dataset: Manifest, arm: Arm) -> str:
    """Digest of all that an arm's pretraining reads and cuts out, as its checkpoint will have it."""
    paths = study.pretraining_paths(arm)
    return _joint_digest(paths, dataset.fold) if paths.held_out else dataset.digest


def _joint_digest(paths: PretrainingPaths, fold: int) -> str:
    return joint_digest(
        [_view(folder, fold) for folder in dict.fromkeys(paths.read)],
        [_view(folder, fold) for folder in (paths.data, *paths.held_out)],
    )


def _view(folder: Path, fold: int) -> Manifest:
    """The manifest of a dataset as a fold sees it; read again where it has changed."""
    file = folder / MANIFEST_FILE
    return _read_view(folder, fold, file.stat().st_mtime_ns if file.is_file() else 0)


@lru_cache
def _read_view(folder: Path, fold: int, _written_at: int) -> Manifest:
    return read_fold_or_whole(folder, fold)


def pretraining_paths(study: StudyConfig, job: Job) -> PretrainingPaths:
    """The datasets of a pretraining that arms of a study begin from."""
    dataset = _view(study.data, job.fold)
    for arm in study.arms:
        is_joint = arm.init in PRETRAINED and bool(study.pretrain_data_of(arm))
        if is_joint and _pretraining_digest(study, dataset, arm) == job.data_digest:
            return study.pretraining_paths(arm)
    return PretrainingPaths(study.data)


def _fold_of(dataset: Manifest) -> dict[str, int]:
    """The fold as a setting of a run; nothing where the splits are fixed, so that runs are named as before there were folds."""
    return {"fold": dataset.fold} if dataset.fold else {}


def tuning(study: StudyConfig, dataset: Manifest, arm: Arm) -> list[Job]:
    """Trials that choose an arm's learning rate, one for each rate; none where it is given, and for a gene model."""
    if arm.is_baseline or arm.is_ensemble or arm.is_gene_model or arm.learning_rate or len(study.learning_rates) == 1:
        return []
    return [_finetuning(study, dataset, arm, study.seeds[0], rate, 1.0, "tune") for rate in study.learning_rates]


def finals(study: StudyConfig, dataset: Manifest, arm: Arm, rate: float) -> list[Job]:
    """Runs of an arm whose scores on test count, trained with a learning rate; none of one that joins others."""
    if arm.is_ensemble:
        return []
    if arm.is_baseline:  # has neither a seed nor a rate
        settings = {"baseline": arm.init, "seed": study.seeds[0], "learning_rate": 0.0, "label_fraction": 1.0}
        return [Job("final", arm.name, settings | _fold_of(dataset), "", dataset.digest)]
    fractions = study.label_fractions if arm.label_fractions is None else arm.label_fractions
    return [
        _finetuning(study, dataset, arm, seed, rate, fraction, "final")
        for fraction in fractions
        for seed in study.seeds
    ]


def joins(study: StudyConfig, dataset: Manifest, arm: Arm, finals_of: Callable[[Arm], list[Job]]) -> list[Job]:
    """Ensembles of an arm that joins others, one for each share of the labels.

    Args:
        study: settings of the study.
        dataset: as a fold sees it.
        arm: the arm.
        finals_of: final runs of another arm on this fold.
    """
    joined = [job for other in study.arms if other.name in arm.members for job in finals_of(other)]
    jobs = []
    for fraction in (study.label_fractions if arm.label_fractions is None else arm.label_fractions) if joined else ():
        members = [job.name for job in joined if job.label_fraction == fraction]
        settings = {"members": members, "seed": study.seeds[0], "learning_rate": 0.0, "label_fraction": fraction}
        settings |= {"composition": True} if arm.composition else {}
        jobs.append(Job("final", arm.name, settings | _fold_of(dataset), "", dataset.digest))
    return jobs


@lru_cache
def pretrain_bp(data: Path, digest: str, split: str = "train", fold: int = 0) -> int:
    """Bases of an epoch of pretraining on a split, or on that of a fold; overlaps count once. digest: of the dataset."""
    return union_bp(data, split, fold)


def _pretrain_epochs(study: StudyConfig, arm: Arm) -> float:
    return float((study.pretrain | arm.pretrain).get("epochs", PretrainConfig.model_fields["epochs"].default))


def _epoch_bp(study: StudyConfig, dataset: Manifest, paths: PretrainingPaths, *, unlabeled: bool = False) -> int:
    """Bases of an epoch of pretraining on the train split, with `unlabeled` on that, too; without what is cut out."""
    if not paths.held_out:
        splits = ("train", UNLABELED) if unlabeled else ("train",)
        return sum(pretrain_bp(study.data, dataset.digest, split, dataset.fold) for split in splits)
    return _joint_bp(paths, _joint_digest(paths, dataset.fold), dataset.fold, unlabeled=unlabeled)


@lru_cache
def _joint_bp(paths: PretrainingPaths, _digest: str, fold: int, *, unlabeled: bool) -> int:
    settings = {"out": Path("run"), "fold": fold, "unlabeled": unlabeled}
    return epoch_bp(build_config(PretrainConfig, paths.settings() | settings))


def _finetuning(
    study: StudyConfig,
    dataset: Manifest,
    arm: Arm,
    seed: int,
    rate: float,
    fraction: float,
    kind: Literal["tune", "final"],
) -> Job:
    own = study.finetune_of(arm)
    encoder = _pretraining(study, dataset, arm, seed).digest if arm.init in PRETRAINED else arm.init
    if arm.is_gene_model:
        settings = own | {"seed": seed, "head": arm.head, "label_fraction": fraction, **_fold_of(dataset)}
        if arm.init == SCRATCH and "embeddings" not in own:
            settings["preset"] = study.network_of(arm)[1]
        elif arm.init != SCRATCH:  # an encoder has its own size
            settings = without_preset(settings)
        return Job(kind, arm.name, settings, "" if arm.init == SCRATCH else encoder, dataset.digest)
    epochs = own.get("epochs", FinetuneConfig.model_fields["epochs"].default)
    if arm.extended:
        epochs += (
            _pretrain_epochs(study, arm)
            * _epoch_bp(study, dataset, study.pretraining_paths(arm))
            / dataset.splits["train"].n_bp
        )
    settings = own | {
        "seed": seed,
        "head": arm.head,
        "learning_rate": rate,
        "label_fraction": fraction,
        "epochs": epochs * (study.tuning_share if kind == "tune" else 1 / fraction),
        **_fold_of(dataset),
    }
    if arm.freeze_encoder:
        settings["freeze_encoder"] = True
    if arm.init == SCRATCH and "preset" in study.pretrain and "embeddings" not in own:
        settings.setdefault("preset", study.pretrain["preset"])
    return Job(kind, arm.name, settings, "" if arm.init == SCRATCH else encoder, dataset.digest)


def bases_read(study: StudyConfig, dataset: Manifest, job: Job) -> float:
    """Bases that a run reads, about; 0 for a baseline and an ensemble. dataset: the whole one."""
    if job.baseline or job.members:
        return 0.0
    dataset = dataset.of_fold(job.fold)
    if job.kind == "pretrain":
        epochs = job.settings.get("epochs", PretrainConfig.model_fields["epochs"].default)
        unlabeled = bool(job.settings.get("unlabeled"))
        return float(epochs * _epoch_bp(study, dataset, pretraining_paths(study, job), unlabeled=unlabeled))
    epochs = 1 if job.is_gene_model else job.settings["epochs"]
    return float(epochs * job.label_fraction * dataset.splits["train"].n_bp)
