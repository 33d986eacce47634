"""Threads treat subnormal numbers as the thread that asks them to work does."""

import os

import torch

from dnaspt.models.kernels.threads import as_here, subnormals_as_zero, threads_of


def test_threads_take_subnormal_numbers_for_zero_while_training() -> None:
    def halved() -> bool:
        return bool(torch.tensor(2e-38) * 0.25 > 0)

    def halved_there() -> bool:
        return threads_of(os.getpid(), 2).submit(as_here(halved)).result()

    assert halved() and halved_there()
    with subnormals_as_zero():
        assert not halved() and not halved_there()
        with subnormals_as_zero():
            pass
        assert not halved() and not halved_there()
    assert halved() and halved_there()
