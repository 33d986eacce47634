"""Windows to attributions: how much each base speaks for a label, by methods of tangermeme on a one-hot view of the model.

Attributions are of the log-odds of a label, in nats; or of a predicted number, in its unit. They are hypothetical ones: a number
for each of the four letters at each base; those of the letters that stand there are the contributions that a logo shows.
"""

import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import groupby
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from dnaspt.checkpoint import model_device
from dnaspt.config import HuggingFaceConfig
from dnaspt.errors import ConfigError, NotFiniteError, telling_memory
from dnaspt.genome import alphabet
from dnaspt.inference.explain_options import ExplainOptions, Method
from dnaspt.models.heads import Exponential
from dnaspt.models.kernels.threads import subnormals_as_zero
from dnaspt.models.one_hot_view import AgainstOthers, LetterComposition, OneHotView
from dnaspt.models.task_model import TaskModel
from dnaspt.optional_imports import import_optional

_FORWARD_BP = {"cpu": 65_536, "cuda": 262_144}
"""Bases of a batch without gradients, by kind of device."""
_GRADIENT_NUMBERS = {"cpu": 1 << 19, "cuda": 1 << 23}
"""Bases times channels of a batch with gradients, whose activations are all kept: some 600 MB for 30 layers on a CPU."""
_KEPT_BY_DEEPLIFT = 4
"""Times as many numbers that DeepLIFT keeps of a window: those of a reference, and those that its hooks copy."""
_EDITED_BYTES = 1 << 26
"""Bytes of edited sequences that are held at a time."""
_COMPOSITION_NODES, _CLASS_NODES = 8, 16
"""Nodes of the integrals by which DeepLIFT goes through the composition, and through log-odds of classes and rates of counts."""


class Attribution(NamedTuple):
    """Attributions of one window.

    Attributes:
        scores: of A, C, G and T at each base (4, L) float32, in the unit of `predicted`.
        predicted: what the model predicts: log-odds of the label, in nats; or its number.
        gap: of DeepLIFT: sum of the contributions, less what it should be, `difference`; nan for other methods, and where N is in
            the window.
        difference: of DeepLIFT: what is predicted, less the mean of what is predicted for the references; nan for other methods.
    """

    scores: np.ndarray
    predicted: float
    gap: float = math.nan
    difference: float = math.nan


def check_method(model: TaskModel, method: Method) -> None:
    """Refuse a method that needs gradients of letters on a model that has none.

    Raises:
        ConfigError: a Hugging Face model reads tokens of its own.
    """
    if method != "ism" and any(isinstance(part.encoder.config, HuggingFaceConfig) for part in _parts(model)):
        raise ConfigError(f"method {method!r}: a Hugging Face model has no gradient of single letters; say ism")


def onehot(codes: np.ndarray) -> np.ndarray:
    """Codes (L,) to one-hot letters A, C, G and T (4, L) uint8; N has no 1."""
    return np.asarray(alphabet.tokens(codes) == np.arange(4)[:, None], dtype=np.uint8)


def attributions(
    model: TaskModel,
    windows: Sequence[np.ndarray],
    label: int,
    options: ExplainOptions,
    done: Callable[[int], None] | None = None,
) -> Iterator[Attribution]:
    """Attributions of each window, in order.

    Args:
        model: a model of windows, in eval mode.
        windows: codes (L,) of each; neighbors of one length are computed together.
        label: number of the label that is explained.
        options: how; of the strands, both or one: what the model does by default is not known here.
        done: called with the number of windows that are done, now and then.

    Raises:
        ConfigError: tangermeme is not installed, or the method does not fit the model. NotFiniteError: scores are NaN.
    """
    tangermeme = import_tangermeme()
    check_method(model, options.method)
    view = OneHotView(model, average_strands=bool(options.average_strands), kernels=options.method != "deeplift")
    explain = {"ism": _by_mutagenesis, "gradient": _by_gradient, "deeplift": _by_deeplift}[options.method]
    n_done = 0
    for length_bp, group in groupby(windows, len):
        alike, batch = list(group), _batch_size(model, length_bp, options.method)
        n_at_once = max(1, 2_048 // max(1, length_bp)) if options.method == "ism" else batch
        for first in range(0, len(alike), n_at_once):
            x = torch.from_numpy(np.stack([onehot(codes) for codes in alike[first : first + n_at_once]])).to(torch.int8)
            with (
                warnings.catch_warnings(),
                subnormals_as_zero(),
                _float32_products(view),
                telling_memory("explain shorter windows"),
            ):
                warnings.simplefilter("ignore")  # of tangermeme: N, and gaps, which are returned
                found = explain(tangermeme, view, x, label, options, batch)
            for own in found:
                if not np.isfinite(own.scores).all():
                    raise NotFiniteError("attributions of some windows are not finite")
            yield from found
            n_done += len(found)
            if done is not None:
                done(n_done)


def import_tangermeme() -> ModuleType:
    """The package tangermeme, with the modules that are used here.

    Raises:
        ConfigError: it is not installed.
    """
    for name in ("deep_lift_shap", "ersatz", "predict", "saliency", "saturation_mutagenesis"):
        import_optional(f"tangermeme.{name}", "Attributions")
    return import_optional("tangermeme", "Attributions")


def _parts(model: TaskModel) -> list[TaskModel]:
    """The models of an ensemble, or the model itself."""
    return [part for part in model.modules() if isinstance(part, TaskModel) and hasattr(part, "encoder")]


def _budget(model: torch.nn.Module, budget: Mapping[str, int]) -> int:
    """What of a budget by kind of device holds for a model."""
    return budget.get(model_device(model).type, budget["cpu"])


def _batch_size(model: TaskModel, length_bp: int, method: Method) -> int:
    """Windows of a batch; of DeepLIFT pairs of a window and a reference."""
    if method == "ism":
        return max(1, _budget(model, _FORWARD_BP) // max(1, length_bp))
    widest = max(part.encoder.config.hidden_size for part in _parts(model))
    kept = max(1, length_bp) * widest * (_KEPT_BY_DEEPLIFT if method == "deeplift" else 1)
    return int(max(1, _budget(model, _GRADIENT_NUMBERS) // kept))


def _float32_products(view: OneHotView) -> AbstractContextManager[None]:
    """A block in which a GPU multiplies in float32, not in TF32: attributions are small differences of large numbers."""
    if model_device(view).type != "cuda":
        return nullcontext()
    return torch.backends.cudnn.flags(enabled=True, allow_tf32=False)


def _predicted(tangermeme: Any, view: OneHotView, x: Tensor, label: int) -> np.ndarray:
    """What is predicted (n,) float64 of one-hot windows (n, 4, L): log-odds, or numbers."""
    size = max(1, _budget(view, _FORWARD_BP) // max(1, x.shape[2]))
    found = tangermeme.predict.predict(view, x, batch_size=size, device=model_device(view))
    return np.asarray(found[:, label].double().numpy())


def _by_mutagenesis(
    tangermeme: Any, view: OneHotView, x: Tensor, label: int, options: ExplainOptions, batch: int
) -> list[Attribution]:
    """In-silico saturation mutagenesis: how much each other letter at each base changes what is predicted."""
    length_bp = x.shape[2]
    span_bp = max(1, _EDITED_BYTES // (4 * 4 * length_bp))
    # fast=False: an edit reaches a whole window within a few of our layers, so that nothing is saved by following its reach: of
    # `tiny` on 512 bp, PyTorch's layers took 0.49 s a batch, and 0.71 s with fast=True (by hand, once); our kernels are faster.
    parts = [
        tangermeme.saturation_mutagenesis.saturation_mutagenesis(
            view,
            x,
            start=start,
            end=min(start + span_bp, length_bp),
            batch_size=batch,
            target=label,
            hypothetical=True,
            device=model_device(view),
            fast=False,
        )
        for start in range(0, length_bp, span_bp)
    ]
    return _rows(torch.cat(parts, dim=2), _predicted(tangermeme, view, x, label))


def _by_gradient(
    tangermeme: Any, view: OneHotView, x: Tensor, label: int, options: ExplainOptions, batch: int
) -> list[Attribution]:
    """Gradient of what is predicted, less its mean over the four letters of a base."""
    scores = tangermeme.saliency.saliency(
        view, x, target=label, batch_size=batch, hypothetical=True, device=model_device(view)
    )
    return _rows(scores, _predicted(tangermeme, view, x, label))


def _by_deeplift(
    tangermeme: Any, view: OneHotView, x: Tensor, label: int, options: ExplainOptions, batch: int
) -> list[Attribution]:
    """DeepLIFT/SHAP: what of the difference to shuffled sequences each base is given."""
    references = _references(tangermeme, x, options)
    n_references = references.shape[1]
    integrals = tangermeme.deep_lift_shap.integrated_gradients_op
    scores = tangermeme.deep_lift_shap.deep_lift_shap(
        view,
        x,
        target=label,
        references=references,
        batch_size=batch,
        hypothetical=True,
        only_warn=True,
        device=model_device(view),
        additional_nonlinear_ops={
            LetterComposition: integrals(_COMPOSITION_NODES),
            AgainstOthers: integrals(_CLASS_NODES),
            Exponential: integrals(_CLASS_NODES),
        },
    )
    own = _predicted(tangermeme, view, x, label)
    flat = _predicted(tangermeme, view, references.flatten(0, 1), label)
    differences = own - flat.reshape(-1, n_references).mean(axis=1)
    sums = (scores.double() * x).sum((1, 2)).numpy()
    has_n = (x.sum(1) == 0).any(1).numpy()
    gaps = np.where(has_n, math.nan, sums - differences)
    return [
        row._replace(gap=float(gap), difference=float(difference))
        for row, gap, difference in zip(_rows(scores, own), gaps, differences, strict=True)
    ]


def _references(tangermeme: Any, x: Tensor, options: ExplainOptions) -> Tensor:
    """Shuffles of each window (n, 4, L) that keep its pairs of neighbors: (n, R, 4, L).

    With both strands half of them are shuffles of the other strand, so that both strands of a window have the same references.
    A window has the same shuffles whatever stands beside it.
    """
    shuffle = tangermeme.ersatz.dinucleotide_shuffle

    def shuffles(strand: Tensor, n: int) -> list[Tensor]:
        seeds = (options.seed + k for k in range(n))
        return [shuffle(strand, n=1, random_state=[seed] * len(strand), allow_N=True)[:, 0] for seed in seeds]

    if not options.average_strands:
        return torch.stack(shuffles(x, options.n_references), dim=1)
    half = -(-options.n_references // 2)
    backward = [shuffled.flip(1, 2) for shuffled in shuffles(x.flip(1, 2), half)]
    return torch.stack(shuffles(x, half) + backward, dim=1)


def _rows(scores: Tensor, predicted: np.ndarray) -> list[Attribution]:
    return [
        Attribution(own.astype(np.float32), float(value))
        for own, value in zip(scores.detach().cpu().numpy(), predicted, strict=True)
    ]
