"""Coding transcripts, the form in which annotation is read, labeled, decoded, scored and written."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Transcript:
    """The coding part of a transcript.

    Attributes:
        chrom: contig name.
        strand: + or -.
        gene_id: gene it belongs to.
        transcript_id: its own name, unique in the file.
        cds: CDS intervals (start, end), 0-based half-open, ascending along the forward strand, disjoint; the stop
            codon is part of it (unless the dataset says `stop_in_cds` = false).
        score: mean posterior of its CDS bases, for predictions.
        is_partial: whether it goes on beyond the sequence, as far as is known.
        phase: bases of its first CDS interval, in the direction of transcription, that end a codon which began before it.

    Example:
        >>> gene = dnaspt.Transcript("chr1", "+", "g1", "g1.t1", cds=((100, 130), (200, 260)))
        >>> gene.start, gene.end, gene.cds_bp, gene.introns
        (100, 260, 90, ((130, 200),))
    """

    chrom: str
    strand: str
    gene_id: str
    transcript_id: str
    cds: tuple[tuple[int, int], ...]
    score: float | None = None
    phase: int = 0
    is_partial: bool = False

    @property
    def start(self) -> int:
        """First coding base, 0-based."""
        return self.cds[0][0]

    @property
    def end(self) -> int:
        """End of the last coding base, half-open."""
        return self.cds[-1][1]

    @property
    def cds_bp(self) -> int:
        """Number of coding bases."""
        return sum(end - start for start, end in self.cds)

    @property
    def introns(self) -> tuple[tuple[int, int], ...]:
        """Introns between coding exons (start, end), 0-based half-open, ascending."""
        return tuple((left[1], right[0]) for left, right in zip(self.cds, self.cds[1:], strict=False))
