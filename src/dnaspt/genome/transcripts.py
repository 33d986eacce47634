"""The coding part of a transcript: the form in which genes are read, labeled, decoded, scored and written."""

from dataclasses import dataclass, replace

from dnaspt.genome.intervals import StartEnds


@dataclass(frozen=True, slots=True)
class Transcript:
    """The coding part of one transcript: the CDS intervals of one isoform of a gene.

    Coordinates are those of Python and BED: the first base is 0, and `end` is the base behind the last one. They run along the
    forward strand for both strands.

    Attributes:
        chrom: name of the contig.
        strand: "+" or "-".
        gene_id: gene that the transcript belongs to.
        transcript_id: name of the transcript, unique in a file.
        cds: (start, end) of each CDS interval, ascending and disjoint. The stop codon is part of the CDS, unless the dataset says
            `stop_in_cds` = false.
        score: mean posterior probability of the coding bases of a predicted transcript; None for an annotated one.
        phase: how many bases of the first CDS interval, in the direction of transcription, end a codon that began before it.
        is_partial: whether the transcript is known to go on beyond the end of the sequence; of an annotated one, whether its row
            says `partial=true`.
        has_start: whether its first three coding bases are known to be its start codon; False for an annotated one.
        has_stop: whether its last three coding bases are known to be its stop codon; False for an annotated one.
        probability: probability of all exons and introns of a predicted transcript together, where the model knows it.
        exon_scores: probability of each CDS interval, both ends and frame exact, in the order of `cds`; empty where not known.

    Example:
        >>> gene = dnaspt.Transcript("chr1", "+", gene_id="g1", transcript_id="g1.t1", cds=((100, 190), (250, 310)))
        >>> gene.start, gene.end, gene.cds_bp
        (100, 310, 150)
        >>> gene.introns
        ((190, 250),)
    """

    chrom: str
    strand: str
    gene_id: str
    transcript_id: str
    cds: StartEnds
    score: float | None = None
    phase: int = 0
    is_partial: bool = False
    has_start: bool = False
    has_stop: bool = False
    probability: float | None = None
    exon_scores: tuple[float, ...] = ()

    @property
    def start(self) -> int:
        """First coding base along the forward strand."""
        return self.cds[0][0]

    @property
    def end(self) -> int:
        """Base behind the last coding base along the forward strand."""
        return self.cds[-1][1]

    @property
    def cds_bp(self) -> int:
        """Number of coding bases."""
        return sum(end - start for start, end in self.cds)

    @property
    def introns(self) -> StartEnds:
        """(start, end) of each intron between two CDS intervals, ascending."""
        return tuple((left[1], right[0]) for left, right in zip(self.cds, self.cds[1:], strict=False))


def moved(transcript: Transcript, by: int) -> Transcript:
    """The same transcript, all coordinates `by` bases higher."""
    return replace(transcript, cds=tuple((start + by, end + by) for start, end in transcript.cds))
