"""Transcripts to GTF 2.2: rows of gene, transcript, exon, CDS, start_codon and stop_codon. The CDS does not hold the stop codon.

0-based half-open coordinates become 1-based here.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from dnaspt.errors import ConfigError
from dnaspt.genome.coding_sequence import first_coding_bases, last_coding_bases, without_last_coding_bases
from dnaspt.genome.gff3_writer import RowFormat, cds_phases, isoforms_by_gene, sequence_regions
from dnaspt.genome.intervals import StartEnds
from dnaspt.genome.transcripts import Transcript

_NOT_IN_VALUE = re.compile(r'[\x00-\x1f\x7f";]')


def gtf_header(contigs: Iterable[tuple[str, int]]) -> Iterator[str]:
    """Yield the first lines of a GTF file: the version, and a `##sequence-region` for each contig (name, length).

    Raises:
        ConfigError: a contig's name begins with #, so its rows would be comments.
    """
    yield "##gtf-version 2.2\n"
    for name, length_bp in contigs:
        if name.startswith("#"):
            raise ConfigError(f"contig {name!r}: a name that begins with # would make comments of GTF; write GFF3")
        yield from sequence_regions([(name, length_bp)])


def gtf_lines(transcripts: Iterable[Transcript], source: str = "dnaspt") -> Iterator[str]:
    """Yield the rows of transcripts, gene by gene. Genes come in the order of their first transcripts.

    A stop codon that is known (`has_stop`) is not part of the CDS rows, as GTF has it, but of the exon rows.
    """
    for isoforms in isoforms_by_gene(transcripts):
        yield from _gene_lines(isoforms, source)


def _gene_lines(isoforms: Sequence[Transcript], source: str) -> Iterator[str]:
    """Yield the rows of one gene."""
    first = isoforms[0]
    gene_id = f'gene_id "{_value(first.gene_id)}";'
    row = RowFormat.of_gene(isoforms, first.chrom, source)
    partial = ' partial "true";' if all(isoform.is_partial for isoform in isoforms) else ""
    start, end = min(isoform.start for isoform in isoforms), max(isoform.end for isoform in isoforms)
    yield row("gene", start, end, gene_id + partial)
    for isoform in isoforms:
        names = f'{gene_id} transcript_id "{_value(isoform.transcript_id)}";'
        row = RowFormat(isoform.chrom, source, isoform.score, isoform.strand)
        whole = "" if isoform.probability is None else f' probability "{isoform.probability:.4f}";'
        is_partial = ' partial "true";' if isoform.is_partial else ""
        yield row("transcript", isoform.start, isoform.end, names + is_partial + whole)
        yield from _exon_lines(isoform, row, names)


def _exon_lines(isoform: Transcript, row: RowFormat, names: str) -> Iterator[str]:
    """Yield the rows of exons, CDS and codons of a transcript; each says the number of its exon."""
    strand, cds = isoform.strand, isoform.cds
    in_order = cds if strand == "+" else cds[::-1]
    scores = isoform.exon_scores if strand == "+" else isoform.exon_scores[::-1]

    def lines(kind: str, intervals: StartEnds, phases: Sequence[object]) -> Iterator[str]:
        for (start, end), phase in zip(intervals, phases, strict=True):
            number = next(n for n, exon in enumerate(in_order, start=1) if exon[0] <= start < exon[1])
            own = row.with_score(scores[number - 1]) if scores and kind in ("exon", "CDS") else row
            yield own(kind, start, end, f'{names} exon_number "{number}";', str(phase))

    coding = without_last_coding_bases(cds, strand, 3) if isoform.has_stop else cds
    yield from lines("exon", cds, "." * len(cds))
    yield from lines("CDS", coding, cds_phases(coding, strand, isoform.phase))
    for kind, is_known, codon in (
        ("start_codon", isoform.has_start, first_coding_bases(cds, strand, 3)),
        ("stop_codon", isoform.has_stop, last_coding_bases(cds, strand, 3)),
    ):
        if is_known:
            yield from lines(kind, codon, cds_phases(codon, strand))


def _value(text: str) -> str:
    """Value of an attribute: what would end it is left out, since GTF has no way to write it."""
    return _NOT_IN_VALUE.sub("_", text)
