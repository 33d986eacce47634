"""Nine-class labels of genes to labels that know the reading frame: a column of `gene_structure` for each base.

The label of a base is the most specific column of the potentials that counts there: START also is codon base 0, STOP also is
codon base 2, and a donor or acceptor also is a base of its intron. All are in the direction of transcription.
"""

from collections.abc import Iterable

import numpy as np

from dnaspt.genome import alphabet
from dnaspt.genome.gene_states import (
    CDS,
    MINUS,
    MISSING,
    NONCODING,
    reverse_complement_labels,
    transcript_labels,
)
from dnaspt.genome.genetic_code import STANDARD, GeneticCode
from dnaspt.genome.intervals import to_mask, true_runs
from dnaspt.genome.transcripts import Transcript
from dnaspt.models.gene_structure import (
    ACCEPTOR,
    CODING,
    DONOR,
    INTERGENIC,
    INTRON,
    MINUS_COLUMNS,
    N_COLUMNS,
    PLUS,
    START,
    STOP,
)

_PER_STRAND = MINUS_COLUMNS - PLUS
_FIRST_COLUMN = np.array([CODING, DONOR, INTRON, ACCEPTOR], np.int8) + PLUS
"""Column of phase 0 for each class of the plus strand: CDS, donor, intron, acceptor."""


def phase_labels(
    codes: np.ndarray,
    labels: np.ndarray,
    transcripts: Iterable[Transcript] = (),
    *,
    start: int = 0,
    genetic_code: GeneticCode = STANDARD,
) -> np.ndarray:
    """Labels with the reading frame: nine classes (L,) -> columns of `gene_structure` (L,) int8, MISSING where not known.

    The frame of a gene is the one that its whole transcript has. A gene without one, such as a gene that the segment's end cuts,
    is read from the labels alone. Either way the letters have a say: a frame with a stop codon inside the gene is refused; a gene
    that begins with a start codon begins with codon base 0; one that ends with a stop codon ends with codon base 2. Where that
    leaves no frame, or several and no transcript to choose, all bases of the gene are missing. So are bases that genes with
    different frames share.

    Args:
        codes: letters of a segment (L,) uint8; see `alphabet`.
        labels: class of each base (L,) int8; see `GENE_STATES`. The stop codon is part of the CDS: where a dataset has it
            outside, `labels_with_stop_codons` comes first.
        transcripts: whole transcripts of the segment's contig that the labels follow, one for each gene. Those that lie partly
            or wholly outside the segment are not used.
        start: 0-based position of the segment on its contig.
        genetic_code: which codons start and stop a gene.
    """
    length = len(codes)
    whole = [gene for gene in transcripts if start <= gene.start and gene.end <= start + length]
    reader = _StrandReader(genetic_code)
    plus = reader.read(
        alphabet.tokens(codes),
        labels,
        [_Coding.of([(a - start, b - start) for a, b in gene.cds], gene) for gene in whole if gene.strand == "+"],
    )
    end = start + length
    minus = reader.read(
        alphabet.tokens(alphabet.reverse_complement(codes)),
        reverse_complement_labels(labels),
        [_Coding.of([(end - b, end - a) for a, b in gene.cds[::-1]], gene) for gene in whole if gene.strand == "-"],
    )
    result = np.where(labels == NONCODING, np.int8(INTERGENIC), np.int8(MISSING))
    minus = mirror_phase_labels(minus)
    result = np.where(plus != MISSING, plus, result)
    result = np.where(minus != MISSING, minus, result)
    return result.astype(np.int8)


def mirror_phase_labels(labels: np.ndarray) -> np.ndarray:
    """Labels of the reverse complement: (..., L) int8 -> (..., L). Missing stays missing."""
    is_gene = (labels >= PLUS) & (labels < N_COLUMNS)
    mirrored = np.where(is_gene, (labels - PLUS + _PER_STRAND) % (2 * _PER_STRAND) + PLUS, labels)
    return np.asarray(mirrored, np.int8)[..., ::-1]


class _Coding:
    """The coding intervals of a whole transcript on a strand that reads from left to right, and its phase."""

    def __init__(self, intervals: list[tuple[int, int]], phase: int, labels: np.ndarray) -> None:
        self.intervals, self.phase, self.labels = intervals, phase, labels
        self.start, self.end = intervals[0][0], intervals[-1][1]

    @classmethod
    def of(cls, intervals: list[tuple[int, int]], gene: Transcript) -> "_Coding":
        """Of a transcript, whose intervals are given along its own strand from the segment's start."""
        labels = transcript_labels(gene)
        return cls(intervals, gene.phase, labels if gene.strand == "+" else reverse_complement_labels(labels))


class _StrandReader:
    """Reads the genes of one strand, as the plus strand of what it is given."""

    def __init__(self, genetic_code: GeneticCode) -> None:
        self._starts = [alphabet.encode(codon).tolist() for codon in genetic_code.starts]
        self._is_stop = np.zeros(64, bool)
        for codon in genetic_code.stops:
            self._is_stop[_codon_numbers(alphabet.encode(codon))[0]] = True

    def read(self, tokens: np.ndarray, labels: np.ndarray, genes: list[_Coding]) -> np.ndarray:
        """Phase-aware labels (L,) int8 of the plus strand's genes; all else is missing."""
        result = np.full(len(tokens), MISSING, np.int8)
        conflicting = np.zeros(len(tokens), bool)
        left = labels.copy()
        for gene in genes:
            self._read_whole(tokens, labels, gene, (result, conflicting))
        left[(result != MISSING) | conflicting] = MISSING
        is_gene = (left >= CDS) & (left < MINUS)
        for start, end in true_runs(is_gene).tolist():
            begins = start > 0 and left[start - 1] == NONCODING
            ends = end < len(left) and left[end] == NONCODING
            is_cds = left[start:end] == CDS
            frame = self._frame(tokens[start:end][is_cds], None, begins=begins, ends=ends)
            if frame is not None:
                result[start:end] = self._label(tokens[start:end], left[start:end], is_cds, frame, (begins, ends))
        result[conflicting] = MISSING
        return result

    def _read_whole(
        self, tokens: np.ndarray, labels: np.ndarray, gene: _Coding, into: tuple[np.ndarray, np.ndarray]
    ) -> None:
        """Label the bases of a whole transcript where the nine classes agree with it; into: the labels, and what conflicts."""
        result, conflicting = into
        classes, span = gene.labels, slice(gene.start, gene.end)
        is_cds = to_mask([(a - gene.start, b - gene.start) for a, b in gene.intervals], gene.end - gene.start)
        frame = self._frame(tokens[span][is_cds], -gene.phase % 3, begins=True, ends=True)
        if frame is None:
            return
        phases = self._label(tokens[span], classes, is_cds, frame, (True, True))
        agrees = (classes != MISSING) & (labels[span] == classes)
        conflicting[span] |= agrees & (result[span] != MISSING) & (result[span] != phases)
        result[span] = np.where(agrees, phases, result[span])

    def _is_stop_codon(self, letters: np.ndarray) -> bool:
        numbers = _codon_numbers(letters)
        return bool(len(numbers) and numbers[0] >= 0 and self._is_stop[numbers[0]])

    def _frame(self, letters: np.ndarray, told: int | None, *, begins: bool, ends: bool) -> int | None:
        """Codon base of the first coding base; None where it is not known.

        Args:
            letters: the coding bases of a gene, introns left out.
            told: codon base that the annotation says; None where there is none.
            begins: whether the gene begins with the first of them.
            ends: whether it ends with the last of them.
        """
        n = len(letters)
        if not n:
            return None
        numbers = _codon_numbers(letters)
        stops = np.flatnonzero((numbers >= 0) & self._is_stop[numbers])
        if ends:
            stops = stops[stops != n - 3]
        frames = set(range(3)) - {int(frame) for frame in -stops % 3}
        if begins and letters[:3].tolist() in self._starts:
            frames &= {0}
        if ends and self._is_stop_codon(letters[-3:]):
            frames &= {-n % 3}
        if len(frames) == 1:
            return frames.pop()
        return told if told in frames else None

    def _label(
        self, tokens: np.ndarray, classes: np.ndarray, is_cds: np.ndarray, frame: int, whole: tuple[bool, bool]
    ) -> np.ndarray:
        """Phase-aware labels of a gene's bases; whole: whether it begins and ends here."""
        before = np.cumsum(is_cds) - is_cds
        phases = _FIRST_COLUMN[np.where(classes == MISSING, CDS, classes)] + (before + frame) % 3
        letters, positions = tokens[is_cds], np.flatnonzero(is_cds)
        if whole[0] and frame == 0 and letters[:3].tolist() in self._starts:
            phases[positions[0]] = PLUS + START
        if whole[1] and (len(letters) + frame) % 3 == 0 and self._is_stop_codon(letters[-3:]):
            phases[positions[-1]] = PLUS + STOP
        return np.asarray(phases, np.int8)


def _codon_numbers(letters: np.ndarray) -> np.ndarray:
    """Number of the codon that begins at each letter (L - 2,), in the order of `CODONS`; -1 where a letter is N."""
    if len(letters) < 3:
        return np.zeros(0, np.int64)
    letters = letters.astype(np.int64)
    triplets = np.stack([letters[:-2], letters[1:-1], letters[2:]])
    return np.asarray(np.where((triplets < 4).all(0), triplets[0] * 16 + triplets[1] * 4 + triplets[2], -1))
