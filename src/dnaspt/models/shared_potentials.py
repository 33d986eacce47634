"""Potentials that two walks over one sequence share: the best path and the sums ask for the same tiles, side by side."""

from concurrent.futures import Future
from threading import Lock

import numpy as np

from dnaspt.models.kernels.semi_markov import Potentials

KEPT_TILES = 32
"""Tiles kept for the walk that is behind; one that is farther behind computes them itself."""


class SharedPotentials:
    """Potentials of a sequence, of which each tile is computed by the walk that comes first, and handed to the other one.

    Args:
        potentials: what computes them.
    """

    def __init__(self, potentials: Potentials) -> None:
        self._potentials = potentials
        self._lock = Lock()
        self._waiting: dict[tuple[int, int], Future[np.ndarray]] = {}

    def __call__(self, start: int, stop: int) -> np.ndarray:
        """Potentials (stop - start, 29) of these bases, not to be written to."""
        with self._lock:
            computed = self._waiting.pop((start, stop), None)
            if computed is None:
                own = self._waiting[start, stop] = Future[np.ndarray]()
                if len(self._waiting) > KEPT_TILES:
                    del self._waiting[next(iter(self._waiting))]
        if computed is not None:
            return computed.result()
        try:
            own.set_result(self._potentials(start, stop))
        except BaseException as error:
            own.set_exception(error)
            raise
        return own.result()
