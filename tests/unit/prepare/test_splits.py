"""Contigs to splits."""

from pathlib import Path

import pytest

from dnaspt.errors import ConfigError, InputError
from dnaspt.genome.fasta import contig_names
from dnaspt.prepare.splits import SplitInterval, SplitPlan, read_split_table


def _splits(plan: SplitPlan, n_contigs: int) -> list[str]:
    names = [f"c{number}" for number in range(n_contigs)]
    plan = plan.among(names)
    return ["+".join(piece.split for piece in plan.intervals(name, 100)) for name in names]


@pytest.mark.parametrize(
    ("by", "n_contigs", "expected"),
    [
        ("contig", 3, ["train", "valid", "test"]),
        ("contig", 5, ["train"] * 3 + ["valid", "test"]),
        ("contig", 10, ["train"] * 4 + ["test"] + ["train"] * 3 + ["test", "valid"]),
        ("train", 1, ["train+valid"]),
        ("train", 9, ["train+valid"] * 9),
        ("train", 11, ["train"] * 9 + ["valid", "train"]),
        ("train-only", 2, ["train"] * 2),
        ("position", 2, ["train+valid+test"] * 2),
        ("test", 1, ["test"]),
    ],
)
def test_each_split_that_is_wanted_is_there_however_few_the_contigs(
    by: str, n_contigs: int, expected: list[str]
) -> None:
    plan = SplitPlan(by=by)  # type: ignore[arg-type]
    found = _splits(plan, n_contigs)
    assert found == expected
    assert plan.wanted <= {split for splits in found for split in splits.split("+")}


def test_contigs_that_are_named_leave_the_rest_to_train_and_valid() -> None:
    assert _splits(SplitPlan("contig", test_contigs=frozenset(["c1"])), 3) == ["train+valid", "test", "train+valid"]
    assert _splits(SplitPlan("contig", test_contigs=frozenset(["c1"])), 11)[9:] == ["train", "valid"]
    named = SplitPlan("contig", valid_contigs=frozenset(["c0"]), test_contigs=frozenset(["c2"]))
    assert _splits(named, 3) == ["valid", "train", "test"]


@pytest.mark.parametrize("n_contigs", [1, 2])
def test_fewer_than_three_contigs_are_not_divided_by_contig(n_contigs: int) -> None:
    with pytest.raises(ConfigError, match="say --split position"):
        _splits(SplitPlan("contig"), n_contigs)


def test_the_last_tenth_of_a_contig_is_valid_where_it_is_the_only_one() -> None:
    found = SplitPlan("train").among(["c"]).intervals("c", 50)
    assert found == (SplitInterval("c", 0, 45, "train"), SplitInterval("c", 45, 50, "valid"))


@pytest.mark.parametrize(("length_bp", "line"), [(40, 4), (25, 4), (15, 4)])
def test_a_table_whose_piece_ends_off_its_contig_is_refused_with_the_line(
    tmp_path: Path, length_bp: int, line: int
) -> None:
    path = tmp_path / "split.tsv"
    path.write_text("chrom\tstart\tend\tsplit\nc\t0\t10\ttrain\nc\t10\t20\ttrain\nc\t20\t41\tvalid\nd\t0\t5\ttest\n")
    table = read_split_table(path)
    plan = SplitPlan("column", table=table)
    assert [(one.start, one.end, one.split, one.line) for one in plan.intervals("c", 41)] == [
        (0, 20, "train", 3),
        (20, 41, "valid", 4),
    ]
    assert plan.intervals("e", 9) == ()
    assert plan.wanted == {"train", "valid"}
    with pytest.raises(
        InputError, match=rf"split.tsv:{line}: c:20-41 ends off the contig; expected at most {length_bp}"
    ):
        plan.intervals("c", length_bp)


def test_names_of_contigs_are_those_of_the_records(tmp_path: Path) -> None:
    path = tmp_path / "g.fa"
    path.write_bytes(b"\xef\xbb\xbf>a words\r\nAC>GT\r\n>b\nAC\n>c")
    assert contig_names(path) == ["a", "b", "c"]
