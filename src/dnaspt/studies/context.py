"""Where a study's runs are made, and what is kept of them.

out/runs/NAME are the runs' folders; records/NAME.json, one small file for each finished run, is all that the tables need.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from dnaspt.errors import DatasetError, DnasptError
from dnaspt.studies.plan import Job
from dnaspt.studies.settings import StudyConfig

Record = dict[str, Any]
Stage = Literal["pretrain", "tune", "final"]
STAGES: tuple[Stage, ...] = ("pretrain", "tune", "final")
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Workshop:
    """Where a study's runs are made.

    Attributes:
        study: its settings.
        out: folder of the runs.
        records: folder of their records.
        jobs: runs at a time; they share the processor's cores.
        engine: where runs are made: in processes of this machine, or by the workers of a Ray cluster.
        say: tells a person what happens.
    """

    study: StudyConfig
    out: Path
    records: Path
    jobs: int = 1
    engine: Literal["local", "ray"] = "local"
    say: Say = field(default=lambda _: None)

    def record_file(self, job: Job) -> Path:
        """Where a run's record is or will be."""
        return self.records / f"{job.name}.json"

    def record(self, job: Job) -> Record | None:
        """The record of a finished run; of a trial also that of a final run with the same settings."""
        file = self.record_file(job)
        if job.kind == "tune" and not file.is_file():
            file = self.record_file(job.as_kind("final"))
        return read_record(file) if file.is_file() else None

    def has_weights(self, job: Job) -> bool:
        """Whether a finished run's folder is here; its record may be there without, from another machine."""
        return (self.out / "runs" / job.name / "result.json").is_file()

    def finished(self, job: Job) -> Record:
        """The record of a run that must be there.

        Raises:
            DnasptError: it is not.
        """
        record = self.record(job)
        if record is None:
            raise DnasptError(f"{self.record_file(job)}: is not there; run the stages before first")
        return record


def read_record(file: Path) -> Record:
    """What is kept of a run.

    Raises:
        DatasetError: the file is damaged.
    """
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DatasetError(f"{file}: is no record ({error}); delete it, and its run is made again") from error
    if not isinstance(record, dict) or "settings" not in record:
        raise DatasetError(f"{file}: is no record of a run; delete it, and its run is made again")
    return record
