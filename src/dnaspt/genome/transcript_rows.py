"""Rows of an annotation, gathered by transcript: which CDS rows belong together.

A name is not enough. One name may stand at two places of a contig, one mRNA may code for two proteins, and some sources give the
CDS rows of all proteins of a gene the gene as their parent. `by_place` and `by_protein` divide the rows of a name accordingly.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dnaspt.errors import InputError
from dnaspt.genome.intervals import Interval, StartEnd, cluster, merge_few

GENE_KINDS = frozenset(("gene", "protein_coding_gene"))
"""Kinds of rows of genes, in lower case."""
MAX_SLIP_BP = 10
"""Most bases between two CDS rows of one exon: a ribosome that slips skips a few. ENA and NCBI refuse shorter introns."""


class NamedRow(NamedTuple):
    """A row that others can name as their parent: a gene, a transcript, or something that is neither.

    Attributes:
        kind: column 3 in lower case.
        interval: contig, start, end and strand.
        line: 1-based line number.
        parents: names of its parents.
        biotype: its biotype (Ensembl, GENCODE, RefSeq); empty if there is none.
        is_pseudogene: whether it says that it belongs to a pseudogene.
        is_trans_spliced: whether it says that its parts are joined from two transcripts.
    """

    kind: str
    interval: Interval
    line: int
    parents: tuple[str, ...] = ()
    biotype: str = ""
    is_pseudogene: bool = False
    is_trans_spliced: bool = False


class CdsRow(NamedTuple):
    """A CDS row, as far as it matters here.

    Attributes:
        start: first base, 0-based.
        end: base behind the last one.
        strand: "+" or "-".
        line: 1-based line number.
        cds_id: its ID; rows of one protein share it, but some tools give each row its own.
        protein_id: its protein_id; rows of one protein share it always.
        derives_from: the gene of an operon that it belongs to.
        parents: all its parents, if it has more than one.
        exon_number: number of its exon in a GTF.
        phase: column 8 as it stands.
    """

    start: int
    end: int
    strand: str
    line: int
    cds_id: str = ""
    protein_id: str = ""
    derives_from: str = ""
    parents: tuple[str, ...] = ()
    exon_number: str = ""
    phase: str = ""


@dataclass(slots=True)
class TranscriptRows:
    """What the rows of one transcript say.

    Attributes:
        contig: name of the contig.
        name: name that the rows give for the transcript, or for its gene.
        gene_id: gene in a GTF.
        biotype: biotype of its CDS and exon rows, or of its GTF rows.
        is_trans_spliced: whether a row says that its parts are joined from two transcripts.
        is_pseudogene: whether a row says that it belongs to a pseudogene.
        is_unclear: whether nothing tells if its CDS rows are one protein or several.
        has_parent: whether the CDS rows name a parent.
        protein: ID of the protein, where the name codes for several; see `by_protein`.
        cds: CDS rows.
        coding_exons: coding_exon rows, until it is known whether they are its CDS.
        stops: intervals of stop_codon rows.
        exons: intervals of exon and UTR rows.
    """

    contig: str
    name: str
    gene_id: str = ""
    biotype: str = ""
    is_trans_spliced: bool = False
    is_pseudogene: bool = False
    has_parent: bool = True
    is_unclear: bool = False
    protein: str = ""
    cds: list[CdsRow] = field(default_factory=list)
    coding_exons: list[CdsRow] = field(default_factory=list)
    stops: list[StartEnd] = field(default_factory=list)
    exons: list[StartEnd] = field(default_factory=list)

    @property
    def start(self) -> int:
        """First coding base."""
        return min(row.start for row in self.cds)

    @property
    def end(self) -> int:
        """Base behind the last coding base."""
        return max(row.end for row in self.cds)

    @property
    def strands(self) -> set[str]:
        """Strands of the CDS rows: two if transcripts were joined."""
        return {row.strand for row in self.cds}

    @property
    def other_parents(self) -> set[str]:
        """Names that share a CDS row with this one, as isoforms do."""
        return {name for row in self.cds for name in row.parents} - {self.name}


def by_place(path: Path, rows: TranscriptRows, named: Sequence[NamedRow]) -> list[TranscriptRows]:
    """Divide the rows of a name that stands at several places of a contig, as after joining two annotations.

    Args:
        path: the file, for errors.
        rows: the rows that give this name.
        named: the transcript rows (or else gene rows) of this name on this contig.

    Returns:
        The rows of each place, those outside all places with the nearest one.

    Raises:
        InputError: the places are on both strands, so that nothing tells two genes from one that is spliced from both strands.
    """
    if len(rows.strands) == 1:
        named = [row for row in named if row.interval.strand in (*rows.strands, ".")]
    if len(named) < 2 or rows.is_trans_spliced:
        return [rows]
    places = cluster(np.array([(row.interval.start, row.interval.end) for row in named]))
    if places.max() == 0:
        return [rows]
    if len({row.interval.strand for row in named}) > 1:
        if named[0].kind in GENE_KINDS:
            return [rows]  # CDS rows of one gene on both strands: joined from two transcripts
        first, second = named[0], next(row for row in named if row.interval.strand != named[0].interval.strand)
        found = (
            f"the ID {rows.name!r} is used for two transcripts of {rows.contig!r}, on {first.interval.strand} (line "
            f"{first.line}) and on {second.interval.strand} (line {second.line})"
        )
        expected, do = "IDs that are unique in the file", "rename one of them"
        raise InputError(path, found, expected=expected, do=do, line=second.line)
    spans = [
        (
            min(row.interval.start for row, its in zip(named, places) if its == place),
            max(row.interval.end for row, its in zip(named, places) if its == place),
        )
        for place in range(int(places.max()) + 1)
    ]

    def nearest(start: int, end: int) -> int:
        return min(range(len(spans)), key=lambda number: max(spans[number][0] - start, end - spans[number][1], 0))

    return [
        replace(
            rows,
            cds=[row for row in rows.cds if nearest(row.start, row.end) == number],
            stops=[stop for stop in rows.stops if nearest(*stop) == number],
            exons=[exon for exon in rows.exons if nearest(*exon) == number],
        )
        for number in range(len(spans))
    ]


def ids_name_proteins(transcripts: Iterable[TranscriptRows]) -> bool:
    """Whether the CDS rows of one protein share their ID in this file, as the specification of GFF3 wants it.

    Helixer, ANNEVO and others give each row an ID of its own. What most of the transcripts with several CDS rows do decides.
    """
    counts: Counter[bool] = Counter()
    for rows in transcripts:
        ids = [row.cds_id for row in rows.cds if row.cds_id]
        if len(ids) > 1:
            counts[len(set(ids)) < len(ids)] += 1
    return counts[True] > counts[False]


def are_spliced(transcripts: Iterable[TranscriptRows]) -> bool:
    """Whether at least as many transcripts of a file have several CDS rows as have one: no bacterium, and no yeast."""
    counts = Counter(len(rows.cds) > 1 for rows in transcripts)
    return counts[True] >= counts[False]


def has_ids_of_parent(rows: TranscriptRows) -> bool:
    """Whether the ID of each CDS row begins with the name of its parent, as where a tool numbers the rows of a transcript."""
    return all(row.cds_id.startswith(rows.name) for row in rows.cds)


def by_protein(rows: TranscriptRows, *, ids_count: bool, with_introns: bool = True) -> list[TranscriptRows] | None:
    """Divide the rows of a name by the protein that they code for.

    Rows that share an ID, a protein_id or the gene they derive from are one protein. Two are told apart if all rows have a
    protein_id (or the gene they derive from), or if several rows share an ID.

    Args:
        rows: the rows that give this name.
        ids_count: whether the ID of a CDS row names its protein; see `ids_name_proteins`.
        with_introns: whether introns are usual in this file; see `are_spliced`.

    Returns:
        The rows of each protein, in the order of their first CDS row; None if nothing tells whether rows with an ID each are one
        protein or several: other rows of the file share theirs, or nothing speaks for an intron between them. Exons go with all
        of them, a stop codon row with the CDS that it touches, or else with the nearest one.
    """
    proteins = _proteins(rows.cds)
    if len(proteins) == 1 or not all(row.cds_id or row.protein_id or row.derives_from for row in rows.cds):
        return [rows]
    is_named = all(row.protein_id for row in rows.cds) or all(row.derives_from for row in rows.cds)
    if not is_named and all(len(cds) == 1 for cds in proteins):
        return None if ids_count or not _may_have_introns(rows, with_introns=with_introns) else [rows]
    return [
        replace(
            rows,
            protein=next(filter(None, (cds[0].derives_from, cds[0].protein_id, cds[0].cds_id))),
            cds=cds,
            stops=[stop for stop in rows.stops if cds in _with_stop(stop, proteins)],
        )
        for cds in proteins
    ]


def is_mixed(rows: TranscriptRows, *, with_introns: bool) -> bool:
    """Whether CDS rows without IDs, whose parent is a gene, may be those of several isoforms or proteins.

    They are if some overlap, or some stand there more often than others. with_introns: see `are_spliced`.
    """
    if len(rows.cds) == 1 or any(row.cds_id or row.protein_id or row.derives_from for row in rows.cds):
        return False
    times = Counter((row.start, row.end) for row in rows.cds)
    ordered = sorted(times)
    overlap = any(right[0] < left[1] - MAX_SLIP_BP for left, right in pairwise(ordered))
    return overlap or len(set(times.values())) > 1 or not (with_introns or len(times) == 1 or _phases_go_on(rows))


def _may_have_introns(rows: TranscriptRows, *, with_introns: bool) -> bool:
    """Whether what lies between CDS rows can be introns: not where they touch, or lie in one exon.

    Without exon rows, in a file where introns are rare, the phases have to show that a codon goes on behind an intron.
    """
    ordered = sorted((row.start, row.end) for row in rows.cds)
    if any(right[0] - left[1] < MAX_SLIP_BP for left, right in pairwise(ordered)):
        return False
    exons = merge_few(rows.exons)
    if exons:
        return not any(
            exon[0] <= left[0] and right[1] <= exon[1] for left, right in pairwise(ordered) for exon in exons
        )
    return with_introns or _phases_go_on(rows)


def _phases_go_on(rows: TranscriptRows) -> bool:
    """Whether each phase is what the CDS rows before it leave over, and at least one of them is not 0."""
    cds = sorted(rows.cds, key=lambda row: row.start, reverse=rows.cds[0].strand == "-")
    if not all(row.phase in ("0", "1", "2") for row in cds):
        return False
    expected = [(int(row.phase) - (row.end - row.start)) % 3 for row in cds[:-1]]
    return any(expected) and expected == [int(row.phase) for row in cds[1:]]


def misplaced_stops(rows: TranscriptRows) -> list[StartEnd]:
    """Stop codon rows that lie neither in a CDS row nor behind the last one, in the direction of transcription."""
    is_minus = rows.cds[0].strand == "-"
    return [
        (start, end)
        for start, end in rows.stops
        if not (start < rows.start if is_minus else end > rows.end)
        and not any(row.start <= start and end <= row.end for row in rows.cds)
    ]


def _proteins(rows: Iterable[CdsRow]) -> list[list[CdsRow]]:
    """CDS rows by protein: those that share a name of any kind, directly or through others."""
    proteins: list[tuple[set[tuple[str, str]], list[CdsRow]]] = []
    for row in rows:
        pairs = (("id", row.cds_id), ("protein", row.protein_id), ("gene", row.derives_from))
        names, own = {pair for pair in pairs if pair[1]}, [row]
        for other in [other for other in proteins if other[0] & names]:
            proteins.remove(other)
            names, own = names | other[0], [*other[1], *own]
        proteins.append((names, own))
    return [own for _, own in sorted(proteins, key=lambda protein: min(row.line for row in protein[1]))]


def _with_stop(stop: StartEnd, proteins: Sequence[list[CdsRow]]) -> list[list[CdsRow]]:
    """The proteins whose CDS a stop codon row touches or lies in; else the one whose end is nearest."""
    start, end = stop
    touched = [cds for cds in proteins if any(start <= row.end and end >= row.start for row in cds)]

    def distance(cds: list[CdsRow]) -> int:
        last = min(row.start for row in cds) - end if cds[0].strand == "-" else start - max(row.end for row in cds)
        return abs(last)

    return touched or [min(proteins, key=distance)]
