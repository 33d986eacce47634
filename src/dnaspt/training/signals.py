"""Signals that ask a run to stop: Ctrl-C, and SIGTERM, which SLURM sends before it requeues a job."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_SAME_S = 1.0
"""Signals within this many seconds count as one: a run and its study may each pass on the same signal."""


class StopSignals:
    """A block in which Ctrl-C and SIGTERM ask for a clean stop; a second signal, later, ends the process at once.

    Outside of the main thread Python delivers no signals, and nothing is changed.

    Attributes:
        received: name of the signal that came, such as "SIGTERM"; "" where none came.
    """

    def __init__(self) -> None:
        self.received = ""
        self._received_at = 0.0
        self._handlers_before: dict[int, Any] = {}

    def __enter__(self) -> "StopSignals":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._handlers_before[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._handlers_before.items():
            signal.signal(number, handler)

    def _receive(self, number: int, _: FrameType | None) -> None:
        if self.received and time.monotonic() - self._received_at > _SAME_S:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        elif not self.received:
            self.received, self._received_at = signal.Signals(number).name, time.monotonic()


@contextmanager
def default_signals() -> Iterator[None]:
    """A block in which Ctrl-C and SIGTERM end the process at once, also where it waits in code that is not Python's."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_DFL) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
