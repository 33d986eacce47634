"""A SLURM cluster of this machine alone: munged, slurmctld and slurmd are started for real."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue")
CAN_RUN = os.name == "posix" and os.geteuid() == 0 and all(map(shutil.which, PROGRAMS))
NEEDS = "needs root and SLURM (apt-get install slurmctld slurmd slurm-client munge)"
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


@contextmanager
def running_cluster(folder: Path) -> Iterator[Path]:
    """A block in which a cluster runs. Gives its configuration, the value of SLURM_CONF for all that talks to it."""
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    folder.chmod(0o755)
    (folder / "munge.key").write_bytes(os.urandom(1024))
    (folder / "munge.key").chmod(0o400)
    settings = {"host": socket.gethostname(), "folder": folder, "ports": free_ports(2), "cpus": os.cpu_count()}
    conf = folder / "slurm.conf"
    conf.write_text(CONF.format(**settings), encoding="utf-8")
    files = {"key-file": "munge.key", "socket": "munge.sock", "log-file": "munge.log", "seed-file": "munge.seed"}
    munge = ["munged", "--force", "--foreground", *(f"--{name}={folder / file}" for name, file in files.items())]
    munge.append(f"--pid-file={folder / 'munge.pid'}")
    commands = (munge, ["slurmctld", "-D", "-c", "-f", str(conf)], ["slurmd", "-D", "-c", "-f", str(conf)])
    environment = os.environ | {"SLURM_CONF": str(conf)}
    running = []
    try:
        for command in commands:
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            running.append(subprocess.Popen(command, env=environment, **quiet))  # type: ignore[call-overload]
            time.sleep(1)
        sinfo = ["sinfo", "-h"]
        wait_until(lambda: b"idle" in subprocess.run(sinfo, capture_output=True, env=environment).stdout, 30)
        yield conf
    finally:
        for process in reversed(running):
            process.terminate()
            process.wait(20)


def free_ports(n: int) -> list[int]:
    """Numbers of ports that nothing listens at."""
    sockets = [socket.socket() for _ in range(n)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def wait_until(is_so: Callable[[], bool], seconds: float) -> None:
    """Wait for something; an error where it is not so in time."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, f"not so after {seconds:g} s"
        time.sleep(0.5)
