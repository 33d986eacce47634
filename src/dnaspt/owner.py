"""Which process wrote a file or folder: its host, PID and start time, and whether it is surely gone."""

import os
import re
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_HOST_LETTERS = 32
"""Letters of a host's name that an owner keeps: the name of a file has 255 at most."""
_FIRST_NAMESPACE = 0xEFFFFFFC
"""Number that Linux gives the PID namespace of the host itself; one of a container has another."""


@dataclass(frozen=True, slots=True)
class Owner:
    """A process that writes.

    Attributes:
        host: name of the machine, and of the container where it is in one: a PID means nothing outside of these.
        pid: number of the process.
        start: when it started, in clock ticks since the machine did; 0 where the system does not say. Another process may
            get the same PID later, but not the same start.
    """

    host: str
    pid: int
    start: int

    @classmethod
    def this_process(cls) -> Self:
        """The process that asks."""
        return cls(_host(), os.getpid(), _start_of(os.getpid()))

    @classmethod
    def from_tag(cls, tag: str) -> "Owner | None":
        """The owner that a tag names; None where it is no tag, such as the PID alone that the first versions wrote."""
        if not (match := re.fullmatch(r"(.+)-(\d{1,10})-(\d{1,20})", tag)):
            return None
        return cls(match[1], int(match[2]), int(match[3]))

    @property
    def tag(self) -> str:
        """The owner as a part of a file's name: HOST-PID-START."""
        return f"{self.host}-{self.pid}-{self.start}"

    @property
    def is_gone(self) -> bool:
        """Whether the process surely runs no more. Nothing is known of one on another host, and of any on Windows."""
        if self.host != _host() or os.name != "posix" or not 0 < self.pid < 1 << 31:
            return False
        try:
            os.kill(self.pid, 0)  # asks only; on Windows it would send Ctrl-C
        except ProcessLookupError:
            return True
        except PermissionError:
            return False  # of another user, so it is there
        start = _start_of(self.pid)
        return bool(self.start and start and start != self.start)

    def __str__(self) -> str:
        return f"PID {self.pid} on {self.host}"


def _host() -> str:
    """Name of this machine in letters that a file's name may have, with the number of the container's PID namespace."""
    host = re.sub(r"[^A-Za-z0-9.-]", "_", socket.gethostname())[:_HOST_LETTERS] or "_"
    try:
        namespace = Path("/proc/self/ns/pid").stat().st_ino
    except OSError:  # not Linux
        return host
    return host if namespace == _FIRST_NAMESPACE else f"{host}_{namespace:x}"


def _start_of(pid: int) -> int:
    """When a process started, in clock ticks since the machine did; 0 where the system does not say (not Linux)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
        return int(stat[stat.rindex(b")") + 1 :].split()[19])  # proc(5): field 22, after a name that may hold blanks
    except (OSError, ValueError, IndexError):
        return 0
