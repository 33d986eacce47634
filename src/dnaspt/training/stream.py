"""Batches in the order of a run, those of the next step assembled while the model works on the one before."""

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count

from dnaspt.data.batches import ArrayBatch, TrainingBatches

Placed = tuple[int, int, ArrayBatch]
"""Epoch, number within it, and the batch."""


class Stream:
    """Endless batches from (epoch, cursor) on, n for each step; use it as a context manager, which ends its thread.

    Attributes:
        waited_s: time that `take` spent waiting for batches.
    """

    def __init__(self, batches: TrainingBatches, epoch: int, cursor: int, n: int = 1) -> None:
        self.waited_s = 0.0
        self._batches = _endless(batches, epoch, cursor)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="batches")
        self._coming = [self._submit() for _ in range(n)]

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def take(self) -> list[Placed]:
        """The batches of the next step."""
        began = time.monotonic()
        taken = [coming.result() for coming in self._coming]
        self._coming = [self._submit() for _ in taken]
        self.waited_s += time.monotonic() - began
        return taken

    def _submit(self) -> "Future[Placed]":
        return self._pool.submit(next, self._batches)


def _endless(batches: TrainingBatches, epoch: int, cursor: int) -> Iterator[Placed]:
    for number in count(epoch):
        first = cursor if number == epoch else 0
        for place, batch in enumerate(batches.batches(number, first), start=first):
            yield number, place, batch
