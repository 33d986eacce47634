"""A split in memory to padded batches, in an order that is a function of (seed, epoch) alone.

Windows that follow each other on a contig are cut anew in every epoch, at a random offset, so that no base always sits at
the edge of a window; so is a window with labels per base that is longer than a batch. Batches hold windows of like length up to
a budget of bases.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dnaspt.config import MASK_TOKEN, PAD_TOKEN
from dnaspt.data.dataset import Split
from dnaspt.genome import alphabet
from dnaspt.genome.alphabet import N, T
from dnaspt.tasks import MISSING


def mask_for_training(
    tokens: np.ndarray, fraction: float, generator: np.random.Generator, *, as_published: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Input tokens and labels of tokens (B, L): labels hold the true base where it is scored, -100 elsewhere.

    as_published: as the authors' code (of arXiv 2506.17766), whose mask token is the base T and whose random letters are drawn
    from seven ids, of which two are never used otherwise (both are the mask token here).
    """
    chance = generator.random(tokens.shape, dtype=np.float32)
    letters = generator.integers(0, 7 if as_published else 4, tokens.shape, dtype=np.uint8)
    letters = np.minimum(letters, MASK_TOKEN)
    mask = T if as_published else MASK_TOKEN
    scored = (chance < fraction) & (tokens < N)
    labels = np.where(scored, tokens.astype(np.int8), np.int8(MISSING))
    masked = np.where(scored & (chance < 0.8 * fraction), mask, tokens)
    replaced = np.where(scored & (chance >= 0.9 * fraction), letters, masked)
    return replaced.astype(np.uint8), labels


def mask_for_validation(
    tokens: np.ndarray, fraction: float, seed: int, *, as_published: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Fixed positions of one sequence (L,), all with the mask token, so that any model can be scored on the same ones."""
    mask = T if as_published else MASK_TOKEN
    generator = np.random.default_rng((seed, len(tokens)))
    scored = (generator.random(tokens.shape, dtype=np.float32) < fraction) & (tokens < N)
    return np.where(scored, mask, tokens).astype(np.uint8), np.where(scored, tokens.astype(np.int8), np.int8(MISSING))


_ORDER, _OFFSET, _STRAND, _MASK = range(4)
_POOL_BATCHES = 32


@dataclass(frozen=True, slots=True)
class ArrayBatch:
    """A padded batch as arrays: tokens (B, L) uint8, lengths (B,), labels (B, L) or (B, K) int8, weights (B, L) or None."""

    tokens: np.ndarray
    lengths: np.ndarray
    labels: np.ndarray
    weights: np.ndarray | None = None

    @property
    def n_bp(self) -> int:
        """Real bases in the batch."""
        return int(self.lengths.sum())

    def part(self, rank: int, world: int) -> "ArrayBatch":
        """Every world-th sequence: the share of one process of a global batch."""
        rows = slice(rank, None, world)
        weights = None if self.weights is None else self.weights[rows]
        return ArrayBatch(self.tokens[rows], self.lengths[rows], self.labels[rows], weights)


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """How batches are made.

    Attributes:
        batch_bp: budget of bases per batch, padding included.
        seed: of everything random here.
        complement: for each label its label on the other strand; None where labels do not depend on the strand.
        reverse_complement: turn half of the windows around.
        mask_fraction: share of bases to mask for language modeling; 0 keeps the labels.
        repeat_weight: loss weight of soft-masked bases, for language modeling.
        masks_as_published: see `masking`.
        n_labels: of a window or of a bin, where a window has more than one bin; 0 where labels are of bases.
        n_shares: processes that share a batch; a batch has at least one window for each wherever there are that many.
    """

    batch_bp: int
    seed: int = 0
    complement: tuple[int, ...] | None = None
    reverse_complement: bool = True
    mask_fraction: float = 0.0
    repeat_weight: float = 1.0
    masks_as_published: bool = False
    n_labels: int = 0
    n_shares: int = 1


class TrainingBatches:
    """Batches of one or several splits (train, unlabeled), epoch after epoch."""

    def __init__(self, splits: list[Split], window_bp: int, options: BatchOptions) -> None:
        self.options = options
        self.window_bp = window_bp
        self.codes = np.concatenate([split.codes for split in splits])
        self.per_base = all(len(split.labels) == len(split.codes) for split in splits)
        self.labels = np.concatenate([split.labels for split in splits])
        self._label_width = 0 if self.per_base or options.mask_fraction else _label_width(splits)
        self._segments = np.concatenate(
            [
                _segments(split) + np.array([offset, offset, 0])
                for split, offset in zip(splits, np.cumsum([0, *(len(split.codes) for split in splits[:-1])]))
            ]
        )

    @property
    def n_bp(self) -> int:
        """Bases in one epoch."""
        return len(self.codes)

    def spans(self, epoch: int) -> np.ndarray:
        """Windows of an epoch as (start, end) into the codes: (n, 2), cut anew where there is a choice."""
        starts, ends, rows = self._segments.T
        generator = np.random.default_rng((self.options.seed, epoch, _OFFSET))
        widths = np.where(rows > 1, self.window_bp, max(self.window_bp, self.options.batch_bp))
        firsts = generator.integers(widths // 8, widths, endpoint=True)
        pieces = []
        for start, end, n_rows, first, width in zip(starts, ends, rows, firsts, widths):
            cuts, shortest = np.array([start, end]), width // 8
            if n_rows > 1 or (self.per_base and end - start > width):
                cuts = np.concatenate([[start], np.arange(start + first, end, width), [end]])
            if len(cuts) > 2 and cuts[-1] - cuts[-2] < shortest:
                cuts[-2] = (cuts[-1] + cuts[-3]) // 2  # the last two share their bases, so that none is a scrap
            pieces.append(np.stack([cuts[:-1], cuts[1:]], axis=1))
        return np.concatenate(pieces)

    def plan(self, epoch: int) -> list[np.ndarray]:
        """Batches of an epoch, each the (start, end) of its windows: like lengths together, all in random order."""
        spans = self.spans(epoch)
        generator = np.random.default_rng((self.options.seed, epoch, _ORDER))
        spans = spans[generator.permutation(len(spans))]
        lengths = spans[:, 1] - spans[:, 0]
        per_pool = max(1, int(_POOL_BATCHES * self.options.batch_bp // max(1, lengths.mean())))
        batches: list[np.ndarray] = []
        for first in range(0, len(spans), per_pool):
            pool = spans[first : first + per_pool]
            pool = pool[np.argsort(pool[:, 0] - pool[:, 1], kind="stable")]
            batches += self._cut(pool)
        return [batches[index] for index in generator.permutation(len(batches))]

    def _cut(self, pool: np.ndarray) -> list[np.ndarray]:
        """Cut windows sorted from long to short into batches whose padded size stays within the budget."""
        n_shares = self.options.n_shares
        batches, first = [], 0
        while first < len(pool):
            n_windows = max(n_shares, self.options.batch_bp // self._padded(pool[first, 1] - pool[first, 0]), 1)
            batches.append(pool[first : first + n_windows])
            first += n_windows
        if len(batches) > 1 and len(batches[-1]) < n_shares:
            batches[-2:] = [np.concatenate(batches[-2:])]
        return batches

    def _padded(self, longest: int) -> int:
        """Length of a batch: few different ones, since oneDNN and cuDNN prepare their kernels anew for each shape."""
        step = max(1, self.window_bp // 8)
        return -(-int(longest) // step) * step

    def batches(self, epoch: int, first: int = 0) -> Iterator[ArrayBatch]:
        """Batches of an epoch from the `first` on (where a resumed run left off)."""
        for number, spans in enumerate(self.plan(epoch)):
            if number >= first:
                yield self._assemble(spans, epoch, number)

    def _assemble(self, spans: np.ndarray, epoch: int, number: int) -> ArrayBatch:
        options = self.options
        lengths = spans[:, 1] - spans[:, 0]
        position = np.arange(self._padded(lengths.max()))
        inside = position < lengths[:, None]
        turned = np.zeros(len(spans), dtype=bool)
        if options.reverse_complement:
            turned = np.random.default_rng((options.seed, epoch, _STRAND, number)).random(len(spans)) < 0.5
        forward = spans[:, :1] + position
        backward = spans[:, 1:] - 1 - position
        index = np.where(inside, np.where(turned[:, None], backward, forward), 0)
        codes = self.codes[index]
        codes = np.where(turned[:, None], _complement(codes), codes)
        tokens = np.where(inside, alphabet.tokens(codes), PAD_TOKEN).astype(np.uint8)
        if options.mask_fraction:
            generator = np.random.default_rng((options.seed, epoch, _MASK, number))
            tokens, labels = mask_for_training(
                tokens, options.mask_fraction, generator, as_published=options.masks_as_published
            )
            weights = None
            if options.repeat_weight != 1.0:
                weights = np.where(alphabet.soft_masked(codes), options.repeat_weight, 1.0).astype(np.float32)
            return ArrayBatch(tokens, lengths, labels, weights)
        return ArrayBatch(tokens, lengths, self._labels(spans, index, inside, turned))

    def _labels(self, spans: np.ndarray, index: np.ndarray, inside: np.ndarray, turned: np.ndarray) -> np.ndarray:
        if not self.per_base:
            rows = np.searchsorted(self._segments[:, 0], spans[:, 0])
            own = self.labels.reshape(-1, self._label_width)[rows]
            has_bins = 0 < self.options.n_labels < self._label_width
            if has_bins:  # a turned window has them in reverse
                bins = own.reshape(len(rows), -1, self.options.n_labels)
                own = np.where(turned[:, None, None], bins[:, ::-1], bins).reshape(own.shape)
            return own
        labels = np.where(inside, self.labels[index], MISSING).astype(np.int8)
        if self.options.complement is None or not turned.any():
            return labels
        table = np.array([*self.options.complement, MISSING], dtype=np.int8)
        labels[turned] = table[np.where(labels[turned] == MISSING, len(table) - 1, labels[turned])]
        return labels


def _complement(codes: np.ndarray) -> np.ndarray:
    return alphabet.reverse_complement(codes)[..., ::-1]


def _label_width(splits: list[Split]) -> int:
    widths = {int(width) for split in splits for width in np.unique(np.diff(split.label_offsets))}
    assert len(widths) == 1, f"windows of one dataset have {widths} labels"
    return widths.pop()


def _segments(split: Split) -> np.ndarray:
    """Runs of rows that follow each other on a contig: (start, end in the codes, number of rows), (n, 3)."""
    per_base = len(split.labels) == len(split.codes)
    follows = np.zeros(len(split), dtype=bool)
    if per_base and len(split) > 1:
        follows[1:] = (split.chrom[1:] == split.chrom[:-1]) & (split.start[1:] == split.end[:-1])
    first = np.flatnonzero(~follows)
    last = np.append(first[1:], len(split))
    return np.stack([split.offsets[first], split.offsets[last], last - first], axis=1)
