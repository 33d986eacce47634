"""Potentials that two walks share."""

from threading import Event, Thread

import numpy as np
import pytest

from dnaspt.models.shared_potentials import KEPT_TILES, SharedPotentials


class Counted:
    """Potentials that count how often each interval was computed."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, int]] = []

    def __call__(self, start: int, stop: int) -> np.ndarray:
        self.calls.append((start, stop))
        return np.full((stop - start, 29), start, np.float32)


def test_each_tile_is_computed_once_for_two_walks() -> None:
    counted = Counted()
    shared = SharedPotentials(counted)
    first = [shared(start, start + 10) for start in range(0, 50, 10)]
    second = [shared(start, start + 10) for start in range(0, 50, 10)]
    assert len(counted.calls) == 5
    assert all(one is other for one, other in zip(first, second, strict=True))
    shared(0, 10)  # a third walk computes them again
    assert len(counted.calls) == 6


def test_a_walk_that_is_far_behind_computes_tiles_itself() -> None:
    counted = Counted()
    shared = SharedPotentials(counted)
    n = KEPT_TILES + 3
    rows = [[shared(start, start + 1)[0, 0] for start in range(n)] for _ in range(2)]
    assert rows[0] == rows[1] == list(range(n))
    assert KEPT_TILES + 3 < len(counted.calls) <= 2 * n


def test_the_walk_that_comes_second_waits_and_gets_the_same_error() -> None:
    begun, go_on = Event(), Event()

    def failing(start: int, stop: int) -> np.ndarray:
        begun.set()
        go_on.wait(10)
        raise ValueError("not finite")

    shared = SharedPotentials(failing)
    errors: list[str] = []

    def ask() -> None:
        with pytest.raises(ValueError, match="not finite") as raised:
            shared(0, 5)
        errors.append(str(raised.value))

    threads = [Thread(target=ask) for _ in range(2)]
    threads[0].start()
    assert begun.wait(10)
    threads[1].start()
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert errors == ["not finite"] * 2
