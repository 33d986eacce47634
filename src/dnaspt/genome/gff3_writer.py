"""Transcripts, 0-based half-open, to GFF3 (version 3, 1-based closed): gene, mRNA, exon and CDS rows."""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from dnaspt.atomic import publish_file
from dnaspt.genome.transcripts import Transcript

_NOT_IN_SEQID = re.compile(r"[^a-zA-Z0-9.:^*$@!+_?|-]")
_NOT_IN_VALUE = re.compile(r"[\x00-\x1f\x7f%;=&,]")


def write_gff3(
    path: str | Path, transcripts: Iterable[Transcript], contigs: Iterable[tuple[str, int]], source: str = "dnaspt"
) -> None:
    """Write transcripts as one GFF3 file, which appears whole or not at all.

    Args:
        path: the file; one that is there is replaced.
        transcripts: in any order; written by contig (in the order of `contigs`) and start.
        contigs: names and lengths in bp.
        source: column 2.
    """
    path = Path(path)
    contigs = list(contigs)
    rank = {name: index for index, (name, _) in enumerate(contigs)}
    in_order = sorted(transcripts, key=lambda one: (rank[one.chrom], one.start, one.end, one.transcript_id))
    with publish_file(path) as unfinished, unfinished.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(gff3_header(contigs))
        file.writelines(gff3_lines(in_order, source))


def gff3_header(contigs: Iterable[tuple[str, int]]) -> Iterator[str]:
    """First lines of a GFF3 file, with line ends: the version, and one `##sequence-region` for each contig."""
    yield "##gff-version 3\n"
    for name, length_bp in contigs:
        yield f"##sequence-region {_seqid(name)} 1 {length_bp}\n"


def gff3_lines(transcripts: Iterable[Transcript], source: str = "dnaspt") -> Iterator[str]:
    """Rows of transcripts, with line ends, one gene after the other; genes come in the order of their first transcript.

    Whole contigs can be written one by one: the rows do not depend on what was written before.
    """
    genes: dict[tuple[str, str], list[Transcript]] = {}
    for transcript in transcripts:
        genes.setdefault((transcript.chrom, transcript.gene_id), []).append(transcript)
    for isoforms in genes.values():
        yield from _gene_lines(isoforms, source)


def phases(transcript: Transcript) -> tuple[int, ...]:
    """Phase of each CDS interval, ascending along the forward strand: bases to skip to the first base of a codon.

    It is (3 - coding bases before it mod 3) mod 3, counted in the direction of transcription from the first whole codon.
    """
    minus = transcript.strand == "-"
    found, before = [], -transcript.phase
    for start, end in reversed(transcript.cds) if minus else transcript.cds:
        found.append((3 - before % 3) % 3)
        before += end - start
    return tuple(reversed(found) if minus else found)


def _gene_lines(isoforms: Sequence[Transcript], source: str) -> Iterator[str]:
    first = isoforms[0]
    ids = {isoform.transcript_id for isoform in isoforms}
    gene_id = _value(f"gene:{first.gene_id}" if first.gene_id in ids else first.gene_id)
    start, end = min(isoform.start for isoform in isoforms), max(isoform.end for isoform in isoforms)
    scores = [isoform.score for isoform in isoforms if isoform.score is not None]
    row = _Row(first, source, max(scores, default=None))
    partial = ";partial=true" if all(isoform.is_partial for isoform in isoforms) else ""
    yield row("gene", start, end, f"ID={gene_id}{partial}")
    for isoform in isoforms:
        name = _value(isoform.transcript_id)
        row = _Row(isoform, source, isoform.score)
        partial = ";partial=true" if isoform.is_partial else ""
        yield row("mRNA", isoform.start, isoform.end, f"ID={name};Parent={gene_id}{partial}")
        for start, end in isoform.cds:
            yield row("exon", start, end, f"Parent={name}")
        for (start, end), phase in zip(isoform.cds, phases(isoform), strict=True):
            yield row("CDS", start, end, f"ID={name}.cds;Parent={name}", str(phase))
    yield "###\n"


class _Row:
    """Columns that all rows of a transcript share."""

    def __init__(self, transcript: Transcript, source: str, score: float | None) -> None:
        self.left = f"{_seqid(transcript.chrom)}\t{source}"
        self.middle = f"{'.' if score is None else f'{score:.4f}'}\t{transcript.strand}"

    def __call__(self, kind: str, start: int, end: int, attributes: str, phase: str = ".") -> str:
        return f"{self.left}\t{kind}\t{start + 1}\t{end}\t{self.middle}\t{phase}\t{attributes}\n"


def _encoded(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found.group().encode())


def _seqid(name: str) -> str:
    return _NOT_IN_SEQID.sub(_encoded, name)


def _value(text: str) -> str:
    return _NOT_IN_VALUE.sub(_encoded, text)
