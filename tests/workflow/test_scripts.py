"""The workflow's scripts: groups of contigs, and predictions of groups merged."""

import runpy
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dnaspt.errors import InputError

SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"
GROUPS = runpy.run_path(str(SCRIPTS / "contig_groups.py"))
MERGE = runpy.run_path(str(SCRIPTS / "merge_parts.py"))["merge_parts"]


def test_contigs_share_a_group_up_to_its_size_and_keep_their_order() -> None:
    lengths = [("a", 40), ("b", 60), ("c", 1), ("long", 500), ("d", 99), ("e", 1), ("f", 1)]
    groups = GROUPS["contig_groups"](lengths, 100)
    assert [[name for name, _ in group] for group in groups] == [["a", "b", "c"], ["long"], ["d", "e", "f"]]
    assert GROUPS["contig_groups"]([], 100) == []


def test_a_small_group_joins_its_neighbor_also_at_the_beginning() -> None:
    groups = GROUPS["contig_groups"]([("M", 9), ("1", 500), ("2", 50), ("3", 60), ("short", 1)], 100)
    assert [[name for name, _ in group] for group in groups] == [["M", "1"], ["2"], ["3", "short"]]


def test_groups_are_bed_files_whose_names_sort_in_their_order(tmp_path: Path) -> None:
    groups = [[(f"chr{number}", number + 1)] for number in range(10_001)]
    GROUPS["write_groups"](groups, tmp_path / "groups")
    files = sorted((tmp_path / "groups").iterdir())
    assert len(files) == 10_001 and files[-1].name == "10000.bed" and files[2].name == "00002.bed"
    assert files[2].read_text(encoding="utf-8") == "chr2\t0\t3\n"


def parts_of(tmp_path: Path, suffix: str, *contents: str) -> list[Path]:
    parts = [tmp_path / f"{number}{suffix}" for number in range(len(contents))]
    for part, content in zip(parts, contents, strict=True):
        part.write_text(content, encoding="utf-8", newline="\n")
    return parts


@pytest.mark.parametrize("suffix", [".gff3", ".gtf"])
def test_head_lines_are_written_once_and_other_comments_stay(tmp_path: Path, suffix: str) -> None:
    parts = parts_of(tmp_path, suffix, "##head\n# two\nrow 1\n# within\n", "##head\n# two\n", "##head\n# two\nrow 2\n")
    MERGE(parts, tmp_path / f"all{suffix}")
    assert (tmp_path / f"all{suffix}").read_text(encoding="utf-8") == "##head\n# two\nrow 1\n# within\nrow 2\n"


def test_parts_of_another_genome_are_refused_and_nothing_is_written(tmp_path: Path) -> None:
    parts = parts_of(tmp_path, ".gff3", "##one\nrow\n", "##another\nrow\n")
    with pytest.raises(InputError, match=r"1\.gff3: has other head lines than .*0\.gff3; was the model"):
        MERGE(parts, tmp_path / "all.gff3")
    assert not (tmp_path / "all.gff3").exists()


@pytest.mark.parametrize("suffix", [".fa", ".bed"])
def test_files_without_a_head_follow_each_other(tmp_path: Path, suffix: str) -> None:
    MERGE(parts_of(tmp_path, suffix, "#chr\t1\t2\n", "", "b\t1\t2\n"), tmp_path / f"all{suffix}")
    assert (tmp_path / f"all{suffix}").read_text(encoding="utf-8") == "#chr\t1\t2\nb\t1\t2\n"


def test_tables_follow_each_other_and_must_have_the_same_columns(tmp_path: Path) -> None:
    for number, columns in enumerate(({"chrom": ["a"], "p": [0.5]}, {"chrom": ["b"], "p": [0.1]}, {"chrom": ["b"]})):
        pq.write_table(pa.table(columns), tmp_path / f"{number}.parquet")
    parts = [tmp_path / f"{number}.parquet" for number in range(3)]
    MERGE(parts[:2], tmp_path / "all.parquet")
    assert pq.read_table(tmp_path / "all.parquet").to_pydict() == {"chrom": ["a", "b"], "p": [0.5, 0.1]}
    with pytest.raises(InputError, match="has other columns than"):
        MERGE(parts, tmp_path / "other.parquet")
