"""One window of a dataset: the row that sources are turned into and that batches are made of."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Window:
    """One row: codes (L,) uint8 of a stretch of a contig, and its labels.

    labels is (L,) int8 for per-base classes, (K,) int8 of 0 / 1 for one label set per window, -100 where missing;
    empty for sequence that is there for pretraining only. On strand "-" both read 5' to 3' on that strand.
    """

    chrom: str
    start: int
    end: int
    strand: str
    codes: np.ndarray
    labels: np.ndarray
