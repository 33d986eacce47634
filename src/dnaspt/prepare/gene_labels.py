"""One contig and its annotated transcripts to labels per base, and to the transcripts that are truth in each split."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from dnaspt.data.transcript_table import PlacedTranscript
from dnaspt.errors import InputError
from dnaspt.genome import alphabet
from dnaspt.genome.fasta import Contig
from dnaspt.genome.gene_states import MIN_INTRON_BP, label_contig, longest_per_gene
from dnaspt.genome.genetic_code import SPLICE_PAIRS
from dnaspt.genome.gff3 import AnnotatedTranscript
from dnaspt.genome.stop_codons import stop_codon_in_cds
from dnaspt.genome.transcripts import Transcript
from dnaspt.prepare.splits import Piece

INTRON_MOTIFS = {pair.donor + pair.acceptor: f"introns_{pair.donor}_{pair.acceptor}".lower() for pair in SPLICE_PAIRS}


@dataclass(frozen=True, slots=True)
class LabeledContig:
    """What the genes of one contig come to.

    Attributes:
        labels: classes (L,) int8 along the forward strand, missing where unknown.
        pieces: stretches of the contig by split.
        longest: the transcript of each gene that the labels follow, by start.
        placed: transcripts that lie in one piece, isoforms included.
        counts: what was found, and what became missing for which reason.
        dropped: transcripts that are no truth in any split.
    """

    labels: np.ndarray
    pieces: tuple[Piece, ...]
    longest: tuple[Transcript, ...]
    placed: tuple[PlacedTranscript, ...]
    counts: dict[str, int]
    dropped: dict[str, int]


def label_genes(
    contig: Contig,
    annotated: Sequence[AnnotatedTranscript],
    pieces: Sequence[Piece],
    *,
    unknown: Iterable[tuple[int, int]] = (),
) -> LabeledContig:
    """Label a contig by the longest transcript of each gene; a gene that no single piece holds is missing.

    Args:
        contig: the letters.
        annotated: its coding transcripts.
        pieces: its stretches by split.
        unknown: intervals of unknown annotation.

    Raises:
        InputError: a CDS off the end of the contig.
    """
    _check_ends(annotated, contig)
    transcripts, stops = stop_codon_in_cds(annotated, contig.codes)
    longest, sizes = longest_per_gene(transcripts)
    outside = [one for one in longest if _piece_of(one, pieces) is None]
    spans = [*unknown, *((one.start, one.end) for one in outside)]
    labels, missing = label_contig(longest, contig.codes, unknown=spans)
    counts = Counter(genes_across_splits=sum(_meets(one, pieces) for one in outside))
    for found in (stops, sizes, missing, _structure_counts(longest, contig.codes)):
        counts.update(found)
    placed = tuple(_placed(transcripts, longest, pieces))
    dropped = {"transcripts_not_in_one_split": len(transcripts) - len(placed)}
    return LabeledContig(labels, tuple(pieces), tuple(longest), placed, dict(counts), dropped)


def _check_ends(annotated: Iterable[AnnotatedTranscript], contig: Contig) -> None:
    for one in annotated:
        end = max(one.transcript.end, *(end for _, end in one.stop_codon), 0)
        if end > len(contig):
            found = f"CDS of {one.transcript.transcript_id!r} ends at {end:,} on {contig.name!r}"
            expected = f"at most {len(contig):,}, the length of the contig"
            raise InputError(
                one.path, found, expected=expected, do="is it the annotation of this genome?", line=one.line
            )


def _piece_of(transcript: Transcript, pieces: Iterable[Piece]) -> Piece | None:
    """The piece that holds the whole coding span."""
    return next((one for one in pieces if one.start <= transcript.start and transcript.end <= one.end), None)


def _meets(transcript: Transcript, pieces: Iterable[Piece]) -> bool:
    return any(transcript.start < piece.end and piece.start < transcript.end for piece in pieces)


def _placed(
    transcripts: Iterable[Transcript], longest: Iterable[Transcript], pieces: Sequence[Piece]
) -> Iterable[PlacedTranscript]:
    """Transcripts that are truth: each in one piece, and of a gene whose labels are known."""
    known = {one.gene_id: one.transcript_id for one in longest if _piece_of(one, pieces)}
    for transcript in transcripts:
        piece = _piece_of(transcript, pieces)
        if piece and transcript.gene_id in known:
            is_longest = known[transcript.gene_id] == transcript.transcript_id
            yield PlacedTranscript(transcript, piece.split, is_longest)


def _structure_counts(longest: Sequence[Transcript], codes: np.ndarray) -> dict[str, int]:
    """Introns by their first and last two letters, and CDS lengths that are no multiple of 3."""
    counts: Counter[str] = Counter()
    for transcript in longest:
        counts["cds_not_multiple_of_3"] += transcript.cds_bp % 3 != 0
        counts["introns"] += len(transcript.introns)
        for start, end in transcript.introns:
            if end - start < MIN_INTRON_BP:
                continue
            ends = alphabet.tokens(codes[[start, start + 1, end - 2, end - 1]])
            letters = alphabet.decode(alphabet.reverse_complement(ends) if transcript.strand == "-" else ends)
            counts[INTRON_MOTIFS.get(letters, "introns_other")] += 1
    return dict(counts)
