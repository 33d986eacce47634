"""Scores of protocols beside the published ones of the same tasks; of the folds of enhancers their mean, as BEND has it."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dnaspt.bend.protocol import BendStudy
from dnaspt.bend.published import PUBLISHED, ResultRow
from dnaspt.errors import DatasetError
from dnaspt.evaluation.results import METRIC_NAMES
from dnaspt.reports.tables import written
from dnaspt.studies.records import read_record, record_file

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ArmScore:
    """A score of ours.

    Attributes:
        row: as a table shows it.
        protocol: name of the protocol.
        fold: part of the cross-validation that was the test split; 0 where the task has none.
        value: the score.
    """

    row: ResultRow
    protocol: str
    fold: int
    value: float


def results(studies: Sequence[Path]) -> list[ResultRow]:
    """A row for each arm of each study beside the published ones of the same tasks; without studies all published ones.

    A folder that has nothing to show, and a task without a published score, is a warning.

    Args:
        studies: folders of 'dnaspt bend run'.

    Raises:
        DatasetError: no folder is one of 'dnaspt bend run' with a finished run.
    """
    scores: list[ArmScore] = []
    for folder in studies:
        try:
            scores += read_scores(folder)
        except DatasetError as error:
            if folder == studies[-1] and not scores:
                raise
            log.warning("%s", error)
    ours = [score.row for score in scores] + mean_over_folds(scores)
    tasks = dict.fromkeys([row.task for row in ours] or [row.task for row in PUBLISHED])
    for task in tasks:
        if task not in {row.task for row in PUBLISHED}:
            log.warning("%s: no published value is on our list", task)
    return [row for task in tasks for row in (*ours, *PUBLISHED) if row.task == task]


def read_scores(folder: Path) -> list[ArmScore]:
    """The scores of a study's arms, one for each share of the labels.

    Raises:
        DatasetError: no folder of 'dnaspt bend run', or none of its runs is finished.
    """
    study = BendStudy.read(folder)
    files = {record_file(folder / "records", name): arm for name, arm in study.runs.items()}
    finals = [read_record(file).with_arm(arm) for file, arm in files.items() if file.is_file()]
    if not finals:
        raise DatasetError(f"{folder}: its records are not there; go on with 'dnaspt bend run'")
    from dnaspt.reports.compare import groups_of  # with SciPy: a missing folder is told before

    fold = study.fold or 0
    metric, scores = METRIC_NAMES[finals[0].scored.metric], []
    for group in groups_of(finals):
        share = "" if group.fraction == 1 else f", {group.fraction:.0%} of the labels"
        n_seeds = len(group.values)
        seeds = f"{n_seeds} seed{'s' if n_seeds > 1 else ''}"
        row = ResultRow(
            task=study.task,
            metric=metric,
            model=f"{group.arm}{share}",
            value=written(group.score),
            source=f"our runs on {study.data}, {study.protocol}, {seeds}",
            note=f"fold {fold}" if fold else "",
        )
        scores.append(ArmScore(row, study.protocol, fold, group.score.value))
    return scores


def mean_over_folds(scores: Sequence[ArmScore]) -> list[ResultRow]:
    """A row for each model that was scored on more than one fold: the mean over the folds and their standard deviation."""
    by_model: dict[tuple[str, str, str, str], dict[int, float]] = {}
    for score in scores:
        if score.fold:
            row = score.row
            by_model.setdefault((row.task, row.metric, row.model, score.protocol), {})[score.fold] = score.value
    rows = []
    for (task, metric, model, protocol), by_fold in by_model.items():
        if len(by_fold) > 1:
            values = np.array(list(by_fold.values()))
            mean = f"{values.mean():.3f} ± {values.std(ddof=1):.3f}"
            folds = ", ".join(str(fold) for fold in sorted(by_fold))
            note = f"mean ± SD of the folds {folds}"
            rows.append(ResultRow(task, metric, model, mean, f"our runs, {protocol}", note))
    return rows
