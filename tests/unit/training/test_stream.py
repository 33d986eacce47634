"""Batches of a run, assembled ahead: the same ones in the same order, and faults reach the caller."""

from pathlib import Path

import numpy as np
import pytest

from dnaspt.data.batches import BatchOptions, TrainingBatches
from dnaspt.data.dataset import read_split
from dnaspt.training.stream import Stream


@pytest.fixture
def batches(gene_data: Path) -> TrainingBatches:
    return TrainingBatches([read_split(gene_data, "train")], 1024, BatchOptions(batch_bp=8192, seed=0))


@pytest.mark.parametrize("n", [1, 3])
def test_steps_take_the_batches_in_order_from_any_place(batches: TrainingBatches, n: int) -> None:
    per_epoch = len(batches.plan(0))
    with Stream(batches, 0, 2, n) as stream:
        taken = [placed for _ in range(per_epoch) for placed in stream.take()]
    assert [(epoch, number) for epoch, number, _ in taken[: per_epoch - 2]] == [(0, i) for i in range(2, per_epoch)]
    assert taken[per_epoch - 2][:2] == (1, 0)
    for epoch, number, batch in taken[:: max(1, len(taken) // 5)]:
        np.testing.assert_array_equal(batch.tokens, next(batches.batches(epoch, number)).tokens)


def test_a_fault_while_assembling_reaches_the_step(batches: TrainingBatches, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("no memory for a batch")

    monkeypatch.setattr(batches, "_assemble", broken)
    with Stream(batches, 0, 0) as stream, pytest.raises(RuntimeError, match="no memory for a batch"):
        stream.take()
