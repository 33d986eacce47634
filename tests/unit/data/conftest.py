"""Splits of random bases."""

from collections.abc import Callable

import numpy as np
import pytest

from dnaspt.data.dataset import Split

MakeSplit = Callable[..., Split]


@pytest.fixture(scope="session")
def make_split() -> MakeSplit:
    """A function: windows with labels per base, or n_labels per window, that follow each other on a contig or not."""

    def make(lengths: list[int], *, contiguous: bool = True, n_labels: int = 0, seed: int = 0) -> Split:
        rng = np.random.default_rng(seed)
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        start = offsets[:-1] if contiguous else offsets[:-1] + 7 * np.arange(len(lengths))
        labels = rng.integers(0, 2, len(lengths) * n_labels) if n_labels else rng.integers(0, 9, offsets[-1])
        return Split(
            chrom=np.array(["chr1"] * len(lengths), dtype=object),
            start=start,
            end=start + lengths,
            strand=np.array(["+"] * len(lengths), dtype=object),
            codes=rng.integers(0, 4, offsets[-1]).astype(np.uint8),
            offsets=offsets,
            labels=labels.astype(np.int8),
            label_offsets=np.arange(len(lengths) + 1) * n_labels if n_labels else offsets,
            per_base=not n_labels,
        )

    return make
