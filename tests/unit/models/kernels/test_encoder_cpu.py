"""The encoder's CPU kernels against its plain layers: values, gradients, and the same bits whatever the batch and threads."""

import pytest
import torch
from tests.unit.models.encoder_cases import SMALL, random_tokens

from dnaspt.config import PAD_TOKEN, PRESETS, EncoderConfig
from dnaspt.models.encoder import DilatedEncoder, ResidualLayer
from dnaspt.models.kernels import conv_amx
from dnaspt.models.kernels.encoder_cpu import run_layers


@pytest.mark.parametrize("hidden_size", [16, 64])
def test_cpu_kernels_give_the_plain_layers_hidden_states_and_gradients(hidden_size: int) -> None:
    config = EncoderConfig(hidden_size=hidden_size, n_layers=7)
    torch.manual_seed(1)
    fast, plain = DilatedEncoder(config), DilatedEncoder(config).double()
    for parameter in fast.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    plain.load_state_dict(fast.state_dict())
    tokens = random_tokens(4, 1000)
    for row, length in enumerate(
        (1000, 731, 5, 0)
    ):  # beyond a piece, no whole number of tiles, within a kernel, nothing
        tokens[row, length:] = PAD_TOKEN
    weights = torch.randn(4, 1000, hidden_size)
    hidden, expected = fast(tokens), plain(tokens)
    assert (hidden - expected).abs().max() < 3e-6 * expected.abs().max()
    (hidden * weights).sum().backward()
    (expected * weights).sum().backward()
    for (name, one), other in zip(fast.named_parameters(), plain.parameters(), strict=True):
        assert one.grad is not None and other.grad is not None
        assert (one.grad - other.grad).abs().max() < 1e-5 * other.grad.abs().max(), name


def test_hidden_states_are_the_same_bits_for_any_batch_and_number_of_threads() -> None:
    torch.manual_seed(2)
    encoder = DilatedEncoder(PRESETS["small"]).eval()
    tokens = random_tokens(2, 3000)
    tokens[1, 2000:] = PAD_TOKEN
    before = torch.get_num_threads()
    with torch.no_grad():
        together = encoder(tokens)
        try:
            torch.set_num_threads(3)
            assert torch.equal(encoder(tokens[1:, :2000])[0], together[1, :2000])
        finally:
            torch.set_num_threads(before)


@pytest.mark.parametrize("length", [1, 3, 40, 130])
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_short_sequences_have_the_same_bits_beside_long_ones(length: int, precision: torch.dtype) -> None:
    """Alone, taps that no position can read are left out."""
    torch.manual_seed(3)
    encoder = DilatedEncoder(PRESETS["small"]).eval()
    tokens = random_tokens(3, 900)
    tokens[1:, length:] = PAD_TOKEN
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=precision == torch.bfloat16):
        together, alone = encoder(tokens), encoder(tokens[1:, :length])
    if precision == torch.float32 or conv_amx.is_here():
        assert torch.equal(alone, together[1:, :length])


def test_gradients_of_short_sequences_are_those_of_plain_layers() -> None:
    torch.manual_seed(5)
    config = EncoderConfig(hidden_size=16, n_layers=12)
    fast, plain = DilatedEncoder(config), DilatedEncoder(config).double()
    plain.load_state_dict(fast.state_dict())
    tokens = random_tokens(3, 40)
    tokens[1, 17:] = PAD_TOKEN
    fast(tokens).square().sum().backward()
    plain(tokens).square().sum().backward()
    for (name, one), other in zip(fast.named_parameters(), plain.parameters(), strict=True):
        assert one.grad is not None and other.grad is not None
        assert one.grad.shape == other.grad.shape
        assert (one.grad - other.grad).abs().max() <= 1e-5 * other.grad.abs().max(), name


def test_a_batch_without_a_base() -> None:
    encoder = DilatedEncoder(PRESETS["tiny"])
    assert not encoder(torch.full((2, 5), PAD_TOKEN, dtype=torch.uint8)).any()


def test_gradient_of_the_cpu_kernels_reaches_their_input() -> None:
    torch.manual_seed(4)
    layer = DilatedEncoder(EncoderConfig(hidden_size=16, n_layers=1)).layers[0]
    x = torch.randn(2, 60, 16, requires_grad=True)
    lengths = torch.tensor([60, 41])
    real = (torch.arange(60) < lengths[:, None]).unsqueeze(-1)
    (ours,) = torch.autograd.grad(run_layers(x, lengths, (1,), layer.for_kernels()).square().sum(), x)
    (plain,) = torch.autograd.grad(layer(x * real, real).square().sum(), x)
    assert torch.allclose(ours, plain, atol=1e-4)


def test_two_threads_give_the_same_gradients_every_time() -> None:
    torch.manual_seed(5)
    encoder = DilatedEncoder(SMALL)
    tokens, weights = random_tokens(3, 2000), torch.randn(3, 2000, 16)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        first, second = (
            torch.autograd.grad((encoder(tokens) * weights).sum(), list(encoder.parameters())) for _ in range(2)
        )
    finally:
        torch.set_num_threads(before)
    assert all(map(torch.equal, first, second))


@pytest.mark.parametrize("dilation", [1, 3, 5, 31, 48])
@pytest.mark.parametrize("kernel_size", [1, 3, 5, 9, 15])
def test_cpu_kernels_know_every_kernel_size_and_dilation(kernel_size: int, dilation: int) -> None:
    torch.manual_seed(6)
    layer = ResidualLayer(16, kernel_size, dilation)
    x, lengths = torch.randn(2, 450, 16), torch.tensor([450, 97])
    real = (torch.arange(450) < lengths[:, None]).unsqueeze(-1)
    weights = torch.randn(2, 450, 16)
    ours, plain = run_layers(x, lengths, (dilation,), layer.for_kernels()), layer(x * real, real)
    assert torch.allclose(ours, plain, atol=2e-5)
    parameters = list(layer.parameters())
    found, expected = (torch.autograd.grad((y * weights).sum(), parameters) for y in (ours, plain))
    for one, other in zip(found, expected, strict=True):
        assert (one - other).abs().max() < 1e-5 * other.abs().max() + 1e-6


def test_hidden_states_are_the_same_bits_without_gradient() -> None:
    torch.manual_seed(7)
    encoder = DilatedEncoder(SMALL)
    tokens = random_tokens(2, 500)
    tokens[1, 200:] = PAD_TOKEN
    with torch.no_grad():
        assert torch.equal(encoder(tokens), encoder(tokens).clone())
        without = encoder(tokens)
    assert torch.equal(without, encoder(tokens))


def test_a_graph_that_is_kept_can_be_walked_twice() -> None:
    torch.manual_seed(8)
    encoder = DilatedEncoder(SMALL)
    total, weights = encoder(random_tokens(1, 200)).square().sum(), list(encoder.parameters())
    first = torch.autograd.grad(total, weights, retain_graph=True)
    second = torch.autograd.grad(total, weights)
    assert all(map(torch.equal, first, second))
    with pytest.raises(RuntimeError, match="second time"):
        torch.autograd.grad(total, weights)


def test_padding_inside_a_sequence_is_computed_as_padding() -> None:
    tokens = random_tokens(1, 300)
    tokens[0, 100:110] = PAD_TOKEN
    torch.manual_seed(3)
    fast, plain = DilatedEncoder(SMALL), DilatedEncoder(SMALL).double()
    plain.load_state_dict(fast.state_dict())
    with torch.no_grad():
        assert torch.allclose(fast(tokens).double(), plain(tokens), atol=1e-4)
