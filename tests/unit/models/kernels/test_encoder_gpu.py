"""The encoder's Triton kernels against its plain layers in float64, on a GPU or else under Triton's interpreter."""

import pytest
import torch
from torch import Tensor

from dnaspt.config import PAD_TOKEN, EncoderConfig
from dnaspt.models.encoder import DilatedEncoder
from dnaspt.models.kernels import encoder_gpu

pytest.importorskip("triton")
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
LENGTHS = (21, 9)


def make_case() -> tuple[DilatedEncoder, Tensor, Tensor]:
    """Two layers of dilations 1 and 2 with random norms, x (2, 21, 64) zero at padding, and where it is real."""
    torch.manual_seed(0)
    encoder = DilatedEncoder(EncoderConfig(hidden_size=64, n_layers=2)).double()
    with torch.no_grad():
        for name, parameter in encoder.named_parameters():
            if "norm" in name or "bias" in name:
                parameter.normal_()
    real = torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS).unsqueeze(1)
    return encoder, torch.randn(*real.shape, 64, dtype=torch.float64) * real.unsqueeze(2), real


def plain(encoder: DilatedEncoder, x: Tensor, real: Tensor) -> Tensor:
    for layer in encoder.layers:
        x = layer(x, real.unsqueeze(2))
    return x


def kernels(encoder: DilatedEncoder, x: Tensor, real: Tensor, dtype: torch.dtype) -> Tensor:
    moved = encoder.float().to(DEVICE)
    return encoder_gpu.run_layers(
        x.float().to(DEVICE), real.to(DEVICE), encoder.config.dilations, moved._for_kernels(), dtype
    )


@pytest.mark.parametrize("own_products", [True, False])
def test_values_and_gradients_equal_those_of_the_plain_layers(
    own_products: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoder_gpu, "_OWN_PRODUCTS", 256 if own_products else 0)
    encoder, x, real = make_case()
    upstream = torch.randn(x.shape, dtype=torch.float64)
    leaf = x.clone().requires_grad_()
    expected = plain(encoder, leaf * real.unsqueeze(2), real)
    parameters = list(encoder.parameters())
    gradients = torch.autograd.grad((expected * upstream).sum(), [leaf, *parameters])
    moved = x.clone().float().requires_grad_()
    found = kernels(encoder, moved, real, torch.float32)
    torch.testing.assert_close(found.cpu().double(), expected.detach(), rtol=1e-5, atol=1e-5)
    own = torch.autograd.grad((found * upstream.to(found)).sum(), [moved, *encoder.parameters()])
    for mine, theirs in zip(own, gradients, strict=True):
        torch.testing.assert_close(mine.cpu().double(), theirs, rtol=1e-4, atol=1e-4)


def test_a_norm_that_changes_before_the_backward_pass_is_noticed() -> None:
    encoder, x, real = make_case()
    hidden = kernels(encoder, x, real, torch.float32)
    with torch.no_grad():
        encoder.layers[0].conv_norm.weight.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        hidden.sum().backward()


HALF = torch.bfloat16 if torch.cuda.is_available() else torch.float16  # the interpreter multiplies no bfloat16


def test_half_precision_rounds_only_the_factors_of_products() -> None:
    encoder, x, real = make_case()
    expected = plain(encoder, x, real).detach()
    with torch.no_grad():
        found = kernels(encoder, x, real, HALF).cpu().double()
    assert float((found - expected).norm() / expected.norm()) < 5e-3
    assert not found[1, LENGTHS[1] :].any()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("depth", [64, 256, 512])
def test_values_and_gradients_under_autocast_are_as_near_to_float64_as_pytorchs(depth: int) -> None:
    torch.manual_seed(0)
    encoder = DilatedEncoder(EncoderConfig(hidden_size=depth, n_layers=8)).to(DEVICE)
    tokens = torch.randint(0, 4, (3, 700), device=DEVICE)
    tokens[1, 500:] = PAD_TOKEN
    real = tokens != PAD_TOKEN
    x = torch.nn.functional.one_hot(encoder.channels[tokens], depth) * real.unsqueeze(2)
    upstream = torch.randn(x.shape, device=DEVICE)

    def results(hidden: Tensor) -> list[Tensor]:
        gradients = torch.autograd.grad((hidden * upstream).sum(), list(encoder.parameters()))
        return [hidden.detach(), torch.cat([gradient.flatten() for gradient in gradients])]

    exact = results(encoder.double()(tokens))
    encoder.float()
    with torch.autocast("cuda", torch.bfloat16):
        own, pytorch = results(encoder(tokens)), results(plain(encoder, x.float(), real))
    for mine, theirs, true in zip(own, pytorch, exact, strict=True):
        assert float((mine - true).norm()) < 1.2 * float((theirs - true).norm())
