"""Splits in memory to padded training batches, with masks for language modeling.

The order of batches, the cuts between windows, strands and masks are functions of (seed, epoch, batch number) alone, so a
resumed run sees the same batches. Windows that follow each other on a contig are joined and cut anew in every epoch at a
random offset, so that no base always lies at the edge of a window. So are windows with one label per base that are longer than
a batch. A batch holds windows of similar length, up to a budget of bases.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dnaspt.config import PAD_TOKEN
from dnaspt.data.dataset import Split
from dnaspt.data.masking import mask_for_training
from dnaspt.genome import alphabet
from dnaspt.genome.gene_states import MISSING

_ORDER, _OFFSET, _STRAND, _MASK = range(4)
"""Last word of a random seed: what the numbers are drawn for."""
_POOL_BATCHES = 32
"""Windows are sorted by length within pools of about this many batches."""


@dataclass(frozen=True, slots=True)
class ArrayBatch:
    """A padded batch of B windows.

    Attributes:
        tokens: (B, L) uint8; padding is `PAD_TOKEN`.
        lengths: bases of each window (B,).
        labels: (B, L) or (B, K) int8, `MISSING` where unknown; or (B, K) float32 numbers, nan where unknown.
        weights: weight of each base in the loss (B, L), or None where all are 1.
    """

    tokens: np.ndarray
    lengths: np.ndarray
    labels: np.ndarray
    weights: np.ndarray | None = None

    @property
    def n_bp(self) -> int:
        """Bases in the batch, padding not counted."""
        return int(self.lengths.sum())

    def share(self, rank: int, n_processes: int) -> "ArrayBatch":
        """The windows of one process: every `n_processes`-th, from window `rank` on."""
        rows = slice(rank, None, n_processes)
        weights = None if self.weights is None else self.weights[rows]
        return ArrayBatch(self.tokens[rows], self.lengths[rows], self.labels[rows], weights)


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """How batches are made.

    Attributes:
        batch_bp: most bases in a batch, padding included.
        seed: seed of order, cuts, strands and masks.
        complement: for each label the label of the same base on the other strand; None where labels do not depend on the
            strand.
        reverse_complement: whether a random half of the windows is reverse-complemented.
        mask_fraction: share of bases to mask for language modeling; 0 keeps the labels of the task.
        repeat_weight: weight of soft-masked bases in the loss of language modeling.
        masks_as_published: see `mask_for_training`.
        n_labels: labels of a window, or of one of its bins; 0 where each base has a class.
        n_shares: processes that share a batch; each gets at least one window, as long as there are enough windows.
        any_length: whether windows differ in length by orders of magnitude, so that a batch is padded to a multiple of a
            sixteenth of its own length, or a little less.
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
    any_length: bool = False


class TrainingBatches:
    """Batches of one or more splits (train, unlabeled), epoch after epoch.

    Args:
        splits: the splits, all with the same kind of labels.
        window_bp: length at which windows are cut.
        options: how batches are made.
    """

    def __init__(self, splits: list[Split], window_bp: int, options: BatchOptions) -> None:
        self.options = options
        self.window_bp = window_bp
        self.codes = np.concatenate([split.codes for split in splits])
        self.per_base = all(split.per_base for split in splits)
        self.labels = np.concatenate([split.labels for split in splits])
        self._labels_per_window = 0 if self.per_base or options.mask_fraction else _labels_per_window(splits)
        first_base = np.cumsum([0, *(len(split.codes) for split in splits[:-1])])
        self._runs = np.concatenate(
            [_adjacent_runs(split) + np.array([offset, offset, 0]) for split, offset in zip(splits, first_base)]
        )

    @property
    def n_bp(self) -> int:
        """Bases in one epoch."""
        return len(self.codes)

    def windows(self, epoch: int) -> np.ndarray:
        """Windows of an epoch as (start, end) in `codes`: (n, 2) int64, cut at other places in each epoch."""
        starts, ends, n_joined = self._runs.T
        generator = np.random.default_rng((self.options.seed, epoch, _OFFSET))
        widths = np.where(n_joined > 1, self.window_bp, max(self.window_bp, self.options.batch_bp))
        offsets = generator.integers(widths // 8, widths, endpoint=True)
        windows = []
        for start, end, n, offset, width in zip(starts, ends, n_joined, offsets, widths):
            cuts, shortest = np.array([start, end]), width // 8
            if n > 1 or (self.per_base and end - start > width):
                cuts = np.concatenate([[start], np.arange(start + offset, end, width), [end]])
            if len(cuts) > 2 and cuts[-1] - cuts[-2] < shortest:
                cuts[-2] = (
                    cuts[-1] + cuts[-3]
                ) // 2  # the last two windows share their bases evenly: none is too short
            windows.append(np.stack([cuts[:-1], cuts[1:]], axis=1))
        return np.concatenate(windows)

    def plan(self, epoch: int) -> list[np.ndarray]:
        """Batches of an epoch, each as the (start, end) of its windows: similar lengths together, batches in random order."""
        windows = self.windows(epoch)
        generator = np.random.default_rng((self.options.seed, epoch, _ORDER))
        windows = windows[generator.permutation(len(windows))]
        lengths = windows[:, 1] - windows[:, 0]
        per_pool = max(1, int(_POOL_BATCHES * self.options.batch_bp // max(1, lengths.mean())))
        batches: list[np.ndarray] = []
        for first in range(0, len(windows), per_pool):
            pool = windows[first : first + per_pool]
            longest_first = pool[np.argsort(pool[:, 0] - pool[:, 1], kind="stable")]
            batches += self._fill_batches(longest_first)
        return [batches[index] for index in generator.permutation(len(batches))]

    def _fill_batches(self, windows: np.ndarray) -> list[np.ndarray]:
        """Windows, sorted from long to short, to batches whose padded size stays within the budget."""
        n_shares = self.options.n_shares
        batches, first = [], 0
        while first < len(windows):
            padded_bp = self._padded_length(windows[first, 1] - windows[first, 0])
            n_windows = max(n_shares, self.options.batch_bp // padded_bp, 1)
            batches.append(windows[first : first + n_windows])
            first += n_windows
        if len(batches) > 1 and len(batches[-1]) < n_shares:
            batches[-2:] = [np.concatenate(batches[-2:])]
        return batches

    def _padded_length(self, longest: int) -> int:
        """Length of a batch: one of few, because oneDNN and cuDNN prepare their kernels anew for each shape."""
        step = max(1, self.window_bp // 8)
        if self.options.any_length:
            step = max(1, (1 << (int(longest) - 1).bit_length()) // 16)
        return -(-int(longest) // step) * step

    def batches(self, epoch: int, first: int = 0) -> Iterator[ArrayBatch]:
        """Yield the batches of an epoch, from batch number `first` on (where a resumed run goes on)."""
        for number, windows in enumerate(self.plan(epoch)):
            if number >= first:
                yield self._assemble(windows, epoch, number)

    def _assemble(self, windows: np.ndarray, epoch: int, number: int) -> ArrayBatch:
        """The batch of B windows, given by (start, end) in `codes`."""
        options = self.options
        lengths = windows[:, 1] - windows[:, 0]
        position = np.arange(self._padded_length(lengths.max()))
        inside = position < lengths[:, None]
        reverse = np.zeros(len(windows), dtype=bool)
        if options.reverse_complement:
            generator = np.random.default_rng((options.seed, epoch, _STRAND, number))
            reverse = generator.random(len(windows)) < 0.5
        read_forward = windows[:, :1] + position
        read_backward = windows[:, 1:] - 1 - position
        index = np.where(inside, np.where(reverse[:, None], read_backward, read_forward), 0)
        codes = self.codes[index]
        codes = np.where(reverse[:, None], _complement(codes), codes)
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
        if self.per_base:
            return ArrayBatch(tokens, lengths, self._base_labels(index, inside, reverse))
        rows = np.searchsorted(self._runs[:, 0], windows[:, 0])
        return ArrayBatch(tokens, lengths, self._window_labels(rows, reverse))

    def _window_labels(self, rows: np.ndarray, reverse: np.ndarray) -> np.ndarray:
        """Labels of whole windows, or of their bins, which a reversed window has in reverse order: (B, K) int8."""
        labels: np.ndarray = self.labels.reshape(-1, self._labels_per_window)[rows]
        has_bins = 0 < self.options.n_labels < self._labels_per_window
        if not has_bins:
            return labels
        by_bin = labels.reshape(len(rows), -1, self.options.n_labels)
        return np.where(reverse[:, None, None], by_bin[:, ::-1], by_bin).reshape(labels.shape)

    def _base_labels(self, index: np.ndarray, inside: np.ndarray, reverse: np.ndarray) -> np.ndarray:
        """Labels of bases, complemented in reversed windows: (B, L) int8."""
        labels = np.where(inside, self.labels[index], MISSING).astype(np.int8)
        if self.options.complement is None or not reverse.any():
            return labels
        table = np.array([*self.options.complement, MISSING], dtype=np.int8)
        labels[reverse] = table[np.where(labels[reverse] == MISSING, len(table) - 1, labels[reverse])]
        return labels


def _complement(codes: np.ndarray) -> np.ndarray:
    """Complement of each base, in the same order."""
    return alphabet.reverse_complement(codes)[..., ::-1]


def _labels_per_window(splits: list[Split]) -> int:
    numbers = {int(number) for split in splits for number in np.unique(np.diff(split.label_offsets))}
    assert len(numbers) == 1, f"windows of one dataset have {numbers} labels"
    return numbers.pop()


def _adjacent_runs(split: Split) -> np.ndarray:
    """Runs of windows that follow each other on a contig: (start, end) in the codes and number of windows, (n, 3) int64.

    Where labels are of whole windows, each window is a run of its own.
    """
    follows = np.zeros(len(split), dtype=bool)
    if split.per_base and len(split) > 1:
        follows[1:] = (split.chrom[1:] == split.chrom[:-1]) & (split.start[1:] == split.end[:-1])
    first = np.flatnonzero(~follows)
    last = np.append(first[1:], len(split))
    return np.stack([split.offsets[first], split.offsets[last], last - first], axis=1)
