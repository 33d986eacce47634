import numpy as np
import pytest
import torch

from dnaspt.config import MASK_TOKEN, PAD_TOKEN, PRESETS, EncoderConfig
from dnaspt.models.encoder import DilatedEncoder, ResidualLayer
from dnaspt.models.heads import HEAD_FLANK_BP, SoftmaxHead
from dnaspt.models.kernels.encoder_cpu import run_layers
from dnaspt.models.language_model import LanguageModel
from dnaspt.models.task_model import TaskModel
from dnaspt.tasks import GENE_STATES

SMALL = EncoderConfig(hidden_size=16, n_layers=7)


def random_tokens(n: int, length: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 4, (n, length)))


def gene_model(seed: int = 0) -> TaskModel:
    torch.manual_seed(seed)
    return TaskModel(DilatedEncoder(SMALL), SoftmaxHead(SMALL.hidden_size, GENE_STATES)).eval()


def test_receptive_field_by_gradient_equals_the_formula() -> None:
    model = gene_model().double()
    length = 2 * model.flank_bp + 101
    x = torch.nn.functional.one_hot(random_tokens(1, length), SMALL.hidden_size).double().requires_grad_()
    hidden = x
    for layer in model.encoder.layers:
        hidden = layer(hidden, None)
    middle = length // 2
    (gradient,) = torch.autograd.grad(model.head.trunk(hidden, None)[0, middle].sum(), x)
    reached = torch.nonzero(gradient[0].abs().sum(-1)).flatten()
    assert (int(reached[0]), int(reached[-1])) == (middle - model.flank_bp, middle + model.flank_bp)


def test_flank_of_the_published_encoder_and_head_is_1262_bp() -> None:
    assert PRESETS["paper"].flank_bp + HEAD_FLANK_BP == 1262
    assert PRESETS["paper"].dilations == (1, 2, 4, 8, 16, 32) * 5


def test_padding_and_batch_composition_change_nothing() -> None:
    model = gene_model().double()
    tokens = random_tokens(3, 400)
    lengths = (400, 250, 33)
    padded = tokens.clone()
    for row, length in enumerate(lengths):
        padded[row, length:] = PAD_TOKEN
    with torch.no_grad():
        together = model(padded)
        for row, length in enumerate(lengths):
            alone = model(tokens[row : row + 1, :length])
            assert torch.allclose(together[row, :length], alone[0], atol=1e-12)


def test_hidden_states_at_padding_are_zero() -> None:
    tokens = random_tokens(1, 50)
    tokens[0, 40:] = PAD_TOKEN
    hidden = DilatedEncoder(SMALL)(tokens)
    assert not hidden[0, 40:].any()
    assert hidden[0, :40].any(-1).all()


def test_every_token_lights_up_its_own_channel() -> None:
    assert sorted(SMALL.channels) == list(range(7))
    assert SMALL.channels[MASK_TOKEN] != SMALL.channels[PAD_TOKEN]


def test_language_model_loss_scores_masked_positions_only() -> None:
    from dnaspt.models.batch import Batch

    torch.manual_seed(0)
    model = LanguageModel(SMALL)
    tokens = random_tokens(2, 64)
    labels = torch.full((2, 64), -100)
    labels[0, 3], labels[1, 9] = 2, 1
    loss = model.loss(Batch(tokens, torch.tensor([64, 64]), labels))
    logits = model(tokens)
    expected = -(logits[0, 3].log_softmax(-1)[2] + logits[1, 9].log_softmax(-1)[1])
    assert torch.allclose(loss.total, expected, atol=1e-5)
    assert loss.n_scored == 2


def test_even_kernel_is_refused() -> None:
    with pytest.raises(ValueError, match="even"):
        EncoderConfig(kernel_size=8)


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


def test_padding_inside_a_sequence_is_computed_as_padding() -> None:
    tokens = random_tokens(1, 300)
    tokens[0, 100:110] = PAD_TOKEN
    torch.manual_seed(3)
    fast, plain = DilatedEncoder(SMALL), DilatedEncoder(SMALL).double()
    plain.load_state_dict(fast.state_dict())
    with torch.no_grad():
        assert torch.allclose(fast(tokens).double(), plain(tokens), atol=1e-4)


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


def test_no_sequence_has_no_hidden_states() -> None:
    assert DilatedEncoder(SMALL)(torch.zeros(0, 10, dtype=torch.long)).shape == (0, 10, 16)
