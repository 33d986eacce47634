"""The processes that train together: who started them (SLURM, torchrun, Lightning), and whether the settings fit their number.

All is read from the environment, before PyTorch is imported. Lightning reads the same variables later (`training.fabric`).
"""

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from dnaspt.config import TrainingConfig
from dnaspt.errors import ConfigError

log = logging.getLogger(__name__)

_INTERACTIVE = ("bash", "interactive")
"""Names of SLURM jobs in which a person types: there SLURM starts no processes of ours (as Lightning sees it)."""


@dataclass(frozen=True, slots=True)
class Launch:
    """How this process was started.

    Attributes:
        by: SLURM, torchrun, or "" where neither started it.
        n_processes: processes that were started together, on all nodes.
        n_nodes: nodes that they are on.
        is_one_of_them: whether this process surely is one of them. It is not where `sbatch` runs a script without `srun`: the
            tasks were asked for, but nobody has started them.
    """

    by: Literal["SLURM", "torchrun", ""] = ""
    n_processes: int = 1
    n_nodes: int = 1
    is_one_of_them: bool = True

    @property
    def per_node(self) -> int:
        """Processes on a node."""
        return max(1, self.n_processes // self.n_nodes)

    @property
    def as_options(self) -> str:
        """The options with which as many processes train together."""
        return f"--devices {self.per_node}" + (f" --num-nodes {self.n_nodes}" if self.n_nodes > 1 else "")


def find_launch(environment: Mapping[str, str] = os.environ) -> Launch:
    """How this process was started, by its environment."""

    def number(*names: str) -> int:
        """The first of these variables that is a number of 1 or more; 1 where there is none."""
        values = (environment.get(name, "") for name in names)
        return next((int(value) for value in values if value.isascii() and value.isdigit() and int(value)), 1)

    if "TORCHELASTIC_RUN_ID" in environment:
        n_processes = number("WORLD_SIZE")
        return Launch("torchrun", n_processes, max(1, n_processes // number("LOCAL_WORLD_SIZE")))
    if "SLURM_NTASKS" in environment and environment.get("SLURM_JOB_NAME") not in _INTERACTIVE:
        is_step = "SLURM_STEP_ID" in environment  # srun sets it for each task
        is_later_task = environment.get("SLURM_PROCID", "0") != "0"
        n_tasks = number("SLURM_STEP_NUM_TASKS", "SLURM_NTASKS")
        n_nodes = number("SLURM_STEP_NUM_NODES", "SLURM_NNODES")
        return Launch("SLURM", n_tasks, min(n_nodes, n_tasks), is_step or is_later_task)
    return Launch()


def check_processes(config: TrainingConfig, environment: Mapping[str, str] = os.environ) -> str:
    """Check that as many processes are started as the settings say.

    Tasks of SLURM may each train a run of their own; a warning says what to write where they were to train one together.

    Returns:
        What to say where two processes are about to write one run: "; SLURM started 2 tasks, ...", or "".

    Raises:
        ConfigError: another number was started, or nothing starts the processes on other nodes.
    """
    launch, n_wanted = find_launch(environment), config.n_processes
    options = f"--devices {config.devices}" + (f" --num-nodes {config.num_nodes}" if config.num_nodes > 1 else "")
    if not launch.by:
        if config.num_nodes > 1:
            _check_started_by_hand(config, environment)
        return ""
    if launch.by == "torchrun" and launch.n_processes != n_wanted:
        started = f"torchrun started {launch.n_processes} processes"
        raise ConfigError(f"{options}: {started}; say {launch.as_options}, or start it without torchrun")
    if launch.by == "SLURM" and launch.n_processes != n_wanted:
        where = "on this node" if launch.n_nodes == 1 else f"on {launch.n_nodes} nodes"
        given = f"--devices is {config.devices}" + f" and --num-nodes is {config.num_nodes}" * (config.num_nodes > 1)
        started = f"SLURM started {launch.n_processes} task{'s' * (launch.n_processes > 1)} {where}, {given}"
        do = f"say {launch.as_options} or {_as_sbatch(config)}"
        if n_wanted > 1:
            raise ConfigError(f"{started}: {do}")
        if launch.is_one_of_them:
            log.warning("%s: each task trains a run of its own; if they are to train one together, %s", started, do)
        return f"; {started}: {do}"
    if launch.by == "SLURM" and n_wanted > 1 and not launch.is_one_of_them:
        log.warning(
            "%s inside a SLURM job: waits for %d more task%s of it; start all with 'srun dnaspt ...'",
            options,
            n_wanted - 1,
            "s" * (n_wanted > 2),
        )
    return ""


def _as_sbatch(config: TrainingConfig) -> str:
    """The options of SLURM that start as many tasks as the settings say."""
    return (f"--nodes={config.num_nodes} " if config.num_nodes > 1 else "") + f"--ntasks-per-node={config.devices}"


def _check_started_by_hand(config: TrainingConfig, environment: Mapping[str, str]) -> None:
    """Refuse several nodes where nothing says how they find each other; else say what this process waits for.

    Raises:
        ConfigError: neither a launcher nor the address of the first node.
    """
    if "MASTER_ADDR" not in environment:
        raise ConfigError(
            f"--num-nodes {config.num_nodes}: nothing starts this on the other nodes; start it with srun (SLURM) or "
            "torchrun, or on each node with MASTER_ADDR, MASTER_PORT and NODE_RANK set; or leave --num-nodes out"
        )
    address = f"{environment['MASTER_ADDR']}:{environment.get('MASTER_PORT', '(no MASTER_PORT)')}"
    log.warning("--num-nodes %d: waits for the processes of all nodes at %s", config.num_nodes, address)
