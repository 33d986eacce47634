"""GFF3 files of transcripts for tests: the lines that a prediction writes, sorted."""

from collections.abc import Iterable
from pathlib import Path

from dnaspt.genome.gff3_writer import gff3_header, gff3_lines
from dnaspt.genome.transcripts import Transcript


def write_gff3(path: Path, transcripts: Iterable[Transcript], contigs: Iterable[tuple[str, int]]) -> None:
    """Write transcripts by contig, in the order of `contigs` (name, length in bp), and start."""
    contigs = list(contigs)
    rank = {name: index for index, (name, _) in enumerate(contigs)}
    in_order = sorted(transcripts, key=lambda own: (rank[own.chrom], own.start, own.end, own.transcript_id))
    path.write_text("".join([*gff3_header(contigs), *gff3_lines(in_order)]), encoding="utf-8", newline="\n")
