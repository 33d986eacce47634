"""Checkpoints: a folder of tensors (safetensors) and a JSON that describes them; read and written without running code.

The folder is published by one rename. BEND's ConvNet format converts both ways with the same hidden states.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from dnaspt import __version__
from dnaspt.atomic import publish_folder
from dnaspt.config import BEND_CHANNELS, MASK_TOKEN, AnyEncoderConfig, BassetConfig, EncoderConfig
from dnaspt.errors import CheckpointError, ConfigError
from dnaspt.genome.alphabet import T
from dnaspt.models.basset import BassetEncoder, HeadMLP
from dnaspt.models.encoder import DilatedEncoder
from dnaspt.models.heads import CRFHead, Head, HeadCNN, SigmoidHead, SoftmaxHead
from dnaspt.models.huggingface import load_huggingface_encoder
from dnaspt.models.language_model import LanguageModel
from dnaspt.models.task_model import Encoder, TaskModel
from dnaspt.tasks import FREE_CRF, TASKS

FORMAT_VERSION = 1
TENSORS, DESCRIPTION = "model.safetensors", "config.json"


class CheckpointConfig(BaseModel):
    """`config.json` of a checkpoint.

    kind: "language" (from pretraining) or "task" (fine-tuned). provenance: what it saw and how it was made.
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
    data_digest: str = ""
    provenance: dict[str, Any] = Field(default_factory=dict)


def build_model(config: CheckpointConfig, class_weights: Tensor | None = None) -> LanguageModel | TaskModel:
    """A model with fresh weights for a description."""
    if config.kind == "language":
        if not isinstance(config.encoder, EncoderConfig):
            raise CheckpointError(f"architecture {config.encoder.architecture!r} is no language model of ours")
        return LanguageModel(config.encoder)
    return TaskModel(_build_encoder(config.encoder), _build_head(config, class_weights))


def _build_encoder(config: AnyEncoderConfig) -> Encoder:
    if isinstance(config, EncoderConfig):
        return DilatedEncoder(config)
    if isinstance(config, BassetConfig):
        return BassetEncoder(config)
    return load_huggingface_encoder(config)


def _build_head(config: CheckpointConfig, class_weights: Tensor | None) -> Head:
    hidden_size = config.encoder.hidden_size
    if config.head == "sigmoid":
        n_labels = len(config.labels)
        if isinstance(config.encoder, BassetConfig):
            return SigmoidHead(HeadMLP(config.encoder, n_labels), n_labels, class_weights)
        resolution_bp = TASKS[config.task].resolution_bp
        trunk = HeadCNN(hidden_size, n_labels, resolution_bp=resolution_bp, normalize=config.pool == "normalized")
        return SigmoidHead(trunk, n_labels, class_weights)
    states = TASKS[config.task].states
    if states is None or config.head not in ("crf", "softmax", FREE_CRF):
        fitting = ", ".join(TASKS[config.task].heads)
        raise CheckpointError(f"head {config.head!r} does not fit task {config.task!r}; expected {fitting}")
    if config.head == "softmax":
        return SoftmaxHead(hidden_size, states, class_weights)
    return CRFHead(hidden_size, states, constrained=config.head != FREE_CRF)


def save_checkpoint(
    folder: Path, model: nn.Module, config: CheckpointConfig, extra: dict[str, dict[str, Tensor] | str] | None = None
) -> None:
    """Write a checkpoint folder whole or not at all; `extra` adds files: tensors by name, or text."""
    with publish_folder(folder) as unfinished:
        _save_tensors(folder, unfinished / TENSORS, model.state_dict())
        for name, content in (extra or {}).items():
            if isinstance(content, str):
                (unfinished / name).write_text(content, encoding="utf-8")
            else:
                _save_tensors(folder, unfinished / name, content)
        (unfinished / DESCRIPTION).write_text(config.model_dump_json(indent=1) + "\n", encoding="utf-8")


def _save_tensors(folder: Path, file: Path, tensors: Mapping[str, Tensor]) -> None:
    try:
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, file)
    except SafetensorError as error:
        raise CheckpointError(f"{folder}: could not be written ({error}); is the disk full?") from error


def find_checkpoint(path: str | Path) -> Path:
    """The checkpoint that a path means: the folder itself, or the best one of a run.

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
    what = "has no checkpoint in it" if path.is_dir() else "is a file" if path.is_file() else "no such folder"
    raise CheckpointError(f"{path}: {what}; expected a run of 'dnaspt pretrain' or 'dnaspt finetune'")


def read_config(path: str | Path) -> CheckpointConfig:
    """The description of a checkpoint or run.

    Raises:
        CheckpointError: none there, another format version, or not readable as one.
    """
    file = find_checkpoint(path) / DESCRIPTION
    try:
        raw = json.loads(file.read_text(encoding="utf-8"))
        if "format_version" not in raw and "vocab_size" in raw:
            return _bend_config(raw)
        if raw.get("format_version") != FORMAT_VERSION:
            raise CheckpointError(f"{file}: format version {raw.get('format_version')}; expected {FORMAT_VERSION}")
        config = CheckpointConfig.model_validate(raw)
    except (OSError, ValueError, ValidationError, AttributeError) as error:
        raise CheckpointError(f"{file}: not a description of a checkpoint ({str(error).splitlines()[0]})") from error
    if config.kind == "task" and config.task not in TASKS:
        raise CheckpointError(f"{file}: task {config.task!r}; expected {', '.join(TASKS)}")
    if config.kind == "task" and config.head not in TASKS[config.task].heads:
        fitting = " or ".join(TASKS[config.task].heads)
        raise CheckpointError(f"{file}: head {config.head!r} does not fit task {config.task!r}; expected {fitting}")
    return config


def mask_token_of(config: CheckpointConfig) -> int:
    """The token that a language model knows as a masked base: BEND's ConvNet and the authors' code take the base T."""
    provenance = config.provenance
    knows_t = (
        provenance.get("format") == "BEND ConvNet" or provenance.get("settings", {}).get("masking") == "as-published"
    )
    return T if knows_t else MASK_TOKEN


def read_json(file: Path) -> dict[str, Any]:
    """A JSON object of a run.

    Raises:
        CheckpointError: not there, or broken.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CheckpointError(f"{file}: no such file; expected a run of dnaspt") from error
    except ValueError as error:
        raise CheckpointError(f"{file}: not JSON ({error}); is it whole?") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{file}: a {type(content).__name__}; expected a JSON object")
    return content


def read_tensors(file: Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file.

    Raises:
        CheckpointError: not there, truncated, or not safetensors.
    """
    try:
        return load_file(file)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{file}: cannot be read ({error}); is it whole?") from error


def load_model(path: str | Path) -> tuple[LanguageModel | TaskModel, CheckpointConfig]:
    """Model with its weights, in eval mode, and its description; `path` is a checkpoint or a run.

    Raises:
        CheckpointError: not a checkpoint, or its tensors do not fit its description.
    """
    folder = find_checkpoint(path)
    config = read_config(folder)
    tensors = read_tensors(folder / TENSORS)
    if any(name.startswith("model.encoder.") for name in tensors):
        tensors = _from_bend(folder, tensors)
    model = build_model(config)
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        raise CheckpointError(
            f"{folder}: tensors do not fit the description ({str(error).splitlines()[-1].strip()})"
        ) from error
    return model.eval(), config


# In BEND's ConvNet a token id is a channel, A0 C1 G2 N3 T4; its mask token is the base T (id 4), ours has a channel of its own.
_BEND_LAYER = {"conv.1": "conv", "conv.4": "conv_norm", "ffn.0": "linear", "ffn.2": "linear_norm"}
_BEND_TENSOR = re.compile(r"model\.encoder\.(?P<layer>[0-9]+)\.(?P<part>.+)")
_BEND_HEAD = {"cls.decoder.0": "head.linear", "cls.decoder.2": "head.norm", "cls.decoder.3": "head.logits"}


def _bend_config(raw: dict[str, Any]) -> CheckpointConfig:
    names = ("hidden_size", "n_layers", "kernel_size", "dilation_max", "dilation_cycle", "dilation_double_every")
    encoder = EncoderConfig(channels=BEND_CHANNELS, **{name: raw[name] for name in names if name in raw})
    return CheckpointConfig(kind="language", encoder=encoder, provenance={"format": "BEND ConvNet"})


def _from_bend(folder: Path, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename BEND's tensors to ours; its logits are ordered by channel, ours by token.

    Raises:
        CheckpointError: a name that BEND's ConvNet does not have.
    """
    renamed = {}
    for name, tensor in tensors.items():
        stem, _, kind = name.rpartition(".")
        if stem in _BEND_HEAD:
            order = tensor[list(BEND_CHANNELS)] if _BEND_HEAD[stem] == "head.logits" else tensor
            renamed[f"{_BEND_HEAD[stem]}.{kind}"] = order
            continue
        found = _BEND_TENSOR.fullmatch(stem)
        if not found or found["part"] not in _BEND_LAYER:
            raise CheckpointError(f"{folder}: tensor {name!r}; expected those of BEND's ConvNet and of nothing else")
        layer, part = found["layer"], found["part"]
        tensor = tensor.unsqueeze(2) if part == "conv.1" and kind == "weight" else tensor
        renamed[f"encoder.layers.{layer}.{_BEND_LAYER[part]}.{kind}"] = tensor
    return renamed


def export_bend(path: str | Path, out: Path) -> None:
    """Write the language model of a checkpoint or run in the format of BEND's ConvNet (config.json, model.safetensors).

    Raises:
        CheckpointError: not a language model, or `out` is there already.
    """
    if out.exists():
        raise CheckpointError(f"{out}: already there; choose another --out")
    model, config = load_model(path)
    if not isinstance(model, LanguageModel):
        raise CheckpointError(f"{path}: holds a fine-tuned model; expected a run of 'dnaspt pretrain'")
    assert isinstance(config.encoder, EncoderConfig)
    if config.encoder.channels != BEND_CHANNELS:
        raise CheckpointError(f"{path}: its channels are {config.encoder.channels}; expected BEND's {BEND_CHANNELS}")
    token_of = [BEND_CHANNELS.index(channel) for channel in range(len(BEND_CHANNELS))]
    tensors = {}
    for name, tensor in model.state_dict().items():
        stem, kind = name.rsplit(".", 1)
        head = next((theirs for theirs, mine in _BEND_HEAD.items() if mine == stem), None)
        if head:
            tensors[f"{head}.{kind}"] = tensor[token_of] if stem == "head.logits" else tensor
            continue
        _, _, layer, part = stem.split(".", 3)
        theirs = next(key for key, mine in _BEND_LAYER.items() if mine == part)
        tensor = tensor.squeeze(2) if part == "conv" and kind == "weight" else tensor
        tensors[f"model.encoder.{layer}.{theirs}.{kind}"] = tensor
    raw = config.encoder.model_dump(exclude={"channels", "architecture"}) | {
        "vocab_size": len(BEND_CHANNELS),
        "initializer_range": 0.02,
    }
    with publish_folder(out) as unfinished:
        _save_tensors(out, unfinished / TENSORS, tensors)
        (unfinished / DESCRIPTION).write_text(json.dumps(raw, indent=1) + "\n", encoding="utf-8")


def model_device(model: nn.Module) -> torch.device:
    """Where a model's parameters are."""
    return next(model.parameters()).device


Accelerator = Literal["auto", "cpu", "gpu"]


def choose_device(accelerator: str = "auto") -> torch.device:
    """The device that a word means.

    Raises:
        ConfigError: another word than auto, cpu or gpu; or gpu where there is none.
    """
    if accelerator not in get_args(Accelerator):
        raise ConfigError(f"accelerator {accelerator!r}; expected {', '.join(get_args(Accelerator))}")
    if accelerator == "gpu" and not torch.cuda.is_available():
        raise ConfigError("accelerator 'gpu': no CUDA device is visible here; say auto or cpu")
    return torch.device("cuda" if accelerator != "cpu" and torch.cuda.is_available() else "cpu")


def load_task_model(run: Path, accelerator: str = "auto") -> tuple[TaskModel, CheckpointConfig]:
    """A fine-tuned model in eval mode on its device, and its description; `run` may be a checkpoint.

    Raises:
        CheckpointError: not a fine-tuned model. ConfigError: no such accelerator here.
    """
    device = choose_device(accelerator)
    model, config = load_model(run)
    if not isinstance(model, TaskModel):
        raise CheckpointError(f"{run}: holds a language model; expected a run of 'dnaspt finetune'")
    return model.to(device), config
