"""A model on one split of a dataset: the metrics that choose a checkpoint, by the same inference path as prediction."""

import numpy as np

from dnaspt.data.segments import segments
from dnaspt.data.store import Split
from dnaspt.errors import DatasetError
from dnaspt.evaluation.metrics import auprc, auroc, confusion, mcc
from dnaspt.evaluation.predict import predict_batches, predict_sequence
from dnaspt.models.heads import CRFHead, Decoded, SoftmaxHead
from dnaspt.models.task_model import TaskModel


def decode(model: TaskModel, emissions: np.ndarray, buffer: np.ndarray | None = None) -> Decoded:
    """Path and posterior of one sequence of a gene model from its emissions (L, K); see the heads' `decode`."""
    assert isinstance(model.head, CRFHead | SoftmaxHead)
    return model.head.decode(emissions, buffer)


def score_model(model: TaskModel, split: Split, labels: tuple[str, ...]) -> dict[str, float]:
    """Scores by name: mcc over all labeled bases, or mean auroc and auprc over the labels of windows."""
    if len(split.labels) == len(split.codes):
        counts = np.zeros((len(labels), len(labels)), dtype=np.int64)
        for segment in segments(split):
            path = decode(model, predict_sequence(model, segment.codes)).path
            counts += confusion(segment.labels, path, len(labels))
        return {"mcc": mcc(counts), "accuracy": float(np.trace(counts) / max(1, counts.sum()))}
    truth = split.labels.reshape(len(split), -1)
    scores = window_scores(model, split)
    values = {"auroc": auroc(truth, scores), "auprc": auprc(truth, scores)}
    if np.isnan(values["auroc"]).all():
        raise DatasetError("no label has both positive and negative windows in this split; AUROC is not defined")
    return {name: float(np.nanmean(value)) for name, value in values.items()}


def window_scores(model: TaskModel, split: Split) -> np.ndarray:
    """Logits of the labels of all windows: (n, K)."""
    return np.stack(list(predict_batches(model, (window.codes for window in split))))
