"""BEND's gene finding (bed and HDF5) to a dataset of genes: every row a sequence of its own, labels taken as they are.

BEND's stop codons are non-coding. Its MCC counts the positions of each row, also where rows overlap; so a row is a contig here,
named CHROM:START-END, and nothing of one row is joined with another.
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
from dnaspt.genome.gene_states import ACCEPTOR, DONOR, GENE_STATES, MINUS, transcripts_from_labels
from dnaspt.genome.genetic_code import GT_AG
from dnaspt.prepare.writer import DatasetWriter

_MIN_SHARE = 0.9
"""Share of the splice-site labels that must lie on GT and AG."""
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
    """Write all rows of BEND's table, contig by contig, and the table of their genes.

    Args:
        writer: of the dataset.
        labeled: rows of the bed.
        labels: labels of the bases of each row.
        genome: FASTA.
        strict: a contig that the genome does not have is an error.

    Returns:
        Counts of sequences and genes.

    Raises:
        InputError: a row off its contig, labels that do not fit, or splice sites that are not where BEND has them.
    """
    regions, split = labeled.regions, labeled.split
    if split is None:
        raise InputError(regions.path, "no column 'split'", expected="train, valid and test", line=1)
    counts, rows_by_contig = Counter[str](), regions.rows_by_contig()
    sites = SpliceSites()
    genes: list[ReferenceTranscript] = []
    present = set()
    for contig in read_fasta(genome):
        present.add(contig.name)
        rows = rows_by_contig.get(contig.name, np.zeros(0, dtype=np.int64))
        regions.check_inside(contig.name, rows, len(contig))
        for row, window in _windows(contig, labeled, labels, rows):
            start, of_row = int(regions.start[row]), _checked_split(labeled, split, row)
            writer.add(of_row, window, (contig.name, start))
            sites.add(contig.codes, window.labels, start)
            counts["sequences"] += 1
            genes += genes_of(window, of_row)
    check_contigs(regions.path, rows_by_contig, genome, present, strict=strict)
    sites.check(labels.path)
    counts["genes"] = len(genes)
    writer.add_table(TRANSCRIPTS, transcript_table(genes))
    return counts


def genes_of(window: Window, split: str) -> list[ReferenceTranscript]:
    """The genes that the labels of a window mean."""
    return [
        ReferenceTranscript(gene, split, longest=True) for gene in transcripts_from_labels(window.labels, window.chrom)
    ]


def _windows(
    contig: Contig, labeled: LabeledRegions, labels: LabelRows, rows: np.ndarray
) -> Iterator[tuple[int, Window]]:
    """The rows that lie on a contig, by number, each as a contig of its own.

    Raises:
        InputError: labels that do not fit.
    """
    for row in rows.tolist():
        start, end = int(labeled.regions.start[row]), int(labeled.regions.end[row])
        name = f"{contig.name}:{start}-{end}"
        yield row, Window(name, 0, end - start, ".", contig.codes[start:end].copy(), labels.row(row, end - start))


def _checked_split(labeled: LabeledRegions, split: np.ndarray, row: int) -> str:
    """The split of a row.

    Raises:
        InputError: not one of `SPLITS`.
    """
    if split[row] not in SPLITS:
        expected, line = f"one of {', '.join(SPLITS)}", int(labeled.regions.line[row])
        raise InputError(labeled.regions.path, f"split {split[row]!r}", expected=expected, line=line)
    return str(split[row])


class SpliceSites:
    """How often labels of splice sites lie on the letters that they should: donors on GT, acceptors on AG of their strand."""

    def __init__(self) -> None:
        # [class, letters]: sites on the letters, and sites whose letters are known; letters are those of the class itself,
        # and those of the other class of its strand
        self._counts = np.zeros((len(GENE_STATES.names), 2, 2), dtype=np.int64)

    def add(self, codes: np.ndarray, labels: np.ndarray, start: int) -> None:
        """Count the splice sites of one sequence.

        Args:
            codes: codes of the contig (L,).
            labels: classes of its bases (n,) from position `start` on.
            start: position of the first label.
        """
        for state in _SITES:
            sites = np.flatnonzero(labels == state) + start
            for letters_of, (offset, letters) in enumerate((_SITES[state], _SITES[_other_site(state)])):
                inside = sites[(sites + offset >= 0) & (sites + offset < len(codes))]
                left, right = np.minimum(inside, inside + offset), np.maximum(inside, inside + offset)
                fits = (alphabet.tokens(codes[left]) == letters[0]) & (alphabet.tokens(codes[right]) == letters[1])
                self._counts[state, letters_of] += int(fits.sum()), len(inside)

    def check(self, path: Path) -> None:
        """Refuse labels whose splice sites are not on GT and AG.

        Args:
            path: file of the labels.

        Raises:
            InputError: names the class, and says where two classes seem to be swapped.
        """
        names = GENE_STATES.names
        for state in _SITES:
            (n_own, n_all), (n_swapped, n_others) = self._counts[state].tolist()
            if not n_all or n_own >= _MIN_SHARE * n_all:
                continue
            do = "are these labels of this genome?"
            if n_others and n_swapped >= _MIN_SHARE * n_others:
                other = _other_site(state)
                do = (
                    f"{n_swapped / n_others:.0%} fit class {other} ({names[other]}): the two classes of that strand are "
                    "swapped; donor and acceptor are the first and last base of the intron in the direction of transcription"
                )
            letters = GT_AG.donor if state % MINUS == DONOR else GT_AG.acceptor
            share = f"{n_own / n_all:.0%} of the bases of class {state} ({names[state]})"
            found = f"{share} lie on the G of {letters} on their strand"
            raise InputError(path, found, expected=f"at least {_MIN_SHARE:.0%}", do=do)


def _other_site(state: int) -> int:
    """The other class of splice site on the same strand."""
    strand = MINUS if state >= MINUS else 0
    return strand + (ACCEPTOR if state - strand == DONOR else DONOR)
