"""Leak check: which windows of valid and test share sequence with another split.

Two windows share sequence where they overlap on the genome, where they are copies, or where they have many k-mers in common.
Both strands count as one. Windows of one split are not compared with each other: they may overlap.
"""

import hashlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from dnaspt.data.dataset import Window
from dnaspt.data.manifest import LeakageReport, SharedWindows
from dnaspt.errors import DatasetError
from dnaspt.genome import alphabet, intervals
from dnaspt.genome.kmers import canonical_kmers, known_kmers, number_kmers

PAIRS = (("train", "valid"), ("train", "test"), ("valid", "test"), ("unlabeled", "valid"), ("unlabeled", "test"))
"""Splits that must not share sequence. Where they do, the scores of the second are too good."""
MIN_CONTAINMENT = 0.25
"""Share of the smaller window's k-mers that makes a near copy: a copy with 5 % substitutions keeps 0.95**16 = 0.44."""
K = 16
"""Length of a k-mer: at 2 bits per base it fills one uint32."""
N_HASHES = 1 << 32

_START_SCALE = 4
"""One in four k-mers is kept, until they are too many."""
MAX_KMERS = 1 << 25
"""K-mers that are kept at most, 8 bytes each; of longer data every second, fourth, ... one."""
BATCH_BP = 1 << 20
"""K-mers are computed for about this many bases at once."""
MIN_KMERS = 6
_LOW_COMPLEXITY = 8
"""A window with fewer than 6 sampled k-mers, or an eighth of the distinct ones its length allows, is not compared."""
MAX_COPIES = 256
"""Of a k-mer that more windows have, each is compared with the first so many: all copies of one sequence share the same ones."""
_JOIN_ROWS = 1 << 22
"""Pairs of windows that are counted at once, to bound memory."""
_N_EXAMPLES = 10
_N_EXAMPLES_PER_KIND = 2


class LeakageSketch:
    """Keeps a little of every window, in bounded memory per base, and compares the splits at the end.

    Args:
        same_genome: whether equal contig names in two splits mean the same contig; if not, positions are not compared.
        min_containment: share of the smaller window's k-mers that makes a near copy.
        max_kmers: most sampled k-mers to keep, 8 bytes each. When there are more, every second one is dropped.
    """

    def __init__(
        self, *, same_genome: bool = True, min_containment: float = MIN_CONTAINMENT, max_kmers: int = MAX_KMERS
    ) -> None:
        self.same_genome = same_genome
        self.min_containment = min_containment
        self.max_kmers = max_kmers
        self.scale = _START_SCALE
        self._splits: dict[str, _SeenWindows] = {}
        self._contigs: dict[str, int] = {}
        self._n_kmers = 0

    def add(self, split: str, window: Window, origin: tuple[str, int] | None = None) -> None:
        """Take in one window.

        Args:
            split: name of its split.
            window: the window.
            origin: contig and 0-based start in its genome, where the window itself has another name and position.
        """
        chrom, start = origin or (window.chrom, window.start)
        seen = self._splits.setdefault(split, _SeenWindows())
        codes = alphabet.tokens(window.codes)
        seen.chrom.append(self._contigs.setdefault(chrom, len(self._contigs)))
        seen.start.append(start)
        seen.end.append(start + window.end - window.start)
        seen.length_bp.append(len(codes))
        seen.digest.append(strand_digest(codes))
        seen.pending.append(codes)
        seen.pending_bp += len(codes)
        if seen.pending_bp >= BATCH_BP:
            self._take_kmers(seen)

    def report(self) -> LeakageReport:
        """Compare the splits seen so far."""
        for seen in self._splits.values():
            self._take_kmers(seen)
        sketches = {split: self._sketch(split, seen) for split, seen in self._splits.items()}
        pairs: dict[str, SharedWindows] = {}
        examples: list[str] = []
        for first, second in (*PAIRS, *_pairs_with_folds(sketches)):
            if first in sketches and second in sketches:
                pairs[f"{first}-{second}"], own_examples = self._compare(sketches[first], sketches[second])
                examples += own_examples
        return LeakageReport(
            pairs=pairs,
            examples=tuple(examples[:_N_EXAMPLES]),
            n_not_compared=sum(int(np.count_nonzero(sketch.n_kmers == 0)) for sketch in sketches.values()),
            k=K,
            scale=self.scale,
            min_containment=self.min_containment,
        )

    def _take_kmers(self, seen: "_SeenWindows") -> None:
        """Sample the k-mers of the pending windows of a split, and let their codes go."""
        if not seen.pending:
            return
        hashes, owners = sampled_kmers(seen.pending, self.scale)
        seen.hashes.append(hashes)
        seen.owners.append(owners + np.uint32(len(seen.start) - len(seen.pending)))
        seen.pending, seen.pending_bp = [], 0
        self._n_kmers += len(hashes)
        while self._n_kmers > self.max_kmers:
            self._drop_half()

    def _drop_half(self) -> None:
        """Keep every second k-mer: those with the smaller hashes, the same in all splits."""
        self.scale *= 2
        self._n_kmers = 0
        for seen in self._splits.values():
            kept = [hashes < N_HASHES // self.scale for hashes in seen.hashes]
            seen.hashes = [hashes[keep] for hashes, keep in zip(seen.hashes, kept)]
            seen.owners = [owners[keep] for owners, keep in zip(seen.owners, kept)]
            self._n_kmers += sum(len(hashes) for hashes in seen.hashes)

    def _sketch(self, split: str, seen: "_SeenWindows") -> "SplitSketch":
        """The windows of a split, with their k-mers in the order that comparing needs."""
        hashes = np.concatenate([*seen.hashes, np.zeros(0, np.uint32)])
        owners = np.concatenate([*seen.owners, np.zeros(0, np.uint32)])
        n_kmers = np.bincount(owners, minlength=len(seen.start))
        too_few = (n_kmers < MIN_KMERS) | (n_kmers * self.scale * _LOW_COMPLEXITY < np.array(seen.length_bp) - K)
        n_kmers[too_few] = 0
        is_compared = ~too_few[owners]
        rows = np.sort((hashes[is_compared].astype(np.uint64) << np.uint64(32)) | owners[is_compared])
        return SplitSketch(
            split=split,
            contigs=tuple(self._contigs),
            chrom=np.array(seen.chrom),
            start=np.array(seen.start),
            end=np.array(seen.end),
            digest=np.array(seen.digest),
            n_kmers=n_kmers,
            hashes=(rows >> np.uint64(32)).astype(np.uint32),
            owners=rows.astype(np.uint32),
        )

    def _compare(self, first: "SplitSketch", second: "SplitSketch") -> tuple[SharedWindows, list[str]]:
        """Counts for one pair of splits, and a few examples of each kind."""
        overlap = overlapping(first, second) if self.same_genome else np.full(len(second), -1)
        exact = np.where(overlap < 0, exact_copies(first, second), -1)
        near, containment = near_copies(first, second, self.min_containment)
        near = np.where((overlap < 0) & (exact < 0), near, -1)
        examples = []
        for partners, sign, what in (
            (exact, "=", "exact copy"),
            (near, "~", "containment about"),
            (overlap, "&", "overlap"),
        ):
            for index in np.flatnonzero(partners >= 0)[:_N_EXAMPLES_PER_KIND]:
                text = f"{second.name(index)} {sign} {first.name(partners[index])}, {what}"
                examples.append(f"{text} {containment[index]:.2f}" if partners is near else text)
        n_overlapping, n_exact, n_near = (int(np.count_nonzero(partners >= 0)) for partners in (overlap, exact, near))
        counts = SharedWindows(
            n_windows=len(second),
            overlapping=n_overlapping if self.same_genome else None,
            exact=n_exact,
            near=n_near,
        )
        return counts, examples


def fold_name(fold: int) -> str:
    """Name under which the report has the windows that a fold tests."""
    return f"fold{fold}"


def _pairs_with_folds(names: Iterable[str]) -> list[tuple[str, str]]:
    """Every two folds, and each fold with what is in train, valid, test or for pretraining alone."""
    folds = [name for name in names if name.startswith(fold_name(0)[:-1])]
    pairs = [(first, second) for number, first in enumerate(folds) for second in folds[number + 1 :]]
    pairs += [(first, fold) for first in ("train", "unlabeled") for fold in folds]
    return pairs + [(fold, second) for second in ("valid", "test") for fold in folds]


def refuse_leakage(report: LeakageReport, where: object) -> None:
    """Raise an error if any two splits share sequence.

    Args:
        report: what the splits share.
        where: folder that the error names.

    Raises:
        DatasetError: the splits share sequence; the error has the counts and the first example.
    """
    if not report.shares_sequence:
        return
    shared = "; ".join(
        f"{counts.n_shared} of {counts.n_windows} {pair.split('-')[1]} windows share sequence with {pair.split('-')[0]} "
        f"({counts.overlapping or 0} overlap, {counts.exact} exact, {counts.near} near copies)"
        for pair, counts in report.pairs.items()
        if counts.n_shared
    )
    raise DatasetError(f"{where}: {shared}; for example {report.examples[0]}; split otherwise, or leave out --strict")


@dataclass(slots=True)
class _SeenWindows:
    """What is kept of the windows of one split: a few numbers for each, and the sampled k-mers of all."""

    chrom: "array[int]" = field(default_factory=lambda: array("q"))
    start: "array[int]" = field(default_factory=lambda: array("q"))
    end: "array[int]" = field(default_factory=lambda: array("q"))
    length_bp: "array[int]" = field(default_factory=lambda: array("q"))
    digest: "array[int]" = field(default_factory=lambda: array("Q"))
    hashes: list[np.ndarray] = field(default_factory=list)
    owners: list[np.ndarray] = field(default_factory=list)
    pending: list[np.ndarray] = field(default_factory=list)
    pending_bp: int = 0


def strand_digest(codes: np.ndarray) -> int:
    """64 bits that are the same for a window and its reverse complement; 0 where half of the window or more is N."""
    if 2 * np.count_nonzero(codes < 4) <= len(codes):
        return 0
    strands = (codes, alphabet.reverse_complement(codes))
    return min(int.from_bytes(hashlib.blake2b(strand.tobytes(), digest_size=8).digest()) for strand in strands)


@dataclass(frozen=True, slots=True)
class SplitSketch:
    """What is kept of the n windows of one split, ready to be compared.

    Attributes:
        split: name of the split.
        contigs: names of contigs.
        chrom: index into `contigs` (n,).
        start: 0-based (n,).
        end: half-open (n,).
        digest: equal for equal sequences on either strand, 0 where the sequence is unknown (n,) uint64.
        n_kmers: sampled k-mers of each window, 0 where it is not to be compared (n,).
        hashes: sampled k-mers of all windows, ascending (m,) uint32.
        owners: window of each k-mer, ascending among equal k-mers (m,) uint32.
    """

    split: str
    contigs: tuple[str, ...]
    chrom: np.ndarray
    start: np.ndarray
    end: np.ndarray
    digest: np.ndarray
    n_kmers: np.ndarray
    hashes: np.ndarray
    owners: np.ndarray

    def __len__(self) -> int:
        return len(self.start)

    def name(self, index: int) -> str:
        """A window by its position, such as "chr1:100-612 (test)"."""
        return f"{self.contigs[self.chrom[index]]}:{self.start[index]}-{self.end[index]} ({self.split})"


def overlapping(first: SplitSketch, second: SplitSketch) -> np.ndarray:
    """For each of the n windows of `second`, a window of `first` that overlaps it, or -1: (n,) int64."""
    both = np.concatenate([np.stack([sketch.start, sketch.end], axis=1) for sketch in (first, second)])
    on_axis = intervals.end_to_end(both, np.concatenate([first.chrom, second.chrom]))
    return intervals.overlapping(on_axis[len(first) :], on_axis[: len(first)])


def exact_copies(first: SplitSketch, second: SplitSketch) -> np.ndarray:
    """For each of the n windows of `second`, a window of `first` with its sequence on either strand, or -1: (n,) int64."""
    order = np.argsort(first.digest, kind="stable")
    digests = first.digest[order]
    at = np.minimum(np.searchsorted(digests, second.digest), len(digests) - 1)
    return np.where((digests[at] == second.digest) & (second.digest != 0), order[at], -1)


def near_copies(first: SplitSketch, second: SplitSketch, min_containment: float) -> tuple[np.ndarray, np.ndarray]:
    """For each of the n windows of `second`, the window of `first` with the highest containment.

    Containment is the number of sampled k-mers that two windows share, over the number of the smaller window. Of a k-mer
    that occurs in more than 256 windows of `first`, the first 256 are used: all copies of one sequence share the same ones.

    Returns:
        The window of `first`, or -1 where the containment is below `min_containment` (n,) int64; the containment (n,).
    """
    partner, best = np.full(len(second), -1), np.zeros(len(second))
    left = np.searchsorted(first.hashes, second.hashes, side="left")
    copies = np.minimum(np.searchsorted(first.hashes, second.hashes, side="right") - left, MAX_COPIES)
    shared = np.flatnonzero(copies)
    shared = shared[np.argsort(second.owners[shared], kind="stable")]
    for rows in _chunks_of_windows(second.owners[shared], copies[shared]):
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


def _chunks_of_windows(owners: np.ndarray, n_pairs: np.ndarray) -> Iterator[slice]:
    """Slices of k-mers, ordered by window, that make about `_JOIN_ROWS` pairs each and never divide a window."""
    if not len(owners):
        return
    firsts = np.flatnonzero(np.append(True, owners[1:] != owners[:-1]))
    chunk = (np.cumsum(n_pairs) // _JOIN_ROWS)[firsts]
    cuts = firsts[np.append(True, chunk[1:] != chunk[:-1])]
    for start, end in zip(cuts, [*cuts[1:], len(owners)]):
        yield slice(int(start), int(end))


def sampled_kmers(windows: Sequence[np.ndarray], scale: int) -> tuple[np.ndarray, np.ndarray]:
    """Sample about one in `scale` distinct k-mers of each window, the same ones in all windows.

    The hash maps k-mers one to one: equal hashes are equal k-mers.

    Args:
        windows: codes (L,) uint8 of each window (see `genome.alphabet`).
        scale: hashes below 2**32 / scale are kept.

    Returns:
        Hashes (n,) uint32 and the index of their window (n,) uint32, ordered by window, then hash.
    """
    separator = np.array([alphabet.N], dtype=np.uint8)  # an N between windows, so that no k-mer spans two of them
    codes = alphabet.tokens(np.concatenate([part for window in windows for part in (window, separator)]))
    if len(codes) < K:
        return np.zeros(0, np.uint32), np.zeros(0, np.uint32)
    hashes = _mix(canonical_kmers(number_kmers(codes, K), K))
    kept = np.flatnonzero((hashes < N_HASHES // scale) & known_kmers(codes, K))
    ends = np.cumsum([len(window) + 1 for window in windows])
    window = np.searchsorted(ends, kept, side="right").astype(np.uint64)
    rows = np.sort((window << np.uint64(32)) | hashes[kept])
    distinct = rows[np.append(True, rows[1:] != rows[:-1])[: len(rows)]]  # np.unique takes ten times as long
    return (distinct & np.uint64(N_HASHES - 1)).astype(np.uint32), (distinct >> np.uint64(32)).astype(np.uint32)


def _mix(kmers: np.ndarray) -> np.ndarray:
    """Scatter k-mers over all 32-bit values, one to one (the finalizer of MurmurHash3, A. Appleby)."""
    mixed: np.ndarray = kmers ^ (kmers >> np.uint32(16))
    for factor, shift in ((0x85EBCA6B, 13), (0xC2B2AE35, 16)):
        mixed *= np.uint32(factor)
        mixed ^= mixed >> np.uint32(shift)
    return mixed
