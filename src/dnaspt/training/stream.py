"""Batches in the order of a run; a thread assembles those of the next step while the model works on this one's."""

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count
from typing import NamedTuple

from dnaspt.data.batches import ArrayBatch, TrainingBatches


class NumberedBatch(NamedTuple):
    """A batch and its place in the run: its epoch, and its number within the epoch, both from 0."""

    epoch: int
    number: int
    batch: ArrayBatch


class Stream:
    """Endless batches, epoch after epoch. Use it in a `with` block, which ends its thread.

    Args:
        batches: the batches of an epoch.
        epoch: epoch to begin with.
        cursor: number of the first batch within that epoch.
        n: batches of a step.

    Attributes:
        waited_s: seconds that `take` has waited for batches.
    """

    def __init__(self, batches: TrainingBatches, epoch: int, cursor: int, n: int = 1) -> None:
        self.waited_s = 0.0
        self._batches = _endless(batches, epoch, cursor)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="batches")
        self._next = [self._submit() for _ in range(n)]

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def take(self) -> list[NumberedBatch]:
        """The batches of the next step."""
        began = time.monotonic()
        taken = [batch.result() for batch in self._next]
        self._next = [self._submit() for _ in taken]
        self.waited_s += time.monotonic() - began
        return taken

    def _submit(self) -> "Future[NumberedBatch]":
        return self._pool.submit(next, self._batches)


def _endless(batches: TrainingBatches, epoch: int, cursor: int) -> Iterator[NumberedBatch]:
    for current in count(epoch):
        first = cursor if current == epoch else 0
        for number, batch in enumerate(batches.batches(current, first), start=first):
            yield NumberedBatch(current, number, batch)
