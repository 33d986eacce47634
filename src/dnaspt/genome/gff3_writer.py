"""Transcripts to GFF3: rows of gene, mRNA, exon, CDS, start_codon and stop_codon. 0-based coordinates become 1-based here."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Self

from dnaspt.genome.coding_sequence import first_coding_bases, last_coding_bases
from dnaspt.genome.intervals import StartEnds
from dnaspt.genome.transcripts import Transcript

_NOT_IN_SEQID = re.compile(r"[^a-zA-Z0-9.:^*$@!+_?|-]")
_NOT_IN_VALUE = re.compile(r"[\x00-\x1f\x7f%;=&,]")


def gff3_header(contigs: Iterable[tuple[str, int]]) -> Iterator[str]:
    """Yield the first lines of a GFF3 file: the version, and a `##sequence-region` for each contig (name, length)."""
    yield "##gff-version 3\n"
    yield from sequence_regions(contigs)


def sequence_regions(contigs: Iterable[tuple[str, int]]) -> Iterator[str]:
    """Yield a `##sequence-region` line for each contig (name, length)."""
    for name, length_bp in contigs:
        yield f"##sequence-region {_seqid(name)} 1 {length_bp}\n"


def gff3_lines(transcripts: Iterable[Transcript], source: str = "dnaspt") -> Iterator[str]:
    """Yield the rows of transcripts, gene by gene. Genes come in the order of their first transcripts.

    The rows of a contig do not depend on what was written before, so contigs can be written one by one. A start or stop codon has
    rows of its own where it is known (`has_start`, `has_stop`), and is part of the CDS rows, too.
    """
    for isoforms in isoforms_by_gene(transcripts):
        yield from _gene_lines(isoforms, source)


def isoforms_by_gene(transcripts: Iterable[Transcript]) -> Iterable[Sequence[Transcript]]:
    """The transcripts of each gene, genes in the order of their first transcripts."""
    genes: dict[tuple[str, str], list[Transcript]] = {}
    for transcript in transcripts:
        genes.setdefault((transcript.chrom, transcript.gene_id), []).append(transcript)
    return genes.values()


def cds_phases(cds: StartEnds, strand: str, first_phase: int = 0) -> tuple[int, ...]:
    """GFF3 phase of each CDS interval of a transcript: how many bases to skip to reach the first base of a codon.

    It is (3 - n mod 3) mod 3 for n coding bases before the interval in the direction of transcription.

    Args:
        cds: (start, end) of each interval, ascending along the forward strand.
        strand: "+" or "-".
        first_phase: phase of the first interval in the direction of transcription.

    Returns:
        The phases, in the order of `cds`.
    """
    phases, n_before = [], -first_phase
    for start, end in reversed(cds) if strand == "-" else cds:
        phases.append((3 - n_before % 3) % 3)
        n_before += end - start
    return tuple(reversed(phases) if strand == "-" else phases)


def _gene_lines(isoforms: Sequence[Transcript], source: str) -> Iterator[str]:
    """Yield the rows of one gene."""
    first = isoforms[0]
    transcript_ids = {isoform.transcript_id for isoform in isoforms}
    gene_id = _value(f"gene:{first.gene_id}" if first.gene_id in transcript_ids else first.gene_id)
    start, end = min(isoform.start for isoform in isoforms), max(isoform.end for isoform in isoforms)
    row = RowFormat.of_gene(isoforms, _seqid(first.chrom), source)
    partial = ";partial=true" if all(isoform.is_partial for isoform in isoforms) else ""
    yield row("gene", start, end, f"ID={gene_id}{partial}")
    for isoform in isoforms:
        name = _value(isoform.transcript_id)
        row = RowFormat(_seqid(isoform.chrom), source, isoform.score, isoform.strand)
        partial = ";partial=true" if isoform.is_partial else ""
        whole = "" if isoform.probability is None else f";probability={isoform.probability:.4f}"
        yield row("mRNA", isoform.start, isoform.end, f"ID={name};Parent={gene_id}{partial}{whole}")
        exon_rows = [row.with_score(score) for score in isoform.exon_scores] or [row] * len(isoform.cds)
        for (start, end), exon_row in zip(isoform.cds, exon_rows, strict=True):
            yield exon_row("exon", start, end, f"Parent={name}")
        phases = cds_phases(isoform.cds, isoform.strand, isoform.phase)
        for (start, end), phase, exon_row in zip(isoform.cds, phases, exon_rows, strict=True):
            yield exon_row("CDS", start, end, f"ID={name}.cds;Parent={name}", str(phase))
        if isoform.has_start:
            for start, end in first_coding_bases(isoform.cds, isoform.strand, 3):
                yield row("start_codon", start, end, f"Parent={name}")
        if isoform.has_stop:
            for start, end in last_coding_bases(isoform.cds, isoform.strand, 3):
                yield row("stop_codon", start, end, f"Parent={name}")
    yield "###\n"


class RowFormat:
    """Formats the rows of one transcript or gene, which share contig, source, score and strand.

    Args:
        seqid: contig, as column 1 holds it.
        source: what made the rows, column 2.
        score: column 6; None for none.
        strand: "+" or "-".
    """

    def __init__(self, seqid: str, source: str, score: float | None, strand: str) -> None:
        self._seqid, self._source, self._strand = seqid, source, strand
        self.left = f"{seqid}\t{source}"
        self.middle = f"{'.' if score is None else f'{score:.4f}'}\t{strand}"

    @classmethod
    def of_gene(cls, isoforms: Sequence[Transcript], seqid: str, source: str) -> Self:
        """The format of the row of a gene, whose score is the highest of its isoforms.

        Args:
            isoforms: transcripts of the gene.
            seqid: contig, as column 1 holds it.
            source: what made the rows, column 2.
        """
        scores = [isoform.score for isoform in isoforms if isoform.score is not None]
        return cls(seqid, source, max(scores, default=None), isoforms[0].strand)

    def with_score(self, score: float) -> "RowFormat":
        """The same format with another score."""
        return RowFormat(self._seqid, self._source, score, self._strand)

    def __call__(self, kind: str, start: int, end: int, attributes: str, phase: str = ".") -> str:
        """A row, from 0-based half-open coordinates."""
        return f"{self.left}\t{kind}\t{start + 1}\t{end}\t{self.middle}\t{phase}\t{attributes}\n"


def _percent_encode(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match.group().encode())


def _seqid(name: str) -> str:
    """Name of a contig as column 1 holds it."""
    return _NOT_IN_SEQID.sub(_percent_encode, name)


def _value(text: str) -> str:
    """Value of an attribute as column 9 holds it."""
    return _NOT_IN_VALUE.sub(_percent_encode, text)
