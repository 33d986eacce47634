"""The encoder: tokens to hidden states, zero at padding."""

import numpy as np
import pytest
import torch
from tests.unit.models.encoder_cases import SMALL, random_tokens

from dnaspt.config import BASELINE_ENCODERS, MASK_TOKEN, PAD_TOKEN, EncoderConfig
from dnaspt.models.encoder import DilatedEncoder


def test_hidden_states_at_padding_are_zero() -> None:
    tokens = random_tokens(1, 50)
    tokens[0, 40:] = PAD_TOKEN
    hidden = DilatedEncoder(SMALL)(tokens)
    assert not hidden[0, 40:].any()
    assert hidden[0, :40].any(-1).all()


def test_every_token_lights_up_its_own_channel() -> None:
    assert sorted(SMALL.channels) == list(range(7))
    assert SMALL.channels[MASK_TOKEN] != SMALL.channels[PAD_TOKEN]


def test_even_kernel_is_refused() -> None:
    with pytest.raises(ValueError, match="even"):
        EncoderConfig(kernel_size=8)


def test_no_sequence_has_no_hidden_states() -> None:
    assert DilatedEncoder(SMALL)(torch.zeros(0, 10, dtype=torch.long)).shape == (0, 10, 16)


def test_without_layers_the_encoder_is_the_one_hot_code() -> None:
    encoder = DilatedEncoder(BASELINE_ENCODERS["onehot"])
    hidden = encoder(torch.tensor([[0, 1, 2, 3, 4, PAD_TOKEN]]))
    assert hidden.shape == (1, 6, 7) and not hidden[0, 5].any()
    np.testing.assert_array_equal(hidden[0, :5].argmax(-1), [0, 1, 2, 4, 3])  # BEND's channels: A C G N T
    assert encoder.double()(torch.tensor([[0]])).dtype == torch.float64
