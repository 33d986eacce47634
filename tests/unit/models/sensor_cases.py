"""Sequences for sensors, and the slow truth: plain loops over one strand at a time."""

import numpy as np

from dnaspt.genome import alphabet
from dnaspt.genome.genetic_code import STANDARD, GeneticCode
from dnaspt.models.gene_structure import ACCEPTOR, CODING, DONOR, INTRON, PLUS, START, STOP
from dnaspt.models.phase_labels import mirror_phase_labels
from dnaspt.models.sensors import SIGNALS, SensorCounts, Sensors


def random_codes(seed: int, n: int, unknown: float = 0.01) -> np.ndarray:
    """Random letters, some of them N, some soft-masked."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 4, n).astype(np.uint8)
    codes[rng.random(n) < unknown] = alphabet.N
    codes[rng.random(n) < 0.1] |= alphabet.SOFT_MASKED
    return codes


def random_labels(seed: int, n: int) -> np.ndarray:
    """Random columns, legal or not; some are missing."""
    rng = np.random.default_rng(seed + 1)
    return np.where(rng.random(n) < 0.1, -100, rng.integers(0, 29, n)).astype(np.int8)


def words_of(name: str, code: GeneticCode = STANDARD) -> tuple[str, ...]:
    return {"donor": ("GT", "GC"), "acceptor": ("AG",), "start": code.starts, "stop": code.stops}[name]


def is_site(text: str, at: int, number: int, code: GeneticCode = STANDARD) -> bool:
    """Whether the letters allow signal `number` at a position."""
    signal = SIGNALS[number]
    return any(
        at + signal.word_first >= 0 and text[at + signal.word_first :].startswith(w)
        for w in words_of(signal.name, code)
    )


TRUE_COLUMNS = (range(DONOR, DONOR + 3), range(ACCEPTOR, ACCEPTOR + 3), (START,), (STOP,))


def count_slowly(codes: np.ndarray, labels: np.ndarray, start: int, stop: int) -> SensorCounts:
    """`SensorCounts.of` by plain loops."""
    counts = SensorCounts.zero()
    strands = [(codes, labels, start, stop)]
    n = len(codes)
    strands.append((alphabet.reverse_complement(codes), mirror_phase_labels(labels), n - stop, n - start))
    for strand_codes, strand_labels, first, last in strands:
        text = alphabet.decode(alphabet.tokens(strand_codes))
        letters = [*alphabet.tokens(strand_codes).tolist()]
        for i in range(first, last):
            label = int(strand_labels[i])
            if label < 0:
                continue
            column = label - PLUS
            chain = None
            if label == 0:
                chain = 4
            elif column == START or CODING <= column < CODING + 3:
                chain = 0 if column == START else column
            elif column == STOP:
                chain = 2
            elif INTRON <= column < START:
                chain = 3
            if chain is not None and i >= 5 and all(x < 4 for x in letters[i - 5 : i + 1]):
                counts.content[chain, int("".join(map(str, letters[i - 5 : i])), 4), letters[i]] += 1
            for number, signal in enumerate(SIGNALS):
                if not is_site(text, i, number):
                    continue
                kind = 0 if column in TRUE_COLUMNS[number] else 1
                counts.sites[number, kind] += 1
                for w, at in enumerate(range(i + signal.first, i + signal.last)):
                    if 0 <= at < n and letters[at] < 4:
                        before = letters[at - 1] if at else 4
                        counts.signals[number, kind, w, before, letters[at]] += 1
    return counts


def score_slowly(sensors: Sensors, codes: np.ndarray) -> np.ndarray:
    """`Sensors.features` by plain loops: (L, 20) float64."""
    n = len(codes)
    plus = _score_strand(sensors, codes)
    return np.concatenate([plus, _score_strand(sensors, alphabet.reverse_complement(codes))[::-1]], 1).reshape(n, 20)


def _score_strand(sensors: Sensors, codes: np.ndarray) -> np.ndarray:
    text = alphabet.decode(alphabet.tokens(codes))
    letters = alphabet.tokens(codes).tolist()
    n = len(letters)
    out = np.zeros((n, 10))

    def content(i: int) -> np.ndarray:
        if not 0 <= i < n or letters[i] > 3:
            return np.zeros(4)
        known: list[int] = []
        while len(known) < 5 and i - len(known) > 0 and letters[i - len(known) - 1] < 4:
            known.insert(0, letters[i - len(known) - 1])
        number = int("".join(map(str, known)) or "0", 4)
        return np.asarray(sensors.content[(4 ** len(known) - 1) // 3 + number, letters[i]], np.float64)

    for i in range(n):
        out[i, :4] = content(i)
        for number, signal in enumerate(SIGNALS):
            if is_site(text, i, number):
                for w, at in enumerate(range(i + signal.first, i + signal.last)):
                    here = letters[at] if 0 <= at < n else 4
                    before = letters[at - 1] if 0 <= at - 1 < n else 4
                    out[i, 4 + number] += sensors.signals[number, w, before, here]
        if is_site(text, i, 2):
            out[i, 8] = sum(content(i + j)[j] for j in range(3))
        if is_site(text, i, 3):
            out[i, 9] = sum(content(i - 2 + j)[j] for j in range(3))
    return out
