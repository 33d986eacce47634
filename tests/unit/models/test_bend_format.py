"""BEND's ConvNet and our language model: settings and tensors convert both ways."""

from pathlib import Path

import pytest
import torch

from dnaspt.config import BEND_CHANNELS, EncoderConfig
from dnaspt.errors import CheckpointError
from dnaspt.models.bend_format import (
    encoder_from_bend,
    encoder_to_bend,
    is_bend_config,
    is_bend_tensor,
    tensors_from_bend,
    tensors_to_bend,
)
from dnaspt.models.language_model import LanguageModel

ENCODER = EncoderConfig(hidden_size=8, n_layers=2, kernel_size=5, dilation_max=4)


def test_settings_convert_both_ways() -> None:
    content = encoder_to_bend(ENCODER)
    assert is_bend_config(content) and not is_bend_config({"format_version": 1, "vocab_size": 7})
    assert content["vocab_size"] == 7 and "channels" not in content
    assert encoder_from_bend(content) == ENCODER


def test_tensors_convert_both_ways_and_logits_change_their_order() -> None:
    ours = LanguageModel(ENCODER).state_dict()
    theirs = tensors_to_bend(ours)
    assert any(is_bend_tensor(name) for name in theirs) and not any(is_bend_tensor(name) for name in ours)
    assert theirs["model.encoder.0.conv.1.weight"].ndim == 3  # a 1-D convolution
    # BEND's logits are ordered by channel, and the channel of T (token 3) is 4
    assert torch.equal(theirs["cls.decoder.3.bias"][BEND_CHANNELS[3]], ours["head.logits.bias"][3])
    back = tensors_from_bend(Path("x"), theirs)
    assert back.keys() == ours.keys()
    assert all(torch.equal(back[name], ours[name]) for name in ours)


@pytest.mark.parametrize(
    "name", ["model.encoder.0.attention.weight", "model.embedding", "weight", "cls.decoder.9.bias"]
)
def test_a_tensor_that_bend_does_not_have_is_named(name: str) -> None:
    with pytest.raises(CheckpointError, match=f"somewhere: tensor '{name}'; expected those of BEND's ConvNet"):
        tensors_from_bend(Path("somewhere"), {name: torch.zeros(2)})
