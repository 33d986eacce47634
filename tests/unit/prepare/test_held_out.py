"""What the sequences for a pretraining share with held-out ones is N afterwards, base by base, and counted."""

import numpy as np
import pytest

from dnaspt.data.segments import Segment
from dnaspt.errors import DatasetError
from dnaspt.genome import alphabet
from dnaspt.genome.gene_states import MISSING
from dnaspt.prepare import held_out as module
from dnaspt.prepare.held_out import CutOut, K, cut_out, refuse_shared, shared_bases, sum_of


def codes(seed: int, length_bp: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 4, length_bp).astype(np.uint8)


def segment(sequence: np.ndarray, chrom: str = "chr1", start: int = 0) -> Segment:
    return Segment(chrom, start, sequence, np.full(len(sequence), MISSING, np.int8))


def runs_of_n(sequence: np.ndarray) -> list[tuple[int, int]]:
    padded = np.diff(np.concatenate([[0], alphabet.is_unknown(sequence).astype(np.int8), [0]]))
    return list(zip(np.flatnonzero(padded == 1).tolist(), np.flatnonzero(padded == -1).tolist(), strict=True))


def naively_shared(sequence: np.ndarray, others: list[np.ndarray]) -> np.ndarray:
    """Every base of every stretch of K known bases that is a part of another sequence, or of its reverse complement."""
    texts = [alphabet.decode(alphabet.tokens(each)) for o in others for each in (o, alphabet.reverse_complement(o))]
    letters, shared = alphabet.decode(alphabet.tokens(sequence)), np.zeros(len(sequence), bool)
    for start in range(len(letters) - K + 1):
        word = letters[start : start + K]
        if "N" not in word and any(word in text for text in texts):
            shared[start : start + K] = True
    return shared


def test_a_stretch_of_32_bases_on_either_strand_is_cut_out_and_one_of_31_is_not() -> None:
    offered, held = codes(1, 1000), codes(2, 600)
    held[100:150] = offered[200:250]
    held[300:332] = alphabet.reverse_complement(offered[400:432]) | alphabet.SOFT_MASKED
    held[500:531] = offered[700:731]
    for at, ours in ((99, 199), (150, 250), (531, 731), (499, 699)):  # so that no neighbor is the same by chance
        held[at] = (offered[ours] + 1) & 3
    held[299], held[332] = ((3 - offered[at] + 1) & 3 for at in (432, 399))
    (cut,), counts = cut_out([segment(offered)], [segment(held, "chrX")])
    assert runs_of_n(cut.codes) == [(200, 250), (400, 432)]
    kept = ~alphabet.is_unknown(cut.codes)
    assert (cut.codes[kept] == offered[kept]).all() and not alphabet.is_unknown(offered).any()
    assert (counts.n_held_out_bp, counts.n_offered_bp) == (600, 1000)
    assert (counts.n_cut_bp, counts.n_cut_stretches) == (82, 2)
    assert str(counts) == "82 of 1,000 bases (8.20%) in 2 stretches"


def test_shared_bases_are_those_of_the_plain_comparison_of_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also over the edges of the blocks and chunks that are compared at once, and beside N."""
    monkeypatch.setattr(module, "_BLOCK_BP", 70)
    monkeypatch.setattr(module, "_CHUNK_KMERS", 50)
    rng = np.random.default_rng(3)
    for _ in range(5):
        offered, others = codes(int(rng.integers(1000)), 700), [codes(int(rng.integers(1000)), 300) for _ in range(2)]
        for other in others:
            for _ in range(4):
                length = int(rng.integers(20, 90))
                here, there = rng.integers(0, 700 - length), rng.integers(0, 300 - length)
                copy = offered[here : here + length]
                other[there : there + length] = copy if rng.random() < 0.5 else alphabet.reverse_complement(copy)
        offered[rng.integers(0, 700, 3)] = alphabet.N
        others[0][rng.integers(0, 300, 2)] = alphabet.N
        assert shared_bases(offered, others).tolist() == naively_shared(offered, others).tolist()


def test_words_do_not_reach_from_one_sequence_into_the_next() -> None:
    held = codes(4, 40)
    offered = [segment(held[:20], "a"), segment(held[20:], "b")]
    cut, counts = cut_out(offered, [segment(held, "x")])
    assert counts.n_cut_bp == 0 and all((a.codes == b.codes).all() for a, b in zip(cut, offered, strict=True))
    assert not shared_bases(held, [held[:20], held[20:]]).any()


def test_where_a_copy_differs_it_is_cut_out_with_its_neighbors() -> None:
    offered = codes(5, 400)
    held = offered[100:240].copy()
    held[70] = (held[70] + 1) & 3
    (cut,), counts = cut_out([segment(offered)], [segment(held, "chrX")])
    first, last = runs_of_n(cut.codes)[0][0], runs_of_n(cut.codes)[-1][1]
    assert first in range(97, 101) and last in range(240, 244) and counts.n_cut_stretches == 1


def test_a_short_overlap_is_seen_by_position_where_the_contig_is_the_same() -> None:
    genome = codes(6, 300)
    offered, held = segment(genome[:110], start=0), segment(genome[100:200], start=100)
    (cut,), counts = cut_out([offered], [held])
    assert runs_of_n(cut.codes) == [(100, 110)] and counts.n_cut_bp == 10
    other = (held.codes + 1) & 3  # a contig of the same name in another genome
    (kept,), counts = cut_out([offered], [segment(other.astype(np.uint8), start=100)])
    assert counts.n_cut_bp == 0 and (kept.codes == offered.codes).all()


def test_a_repeat_that_a_test_part_has_is_cut_out_wherever_it_is() -> None:
    repeat = np.tile(np.array([0, 3], np.uint8), 20)
    offered = np.concatenate([codes(7, 100), repeat, codes(8, 100), repeat])
    offered[[99, 140, 239]] = 1
    (cut,), counts = cut_out([segment(offered)], [segment(np.concatenate([codes(9, 50), repeat]), "chrX")])
    assert runs_of_n(cut.codes) == [(100, 140), (240, 280)] and counts.n_cut_stretches == 2


def test_nothing_held_out_cuts_nothing_out() -> None:
    (cut,), counts = cut_out([segment(codes(1, 100))], [])
    assert (counts.n_held_out_bp, counts.n_cut_bp) == (0, 0) and (cut.codes == codes(1, 100)).all()
    assert cut_out([], []) == ([], CutOut(0, 0, 0, 0))
    assert shared_bases(codes(1, 10), [codes(1, 10)]).tolist() == [False] * 10


def test_what_would_still_leak_is_refused() -> None:
    offered, held = codes(10, 500), codes(11, 200)
    held[100:160] = alphabet.reverse_complement(offered[300:360])
    with pytest.raises(DatasetError, match=r"data/a: .* of the bases to read stand in the valid or test part"):
        refuse_shared([offered], [segment(held, "chrX")], "data/a")
    (cut,), _ = cut_out([segment(offered)], [segment(held, "chrX")])
    refuse_shared([cut.codes], [segment(held, "chrX")], "data/a")


def test_counts_of_folds_are_summed() -> None:
    assert sum_of([CutOut(1, 2, 3, 4), CutOut(10, 20, 30, 40)]) == CutOut(11, 22, 33, 44) and sum_of([]) is None
