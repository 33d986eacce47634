"""Windows by split to a report of what the splits share: positions, whole sequences, or much of their k-mers.

Both strands are one; intervals are 0-based half-open. Within a split nothing is compared: windows there may overlap.
"""

import hashlib
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from dnaspt.data.kmers import HASHES, K, sampled_kmers
from dnaspt.data.shared_windows import SplitSketch, exact_copies, near_copies, overlapping
from dnaspt.data.window import Window
from dnaspt.errors import DatasetError
from dnaspt.genome import alphabet

PAIRS = (("train", "valid"), ("train", "test"), ("valid", "test"), ("unlabeled", "valid"), ("unlabeled", "test"))
"""Splits that must not share sequence; the second is the one that would look too good."""
MIN_CONTAINMENT = 0.25
"""Shared fraction of the smaller window's k-mers: a copy with 5 % substitutions keeps 0.95**16 = 0.44 of them."""

Place = tuple[str, int]
"""Contig and position of a window's first base in its genome."""
_START_SCALE = 4
_MAX_KMERS = 1 << 25
_BATCH_BP = 1 << 20
_MIN_KMERS = 6
_LOW_COMPLEXITY = 8
_N_EXAMPLES = 10
_N_EXAMPLES_OF_A_KIND = 2


@dataclass(frozen=True, slots=True)
class SharedWindows:
    """How many of the `n_windows` windows of split `second` share something with split `first`.

    A window counts once, under the first kind that applies: it overlaps by position (None where positions of two splits
    cannot be compared), it is an exact copy (or the reverse complement of one), or it is a near copy.
    """

    first: str
    second: str
    n_windows: int
    overlapping: int | None
    exact: int
    near: int

    @property
    def n_shared(self) -> int:
        """Windows of `second` that share anything."""
        return (self.overlapping or 0) + self.exact + self.near


@dataclass(frozen=True, slots=True)
class LeakageReport:
    """What splits share.

    Attributes:
        pairs: counts for every pair of splits that hold windows.
        examples: a few lines such as "chr1:100-612 (test) ~ chr7:5000-5512 (train), containment 0.83".
        n_not_compared: windows whose k-mers say nothing: mostly N, or of low complexity.
        scale: one in `scale` k-mers was looked at; it grows with the data, so that memory does not.
        min_containment: the bound of a near copy.
    """

    pairs: tuple[SharedWindows, ...]
    examples: tuple[str, ...]
    n_not_compared: int
    scale: int
    min_containment: float

    @property
    def found(self) -> bool:
        """Whether any pair of splits shares anything."""
        return any(pair.n_shared for pair in self.pairs)

    def as_dict(self) -> dict[str, Any]:
        """For the manifest's `leakage` field: JSON-able, counts under "train-test" and so on."""
        names = ("n_windows", "overlapping", "exact", "near")
        counts = {f"{pair.first}-{pair.second}": {name: asdict(pair)[name] for name in names} for pair in self.pairs}
        return {
            "pairs": counts,
            "examples": list(self.examples),
            "n_not_compared": self.n_not_compared,
            "k": K,
            "scale": self.scale,
            "min_containment": self.min_containment,
        }

    def refuse(self, where: object) -> None:
        """Raise where anything is shared.

        Raises:
            DatasetError: names `where`, the counts and the first example.
        """
        if not self.found:
            return
        shared = "; ".join(
            f"{pair.n_shared} of {pair.n_windows} {pair.second} windows share sequence with {pair.first} "
            f"({pair.overlapping or 0} overlap, {pair.exact} exact, {pair.near} near copies)"
            for pair in self.pairs
            if pair.n_shared
        )
        raise DatasetError(f"{where}: {shared}; for example {self.examples[0]}; split otherwise, or leave out --strict")


def leakage_report(
    windows_by_split: Mapping[str, Iterable[Window]],
    *,
    same_genome: bool = True,
    min_containment: float = MIN_CONTAINMENT,
) -> LeakageReport:
    """What the splits share; a value may be a `data.store.Split` or any iterable of windows.

    Args:
        windows_by_split: windows under the names train, valid, test, unlabeled.
        same_genome: whether equal contig names in two splits mean the same contig.
        min_containment: shared fraction of the smaller window's k-mers that makes a near copy.
    """
    sketch = LeakageSketch(same_genome=same_genome, min_containment=min_containment)
    for split, windows in windows_by_split.items():
        for window in windows:
            sketch.add(split, window)
    return sketch.report()


@dataclass(slots=True)
class _Windows:
    """What is remembered of one split: a few numbers per window and the sampled k-mers of all."""

    chrom: "array[int]" = field(default_factory=lambda: array("q"))
    start: "array[int]" = field(default_factory=lambda: array("q"))
    end: "array[int]" = field(default_factory=lambda: array("q"))
    length_bp: "array[int]" = field(default_factory=lambda: array("q"))
    digest: "array[int]" = field(default_factory=lambda: array("Q"))
    hashes: list[np.ndarray] = field(default_factory=list)
    owners: list[np.ndarray] = field(default_factory=list)
    pending: list[np.ndarray] = field(default_factory=list)
    pending_bp: int = 0


class LeakageSketch:
    """Remembers a little of every window, in bounded memory per base, and compares splits at the end.

    Args:
        same_genome: whether equal contig names in two splits mean the same contig (else positions are not compared).
        min_containment: shared fraction of the smaller window's k-mers that makes a near copy.
        max_kmers: sampled k-mers to keep; beyond it every second one is forgotten (8 bytes each).
    """

    def __init__(
        self, *, same_genome: bool = True, min_containment: float = MIN_CONTAINMENT, max_kmers: int = _MAX_KMERS
    ) -> None:
        self.same_genome = same_genome
        self.min_containment = min_containment
        self.max_kmers = max_kmers
        self.scale = _START_SCALE
        self._splits: dict[str, _Windows] = {}
        self._contigs: dict[str, int] = {}
        self._n_kmers = 0

    def add(self, split: str, window: Window, place: Place | None = None) -> None:
        """Take in one window; place: see `DatasetWriter.add`."""
        chrom, start = place or (window.chrom, window.start)
        seen = self._splits.setdefault(split, _Windows())
        codes = window.codes & 7
        seen.chrom.append(self._contigs.setdefault(chrom, len(self._contigs)))
        seen.start.append(start)
        seen.end.append(start + window.end - window.start)
        seen.length_bp.append(len(codes))
        seen.digest.append(_digest(codes))
        seen.pending.append(codes)
        seen.pending_bp += len(codes)
        if seen.pending_bp >= _BATCH_BP:
            self._take_kmers(seen)

    def report(self) -> LeakageReport:
        """Compare the splits seen so far."""
        for seen in self._splits.values():
            self._take_kmers(seen)
        sketches = {split: self._sketch(split, seen) for split, seen in self._splits.items()}
        pairs, examples = [], []
        for first, second in PAIRS:
            if first in sketches and second in sketches:
                counts, lines = self._compare(sketches[first], sketches[second])
                pairs.append(counts)
                examples.extend(lines)
        n_not_compared = sum(int(np.count_nonzero(sketch.n_kmers == 0)) for sketch in sketches.values())
        return LeakageReport(
            tuple(pairs), tuple(examples[:_N_EXAMPLES]), n_not_compared, self.scale, self.min_containment
        )

    def _take_kmers(self, seen: _Windows) -> None:
        if not seen.pending:
            return
        hashes, owners = sampled_kmers(seen.pending, self.scale)
        seen.hashes.append(hashes)
        seen.owners.append(owners + np.uint32(len(seen.start) - len(seen.pending)))
        seen.pending, seen.pending_bp = [], 0
        self._n_kmers += len(hashes)
        while self._n_kmers > self.max_kmers:
            self._forget_half()

    def _forget_half(self) -> None:
        self.scale *= 2
        self._n_kmers = 0
        for seen in self._splits.values():
            kept = [hashes < HASHES // self.scale for hashes in seen.hashes]
            seen.hashes = [hashes[keep] for hashes, keep in zip(seen.hashes, kept)]
            seen.owners = [owners[keep] for owners, keep in zip(seen.owners, kept)]
            self._n_kmers += sum(len(hashes) for hashes in seen.hashes)

    def _sketch(self, split: str, seen: _Windows) -> SplitSketch:
        hashes = np.concatenate([*seen.hashes, np.zeros(0, np.uint32)])
        owners = np.concatenate([*seen.owners, np.zeros(0, np.uint32)])
        n_kmers = np.bincount(owners, minlength=len(seen.start))
        too_few = (n_kmers < _MIN_KMERS) | (n_kmers * self.scale * _LOW_COMPLEXITY < np.array(seen.length_bp) - K)
        n_kmers[too_few] = 0
        compared = ~too_few[owners]
        rows = np.sort((hashes[compared].astype(np.uint64) << np.uint64(32)) | owners[compared])
        return SplitSketch(
            split=split,
            names=tuple(self._contigs),
            chrom=np.array(seen.chrom),
            start=np.array(seen.start),
            end=np.array(seen.end),
            digest=np.array(seen.digest),
            n_kmers=n_kmers,
            hashes=(rows >> np.uint64(32)).astype(np.uint32),
            owners=rows.astype(np.uint32),
        )

    def _compare(self, first: SplitSketch, second: SplitSketch) -> tuple[SharedWindows, list[str]]:
        """Counts for one pair of splits, and a few examples of each kind."""
        overlap = overlapping(first, second) if self.same_genome else np.full(len(second), -1)
        exact = np.where(overlap < 0, exact_copies(first, second), -1)
        near, containment = near_copies(first, second, self.min_containment)
        near = np.where((overlap < 0) & (exact < 0), near, -1)
        lines = []
        for partners, sign, what in ((exact, "=", "exact copy"), (near, "~", "containment"), (overlap, "&", "overlap")):
            for index in np.flatnonzero(partners >= 0)[:_N_EXAMPLES_OF_A_KIND]:
                text = f"{second.place(index)} {sign} {first.place(partners[index])}, {what}"
                lines.append(f"{text} {containment[index]:.2f}" if partners is near else text)
        n_overlapping, n_exact, n_near = (int(np.count_nonzero(partners >= 0)) for partners in (overlap, exact, near))
        known = n_overlapping if self.same_genome else None
        return SharedWindows(first.split, second.split, len(second), known, n_exact, n_near), lines


def _digest(codes: np.ndarray) -> int:
    """64 bits that a window shares with its reverse complement; 0 where half of it or more is N."""
    if 2 * np.count_nonzero(codes < 4) <= len(codes):
        return 0
    strands = (codes, alphabet.reverse_complement(codes))
    return min(int.from_bytes(hashlib.blake2b(strand.tobytes(), digest_size=8).digest()) for strand in strands)
