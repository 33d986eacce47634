"""Sensors of a gene model: letters to log-odds of content and signals at each base, estimated by counting on labeled sequence.

Content: interpolated Markov chains of order 5 for codon base 0, 1, 2 and for introns, against intergenic sequence, as in Glimmer
(Salzberg et al. 1998) and AUGUSTUS (Stanke and Waack 2003). Signals: first-order weight arrays (Zhang and Marr 1993) of donors,
acceptors, start and stop codons, true sites against decoys, which have the same letters where the site is. All in nats.

Counts add and subtract. What is estimated on other contigs, for cross-fitting, is all counts minus those of a contig.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import NamedTuple, Self

import numpy as np

from dnaspt.genome import alphabet
from dnaspt.genome.genetic_code import MAJOR_SPLICE_PAIRS, STANDARD, GeneticCode
from dnaspt.genome.intervals import runs
from dnaspt.models.cross_fitting import LabeledSequence
from dnaspt.models.gene_structure import N_COLUMNS
from dnaspt.models.kernels.sensors import (
    N_CHAINS,
    N_CONTEXTS,
    N_FEATURES,
    N_SIGNALS,
    ORDER,
    UNKNOWN,
    SignalShape,
    Tables,
    add_features,
    add_weight_gradient,
    count_sensors,
    mark_candidates,
    score_sensors,
)

WEIGHTS = ("coding", "intron", "donor", "acceptor", "start", "stop")
"""What each of the six weights scales."""
CONTENT_STRENGTH = 200.0
"""Observations that the shorter context counts as. Of 2 .. 320 this is among the best at telling coding from intergenic and
intron sequence on the train parts of athaliana and celegans, contig by contig out of fold, and Witten and Bell's rule is no
better (`benchmarks/sensors.py`)."""
SIGNAL_STRENGTH = 16.0
"""The same for signals; chosen by hand on the same parts."""
_BLOCK = 1 << 12
"""Positions whose scores are made at once on the way to potentials: they stay in the processor's cache."""


class Signal(NamedTuple):
    """A signal. Offsets count from its base in `gene_structure`, in the direction of transcription.

    Attributes:
        name: name.
        first, last: first base of the window, and the base behind its last one.
        word_first: first base of its word.
    """

    name: str
    first: int
    last: int
    word_first: int


SIGNALS = (
    Signal("donor", -4, 8, 0),
    Signal("acceptor", -24, 4, -1),
    Signal("start", -12, 9, 0),
    Signal("stop", -8, 7, -2),
)
"""The four signals. Bases: first and last of the intron, first of the start codon, last of the stop codon."""
WIDTH = max(signal.last - signal.first for signal in SIGNALS)
"""Bases of the widest window."""


def signal_shape(genetic_code: GeneticCode = STANDARD) -> SignalShape:
    """The windows of the signals, and their words in a genetic code."""
    splice = zip(*MAJOR_SPLICE_PAIRS, strict=True)
    all_words = [sorted(set(words)) for words in (*splice, genetic_code.starts, genetic_code.stops)]
    begins_with = np.zeros((N_SIGNALS, 5, 5, 5), bool)
    for signal, words in enumerate(all_words):
        for word in words:
            begins_with[(signal, *alphabet.encode(word).tolist())] = True
    return SignalShape(
        first=np.array([signal.first for signal in SIGNALS]),
        width=np.array([signal.last - signal.first for signal in SIGNALS]),
        word_first=np.array([signal.word_first for signal in SIGNALS]),
        words=begins_with.reshape(N_SIGNALS, -1),
    )


def candidate_sites(codes: np.ndarray, genetic_code: GeneticCode = STANDARD) -> np.ndarray:
    """Where the letters allow each signal: codes (L,) -> (L, 8) bool, donor, acceptor, start, stop of plus, then of minus."""
    out = np.zeros((len(codes), 2 * N_SIGNALS), bool)
    mark_candidates(np.ascontiguousarray(codes), signal_shape(genetic_code), out)
    return out


@dataclass(frozen=True, slots=True)
class SensorCounts:
    """Counts on labeled sequence of both strands. They add and subtract.

    Attributes:
        content: (5, 1024, 4) int64: chain (codon base 0, 1, 2, intron, intergenic), the five letters before, letter.
        signals: (4, 2, W, 5, 4) int64: signal, true site or decoy, base of the window, letter before it (4: not known), letter.
        sites: (4, 2) int64: how many true sites and decoys.
    """

    content: np.ndarray
    signals: np.ndarray
    sites: np.ndarray

    @classmethod
    def zero(cls) -> Self:
        """No counts."""
        return cls(
            np.zeros((N_CHAINS, N_CONTEXTS, 4), np.int64),
            np.zeros((N_SIGNALS, 2, WIDTH, UNKNOWN + 1, 4), np.int64),
            np.zeros((N_SIGNALS, 2), np.int64),
        )

    @classmethod
    def of(
        cls,
        codes: np.ndarray,
        labels: np.ndarray,
        start: int = 0,
        stop: int | None = None,
        *,
        genetic_code: GeneticCode = STANDARD,
    ) -> Self:
        """Count the labeled positions of an interval of a sequence, on both strands.

        Letters outside the interval are read as context. N and missing labels are not counted.

        Args:
            codes: letters (L,) uint8; see `alphabet`.
            labels: `phase_labels` (L,) int8.
            start: first position to count.
            stop: position behind the last one; None for the end.
            genetic_code: which codons start and stop a gene.
        """
        counts = cls.zero()
        between = (start, len(codes) if stop is None else stop)
        arrays = (counts.content, counts.signals, counts.sites)
        shape = signal_shape(genetic_code)
        count_sensors(np.ascontiguousarray(codes), np.ascontiguousarray(labels), shape, between, *arrays)
        return counts

    @classmethod
    def total(cls, counts: Iterable["SensorCounts"]) -> "SensorCounts":
        """The sum of counts."""
        return sum(counts, cls.zero())

    def __add__(self, other: "SensorCounts") -> "SensorCounts":
        return SensorCounts(*(getattr(self, key.name) + getattr(other, key.name) for key in fields(self)))

    def __sub__(self, other: "SensorCounts") -> "SensorCounts":
        return SensorCounts(*(getattr(self, key.name) - getattr(other, key.name) for key in fields(self)))


def chain_table(counts: np.ndarray, strength: float, *, witten_bell: bool = False) -> np.ndarray:
    """Interpolated Markov chain: counts of letters after five letters (1024, 4) -> probabilities after 0 .. 5 letters (1365, 4).

    The probability of a letter is that of the counts, mixed with the one that a context of one letter less gives. The latter
    counts as `strength` observations; by the rule of Witten and Bell (1991) as `strength` times the different letters seen.

    Args:
        counts: counts (1024, 4).
        strength: observations that the shorter context counts as.
        witten_bell: whether to follow the rule of Witten and Bell.
    """
    rows = []
    lower = np.full((1, 4), 0.25)
    for order in range(ORDER + 1):
        seen = counts.reshape(-1, 4**order, 4).sum(0)
        shorter = lower[np.arange(4**order) % len(lower)]
        weight = strength * np.maximum((seen > 0).sum(1, keepdims=True), 1) if witten_bell else strength
        lower = (seen + weight * shorter) / (seen.sum(1, keepdims=True) + weight)
        rows.append(lower)
    return np.concatenate(rows)


def signal_tables(counts: np.ndarray, strength: float) -> np.ndarray:
    """First-order weight array of a signal: counts of true sites and decoys (2, W, 5, 4) -> log-odds (W, 5, 5) float32.

    A letter's probability after another one is mixed with its probability at that base of the window, which counts as `strength`
    observations; that of true sites with the decoys', which counts as `strength` sites. So few sites mean scores near 0. The
    first base, and one behind N, has the log-odds of its letter alone; N has 0.
    """
    alone = counts.sum(2)  # (2, W, 4)
    decoys = (alone[1] + 1) / (alone[1].sum(-1, keepdims=True) + 4)
    true = (alone[0] + strength * decoys) / (alone[0].sum(-1, keepdims=True) + strength)
    log_odds = np.zeros((len(decoys), UNKNOWN + 1, UNKNOWN + 1))
    log_odds[:, :, :4] = (np.log(true) - np.log(decoys))[:, None]
    after = [
        (pairs + strength * single[:, None]) / (pairs.sum(-1, keepdims=True) + strength)
        for pairs, single in ((counts[0, :, :4], true), (counts[1, :, :4], decoys))
    ]
    log_odds[1:, :4, :4] = (np.log(after[0]) - np.log(after[1]))[1:]
    return log_odds.astype(np.float32)


@dataclass(frozen=True)
class Sensors:
    """Tables of log-odds in nats, as they are stored in a checkpoint.

    Attributes:
        content: (1365, 4, 4) float32: context of 0 to 5 letters, letter, and codon base 0, 1, 2 or intron, against intergenic.
        signals: (4, W, 5, 5) float32: signal, base of its window, letter before, letter; 4 stands for a letter not known.
        words: (4, 125) bool: the words of each signal; see `SignalShape`.
    """

    content: np.ndarray
    signals: np.ndarray
    words: np.ndarray

    @classmethod
    def from_counts(
        cls,
        counts: SensorCounts,
        *,
        genetic_code: GeneticCode = STANDARD,
        content_strength: float = CONTENT_STRENGTH,
        signal_strength: float = SIGNAL_STRENGTH,
    ) -> Self:
        """Tables from counts. A chain or signal that was never seen scores 0 everywhere.

        Args:
            counts: counts of the training sequence.
            genetic_code: which codons start and stop a gene.
            content_strength: see `chain_table`.
            signal_strength: see `signal_tables`.
        """
        chains = np.stack([np.log(chain_table(chain, content_strength)) for chain in counts.content])
        content = chains[:-1] - chains[-1]
        seen = counts.content.sum((1, 2)) > 0
        content[~(seen[:-1] & seen[-1])] = 0
        signals = np.stack([signal_tables(signal, signal_strength) for signal in counts.signals])
        signals[counts.sites.min(1) == 0] = 0
        words = signal_shape(genetic_code).words
        return cls(np.ascontiguousarray(content.transpose(1, 2, 0), np.float32), signals, words)

    @classmethod
    def zero(cls) -> Self:
        """Sensors that score 0 everywhere, of the shapes that all sensors have."""
        return cls.from_counts(SensorCounts.zero())

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """Sensors from what `arrays` gave.

        Args:
            arrays: `content`, `signals` and `words`, of the shapes of the attributes.
        """
        return cls(**{key.name: np.ascontiguousarray(arrays[key.name]) for key in fields(cls)})

    def in_code(self, genetic_code: GeneticCode) -> Self:
        """The same tables, with the start and stop codons of a genetic code."""
        return replace(self, words=signal_shape(genetic_code).words)

    def arrays(self) -> dict[str, np.ndarray]:
        """Arrays by name, for a checkpoint."""
        return {key.name: getattr(self, key.name) for key in fields(self)}

    @cached_property
    def _shape(self) -> SignalShape:
        return signal_shape()._replace(words=self.words)

    def features(self, codes: np.ndarray, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Scores of an interval of a sequence: codes (L,) uint8 -> (stop - start, 20) float32, nats.

        Ten columns of the plus strand, then ten of the minus strand: codon base 0, 1, 2 and intron; donor, acceptor, start and
        stop (0 where there is no candidate); and at candidates the coding content of the start codon and of the stop codon, which
        `add_sensors` takes back, because the letters of these codons are given. Letters outside the interval are context. What
        follows N is scored by the letters known; N itself has 0.

        Args:
            codes: letters of the whole sequence (L,) uint8.
            start: first position.
            stop: position behind the last one; None for the end.
        """
        stop = len(codes) if stop is None else stop
        out = np.empty((stop - start, 2 * N_FEATURES), np.float32)
        score_sensors(np.ascontiguousarray(codes), Tables(self.content, self.signals), self._shape, (start, stop), out)
        return out

    def potentials(self, codes: np.ndarray, weights: np.ndarray, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Weighted scores as the potentials of a gene model: codes (L,) uint8 -> (stop - start, 29) float32, nats.

        Args:
            codes: letters of the whole sequence (L,) uint8.
            weights: (6,), see `WEIGHTS`.
            start: first position.
            stop: position behind the last one; None for the end.
        """
        codes, stop = np.ascontiguousarray(codes), len(codes) if stop is None else stop
        out = np.zeros((stop - start, N_COLUMNS), np.float32)
        for first in range(start, stop, _BLOCK):
            last = min(first + _BLOCK, stop)
            add_sensors(out[first - start : last - start], self.features(codes, first, last), weights)
        return out


def add_sensors(potentials: np.ndarray, features: np.ndarray, weights: np.ndarray) -> None:
    """Add weighted scores to potentials, in place.

    Args:
        potentials: (L, 29) float32, nats.
        features: (L, 20) float32, see `Sensors.features`.
        weights: (6,), see `WEIGHTS`.
    """
    add_features(features, tuple(np.asarray(weights, np.float32)), potentials)


def sensor_weight_gradient(features: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """Gradient of a loss by the six weights (6,) float64, from its gradient by the potentials (L, 29) and features (L, 20)."""
    out = np.zeros(len(WEIGHTS))
    add_weight_gradient(features, gradients, out)
    return out


class SensorFit(NamedTuple):
    """Sensors, and those that score the training sequences out of fold.

    Attributes:
        sensors: estimated on all training sequences.
        by_group: for each group, the sensors that are estimated on all other groups; with a single group they score 0.
        counts: all counts.
    """

    sensors: Sensors
    by_group: dict[int, Sensors]
    counts: SensorCounts

    def features(self, sequence: LabeledSequence, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Out-of-fold scores of an interval of a training sequence (stop - start, 20); see `Sensors.features`.

        Args:
            sequence: the training sequence.
            start: first position.
            stop: position behind the last one; None for the end.
        """
        stop = len(sequence.codes) if stop is None else stop
        out = np.empty((stop - start, 2 * N_FEATURES), np.float32)
        groups, between = runs(sequence.groups[start:stop])
        for group, (first, last) in zip(groups.tolist(), between.tolist(), strict=True):
            out[first:last] = self.by_group[group].features(sequence.codes, start + first, start + last)
        return out


def fit_sensors(sequences: Sequence[LabeledSequence], *, genetic_code: GeneticCode = STANDARD) -> SensorFit:
    """Estimate sensors on training sequences, and for each group on the others.

    Args:
        sequences: training sequences in groups.
        genetic_code: which codons start and stop a gene.
    """
    counts: dict[int, SensorCounts] = defaultdict(SensorCounts.zero)
    for sequence in sequences:
        groups, between = runs(sequence.groups)
        for group, (start, stop) in zip(groups.tolist(), between.tolist(), strict=True):
            counts[group] += SensorCounts.of(sequence.codes, sequence.labels, start, stop, genetic_code=genetic_code)
    total = SensorCounts.total(counts.values())
    by_group = {group: Sensors.from_counts(total - own, genetic_code=genetic_code) for group, own in counts.items()}
    return SensorFit(Sensors.from_counts(total, genetic_code=genetic_code), by_group, total)
