"""One network that learns what an ensemble predicts (Hinton, Vinyals and Dean 2015): windows labeled with probabilities."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from dnaspt.checkpoint import load_model
from dnaspt.data.dataset import Split
from dnaspt.inference.windows import label_probabilities
from dnaspt.models.task_model import TaskModel


def taught(train: Split, teacher: Path, n_labels: int, device: torch.device) -> Split:
    """The windows of train, and those half a window further on, with the probabilities that a model gives them as labels.

    Args:
        train: windows of the train split; their own labels have no say.
        teacher: fine-tuned model of the same labels.
        n_labels: number of labels.
        device: where to compute.

    Returns:
        Windows whose labels are float32. Where windows follow each other on a contig, there is one more between each two.
    """
    model, described = load_model(teacher)
    assert isinstance(model, TaskModel)
    windows = _with_windows_between(train)
    codes = (window.codes for window in windows)
    probabilities = label_probabilities(model.to(device), codes, average_strands=described.both_strands)
    offsets = np.arange(len(windows) + 1) * n_labels
    return replace(windows, labels=probabilities.ravel(), label_offsets=offsets)


def _with_windows_between(split: Split) -> Split:
    """The windows of a split, and from each that is followed by another one its second half with the first half of that one."""
    lengths = np.diff(split.offsets)
    follows = (split.chrom[1:] == split.chrom[:-1]) & (split.start[1:] == split.end[:-1])
    follows &= (split.strand[1:] != "-") & (split.strand[:-1] != "-")  # those are stored 5' to 3'
    first = np.flatnonzero(follows & (lengths[1:] == lengths[:-1]))
    half = lengths[first] // 2
    codes = [
        split.codes[start : start + length]
        for start, length in zip((split.offsets[first] + half).tolist(), lengths[first].tolist(), strict=True)
    ]
    return Split(
        chrom=np.concatenate([split.chrom, split.chrom[first]]),
        start=np.concatenate([split.start, split.start[first] + half]),
        end=np.concatenate([split.end, split.end[first] + half]),
        strand=np.concatenate([split.strand, split.strand[first]]),
        codes=np.concatenate([split.codes, *codes]),
        offsets=np.concatenate([[0], np.cumsum([*lengths, *lengths[first]])]),
        labels=np.zeros(0, np.int8),
        label_offsets=np.zeros(len(split) + len(first) + 1, int),
        per_base=False,
    )
