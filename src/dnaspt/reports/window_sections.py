"""Scores of windows to the parts of a report that draw them: ROC and precision-recall curves, calibration, stretches of test."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
from scipy.special import expit

from dnaspt.data.dataset import read_split
from dnaspt.data.manifest import Manifest
from dnaspt.evaluation.results import BootstrapCounts, Evaluation
from dnaspt.evaluation.score_curves import ScoreCurves
from dnaspt.reports import figures
from dnaspt.reports.genome_view import EXAMPLE_BP, MOST_LABELS, number_view, window_view
from dnaspt.reports.html import Section, make_picture
from dnaspt.tasks import TASKS


def curve_sections(counts: Mapping[str, BootstrapCounts | None], which: str = "") -> list[Section]:
    """ROC and precision-recall curves; none where no scores are on record.

    Args:
        counts: labels and scores of the windows of test, by the name of what gave the scores.
        which: a sentence on what is drawn.
    """
    roc, precise = [], []
    prevalence, n_labels = 0.0, 0
    for index, (name, own) in enumerate(counts.items()):
        curves = None if own is None or not own.logits.size else ScoreCurves.of(own.truth, own.logits, own.folds)
        if curves is not None:
            roc.append(figures.Curve(name, curves.false_positive_rate, curves.true_positive_rate, index))
            precise.append(figures.Curve(name, curves.recall, curves.precision, index))
            prevalence, n_labels = curves.prevalence, curves.n_labels
    if not roc:
        return []
    ends = np.array([0.0, 1.0])
    roc.append(figures.Curve("chance", ends, ends, len(counts)))
    mean = f", mean of {n_labels} labels" if n_labels > 1 else ""
    draw_roc = partial(figures.curves, roc, "true positive rate", x_label="false positive rate")
    levels, x_label = {"chance": prevalence}, "recall (true positive rate)"
    draw_precise = partial(figures.curves, precise, "precision", levels, x_label=x_label)
    told = "curves on the test split"
    pictures = (
        make_picture("roc", draw_roc, f"ROC {told}{mean}: the area below one is its AUROC."),
        make_picture(
            "precision_recall", draw_precise, f"Precision-recall {told}{mean}: the area below one is its AUPRC."
        ),
    )
    return [Section("ROC and precision-recall curves", which, pictures)]


def calibration_sections(scores: Mapping[str, Evaluation], which: str = "") -> list[Section]:
    """How often predictions of a probability are true; none for genes, and where it is not on record.

    Args:
        scores: evaluations on test, by name.
        which: a sentence on what is drawn.
    """
    lines = []
    for index, (name, own) in enumerate(scores.items()):
        if own.windows is not None and own.windows.calibration is not None:
            _, probabilities, shares = np.array(own.windows.calibration.bins).reshape(-1, 3).T
            lines.append(figures.Curve(name, probabilities, shares, index))
    if not lines:
        return []
    ends = np.array([0.0, 1.0])
    lines.append(figures.Curve("calibrated", ends, ends, len(scores)))
    caption = (
        "How often predictions of one probability are true on the test split, all labels together, in ten bins of probability. "
        "A calibrated model lies on the line from corner to corner."
    )
    draw = partial(figures.curves, lines, "share that is true", x_label="probability")
    return [Section("Calibration", which, (make_picture("calibration", draw, caption),))]


def stretch_sections(
    counts: Mapping[str, BootstrapCounts | None],
    data: Path,
    manifest: Manifest,
    fold: int = 0,
    *,
    ranks: bool = False,
    which: str = "",
) -> list[Section]:
    """Stretches of test with the labels of windows and their probabilities, or with measured and predicted numbers.

    There are none for sequences without a place in a genome.

    Args:
        counts: labels of the windows of test, and log-odds or predicted numbers, by the name of what gave them.
        data: dataset folder of windows or bins.
        manifest: its manifest.
        fold: the fold that is tested; 0 for the test split.
        ranks: show ranks instead of probabilities: records of studies hold the order of scores alone.
        which: a sentence on whose predictions are shown.

    Raises:
        DatasetError: the dataset has no test split, or it cannot be read.
    """
    if TASKS[manifest.task].any_length or not any(own is not None and own.logits.size for own in counts.values()):
        return []
    rows = read_split(data, "test", fold)
    if manifest.resolution_bp:
        rows = rows.bins(manifest.resolution_bp)
    n_labels = len(manifest.labels)
    known = {name: own for name, own in counts.items() if own is not None and own.logits.shape == (len(rows), n_labels)}
    if not known:
        return []
    truth = next(iter(known.values())).truth
    scores = {name: own.logits for name, own in known.items()}
    if TASKS[manifest.task].numbers:
        view = number_view(rows, manifest.labels, truth, scores)
        most, what = "whose measured number is among the highest tenth", "measured and predicted numbers"
    elif ranks:
        shares = {name: _shares_below(own) for name, own in scores.items()}
        view = window_view(rows, manifest.labels, truth, shares, "{run}: share below, {label}")
        most, what = (
            "that have a true label",
            "labels, and of each window the share of tested windows with a lower score",
        )
    else:
        view = window_view(rows, manifest.labels, truth, {name: expit(own) for name, own in scores.items()})
        most, what = "that have a true label", "labels, and probabilities"
    if view is None:
        return []
    part = f"what fold {fold} tests" if fold else "the test split"
    text = f"The {len(view.loci)} stretches of {EXAMPLE_BP // 1000} kb of {part} with the most windows {most}: {what}."
    if which:
        text += f" {which}"
    if n_labels > MOST_LABELS:
        text += f" The first {MOST_LABELS} of {n_labels} labels are shown."
    return [Section("Example loci", text, view=view)]


def _shares_below(scores: np.ndarray) -> np.ndarray:
    """For each score (n, K) the share of the scores of its label that are lower."""
    ordered = np.sort(scores, axis=0)
    below = [np.searchsorted(ordered[:, k], scores[:, k]) for k in range(scores.shape[1])]
    return np.stack(below, axis=1) / max(1, len(scores) - 1)
