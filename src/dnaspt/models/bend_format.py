"""BEND's ConvNet (Marin et al. 2024) to our language model and back: settings and names of tensors; hidden states stay the same.

In BEND's ConvNet a token id is a channel: A 0, C 1, G 2, N 3, T 4. Its mask token is the base T; ours has a channel of its own.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnaspt.config import BEND_CHANNELS, EncoderConfig
from dnaspt.errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor  # takes seconds to import, and only types need it

_LAYER_PARTS = {"conv.1": "conv", "conv.4": "conv_norm", "ffn.0": "linear", "ffn.2": "linear_norm"}
"""Parts of an encoder layer: BEND's name and ours."""
_HEAD_PARTS = {"cls.decoder.0": "head.linear", "cls.decoder.2": "head.norm", "cls.decoder.3": "head.logits"}
"""Parts of the masked-LM head: BEND's name and ours."""
_LAYER_NAME = re.compile(r"model\.encoder\.(?P<layer>[0-9]+)\.(?P<part>.+)")
_SETTINGS = ("hidden_size", "n_layers", "kernel_size", "dilation_max", "dilation_cycle", "dilation_double_every")


def is_bend_config(content: Mapping[str, Any]) -> bool:
    """Whether the content of a config.json is that of BEND's ConvNet."""
    return "format_version" not in content and "vocab_size" in content


def encoder_from_bend(content: Mapping[str, Any]) -> EncoderConfig:
    """Architecture of our encoder from the content of BEND's config.json.

    Raises:
        ValidationError: a value that no encoder has.
    """
    return EncoderConfig(channels=BEND_CHANNELS, **{name: content[name] for name in _SETTINGS if name in content})


def encoder_to_bend(encoder: EncoderConfig) -> dict[str, Any]:
    """Content of BEND's config.json for the architecture of our encoder."""
    own = encoder.model_dump(exclude={"channels", "architecture"})
    return own | {"vocab_size": len(BEND_CHANNELS), "initializer_range": 0.02}


def is_bend_tensor(name: str) -> bool:
    """Whether a tensor is named as in BEND's ConvNet."""
    return name.startswith("model.encoder.")


def tensors_from_bend(folder: Path, tensors: Mapping[str, "Tensor"]) -> dict[str, "Tensor"]:
    """BEND's tensors under our names. BEND orders logits by channel, we order them by token; our convolutions are 2-D.

    Args:
        folder: the checkpoint, for errors.
        tensors: tensors by BEND's names.

    Returns:
        Tensors by our names: kernels of convolutions (D, D, 1, K) instead of (D, D, K), logits (V, ...) in the order of tokens,
        all others as they are.

    Raises:
        CheckpointError: a name that BEND's ConvNet does not have.
    """
    renamed = {}
    for name, tensor in tensors.items():
        module, _, kind = name.rpartition(".")
        if module in _HEAD_PARTS:
            ours = _HEAD_PARTS[module]
            renamed[f"{ours}.{kind}"] = tensor[list(BEND_CHANNELS)] if ours == "head.logits" else tensor
            continue
        match = _LAYER_NAME.fullmatch(module)
        if not match or match["part"] not in _LAYER_PARTS:
            raise CheckpointError(f"{folder}: tensor {name!r}; expected those of BEND's ConvNet and of nothing else")
        ours = _LAYER_PARTS[match["part"]]
        is_kernel = ours == "conv" and kind == "weight"
        renamed[f"encoder.layers.{match['layer']}.{ours}.{kind}"] = tensor.unsqueeze(2) if is_kernel else tensor
    return renamed


def tensors_to_bend(tensors: Mapping[str, "Tensor"]) -> dict[str, "Tensor"]:
    """Our tensors of a language model under BEND's names; the reverse of `tensors_from_bend`."""
    token_of_channel = [BEND_CHANNELS.index(channel) for channel in range(len(BEND_CHANNELS))]
    their_layer_part = {ours: theirs for theirs, ours in _LAYER_PARTS.items()}
    their_head_part = {ours: theirs for theirs, ours in _HEAD_PARTS.items()}
    renamed = {}
    for name, tensor in tensors.items():
        module, _, kind = name.rpartition(".")
        if module in their_head_part:
            reordered = tensor[token_of_channel] if module == "head.logits" else tensor
            renamed[f"{their_head_part[module]}.{kind}"] = reordered
            continue
        _, _, layer, part = module.split(".", 3)
        is_kernel = part == "conv" and kind == "weight"
        renamed[f"model.encoder.{layer}.{their_layer_part[part]}.{kind}"] = tensor.squeeze(2) if is_kernel else tensor
    return renamed
