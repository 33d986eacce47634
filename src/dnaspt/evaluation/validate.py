"""A model on one split of a dataset: the metrics that choose a checkpoint, by the same inference path as prediction."""

import numpy as np

from dnaspt.data.segments import segments
from dnaspt.data.store import Split
from dnaspt.errors import DatasetError
from dnaspt.evaluation.areas import auprc, auroc
from dnaspt.evaluation.gene_paths import predict_paths
from dnaspt.evaluation.metrics import confusion, mcc
from dnaspt.evaluation.predict import Stretch, predict_windows
from dnaspt.models.task_model import TaskModel


def score_model(model: TaskModel, split: Split, labels: tuple[str, ...]) -> dict[str, float]:
    """Scores by name: mcc over all labeled bases, or mean auroc and auprc over the labels of windows."""
    if len(split.labels) == len(split.codes):
        counts = np.zeros((len(labels), len(labels)), dtype=np.int64)
        known = list(segments(split))
        paths = predict_paths(model, (Stretch.whole(segment.codes) for segment in known))
        for segment, path in zip(known, paths, strict=True):
            counts += confusion(segment.labels, path, len(labels))
        return {"mcc": mcc(counts), "accuracy": float(np.trace(counts) / max(1, counts.sum()))}
    truth = split.labels.reshape(-1, len(labels))
    scores = window_scores(model, split).reshape(truth.shape)
    values = {"auroc": auroc(truth, scores), "auprc": auprc(truth, scores)}
    if np.isnan(values["auroc"]).all():
        raise DatasetError("no label has both positive and negative windows in this split; AUROC is not defined")
    return {name: float(np.nanmean(value)) for name, value in values.items()}


def window_scores(model: TaskModel, split: Split, *, average_strands: bool = False) -> np.ndarray:
    """Logits of the labels of all windows: (n, K), or (n, bins * K)."""
    return predict_windows(model, (window.codes for window in split), average_strands=average_strands)
