"""What windows are made of: counts of k-mers on both strands, and the scores of Markov chains, in time linear in the bases."""

from collections.abc import Iterator

import numpy as np

from dnaspt.data.store import Split

_CHUNK_BP = 1 << 22
"""Bases whose k-mers are held at once."""


def kmer_counts(split: Split, k: int) -> np.ndarray:
    """Share of each k-mer among those of a window, k-mers and their reverse complements as one: (n, M) float32.

    k-mers with an N are not counted.
    """
    column = np.unique(np.minimum(np.arange(4**k), turned_words(k)), return_inverse=True)[1]
    n_columns = int(column.max()) + 1
    features = np.zeros((len(split), n_columns), dtype=np.float32)
    for rows, words, owner in window_words(split, k):
        n_rows = rows.stop - rows.start
        counts = np.bincount(owner * n_columns + column[words], minlength=n_rows * n_columns)
        counts = counts.reshape(n_rows, n_columns)
        features[rows] = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    return features


def turned_words(k: int) -> np.ndarray:
    """Number of the reverse complement of each k-mer: (4**k,)."""
    place = 4 ** np.arange(k)
    digits = np.arange(4**k)[:, None] // place[::-1] % 4
    turned: np.ndarray = ((3 - digits[:, ::-1]) * place[::-1]).sum(axis=1)
    return turned


def window_words(split: Split, k: int) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """k-mers without N of some windows at a time: the rows, numbers of their k-mers (m,), and whose each is, from 0 on (m,)."""
    first = 0
    while first < len(split):
        beyond = int(np.searchsorted(split.offsets, split.offsets[first] + _CHUNK_BP, side="right")) - 1
        last = min(max(beyond, first + 1), len(split))
        tokens = split.codes[split.offsets[first] : split.offsets[last]] & 7
        owner = np.repeat(np.arange(last - first), np.diff(split.offsets[first : last + 1]))
        n_words = max(0, len(tokens) - k + 1)
        words, known = np.zeros(n_words, np.int64), np.ones(n_words, bool)
        for at in range(k):
            letters = tokens[at : at + n_words]
            words = words * 4 + letters
            known &= letters < 4
        known &= owner[:n_words] == owner[len(tokens) - n_words :]
        yield slice(first, last), words[known], owner[:n_words][known]
        first = last


def class_counts(split: Split, k: int, truth: np.ndarray) -> np.ndarray:
    """How often each k-mer, on either strand, occurs in windows without and with each label (n, K): (K, 2, 4**k) int64."""
    n_labels = truth.shape[1]
    counts = np.zeros((n_labels, 2, 4**k), dtype=np.int64)
    for rows, words, owner in window_words(split, k):
        for label in range(n_labels):
            for value in (0, 1):
                inside = (truth[rows, label] == value)[owner]
                counts[label, value] += np.bincount(words[inside], minlength=4**k)
    return counts + counts[:, :, turned_words(k)]


def word_scores(split: Split, k: int, scores: np.ndarray) -> np.ndarray:
    """Mean score of a window's k-mers and of their reverse complements: (n,) float64; scores: (4**k,)."""
    both = (scores + scores[turned_words(k)]) / 2
    means = np.zeros(len(split))
    for rows, words, owner in window_words(split, k):
        n_rows = rows.stop - rows.start
        n_words = np.bincount(owner, minlength=n_rows)
        means[rows] = np.bincount(owner, weights=both[words], minlength=n_rows) / np.maximum(1, n_words)
    return means
