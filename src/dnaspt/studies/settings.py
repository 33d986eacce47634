"""Settings of a study: which arms it compares, on which data, over which seeds and learning rates.

`StudyConfig` and `Arm` check what can be checked without the dataset; `check_settings` checks the rest before anything runs.
"""

import json
import logging
import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from dnaspt.baselines.baseline import check_models
from dnaspt.checkpoint_config import DESCRIPTION, find_checkpoint
from dnaspt.config import (
    MOST_RATE,
    MOST_SEED,
    OF_GRADIENTS,
    FinetuneConfig,
    HeadName,
    Paths,
    PretrainConfig,
    Settings,
    build_config,
    read_toml,
)
from dnaspt.data.manifest import MANIFEST_FILE, SPLITS, UNLABELED, Manifest, read_fold_or_whole, read_manifest
from dnaspt.errors import ConfigError
from dnaspt.output import refuse_inputs
from dnaspt.prepare.splits import Folds, checked_folds
from dnaspt.tasks import GENE_MODEL, TASKS
from dnaspt.training.recipe import STUDY_RATES, recipe_of
from dnaspt.training.runs import SETTINGS

log = logging.getLogger(__name__)

SCRATCH, SPT, SPT_MORE = "scratch", "spt", "spt+unlabeled"
PRETRAINED = (SPT, SPT_MORE)
"""Ways to begin for which the study pretrains an encoder itself."""
PRETRAINING = "pretraining"
"""Name of the folder, in that of a study over several datasets, of the pretrainings that all begin from."""
OWN_WINDOWS = "own windows"
"""Name of the protocol that pretrains on the task's own train windows."""
COMPOSITION = ("kmer", "markov", "cpg")
"""Baselines for windows that need no network (`baselines.windows`)."""
AUGUSTUS = "augustus"
"""The gene finder AUGUSTUS, trained on the train split; augustus:SPECIES has a model of its authors (`baselines.augustus`)."""
_DEFAULT_PRESET = PretrainConfig.model_fields["preset"].default

Command = Literal["pretrain", "finetune"]
_LETTERS = "onehot"
"""Preset of a gene model that scores sites by letters."""
_SET_BY_STUDY: dict[Command, set[str]] = {
    "pretrain": {
        "data",
        "out",
        "seed",
        "fold",
        "head",
        "label_fraction",
        "freeze_encoder",
        "steps",
        "unlabeled",
        "splits",
        "more_data",
        "held_out",
    },
    "finetune": {
        *(
            "data",
            "out",
            "seed",
            "fold",
            "head",
            "label_fraction",
            "freeze_encoder",
            "steps",
            "encoder",
            "learning_rate",
        ),
    },
}
"""Settings that a study gives each run itself."""

Share = Annotated[float, Field(gt=0, le=1)]
Rate = Annotated[float, Field(gt=0, le=MOST_RATE)]
Seed = Annotated[int, Field(ge=0, le=MOST_SEED)]


class Arm(Settings):
    """One way to a model: where the encoder begins, which head it gets, and how both are trained."""

    name: str
    """Name of the arm in tables and figures."""
    init: str = SCRATCH
    """Where the encoder begins. scratch: random weights. spt: pretrained on the train split's own sequences. spt+unlabeled:
    pretrained on the unlabeled sequences too, for as many bases. A path: a given checkpoint. Or a baseline instead of a network:
    for windows kmer (logistic regression on 4-mers), markov (two Markov chains) or cpg (CpG count); for genes augustus (AUGUSTUS,
    trained on the train split) or augustus:SPECIES (AUGUSTUS with a model of its authors)."""
    head: HeadName = "auto"
    """Head of the model; auto takes gene-model for genes (crf for those of BEND) and sigmoid for windows. Set it to compare
    heads. gene-model is estimated in minutes, without learning rates: from scratch it scores sites by letters, or, with
    finetune = { preset = "small" }, by an encoder of random weights; with init = "spt" by the pretrained one."""
    freeze_encoder: bool = False
    """Train the head alone. Set it to see how much the hidden states hold by themselves."""
    label_fractions: tuple[Share, ...] | None = Field(None, min_length=1)
    """Shares of the train split to learn from (0 to 1), instead of those of the study. Set it where one arm needs fewer or
    more of them than the others."""
    learning_rate: Rate | None = None
    """Peak learning rate. Left out, it is chosen on valid from `learning_rates`. Set it where it is known from elsewhere."""
    extended: bool = False
    """Train for the bases of pretraining on top, so that the arm reads as many bases in all as a pretrained one. Set it in an
    arm from scratch to ask whether longer training would do as well as pretraining."""
    pretrain_data: Paths | None = None
    """Datasets that this arm is pretrained on, instead of those of the study; [] for the task's own windows. Set it to compare
    both protocols in one study."""
    pretrain: dict[str, Any] = Field(default_factory=dict)
    """Settings of this arm's pretraining; they win over those of the study. Set them to compare ways of pretraining."""
    finetune: dict[str, Any] = Field(default_factory=dict)
    """Settings of this arm's fine-tuning; they win over those of the study. Set them to compare architectures or recipes:
    preset = "basset", embeddings = "FOLDER", encoder_rate = 0.1."""

    members: tuple[str, ...] = ()
    """Names of other arms whose runs are joined to one model, as 'dnaspt ensemble' does: in each fold and for each share of the
    labels those of all seeds. Set it to ask what several models are worth together; such an arm has no other settings but
    composition and label_fractions."""
    composition: bool = False
    """Of an arm with members: add what the k-mers of a window say. Then one run may be joined."""

    @property
    def is_ensemble(self) -> bool:
        """Whether the arm joins the runs of others, and trains nothing."""
        return bool(self.members)

    @property
    def is_gene_model(self) -> bool:
        """Whether the arm is a gene model, which is estimated: nothing is trained by gradients."""
        return self.head == GENE_MODEL

    @property
    def is_baseline(self) -> bool:
        """Whether the arm is a baseline instead of a network; it has neither a seed nor a learning rate."""
        return self.init in COMPOSITION or self.is_augustus

    @property
    def is_augustus(self) -> bool:
        """Whether the arm's genes are those of AUGUSTUS."""
        return self.init.split(":")[0] == AUGUSTUS


def dataset_name(folder: Path) -> str:
    """Name of a dataset: that of its folder; of OUT/data, as `dnaspt bend run` makes it, that of OUT."""
    folder = Path(os.path.abspath(folder))
    return folder.parent.name if folder.name == "data" else folder.name


@dataclass(frozen=True, slots=True)
class PretrainingPaths:
    """The datasets of a pretraining, as its settings name them.

    Attributes:
        data: dataset that is read, and on whose valid split the best checkpoint is chosen.
        more_data: others that are read.
        held_out: those that it serves; empty where it serves `data` alone.
    """

    data: Path
    more_data: tuple[Path, ...] = ()
    held_out: tuple[Path, ...] = ()

    @property
    def read(self) -> tuple[Path, ...]:
        """All datasets that are read."""
        return (self.data, *self.more_data)

    def settings(self) -> dict[str, Any]:
        """Settings of `pretrain` by name; of a pretraining that serves its own dataset alone as before there were others."""
        others = {"more_data": self.more_data, "held_out": self.held_out} if self.held_out else {}
        return {"data": self.data} | others


class StudyConfig(Settings):
    """A comparison of arms on one dataset."""

    data: Path
    """Dataset folder. A file may list several folders; each gets a study of its own with the same arms."""
    arms: tuple[Arm, ...] = Field(min_length=1)
    """What is compared, a table [[arms]] for each; see below."""
    seeds: tuple[Seed, ...] = Field((0, 1, 2), min_length=1)
    """Seeds of every arm; runs of the first one choose the learning rates. Take five or more where the intervals are too wide
    to decide; take one for a first look."""
    folds: Annotated[Folds | None, BeforeValidator(checked_folds)] = None
    """Cross-validation over the folds of the dataset, as 'dnaspt prepare --folds' made them: their number, or contigs. Every
    base is tested once, by a model of every arm and seed that has not seen it: pretraining, learning rates and weights are those
    of the fold. Scores and intervals are over all folds (docs/files.md). Left out, the fixed splits are used."""
    label_fractions: tuple[Share, ...] = Field((1.0,), min_length=1)
    """Shares of the train split to learn from (0 to 1): of its windows; of genes, stretches with whole genes. Add 0.25 or 0.1 to
    ask whether pretraining saves labels."""
    learning_rates: tuple[Rate, ...] = Field((3e-4, 1e-3, 3e-3), min_length=1)
    """Peak learning rates from which every arm's is chosen on valid. Add lower or higher ones where the report says that the
    chosen one lies at an end; one rate alone is taken without a trial."""
    pretrain_data: Paths = ()
    """Datasets whose train sequences arms are pretrained on, instead of the task's own windows: data = ["data/a", "data/b"] with
    pretrain_data = "data/genes" pretrains once for each seed (and fold), and all arms of all datasets begin from it. The best
    checkpoint is chosen on valid of the first one. What the valid and test parts of the datasets that it serves share with it in
    32 bases or more, on either strand, is cut out and counted. Set it for the protocol of arXiv 2506.17766, with gene finding."""
    pretrain_for: Paths = ()
    """Further datasets that the pretraining on `pretrain_data` is to serve: their valid and test parts are cut out, too. The
    datasets that a file lists are always among them. Set it where another study will begin from the same runs."""
    marginal_gain: float = Field(0.0, ge=0)
    """Gains of pretraining up to this size count as marginal, in units of the metric; 0 leaves the question out. Set it for
    histone marks and accessibility, to test claim P5 of arXiv 2506.17766."""
    label_groups: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Groups of the labels of windows, each by how its labels begin, such as { marks = ["H3K"], accessibility = ["ATAC"] }. Gains
    of pretraining, and claim P5, are then given for each group, too."""
    looks: int = Field(1, ge=1)
    """How often these arms have been compared on this test split, or on a part of it, this time included. Say 2 where seeds or
    blocks were added because the first answer was undecided: intervals of gains are then of 97.5 % instead of 95 % (of
    1 - 0.05 / looks), so that all looks together err one time in twenty at most, and every verdict says that it needed a second
    look."""
    tuning_share: float = Field(0.25, gt=0, le=1)
    """Share of the fine-tuning epochs that each trial of a learning rate takes. With 1 the best trial is the run of the first
    seed; a smaller share is quicker, but may favor rates that do best early."""
    recipe: Literal["default", "plain"] = "default"
    """Settings of fine-tuning on windows that are not given. default: those of 'dnaspt finetune' (docs/windows.md), and learning
    rates that go with them. plain: those of docs/settings.md as they stand. Say plain for the models of arXiv 2506.17766."""
    pretrain: dict[str, Any] = Field(default_factory=dict)
    """Settings of every pretraining, by the names of 'dnaspt pretrain', such as epochs or preset."""
    finetune: dict[str, Any] = Field(default_factory=dict)
    """Settings of every fine-tuning, by the names of 'dnaspt finetune', such as epochs or batch_bp."""

    def pretrain_data_of(self, arm: Arm) -> tuple[Path, ...]:
        """Datasets that an arm is pretrained on, or, from scratch, whose bases it reads on top; none: the study's own windows."""
        return self.pretrain_data if arm.pretrain_data is None else arm.pretrain_data

    def protocol_of(self, arm: Arm) -> str:
        """Name of the protocol by which an arm is pretrained: on its own windows, on gene-finding sequences, or on others.

        Raises:
            DatasetError: a dataset of its pretraining is not there.
        """
        read = self.pretrain_data_of(arm)
        if not read:
            return OWN_WINDOWS
        tasks = {read_manifest(folder).task for folder in read}
        kind = "gene-finding sequences" if tasks == {"genes"} else "sequences"
        return f"{kind} of {', '.join(dataset_name(folder) for folder in read)}"

    @property
    def shares_pretraining(self) -> bool:
        """Whether any arm begins from a pretraining on other data, which further datasets may begin from, too."""
        return any(self.pretrain_data_of(arm) for arm in self.arms if arm.init in PRETRAINED)

    def pretraining_paths(self, arm: Arm) -> "PretrainingPaths":
        """The datasets of an arm's pretraining."""
        read = self.pretrain_data_of(arm)
        if not read:
            return PretrainingPaths(self.data)
        return PretrainingPaths(read[0], read[1:], tuple(dict.fromkeys((self.data, *self.pretrain_for))))

    def network_of(self, arm: Arm) -> tuple[object, ...]:
        """Settings that decide the size of an arm's encoder. Arms that differ in them differ in more than their start."""
        pretrain, finetune = self.pretrain | arm.pretrain, self.finetune | arm.finetune
        if arm.init in PRETRAINED:
            own = pretrain.get("encoder")
            return ("preset", pretrain.get("preset", _DEFAULT_PRESET)) if own is None else ("encoder", json.dumps(own))
        if arm.init != SCRATCH:
            return ("given", arm.init)
        if "embeddings" in finetune:
            return ("embeddings", finetune["embeddings"])
        default = _LETTERS if arm.is_gene_model else self.pretrain.get("preset", _DEFAULT_PRESET)
        return ("preset", finetune.get("preset", default))

    @property
    def has_gene_models(self) -> bool:
        """Whether any arm is a gene model."""
        return any(arm.is_gene_model for arm in self.arms)

    def reads_letters(self, arm: Arm) -> bool:
        """Whether an arm is a gene model that scores sites by letters, without an encoder."""
        return arm.is_gene_model and self.network_of(arm) == ("preset", _LETTERS)

    def finetune_of(self, arm: Arm) -> dict[str, Any]:
        """Settings of an arm's fine-tuning; of a gene model those that have an effect on it."""
        own = self.finetune | arm.finetune
        return {name: value for name, value in own.items() if not arm.is_gene_model or name not in OF_GRADIENTS}

    def settings_of(self, command: Command) -> list[dict[str, Any]]:
        """Settings of pretraining or fine-tuning, those of the study first, then those of each arm."""
        return [getattr(self, command), *(getattr(arm, command) for arm in self.arms)]

    @property
    def name(self) -> str:
        """Name of the dataset: that of its folder; of OUT/data, as `dnaspt bend run` makes it, that of OUT."""
        return dataset_name(self.data)

    @property
    def title(self) -> str:
        """Title of the report."""
        return f"Study of {self.name}"

    def views(self, dataset: Manifest) -> list[Manifest]:
        """The dataset as runs see it: once for each fold, or once where the study has no folds."""
        numbers = range(1, len(dataset.folds) + 1) if self.folds is not None else (0,)
        return [dataset.of_fold(number) for number in numbers]

    def with_heads(self, dataset: Manifest) -> "StudyConfig":
        """The same study with the head that "auto" means for this dataset, so that arms that train alike are compared alike."""
        head = dataset.default_head or "auto"
        arms = (
            arm.model_copy(update={"head": head})
            if arm.head == "auto" and not arm.is_baseline and not arm.is_ensemble
            else arm
            for arm in self.arms
        )
        return self.model_copy(update={"arms": tuple(arms)})

    def with_recipe(self, dataset: Manifest) -> "StudyConfig":
        """The same study with the recipe for windows said out loud; arms with an encoder of others are trained as before."""
        recipe = {} if self.recipe == "plain" else recipe_of(dataset, self.finetune)
        recipe.pop("learning_rate", None)  # each arm's is chosen
        if not recipe:
            return self
        plain = {name: FinetuneConfig.model_fields[name].default for name in recipe}
        finetune = recipe | self.finetune

        def adapted(arm: Arm) -> Arm:
            if arm.is_baseline or arm.is_ensemble:
                return arm
            encoder = {} if arm.init in (SCRATCH, *PRETRAINED) else {"encoder": Path(arm.init)}
            frozen = {"freeze_encoder": arm.freeze_encoder}
            own = recipe_of(dataset, self.finetune | arm.finetune | encoder | frozen)
            back = {name: value for name, value in plain.items() if name not in own and name not in arm.finetune}
            return arm.model_copy(update={"finetune": back | arm.finetune}) if back else arm

        arms = tuple(map(adapted, self.arms))
        rates = self.learning_rates
        if "learning_rates" not in self.model_fields_set:
            is_mixed = any("average_fraction" in arm.finetune for arm in arms)  # some train without the recipe
            rates = tuple(sorted({*rates, *STUDY_RATES})) if is_mixed else STUDY_RATES
        return self.model_copy(update={"finetune": finetune, "arms": arms, "learning_rates": rates})

    @model_validator(mode="after")
    def _check(self) -> Self:
        if any("max_minutes" in settings for command in _SET_BY_STUDY for settings in self.settings_of(command)):
            raise ValueError(
                "max_minutes would end a run early; break the study off instead, and run it again to go on"
            )
        names = [arm.name for arm in self.arms]
        if unfit := [name for name in names if not name.strip() or re.search(r"[|\n\r]", name)]:
            raise ValueError(f"an arm is called {unfit[0]!r}; expected a name without '|', on one line")
        if repeated := _repeated(names):
            raise ValueError(f"two arms are called {repeated[0]!r}")
        for arm in self.arms:
            self._check_members(arm)
        fractions = (arm.label_fractions or () for arm in self.arms)
        for values in (self.seeds, self.learning_rates, self.label_fractions, *fractions):
            if repeated := _repeated(values):  # a run that counts twice makes intervals too narrow
                raise ValueError(f"{repeated[0]!r} stands twice among {', '.join(map(str, values))}")
        for command, own in _SET_BY_STUDY.items():
            for settings in self.settings_of(command):
                if taken := sorted(own & set(settings)):
                    do = "; say epochs" if taken[0] == "steps" else ""
                    raise ValueError(f"{command}.{taken[0]} is set by the study itself{do}")
        return self

    def _check_members(self, arm: Arm) -> None:
        """Refuse an arm that joins what cannot be joined.

        Raises:
            ValueError: says why.
        """
        if not arm.is_ensemble:
            if arm.composition:
                raise ValueError(
                    f"arm {arm.name!r}: composition is for an arm with members; else say finetune.composition"
                )
            return
        arms = {other.name: other for other in self.arms}
        if idle := sorted(arm.model_fields_set - {"name", "members", "composition", "label_fractions"}):
            raise ValueError(f"arm {arm.name!r}: {idle[0]} has no effect where runs of other arms are joined")
        for name in arm.members:
            if name not in arms:
                raise ValueError(f"arm {arm.name!r}: joins {name!r}, but no arm is called so")
            if (other := arms[name]).is_baseline or other.is_gene_model or other.is_ensemble:
                kind = "a baseline" if other.is_baseline else "a gene model" if other.is_gene_model else "an ensemble"
                raise ValueError(f"arm {arm.name!r}: joins {name!r}, which is {kind}; expected trained networks")
        if repeated := _repeated(arm.members):
            raise ValueError(f"arm {arm.name!r}: joins {repeated[0]!r} twice")
        if len({arms[name].head.replace("auto", "sigmoid") for name in arm.members}) > 1:
            raise ValueError(f"arm {arm.name!r}: joins arms with different heads")
        if len(arm.members) * len(self.seeds) < 2 and not arm.composition:
            raise ValueError(f"arm {arm.name!r}: joins one run; name more arms, or give more seeds")
        fractions = arm.label_fractions or self.label_fractions
        for name in arm.members:
            if missing := sorted(set(fractions) - set(arms[name].label_fractions or self.label_fractions)):
                raise ValueError(f"arm {arm.name!r}: {name!r} has no runs with {missing[0]:.0%} of the labels")


def _repeated(values: Sequence[Any]) -> list[Any]:
    """Values that are there more than once."""
    return sorted(value for value, n in Counter(values).items() if n > 1)


def read_study(config: Path, data: Path | None = None) -> StudyConfig:
    """Read the TOML file of a study of one dataset.

    Args:
        config: TOML file.
        data: another dataset than the file names.

    Raises:
        ConfigError: no such file, unknown settings, or more than one dataset.
    """
    studies = read_studies(config, data)
    if len(studies) > 1:
        raise ConfigError(f"{config}: lists {len(studies)} datasets; choose one with data")
    return next(iter(studies.values()))


def read_studies(config: Path, data: Path | None = None) -> dict[str, StudyConfig]:
    """Read the TOML file of a study, which names one dataset or lists several.

    Args:
        config: TOML file.
        data: of the listed datasets this one alone; or another one than the file names.

    Returns:
        A study for each dataset, by its folder in OUT: "" where the file names one dataset, the name of the dataset where it
        lists them.

    Raises:
        ConfigError: no such file, unknown settings, or two datasets of one name.
    """
    content = read_toml(config)
    named = content.get("data")
    if not isinstance(named, list):
        return {"": build_config(StudyConfig, {"data": data}, config)}
    studies = [build_config(StudyConfig, {"data": folder}, config) for folder in ([data] if data else named)]
    if any(study.shares_pretraining for study in studies):  # one pretraining serves them all
        studies = [study.model_copy(update={"pretrain_for": _joined(study.pretrain_for, named)}) for study in studies]
    if not studies:
        raise ConfigError(f"{config}: data lists no dataset")
    name, n = Counter(study.name for study in studies).most_common(1)[0]
    if n > 1:
        raise ConfigError(f"{config}: {n} datasets are called {name!r}; reports are named after them; rename a folder")
    if any(study.shares_pretraining and study.name == PRETRAINING for study in studies):
        raise ConfigError(f"{config}: a dataset is called {PRETRAINING!r}, as the folder of the pretraining; rename it")
    return {study.name: study for study in studies}


def _joined(paths: Sequence[Path], others: Sequence[str]) -> tuple[Path, ...]:
    """Paths and others, each once."""
    return tuple(dict.fromkeys([*paths, *map(Path, others)]))


def check_settings(study: StudyConfig, out: Path | None = None, *, report_only: bool = False) -> StudyConfig:
    """Check a study against its dataset before anything runs; warn of arms that will not be compared.

    Args:
        study: its settings.
        out: folder of the study, where it is known. Its dataset may lie there, but not the other way round.
        report_only: whether its runs are on record, so that its dataset may have been moved since.

    Returns:
        The study as it runs: arms without a head are gene models where that is the dataset's default. Other default heads stay
        `auto`, so that records of earlier versions still fit.

    Raises:
        ConfigError: an unknown setting, one that the dataset does not allow, or a folder to write that is read.
        DatasetError: no dataset. CheckpointError: an arm's init is no checkpoint.
    """
    if report_only and not study.data.is_dir():
        raise ConfigError(f"{study.data}: no such folder; say where the dataset is now: data (--data)")
    dataset = read_manifest(study.data)
    dataset.check_has_labels(study.data)
    if out is not None:
        given = [Path(arm.init) for arm in study.arms if not arm.is_baseline and arm.init not in (SCRATCH, *PRETRAINED)]
        paths = [path for arm in study.arms for path in study.pretrain_data_of(arm)]
        refuse_inputs(out, {"data": study.data, "pretrain_data": paths, "init": given}, keeps_content=True)
        _check_out(out)
    _check_folds(study, dataset)
    dataset = study.views(dataset)[0]
    if dataset.default_head == GENE_MODEL:
        study = study.with_heads(dataset)
    study = study.with_recipe(dataset)
    _check_splits(study, dataset)
    _check_label_groups(study, dataset)
    for arm in study.arms:
        _check_fits_task(study, arm, dataset)
    _warn_of_sizes(study)
    for arm in study.arms:
        _check_init(arm)
    for arm in study.arms:
        _check_training(study, arm)
    for view in study.views(read_manifest(study.data)):
        _check_pretrain_data(study, view.fold)
    return study


def _check_folds(study: StudyConfig, dataset: Manifest) -> None:
    """Refuse folds that the dataset has not."""
    if study.folds is None:
        return
    prepared = dataset.settings.get("folds", len(dataset.folds)) if dataset.folds else None
    if study.folds != prepared:
        found = f"folds {prepared!r}" if prepared else "no folds"
        do = f"prepare it with --folds {study.folds}, or say what it has"
        raise ConfigError(f"{study.data}: was prepared with {found}; the study says folds = {study.folds!r}; {do}")


def _check_out(out: Path) -> None:
    """Refuse a folder that holds something else than a study, so that its files are not mixed with those of one.

    Raises:
        ConfigError: a file, a dataset, a run or a checkpoint.
    """
    if out.is_file():
        raise ConfigError(f"{out}: is a file; expected a folder to write; choose another --out")
    kinds = {MANIFEST_FILE: "dataset", SETTINGS: "run", DESCRIPTION: "model"}
    if kind := next((kind for name, kind in kinds.items() if (out / name).is_file()), ""):
        raise ConfigError(f"{out}: is a {kind}; a study has a folder of its own; choose another --out")


def _check_splits(study: StudyConfig, dataset: Manifest) -> None:
    if missing := [name for name in SPLITS if name not in dataset.splits]:
        raise ConfigError(
            f"{study.data}: has no {missing[0]} split; a study trains, chooses on valid and scores on test"
            + (f"; it has folds: say folds = {dataset.settings.get('folds')!r} in the study" if dataset.folds else "")
        )
    for arm in study.arms:
        read = [read_manifest(folder) for folder in study.pretrain_data_of(arm)] or [dataset]
        if arm.init == SPT_MORE and not any(UNLABELED in manifest.splits for manifest in read):
            where, do = (study.pretrain_data_of(arm) or (study.data,))[0], "prepare it with --unlabeled"
            raise ConfigError(f"{where}: has no unlabeled sequence for init {SPT_MORE!r}; {do}")


def _check_label_groups(study: StudyConfig, dataset: Manifest) -> None:
    """Refuse groups of labels that are none: a misspelt beginning, or labels that have no AUROC."""
    for name, beginnings in study.label_groups.items():
        if dataset.per_base or TASKS[dataset.task].numbers:
            raise ConfigError(f"label_groups are for labels of windows that are true or false; {study.data} has others")
        if not any(label.startswith(tuple(beginnings)) for label in dataset.labels):
            listed = ", ".join(dataset.labels[:20])
            raise ConfigError(
                f"label_groups: no label of {name!r} begins with {' or '.join(beginnings)}; there are {listed}"
            )


def _check_fits_task(study: StudyConfig, arm: Arm, dataset: Manifest) -> None:
    """Refuse a baseline or a head that is for another task, and settings of a network on a baseline."""
    heads = ("auto", *TASKS[dataset.task].heads)
    if arm.is_baseline and dataset.per_base != arm.is_augustus:
        labeled = "genes" if arm.is_augustus else "windows"
        raise ConfigError(f"{study.data}: has other labels than {labeled}; init {arm.init!r} is for {labeled}")
    if arm.is_baseline and not dataset.per_base:
        check_models(study.data, dataset, [arm.init])
    if arm.is_baseline and (idle := sorted(arm.model_fields_set - {"name", "init"})):
        raise ConfigError(f"arm {arm.name!r}: {idle[0]} has no effect on a baseline")
    if arm.is_gene_model:
        given = arm.model_fields_set & {"learning_rate", "extended", "freeze_encoder"}
        if idle := sorted({*given, *(f"finetune.{name}" for name in OF_GRADIENTS & set(arm.finetune))}):
            raise ConfigError(
                f"arm {arm.name!r}: {idle[0]} has no effect on a gene model, which is estimated without gradients; "
                "leave it out, or say head = 'crf'"
            )
    if arm.head not in heads:
        raise ConfigError(
            f"arm {arm.name!r}: head {arm.head!r} does not fit task {dataset.task!r}; expected {' or '.join(heads[1:])}"
        )


def _check_init(arm: Arm) -> None:
    """Refuse an init that is neither a known word nor a checkpoint."""
    if arm.is_baseline or arm.init in (SCRATCH, *PRETRAINED):
        return
    if not Path(arm.init).exists():
        known = ", ".join((SCRATCH, *PRETRAINED, *COMPOSITION, AUGUSTUS, f"{AUGUSTUS}:SPECIES"))
        raise ConfigError(f"arm {arm.name!r}: init {arm.init!r} is no file or folder; expected one, or {known}")
    find_checkpoint(arm.init)


def _check_training(study: StudyConfig, arm: Arm) -> None:
    """Refuse settings of pretraining and fine-tuning that do not fit each other, the arm, or the commands."""
    pretrain, finetune = study.pretrain | arm.pretrain, study.finetune | arm.finetune
    batches = [[settings.get(name) for name in ("batch_bp", "accumulate")] for settings in (pretrain, finetune)]
    if batches[0] != batches[1] and (arm.extended or arm.init == SPT_MORE):
        raise ConfigError("pretrain and finetune have different batches; then equal bases are not equal steps")
    if arm.pretrain and not arm.extended and arm.init not in PRETRAINED:
        raise ConfigError(f"arm {arm.name!r}: is not pretrained here; its settings of pretraining have no effect")
    if arm.init in PRETRAINED and {"preset", "embeddings"} & set(arm.finetune):
        raise ConfigError(f"arm {arm.name!r}: begins from pretraining, which has the size; set it under pretrain")
    if {"preset", "embeddings"} <= set(finetune):
        raise ConfigError(f"arm {arm.name!r}: has a preset and embeddings; give each arm its own, and the study none")
    if "network" in finetune:
        _check_network(study, arm)
    folders = {"data": study.data, "out": Path("run")}
    build_config(PretrainConfig, pretrain | folders)
    build_config(FinetuneConfig, finetune | folders)


def _check_pretrain_data(study: StudyConfig, fold: int) -> None:
    """Refuse datasets of a shared pretraining that lack a split, and settings of it that have no effect.

    Raises:
        ConfigError: says which. DatasetError: no dataset.
    """
    users = [arm for arm in study.arms if arm.init in PRETRAINED or arm.extended]
    for arm in study.arms:
        if arm.pretrain_data is not None and arm not in users:
            raise ConfigError(f"arm {arm.name!r}: is not pretrained here; its pretrain_data has no effect")
    if study.pretrain_data and not any(study.pretrain_data_of(arm) for arm in users):
        raise ConfigError("pretrain_data has no effect: no arm begins from it; give one init = 'spt'")
    if study.pretrain_for and not study.shares_pretraining:
        raise ConfigError("pretrain_for has no effect without pretrain_data; leave it out")
    for arm in users:
        for number, folder in enumerate(study.pretrain_data_of(arm)):
            manifest = read_fold_or_whole(folder, fold)
            if missing := [name for name in ("train", "valid")[: 2 - bool(number)] if name not in manifest.splits]:
                do = manifest.hint or "; prepare it with one"
                raise ConfigError(f"{folder}: has no {missing[0]} split, which pretraining on it needs{do}")
    for folder in study.pretrain_for if study.shares_pretraining else ():
        if "test" not in (manifest := read_fold_or_whole(folder, fold)).splits:
            raise ConfigError(f"{folder}: has no test split to cut out of the pretraining{manifest.hint}")


def _check_network(study: StudyConfig, arm: Arm) -> None:
    """Refuse a given network in an arm that has no use for it, or whose runs would each need a network of their own.

    Raises:
        ConfigError: says why.
    """
    if not arm.is_gene_model:
        raise ConfigError(f"arm {arm.name!r}: finetune.network is for gene models; give it in the arms that are one")
    if study.folds is not None or set(arm.label_fractions or study.label_fractions) != {1.0}:
        why = "each fold and each share of the labels needs a network of its own"
        raise ConfigError(f"arm {arm.name!r}: {why}; leave out finetune.network, or folds and label_fractions")


def without_preset(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings of fine-tuning but for the size, which pretraining decides for arms that begin from it."""
    return {name: value for name, value in settings.items() if name != "preset"}


def _warn_of_sizes(study: StudyConfig) -> None:
    """Warn of two arms that would be compared if their encoders had the same size."""
    for first, second in product(study.arms, study.arms):
        is_pair = first.init == SCRATCH and second.init in PRETRAINED and first.head == second.head
        is_pair &= first.freeze_encoder == second.freeze_encoder
        if (
            is_pair
            and without_preset(first.finetune) == without_preset(second.finetune)
            and study.network_of(first) != study.network_of(second)
            and not study.reads_letters(first)
        ):
            names = (first.name, second.name)
            log.warning("arms %r and %r differ in the size of the encoder, so they are not compared", *names)
