"""A study as SLURM job arrays, on a cluster of this machine alone: munged, slurmctld and slurmd are started for real."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.in_process import dnaspt
from tests.slurm_cluster import CAN_RUN, NEEDS, running_cluster, wait_until

PLAN = """
data = "{data}"
seeds = [0]
learning_rates = [3e-3]
pretrain = {{ preset = "tiny", epochs = 0.1, batch_bp = 4096, tensorboard = false }}
finetune = {{ epochs = 0.1, batch_bp = 4096, tensorboard = false }}
[[arms]]
name = "scratch"
head = "crf"
[[arms]]
name = "SPT"
init = "spt"
head = "crf"
"""

pytestmark = [pytest.mark.slow, pytest.mark.tool, pytest.mark.skipif(not CAN_RUN, reason=NEEDS)]


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A cluster that runs."""
    with running_cluster(tmp_path / "slurm") as conf:
        monkeypatch.setenv("SLURM_CONF", str(conf))
        yield


def test_a_submitted_study_ends_with_its_report(cluster: None, gene_data: Path, tmp_path: Path) -> None:
    plan, out = tmp_path / "study.toml", tmp_path / "out"
    plan.write_text(PLAN.format(data=gene_data))
    ran = dnaspt(
        "study", plan, "--out", out, "--engine", "slurm", "--sbatch", "--time=10 --comment='two words'", "--offline"
    )
    assert ran.code == 0, ran.errors
    assert f"cd {Path.cwd()}\n" in (out / "submit.sh").read_text() and "--offline" in (out / "submit.sh").read_text()
    subprocess.run([out / "submit.sh"], check=True)
    wait_until(lambda: not subprocess.run(["squeue", "-h"], capture_output=True).stdout.strip(), 120)
    logs = "\n".join(file.read_text() for file in sorted((out / "logs").glob("*.log")))
    assert (out / "study.html").is_file(), logs
    assert {file.name.split("-")[0] for file in (out / "records").glob("*.json.bz2")} == {"pretrain", "final"}
