"""A study as SLURM job arrays, on a cluster of this machine alone: munged, slurmctld and slurmd are started for real."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.in_process import dnaspt

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue")
CONF = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock
CryptoType=crypto/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=1
MpiDefault=none
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
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

pytestmark = [
    pytest.mark.slow,
    pytest.mark.tool,
    pytest.mark.skipif(
        os.name != "posix" or os.geteuid() != 0 or not all(map(shutil.which, PROGRAMS)),
        reason="needs root and SLURM (apt-get install slurmctld slurmd slurm-client munge)",
    ),
]


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with the configuration of a running cluster."""
    folder = tmp_path / "slurm"
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    folder.chmod(0o755)
    (folder / "munge.key").write_bytes(os.urandom(1024))
    (folder / "munge.key").chmod(0o400)
    settings = {"host": socket.gethostname(), "folder": folder, "ports": free_ports(2), "cpus": os.cpu_count()}
    conf = folder / "slurm.conf"
    conf.write_text(CONF.format(**settings))
    monkeypatch.setenv("SLURM_CONF", str(conf))
    files = {"key-file": "munge.key", "socket": "munge.sock", "log-file": "munge.log", "seed-file": "munge.seed"}
    munge = ["munged", "--force", "--foreground", *(f"--{name}={folder / file}" for name, file in files.items())]
    munge.append(f"--pid-file={folder / 'munge.pid'}")
    commands = (munge, ["slurmctld", "-D", "-c", "-f", str(conf)], ["slurmd", "-D", "-c", "-f", str(conf)])
    running = []
    try:
        for command in commands:
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            running.append(subprocess.Popen(command, **quiet))  # type: ignore[call-overload]
            time.sleep(1)
        wait_until(lambda: b"idle" in subprocess.run(["sinfo", "-h"], capture_output=True).stdout, 30)
        yield folder
    finally:
        for process in reversed(running):
            process.terminate()
            process.wait(20)


def free_ports(n: int) -> list[int]:
    sockets = [socket.socket() for _ in range(n)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def wait_until(is_so: object, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not is_so():  # type: ignore[operator]
        assert time.monotonic() < end, f"not so after {seconds:g} s"
        time.sleep(0.5)


def test_a_submitted_study_ends_with_its_report(cluster: Path, gene_data: Path, tmp_path: Path) -> None:
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
