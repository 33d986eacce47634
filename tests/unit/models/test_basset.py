"""Basset in the shape that BEND runs."""

import torch

from dnaspt.config import PAD_TOKEN, BassetConfig
from dnaspt.models.basset import BassetEncoder, HeadMLP


def test_basset_has_the_published_sizes_and_a_short_window_is_a_padded_one() -> None:
    config = BassetConfig()
    encoder, head = BassetEncoder(config).eval(), HeadMLP(config, 125).eval()
    assert config.n_pooled == 10
    n_parameters = sum(parameter.numel() for parameter in (*encoder.parameters(), *head.parameters()))
    convolutions = sum(a * b * k + 3 * b for a, b, k in ((5, 300, 19), (300, 200, 11), (200, 200, 7)))
    assert n_parameters == convolutions + 2001 * 1000 + 1001 * 1000 + 1001 * 125
    tokens = torch.randint(0, 5, (2, 512))
    tokens[1, 300:] = PAD_TOKEN
    torch.testing.assert_close(encoder(tokens[1:, :300]), encoder(tokens)[1:])
    assert head(encoder(tokens), None).shape == (2, 125)
