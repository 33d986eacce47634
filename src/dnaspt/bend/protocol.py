"""A protocol on a task of BEND: prepare the task, run all arms and seeds, report; and results beside published ones.

A protocol is a TOML file: a study without `data`, whose [tasks.NAME] tables change it for a task (see examples/bend).
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dnaspt.bend.prepare import PrepareBendConfig, prepare_bend
from dnaspt.bend.published import PUBLISHED
from dnaspt.bend.table import BEND_TASKS
from dnaspt.config import build_config, read_toml
from dnaspt.errors import ConfigError, DatasetError
from dnaspt.publish import write_text_atomically
from dnaspt.study.command import study_report
from dnaspt.study.plan import StudyConfig, check_settings
from dnaspt.study.summary import groups_of, metric_name
from dnaspt.study.workshop import Say, Workshop

ABOUT = "bend.json"
Row = tuple[str, str, str, str, str, str]
"""Task, metric, model, value, source, note."""


def read_protocol(path: Path, task: str, data: Path) -> StudyConfig:
    """The study that a protocol means for a task.

    Raises:
        ConfigError: no such file or task, a task without training, or settings that no study has.
    """
    if task not in BEND_TASKS:
        raise ConfigError(f"no task of BEND is called {task!r}; known: {', '.join(BEND_TASKS)}")
    if BEND_TASKS[task].kind == "variants":
        raise ConfigError(
            f"{task}: is scored without training: prepare it, and 'dnaspt evaluate' a pretrained run on it"
        )
    raw = read_toml(path)
    by_task = raw.pop("tasks", {})
    if unknown := sorted(set(by_task) - set(BEND_TASKS)):
        raise ConfigError(f"{path}: tasks.{unknown[0]}: no such task; known: {', '.join(BEND_TASKS)}")
    for name, value in by_task.get(task, {}).items():
        raw[name] = raw.get(name, {}) | value if isinstance(value, dict) else value
    return build_config(StudyConfig, raw | {"data": data})


def run_protocol(
    path: Path, task: str, root: Path, out: Path, *, fold: int = 1, genome: Path | None = None, jobs: int = 1, say: Say
) -> str:
    """Prepare OUT/data where it is not there, run what is missing, report; the answer in words.

    Raises:
        DnasptError: a file is missing, settings are wrong, or a run failed; what is finished stays.
    """
    data = out / "data"
    study = read_protocol(path, task, data)
    if not data.exists():
        say(f"{data}: preparing {task}")
        prepare_bend(PrepareBendConfig(task=task, root=root, out=data, fold=fold, genome=genome))
    check_settings(study)
    about = {"task": task, "protocol": path.stem, "fold": fold if BEND_TASKS[task].kind == "bins" else None}
    write_text_atomically(out / ABOUT, json.dumps(about) + "\n")
    return study_report(Workshop(study, out, out / "records", jobs, "local", say))


def results(studies: Sequence[Path]) -> list[Row]:
    """A row for each arm of each study, beside the published ones of the same tasks first, then all others.

    Raises:
        DatasetError: a folder is none of `bend run`, or has no finished run.
    """
    own = [row for folder in studies for row in _rows(folder)]
    tasks = dict.fromkeys([row[0] for row in own] + [row.task for row in PUBLISHED])
    published = [tuple(row) for row in PUBLISHED]
    return [row for task in tasks for row in (*own, *published) if row[0] == task]  # type: ignore[misc]


def _rows(folder: Path) -> list[Row]:
    file = folder / ABOUT
    if not file.is_file():
        raise DatasetError(f"{folder}: has no {ABOUT}; expected a folder of 'dnaspt bend run'")
    about: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    finals = [
        json.loads(path.read_text(encoding="utf-8")) for path in sorted((folder / "records").glob("final-*.json"))
    ]
    if not finals:
        raise DatasetError(f"{folder}: no run is finished; go on with 'dnaspt bend run'")
    note = f"fold {about['fold']}" if about["fold"] else ""
    metric, rows = metric_name(finals), []
    for group in groups_of(finals):
        labels = "" if group.fraction == 1 else f", {group.fraction:.0%} of the labels"
        score, n_seeds = group.score, len(group.values)
        value = f"{score.value:.3f} [{score.low:.3f}, {score.high:.3f}]"
        source = f"this machine, {about['protocol']}, {n_seeds} seed{'s' if n_seeds > 1 else ''}"
        rows.append((str(about["task"]), metric, f"{group.arm}{labels}", value, source, note))
    return rows
