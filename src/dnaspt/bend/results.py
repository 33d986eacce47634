"""Results of protocols beside the published ones of the same tasks; of the folds of enhancers their mean, as BEND has it."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dnaspt.bend.protocol import ABOUT
from dnaspt.bend.published import PUBLISHED
from dnaspt.errors import DatasetError
from dnaspt.evaluation.results import METRIC_NAMES
from dnaspt.reports.compare import groups_of
from dnaspt.reports.tables import written
from dnaspt.studies.records import read_record, record_file

log = logging.getLogger(__name__)

Row = tuple[str, str, str, str, str, str]
"""Task, metric, model, value, source, note."""


class Own(NamedTuple):
    """A row of ours: its protocol, its fold (0: the task has none) and its value as a number."""

    row: Row
    protocol: str
    fold: int
    value: float


def results(studies: Sequence[Path]) -> list[Row]:
    """A row for each arm of each study beside the published ones of the same tasks; without studies all published ones.

    Folders that have nothing to show, and tasks without a published value, are told.

    Raises:
        DatasetError: no folder is one of `bend run` with a finished run.
    """
    found: list[Own] = []
    for folder in studies:
        try:
            found += _rows(folder)
        except DatasetError as error:
            if folder == studies[-1] and not found:
                raise
            log.warning("%s", error)
    own = [one.row for one in found] + _means(found)
    published = [tuple(row) for row in PUBLISHED]
    tasks = dict.fromkeys([row[0] for row in own] or [row.task for row in PUBLISHED])
    for task in tasks:
        if task not in {row.task for row in PUBLISHED}:
            log.warning("%s: no published value is on our list", task)
    return [row for task in tasks for row in (*own, *published) if row[0] == task]  # type: ignore[misc]


def _rows(folder: Path) -> list[Own]:
    file = folder / ABOUT
    if not file.is_file():
        raise DatasetError(f"{folder}: has no {ABOUT}; expected a folder of 'dnaspt bend run' that came to its end")
    about: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    files = {record_file(folder / "records", name): arm for name, arm in about["runs"].items()}
    finals = [read_record(file).with_arm(arm) for file, arm in files.items() if file.is_file()]
    if not finals:
        raise DatasetError(f"{folder}: its records are not there; go on with 'dnaspt bend run'")
    fold = int(about["fold"] or 0)
    metric, rows = METRIC_NAMES[finals[0].scored.metric], []
    for group in groups_of(finals):
        labels = "" if group.fraction == 1 else f", {group.fraction:.0%} of the labels"
        n_seeds = len(group.values)
        seeds = f"{n_seeds} seed{'s' if n_seeds > 1 else ''}"
        source = f"our runs on {about.get('data', folder)}, {about['protocol']}, {seeds}"
        note = f"fold {fold}" if fold else ""
        row = (str(about["task"]), metric, f"{group.arm}{labels}", written(group.score), source, note)
        rows.append(Own(row, str(about["protocol"]), fold, group.score.value))
    return rows


def _means(found: Sequence[Own]) -> list[Row]:
    """A row for each model that was scored on several folds: the mean over folds and their standard deviation."""
    models: dict[tuple[str, str, str, str], dict[int, float]] = {}
    for one in found:
        if one.fold:
            models.setdefault((*one.row[:3], one.protocol), {})[one.fold] = one.value
    rows = []
    for (task, metric, model, protocol), folds in models.items():
        if len(folds) > 1:
            values = np.array(list(folds.values()))
            told = f"{values.mean():.3f} ± {values.std(ddof=1):.3f}"
            which = ", ".join(str(fold) for fold in sorted(folds))
            rows.append((task, metric, model, told, f"our runs, {protocol}", f"mean ± SD of the folds {which}"))
    return rows
