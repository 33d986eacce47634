"""Where a checkpoint lies and what its config.json says. Imports no torch, so that a wrong path fails fast."""

import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FiniteFloat,
    SerializerFunctionWrapHandler,
    model_serializer,
)

from dnaspt import __version__
from dnaspt.config import MASK_TOKEN, AnyEncoderConfig, BassetConfig, EncoderConfig
from dnaspt.errors import CheckpointError, ConfigError, InputError
from dnaspt.genome.alphabet import T
from dnaspt.genome.gene_states import LEAST_INTRON_BP
from dnaspt.genome.genetic_code import STANDARD, GeneticCode, genetic_code
from dnaspt.json_files import UNFIT, read_json
from dnaspt.models.bend_format import encoder_from_bend, is_bend_config
from dnaspt.models.calibrator import Calibrator
from dnaspt.tasks import GENE_MODEL, TASKS

FORMAT_VERSION = 1
TENSORS, DESCRIPTION = "model.safetensors", "config.json"
MODEL_TYPE = "dnaspt"
"""By this word in a config.json, transformers finds the classes of `dnaspt.transformers`."""
_OF_TRANSFORMERS = (
    *("model_type", "architectures", "pad_token_id", "dtype", "torch_dtype", "transformers_version"),
    *("_name_or_path", "_attn_implementation_autoset"),
)
"""What stands in a config.json for transformers alone."""
_BEND = "BEND ConvNet"
_NUMBERS = (
    *("step", "n_bp", "n_genes", "best_step", "valid_mcc", "valid_accuracy", "valid_exon_f1", "valid_gene_f1"),
    *("valid_auroc", "valid_auprc", "valid_nats", "valid_pearson", "valid_spearman", "valid_r2"),
)


class LevelRates(BaseModel):
    """How well coding bases or exons of a split are found.

    Attributes:
        n_true: annotated ones.
        n_predicted: predicted ones.
        sensitivity: share of the annotated ones that are predicted; None where there is none.
        precision: share of the predicted ones that are annotated; None where there is none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    n_true: int = Field(ge=0)
    n_predicted: int = Field(ge=0)
    sensitivity: float | None = Field(ge=0, le=1)
    precision: float | None = Field(ge=0, le=1)


class SplitRates(BaseModel):
    """How well the genes of a split are found: coding bases by strand, and exons with both ends exact."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    base: LevelRates
    exon: LevelRates


class OperatingPoint(BaseModel):
    """How well a gene model finds genes when genes are made more or less probable: what `--sensitivity` chooses from.

    Attributes:
        gene_offset: nats added to the log-odds of a gene's beginning.
        valid: on the valid split.
        train: on the train split, out of fold, and without a network, which was trained on it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    gene_offset: float = Field(allow_inf_nan=False)
    valid: SplitRates
    train: SplitRates


def _share_of_earlier_versions(value: Any) -> Any:
    """False, as earlier versions wrote it, means none; what true meant is not computed any more.

    Raises:
        ValueError: true.
    """
    if value is True:
        raise ValueError(
            "the composition is of an earlier version, whose log-odds the head added to; train the model again"
        )
    return None if value is False else value


Share = Annotated[float | None, Field(ge=0, le=1), BeforeValidator(_share_of_earlier_versions)]
"""Share of the composition in the log-odds of a model; None where there is no composition."""


class MemberConfig(BaseModel):
    """A model of an ensemble.

    Attributes:
        encoder: architecture of its encoder.
        pool: how it pools the vectors of a window.
        composition: share of its log-odds that is the composition's; None where it has none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    encoder: AnyEncoderConfig
    pool: Literal["mean", "normalized"] = "mean"
    composition: Share = None


class NetworkConfig(BaseModel):
    """The network whose class scores a gene model adds to its own.

    Attributes:
        encoder: architecture of its encoder.
        head: its task head.
        members: its models, where it is an ensemble.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    encoder: AnyEncoderConfig
    head: str
    members: tuple[MemberConfig, ...] = ()


def calibrator_of(task: str) -> Calibrator:
    """What makes probabilities of the log-odds of a task's labels, or numbers, before it is fitted; task: "" for none."""
    return Calibrator(one_of=TASKS[task].one_of, of_numbers=TASKS[task].numbers) if task else Calibrator()


class CheckpointConfig(BaseModel):
    """Content of a checkpoint's config.json.

    Attributes:
        format_version: version of the format.
        dnaspt_version: version of dnaspt that wrote it.
        kind: "language" (from pretraining) or "task" (fine-tuned).
        encoder: architecture of the encoder.
        tokens: the vocabulary, in the order of the token ids.
        task: task of the dataset; "" where a model of BEND was pretrained on none.
        head: task head; "" for a language model.
        labels: names of the labels, in the order of the emissions.
        pool: how the vectors of a window are pooled.
        window_bp: length of the windows of the dataset in bp.
        stop_in_cds: whether the labels count stop codons as coding; None where there are no genes.
        shortest_intron_bp: bases of the shortest intron of the training annotation; None where that is not on record.
        genetic_code: number of the genetic code at NCBI that genes are read and predicted by.
        start_codons: codons that a predicted gene may begin with.
        operating_points: sensitivity and precision of a gene model at several gene offsets, ascending; none of other heads, and
            of checkpoints of earlier versions.
        network: of a gene model, the network whose class scores it adds; None for none, and then config.json does not name it.
        composition: of windows, share of the log-odds that is the composition's, the rest is the head's; None where there is no
            composition, and then config.json does not name it.
        temperature: of windows, what log-odds are divided by, so that probabilities are calibrated; only named where it is not 1.
        biases: of windows, what is then added to the log-odds of each label, in nats, or to its numbers; only named where there
            are some.
        slopes: of numbers, what those of each label are multiplied by before; only named where there are some.
        both_strands: of windows, whether the mean of both strands is predicted by default; only named where it is.
        members: models of an ensemble, all with this head; only named where there are some. The encoder is then that of the
            first one.
        data_digest: digest of the dataset.
        provenance: how the model was made: command, settings, data that was read, scores.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    format_version: int = FORMAT_VERSION
    dnaspt_version: str = __version__
    kind: str
    encoder: AnyEncoderConfig
    tokens: tuple[str, ...] = ("A", "C", "G", "T", "N", "mask", "pad")
    task: str = ""
    head: str = ""
    labels: tuple[str, ...] = ()
    pool: Literal["mean", "normalized"] = "mean"
    window_bp: int = 0
    stop_in_cds: bool | None = None
    shortest_intron_bp: int | None = None
    genetic_code: int = STANDARD.table
    start_codons: tuple[str, ...] = STANDARD.starts
    operating_points: tuple[OperatingPoint, ...] = ()
    network: NetworkConfig | None = None
    composition: Share = None
    temperature: float = Field(1.0, gt=0, allow_inf_nan=False)
    biases: tuple[FiniteFloat, ...] = ()
    slopes: tuple[FiniteFloat, ...] = ()
    both_strands: bool = False
    members: tuple[MemberConfig, ...] = ()
    data_digest: str = ""
    provenance: dict[str, Any] = Field(default_factory=dict)

    @model_serializer(mode="wrap")
    def _without_empty_parts(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Content of the file: without a network, composition and members it is as earlier versions wrote it."""
        content: dict[str, Any] = serialize(self)
        for name in ("network", "composition", "temperature", "biases", "slopes", "both_strands", "members"):
            if getattr(self, name) == type(self).model_fields[name].default:
                content.pop(name, None)
        return content

    @property
    def code(self) -> GeneticCode:
        """The genetic code with these start codons."""
        return genetic_code(self.genetic_code, self.start_codons)

    @property
    def of_network(self) -> "CheckpointConfig | None":
        """The description of a gene model's network as a model of its own; None where there is none."""
        if self.network is None:
            return None
        return self.model_copy(
            update={
                "encoder": self.network.encoder,
                "head": self.network.head,
                "members": self.network.members,
                "network": None,
                "operating_points": (),
            }
        )

    @property
    def of_members(self) -> tuple["CheckpointConfig", ...]:
        """The descriptions of an ensemble's models; none where it is none."""
        alone: dict[str, Any] = {"members": (), "temperature": 1.0, "biases": (), "slopes": (), "both_strands": False}
        return tuple(
            self.model_copy(update={name: getattr(own, name) for name in MemberConfig.model_fields} | alone)
            for own in self.members
        )

    @property
    def calibrator(self) -> Calibrator:
        """What makes probabilities of the log-odds of windows."""
        return calibrator_of(self.task)._replace(temperature=self.temperature, biases=self.biases, slopes=self.slopes)

    @property
    def min_intron_bp(self) -> int:
        """Bases of the shortest intron that is predicted with codons: as in the training annotation, but 10 at least."""
        return max(self.shortest_intron_bp or 0, LEAST_INTRON_BP)


def find_checkpoint(path: str | os.PathLike[str]) -> Path:
    """Find the checkpoint at this path: the folder itself, or the best one of a run.

    Raises:
        CheckpointError: nothing there that could be one.
    """
    path = Path(path)
    if (path / TENSORS).is_file():
        return path
    for name in ("best", "last"):
        steps = sorted((path / name).glob("step-*"))
        if steps:
            return steps[-1]
    problem = "has no checkpoint in it" if path.is_dir() else "is a file" if path.is_file() else "no such folder"
    raise CheckpointError(f"{path}: {problem}; expected a run of 'dnaspt pretrain' or 'dnaspt finetune'")


def read_config(path: str | os.PathLike[str]) -> CheckpointConfig:
    """Read the config.json of a checkpoint, or of the best checkpoint of a run; BEND's ConvNet is read too.

    Raises:
        CheckpointError: none there, another format version, or not readable as one.
    """
    file = find_checkpoint(path) / DESCRIPTION
    try:
        content = read_json(file)
    except InputError as error:
        reason = str(error).removeprefix(f"{file}: ").splitlines()[0]
        raise CheckpointError(f"{file}: not a description of a checkpoint ({reason})") from error
    return config_of(content, file)


def config_of(content: dict[str, Any], file: str | os.PathLike[str]) -> CheckpointConfig:
    """The description of a checkpoint from the content of its config.json; BEND's ConvNet is read too.

    Args:
        content: the content; what is in it for transformers alone is left out.
        file: where it was read, for errors.

    Raises:
        CheckpointError: another format version, or not readable as a description.
    """
    try:
        if content.get("model_type") == MODEL_TYPE:
            content = {name: value for name, value in content.items() if name not in _OF_TRANSFORMERS}
        if is_bend_config(content):
            return CheckpointConfig(kind="language", encoder=encoder_from_bend(content), provenance={"format": _BEND})
        if content.get("format_version") != FORMAT_VERSION:
            version = content.get("format_version")
            raise CheckpointError(f"{file}: format version {version}; expected {FORMAT_VERSION}")
        config = CheckpointConfig.model_validate(content)
        _check_provenance(config.provenance)
        genetic_code(config.genetic_code, config.start_codons)
    except (ConfigError, InputError, *UNFIT) as error:
        reason = str(error).removeprefix(f"{file}: ").splitlines()[0]
        raise CheckpointError(f"{file}: not a description of a checkpoint ({reason})") from error
    if config.kind not in ("language", "task"):
        raise CheckpointError(f"{file}: kind {config.kind!r}; expected language or task")
    if config.kind == "task" and config.task not in TASKS:
        raise CheckpointError(f"{file}: task {config.task!r}; expected {', '.join(TASKS)}")
    if config.kind == "task" and config.head not in TASKS[config.task].heads:
        fitting = " or ".join(TASKS[config.task].heads)
        raise CheckpointError(f"{file}: head {config.head!r} does not fit task {config.task!r}; expected {fitting}")
    if config.network is not None and (config.head != GENE_MODEL or not has_class_scores(config.task, config.network)):
        raise CheckpointError(f"{file}: has a network that no {config.head!r} head can have; is it whole?")
    if config.biases and len(config.biases) != len(config.labels):
        raise CheckpointError(f"{file}: has {len(config.biases)} biases for {len(config.labels)} labels; is it whole?")
    if config.members and config.head == GENE_MODEL:
        raise CheckpointError(f"{file}: has members, which no {config.head!r} head can have; is it whole?")
    return config


def has_hidden_states(config: CheckpointConfig) -> bool:
    """Whether transformers can load it: one encoder of ours, with a hidden state for each base."""
    encoder = config.encoder
    return isinstance(encoder, EncoderConfig) and encoder.n_layers > 0 and not config.members


def has_class_scores(task: str, network: NetworkConfig | CheckpointConfig) -> bool:
    """Whether a network of this task scores the nine classes of genes at each base: what a gene model can add."""
    is_head = network.head != GENE_MODEL and network.head in TASKS[task].heads
    return TASKS[task].states is not None and is_head and not isinstance(network.encoder, BassetConfig)


def _check_provenance(provenance: dict[str, Any]) -> None:
    """Check the types of what is read of a provenance, and of those of its encoder, network and members.

    Raises:
        ValueError: a value of another type.
    """
    settings = provenance.get("settings", {})
    members = provenance.get("members", [])
    if not isinstance(members, list):
        raise ValueError("provenance: members are no list")
    sources = [*(provenance.get(name) or {} for name in ("encoder", "network", "teacher")), *members]
    inner = [source.get("provenance", {}) if isinstance(source, dict) else None for source in sources]
    if not all(isinstance(value, dict) for value in (settings, *sources, *inner)):
        raise ValueError("provenance: settings or encoder or network are no JSON objects")
    texts = [settings.get("masking"), settings.get("data")]
    texts += [source.get(name) for source in sources for name in ("path", "sha256", "data_digest")]
    if not all(isinstance(value, str | None) for value in texts):
        raise ValueError("provenance: a path, a digest or the masking is no text")
    for name in ("read_splits", "read", "held_out"):
        texts = provenance.get(name, [])
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise ValueError(f"provenance: {name} is no list of {'splits' if name == 'read_splits' else 'digests'}")
    if not all(isinstance(provenance.get(name, 0), int | float) for name in _NUMBERS):
        raise ValueError("provenance: a step or a score is no number")
    for of_source in filter(None, inner):
        _check_provenance(of_source)


def mask_token_of(config: CheckpointConfig) -> int:
    """The token by which a language model knows a masked base.

    The mask token for our models; the base T for BEND's ConvNet, and for models whose masking follows the authors' code.
    """
    provenance = config.provenance
    is_published = provenance.get("settings", {}).get("masking") == "as-published"
    return T if is_published or provenance.get("format") == _BEND else MASK_TOKEN
