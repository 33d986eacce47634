"""BEND's gene finding (bed and HDF5) to a dataset of genes: every row a sequence of its own, labels taken as they are.

BEND's stop codons are non-coding. Its MCC counts each row's positions, also where rows overlap; so a row is a contig here, named
CHROM:START-END, and nothing of one row is joined with another.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from dnaspt.bend.labels import LabelRows
from dnaspt.data.dataset import Window
from dnaspt.data.manifest import SPLITS
from dnaspt.data.transcript_table import TRANSCRIPTS, ReferenceTranscript, transcript_table
from dnaspt.errors import InputError
from dnaspt.genome import alphabet
from dnaspt.genome.bed import LabeledRegions
from dnaspt.genome.contig_names import check_contigs
from dnaspt.genome.fasta import Contig, read_fasta
from dnaspt.genome.gene_states import transcripts_from_labels
from dnaspt.genome.genetic_code import GT_AG
from dnaspt.prepare.writer import DatasetWriter
from dnaspt.tasks import ACCEPTOR, DONOR, GENE_STATES, MINUS

_MIN_SHARE = 0.9
"""Of splice-site labels that must lie on GT and AG."""
_SITES = {
    # class: (offset of the other letter, codes of both along the forward strand, left to right)
    DONOR: (1, alphabet.encode(GT_AG.donor)),
    ACCEPTOR: (-1, alphabet.encode(GT_AG.acceptor)),
    DONOR + MINUS: (-1, alphabet.reverse_complement(alphabet.encode(GT_AG.donor))),
    ACCEPTOR + MINUS: (1, alphabet.reverse_complement(alphabet.encode(GT_AG.acceptor))),
}


def write_genes(
    writer: DatasetWriter, labeled: LabeledRegions, labels: LabelRows, genome: Path, *, strict: bool = False
) -> Counter[str]:
    """Write all rows, contig by contig, and the table of their genes; the counts of what was seen.

    Raises:
        InputError: a row off its contig, labels that do not fit, or splice sites that are not where BEND has them.
    """
    regions, split = labeled.regions, labeled.split
    if split is None:
        raise InputError(regions.path, "no column 'split'", expected="train, valid and test", line=1)
    counts, rows_by_contig = Counter[str](), regions.rows_by_contig()
    sites = np.zeros((len(GENE_STATES.names), 2, 2), dtype=np.int64)
    genes: list[ReferenceTranscript] = []
    present = set()
    for contig in read_fasta(genome):
        present.add(contig.name)
        rows = rows_by_contig.get(contig.name, np.zeros(0, dtype=np.int64))
        regions.check_inside(contig.name, rows, len(contig))
        for row, window in _windows(contig, labeled, labels, rows):
            writer.add(str(split[row]), window, (contig.name, int(regions.start[row])))
            sites += splice_letters(contig.codes, window.labels, int(regions.start[row]))
            counts["sequences"] += 1
            genes += placed_genes(window, str(split[row]))
    check_contigs(regions.path, rows_by_contig, genome, present, strict=strict)
    check_sites(labels.path, sites)
    counts["genes"] = len(genes)
    writer.add_table(TRANSCRIPTS, transcript_table(genes))
    return counts


def placed_genes(window: Window, split: str) -> list[ReferenceTranscript]:
    """The genes that a window's labels mean."""
    return [
        ReferenceTranscript(gene, split, longest=True) for gene in transcripts_from_labels(window.labels, window.chrom)
    ]


def _windows(
    contig: Contig, labeled: LabeledRegions, labels: LabelRows, rows: np.ndarray
) -> Iterator[tuple[int, Window]]:
    assert labeled.split is not None
    for row in rows.tolist():
        start, end = int(labeled.regions.start[row]), int(labeled.regions.end[row])
        if labeled.split[row] not in SPLITS:
            expected = f"one of {', '.join(SPLITS)}"
            found = f"split {labeled.split[row]!r}"
            raise InputError(labeled.regions.path, found, expected=expected, line=int(labeled.regions.line[row]))
        name = f"{contig.name}:{start}-{end}"
        yield row, Window(name, 0, end - start, ".", contig.codes[start:end].copy(), labels.row(row, end - start))


def splice_letters(codes: np.ndarray, labels: np.ndarray, start: int) -> np.ndarray:
    """How often each class of splice site lies on its own two letters, and on those of the other class of its strand.

    codes: of the contig (L,); labels (n,) from position `start` on. Returns (K, 2, 2): sites that fit and all, for both.
    """
    counts = np.zeros((len(GENE_STATES.names), 2, 2), dtype=np.int64)
    for state in _SITES:
        at = np.flatnonzero(labels == state) + start
        for other, letters in enumerate((state, _partner(state))):
            offset, expected = _SITES[letters]
            inside = at[(at + offset >= 0) & (at + offset < len(codes))]
            left, right = np.minimum(inside, inside + offset), np.maximum(inside, inside + offset)
            fits = (alphabet.tokens(codes[left]) == expected[0]) & (alphabet.tokens(codes[right]) == expected[1])
            counts[state, other] = int(fits.sum()), len(inside)
    return counts


def _partner(state: int) -> int:
    """The other class of splice site on the same strand."""
    shift = MINUS if state >= MINUS else 0
    return (ACCEPTOR if state - shift == DONOR else DONOR) + shift


def check_sites(path: Path, counts: np.ndarray) -> None:
    """Refuse labels whose splice sites are not on GT and AG; counts: sums of `splice_letters`.

    Raises:
        InputError: names the class, and says where two classes seem to be swapped.
    """
    names = GENE_STATES.names
    for state in _SITES:
        (own, n_all), (swapped, n_swapped) = counts[state]
        if n_all and own < _MIN_SHARE * n_all:
            do = "are these labels of this genome?"
            if n_swapped and swapped >= _MIN_SHARE * n_swapped:
                other = _partner(state)
                do = (
                    f"{swapped / n_swapped:.0%} fit class {other} ({names[other]}): the two classes of that strand are swapped; "
                    "donor and acceptor are the first and last base of the intron in the direction of transcription"
                )
            letters = GT_AG.donor if state - (MINUS if state >= MINUS else 0) == DONOR else GT_AG.acceptor
            found = f"{own / n_all:.0%} of the bases of class {state} ({names[state]}) lie on the G of {letters} on their strand"
            raise InputError(path, found, expected=f"at least {_MIN_SHARE:.0%}", do=do)
