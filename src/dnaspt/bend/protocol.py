"""A protocol on a task of BEND: prepare the task, run all arms and seeds, report.

A protocol is a TOML file: a study without `data`, whose [tasks.NAME] tables change it for a task (see examples/bend).
"""

import json
from pathlib import Path
from typing import Any

from dnaspt.atomic import write_text_atomically
from dnaspt.bend.prepare import PrepareBendConfig, prepare_bend
from dnaspt.bend.table import BEND_TASKS
from dnaspt.config import build_config, read_toml
from dnaspt.data.manifest import read_manifest
from dnaspt.errors import ConfigError
from dnaspt.reports.study_report import study_report
from dnaspt.studies.context import Say, StudyContext
from dnaspt.studies.scheduler import stage_jobs
from dnaspt.studies.settings import StudyConfig, check_settings

ABOUT = "bend.json"


def read_protocol(path: Path, task: str, data: Path) -> StudyConfig:
    """The study that a protocol means for a task.

    Raises:
        ConfigError: no such file or task, a task without training, or settings that no study has.
    """
    if task not in BEND_TASKS:
        known = f"known: {', '.join(BEND_TASKS)}"
        swapped = "; the protocol comes first" if task.endswith(".toml") else ""
        raise ConfigError(f"no task of BEND is called {task!r}; {known}{swapped}")
    if BEND_TASKS[task].kind == "variants":
        raise ConfigError(
            f"{task}: is scored without training: prepare it, and 'dnaspt evaluate' a pretrained run on it"
        )
    if not path.is_file():
        shipped = "examples/bend/spt.toml, bend-resnet.toml and spt-as-published.toml come with the source"
        raise ConfigError(f"{path}: no such file; expected a protocol, a TOML file ({shipped})")
    raw = read_toml(path)
    if "data" in raw:
        do = "run it with 'dnaspt study', or take the line out"
        raise ConfigError(f"{path}: names its data, {raw['data']!r}, so it is a study and no protocol; {do}")
    by_task = _table(raw.pop("tasks", {}), "tasks", path)
    if unknown := sorted(set(by_task) - set(BEND_TASKS)):
        raise ConfigError(f"{path}: tasks.{unknown[0]}: no such task; known: {', '.join(BEND_TASKS)}")
    for name, value in by_task.get(task, {}).items():
        raw[name] = _table(raw.get(name, {}), name, path) | value if isinstance(value, dict) else value
    try:
        return build_config(StudyConfig, raw | {"data": data})
    except ConfigError as error:
        raise ConfigError(f"{path}: {str(error).removeprefix('options: ')}") from error


def _table(value: Any, name: str, path: Path) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"{path}: {name} is a {type(value).__name__}; expected a table")
    return value


def run_protocol(context: StudyContext, path: Path, task: str, source: Path) -> str:
    """Run what is missing of a protocol that `plan_protocol` prepared, report; the answer in words.

    source: of the data, as `results` names it.

    Raises:
        DnasptError: a run failed; what is finished stays.
    """
    found = study_report(context)
    held = read_manifest(context.study.data).settings.get("bend_source", {})
    about = {"task": task, "protocol": path.stem, "data": str(source), "fold": held.get("fold")}
    finals = {job.name: job.arm for job in stage_jobs(context, "final")}
    write_text_atomically(context.out / ABOUT, json.dumps(about | {"runs": finals}, indent=1) + "\n")
    return str(found)


def plan_protocol(
    path: Path,
    task: str,
    root: Path,
    out: Path,
    *,
    data: Path | None = None,
    fold: int = 1,
    genome: Path | None = None,
    jobs: int = 1,
    say: Say,
) -> StudyContext:
    """What `run_protocol` runs; prepares OUT/data where it is not there.

    data: a dataset of the task that is prepared already, instead of OUT/data.

    Raises:
        DnasptError: a file is missing, or settings are wrong.
    """
    study = read_protocol(path, task, data or out / "data")
    if data is not None:
        if fold != 1 or genome is not None:
            raise ConfigError("--data is prepared already: --fold and --genome have no effect on it; leave them out")
        if (found := read_manifest(data).settings.get("bend")) != task:
            raise ConfigError(f"{data}: holds {found or 'no task of BEND'}; expected {task}")
    else:
        wanted = {"task": task, "root": root, "out": study.data, "fold": fold, "genome": genome}
        settings = build_config(PrepareBendConfig, wanted)
        if study.data.exists():
            _check_same(study.data, settings)
        else:
            say(f"{study.data}: preparing {task}")
            prepare_bend(settings)
    check_settings(study)
    return StudyContext(study, out, out / "records", jobs, "local", say)


def _check_same(data: Path, settings: PrepareBendConfig) -> None:
    """Refuse a dataset that was prepared for something else.

    Raises:
        ConfigError: names what differs.
    """
    held = read_manifest(data).settings
    about = settings.about()
    before = {"task": held.get("bend"), **held.get("bend_source", {})}
    for name, value in {"task": about["bend"], **about["bend_source"]}.items():
        if before.get(name) != value:
            raise ConfigError(f"{data}: was prepared with {name} {before.get(name)}, not {value}; choose another --out")
