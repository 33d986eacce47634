"""Counting and scoring of a gene model's sensors along both strands of a sequence: Numba kernels over positions.

Each strand is walked in its direction of transcription by the same code, so the reverse complement has exactly the mirrored
scores. Letters around the positions that are asked for are read as context, so tiles give what the whole gives.
"""

from typing import NamedTuple

import numpy as np

from dnaspt.models.gene_structure import (
    ACCEPTOR,
    CODING,
    DONOR,
    INTERGENIC,
    INTRON,
    MINUS_COLUMNS,
    PLUS,
    START,
    STOP,
)
from dnaspt.models.kernels.numba_cache import kernel

ORDER = 5
"""Letters before a base that the content chains know."""
N_CONTEXTS = 4**ORDER
N_ALL_CONTEXTS = (4 ** (ORDER + 1) - 1) // 3
"""Contexts of all orders together: those of order o begin at row (4**o - 1) // 3."""
UNKNOWN = 4
"""The letter N, and what stands beyond the ends of a sequence."""
N_SIGNALS = 4
"""Donor, acceptor, start and stop, in this order."""
N_CHAINS = 5
"""Content chains: codon base 0, 1, 2, intron, intergenic. The scores are those of the first four against the last."""
N_FEATURES = 10
"""Scores of a base on one strand: content (4), signals (4), and the content of the start codon and of the stop codon here."""
_CHAINS = N_CHAINS - 1
_INTRON, _OUTSIDE = 3, 4
_START_CONTENT, _STOP_CONTENT = 8, 9
_START_SIGNAL, _STOP_SIGNAL = 2, 3
_STRAND = MINUS_COLUMNS - PLUS
_PAD = 32
"""Letters around an interval that windows and contexts may read."""
_FURTHEST = 2
"""Furthest that a signal's word begins from its base."""


class SignalShape(NamedTuple):
    """Where each signal's window and word lie, as offsets from its base in the direction of transcription, and its words.

    Attributes:
        first: (4,) int64, first base of the window.
        width: (4,) int64, bases of the window.
        word_first: (4,) int64, first base of the word.
        words: (4, 125) bool, whether three letters begin with a word of the signal; their number has the base 5, the fifth letter
            is UNKNOWN, and the first is the most significant.
    """

    first: np.ndarray
    width: np.ndarray
    word_first: np.ndarray
    words: np.ndarray


class Tables(NamedTuple):
    """Scores in nats.

    Attributes:
        content: (N_ALL_CONTEXTS, 4, 4) float32: context, letter, and codon base 0, 1, 2 or intron.
        signals: (4, W, 5, 5) float32: signal, base of its window, letter before, letter.
    """

    content: np.ndarray
    signals: np.ndarray


@kernel()
def _read_strand(codes: np.ndarray, start: int, stop: int, strand: int) -> np.ndarray:
    """Letters of a strand (0 plus, 1 minus) in its direction, with _PAD letters on either side: (stop - start + 2 * _PAD,) uint8.

    Beyond the ends of the sequence letters are UNKNOWN.
    """
    letters = np.empty(stop - start + 2 * _PAD, np.uint8)
    for t in range(len(letters)):
        position = start - _PAD + t if strand == 0 else stop + _PAD - 1 - t
        letter = np.int64(UNKNOWN)
        if 0 <= position < len(codes):
            code = np.int64(codes[position]) & 7
            if code < UNKNOWN:
                letter = code if strand == 0 else 3 - code
        letters[t] = letter
    return letters


@kernel()
def _read_words(letters: np.ndarray, shape: SignalShape) -> np.ndarray:
    """Which signals the letters allow: letters (n,) of a strand -> (n,) uint8, bit s for signal s; 0 in the margins."""
    allowed = np.zeros(len(letters), np.uint8)
    flags = np.zeros(shape.words.shape[1], np.uint8)
    for signal in range(N_SIGNALS):
        for number in range(len(flags)):
            flags[number] |= np.uint8(shape.words[signal, number]) << signal
    for word in range(_PAD - _FURTHEST, len(letters) - _PAD + _FURTHEST):
        hits = flags[letters[word] * 25 + letters[word + 1] * 5 + letters[word + 2]]
        if hits:
            for signal in range(N_SIGNALS):
                allowed[word - shape.word_first[signal]] |= hits & (1 << signal)
    return allowed


@kernel()
def _context_row(context: int, n_known: int) -> int:
    """Row of the tables for a context of which so many letters are known."""
    n = 1 << (2 * n_known)
    return (n - 1) // 3 + (context & (n - 1))


@kernel()
def mark_candidates(codes: np.ndarray, shape: SignalShape, out: np.ndarray) -> None:
    """Mark candidate sites: codes (L,) -> out (L, 8) bool, four signals of the plus strand, four of the minus strand.

    Args:
        codes: letters (L,) uint8.
        shape: windows and words of the signals.
        out: gets the marks.
    """
    n = len(codes)
    for strand in range(2):
        allowed = _read_words(_read_strand(codes, 0, n, strand), shape)
        for i in range(n):
            position = i if strand == 0 else n - 1 - i
            for signal in range(N_SIGNALS):
                out[position, N_SIGNALS * strand + signal] = (allowed[i + _PAD] >> signal) & 1


@kernel()
def score_letters(
    tokens: np.ndarray,
    candidates: np.ndarray,
    tables: np.ndarray,
    bias: np.ndarray,
    offsets: np.ndarray,
    out: np.ndarray,
) -> None:
    """Score candidate sites by the letters around them: tokens (L,) -> out (L, 8) float32, which is left alone elsewhere.

    Args:
        tokens: token ids (L,).
        candidates: (L, 8) bool.
        tables: (8, O, K) float32, what each of the K tokens adds at each of O offsets.
        bias: (8,) float32.
        offsets: (8, O) int64, positions that are read, counted from the site's base. What lies outside the sequence adds nothing.
        out: gets the scores (L, 8).
    """
    n = len(tokens)
    for t in range(n):
        for site in range(candidates.shape[1]):
            if candidates[t, site]:
                score = bias[site]
                for k in range(offsets.shape[1]):
                    position = t + offsets[site, k]
                    if 0 <= position < n:
                        score += tables[site, k, tokens[position]]
                out[t, site] = score


@kernel()
def _chain_of(column: int) -> int:
    """Content chain of a base by its column within the strand; -1 for a base of the other strand's genes."""
    if column < 0 or column >= _STRAND:
        return -1
    if column < INTRON:
        return column - CODING
    if column < START:
        return _INTRON
    return 0 if column == START else 2


@kernel()
def _is_true(column: int, signal: int) -> bool:
    """Whether the column within the strand is that of a signal."""
    if signal == 0:
        return DONOR <= column < DONOR + 3
    if signal == 1:
        return ACCEPTOR <= column < ACCEPTOR + 3
    return column == (START if signal == _START_SIGNAL else STOP)


@kernel()
def count_sensors(
    codes: np.ndarray,
    labels: np.ndarray,
    shape: SignalShape,
    between: tuple[int, int],
    content: np.ndarray,
    signals: np.ndarray,
    sites: np.ndarray,
) -> None:
    """Add the counts of the labeled positions of an interval, on both strands.

    Args:
        codes: letters (L,) uint8.
        labels: columns of `gene_structure` (L,) int8; below 0 where missing.
        shape: windows and words of the signals.
        between: start and stop of the positions to count.
        content: (5, N_CONTEXTS, 4) int64: chain, context, letter.
        signals: (4, 2, W, 5, 4) int64: signal, true site or decoy, base of the window, letter before, letter.
        sites: (4, 2) int64: true sites and decoys.
    """
    start, stop = between
    for strand in range(2):
        letters = _read_strand(codes, start, stop, strand)
        allowed = _read_words(letters, shape)
        context, n_known = 0, 0
        for t in range(_PAD - ORDER, len(letters) - _PAD):
            letter = letters[t]
            i = t - _PAD
            position = start + i if strand == 0 else stop - 1 - i
            if i >= 0 and labels[position] >= 0:
                column = labels[position] - (PLUS + strand * _STRAND)
                chain = _OUTSIDE if labels[position] == INTERGENIC else _chain_of(column)
                if chain >= 0 and letter != UNKNOWN and n_known == ORDER:
                    content[chain, context, letter] += 1
                for signal in range(N_SIGNALS if allowed[t] else 0):
                    if (allowed[t] >> signal) & 1:
                        kind = 0 if _is_true(column, signal) else 1
                        sites[signal, kind] += 1
                        for w in range(shape.width[signal]):
                            here = t + shape.first[signal] + w
                            if letters[here] != UNKNOWN:
                                signals[signal, kind, w, letters[here - 1], letters[here]] += 1
            if letter == UNKNOWN:
                n_known = 0
            else:
                context = (context * 4 + letter) & (N_CONTEXTS - 1)
                n_known = min(n_known + 1, ORDER)


@kernel()
def _score_window(letters: np.ndarray, t: int, signal: int, shape: SignalShape, tables: Tables) -> np.float32:
    """Sum of the scores of the window around letter t."""
    total = np.float32(0)
    first = t + shape.first[signal]
    for w in range(shape.width[signal]):
        total += tables.signals[signal, w, letters[first + w - 1], letters[first + w]]
    return total


@kernel()
def _score_codon(letters: np.ndarray, t: int, tables: Tables) -> np.float32:
    """Coding content of the codon that begins at letter t."""
    context, n_known, total = 0, 0, np.float32(0)
    for i in range(-ORDER, 3):
        letter = letters[t + i]
        if letter == UNKNOWN:
            n_known = 0
            continue
        if i >= 0:
            total += tables.content[_context_row(context, n_known), letter, i]
        context = (context * 4 + letter) & (N_CONTEXTS - 1)
        n_known = min(n_known + 1, ORDER)
    return total


@kernel()
def score_sensors(
    codes: np.ndarray, tables: Tables, shape: SignalShape, between: tuple[int, int], out: np.ndarray
) -> None:
    """Score the positions start to stop on both strands: codes (L,) -> out (stop - start, 2 * N_FEATURES) float32.

    Args:
        codes: letters of the whole sequence (L,) uint8.
        tables: what is scored.
        shape: windows and words of the signals.
        between: start and stop of the positions.
        out: gets the scores.
    """
    start, stop = between
    for strand in range(2):
        letters = _read_strand(codes, start, stop, strand)
        allowed = _read_words(letters, shape)
        context, n_known, first = 0, 0, strand * N_FEATURES
        for t in range(_PAD - ORDER, len(letters) - _PAD):
            letter = letters[t]
            i = t - _PAD
            if i >= 0:
                row = i if strand == 0 else len(out) - 1 - i
                out[row, first : first + N_FEATURES] = 0
                if letter != UNKNOWN:
                    scores = _context_row(context, n_known)
                    for chain in range(_CHAINS):
                        out[row, first + chain] = tables.content[scores, letter, chain]
                    for signal in range(N_SIGNALS if allowed[t] else 0):
                        if (allowed[t] >> signal) & 1:
                            out[row, first + _CHAINS + signal] = _score_window(letters, t, signal, shape, tables)
                            if signal == _START_SIGNAL:
                                out[row, first + _START_CONTENT] = _score_codon(letters, t, tables)
                            elif signal == _STOP_SIGNAL:
                                out[row, first + _STOP_CONTENT] = _score_codon(letters, t - 2, tables)
            if letter == UNKNOWN:
                n_known = 0
            else:
                context = (context * 4 + letter) & (N_CONTEXTS - 1)
                n_known = min(n_known + 1, ORDER)


@kernel()
def add_features(features: np.ndarray, weights: tuple[float, ...], potentials: np.ndarray) -> None:
    """Add weighted scores to potentials, in place.

    Args:
        features: (L, 2 * N_FEATURES) float32.
        weights: (6,), of coding, intron, donor, acceptor, start and stop.
        potentials: (L, 29) float32.
    """
    coding, intron, donor, acceptor, start, stop = weights
    for i in range(len(features)):
        for strand in range(2):
            f, p = strand * N_FEATURES, PLUS + strand * _STRAND
            for phase in range(3):
                potentials[i, p + CODING + phase] += coding * features[i, f + phase]
            intron_score = intron * features[i, f + _INTRON]
            for phase in range(3):
                potentials[i, p + INTRON + phase] += intron_score
            score = features[i, f + _CHAINS]
            if score != 0:  # signals are rare
                for phase in range(3):
                    potentials[i, p + DONOR + phase] += donor * score
            score = features[i, f + _CHAINS + 1]
            if score != 0:
                for phase in range(3):
                    potentials[i, p + ACCEPTOR + phase] += acceptor * score
            score, content = features[i, f + _CHAINS + _START_SIGNAL], features[i, f + _START_CONTENT]
            if score != 0 or content != 0:
                potentials[i, p + START] += start * score - coding * content
            score, content = features[i, f + _CHAINS + _STOP_SIGNAL], features[i, f + _STOP_CONTENT]
            if score != 0 or content != 0:
                potentials[i, p + STOP] += stop * score - coding * content


@kernel()
def add_sites(scores: np.ndarray, weights: tuple[float, ...], potentials: np.ndarray) -> None:
    """Add weighted site scores to potentials, in place.

    Args:
        scores: (L, 8).
        weights: (4,), of donor, acceptor, start and stop.
        potentials: (L, 29) float32.
    """
    donor, acceptor, start, stop = weights
    for i in range(len(scores)):
        for strand in range(2):
            f, p = strand * N_SIGNALS, PLUS + strand * _STRAND
            score = scores[i, f]
            if score != 0:  # sites are rare
                for phase in range(3):
                    potentials[i, p + DONOR + phase] += donor * score
            score = scores[i, f + 1]
            if score != 0:
                for phase in range(3):
                    potentials[i, p + ACCEPTOR + phase] += acceptor * score
            potentials[i, p + START] += start * scores[i, f + _START_SIGNAL]
            potentials[i, p + STOP] += stop * scores[i, f + _STOP_SIGNAL]


@kernel()
def add_weight_gradient(features: np.ndarray, gradients: np.ndarray, out: np.ndarray) -> None:
    """Add the gradient of the weights of `add_features`, in place.

    Args:
        features: (L, 2 * N_FEATURES) float32.
        gradients: of the potentials (L, 29).
        out: (6,) float64.
    """
    for strand in range(2):
        f, p = strand * N_FEATURES, PLUS + strand * _STRAND
        for i in range(len(features)):
            for phase in range(3):
                out[0] += gradients[i, p + CODING + phase] * features[i, f + phase]
                out[1] += gradients[i, p + INTRON + phase] * features[i, f + _INTRON]
                out[2] += gradients[i, p + DONOR + phase] * features[i, f + _CHAINS]
                out[3] += gradients[i, p + ACCEPTOR + phase] * features[i, f + _CHAINS + 1]
            start, stop = gradients[i, p + START], gradients[i, p + STOP]
            out[0] -= start * features[i, f + _START_CONTENT] + stop * features[i, f + _STOP_CONTENT]
            out[4] += start * features[i, f + _CHAINS + _START_SIGNAL]
            out[5] += stop * features[i, f + _CHAINS + _STOP_SIGNAL]
