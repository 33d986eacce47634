"""bigWig tracks to numbers of windows: the mean or the sum over the middle of a window.

What a track says about bases that it leaves out is not guessed: in coverage they are 0, elsewhere they were not measured.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from dnaspt.errors import ConfigError, InputError
from dnaspt.genome.bigwig import bigwig_contigs, is_bigwig, read_bigwig

Gaps = Literal["zero", "missing"]
_LEAST_SHARE = 0.5
"""Share of the bases of an interval that must have a value, where those without one are missing."""


class _Runs(NamedTuple):
    """Values of one contig: n intervals with one value each, ascending and disjoint; single precision, since tracks are large."""

    starts: np.ndarray
    ends: np.ndarray
    values: np.ndarray


class SignalTrack:
    """One bigWig, in memory: 12 bytes for each interval with a value.

    Attributes:
        path: the file.

    Raises:
        InputError: no bigWig, a broken one, or one with a number that is not finite.
    """

    def __init__(self, path: Path) -> None:
        if not is_bigwig(path):
            raise InputError(path, "is no bigWig", expected="a track of signal such as coverage.bw")
        self.path = path
        self._runs: dict[str, _Runs] = {}
        for contig, (intervals, values) in read_bigwig(path):
            known = ~np.isnan(values)
            if np.isinf(values).any():
                raise InputError(path, f"an infinite value on {contig}", expected="finite numbers")
            starts, ends = intervals[known].T.astype(np.int32)
            self._runs[contig] = _Runs(starts, ends, values[known].astype(np.float32))
        self._lengths = bigwig_contigs(path)

    def check_length(self, contig: str, length_bp: int) -> None:
        """Refuse a track in which a contig has another length than in the genome.

        Raises:
            InputError: names the contig.
        """
        runs = self._runs.get(contig)
        last_bp = int(runs.ends[-1]) if runs is not None and len(runs.ends) else 0
        listed_bp = self._lengths.get(contig, length_bp)
        if listed_bp != length_bp or last_bp > length_bp:
            found = f"{contig} has {max(listed_bp, last_bp):,} bp"
            do = "was it made for another genome?"
            raise InputError(self.path, found, expected=f"{length_bp:,}, as in the genome", do=do)

    @property
    def n_by_contig(self) -> Mapping[str, range]:
        """Intervals with a value on each contig."""
        return {contig: range(len(runs.starts)) for contig, runs in self._runs.items()}

    def totals(self, contig: str, intervals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Sum of the values over the bases of each interval, and how many of its bases have one: (n, 2) -> (n,) and (n,)."""
        runs = self._runs.get(contig)
        if runs is None or not len(runs.starts):
            return np.zeros(len(intervals)), np.zeros(len(intervals), dtype=np.int64)
        lengths = runs.ends.astype(np.int64) - runs.starts
        values = runs.values.astype(np.float64)
        n_before, sum_before = (np.append(0, np.cumsum(own)) for own in (lengths, lengths * values))

        def before(positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            """Sum, and number of bases with a value, left of each position."""
            index = np.searchsorted(runs.starts, positions, side="right")
            last_end, last_value = np.append(0, runs.ends)[index], np.append(0, values)[index]
            beyond = np.maximum(last_end - positions, 0)
            return sum_before[index] - beyond * last_value, n_before[index] - beyond

        (sum_left, n_left), (sum_right, n_right) = before(intervals[:, 0]), before(intervals[:, 1])
        n_known = n_right - n_left
        # The difference of two long sums has rounding errors: it must not leave the range of n values of this contig.
        return np.clip(sum_right - sum_left, n_known * values.min(), n_known * values.max()), n_known


class SignalLabels:
    """Several tracks as the numbers of windows.

    Args:
        tracks: the tracks, in the order of the labels.
        summary: mean or sum over the middle of a window.
        log: whether the logarithm of 1 + that is taken.
        gaps: what bases without a value are: zero, or missing; None where nobody said.

    Attributes:
        n_missing: numbers that are missing: of intervals of which less than half have a value.
    """

    def __init__(
        self, tracks: Sequence[SignalTrack], summary: Literal["mean", "sum"], gaps: Gaps | None, *, log: bool
    ) -> None:
        self.tracks = tracks
        self.n_missing = 0
        self._summary, self._gaps, self._log = summary, gaps, log

    def of(self, contig: str, cores: np.ndarray) -> np.ndarray:
        """Numbers (n, K) float32 of the middles of windows (n, 2), nan where missing.

        Raises:
            ConfigError: bases without a value, and nobody said what they are; or values below 0 of which a logarithm is wanted.
        """
        return np.stack([self._of_track(track, contig, cores) for track in self.tracks], axis=1).astype(np.float32)

    def _of_track(self, track: SignalTrack, contig: str, cores: np.ndarray) -> np.ndarray:
        """Numbers (n,) of one track."""
        sums, n_known = track.totals(contig, cores)
        n_bp = cores[:, 1] - cores[:, 0]
        if self._gaps is None and (n_known < n_bp).any():
            first = int(np.flatnonzero(n_known < n_bp)[0])
            where = f"{contig}:{cores[first, 0]}-{cores[first, 1]}"
            raise ConfigError(
                f"{track.path}: {n_bp[first] - n_known[first]} bases of {where} have no value; say signal_gaps: zero if the "
                "track leaves out zeros, as coverage does, or missing if they were not measured"
            )
        known = n_known >= _LEAST_SHARE * n_bp if self._gaps == "missing" else np.ones(len(cores), dtype=bool)
        self.n_missing += int((~known).sum())
        counted = np.maximum(n_known, 1) if self._gaps == "missing" else n_bp
        values = sums / counted * (n_bp if self._summary == "sum" else 1)
        if self._log:
            if (values[known] < 0).any():
                raise ConfigError(
                    f"{track.path}: has values below 0 on {contig}, of which no logarithm is taken; say signal_log = false"
                )
            values = np.log1p(np.maximum(values, 0))
        return np.where(known, values, np.nan)
