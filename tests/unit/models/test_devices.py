"""Apple's GPU, as far as it can be pretended: where it is chosen, that nothing needs what it lacks, and what happens in doubt."""

import logging
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from tests.unit.models.pretended_mps import MPS, OnMps, pretended_mps
from torch import Tensor

from dnaspt.checkpoint import choose_device
from dnaspt.config import PAD_TOKEN, EncoderConfig, TrainingConfig
from dnaspt.errors import ConfigError
from dnaspt.genome.gene_states import GENE_STATES, MISSING
from dnaspt.models import devices
from dnaspt.models.batch import Batch
from dnaspt.models.composition import Composition
from dnaspt.models.devices import fault_of_apple_gpu, takes_apple_gpu, to_device, widest_float
from dnaspt.models.encoder import DilatedEncoder
from dnaspt.models.heads import ClassesHead, CRFHead, HeadCNN, SigmoidHead, SoftmaxHead
from dnaspt.models.language_model import LanguageModel
from dnaspt.models.site_scores import N_SITES, SiteProbe
from dnaspt.models.task_model import TaskModel
from dnaspt.training.fabric import build_fabric, choose_accelerator
from dnaspt.training.loop import to_tensors
from dnaspt.training.optim import build_optimizer

ENCODER = EncoderConfig(hidden_size=32, n_layers=4)
LENGTH = 120


@pytest.fixture
def apple(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose PyTorch says that Apple's GPU is there."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    fault_of_apple_gpu.cache_clear()
    yield
    fault_of_apple_gpu.cache_clear()


def test_auto_takes_apples_gpu_where_it_computes_what_the_cpu_computes(apple: None) -> None:
    with pretended_mps():
        assert fault_of_apple_gpu() == ""
    assert choose_device("auto").type == choose_device("gpu").type == "mps"
    assert choose_device("cpu").type == "cpu"
    assert choose_accelerator(TrainingConfig()) == choose_accelerator(TrainingConfig(accelerator="gpu")) == "mps"
    assert choose_accelerator(TrainingConfig(devices=2)) == "cpu"  # Lightning knows one device of Apple's
    with pytest.raises(ConfigError, match="--precision bf16 was never tried on Apple's GPU; say 32"):
        build_fabric(TrainingConfig(precision="bf16"))


def test_nvidias_gpu_comes_first(apple: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto").type == "cuda" and choose_accelerator(TrainingConfig()) == "gpu"


@pytest.mark.skipif(torch.backends.mps.is_available(), reason="it is there")
def test_auto_falls_back_to_the_cpu_where_it_cannot_be_used_and_says_why(
    apple: None, caplog: pytest.LogCaptureFixture
) -> None:
    """This PyTorch has no `mps`, so what is asked of it fails for real."""
    with caplog.at_level(logging.WARNING):
        assert choose_device("auto").type == "cpu" and choose_accelerator(TrainingConfig()) == "cpu"
    assert "Apple's GPU is not used: PyTorch is not linked with support for mps devices" in caplog.text
    with pytest.raises(ConfigError, match=r"nor can Apple's GPU be used: .*; say cpu"):
        choose_device("gpu")


def test_a_gpu_that_computes_something_else_is_not_used(apple: None, monkeypatch: pytest.MonkeyPatch) -> None:
    right: Callable[[torch.device], dict[str, Tensor]] = devices._probe
    monkeypatch.setattr(
        devices, "_probe", lambda device: {"hidden states": right(torch.device("cpu"))["hidden states"]}
    )
    assert fault_of_apple_gpu() == ""
    for wrong in (1.01, float("nan")):
        fault_of_apple_gpu.cache_clear()

        def probe(device: torch.device, factor: float = wrong) -> dict[str, Tensor]:
            states = right(torch.device("cpu"))["hidden states"]
            return {"hidden states": states * factor if device.type == "mps" else states}

        monkeypatch.setattr(devices, "_probe", probe)
        assert fault_of_apple_gpu().startswith("its hidden states differs from the CPU's by")
        assert not takes_apple_gpu("auto")


def test_a_device_without_float64_gets_float32() -> None:
    assert widest_float(torch.device("cpu")) == widest_float(torch.device("cuda")) == torch.float64
    assert widest_float(MPS) == torch.float32
    wide = torch.ones(2, dtype=torch.float64)
    assert to_device(wide, torch.device("cpu")) is wide
    with pretended_mps():
        there = to_device(wide, MPS)
        assert isinstance(there, OnMps) and there.dtype == torch.float32
        with pytest.raises(TypeError, match="float64"):
            wide.to(MPS)


def test_site_scores_need_nothing_that_apples_gpu_lacks() -> None:
    probe, hidden = SiteProbe(32), torch.randn(2, 50, 32)
    probe.offsets.copy_(torch.arange(-3, probe.offsets.shape[1] - 3).expand(N_SITES, -1))
    probe.weight.normal_()
    expected = probe(hidden, torch.ones(2, 50, 1, dtype=torch.bool))
    with pretended_mps():
        found = probe.to(MPS)(hidden.to(MPS), torch.ones(2, 50, 1, dtype=torch.bool).to(MPS))
        assert isinstance(found, OnMps) and torch.allclose(found.cpu(), expected, atol=1e-4)


def windows(rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    tokens = torch.from_numpy(rng.integers(0, 4, (3, LENGTH)).astype(np.uint8))
    tokens[2, 90:] = PAD_TOKEN
    return tokens, torch.tensor([LENGTH, LENGTH, 90])


def cases() -> dict[str, tuple[Callable[[], torch.nn.Module], Tensor]]:
    """Models, and labels for their loss."""
    rng = np.random.default_rng(0)
    tokens, _ = windows(rng)
    path = torch.full((3, LENGTH), 8, dtype=torch.int8)
    path[:, 30:60] = MISSING
    masked = torch.where(torch.rand(3, LENGTH) < 0.2, tokens.long(), MISSING)

    def task(head: Callable[[], torch.nn.Module], composition: Composition | None = None) -> TaskModel:
        return TaskModel(DilatedEncoder(ENCODER), head(), composition=composition)  # type: ignore[arg-type]

    def trunk(resolution_bp: int = 0) -> HeadCNN:
        return HeadCNN(32, 2, resolution_bp=resolution_bp, normalize=resolution_bp == 0)

    yes_no = torch.tensor([[1, 0], [0, 1], [MISSING, 1]], dtype=torch.int8)
    return {
        "language model": (lambda: LanguageModel(ENCODER), masked),
        "softmax": (lambda: task(lambda: SoftmaxHead(32, GENE_STATES)), path),
        "crf": (lambda: task(lambda: CRFHead(32, GENE_STATES)), path),
        "sigmoid": (lambda: task(lambda: SigmoidHead(trunk(), 2), Composition(2, 0.5)), yes_no),
        "bins": (lambda: task(lambda: SigmoidHead(trunk(30), 2)), yes_no.repeat(1, LENGTH // 30)),
        "classes": (lambda: task(lambda: ClassesHead(trunk(), 2)), (yes_no == 1).to(torch.int8)),
    }


@pytest.mark.parametrize("name", cases())
def test_a_step_of_training_needs_nothing_that_apples_gpu_lacks(name: str) -> None:
    make, labels = cases()[name]
    tokens, lengths = windows(np.random.default_rng(0))
    losses, weights = [], []
    for device in (torch.device("cpu"), MPS):
        torch.manual_seed(0)
        with pretended_mps():
            model = make().to(device)
            optimizer = build_optimizer(model, TrainingConfig())
            batch = to_tensors(Batch(tokens.numpy(), lengths.numpy(), labels.numpy()), device)  # type: ignore[arg-type]
            loss = model.loss(batch)  # type: ignore[operator]
            (loss.total / loss.n_scored).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            losses.append(float(loss.total.detach()))
            weights.append({key: value.detach().cpu() for key, value in model.named_parameters()})
            if device == MPS:
                assert all(isinstance(value, OnMps) for value in model.parameters())
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)
    for key, value in weights[0].items():
        assert torch.allclose(weights[1][key], value, atol=3e-3), key  # the first step of AdamW is about the sign


@pytest.mark.parametrize("name", ["softmax", "crf", "sigmoid", "bins", "classes"])
def test_predictions_need_nothing_that_apples_gpu_lacks(name: str) -> None:
    model = cases()[name][0]()
    assert isinstance(model, TaskModel)
    tokens, lengths = windows(np.random.default_rng(1))
    with torch.no_grad():
        expected = model.eval().predict(tokens)
        with pretended_mps():
            there = model.to(MPS).predict(tokens.to(MPS))
            assert isinstance(there, OnMps)
            if name in ("softmax", "crf"):
                probabilities = model.head.probabilities(there, lengths.to(MPS))  # type: ignore[union-attr]
                assert torch.isfinite(probabilities.cpu()).all()
            found = there.cpu()
    assert torch.allclose(found[:2], expected[:2], atol=1e-4)
