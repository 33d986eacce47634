"""Threads of kernels take subnormal numbers as the thread that called them does."""

import os

import torch

from dnaspt.models.kernels.threads import inherit_flush_to_zero, subnormals_as_zero, thread_pool


def test_threads_take_subnormal_numbers_for_zero_while_training() -> None:
    def halved() -> bool:
        return bool(torch.tensor(2e-38) * 0.25 > 0)

    def halved_there() -> bool:
        return thread_pool(os.getpid(), 2).submit(inherit_flush_to_zero(halved)).result()

    assert halved() and halved_there()
    with subnormals_as_zero():
        assert not halved() and not halved_there()
        with subnormals_as_zero():
            pass
        assert not halved() and not halved_there()
    assert halved() and halved_there()
