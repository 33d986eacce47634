import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dnaspt.errors import ConfigError, DnasptError
from dnaspt.studies.context import StudyContext
from dnaspt.studies.plan import Job
from dnaspt.studies.records import read_records, write_record
from dnaspt.studies.scheduler import stage_jobs


def test_runs_logs_and_settings_have_their_places(context: StudyContext) -> None:
    job = Job("final", "a", {"seed": 0}, "", "d")
    assert context.run_folder(job) == context.out / "runs" / job.name
    assert context.log_file(job) == context.out / "logs" / f"{job.name}.log"
    assert context.config_file(job) == context.out / "configs" / f"{job.name}.toml"


def test_a_final_run_stands_for_the_trial_with_its_settings(finished: StudyContext, tmp_path: Path) -> None:
    (first, *_) = read_records(finished.records, "final")
    context = replace(finished, records=tmp_path)
    trial = first.job.as_kind("tune")
    assert context.record(trial) is None
    write_record(tmp_path, first)
    record = context.record(trial)
    assert record is not None and record.job.kind == "final"
    assert context.record(first.job.as_kind("final")) is not None


def test_a_run_that_has_to_be_finished_and_is_not_is_named(context: StudyContext) -> None:
    (job,) = stage_jobs(context, "pretrain")
    with pytest.raises(DnasptError, match=f"{job.name}.json.bz2: is not there; run the stages before first"):
        context.finished_record(job)


def test_a_record_alone_is_no_run_with_weights(finished: StudyContext, tmp_path: Path) -> None:
    (job,) = stage_jobs(finished, "pretrain")
    assert finished.has_weights(job)
    shutil.copytree(finished.records, tmp_path / "records")
    elsewhere = replace(finished, out=tmp_path, records=tmp_path / "records")
    assert elsewhere.finished_record(job) is not None and not elsewhere.has_weights(job)


@pytest.mark.parametrize(
    "change", [{"jobs": 0}, {"jobs": float("nan")}, {"jobs": "2"}, {"jobs": None}, {"engine": "dask"}]
)
def test_a_number_of_runs_or_an_engine_that_there_is_not_is_refused(
    change: dict[str, Any], context: StudyContext
) -> None:
    (name,) = change
    with pytest.raises(ConfigError, match=f"{name} {change[name]!r}; expected"):
        replace(context, **change)
