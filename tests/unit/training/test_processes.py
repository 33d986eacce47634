"""Who started the processes that train together, and whether the settings fit their number."""

import re

import pytest

from dnaspt.config import TrainingConfig
from dnaspt.errors import ConfigError
from dnaspt.training.processes import Launch, check_processes, find_launch

SBATCH = {"SLURM_JOB_ID": "5", "SLURM_JOB_NAME": "train", "SLURM_NNODES": "1", "SLURM_NODEID": "0"}
"""Variables of any process in a job of SLURM 22.05, as a script that `sbatch` runs has them."""


def slurm(tasks: int, *, nodes: int = 1, rank: int = 0, step: bool = True, **other: str) -> dict[str, str]:
    """Variables of a task that srun starts, or, without a step, of the script of a job with so many tasks."""
    more = {"SLURM_NTASKS": str(tasks), "SLURM_PROCID": str(rank), "SLURM_NNODES": str(nodes)}
    if step:
        more |= {"SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": str(tasks), "SLURM_STEP_NUM_NODES": str(nodes)}
    return SBATCH | more | other


def torchrun(n: int, per_node: int) -> dict[str, str]:
    return {"TORCHELASTIC_RUN_ID": "none", "WORLD_SIZE": str(n), "LOCAL_WORLD_SIZE": str(per_node), "RANK": "0"}


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, Launch()),
        (SBATCH, Launch()),  # without --ntasks
        (slurm(2), Launch("SLURM", 2, 1, True)),
        (slurm(8, nodes=4), Launch("SLURM", 8, 4, True)),
        (slurm(2, step=False), Launch("SLURM", 2, 1, False)),
        (slurm(2, step=False, rank=1), Launch("SLURM", 2, 1, True)),  # a script is task 0
        (slurm(4) | {"SLURM_STEP_NUM_TASKS": "1"}, Launch("SLURM", 1, 1, True)),  # srun -n 1 in a job of 4 tasks
        (slurm(2, SLURM_JOB_NAME="bash"), Launch()),
        (slurm(2, SLURM_JOB_NAME="interactive"), Launch()),
        (torchrun(4, 2), Launch("torchrun", 4, 2, True)),
        (slurm(2, nodes=2) | torchrun(4, 2), Launch("torchrun", 4, 2, True)),  # torchrun in a job of SLURM
        (slurm(2) | {"SLURM_STEP_NUM_TASKS": "many"}, Launch("SLURM", 2, 1, True)),
        ({"SLURM_NTASKS": "-3", "SLURM_NNODES": ""}, Launch("SLURM", 1, 1, False)),
    ],
)
def test_the_environment_says_who_started_how_many_processes(environment: dict[str, str], expected: Launch) -> None:
    assert find_launch(environment) == expected


@pytest.mark.parametrize(
    ("environment", "devices", "num_nodes"),
    [
        ({}, 1, 1),
        ({}, 4, 1),  # Lightning starts the others
        (slurm(1), 1, 1),
        (slurm(2), 2, 1),
        (slurm(8, nodes=4), 2, 4),
        (torchrun(4, 2), 2, 2),
    ],
)
def test_processes_that_fit_the_settings_go_without_a_word(
    environment: dict[str, str], devices: int, num_nodes: int, caplog: pytest.LogCaptureFixture
) -> None:
    assert check_processes(TrainingConfig(devices=devices, num_nodes=num_nodes), environment) == ""
    assert caplog.messages == []


def test_a_script_with_tasks_that_nobody_has_started_trains_alone(caplog: pytest.LogCaptureFixture) -> None:
    """Plain 'dnaspt pretrain' in a script with --ntasks=4 is one process; the tasks are named where two write one run."""
    hint = check_processes(TrainingConfig(), slurm(4, step=False))
    assert hint.startswith("; SLURM started 4 tasks on this node, --devices is 1: say --devices 4 or")
    assert caplog.messages == []


@pytest.mark.parametrize("environment", [slurm(2), slurm(2, rank=1, step=False)])
def test_tasks_that_would_each_train_alone_are_told_what_to_write(
    environment: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    """They may be meant to: srun with another --out for each task."""
    told = "SLURM started 2 tasks on this node, --devices is 1"
    do = "say --devices 2 or --ntasks-per-node=1"
    assert check_processes(TrainingConfig(), environment) == f"; {told}: {do}"
    assert caplog.messages == [
        f"{told}: each task trains a run of its own; if they are to train one together, {do}",
    ]


@pytest.mark.parametrize(
    ("environment", "devices", "num_nodes", "message"),
    [
        (
            slurm(4),
            2,
            1,
            "SLURM started 4 tasks on this node, --devices is 2: say --devices 4 or --ntasks-per-node=2",
        ),
        (
            slurm(8, nodes=4),
            2,
            2,
            "SLURM started 8 tasks on 4 nodes, --devices is 2 and --num-nodes is 2: "
            "say --devices 2 --num-nodes 4 or --nodes=2 --ntasks-per-node=2",
        ),
        (
            slurm(1, step=False),  # Lightning would wait for a second task for ever
            2,
            1,
            "SLURM started 1 task on this node, --devices is 2: say --devices 1 or --ntasks-per-node=2",
        ),
        (
            torchrun(2, 2),
            1,
            1,
            "--devices 1: torchrun started 2 processes; say --devices 2, or start it without torchrun",
        ),
        (
            torchrun(4, 2),
            4,
            2,
            "--devices 4 --num-nodes 2: torchrun started 4 processes; "
            "say --devices 2 --num-nodes 2, or start it without torchrun",
        ),
        (
            {},
            1,
            5,
            "--num-nodes 5: nothing starts this on the other nodes; start it with srun (SLURM) or torchrun, or on each "
            "node with MASTER_ADDR, MASTER_PORT and NODE_RANK set; or leave --num-nodes out",
        ),
    ],
)
def test_processes_that_would_wait_for_each_other_for_ever_are_refused(
    environment: dict[str, str], devices: int, num_nodes: int, message: str
) -> None:
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        check_processes(TrainingConfig(devices=devices, num_nodes=num_nodes), environment)


@pytest.mark.parametrize(
    ("environment", "devices", "num_nodes", "message"),
    [
        (
            slurm(2, step=False),
            2,
            1,
            "--devices 2 inside a SLURM job: waits for 1 more task of it; start all with 'srun dnaspt ...'",
        ),
        (
            {"MASTER_ADDR": "node1", "MASTER_PORT": "29500", "NODE_RANK": "0"},
            1,
            3,
            "--num-nodes 3: waits for the processes of all nodes at node1:29500",
        ),
    ],
)
def test_what_a_process_waits_for_is_said(
    environment: dict[str, str], devices: int, num_nodes: int, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert check_processes(TrainingConfig(devices=devices, num_nodes=num_nodes), environment) == ""
    assert caplog.messages == [message]
