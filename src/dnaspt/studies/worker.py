"""Commands of `dnaspt` for the runs of a study: in processes of their own, told when the study is to stop, or in this one."""

import os
import runpy
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

from dnaspt.errors import DivergedError, DnasptError
from dnaspt.studies.context import Workshop
from dnaspt.studies.plan import Job

try:
    import fcntl
except ImportError:  # Windows locks nothing
    fcntl = None  # type: ignore[assignment]

_running: set[subprocess.Popen[bytes]] = set()
"""Commands in processes of their own."""
Locks = tuple[int, ...]
"""Descriptors of locked files."""
_stopping = threading.Event()
"""Set where they are to stop, and no other is to begin."""


@contextmanager
def stopping_with_this_process() -> Iterator[None]:
    """A block in which commands run: a signal that ends this process asks them to save and end, too."""
    _stopping.clear()
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        stop_running()
        raise


def stop_running() -> None:
    """Ask the commands in processes of their own to save and end, and let no other begin."""
    _stopping.set()
    if sys.platform == "win32":
        return  # there is no asking, only ending; the console tells them of Ctrl-C
    for process in tuple(_running):
        process.terminate()


def in_new_process(shop: Workshop, job: Job, arguments: Sequence[str], locks: Locks) -> None:
    """Run a command in a process of its own, with its share of the cores; it keeps the locks, even where this process is killed.

    Raises:
        DnasptError: it failed, or the study is to stop.
    """
    if _stopping.is_set():
        raise DnasptError(f"{job.name}: the study was stopped")
    environment = os.environ | ({"OMP_NUM_THREADS": str(threads_of(shop))} if shop.jobs > 1 else {})
    with _log(shop, job).open("a", encoding="utf-8") as file:
        command = [sys.executable, "-m", "dnaspt", *arguments]
        fds = locks if fcntl else ()
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, env=environment, pass_fds=fds)
        _running.add(process)
        if _stopping.is_set():  # since it was asked for above
            stop_running()
        try:
            code = process.wait()
        except (KeyboardInterrupt, SystemExit):
            stop_running()
            process.wait()
            raise
        finally:
            _running.discard(process)
    _check(shop, job, arguments, code)


def in_this_process(shop: Workshop, job: Job, arguments: Sequence[str], locks: Locks) -> None:
    """Run a command here, as `python -m dnaspt` does, so that it ends where this process is killed.

    Raises:
        DnasptError: it failed.
    """
    before, code = sys.argv, 0
    sys.argv = ["dnaspt", *arguments]
    with _log(shop, job).open("a", encoding="utf-8") as file:
        try:
            with redirect_stdout(file), redirect_stderr(file):
                runpy.run_module("dnaspt", run_name="__main__")
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        except Exception:
            traceback.print_exc(file=file)
            code = 1
        finally:
            sys.argv = before
    _check(shop, job, arguments, code)


@contextmanager
def alone(shop: Workshop, job: Job) -> Iterator[Locks]:
    """Wait until no other process works on a run, and keep others away; gives the locked files.

    One lies beside the records and one beside the runs: studies may share either.
    """
    with ExitStack() as stack:
        files = (folder / ".locks" / job.name for folder in (shop.records, shop.out / "runs"))
        yield tuple(stack.enter_context(_locked(shop, job, file)) for file in files)


@contextmanager
def _locked(shop: Workshop, job: Job, file: Path) -> Iterator[int]:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as handle:
        if fcntl is not None:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                shop.say(f"{job.name}: another process works on it; waiting for it")
                fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle.fileno()


def threads_of(shop: Workshop) -> int:
    """A run's share of this machine's cores."""
    n_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, n_cores // shop.jobs)


def _log(shop: Workshop, job: Job) -> Path:
    log = shop.out / "logs" / f"{job.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    return log


def _check(shop: Workshop, job: Job, arguments: Sequence[str], code: int) -> None:
    if code:
        log = _log(shop, job)
        last = log.read_text(encoding="utf-8").strip().splitlines()[-1:]
        kind = DivergedError if code == DivergedError.exit_code else DnasptError
        raise kind(f"{job.name}: 'dnaspt {arguments[0]}' ended with {code}: {' '.join(last)} (see {log})")
