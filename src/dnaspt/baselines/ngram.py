"""Sequences to n-gram models that guess a masked base from its neighbors: what a language model has to beat, in nats.

A model of step s sees up to s known bases to the left and up to s to the right, on either side up to the first masked
base, N or end of the sequence. Its probabilities are those of step s - 1 corrected by counts c(context, base):

    p_s(base) = (c(context, base) + m * p_{s-1}(base)) / (c(context) + m)

The weight m of each context shape is the one under which the train split predicts each of its own bases best when that
base's own count is left out. Both strands are counted, since a strand is as good as the other.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dnaspt.genome.alphabet import tokens
from dnaspt.genome.kmers import reverse_complement_kmers

MAX_STEP = 6
MARKOV_ORDER = 5
_UNKNOWN = 4
"""Letters from here on (N, mask, pad) are no context."""
_WEIGHTS = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1e3, 3e3, 1e4, 1e5)
_N_LEFT_OUT = 50_000
"""Bases of the train split on which the weights are chosen."""
_CHUNK_BP = 1 << 25
_DENSE_KMERS = 4**9


@dataclass(frozen=True, slots=True)
class MaskedBases:
    """Sequences as the language model sees them, and the bases it has to guess.

    Attributes:
        codes: codes of all sequences end to end (L,) uint8, masked positions N or any other code of 4..7.
        offsets: sequence i is codes[offsets[i]:offsets[i + 1]] (S + 1,).
        positions: masked positions in `codes` (n,).
        truth: true bases there (n,), A C G T = 0..3; the case bit is dropped.
    """

    codes: np.ndarray
    offsets: np.ndarray
    positions: np.ndarray
    truth: np.ndarray

    def __post_init__(self) -> None:
        if len(self.positions) != len(self.truth):
            raise ValueError(f"{len(self.positions)} positions and {len(self.truth)} true bases")
        if len(self.truth) and tokens(self.truth).max() >= _UNKNOWN:
            raise ValueError("a true base is none of A C G T")


@dataclass(frozen=True, slots=True)
class NgramBaseline:
    """Mean nats per masked base and the share of masked bases guessed right, of both n-gram models.

    Attributes:
        markov_order: bases of left context of the Markov model.
        markov_nats: its mean cross-entropy in nats per masked base.
        markov_accuracy: how often its likeliest base is the true one.
        two_sided_k: bases of context on either side, the best of 1..max_k on the same positions.
        two_sided_nats: as above, for the two-sided model.
        two_sided_accuracy: as above, for the two-sided model.
        nats_by_k: mean nats of the two-sided model for k = 1..max_k.
        n_masked: number of masked bases.
    """

    markov_order: int
    markov_nats: float
    markov_accuracy: float
    two_sided_k: int
    two_sided_nats: float
    two_sided_accuracy: float
    nats_by_k: tuple[float, ...]
    n_masked: int


class _KmerCounts:
    """How often each k-mer of n bases occurs on both strands; a table of all k-mers, or of those that occur."""

    def __init__(self, n: int, n_bases: int) -> None:
        self.n = n
        self._dense = 4**n <= max(_DENSE_KMERS, 2 * n_bases)
        self._kmers = np.zeros(0, dtype=np.int64)
        self._counts = np.zeros(4**n if self._dense else 0, dtype=np.int64)

    def add(self, kmers: np.ndarray) -> None:
        """Count k-mers (n,) int64 and their reverse complements."""
        kmers = np.concatenate([kmers, reverse_complement_kmers(kmers, self.n)])
        if self._dense:
            self._counts += np.bincount(kmers, minlength=4**self.n)
            return
        unique, counts = np.unique(kmers, return_counts=True)
        merged, index = np.unique(np.concatenate([self._kmers, unique]), return_inverse=True)
        total = np.bincount(index, weights=np.concatenate([self._counts, counts]), minlength=len(merged))
        self._kmers, self._counts = merged, total.astype(np.int64)

    def __getitem__(self, kmers: np.ndarray) -> np.ndarray:
        if self._dense:
            return np.asarray(self._counts[kmers])
        if not len(self._kmers):
            return np.zeros(kmers.shape, dtype=np.int64)
        index = np.minimum(np.searchsorted(self._kmers, kmers), len(self._kmers) - 1)
        return np.where(self._kmers[index] == kmers, self._counts[index], 0)


@dataclass(frozen=True, slots=True)
class _Sequence:
    """Codes 0..7 end to end, and how many known bases lie directly before and behind each, up to a limit."""

    codes: np.ndarray
    before: np.ndarray
    behind: np.ndarray

    @classmethod
    def of(cls, codes: np.ndarray, offsets: np.ndarray, limit: int) -> "_Sequence":
        codes = tokens(codes)
        ends = np.asarray(offsets, dtype=np.int64)
        before = _known_before(codes, ends[:-1], limit)
        behind = _known_before(codes[::-1], len(codes) - ends[1:], limit)[::-1]
        return cls(codes, before, behind)


def _known_before(codes: np.ndarray, starts: np.ndarray, limit: int) -> np.ndarray:
    """How many known bases lie directly before each position in its sequence, up to a limit: (L,) int8."""
    known = np.zeros(len(codes), dtype=np.int8)
    start = np.zeros(len(codes), dtype=bool)
    start[starts[starts < len(codes)]] = True
    for _ in range(limit):
        longer = np.zeros_like(known)
        longer[1:] = np.where(codes[:-1] < _UNKNOWN, known[:-1] + 1, 0)
        longer[start] = 0
        known = longer
    return np.minimum(known, limit).astype(np.int8)


class NgramModel:
    """An n-gram model with up to `left` bases of context before and `right` behind a base; see the file's docstring."""

    def __init__(self, codes: np.ndarray, offsets: np.ndarray, *, left: int, right: int) -> None:
        self.left, self.right = left, right
        self.n_steps = max(left, right)
        sequence = _Sequence.of(codes, offsets, left + right + 1)
        self._kmers = [_KmerCounts(n, len(codes)) for n in range(1, left + right + 2)]
        for first in range(0, len(codes), _CHUNK_BP):
            self._count(sequence, first, min(first + _CHUNK_BP, len(codes)))
        self._weights: dict[tuple[int, int], float] = {}
        self._choose_weights(sequence)

    def _count(self, sequence: _Sequence, first: int, last: int) -> None:
        """Count all k-mers of 1..left + right + 1 bases whose last base lies in first..last - 1."""
        codes = sequence.codes
        kmers = np.zeros(last - first, dtype=np.int64)
        for table in self._kmers:
            reach = table.n - 1
            skipped = max(reach - first, 0)
            kmers[skipped:] += codes[first + skipped - reach : last - reach].astype(np.int64) << (2 * reach)
            whole = (sequence.before[first:last] >= reach) & (codes[first:last] < _UNKNOWN)
            table.add(kmers[whole])

    def _choose_weights(self, sequence: _Sequence) -> None:
        """Choose the weight of every context shape by leaving each of a sample of bases out of the counts.

        A shape and its mirror image are the same on the other strand, so they share a weight.
        """
        full = (sequence.before >= self.left) & (sequence.behind >= self.right) & (sequence.codes < _UNKNOWN)
        sample = np.flatnonzero(full)
        sample = sample[:: max(1, len(sample) // _N_LEFT_OUT)]
        truth = sequence.codes[sample].astype(np.int64)
        known = {(0, 0): self._left_out_frequency(truth)}
        for step in range(1, self.n_steps + 1):
            for shape in self._shapes(step):
                if self.left == self.right and shape[::-1] in self._weights:
                    self._weights[shape] = self._weights[shape[::-1]]
                    continue
                smaller = (min(shape[0], step - 1), min(shape[1], step - 1))
                self._weights[shape], known[shape] = self._best_weight(sequence, sample, shape, known[smaller])

    def _shapes(self, step: int) -> Iterator[tuple[int, int]]:
        """Context shapes (left, right) that step `step` adds: the longer side has `step` bases."""
        for left in range(min(step, self.left) + 1):
            for right in range(min(step, self.right) + 1):
                if max(left, right) == step:
                    yield left, right

    def _left_out_frequency(self, truth: np.ndarray) -> np.ndarray:
        counts = self._kmers[0][np.arange(4)]
        return np.asarray(counts[truth] / max(int(counts.sum()) - 1, 1))

    def _best_weight(
        self, sequence: _Sequence, sample: np.ndarray, shape: tuple[int, int], smaller: np.ndarray
    ) -> tuple[float, np.ndarray]:
        """The weight with the least mean nats, and the probabilities of the true bases under it."""
        counts = self._context_counts(sequence.codes, sample, shape)
        truth = sequence.codes[sample].astype(np.int64)
        hits = np.take_along_axis(counts, truth[:, None], axis=1)[:, 0] - 1
        total = counts.sum(axis=1) - 1
        guesses = [(hits + weight * smaller) / (total + weight) for weight in _WEIGHTS]
        losses = [-np.log(np.maximum(guess, 1e-300)).sum() for guess in guesses]
        best = int(np.argmin(losses))
        return _WEIGHTS[best], guesses[best]

    def _context_counts(self, codes: np.ndarray, positions: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        """Counts (n, 4) of A C G T between the `shape` bases on the left and right of positions (n,)."""
        left, right = shape
        kmers = np.zeros(len(positions), dtype=np.int64)
        for offset in range(-left, right + 1):
            kmers = kmers * 4
            if offset:
                kmers += codes[positions + offset]
        return self._kmers[left + right][kmers[:, None] + (np.arange(4) << (2 * right))]

    def distributions(self, codes: np.ndarray, offsets: np.ndarray, positions: np.ndarray) -> Iterator[np.ndarray]:
        """Probabilities of A C G T (n, 4) at positions (n,), by step: the base composition, then longer contexts.

        The bases at the positions themselves are not looked at.
        """
        sequence = _Sequence.of(codes, offsets, self.n_steps)
        before = np.minimum(sequence.before[positions], self.left)
        behind = np.minimum(sequence.behind[positions], self.right)
        counts = self._kmers[0][np.arange(4)]
        guess = np.tile((counts + 1) / (counts.sum() + 4), (len(positions), 1))
        yield guess.copy()
        for step in range(1, self.n_steps + 1):
            for shape in self._shapes(step):
                rows = np.flatnonzero((np.minimum(before, step) == shape[0]) & (np.minimum(behind, step) == shape[1]))
                counts = self._context_counts(sequence.codes, positions[rows], shape)
                weight = self._weights[shape]
                guess[rows] = (counts + weight * guess[rows]) / (counts.sum(axis=1, keepdims=True) + weight)
            yield guess.copy()

    def nats(self, masked: MaskedBases, *, k: int | None = None) -> np.ndarray:
        """Cross-entropy of each masked base in nats (n,), with contexts of up to k bases a side (default: all).

        Raises:
            ValueError: the model has no contexts of k bases.
        """
        k = self.n_steps if k is None else k
        if not 0 <= k <= self.n_steps:
            raise ValueError(f"contexts of {k} bases; the model has 0..{self.n_steps}")
        for step, guess in enumerate(self.distributions(masked.codes, masked.offsets, masked.positions)):
            if step == k:
                return _nats(guess, masked.truth)
        raise AssertionError("every step yields a distribution")


def _nats(guess: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Cross-entropy (n,) of guessed probabilities (n, 4)."""
    bases = tokens(truth).astype(np.int64)
    return np.asarray(-np.log(np.take_along_axis(guess, bases[:, None], axis=1)[:, 0]))


def fit_markov(codes: np.ndarray, offsets: np.ndarray, order: int = MARKOV_ORDER) -> NgramModel:
    """Markov model of `order` bases of left context, from both strands of sequences (L,) with offsets (S + 1,)."""
    return NgramModel(codes, offsets, left=order, right=0)


def fit_two_sided(codes: np.ndarray, offsets: np.ndarray, max_k: int = MAX_STEP) -> NgramModel:
    """Model of up to max_k bases left and right. Up to 6, memory is bounded; beyond, it grows by 16 bytes a base."""
    return NgramModel(codes, offsets, left=max_k, right=max_k)


def best_ngram(codes: np.ndarray, offsets: np.ndarray, masked: MaskedBases, *, max_k: int = MAX_STEP) -> NgramBaseline:
    """Fit both models on the train split and score them on the masked bases of the valid split.

    Args:
        codes: codes of the train split (L,) uint8, end to end.
        offsets: its sequences (S + 1,).
        masked: what the language model sees of the valid split, and the bases it has to guess.
        max_k: longest context on either side.

    Raises:
        ValueError: nothing is masked.
    """
    if not len(masked.positions):
        raise ValueError("no masked base to score")
    markov = _scores(fit_markov(codes, offsets), masked)[-1]
    steps = _scores(fit_two_sided(codes, offsets, max_k), masked)[1:]
    best = min(range(len(steps)), key=lambda step: steps[step][0])
    return NgramBaseline(
        markov_order=MARKOV_ORDER,
        markov_nats=markov[0],
        markov_accuracy=markov[1],
        two_sided_k=best + 1,
        two_sided_nats=steps[best][0],
        two_sided_accuracy=steps[best][1],
        nats_by_k=tuple(nats for nats, _ in steps),
        n_masked=len(masked.positions),
    )


def _scores(model: NgramModel, masked: MaskedBases) -> list[tuple[float, float]]:
    """Mean nats and accuracy of every step."""
    steps = model.distributions(masked.codes, masked.offsets, masked.positions)
    right = tokens(masked.truth).astype(np.int64)
    return [
        (float(_nats(guess, masked.truth).mean()), float((guess.argmax(axis=1) == right).mean())) for guess in steps
    ]
