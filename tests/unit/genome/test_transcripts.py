"""What a transcript says about itself."""

from dnaspt.genome.transcripts import Transcript


def test_a_transcript_reaches_from_its_first_to_its_last_coding_base() -> None:
    transcript = Transcript("c", "-", "g", "t", ((3, 9), (20, 21), (30, 40)))
    assert (transcript.start, transcript.end, transcript.cds_bp) == (3, 40, 17)


def test_introns_lie_between_cds_intervals() -> None:
    assert Transcript("c", "+", "g", "t", ((3, 9), (20, 21), (30, 40))).introns == ((9, 20), (21, 30))
    assert Transcript("c", "+", "g", "t", ((3, 9),)).introns == ()
