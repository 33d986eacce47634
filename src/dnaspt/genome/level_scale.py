"""Whether the methylation levels of a file are percent or shares from 0 to 1: decided from all of its rows, never from one."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dnaspt.errors import InputError
from dnaspt.genome.bigwig import Signal
from dnaspt.genome.columns import row_error

if TYPE_CHECKING:  # takes half a second to import, so it is imported where it is used
    import pandas as pd

PERCENT, SHARES = 100.0, 1.0
ROUNDING = 1e-5
"""A level may pass 1, or 100 %, by this share of it: 1.0000002 is 1, rounded."""
_TOLERANCE = {PERCENT: 1 + 1e-6, SHARES: 0.01 + 1e-6}
"""How far a level may lie from that of the counts in its row: whole percent, and shares of two digits, may be rounded down."""
_HALF_A_READ = 50
"""Percent times reads below which a level, if it were percent, would be less than half a read."""
_MANY, _MANY_SHARE = 10, 0.01
"""So many levels below 1 % and half a read, and such a share of all that are not 0, make a doubt in a file of percent: some
programs correct their levels, so that a few may be that low."""


class LevelScale:
    """The evidence of the rows of a text file, whose levels should be percent.

    Attributes:
        doubts: what to say about the decision, once it is made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.doubts: tuple[str, ...] = ()
        self._n_above_one = self._n_up_to_one = self._n_below_a_read = 0
        self._n_off = {PERCENT: 0, SHARES: 0}
        self._first_off: dict[float, InputError] = {}
        self._first_above_one: InputError | None = None
        self._n_like_shares = 0
        self._first_like_share = ""

    def add(self, frame: "pd.DataFrame", coverage: np.ndarray) -> None:
        """Take in rows of levels (column `percent`) and their reads (n,), 1 or more."""
        percent = frame["percent"].to_numpy()
        above = percent > 1 + ROUNDING
        up_to_one = (percent > 0) & ~above
        self._n_above_one += int(above.sum())
        self._n_up_to_one += int(up_to_one.sum())
        is_below_a_read = up_to_one & (percent * coverage < _HALF_A_READ)
        self._n_below_a_read += int(is_below_a_read.sum())
        like_shares = is_below_a_read & (percent < 1)
        self._n_like_shares += int(like_shares.sum())
        if like_shares.any() and not self._first_like_share:
            row = int(np.argmax(like_shares))
            line = int(frame["line"].iloc[row])
            self._first_like_share = f"line {line}: {percent[row]:g} of {coverage[row]} reads"
        if above.any() and self._first_above_one is None:
            row = int(np.argmax(above))
            expected = "shares from 0 to 1, as most levels of the file are, or percent in all rows"
            self._first_above_one = row_error(self.path, frame, row, f"level {percent[row]:g}", expected=expected)

    def compare(self, frame: "pd.DataFrame", methylated: np.ndarray, coverage: np.ndarray) -> None:
        """Take in rows of levels whose counts are known.

        Args:
            frame: n rows of `read_columns`, with a column `percent`.
            methylated: methylated reads (n,).
            coverage: all reads (n,), 1 or more.
        """
        percent, share = frame["percent"].to_numpy(), methylated / coverage
        for scale, tolerance in _TOLERANCE.items():
            off = np.abs(percent - scale * share) > tolerance
            self._n_off[scale] += int(off.sum())
            if off.any() and scale not in self._first_off:
                row = int(np.argmax(off))
                found = f"level {percent[row]:g} where {methylated[row]} of {coverage[row]} reads are methylated"
                is_swapped = abs(percent[row] - scale * (1 - share[row])) <= tolerance
                do = "are the columns of methylated and unmethylated reads swapped?" if is_swapped else ""
                expected = f"about {scale * share[row]:.4g}"
                self._first_off[scale] = row_error(self.path, frame, row, found, expected=expected, do=do)

    def decide(self) -> float:
        """`PERCENT` or `SHARES`.

        Raises:
            InputError: a row contradicts its counts, or the other rows. The error names the first.
        """
        if all(self._n_off.values()):
            raise self._first_off[min(self._n_off, key=self._n_off.__getitem__)]
        if self._first_above_one and self._n_below_a_read > self._n_above_one:
            raise self._first_above_one
        if self._n_off[PERCENT] or (self._n_below_a_read and not self._n_above_one):
            self.doubts = ("levels are shares from 0 to 1, not percent, and were read as shares",)
            return SHARES
        if self._n_up_to_one and not self._n_above_one:
            self.doubts = ("no level is above 1; they were read as percent: if they are shares, multiply them by 100",)
        n_levels = self._n_above_one + self._n_up_to_one
        if self._first_above_one and self._n_like_shares >= max(_MANY, _MANY_SHARE * n_levels):
            self.doubts = (
                f"{self._n_like_shares:,} of {n_levels:,} levels look like shares ({self._first_like_share}), and were read as "
                "percent like the others: was it joined of files of both?",
            )
        return PERCENT


def scale_of_signals(path: Path, levels: Mapping[str, Signal]) -> float:
    """`PERCENT` or `SHARES`: the scale of the levels of all contigs of a bigWig, NaN and negative values left aside.

    Raises:
        InputError: most levels are shares, and some are above 1. The error names the first.
    """
    n_above = n_up_to_one = 0
    first = ""
    for contig, signal in levels.items():
        with np.errstate(invalid="ignore"):
            above = signal.values > 1 + ROUNDING
            n_up_to_one += int(((signal.values > 0) & ~above).sum())
        n_above += int(above.sum())
        if above.any() and not first:
            row = int(np.argmax(above))
            (start, end), value = signal.intervals[row], signal.values[row]
            first = f"{contig}:{start}-{end} has {value:g}"
    if not n_above:
        return SHARES
    if n_above <= n_up_to_one:
        found = f"{first}, where {n_up_to_one:,} of {n_above + n_up_to_one:,} levels are shares up to 1"
        raise InputError(path, found, expected="shares from 0 to 1 in all of the file, or percent")
    return PERCENT
