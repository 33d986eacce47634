"""Coding transcripts of a contig <-> one of nine classes for each base (`GENE_STATES`), along the forward strand.

A base whose class is not known has the label MISSING. The state table says which class may follow which.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby

import numpy as np

from dnaspt.genome import alphabet
from dnaspt.genome.intervals import cluster, runs, to_mask, true_runs
from dnaspt.genome.transcripts import Transcript

MISSING = -100
"""Label of a base or window whose truth is not known. Losses and metrics skip it."""


@dataclass(frozen=True, slots=True)
class StateTable:
    """States of a linear chain along the forward strand, and which state may follow which.

    Attributes:
        names: names of the K states.
        legal: pairs (from, to) of states that may follow each other; all others are forbidden.
        complement: for each state, the state of the same base on the reverse complement of the sequence.
    """

    names: tuple[str, ...]
    legal: tuple[tuple[int, int], ...]
    complement: tuple[int, ...]

    def legal_matrix(self) -> np.ndarray:
        """Whether a state (column) may follow another (row): (K, K) bool."""
        matrix = np.zeros((len(self.names), len(self.names)), dtype=bool)
        matrix[tuple(np.array(self.legal).T)] = True
        return matrix


CDS, DONOR, INTRON, ACCEPTOR, NONCODING = 0, 1, 2, 3, 8
"""Classes of the plus strand. Those of the minus strand are `MINUS` higher, in the same order. Class 8 has no strand."""
MINUS = 4

GENE_STATES = StateTable(
    names=("CDS+", "donor+", "intron+", "acceptor+", "CDS-", "donor-", "intron-", "acceptor-", "non-coding"),
    legal=(
        # A plus gene reads 8 0..0 1 2..2 3 0..0 8 along the forward strand, a minus gene 8 4..4 7 6..6 5 4..4 8.
        *((8, 8), (8, 0), (0, 0), (0, 1), (1, 2), (2, 2), (2, 3), (3, 0), (0, 8)),
        *((8, 4), (4, 4), (4, 7), (7, 6), (6, 6), (6, 5), (5, 4), (4, 8)),
    ),
    complement=(4, 5, 6, 7, 0, 1, 2, 3, 8),
)
"""The nine classes of gene finding in BEND (Marin et al. 2024), and which may follow which in a gene."""


MIN_INTRON_BP = 4
"""A shorter gap between CDS intervals is not an intron, but a frameshift that the annotation writes as one."""
LEAST_INTRON_BP = 10
"""No shorter intron is predicted with codons, whatever the training data have: ENA and NCBI refuse them."""

_COMPLEMENT = np.full(256, np.int8(MISSING), dtype=np.int8)
_COMPLEMENT[: len(GENE_STATES.complement)] = GENE_STATES.complement


def longest_per_gene(transcripts: Iterable[Transcript]) -> tuple[list[Transcript], dict[str, int]]:
    """Choose the transcript with the longest CDS of each gene, and among equal ones the first by name.

    Returns:
        The chosen transcripts, sorted by contig and start; and the numbers of transcripts, of coding genes, and of isoforms that
        were left out.
    """
    longest: dict[tuple[str, str], Transcript] = {}
    n = 0
    for transcript in transcripts:
        n += 1
        gene = (transcript.chrom, transcript.gene_id)
        other = longest.get(gene)
        if other is None or (-transcript.cds_bp, transcript.transcript_id) < (-other.cds_bp, other.transcript_id):
            longest[gene] = transcript
    in_order = sorted(longest.values(), key=lambda gene: (gene.chrom, gene.start, gene.transcript_id))
    return in_order, {"transcripts": n, "coding_genes": len(longest), "other_isoforms": n - len(longest)}


def label_contig(
    transcripts: Sequence[Transcript],
    codes: np.ndarray,
    *,
    unknown: Iterable[tuple[int, int]] = (),
    coding: Iterable[tuple[int, int]] = (),
) -> tuple[np.ndarray, dict[str, int]]:
    """Label each base of a contig with its class: codes (L,) -> labels (L,) int8.

    Args:
        transcripts: transcripts of this contig, one for each gene, with the stop codon in the CDS.
        codes: letters of the contig (L,) uint8; see `alphabet`.
        unknown: intervals whose labels are missing, whatever the transcripts say.
        coding: intervals that are coding in other transcripts. A base in them that no transcript labels is missing.

    Returns:
        The labels, and how many genes, introns, intervals and bases have become missing, by reason.
    """
    labels = np.full(len(codes), NONCODING, dtype=np.int8)
    counts: Counter[str] = Counter()
    for group in _overlapping_groups(transcripts):
        start = group[0].start
        end = max(transcript.end for transcript in group)
        labels[start:end], conflicting = _unite_labels(group, start, end)
        if conflicting.any():
            genes = (slice(transcript.start - start, transcript.end - start) for transcript in group)
            counts["genes_conflicting"] += sum(bool(conflicting[gene].any()) for gene in genes)
            counts["bp_conflicting"] += int(conflicting.sum())
    counts["frameshift_introns"] = sum(
        end - start < MIN_INTRON_BP for transcript in transcripts for start, end in transcript.introns
    )
    is_unlabeled = (labels == NONCODING) & to_mask(coding, len(codes))
    counts["bp_coding_elsewhere"] = int(is_unlabeled.sum())
    labels[is_unlabeled] = MISSING
    for start, end in unknown:
        counts["bp_unknown"] += int((labels[start:end] != MISSING).sum())
        labels[start:end] = MISSING
    is_n = alphabet.is_unknown(codes)
    counts["bp_n"] = int(is_n.sum())
    labels[is_n] = MISSING
    counts.update(widen_missing(labels, GENE_STATES))
    return labels, dict(counts)


def _overlapping_groups(transcripts: Sequence[Transcript]) -> list[list[Transcript]]:
    """Groups of transcripts that overlap, from the first to the last coding base, directly or through others."""
    ordered = sorted(transcripts, key=lambda transcript: (transcript.start, transcript.end))
    groups = cluster(np.array([(transcript.start, transcript.end) for transcript in ordered]).reshape(-1, 2))
    pairs = groupby(zip(groups.tolist(), ordered, strict=True), key=lambda pair: pair[0])
    return [[transcript for _, transcript in members] for _, members in pairs]


def _unite_labels(group: Sequence[Transcript], start: int, end: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels (L,) of the interval that a group covers, and whether two genes disagree on a base (L,); it is missing then."""
    union = np.full(end - start, NONCODING, dtype=np.int8)
    missing = np.zeros(end - start, dtype=bool)
    conflicting = np.zeros(end - start, dtype=bool)
    for transcript in group:
        gene = slice(transcript.start - start, transcript.end - start)
        labels = transcript_labels(transcript)
        known, free = labels != MISSING, union[gene] == NONCODING
        conflicting[gene] |= known & ~free & (union[gene] != labels)
        missing[gene] |= ~known
        union[gene] = np.where(known & free, labels, union[gene])
    union[conflicting | missing] = MISSING
    return union, conflicting


def transcript_labels(transcript: Transcript) -> np.ndarray:
    """Classes of the bases of a transcript, from the first to the last coding one: (end - start,) int8.

    In the direction of transcription, the donor is the first base of an intron, and the acceptor its last. An intron shorter
    than `MIN_INTRON_BP` is missing.
    """
    minus = transcript.strand == "-"
    shift = MINUS if minus else 0
    first, last = (ACCEPTOR, DONOR) if minus else (DONOR, ACCEPTOR)
    labels = np.full(transcript.end - transcript.start, CDS + shift, dtype=np.int8)
    for start, end in transcript.introns:
        left, right = start - transcript.start, end - transcript.start
        if end - start < MIN_INTRON_BP:
            labels[left:right] = MISSING
            continue
        labels[left:right] = INTRON + shift
        labels[left], labels[right - 1] = first + shift, last + shift
    return labels


@cache
def _legal_over_gaps(states: StateTable) -> np.ndarray:
    """Whether state b may stand m + 1 bases after state a: (M, K, K) bool, by m, a and b. The last m is for all longer gaps."""
    step = states.legal_matrix()
    powers = [step]
    while len(powers) < 2 or (powers[-1] != powers[-2]).any():
        powers.append((powers[-1].astype(np.int64) @ step) > 0)
        if len(powers) > 4 * len(step) ** 2:
            raise ValueError("the state table's moves never settle: give some state a move to itself")
    return np.stack(powers)


def _illegal_pairs(labels: np.ndarray, states: StateTable) -> tuple[np.ndarray, np.ndarray]:
    """Neighboring labels, with missing ones between them skipped, that no legal path joins: positions of both (n,).

    Raises:
        ValueError: a label that is neither a state nor missing.
    """
    n_states = len(states.names)
    legal = _legal_over_gaps(states)
    missing = labels == MISSING
    index = np.where(missing, np.int8(n_states), labels)
    if len(labels) and (index.min() < 0 or labels.max() >= n_states):
        raise ValueError(f"a label outside 0 .. {n_states - 1}")
    adjacent = np.ones((n_states + 1, n_states + 1), dtype=bool)
    adjacent[:n_states, :n_states] = legal[0]
    lefts = np.flatnonzero(~adjacent[index[:-1], index[1:]])
    starts, ends = true_runs(missing).T
    inside = (starts > 0) & (ends < len(labels))
    before, after = starts[inside] - 1, ends[inside]
    gaps = np.minimum(after - before - 1, len(legal) - 1)
    bad = ~legal[gaps, labels[before], labels[after]]
    return np.concatenate([lefts, before[bad]]), np.concatenate([lefts + 1, after[bad]])


def widen_missing(labels: np.ndarray, states: StateTable) -> dict[str, int]:
    """Make labels (L,) missing, in place, on both sides of each illegal move, until a legal path exists.

    Returns:
        The number of illegal moves, and of the bases that have become missing.
    """
    left, right = _illegal_pairs(labels, states)
    if not len(left):
        return {}
    n_stretches, n_missing = len(left), int((labels == MISSING).sum())
    while len(left):
        labels[left] = labels[right] = MISSING
        left, right = _illegal_pairs(labels, states)
    return {"illegal_stretches": n_stretches, "bp_illegal": int((labels == MISSING).sum()) - n_missing}


def transcripts_from_labels(
    labels: np.ndarray, chrom: str, *, start: int = 0, first_number: int = 1
) -> list[Transcript]:
    """Read genes from a legal path of classes (L,), in the order of their starts.

    A gene is a maximal run of classes of one strand that contains CDS. Its runs of CDS are its CDS intervals. A missing label
    ends a gene. If the path begins or ends inside an intron, the gene has the CDS that can be seen.

    Args:
        labels: classes along the forward strand (L,) int8.
        chrom: name of the contig. Gene n is called CHROM.gN, and its transcript CHROM.gN.t1.
        start: 0-based position of the first label on the contig.
        first_number: n of the first gene.
    """
    classes, intervals = runs(labels)
    starts, ends = intervals.T
    strands = np.where(classes == MISSING, 0, np.where(classes < MINUS, 1, np.where(classes < NONCODING, -1, 0)))
    is_cds = (classes == CDS) | (classes == CDS + MINUS)
    if not is_cds.any():
        return []
    begins_gene = np.append(True, strands[1:] != strands[:-1]) & (strands != 0)
    genes = np.cumsum(begins_gene)[is_cds]
    cuts = np.flatnonzero(np.diff(genes)) + 1
    by_gene = (np.split(values[is_cds], cuts) for values in (starts, ends, strands))
    transcripts = []
    for number, (left, right, strand) in enumerate(zip(*by_gene, strict=True), start=first_number):
        name = f"{chrom}.g{number}"
        cds = tuple(zip((left + start).tolist(), (right + start).tolist(), strict=True))
        transcripts.append(Transcript(chrom, "+" if strand[0] > 0 else "-", name, f"{name}.t1", cds))
    return transcripts


def reverse_complement_labels(labels: np.ndarray) -> np.ndarray:
    """Classes of the opposite strand, read 5' to 3': (..., L) int8 -> (..., L). Missing stays missing."""
    return _COMPLEMENT[labels.view(np.uint8)][..., ::-1]
