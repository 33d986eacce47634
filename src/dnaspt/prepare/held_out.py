"""Cut out of the sequences for a pretraining what stands in the valid and test parts of the datasets that it is to serve.

A base is cut out where it lies in a stretch of 32 bases or more that stands in a held-out part too, on either strand, or where it
has the position of a held-out base on a contig of the same name and sequence. It becomes N: it is neither shown nor guessed.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass

import numpy as np

from dnaspt.data.segments import Segment
from dnaspt.errors import DatasetError
from dnaspt.genome import alphabet
from dnaspt.genome.intervals import merge, to_mask, true_runs
from dnaspt.genome.kmers import canonical_kmers, known_kmers, number_kmers

K = 32
"""Length in bp of a stretch that counts as shared. It is the longest k-mer that fits 64 bits: two random genomes as large as the
human one share about one. So what is shared is a copy, or a repeat. A repeat is cut out too: the copy of it in a test part cannot
be told from a leak, and to guess repeats is what pretraining learns least from."""
_CHUNK_KMERS = 1 << 24
"""Held-out k-mers that are compared at once, 8 bytes each, so that memory does not grow with the held-out parts."""
_SLOTS_PER_KMER = 8
"""Slots of a hash table for each k-mer: one in eight of those that are not shared passes it by chance, or fewer."""
_BLOCK_BP = 1 << 22
"""Bases to read that are compared at once."""


@dataclass(frozen=True, slots=True)
class CutOut:
    """How much was cut out of the sequences for a pretraining.

    Attributes:
        n_held_out_bp: bases of the valid and test parts that must not be read, each counted once in each dataset.
        n_offered_bp: bases of the sequences to read, before.
        n_cut_bp: bases cut out of them.
        n_cut_stretches: stretches of bases cut out.
    """

    n_held_out_bp: int
    n_offered_bp: int
    n_cut_bp: int
    n_cut_stretches: int

    def __str__(self) -> str:
        share = self.n_cut_bp / max(1, self.n_offered_bp)
        return f"{self.n_cut_bp:,} of {self.n_offered_bp:,} bases ({share:.2%}) in {self.n_cut_stretches:,} stretches"


def sum_of(counts: Sequence[CutOut]) -> CutOut | None:
    """The sums over several pretrainings, such as those of all folds; None of none."""
    if not counts:
        return None
    return CutOut(*(sum(values) for values in zip(*map(astuple, counts), strict=True)))


def cut_out(offered: Sequence[Segment], held_out: Sequence[Segment]) -> tuple[list[Segment], CutOut]:
    """Make N of all bases that stand in held-out sequence, too.

    Fewer than 32 bases between two stretches that are cut out are cut out with them: they are where a copy differs.

    Args:
        offered: sequences to read.
        held_out: sequences of valid and test parts.

    Returns:
        The sequences without these bases, and how many they are.
    """
    codes, starts = _end_to_end([segment.codes for segment in offered])
    is_shared = shared_bases(codes, [segment.codes for segment in held_out])
    same_positions = _held_out_positions(offered, held_out)
    cut, n_cut_bp, n_stretches = [], 0, 0
    for segment, start, positions in zip(offered, starts, same_positions, strict=True):
        runs = np.concatenate([true_runs(is_shared[start : start + len(segment.codes)]), positions])
        if not len(runs):
            cut.append(segment)
            continue
        runs = _without_short_gaps(merge(runs))
        mask = to_mask(runs, len(segment.codes))
        n_cut_bp, n_stretches = n_cut_bp + int(mask.sum()), n_stretches + len(runs)
        left = np.where(mask, np.uint8(alphabet.N), segment.codes)
        cut.append(Segment(segment.chrom, segment.start, left, segment.labels))
    n_offered, n_held_out = (sum(len(segment.codes) for segment in segments) for segments in (offered, held_out))
    return cut, CutOut(n_held_out, n_offered, n_cut_bp, n_stretches)


def refuse_shared(sequences: Iterable[np.ndarray], held_out: Sequence[Segment], where: object) -> None:
    """Raise an error if any sequence to read shares 32 bases or more with a held-out part, on either strand.

    Args:
        sequences: codes (L,) of each sequence, as training reads them.
        held_out: sequences of valid and test parts.
        where: dataset that the error names.

    Raises:
        DatasetError: some do; it has their number, and where the first of these bases is held out.
    """
    codes, _ = _end_to_end(list(sequences))
    n_shared = int(shared_bases(codes, [segment.codes for segment in held_out]).sum())
    if n_shared:
        raise DatasetError(
            f"{where}: {n_shared:,} of the bases to read stand in the valid or test part of a dataset that the encoder is to "
            "serve, so its scores would be too good; this must not be: please report it"
        )


def shared_bases(codes: np.ndarray, held_out: Sequence[np.ndarray]) -> np.ndarray:
    """Which bases lie in a stretch of `K` or more known bases that stands in other sequences too, on either strand.

    Args:
        codes: bases (L,) uint8, see `genome.alphabet`.
        held_out: the other sequences, codes (M,) of each.

    Returns:
        Whether each base does (L,) bool.
    """
    begins = np.zeros(max(0, len(codes) - K + 1), dtype=bool)  # whether the k-mer that begins here is shared
    for kmers in _sorted_kmers(held_out):
        n_bits = max(_SLOTS_PER_KMER * len(kmers), 1 << 10).bit_length()
        may_be_there = np.zeros(
            1 << n_bits, dtype=bool
        )  # few k-mers pass it, so that few are searched for: six times as fast
        may_be_there[_slots(kmers, n_bits)] = True
        for start in range(0, len(begins), _BLOCK_BP):
            own, is_known = _canonical(codes[start : start + _BLOCK_BP + K - 1])
            candidates = np.flatnonzero(is_known & may_be_there[_slots(own, n_bits)])
            at = np.minimum(np.searchsorted(kmers, own[candidates]), len(kmers) - 1)
            begins[start + candidates[kmers[at] == own[candidates]]] = True
    runs = true_runs(begins)
    return to_mask(runs + np.array([0, K - 1]), len(codes))


def _slots(kmers: np.ndarray, n_bits: int) -> np.ndarray:
    """Scatter k-mers over a table of 2**n_bits slots (Fibonacci hashing): (n,) uint64 -> (n,) int64."""
    return np.asarray((kmers * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(64 - n_bits)).astype(np.int64)


def _canonical(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The k-mer that begins at each position, the same number on both strands, and whether it has no N: (L - K + 1,) of both."""
    return canonical_kmers(number_kmers(codes, K), K), known_kmers(codes, K)


def _sorted_kmers(sequences: Sequence[np.ndarray]) -> Iterator[np.ndarray]:
    """All k-mers of sequences in chunks, each ascending and without N: (n,) uint64, n > 0."""
    codes, _ = _end_to_end(sequences)
    for start in range(0, len(codes) - K + 1, _CHUNK_KMERS):
        kmers, is_known = _canonical(codes[start : start + _CHUNK_KMERS + K - 1])
        if is_known.any():
            yield np.sort(kmers[is_known])


def _end_to_end(sequences: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Sequences with an N behind each, so that no k-mer spans two: codes (L,), and where each begins (n,)."""
    separator = np.array([alphabet.N], dtype=np.uint8)
    codes = np.concatenate([separator[:0], *(part for codes in sequences for part in (codes, separator))])
    lengths = [len(own) + 1 for own in sequences]
    return codes, np.cumsum([0, *lengths])[:-1]


def _held_out_positions(offered: Sequence[Segment], held_out: Sequence[Segment]) -> list[np.ndarray]:
    """Where each sequence overlaps a held-out one of the same contig, from its start on: (n, 2) for each, in any order.

    A contig of the same name is taken for the same if all bases of the overlap are the same. So overlaps of less than `K` bases
    are seen, which k-mers do not show.
    """
    by_contig: dict[str, list[Segment]] = defaultdict(list)
    for segment in held_out:
        by_contig[segment.chrom].append(segment)
    ends_of = {
        chrom: np.array([(segment.start, segment.end) for segment in own], dtype=np.int64)
        for chrom, own in by_contig.items()
    }
    found = []
    for segment in offered:
        runs = []
        ends = ends_of.get(segment.chrom, np.zeros((0, 2), dtype=np.int64))
        for index in np.flatnonzero((ends[:, 0] < segment.end) & (ends[:, 1] > segment.start)):
            other = by_contig[segment.chrom][index]
            start, end = max(segment.start, other.start), min(segment.end, other.end)
            ours, theirs = (each.codes[start - each.start : end - each.start] for each in (segment, other))
            if np.array_equal(alphabet.tokens(ours), alphabet.tokens(theirs)):
                runs.append((start - segment.start, end - segment.start))
        found.append(np.array(runs, dtype=np.int64).reshape(-1, 2))
    return found


def _without_short_gaps(runs: np.ndarray) -> np.ndarray:
    """Runs (n, 2), ascending and disjoint, joined where fewer than `K` bases lie between two."""
    far = runs[1:, 0] - runs[:-1, 1] >= K
    return np.stack([runs[np.append(True, far), 0], runs[np.append(far, True), 1]], axis=1)
