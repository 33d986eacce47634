"""Signals that ask a run to stop."""

import signal
import threading
import time
from types import FrameType
from typing import Any

_SAME_S = 1.0
"""Signals so close together are one: a job and the study above it may each pass it on."""


class StopSignals:
    """While open, Ctrl-C and SIGTERM (SLURM's requeue) ask for a clean stop; a second one, later, ends at once."""

    def __init__(self) -> None:
        self.received = ""
        self._at = 0.0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "StopSignals":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _receive(self, number: int, _: FrameType | None) -> None:
        if self.received and time.monotonic() - self._at > _SAME_S:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        elif not self.received:
            self.received, self._at = signal.Signals(number).name, time.monotonic()
