"""Run a study's workers as processes or in this one, and stop them with the study.

Where this process is killed, its workers go on to the end of their instruction: each holds the locks of its run (`exclusive`), so
that the next study waits for it instead of making the run twice.
"""

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from dnaspt.errors import DivergedError, DnasptError
from dnaspt.output import make_folder
from dnaspt.studies.context import StudyContext
from dnaspt.studies.plan import Job
from dnaspt.studies.worker import LOG_FORMAT, Evaluate, Instruction, work, write_instruction

try:
    import fcntl
except ImportError:  # Windows locks nothing
    fcntl = None  # type: ignore[assignment]

Locks = tuple[int, ...]
"""Descriptors of the locked files of a run."""
Launch = Callable[[StudyContext, Job, Instruction, Locks], None]
"""Carries out one instruction for a run, while the run is locked."""

_running: set[subprocess.Popen[bytes]] = set()
"""Workers in processes of their own."""
_stopping = threading.Event()
"""Set when workers are to stop, and no other is to begin."""


@contextmanager
def stopping_with_this_process() -> Iterator[None]:
    """A block in which workers run: a signal that ends this process makes them save and stop."""
    _stopping.clear()
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        stop_workers()
        raise


def stop_workers() -> None:
    """Ask the workers in processes of their own to save and end, and let no other begin."""
    _stopping.set()
    if sys.platform != "win32":  # which can only kill a process; its console sends Ctrl-C to the workers, too
        for process in tuple(_running):
            process.terminate()


def in_new_process(context: StudyContext, job: Job, instruction: Instruction, locks: Locks) -> None:
    """Carry out an instruction in a new process, with the run's share of the cores.

    It keeps the locks of the run, even where this process is killed.

    Raises:
        DivergedError: training diverged. DnasptError: it failed, or the study is to stop.
    """
    if _stopping.is_set():
        raise DnasptError(f"{job.name}: the study was stopped")
    file = _write(context, job, instruction)
    environment = os.environ | ({"OMP_NUM_THREADS": str(threads_of(context))} if context.jobs > 1 else {})
    command = [sys.executable, "-m", "dnaspt.studies.worker", str(file)]
    with _log_file(context, job).open("a", encoding="utf-8", newline="\n") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=subprocess.STDOUT, env=environment, pass_fds=locks if fcntl else ()
        )
        _running.add(process)
        if _stopping.is_set():  # since it was asked for above
            stop_workers()
        try:
            code = process.wait()
        except (KeyboardInterrupt, SystemExit):
            stop_workers()
            process.wait()
            raise
        finally:
            _running.discard(process)
    _check(context, job, instruction, code)


def in_this_process(context: StudyContext, job: Job, instruction: Instruction, locks: Locks) -> None:
    """Carry out an instruction in this process; it ends if this process is killed. See `in_new_process`."""
    file = _write(context, job, instruction)
    with _logging_to(_log_file(context, job)):
        try:
            code = work(file)
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    _check(context, job, instruction, code)


@contextmanager
def _logging_to(file: Path) -> Iterator[None]:
    """A block whose messages of this package, from INFO on, are also written into a file."""
    logger = logging.getLogger("dnaspt")
    before = logger.level
    handler = logging.FileHandler(file, encoding="utf-8")
    handler.setFormatter(logging.Formatter(LOG_FORMAT))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.setLevel(before)
        logger.removeHandler(handler)
        handler.close()


@contextmanager
def exclusive(context: StudyContext, job: Job) -> Iterator[Locks]:
    """A block in which no other process works on a run; waits for one that does. Gives the locked files.

    One lies beside the records and one beside the runs: studies may share either.
    """
    with ExitStack() as stack:
        files = (folder / ".locks" / job.name for folder in (context.records_of(job), context.run_folder(job).parent))
        yield tuple(stack.enter_context(_locked(context, job, file)) for file in files)


@contextmanager
def _locked(context: StudyContext, job: Job, file: Path) -> Iterator[int]:
    """A block in which a file is locked; its descriptor."""
    make_folder(file.parent)
    with file.open("wb") as handle:
        if sys.platform != "win32" and fcntl is not None:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                context.say(f"{job.name}: another process works on it; waiting for it")
                fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle.fileno()


def threads_of(context: StudyContext) -> int:
    """A run's share of this machine's cores."""
    n_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, n_cores // context.jobs)


def _write(context: StudyContext, job: Job, instruction: Instruction) -> Path:
    """Write the instruction of a run for its worker."""
    suffix = "-evaluate.json" if isinstance(instruction, Evaluate) else ".json"
    file = context.config_file(job).with_name(f"{job.name}{suffix}")
    write_instruction(file, instruction)
    return file


def _log_file(context: StudyContext, job: Job) -> Path:
    """Log of a run, in a folder that is there."""
    file = context.log_file(job)
    file.parent.mkdir(parents=True, exist_ok=True)
    return file


def _check(context: StudyContext, job: Job, instruction: Instruction, code: int) -> None:
    """Raise the error that a worker ended with, with the last line of its log."""
    if not code:
        return
    log = context.log_file(job)
    last = "".join(log.read_text(encoding="utf-8").strip().splitlines()[-1:])
    told = last.split(" ERROR ", 1)[-1]
    kind = DivergedError if code == DivergedError.exit_code else DnasptError
    raise kind(f"{job.name}: 'dnaspt {instruction.action}' ended with {code}: {told} (see {log})")
