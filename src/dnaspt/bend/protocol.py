"""A protocol on a task of BEND: prepare the task, make the runs of all arms and seeds, report.

A protocol is a TOML file: a study without `data`, whose [tasks.NAME] tables change it for a task (see examples/bend). Its
`pretrain_data` may name tasks, whose datasets are then prepared, too: every task of a command begins from the same pretraining.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnaspt.bend.table import BEND_TASKS, find_task
from dnaspt.config import build_config, read_toml
from dnaspt.data.manifest import read_manifest
from dnaspt.errors import ConfigError, DatasetError, InputError
from dnaspt.json_files import build_checked, read_json, write_json
from dnaspt.studies.context import Say, SharedPretraining, StudyContext
from dnaspt.studies.settings import PRETRAINING, StudyConfig, check_settings

if TYPE_CHECKING:
    from dnaspt.reports.study_report import StudyResult

BEND_JSON = "bend.json"


@dataclass(frozen=True, slots=True)
class BendRun:
    """A protocol on a task: its files, and where to write.

    Attributes:
        protocol: TOML file of the protocol.
        task: task of BEND.
        out: folder of the dataset, the runs and the report.
        root: folder with the layout of BEND's share.
        data: a dataset of the task that is prepared already, instead of OUT/data.
        genome: FASTA; None takes the one in ROOT/data/genomes.
        fold: of enhancers, the part that is the test split, from 1.
        jobs: runs at a time; they share the cores.
        tasks: all tasks of the command, in whose folder `together` this and the others have theirs; none where it has one task.
        together: folder of all of them.
    """

    protocol: Path
    task: str
    out: Path
    root: Path = Path("bend")
    data: Path | None = None
    genome: Path | None = None
    fold: int = 1
    jobs: int = 1
    tasks: tuple[str, ...] = ()
    together: Path | None = None

    def of_each(self, tasks: Sequence[str]) -> list["BendRun"]:
        """This run of each task of a command: of one in OUT, of several in OUT/TASK.

        Raises:
            ConfigError: a task that stands twice, or settings that only one task can have.
        """
        if len(tasks) == 1:
            return [self]
        if len(set(tasks)) < len(tasks):
            raise ConfigError(f"{', '.join(tasks)}: a task stands twice; name each once")
        if self.data is not None or self.genome is not None:
            raise ConfigError("--data and --genome are of one task; name one, or leave them out")
        return [replace(self, task=task, out=self.out / task, tasks=tuple(tasks), together=self.out) for task in tasks]

    def data_of(self, task: str) -> Path:
        """Dataset folder of this task, or of another one that it is pretrained on or together with."""
        if task == self.task:
            return self.data or self.out / "data"
        home = self.together or self.out
        return home / task / "data" if task in self.tasks else home / PRETRAINING / task / "data"


@dataclass(frozen=True, slots=True)
class BendStudy:
    """Which study a folder of 'dnaspt bend run' holds; content of its bend.json.

    Attributes:
        task: task of BEND.
        protocol: name of the protocol.
        data: where the dataset comes from.
        fold: of enhancers, the part that is the test split, from 1; None for other tasks.
        runs: names of the final runs, each with its arm.
    """

    task: str
    protocol: str
    data: str
    fold: int | None
    runs: dict[str, str]

    def write(self, folder: Path) -> None:
        """Write bend.json into a folder."""
        write_json(folder / BEND_JSON, asdict(self))

    @classmethod
    def read(cls, folder: Path) -> "BendStudy":
        """Read the bend.json of a folder.

        Raises:
            DatasetError: there is none. InputError: it is broken.
        """
        file = folder / BEND_JSON
        if not file.is_file():
            expected = "a folder of 'dnaspt bend run' that came to its end"
            raise DatasetError(f"{folder}: has no {BEND_JSON}; expected {expected}")
        try:
            return build_checked(cls, {"data": str(folder)} | read_json(file))  # the first ones had no data
        except ValueError as error:
            raise InputError(file, f"not the study of 'dnaspt bend run' ({error})") from error


def read_protocol(
    path: Path, task: str, data: Path, data_of: Callable[[str], Path] | None = None, served: Sequence[Path] = ()
) -> StudyConfig:
    """The study of this protocol for a task.

    Args:
        path: TOML file of the protocol.
        task: task of BEND.
        data: dataset folder of the task.
        data_of: dataset folder of a task that the protocol is pretrained on; left out, they lie beside `data`.
        served: dataset folders of all tasks that begin from the same pretraining.

    Raises:
        ConfigError: no such file or task, a task without training, or unknown settings.
    """
    if task.endswith(".toml"):
        raise ConfigError(
            f"no task of BEND is called {task!r}; known: {', '.join(BEND_TASKS)}; the protocol comes first"
        )
    if find_task(task).kind == "variants":
        raise ConfigError(
            f"{task}: is scored without training: prepare it, and 'dnaspt evaluate' a pretrained run on it"
        )
    if not path.is_file():
        shipped = "examples/bend/spt.toml, bend-resnet.toml, spt-as-published.toml and spt-own-windows.toml come with the source"
        raise ConfigError(f"{path}: no such file; expected a protocol, a TOML file ({shipped})")
    settings = read_toml(path)
    if "data" in settings:
        do = "run it with 'dnaspt study', or take the line out"
        raise ConfigError(f"{path}: names its data, {settings['data']!r}, so it is a study and no protocol; {do}")
    settings = _for_task(settings, task, path) | {"data": data}
    try:
        study = build_config(StudyConfig, settings)
    except ConfigError as error:
        raise ConfigError(f"{path}: {str(error).removeprefix('options: ')}") from error
    if not study.shares_pretraining:
        return study
    find = data_of or (lambda name: data.parent / name)
    folders = tuple(find(str(name)) if str(name) in BEND_TASKS else name for name in study.pretrain_data)
    return study.model_copy(update={"pretrain_data": folders, "pretrain_for": tuple(served)})


def pretraining_tasks(path: Path, task: str) -> list[str]:
    """Tasks whose datasets a protocol is pretrained on.

    Raises:
        ConfigError: unknown settings.
    """
    study = read_protocol(path, task, Path(task), data_of=Path)
    return (
        [folder.name for folder in study.pretrain_data if str(folder) in BEND_TASKS] if study.shares_pretraining else []
    )


def _for_task(settings: Mapping[str, Any], task: str, path: Path) -> dict[str, Any]:
    """Settings of a protocol with those of its [tasks.NAME]: tables are joined, other values replaced.

    Raises:
        ConfigError: what should be a table is none, or a task that BEND does not have.
    """
    by_task = _table(settings.get("tasks", {}), "tasks", path)
    if unknown := sorted(set(by_task) - set(BEND_TASKS)):
        raise ConfigError(f"{path}: tasks.{unknown[0]}: no such task; known: {', '.join(BEND_TASKS)}")
    merged = {name: value for name, value in settings.items() if name != "tasks"}
    for name, value in by_task.get(task, {}).items():
        merged[name] = _table(merged.get(name, {}), name, path) | value if isinstance(value, dict) else value
    return merged


def _table(value: Any, name: str, path: Path) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"{path}: {name} is a {type(value).__name__}; expected a table")
    return value


def plan_protocol(run: BendRun, say: Say) -> StudyContext:
    """Prepare OUT/data where it is not there, and what the protocol is pretrained on and for, and plan the runs.

    Args:
        run: protocol, task and folders.
        say: tells a person what happens.

    Returns:
        The study, ready to run.

    Raises:
        DnasptError: a file is missing, or settings are wrong.
    """
    served = [run.data_of(task) for task in run.tasks]
    study = read_protocol(run.protocol, run.task, run.data_of(run.task), run.data_of, served)
    if run.data is None:
        _prepare(run, study.data, say)
    else:
        _check_given_data(run, run.data)
    if study.shares_pretraining:
        for task in dict.fromkeys((*pretraining_tasks(run.protocol, run.task), *run.tasks)):
            if task != run.task:
                _prepare(
                    replace(run, task=task, genome=None, fold=run.fold if task in run.tasks else 1),
                    run.data_of(task),
                    say,
                )
    study = check_settings(study, run.out)
    shared = SharedPretraining.of(study, run.together) if run.together else None
    return StudyContext(study, run.out, run.out / "records", run.jobs, "local", say, shared)


def _prepare(run: BendRun, data: Path, say: Say) -> None:
    """Prepare the task, or check that the dataset which is there was prepared in the same way.

    Raises:
        DnasptError: it was not, or a file is missing.
    """
    from dnaspt.bend.prepare import PrepareBendConfig, prepare_bend  # slow: mistakes are told before

    wanted = {"task": run.task, "root": run.root, "out": data, "fold": run.fold, "genome": run.genome}
    settings = build_config(PrepareBendConfig, wanted)
    if not data.exists():
        say(f"{data}: preparing {run.task}")
        prepare_bend(settings)
        return
    on_record = read_manifest(data).settings
    before = {"task": on_record.get("bend"), **on_record.get("bend_source", {})}
    for name, value in ({"task": run.task} | settings.source()).items():
        if before.get(name) != value:
            raise ConfigError(f"{data}: was prepared with {name} {before.get(name)}, not {value}; choose another --out")


def _check_given_data(run: BendRun, data: Path) -> None:
    """Refuse a given dataset of another task, and settings that would have prepared it.

    Raises:
        ConfigError: names what does not fit.
    """
    if run.fold != 1 or run.genome is not None:
        raise ConfigError("--data is prepared already: --fold and --genome have no effect on it; leave them out")
    if (task := read_manifest(data).settings.get("bend")) != run.task:
        raise ConfigError(f"{data}: holds {task or 'no task of BEND'}; expected {run.task}")


def run_protocol(run: BendRun, study: StudyContext) -> "StudyResult":
    """Make the runs that are missing, and write the report.

    Args:
        run: protocol, task and folders.
        study: what `plan_protocol` planned for it.

    Returns:
        What was found; as text, the answer in sentences.

    Raises:
        DnasptError: a run failed; what is finished stays.
    """
    from dnaspt.reports.study_report import study_report  # with PyTorch and matplotlib: a mistake is told before
    from dnaspt.studies.scheduler import stage_jobs

    result = study_report(study)
    source = read_manifest(study.study.data).settings.get("bend_source", {})
    runs = {job.name: job.arm for job in stage_jobs(study, "final")}
    BendStudy(run.task, run.protocol.stem, str(run.data or run.root), source.get("fold"), runs).write(study.out)
    return result
