"""Nothing is published without a source."""

from dnaspt.bend.published import PUBLISHED


def test_every_published_score_names_its_source_and_what_to_know() -> None:
    assert len(PUBLISHED) == len(set(PUBLISHED)) == 14
    assert all(all(row) for row in PUBLISHED)
