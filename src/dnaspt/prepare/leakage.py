"""Windows by split to a report of what the splits share: positions, whole sequences, or much of their k-mers.

Both strands are one; intervals are 0-based half-open. Within a split nothing is compared: windows there may overlap.
"""

import hashlib
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from dnaspt.data.dataset import Window
from dnaspt.errors import DatasetError
from dnaspt.genome import alphabet, intervals
from dnaspt.genome.kmers import canonical_kmers, known_kmers, number_kmers

K = 16
"""Bases of a k-mer: 2 bits each fill one uint32."""
HASHES = 1 << 32


def sampled_kmers(windows: Sequence[np.ndarray], scale: int) -> tuple[np.ndarray, np.ndarray]:
    """Distinct sampled k-mers of each window, about one in `scale`: (hashes (n,) uint32, window index (n,) uint32).

    The hash is a bijection: equal hashes are equal k-mers. Rows are ordered by window, then hash.

    Args:
        windows: codes (L,) uint8 of each window (see `genome.alphabet`).
        scale: keep hashes below 2**32 / scale.
    """
    apart = np.array([alphabet.N], dtype=np.uint8)  # an N between windows, so that no k-mer spans two of them
    codes = alphabet.tokens(np.concatenate([part for window in windows for part in (window, apart)]))
    if len(codes) < K:
        return np.zeros(0, np.uint32), np.zeros(0, np.uint32)
    hashes = _mix(canonical_kmers(number_kmers(codes, K), K))
    kept = np.flatnonzero((hashes < HASHES // scale) & known_kmers(codes, K))
    ends = np.cumsum([len(window) + 1 for window in windows])
    window = np.searchsorted(ends, kept, side="right").astype(np.uint64)
    rows = np.sort((window << np.uint64(32)) | hashes[kept])
    distinct = rows[np.append(True, rows[1:] != rows[:-1])[: len(rows)]]  # np.unique takes ten times as long
    return (distinct & np.uint64(HASHES - 1)).astype(np.uint32), (distinct >> np.uint64(32)).astype(np.uint32)


def _mix(kmers: np.ndarray) -> np.ndarray:
    """Scatter k-mers over all 32-bit values, one to one (the finalizer of MurmurHash3, A. Appleby)."""
    mixed: np.ndarray = kmers ^ (kmers >> np.uint32(16))
    for factor, shift in ((0x85EBCA6B, 13), (0xC2B2AE35, 16)):
        mixed *= np.uint32(factor)
        mixed ^= mixed >> np.uint32(shift)
    return mixed


_MAX_COPIES = 256
_JOIN_ROWS = 1 << 22


@dataclass(frozen=True, slots=True)
class SplitSketch:
    """What is remembered of the n windows of one split.

    Attributes:
        split: its name.
        names: contig names.
        chrom: index into `names` (n,).
        start: 0-based (n,).
        end: half-open (n,).
        digest: equal for equal sequences on either strand, 0 where the sequence is unknown (n,) uint64.
        n_kmers: sampled k-mers of each window, 0 where it is not to be compared (n,).
        hashes: the sampled k-mers of all windows, ascending (m,) uint32.
        owners: the window of each, ascending among equal k-mers (m,) uint32.
    """

    split: str
    names: tuple[str, ...]
    chrom: np.ndarray
    start: np.ndarray
    end: np.ndarray
    digest: np.ndarray
    n_kmers: np.ndarray
    hashes: np.ndarray
    owners: np.ndarray

    def __len__(self) -> int:
        return len(self.start)

    def place(self, index: int) -> str:
        """Where a window lies, as "chr1:100-612 (test)"."""
        return f"{self.names[self.chrom[index]]}:{self.start[index]}-{self.end[index]} ({self.split})"


def overlapping(first: SplitSketch, second: SplitSketch) -> np.ndarray:
    """For each of the n windows of `second` one of `first` that shares a position with it, else -1: (n,) int64."""
    both = np.concatenate([np.stack([windows.start, windows.end], axis=1) for windows in (first, second)])
    laid = intervals.end_to_end(both, np.concatenate([first.chrom, second.chrom]))
    return intervals.overlapping(laid[len(first) :], laid[: len(first)])


def exact_copies(first: SplitSketch, second: SplitSketch) -> np.ndarray:
    """For each of the n windows of `second` one of `first` of the same sequence, either strand, else -1: (n,) int64."""
    order = np.argsort(first.digest, kind="stable")
    digests = first.digest[order]
    at = np.minimum(np.searchsorted(digests, second.digest), len(digests) - 1)
    return np.where((digests[at] == second.digest) & (second.digest != 0), order[at], -1)


def near_copies(first: SplitSketch, second: SplitSketch, min_containment: float) -> tuple[np.ndarray, np.ndarray]:
    """For each of the n windows of `second` the one of `first` with the highest containment.

    Containment is the number of shared sampled k-mers over those of the smaller window. Of a k-mer that stands in more
    than 256 windows of `first` the first 256 are looked at: all copies of one sequence share the same ones.

    Returns:
        The window of `first`, or -1 where no containment reaches `min_containment` (n,) int64; the containment (n,).
    """
    partner, best = np.full(len(second), -1), np.zeros(len(second))
    left = np.searchsorted(first.hashes, second.hashes, side="left")
    copies = np.minimum(np.searchsorted(first.hashes, second.hashes, side="right") - left, _MAX_COPIES)
    shared = np.flatnonzero(copies)
    shared = shared[np.argsort(second.owners[shared], kind="stable")]
    for rows in _blocks_of_rows(second.owners[shared], copies[shared]):
        kmers = shared[rows]
        n = copies[kmers]
        theirs = first.owners[intervals.positions(np.stack([left[kmers], left[kmers] + n], axis=1))].astype(np.int64)
        ours = np.repeat(second.owners[kmers], n).astype(np.int64)
        pairs, n_shared = np.unique(ours * len(first) + theirs, return_counts=True)
        ours, theirs = np.divmod(pairs, len(first))
        containment = n_shared / np.minimum(first.n_kmers[theirs], second.n_kmers[ours])
        enough = np.flatnonzero(containment >= min_containment)
        enough = enough[np.argsort(containment[enough], kind="stable")]  # the highest is written last and stays
        partner[ours[enough]] = theirs[enough]
        best[ours[enough]] = containment[enough]
    return partner, best


def _blocks_of_rows(owners: np.ndarray, n_rows: np.ndarray) -> Iterator[slice]:
    """Slices of k-mers, ordered by window, that unfold to about `_JOIN_ROWS` rows each and never cut a window."""
    if not len(owners):
        return
    firsts = np.flatnonzero(np.append(True, owners[1:] != owners[:-1]))
    block = (np.cumsum(n_rows) // _JOIN_ROWS)[firsts]
    cuts = firsts[np.append(True, block[1:] != block[:-1])]
    for start, end in zip(cuts, [*cuts[1:], len(owners)]):
        yield slice(int(start), int(end))


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
        codes = alphabet.tokens(window.codes)
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
