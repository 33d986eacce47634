"""Products in bfloat16 on AMX units: the encoder's hidden states and gradients as with PyTorch's own layers under autocast."""

import pytest
import torch
from tests.unit.models.encoder_cases import random_tokens
from torch import Tensor

from dnaspt.config import PAD_TOKEN, PRESETS, EncoderConfig
from dnaspt.models.encoder import DilatedEncoder
from dnaspt.models.kernels import conv_amx

pytestmark = pytest.mark.skipif(not conv_amx.is_here(), reason="this processor has no AMX units")


def bf16() -> torch.autocast:
    """Products in bfloat16."""
    return torch.autocast("cpu", torch.bfloat16)


def largest_difference(found: Tensor, expected: Tensor) -> float:
    """As a share of the largest expected value."""
    return float(((found - expected).abs().max() / expected.abs().max()).detach())


@pytest.mark.parametrize(
    ("hidden_size", "kernel_size", "dilation_max"), [(32, 9, 32), (64, 9, 32), (96, 5, 3), (32, 1, 1), (32, 15, 40)]
)
def test_hidden_states_and_gradients_are_as_close_to_float64_as_those_of_plain_layers(
    hidden_size: int, kernel_size: int, dilation_max: int
) -> None:
    config = EncoderConfig(hidden_size=hidden_size, n_layers=7, kernel_size=kernel_size, dilation_max=dilation_max)
    torch.manual_seed(1)
    exact, ours, plain = DilatedEncoder(config).double(), DilatedEncoder(config), DilatedEncoder(config)
    for model in (ours, plain):
        model.load_state_dict(exact.state_dict())
    tokens = random_tokens(4, 1300)
    for row, length in enumerate(
        (1300, 731, 5, 0)
    ):  # several blocks, no whole number of tiles, within a kernel, nothing
        tokens[row, length:] = PAD_TOKEN
    weights = torch.randn(4, 1300, hidden_size)
    expected = exact(tokens)
    (expected * weights).sum().backward()
    with bf16():
        found = ours(tokens)
        assert found.dtype == torch.float32
        real = (tokens != PAD_TOKEN).unsqueeze(-1).float()
        x = torch.nn.functional.one_hot(plain.channels[tokens.long()], hidden_size).float() * real
        for layer in plain.layers:
            x = layer(x, real)
    for hidden in (found, x):
        (hidden * weights).sum().backward()
    assert largest_difference(found, expected) < max(2e-3, 1.5 * largest_difference(x, expected))
    for (name, one), other, truth in zip(ours.named_parameters(), plain.parameters(), exact.parameters(), strict=True):
        assert one.grad is not None and other.grad is not None and truth.grad is not None
        allowed = max(5e-3, 1.5 * largest_difference(other.grad, truth.grad))
        assert largest_difference(one.grad, truth.grad) < allowed, name


def test_hidden_states_are_the_same_bits_for_any_batch_and_number_of_threads() -> None:
    torch.manual_seed(2)
    encoder = DilatedEncoder(PRESETS["small"]).eval()
    tokens = random_tokens(2, 3000)
    tokens[1, 2000:] = PAD_TOKEN
    before = torch.get_num_threads()
    with torch.no_grad(), bf16():
        together = encoder(tokens)
        try:
            torch.set_num_threads(3)
            assert torch.equal(encoder(tokens[1:, :2000])[0], together[1, :2000])
        finally:
            torch.set_num_threads(before)


def test_a_hidden_size_that_tiles_do_not_divide_is_left_to_plain_layers() -> None:
    encoder = DilatedEncoder(EncoderConfig(hidden_size=48, n_layers=2))
    with torch.no_grad(), bf16():
        assert torch.isfinite(encoder(random_tokens(1, 100))).all()


def test_float16_autocast_is_left_to_plain_layers() -> None:
    encoder = DilatedEncoder(EncoderConfig(hidden_size=32, n_layers=2))
    with torch.no_grad(), torch.autocast("cpu", torch.float16):
        assert torch.isfinite(encoder(random_tokens(1, 100))).all()


def test_packed_weights_are_pairs_of_inputs_in_bfloat16() -> None:
    torch.manual_seed(3)
    depth, n_taps = 32, 9
    layer = DilatedEncoder(EncoderConfig(hidden_size=depth, n_layers=1, kernel_size=n_taps)).layers[0]
    words = conv_amx.pack(layer.conv.weight.detach().squeeze(2))
    halves = torch.from_numpy(words).view(torch.bfloat16).view(n_taps, depth // 2, depth, 2)
    back = halves.permute(2, 1, 3, 0).reshape(depth, depth, n_taps)
    assert torch.equal(back, layer.conv.weight.detach().squeeze(2).bfloat16())
