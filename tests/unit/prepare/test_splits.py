"""Contigs to splits."""

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from dnaspt.config import Settings, build_config
from dnaspt.errors import ConfigError, InputError
from dnaspt.prepare.genes import PrepareGenesConfig
from dnaspt.prepare.methylation import PrepareMethylationConfig
from dnaspt.prepare.regions import PrepareRegionsConfig, prepare_regions
from dnaspt.prepare.splits import SplitInterval, SplitPlan, SplitSettings, read_split_table
from dnaspt.prepare.windows import WindowSettings


def _splits(plan: SplitPlan, n_contigs: int) -> list[str]:
    names = [f"c{number}" for number in range(n_contigs)]
    plan = plan.among(names)
    return ["+".join(interval.split for interval in plan.intervals(name, 100)) for name in names]


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
    splits_by_contig = _splits(plan, n_contigs)
    assert splits_by_contig == expected
    assert plan.wanted <= {split for splits in splits_by_contig for split in splits.split("+")}


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
    intervals = SplitPlan("train").among(["c"]).intervals("c", 50)
    assert intervals == (SplitInterval("c", 0, 45, "train"), SplitInterval("c", 45, 50, "valid"))


@pytest.mark.parametrize(("length_bp", "line"), [(40, 4), (25, 4), (15, 4)])
def test_a_table_whose_interval_ends_off_its_contig_is_refused_with_the_line(
    tmp_path: Path, length_bp: int, line: int
) -> None:
    path = tmp_path / "split.tsv"
    path.write_text("chrom\tstart\tend\tsplit\nc\t0\t10\ttrain\nc\t10\t20\ttrain\nc\t20\t41\tvalid\nd\t0\t5\ttest\n")
    table = read_split_table(path)
    plan = SplitPlan("column", table=table)
    assert [(part.start, part.end, part.split, part.line) for part in plan.intervals("c", 41)] == [
        (0, 20, "train", 3),
        (20, 41, "valid", 4),
    ]
    assert plan.intervals("e", 9) == ()
    assert plan.wanted == {"train", "valid"}
    with pytest.raises(
        InputError, match=rf"split.tsv:{line}: c:20-41 ends off the contig; expected at most {length_bp}"
    ):
        plan.intervals("c", length_bp)


def table(folder: Path, *rows: str) -> Path:
    path = folder / "split.tsv"
    path.write_text("\n".join("\t".join(row.split()) for row in rows) + "\n")
    return path


def test_columns_of_a_table_stand_in_any_order_and_touching_intervals_of_a_split_are_joined(tmp_path: Path) -> None:
    rows = ("split end start note chromosome", "train 20 10 x c", "train 10 0 x c", "test 30 20 x c", "train 9 0 x d")
    read = read_split_table(table(tmp_path, *rows))
    assert read.intervals == {
        "c": (SplitInterval("c", 0, 20, "train"), SplitInterval("c", 20, 30, "test")),
        "d": (SplitInterval("d", 0, 9, "train"),),
    }


def test_intervals_of_one_split_may_overlap_and_those_of_two_may_not(tmp_path: Path) -> None:
    header = "chrom start end split"
    read = read_split_table(table(tmp_path, header, "c 0 50 train", "c 10 20 train", "c 15 60 train"))
    assert read.intervals == {"c": (SplitInterval("c", 0, 60, "train"),)}
    expected = r"split.tsv:3: c:40-60 \(test\) overlaps c:0-50 \(train\); expected splits that share no base"
    with pytest.raises(InputError, match=expected):
        read_split_table(table(tmp_path, header, "c 0 50 train", "c 40 60 test"))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (("chrom start end", "c 0 9"), "split.tsv:1: no column 'split'; expected a header"),
        (("chrom start end split",), "split.tsv: no row in it"),
        (("chrom start end split", "c 0 9"), "split.tsv:2: row .*; expected chromosome, start, end, split"),
        (("chrom start end split", "c 0 9 train", "c x 9 train"), "split.tsv:3: row .*; expected chromosome, start"),
        (("chrom start end split", "c 0 9 dev"), "split.tsv:2: split 'dev'; expected train, valid or test"),
        (("chrom start end split", "c 9 9 train"), "split.tsv:2: interval 9-9; expected .* 0 <= start < end"),
        (("chrom start end split", "c -1 9 train"), "split.tsv:2: interval -1-9"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_with_its_line(
    tmp_path: Path, rows: tuple[str, ...], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        read_split_table(table(tmp_path, *rows))


def test_contigs_of_a_plan_that_the_genome_lacks_are_refused(tmp_path: Path) -> None:
    genome = Path("g.fa")
    named = SplitPlan("contig", valid_contigs=frozenset(["a"]), test_contigs=frozenset(["q"]))
    with pytest.raises(ConfigError, match=r"contig 'q' of the split has no record in g\.fa; check its name"):
        named.check_contigs(genome, {"a", "b"}, strict=False)
    named.check_contigs(genome, {"a", "q"}, strict=True)
    plan = SplitPlan(
        "column", table=read_split_table(table(tmp_path, "chrom start end split", "a 0 9 train", "z 0 9 test"))
    )
    plan.check_contigs(genome, {"a", "b"}, strict=False)
    with pytest.raises(InputError, match=r"split\.tsv: contig 'z' has no record in g\.fa"):
        plan.check_contigs(genome, {"a", "b"}, strict=True)
    with pytest.raises(InputError, match=r"2 of 2 contigs have none"):
        plan.check_contigs(genome, {"b"}, strict=False)


def test_shares_of_a_contig_are_cut_from_left_to_right_and_an_empty_one_is_left_out() -> None:
    plan = SplitPlan("position", fractions=(0.5, 0.0, 0.5))
    assert plan.intervals("c", 9) == (SplitInterval("c", 0, 4, "train"), SplitInterval("c", 4, 9, "test"))
    assert plan.wanted == {"train"}
    assert SplitPlan("position").intervals("c", 1) == (SplitInterval("c", 0, 1, "train"),)


@pytest.mark.parametrize("fractions", [(0.5, 0.5, 0.5), (-0.1, 0.6, 0.5)])
def test_fractions_that_do_not_sum_to_one_are_refused(fractions: tuple[float, float, float]) -> None:
    with pytest.raises(ConfigError, match="expected three that are not negative and sum to 1"):
        SplitPlan("position", fractions)


def test_a_contig_is_for_valid_or_for_test() -> None:
    with pytest.raises(ConfigError, match="contig 'c' is named for valid and for test; choose one"):
        SplitPlan("contig", valid_contigs=frozenset(["c"]), test_contigs=frozenset(["c", "d"]))


def test_settings_become_a_plan_by_rule_or_by_table(tmp_path: Path) -> None:
    assert SplitSettings().plan() == SplitPlan("position")
    assert SplitSettings(split="contig", test_contigs="chr3").plan() == SplitPlan(
        "contig", test_contigs=frozenset(["chr3"])
    )
    path = table(tmp_path, "chrom start end split", "c 0 9 train")
    settings = SplitSettings(split=str(path))
    assert settings.split_table == path and settings.plan() == SplitPlan("column", table=read_split_table(path))
    with pytest.raises(ValidationError, match="split 'column' is neither a file nor one of position, contig, train"):
        SplitSettings(split="column")
    with pytest.raises(ValidationError, match="have an effect with split 'contig' alone"):
        SplitSettings(split="position", valid_contigs=("a",))


@pytest.mark.parametrize(("given", "folds"), [("5", 5), (2, 2), ("contigs", "contigs"), (None, None)])
def test_folds_are_a_number_or_contigs(given: object, folds: object) -> None:
    assert SplitSettings(folds=given).folds == folds


@pytest.mark.parametrize("given", ["0", 1, "x", "", 2.5, True, 1_000])
def test_other_folds_are_refused_in_words(given: object) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"folds: {given!r}; expected 2 to 100, or 'contigs'")):
        build_config(SplitSettings, {"folds": given})


def test_a_file_that_is_needed_last_is_missed_first(tmp_path: Path) -> None:
    genome, regions, names = (tmp_path / name for name in ("g.fa", "peaks.bed", "names.txt"))
    genome.write_text("no genome, but a file")
    regions.write_text("no regions, but a file")
    config = PrepareRegionsConfig(out=tmp_path / "out", genome=genome, regions=regions, labels_file=names)
    assert config.files() == (genome, regions, names)
    with pytest.raises(InputError, match=r"names\.txt: No such file or directory; expected a readable file"):
        prepare_regions(config)
    names.mkdir()
    with pytest.raises(InputError, match=r"names\.txt: is a folder; expected a file"):
        config.check_files()


@pytest.mark.parametrize(
    "settings", [SplitSettings, WindowSettings, PrepareGenesConfig, PrepareRegionsConfig, PrepareMethylationConfig]
)
def test_every_setting_says_what_it_does(settings: type[Settings]) -> None:
    for name, field in settings.model_fields.items():
        assert field.description and field.description.endswith("."), name
