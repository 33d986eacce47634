"""Where a study works: its settings, its folders, how many runs it makes at a time, and where messages go.

OUT/runs/NAME is the folder of a run, OUT/logs/NAME.log its log, OUT/configs/NAME.toml its settings for a person to read; a
finished run has a record (`studies.records`). Pretrainings that several datasets begin from lie in a folder of their own.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from dnaspt.errors import ConfigError, DnasptError
from dnaspt.studies.plan import Job
from dnaspt.studies.records import Record, read_record, record_file
from dnaspt.studies.settings import PRETRAINING, StudyConfig
from dnaspt.training.runs import RESULT

Engine = Literal["local", "ray"]
"""Where the runs of a study are made."""
Say = Callable[[str], None]
"""Shows a person a sentence about what happens."""


@dataclass(frozen=True, slots=True)
class SharedPretraining:
    """Where pretrainings lie that several datasets begin from.

    Attributes:
        out: folder of the runs, their logs and settings.
        records: folder of the records of finished runs.
    """

    out: Path
    records: Path

    @classmethod
    def of(cls, study: StudyConfig, out: Path, records: Path | None = None) -> "SharedPretraining | None":
        """The shared pretraining of a study over several datasets; None where each dataset is pretrained on by itself.

        Args:
            study: the study of any of the datasets.
            out: folder of the study over all of them.
            records: folder of all records; left out, they lie in OUT.
        """
        if not study.shares_pretraining:
            return None
        return cls(out / PRETRAINING, (records or out) / PRETRAINING / ("" if records else "records"))


@dataclass(frozen=True, slots=True)
class StudyContext:
    """Where and how the runs of a study are made.

    Attributes:
        study: settings of the study.
        out: folder of the runs and of the report.
        records: folder of the records of finished runs; studies may share it.
        jobs: runs at a time; they share the processor's cores.
        engine: local for processes of this machine, ray for the workers of a Ray cluster.
        say: tells a person what happens.
        pretrained: where pretrainings lie that several datasets begin from; None where the study has its own.
        needs_weights: names of runs that are made again where only their records are here: ensembles join them.

    Raises:
        ConfigError: less than one run at a time, or no such engine.
    """

    study: StudyConfig
    out: Path
    records: Path
    jobs: int = 1
    engine: Engine = "local"
    say: Say = field(default=lambda _: None)
    pretrained: "SharedPretraining | None" = None
    needs_weights: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if not isinstance(self.jobs, int) or self.jobs < 1:
            raise ConfigError(f"jobs {self.jobs!r}; expected a whole number, 1 or more")
        if self.engine not in get_args(Engine):
            raise ConfigError(f"engine {self.engine!r}; expected {' or '.join(get_args(Engine))}")

    def run_folder(self, job: Job) -> Path:
        """Folder of a run, whether it is there or not."""
        return self._home(job) / "runs" / job.name

    def records_of(self, job: Job) -> Path:
        """Folder of a run's record."""
        return self.pretrained.records if self.pretrained and job.kind == "pretrain" else self.records

    def _home(self, job: Job) -> Path:
        """The folder that holds runs, logs and configs of a run."""
        return self.pretrained.out if self.pretrained and job.kind == "pretrain" else self.out

    def log_file(self, job: Job) -> Path:
        """Log of a run, whether it is there or not."""
        return self._home(job) / "logs" / f"{job.name}.log"

    def config_file(self, job: Job) -> Path:
        """Settings of a run as TOML, whether they are there or not."""
        return self._home(job) / "configs" / f"{job.name}.toml"

    def record(self, job: Job) -> Record | None:
        """Record of a finished run; for a trial also that of the final run with the same settings. None where there is none."""
        file = record_file(self.records_of(job), job.name)
        if job.kind == "tune" and not file.is_file():
            file = record_file(self.records, job.as_kind("final").name)
        return read_record(file) if file.is_file() else None

    def finished_record(self, job: Job) -> Record:
        """Record of a run that must be finished.

        Raises:
            DnasptError: it is not.
        """
        record = self.record(job)
        if record is None:
            raise DnasptError(
                f"{record_file(self.records_of(job), job.name)}: is not there; run the stages before first"
            )
        return record

    def has_weights(self, job: Job) -> bool:
        """Whether a finished run's folder is here. If the run was made on another machine, only its record may be here."""
        return (self.run_folder(job) / RESULT).is_file()
