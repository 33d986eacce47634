"""The parts of a cross-validation and their splits."""

from pathlib import Path

import numpy as np
import pytest

from dnaspt.bend.bins import _window_bp, fold_splits, splits_of_parts
from dnaspt.errors import ConfigError, InputError
from dnaspt.genome.bed import LabeledRegions, read_labeled_bed

PARTS = [f"part{number}" for number in range(1, 11)]


def table(path: Path, rows: list[tuple[int, int, str]], columns: str = "split") -> LabeledRegions:
    lines = [f"chromosome\tstart\tend\t{columns}", *(f"chr1\t{start}\t{end}\t{part}" for start, end, part in rows)]
    path.write_text("\n".join(lines) + "\n")
    return read_labeled_bed(path)


@pytest.mark.parametrize(
    ("fold", "test", "valid"), [(1, "part1", "part2"), (9, "part9", "part10"), (10, "part10", "part1")]
)
def test_a_fold_is_for_test_and_the_next_part_for_validation(fold: int, test: str, valid: str) -> None:
    """Part 10 comes behind part 9, not behind part 1."""
    splits = splits_of_parts(Path("x"), sorted(PARTS), fold)
    assert [part for part in PARTS if splits[part] == "test"] == [test]
    assert [part for part in PARTS if splits[part] == "valid"] == [valid]
    assert sum(split == "train" for split in splits.values()) == 8


def test_parts_without_a_number_come_first_in_the_order_of_their_names() -> None:
    assert splits_of_parts(Path("x"), ["b", "a", "part1"], 1) == {"a": "test", "b": "valid", "part1": "train"}


def test_a_fold_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigError, match="fold 11; x has parts 1 to 10"):
        splits_of_parts(Path("x"), PARTS, 11)


def test_each_row_has_the_split_of_its_part(tmp_path: Path) -> None:
    rows = [(0, 128, "part2"), (128, 256, "part1"), (256, 384, "part3"), (384, 512, "part1")]
    found = fold_splits(table(tmp_path / "x.bed", rows), 1)
    np.testing.assert_array_equal(found, ["valid", "test", "train", "test"])


def test_tables_without_parts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"x\.bed:1: no column 'split'; expected the parts of a cross-validation"):
        fold_splits(table(tmp_path / "x.bed", [(0, 128, "0")], columns="label"), 1)
    with pytest.raises(InputError, match="2 parts in column 'split'; expected three or more"):
        fold_splits(table(tmp_path / "y.bed", [(0, 128, "part1"), (128, 256, "part2")]), 1)


def test_windows_have_one_length_which_is_a_multiple_of_the_bins(tmp_path: Path) -> None:
    assert _window_bp(table(tmp_path / "x.bed", [(0, 256, "a"), (512, 768, "b")]).regions, 128) == 256
    with pytest.raises(
        InputError, match="windows of 256 to 384 bp; expected one length, a multiple of the bins' 128 bp"
    ):
        _window_bp(table(tmp_path / "y.bed", [(0, 256, "a"), (512, 896, "b")]).regions, 128)
    with pytest.raises(InputError, match="windows of 200 bp; expected one length"):
        _window_bp(table(tmp_path / "z.bed", [(0, 200, "a")]).regions, 128)
