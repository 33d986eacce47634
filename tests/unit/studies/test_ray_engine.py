import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest

from dnaspt.errors import ConfigError, DnasptError
from dnaspt.studies.context import StudyContext
from dnaspt.studies.plan import Job
from dnaspt.studies.ray_engine import run_on_ray
from dnaspt.studies.records import read_records
from dnaspt.studies.scheduler import stage_jobs


def test_without_ray_its_package_is_named(context: StudyContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match="install it with 'pip install ray'"):
        run_on_ray(context, [])


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """A cluster of this machine alone."""
    module = pytest.importorskip("ray", reason="Ray is not installed (pip install ray)")
    monkeypatch.setenv("RAY_ADDRESS", "")
    yield module
    module.shutdown()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::FutureWarning", "ignore::DeprecationWarning")
def test_runs_are_made_by_workers_and_their_errors_come_back(ray: object, context: StudyContext) -> None:
    said: list[str] = []
    context = replace(context, say=said.append)
    jobs = stage_jobs(context, "pretrain")
    (pretraining,) = jobs
    spt = Job("final", "SPT", context.study.finetune | {"seed": 0, "head": "softmax"}, pretraining.digest, "d")
    run_on_ray(context, [*jobs, spt])
    assert {record.job.name for record in read_records(context.records)} == {pretraining.name, spt.name}
    assert said == [f"{pretraining.name}: finished", f"{spt.name}: finished"]
    wrong = replace(spt, settings=spt.settings | {"head": "sigmoid"})
    with pytest.raises(DnasptError, match="'dnaspt finetune' ended with 2: head 'sigmoid' does not fit"):
        run_on_ray(context, [wrong])
