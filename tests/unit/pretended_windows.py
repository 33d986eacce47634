"""Makes a Python on Linux or macOS behave as on Windows, as far as that can be pretended.

- Modules that Windows does not have cannot be imported: those of POSIX by dnaspt (other packages here are built for this system),
  pysam and triton by nobody. `os` and `signal` lack for dnaspt what they lack there.
- Text files are opened as on Windows: without `newline` they get its line ends, without `encoding` that of Western Europe.
- A file that is open can be neither removed, renamed nor replaced, and no folder around it can.
- No file or folder gets a name that Windows forbids.

Not pretended: backslashes in paths, names of files that differ in case alone, processes, signals, the console.
"""

import builtins
import importlib.abc
import io
import os
import re
import shutil
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

POSIX = ("resource", "fcntl", "termios", "pwd", "grp", "tty", "pty", "posix")
MISSING_PACKAGES = ("pysam", "triton")
MISSING_NAMES = {
    "os": {
        *("fork", "forkpty", "killpg", "getuid", "geteuid", "getgid", "getpgid", "setsid", "nice", "uname", "sysconf"),
        *("sched_getaffinity", "posix_fallocate", "pread", "pwrite", "statvfs", "mkfifo", "chown", "getloadavg"),
        *("O_NOFOLLOW", "O_CLOEXEC", "O_DIRECTORY", "WNOHANG", "waitid", "wait3", "wait4", "register_at_fork"),
    },
    "signal": {
        *("SIGKILL", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGCHLD", "SIGPIPE", "SIGCONT", "SIGSTOP"),
        *("alarm", "setitimer", "pause", "pthread_sigmask", "pthread_kill", "sigwait"),
    },
}
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
_FORBIDDEN = re.compile(r'[<>:"|?*\\\x00-\x1f]|[ .]$')


def is_forbidden(name: str) -> bool:
    """Whether no file or folder can have this name on Windows."""
    return bool(_RESERVED.fullmatch(name) or _FORBIDDEN.search(name))


class _Missing(importlib.abc.MetaPathFinder):
    """Finds no module that Windows does not have."""

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> None:
        frame = sys._getframe(1)
        while frame.f_back and "importlib" in frame.f_code.co_filename:
            frame = frame.f_back
        by_dnaspt = str(frame.f_globals.get("__name__", "")).startswith("dnaspt")
        if name in MISSING_PACKAGES or (by_dnaspt and name in POSIX):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


class _Partial(ModuleType):
    """A module without what Windows does not have."""

    def __init__(self, module: ModuleType) -> None:
        super().__init__(module.__name__)
        self._module = module

    def __getattr__(self, name: str) -> Any:
        if name in MISSING_NAMES[self._module.__name__]:
            raise AttributeError(f"module {self._module.__name__!r} has no attribute {name!r}", name=name)
        return "nt" if (self._module, name) == (os, "name") else getattr(self._module, name)


def pretend() -> None:
    """Block modules, and change how files are opened, removed and renamed, in this process."""
    for name in (*POSIX[:-1], *MISSING_PACKAGES):
        sys.modules.pop(name, None)
    sys.meta_path.insert(0, _Missing())
    shutil._use_fd_functions = False  # type: ignore[attr-defined]
    io.open = builtins.open = _opening(io.open)  # type: ignore[assignment]
    for function in ("unlink", "remove", "rmdir", "rename", "replace", "mkdir"):
        setattr(os, function, _changing(getattr(os, function), function))


def take_from_dnaspt() -> None:
    """Let the modules of dnaspt that are imported see an `os` and a `signal` without what Windows lacks."""
    partial = {module.__name__: _Partial(module) for module in (os, signal)}
    for name, module in list(sys.modules.items()):
        if name.startswith("dnaspt"):
            for short in partial:
                if getattr(module, short, None) is sys.modules[short]:
                    setattr(module, short, partial[short])


def _opening(real: Callable[..., Any]) -> Callable[..., Any]:
    """`open` as it is on Windows."""

    def opened(file: Any, mode: str = "r", buffering: int = -1, encoding: Any = None, *more: Any, **named: Any) -> Any:
        errors, newline, *rest = (*more, *(None, None)[len(more) :])
        errors, newline = named.pop("errors", errors), named.pop("newline", newline)
        if isinstance(file, str | os.PathLike) and not mode.startswith("r"):
            _check_name(os.fspath(file))
        if "b" not in mode:
            encoding = "cp1252" if encoding in (None, "locale") else encoding
            newline = "\r\n" if newline is None and not mode.startswith("r") else newline
        return real(file, mode, buffering, encoding, errors, newline, *rest, **named)

    return opened


def _changing(real: Callable[..., Any], function: str) -> Callable[..., Any]:
    """A function of `os` that removes, renames or makes a file or folder, as it is on Windows."""

    def changed(path: Any, *more: Any, **named: Any) -> Any:
        if function == "mkdir":
            _check_name(os.fspath(path))
        else:
            _check_not_open(path)
        if function in ("rename", "replace"):
            _check_name(os.fspath(more[0]))
            _check_not_open(more[0])
            if function == "rename" and os.path.lexists(more[0]):
                raise FileExistsError(17, "Cannot create a file when that file already exists", os.fspath(more[0]))
        return real(path, *more, **named)

    return changed


def _check_name(path: Any) -> None:
    name = Path(os.fsdecode(path)).name
    if is_forbidden(name):
        raise OSError(22, "The filename, directory name, or volume label syntax is incorrect", os.fsdecode(path))


def _check_not_open(path: Any) -> None:
    """Refuse a file that this process has open or mapped into memory, or a folder that holds one (Linux alone can tell)."""
    real = os.path.realpath(os.fspath(path))
    links = Path("/proc/self/fd")
    if not links.is_dir():
        return
    held = {_target(link) for link in links.iterdir()}
    with open("/proc/self/maps", encoding="utf-8") as maps:
        held |= {line.split(maxsplit=5)[5].rstrip("\n") for line in maps if "/" in line}
    for file in held:
        if file and (file == real or file.startswith(f"{real}{os.sep}")) and os.path.isfile(file):
            raise PermissionError(13, f"The process cannot access the file because it is being used: {file}", real)


def _target(link: Path) -> str:
    try:
        return os.readlink(link)
    except OSError:  # it was that of this listing
        return ""
