import builtins
import math
import signal
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from dnaspt.data.manifest import read_manifest
from dnaspt.studies import cost
from dnaspt.studies.context import StudyContext
from dnaspt.studies.cost import Cost, cost_key, measure, minutes_of, steps_of
from dnaspt.studies.plan import Job, finals, pretrainings
from dnaspt.studies.records import read_records
from dnaspt.studies.settings import StudyConfig


def test_steps_are_those_that_a_run_takes(finished: StudyContext) -> None:
    for record in read_records(finished.records):
        assert steps_of(finished.study, record.job) == record.result.steps


def test_a_baseline_takes_no_steps(study: StudyConfig) -> None:
    assert steps_of(study, Job("final", "k", {"baseline": "kmer", "seed": 0}, "", "d")) == 0


def test_fewer_labels_take_about_as_many_steps(study: StudyConfig) -> None:
    job, *_ = finals(study, read_manifest(study.data), study.arms[0], 1e-3)
    half = replace(job, settings=job.settings | {"label_fraction": 0.5, "epochs": 2 * job.settings["epochs"]})
    assert steps_of(study, half) == steps_of(study, job)


def test_minutes_count_steps_and_validations(study: StudyConfig) -> None:
    job, *_ = finals(study, read_manifest(study.data), study.arms[0], 1e-3)
    job = replace(job, settings=job.settings | {"validate_every": 10})
    assert minutes_of(study, job, 40, Cost(3.0, 0.0, 0.0)) == 2
    assert minutes_of(study, job, 40, Cost(0.0, 30.0, 0.0)) == 2
    assert minutes_of(study, job, 0, Cost(1.0, 1.0, 0.0)) == 0


def test_runs_that_take_as_long_are_measured_once(study: StudyConfig) -> None:
    dataset = read_manifest(study.data)
    (pretraining,) = pretrainings(study, dataset)
    scratch, *_ = finals(study, dataset, study.arms[0], 1e-3)
    other_rate, *_ = finals(study, dataset, study.arms[0], 3e-3)
    spt, *_ = finals(study, dataset, study.arms[1], 1e-3)
    crf = replace(scratch, settings=scratch.settings | {"head": "crf"})
    keys = [cost_key(study, job) for job in (scratch, other_rate, pretraining, crf)]
    assert keys[0] == keys[1] and len(set(keys)) == 3
    assert cost_key(study, spt) != cost_key(study, pretraining)


def test_a_few_steps_are_measured(study: StudyConfig) -> None:
    dataset = read_manifest(study.data)
    for job in (*pretrainings(study, dataset), *finals(study, dataset, study.arms[1], 1e-3)):
        measured = measure(study, job)
        assert 0 < measured.step_s < 60 and measured.validation_s >= 0
        assert measured.peak_mb > 100 or math.isnan(measured.peak_mb)


def test_an_encoder_in_full_is_made_to_be_measured(study: StudyConfig) -> None:
    small = {"encoder": {"hidden_size": 8, "n_layers": 1}, "batch_bp": 4096, "tensorboard": False}
    study = study.model_copy(update={"pretrain": small})
    (job,) = finals(study, read_manifest(study.data), study.arms[1], 1e-3)
    assert measure(study, job).step_s > 0


def test_a_signal_ends_the_measurement(study: StudyConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    once = iter([True])
    monkeypatch.setattr(cost._StepClock, "update", lambda *_: next(once, False) and signal.raise_signal(signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        measure(study, pretrainings(study, read_manifest(study.data))[0])


def test_memory_is_not_known_where_no_system_says(monkeypatch: pytest.MonkeyPatch) -> None:
    real_import = builtins.__import__

    def without_resource(name: str, *given: object) -> ModuleType:
        if name == "resource":
            raise ImportError(name)
        return real_import(name, *given)  # type: ignore[arg-type]

    def no_file(*_: object, **__: object) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", no_file)
    monkeypatch.setattr(builtins, "__import__", without_resource)
    assert math.isnan(cost._peak_mb())
