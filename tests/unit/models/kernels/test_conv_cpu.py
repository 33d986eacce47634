"""Convolutions of a block of rows, and the gradient of their weights, against PyTorch's in float64."""

import numpy as np
import pytest
import torch

from dnaspt.models.kernels.conv_cpu import (
    add_convolution,
    add_weight_gradient,
    block_rows,
    gradient_shape,
    pack,
    taps_within,
    unpack_gradient,
    work_floats,
)

DEPTH = 16


@pytest.mark.parametrize("dilation", [1, 3, 32])
@pytest.mark.parametrize("n_taps", [1, 5, 9])
def test_a_block_equals_pytorchs_convolution(n_taps: int, dilation: int) -> None:
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(DEPTH, DEPTH, n_taps, generator=generator)
    n_rows, reach = block_rows(n_taps, dilation, 1000), n_taps // 2 * dilation
    assert n_rows % 8 == 0
    rows = torch.randn(n_rows + 2 * reach, DEPTH, generator=generator).numpy()
    given = torch.randn(n_rows, DEPTH, generator=generator).numpy()
    block, work = rows.ctypes.data + rows[:reach].nbytes, np.zeros(work_floats(n_rows, DEPTH), np.float32)
    out = np.ones((n_rows, DEPTH), np.float32)
    add_convolution(out.ctypes.data, block, pack(weight), dilation, n_rows, DEPTH, work)
    sums = np.zeros(gradient_shape(n_taps, DEPTH), np.float32)
    add_weight_gradient(sums, given.ctypes.data, block, dilation, n_rows, work)
    exact = weight.double().requires_grad_()
    expected = torch.conv1d(torch.from_numpy(rows).double().T[None], exact, dilation=dilation)[0].T
    (gradient,) = torch.autograd.grad((expected * torch.from_numpy(given)).sum(), exact)
    truth = expected.detach()
    assert np.abs(out - 1 - truth.numpy()).max() < 1e-5 * float(truth.abs().max())
    found = unpack_gradient(torch.from_numpy(sums))
    assert float((found - gradient).abs().max()) < 1e-5 * float(gradient.abs().max())


def test_taps_that_no_position_can_read_are_left_out() -> None:
    assert [taps_within(9, dilation, 41, half=True) for dilation in (1, 8, 16, 32, 64)] == [9, 9, 5, 3, 1]
    assert [taps_within(9, dilation, 41, half=False) for dilation in (1, 64)] == [9, 9]
    assert [taps_within(5, dilation, 41, half=False) for dilation in (1, 30, 64)] == [5, 3, 1]
    assert taps_within(9, 32, 1, half=True) == 1 and taps_within(9, 512, 10_000, half=True) == 9
