"""Pieces of contigs to windows: tiles that label each base once, or one window around each gene. 0-based half-open."""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

from dnaspt.data.splits import Piece
from dnaspt.genome.transcripts import Transcript


class Frame(NamedTuple):
    """A window start..end; its labels count from core_start to core_end, the rest is context."""

    start: int
    end: int
    core_start: int
    core_end: int


def tiles(piece: Piece, window_bp: int, flank_bp: int = 0) -> Iterator[Frame]:
    """Cut a piece into cores of `window_bp`, each base in one core, with context on both sides inside the piece.

    The last core is what remains. Where that is less than an eighth of a window, the last two cores share their bases
    evenly, so that no window is too short to learn from.
    """
    cuts = [*range(piece.start, piece.end, window_bp), piece.end]
    if len(cuts) > 2 and cuts[-1] - cuts[-2] < window_bp / 8:
        cuts[-2] = (cuts[-3] + cuts[-1] + 1) // 2
    for start, end in pairwise(cuts):
        yield Frame(max(piece.start, start - flank_bp), min(piece.end, end + flank_bp), start, end)


def around_genes(piece: Piece, transcripts: Iterable[Transcript], flank_bp: int) -> Iterator[Frame]:
    """One window around each transcript that lies in the piece: its span and `flank_bp` on both sides, clipped."""
    for transcript in transcripts:
        if piece.start <= transcript.start and transcript.end <= piece.end:
            start, end = max(piece.start, transcript.start - flank_bp), min(piece.end, transcript.end + flank_bp)
            yield Frame(start, end, start, end)
