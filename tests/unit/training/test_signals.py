"""A signal that asks a run to stop, and the same one passed on by the study above it."""

import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from dnaspt.training import signals
from dnaspt.training.signals import StopSignals, default_signals


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


def test_in_a_block_with_default_signals_they_end_the_process() -> None:
    """Also where it waits in code that is not Python's, which would run no handler of ours."""
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with default_signals():
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == [signal.SIG_DFL] * 2
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: default_signals().__enter__()).result()  # outside of the main thread nothing is changed
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
