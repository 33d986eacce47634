"""Masked positions of the valid split on which a pretraining is scored: the same in every run, and for n-gram models."""

from dataclasses import dataclass

import numpy as np

from dnaspt.baselines.ngram import MaskedBases
from dnaspt.config import MASK_TOKEN
from dnaspt.data.dataset import Split
from dnaspt.data.masking import mask_for_validation
from dnaspt.genome import alphabet
from dnaspt.genome.gene_states import MISSING

VALIDATION_BP = 2_000_000
"""Bases of the valid split on which a pretraining is scored, about."""
_SEED = 20
"""Masks are drawn from this seed plus the number of the window."""


@dataclass(frozen=True, slots=True)
class MaskedWindows:
    """Windows with masked bases.

    Attributes:
        tokens: input tokens of each window (L,) uint8.
        labels: true bases of each window (L,), -100 where a base is not scored.
    """

    tokens: list[np.ndarray]
    labels: list[np.ndarray]

    @property
    def n_bp(self) -> int:
        """Bases of all windows."""
        return sum(len(tokens) for tokens in self.tokens)

    @property
    def n_masked(self) -> int:
        """Masked bases of all windows."""
        return sum(int((labels != MISSING).sum()) for labels in self.labels)


def mask_windows(split: Split, fraction: float, *, as_published: bool = False) -> MaskedWindows:
    """Mask the first windows of a split, 2 Mb of them, at positions that are the same in every call.

    Args:
        split: windows of DNA.
        fraction: share of the bases to mask.
        as_published: mask with the base T, as the code of the authors does.
    """
    tokens, labels, n_bp = [], [], 0
    for index, window in enumerate(split):
        masked, truth = mask_for_validation(
            alphabet.tokens(window.codes), fraction, _SEED + index, as_published=as_published
        )
        tokens.append(masked)
        labels.append(truth)
        n_bp += len(masked)
        if n_bp >= VALIDATION_BP:
            break
    return MaskedWindows(tokens, labels)


def masked_bases(windows: MaskedWindows) -> MaskedBases:
    """The same positions as n-gram models take them: the same neighbors are hidden."""
    codes, offsets = concatenate(windows.tokens)
    labels = np.concatenate(windows.labels)
    positions = np.flatnonzero(labels != MISSING)
    codes[positions] = MASK_TOKEN  # where the mask is the base T, n-gram models must not take it for a base
    return MaskedBases(codes, offsets, positions, labels[positions].astype(np.uint8))


def concatenate(sequences: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Sequences end to end (L,), and the n + 1 offsets: sequence i is [offsets[i]:offsets[i + 1]]."""
    return np.concatenate(sequences), np.concatenate([[0], np.cumsum([len(sequence) for sequence in sequences])])
