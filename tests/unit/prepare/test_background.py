"""Matched background: as many windows as asked for, like the positive ones, and apart from all regions."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnaspt.genome import alphabet
from dnaspt.genome.fasta import Contig
from dnaspt.prepare.background import MatchedBackground, merge_centers
from dnaspt.prepare.splits import SplitInterval
from dnaspt.prepare.windows import WindowFilter, from_starts

WINDOW_BP = 50
RICH, POOR = (0.1, 0.4, 0.4, 0.1), (0.4, 0.1, 0.1, 0.4)
Draw = Callable[..., tuple[np.ndarray, np.ndarray]]


@pytest.fixture
def contig() -> Contig:
    """10 kb in blocks of 500 bp, rich and poor in GC by turns."""
    random = np.random.default_rng(0)
    blocks = [random.choice(4, 500, p=RICH if number % 2 else POOR) for number in range(20)]
    return Contig("a", np.concatenate(blocks).astype(np.uint8))


def whole(contig: Contig, split: str = "train") -> WindowFilter:
    return WindowFilter([SplitInterval(contig.name, 0, len(contig), split)])


def gc_of(contig: Contig, starts: np.ndarray) -> np.ndarray:
    bases = contig.codes[starts[:, None] + np.arange(WINDOW_BP)]
    return ((bases == alphabet.C) | (bases == alphabet.G)).mean(axis=1)


def positives(*starts: int, split: int = 0) -> tuple[np.ndarray, np.ndarray]:
    return np.array(starts, dtype=np.int64), np.full(len(starts), split, dtype=np.int8)


def test_background_has_the_gc_of_the_positives_bin_by_bin(contig: Contig) -> None:
    own = positives(*range(500, 900, 50))
    taken = from_starts(own[0], WINDOW_BP)
    background = MatchedBackground(WINDOW_BP, 2.0, 0, match_gc=True)
    starts, split = background.draw(contig, 0, whole(contig), own, taken)
    wanted = np.bincount((gc_of(contig, own[0]) * 25).astype(int), minlength=26) * 2
    drawn = np.bincount((gc_of(contig, starts) * 25).astype(int), minlength=26)
    assert (drawn <= wanted).all() and drawn.sum() >= 12
    assert background.n_short == (wanted - drawn).sum()
    assert (split == 0).all()


def test_background_touches_neither_what_is_taken_nor_itself(contig: Contig) -> None:
    own = positives(*range(500, 2000, 100))
    taken = np.concatenate([from_starts(own[0], WINDOW_BP), np.array([[3000, 6000]])])
    starts, _ = MatchedBackground(WINDOW_BP, 3.0, 1, match_gc=False).draw(contig, 0, whole(contig), own, taken)
    assert len(starts) == 45
    covered = np.zeros(len(contig), dtype=int)
    for start, end in (*taken.tolist(), *from_starts(starts, WINDOW_BP).tolist()):
        covered[start:end] += 1
    assert covered.max() == 1


def test_a_draw_depends_on_the_seed_and_the_number_of_the_contig(contig: Contig) -> None:
    own = positives(*range(500, 900, 50))

    def draw(seed: int, index: int) -> list[int]:
        background = MatchedBackground(WINDOW_BP, 1.0, seed, match_gc=False)
        return background.draw(contig, index, whole(contig), own, from_starts(own[0], WINDOW_BP))[0].tolist()

    assert draw(0, 0) == draw(0, 0)
    assert draw(0, 0) != draw(0, 1) and draw(0, 0) != draw(1, 0)


def test_what_one_contig_lacks_comes_from_the_next_of_the_same_split(contig: Contig) -> None:
    background = MatchedBackground(WINDOW_BP, 1.0, 0, match_gc=False)
    all_taken = np.array([[0, len(contig)]])
    starts, _ = background.draw(contig, 0, whole(contig), positives(0, 100, 200), all_taken)
    assert len(starts) == 0 and background.n_short == 3
    none = np.zeros((0, 2), dtype=np.int64)
    starts, _ = background.draw(contig, 1, whole(contig, "test"), positives(), none)
    assert len(starts) == 0 and background.n_short == 3  # another split
    starts, split = background.draw(contig, 2, whole(contig), positives(), none)
    assert len(starts) == 3 and (split == 0).all() and background.n_short == 0


def test_shares_of_a_window_add_up_over_contigs(contig: Contig) -> None:
    background = MatchedBackground(WINDOW_BP, 0.5, 0, match_gc=False)
    none = np.zeros((0, 2), dtype=np.int64)
    numbers = [len(background.draw(contig, index, whole(contig), positives(0), none)[0]) for index in range(4)]
    assert numbers == [0, 1, 0, 1]


def test_centers_that_lie_close_are_one_window() -> None:
    assert merge_centers(np.array([50, 10, 14, 300]), 10).tolist() == [10, 50, 300]
    assert merge_centers(np.array([5, 5]), 0).tolist() == [5]


@given(st.lists(st.integers(0, 200), max_size=30), st.integers(1, 40))
def test_kept_centers_lie_apart_and_every_other_one_is_close_to_a_kept_one(centers: list[int], apart_bp: int) -> None:
    kept = merge_centers(np.array(centers, dtype=np.int64), apart_bp)
    assert (np.diff(kept) >= apart_bp).all() and set(kept.tolist()) <= set(centers)
    assert all(any(0 <= center - own < apart_bp for own in kept) for center in centers)
