"""Windows of splits to a report of what they share."""

import numpy as np
import pytest
from tests.unit.prepare.leakage_reports import leakage_report

from dnaspt.data.dataset import Window
from dnaspt.data.manifest import LeakageReport
from dnaspt.errors import DatasetError
from dnaspt.genome import alphabet
from dnaspt.prepare.leakage import LeakageSketch, refuse_leakage, sampled_kmers


def random_codes(rng: np.random.Generator, length_bp: int) -> np.ndarray:
    return rng.integers(0, 4, length_bp).astype(np.uint8)


def mutated(rng: np.random.Generator, codes: np.ndarray, rate: float) -> np.ndarray:
    changed = rng.random(len(codes)) < rate
    return np.where(changed, (codes + rng.integers(1, 4, len(codes))) & 3, codes).astype(np.uint8)


def windows(sequences: list[np.ndarray], chrom: str, step: int = 10_000) -> list[Window]:
    labels = np.zeros(0, np.int8)
    return [Window(chrom, i * step, i * step + len(s), "+", s, labels) for i, s in enumerate(sequences)]


def counts(report: LeakageReport, pair: str = "train-test") -> tuple[int | None, int, int]:
    row = report.pairs[pair]
    return row.overlapping, row.exact, row.near


@pytest.mark.parametrize("length_bp", [512, 4096])
def test_unrelated_windows_share_nothing(length_bp: int) -> None:
    rng = np.random.default_rng(1)
    train, test = ([random_codes(rng, length_bp) for _ in range(300)] for _ in range(2))
    report = leakage_report({"train": windows(train, "a"), "test": windows(test, "b")})
    assert counts(report) == (0, 0, 0)
    assert not report.shares_sequence
    assert report.examples == ()


@pytest.mark.parametrize("length_bp", [512, 4096])
def test_exact_and_reverse_complemented_copies_are_found(length_bp: int) -> None:
    rng = np.random.default_rng(2)
    train, test = ([random_codes(rng, length_bp) for _ in range(50)] for _ in range(2))
    test[3] = train[7].copy()
    test[9] = alphabet.reverse_complement(train[8]) | alphabet.SOFT_MASKED
    report = leakage_report({"train": windows(train, "a"), "test": windows(test, "b")})
    assert counts(report) == (0, 2, 0)
    assert report.examples[0] == f"b:30000-{30000 + length_bp} (test) = a:70000-{70000 + length_bp} (train), exact copy"


def test_copies_with_5_percent_substitutions_are_near_copies_on_either_strand() -> None:
    rng = np.random.default_rng(3)
    train, test = ([random_codes(rng, 4096) for _ in range(40)] for _ in range(2))
    test[:5] = [mutated(rng, codes, 0.05) for codes in train[:5]]
    test[5:10] = [alphabet.reverse_complement(mutated(rng, codes, 0.05)) for codes in train[5:10]]
    report = leakage_report({"train": windows(train, "a"), "test": windows(test, "b")})
    assert counts(report) == (0, 0, 10)
    assert "b:0-4096 (test) ~ a:0-4096 (train), containment about 0.4" in report.examples[0]


def test_nearly_all_short_copies_with_5_percent_substitutions_are_found() -> None:
    rng = np.random.default_rng(4)
    train = [random_codes(rng, 512) for _ in range(200)]
    test = [mutated(rng, codes, 0.05) for codes in train]
    assert counts(leakage_report({"train": windows(train, "a"), "test": windows(test, "b")}))[2] >= 190


def test_estimated_containment_is_near_the_exact_one() -> None:
    rng = np.random.default_rng(5)
    train = random_codes(rng, 4096)
    test = np.concatenate([train[:2048], random_codes(rng, 2048)])
    (line,) = leakage_report({"train": windows([train], "a"), "test": windows([test], "b")}).examples
    assert float(line.rsplit(" ", 1)[1]) == pytest.approx(0.5, abs=0.06)


def test_a_short_window_inside_a_long_one_is_a_near_copy_whichever_is_the_test_window() -> None:
    rng = np.random.default_rng(6)
    long = random_codes(rng, 4096)
    short = long[1000:1512]
    for train, test in ((long, short), (short, long)):
        report = leakage_report({"train": windows([train], "a"), "test": windows([test], "b")})
        assert counts(report) == (0, 0, 1)


def test_windows_that_share_a_position_overlap_and_touching_ones_do_not() -> None:
    rng = np.random.default_rng(7)
    genome = random_codes(rng, 2000)
    none = np.zeros(0, np.int8)

    def at(start: int, end: int) -> Window:
        return Window("chr1", start, end, "+", genome[start:end], none)

    splits = {"train": [at(0, 900), at(100, 200)], "valid": [at(900, 1200)], "test": [at(899, 950), at(1199, 1500)]}
    report = leakage_report(splits)
    assert counts(report, "train-valid") == (0, 0, 0)
    assert counts(report, "train-test") == (1, 0, 0)
    assert counts(report, "valid-test") == (2, 0, 0)
    assert counts(leakage_report(splits, same_genome=False), "train-test")[0] is None


def test_overlaps_equal_those_of_comparing_all_pairs() -> None:
    rng = np.random.default_rng(8)

    def some(n: int) -> list[Window]:
        starts, lengths = rng.integers(0, 3000, n), rng.integers(1, 60, n)
        codes, none = np.full(1, alphabet.N, np.uint8), np.zeros(0, np.int8)
        return [Window(f"c{rng.integers(3)}", int(s), int(s + k), "+", codes, none) for s, k in zip(starts, lengths)]

    train, test = some(60), some(80)
    expected = sum(any(a.chrom == b.chrom and a.start < b.end and b.start < a.end for a in train) for b in test)
    assert 0 < expected < 80
    assert counts(leakage_report({"train": train, "test": test}))[0] == expected


def test_windows_of_n_and_of_low_complexity_are_counted_and_not_compared() -> None:
    all_n = np.full(512, alphabet.N, np.uint8)
    two_letters = np.tile(np.array([1, 0], np.uint8), 256)
    shifted = np.tile(np.array([0, 1], np.uint8), 256)
    report = leakage_report({"train": windows([all_n, two_letters], "a"), "test": windows([all_n, shifted], "b")})
    assert counts(report) == (0, 0, 0)
    assert report.n_not_compared == 4


def test_copies_within_a_split_are_no_leakage() -> None:
    codes = random_codes(np.random.default_rng(9), 512)
    other = random_codes(np.random.default_rng(10), 512)
    assert not leakage_report(
        {"train": windows([codes] * 3, "a", 100), "test": windows([other] * 2, "a2", 100)}
    ).shares_sequence


def test_a_sequence_of_many_copies_is_found_in_every_test_window() -> None:
    rng = np.random.default_rng(11)
    repeat = random_codes(rng, 512)
    train = [mutated(rng, repeat, 0.01) for _ in range(600)]
    test = [mutated(rng, repeat, 0.01) for _ in range(20)]
    assert counts(leakage_report({"train": windows(train, "a"), "test": windows(test, "b")}))[2] == 20


def test_a_small_budget_of_kmers_still_finds_copies() -> None:
    rng = np.random.default_rng(12)
    train, test = ([random_codes(rng, 4096) for _ in range(60)] for _ in range(2))
    test[:10] = [mutated(rng, codes, 0.01) for codes in train[:10]]
    sketch = LeakageSketch(max_kmers=4000)
    for split, sequences in (("train", train), ("test", test)):
        for window in windows(sequences, split):
            sketch.add(split, window)
    report = sketch.report()
    assert report.scale > 4
    assert counts(report) == (0, 0, 10)


def test_kmers_of_both_strands_are_the_same_and_none_spans_an_n_or_two_windows() -> None:
    rng = np.random.default_rng(13)
    codes = random_codes(rng, 300)
    forward, owners = sampled_kmers([codes, alphabet.reverse_complement(codes)], scale=1)
    assert len(forward) == 2 * 285
    assert np.array_equal(forward[owners == 0], forward[owners == 1])
    codes[100] = alphabet.N
    assert len(sampled_kmers([codes], scale=1)[0]) == 285 - 16
    assert len(sampled_kmers([codes[:10], codes[10:20]], scale=1)[0]) == 0


def test_strict_refuses_shared_windows_and_says_which() -> None:
    rng = np.random.default_rng(14)
    codes = random_codes(rng, 512)
    splits = {"train": windows([codes], "a"), "test": windows([codes], "b")}
    report = leakage_report(splits)
    assert report.shares_sequence
    with pytest.raises(DatasetError, match=r"data/x: 1 of 1 test windows share sequence with train .*b:0-512 \(test\)"):
        refuse_leakage(report, "data/x")


def test_a_report_that_shares_nothing_is_not_refused() -> None:
    rng = np.random.default_rng(16)
    splits = {"train": windows([random_codes(rng, 512)], "a"), "test": windows([random_codes(rng, 512)], "b")}
    refuse_leakage(leakage_report(splits), "data/x")


def test_the_origin_of_a_window_decides_where_it_overlaps() -> None:
    rng = np.random.default_rng(17)
    first, second = windows([random_codes(rng, 200) for _ in range(2)], "cut_out")
    for origins, expected in (((("chr1", 0), ("chr1", 150)), 1), ((("chr1", 0), ("chr1", 200)), 0)):
        sketch = LeakageSketch()
        sketch.add("train", first, origins[0])
        sketch.add("test", second, origins[1])
        assert sketch.report().pairs["train-test"].overlapping == expected


def test_only_pairs_of_splits_that_hold_windows_are_compared() -> None:
    rng = np.random.default_rng(18)
    codes = [random_codes(rng, 512) for _ in range(3)]
    splits = {name: windows([own], name) for name, own in zip(("unlabeled", "train", "valid"), codes)}
    report = leakage_report(splits)
    assert list(report.pairs) == ["train-valid", "unlabeled-valid"]  # unlabeled may repeat train
    assert (report.k, report.scale, report.min_containment) == (16, 4, 0.25)
