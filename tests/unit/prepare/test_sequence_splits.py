"""Near copies stay together, and each part has its share of every label."""

import numpy as np
import pytest

from dnaspt.genome import alphabet
from dnaspt.prepare import sequence_splits
from dnaspt.prepare.sequence_splits import draw_splits, near_copy_groups


def random_codes(rng: np.random.Generator, n_bp: int) -> np.ndarray:
    return rng.integers(0, 4, n_bp).astype(np.uint8)


def mutated(rng: np.random.Generator, codes: np.ndarray, share: float) -> np.ndarray:
    changed = rng.random(len(codes)) < share
    return np.where(changed, (codes + 1) % 4, codes).astype(np.uint8)


@pytest.mark.parametrize("n_bp", [60, 300, 5_000])
def test_copies_on_either_strand_and_near_copies_share_a_group(n_bp: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sequence_splits, "_ROWS", 3)
    rng = np.random.default_rng(0)
    one, other, third = (random_codes(rng, n_bp) for _ in range(3))
    family = [one, alphabet.reverse_complement(one), one | alphabet.SOFT_MASKED, mutated(rng, one, 0.02)]
    part = [other, other[: n_bp // 2], alphabet.reverse_complement(other[n_bp // 3 :])]
    groups = near_copy_groups([*family, *part, third])
    assert len(set(groups[:4])) == 1 and len(set(groups[4:7])) == 1 and len(set(groups.tolist())) == 3


def test_short_sequences_are_compared_as_a_whole() -> None:
    codes = [alphabet.encode(text) for text in ("ACGTACGG", "CCGTACGT", "ACGTACGC", "NNNNNNNN", "NNNNNNNN", "A")]
    groups = near_copy_groups(codes)
    assert groups[0] == groups[1] and len(set(groups.tolist())) == 5  # N is like nothing else


def test_no_sequence_is_linked_by_chance() -> None:
    rng = np.random.default_rng(1)
    groups = near_copy_groups([random_codes(rng, 200) for _ in range(500)])
    assert len(set(groups.tolist())) == 500


def test_copies_of_a_frequent_kmer_are_still_linked() -> None:
    rng = np.random.default_rng(2)
    core = random_codes(rng, 200)
    groups = near_copy_groups([np.concatenate([core, random_codes(rng, 20)]) for _ in range(600)])
    assert len(set(groups.tolist())) < 10


def test_groups_are_drawn_whole_and_labels_alike() -> None:
    rng = np.random.default_rng(3)
    groups = np.repeat(np.arange(400), rng.integers(1, 4, 400))
    labels = (groups % 10 == 0).astype(int)
    shares = {"train": 0.8, "valid": 0.1, "test": 0.1}
    splits = draw_splits(groups, labels.tolist(), shares, seed=0)
    for group in range(400):
        assert len(set(splits[groups == group])) == 1
    for name, share in shares.items():
        for value in (0, 1):
            found = np.mean(splits[labels == value] == name)
            assert abs(found - share) < 0.03
    again, other = (draw_splits(groups, labels.tolist(), shares, seed=seed) for seed in (0, 1))
    assert (again == splits).all() and (other != splits).any()


def test_a_split_without_a_share_gets_nothing() -> None:
    splits = draw_splits(np.arange(50), [0] * 50, {"train": 0.5, "valid": 0.5}, seed=0)
    assert sorted(set(splits.tolist())) == ["train", "valid"]
