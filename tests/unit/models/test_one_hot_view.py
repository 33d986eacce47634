"""The one-hot view of a model of windows gives its own log-odds, and the gradients of their letters."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from dnaspt.checkpoint import CheckpointConfig, build_task_model
from dnaspt.config import BASELINE_ENCODERS, AnyEncoderConfig, EncoderConfig
from dnaspt.genome import alphabet
from dnaspt.inference.emissions import predict_windows
from dnaspt.inference.explain import onehot
from dnaspt.models.calibrator import Calibrator
from dnaspt.models.composition import Composition
from dnaspt.models.ensemble import Ensemble
from dnaspt.models.kernels import encoder_cpu
from dnaspt.models.one_hot_view import AgainstOthers, LetterComposition, OneHotView
from dnaspt.models.task_model import TaskModel

LENGTH = 130
SMALL = EncoderConfig(hidden_size=16, n_layers=4)
CALIBRATED = Calibrator(1.7, (0.3, -0.2, 0.1))


def windows(n: int = 3) -> list[np.ndarray]:
    codes = np.random.default_rng(0).integers(0, 4, (3, LENGTH)).astype(np.uint8)
    codes[1, 20:29] = alphabet.N
    return list(codes[:n])


def letters_of(codes: list[np.ndarray]) -> torch.Tensor:
    return torch.from_numpy(np.stack([onehot(own) for own in codes])).float()


def network(encoder: AnyEncoderConfig = SMALL, *, seed: int = 0, task: str = "regions") -> TaskModel:
    torch.manual_seed(seed)
    head = "softmax" if task == "classes" else "sigmoid"
    config = CheckpointConfig(
        kind="task", encoder=encoder, task=task, head=head, labels=("a", "b", "c"), window_bp=LENGTH
    )
    model = build_task_model(config)
    model.head.trunk.output.weight.data *= 5
    return model.eval()


def composition(share: float) -> Composition:
    made = Composition(3, share)
    rng = np.random.default_rng(3)
    made.set(rng.normal(size=(3, 4096)), rng.normal(size=3))
    return made


def with_composition() -> TaskModel:
    model = network()
    model.composition, model.calibrator = composition(0.4), CALIBRATED
    return model


def ensemble() -> TaskModel:
    joined = Ensemble([network(), network(seed=1)], composition(0.3), CALIBRATED)
    joined.weigh(np.array([0.3, 0.7], np.float32))
    return joined.eval()


def classes() -> TaskModel:
    model = network(task="classes")
    model.calibrator = CALIBRATED._replace(one_of=True)
    return model


MODELS: dict[str, Callable[[], TaskModel]] = {
    "network": network,
    "letters alone": lambda: network(BASELINE_ENCODERS["onehot"]),
    "Basset": lambda: network(BASELINE_ENCODERS["basset"].for_windows(LENGTH)),
    "with composition": with_composition,
    "ensemble": ensemble,
    "classes": classes,
}


@pytest.mark.parametrize("kernels", [True, False])
@pytest.mark.parametrize("average_strands", [True, False])
@pytest.mark.parametrize("name", MODELS)
def test_log_odds_are_those_that_the_model_predicts(name: str, average_strands: bool, kernels: bool) -> None:
    model = MODELS[name]()
    codes = windows()
    with torch.no_grad():
        found = OneHotView(model, average_strands=average_strands, kernels=kernels)(letters_of(codes)).numpy()
    expected = model.calibrator.log_odds(predict_windows(model, codes, average_strands=average_strands))
    np.testing.assert_allclose(found, expected, atol=2e-5)


@pytest.mark.parametrize("name", MODELS)
def test_gradients_of_letters_are_those_of_finite_differences(name: str) -> None:
    view = OneHotView(MODELS[name](), average_strands=True)
    x = letters_of(windows(1)).requires_grad_()
    (gradient,) = torch.autograd.grad(view(x)[0, 1], x)
    rng = np.random.default_rng(0)
    for _ in range(3):  # along directions in which the letters of a base still sum to 1
        step = torch.from_numpy(rng.normal(size=x.shape)).float()
        step -= step.mean(1, keepdim=True)
        with torch.no_grad():
            ahead, behind = (view(x + sign * 1e-3 * step)[0, 1] for sign in (1, -1))
        assert float((gradient * step).sum()) == pytest.approx(float((ahead - behind) / 2e-3), rel=0.02, abs=5e-3)


def test_kernels_give_the_gradients_of_the_layers() -> None:
    model = network()
    gradients = []
    for kernels in (True, False):
        x = letters_of(windows()).requires_grad_()
        assert encoder_cpu.fits(torch.zeros(3, LENGTH, 16))
        gradients.append(torch.autograd.grad(OneHotView(model, kernels=kernels)(x).sum(), x)[0].numpy())
    np.testing.assert_allclose(gradients[0], gradients[1], atol=1e-5)


def test_a_caller_that_restores_the_mode_leaves_the_model_in_eval_mode() -> None:
    model = network(BASELINE_ENCODERS["basset"].for_windows(LENGTH))
    assert not OneHotView(model).training and not any(module.training for module in model.modules())


def test_the_view_has_the_layers_of_the_model_and_no_weights_of_its_own() -> None:
    model = ensemble()
    own = {id(parameter) for parameter in model.parameters()}
    assert {id(parameter) for parameter in OneHotView(model).parameters()} <= own


def test_halves_of_two_letters_count_half_of_each_kmer() -> None:
    made = composition(1.0)
    codes = windows(1)[0]
    other = codes.copy()
    other[40] = (other[40] + 1) % 4
    pure = [torch.from_numpy(np.stack([onehot(own)])).float() for own in (codes, other)]
    shares = [torch.cat([x, 1 - x.sum(1, keepdim=True)], 1).transpose(1, 2) for x in (*pure, (pure[0] + pure[1]) / 2)]
    first, second, half = (LetterComposition(made)(share).numpy() for share in shares)
    np.testing.assert_allclose(half, (first + second) / 2, atol=1e-6)
    np.testing.assert_allclose(first[0], made(torch.from_numpy(alphabet.tokens(codes))[None]).numpy()[0], atol=1e-5)


def test_a_window_shorter_than_a_kmer_has_the_constant() -> None:
    made = composition(1.0)
    np.testing.assert_array_equal(LetterComposition(made)(torch.zeros(2, 5, 5)).numpy(), made.constant.expand(2, -1))


def test_log_odds_against_all_others_are_those_of_the_softmax() -> None:
    scores = torch.tensor([[1.0, -2.0, 0.5], [300.0, 0.0, 0.0]], dtype=torch.float64)
    shares = scores[:1].softmax(1)
    found = AgainstOthers()(scores)
    np.testing.assert_allclose(found[0], torch.logit(shares)[0])
    assert found[1, 0] == pytest.approx(300 - np.log(2)) and found[1, 1] == -300
