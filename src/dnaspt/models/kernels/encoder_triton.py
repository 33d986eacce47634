"""Triton kernels of `encoder_gpu`: dilated convolutions, and what a layer does to rows around them, forward and backward.

Activations are rows (R, D), the sequences of a batch one after another with rows of zeros between them, so that a convolution is
a sum of matrix products of shifted rows (an implicit matrix product, as in cuDNN: Chetlur et al. 2014) and no tap needs a mask.
All kernels begin at row FIRST = the reach of the convolution; `inside` (R) says which rows belong to a sequence.
"""

import triton
from triton import language as tl


@triton.jit(do_not_specialize=["dilation"])
def convolve(
    x, weight, bias, out, dilation, first,
    DEPTH: tl.constexpr, TAPS: tl.constexpr, ADD: tl.constexpr,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, INNER: tl.constexpr,
):  # fmt: skip
    """Write out = bias + convolution of x or, without a bias, add the convolution to out.

    Args:
        x: (R, D), half precision.
        weight: (TAPS, in, out), half precision.
        bias: (D,); None where ADD.
        out: (R, D), of any precision.
        dilation: rows from one tap to the next.
        first: the first row that is computed.
        DEPTH: D.
        TAPS: taps of the convolution.
        ADD: whether to add to out.
        ROWS: rows of a program.
        COLUMNS: columns of a program.
        INNER: columns of x that are multiplied at once.
    """
    # Programs that share rows run one after another, so that their rows stay in the second-level cache.
    n_columns: tl.constexpr = DEPTH // COLUMNS
    program = tl.program_id(0)
    rows = first + (program // n_columns) * ROWS + tl.arange(0, ROWS)
    columns = (program % n_columns) * COLUMNS + tl.arange(0, COLUMNS)
    inner = tl.arange(0, INNER)
    total = tl.zeros((ROWS, COLUMNS), tl.float32)
    steps: tl.constexpr = DEPTH // INNER
    left = x + rows.to(tl.int64)[:, None] * DEPTH + inner[None, :]
    right = weight + inner[:, None] * DEPTH + columns[None, :]
    for i in range(TAPS * steps):
        shift = (i // steps - TAPS // 2) * dilation * DEPTH + (i % steps) * INNER
        total = tl.dot(tl.load(left + shift), tl.load(right + i * INNER * DEPTH), total, input_precision="ieee")
    target = out + rows.to(tl.int64)[:, None] * DEPTH + columns[None, :]
    if ADD:
        total += tl.load(target)
    else:
        total += tl.load(bias + columns)[None, :]
    tl.store(target, total.to(out.dtype.element_ty))


@triton.jit(do_not_specialize=["dilation", "n_blocks"])
def weight_gradient(
    inner, x, sums, dilation, first, n_blocks,
    DEPTH: tl.constexpr, TAPS: tl.constexpr, ROWS: tl.constexpr, SIDE: tl.constexpr,
):  # fmt: skip
    """Write products of x and of the gradient of its convolution, summed over rows.

    Each of the parts, `program_id(1)`, takes its share of the blocks of rows.

    Args:
        inner: gradient of the convolution (R, D), half precision.
        x: (R, D), half precision.
        sums: gets the sums, (parts, TAPS, in, out) float32.
        dilation: rows from one tap to the next.
        first: the first row that is read.
        n_blocks: blocks of rows.
        DEPTH: D.
        TAPS: taps of the convolution.
        ROWS: rows of a block.
        SIDE: rows and columns of the sums that a program makes.
    """
    n_sides: tl.constexpr = DEPTH // SIDE
    program = tl.program_id(0)
    tap = program // (n_sides * n_sides)
    columns_in = (program // n_sides % n_sides) * SIDE + tl.arange(0, SIDE)
    columns_out = (program % n_sides) * SIDE + tl.arange(0, SIDE)
    total = tl.zeros((SIDE, SIDE), tl.float32)
    share = tl.cdiv(n_blocks, tl.num_programs(1))
    begin = tl.program_id(1) * share
    rows = (first + begin * ROWS + tl.arange(0, ROWS)).to(tl.int64)
    left = x + (rows + (tap - TAPS // 2) * dilation)[:, None] * DEPTH + columns_in[None, :]
    right = inner + rows[:, None] * DEPTH + columns_out[None, :]
    for _ in range(tl.minimum(share, n_blocks - begin)):
        total = tl.dot(tl.trans(tl.load(left)), tl.load(right), total, input_precision="ieee")
        left += ROWS * DEPTH
        right += ROWS * DEPTH
    square = sums + (tl.program_id(1) * TAPS + tap).to(tl.int64) * DEPTH * DEPTH
    tl.store(square + columns_in[:, None] * DEPTH + columns_out[None, :], total)


@triton.jit
def _cumulative(x):
    """Cumulative probability of the standard normal distribution."""
    return 0.5 + 0.5 * tl.erf(x * 0.7071067811865476)


@triton.jit
def _center(active, DEPTH: tl.constexpr, EPSILON: tl.constexpr):
    """Rows (ROWS, D) less their mean, and the inverse of their standard deviation (ROWS, 1)."""
    active -= tl.sum(active, 1, keep_dims=True) / DEPTH
    return active, tl.rsqrt(tl.sum(active * active, 1, keep_dims=True) / DEPTH + EPSILON)


@triton.jit
def residual_norm(
    x, before, weight, shift, inside, y, y_half, first,
    DEPTH: tl.constexpr, ROWS: tl.constexpr, EPSILON: tl.constexpr,
):  # fmt: skip
    """Write y = x + LN(GELU(before)), zero outside: float32, and in half precision for the next product.

    Args:
        x: (R, D) float32.
        before: (R, D), of any precision.
        weight: (D,), weight of the norm.
        shift: (D,), its bias.
        inside: (R,), not 0 in rows of a sequence.
        y: gets the rows, (R, D) float32.
        y_half: gets the rows, (R, D), half precision.
        first: the first row that is computed.
        DEPTH: D.
        ROWS: rows of a program.
        EPSILON: what is added to the variance.
    """
    rows = first + tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    columns = tl.arange(0, DEPTH)
    at = rows.to(tl.int64)[:, None] * DEPTH + columns[None, :]
    source = tl.load(before + at).to(tl.float32)
    centered, scale = _center(source * _cumulative(source), DEPTH, EPSILON)
    result = centered * scale * tl.load(weight + columns)[None, :] + tl.load(shift + columns)[None, :]
    result = tl.where(tl.load(inside + rows)[:, None] != 0, tl.load(x + at) + result, 0.0)
    tl.store(y + at, result)
    tl.store(y_half + at, result.to(y_half.dtype.element_ty))


@triton.jit(do_not_specialize=["n_blocks"])
def residual_norm_backward(
    before, given, weight, inside, inner, sums, first, n_blocks,
    DEPTH: tl.constexpr, ROWS: tl.constexpr, EPSILON: tl.constexpr,
):  # fmt: skip
    """From the gradient of y = x + LN(GELU(before)), that of before into `inner`, zero outside.

    Args:
        before: (R, D), of any precision.
        given: gradient of y (R, D) float32.
        weight: (D,), weight of the norm.
        inside: (R,), not 0 in rows of a sequence.
        inner: gets the gradient of before, (R, D), half precision.
        sums: (programs, 3, D) float32, gets the gradients of the bias that led to before, and of the norm's weight and shift.
        first: the first row that is computed.
        n_blocks: blocks of rows.
        DEPTH: D.
        ROWS: rows of a block.
        EPSILON: what is added to the variance.
    """
    columns = tl.arange(0, DEPTH)
    factor = tl.load(weight + columns)[None, :]
    bias_sum = tl.zeros((ROWS, DEPTH), tl.float32)
    weight_sum = tl.zeros((ROWS, DEPTH), tl.float32)
    shift_sum = tl.zeros((ROWS, DEPTH), tl.float32)
    for block in range(tl.program_id(0), n_blocks, tl.num_programs(0)):
        rows = first + block * ROWS + tl.arange(0, ROWS)
        at = rows.to(tl.int64)[:, None] * DEPTH + columns[None, :]
        source = tl.load(before + at).to(tl.float32)
        share = _cumulative(source)
        slope = share + source * tl.exp(-0.5 * source * source) * 0.3989422804014327
        centered, scale = _center(source * share, DEPTH, EPSILON)
        normal = centered * scale
        upstream = tl.where(tl.load(inside + rows)[:, None] != 0, tl.load(given + at), 0.0)
        pulled = upstream * factor
        mean = tl.sum(pulled, 1, keep_dims=True) / DEPTH
        along = tl.sum(pulled * normal, 1, keep_dims=True) / DEPTH
        result = scale * (pulled - mean - normal * along) * slope
        tl.store(inner + at, result.to(inner.dtype.element_ty))
        bias_sum += result
        weight_sum += upstream * normal
        shift_sum += upstream
    target = sums + tl.program_id(0) * 3 * DEPTH + columns
    tl.store(target, tl.sum(bias_sum, 0))
    tl.store(target + DEPTH, tl.sum(weight_sum, 0))
    tl.store(target + 2 * DEPTH, tl.sum(shift_sum, 0))
