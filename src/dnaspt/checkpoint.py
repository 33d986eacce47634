"""Models to checkpoint folders and back: tensors in safetensors, described by config.json; no code of a file is run.

A checkpoint folder appears whole, by one rename. What needs no torch is in `checkpoint_config`.
"""

import json
import os
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from dnaspt.atomic import atomic_folder, write_text_atomically
from dnaspt.checkpoint_config import DESCRIPTION as DESCRIPTION
from dnaspt.checkpoint_config import MODEL_TYPE as MODEL_TYPE
from dnaspt.checkpoint_config import TENSORS as TENSORS
from dnaspt.checkpoint_config import CheckpointConfig as CheckpointConfig
from dnaspt.checkpoint_config import find_checkpoint as find_checkpoint
from dnaspt.checkpoint_config import mask_token_of as mask_token_of
from dnaspt.checkpoint_config import read_config as read_config
from dnaspt.config import BASELINE_ENCODERS, BEND_CHANNELS, AnyEncoderConfig, BassetConfig, EncoderConfig
from dnaspt.errors import CheckpointError, ConfigError, telling_memory
from dnaspt.models.basset import BassetEncoder, HeadMLP
from dnaspt.models.bend_format import encoder_to_bend, is_bend_tensor, tensors_from_bend, tensors_to_bend
from dnaspt.models.composition import Composition
from dnaspt.models.devices import takes_apple_gpu
from dnaspt.models.encoder import DilatedEncoder
from dnaspt.models.ensemble import Ensemble
from dnaspt.models.gene_model_head import GeneModelHead
from dnaspt.models.heads import ClassesHead, CRFHead, Head, HeadCNN, NumbersHead, SigmoidHead, SoftmaxHead
from dnaspt.models.huggingface import load_huggingface_encoder
from dnaspt.models.language_model import LanguageModel
from dnaspt.models.site_scores import LETTER_OFFSETS, STATE_OFFSETS, Offsets
from dnaspt.models.task_model import Encoder, TaskModel
from dnaspt.output import locked_output, refuse_existing, refuse_inputs
from dnaspt.tasks import FREE_CRF, GENE_MODEL, TASKS

Accelerator = Literal["auto", "cpu", "gpu"]


class HeadStart(NamedTuple):
    """What a fresh task head starts with: weights, frequencies or sizes of its labels.

    Attributes:
        class_weights: (K,) weights of the classes of a softmax head, or of the true labels of a sigmoid head; None: all 1.
        frequencies: (K,) how often each label of a window is true: its bias begins there; None: at 0.
        mean: (K,) mean of labels that are numbers.
        sd: (K,) their standard deviation.
    """

    class_weights: Tensor | None = None
    frequencies: Tensor | None = None
    mean: Tensor | None = None
    sd: Tensor | None = None


def build_model(config: CheckpointConfig) -> LanguageModel | TaskModel:
    """Build the model described by `config`, with fresh weights.

    Raises:
        CheckpointError: an architecture or a head that does not fit.
    """
    return build_language_model(config) if config.kind == "language" else build_task_model(config)


def build_language_model(config: CheckpointConfig) -> LanguageModel:
    """Build a masked language model with fresh weights.

    Raises:
        CheckpointError: an architecture without a language model.
    """
    if not isinstance(config.encoder, EncoderConfig):
        raise CheckpointError(f"architecture {config.encoder.architecture!r} has no language model")
    return LanguageModel(config.encoder)


def build_task_model(config: CheckpointConfig, start: HeadStart | None = None) -> TaskModel:
    """Build an encoder with a task head, with fresh weights.

    Raises:
        CheckpointError: a head that does not fit the task.
    """
    composition = None if config.composition is None else Composition(len(config.labels), config.composition)
    if config.members:
        members = [build_task_model(member) for member in config.of_members]
        return Ensemble(members, composition, config.calibrator)
    encoder, head = _build_encoder(config.encoder), _build_head(config, start or HeadStart())
    network = None if config.of_network is None else build_task_model(config.of_network)
    return TaskModel(encoder, head, network, composition, config.calibrator)


def _build_encoder(config: AnyEncoderConfig) -> Encoder:
    if isinstance(config, EncoderConfig):
        return DilatedEncoder(config)
    if isinstance(config, BassetConfig):
        return BassetEncoder(config)
    return load_huggingface_encoder(config)


def _build_head(config: CheckpointConfig, start: HeadStart) -> Head:
    if not TASKS[config.task].per_base and (config.head == "sigmoid" or not TASKS[config.task].is_binary):
        return _build_window_head(config, start)
    if config.head == GENE_MODEL:
        n_offsets, inside = len(max(site_offsets(config), key=len)), config.stop_in_cds is not False
        return GeneModelHead(
            config.encoder.hidden_size,
            n_offsets,
            config.code,
            stop_in_cds=inside,
            has_network=config.network is not None,
        )
    hidden_size, states = config.encoder.hidden_size, TASKS[config.task].states
    if states is None or config.head not in ("crf", "softmax", FREE_CRF):
        fitting = ", ".join(TASKS[config.task].heads)
        raise CheckpointError(f"head {config.head!r} does not fit task {config.task!r}; expected {fitting}")
    if config.head == "softmax":
        return SoftmaxHead(hidden_size, states, start.class_weights)
    return CRFHead(hidden_size, states, constrained=config.head != FREE_CRF)


def site_offsets(config: CheckpointConfig) -> Offsets:
    """Where around a candidate site a gene model reads hidden states: all letters of a window, or some states of an encoder."""
    return LETTER_OFFSETS if config.encoder == BASELINE_ENCODERS["onehot"] else STATE_OFFSETS


def _build_window_head(config: CheckpointConfig, start: HeadStart) -> SigmoidHead:
    """A head for labels of windows or bins.

    Raises:
        CheckpointError: a head that does not fit the task.
    """
    n_labels, task = len(config.labels), TASKS[config.task]
    if config.head not in task.heads:
        expected = ", ".join(task.heads)
        raise CheckpointError(f"head {config.head!r} does not fit task {config.task!r}; expected {expected}")
    trunk: HeadCNN | HeadMLP
    if isinstance(config.encoder, BassetConfig):
        trunk = HeadMLP(config.encoder, n_labels)
    else:
        resolution_bp, normalize = task.resolution_bp, config.pool == "normalized"
        trunk = HeadCNN(config.encoder.hidden_size, n_labels, resolution_bp=resolution_bp, normalize=normalize)
    if task.numbers:
        numbers = NumbersHead(trunk, n_labels, is_count=config.head == "poisson")
        if start.mean is not None and start.sd is not None:
            numbers.begin_with(start.mean, start.sd)
        return numbers
    head = (ClassesHead if task.one_of else SigmoidHead)(trunk, n_labels, start.class_weights)
    if start.frequencies is not None:
        head.begin_at(start.frequencies)
    return head


def save_checkpoint(
    folder: Path,
    model: nn.Module,
    config: CheckpointConfig,
    extra: Mapping[str, Mapping[str, Tensor] | str] | None = None,
    architectures: Sequence[str] = (),
) -> None:
    """Write a checkpoint folder, whole or not at all.

    Args:
        folder: folder to write; one that is there is replaced.
        model: the model.
        config: its description.
        extra: further files by name: tensors by name (as safetensors), or text.
        architectures: classes of `dnaspt.transformers` that load it; none: transformers is not to load it.

    Raises:
        CheckpointError, NoSpaceError: the disk is full.
    """
    with atomic_folder(folder) as unfinished:
        metadata = {"format": "pt"} if architectures else None  # transformers reads no tensors without this word
        _save_tensors(folder, unfinished / TENSORS, model.state_dict(), metadata)
        for name, content in (extra or {}).items():
            if isinstance(content, str):
                (unfinished / name).write_text(content, encoding="utf-8", newline="\n")
            else:
                _save_tensors(folder, unfinished / name, content)
        text = config.model_dump_json(indent=1)
        if architectures:
            named = {"model_type": MODEL_TYPE, "architectures": list(architectures)}
            text = json.dumps(named | json.loads(text), indent=1)
        (unfinished / DESCRIPTION).write_text(text + "\n", encoding="utf-8", newline="\n")


def write_description(folder: Path, config: CheckpointConfig) -> None:
    """Replace the description of a checkpoint, whole or not at all; its tensors stay."""
    write_text_atomically(folder / DESCRIPTION, config.model_dump_json(indent=1) + "\n")


def _save_tensors(
    folder: Path, file: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str] | None = None
) -> None:
    try:
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, file, metadata)
    except SafetensorError as error:
        raise CheckpointError(f"{folder}: could not be written ({error}); is the disk full?") from error


def read_tensors(file: Path) -> dict[str, Tensor]:
    """Read all tensors of a safetensors file, by name.

    Raises:
        CheckpointError: not there, truncated, or not safetensors.
    """
    try:
        # Copies: Windows removes and replaces no file that is mapped into memory, as a resumed run does with its checkpoints.
        return {name: tensor.clone() for name, tensor in load_file(file).items()}
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{file}: cannot be read ({error}); is it whole?") from error


def load_model(path: str | os.PathLike[str]) -> tuple[LanguageModel | TaskModel, CheckpointConfig]:
    """Load a model on the CPU, in eval mode, and its description.

    Args:
        path: checkpoint folder, or run (its best checkpoint).

    Raises:
        CheckpointError: not a checkpoint, or its tensors do not fit its description.
    """
    folder = find_checkpoint(path)
    config = read_config(folder)
    tensors = read_tensors(folder / TENSORS)
    if any(is_bend_tensor(name) for name in tensors):
        tensors = tensors_from_bend(folder, tensors)
    with telling_memory(f"{folder}: is its config.json whole?"):
        model = build_model(config)
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise CheckpointError(f"{folder}: tensors do not fit the description ({reason})") from error
    return model.eval(), config


def choose_device(accelerator: str = "auto") -> torch.device:
    """Choose the device for inference: auto (a GPU where there is one), cpu or gpu.

    A GPU is one of NVIDIA, else Apple's where it computes what the CPU computes; where it does not, auto warns and takes the CPU.

    Raises:
        ConfigError: another word; or gpu where there is none.
    """
    if accelerator not in get_args(Accelerator):
        raise ConfigError(f"accelerator {accelerator!r}; expected {', '.join(get_args(Accelerator))}")
    if accelerator == "cpu":
        return torch.device("cpu")
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if takes_apple_gpu(accelerator) else "cpu")


def model_device(model: nn.Module) -> torch.device:
    """The device that a model's tensors are on."""
    return next(chain(model.parameters(), model.buffers())).device


def export_bend(path: str | os.PathLike[str], out: Path, *, overwrite: bool = False) -> None:
    """Write a pretrained model in the format of BEND's ConvNet (config.json, model.safetensors).

    Args:
        path: run of `pretrain`, or a checkpoint.
        out: folder to write.
        overwrite: replace what an earlier export wrote there.

    Raises:
        CheckpointError: not a language model, channels in another order than BEND's, or `out` is there already, or is to be
        replaced and holds something else.
        ConfigError: `out` lies in the run, or the run in it. BusyError: another process writes `out`.
    """
    refuse_existing(out, overwrite=overwrite, error=CheckpointError)
    if out.exists() and (not out.is_dir() or {file.name for file in out.iterdir()} - {TENSORS, DESCRIPTION}):
        raise CheckpointError(f"{out}: is there and is no exported model; choose another --out")
    refuse_inputs(out, {"run": Path(path)})
    model, _ = load_model(path)
    if not isinstance(model, LanguageModel):
        raise CheckpointError(f"{path}: holds a fine-tuned model; expected a run of 'dnaspt pretrain'")
    encoder = model.encoder.config
    if encoder.channels != BEND_CHANNELS:
        raise CheckpointError(f"{path}: its channels are {encoder.channels}; expected BEND's {BEND_CHANNELS}")
    with locked_output(out), atomic_folder(out) as unfinished:
        _save_tensors(out, unfinished / TENSORS, tensors_to_bend(model.state_dict()))
        text = json.dumps(encoder_to_bend(encoder), indent=1) + "\n"
        (unfinished / DESCRIPTION).write_text(text, encoding="utf-8", newline="\n")
