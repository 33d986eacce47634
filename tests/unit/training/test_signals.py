"""A signal that asks a run to stop, and the same one passed on by the study above it."""

import signal
import time

import pytest

from dnaspt.training import signals
from dnaspt.training.signals import StopSignals


def test_a_signal_and_the_same_passed_on_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A later one ends the process at once, as without us."""
    ended: list[int] = []
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with StopSignals() as stop:
        signal.raise_signal(signal.SIGINT)
        now[0] += signals._SAME_S / 2
        signal.raise_signal(signal.SIGTERM)
        assert stop.received == "SIGINT"
        monkeypatch.setattr(signal, "raise_signal", ended.append)
        now[0] += signals._SAME_S
        stop._receive(signal.SIGTERM, None)
        assert ended == [signal.SIGTERM] and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
